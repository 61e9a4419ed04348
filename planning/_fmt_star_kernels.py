"""The Fast Marching Tree, grown once (Janson et al., 2015, algorithm 1)."""

import numpy as np

from graphs._jit import kernel
from graphs.heap import heap_clear, heap_peek, heap_pop, heap_push
from problems.worlds.kernels import motion_is_free, point_is_free

UNVISITED, OPEN, CLOSED = 0, 1, 2


@kernel
def open_linked(roads, arrays, goal_link, heap, state, cost, parent):
    """Open the vertices that the goal sees, and close those that lie in obstacles.

    goal_link : (n,) float64, lengths of free motions to the goal, inf where there is none
    heap : over n vertices;  state : (n,) uint8, overwritten
    cost : (n,) float64 and parent : (n,) int32 are overwritten; parent is -2 at the goal
    """
    heap_clear(heap)
    for v in range(cost.shape[0]):
        state[v] = UNVISITED if point_is_free(arrays, roads.points[v]) else CLOSED
        cost[v] = np.inf
        parent[v] = -1
        if goal_link[v] < np.inf:
            cost[v] = goal_link[v]
            parent[v] = -2
            state[v] = OPEN
            heap_push(heap, v, goal_link[v])


@kernel
def grow_tree(roads, arrays, heap, state, fresh, cost, parent, budget):
    """Grow the tree from its open vertices until none is left or ``budget`` are expanded.

    heap, state, cost, parent : as ``open_linked`` left them;  fresh : (n,) int32, workspace
    Returns how many vertices were expanded and how many motions tested.
    """
    expanded = 0
    checks = 0
    while expanded < budget and heap_peek(heap) >= 0:
        z = heap_peek(heap)
        n_fresh = 0
        for s in range(roads.indptr[z], roads.indptr[z + 1]):
            x = roads.indices[s]
            if state[x] != UNVISITED:
                continue
            best = np.inf
            y = -1
            for t in range(roads.indptr[x], roads.indptr[x + 1]):
                u = roads.indices[t]
                if state[u] == OPEN and cost[u] + roads.length[t] < best:
                    best = cost[u] + roads.length[t]
                    y = u
            checks += 1
            if motion_is_free(arrays, roads.points[x], roads.points[y]):
                cost[x] = best
                parent[x] = y
                fresh[n_fresh] = x
                n_fresh += 1
        heap_pop(heap)
        state[z] = CLOSED
        expanded += 1
        for i in range(n_fresh):  # what is connected in this step opens after it
            x = fresh[i]
            if state[x] == UNVISITED:
                state[x] = OPEN
                heap_push(heap, x, cost[x])
    return expanded, checks
