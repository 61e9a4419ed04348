"""FMTx: a tree of shortest paths to the goal that repairs itself when the world changes."""

from __future__ import annotations

import time
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from graphs.heap import heap_clear
from planning import _edge_kernels as edge_kernels
from planning import _tree_kernels as tree_kernels
from planning._changes import (
    Change,
    changed_boxes,
    everything_new,
    moved_discs,
    nothing_changed,
)
from planning._growth import carry_edges, carry_tree
from planning._kept_path import keep_path
from planning._moves import (
    add_moves,
    append_moves,
    copy_moves,
    least_waiting,
    no_moves,
)
from planning._planner import Links, Planner
from planning._published_kernels import adopt_published, repair_published, settle_published
from planning._repair_kernels import (
    rejoin_goals,
    repair,
    settle,
)
from planning.result import Path, PathStatus, Update, UpdateStatus
from planning.roadmap import Roadmap
from problems.worlds._validate import as_float, check_choice, check_flag
from problems.worlds.arrays import DISCS, World
from problems.worlds.kernels import motion_is_free

COLLISION = ("lazy", "proactive", "auto")
_BUDGET = 1000  # vertices expanded between two looks at the clock
_MOST_WAITING = 1000  # moves of discs that are not counted
_NO_LIMIT = np.iinfo(np.int64).max // 64


class FMTx(Planner):
    """Shortest paths to a goal on a roadmap, repaired where the world changed and only there.

    Parameters
    ----------
    world : World
        What can be hit; its change log tells the planner what to repair.
    roadmap : Roadmap or int, optional
        Where the robot may turn, or the number of vertices to sample.
    n_samples : int, optional
        Number of vertices to sample, instead of a ``roadmap``.
    seed : int or numpy.random.Generator, optional
        Where samples come from, when no ``roadmap`` is given.
    collision : {"auto", "lazy", "proactive"}, default="auto"
        When motions are tested: "lazy" those about to be used, "proactive" all of them near a
        change; "auto" is proactive among discs, where that is a matter of counting, else lazy.
    faithful : bool, default=False
        Plan as published [1]_, for comparison: a vertex connects to its best open neighbour or
        waits if that motion is blocked, motions are tested lazily, the queue is ordered by cost.
        Costs may then be above the shortest on the roadmap.
    focus : bool, default=True
        Repair only what can matter to the robot where ``plan`` last saw it; the rest is repaired
        when it is asked for. Without it the whole tree is repaired each time.
    hysteresis : float, default=0
        The previous path is kept while it is free and at most this fraction longer than the new
        one, so that a robot does not waver between two ways.
    escape : float, default=0
        How far, metres, the first leg may run through an obstacle when the start lies in one.
    approximate : bool, default=False
        When the goal is cut off, lead to the reachable place nearest to it.

    Raises
    ------
    ValueError
        If a setting is unknown, out of range or at odds with ``faithful``, or the roadmap's
        dimension is not the world's.

    Notes
    -----
    Unless ``faithful``, every settled cost is the shortest on the collision-free roadmap.

    A ``time_limit`` covers all of a plan or update: following the world, mending the tree and
    expanding it. The clock is read after every 1000 vertices or motions, so a limit is overrun by
    a few milliseconds at most on roadmaps of 100,000 vertices. What is cut short is consistent,
    answers only what it is sure of, and is resumed by the next call. Sampling is not covered.

    A planner is used by one thread at a time. Other threads may change the world meanwhile: a
    repair reads one snapshot, and ``path`` answers for the snapshot of the last repair whatever
    has changed since. Planners in other threads are not disturbed, and run at the same time. A
    copy (``copy.deepcopy``, pickle) takes a copy of the world along.

    References
    ----------
    .. [1] Espahbodini Nia (2025), "FMTx: an efficient and asymptotically optimal extension of the
       Fast Marching Tree for dynamic replanning", arXiv 2509.08521.

    Examples
    --------
    >>> from problems.worlds import DiscWorld
    >>> world = DiscWorld(bounds=((0, 10), (0, 10)))
    >>> planner = FMTx(world, 500, seed=0)
    >>> planner.set_goal((9, 9))
    >>> path = planner.plan((1, 1))
    >>> path.solved, path.cost < 12
    (True, True)
    >>> disc = world.add((5, 5), 2)
    >>> planner.update().status.name
    'REPAIRED'
    >>> planner.path((1, 1)).cost > path.cost
    True
    """

    def __init__(
        self,
        world: World,
        roadmap: Roadmap | int | None = None,
        *,
        n_samples: int | None = None,
        seed: int | np.random.Generator | None = None,
        collision: Literal["auto", "lazy", "proactive"] = "auto",
        faithful: bool = False,
        focus: bool = True,
        hysteresis: float = 0.0,
        escape: float = 0.0,
        approximate: bool = False,
    ) -> None:
        check_choice("collision", collision, COLLISION)
        if faithful and collision == "proactive":
            raise ValueError("collision must be 'lazy' or 'auto' with faithful, got 'proactive'.")
        if not (np.isfinite(as_float("hysteresis", hysteresis)) and hysteresis >= 0.0):
            raise ValueError(f"hysteresis must be finite and not negative, got {hysteresis}.")
        super().__init__(
            world,
            roadmap,
            n_samples=n_samples,
            seed=seed,
            escape=escape,
            approximate=approximate,
        )
        self._focused = check_flag("focus", focus)
        self._faithful = check_flag("faithful", faithful)
        self._hysteresis = float(hysteresis)
        self._kept = np.empty((0, world.dimension))  # waypoints of the previous path
        self._joined = False  # goals and robot are joined in the snapshot
        self._edges = edge_kernels.make_edges(self._roads)
        self._tree = tree_kernels.make_tree(len(self._roads.points), world.dimension)
        self._has_moves = world.arrays().kind == DISCS and not faithful
        self._counted = self._has_moves and collision != "lazy"
        self._edges.counted[0] = self._counted
        self._lazy = not self._counted and collision != "proactive"
        self._moves = no_moves(world.dimension)
        self._bound = np.full(1, np.inf)  # cost of the robot as far as known
        self._unchanged = nothing_changed(world.dimension)

    @property
    def cost_to_goal(self) -> NDArray[np.float64]:
        """Cost of each vertex, (n_vertices,), metres, in the caller's order.

        inf where a vertex is unreached or, with ``focus`` or after a timeout, not settled.
        """
        return self._roadmap.to_caller(self._settled_cost())

    @property
    def parents(self) -> NDArray[np.int32]:
        """Next vertex towards the goal of each vertex, (n_vertices,), in the caller's order.

        -1 where a vertex is unreached or not settled, -2 where it joins the goal itself.
        """
        parent = np.where(np.isfinite(self._settled_cost()), self._tree.parent, -1)
        named = np.where(parent >= 0, self._roadmap.caller_ids[np.maximum(parent, 0)], parent)
        return self._roadmap.to_caller(named.astype(np.int32))

    def _settled_cost(self) -> NDArray[np.float64]:
        tree = self._tree
        if self._focused and not self._faithful and self._start is not None:
            key = tree.cost + np.linalg.norm(self._roads.points - tree.focus, axis=1)
            queued = tree_kernels.least_key(self._roads, tree, tree.focus)
            waiting = least_waiting(self._moves, self._goals, tree.focus)
            return np.where((key <= queued * (1.0 - 1e-12)) & (key < waiting), tree.cost, np.inf)
        if self._moves.size[0]:  # only after a timeout
            return np.full_like(tree.cost, np.inf)
        if tree.heap.size[0]:
            return np.where(tree.cost <= tree.heap.key[tree.heap.order[0]], tree.cost, np.inf)
        return tree.cost

    def densify(self, n_samples: int) -> Update:
        """Add vertices to the roadmap and repair the tree; no vertex's cost rises by it.

        Parameters
        ----------
        n_samples : int
            How many, drawn by the planner's own generator as ``Roadmap.sample`` draws them.

        Returns
        -------
        Update

        Raises
        ------
        ValueError
            If ``n_samples`` is not positive, or hardly anything is free.

        Notes
        -----
        The planner goes on with a roadmap of its own, see ``Roadmap.extended``. Time goes with the
        size of the whole roadmap: something to do between two drives, not between two ticks.
        """
        began = time.perf_counter()
        roadmap = self._roadmap.extended(self._world, n_samples, self._random)
        in_use = self._planned and self._joined
        if in_use:  # what waits is done first, so that all answers are those of one snapshot
            self._bound[0] = np.inf
            self._settle(_NO_LIMIT)
        place = roadmap.places_of(self._roadmap)
        edges = edge_kernels.make_edges(roadmap.roads)
        edges.counted[0] = self._counted
        if self._counted and self._arrays is not None:
            edges.known[:] = 1
            discs = self._arrays.discs
            self._moves = add_moves(no_moves(self._world.dimension), discs[:0], discs, 0)
        elif not self._counted:
            carry_edges(self._edges, edges, self._roads, roadmap.roads, place)
        if in_use:
            reach = self._tree.goal_link[self._tree.goal_link < np.inf].max(initial=0.0)
            while self._radius < reach:  # no link is lost because a nearer vertex is seen now
                self._radius *= 2.0
            self._tree = carry_tree(self._tree, roadmap.n_vertices, place)
        else:
            self._tree = tree_kernels.make_tree(roadmap.n_vertices, roadmap.dimension)
        checks = int(self._edges.checks[0])
        self._edges, self._roads, self._roadmap = edges, roadmap.roads, roadmap
        if not in_use:
            return Update(status=UpdateStatus.NOT_PLANNED)
        fresh = np.setdiff1d(np.arange(roadmap.n_vertices), place, assume_unique=True)
        tree = self._tree
        tree.orphans[: len(fresh)] = fresh
        tree.counts[tree_kernels.ORPHANS] = len(fresh)
        rejoin_goals(self._roads, tree, self._arrays, self._goals, self._radius)
        self._bound[0] = np.inf
        if self._faithful:
            adopt_published(self._roads, tree)
        self._settle(_NO_LIMIT, 0, looks=True)
        self._timed_out = False
        self._keep()
        return self._account(began, checks)

    def _answer(self, point: NDArray[np.float64], links: Links) -> Path:
        tree = self._tree
        status = PathStatus.TIMEOUT if self._timed_out else PathStatus.SOLVED
        if not self._faithful:
            if self._is_settled(point, links):
                status = PathStatus.SOLVED
            elif not self._timed_out:
                tree = self._settled_copy(point)
        path = self._extract(point, links, tree.cost, tree.parent, tree.goal_of, status)
        if status is PathStatus.TIMEOUT and not self._is_free(path):
            return self._failure(status)
        if len(self._kept):
            assert self._arrays is not None
            escape = self._escape_from(point)
            path = keep_path(self._kept, path, point, self._arrays, escape, self._hysteresis)
        return path

    def _is_settled(self, point: NDArray[np.float64], links: Links) -> bool:
        """Tell whether the tree holds the shortest path from ``point`` as it is."""
        tree = self._tree
        if self._focused and not self._timed_out and np.array_equal(point, tree.focus):
            return True
        known = tree.cost[links.vertices] + links.lengths
        found = min(known.min(initial=np.inf), self._direct(point)[0])
        unsettled = tree_kernels.least_key(self._roads, tree, point)
        waiting = least_waiting(self._moves, self._goals, point)
        return (unsettled >= found and waiting > found) or unsettled == waiting == np.inf

    def _join(self, point: NDArray[np.float64]) -> Links:
        tree = self._tree
        if self._focused and self._joined and np.array_equal(point, tree.focus):
            seen = tree.seen[: tree.counts[tree_kernels.SEEN]].copy()
            return Links(seen, tree.start_link[seen])
        return super()._join(point)

    def _is_free(self, path: Path) -> bool:
        """Tell whether a path from a tree that is not settled is free in the snapshot."""
        legs = path.waypoints[1:-1], path.waypoints[2:]  # the first was tested when it was joined
        return all(motion_is_free(self._arrays, p, q) for p, q in zip(*legs, strict=True))

    def _settled_copy(self, point: NDArray[np.float64]) -> tree_kernels.Tree:
        """Return a copy of the tree settled for a robot at ``point``."""
        tree = tree_kernels.copy_tree(self._tree)
        moves = copy_moves(self._moves)
        edges = self._edges
        if self._lazy or moves.size[0]:
            edges = edge_kernels.copy_edges(edges)
        tree_kernels.begin_update(tree)
        tree_kernels.aim(tree, point, True)
        settle(
            self._roads,
            edges,
            tree,
            self._arrays,
            moves,
            point,
            self._escape_from(point),
            self._goals,
            self._radius,
            True,
            np.full(1, -np.inf),  # moves are followed when the robot's cost is known
            _NO_LIMIT,
            -1,
            True,
        )
        return tree

    def _forget_tree(self) -> None:
        tree = self._tree
        tree_kernels.begin_update(tree)
        heap_clear(tree.heap)
        tree.cost[:] = np.inf
        tree.goal_link[:] = np.inf
        tree.start_link[:] = np.inf  # no search is bounded by a former robot
        for ids in (tree.parent, tree.listed, tree.child, tree.goal_of):
            ids[:] = -1
        tree.counts[:] = 0
        tree.drift[0] = 0.0
        self._bound[0] = np.inf
        tree.sight[:] = np.inf
        self._joined = False
        self._kept = self._kept[:0]

    def _repair(self, time_limit: float | None) -> Update:
        began = time.perf_counter()
        if not self._planned or self._start is None:
            return Update(status=UpdateStatus.NOT_PLANNED)
        same_world = self._joined and self._world.revision == self._revision
        same_start = np.array_equal(self._start, self._tree.focus)
        if same_world and same_start and not self._timed_out:
            return Update(status=UpdateStatus.UNCHANGED, elapsed_s=time.perf_counter() - began)
        if not self._counted and self._moves.size[0] > _MOST_WAITING:
            self._bound[0] = np.inf  # then all are followed
        checks = int(self._edges.checks[0])
        budget = _NO_LIMIT if time_limit is None else _BUDGET
        spent = self._follow(self._take_changes(same_world, time_limit is not None), budget)
        self._joined = True
        self._timed_out = False
        while spent >= budget:
            if time_limit is not None and time.perf_counter() - began > time_limit:
                self._timed_out = True
                break
            spent = self._settle(budget)
        self._keep()
        return self._account(began, checks)

    def _account(self, began: float, checks: int) -> Update:
        counts = self._tree.counts
        return Update(
            status=UpdateStatus.TIMEOUT if self._timed_out else UpdateStatus.REPAIRED,
            n_orphaned=int(counts[tree_kernels.ORPHANED]),
            n_expanded=int(counts[tree_kernels.EXPANDED]),
            n_changed=int(counts[tree_kernels.CHANGED]),
            n_collision_checks=int(self._edges.checks[0]) - checks,
            elapsed_s=time.perf_counter() - began,
        )

    def _keep(self) -> None:
        """Remember the path for the sake of ``hysteresis``."""
        if self._hysteresis > 0.0 and self._start is not None:
            path = self._path(self._start, None)
            self._kept = path.waypoints if path.solved else self._kept[:0]

    def _follow(self, change: Change, budget: int) -> int:
        """Bring the tree in line with what changed; return the work done, as ``settle`` does."""
        state = (self._roads, self._edges, self._tree, self._arrays, change.mode)
        boxes = np.concatenate((change.blocked, change.freed))
        if self._faithful:
            return repair_published(*state, boxes, change.freed, *self._task(budget))
        where = (change.was, change.now, boxes, len(change.blocked))
        return repair(*state, self._moves, *where, *self._task(budget))

    def _settle(self, budget: int, n_turned: int = -1, *, looks: bool = False) -> int:
        """Go on with what is left to do; return the work done."""
        state = (self._roads, self._edges, self._tree, self._arrays)
        if self._faithful:
            return settle_published(*state, *self._task(budget))
        return settle(*state, self._moves, *self._task(budget), n_turned, looks)

    def _task(self, budget: int) -> tuple[Any, Any, Any, Any, Any, Any, Any]:
        """Return the robot and what of its first leg is not tested, its goals, the limits."""
        assert self._start is not None
        return (
            self._start,
            self._escape_from(self._start),
            self._goals,
            self._radius,
            self._focused,
            self._bound,
            budget,
        )

    def _take_changes(self, same_world: bool, limited: bool) -> Change:
        """Take the next snapshot of the world, and say how and where edges are to follow it.

        In ``limited`` time motions are tested one by one, when the search wants them.
        """
        before, changes = self._arrays, None
        if before is None:
            self._arrays, self._revision = self._read_world()
        elif same_world:
            return self._unchanged
        else:
            while True:
                changes = self._world.changes_since(self._revision)
                self._arrays = self._world.arrays()
                if self._world.revision == changes.revision:
                    break
            self._revision = changes.revision
        if self._has_moves:
            change, n_moved = moved_discs(before, self._arrays, changes)
            if before is None:
                self._edges.known[:] = self._counted
            if before is not None or self._counted:  # else all is asked in this snapshot
                # a disc that is not counted was met, by what was tested, where it stood meanwhile
                add = add_moves if self._counted else append_moves
                self._moves = add(self._moves, change.was, change.now, n_moved)
            return change
        lazy = self._lazy or limited
        if changes is not None and changes.complete:
            return changed_boxes(changes, lazy)
        if before is not None:  # all that is known is forgotten, the tree too
            self._forget_tree()
            edge_kernels.forget_answers(self._roads, self._edges)
        return everything_new(self._world.dimension, lazy)
