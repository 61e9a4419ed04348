"""What planners share that start over after every change: goals joined, one search, its account."""

from __future__ import annotations

import abc
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphs import make_heap
from planning._join_kernels import join_goals
from planning._planner import Links, Planner
from planning.result import Path, PathStatus, Update, UpdateStatus
from planning.roadmap import Roadmap
from problems.worlds.arrays import World

_BUDGET = 1000  # vertices expanded, or whose motions are tested, between two looks at the clock


class PlanAnew(Planner):
    """A planner whose tree is built from nothing, and to the end, whenever the world changed.

    A search that a time limit cuts short is resumed by the next call, unless the world has changed
    by then: that begins anew.
    """

    def __init__(
        self,
        world: World,
        roadmap: Roadmap | int | None = None,
        *,
        n_samples: int | None = None,
        seed: int | np.random.Generator | None = None,
        escape: float = 0.0,
        approximate: bool = False,
    ) -> None:
        super().__init__(
            world,
            roadmap,
            n_samples=n_samples,
            seed=seed,
            escape=escape,
            approximate=approximate,
        )
        n = len(self._roads.points)
        self._goal_link = np.full(n, np.inf)
        self._goal_of = np.full(n, -1, np.int32)
        self._linked = np.empty(n, np.int32)
        self._n_linked = 0
        self._heap = make_heap(n)
        self._cost = np.full(n, np.inf)
        self._parent = np.full(n, -1, np.int32)
        self._done = False
        self._steps: Iterator[tuple[int, int]] = iter(())  # what is left of the search
        self._budget = n  # vertices a step

    def __getstate__(self) -> dict[str, Any]:
        """Return what a copy begins with; a search that was cut short is begun anew there."""
        state = {**self.__dict__, "_steps": iter(())}
        return state if self._done else state | {"_revision": -1}

    @property
    def cost_to_goal(self) -> NDArray[np.float64]:
        """Cost of each vertex, (n_vertices,), metres, in the caller's order; inf if unreached.

        After a timeout inf where a vertex is not settled.
        """
        return self._roadmap.to_caller(self._settled_cost())

    @abc.abstractmethod
    def _search(self) -> Iterator[tuple[int, int]]:
        """Fill costs and parents in steps; yield vertices expanded and motions tested in each."""

    def _settled_cost(self) -> NDArray[np.float64]:
        """Return the costs that the rest of the search cannot lower, inf elsewhere."""
        return self._cost

    def _answer(self, point: NDArray[np.float64], links: Links) -> Path:
        status = PathStatus.TIMEOUT if self._timed_out else PathStatus.SOLVED
        return self._extract(point, links, self._cost, self._parent, self._goal_of, status)

    def _forget_tree(self) -> None:
        self._done = False
        self._timed_out = False
        self._cost[:] = np.inf
        self._parent[:] = -1

    def _repair(self, time_limit: float | None) -> Update:
        began = time.perf_counter()
        if not self._planned:
            return Update(status=UpdateStatus.NOT_PLANNED)
        same_world = self._world.revision == self._revision
        if self._done and same_world:
            return Update(status=UpdateStatus.UNCHANGED, elapsed_s=time.perf_counter() - began)
        before = self._cost.copy()
        if not (self._timed_out and same_world):
            self._begin()
        self._budget = len(before) if time_limit is None else _BUDGET
        self._done, self._timed_out = True, False
        n_expanded = n_checks = 0
        for expanded, checks in self._steps:
            n_expanded += expanded
            n_checks += checks
            if time_limit is not None and time.perf_counter() - began > time_limit:
                self._done, self._timed_out = False, True
                break
        return Update(
            status=UpdateStatus.TIMEOUT if self._timed_out else UpdateStatus.REPAIRED,
            n_orphaned=int(np.isfinite(before).sum()),
            n_expanded=n_expanded,
            n_changed=int((before != self._cost).sum()),
            n_collision_checks=n_checks,
            elapsed_s=time.perf_counter() - began,
        )

    def _begin(self) -> None:
        """Take a snapshot of the world, join the goals in it and begin the search."""
        self._arrays, self._revision = self._read_world()
        self._n_linked = join_goals(
            self._roads,
            self._arrays,
            self._goals,
            self._radius,
            self._goal_link,
            self._goal_of,
            self._linked,
            self._n_linked,
            np.empty_like(self._linked),
            np.empty(len(self._linked)),
        )
        self._cost[:] = np.inf
        self._parent[:] = -1
        self._steps = self._search()
