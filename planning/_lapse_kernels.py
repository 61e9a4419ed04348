"""Answers that lapse: near a change, motions are asked about again when a search wants them.

A motion that touches a change has an end within half its length of it, so what is near is a matter
of vertices, not of motions: these get the age of the change, and what was asked before is stale.
Only what the tree uses there is tested at once. What a change may have freed is found later, from
the vertices around it: by what is noted as blocked and would improve a neighbour.
"""

import numpy as np

from graphs._jit import inner_kernel, lean_kernel
from graphs.heap import heap_push_or_update
from planning import _tree_kernels as trees
from planning._edge_kernels import discs_meet, is_covered, test_edge
from planning._roads import collect_in_box, distance
from problems.worlds._disc_kernels import disc_hits_segment
from problems.worlds.kernels import motion_is_free

HAIR = 1.0 + 1e-9


@inner_kernel
def _parent_leg_is_free(roads, arrays, tree, disc, v):
    """Tell whether the motion from ``v`` to its parent is free: of ``disc``, if there is one."""
    u = tree.parent[v]
    p, q = roads.points[min(u, v)], roads.points[max(u, v)]
    if disc[-1] >= 0.0:
        return not disc_hits_segment(disc, p, q)
    return motion_is_free(arrays, p, q)


@inner_kernel
def _orphan_near(roads, tree, arrays, disc, v):
    """Orphan ``v`` and its children where the motion to the parent is blocked now."""
    if tree.cost[v] == np.inf:
        return
    if tree.parent[v] >= 0 and not _parent_leg_is_free(roads, arrays, tree, disc, v):
        trees.orphan_subtree(tree, v)
        return
    c = tree.child[v]
    while c >= 0:
        following = tree.next[c]
        if not _parent_leg_is_free(roads, arrays, tree, disc, c):
            trees.orphan_subtree(tree, c)
        c = following


@inner_kernel
def _note_freed(edges, tree, v):
    """List ``v`` among the vertices around what went away, once, if that may be of use."""
    if edges.hindered[v] and edges.listed[v] == 0 and tree.cost[v] < np.inf:
        edges.listed[v] = 1
        edges.freed[edges.n_freed[0]] = v
        edges.n_freed[0] += 1


@lean_kernel
def _lapse_disc(roads, edges, tree, arrays, was, now):
    """Follow a disc that went not far; see ``lapse_move``."""
    points, near, age = roads.points, edges.near, edges.age[0]
    d = points.shape[1]
    low, high = edges.corners[0], edges.corners[1]
    for k in range(d):
        low[k], high[k] = np.inf, -np.inf
        if was[d] >= 0.0:
            low[k], high[k] = was[k] - was[d], was[k] + was[d]
        if now[d] >= 0.0:
            low[k] = min(low[k], now[k] - now[d])
            high[k] = max(high[k], now[k] + now[d])
    whole = roads.longest * HAIR
    count = collect_in_box(roads, low, high, whole, near)
    for i in range(count):
        v = near[i]
        to_was, to_now = np.inf, np.inf
        if was[d] >= 0.0:
            to_was = distance(points, v, was[:d]) - was[d]
        if now[d] >= 0.0:
            to_now = distance(points, v, now[:d]) - now[d]
        if max(to_was, to_now) < -1e-9:
            continue  # inside before and after: nothing turns
        if to_was <= whole:
            _note_freed(edges, tree, v)
        if min(to_was, to_now) <= 0.5 * whole:
            edges.since[v] = age
        if to_now <= 0.5 * whole:
            _orphan_near(roads, tree, arrays, now, v)
    return count


@inner_kernel
def lapse_move(roads, edges, tree, arrays, was, now):
    """Follow a disc that went from ``was`` to ``now`` (d + 1,), however far; radius < 0: absent.

    Returns the number of vertices near it.
    """
    if was[-1] < 0.0 or now[-1] < 0.0 or discs_meet(was, now):
        return _lapse_disc(roads, edges, tree, arrays, was, now)
    count = _lapse_disc(roads, edges, tree, arrays, was, edges.absent)
    return count + _lapse_disc(roads, edges, tree, arrays, edges.absent, now)


@inner_kernel
def lapse_boxes(roads, edges, tree, arrays, boxes, n_blocked):
    """Follow a world that changed within ``boxes`` (k, d, 2), the first of which were blocked."""
    near, age = edges.near, edges.age[0]
    low, high = edges.corners[0], edges.corners[1]
    whole = roads.longest * HAIR
    for i in range(boxes.shape[0]):
        for k in range(boxes.shape[1]):
            low[k], high[k] = boxes[i, k, 0], boxes[i, k, 1]
        count = collect_in_box(roads, low, high, 0.5 * whole, near)
        for j in range(count):
            edges.since[near[j]] = age
        if i < n_blocked:
            for j in range(count):
                _orphan_near(roads, tree, arrays, edges.absent, near[j])
        else:
            count = collect_in_box(roads, low, high, whole, near)
            for j in range(count):
                _note_freed(edges, tree, near[j])
    edges.age[0] = age + 1


@inner_kernel
def seek_lapsed(roads, edges, tree, arrays, focused, bound):
    """Find what motions around what went away would improve if they are free now.

    Only those noted as blocked, or to unreached vertices, can do so. Those that cannot matter to a
    robot whose path costs ``bound`` metres are not asked about: where they begin is queued.
    """
    indptr, indices, length = roads.indptr, roads.indices, roads.length
    points, focus = roads.points, tree.focus
    cost, better, heap = tree.cost, tree.better, tree.heap
    for i in range(edges.n_freed[0]):
        z = edges.freed[i]
        edges.listed[z] = 0
        g = cost[z]
        if g == np.inf:
            continue
        key = tree.drift[0] + (g + distance(points, z, focus) if focused else g)
        if heap.position[z] >= 0 and heap.key[z] <= key:
            continue  # it is yet to be expanded
        if key >= bound + tree.drift[0]:
            heap_push_or_update(heap, z, key)
            continue
        later = np.inf
        for s in range(indptr[z], indptr[z + 1]):
            x = indices[s]
            if edges.cost[s] < np.inf and cost[x] < np.inf:
                continue
            through = g + length[s]
            if through >= cost[x] or through >= better[x]:
                continue
            least = through + distance(points, x, focus) if focused else through
            if least >= bound:
                later = min(later, least)
            elif cost[x] == np.inf and is_covered(roads, edges, arrays, z, np.int64(s)):
                continue
            elif test_edge(roads, edges, arrays, z, np.int64(s)):
                trees.offer(tree, x, z, through)
        later += tree.drift[0]
        if later < np.inf and (heap.position[z] < 0 or later < heap.key[z]):
            heap_push_or_update(heap, z, later)
    edges.n_freed[0] = 0
