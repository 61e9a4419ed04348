"""Quadratic models of a working block that is small enough for its Gram matrix.

They are minimised with their l1 term and bounds by coordinate sweeps, which find the support and
its signs, and by Newton steps on that support, which finish.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

from bcd._glm_block_kernels import squared_violation
from bcd._model_kernels import RIDGE, descend_model, gather_system, keep_inside, move_support

Vector = NDArray[np.float64]
MODEL_ROUNDS = 8  # Newton steps on the support within one model, those cut short aside
CUT_ROUNDS = 50  # the same with those that a sign or bound cut short
FACTORED_HERE = 96  # coordinates up to which a kernel factors as fast as a library
NEAR = 0.8  # of its l1 weight: zeros with a smaller slope stay out of a model


def near_active(slope: Vector, x: Vector, l1: Vector, share: float = NEAR) -> NDArray[np.int64]:
    """Return the coordinates that a Newton step may move: not at zero, or close to leaving it."""
    return np.flatnonzero((x != 0.0) | (np.abs(slope) >= share * l1))


def accuracy(first: float, size: float) -> float:
    """Return the squared violation to reach in a model: ever smaller near the solution."""
    return max(min(1e-2, first / max(size, 1e-300)), 1e-20) * first


def minimise_model(
    G: Vector, gradient: Vector, x: Vector, l1: Vector, lower: Vector, upper: Vector, size: float
) -> Vector:
    """Minimise ``gradient' d + d' G d / 2 + sum_j l1_j |x_j + d_j|`` over d; return ``x + d``.

    ``lower`` and ``upper`` bound the answer; ``size`` is the objective's, to which the accuracy of
    the answer is set.
    """
    u, g = x.copy(), gradient.copy()
    model = G, g, u, l1, lower, upper
    tol = accuracy(squared_violation(G.diagonal().copy(), *model[1:]), size)
    support, n_whole = np.empty(len(u), dtype=np.int64), 0
    for n_left in range(CUT_ROUNDS, 0, -1):
        room = n_left, MODEL_ROUNDS - n_whole
        s = descend_model(*model, tol, *room, FACTORED_HERE, support)
        if s == 0:
            break
        n_whole += _large_step(*model, support, s)
        if n_whole == MODEL_ROUNDS:
            break
    return u


def _large_step(G, g, u, l1, lower, upper, support, s: int) -> bool:
    """Take the Newton step on a support that a library factors faster than a kernel does."""
    scale, rhs = np.empty(s), np.empty(s)
    while s:
        matrix = np.empty((s, s))
        gather_system(G, g, u, l1, support, s, scale, matrix, rhs)
        direction = scale[:s] * solve_definite(matrix, rhs[:s])
        left = keep_inside(u, lower, upper, support, s, direction)
        if left == s:
            return move_support(G, g, u, l1, lower, upper, support, s, direction)
        s = left
    return True


def movable(g, u, l1, lower, upper) -> NDArray[np.bool_]:
    """Tell which coordinates a Newton step may move: not kept at zero by l1, nor at a bound."""
    slope = g + l1 * np.sign(u)
    kept = ((u <= lower) & (slope >= 0.0)) | ((u >= upper) & (slope <= 0.0))
    return ((u != 0.0) | (l1 == 0.0)) & ~kept


def limits(u, l1, lower, upper, target) -> Vector:
    """Return where a step towards ``target`` has to end: at zero where its sign would change."""
    crossing = (u * target <= 0.0) & (l1 > 0.0) & (u != 0.0)
    return np.clip(np.where(crossing, 0.0, target), lower, upper)


def solve_definite(matrix: Vector, rhs: Vector) -> Vector:
    """Solve with a symmetric matrix that should be positive definite, by a scaled Cholesky.

    Where it is singular to working precision a ridge as small as will do is added.
    """
    scale = 1.0 / np.sqrt(np.maximum(matrix.diagonal(), 1e-300))
    scaled = matrix * scale * scale[:, None]
    ridge = 0.0
    while True:
        scaled.flat[:: len(rhs) + 1] = 1.0 + ridge
        factor, info = lapack.dpotrf(scaled, lower=0, clean=0, overwrite_a=0)
        if info == 0 and factor.diagonal().min() ** 2 > 0.1 * max(ridge, RIDGE):
            return scale * lapack.dpotrs(factor, scale * rhs, lower=0)[0]
        ridge = max(RIDGE * len(rhs), 10.0 * ridge)
        if not ridge < 1e6:
            return rhs * scale * scale
