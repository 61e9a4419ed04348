"""Least squares with separable penalties on sparse columns, by their residual: no Gram matrix.

Minimise ``1/2 ||b - A x||^2`` plus the penalties of ``bcd.separable``. Names: ``ptr, row, value``
the columns compressed; ``mean`` (k,) what is taken off each along ``u``, ``length = u'u``: A's
columns are ``value - mean u``. The residual is ``r + shift[0] u``, ``shift`` of shape (1,), so that
an update touches no other rows than the column holds.
"""

import numpy as np

from bcd._active_set_kernels import soft_threshold
from bcd._glm_block_kernels import multiply_compressed
from bcd._path_kernels import is_free, next_breakpoint
from graphs._jit import kernel, sum_kernel


@sum_kernel
def _correlation(row, value, start, stop, r):
    total = 0.0
    for slot in range(start, stop):
        total += value[slot] * r[row[slot]]
    return total


@kernel
def sweep_residual(
    ptr, row, value, mean, length, squares, x, r, shift, l1, l2, lower, upper, zeros
):
    """Sweep once with exact coordinate updates, over zeros as well or not.

    x, r, shift : changed in place
    Returns how many coordinates became zero or ceased to be.
    """
    changes = 0
    for j in range(len(x)):
        curvature = squares[j] + l2[j]
        old = x[j]
        if curvature <= 0.0 or (old == 0.0 and not zeros):
            continue
        pull = _correlation(row, value, ptr[j], ptr[j + 1], r) + shift[0] * mean[j] * length
        new = soft_threshold(pull + squares[j] * old, l1[j]) / curvature
        new = min(max(new, lower[j]), upper[j])
        if new != old:
            x[j] = new
            step = old - new
            for slot in range(ptr[j], ptr[j + 1]):
                r[row[slot]] += step * value[slot]
            shift[0] -= step * mean[j]
            if (new == 0.0) != (old == 0.0):
                changes += 1
    return changes


@kernel
def correlate_residual(ptr, row, value, r, out):
    """Set ``out`` (k,) to ``A' r``, for r orthogonal to u."""
    for j in range(len(out)):
        out[j] = _correlation(row, value, ptr[j], ptr[j + 1], r)


@kernel
def subtract_columns(ptr, row, value, mean, step, out):
    """Subtract ``A step`` from ``out``, but for the multiple of u that is returned."""
    move = 0.0
    for j in range(len(step)):
        if step[j] != 0.0:
            move += step[j] * mean[j]
            for slot in range(ptr[j], ptr[j + 1]):
                out[row[slot]] -= step[j] * value[slot]
    return move


@kernel
def slope_of_free(pull, x, l1, lower, upper, free, slope):
    """List the free coordinates and the negative gradient of the objective along them.

    pull : (k,) negative gradient of the smooth part;  free, slope : (k,) overwritten
    Returns how many there are.
    """
    n = 0
    for j in range(len(x)):
        if is_free(x[j], l1[j], lower[j], upper[j]):
            free[n] = j
            slope[n] = pull[j] - (l1[j] if x[j] > 0.0 else -l1[j])
            n += 1
    return n


@kernel
def conjugate_gradients(
    ptr,
    row,
    value,
    row_ptr,
    column,
    row_value,
    mean,
    length,
    curvature,
    l2,
    tol,
    max_steps,
    left,
    step,
):
    """Solve ``(A' A + diag(l2)) step = left``, scaled by the diagonal.

    row_ptr, column, row_value : A by rows, without the means
    curvature : (s,) the diagonal;  tol : on the residual's length, scaled and relative
    left : (s,) overwritten with the residual;  step : (s,) overwritten
    Returns the number of steps.
    """
    s, n = len(left), len(row_ptr) - 1
    way, work = np.empty(s), np.empty(n)
    rho = 0.0
    for a in range(s):
        step[a] = 0.0
        way[a] = left[a] / curvature[a]
        rho += left[a] * way[a]
    enough, n_steps = tol * tol * rho, 0
    while n_steps < max_steps and rho > enough:
        n_steps += 1
        multiply_compressed(row_ptr, column, row_value, way, work)
        move, bent = 0.0, 0.0
        for a in range(s):
            move += way[a] * mean[a]
            bent += l2[a] * way[a] * way[a]
        for i in range(n):
            bent += work[i] * work[i]
        bent -= move * move * length
        if not bent > 0.0:
            break
        alpha, fresh = rho / bent, 0.0
        for a in range(s):
            product = _correlation(row, value, ptr[a], ptr[a + 1], work)
            product += l2[a] * way[a] - move * mean[a] * length
            step[a] += alpha * way[a]
            left[a] -= alpha * product
            fresh += left[a] * left[a] / curvature[a]
        for a in range(s):
            way[a] = left[a] / curvature[a] + (fresh / rho) * way[a]
        rho = fresh
    return n_steps


@kernel
def reach(x, step, l1, lower, upper):
    """Return the largest multiple of the step, at most 1, that passes no breakpoint."""
    longest = 1.0
    for j in range(len(x)):
        if step[j] != 0.0:
            room = next_breakpoint(x[j], step[j], l1[j], lower[j], upper[j]) - x[j]
            if longest * abs(step[j]) > abs(room):
                longest = room / step[j]
    return longest


@kernel
def move_within(x, step, multiple, l1, lower, upper, out):
    """Set ``out = x + multiple step``, no coordinate beyond its next breakpoint."""
    for j in range(len(x)):
        out[j] = x[j]
        if step[j] != 0.0:
            stop = next_breakpoint(x[j], step[j], l1[j], lower[j], upper[j])
            aim = x[j] + multiple * step[j]
            out[j] = min(aim, stop) if step[j] > 0.0 else max(aim, stop)


@kernel
def value_and_gap(b, r, pull, x, l1, l2, lower, upper):
    """Objective and duality gap; infinite where a bound other than 0 is finite.

    b, r : (n,) orthogonal to u;  pull : (k,) ``A' r - l2 x``
    """
    length, inner, penalty, limit, boxed = 0.0, 0.0, 0.0, np.inf, False
    for i in range(len(r)):
        length += r[i] * r[i]
        inner += b[i] * r[i]
    for j in range(len(x)):
        if x[j] != 0.0:
            penalty += l1[j] * abs(x[j])
            length += l2[j] * x[j] * x[j]
        if (lower[j] != 0.0 and lower[j] > -np.inf) or (upper[j] != 0.0 and upper[j] < np.inf):
            boxed = True
        if (pull[j] > 0.0 and upper[j] == np.inf) or (pull[j] < 0.0 and lower[j] == -np.inf):
            limit = min(limit, l1[j] / abs(pull[j]))
    value = 0.5 * length + penalty
    if boxed:
        return value, np.inf
    scale = min(max(inner / length, 0.0), limit) if length > 0.0 else 0.0
    return value, value - scale * inner + 0.5 * scale * scale * length
