"""What is known of each motion of a roadmap, kept up to date from what changed alone.

``cost[s]`` is the length of the motion in slot ``s``, or inf while it is known to be blocked, so
that a search reads one number. Among discs each edge counts the discs that touch it: a moved disc
is taken off where it was and put on where it is, and no other disc is asked again. In other
worlds an edge near a change is tested again, at once (eager) or when a search wants it (lazy).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from graphs._jit import kernel
from planning._roads import Roads, collect_in_box, distance
from problems.worlds._disc_kernels import disc_contains, disc_hits_segment
from problems.worlds.kernels import motion_is_free


class Edges(NamedTuple):
    """Collision answers of one planner; ``m`` slots, both slots of an edge always agree.

    ``hits`` and ``stamp`` are kept at the lower slot of an edge only.
    """

    cost: NDArray[np.float64]  # (m,), metres, inf where known to be blocked
    known: NDArray[np.uint8]  # (m,), 1 where the world was asked since it last changed there
    hits: NDArray[np.int32]  # (m,), discs that touch the edge, where these are counted
    stamp: NDArray[np.uint8]  # (m,), 1 while the edge is listed in ``touched``
    touched: NDArray[np.int32]  # (m,), lower slots of the edges a change may have turned
    tails: NDArray[np.int32]  # (m,), the vertex that owns each slot
    near: NDArray[np.int32]  # (n,), workspace: vertices near a change
    checks: NDArray[np.int64]  # (1,), edges tested so far


def make_edges(roads: Roads) -> Edges:
    """Return the state in which nothing is known and everything is hoped to be free."""
    n, m = len(roads.points), len(roads.indices)
    return Edges(
        cost=roads.length.copy(),
        known=np.zeros(m, np.uint8),
        hits=np.zeros(m, np.int32),
        stamp=np.zeros(m, np.uint8),
        touched=np.empty(m, np.int32),
        tails=np.repeat(np.arange(n, dtype=np.int32), np.diff(roads.indptr)),
        near=np.empty(n, np.int32),
        checks=np.zeros(1, np.int64),
    )


def copy_edges(edges: Edges) -> Edges:
    """Return an independent copy."""
    return Edges._make(array.copy() for array in edges)


@kernel
def count_disc(roads, edges, disc, other, paired, sign, n_touched):
    """Add ``sign`` to the hits of every edge that touches ``disc`` (d + 1,).

    Edges with an end in both ``disc`` and ``other`` are left out when ``paired``: the two are one
    disc before and after its move, and block them both times. Edges whose hits leave or reach
    zero are appended to ``touched``; their new number is returned. Each edge is met once, from
    the end nearer to the centre, which lies within half an edge of the disc.
    """
    d = roads.points.shape[1]
    radius = disc[d]
    reach = radius + 0.5 * roads.longest
    low = disc[:d] - reach
    high = disc[:d] + reach
    center = disc[:d]
    count = collect_in_box(roads, low, high, edges.near)
    for i in range(count):
        u = edges.near[i]
        p = roads.points[u]
        du = distance(roads.points, u, center)
        if du > reach:
            continue
        if paired and disc_contains(disc, p) and disc_contains(other, p):
            continue
        for s in range(roads.indptr[u], roads.indptr[u + 1]):
            if du > radius + 0.5 * roads.length[s] * (1.0 + 1e-12):
                continue
            v = roads.indices[s]
            dv = distance(roads.points, v, center)
            if dv < du or (dv == du and v < u):
                continue
            q = roads.points[v]
            if paired and disc_contains(disc, q) and disc_contains(other, q):
                continue
            edges.checks[0] += 1
            if u < v:
                e = s
                hit = disc_hits_segment(disc, p, q)
            else:
                e = roads.reverse[s]
                hit = disc_hits_segment(disc, q, p)
            if not hit:
                continue
            before = edges.hits[e]
            edges.hits[e] = before + sign
            if (before == 0 or before + sign == 0) and edges.stamp[e] == 0:
                edges.stamp[e] = 1
                edges.touched[n_touched] = e
                n_touched += 1
    return n_touched


@kernel
def count_changed_discs(roads, edges, freed, blocked, n_moved):
    """Take the ``freed`` discs (k, d + 1) off and put the ``blocked`` ones on.

    Rows before ``n_moved`` are the same disc before and after. Returns the length of ``touched``.
    """
    n_touched = 0
    for i in range(freed.shape[0]):
        paired = i < n_moved
        other = blocked[i] if paired else freed[i]
        n_touched = count_disc(roads, edges, freed[i], other, paired, -1, n_touched)
    for i in range(blocked.shape[0]):
        paired = i < n_moved
        other = freed[i] if paired else blocked[i]
        n_touched = count_disc(roads, edges, blocked[i], other, paired, 1, n_touched)
    return n_touched


@kernel
def apply_hits(roads, edges, n_touched, turned):
    """Bring ``cost`` in line with ``hits`` for the touched edges.

    Writes those that turned to ``turned`` (m,) int32, lower slots, and returns their number.
    """
    n_turned = 0
    for i in range(n_touched):
        e = edges.touched[i]
        edges.stamp[e] = 0
        was_blocked = edges.cost[e] == np.inf
        if was_blocked == (edges.hits[e] > 0):
            continue
        cost = roads.length[e] if was_blocked else np.inf
        edges.cost[e] = cost
        edges.cost[roads.reverse[e]] = cost
        turned[n_turned] = e
        n_turned += 1
    return n_turned


@kernel
def test_edge(roads, edges, arrays, u, s):
    """Ask the world about the edge in slot ``s`` of vertex ``u``, note the answer and return it."""
    v = roads.indices[s]
    edges.checks[0] += 1
    if u < v:
        free = motion_is_free(arrays, roads.points[u], roads.points[v])
    else:
        free = motion_is_free(arrays, roads.points[v], roads.points[u])
    r = roads.reverse[s]
    cost = roads.length[s] if free else np.inf
    edges.cost[s] = cost
    edges.cost[r] = cost
    edges.known[s] = 1
    edges.known[r] = 1
    return free


@kernel
def test_all_edges(roads, edges, arrays):
    """Ask the world about every edge."""
    for u in range(roads.points.shape[0]):
        for s in range(roads.indptr[u], roads.indptr[u + 1]):
            if u < roads.indices[s]:
                test_edge(roads, edges, arrays, u, s)


@kernel
def touch_boxes(roads, edges, boxes, n_touched):
    """Append to ``touched`` the edges whose own box meets one of ``boxes`` (k, d, 2).

    Returns the new length of ``touched``.
    """
    d = roads.points.shape[1]
    reach = 0.5 * roads.longest * (1.0 + 1e-12)
    for i in range(boxes.shape[0]):
        count = collect_in_box(roads, boxes[i, :, 0] - reach, boxes[i, :, 1] + reach, edges.near)
        for j in range(count):
            u = edges.near[j]
            for s in range(roads.indptr[u], roads.indptr[u + 1]):
                v = roads.indices[s]
                e = s if u < v else roads.reverse[s]
                if edges.stamp[e] != 0:
                    continue
                meets = True
                for k in range(d):
                    a = roads.points[u, k]
                    b = roads.points[v, k]
                    if min(a, b) > boxes[i, k, 1] or max(a, b) < boxes[i, k, 0]:
                        meets = False
                        break
                if meets:
                    edges.stamp[e] = 1
                    edges.touched[n_touched] = e
                    n_touched += 1
    return n_touched


@kernel
def retest_touched(roads, edges, arrays, parent, lazy, n_touched, turned):
    """Find out which touched edges turned; ``parent`` (n,) int32 is the tree's.

    With ``lazy`` only edges of the tree are tested now; the others are hoped to be free until a
    search wants them, so an edge that was blocked counts as turned. Writes lower slots to
    ``turned`` (m,) int32 and returns their number.
    """
    n_turned = 0
    for i in range(n_touched):
        e = edges.touched[i]
        edges.stamp[e] = 0
        u = edges.tails[e]
        v = roads.indices[e]
        was_blocked = edges.cost[e] == np.inf
        if lazy and not (parent[u] == v or parent[v] == u):
            edges.known[e] = 0
            edges.known[roads.reverse[e]] = 0
            edges.cost[e] = roads.length[e]
            edges.cost[roads.reverse[e]] = roads.length[e]
            blocked = False
        else:
            blocked = not test_edge(roads, edges, arrays, u, e)
        if blocked != was_blocked:
            turned[n_turned] = e
            n_turned += 1
    return n_turned
