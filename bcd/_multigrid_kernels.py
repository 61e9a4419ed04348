"""Conjugate gradients preconditioned by cycles over a hierarchy of aggregates.

The hierarchy lies in flat arrays, level after level, in single precision: it only has to point
downhill, and half the bytes are half the time. The outer iteration is in double precision.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bcd._sweep_kernels import BROKEN_DOWN, CONVERGED, ONE, OUT_OF_STEPS, ROUNDING, is_near
from graphs._jit import kernel

R, X, FIRST, IMAGE, SECOND = 0, 1, 2, 3, 4  # rows of the work array
N_WORK = 5
ENOUGH = 0.0625  # a coarse step that leaves this share of the squared residual is not repeated


class Hierarchy(NamedTuple):
    """All levels of a system, finest first; rows hold their diagonal at ``middle``.

    Attributes
    ----------
    row : ndarray of shape (n_levels + 1,), int64
        The vertices of level l are ``row[l]:row[l + 1]`` of the work array.
    first_indptr, first_middle, first_indices : ndarrays of uint32
    first_values, first_inverse : ndarrays of float32
        The finest level: entries, and reciprocals of the diagonal.
    first_group : ndarray of int32
        Aggregates of the finest level.
    indptr, middle, indices : ndarrays of uint32
        All other levels, one after the other: vertices of level l begin at ``row[l] - row[1]``, its
        pointers l - 1 later. Slots are counted through these levels; neighbours and aggregates
        within their level.
    values, inverse : ndarrays of float32
    group : ndarray of int32
    bottom : ndarray of shape (n_bottom, n_bottom), float32
        Inverse of the coarsest system.
    """

    row: NDArray[np.int64]
    first_indptr: NDArray[np.uint32]
    first_middle: NDArray[np.uint32]
    first_indices: NDArray[np.uint32]
    first_values: NDArray[np.float32]
    first_inverse: NDArray[np.float32]
    first_group: NDArray[np.int32]
    indptr: NDArray[np.uint32]
    middle: NDArray[np.uint32]
    indices: NDArray[np.uint32]
    values: NDArray[np.float32]
    inverse: NDArray[np.float32]
    group: NDArray[np.int32]
    bottom: NDArray[np.float32]


@kernel
def _solve_bottom(bottom, r, x):
    n = len(r)
    for i in range(n):
        total = np.float32(0.0)
        for j in range(n):
            total += bottom[i, j] * r[j]
        x[i] = total


@kernel
def _descend(indptr, middle, indices, values, inverse, group, r, x, coarse):
    """One forward sweep from zero, and its residual added up over the aggregates."""
    for g in range(len(coarse)):
        coarse[g] = np.float32(0.0)
    for i in range(len(x)):
        total = r[i]
        for s in range(indptr[i], middle[i]):
            total -= values[s] * x[indices[s]]
        x[i] = total * inverse[i]
    for i in range(len(x)):
        total = np.float32(0.0)
        for s in range(middle[i] + ONE, indptr[i + 1]):
            total -= values[s] * x[indices[s]]
        coarse[group[i]] += total


@kernel
def _ascend(indptr, indices, values, inverse, group, r, x, coarse):
    """Add the coarse answer, then one backward sweep."""
    for i in range(len(x)):
        x[i] += coarse[group[i]]
    for i in range(len(x) - 1, -1, -1):
        total = r[i]
        for s in range(indptr[i], indptr[i + 1]):
            total -= values[s] * x[indices[s]]
        x[i] += total * inverse[i]


@kernel
def _image(indptr, indices, values, x, out):
    """Multiply by a level's matrix; returns x'out."""
    product = 0.0
    for i in range(len(x)):
        total = np.float32(0.0)
        for s in range(indptr[i], indptr[i + 1]):
            total += values[s] * x[indices[s]]
        out[i] = total
        product += x[i] * total
    return product


@kernel
def _take_step(answer, rest, first, image, curvature):
    """Go along a coarse answer; returns how far, and whether that was enough."""
    slope, before, after = 0.0, 0.0, 0.0
    for i in range(len(answer)):
        slope += answer[i] * rest[i]
        before += rest[i] * rest[i]
    length = np.float32(slope / curvature) if curvature > 0.0 else np.float32(0.0)
    for i in range(len(answer)):
        first[i] = answer[i]
        rest[i] -= length * image[i]
        after += rest[i] * rest[i]
    enough = length == 0.0 or after <= ENOUGH * before
    if enough:
        for i in range(len(answer)):
            answer[i] = length * first[i]
    return length, enough


@kernel
def _take_second_step(answer, rest, first, image, own, curvature, length):
    """Minimise over the plane of the first step and a second coarse answer."""
    mixed, slope = 0.0, 0.0
    for i in range(len(answer)):
        mixed += answer[i] * image[i]
        slope += answer[i] * rest[i]
    own -= mixed * mixed / curvature
    share = slope / own if own > 0.0 else 0.0
    left, right = np.float32(length - mixed * share / curvature), np.float32(share)
    for i in range(len(answer)):
        answer[i] = left * first[i] + right * answer[i]


@kernel
def _pointers(h, level):
    begin = h.row[level] - h.row[1] + level - 1
    return h.indptr[begin : begin + h.row[level + 1] - h.row[level] + 1]


@kernel
def cycle(h, work, visits, scalars):
    """Approximate an answer of the finest level: from ``work[R]`` to ``work[X]``.

    Each coarse system is solved by up to two steps of conjugate gradients under the next cycle
    (Notay's K-cycle), which makes plain aggregates converge at a rate free of the size. The levels
    are walked by hand: numba's cache does not survive recursion (a second process crashes).

    visits : (n_levels,) int64, overwritten: how often a level's coarse system was visited
    scalars : (n_levels, 2) float64, overwritten
    """
    bottom = len(h.row) - 2
    level, visits[0] = 0, 0
    while level >= 0:
        begin, end = h.row[level], h.row[level + 1]
        r, x = work[R, begin:end], work[X, begin:end]
        if level == bottom:
            _solve_bottom(h.bottom, r, x)
            level -= 1
            continue
        low, high = end, h.row[level + 2]
        indptr, indices, values = h.first_indptr, h.first_indices, h.first_values
        middle, inverse, group = h.first_middle, h.first_inverse, h.first_group
        if level > 0:
            indptr, indices, values = _pointers(h, level), h.indices, h.values
            middle = h.middle[begin - h.row[1] : end - h.row[1]]
            inverse = h.inverse[begin - h.row[1] : end - h.row[1]]
            group = h.group[begin - h.row[1] : end - h.row[1]]
        rest, answer = work[R, low:high], work[X, low:high]
        if visits[level] == 0:
            _descend(indptr, middle, indices, values, inverse, group, r, x, rest)
        elif level + 1 < bottom:
            first, image = work[FIRST, low:high], work[IMAGE, low:high]
            second = image if visits[level] == 1 else work[SECOND, low:high]
            product = _image(_pointers(h, level + 1), h.indices, h.values, answer, second)
            if visits[level] == 1:
                length, enough = _take_step(answer, rest, first, image, product)
                scalars[level, 0], scalars[level, 1] = product, length
                if enough:
                    visits[level] = 2
            else:
                curvature, length = scalars[level, 0], scalars[level, 1]
                _take_second_step(answer, rest, first, image, product, curvature, length)
        else:
            visits[level] = 2  # the coarsest system is solved exactly
        visits[level] += 1
        if visits[level] < 3:
            level += 1
            visits[level] = 0
        else:
            _ascend(indptr, indices, values, inverse, group, r, x, answer)
            level -= 1


@kernel
def _precondition(h, work, visits, scalars, r, z):
    n = len(r)
    scale = 0.0
    for i in range(n):
        scale = max(scale, abs(r[i]))
    if scale == 0.0:
        scale = 1.0
    for i in range(n):
        work[R, i] = r[i] / scale  # single precision would lose what is tiny
    cycle(h, work, visits, scalars)
    for i in range(n):
        z[i] = work[X, i] * scale


@kernel
def cycled_gradients(indptr, indices, values, h, work, x, r, vectors, tol, window, drops, max_iter):
    """Run flexible conjugate gradients from ``x``; see ``swept_gradients`` for the stopping rule.

    r : (n,) float64, b - A x on entry, kept up to date
    vectors : (3, n) float64, overwritten;  work : (N_WORK, n of all levels) float32, overwritten
    Returns the status and the number of steps.
    """
    n = len(x)
    z, p, q = vectors[0], vectors[1], vectors[2]
    n_levels = len(h.row) - 1
    visits, scalars = np.empty(n_levels, dtype=np.int64), np.empty((n_levels, 2))
    total, before, length, floor = 0.0, 0.0, 0.0, 0.0
    for step in range(max_iter):
        _precondition(h, work, visits, scalars, r, z)
        rho, turn, size = 0.0, 0.0, 0.0
        for i in range(n):
            rho += r[i] * z[i]
            size += abs(r[i])
            if step > 0:
                turn += q[i] * z[i]
        if step == 0:
            floor = ROUNDING * rho
        if size == 0.0 or 0.0 <= rho <= floor:
            return CONVERGED, step
        if not rho > 0.0:
            return BROKEN_DOWN, step
        beta = -length * turn / before if step > 0 else 0.0
        for i in range(n):
            p[i] = z[i] + beta * p[i] if step > 0 else z[i]
        curvature, slope = 0.0, 0.0
        for i in range(n):
            entry = 0.0
            for s in range(indptr[i], indptr[i + 1]):
                entry += values[s] * p[indices[s]]
            q[i] = entry
            curvature += p[i] * entry
            slope += p[i] * r[i]
        if not curvature > 0.0:
            return BROKEN_DOWN, step
        length = slope / curvature
        before = slope
        for i in range(n):
            x[i] += length * p[i]
            r[i] -= length * q[i]
        drops[step] = 0.5 * length * slope
        total += drops[step]
        if is_near(drops, step, window, total, tol):
            return CONVERGED, step + 1
    return OUT_OF_STEPS, max_iter
