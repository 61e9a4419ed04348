"""What planners share that start over after every change: goals joined, one search, its account."""

from __future__ import annotations

import abc
import time

import numpy as np
from numpy.typing import NDArray

from graphs import make_heap
from planning._join_kernels import join_goals
from planning._planner import Links, Planner
from planning.result import Path, Update, UpdateStatus
from planning.roadmap import Roadmap
from problems.worlds.arrays import World


class PlanAnew(Planner):
    """A planner whose tree is built from nothing, and to the end, whenever the world changed."""

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

    @property
    def cost_to_goal(self) -> NDArray[np.float64]:
        """Cost of each vertex, (n_vertices,), metres, in the caller's order; inf if unreached."""
        return self._roadmap.to_caller(self._cost)

    @abc.abstractmethod
    def _search(self) -> tuple[int, int]:
        """Fill costs and parents; return how many vertices were expanded, motions tested."""

    def _answer(self, point: NDArray[np.float64], links: Links) -> Path:
        return self._extract(point, links, self._cost, self._parent, self._goal_of)

    def _forget_tree(self) -> None:
        self._done = False
        self._cost[:] = np.inf
        self._parent[:] = -1

    def _repair(self, time_limit: float | None) -> Update:
        began = time.perf_counter()
        if not self._planned:
            return Update(status=UpdateStatus.NOT_PLANNED)
        if self._done and self._world.revision == self._revision:
            return Update(status=UpdateStatus.UNCHANGED, elapsed_s=time.perf_counter() - began)
        self._arrays, self._revision = self._read_world()
        before = self._cost.copy()
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
        expanded, checks = self._search()
        self._done = True
        return Update(
            status=UpdateStatus.REPAIRED,
            n_orphaned=int(np.isfinite(before).sum()),
            n_expanded=int(expanded),
            n_changed=int((before != self._cost).sum()),
            n_collision_checks=int(checks),
            elapsed_s=time.perf_counter() - began,
        )
