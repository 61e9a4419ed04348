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
def _descend(h, level, r, x, coarse):
    """One forward sweep from zero, and its residual added up over the aggregates."""
    row, first = h.row[level], h.row[level] + level
    n = h.row[level + 1] - row
    for i in range(n):
        total = r[i]
        for s in range(h.indptr[first + i], h.middle[row + i]):
            total -= h.values[s] * x[h.indices[s]]
        x[i] = total * h.inverse[row + i]
    for g in range(len(coarse)):
        coarse[g] = np.float32(0.0)
    for i in range(n):
        total = np.float32(0.0)
        for s in range(h.middle[row + i], h.indptr[first + i + 1]):
            total -= h.values[s] * x[h.indices[s]]
        coarse[h.group[row + i]] += total


@kernel
def _ascend(h, level, r, x, coarse):
    """Add the coarse answer, then one backward sweep."""
    row, first = h.row[level], h.row[level] + level
    n = h.row[level + 1] - row
    for i in range(n):
        x[i] += coarse[h.group[row + i]]
    for i in range(n - 1, -1, -1):
        total = r[i]
        for s in range(h.indptr[first + i], h.indptr[first + i + 1]):
            total -= h.values[s] * x[h.indices[s]]
        x[i] = total * h.inverse[row + i]


@kernel
def _image(h, level, x, out):
    """Multiply by a level's matrix; returns x'out."""
    row, first = h.row[level], h.row[level] + level
    product = 0.0
    for i in range(len(x)):
        total = x[i] / h.inverse[row + i]
        for s in range(h.indptr[first + i], h.indptr[first + i + 1]):
            total += h.values[s] * x[h.indices[s]]
        out[i] = total
        product += x[i] * total
    return product


@kernel
def cycle(h, work, level):
    """Approximate the answer of ``level``: from ``work[R]`` to ``work[X]``, over all below.

    Each coarse system is solved by up to two steps of conjugate gradients under the next cycle
    (Notay's K-cycle), which makes plain aggregates converge at a rate free of the size.
    """
    begin, end = h.row[level], h.row[level + 1]
    r, x = work[R, begin:end], work[X, begin:end]
    if level + 2 == len(h.row):
        _solve_bottom(h.bottom, r, x)
        return
    low, high = h.row[level + 1], h.row[level + 2]
    rest, answer = work[R, low:high], work[X, low:high]
    _descend(h, level, r, x, rest)
    cycle(h, work, level + 1)
    if level + 3 < len(h.row):
        first, image, second = work[FIRST, low:high], work[IMAGE, low:high], work[SECOND, low:high]
        curvature = _image(h, level + 1, answer, image)
        slope, before, after = 0.0, 0.0, 0.0
        for i in range(high - low):
            slope += answer[i] * rest[i]
            before += rest[i] * rest[i]
        length = np.float32(slope / curvature) if curvature > 0.0 else np.float32(0.0)
        for i in range(high - low):
            first[i] = answer[i]
            rest[i] -= length * image[i]
            after += rest[i] * rest[i]
        if length == 0.0 or after <= ENOUGH * before:
            for i in range(high - low):
                answer[i] = length * first[i]
        else:
            cycle(h, work, level + 1)
            own = _image(h, level + 1, answer, second)
            mixed, slope = 0.0, 0.0
            for i in range(high - low):
                mixed += answer[i] * image[i]
                slope += answer[i] * rest[i]
            own -= mixed * mixed / curvature
            share = slope / own if own > 0.0 else 0.0
            left = np.float32(length - mixed * share / curvature)
            right = np.float32(share)
            for i in range(high - low):
                answer[i] = left * first[i] + right * answer[i]
    _ascend(h, level, r, x, answer)


@kernel
def _precondition(h, work, r, z):
    n = len(r)
    scale = 0.0
    for i in range(n):
        scale = max(scale, abs(r[i]))
    if scale == 0.0:
        scale = 1.0
    for i in range(n):
        work[R, i] = r[i] / scale  # single precision would lose what is tiny
    cycle(h, work, 0)
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
    total, recent, before, length, floor = 0.0, 0.0, 0.0, 0.0, 0.0
    for step in range(max_iter):
        _precondition(h, work, r, z)
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
