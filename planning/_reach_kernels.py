"""What a start can reach at all, for when the goal is cut off from it."""

import numpy as np

from graphs._jit import kernel, lean_kernel
from graphs.heap import heap_pop, heap_push_or_update
from problems.worlds.kernels import motion_is_free


@lean_kernel
def begin_reach(vertices, lengths, heap, cost, parent):
    """Queue the ``vertices`` (k,) that the start sees at ``lengths`` (k,), metres.

    heap : empty;  cost : (n,), all inf;  parent : (n,) int32, all -1
    """
    for i in range(vertices.shape[0]):
        cost[vertices[i]] = lengths[i]
        parent[vertices[i]] = -1
        heap_push_or_update(heap, vertices[i], lengths[i])


@lean_kernel
def reach(roads, arrays, heap, cost, parent, budget):
    """Expand at most ``budget`` queued vertices outwards, asking for motions as they are wanted.

    Returns the number of vertices expanded: fewer than ``budget`` if nothing is left.
    """
    points = roads.points
    for expanded in range(budget):
        if heap.size[0] == 0:
            return expanded
        z = heap_pop(heap)
        for s in range(roads.indptr[z], roads.indptr[z + 1]):
            x = roads.indices[s]
            through = cost[z] + roads.length[s]
            if through < cost[x]:
                p, q = points[min(z, x)], points[max(z, x)]
                if motion_is_free(arrays, p, q):
                    cost[x] = through
                    parent[x] = z
                    heap_push_or_update(heap, x, through)
    return budget


@kernel
def nearest_reached(roads, cost, goals):
    """Return the reached vertex nearest to any of ``goals`` (k, d), or -1, and its distance."""
    best = np.inf
    which = -1
    for v in range(cost.shape[0]):
        if cost[v] == np.inf:
            continue
        for k in range(goals.shape[0]):
            gap = np.sqrt(np.sum((roads.points[v] - goals[k]) ** 2))
            if gap < best or (gap == best and cost[v] < cost[which]):
                best = gap
                which = v
    return which, best
