"""Passes over a working block W: the chosen columns of a design, compressed by columns and by rows.

Names: ``ptr, index, value`` a compressed form with local column numbers; ``h`` (n,) the curvatures
of the samples; ``G`` (k, k) float64.
"""

import numpy as np

from graphs._jit import kernel, sum_kernel


@kernel
def count_entries(indptr, columns):
    """Count the stored entries of the chosen columns."""
    total = 0
    for k in range(len(columns)):
        total += indptr[columns[k] + 1] - indptr[columns[k]]
    return total


@kernel
def take_columns(data, indices, indptr, columns, ptr, index, value):
    """Copy the chosen columns behind each other, as float64 with 32-bit row numbers.

    ptr : (k + 1,) int64, of which ``ptr[0]`` is given;  index, value : overwritten from there on
    """
    slot = ptr[0]
    for k in range(len(columns)):
        for e in range(indptr[columns[k]], indptr[columns[k] + 1]):
            index[slot] = indices[e]
            value[slot] = data[e]
            slot += 1
        ptr[k + 1] = slot


@kernel
def compress_rows(n, ptr, index, value, chosen, row_ptr, row_index, row_value):
    """Turn chosen compressed columns into compressed rows, columns ascending in each.

    row_ptr : (n + 1,) int64;  row_index int32, row_value float64 : all overwritten; columns are
    numbered by their place in ``chosen``
    """
    row_ptr[:] = 0
    for j in chosen:
        for e in range(ptr[j], ptr[j + 1]):
            row_ptr[index[e] + 1] += 1
    for i in range(n):
        row_ptr[i + 1] += row_ptr[i]
    place = row_ptr[:-1].copy()
    for k in range(len(chosen)):
        for e in range(ptr[chosen[k]], ptr[chosen[k] + 1]):
            slot = place[index[e]]
            row_index[slot] = k
            row_value[slot] = value[e]
            place[index[e]] += 1


@kernel
def pairs_of_rows(n, index):
    """Return the sum over rows of their squared numbers of entries, of ``index`` row by row."""
    count = np.zeros(n, dtype=np.int64)
    for i in index:
        count[i] += 1
    total = 0.0
    for i in range(n):
        total += count[i] * count[i]
    return total


@kernel
def multiply_compressed(ptr, index, value, vector, out):
    """Set ``out[k]`` to the inner product of compressed vector k with a dense vector."""
    for k in range(len(ptr) - 1):
        total = 0.0
        for e in range(ptr[k], ptr[k + 1]):
            total += value[e] * vector[index[e]]
        out[k] = total


@kernel
def combine_columns(ptr, index, value, step, out):
    """Set ``out`` (n,) to the compressed columns times ``step``; zeros in it cost nothing."""
    out[:] = 0.0
    for k in range(len(ptr) - 1):
        if step[k] != 0.0:
            for e in range(ptr[k], ptr[k + 1]):
                out[index[e]] += step[k] * value[e]


@kernel
def multiply_squares(ptr, index, value, vector, out):
    """Do the same with the squares of the compressed values."""
    for k in range(len(ptr) - 1):
        total = 0.0
        for e in range(ptr[k], ptr[k + 1]):
            total += value[e] * value[e] * vector[index[e]]
        out[k] = total


@kernel
def count_drifted(h, held, drift):
    """Count the rows whose weight is no longer within a factor of the one that was held."""
    total = 0
    for i in range(len(h)):
        total += abs(h[i] - held[i]) > drift * held[i]
    return total


@kernel
def update_gram(row_ptr, row_index, row_value, h, drift, held, G):
    """Bring ``G = W' diag(held) W`` to the weights ``h``, up to a share ``drift`` of each.

    held : (n,) and G : (k, k), kept up to date in place; zeros to begin with
    """
    for i in range(len(row_ptr) - 1):
        weight = h[i] - held[i]
        if abs(weight) <= drift * held[i]:
            continue
        held[i] = h[i]
        for a in range(row_ptr[i], row_ptr[i + 1]):
            scaled = weight * row_value[a]
            out = G[row_index[a]]
            for b in range(a, row_ptr[i + 1]):
                out[row_index[b]] += scaled * row_value[b]
    for a in range(len(G)):
        for b in range(a):
            G[a, b] = G[b, a]


@kernel
def pick_square(G, place, out):
    """Set ``out`` (m, m) to the rows and columns ``place`` (m,) of ``G``."""
    for a in range(len(place)):
        for b in range(len(place)):
            out[a, b] = G[place[a], place[b]]


@kernel
def _new_value(gradient, curvature, u, l1, lower, upper):
    target = curvature * u - gradient
    new = 0.0
    if target > l1:
        new = (target - l1) / curvature
    elif target < -l1:
        new = (target + l1) / curvature
    return min(max(new, lower), upper)


@kernel
def model_violation(gradient, u, l1, lower, upper):
    """Length of the minimum-norm subgradient at one coordinate; zero where a bound withstands."""
    if u > 0.0:
        slope = gradient + l1
    elif u < 0.0:
        slope = gradient - l1
    else:
        slope = max(gradient - l1, 0.0) + min(gradient + l1, 0.0)
    if (slope > 0.0 and u <= lower) or (slope < 0.0 and u >= upper):
        return 0.0
    return abs(slope)


@sum_kernel
def _add(row, k, step, gradient):
    for i in range(k):
        gradient[i] += step * row[i]


@kernel
def sweep_gram(G, gradient, u, l1, lower, upper, n_sweeps, tol):
    """Descend on ``gradient' d + d' G d / 2 + l1 |u + d|`` by exact coordinate updates in a box.

    gradient, u : (k,) kept up to date in place. Zeros are looked at in every third sweep.
    Returns the sum over coordinates of what the last full sweep's updates gained, doubled.
    """
    k = len(u)
    gained = 0.0
    for sweep in range(n_sweeps):
        whole = sweep % 3 == 0
        moved = 0.0
        for j in range(k):
            curvature = G[j, j]
            if curvature <= 0.0 or (u[j] == 0.0 and not whole):
                continue
            new = _new_value(gradient[j], curvature, u[j], l1[j], lower[j], upper[j])
            step = new - u[j]
            if step != 0.0:
                u[j] = new
                _add(G[j], k, step, gradient)
                moved += step * step * curvature
        if whole:
            gained = moved
        if moved <= tol and whole:
            break
    return gained


@kernel
def squared_violation(diagonal, gradient, u, l1, lower, upper):
    """Sum of squared violations over curvatures: about twice what is left to gain."""
    total = 0.0
    for j in range(len(u)):
        if diagonal[j] > 0.0:
            violation = model_violation(gradient[j], u[j], l1[j], lower[j], upper[j])
            total += violation**2 / diagonal[j]
    return total


@kernel
def sweep_columns(
    ptr,
    index,
    value,
    chosen,
    h,
    diagonal,
    gradient,
    x,
    u,
    l1,
    l2,
    lower,
    upper,
    slope,
    state,
    n_sweeps,
    tol,
):
    """Descend on the same model without a Gram matrix, keeping ``h (W d + c)`` per sample.

    chosen : (m,) the coordinates that may move
    diagonal : (k,) ``W' h W`` plus l2
    gradient : (k,) of the smooth part at ``x``, l2 included
    x, u : (k,) where the model was made, and ``x + d``;  u is changed
    slope : (n,) ``h_i ((W d)_i + c)``, kept up to date;  state : (3,) intercept step c, total of h
    (0 without an intercept), the intercept's derivative at d = 0
    """
    gained = 0.0
    for sweep in range(n_sweeps):
        whole = sweep % 3 == 0
        moved = 0.0
        for j in chosen:
            if diagonal[j] <= 0.0 or (u[j] == 0.0 and not whole):
                continue
            g = gradient[j] + l2[j] * (u[j] - x[j])
            for e in range(ptr[j], ptr[j + 1]):
                g += value[e] * slope[index[e]]
            new = _new_value(g, diagonal[j], u[j], l1[j], lower[j], upper[j])
            step = new - u[j]
            if step != 0.0:
                u[j] = new
                for e in range(ptr[j], ptr[j + 1]):
                    slope[index[e]] += step * value[e] * h[index[e]]
                moved += step * step * diagonal[j]
        if state[1] > 0.0:
            total = state[2]
            for i in range(len(slope)):
                total += slope[i]
            step = -total / state[1]
            state[0] += step
            for i in range(len(slope)):
                slope[i] += step * h[i]
            moved += step * step * state[1]
        if whole:
            gained = moved
        if moved <= tol and whole:
            break
    return gained
