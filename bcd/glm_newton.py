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
from scipy.linalg import lapack

from bcd._glm_block_kernels import squared_violation, sweep_columns
from bcd._model_kernels import RIDGE, descend_model, gather_system, keep_inside, move_support
from bcd._penalty_kernels import block_gap
from bcd._score_kernels import evaluate_losses, scaled_distance
from bcd.glm_block import Block, SparseBlock
from bcd.separable import Separable

Vector = NDArray[np.float64]
MAX_ROUNDS = 200
MODEL_ROUNDS = 8  # Newton steps on the support within one model, those cut short aside
CUT_ROUNDS = 50  # the same with those that a sign or bound cut short
HALVINGS = 40
FACTORED_HERE = 96  # coordinates up to which a kernel factors as fast as a library
ROUNDING = 4e-16  # relative errors of the objective that a line search must overlook
CG_STEPS = 500
LOOSE = 50.0  # times the accuracy of other models, that smooth ones are solved to
SLOW = 1e-4  # of the gap: a smaller decrease of the objective is none
PATIENCE = 10  # slow rounds before a block is given up
NOISE = 1e-14  # of the objective: a gap that small is rounding if a round does not shorten it
WITHIN_REACH = 0.6  # the same of the next models
BEYOND = 0.1  # of the gap wanted squared over the objective: a model's squared violation below it
TURNS = 3e-3  # of the squared violation: conjugate gradients go no further on one support
NEAR = 0.8  # of its l1 weight: zeros with a smaller slope stay out of a model


class Scores:
    """Scores of all samples and what the losses say of them.

    Attributes
    ----------
    z, slope, curvature : ndarray of shape (n_samples,)
    value : float
        Weighted sum of the losses.
    """

    def __init__(self, tag: int, parameter: float, y: Vector, weight: Vector, intercept: bool):
        self.tag, self.parameter, self.weight = tag, parameter, weight
        self.y = y if y.flags.writeable else y.copy()  # one signature of the kernels for both
        self.intercept = intercept
        n = len(y)
        self.z, self.slope, self.curvature = np.zeros(n), np.empty(n), np.empty(n)
        self._slope, self._curvature = np.empty(n), np.empty(n)
        self.value = np.inf
        self.started_at: float | None = None  # where z is that intercept, and nothing else

    def start(self) -> float:
        """Move to zero coefficients and the best intercept, if one is fitted; return the losses."""
        self.set(np.zeros(len(self.y)))
        self.started_at = self.center() if self.intercept else 0.0
        return self.value

    def set(self, z: Vector) -> float:
        """Move to scores ``z``."""
        self.z, self.started_at = z, None
        self.value = self._evaluate(z, self.slope, self.curvature)
        return self.value

    def try_out(self, z: Vector) -> float:
        """Return the value at ``z``; :meth:`accept` moves there."""
        self._z = z
        self._value = self._evaluate(z, self._slope, self._curvature)
        return self._value

    def accept(self) -> None:
        """Move to the scores last tried."""
        self.z, self.value, self.started_at = self._z, self._value, None
        self.slope, self._slope = self._slope, self.slope
        self.curvature, self._curvature = self._curvature, self.curvature

    def _evaluate(self, z, slope, curvature) -> float:
        return evaluate_losses(self.tag, self.parameter, z, self.y, self.weight, slope, curvature)

    def distance_to(self, scale: float) -> float:
        """Return :func:`dual_distance` of ``scale * slope``, for the logistic loss."""
        if scale == 1.0:
            return 0.0
        return scaled_distance(scale, self.weight, self.slope, self.curvature)

    def center(self) -> float:
        """Minimise over the intercept alone until rounding stops it; return its change."""
        moved = 0.0
        size = float(np.abs(self.slope).sum())
        total = float(self.slope.sum())
        for _ in range(HALVINGS):
            if abs(total) <= 1e-15 * size:
                break
            curvature = float(self.curvature.sum())
            step = -total / curvature if curvature > 0.0 else -np.sign(total)
            step = min(max(step, -5.0), 5.0)
            while self.try_out(self.z + step) > self.value * (1.0 + ROUNDING):
                step *= 0.5
                if abs(step) < 1e-16:
                    return moved
            if abs(self._slope.sum()) >= abs(total) and abs(total) <= 1e-6 * size:  # rounding only
                break
            self.accept()
            moved += step
            total = float(self.slope.sum())
        return moved


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
        return _smooth_model(scores, block, gradient, x, l2, goal)
    if not block.gram_pays():
        assert isinstance(block, SparseBlock)
        return _walk_model(scores, block, gradient, x, penalty, goal)
    chosen = _near_active(gradient - l2 * x, x, l1)
    within_reach = _near_active(gradient - l2 * x, x, l1, WITHIN_REACH)
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


def _near_active(slope: Vector, x: Vector, l1: Vector, share: float = NEAR) -> NDArray[np.int64]:
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


def _walk_model(scores, block: SparseBlock, gradient, x, penalty: Separable, goal: float):
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
    chosen = _near_active(gradient - l2 * x, x, l1)
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


def _smooth_model(scores, block, gradient, x, l2, goal):
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
