"""Proximal Newton on a working block of features of a multinomial model.

Each round models the losses by their second-order expansion and minimises the model plus the l1
terms; a line search follows. Few coordinates that may move: their Hessian is formed, swept over and
factored (as in ``glm_model``). Many: coordinate sweeps over the columns where there is an l1 term,
and conjugate gradients, preconditioned by the diagonal or by one factor that the classes share
(the Hessian's bound of Boehning, 1992, with the present curvatures in it).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve, lapack

from bcd._penalty_kernels import feasible_scale, fenchel_gap
from bcd._softmax_kernels import softmax_distance, sweep_softmax
from bcd.duality import ROUNDING as PULL_ROUNDING
from bcd.glm import DualCertificate
from bcd.glm_model import NEAR, accuracy, minimise_model, solve_definite
from bcd.separable import Separable
from bcd.softmax_block import HALVINGS, SoftmaxBlock, SoftmaxScores

Matrix = NDArray[np.float64]
Vector = NDArray[np.float64]
MAX_ROUNDS = 300
SLOW = 1e-8  # of the objective: a smaller decrease is none
ROUNDING = 1e-15  # of the losses: a gap below it cannot be told from zero
MODEL_ROUNDS = 6
SWEEPS = 200  # of a model between bounds
CG_STEPS = 500
CG_LEAST = 0.1  # of the squared residual, by which conjugate gradients lower it at least
IN_SINGLE = 1e-8  # the same where products in single precision are good enough
FORMED = 1000  # coordinates up to which a Hessian is formed where there is an l1 term
FACTORED = 150  # the same where there is none, conjugate gradients being cheaper beyond
LARGEST_COPY = 10_000_000  # entries of the dense columns that this takes
SHARED = 60  # features a class up to which the shared factor pays


class Box(NamedTuple):
    """Bounds that each class's coefficients have, and the columns' lengths; all of shape (k,)."""

    lower: Vector
    upper: Vector
    lengths: Vector

    def take(self, columns, n_samples: int, offset: int) -> Box:
        """Return the bounds of some columns, behind an intercept's where ``offset`` is 1."""
        first = -np.inf, np.inf, np.sqrt(n_samples)
        return Box(
            *(
                np.concatenate([np.full(offset, one), part[columns]])
                for one, part in zip(first, self, strict=True)
            )
        )


def penalty_terms(c, X, l1, l2, scale: float) -> Matrix:
    """Fenchel-Young terms of the penalty, coordinate by coordinate, at ``scale * c``."""
    terms = l1 * np.abs(X) + 0.5 * l2 * X * X - scale * c * X
    ridged = np.broadcast_to(l2 > 0.0, X.shape)
    excess = np.maximum(scale * np.abs(c) - l1, 0.0)
    terms += np.where(ridged, excess**2 / np.where(ridged, 2.0 * l2, 1.0), 0.0)
    return np.where(ridged | (l1 > 0.0), terms, 0.0)


def certify_softmax(
    scores: SoftmaxScores, V: Matrix, c: Matrix, X, l1, l2, box: Box | None = None
) -> DualCertificate:
    """Bound how far ``X`` is from the minimum by dual probabilities on the way from y to V.

    Parameters
    ----------
    scores : SoftmaxScores
        At ``X``.
    V : ndarray of shape (n_classes, n_samples)
    c : ndarray of shape (n_classes, k)
        ``A' w (y - V)``.
    X : ndarray of shape (n_classes, k)
    l1, l2 : ndarray of shape (k,)
    box : Box, default=None
        None where there are no bounds.
    """
    objective = scores.value + float((l1 * np.abs(X) + 0.5 * l2 * X * X).sum())
    if box is not None:
        parts = (np.tile(part, len(X)) for part in (l1, l2, box.lower, box.upper))
        penalty = Separable(*parts)
        sizes = np.linalg.norm(scores.weight * (V - scores.target), axis=1)
        noise = PULL_ROUNDING * np.outer(sizes, box.lengths).ravel()
        scale = float(feasible_scale(c.ravel(), *penalty))
        gap = fenchel_gap(scale, c.ravel(), X.ravel(), *penalty, noise)
        if scale != 1.0 or V is not scores.P:
            dual = (1.0 - scale) * scores.target + scale * V
            gap += softmax_distance(scores.P, dual, scores.weight)
        return DualCertificate(objective, max(float(gap), 0.0), scale)
    size, limit = np.abs(c), l1 + l2 * np.abs(X)
    binding = (size > limit) & (l1 > 0.0)
    scale = float((limit[binding] / size[binding]).min()) if binding.any() else 1.0
    only_l1 = bool(((l1 > 0.0) & (l2 == 0.0)).any())
    best = (np.inf, scale)
    for t in {scale} if only_l1 else {scale, 1.0}:
        gap = float(penalty_terms(c, X, l1, l2, t).sum())
        if t != 1.0 or V is not scores.P:
            dual = (1.0 - t) * scores.target + t * V
            gap += softmax_distance(scores.P, dual, scores.weight)
        best = min(best, (gap, t))
    return DualCertificate(objective, max(best[0], 0.0), best[1])


def _is_free(U: Matrix, l1, l2, box: Box | None):
    """Tell which coefficients have no penalty and are not at a bound."""
    free = np.broadcast_to((l1 == 0.0) & (l2 == 0.0), U.shape)
    return free if box is None else free & (box.lower < U) & (box.upper > U)


def free_dual(
    scores: SoftmaxScores, block: SoftmaxBlock, U: Matrix, l1, l2, box: Box | None = None
) -> Matrix:
    """Return the probabilities after a Newton step on what has no penalty."""
    free = _is_free(U, l1, l2, box)
    if not free[:, block.offset :].any():
        return scores.P
    diagonal = block.squares(scores.curvature)
    rhs = np.where(free, -block.correlate(scores.slope), 0.0)
    step = _conjugate_gradients(scores, block, l2, diagonal, free & (diagonal > 0.0), rhs, 0.0)
    change = scores.curved(block.product(step))
    return scores.P + change / np.where(scores.weight > 0.0, scores.weight, 1.0)


def descend_softmax(
    scores: SoftmaxScores, block: SoftmaxBlock, U: Matrix, l1, l2, tol: float, *, box=None
) -> Matrix:
    """Take proximal Newton steps until the block's own duality gap is about ``tol``.

    Parameters
    ----------
    scores : SoftmaxScores
        At ``U``; moved along.
    block : SoftmaxBlock
    U : ndarray of shape (n_classes, block.size)
    l1, l2 : ndarray of shape (block.size,)
    tol : float
    box : Box, default=None
        Of the block's columns; None where there are no bounds.

    Returns
    -------
    ndarray of shape (n_classes, block.size)
    """
    best, stalled, last = np.inf, 0, np.inf
    for _ in range(MAX_ROUNDS):
        gradient = block.correlate(scores.slope)
        objective, gap, _ = certify_softmax(scores, scores.P, -gradient, U, l1, l2, box)
        diagonal = block.squares(scores.curvature)
        free = _is_free(U, l1, l2, box) & (diagonal > 0.0)
        gap += float((gradient[free] ** 2 / diagonal[free]).sum())
        slow = gap > 0.9 * best and objective > last - SLOW * abs(objective)
        stalled, last = stalled + 1 if slow else 0, objective
        best = min(best, gap)
        if gap <= max(tol, ROUNDING * abs(scores.value)) or stalled >= 10:
            break
        gradient += l2 * U
        target = _model_minimum(scores, block, gradient, diagonal + l2, U, l1, l2, box)
        step = target - U
        change = block.product(step)
        drop = float((gradient * step + l1 * (np.abs(target) - np.abs(U))).sum())
        before = scores.value + float((l1 * np.abs(U) + 0.5 * l2 * U * U).sum())
        Z, length = scores.Z, 1.0
        for _ in range(HALVINGS):
            new = U + length * step
            after = scores.set(Z + length * change)
            after += float((l1 * np.abs(new) + 0.5 * l2 * new * new).sum())
            if after <= before + 1e-4 * length * drop + 4e-15 * abs(before):
                break
            length *= 0.5
        else:
            scores.set(Z)
            return U
        U = settle_shifts(target if length == 1.0 else new, l1, l2, box)
    return U


def settle_shifts(U: Matrix, l1, l2, box: Box | None = None) -> Matrix:
    """Shift each feature's coefficients, all classes alike, to where the penalty is least.

    The losses do not change. Nor do they curve in these directions, so that Newton steps, of
    rounding errors' making there, would lead but slowly to the end.
    """
    best = _best_shift(U, l1, l2) if l1.any() else -U.mean(axis=0)
    best = np.where((l1 > 0.0) | (l2 > 0.0), best, 0.0)
    if box is None:
        return U + best
    best = np.clip(best, (box.lower - U).max(axis=0), (box.upper - U).min(axis=0))
    return np.clip(U + best, box.lower, box.upper)


def _best_shift(U: Matrix, l1, l2) -> Vector:
    """Return the shifts at which ``sum_c l1 |u_c| + l2 / 2 u_c^2`` is least, feature by feature."""
    n_classes = len(U)
    ordered = np.sort(U, axis=0)
    total = U.sum(axis=0)
    starts = np.concatenate([-ordered, np.zeros((1, U.shape[1]))])  # a coefficient becomes zero
    signs = np.arange(-n_classes, n_classes + 1, 2.0)[:, None]  # or the slope vanishes between
    ridged = np.where(l2 > 0.0, n_classes * l2, np.inf)
    between = -(l1 * signs + l2 * total) / ridged
    best, least = np.zeros(U.shape[1]), np.full(U.shape[1], np.inf)
    for shift in np.concatenate([starts, between]):
        moved = U + shift
        cost = (l1 * np.abs(moved) + 0.5 * l2 * moved * moved).sum(axis=0)
        better = cost < least
        best[better], least[better] = shift[better], cost[better]
    return best


def _model_minimum(scores, block, gradient, diagonal, U, l1, l2, box) -> Matrix:
    """Minimise the quadratic model plus the l1 terms; return the new coordinates."""
    chosen = np.flatnonzero((U != 0.0) | (np.abs(gradient - l2 * U) >= NEAR * l1))
    copied = len(chosen) * U.shape[0] * block.design.shape[0]
    bent = box is not None or bool(l1.any())
    limit = FORMED if bent else FACTORED
    if len(chosen) <= limit and copied <= LARGEST_COPY:
        label, feature = np.divmod(chosen, U.shape[1])
        H = _hessian(scores, block, label, feature, l1, l2)
        new = U.copy()
        if not bent:  # exactly: the answer then does not hang on where columns are centred
            new.flat[chosen] += solve_definite(H, -gradient.flat[chosen])
            return new
        nowhere = np.full(len(chosen), np.inf)
        ends = (-nowhere, nowhere) if box is None else (box.lower[feature], box.upper[feature])
        each = l1[feature], *ends, abs(scores.value)
        new.flat[chosen] = minimise_model(H, gradient.flat[chosen], U.flat[chosen], *each)
        return new
    if box is not None:
        return _walk_inside(scores, block, gradient, diagonal, U, l1, l2, box)
    if bent:
        return _walk_model(scores, block, gradient, diagonal, U, l1, l2)
    tol = accuracy(_squared_violation(diagonal, gradient, U, l1), abs(scores.value))
    arrays = (diagonal, diagonal > 0.0, -gradient)
    return U + _conjugate_gradients(
        scores, block, l2, *arrays, tol, _shared_factor(scores, block, l2)
    )


def _hessian(scores, block, label, feature, l1, l2) -> Matrix:
    """Return the Hessian over chosen coordinates.

    To shift an unpenalised feature's coefficients of all classes alike changes nothing, so that
    the Hessian is singular; what is added along these directions leaves the minimum where it is.
    """
    W = block.gather(feature)
    shares = W * scores.P[label]
    H = -(shares * scores.weight) @ shares.T
    for c in range(len(scores.P)):
        own = np.flatnonzero(label == c)
        H[np.ix_(own, own)] += (shares[own] * scores.weight) @ W[own].T
    for j in np.flatnonzero((l1 == 0.0) & (l2 == 0.0)):
        alike = np.flatnonzero(feature == j)
        H[np.ix_(alike, alike)] += H[alike, alike].mean()
    H.flat[:: len(H) + 1] += l2[feature]
    return H


def _walk_model(scores, block, gradient, diagonal, U, l1, l2) -> Matrix:
    """Minimise the model without its Hessian: coordinate sweeps, then conjugate gradients."""
    new, D, mean = U.copy(), np.zeros_like(scores.P), np.zeros(scores.P.shape[1])
    tol = accuracy(_squared_violation(diagonal, gradient, new, l1), abs(scores.value))
    nowhere = np.full(len(l1), -np.inf), np.full(len(l1), np.inf)
    for _ in range(MODEL_ROUNDS):
        state = (scores.P, scores.weight, D, mean, diagonal, gradient, l1, l2, U, new)
        ptr, index, value = block.compressed()
        sweep_softmax(ptr, index, value, *state, *nowhere, 7, tol)
        g = gradient + block.correlate(scores.curved(D)) + l2 * (new - U)
        if _squared_violation(diagonal, g, new, l1) <= tol:
            break
        support = ((new != 0.0) | (l1 == 0.0)) & (diagonal > 0.0)
        rhs = np.where(support, -(g + l1 * np.sign(new)), 0.0)
        step = _conjugate_gradients(scores, block, l2, diagonal, support, rhs, 0.1 * tol)
        crossing = support & (l1 > 0.0) & (new * (new + step) <= 0.0) & (step != 0.0)
        if crossing.any():
            cut = np.where(crossing, -new, step)
            curved = _hessian_product(scores, block, l2, cut)
            gain = (g * cut + 0.5 * cut * curved + l1 * (np.abs(new + cut) - np.abs(new))).sum()
            if gain >= 0.0:
                ratio = np.where(crossing, -new / np.where(crossing, step, 1.0), np.inf)
                cut = float(ratio.min()) * step
                cut[ratio == ratio.min()] = -new[ratio == ratio.min()]
            step = cut
        new += step
        new[crossing & (np.abs(new) < 1e-300)] = 0.0
        D = block.product(new - U)
        mean = (scores.P * D).sum(axis=0)
    return new


def _walk_inside(scores, block, gradient, diagonal, U, l1, l2, box: Box) -> Matrix:
    """Minimise the model between bounds by coordinate sweeps alone."""
    new, D, mean = U.copy(), np.zeros_like(scores.P), np.zeros(scores.P.shape[1])
    slope = gradient + l1 * np.sign(U)
    inside = np.clip(U - slope / np.where(diagonal > 0.0, diagonal, np.inf), box.lower, box.upper)
    first = float((diagonal * (inside - U) ** 2).sum())
    state = (scores.P, scores.weight, D, mean, diagonal, gradient, l1, l2, U, new)
    tol = accuracy(first, abs(scores.value))
    ptr, index, value = block.compressed()
    sweep_softmax(ptr, index, value, *state, box.lower, box.upper, SWEEPS, tol)
    return new


def _squared_violation(diagonal, g, U, l1) -> float:
    size = np.where(U != 0.0, np.abs(g + l1 * np.sign(U)), np.maximum(np.abs(g) - l1, 0.0))
    return float((size**2 / np.where(diagonal > 0.0, diagonal, np.inf)).sum())


def _hessian_product(scores, block, l2, step, rows=None) -> Matrix:
    """Multiply by the Hessian; by ``rows`` in single precision where they are given."""
    if rows is None:
        return block.correlate(scores.curved(block.product(step))) + l2 * step
    change = (step.astype(np.float32) @ rows).astype(np.float64)
    return (scores.curved(change).astype(np.float32) @ rows.T).astype(np.float64) + l2 * step


def _shared_factor(scores, block, l2) -> Matrix | None:
    """Factor ``W' diag(h) W + l2``, h each sample's mean curvature; None where that is dear."""
    if not block.dense or block.size > min(SHARED * len(scores.P), FORMED):
        return None
    weight, rows = np.sqrt(scores.curvature.mean(axis=0)), block.single()
    if rows is None:
        scaled = block.rows * weight
    else:
        scaled = rows * weight.astype(np.float32)
    G = (scaled @ scaled.T).astype(np.float64, copy=False)
    G.flat[:: len(G) + 1] += l2 + np.finfo(scaled.dtype).eps * G.diagonal()
    factor, info = lapack.dpotrf(G, lower=1, clean=0)
    return factor if info == 0 else None


def _conjugate_gradients(
    scores, block, l2, diagonal, support, rhs, tol: float, factor=None
) -> Matrix:
    """Solve with the model's Hessian on the support, preconditioned by its diagonal or a factor."""
    inverse = np.where(support, 1.0 / np.where(support, diagonal, 1.0), 0.0)

    def precondition(residual):
        if factor is None:
            return inverse * residual
        return np.ascontiguousarray(cho_solve((factor, True), residual.T, check_finite=False).T)

    step, residual = np.zeros_like(rhs), rhs.copy()
    toward = precondition(residual)
    squared = float((residual * toward).sum())
    stop = max(min(tol, CG_LEAST * squared), 1e-26 * squared)
    rows = block.single() if block.dense and stop >= IN_SINGLE * squared else None
    for _ in range(CG_STEPS):
        if squared <= stop:
            break
        product = np.where(support, _hessian_product(scores, block, l2, toward, rows), 0.0)
        curvature = float((toward * product).sum())
        if not curvature > 0.0:
            break
        length = squared / curvature
        step += length * toward
        residual -= length * product
        scaled = precondition(residual)
        new = float((residual * scaled).sum())
        toward = scaled + (new / squared) * toward
        squared = new
    return step
