"""Conjugate gradients preconditioned by cycles over a hierarchy of aggregates.

The hierarchy lies in flat arrays, level after level, in single precision: it only has to point
downhill, and half the bytes are half the time. The outer iteration is in double precision.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bcd._sweep_kernels import BROKEN_DOWN, CONVERGED, OUT_OF_STEPS, ROUNDING
from graphs._jit import kernel

R, X, FIRST, IMAGE, SECOND = 0, 1, 2, 3, 4  # rows of the work array
N_WORK = 5
ENOUGH = 0.0625  # a coarse step that leaves this share of the squared residual is not repeated


class Hierarchy(NamedTuple):
    """All levels of a system, finest first.

    Attributes
    ----------
    row : ndarray of shape (n_levels + 1,), int64
        The vertices of level l are ``row[l]:row[l + 1]`` in the flat arrays; its pointers stand
        at ``row[l] + l``.
    indptr, middle, indices, group : ndarrays of int32
        Slots are counted through all levels; neighbours and aggregates within their level.
    values, inverse : ndarrays of float32
        Entries off the diagonal, and reciprocals of the diagonal.
    bottom : ndarray of shape (n_bottom, n_bottom), float32
        Inverse of the coarsest system.
    """

    row: NDArray[np.int64]
    indptr: NDArray[np.int32]
    middle: NDArray[np.int32]
    indices: NDArray[np.int32]
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
        for s in range(middle[i], indptr[i + 1]):
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
        x[i] = total * inverse[i]


@kernel
def _image(indptr, indices, values, inverse, x, out):
    """Multiply by a level's matrix; returns x'out."""
    product = 0.0
    for i in range(len(x)):
        total = x[i] / inverse[i]
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
        indptr, middle = h.indptr[begin + level : end + level + 1], h.middle[begin:end]
        inverse, group = h.inverse[begin:end], h.group[begin:end]
        low, high = end, h.row[level + 2]
        rest, answer = work[R, low:high], work[X, low:high]
        if visits[level] == 0:
            _descend(indptr, middle, h.indices, h.values, inverse, group, r, x, rest)
        elif level + 1 < bottom:
            first, image = work[FIRST, low:high], work[IMAGE, low:high]
            second = image if visits[level] == 1 else work[SECOND, low:high]
            below = h.indptr[low + level + 1 : high + level + 2]
            product = _image(below, h.indices, h.values, h.inverse[low:high], answer, second)
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
            _ascend(indptr, h.indices, h.values, inverse, group, r, x, answer)
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
def cycled_gradients(
    indptr, indices, values, diagonal, h, work, x, r, vectors, tol, window, drops, max_iter
):
    """Run flexible conjugate gradients from ``x``; see ``swept_gradients`` for the stopping rule.

    r : (n,) float64, b - A x on entry, kept up to date
    vectors : (3, n) float64, overwritten;  work : (N_WORK, n of all levels) float32, overwritten
    Returns the status and the number of steps.
    """
    n = len(x)
    z, p, q = vectors[0], vectors[1], vectors[2]
    n_levels = len(h.row) - 1
    visits, scalars = np.empty(n_levels, dtype=np.int64), np.empty((n_levels, 2))
    total, recent, before, length, floor = 0.0, 0.0, 0.0, 0.0, 0.0
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
            entry = diagonal[i] * p[i]
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
        recent += drops[step]
        if step >= window:
            recent -= drops[step - window]
        if step + 1 >= window and recent <= tol * total:
            return CONVERGED, step + 1
    return OUT_OF_STEPS, max_iter
