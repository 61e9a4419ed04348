"""Greedy working sets: variable blocks chosen by gs-q, each repaired exactly, certified by a gap.

One iteration is one block update of the paper's scheme (Nutini, Laradji & Schmidt, 2022): the block
is the current support and the coordinates outside whose own exact update would gain most (gs-q);
the update is exact (``active_set``); the books are the residual and one pass ``A' r``, which also
yields the duality gap that stops the run. Working sets grow geometrically (after Massias, Gramfort
& Salmon, 2018, and Johnson & Guestrin, 2015), so there are few passes.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bcd.active_set import GramProblem
from bcd.design import Design, nonzero_columns, project_out
from bcd.duality import Certificate, certify
from bcd.result import History, Result, Status
from bcd.screening import may_be_active

FIRST_BLOCK = 64
SCREENING_SAVES = 1000  # features from which on a pass costs more than screening


@dataclass(slots=True)
class Progress:
    """What a callback sees after each block update."""

    n_iter: int
    objective: float
    gap: float
    x: NDArray[np.float64]


@dataclass(slots=True)
class _Books:
    started: float = field(default_factory=time.perf_counter)
    rows: dict[str, list] = field(
        default_factory=lambda: {
            name: [] for name in ("objective", "gap", "time_s", "block_size", "n_active")
        }
    )
    support: NDArray = field(default_factory=lambda: np.empty(0, dtype=np.int32))
    identified_at: int = 0

    def enter(self, certificate: Certificate, block_size: int, support: NDArray) -> None:
        elapsed = time.perf_counter() - self.started
        if not np.array_equal(support, self.support):
            self.support, self.identified_at = support, len(self.rows["gap"])
        values = (certificate.objective, certificate.gap, elapsed, block_size, len(support))
        for name, value in zip(self.rows, values, strict=True):
            self.rows[name].append(value)

    def history(self) -> History:
        return History(
            objective=np.asarray(self.rows["objective"]),
            time_s=np.asarray(self.rows["time_s"]),
            block_size=np.asarray(self.rows["block_size"], dtype=np.int32),
            n_active=np.asarray(self.rows["n_active"], dtype=np.int32),
        )


def solve_working_sets(
    design: Design,
    target: NDArray[np.float64],
    l1: NDArray[np.float64],
    l2: float = 0.0,
    *,
    positive: bool = False,
    x0: NDArray[np.float64] | None = None,
    tol: float,
    max_iter: int,
    time_limit: float = np.inf,
    callback: Callable[[Progress], bool | None] | None = None,
) -> Result:
    """Minimise ``1/2 ||b - A x||^2 + sum_j l1_j |x_j| + l2/2 ||x||^2`` until the gap is below tol.

    Parameters
    ----------
    design : Design
        ``A``, of shape (n_samples, n_features).
    target : ndarray of shape (n_samples,)
        ``b``; its part along ``design.u`` does not count.
    l1 : ndarray of shape (n_features,)
        Not negative.
    l2 : float, default=0.0
    positive : bool, default=False
        Whether ``x >= 0`` is required.
    x0 : ndarray of shape (n_features,), default=None
        Where to start; zeros when None.
    tol : float
        On the duality gap, in units of the objective.
    max_iter : int
        Block updates at most.
    time_limit : float, default=inf
        Seconds, looked at between block updates.
    callback : callable, default=None
        Called with a :class:`Progress` after each update; a true answer stops the run.
    """
    books = _Books()
    b = project_out(design.u, target)
    everything = nonzero_columns(design)
    candidates = everything
    x = np.zeros(design.shape[1])
    if x0 is not None:
        x[everything] = np.maximum(x0[everything], 0.0) if positive else x0[everything]
    problem = GramProblem(l2, positive)
    block = np.empty(0, dtype=np.int32)
    in_block = np.zeros(design.shape[1], dtype=np.bool_)
    inner_tol = 0.0
    best_gap = np.inf
    exhausted = False
    n_iter = 0
    while True:
        support = np.flatnonzero(x).astype(np.int32)
        r = b - design.product(support, x[support]) if len(support) else b
        r = project_out(design.u, r)
        c = design.correlate(r, candidates)
        certificate = certify(b, r, c, x[candidates], l1[candidates], l2, positive)
        if len(candidates) < len(everything) and certificate.gap <= tol:
            # the last word is said over all features, so that anybody can check it
            candidates = everything
            c = design.correlate(r, candidates)
            certificate = certify(b, r, c, x[candidates], l1[candidates], l2, positive)
        books.enter(certificate, len(block), support)
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
        if len(candidates) > SCREENING_SAVES:
            keep = may_be_active(
                certificate,
                c,
                x[candidates],
                l1[candidates],
                design.squares[candidates],
                l2,
                positive,
            )
            keep |= in_block[candidates]
            candidates, c = candidates[keep], c[keep]
        chosen = _greedy_block(design, candidates, c, x, l1, l2, positive, in_block, len(support))
        exhausted = len(chosen) == 0 and inner_tol == 0.0
        if len(chosen):
            _admit(design, problem, block, chosen, b, x, l1)
            block = np.concatenate([block, chosen])
            in_block[chosen] = True
            inner_tol = 0.03 * np.sqrt(2.0 * certificate.gap / max(len(block), 1))
        else:
            inner_tol = 0.0 if inner_tol**2 * len(block) < tol else 0.01 * inner_tol
        problem.solve(inner_tol)
        x[block] = problem.x[: problem.size]
        n_iter += 1
    return Result(
        x=x,
        fun=certificate.objective,
        gap=certificate.gap,
        n_iter=n_iter,
        status=status,
        history=books.history(),
        active_set=np.flatnonzero(x),
        identified_at=books.identified_at,
        gap_kind="duality",
        extra={"gap": np.asarray(books.rows["gap"])},
    )


def _outcome(gap, tol, n_iter, max_iter, books, time_limit) -> Status | None:
    if gap <= tol:
        return Status.CONVERGED
    if n_iter >= max_iter:
        return Status.MAX_ITER
    if time.perf_counter() - books.started >= time_limit:
        return Status.TIME_LIMIT
    return None


def _greedy_block(
    design, candidates, c, x, l1, l2, positive, in_block, n_support
) -> NDArray[np.int32]:
    """Choose by gs-q: the largest decreases ``(|c_j| - l1_j)+^2 / (2 (||a_j||^2 + l2))`` outside.

    Coordinates of a warm start enter first, whatever their score: they are already repaired.
    """
    outside = ~in_block[candidates]
    warm = outside & (x[candidates] != 0.0)
    excess = (c if positive else np.abs(c)) - l1[candidates]
    score = np.where(
        outside & (excess > 0.0) & ~warm, excess**2 / (design.squares[candidates] + l2), 0.0
    )
    room = max(FIRST_BLOCK, n_support)
    violating = np.flatnonzero(score)
    if len(violating) > room:
        violating = violating[np.argpartition(-score[violating], room)[:room]]
    return candidates[np.concatenate([np.flatnonzero(warm), violating])]


def _admit(design, problem, block, chosen, b, x, l1) -> None:
    problem.grow(
        design.gram(block, chosen),
        design.gram(chosen, chosen),
        design.correlate(b, chosen),
        l1[chosen],
        x[chosen],
    )
