"""Generalised linear models with l1 and squared l2 terms by certified greedy working sets.

Minimise ``sum_i s_i loss(a_i' x + c, y_i) + sum_j l1_j |x_j| + l2_j / 2 x_j^2`` over ``x``, between
bounds if any, and, with an intercept, over ``c``. As in ``working_set`` one iteration is one block
update: the block is the support and the coordinates outside whose own update would gain most
(gs-q); the update is a proximal Newton method on the block (``glm_newton``); the books are the
scores and one pass ``A' slope``, which also yields the duality gap (Nutini, Laradji & Schmidt,
2022; Johnson & Guestrin, 2015; Massias, Gramfort & Salmon, 2018).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bcd._glm_choice_kernels import keep_active, list_violators
from bcd._penalty_kernels import gap_of_columns, survey_columns
from bcd._score_kernels import dual_distance
from bcd.design import Design, nonzero_columns
from bcd.duality import ROUNDING
from bcd.glm_block import block_scores, make_block
from bcd.glm_model import solve_definite
from bcd.glm_newton import descend_block
from bcd.glm_scores import Scores
from bcd.glm_sweeps import make_sweeps
from bcd.result import Result, Status
from bcd.separable import Separable, separable
from bcd.working_set import FIRST_BLOCK, SCREENING_SAVES, Progress, _Books, _outcome
from problems.losses import HUBER, LOGISTIC, POISSON, SQUARED_HINGE

Vector = NDArray[np.float64]
CHEAP = 1e6  # multiplications of a Gram matrix
LOOSE = 0.1  # of the gap, that a block is solved to
FINEST = 1e-3  # of tol, that a complete block is solved to before the run gives up
SMOOTHNESS = {LOGISTIC: 0.25, HUBER: 1.0, POISSON: np.inf, SQUARED_HINGE: 1.0}


class DualCertificate(NamedTuple):
    """Objective, duality gap, and the multiple of the dual direction that is the dual point."""

    objective: float
    gap: float
    scale: float


def solve_glm(
    design: Design,
    scores: Scores,
    l1: Vector,
    l2: Vector,
    *,
    bounds: tuple[ArrayLike, ArrayLike] | None = None,
    x0: Vector | None = None,
    intercept0: float = 0.0,
    tol: float,
    max_iter: int,
    time_limit: float = np.inf,
    callback: Callable[[Progress], bool | None] | None = None,
) -> Result:
    """Minimise until the duality gap is below tol.

    Parameters
    ----------
    design : Design
        ``A``, of shape (n_samples, n_features), centred if an intercept is fitted.
    scores : Scores
        The losses, and whether an intercept is fitted.
    l1, l2 : ndarray of shape (n_features,)
        Not negative. Features where both are zero have no penalty.
    bounds : pair of array_like, default=None
        Lower and upper bounds of the coefficients, broadcast to (n_features,).
    x0 : ndarray of shape (n_features,), default=None
        Where to start; zeros when None, and where bounds forbid it their nearest end.
    intercept0 : float, default=0.0
        For the columns as they are, not centred.
    tol : float
        On the duality gap, in units of the objective.
    max_iter : int
        Block updates at most.
    time_limit : float, default=inf
        Seconds, looked at between block updates.
    callback : callable, default=None
        Called with a :class:`Progress` after each update; a true answer stops the run.

    Returns
    -------
    Result
        ``extra["intercept"]`` holds ``c``, ``extra["gap"]`` the gap before each update.
    """
    books = _Books()
    penalty = separable(l1, l2, bounds=bounds)
    everything = nonzero_columns(design) if scores.intercept else _used_columns(design)
    candidates = everything
    x = np.zeros(design.shape[1])
    if x0 is not None:
        x[everything] = x0[everything]
    if bounds is not None:
        x = np.clip(x, penalty.lower, penalty.upper)
    block = make_block(design)
    in_block = np.zeros(design.shape[1], dtype=np.bool_)
    first = penalty.l1 == 0.0
    if x0 is not None or bounds is not None:
        first |= x != 0.0
    shift = intercept0
    if scores.intercept:
        shift += float(design.means @ x)
    start = everything[first[everything]] if first.any() else everything[:0]
    if len(start):
        block.append(start)
        in_block[start] = True
    xb = x[block.columns]
    sweeps = make_sweeps(scores, design, penalty)
    inner_tol, lengths = np.inf, np.sqrt(design.squares)
    best_gap, exhausted, swept, n_iter = np.inf, False, False, 0
    while True:
        if n_iter == 0 and block.size == 0 and x0 is None and scores.started_at is not None:
            shift = scores.started_at
        elif not swept:
            z = block_scores(design, block, xb, scores.intercept)
            scores.set(z + shift if shift else z)
            if scores.intercept:
                shift += scores.center()
        dual = _free_dual(scores, block, xb, penalty.take(block.columns))
        c = -design.correlate(dual, candidates)
        certificate = certify_glm(scores, dual, c, candidates, x, penalty, lengths)
        if len(candidates) < len(everything) and certificate.gap <= tol:
            candidates = everything  # the last word is said over all features
            c = -design.correlate(dual, candidates)
            certificate = certify_glm(scores, dual, c, candidates, x, penalty, lengths)
        support = np.flatnonzero(x) if swept else np.sort(block.columns[xb != 0.0])
        books.enter(certificate, block.size, support)
        status = _outcome(certificate.gap, tol, n_iter, max_iter, books, time_limit)
        if callback is not None and n_iter:
            progress = Progress(n_iter, certificate.objective, certificate.gap, x)
            if callback(progress) and status is None:
                status = Status.STOPPED
        if status is None and exhausted and certificate.gap > 0.5 * best_gap:
            status = Status.STALLED
        if status is not None:
            break
        best_gap = min(best_gap, certificate.gap)
        if len(candidates) > SCREENING_SAVES and np.isfinite(certificate.gap):
            held = in_block if sweeps is None else in_block | (x != 0.0)
            candidates, c = _screen(scores, certificate, c, penalty, candidates, lengths, held)
        swept = False
        if sweeps is not None and sweeps.open:
            swept = True
            x, shift = sweeps.run(x, shift, c, candidates, tol)
            n_iter += 1
            continue
        chosen = _greedy_block(scores, design, candidates, c, penalty, in_block, len(support))
        exhausted = len(chosen) == 0 and inner_tol <= FINEST * tol
        if len(chosen):
            inner_tol = max(0.3 * tol, LOOSE * min(certificate.gap, scores.value))
        elif n_iter == 0:  # nothing to choose: where steps cost little, the last gain many digits
            cheap = block.factor_pays() and block.size**2 * design.shape[0] <= CHEAP
            inner_tol = (1e-8 if cheap else 0.3) * tol
        else:
            inner_tol = min(0.3 * tol, 0.03 * inner_tol)
        if sweeps is not None:  # what they moved, a block takes in when it is first asked for
            chosen = np.union1d(chosen, support[~in_block[support]]).astype(np.int32)
        if len(chosen):
            block.append(chosen)
            in_block[chosen] = True
        before = xb = x[block.columns]
        xb, moved, _ = descend_block(scores, block, xb, penalty.take(block.columns), inner_tol)
        shift += moved
        if scores.intercept and not block.centered:  # the shift is that of centred columns
            shift += float(design.means[block.columns] @ (xb - before))
        x[block.columns] = xb
        n_iter += 1
    c0 = shift - float(design.means @ x) if scores.intercept else 0.0
    return Result(
        x=x,
        fun=certificate.objective,
        gap=certificate.gap,
        n_iter=n_iter,
        status=status,
        history=books.history(),
        active_set=support.astype(np.int64),
        identified_at=books.identified_at,
        gap_kind="duality",
        extra={"gap": np.asarray(books.rows["gap"]), "intercept": c0},
    )


def _used_columns(design: Design) -> NDArray[np.int32]:
    return np.flatnonzero(design.squares > 0.0).astype(np.int32)


def certify_glm(
    scores: Scores,
    dual: Vector,
    c: Vector,
    columns: NDArray[np.int32],
    x: Vector,
    penalty: Separable,
    lengths: Vector,
) -> DualCertificate:
    """Bound how far ``x`` is from the minimum by the dual point ``dual``, as it is or scaled.

    Parameters
    ----------
    scores : Scores
        At ``x``.
    dual : ndarray of shape (n_samples,)
        The slopes, orthogonal to the intercept and to free columns without any penalty.
    c : ndarray of shape (k,)
        ``-A' dual`` of the features in question; all others must be zero at the minimum.
    columns : ndarray of shape (k,), int32
        Those features.
    x : ndarray of shape (n_features,)
    penalty : Separable
        Of all features.
    lengths : ndarray of shape (n_features,)
        Of the columns: pulls below rounding errors of products with them do not count where there
        is no penalty.
    """
    scale, value = survey_columns(c, columns, x, *penalty)
    noise = ROUNDING * float(np.linalg.norm(dual))
    only_l1 = scale == 1.0 or bool(((penalty.l1 > 0.0) & (penalty.l2 == 0.0)).any())
    best, best_scale = np.inf, scale
    for t in (scale,) if only_l1 else (scale, 1.0):
        gap = gap_of_columns(t, c, columns, x, *penalty, lengths, noise)
        if dual is scores.slope and scores.tag == LOGISTIC:
            gap += scores.distance_to(t)
        elif t != 1.0 or dual is not scores.slope:
            gap += dual_distance(
                scores.tag, scores.parameter, scores.z, scores.y, scores.weight, t * dual
            )
        if gap < best:
            best, best_scale = gap, t
    return DualCertificate(scores.value + value, max(best, 0.0), best_scale)


def _free_dual(scores: Scores, block, x: Vector, penalty: Separable) -> Vector:
    """Return the slopes after one Newton step on what has no penalty, orthogonal to its columns."""
    free = np.flatnonzero(penalty.free(x))
    if len(free) == 0:
        return scores.slope
    h = scores.curvature
    if scores.tag == HUBER:  # a dual point may not leave the flat ends of the loss
        h = np.where(h >= scores.weight, h, 0.0)
    gradient = block.correlate(scores.slope)[free]
    G = block.gram(h, free)
    border = block.correlate(h)[free]
    total = float(h.sum())
    if scores.intercept:
        G -= np.outer(border, border / max(total, 1e-300))
    step = np.zeros(block.size)
    step[free] = solve_definite(G, -gradient)
    change = block.product(step)
    if scores.intercept:
        change -= (h @ change) / max(total, 1e-300)
    return scores.slope + h * change


def _screen(
    scores, certificate, c, penalty: Separable, candidates, lengths, held
) -> tuple[NDArray[np.int32], Vector]:
    """Leave out features that the gap-safe sphere rules out (Ndiaye et al., 2017, section 4).

    A loss of smoothness L has a dual that is 1/L-strongly concave, with sample weights too.
    """
    smooth = SMOOTHNESS[scores.tag]
    if not np.isfinite(smooth) or penalty.l2.any():
        return candidates, c
    radius = np.sqrt(2.0 * smooth * float(scores.weight.max()) * certificate.gap)
    kept, kept_c = np.empty_like(candidates), np.empty_like(c)
    sphere = certificate.scale, float(radius)
    n = keep_active(c, candidates, lengths, penalty.l1, *sphere, held, kept, kept_c)
    return kept[:n], kept_c[:n]


def _greedy_block(
    scores, design, candidates, c, penalty: Separable, in_block, n_support
) -> NDArray[np.int32]:
    """Choose by gs-q: the largest decreases ``(|c_j| - l1_j)+^2 / (2 h ||a_j||^2)`` outside."""
    h = max(float(scores.curvature.mean()), np.finfo(np.float64).tiny)
    chosen, gain = np.empty_like(candidates), np.empty_like(c)
    n = list_violators(c, candidates, design.squares, h, *penalty, in_block, chosen, gain)
    room = max(FIRST_BLOCK, n_support)
    if n <= room:
        return chosen[:n]
    return chosen[np.argpartition(-gain[:n], room)[:room]]
