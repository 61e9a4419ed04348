"""Kernel support vector machines: greedy blocks of two dual variables, compiled.

Minimise ``1/2 a'Qa - sum(a)`` over ``0 <= a <= cost`` and ``y'a = 0`` with ``Q_ij = y_i y_j K_ij``.
Names: ``gradient = Q a - 1`` (n,), ``rows`` (capacity, n) a cache of rows of K, ``row_of`` (n,)
which of them holds a sample's row, -1 for none. A variable whose ``-y_t gradient_t`` is above
another's may go up (in the direction of ``y_t``) at the expense of the other.
"""

import numpy as np

from graphs._jit import kernel

CONVERGED, NEEDS_ROW, OUT_OF_STEPS, STALLED = 0, 1, 2, 3
FLAT = 1e-12  # curvature put in place of one that is not positive


@kernel
def descend_pairs(
    rows, row_of, last_use, clock, diagonal, y, cost, a, gradient, active, tol, max_steps, out
):
    """Take exact steps on greedy pairs until the largest violation is at most ``tol``.

    The first of a pair violates most; the second is the one with which the exact step decreases
    the objective most, bounds left aside (Fan, Chen & Lin, 2005, working set selection 2: gs-q for
    two variables that share a constraint).

    last_use : (capacity,) int64, when a cached row was used last;  clock : its present time
    a, gradient : (n,), changed in place, the gradient at ``active`` alone
    active : (n_active,) int64, the variables that are looked at
    out : (4,) float64, overwritten: steps taken, violation, the sample whose row is missing, clock
    Returns CONVERGED, NEEDS_ROW, OUT_OF_STEPS, or STALLED when a step is lost in rounding.
    """
    for step in range(max_steps):
        out[0], out[1], out[3] = step, 0.0, clock
        first, top = -1, -np.inf
        for t in active:
            if (y[t] > 0.0 and a[t] < cost[t]) or (y[t] < 0.0 and a[t] > 0.0):
                value = -y[t] * gradient[t]
                if value > top:
                    first, top = t, value
        if first < 0:
            return CONVERGED
        if row_of[first] < 0:
            out[2] = first
            return NEEDS_ROW
        left = rows[row_of[first]]
        second, bottom, best = -1, np.inf, 0.0
        for t in active:
            if (y[t] > 0.0 and a[t] > 0.0) or (y[t] < 0.0 and a[t] < cost[t]):
                value = -y[t] * gradient[t]
                bottom = min(bottom, value)
                slope = top - value
                if slope > 0.0:
                    curvature = max(diagonal[first] + diagonal[t] - 2.0 * left[t], FLAT)
                    gain = slope * slope / curvature
                    if gain > best:
                        second, best = t, gain
        out[1] = max(top - bottom, 0.0)
        if second < 0 or top - bottom <= tol:
            return CONVERGED
        clock += 1
        last_use[row_of[first]] = clock  # whoever makes room must not take this row
        if row_of[second] < 0:
            out[2], out[3] = second, clock
            return NEEDS_ROW
        last_use[row_of[second]] = clock
        right = rows[row_of[second]]
        curvature = max(diagonal[first] + diagonal[second] - 2.0 * left[second], FLAT)
        length = (top + y[second] * gradient[second]) / curvature
        room = cost[first] - a[first] if y[first] > 0.0 else a[first]
        length = min(length, room)
        room = a[second] if y[second] > 0.0 else cost[second] - a[second]
        length = min(length, room)
        old_first, old_second = a[first], a[second]
        a[first] = min(max(old_first + y[first] * length, 0.0), cost[first])
        a[second] = min(max(old_second - y[second] * length, 0.0), cost[second])
        change_first = (a[first] - old_first) * y[first]
        change_second = (a[second] - old_second) * y[second]
        if change_first == 0.0 and change_second == 0.0:
            return STALLED
        for t in active:
            gradient[t] += y[t] * (change_first * left[t] + change_second * right[t])
    out[0], out[3] = max_steps, clock
    return OUT_OF_STEPS
