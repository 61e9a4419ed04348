"""The tree of shortest paths to the goal, and its repair.

Symbols: ``g = tree.cost`` (metres to the goal), ``h`` the straight distance to the robot. The
queue is ordered by ``g + h`` with focus, else by ``g``. Invariant between calls: for every edge
not known to be blocked from ``z`` to ``x``, ``g[x] <= g[z] + length`` unless ``z`` is queued, and
every ``g`` is the length of a free path, or longer.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from graphs import make_heap
from graphs._jit import kernel
from graphs.heap import IndexedHeap, heap_pop, heap_push_or_update, heap_remove
from planning._edge_kernels import test_edge
from planning._roads import distance

NO_PARENT = -1
GOAL = -2  # the parent of vertices joined to the goal itself


class Tree(NamedTuple):
    """The tree's arrays; ``n`` vertices in the hidden order, -1 where a list ends."""

    cost: NDArray[np.float64]  # (n,), g, metres to the goal
    parent: NDArray[np.int32]  # (n,), next vertex towards the goal, or NO_PARENT, or GOAL
    child: NDArray[np.int32]  # (n,), first child
    next: NDArray[np.int32]  # (n,), next child of the same parent
    previous: NDArray[np.int32]  # (n,)
    goal_link: NDArray[np.float64]  # (n,), length of the free motion to the goal, else inf
    start_link: NDArray[np.float64]  # (n,), length of the free motion to the robot, else inf
    focus: NDArray[np.float64]  # (d,), where the robot is, metres
    before: NDArray[np.float64]  # (n,), g before the update, of vertices in ``moved``
    stamp: NDArray[np.uint8]  # (n,), 1 while the vertex is in ``moved``
    moved: NDArray[np.int32]  # (n,), vertices whose g was touched in this update
    counts: NDArray[np.int64]  # (3,), lengths: moved, orphans; and vertices expanded
    orphans: NDArray[np.int32]  # (n,)
    heap: IndexedHeap


def make_tree(n: int, dimension: int) -> Tree:
    """Return a tree that reaches nothing yet."""
    return Tree(
        cost=np.full(n, np.inf),
        parent=np.full(n, NO_PARENT, np.int32),
        child=np.full(n, -1, np.int32),
        next=np.full(n, -1, np.int32),
        previous=np.full(n, -1, np.int32),
        goal_link=np.full(n, np.inf),
        start_link=np.full(n, np.inf),
        focus=np.zeros(dimension),
        before=np.empty(n),
        stamp=np.zeros(n, np.uint8),
        moved=np.empty(n, np.int32),
        counts=np.zeros(3, np.int64),
        orphans=np.empty(n, np.int32),
        heap=make_heap(n),
    )


def copy_tree(tree: Tree) -> Tree:
    """Return an independent copy."""
    heap = IndexedHeap._make(array.copy() for array in tree.heap)
    return Tree._make([array.copy() for array in tree[:-1]] + [heap])


@kernel
def _set_parent(tree, v, parent):
    """Hang ``v`` under ``parent``, taking it from where it hung."""
    old = tree.parent[v]
    if old == parent:
        return
    if old >= 0:
        after = tree.next[v]
        prior = tree.previous[v]
        if prior >= 0:
            tree.next[prior] = after
        else:
            tree.child[old] = after
        if after >= 0:
            tree.previous[after] = prior
    tree.parent[v] = parent
    if parent >= 0:
        first = tree.child[parent]
        tree.next[v] = first
        tree.previous[v] = -1
        if first >= 0:
            tree.previous[first] = v
        tree.child[parent] = v


@kernel
def _note(tree, v):
    """Remember the cost of ``v`` before the update first touches it."""
    if tree.stamp[v] == 0:
        tree.stamp[v] = 1
        tree.before[v] = tree.cost[v]
        tree.moved[tree.counts[0]] = v
        tree.counts[0] += 1


@kernel
def _improve(roads, tree, focused, v, parent, cost):
    """Give ``v`` a lower cost through ``parent`` and queue it."""
    _note(tree, v)
    _set_parent(tree, v, parent)
    tree.cost[v] = cost
    key = cost + distance(roads.points, v, tree.focus) if focused else cost
    heap_push_or_update(tree.heap, v, key)


@kernel
def begin_update(tree):
    """Forget what the last update touched."""
    for i in range(tree.counts[0]):
        tree.stamp[tree.moved[i]] = 0
    tree.counts[:] = 0


@kernel
def orphan_subtree(tree, v):
    """Cut ``v`` off with all that hangs below it: no parent, cost inf, out of the queue."""
    if tree.cost[v] == np.inf:
        return
    _set_parent(tree, v, NO_PARENT)
    first = tree.counts[1]
    last = first
    tree.orphans[last] = v
    last += 1
    while first < last:
        u = tree.orphans[first]
        first += 1
        c = tree.child[u]
        while c >= 0:
            tree.orphans[last] = c
            last += 1
            c = tree.next[c]
        _note(tree, u)
        tree.child[u] = -1
        tree.parent[u] = NO_PARENT
        tree.cost[u] = np.inf
        heap_remove(tree.heap, u)
    tree.counts[1] = last


@kernel
def orphan_blocked(roads, edges, tree, turned, n_turned):
    """Orphan what hung on those ``turned`` edges (lower slots) that are blocked now."""
    for i in range(n_turned):
        e = turned[i]
        if edges.cost[e] < np.inf:
            continue
        u = edges.tails[e]
        v = roads.indices[e]
        if tree.parent[u] == v:
            orphan_subtree(tree, u)
        elif tree.parent[v] == u:
            orphan_subtree(tree, v)


@kernel
def orphan_unlinked(tree, was_linked, n):
    """Orphan those of the ``n`` vertices ``was_linked`` that hung on a lost motion to the goal."""
    for i in range(n):
        v = was_linked[i]
        if tree.parent[v] == GOAL and tree.goal_link[v] == np.inf:
            orphan_subtree(tree, v)


@kernel
def adopt_orphans(roads, edges, tree, arrays, focused):
    """Give every orphan its best free neighbour that still hangs in the tree, if there is one."""
    n = tree.counts[1]
    best_cost = np.empty(n)
    best_parent = np.empty(n, np.int32)
    for i in range(n):
        x = tree.orphans[i]
        while True:
            cost = tree.goal_link[x]
            parent = GOAL
            slot = -1
            for s in range(roads.indptr[x], roads.indptr[x + 1]):
                through = tree.cost[roads.indices[s]] + edges.cost[s]
                if through < cost:
                    cost = through
                    slot = s
            if slot < 0:
                break
            parent = roads.indices[slot]
            if edges.known[slot] == 1 or test_edge(roads, edges, arrays, x, slot):
                break
        best_cost[i] = cost
        best_parent[i] = parent
    for i in range(n):  # only now: an orphan must not be adopted by an orphan
        if best_cost[i] < np.inf:
            _improve(roads, tree, focused, tree.orphans[i], best_parent[i], best_cost[i])


@kernel
def _try(roads, edges, tree, arrays, focused, z, s):
    """Improve the vertex in slot ``s`` of ``z`` through ``z`` if that is shorter and free."""
    x = roads.indices[s]
    cost = tree.cost[z] + edges.cost[s]
    if cost < tree.cost[x]:
        if edges.known[s] == 1 or test_edge(roads, edges, arrays, z, s):
            _improve(roads, tree, focused, x, z, cost)


@kernel
def seed_freed(roads, edges, tree, arrays, focused, turned, n_turned):
    """Let the ``turned`` edges (lower slots) that are free now improve their ends."""
    for i in range(n_turned):
        e = turned[i]
        if edges.cost[e] < np.inf:
            _try(roads, edges, tree, arrays, focused, edges.tails[e], e)
        if edges.cost[e] < np.inf:  # asked anew: a lazy test may just have found it blocked
            _try(roads, edges, tree, arrays, focused, roads.indices[e], roads.reverse[e])


@kernel
def seed_links(roads, tree, focused, linked, n):
    """Let the free motions from the ``n`` vertices ``linked`` to the goal improve these."""
    for i in range(n):
        v = linked[i]
        if tree.goal_link[v] < tree.cost[v]:
            _improve(roads, tree, focused, v, GOAL, tree.goal_link[v])


@kernel
def expand(roads, edges, tree, arrays, focused, bound, budget):
    """Expand queued vertices in order until the first key reaches ``bound`` or ``budget`` is spent.

    ``bound`` (1,) float64 is the robot's cost as far as known and falls as vertices it can join
    are settled; every vertex whose key is below it is exact at the end. Returns the number of
    vertices expanded.
    """
    heap = tree.heap
    expanded = 0
    while heap.size[0] > 0 and expanded < budget:
        if heap.key[heap.order[0]] >= bound[0]:
            break
        z = heap_pop(heap)
        expanded += 1
        g = tree.cost[z]
        if g + tree.start_link[z] < bound[0]:
            bound[0] = g + tree.start_link[z]
        for s in range(roads.indptr[z], roads.indptr[z + 1]):
            if g + edges.cost[s] < tree.cost[roads.indices[s]]:
                _try(roads, edges, tree, arrays, focused, z, s)
    tree.counts[2] += expanded
    return expanded


@kernel
def count_changed(tree):
    """Return how many vertices have another cost than before the update."""
    changed = 0
    for i in range(tree.counts[0]):
        v = tree.moved[i]
        if tree.cost[v] != tree.before[v]:
            changed += 1
    return changed


@kernel
def refocus(roads, tree, focused):
    """Renew the keys of all queued vertices after the robot moved; the heap is to be rebuilt."""
    for i in range(tree.heap.size[0]):
        v = tree.heap.order[i]
        cost = tree.cost[v]
        tree.heap.key[v] = cost + distance(roads.points, v, tree.focus) if focused else cost


@kernel
def least_key(roads, tree, p):
    """Return the least ``g + distance to p`` over the queue: what lies below it is settled."""
    least = np.inf
    for i in range(tree.heap.size[0]):
        v = tree.heap.order[i]
        least = min(least, tree.cost[v] + distance(roads.points, v, p))
    return least
