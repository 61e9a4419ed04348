"""Proximal Newton on a working block: quadratic models, solved with their l1 term, line search.

Each round models the losses by their second-order expansion at the current scores and minimises
the model plus ``l1 |x|`` over the block: by coordinate sweeps, which find the support and its
signs, and by Newton steps on that support, which finish (two-metric projection where a step would
change signs). Near the solution the rounds converge quadratically. An intercept is eliminated from
the model exactly (Lee, Sun & Saunders, 2014; Nutini, Laradji & Schmidt, 2022, section 6).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bcd._glm_block_kernels import squared_violation
from bcd._penalty_kernels import block_gap
from bcd.glm_block import Block, SparseBlock
from bcd.glm_model import minimise_model, near_active
from bcd.glm_scores import HALVINGS, ROUNDING, Scores
from bcd.glm_walk import smooth_model, walk_model
from bcd.separable import Separable

Vector = NDArray[np.float64]
MAX_ROUNDS = 200
SLOW = 1e-4  # of the gap: a smaller decrease of the objective is none
PATIENCE = 10  # slow rounds before a block is given up
NOISE = 1e-14  # of the objective: a gap that small is rounding if a round does not shorten it
WITHIN_REACH = 0.6  # of its l1 weight: other zeros stay out of the next models too


def descend_block(
    scores: Scores, block: Block, x: Vector, penalty: Separable, tol: float
) -> tuple[Vector, float, int]:
    """Minimise over the block until its own duality gap is about ``tol``.

    Parameters
    ----------
    scores : Scores
        At ``x``; moved along.
    block : Block
    x : ndarray of shape (block.size,)
    penalty : Separable
        Of the block's features.
    tol : float

    Returns
    -------
    x : ndarray of shape (block.size,)
    intercept : float
        Its change.
    n_rounds : int
    """
    moved, n_rounds = 0.0, 0
    best, stalled, last = np.inf, 0, np.inf
    while n_rounds < MAX_ROUNDS:
        gradient = block.correlate(scores.slope)
        gap = _gap_of_block(scores, block, gradient, x, penalty)
        if gap <= tol:
            break
        objective = scores.value + penalty.value(x)
        least = max(SLOW * gap, 1e-12 * abs(objective))
        slow = gap > 0.9 * best and objective > last - least
        stalled, last = stalled + 1 if slow else 0, objective
        best = min(best, gap)
        if stalled >= (PATIENCE if gap > NOISE * abs(objective) else 1):
            break
        n_rounds += 1
        gradient += penalty.l2 * x
        u, shift, change = _model_step(scores, block, gradient, x, penalty, tol)
        step = u - x
        drop = gradient @ step + penalty.l1 @ (np.abs(u) - np.abs(x))
        drop += shift * float(scores.slope.sum())
        length = _line_search(scores, x, step, change, drop, penalty)
        if length == 0.0:
            break
        x = u if length == 1.0 else x + length * step
        moved += length * shift
    return x, moved, n_rounds


def _gap_of_block(
    scores: Scores, block: Block, gradient: Vector, x: Vector, penalty: Separable
) -> float:
    """Estimate the duality gap of the problem on the block, cheaply."""
    losses = scores.slope, scores.curvature, scores.intercept
    gap = block_gap(gradient, x, *penalty, *losses)
    bare = (penalty.l1 == 0.0) & (penalty.l2 == 0.0)
    if bare.any():
        # what a step of its own would gain stands for pulls that no penalty withstands
        curvature = np.maximum(block.squares(scores.curvature), 1e-300)[bare]
        gap += squared_violation(curvature, gradient[bare], x[bare], *_l1_and_box(penalty, bare))
    return gap


def _l1_and_box(penalty: Separable, chosen) -> tuple[Vector, Vector, Vector]:
    """Return what of the penalty a model does not hold in its Hessian."""
    return penalty.l1[chosen], penalty.lower[chosen], penalty.upper[chosen]


def _model_step(
    scores: Scores, block: Block, gradient: Vector, x: Vector, penalty: Separable, goal: float
):
    """Minimise the quadratic model; return the new x, the intercept's step, and scores' change.

    goal : what the block's gap is to be in the end, beyond which accuracy is of no use
    """
    h = scores.curvature
    shift, l1, l2 = 0.0, penalty.l1, penalty.l2
    if not (l1.any() or penalty.boxed or block.factor_pays()):
        return smooth_model(scores, block, gradient, x, l2, goal)
    if not block.gram_pays():
        assert isinstance(block, SparseBlock)
        return walk_model(scores, block, gradient, x, penalty, goal)
    chosen = near_active(gradient - l2 * x, x, l1)
    within_reach = near_active(gradient - l2 * x, x, l1, WITHIN_REACH)
    G, h = block.nearly_gram(h, chosen, within_reach)
    G.flat[:: len(G) + 1] += l2[chosen]
    reduced = gradient[chosen]
    total, slope = float(h.sum()), float(scores.slope.sum())
    if scores.intercept:
        border = block.correlate(h)[chosen]
        G -= np.outer(border, border / total)
        reduced = reduced - border * (slope / total)
    u = x.copy()
    own = _l1_and_box(penalty, chosen)
    u[chosen] = minimise_model(G, reduced, x[chosen], *own, abs(scores.value))
    change = block.product(u - x)
    if scores.intercept:
        shift = -(slope + float(h @ change)) / total
        change += shift
    return u, shift, change


def _line_search(scores: Scores, x, step, change, drop: float, penalty: Separable) -> float:
    """Halve the step until the objective descends enough; return its length, 0 when none does."""
    before = scores.value + penalty.value(x)
    slack = ROUNDING * len(x) ** 0.5 * abs(before)
    length = 1.0
    for _ in range(HALVINGS):
        after = scores.try_out(scores.z + length * change) + penalty.value(x + length * step)
        if after <= before + 1e-4 * length * drop + slack:
            scores.accept()
            return length
        length *= 0.5
    return 0.0
