"""D* Lite on a roadmap (Koenig & Likhachev, 2002, figure 4, the optimized version).

``g`` and ``rhs`` as published, the goal being every vertex that sees it: rhs(v) is the least of
``goal_link[v]`` and cost + g over the neighbours. The heuristic is the distance to the robot times
``HAIR``: smaller by so little that it changes nothing but ties, which it settles by g as the second
key of the paper does.
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
    heap_update,
    make_heap,
)
from planning._roads import distance

HAIR = 1.0 - 1e-7
SLACK = 1e-9  # what rounding may do to a key, as a share of it

EXPANDED = 0


class Search(NamedTuple):
    """State of the search over ``n`` vertices."""

    g: NDArray[np.float64]  # (n,), metres
    rhs: NDArray[np.float64]  # (n,), metres
    goal_link: NDArray[np.float64]  # (n,), metres, inf where the goal is not seen
    goal_of: NDArray[np.int32]  # (n,), which goal
    heap: IndexedHeap
    robot: NDArray[np.float64]  # (d,), what keys are relative to, metres
    drift: NDArray[np.float64]  # (1,), the paper's k_m, metres


def make_search(n: int, dimension: int) -> Search:
    """Return the state in which nothing is known."""
    return Search(
        g=np.full(n, np.inf),
        rhs=np.full(n, np.inf),
        goal_link=np.full(n, np.inf),
        goal_of=np.full(n, -1, np.int32),
        heap=make_heap(n),
        robot=np.full(dimension, np.nan),
        drift=np.zeros(1),
    )


def copy_search(search: Search) -> Search:
    """Return a copy to search on in; the goals are shared."""
    return search._replace(
        g=search.g.copy(),
        rhs=search.rhs.copy(),
        heap=IndexedHeap._make(array.copy() for array in search.heap),
        robot=search.robot.copy(),
        drift=search.drift.copy(),
    )


@kernel
def vertex_key(roads, search, weight, v):
    """Key of ``v``; ``weight`` is HAIR, or 0 for a search that looks everywhere."""
    ahead = weight * distance(roads.points, v, search.robot) if weight > 0.0 else 0.0
    return min(search.g[v], search.rhs[v]) + ahead + search.drift[0]


@kernel
def aim_search(search, weight, robot):
    """Let keys be relative to ``robot`` (d,); those queued stay lower bounds."""
    moved = 0.0
    for k in range(robot.shape[0]):
        moved += (robot[k] - search.robot[k]) ** 2
    if moved > 0.0:  # not at first, when it is NaN
        search.drift[0] += weight * np.sqrt(moved)
    search.robot[:] = robot


@kernel
def _queue_or_not(roads, search, weight, v):
    if search.g[v] != search.rhs[v]:
        heap_push_or_update(search.heap, v, vertex_key(roads, search, weight, v))
    else:
        heap_remove(search.heap, v)


@kernel
def _best_next(roads, cost, search, v):
    """Least of the goal's link and cost + g over the neighbours of ``v``."""
    best = search.goal_link[v]
    for s in range(roads.indptr[v], roads.indptr[v + 1]):
        best = min(best, cost[s] + search.g[roads.indices[s]])
    return best


@kernel
def renew_vertices(roads, cost, search, weight, vertices):
    """Bring rhs of ``vertices`` (k,) int32 in line with their motions; queue what that disturbs."""
    for i in range(vertices.shape[0]):
        v = vertices[i]
        search.rhs[v] = _best_next(roads, cost, search, v)
        _queue_or_not(roads, search, weight, v)


@kernel
def _bound(search, weight, linked, lengths):
    """Key up to which vertices must be settled: the robot's cost over its links."""
    if weight == 0.0:
        return np.inf
    best = np.inf
    for i in range(linked.shape[0]):
        best = min(best, search.g[linked[i]] + lengths[i])
    return (best + search.drift[0]) * (1.0 + SLACK)


@kernel
def shorten_paths(roads, cost, search, weight, linked, lengths, budget, counts):
    """Settle what can matter to a robot that joins vertices ``linked`` (k,) by ``lengths`` (k,).

    counts : (1,) int64, vertices expanded are added
    Returns False when ``budget`` vertices were expanded first.
    """
    g, rhs, heap = search.g, search.rhs, search.heap
    bound = _bound(search, weight, linked, lengths)
    for _ in range(budget):
        u = heap_peek(heap)
        if u < 0 or heap.key[u] > bound:
            return True
        fresh = vertex_key(roads, search, weight, u)
        if heap.key[u] < fresh:
            heap_update(heap, u, fresh)
            continue
        heap_pop(heap)
        counts[EXPANDED] += 1
        if g[u] > rhs[u]:
            g[u] = rhs[u]
            for s in range(roads.indptr[u], roads.indptr[u + 1]):
                v = roads.indices[s]
                through = cost[s] + g[u]
                if through < rhs[v]:
                    rhs[v] = through
                    _queue_or_not(roads, search, weight, v)
        else:
            old = g[u]
            g[u] = np.inf
            _queue_or_not(roads, search, weight, u)
            for s in range(roads.indptr[u], roads.indptr[u + 1]):
                v = roads.indices[s]
                if cost[s] + old == rhs[v]:
                    rhs[v] = _best_next(roads, cost, search, v)
                    _queue_or_not(roads, search, weight, v)
        bound = _bound(search, weight, linked, lengths)
    return False


@kernel
def next_vertices(roads, cost, search, parent):
    """Fill ``parent`` (n,) int32: the next vertex towards the goal, -2 at it, -1 if unreached."""
    for v in range(parent.shape[0]):
        parent[v] = -1
        best = search.g[v]
        if best == np.inf:
            continue
        if search.goal_link[v] <= best:
            parent[v] = -2
            continue
        least = np.inf
        for s in range(roads.indptr[v], roads.indptr[v + 1]):
            through = cost[s] + search.g[roads.indices[s]]
            if through < least:
                least = through
                parent[v] = roads.indices[s]


@kernel
def settled_costs(roads, search, weight, out):
    """Fill ``out`` (n,) with g where it is final, inf elsewhere."""
    least = np.inf
    for i in range(search.heap.size[0]):
        least = min(least, vertex_key(roads, search, weight, search.heap.order[i]))
    for v in range(out.shape[0]):
        settled = search.g[v] == search.rhs[v]
        if least < np.inf:
            settled = settled and vertex_key(roads, search, weight, v) < least * (1.0 - SLACK)
        out[v] = search.g[v] if settled else np.inf
