"""Quadratic models of a working block whose Gram matrix would cost too much.

With an l1 term they are minimised by coordinate sweeps and conjugate gradients by turns, without
one by conjugate gradients, or by an equation a sample where samples are few.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bcd._glm_block_kernels import squared_violation, sweep_columns
from bcd.glm_block import SparseBlock
from bcd.glm_model import (
    MODEL_ROUNDS,
    accuracy,
    limits,
    movable,
    near_active,
    solve_definite,
)
from bcd.separable import Separable

Vector = NDArray[np.float64]
CG_STEPS = 500
LOOSE = 50.0  # times the accuracy of other models, that smooth ones are solved to
BEYOND = 1e-3  # of the gap wanted squared over the objective: a model's squared violation below it
TURNS = 3e-3  # of the squared violation: conjugate gradients go no further on one support


def walk_model(scores, block: SparseBlock, gradient, x, penalty: Separable, goal: float):
    """Minimise the model without a Gram matrix: coordinate sweeps, then conjugate gradients."""
    h, (l1, l2, lower, upper) = scores.curvature, penalty
    total = float(h.sum()) if scores.intercept else 0.0
    slope = float(scores.slope.sum())
    diagonal = block.squares(h) + l2
    u = x.copy()
    scaled = np.zeros(len(h))
    state = np.array([0.0, total, slope])
    first = squared_violation(diagonal, gradient, u, l1, lower, upper)
    size = max(abs(scores.value), 1e-300)
    tol = max(accuracy(first, size), BEYOND * goal * goal / size)
    chosen = near_active(gradient - l2 * x, x, l1)
    weights = np.where(h > 0.0, h, 1.0)

    def sweep(u, n_sweeps):
        sweep_columns(
            block.ptr,
            block.index,
            block.value,
            chosen,
            h,
            diagonal,
            gradient,
            x,
            u,
            *penalty,
            scaled,
            state,
            n_sweeps,
            tol,
        )

    for _ in range(MODEL_ROUNDS):
        sweep(u, 10)
        g = gradient + block.correlate(scaled) + l2 * (u - x)
        left = squared_violation(diagonal, g, u, l1, lower, upper)
        if left <= tol:
            break
        support = movable(g, u, l1, lower, upper) & (diagonal > 0.0)
        rhs = np.where(support, -(g + l1 * np.sign(u)), 0.0)
        stop = max(tol, TURNS * left)
        step = _conjugate_gradients(block, h, total, l2, diagonal, support, rhs, stop)
        moved = u + step
        end = limits(u, l1, lower, upper, moved)
        crossing = end != moved
        if crossing.any():
            # what would leave its side stops at the end, if that descends; else at the first one
            moved = end
            if _model_change(block, h, total, l2, g, u, l1, end - u) >= 0.0:
                ratio = np.where(crossing, (end - u) / np.where(crossing, step, 1.0), np.inf)
                j = int(np.argmin(ratio))
                moved = u + ratio[j] * step
                moved[j] = end[j]
        u = moved
        change = block.product(u - x)
        if scores.intercept:
            state[0] = -(slope + float(h @ change)) / total
        scaled[:] = h * (change + state[0])
    change = scaled / weights
    if (h == 0.0).any():
        change = block.product(u - x) + state[0]
    return u, float(state[0]), change


def smooth_model(scores, block, gradient, x, l2, goal):
    """Minimise the model where nothing has an l1 term, by conjugate gradients.

    Where samples are few and every coefficient has a ridge, exactly instead.
    """
    h = scores.curvature
    total = float(h.sum()) if scores.intercept else 0.0
    slope = float(scores.slope.sum())
    diagonal = block.squares(h) + l2
    rhs = -gradient
    if scores.intercept:
        rhs = rhs + block.correlate(h) * (slope / total)
    inner = block.inner_products(l2)
    if inner is not None:
        step = _step_by_samples(block, inner, h, total, l2, rhs)
    else:
        first = float((rhs**2 / np.maximum(diagonal, 1e-300)).sum())
        tol = max(LOOSE * accuracy(first, abs(scores.value)), goal)
        step = _conjugate_gradients(block, h, total, l2, diagonal, diagonal > 0.0, rhs, tol)
    change = block.product(step)
    shift = -(slope + float(h @ change)) / total if scores.intercept else 0.0
    return x + step, shift, change + shift


def _step_by_samples(block, inner, h, total, l2, rhs) -> Vector:
    """Solve ``(W' S W + diag(l2)) d = rhs`` by an equation a sample (Woodbury).

    ``inner`` is ``W diag(1 / l2) W'``; ``S`` is ``diag(h)``, less its part along the intercept.
    With R the root of h and P the projection off R 1, ``S = R P R``; then ``(I + P R inner R P) v
    = P R W rhs / l2`` and ``l2 d = rhs - W' R v``, whose matrix has no eigenvalue below one.
    """
    root = np.sqrt(h)
    right = root * block.product(rhs / l2)
    M = inner * root * root[:, None]
    if total > 0.0:
        q = root / np.sqrt(total)
        right -= q * (q @ right)
        M -= np.outer(q, q @ M)
        M -= np.outer(M @ q, q)
    M.flat[:: len(M) + 1] += 1.0
    return (rhs - block.correlate(root * solve_definite(M, right))) / l2


def _hessian_product(block, h, total, l2, step):
    change = block.product(step)
    if total > 0.0:
        change -= (h @ change) / total
    return block.correlate(h * change) + l2 * step


def _model_change(block, h, total, l2, g, u, l1, step) -> float:
    quadratic = step @ _hessian_product(block, h, total, l2, step)
    return float(g @ step + 0.5 * quadratic + l1 @ (np.abs(u + step) - np.abs(u)))


def _conjugate_gradients(block, h, total, l2, diagonal, support, rhs, tol) -> Vector:
    """Solve with the model's Hessian on the support, preconditioned by its diagonal."""
    inverse = np.where(support, 1.0 / np.where(support, diagonal, 1.0), 0.0)
    step, residual = np.zeros(len(rhs)), rhs.copy()
    toward = inverse * residual
    squared = residual @ toward
    stop = max(0.1 * tol, 1e-24 * squared)
    for _ in range(CG_STEPS):
        if squared <= stop:
            break
        product = np.where(support, _hessian_product(block, h, total, l2, toward), 0.0)
        curvature = toward @ product
        if not curvature > 0.0:
            break
        length = squared / curvature
        step += length * toward
        residual -= length * product
        scaled = inverse * residual
        new = residual @ scaled
        toward = scaled + (new / squared) * toward
        squared = new
    return step
