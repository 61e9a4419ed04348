"""FMTx as it was published: a vertex connects to its best open neighbour, or not at all.

References
----------
Espahbodini Nia (2025), "FMTx: an efficient and asymptotically optimal extension of the Fast
Marching Tree for dynamic replanning", arXiv 2509.08521: expansion, added and removed obstacles.
"""

import numpy as np

from graphs._jit import inner_kernel, lean_kernel
from graphs.heap import heap_pop, heap_push_or_update
from planning import _tree_kernels as trees
from planning._edge_kernels import is_stale, test_edge
from planning._repair_kernels import (
    NOTHING_CHANGED,
    follow_boxes,
    look_from,
    rejoin_goals,
    robot_cost,
)
from planning._roads import collect_in_box


@inner_kernel
def open_vertex(tree, v):
    """Queue ``v`` by its cost, unless it is unreached."""
    if tree.cost[v] < np.inf:
        heap_push_or_update(tree.heap, v, tree.cost[v])


@inner_kernel
def open_around_orphans(roads, tree):
    """Queue the neighbours that the orphans left behind in the tree."""
    for i in range(tree.counts[trees.ORPHANS]):
        x = tree.orphans[i]
        for s in range(roads.indptr[x], roads.indptr[x + 1]):
            open_vertex(tree, roads.indices[s])
    tree.counts[trees.ORPHANED] += tree.counts[trees.ORPHANS]
    tree.counts[trees.ORPHANS] = 0


@inner_kernel
def open_near_freed(roads, edges, tree, freed):
    """Queue the vertices within an edge of a ``freed`` box (k, d, 2), and their neighbours."""
    reach = roads.longest * (1.0 + 1e-12)
    for i in range(freed.shape[0]):
        for k in range(freed.shape[1]):
            edges.corners[0, k], edges.corners[1, k] = freed[i, k, 0], freed[i, k, 1]
        count = collect_in_box(roads, edges.corners[0], edges.corners[1], reach, edges.near)
        for j in range(count):
            u = edges.near[j]
            open_vertex(tree, u)
            for s in range(roads.indptr[u], roads.indptr[u + 1]):
                open_vertex(tree, roads.indices[s])


@inner_kernel
def best_open_neighbor(roads, tree, x, z):
    """Return the slot of ``x`` that leads to the best of ``z`` and the queued vertices."""
    best = np.inf
    slot = -1
    for s in range(roads.indptr[x], roads.indptr[x + 1]):
        y = roads.indices[s]
        if y == z or tree.heap.position[y] >= 0:
            through = tree.cost[y] + roads.length[s]
            if through < best:
                best = through
                slot = s
    return slot


@inner_kernel
def expand_published(roads, edges, tree, arrays, bound, budget):
    """Expand queued vertices in order until the first key reaches ``bound`` or ``budget`` is spent.

    ``bound`` (1,) is the robot's cost as far as known. Returns what of the budget was spent, a
    motion tested costs as much as a vertex expanded. Children are to be listed anew afterwards.
    """
    heap, cost = tree.heap, tree.cost
    expanded = 0
    tested = 0
    while heap.size[0] > 0 and expanded + tested < budget:
        if heap.key[heap.order[0]] >= bound[0]:
            break
        z = heap_pop(heap)
        expanded += 1
        for t in range(roads.indptr[z], roads.indptr[z + 1]):
            x = roads.indices[t]
            if not cost[x] > cost[z] + roads.length[t]:
                continue
            s = best_open_neighbor(roads, tree, x, z)
            if is_stale(edges.known, edges.since, x, s, roads.indices[s]):
                tested += 1
                test_edge(roads, edges, arrays, x, np.int64(s))
            if edges.cost[s] == np.inf:
                continue
            trees.note(tree.stamp, tree.before, tree.moved, tree.counts, cost, x)
            tree.parent[x] = roads.indices[s]
            cost[x] = cost[roads.indices[s]] + roads.length[s]
            open_vertex(tree, x)
            bound[0] = min(bound[0], cost[x] + tree.start_link[x])
    tree.counts[trees.EXPANDED] += expanded
    return expanded + tested


@lean_kernel
def settle_published(
    roads, edges, tree, arrays, start, escape, goals, radius, stops, bound, budget
):
    """Expand the tree, as far as the robot needs if it ``stops`` there.

    Returns less than ``budget`` if all is done.
    """
    bound[0] = np.inf
    if stops:
        look_from(roads, tree, arrays, start, escape, goals, radius)
        bound[0] = robot_cost(tree)
    spent = expand_published(roads, edges, tree, arrays, bound, budget)
    trees.list_children(tree)
    return spent


@lean_kernel
def adopt_published(roads, tree):
    """Let the expansion find parents for the vertices listed as orphans, and for those at goals."""
    open_around_orphans(roads, tree)
    trees.seek_links(tree)
    trees.accept_offers(roads, tree, False)


@inner_kernel
def follow_published(roads, edges, tree, arrays, mode, boxes, freed, goals, radius):
    """Bring edges and tree in line with a world that changed in ``boxes``, ``freed`` some of them.

    mode : one of RETEST, LAPSE, TEST_ALL, NOTHING_CHANGED;  boxes, freed : (k, d, 2)
    """
    if mode == NOTHING_CHANGED:
        return
    n_turned = follow_boxes(roads, edges, tree, arrays, mode, boxes, boxes.shape[0])
    rejoin_goals(roads, tree, arrays, goals, radius)
    trees.orphan_blocked(roads, edges, tree, edges.turned, n_turned)
    open_near_freed(roads, edges, tree, freed)
    adopt_published(roads, tree)
    trees.list_children(tree)


@lean_kernel
def repair_published(
    roads,
    edges,
    tree,
    arrays,
    mode,
    boxes,
    freed,
    start,
    escape,
    goals,
    radius,
    stops,
    bound,
    budget,
):
    """Repair the tree by the published rule; arguments and result as of ``repair``."""
    trees.begin_update(tree)
    trees.aim(tree, start, False)
    follow_published(roads, edges, tree, arrays, mode, boxes, freed, goals, radius)
    return settle_published(
        roads, edges, tree, arrays, start, escape, goals, radius, stops, bound, budget
    )
