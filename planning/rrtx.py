"""RRTx: a rapidly exploring tree that rewires itself when obstacles come and go."""

from __future__ import annotations

import dataclasses
import time

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from graphs import CSRGraph
from graphs.heap import heap_clear
from planning import _rrtx_kernels as kernels
from planning._edge_book import EdgeBook
from planning._goal_links import GoalLinks
from planning._planner import Links, Planner
from planning._roads import make_roads
from planning.result import Path, PathStatus, Update, UpdateStatus
from planning.roadmap import Roadmap
from problems.worlds._validate import as_float, check_flag
from problems.worlds.arrays import World

_BUDGET = 1000  # vertices expanded between two looks at the clock
_NO_LIMIT = np.iinfo(np.int64).max // 4


class RRTx(Planner):
    """A tree grown vertex by vertex in a shrinking ball, rewired where the world changed.

    Parameters
    ----------
    world : World
        What can be hit; its change log tells which motions to look at again.
    roadmap : Roadmap or int, optional
        Its vertices are the samples, in their order, and its radius is what the ball has shrunk
        to when all are born; or the number of vertices to sample.
    n_samples : int, optional
        Number of vertices to sample, instead of a ``roadmap``.
    seed : int or numpy.random.Generator, optional
        Where samples come from, when no ``roadmap`` is given.
    epsilon : float, optional
        A vertex whose cost fell by less than this does not tell its neighbours, metres; a hundredth
        of the radius by default. 0 makes it RRT#.
    delta : float, optional
        The ball is never larger, metres; twice the radius by default.
    focus : bool, default=True
        Stop when the robot's cost is settled, as published; without it the queue is emptied.
    escape : float, default=0
        How far, metres, the first leg may run through an obstacle when the start lies in one.
    approximate : bool, default=False
        When the goal is cut off, lead to the reachable place nearest to it.

    Raises
    ------
    ValueError
        If ``epsilon`` is negative, ``delta`` below the radius, or one is not finite.

    Notes
    -----
    Costs are at most ``epsilon`` a motion above the shortest on the collision-free graph of its
    neighbours, which holds every motion of the roadmap (if that joins all within its radius) and
    the longer ones of the vertices born early. Departs from [1]_ in that samples are taken as they
    are, not moved towards the tree; that a sample which nothing can reach yet stays, for an
    obstacle may go; and that robot and goals join the graph where they are.

    References
    ----------
    .. [1] Otte and Frazzoli (2016), "RRTX: asymptotically optimal single-query sampling-based
       motion planning with quick replanning", IJRR 35(7), algorithms 1 to 14.

    Examples
    --------
    >>> from problems.worlds import DiscWorld
    >>> world = DiscWorld(bounds=((0, 10), (0, 10)))
    >>> planner = RRTx(world, 500, seed=0)
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
        epsilon: float | None = None,
        delta: float | None = None,
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
        radius = self._roadmap.radius
        self._epsilon = 0.01 * radius if epsilon is None else as_float("epsilon", epsilon)
        if not (np.isfinite(self._epsilon) and self._epsilon >= 0.0):
            raise ValueError(f"epsilon must be finite and not negative, got {epsilon}.")
        largest = 2.0 * radius if delta is None else as_float("delta", delta)
        if not (np.isfinite(largest) and largest >= radius):
            raise ValueError(f"delta must be finite and at least the radius {radius}, got {delta}.")
        n, d = self._roadmap.n_vertices, self._roadmap.dimension
        self._balls = shrinking_balls(n, d, radius, largest)
        self._order = np.empty(n, np.int32)  # hidden numbers of the vertices, oldest first
        self._order[self._roadmap.caller_ids] = np.arange(n, dtype=np.int32)
        graph = newborn_graph(self._roadmap.points, self._balls).relabeled(self._roadmap.caller_ids)
        self._graph_roads = make_roads(self._roads.points, graph)
        self._tree = kernels.make_tree(self._roadmap.caller_ids.astype(np.int32))
        self._book = EdgeBook(world, self._graph_roads)
        self._focused = check_flag("focus", focus)
        self._links = GoalLinks(self._tree.goal_link, self._tree.goal_of)
        self._joined = False  # the goals are joined in the snapshot
        self._n_born = 0
        self._settled_for = np.full(d, np.nan)  # the robot's place

    @property
    def graph(self) -> CSRGraph:
        """Motions of the newborns, a copy in the caller's vertex order; lengths in metres.

        An older vertex may use one longer than the roadmap's radius only while it lies in the tree.
        """
        return newborn_graph(self._roadmap.points, self._balls)

    @property
    def cost_to_goal(self) -> NDArray[np.float64]:
        """Cost of each vertex, (n_vertices,), metres, in the caller's order.

        inf where a vertex is unreached or, with ``focus`` or after a timeout, not settled.
        """
        tree = self._tree
        queued = tree.heap.order[: tree.heap.size[0]]
        least = tree.heap.key[queued].min(initial=np.inf)
        waits = np.zeros(len(tree.g), np.bool_)
        waits[queued] = True
        if self._n_born < len(tree.g):
            waits[:] = True
        settled = ~waits & (tree.lmc <= least)
        return self._roadmap.to_caller(np.where(settled, tree.g, np.inf))

    def _answer(self, point: NDArray[np.float64], links: Links) -> Path:
        tree = self._tree
        status = PathStatus.TIMEOUT if self._timed_out else PathStatus.SOLVED
        if self._focused and not self._timed_out and not np.array_equal(point, self._settled_for):
            tree = kernels.copy_tree(tree)
            self._reduce(tree, links, _NO_LIMIT)
        path = self._extract(point, links, tree.lmc, tree.parent, tree.goal_of, status)
        if not len(path.waypoints):
            return path
        # costs in the tree are those last told; the path's is what it measures
        length = np.linalg.norm(np.diff(path.waypoints, axis=0), axis=1).sum()
        return dataclasses.replace(path, cost=float(length))

    def _reduce(self, tree: kernels.Tree, links: Links, budget: int) -> bool:
        return kernels.reduce_inconsistency(
            self._graph_roads,
            self._book.cost,
            tree,
            self._epsilon,
            len(self._order),
            *links,
            self._focused,
            budget,
        )

    def _forget_tree(self) -> None:
        tree = self._tree
        heap_clear(tree.heap)
        for costs in (tree.g, tree.lmc):
            costs[:] = np.inf
        self._links.forget()
        tree.parent[:] = kernels.NO_PARENT
        self._n_born = 0
        self._joined = False

    def _repair(self, time_limit: float | None) -> Update:
        began = time.perf_counter()
        if not self._planned or self._start is None:
            return Update(status=UpdateStatus.NOT_PLANNED)
        same_world = self._joined and self._world.revision == self._revision
        same_start = not self._focused or np.array_equal(self._start, self._settled_for)
        if same_world and same_start and not self._timed_out:
            return Update(status=UpdateStatus.UNCHANGED, elapsed_s=time.perf_counter() - began)
        tree = self._tree
        tree.counts[:] = 0
        checks, before = self._book.checks, tree.g.copy()
        if not same_world:
            turned = self._book.follow()
            self._arrays, self._revision = self._book.arrays, self._book.revision
            before_links = tree.goal_link.copy()
            linked = self._links.renew(self._roads, self._arrays, self._goals, self._radius)
            kernels.update_obstacles(
                self._graph_roads,
                self._book.cost,
                tree,
                turned,
                linked,
                before_links[linked],
                self._n_born - 1,
            )
            self._joined = True
        self._timed_out = not self._finish(began, time_limit)
        self._settled_for = self._start.copy()
        return Update(
            status=UpdateStatus.TIMEOUT if self._timed_out else UpdateStatus.REPAIRED,
            n_orphaned=int(tree.counts[kernels.ORPHANED]),
            n_expanded=int(tree.counts[kernels.EXPANDED]),
            n_changed=int((before != tree.g).sum()),
            n_collision_checks=self._book.checks - checks,
            elapsed_s=time.perf_counter() - began,
        )

    def _finish(self, began: float, time_limit: float | None) -> bool:
        """Let the rest be born and the tree be consistent; return whether there was time for it."""
        assert self._start is not None
        links = self._join(self._start)
        budget = _NO_LIMIT if time_limit is None else _BUDGET
        while True:
            if self._n_born < len(self._order):
                self._n_born = kernels.insert_vertices(
                    self._graph_roads,
                    self._book.cost,
                    self._tree,
                    self._order,
                    self._balls,
                    self._epsilon,
                    self._n_born,
                    budget,
                )
                done = False
            else:
                done = self._reduce(self._tree, links, budget)
            if done:
                return True
            if time_limit is not None and time.perf_counter() - began > time_limit:
                return False


def shrinking_balls(
    n_samples: int, dimension: int, radius: float, largest: float
) -> NDArray[np.float64]:
    """Return the ball's radius, metres, as each of ``n_samples`` is born; ``radius`` at the end."""
    count = np.maximum(np.arange(1, n_samples + 1), 3.0)  # log(k) / k falls from there on
    shrink = np.log(count) / count
    return np.minimum(radius * (shrink / shrink[-1]) ** (1.0 / dimension), largest)


def newborn_graph(points: NDArray[np.float64], balls: NDArray[np.float64]) -> CSRGraph:
    """Join each of ``points`` (n, d), when it is born, to all older ones in its ball.

    Parameters
    ----------
    points : ndarray of shape (n, d)
        Oldest first, metres.
    balls : ndarray of shape (n,)
        Metres, never growing.
    """
    n = len(points)
    tails, heads, lengths = [], [], []
    first = 1
    while first < n:
        last = min(2 * first, n)
        older = cKDTree(points[:last])
        newborn = cKDTree(points[first:last])
        pairs = newborn.sparse_distance_matrix(older, balls[first], output_type="ndarray")
        young, old, length = pairs["i"] + first, pairs["j"], pairs["v"]
        near = (old < young) & (length <= balls[young])
        tails.append(young[near])
        heads.append(old[near])
        lengths.append(length[near])
        first = last
    none = np.empty(0, np.int64)
    return CSRGraph.from_edges(
        n,
        np.concatenate([none, *tails]),
        np.concatenate([none, *heads]),
        np.concatenate([none.astype(np.float64), *lengths]),
    )
