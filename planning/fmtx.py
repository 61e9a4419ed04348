"""FMTx: a tree of shortest paths to the goal that repairs itself when the world changes."""

from __future__ import annotations

import time
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphs.heap import heap_clear, heap_rebuild
from planning import _edge_kernels as edge_kernels
from planning import _tree_kernels as tree_kernels
from planning._planner import Links, Planner
from planning.result import Path, PathStatus, Update, UpdateStatus
from planning.roadmap import Roadmap
from problems.worlds.arrays import DISCS, World, WorldArrays

COLLISION = ("lazy", "proactive", "auto")
_BUDGET = 2000  # vertices expanded between two looks at the clock


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
        self._collision = collision
        n, m = len(self._roads.points), len(self._roads.indices)
        self._edges = edge_kernels.make_edges(self._roads)
        self._tree = tree_kernels.make_tree(n, world.dimension)
        self._turned = np.empty(m, np.int32)
        self._lazy = True
        self._links: Links | None = None  # of the robot, in the snapshot
        self._bound = np.full(1, np.inf)  # cost of the robot as far as known

    @property
    def cost_to_goal(self) -> NDArray[np.float64]:
        """Cost of each vertex, (n_vertices,), metres, in the caller's order.

        inf where a vertex is unreached or, with ``focus`` or after a timeout, not settled.
        """
        tree = self._tree
        key = tree.cost
        least = tree_kernels.least_key(self._roads, tree, tree.focus) if self._focused else np.inf
        if not self._focused and tree.heap.size[0]:
            least = tree.heap.key[tree.heap.order[0]]
        if least < np.inf:
            gap = np.linalg.norm(self._roads.points - tree.focus, axis=1) if self._focused else 0.0
            key = np.where(tree.cost + gap <= least, tree.cost, np.inf)
        return self._roadmap.to_caller(key)

    @property
    def parents(self) -> NDArray[np.int32]:
        """Next vertex towards the goal of each vertex, (n_vertices,), in the caller's order.

        -1 where a vertex is not in the tree, -2 where it joins the goal itself.
        """
        parent = self._tree.parent
        ids = self._roadmap.caller_ids
        named = np.where(parent >= 0, ids[np.maximum(parent, 0)], parent)
        return self._roadmap.to_caller(named.astype(np.int32))

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
        found = np.inf
        if len(links.vertices):
            found = float((tree.cost[links.vertices] + links.lengths).min())
        found = min(found, self._direct(point)[0])
        if tree_kernels.least_key(self._roads, tree, point) < found:
            if self._timed_out:
                status = PathStatus.TIMEOUT
            else:
                tree = self._settled_copy(point, links)
        return self._extract(point, links, tree.cost, tree.parent, status)

    def _settled_copy(self, point: NDArray[np.float64], links: Links) -> tree_kernels.Tree:
        tree = tree_kernels.copy_tree(self._tree)
        edges = self._edges
        if self._lazy:
            edges = edge_kernels.copy_edges(edges)
        bound = self._aim(tree, point, links)
        tree_kernels.expand(
            self._roads, edges, tree, self._arrays, True, bound, self._roadmap.n_vertices + 1
        )
        return tree

    def _aim(
        self, tree: tree_kernels.Tree, point: NDArray[np.float64], links: Links
    ) -> NDArray[np.float64]:
        """Order the queue of ``tree`` for a robot at ``point``; return its cost as known so far."""
        tree.start_link[:] = np.inf
        tree.start_link[links.vertices] = links.lengths
        tree.focus[:] = point
        tree_kernels.refocus(self._roads, tree, True)
        heap_rebuild(tree.heap)
        known = tree.cost[links.vertices] + links.lengths
        return np.array([min(known.min(initial=np.inf), self._direct(point)[0])])

    def _forget_tree(self) -> None:
        tree = self._tree
        tree_kernels.begin_update(tree)
        heap_clear(tree.heap)
        tree.cost[:] = np.inf
        tree.parent[:] = tree_kernels.NO_PARENT
        tree.child[:] = -1
        tree.goal_link[:] = np.inf
        self._links = None

    def _repair(self, time_limit: float | None) -> Update:
        began = time.perf_counter()
        if not self._planned or self._start is None:
            return Update(status=UpdateStatus.NOT_PLANNED)
        tree = self._tree
        same_world = self._world.revision == self._revision and self._links is not None
        same_robot = np.array_equal(self._start, tree.focus)
        if same_world and same_robot and not self._timed_out:
            return Update(status=UpdateStatus.UNCHANGED, elapsed_s=time.perf_counter() - began)
        checks = int(self._edges.checks[0])
        tree_kernels.begin_update(tree)
        if not same_world:
            self._follow_world()
        self._links = self._join(self._start)
        if self._focused:
            self._bound = self._aim(tree, self._start, self._links)
        else:
            tree.focus[:] = self._start
        self._timed_out = False
        while True:
            spent = tree_kernels.expand(
                self._roads,
                self._edges,
                tree,
                self._arrays,
                self._focused,
                self._bound,
                _BUDGET if time_limit is not None else self._roadmap.n_vertices + 1,
            )
            if spent < _BUDGET or time_limit is None:
                break
            if time.perf_counter() - began > time_limit:
                self._timed_out = True
                break
        return Update(
            status=UpdateStatus.TIMEOUT if self._timed_out else UpdateStatus.REPAIRED,
            n_orphaned=int(tree.counts[1]),
            n_expanded=int(tree.counts[2]),
            n_changed=int(tree_kernels.count_changed(tree)),
            n_collision_checks=int(self._edges.checks[0]) - checks,
            elapsed_s=time.perf_counter() - began,
        )

    def _follow_world(self) -> None:
        """Bring edges, links and tree in line with the world, and queue what that may improve."""
        roads, edges, tree = self._roads, self._edges, self._tree
        n_turned = self._turn_edges()
        arrays, focused = self._arrays, self._focused
        were_linked = np.flatnonzero(tree.goal_link < np.inf).astype(np.int32)
        linked = self._join_goals(tree.goal_link)
        tree_kernels.orphan_blocked(roads, edges, tree, self._turned, n_turned)
        tree_kernels.orphan_unlinked(tree, were_linked, len(were_linked))
        tree_kernels.adopt_orphans(roads, edges, tree, arrays, focused)
        tree_kernels.seed_freed(roads, edges, tree, arrays, focused, self._turned, n_turned)
        tree_kernels.seed_links(roads, tree, focused, linked, len(linked))

    def _turn_edges(self) -> int:
        """Take the next snapshot of the world; return how many edges turned (in ``_turned``)."""
        roads, edges = self._roads, self._edges
        first = self._arrays is None
        while True:
            arrays = self._world.arrays()
            since = self._world.revision if first else self._revision
            changes = self._world.changes_since(since)
            if self._world.revision == changes.revision and (
                not first or since == changes.revision
            ):
                break
        before, self._arrays, self._revision = self._arrays, arrays, changes.revision
        counted = arrays.kind == DISCS and self._collision != "lazy"
        if first:
            self._lazy = arrays.kind != DISCS if self._collision == "auto" else not counted
            if self._collision == "proactive":
                self._lazy = False
        if counted:
            edges.known[:] = 1
            none = arrays.discs[:0]
            if first:
                freed, blocked, n_moved = none, arrays.discs, 0
            elif not changes.complete:
                assert before is not None
                freed, blocked, n_moved = before.discs, arrays.discs, 0
            else:
                freed, blocked = changes.freed_discs, changes.blocked_discs
                n_moved = changes.n_moved
            touched = edge_kernels.count_changed_discs(roads, edges, freed, blocked, n_moved)
            return edge_kernels.apply_hits(roads, edges, touched, self._turned)
        if first:
            if not self._lazy:
                edge_kernels.test_all_edges(roads, edges, arrays)
            return 0
        boxes = _changed_boxes(changes, arrays)
        touched = edge_kernels.touch_boxes(roads, edges, boxes, 0)
        return edge_kernels.retest_touched(
            roads, edges, arrays, self._tree.parent, self._lazy, touched, self._turned
        )


def _changed_boxes(changes, arrays: WorldArrays) -> NDArray[np.float64]:
    """Return boxes (k, d, 2) that hold everything whose answer may have turned."""
    if not changes.complete:
        return arrays.bounds[np.newaxis].copy()
    boxes = [changes.blocked_boxes, changes.freed_boxes]
    for discs in (changes.blocked_discs, changes.freed_discs):
        center, radius = discs[:, :-1], discs[:, -1:]
        boxes.append(np.stack((center - radius, center + radius), axis=2))
    return np.ascontiguousarray(np.concatenate(boxes))
