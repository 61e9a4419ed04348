"""Multinomial regression with l1 and squared l2 terms by greedy working sets, with a certificate.

Minimise ``sum_i w_i (log sum_c exp(z_ci) - z_label,i) + sum_cj l1_j |x_cj| + l2_j / 2 x_cj^2`` with
``Z = X A' + c``, one row of X a class (symmetric, no class is a reference). The scheme is that of
``glm``: blocks of features chosen by gs-q (all of them where nothing has an l1 term), proximal
Newton steps on a block (``softmax_newton``), a dual point from the slopes. The intercepts are a
column of ones without a penalty.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from bcd.design import Design, nonzero_columns
from bcd.result import Result, Status
from bcd.softmax_block import SoftmaxBlock, SoftmaxScores
from bcd.softmax_newton import FACTORED, FORMED, Box, certify_softmax, descend_softmax, free_dual
from bcd.working_set import FIRST_BLOCK, Progress, _Books, _outcome

Matrix = NDArray[np.float64]


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
    bounds: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None,
    callback: Callable[[Progress], bool | None] | None = None,
) -> Result:
    """Minimise until the duality gap is below tol.

    Parameters
    ----------
    design : Design
    scores : SoftmaxScores
    l1, l2 : ndarray of shape (n_features,)
        Not negative. Features where both are zero have no penalty.
    intercept : bool
    x0 : ndarray of shape (n_classes, n_features), default=None
    intercept0 : ndarray of shape (n_classes,), default=None
    tol : float
        On the duality gap, in units of the objective.
    max_iter : int
        Block updates at most.
    bounds : pair of ndarray of shape (n_features,), default=None
        Lower and upper bounds of each class's coefficients.
    callback : callable, default=None
        Called with a :class:`Progress` after each update; a true answer stops the run.

    Returns
    -------
    Result
        ``x`` of shape (n_classes, n_features); ``extra["intercept"]`` holds ``c``.
    """
    books = _Books()
    n_classes = len(scores.Z)
    everything = nonzero_columns(design)
    if not intercept:
        everything = np.flatnonzero(design.squares > 0.0).astype(np.int32)
    block = SoftmaxBlock(design, intercept)
    in_block = np.zeros(design.shape[1], dtype=np.bool_)
    X = np.zeros((n_classes, design.shape[1]))
    if x0 is not None:
        X[:, everything] = x0[:, everything]
    whole = None
    if bounds is not None:
        # to shift an unpenalised feature in all classes alike costs nothing: one bound is none
        void = (l1 == 0.0) & (l2 == 0.0) & ((bounds[0] == -np.inf) | (bounds[1] == np.inf))
        ends = np.where(void, -np.inf, bounds[0]), np.where(void, np.inf, bounds[1])
        whole = Box(*ends, np.sqrt(design.squares))
        X = np.clip(X, whole.lower, whole.upper)
    start = everything[(l1[everything] == 0.0) | X[:, everything].any(axis=0)]
    block.append(start)
    in_block[start] = True
    offset = block.offset
    U = np.zeros((n_classes, offset + len(start)))
    U[:, offset:] = X[:, start]
    if intercept:
        U[:, 0] = block.shift(U) + (0.0 if intercept0 is None else intercept0)
    inner_tol, best_gap, exhausted, n_iter = np.inf, np.inf, False, 0
    while True:
        scores.set(block.product(U))
        if intercept:
            U[:, 0] += scores.center()
        b1 = np.concatenate([np.zeros(offset), l1[block.columns]])
        b2 = np.concatenate([np.zeros(offset), l2[block.columns]])
        box = None if whole is None else whole.take(block.columns, design.shape[0], offset)
        V = free_dual(scores, block, U, b1, b2, box)
        dual = scores.weight * (V - scores.target)
        if len(block.columns) == len(everything):
            c = -block.correlate(dual)[:, offset:][:, np.argsort(block.columns)]
        else:
            c = -np.array([design.correlate(own, everything) for own in dual])
        seen = None if whole is None else whole.take(everything, 0, 0)
        certificate = certify_softmax(
            scores, V, c, X[:, everything], l1[everything], l2[everything], seen
        )
        support = np.flatnonzero(X).astype(np.int32)
        books.enter(certificate, len(block.columns), support)
        status = _outcome(certificate.gap, tol, n_iter, max_iter, books, np.inf)
        if callback is not None and n_iter:
            progress = Progress(n_iter, certificate.objective, certificate.gap, X)
            if callback(progress) and status is None:
                status = Status.STOPPED
        if status is None and exhausted and certificate.gap > 0.5 * best_gap:
            status = Status.STALLED
        if status is not None:
            break
        best_gap = min(best_gap, certificate.gap)
        excess = np.maximum(np.abs(c) - l1[everything], 0.0)
        if seen is not None:  # a zero may not leave through a bound
            excess = np.where(np.where(c > 0.0, seen.upper > 0.0, seen.lower < 0.0), excess, 0.0)
        excess = excess.max(axis=0)
        gains = excess**2 / (design.squares[everything] + l2[everything])
        score = np.where(in_block[everything], 0.0, gains)
        violating = np.flatnonzero(score)
        room = max(FIRST_BLOCK, int(X.any(axis=0).sum()))
        complete = len(violating) <= room
        if not complete:
            violating = violating[np.argpartition(-score[violating], room)[:room]]
        chosen = everything[violating]
        exhausted = len(chosen) == 0 and inner_tol <= 0.3 * tol
        if len(chosen):
            block.append(chosen)
            in_block[chosen] = True
            U = np.hstack([U, np.zeros((n_classes, len(chosen)))])
            inner_tol = max(0.3 * tol, 0.05 * min(certificate.gap, scores.value))
        else:
            inner_tol = min(0.3 * tol, 0.1 * inner_tol)
        everything_in = len(block.columns) == len(everything)
        if (everything_in and n_iter == 0) or (complete and U.size <= FORMED):
            # where a Hessian is formed, the last Newton steps cost little and gain many digits
            cheap = U.size <= (FORMED if l1.any() or whole is not None else FACTORED)
            inner_tol = (1e-6 if cheap else 0.3) * tol
        b1 = np.concatenate([np.zeros(offset), l1[block.columns]])
        b2 = np.concatenate([np.zeros(offset), l2[block.columns]])
        if whole is not None:
            box = whole.take(block.columns, design.shape[0], offset)
        U = descend_softmax(
            scores, block, U, b1, b2, inner_tol, **({} if box is None else {"box": box})
        )
        X[:, block.columns] = U[:, offset:]
        n_iter += 1
    if bounds is not None:
        X[:, void] += np.maximum(bounds[0][void] - X[:, void].min(axis=0), 0.0)
        X[:, void] -= np.maximum(X[:, void].max(axis=0) - bounds[1][void], 0.0)
    c0 = np.zeros(n_classes)
    if intercept:
        c0 = U[:, 0] - block.shift(U)
        c0 -= c0.mean()
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
        extra={"gap": np.asarray(books.rows["gap"]), "intercept": c0},
    )
