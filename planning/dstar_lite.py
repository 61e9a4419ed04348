"""D* Lite on a roadmap."""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

from graphs.heap import heap_clear
from planning import _dstar_kernels as kernels
from planning._edge_book import EdgeBook
from planning._goal_links import GoalLinks
from planning._planner import Links, Planner
from planning.result import Path, PathStatus, Update, UpdateStatus
from planning.roadmap import Roadmap
from problems.worlds._validate import check_flag
from problems.worlds.arrays import World

_BUDGET = 1000  # vertices expanded between two looks at the clock
_NO_LIMIT = np.iinfo(np.int64).max // 2


class DStarLite(Planner):
    """Lifelong A* from the goal towards a robot that moves, on the motions of a roadmap.

    Parameters
    ----------
    world : World
        What can be hit; its change log tells which motions to look at again.
    roadmap : Roadmap or int, optional
        Where the robot may turn, or the number of vertices to sample.
    n_samples : int, optional
        Number of vertices to sample, instead of a ``roadmap``.
    seed : int or numpy.random.Generator, optional
        Where samples come from, when no ``roadmap`` is given.
    focus : bool, default=True
        Settle only what can matter to the robot where ``plan`` last saw it, as published; without
        it the whole roadmap is settled each time.
    escape : float, default=0
        How far, metres, the first leg may run through an obstacle when the start lies in one.
    approximate : bool, default=False
        When the goal is cut off, lead to the reachable place nearest to it.

    Notes
    -----
    Every settled cost is the shortest on the collision-free roadmap. Departs from [1]_ in that all
    motions near a change are tested at once, that robot and goals join the roadmap where they are,
    and that ties are broken by a heuristic a hair smaller instead of by a second key.

    References
    ----------
    .. [1] Koenig and Likhachev (2002), "D* Lite", AAAI, figure 4.

    Examples
    --------
    >>> from problems.worlds import DiscWorld
    >>> world = DiscWorld(bounds=((0, 10), (0, 10)))
    >>> planner = DStarLite(world, 500, seed=0)
    >>> planner.set_goal((9, 9))
    >>> path = planner.plan((1, 1))
    >>> disc = world.add((5, 5), 2)
    >>> planner.update().status.name, planner.path((1, 1)).cost > path.cost
    ('REPAIRED', True)
    """

    def __init__(
        self,
        world: World,
        roadmap: Roadmap | int | None = None,
        *,
        n_samples: int | None = None,
        seed: int | np.random.Generator | None = None,
        focus: bool = True,
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
        self._weight = kernels.HAIR if check_flag("focus", focus) else 0.0
        self._search = kernels.make_search(n, world.dimension)
        self._book = EdgeBook(world, self._roads)
        self._links = GoalLinks(self._search.goal_link, self._search.goal_of)
        self._joined = False  # the goals are joined in the snapshot

    @property
    def cost_to_goal(self) -> NDArray[np.float64]:
        """Cost of each vertex, (n_vertices,), metres, in the caller's order.

        inf where a vertex is unreached or, with ``focus`` or after a timeout, not settled.
        """
        out = np.empty(self._roadmap.n_vertices)
        kernels.settled_costs(self._roads, self._search, self._weight, out)
        return self._roadmap.to_caller(out)

    def _answer(self, point: NDArray[np.float64], links: Links) -> Path:
        search = self._search
        if self._timed_out:
            return self._failure(PathStatus.TIMEOUT)
        if self._weight > 0.0 and not np.array_equal(point, search.robot):
            search = kernels.copy_search(search)
            kernels.aim_search(search, self._weight, point)
            self._shorten(search, links, _NO_LIMIT, np.zeros(1, np.int64))
        parent = np.empty(self._roadmap.n_vertices, np.int32)
        kernels.next_vertices(self._roads, self._book.cost, search, parent)
        return self._extract(point, links, search.g, parent, search.goal_of)

    def _shorten(
        self, search: kernels.Search, links: Links, budget: int, counts: NDArray[np.int64]
    ) -> bool:
        return kernels.shorten_paths(
            self._roads, self._book.cost, search, self._weight, *links, budget, counts
        )

    def _forget_tree(self) -> None:
        search = self._search
        heap_clear(search.heap)
        for costs in (search.g, search.rhs):
            costs[:] = np.inf
        self._links.forget()
        search.robot[:] = np.nan
        search.drift[:] = 0.0
        self._joined = False

    def _repair(self, time_limit: float | None) -> Update:
        began = time.perf_counter()
        if not self._planned or self._start is None:
            return Update(status=UpdateStatus.NOT_PLANNED)
        search, weight = self._search, self._weight
        same_world = self._joined and self._world.revision == self._revision
        if same_world and np.array_equal(self._start, search.robot) and not self._timed_out:
            return Update(status=UpdateStatus.UNCHANGED, elapsed_s=time.perf_counter() - began)
        checks, before = self._book.checks, search.g.copy()
        kernels.aim_search(search, weight, self._start)
        if not same_world:
            turned = self._book.follow()
            self._arrays, self._revision = self._book.arrays, self._book.revision
            ends = np.concatenate((self._roads.indices[turned], self._tails(turned)))
            joined = self._links.renew(self._roads, self._arrays, self._goals, self._radius)
            vertices = np.union1d(ends, joined)
            kernels.renew_vertices(self._roads, self._book.cost, search, weight, vertices)
            self._joined = True
        links = self._join(self._start)
        counts = np.zeros(1, np.int64)
        self._timed_out = False
        budget = _NO_LIMIT if time_limit is None else _BUDGET
        while not self._shorten(search, links, budget, counts):
            if time_limit is not None and time.perf_counter() - began > time_limit:
                self._timed_out = True
                break
        return Update(
            status=UpdateStatus.TIMEOUT if self._timed_out else UpdateStatus.REPAIRED,
            n_orphaned=int((np.isfinite(before) & np.isinf(search.g)).sum()),
            n_expanded=int(counts[kernels.EXPANDED]),
            n_changed=int((before != search.g).sum()),
            n_collision_checks=self._book.checks - checks,
            elapsed_s=time.perf_counter() - began,
        )

    def _tails(self, slots: NDArray[np.int32]) -> NDArray[np.int32]:
        return self._roads.indices[self._roads.reverse[slots]]
