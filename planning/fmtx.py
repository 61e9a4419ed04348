"""FMTx: a tree of shortest paths to the goal that repairs itself when the world changes."""

from __future__ import annotations

import time
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphs.heap import heap_clear
from planning import _edge_kernels as edge_kernels
from planning import _tree_kernels as tree_kernels
from planning._moves import (
    add_moves,
    copy_moves,
    least_waiting,
    moves_between,
    moves_of,
    no_moves,
)
from planning._planner import Planner
from planning._repair_kernels import (
    COUNT,
    LAZY,
    NOTHING_CHANGED,
    RETEST,
    TEST_ALL,
    repair,
    settle,
)
from planning.result import Path, PathStatus, Update, UpdateStatus
from planning.roadmap import Roadmap
from problems.worlds.arrays import DISCS, World, WorldArrays

COLLISION = ("lazy", "proactive", "auto")
_BUDGET = 1000  # vertices expanded between two looks at the clock


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
    exact : bool, default=True
        Every settled cost is the shortest on the collision-free roadmap.
    focus : bool, default=True
        Repair only what can matter to the robot where ``plan`` last saw it; the rest is repaired
        when it is asked for. Without it the whole tree is repaired each time.

    Raises
    ------
    ValueError
        If a setting is unknown or the roadmap's dimension is not the world's.

    Notes
    -----
    One thread at a time uses a planner; other threads may change the world meanwhile, and
    other planners are not disturbed.

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
        exact: bool = True,
        focus: bool = True,
    ) -> None:
        if collision not in COLLISION:
            raise ValueError(f"collision must be one of {COLLISION}, got {collision!r}.")
        super().__init__(world, roadmap, n_samples=n_samples, seed=seed)
        self._focused = bool(focus)
        self._joined = False  # goals and robot are joined in the snapshot
        self._edges = edge_kernels.make_edges(self._roads)
        self._tree = tree_kernels.make_tree(
            roadmap_size := len(self._roads.points), world.dimension
        )
        self._unlimited = roadmap_size + 1  # no update expands a vertex twice
        self._counted = collision != "lazy" and world.arrays().kind == DISCS
        self._lazy = collision == "lazy" or (collision == "auto" and not self._counted)
        self._moves = no_moves(world.dimension)
        self._bound = np.full(1, np.inf)  # cost of the robot as far as known

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
        if self._focused and self._start is not None:
            key = tree.cost + np.linalg.norm(self._roads.points - tree.focus, axis=1)
            queued = tree_kernels.least_key(self._roads, tree, tree.focus)
            waiting = least_waiting(self._moves, self._goals, tree.focus)
            return np.where((key <= queued) & (key < waiting), tree.cost, np.inf)
        if tree.heap.size[0]:
            return np.where(tree.cost <= tree.heap.key[tree.heap.order[0]], tree.cost, np.inf)
        return tree.cost

    def path(self, start: ArrayLike) -> Path:
        """Return the path from ``start``, in the world as the last plan or update saw it.

        A query: it changes nothing. Where the tree is not settled for this start, a copy of it is.

        Raises
        ------
        ValueError
            If ``start`` is not finite or of another shape.
        """
        point = self._check_start(start)
        failure = self._obvious_failure(point)
        if failure is not None:
            return failure
        assert self._arrays is not None
        links = self._join(point)
        tree = self._tree
        status = PathStatus.SOLVED
        known = tree.cost[links.vertices] + links.lengths
        found = min(known.min(initial=np.inf), self._direct(point)[0])
        unsettled = min(
            tree_kernels.least_key(self._roads, tree, point),
            least_waiting(self._moves, self._goals, point),
        )
        if unsettled <= found and unsettled < np.inf:
            if self._timed_out:
                status = PathStatus.TIMEOUT
            else:
                tree = self._settled_copy(point)
        return self._extract(point, links, tree.cost, tree.parent, tree.goal_of, status)

    def _settled_copy(self, point: NDArray[np.float64]) -> tree_kernels.Tree:
        """Return a copy of the tree settled for a robot at ``point``."""
        tree = tree_kernels.copy_tree(self._tree)
        moves = copy_moves(self._moves)
        edges = self._edges
        if self._lazy or moves.size[0]:
            edges = edge_kernels.copy_edges(edges)
        tree_kernels.begin_update(tree)
        tree_kernels.aim(self._roads, tree, point, True)
        settle(
            self._roads,
            edges,
            tree,
            self._arrays,
            moves,
            point,
            self._goals,
            self._roadmap.radius,
            True,
            np.full(1, np.inf),
            np.iinfo(np.int64).max,
            -1,
        )
        return tree

    def _forget_tree(self) -> None:
        tree = self._tree
        tree_kernels.begin_update(tree)
        heap_clear(tree.heap)
        tree.cost[:] = np.inf
        tree.goal_link[:] = np.inf
        for ids in (tree.parent, tree.listed, tree.child, tree.goal_of):
            ids[:] = -1
        tree.counts[:] = 0
        self._bound[0] = np.inf
        self._joined = False

    def _repair(self, time_limit: float | None) -> Update:
        began = time.perf_counter()
        if not self._planned or self._start is None:
            return Update(status=UpdateStatus.NOT_PLANNED)
        tree, edges = self._tree, self._edges
        same_world = self._joined and self._world.revision == self._revision
        if same_world and not self._timed_out and np.array_equal(self._start, tree.focus):
            return Update(status=UpdateStatus.UNCHANGED, elapsed_s=time.perf_counter() - began)
        checks = int(edges.checks[0])
        budget = np.iinfo(np.int64).max if time_limit is None else _BUDGET
        mode, boxes = self._changes(same_world)
        self._joined = True
        settings = (self._start, self._goals, self._roadmap.radius, self._focused, self._bound)
        state = (self._roads, edges, tree, self._arrays)
        spent = repair(*state, mode, self._moves, boxes, *settings, budget)
        self._timed_out = False
        while spent >= budget:
            if time_limit is not None and time.perf_counter() - began > time_limit:
                self._timed_out = True
                break
            spent = settle(*state, self._moves, *settings, budget, -1)
        return Update(
            status=UpdateStatus.TIMEOUT if self._timed_out else UpdateStatus.REPAIRED,
            n_orphaned=int(tree.counts[tree_kernels.ORPHANED]),
            n_expanded=int(tree.counts[tree_kernels.EXPANDED]),
            n_changed=int(tree.counts[tree_kernels.CHANGED]),
            n_collision_checks=int(edges.checks[0]) - checks,
            elapsed_s=time.perf_counter() - began,
        )

    def _changes(self, same_world: bool) -> tuple[int, NDArray[np.float64]]:
        """Take the next snapshot of the world, and say how and where edges are to follow it."""
        nowhere = np.empty((0, self._world.dimension, 2))
        if self._arrays is None:
            self._arrays, self._revision = self._read_world()
            if self._counted:
                self._edges.known[:] = 1
                discs = self._arrays.discs
                self._moves = add_moves(self._moves, *moves_between(discs[:0], discs, 0))
                return COUNT, nowhere
            if not self._lazy:
                return TEST_ALL, nowhere
        elif same_world:
            return NOTHING_CHANGED, nowhere
        before = self._arrays
        while True:
            changes = self._world.changes_since(self._revision)
            self._arrays = self._world.arrays()
            if self._world.revision == changes.revision:
                break
        self._revision = changes.revision
        if not self._counted:
            return LAZY if self._lazy else RETEST, _changed_boxes(changes, self._arrays)
        if changes.complete:
            was, now = moves_of(changes)
        else:
            was, now = moves_between(before.discs, self._arrays.discs, 0)
        self._moves = add_moves(self._moves, was, now)
        return COUNT, nowhere


def _changed_boxes(changes, arrays: WorldArrays) -> NDArray[np.float64]:
    """Return boxes (k, d, 2) that hold everything whose answer may have turned."""
    if not changes.complete:
        return arrays.bounds[np.newaxis].copy()
    boxes = [changes.blocked_boxes, changes.freed_boxes]
    for discs in (changes.blocked_discs, changes.freed_discs):
        center, radius = discs[:, :-1], discs[:, -1:]
        boxes.append(np.stack((center - radius, center + radius), axis=2))
    return np.ascontiguousarray(np.concatenate(boxes))
