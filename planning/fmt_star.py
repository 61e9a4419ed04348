"""FMT*: the Fast Marching Tree, planned from nothing after each change."""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

from graphs import make_heap
from planning._fmt_star_kernels import grow_tree
from planning._join_kernels import join_goals
from planning._planner import Links, Planner
from planning.result import Path, Update, UpdateStatus
from planning.roadmap import Roadmap
from problems.worlds.arrays import World


class FMTStar(Planner):
    """Grow a Fast Marching Tree anew whenever the world changed.

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
    One motion is tested for each vertex that a step of the front meets: the one to its best open
    neighbour. If that is blocked the vertex waits, so costs may be above the shortest on the
    roadmap; they converge to the optimum as samples grow [1]_. The tree is rooted at the goal and
    grown to the end, so that it answers for any start; ``time_limit`` is checked but not used.

    References
    ----------
    .. [1] Janson, Schmerling, Clark, Pavone (2015), "Fast marching tree: a fast marching sampling-
       based method for optimal motion planning in many dimensions", algorithm 1.

    Examples
    --------
    >>> from problems.worlds import DiscWorld
    >>> world = DiscWorld(bounds=((0, 10), (0, 10)))
    >>> planner = FMTStar(world, 500, seed=0)
    >>> planner.set_goal((9, 9))
    >>> planner.plan((1, 1)).solved
    True
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
        self._state = np.empty(n, np.uint8)
        self._cost = np.full(n, np.inf)
        self._parent = np.full(n, -1, np.int32)
        self._grown = False

    @property
    def cost_to_goal(self) -> NDArray[np.float64]:
        """Cost of each vertex, (n_vertices,), metres, in the caller's order; inf if unreached."""
        return self._roadmap.to_caller(self._cost)

    def _answer(self, point: NDArray[np.float64], links: Links) -> Path:
        return self._extract(point, links, self._cost, self._parent, self._goal_of)

    def _forget_tree(self) -> None:
        self._grown = False
        self._cost[:] = np.inf
        self._parent[:] = -1

    def _repair(self, time_limit: float | None) -> Update:
        began = time.perf_counter()
        if not self._planned:
            return Update(status=UpdateStatus.NOT_PLANNED)
        if self._grown and self._world.revision == self._revision:
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
            np.empty(len(self._linked)),
        )
        expanded, checks = grow_tree(
            self._roads,
            self._arrays,
            self._goal_link,
            self._heap,
            self._state,
            np.empty(len(before), np.int32),
            self._cost,
            self._parent,
        )
        self._grown = True
        return Update(
            status=UpdateStatus.REPAIRED,
            n_orphaned=int(np.isfinite(before).sum()),
            n_expanded=int(expanded),
            n_changed=int((before != self._cost).sum()),
            n_collision_checks=int(checks),
            elapsed_s=time.perf_counter() - began,
        )
