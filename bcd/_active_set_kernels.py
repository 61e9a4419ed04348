"""Compiled steps of the active-set method on  1/2 x'Gx - q'x + sum_j l1_j |x_j|  (x >= 0 if asked).

Names: ``G`` (m, m) float64 C-ordered and symmetric, of which the leading k x k part is in use;
``h = q - G x`` (k,) the negative gradient; ``l1`` (k,) the penalty weights; ``positive`` a bool.
"""

import numpy as np

from graphs._jit import kernel


@kernel
def soft_threshold(z, l1, positive):
    """Minimise 1/2 (x - z)^2 + l1 |x|, over x >= 0 when ``positive``."""
    if z > l1:
        return z - l1
    if z < -l1 and not positive:
        return z + l1
    return 0.0


@kernel
def violation(h, x, l1, positive):
    """Length of the minimum-norm subgradient at one coordinate."""
    if x > 0.0:
        return abs(h - l1)
    if x < 0.0:
        return abs(h + l1)
    return max(0.0, h - l1) if positive else max(0.0, abs(h) - l1)


@kernel
def _move(G, h, k, j, delta):
    row = G[j]
    for i in range(k):
        h[i] -= delta * row[i]


@kernel
def descend(G, h, x, l1, positive, n_sweeps, tol):
    """Sweep cyclically with exact coordinate updates; zeros are looked at in the first sweep only.

    h, x : (k,) float64, changed in place
    Returns the largest decrease-scaled step |delta| sqrt(G_jj) of the last sweep.
    """
    k = len(x)
    largest = 0.0
    for sweep in range(n_sweeps):
        largest = 0.0
        for j in range(k):
            curvature = G[j, j]
            if curvature <= 0.0 or (sweep > 0 and x[j] == 0.0):
                continue
            old = x[j]
            new = soft_threshold(h[j] + curvature * old, l1[j], positive) / curvature
            if new != old:
                x[j] = new
                _move(G, h, k, j, new - old)
                largest = max(largest, abs(new - old) * np.sqrt(curvature))
        if largest <= tol:
            break
    return largest


@kernel
def largest_violation(G, h, x, l1, positive):
    """Largest entry of the minimum-norm subgradient, each over the square root of its curvature."""
    worst = 0.0
    for j in range(len(x)):
        if G[j, j] > 0.0:
            worst = max(worst, violation(h[j], x[j], l1[j], positive) / np.sqrt(G[j, j]))
    return worst


@kernel
def gather(G, support, out):
    """Copy ``G[support][:, support]`` into ``out`` of shape (s, s)."""
    for a in range(len(support)):
        row = G[support[a]]
        for b in range(len(support)):
            out[a, b] = row[support[b]]


@kernel
def apply_step(G, h, x, support, step):
    """Add ``step`` (s,) to ``x`` on ``support`` (s,) int64 and keep ``h`` up to date."""
    k = len(x)
    for a in range(len(support)):
        if step[a] != 0.0:
            x[support[a]] += step[a]
            _move(G, h, k, support[a], step[a])


@kernel
def change_of_objective(matrix, h, x, l1, support, step):
    """Objective at ``x + step`` minus that at ``x``; ``matrix`` is the gathered (s, s) part."""
    s = len(support)
    quadratic, linear, absolute = 0.0, 0.0, 0.0
    for a in range(s):
        if step[a] == 0.0:
            continue
        j = support[a]
        row = matrix[a]
        total = 0.0
        for b in range(s):
            total += row[b] * step[b]
        quadratic += step[a] * total
        linear += h[j] * step[a]
        absolute += l1[j] * (abs(x[j] + step[a]) - abs(x[j]))
    return 0.5 * quadratic - linear + absolute


@kernel
def exact_line_search(matrix, h, x, l1, positive, support, direction, step):
    """Minimise exactly along ``x + t direction``, t in [0, 1], past as many sign changes as pay.

    The objective along the line is convex, a parabola in pieces; its derivative jumps up by
    2 l1_j |d_j| where x_j changes sign. Where the minimum lies at such a point, x_j becomes exactly
    zero. With ``positive`` the line ends at the first coordinate that reaches zero.

    matrix : (s, s) the gathered Hessian;  support : (s,) int64;  direction : (s,)
    step : (s,) float64, overwritten with what to add to x on the support
    """
    s = len(support)
    curvature, slope = 0.0, 0.0
    crossing = np.empty(s)
    for a in range(s):
        j = support[a]
        total = 0.0
        row = matrix[a]
        for b in range(s):
            total += row[b] * direction[b]
        curvature += direction[a] * total
        slope -= h[j] * direction[a]
        sign = 1.0 if x[j] > 0.0 else -1.0
        slope += l1[j] * sign * direction[a]
        crossing[a] = -x[j] / direction[a] if x[j] * direction[a] < 0.0 else np.inf
    order = np.argsort(crossing)
    t, end = 0.0, -1
    for rank in range(s + 1):
        a = order[rank] if rank < s else -1
        stop = min(1.0, crossing[a]) if rank < s else 1.0
        if slope + curvature * (stop - t) >= 0.0:  # the minimum lies before the next sign change
            t = t - slope / curvature if curvature > 0.0 else t
            break
        slope += curvature * (stop - t)
        t = stop
        if stop >= 1.0:
            break
        slope += 2.0 * l1[support[a]] * abs(direction[a])
        if positive or slope >= 0.0:
            end = a
            break
    for a in range(s):
        step[a] = t * direction[a]
    if end >= 0:
        step[end] = -x[support[end]]


@kernel
def project_step(x, support, direction, step):
    """Set ``step`` to the direction, stopping at zero what would change sign; count those."""
    changed = 0
    for a in range(len(support)):
        value = x[support[a]]
        if value * (value + direction[a]) <= 0.0:
            step[a] = -value
            changed += 1
        else:
            step[a] = direction[a]
    return changed
