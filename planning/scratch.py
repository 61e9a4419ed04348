"""Starting over after every change: the yardstick for planners that repair."""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

from graphs import make_heap
from planning._join_kernels import join_goals
from planning._planner import Links, Planner
from planning._scratch_kernels import blocked_lengths, dijkstra
from planning.result import Path, Update, UpdateStatus
from planning.roadmap import Roadmap
from problems.worlds.arrays import World


class Scratch(Planner):
    """Test every edge of the roadmap and run Dijkstra anew after each change.

    What one writes without an incremental planner, in compiled code over the same arrays.

    Parameters
    ----------
    world : World
        What can be hit.
    roadmap : Roadmap or int, optional
        Where the robot may turn, or the number of vertices to sample.
    n_samples : int, optional
        Number of vertices to sample, instead of a ``roadmap``.
    seed : int or numpy.random.Generator, optional
        Where samples come from, when no ``roadmap`` is given.
    escape : float, default=0
        How far, metres, the first leg may run through an obstacle when the start lies in one.
    approximate : bool, default=False
        When the goal is cut off, lead to the reachable place nearest to it.

    Notes
    -----
    The whole tree is always computed, so ``time_limit`` is checked but not used.
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
        n, m = len(self._roads.points), len(self._roads.indices)
        self._length = np.empty(m)
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
        checks = blocked_lengths(self._roads, self._arrays, self._length)
        self._n_linked = join_goals(
            self._roads,
            self._arrays,
            self._goals,
            self._radius,
            self._goal_link,
            self._goal_of,
            self._linked,
            self._n_linked,
            np.empty(len(self._linked)),
        )
        expanded = dijkstra(
            self._roads, self._length, self._goal_link, self._heap, self._cost, self._parent
        )
        self._done = True
        return Update(
            status=UpdateStatus.REPAIRED,
            n_orphaned=int(np.isfinite(before).sum()),
            n_expanded=int(expanded),
            n_changed=int((before != self._cost).sum()),
            n_collision_checks=int(checks),
            elapsed_s=time.perf_counter() - began,
        )
