"""Multinomial regression with l1 and squared l2 terms by greedy working sets, with a certificate.

Minimise ``sum_i w_i (log sum_c exp(z_ic) - z_i,label) + sum_jc l1_j |x_jc| + l2_j / 2 x_jc^2`` with
``Z = A X + c``, one column of X a class (symmetric, no class is a reference). The scheme is that
of ``glm``: blocks of features chosen by gs-q, proximal Newton steps on a block (coordinate sweeps,
then conjugate gradients on the support), a dual point from the slopes. The intercepts are a column
of ones without a penalty.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from bcd._glm_block_kernels import compress_rows
from bcd._softmax_kernels import (
    apply_curvature,
    multiply_many,
    softmax_diagonal,
    softmax_distance,
    softmax_losses,
    sweep_softmax,
)
from bcd.design import DenseDesign, Design, SparseDesign, nonzero_columns
from bcd.glm import DualCertificate
from bcd.glm_newton import accuracy, solve_definite
from bcd.result import Result, Status
from bcd.working_set import FIRST_BLOCK, _Books, _outcome

Matrix = NDArray[np.float64]
MAX_ROUNDS = 100
MODEL_ROUNDS = 6
HALVINGS = 40
CG_STEPS = 500
FACTORED = 1000  # coordinates up to which a Hessian is formed and factored
LARGEST_COPY = 10_000_000  # entries of the dense columns that this takes


class SoftmaxBlock:
    """The working block, compressed by columns and by rows; column 0 is ones with an intercept."""

    def __init__(self, design: Design, intercept: bool):
        self.design, self.offset = design, int(intercept)
        n = design.shape[0]
        self.columns = np.empty(0, dtype=np.int32)
        self.ptr = np.array([0, n] if intercept else [0], dtype=np.int64)
        self.index = np.arange(n if intercept else 0, dtype=np.int32)
        self.value = np.ones(n if intercept else 0)
        self._compress()

    def append(self, columns: NDArray[np.int32]) -> None:
        """Take further columns of the design in."""
        design = self.design
        if isinstance(design, SparseDesign):
            part = design.matrix[:, columns]
            ptr, index, value = part.indptr, part.indices, part.data
        else:
            assert isinstance(design, DenseDesign)
            n = design.shape[0]
            ptr = n * np.arange(len(columns) + 1)
            index = np.tile(np.arange(n), len(columns))
            value = design.matrix[:, columns].ravel(order="F")
        self.ptr = np.concatenate([self.ptr, self.ptr[-1] + ptr[1:].astype(np.int64)])
        self.index = np.concatenate([self.index, index.astype(np.int32)])
        self.value = np.concatenate([self.value, value.astype(np.float64)])
        self.columns = np.concatenate([self.columns, columns])
        self._compress()

    def _compress(self) -> None:
        self.row_ptr = np.zeros(self.design.shape[0] + 1, dtype=np.int64)
        self.row_index, self.row_value = (
            np.empty_like(self.index),
            np.empty_like(self.value),
        )
        compress_rows(
            self.design.shape[0],
            self.ptr,
            self.index,
            self.value,
            self.row_ptr,
            self.row_index,
            self.row_value,
        )

    def product(self, step: Matrix) -> Matrix:
        """Return ``W @ step`` of shape (n_samples, n_classes)."""
        out = np.empty((self.design.shape[0], step.shape[1]))
        multiply_many(self.row_ptr, self.row_index, self.row_value, step, out)
        return out

    def correlate(self, slope: Matrix) -> Matrix:
        """Return ``W' slope``."""
        out = np.empty((len(self.ptr) - 1, slope.shape[1]))
        multiply_many(self.ptr, self.index, self.value, slope, out)
        return out


class SoftmaxScores:
    """Scores, probabilities and the losses' weighted sum."""

    def __init__(self, label: NDArray[np.int64], n_classes: int, weight: NDArray[np.float64]):
        self.label, self.weight = label, weight
        self.target = np.zeros((len(label), n_classes))
        self.target[np.arange(len(label)), label] = 1.0
        self.P = np.empty_like(self.target)
        self.set(np.zeros_like(self.target))

    def set(self, Z: Matrix) -> float:
        """Move to scores ``Z``."""
        self.Z = Z
        self.value = softmax_losses(Z, self.label, self.weight, self.P)
        return self.value

    @property
    def slope(self) -> Matrix:
        """Derivatives of the weighted losses in the scores."""
        return self.weight[:, None] * (self.P - self.target)

    def curved(self, D: Matrix) -> Matrix:
        """Return the Hessian in the scores times ``D``."""
        out = np.empty_like(D)
        apply_curvature(self.P, self.weight, D, out)
        return out

    def center(self) -> NDArray[np.float64]:
        """Minimise over the intercepts alone until rounding stops it; return their change."""
        moved = np.zeros(self.Z.shape[1])
        for _ in range(HALVINGS):
            total = self.slope.sum(axis=0)
            worst = float(np.abs(total).max())
            if worst <= 1e-15 * float(self.weight.sum()):
                break
            weighted = self.P * self.weight[:, None]
            H = np.diag(weighted.sum(axis=0)) - self.P.T @ weighted
            step = -np.linalg.lstsq(H, total, rcond=1e-14)[0]
            step *= min(1.0, 5.0 / max(float(np.abs(step).max()), 1e-300))
            before, Z = self.value, self.Z
            length = 1.0
            while self.set(Z + length * step) > before * (1.0 + 1e-15) and length > 1e-12:
                length *= 0.5
            if float(np.abs(self.slope.sum(axis=0)).max()) >= worst and length == 1.0:
                self.set(Z)  # rounding only
                break
            moved += length * step
        return moved


def solve_softmax(
    design: Design,
    scores: SoftmaxScores,
    l1: NDArray[np.float64],
    l2: NDArray[np.float64],
    *,
    intercept: bool,
    x0: Matrix | None = None,
    intercept0: NDArray[np.float64] | None = None,
    tol: float,
    max_iter: int,
) -> Result:
    """Minimise until the duality gap is below tol.

    Parameters
    ----------
    design : Design
    scores : SoftmaxScores
    l1, l2 : ndarray of shape (n_features,)
        Not negative. Features where both are zero have no penalty.
    intercept : bool
    x0 : ndarray of shape (n_features, n_classes), default=None
    intercept0 : ndarray of shape (n_classes,), default=None
    tol : float
        On the duality gap, in units of the objective.
    max_iter : int
        Block updates at most.

    Returns
    -------
    Result
        ``x`` of shape (n_features, n_classes); ``extra["intercept"]`` holds ``c``.
    """
    books = _Books()
    n_classes = scores.Z.shape[1]
    everything = nonzero_columns(design)
    if not intercept:
        everything = np.flatnonzero(design.squares > 0.0).astype(np.int32)
    block = SoftmaxBlock(design, intercept)
    in_block = np.zeros(design.shape[1], dtype=np.bool_)
    X = np.zeros((design.shape[1], n_classes))
    if x0 is not None:
        X[everything] = x0[everything]
    start = everything[(l1[everything] == 0.0) | X[everything].any(axis=1)]
    block.append(start)
    in_block[start] = True
    offset = block.offset
    U = np.zeros((offset + len(start), n_classes))
    U[offset:] = X[start]
    if intercept and intercept0 is not None:
        U[0] = intercept0
    inner_tol, best_gap, exhausted, n_iter = 0.0, np.inf, False, 0
    while True:
        scores.set(block.product(U))
        if intercept:
            U[0] += scores.center()
        b1 = np.concatenate([np.zeros(offset), l1[block.columns]])
        b2 = np.concatenate([np.zeros(offset), l2[block.columns]])
        V = _free_dual(scores, block, U, b1, b2)
        dual = scores.weight[:, None] * (V - scores.target)
        c = np.column_stack(
            [
                -design.correlate(np.ascontiguousarray(dual[:, k]), everything)
                for k in range(n_classes)
            ]
        )
        certificate = certify_softmax(scores, V, c, X[everything], l1[everything], l2[everything])
        support = np.flatnonzero(X).astype(np.int32)
        books.enter(certificate, len(block.columns), support)
        status = _outcome(certificate.gap, tol, n_iter, max_iter, books, np.inf)
        if status is None and exhausted and certificate.gap > 0.5 * best_gap:
            status = Status.STALLED
        if status is not None:
            break
        best_gap = min(best_gap, certificate.gap)
        excess = np.maximum(np.abs(c) - l1[everything][:, None], 0.0).max(axis=1)
        gains = excess**2 / (design.squares[everything] + l2[everything])
        score = np.where(in_block[everything], 0.0, gains)
        violating = np.flatnonzero(score)
        room = max(FIRST_BLOCK, int(X.any(axis=1).sum()))
        if len(violating) > room:
            violating = violating[np.argpartition(-score[violating], room)[:room]]
        chosen = everything[violating]
        exhausted = len(chosen) == 0 and inner_tol <= 0.3 * tol
        if len(chosen):
            block.append(chosen)
            in_block[chosen] = True
            U = np.vstack([U, np.zeros((len(chosen), n_classes))])
            inner_tol = max(0.3 * tol, 0.05 * min(certificate.gap, scores.value))
        else:
            inner_tol = min(0.3 * tol, 0.1 * inner_tol)
        b1 = np.concatenate([np.zeros(offset), l1[block.columns]])
        b2 = np.concatenate([np.zeros(offset), l2[block.columns]])
        U = _descend(scores, block, U, b1, b2, inner_tol)
        X[block.columns] = U[offset:]
        n_iter += 1
    return Result(
        x=X,
        fun=certificate.objective,
        gap=certificate.gap,
        n_iter=n_iter,
        status=status,
        history=books.history(),
        active_set=np.flatnonzero(X),
        identified_at=books.identified_at,
        gap_kind="duality",
        extra={
            "gap": np.asarray(books.rows["gap"]),
            "intercept": U[0] - U[0].mean() if intercept else np.zeros(n_classes),
        },
    )


def _penalty_terms(c, X, l1, l2, scale: float):
    """Fenchel-Young terms of the penalty, coordinate by coordinate, at ``scale * c``."""
    terms = l1 * np.abs(X) + 0.5 * l2 * X * X - scale * c * X
    ridged = np.broadcast_to(l2 > 0.0, X.shape)
    excess = np.maximum(scale * np.abs(c) - l1, 0.0)
    terms += np.where(ridged, excess**2 / np.where(ridged, 2.0 * l2, 1.0), 0.0)
    return np.where(ridged | (l1 > 0.0), terms, 0.0)


def certify_softmax(scores: SoftmaxScores, V: Matrix, c: Matrix, X, l1, l2):
    """Bound how far ``X`` is from the minimum by dual probabilities on the way from y to V.

    Parameters
    ----------
    scores : SoftmaxScores
        At ``X``.
    V : ndarray of shape (n_samples, n_classes)
    c : ndarray of shape (k, n_classes)
        ``A' w (y - V)``.
    X : ndarray of shape (k, n_classes)
    l1, l2 : ndarray of shape (k,)
    """
    l1, l2 = l1[:, None], l2[:, None]
    objective = scores.value + float((l1 * np.abs(X) + 0.5 * l2 * X * X).sum())
    size, limit = np.abs(c), l1 + l2 * np.abs(X)
    binding = (size > limit) & (l1 > 0.0)
    scale = float((limit[binding] / size[binding]).min()) if binding.any() else 1.0
    only_l1 = bool(((l1 > 0.0) & (l2 == 0.0)).any())
    best = (np.inf, scale)
    for t in {scale} if only_l1 else {scale, 1.0}:
        gap = float(_penalty_terms(c, X, l1, l2, t).sum())
        if t != 1.0 or V is not scores.P:
            dual = (1.0 - t) * scores.target + t * V
            gap += softmax_distance(scores.P, dual, scores.weight)
        best = min(best, (gap, t))
    return DualCertificate(objective, max(best[0], 0.0), best[1])


def _free_dual(scores, block, U, l1, l2) -> Matrix:
    """Return the probabilities after a Newton step on what has no penalty."""
    free = np.broadcast_to(((l1 == 0.0) & (l2 == 0.0))[:, None], U.shape)
    if not free[block.offset :].any():
        return scores.P
    diagonal = np.empty_like(U)
    softmax_diagonal(block.ptr, block.index, block.value, scores.P, scores.weight, diagonal)
    rhs = np.where(free, -block.correlate(scores.slope), 0.0)
    step = _conjugate_gradients(scores, block, l2, diagonal, free & (diagonal > 0.0), rhs, 0.0)
    change = scores.curved(block.product(step))
    return scores.P + change / np.where(scores.weight > 0.0, scores.weight, 1.0)[:, None]


def _descend(scores: SoftmaxScores, block: SoftmaxBlock, U, l1, l2, tol: float) -> Matrix:
    """Take proximal Newton steps until the block's own duality gap is about ``tol``."""
    best, stalled = np.inf, 0
    column1, column2 = l1[:, None], l2[:, None]
    for _ in range(MAX_ROUNDS):
        gradient = block.correlate(scores.slope)
        diagonal = np.empty_like(U)
        softmax_diagonal(block.ptr, block.index, block.value, scores.P, scores.weight, diagonal)
        gap = certify_softmax(scores, scores.P, -gradient, U, l1, l2).gap
        free = ((l1 == 0.0) & (l2 == 0.0))[:, None] & (diagonal > 0.0)
        gap += float((gradient[free] ** 2 / diagonal[free]).sum())
        stalled = stalled + 1 if gap > 0.9 * best else 0
        best = min(best, gap)
        if gap <= tol or stalled >= 10:
            break
        gradient += column2 * U
        target = _model_minimum(scores, block, gradient, diagonal + column2, U, l1, l2)
        step = target - U
        change = block.product(step)
        drop = float((gradient * step + column1 * (np.abs(target) - np.abs(U))).sum())
        before = scores.value + float((column1 * np.abs(U) + 0.5 * column2 * U * U).sum())
        Z, length = scores.Z, 1.0
        for _ in range(HALVINGS):
            new = U + length * step
            after = scores.set(Z + length * change)
            after += float((column1 * np.abs(new) + 0.5 * column2 * new * new).sum())
            if after <= before + 1e-4 * length * drop + 4e-15 * abs(before):
                break
            length *= 0.5
        else:
            scores.set(Z)
            return U
        U = target if length == 1.0 else new
    return U


def _model_minimum(scores, block, gradient, diagonal, U, l1, l2) -> Matrix:
    """Minimise the quadratic model plus the l1 terms; return the new coordinates."""
    column1, column2 = l1[:, None], l2[:, None]
    new, D, mean = U.copy(), np.zeros_like(scores.P), np.zeros(len(scores.P))
    first = _squared_violation(diagonal, gradient, new, column1)
    tol = accuracy(first, abs(scores.value))
    g = gradient
    # without any penalty the Hessian is singular: to shift all classes alike changes nothing
    solve = _newton_step if l1.any() or l2.any() else _conjugate_gradients
    for _ in range(MODEL_ROUNDS):
        if l1.any():
            sweep_softmax(
                block.ptr,
                block.index,
                block.value,
                scores.P,
                scores.weight,
                D,
                mean,
                diagonal,
                gradient,
                l1,
                l2,
                U,
                new,
                7,
                tol,
            )
            g = gradient + block.correlate(scores.curved(D)) + column2 * (new - U)
            if _squared_violation(diagonal, g, new, column1) <= tol:
                break
        support = ((new != 0.0) | (column1 == 0.0)) & (diagonal > 0.0)
        rhs = np.where(support, -(g + column1 * np.sign(new)), 0.0)
        step = solve(scores, block, l2, diagonal, support, rhs, 0.1 * tol)
        crossing = support & (column1 > 0.0) & (new * (new + step) <= 0.0) & (step != 0.0)
        if crossing.any():
            cut = np.where(crossing, -new, step)
            curved = _hessian_product(scores, block, l2, cut)
            gain = (
                g * cut + 0.5 * cut * curved + column1 * (np.abs(new + cut) - np.abs(new))
            ).sum()
            if gain >= 0.0:
                ratio = np.where(crossing, -new / np.where(crossing, step, 1.0), np.inf)
                cut = float(ratio.min()) * step
                cut[ratio == ratio.min()] = -new[ratio == ratio.min()]
            step = cut
        new += step
        new[crossing & (np.abs(new) < 1e-300)] = 0.0
        if not l1.any():
            break
        D = block.product(new - U)
        mean = (scores.P * D).sum(axis=1)
    return new


def _squared_violation(diagonal, g, U, l1) -> float:
    size = np.where(U != 0.0, np.abs(g + l1 * np.sign(U)), np.maximum(np.abs(g) - l1, 0.0))
    return float((size**2 / np.where(diagonal > 0.0, diagonal, np.inf)).sum())


def _hessian_product(scores, block, l2, step) -> Matrix:
    return block.correlate(scores.curved(block.product(step))) + l2[:, None] * step


def _newton_step(scores, block, l2, diagonal, support, rhs, tol: float) -> Matrix:
    """Solve with the model's Hessian on the support: factored where it is small."""
    places = np.flatnonzero(support)
    n_samples, n_classes = scores.P.shape
    if len(places) > FACTORED or n_samples * len(places) > LARGEST_COPY:
        return _conjugate_gradients(scores, block, l2, diagonal, support, rhs, tol)
    feature, label = np.divmod(places, n_classes)
    shape = (n_samples, len(block.ptr) - 1)
    compressed = sp.csc_array((block.value, block.index, block.ptr), shape=shape)
    W = compressed[:, feature].toarray()
    shares = W * scores.P[:, label]
    H = -(shares.T * scores.weight) @ shares
    for c in range(n_classes):
        own = np.flatnonzero(label == c)
        H[np.ix_(own, own)] += (shares[:, own].T * scores.weight) @ W[:, own]
    H.flat[:: len(H) + 1] += l2[feature]
    step = np.zeros_like(rhs)
    step.flat[places] = solve_definite(H, rhs.flat[places])
    return step


def _conjugate_gradients(scores, block, l2, diagonal, support, rhs, tol: float) -> Matrix:
    """Solve with the model's Hessian on the support, preconditioned by its diagonal."""
    inverse = np.where(support, 1.0 / np.where(support, diagonal, 1.0), 0.0)
    step, residual = np.zeros_like(rhs), rhs.copy()
    toward = inverse * residual
    squared = float((residual * toward).sum())
    stop = max(tol, 1e-26 * squared)
    for _ in range(CG_STEPS):
        if squared <= stop:
            break
        product = np.where(support, _hessian_product(scores, block, l2, toward), 0.0)
        curvature = float((toward * product).sum())
        if not curvature > 0.0:
            break
        length = squared / curvature
        step += length * toward
        residual -= length * product
        scaled = inverse * residual
        new = float((residual * scaled).sum())
        toward = scaled + (new / squared) * toward
        squared = new
    return step
