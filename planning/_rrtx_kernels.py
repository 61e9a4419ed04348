"""RRTx (Otte & Frazzoli, 2016): the tree, its queue, and what obstacles do to both.

Names after the paper: ``g`` is the cost a vertex last told its neighbours, ``lmc`` the one through
its parent now. Vertices are numbered by ``born``; the motions to older vertices are the original
neighbours of a vertex, those to younger ones its running neighbours, which count while they are
within the shrinking ball or in the tree (algorithm 3 as a test instead of a removal).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from graphs._jit import kernel
from graphs.heap import (
    IndexedHeap,
    heap_peek,
    heap_pop,
    heap_push_or_update,
    heap_remove,
    make_heap,
)

NO_PARENT, GOAL = -1, -2
EXPANDED, ORPHANED = 0, 1


class Tree(NamedTuple):
    """State of the tree over ``n`` vertices."""

    g: NDArray[np.float64]  # (n,), metres
    lmc: NDArray[np.float64]  # (n,), metres
    parent: NDArray[np.int32]  # (n,), NO_PARENT, or GOAL where the goal itself is next
    goal_link: NDArray[np.float64]  # (n,), metres, inf where the goal is not seen
    goal_of: NDArray[np.int32]  # (n,), which goal
    heap: IndexedHeap
    born: NDArray[np.int32]  # (n,), when each vertex came
    orphan: NDArray[np.uint8]  # (n,), 1 while a vertex is in the list below
    orphans: NDArray[np.int32]  # (n,)
    ball: NDArray[np.float64]  # (1,), radius of the shrinking ball now, metres
    counts: NDArray[np.int64]  # (2,)


def make_tree(born: NDArray[np.int32]) -> Tree:
    """Return the state in which nothing is born yet."""
    n = len(born)
    return Tree(
        g=np.full(n, np.inf),
        lmc=np.full(n, np.inf),
        parent=np.full(n, NO_PARENT, np.int32),
        goal_link=np.full(n, np.inf),
        goal_of=np.full(n, -1, np.int32),
        heap=make_heap(n),
        born=born,
        orphan=np.zeros(n, np.uint8),
        orphans=np.empty(n, np.int32),
        ball=np.full(1, np.inf),
        counts=np.zeros(2, np.int64),
    )


def copy_tree(tree: Tree) -> Tree:
    """Return a copy to go on in; what does not change is shared."""
    return tree._replace(
        g=tree.g.copy(),
        lmc=tree.lmc.copy(),
        parent=tree.parent.copy(),
        heap=IndexedHeap._make(array.copy() for array in tree.heap),
        counts=tree.counts.copy(),
    )


@kernel
def _may_lead(tree, v, u, length):
    """Tell whether ``u`` counts among the neighbours of ``v`` that may be its parent."""
    return tree.born[u] < tree.born[v] or length <= tree.ball[0] or tree.parent[v] == u


@kernel
def _verify_queue(tree, v):
    """Algorithm 13."""
    heap_push_or_update(tree.heap, v, min(tree.g[v], tree.lmc[v]))


@kernel
def _update_lmc(roads, cost, tree, v, newest):
    """Algorithm 14; a vertex younger than ``newest`` is not there yet."""
    if tree.goal_link[v] < tree.lmc[v]:
        tree.lmc[v] = tree.goal_link[v]
        tree.parent[v] = GOAL
    for s in range(roads.indptr[v], roads.indptr[v + 1]):
        u = roads.indices[s]
        if tree.born[u] > newest or tree.orphan[u] or tree.parent[u] == v:
            continue
        through = cost[s] + tree.lmc[u]
        if through < tree.lmc[v] and _may_lead(tree, v, u, roads.length[s]):
            tree.lmc[v] = through
            tree.parent[v] = u


@kernel
def _rewire_neighbors(roads, cost, tree, v, epsilon, newest):
    """Algorithm 4."""
    for s in range(roads.indptr[v], roads.indptr[v + 1]):
        u = roads.indices[s]
        if tree.born[u] > newest or tree.parent[v] == u:
            continue
        through = cost[s] + tree.lmc[v]
        if through < tree.lmc[u] and _may_lead(tree, u, v, roads.length[s]):
            tree.lmc[u] = through
            tree.parent[u] = v
            if tree.g[u] - through > epsilon:
                _verify_queue(tree, u)


@kernel
def reduce_inconsistency(roads, cost, tree, epsilon, newest, linked, lengths, focus, budget):
    """Algorithm 5, for a robot that joins vertices ``linked`` (k,) by ``lengths`` (k,).

    With ``focus`` False the queue is emptied. Returns False when ``budget`` ran out first.
    """
    g, lmc, heap = tree.g, tree.lmc, tree.heap
    for _ in range(budget):
        v = heap_peek(heap)
        if v < 0:
            return True
        if focus:
            bound = np.inf
            for i in range(linked.shape[0]):
                bound = min(bound, g[linked[i]] + lengths[i])
            if heap.key[v] > bound:
                return True
        heap_pop(heap)
        tree.counts[EXPANDED] += 1
        if g[v] - lmc[v] > epsilon:
            _update_lmc(roads, cost, tree, v, newest)
            _rewire_neighbors(roads, cost, tree, v, epsilon, newest)
        g[v] = lmc[v]
    return False


@kernel
def insert_vertices(roads, cost, tree, order, balls, epsilon, first, budget):
    """Let vertices ``order[first:]`` be born, oldest first, each as in algorithms 1 and 2.

    order : (n,) int32;  balls : (n,), radius of the ball when each is born, metres
    The queue is emptied after each birth. Returns how many are born after ``budget`` expansions.
    """
    nobody = order[:0]
    limit = tree.counts[EXPANDED] + budget
    everything = np.int64(2**62)
    for i in range(first, order.shape[0]):
        if tree.counts[EXPANDED] >= limit:
            return i
        v = order[i]
        tree.ball[0] = balls[i]
        _update_lmc(roads, cost, tree, v, i)
        if tree.lmc[v] < np.inf:
            _verify_queue(tree, v)
            reduce_inconsistency(
                roads, cost, tree, epsilon, i, nobody, balls[:0], False, everything
            )
    return order.shape[0]


@kernel
def _verify_orphan(tree, v, n_orphans):
    """Algorithm 10; returns the new number of orphans."""
    if tree.orphan[v]:
        return n_orphans
    heap_remove(tree.heap, v)
    tree.orphan[v] = 1
    tree.orphans[n_orphans] = v
    return n_orphans + 1


@kernel
def _propagate_descendants(roads, tree, n_orphans, newest):
    """Algorithm 9."""
    orphans = tree.orphans
    i = 0
    while i < n_orphans:
        v = orphans[i]
        for s in range(roads.indptr[v], roads.indptr[v + 1]):
            if tree.parent[roads.indices[s]] == v:
                n_orphans = _verify_orphan(tree, roads.indices[s], n_orphans)
        i += 1
    for i in range(n_orphans):
        v = orphans[i]
        for s in range(roads.indptr[v], roads.indptr[v + 1]):
            u = roads.indices[s]
            if tree.orphan[u] or tree.born[u] > newest or tree.lmc[u] == np.inf:
                continue
            if _may_lead(tree, v, u, roads.length[s]):
                tree.g[u] = np.inf
                _verify_queue(tree, u)
    for i in range(n_orphans):
        v = orphans[i]
        tree.orphan[v] = 0
        tree.g[v] = np.inf
        tree.lmc[v] = np.inf
        tree.parent[v] = NO_PARENT
    tree.counts[ORPHANED] += n_orphans


@kernel
def update_obstacles(roads, cost, tree, turned, linked, old_links, newest):
    """Algorithms 8, 11 and 12: follow motions that turned, and goals that are seen otherwise.

    turned : (k,) int32, lower slots;  cost : (m,) as it is now
    linked : (l,) int32, vertices that have or had a motion to a goal;  old_links : (l,), its length
    """
    for i in range(turned.shape[0]):
        s = turned[i]
        if cost[s] == np.inf:
            continue
        ends = (roads.indices[roads.reverse[s]], roads.indices[s])
        for v in ends:
            if tree.born[v] <= newest:
                _update_lmc(roads, cost, tree, v, newest)
                if tree.lmc[v] != tree.g[v]:
                    _verify_queue(tree, v)
    n_orphans = 0
    for i in range(turned.shape[0]):
        s = turned[i]
        if cost[s] < np.inf:
            continue
        u, v = roads.indices[roads.reverse[s]], roads.indices[s]
        if tree.parent[u] == v:
            n_orphans = _verify_orphan(tree, u, n_orphans)
        if tree.parent[v] == u:
            n_orphans = _verify_orphan(tree, v, n_orphans)
    for i in range(linked.shape[0]):
        v = linked[i]
        if tree.parent[v] == GOAL and tree.goal_link[v] > old_links[i]:
            n_orphans = _verify_orphan(tree, v, n_orphans)
    _propagate_descendants(roads, tree, n_orphans, newest)
    for i in range(linked.shape[0]):
        v = linked[i]
        if tree.goal_link[v] < tree.lmc[v] and tree.born[v] <= newest:
            tree.lmc[v] = tree.goal_link[v]
            tree.parent[v] = GOAL
            _verify_queue(tree, v)
