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
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bcd._certificate_kernels import UNPENALISED, bounded, violating_zeros
from bcd.block_solver import FIRST_EASY, Memory, WorkingSet
from bcd.design import Design, SparseDesign, correlate_target, nonzero_columns, project_out
from bcd.duality import Certificate, certify
from bcd.result import History, Result, Status, ask
from bcd.screening import screen
from bcd.separable import separable

if TYPE_CHECKING:
    from bcd.glm import DualCertificate

FIRST_BLOCK = 64
GROWTH = 0.6  # zeros in the working set, in multiples of the support
GROWTH_SPARSE = 1.2  # the same on sparse data, where more columns cost little
GROWTH_EASY = 2.0  # the same where sweeps do, after the first
MOST = 0.7  # of the features: where sweeps begin with so many, they begin with all
CROWDED = 1.5  # times what is needed: the working set is cleared of the rest
EASE = 0.65  # of the penalty at which the first feature left out would gain
SCREENING_SAVES = 1000  # features from which on a pass costs more than screening
FEWER = 0.6  # of the features: were more left, a pass over them would not cost less


@dataclass(slots=True)
class Progress:
    """What a callback sees after each block update."""

    n_iter: int
    objective: float
    gap: float
    x: NDArray[np.float64]
    time_s: float = 0.0


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

    def enter(
        self, certificate: Certificate | DualCertificate, block_size: int, support: NDArray
    ) -> None:
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
    l2: ArrayLike = 0.0,
    *,
    positive: bool = False,
    bounds: tuple[ArrayLike, ArrayLike] | None = None,
    x0: NDArray[np.float64] | None = None,
    tol: float,
    max_iter: int,
    time_limit: float = np.inf,
    callback: Callable[[Progress], bool | None] | None = None,
    memory: Memory | None = None,
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
    l2 : float or ndarray of shape (n_features,), default=0.0
    positive : bool, default=False
        Whether ``x >= 0`` is required.
    bounds : pair of array_like, default=None
        Lower and upper bounds, each a number or of shape (n_features,).
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
    memory : Memory, default=None
        Of an earlier run on the same design and target with other penalties: this run goes on from
        there, and leaves its own.
    """
    books = _Books()
    penalty = separable(l1, l2, positive=positive, bounds=bounds)
    b = project_out(design.u, target)
    everything = nonzero_columns(design)
    candidates = everything
    alone = memory is None
    memory = Memory() if memory is None else memory
    x = np.zeros(design.shape[1])
    start_x = x0 if memory.x is None else memory.x
    if start_x is not None:
        x[everything] = start_x[everything]
    boxed = bounded(penalty.lower, penalty.upper)
    if start_x is not None or boxed:
        x[everything] = np.clip(x[everything], penalty.lower[everything], penalty.upper[everything])
    support = np.flatnonzero(x).astype(np.int32)
    if memory.books is not None and memory.x is not None and np.array_equal(x, memory.x):
        r, c = memory.books
    else:
        r = _residual(design, b, support, x)
        first = len(support) == 0
        c = correlate_target(design, r, candidates) if first else design.correlate(r, candidates)
    if len(support) == 0 and len(candidates) == len(x):
        memory.correlation = c
    block = WorkingSet(design, b, x, penalty, memory, boxed, alone)
    near = _screening_gap(design, penalty)
    best_gap, n_iter, eased, exact = np.inf, 0, np.inf, False

    def result(status: Status) -> Result:
        """Hand over what was reached."""
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

    while True:
        certificate = _certify(design, b, r, c, x, candidates, penalty, boxed)
        if len(candidates) < len(everything) and certificate.gap <= tol:
            # the last word is said over all features, so that anybody can check it
            candidates = everything
            c = design.correlate(r, candidates)
            certificate = _certify(design, b, r, c, x, candidates, penalty, boxed)
        books.enter(certificate, len(block), support)
        status = _outcome(certificate.gap, tol, n_iter, max_iter, books, time_limit)
        if callback is not None and n_iter:
            elapsed = time.perf_counter() - books.started
            progress = Progress(n_iter, certificate.objective, certificate.gap, x, elapsed)
            asked_to_stop = ask(callback, progress, lambda: result(Status.STOPPED))
            if asked_to_stop and status is None:
                status = Status.STOPPED
        if status is not None:
            break
        if len(candidates) > SCREENING_SAVES and certificate.scaled_gap <= near:
            books_of = (candidates.copy(), c.copy(), x, penalty, design.squares, block.inside)
            kept, pulls = screen(certificate, *books_of)
            if len(kept) <= FEWER * len(candidates):
                candidates, c = kept, pulls
        counts = (len(support), block.easy)
        chosen, ease = _greedy_block(design, candidates, c, x, penalty, block.inside, *counts)
        new = chosen[~block.inside[chosen]]
        if len(new) == 0 and exact and certificate.gap > 0.5 * best_gap:
            status = Status.STALLED
            break
        if len(new) == 0 and ease >= eased:
            ease = max(1.0, EASE * eased)
        lowered, eased = ease < eased, min(ease, eased)
        if lowered and len(block) + len(new) > CROWDED * (len(support) + len(chosen)):
            block.keep(support, chosen)
        if block.apart and len(block) == 0 and len(new) >= MOST * len(candidates):
            new = candidates  # the few others are likely to enter once these are in
        block.take(new)
        best_gap = min(best_gap, certificate.gap) if eased == 1.0 else np.inf
        exact = block.solve(
            r,
            len(support) + len(new),
            tol=tol,
            ease=eased,
            gap=certificate.gap if len(new) else 0.0,
        )
        n_iter += 1
        support = block.support() if start_x is None else np.flatnonzero(x).astype(np.int32)
        if block.books is None:
            r = _residual(design, b, support, x)
            c = design.correlate(r, candidates)
        else:
            r, c = block.books[0], _complete(design, block, *block.books, candidates)
    memory.x, memory.problem, memory.block = x, block.problem, block.columns
    memory.books = (r, c) if len(candidates) == len(everything) else None
    return result(status)


def _residual(design, b, support, x):
    if len(support) == 0:
        return b
    return project_out(design.u, b - design.product(support, x[support]))


def _screening_gap(design, penalty) -> float:
    """Return the gap above which the gap-safe sphere reaches most features."""
    if len(penalty.l1) <= SCREENING_SAVES:
        return 0.0
    square = float(np.mean(design.squares))
    return 0.5 * float(np.mean(penalty.l1)) ** 2 / square if square > 0.0 else 0.0


def _complete(design: Design, block: WorkingSet, r, pull, candidates) -> NDArray[np.float64]:
    """Correlate the candidates with r; ``pull`` are the products of the working set."""
    c, outside = np.empty(design.shape[1]), candidates[~block.inside[candidates]]
    c[block.columns] = pull
    c[outside] = design.correlate(r, outside)
    return c[candidates]


def _certify(design, b, r, c, x, columns, penalty, boxed) -> Certificate:
    if len(columns) == len(x):
        return certify(b, r, c, x, penalty, design.squares, boxed)
    part = (x[columns], penalty.take(columns), design.squares[columns])
    return certify(b, r, c, *part, boxed)


def _outcome(gap, tol, n_iter, max_iter, books, time_limit) -> Status | None:
    if gap <= tol:
        return Status.CONVERGED
    if n_iter >= max_iter:
        return Status.MAX_ITER
    if time.perf_counter() - books.started >= time_limit:
        return Status.TIME_LIMIT
    return None


def _greedy_block(
    design, candidates, c, x, penalty, in_block, n_support, easy
) -> tuple[NDArray[np.int32], float]:
    """Choose the zeros whose own exact update would gain (gs-q), and how far to ease the penalty.

    Where there are many, solving for them all at once lets in features that only stand in for
    others. So the penalty is eased, multiplied by the second answer: at that station the features
    left out would gain nothing, or little. Coordinates of a warm start enter first.
    """
    place, ratio = np.empty(len(candidates), dtype=np.int32), np.empty(len(candidates))
    l1, _, lower, upper = penalty
    n = violating_zeros(c, x, l1, lower, upper, design.squares, in_block, candidates, place, ratio)
    place, ratio = place[:n], ratio[:n]
    first, growth = FIRST_BLOCK, GROWTH_SPARSE if isinstance(design, SparseDesign) else GROWTH
    if easy:
        first, growth = FIRST_EASY, GROWTH_EASY
    room = max(first, int(growth * n_support))
    if n <= room:
        return candidates[place], 1.0
    order = np.argpartition(-ratio, room)
    first_out = float(ratio[order[room]])
    ease = max(1.0, EASE * first_out) if first_out < UNPENALISED else 1.0
    return candidates[place[order[:room]]], ease
