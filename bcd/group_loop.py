"""Greedy working sets of groups: one loop for every loss that has group penalties.

One iteration is one block update of the paper's scheme (Nutini, Laradji & Schmidt, 2022): the block
is the groups that are not zero and those outside whose own update would gain most (gs-q); the
update is exact; one pass over the data then yields the duality gap that stops the run, the groups
that it proves to be zero for good, and the next block.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from bcd.result import History, Result, Status

FIRST_BLOCK = 64  # features
PASS_WORTH = 80  # blocks of a share of the candidates below this are solved in less than a pass
INNER_SHARE = 0.1  # of the gap at hand, below which solving the block further would not pay
INNER_TOL = 0.3  # of tol


class Look(NamedTuple):
    """One pass over the groups asked for.

    objective, gap : float
    gain : (n,) what each group's own update would gain;  alive : (n,) not proven to be zero
    """

    objective: float
    gap: float
    gain: NDArray[np.float64]
    alive: NDArray[np.bool_]


class GroupProblem(Protocol):
    """What the loop asks of a loss with its penalty and its working set."""

    sizes: NDArray[np.int64]  # features in each group
    everything: NDArray[np.int64]  # groups that are not constantly zero
    inside: NDArray[np.bool_]  # which groups the working set holds

    def look(self, candidates: NDArray[np.int64]) -> Look:
        """Certify the present solution; all groups but the candidates must be zero for good."""

    def active(self) -> NDArray[np.int64]:
        """Return the groups that are not zero, ascending."""

    def admit(self, chosen: NDArray[np.int64]) -> None:
        """Add groups to the working set."""

    def solve(self, tol: float) -> None:
        """Solve on the working set until its own duality gap is at most ``tol``."""

    def solution(self) -> NDArray[np.float64]:
        """Return the present solution in the caller's order."""


class Progress(NamedTuple):
    """What a callback sees after each block update."""

    n_iter: int
    objective: float
    gap: float
    x: NDArray[np.float64]


def run_group_loop(
    problem: GroupProblem,
    *,
    tol: float,
    max_iter: int,
    time_limit: float = np.inf,
    callback: Callable[[Progress], bool | None] | None = None,
) -> Result:
    """Repair blocks of groups until the duality gap is at most ``tol``.

    Parameters
    ----------
    problem : GroupProblem
    tol : float
        On the duality gap, in units of the objective.
    max_iter : int
        Block updates at most.
    time_limit : float, default=inf
        Seconds, looked at between block updates.
    callback : callable, default=None
        Called with a :class:`Progress` after each update; a true answer stops the run.
    """
    started = time.perf_counter()
    candidates = problem.everything
    inside = problem.inside
    rows: list[tuple[float, float, float, int, int]] = []
    last_active, identified_at = problem.active(), 0
    best, exhausted, n_iter = np.inf, False, 0
    while True:
        look = problem.look(candidates)
        if look.gap <= tol and len(candidates) < len(problem.everything):
            # the last word is said over all groups, so that anybody can check it
            candidates = problem.everything
            look = problem.look(candidates)
        active = problem.active()
        if not np.array_equal(active, last_active):
            last_active, identified_at = active, n_iter
        elapsed = time.perf_counter() - started
        block_size = int(problem.sizes[inside].sum()) if n_iter else 0
        rows.append((look.objective, look.gap, elapsed, block_size, len(active)))
        status = None
        if look.gap <= tol:
            status = Status.CONVERGED
        elif n_iter >= max_iter:
            status = Status.MAX_ITER
        elif elapsed >= time_limit:
            status = Status.TIME_LIMIT
        elif exhausted and look.gap > 0.5 * best and not _violated(look, inside[candidates]):
            status = Status.STALLED
        if callback is not None and n_iter:
            progress = Progress(n_iter, look.objective, look.gap, problem.solution())
            if callback(progress) and status is None:
                status = Status.STOPPED
        if status is not None:
            break
        best = min(best, look.gap)
        keep = look.alive | inside[candidates]
        candidates, gain = candidates[keep], look.gain[keep]
        room = max(FIRST_BLOCK, int(problem.sizes[candidates].sum()) // PASS_WORTH)
        if n_iter:
            room = max(room, int(problem.sizes[active].sum()))
        chosen = _greedy_groups(candidates, gain, inside, problem.sizes, room)
        if n_iter == 0:  # groups of a warm start enter first: they are already repaired
            chosen = np.union1d(chosen, active[~inside[active]])
        if len(chosen):
            problem.admit(chosen)
            problem.solve(max(INNER_SHARE * look.gap, INNER_TOL * tol))
        else:  # the working set is complete: go to the end, and then as far as rounding allows
            problem.solve(0.0 if exhausted else INNER_TOL * tol)
        exhausted = len(chosen) == 0
        n_iter += 1
    columns = [np.asarray(column) for column in zip(*rows, strict=True)]
    objective, gaps, times, blocks, counts = columns
    return Result(
        x=problem.solution(),
        fun=look.objective,
        gap=look.gap,
        n_iter=n_iter,
        status=status,
        history=History(
            objective=objective,
            time_s=times,
            block_size=blocks.astype(np.int32),
            n_active=counts.astype(np.int32),
        ),
        active_set=active,
        identified_at=identified_at,
        gap_kind="duality",
        extra={"gap": gaps},
    )


def _violated(look: Look, inside: NDArray[np.bool_]) -> bool:
    return bool((look.gain[~inside] > 0.0).any())


def _greedy_groups(candidates, gain, inside, sizes, room: int) -> NDArray[np.int64]:
    """Choose the groups outside whose updates gain most, of about ``room`` features together."""
    violating = np.flatnonzero((gain > 0.0) & ~inside[candidates])
    groups, gain = candidates[violating], gain[violating]
    if sizes[groups].sum() <= room:
        return groups
    order = np.argsort(-gain, kind="stable")
    filled = np.cumsum(sizes[groups[order]])
    return groups[order[: max(1, int(np.searchsorted(filled, room, side="right")))]]
