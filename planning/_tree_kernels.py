"""The tree of shortest paths to the goal, and its repair.

Symbols: ``g = tree.cost`` (metres to the goal), ``h`` the straight distance to the robot. The
queue is ordered by ``g + h`` with focus, else by ``g``. Invariant between calls: for every edge
not known to be blocked from ``z`` to ``x``, ``g[x] <= g[z] + length`` unless ``z`` is queued, and
every ``g`` is the length of a free path, or longer.

Neighbours that cannot matter to the robot are left for later: ``z`` is queued again with the least
``g + h`` among them. When the robot moves no key is computed anew: all may be too large by what it
has moved since, the ``drift``, which is added to what is queued from then on (as in D* Lite).

Hot loops take loose arrays: a large tuple handed to a kernel that is not inlined is copied.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from graphs import make_heap
from graphs._jit import inner_kernel, lean_kernel
from graphs.heap import (
    IndexedHeap,
    heap_pop,
    heap_push,
    heap_push_or_update,
    heap_remove,
    heap_update,
)
from planning._edge_kernels import is_covered, is_stale, test_edge
from planning._roads import distance

NO_PARENT = -1
GOAL = -2  # the parent of vertices joined to the goal itself

# places in ``Tree.counts``
MOVED = 0  # length of ``moved``
ORPHANS = 1  # length of ``orphans``
EXPANDED = 2  # vertices taken from the queue
LINKED = 3  # length of ``linked``
SEEN = 4  # length of ``seen``
SEEDS = 5  # length of ``seeds``
CHANGED = 6  # vertices whose cost is another one than before the update
ORPHANED = 7  # vertices orphaned so far in this update
N_COUNTS = 8

# places in ``Tree.sight``, metres
GOAL_SIGHT = 0  # a change farther than this from the goal cannot alter ``linked``
ROBOT_SIGHT = 1  # likewise for the robot and ``seen``
DIRECT = 2  # length of the free motion from robot to goal, else inf; -inf if nothing can start


class Tree(NamedTuple):
    """The tree's arrays; ``n`` vertices in the hidden order, -1 where a list ends."""

    cost: NDArray[np.float64]  # (n,), g, metres to the goal
    parent: NDArray[np.int32]  # (n,), next vertex towards the goal, or NO_PARENT, or GOAL
    listed: NDArray[np.int32]  # (n,), the parent among whose children the vertex is listed, or < 0
    child: NDArray[np.int32]  # (n,), first child
    next: NDArray[np.int32]  # (n,), next child of the same parent
    previous: NDArray[np.int32]  # (n,)
    goal_link: NDArray[np.float64]  # (n,), length of the free motion to the goal, else inf
    goal_of: NDArray[np.int32]  # (n,), which goal that motion leads to
    linked: NDArray[np.int32]  # (n,), vertices with a goal_link
    start_link: NDArray[np.float64]  # (n,), length of the free motion to the robot, else inf
    seen: NDArray[np.int32]  # (n,), vertices with a start_link
    focus: NDArray[np.float64]  # (d,), where the robot is, metres
    drift: NDArray[np.float64]  # (1,), how far it has moved, metres; part of the keys
    sight: NDArray[np.float64]  # (3,), see GOAL_SIGHT, ROBOT_SIGHT, DIRECT
    before: NDArray[np.float64]  # (n,), g before the update, of vertices in ``moved``
    stamp: NDArray[np.uint8]  # (n,), 1 while the vertex is in ``moved``
    moved: NDArray[np.int32]  # (n,), vertices whose g was touched in this update
    orphans: NDArray[np.int32]  # (n,)
    seeds: NDArray[np.int32]  # (n,), vertices with a better cost in sight
    better: NDArray[np.float64]  # (n,), that cost, inf elsewhere
    through: NDArray[np.int32]  # (n,), the parent it is had through
    lengths: NDArray[np.float64]  # (n,), workspace
    begin: NDArray[np.float64]  # (d,), workspace: where the tested part of a leg begins
    counts: NDArray[np.int64]  # (N_COUNTS,)
    heap: IndexedHeap


def make_tree(n: int, dimension: int) -> Tree:
    """Return a tree that reaches nothing yet."""

    def minus_ones() -> NDArray[np.int32]:
        return np.full(n, -1, np.int32)

    return Tree(
        cost=np.full(n, np.inf),
        parent=minus_ones(),
        listed=minus_ones(),
        child=minus_ones(),
        next=minus_ones(),
        previous=minus_ones(),
        goal_link=np.full(n, np.inf),
        goal_of=minus_ones(),
        linked=minus_ones(),
        start_link=np.full(n, np.inf),
        seen=minus_ones(),
        focus=np.full(dimension, np.nan),
        drift=np.zeros(1),
        sight=np.full(3, np.inf),
        before=np.empty(n),
        stamp=np.zeros(n, np.uint8),
        moved=minus_ones(),
        orphans=minus_ones(),
        seeds=minus_ones(),
        better=np.full(n, np.inf),
        through=minus_ones(),
        lengths=np.empty(n),
        begin=np.empty(dimension),
        counts=np.zeros(N_COUNTS, np.int64),
        heap=make_heap(n),
    )


def copy_tree(tree: Tree) -> Tree:
    """Return an independent copy."""
    heap = IndexedHeap._make(array.copy() for array in tree.heap)
    return Tree._make([array.copy() for array in tree[:-1]] + [heap])


@lean_kernel
def begin_update(tree):
    """Forget what the last update touched."""
    for i in range(tree.counts[MOVED]):
        tree.stamp[tree.moved[i]] = 0
    tree.counts[MOVED] = 0
    tree.counts[ORPHANS] = 0
    tree.counts[ORPHANED] = 0
    tree.counts[EXPANDED] = 0
    tree.counts[CHANGED] = 0


@inner_kernel
def note(stamp, before, moved, counts, cost, v):
    """Remember the cost of ``v`` before the update first touches it."""
    if stamp[v] == 0:
        stamp[v] = 1
        before[v] = cost[v]
        moved[counts[MOVED]] = v
        counts[MOVED] += 1


@inner_kernel
def _unlist(listed, child, after, prior, v):
    """Take ``v`` from the children of the parent it is listed under.

    child, after, prior : (n,) int32, the tree's ``child, next, previous``
    """
    old = listed[v]
    if old < 0:
        return
    right = after[v]
    left = prior[v]
    if left >= 0:
        after[left] = right
    else:
        child[old] = right
    if right >= 0:
        prior[right] = left
    listed[v] = -1


@inner_kernel
def list_children(tree):
    """List every vertex the update moved under its parent: once a vertex, not once a change."""
    parent, listed, child = tree.parent, tree.listed, tree.child
    after, prior = tree.next, tree.previous
    changed = 0
    for i in range(tree.counts[MOVED]):
        v = tree.moved[i]
        if tree.cost[v] != tree.before[v]:
            changed += 1
        new = parent[v]
        if listed[v] == new:
            continue
        _unlist(listed, child, after, prior, v)
        listed[v] = new
        if new >= 0:
            first = child[new]
            after[v] = first
            prior[v] = -1
            if first >= 0:
                prior[first] = v
            child[new] = v
    tree.counts[CHANGED] = changed


@inner_kernel
def orphan_subtree(tree, v):
    """Cut ``v`` off with all that hangs below it: no parent, cost inf, out of the queue."""
    cost, listed, child, after = tree.cost, tree.listed, tree.child, tree.next
    orphans, counts = tree.orphans, tree.counts
    if cost[v] == np.inf:
        return
    _unlist(listed, child, after, tree.previous, v)
    first = counts[ORPHANS]
    last = first
    orphans[last] = v
    last += 1
    while first < last:
        u = orphans[first]
        first += 1
        c = child[u]
        while c >= 0:
            orphans[last] = c
            last += 1
            listed[c] = -1
            c = after[c]
        note(tree.stamp, tree.before, tree.moved, counts, cost, u)
        child[u] = -1
        tree.parent[u] = NO_PARENT
        cost[u] = np.inf
        heap_remove(tree.heap, u)
    counts[ORPHANS] = last


@inner_kernel
def orphan_blocked(roads, edges, tree, turned, n_turned):
    """Orphan what hung on those ``turned`` edges (lower slots) that are blocked now."""
    for i in range(n_turned):
        e = turned[i]
        if edges.cost[e] == np.inf:
            u = edges.tails[e]
            v = roads.indices[e]
            if tree.parent[u] == v:
                orphan_subtree(tree, u)
            elif tree.parent[v] == u:
                orphan_subtree(tree, v)


@inner_kernel
def offer(tree, x, parent, cost):
    """Note that ``x`` could cost less through ``parent``."""
    if tree.better[x] == np.inf:
        tree.seeds[tree.counts[SEEDS]] = x
        tree.counts[SEEDS] += 1
    tree.better[x] = cost
    tree.through[x] = parent


@inner_kernel
def seek_parents(roads, edges, tree, arrays):
    """Find every orphan its best free neighbour that still hangs in the tree, if there is one."""
    indptr, indices, cost = roads.indptr, roads.indices, tree.cost
    counted = edges.counted[0] != 0  # then lengths say what is blocked, and nothing is stale
    length = edges.cost if counted else roads.length
    for i in range(tree.counts[ORPHANS]):
        x = tree.orphans[i]
        while True:
            best = tree.goal_link[x]
            slot = -1
            stale = False
            for s in range(indptr[x], indptr[x + 1]):
                u = indices[s]
                through = cost[u] + length[s]
                if through < best:
                    if counted:
                        best, slot = through, s
                        continue
                    asks = is_stale(edges.known, edges.since, x, s, u)
                    if asks or edges.cost[s] < np.inf:
                        best, slot, stale = through, s, asks
            if not stale or test_edge(roads, edges, arrays, x, np.int64(slot)):
                break
        if best < np.inf:
            offer(tree, x, GOAL if slot < 0 else indices[slot], best)


@inner_kernel
def seek_freed(roads, edges, tree, arrays, turned, n_turned):
    """Find what the ``turned`` edges (lower slots) that are free now would improve."""
    cost, better = tree.cost, tree.better
    for i in range(n_turned):
        e = turned[i]
        length = edges.cost[e]
        if length == np.inf:
            continue
        z, x, s = edges.tails[e], roads.indices[e], np.int64(e)
        if cost[z] > cost[x]:
            z, x, s = x, z, np.int64(roads.reverse[e])
        through = cost[z] + length
        if through < cost[x] and through < better[x]:
            asks = is_stale(edges.known, edges.since, z, s, x)
            if not asks or test_edge(roads, edges, arrays, np.int32(z), np.int64(s)):
                offer(tree, x, z, through)


@inner_kernel
def seek_links(tree):
    """Find what the free motions to the goal would improve."""
    for i in range(tree.counts[LINKED]):
        v = tree.linked[i]
        if tree.goal_link[v] < tree.cost[v] and tree.goal_link[v] < tree.better[v]:
            offer(tree, v, GOAL, tree.goal_link[v])


@inner_kernel
def accept_offers(roads, tree, focused):
    """Give every vertex the best it was offered, and queue it; costs stood still until now."""
    for i in range(tree.counts[SEEDS]):
        v = tree.seeds[i]
        note(tree.stamp, tree.before, tree.moved, tree.counts, tree.cost, v)
        cost = tree.better[v]
        tree.better[v] = np.inf
        tree.cost[v] = cost
        tree.parent[v] = tree.through[v]
        ahead = distance(roads.points, v, tree.focus) + tree.drift[0] if focused else 0.0
        heap_push_or_update(tree.heap, v, cost + ahead)
    tree.counts[SEEDS] = 0


@inner_kernel
def _best_reached(roads, edges, cost, x):
    """Return the slot of the motion from ``x`` to the reached vertex it would cost least through.

    Motions known to be blocked are passed over. One such test is mostly all that ``x`` takes,
    where one for every vertex that improves on the last would take several.
    """
    best = np.inf
    slot = -1
    for s in range(roads.indptr[x], roads.indptr[x + 1]):
        u = roads.indices[s]
        through = cost[u] + roads.length[s]
        if through < best:
            if edges.cost[s] < np.inf or is_stale(edges.known, edges.since, x, s, u):
                best, slot = through, s
    return np.int64(slot)


@inner_kernel
def expand(roads, edges, tree, arrays, focused, bound, budget):
    """Expand queued vertices in order until the first key reaches ``bound`` or ``budget`` is spent.

    A motion tested costs as much of the budget as a vertex expanded.

    ``bound`` (1,) float64 is the robot's cost as far as known and falls as vertices it can join
    are reached; every vertex whose key is below it is exact at the end. Returns what of
    the budget was spent. Children are to be listed anew afterwards.
    """
    heap = tree.heap
    indptr, indices, points = roads.indptr, roads.indices, roads.points
    cost = tree.cost
    counted = edges.counted[0] != 0  # then lengths say what is blocked, and nothing is stale
    length = edges.cost if counted else roads.length
    known, since, answer = edges.known, edges.since, edges.cost
    parent, stamp, before, moved = tree.parent, tree.stamp, tree.before, tree.moved
    counts, focus, drift = tree.counts, tree.focus, tree.drift[0]
    start_link = tree.start_link
    expanded = 0
    tested = 0
    while heap.size[0] > 0 and expanded + tested < budget:
        z = heap.order[0]
        if heap.key[z] >= bound[0] + drift:
            break
        g = cost[z]
        if focused:
            key = g + distance(points, z, focus) + drift
            if heap.key[z] < key * (1.0 - 1e-9):  # from when the robot was elsewhere
                heap_update(heap, z, key)
                continue
        heap_pop(heap)
        expanded += 1
        later = np.inf
        for s in range(indptr[z], indptr[z + 1]):
            x = indices[s]
            through = g + length[s]
            if through < cost[x]:
                key = through + distance(points, x, focus) if focused else through
                if key >= bound[0]:
                    later = min(later, key)
                    continue
                via = z
                if not counted:
                    if is_stale(known, since, z, s, x):
                        tested += 1
                        if cost[x] == np.inf:
                            if is_covered(roads, edges, arrays, z, np.int64(s)):
                                continue
                            slot = _best_reached(roads, edges, cost, x)
                            u = indices[slot]
                            if u != z:
                                asks = is_stale(known, since, x, slot, u)
                                if not asks or test_edge(roads, edges, arrays, x, slot):
                                    via = u
                                    through = cost[u] + length[slot]
                                else:
                                    tested += 1
                        if via == z and not test_edge(
                            roads, edges, arrays, np.int32(z), np.int64(s)
                        ):
                            continue
                    elif answer[s] == np.inf:
                        continue
                    key = through + distance(points, x, focus) if focused else through
                note(stamp, before, moved, counts, cost, x)
                parent[x] = via
                cost[x] = through
                heap_push_or_update(heap, x, key + drift)
                bound[0] = min(bound[0], through + start_link[x])
        if later < np.inf:
            heap_push(heap, z, later + drift)
    counts[EXPANDED] += expanded
    return expanded + tested


@lean_kernel
def aim(tree, start, focused):
    """Point the queue at a robot at ``start`` (d,); return whether it was elsewhere."""
    squared = 0.0
    for k in range(start.shape[0]):
        squared += (tree.focus[k] - start[k]) ** 2
    if squared == 0.0:
        return False
    if focused and squared > 0.0:  # not at first, when the focus is NaN
        tree.drift[0] += np.sqrt(squared)
    for k in range(start.shape[0]):
        tree.focus[k] = start[k]
    return True


@lean_kernel
def least_key(roads, tree, p):
    """Return a lower bound on ``g + distance to p`` of what is not settled yet, inf if all is."""
    least = np.inf
    moved = 0.0
    for k in range(p.shape[0]):
        moved += (tree.focus[k] - p[k]) ** 2
    before = tree.drift[0] + np.sqrt(moved)
    for i in range(tree.heap.size[0]):
        v = tree.heap.order[i]
        fresh = tree.cost[v] + distance(roads.points, v, p)
        least = min(least, max(fresh, tree.heap.key[v] - before))
    return least
