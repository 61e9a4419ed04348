"""A parametric active-set method: from any point to the solution along a piecewise linear path.

Minimise ``1/2 x'Gx - q'x + sum_j l1_j |x_j|`` over ``lower <= x <= upper``. Names: ``h = q - G x``;
``t`` from 0 to 1 the position on the path; ``e`` the error of the starting point: with
``eased = h - (1 - t) e`` in place of ``h`` the point is optimal all along. A coordinate is *free*
between two breakpoints of its penalty (``lower``, 0, ``upper``), where ``eased`` must equal the
penalty's slope, or *fixed* at one, where ``eased`` must lie between the slopes to its left and
right. Between two changes of the free set x moves along a line; the Cholesky factor of the free
part is updated at each change. From x = 0 the path is that of LARS (Efron, Hastie, Johnstone &
Tibshirani, 2004); from a nearby point it is as long as what differs (as the online active sets of
Ferreau, Bock & Diehl, 2008).
"""

import numpy as np

from bcd._factor_kernels import (
    add_multiple,
    append_column,
    dot,
    project_column,
    remove_column,
    solve_backward,
    solve_forward,
    subtract_rows,
)
from graphs._jit import inner_kernel, kernel, lean_kernel

ARRIVED, TOO_LONG, DEGENERATE = range(3)
JITTER = 0.05  # relative, by which fixed coordinates are eased apart so that ties are broken
NOTHING = 1e-8  # relative: a rate of change that is a rounding error


@inner_kernel
def right_slope(x, l1, upper):
    """Slope of the penalty to the right of x."""
    if x >= upper:
        return np.inf
    return l1 if x >= 0.0 else -l1


@inner_kernel
def left_slope(x, l1, lower):
    """Slope of the penalty to the left of x."""
    if x <= lower:
        return -np.inf
    return -l1 if x <= 0.0 else l1


@inner_kernel
def is_free(x, l1, lower, upper):
    """Tell whether x lies strictly between two breakpoints."""
    return lower < x < upper and (x != 0.0 or l1 == 0.0)


@inner_kernel
def next_breakpoint(x, rate, l1, lower, upper):
    """Where a free coordinate that moves at this rate is stopped."""
    if rate > 0.0:
        return 0.0 if x < 0.0 and l1 > 0.0 and upper > 0.0 else upper
    return 0.0 if x > 0.0 and l1 > 0.0 and lower < 0.0 else lower


@inner_kernel
def distance_to_optimality(h, x, l1, lower, upper):
    """Signed length of the minimum-norm subgradient at one coordinate."""
    right, left = right_slope(x, l1, upper), left_slope(x, l1, lower)
    if h > right:
        return h - right
    return h - left if h < left else 0.0


@lean_kernel
def largest_error(G, h, x, l1, lower, upper):
    """Largest entry of the minimum-norm subgradient, each over the square root of its curvature."""
    worst = 0.0
    for j in range(len(x)):
        if G[j, j] > 0.0:
            error = abs(distance_to_optimality(h[j], x[j], l1[j], lower[j], upper[j]))
            worst = max(worst, error / np.sqrt(G[j, j]))
    return worst


@inner_kernel
def slide(support, s, j, sign, w, x, l1, lower, upper):
    """Move x[j] by ``sign`` and the support by ``-sign w``, which keeps G x, to a breakpoint.

    w : (s,) the combination of the support's columns that equals column j
    Returns the place in the support that was stopped, s when j itself was, -1 when nothing stops.
    """
    end = next_breakpoint(x[j], sign, l1[j], lower[j], upper[j])
    length, stopped = abs(end - x[j]), s
    for a in range(s):
        i = support[a]
        rate = -sign * w[a]
        if rate != 0.0:
            stop = next_breakpoint(x[i], rate, l1[i], lower[i], upper[i])
            if (stop - x[i]) / rate < length:
                length, stopped, end = (stop - x[i]) / rate, a, stop
    if length == np.inf:
        return -1
    x[j] = end if stopped == s else x[j] + sign * length
    for a in range(s):
        x[support[a]] = end if a == stopped else x[support[a]] - length * sign * w[a]
    return stopped


@kernel
def join_support(G, x, l1, lower, upper, support, s, R):
    """Make the support and its factor those of x; where columns are dependent, x slides along them.

    Slides keep G x and do not increase the penalty. Returns the size of the support.
    """
    m = len(x)
    z = np.empty(m)
    joined = np.zeros(m, dtype=np.bool_)
    for a in range(s - 1, -1, -1):
        j = support[a]
        if is_free(x[j], l1[j], lower[j], upper[j]):
            joined[j] = True
        else:
            remove_column(R, support, s, a, z)
            s -= 1
    for j in range(m):
        if joined[j] or G[j, j] <= 0.0:
            continue
        while is_free(x[j], l1[j], lower[j], upper[j]):
            outside = project_column(G, R, support, s, j, z)
            if outside > 0.0:
                append_column(R, support, s, j, z, outside)
                s += 1
                break
            solve_backward(R, s, z)
            slope = l1[j] * np.sign(x[j])
            for a in range(s):
                slope -= z[a] * l1[support[a]] * np.sign(x[support[a]])
            sign = -1.0 if slope > 0.0 or (slope == 0.0 and x[j] > 0.0) else 1.0
            stopped = slide(support, s, j, sign, z, x, l1, lower, upper)
            if stopped < 0:  # nothing is penalised: the support takes over
                for a in range(s):
                    x[support[a]] += z[a] * x[j]
                x[j] = 0.0
                break
            if stopped < s:
                remove_column(R, support, s, stopped, z)
                s -= 1
    return s


@inner_kernel
def _start_errors(h, x, l1, lower, upper, free, e, eased):
    """Ease h into what makes x optimal: zeros by one ratio, free coordinates to their slope."""
    ratio = 1.0
    for j in range(len(x)):
        if not free[j]:
            right, left = right_slope(x[j], l1[j], upper[j]), left_slope(x[j], l1[j], lower[j])
            if h[j] > right and right > 0.0:
                ratio = max(ratio, h[j] / right)
            elif h[j] < left and left < 0.0:
                ratio = max(ratio, h[j] / left)
    jitter = np.uint32(12345)
    for j in range(len(x)):
        if free[j]:
            eased[j] = l1[j] if x[j] > 0.0 else -l1[j]
        else:
            right, left = right_slope(x[j], l1[j], upper[j]), left_slope(x[j], l1[j], lower[j])
            jitter = np.uint32(jitter * np.uint32(1664525) + np.uint32(1013904223))
            value = h[j]
            if ratio > 1.0 or h[j] > right or h[j] < left:
                value /= ratio * (1.0 + JITTER * jitter / 4294967296.0)
            eased[j] = min(max(value, left), right)
        e[j] = h[j] - eased[j]


@inner_kernel
def _rates(G, support, s, free, v, e, moves, rate):
    """Set ``rate = -G[:, S] v``; on the free coordinates, whose eased pull stands, it is ``-e``.

    moves : (m,) zeros on entry and on exit
    """
    m = len(rate)
    if 2 * s < m:
        for j in range(m):
            rate[j] = 0.0
        subtract_rows(G, support, s, v, rate, m)
        return
    for a in range(s):
        moves[support[a]] = v[a]
    for j in range(m):
        rate[j] = -e[j] if free[j] else -dot(G[j], moves, 0, m)
    for a in range(s):
        moves[support[a]] = 0.0


@kernel
def follow_path(G, h, x, l1, lower, upper, support, s, R, max_changes, counts):
    """Follow the path from x to the solution.

    h, x : (m,) changed in place;  support, R : of x, as ``join_support`` leaves them, kept so
    counts : (2,) int64, overwritten with the size of the support and the number of changes
    Returns ARRIVED, TOO_LONG after ``max_changes`` changes, or DEGENERATE when no change gets on.
    """
    m = len(x)
    free = np.zeros(m, dtype=np.bool_)
    for a in range(s):
        free[support[a]] = True
    e, eased, rate = np.empty(m), np.empty(m), np.empty(m)
    v, z, moves = np.empty(m), np.empty(m), np.zeros(m)
    y = np.empty(m)  # R' y = e[S]
    _start_errors(h, x, l1, lower, upper, free, e, eased)
    t, changes, standing, status = 0.0, 0, 0, ARRIVED
    for a in range(s):
        y[a] = e[support[a]]
    solve_forward(R, s, y)
    while True:
        for a in range(s):
            v[a] = y[a]
        solve_backward(R, s, v)
        _rates(G, support, s, free, v, e, moves, rate)
        step, hit, entering, stop = 1.0 - t, -1, False, 0.0
        for a in range(s):
            j = support[a]
            if v[a] != 0.0:
                end = next_breakpoint(x[j], v[a], l1[j], lower[j], upper[j])
                if abs(end) < np.inf and (end - x[j]) / v[a] < step:
                    step, hit, stop = (end - x[j]) / v[a], a, end
        for j in range(m):
            if free[j] or G[j, j] <= 0.0:
                continue
            change = rate[j] + e[j]
            if abs(change) <= NOTHING * (abs(e[j]) + abs(rate[j])):
                continue
            end = (
                right_slope(x[j], l1[j], upper[j])
                if change > 0.0
                else left_slope(x[j], l1[j], lower[j])
            )
            if abs(end) == np.inf:
                continue
            reach = max((end - eased[j]) / change, 0.0)
            if reach < step - NOTHING:  # what would enter at the very end may as well stay
                step, hit, entering, stop = reach, j, True, end
        t += step
        for a in range(s):
            x[support[a]] += step * v[a]
        for j in range(m):
            h[j] += step * rate[j]
            if not free[j]:
                eased[j] += step * (rate[j] + e[j])
        if hit < 0:
            break
        changes += 1
        standing = standing + 1 if step <= 0.0 else 0
        if changes >= max_changes or standing > 2 * s + 20:
            status = TOO_LONG if changes >= max_changes else DEGENERATE
            break
        if not entering:
            j = support[hit]
            x[j] = stop
            free[j] = False
            remove_column(R, support, s, hit, y)
            s -= 1
            continue
        j = hit
        eased[j] = stop
        outside = project_column(G, R, support, s, j, z)
        if outside > 0.0:
            append_column(R, support, s, j, z, outside)
            y[s] = (e[j] - dot(z, y, 0, s)) / R[s, s]
            free[j] = True
            s += 1
            continue
        # column j replaces one of those in whose span it lies
        solve_backward(R, s, z)
        sign = 1.0 if rate[j] + e[j] > 0.0 else -1.0
        before = x[j]
        for a in range(s):
            v[a] = x[support[a]]
        stopped = slide(support, s, j, sign, z, x, l1, lower, upper)
        if stopped < 0:
            e[j] = -rate[j]  # it has no say
            eased[j] = 0.5 * stop
            continue
        for a in range(s):
            change = x[support[a]] - v[a]
            if change != 0.0:
                add_multiple(-change, G[support[a]], h, 0, m)
        add_multiple(before - x[j], G[j], h, 0, m)
        if stopped == s:
            continue
        k = support[stopped]
        free[k] = False
        remove_column(R, support, s, stopped, y)
        s -= 1
        outside = project_column(G, R, support, s, j, z)
        if outside > 0.0:
            append_column(R, support, s, j, z, outside)
            y[s] = (e[j] - dot(z, y, 0, s)) / R[s, s]
            free[j] = True
            s += 1
    counts[0], counts[1] = s, changes
    return status


@kernel
def free_coordinates(x, l1, lower, upper):
    """Tell which coordinates lie strictly between two breakpoints."""
    free = np.empty(len(x), dtype=np.bool_)
    for j in range(len(x)):
        free[j] = is_free(x[j], l1[j], lower[j], upper[j])
    return free
