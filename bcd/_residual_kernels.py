"""Least squares with separable penalties on chosen columns, by their residual: no Gram matrix.

Minimise ``1/2 ||b - A x||^2`` plus the penalties of ``bcd.separable``. Names: ``mean`` (k,) what is
taken off each column along ``u``, ``length = u'u``: A's columns are those of ``form`` less
``mean u``. The residual is ``r + shift[0] u``, ``shift`` of shape (1,), so that an update touches
no other rows than the column holds.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bcd._dense_sweep_kernels import add_four, exact_update, sweep_dense
from bcd._design_kernels import correlate_columns, four_dots
from bcd._path_kernels import is_free, next_breakpoint
from graphs._jit import inline_kernel, inline_sum_kernel, inner_kernel, kernel, lean_kernel

FLAT = 1e-12  # relative curvature along a direction that dependent columns leave to rounding


class Columns(NamedTuple):
    """Columns compressed behind each other, or where they stand in a dense matrix."""

    ptr: NDArray[np.int64]  # (k + 1,), or (0,) where they are dense
    row: NDArray[np.int32]
    value: NDArray[np.float64]
    matrix: NDArray  # (n, p) in Fortran order
    chosen: NDArray[np.int32]  # (k,) which of its columns


@inline_sum_kernel
def _column_dot(form, j, r):
    total = 0.0
    if len(form.ptr):
        for slot in range(np.uint64(form.ptr[j]), np.uint64(form.ptr[j + 1])):
            total += form.value[slot] * r[np.uint64(form.row[slot])]
    else:
        column = form.matrix[:, form.chosen[j]]
        for i in range(len(r)):
            total += np.float64(column[i]) * r[i]
    return total


@inline_kernel
def _add_column(form, j, weight, out):
    if len(form.ptr):
        for slot in range(np.uint64(form.ptr[j]), np.uint64(form.ptr[j + 1])):
            out[np.uint64(form.row[slot])] += weight * form.value[slot]
    else:
        column = form.matrix[:, form.chosen[j]]
        for i in range(len(out)):
            out[i] += weight * column[i]


@kernel
def sweep_residual(
    form, mean, length, squares, x, r, shift, l1, l2, lower, upper, n_sweeps, enough
):
    """Sweep with exact coordinate updates; zeros are looked at in the first sweep only.

    enough : a decrease of the objective in one sweep that ends them
    x, r, shift : changed in place
    Returns how many coordinates became zero or ceased to be in the last sweep.
    """
    if len(form.ptr) == 0:
        return sweep_dense(
            form.matrix, form.chosen, mean, length, squares, x, r, shift, l1, l2, lower, upper,
            n_sweeps, enough,
        )  # fmt: skip
    changes = 0
    for sweep in range(n_sweeps):
        changes, decrease = 0, 0.0
        for j in range(len(x)):
            curvature = squares[j] + l2[j]
            old = x[j]
            if curvature <= 0.0 or (old == 0.0 and sweep > 0):
                continue
            pull = _column_dot(form, j, r) + shift[0] * mean[j] * length
            new = exact_update(pull, j, squares, x, l1, l2, lower, upper)
            if new != old:
                x[j] = new
                _add_column(form, j, old - new, r)
                shift[0] -= (old - new) * mean[j]
                decrease += 0.5 * curvature * (new - old) ** 2
                if (new == 0.0) != (old == 0.0):
                    changes += 1
        if decrease <= enough:
            break
    return changes


@lean_kernel
def sweep_in_order(
    form, mean, length, squares, x, r, shift, l1, l2, lower, upper, order, zeros_too
):
    """Sweep once in some order, over the zeros only where asked to.

    order : (s,) int64;  x, r, shift : changed in place
    Returns by how much the pulls were off, in units of their l1 weights, at most.
    """
    largest = 0.0
    for a in range(len(order)):
        j = order[a]
        curvature, old = squares[j] + l2[j], x[j]
        if curvature <= 0.0 or (old == 0.0 and not zeros_too):
            continue
        pull = _column_dot(form, j, r) + shift[0] * mean[j] * length
        new = exact_update(pull, j, squares, x, l1, l2, lower, upper)
        if new != old:
            x[j] = new
            _add_column(form, j, old - new, r)
            shift[0] -= (old - new) * mean[j]
            largest = max(largest, abs(new - old) * curvature / l1[j])
    return largest


@lean_kernel
def correlate_residual(form, r, out):
    """Set ``out`` (k,) to ``A' r``, for r orthogonal to u."""
    if len(form.ptr) == 0:
        correlate_columns(form.matrix, r, form.chosen, out)
        return
    for j in range(len(out)):
        out[j] = _column_dot(form, j, r)


@lean_kernel
def subtract_columns(form, mean, step, out):
    """Subtract ``A step`` from ``out``, but for the multiple of u that is returned."""
    move = 0.0
    for j in range(len(step)):
        if step[j] != 0.0:
            move += step[j] * mean[j]
            _add_column(form, j, -step[j], out)
    return move


@lean_kernel
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


@inner_kernel
def _four_images(form, four, image, pull):
    columns = (
        form.matrix[:, form.chosen[four[0]]],
        form.matrix[:, form.chosen[four[1]]],
        form.matrix[:, form.chosen[four[2]]],
        form.matrix[:, form.chosen[four[3]]],
    )
    pull[0], pull[1], pull[2], pull[3] = four_dots(*columns, image)


@inner_kernel
def _add_scaled_four(form, four, weight, out):
    columns = (
        form.matrix[:, form.chosen[four[0]]],
        form.matrix[:, form.chosen[four[1]]],
        form.matrix[:, form.chosen[four[2]]],
        form.matrix[:, form.chosen[four[3]]],
    )
    add_four(*columns, weight, out)


@kernel
def conjugate_gradients(form, free, mean, u, squares, l2, tol, max_steps, left, step, moved):
    """Solve ``(A' A + diag(l2)) step = left`` on the free columns, scaled by the diagonal.

    Each step walks through the columns once: their products with ``way``'s image are at once added
    up to the image of what is left.

    free : (s,) int32;  u : (n,) or (0,)
    tol : on the residual's length, scaled and relative
    left : (s,) overwritten with the residual;  step : (k,) overwritten, zero but at free
    moved : (n,) overwritten with ``A step``
    Returns the number of steps.
    """
    s, n = len(free), len(moved)
    way, image, fresh_image = np.zeros(s), np.zeros(n), np.empty(n)
    rho, beta, alpha, n_steps, enough = np.inf, 0.0, 0.0, 0, 0.0
    step[:] = 0.0
    moved[:] = 0.0
    in_fours = s - s % 4 if len(form.ptr) == 0 else 0
    pull, scaled = np.empty(4), np.empty(4)
    while True:
        fresh, drift = 0.0, 0.0
        fresh_image[:] = 0.0
        a = 0
        while a < s:
            size = 4 if a < in_fours else 1
            if n_steps > 0:
                if size == 4:
                    _four_images(form, free[a : a + 4], image, pull)
                else:
                    pull[0] = _column_dot(form, free[a], image)
            for i in range(size):
                j = free[a + i]
                if n_steps > 0:
                    step[j] += alpha * way[a + i]
                    left[a + i] -= alpha * (pull[i] + l2[j] * way[a + i])
                scaled[i] = left[a + i] / (squares[j] + l2[j])
                fresh += left[a + i] * scaled[i]
                drift += scaled[i] * mean[j]
            if size == 4:
                _add_scaled_four(form, free[a : a + 4], scaled, fresh_image)
            else:
                _add_column(form, free[a], scaled[0], fresh_image)
            a += size
        if len(u):
            for i in range(n):
                fresh_image[i] -= drift * u[i]
        if n_steps == 0:
            enough = tol * tol * fresh
        else:
            beta = fresh / rho
        rho = fresh
        if n_steps == max_steps or not rho > enough:
            break
        bent, scale = 0.0, 0.0
        for a in range(s):
            j = free[a]
            way[a] = left[a] / (squares[j] + l2[j]) + beta * way[a]
            bent += l2[j] * way[a] * way[a]
            scale += (squares[j] + l2[j]) * way[a] * way[a]
        for i in range(n):
            image[i] = fresh_image[i] + beta * image[i]
            bent += image[i] * image[i]
        if not bent > FLAT * scale:
            break
        alpha = rho / bent
        n_steps += 1
        for i in range(n):
            moved[i] += alpha * image[i]
    return n_steps


@lean_kernel
def reach(x, step, l1, lower, upper):
    """Return the largest multiple of the step, at most 1, that passes no breakpoint."""
    longest = 1.0
    for j in range(len(x)):
        if step[j] != 0.0:
            room = next_breakpoint(x[j], step[j], l1[j], lower[j], upper[j]) - x[j]
            if longest * abs(step[j]) > abs(room):
                longest = room / step[j]
    return longest


@lean_kernel
def move_within(form, mean, x, step, multiple, l1, lower, upper, out, r):
    """Set ``out = x + multiple step``, no coordinate beyond its next breakpoint.

    r : (n,) the residual at ``x + multiple step``, becomes the one at ``out`` but for the multiple
        of u that is returned
    """
    move = 0.0
    for j in range(len(x)):
        out[j] = x[j]
        if step[j] != 0.0:
            stop = next_breakpoint(x[j], step[j], l1[j], lower[j], upper[j])
            aim = x[j] + multiple * step[j]
            out[j] = min(aim, stop) if step[j] > 0.0 else max(aim, stop)
            if out[j] != aim:
                _add_column(form, j, aim - out[j], r)
                move -= (aim - out[j]) * mean[j]
    return move
