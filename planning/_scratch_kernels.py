"""Planning from nothing: test every edge, then Dijkstra."""

import numpy as np

from graphs._jit import kernel, lean_kernel
from graphs.heap import heap_clear, heap_pop, heap_push_or_update
from planning._roads import distance
from problems.worlds._disc_kernels import disc_hits_segment
from problems.worlds.arrays import DISCS
from problems.worlds.kernels import motion_is_free


@kernel
def blocked_lengths(roads, arrays, cost, first, last):
    """Fill ``cost`` (m,) with lengths, inf where blocked; return how many edges were tested.

    Of the edges whose lower vertex is one of ``first`` to ``last - 1``.
    Among discs each vertex first lists the discs its edges can reach at all.
    """
    d = roads.points.shape[1]
    discs = arrays.discs
    near = np.empty(discs.shape[0], np.int64)
    checks = 0
    for u in range(first, last):
        p = roads.points[u]
        count = 0
        if arrays.kind == DISCS:
            for i in range(discs.shape[0]):
                if distance(roads.points, u, discs[i, :d]) <= discs[i, d] + roads.longest:
                    near[count] = i
                    count += 1
        for s in range(roads.indptr[u], roads.indptr[u + 1]):
            v = roads.indices[s]
            if v < u:
                continue
            checks += 1
            free = True
            if arrays.kind == DISCS:
                for i in range(count):
                    if disc_hits_segment(discs[near[i]], p, roads.points[v]):
                        free = False
                        break
            else:
                free = motion_is_free(arrays, p, roads.points[v])
            length = roads.length[s] if free else np.inf
            cost[s] = length
            cost[roads.reverse[s]] = length
    return checks


@lean_kernel
def begin_dijkstra(goal_link, heap, cost, parent):
    """Queue the vertices that see the goal; ``goal_link`` (n,) is inf elsewhere."""
    heap_clear(heap)
    for v in range(cost.shape[0]):
        cost[v] = goal_link[v]
        parent[v] = -1
        if goal_link[v] < np.inf:
            parent[v] = -2
            heap_push_or_update(heap, v, goal_link[v])


@lean_kernel
def dijkstra(roads, length, heap, cost, parent, budget):
    """Grow the shortest-path tree, ``cost`` (n,) and ``parent`` (n,) int32, by what is queued.

    ``length`` (m,) is inf on blocked edges. Stops after ``budget`` vertices; returns how many
    were expanded.
    """
    expanded = 0
    while heap.size[0] > 0 and expanded < budget:
        z = heap_pop(heap)
        expanded += 1
        g = cost[z]
        for s in range(roads.indptr[z], roads.indptr[z + 1]):
            through = g + length[s]
            x = roads.indices[s]
            if through < cost[x]:
                cost[x] = through
                parent[x] = z
                heap_push_or_update(heap, x, through)
    return expanded
