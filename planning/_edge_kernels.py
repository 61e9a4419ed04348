"""What is known of each motion of a roadmap, kept up to date from what changed alone.

``cost[s]`` is the length of the motion in slot ``s``, or inf while it is known to be blocked, so
that a search reads one number. Among discs each edge may count the discs that touch it: a moved
disc is taken off where it was and put on where it is, and no other disc is asked again. Else an
edge near a change is tested again: at once, or when a search wants it (``_lapse_kernels``).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from graphs._jit import inner_kernel, lean_kernel
from planning._roads import Roads, collect_in_box
from problems.worlds._disc_kernels import disc_hits_segment
from problems.worlds.kernels import motion_is_free, point_is_free

LISTED = 1  # a stamp: the edge is in ``touched``, or in ``turned`` and has turned
BACK_AGAIN = 2  # the edge is in ``turned``, and is again what it was


class Edges(NamedTuple):
    """Collision answers of one planner; ``m`` slots, both slots of an edge always agree.

    ``hits`` and ``stamp`` are kept at the lower slot of an edge only.
    """

    cost: NDArray[np.float64]  # (m,), metres, inf where known to be blocked
    known: NDArray[np.int32]  # (m,), the age when the world was asked, 0 if never
    since: NDArray[np.int32]  # (n,), the age when answers at the vertex lapsed; older are stale
    age: NDArray[np.int32]  # (1,), grows as answers lapse
    covered: NDArray[np.int32]  # (n,), the age when the vertex was last seen to lie in an obstacle
    hindered: NDArray[np.uint8]  # (n,), 1 if an edge was found blocked
    counted: NDArray[np.uint8]  # (1,), 1 if discs are counted, and so no answer is ever stale
    hits: NDArray[np.int32]  # (m,), discs that touch the edge, where these are counted
    stamp: NDArray[np.uint8]  # (m,), above 0 while the edge is listed; see BACK_AGAIN
    touched: NDArray[np.int32]  # (m,), lower slots of the edges a change may have turned
    turned: NDArray[np.int32]  # (m,), lower slots of the edges that did turn
    tails: NDArray[np.int32]  # (m,), the vertex that owns each slot
    freed: NDArray[np.int32]  # (n,), vertices around what went away
    n_freed: NDArray[np.int64]  # (1,), how many are listed there
    listed: NDArray[np.uint8]  # (n,), 1 while a vertex is listed there
    near: NDArray[np.int32]  # (n,), workspace: vertices near a change
    gap: NDArray[np.float64]  # (n,), workspace: how far vertices in ``near`` are, inf elsewhere
    met: NDArray[np.int64]  # (n + 1,), workspace: slots of one vertex
    corners: NDArray[np.float64]  # (2, d), workspace: a box
    absent: NDArray[np.float64]  # (d + 1,), all -1: a disc that is not there
    checks: NDArray[np.int64]  # (1,), edges tested so far


def make_edges(roads: Roads) -> Edges:
    """Return the state in which nothing is known and everything is hoped to be free."""
    n, m = len(roads.points), len(roads.indices)
    d = roads.points.shape[1]
    return Edges(
        cost=roads.length.copy(),
        known=np.zeros(m, np.int32),
        since=np.zeros(n, np.int32),
        age=np.ones(1, np.int32),
        covered=np.zeros(n, np.int32),
        hindered=np.zeros(n, np.uint8),
        counted=np.zeros(1, np.uint8),
        hits=np.zeros(m, np.int32),
        stamp=np.zeros(m, np.uint8),
        touched=np.empty(m, np.int32),
        turned=np.empty(m, np.int32),
        tails=np.repeat(np.arange(n, dtype=np.int32), np.diff(roads.indptr)),
        freed=np.empty(n, np.int32),
        n_freed=np.zeros(1, np.int64),
        listed=np.zeros(n, np.uint8),
        near=np.empty(n, np.int32),
        gap=np.full(n, np.inf),
        met=np.empty(n + 1, np.int64),
        corners=np.empty((2, d)),
        absent=np.full(d + 1, -1.0),
        checks=np.zeros(1, np.int64),
    )


def copy_edges(edges: Edges) -> Edges:
    """Return an independent copy."""
    return Edges._make(array.copy() for array in edges)


def forget_answers(roads: Roads, edges: Edges) -> None:
    """Return to the state in which nothing is known; the number of checks goes on."""
    edges.cost[:] = roads.length
    edges.known[:] = 0
    edges.age[0] += 1


@inner_kernel
def is_stale(known, since, u, s, v):
    """Tell whether the world must be asked about the edge in slot ``s`` from ``u`` to ``v``."""
    return known[s] <= since[u] or known[s] <= since[v]


@inner_kernel
def _squared_distance(points, v, disc):
    if points.shape[1] == 2:  # the loop costs more than its body
        return (points[v, 0] - disc[0]) ** 2 + (points[v, 1] - disc[1]) ** 2
    squared = 0.0
    for k in range(points.shape[1]):
        squared += (points[v, k] - disc[k]) * (points[v, k] - disc[k])
    return squared


@inner_kernel
def _hits(squared_p, squared_q, squared_length, squared_radius):
    """Tell from squared distances alone whether a segment touches a disc, without branching.

    ``squared_p, squared_q``: of the ends to the centre. Returns 1, 0, or -1 if too close to call.
    """
    along = squared_p - squared_q + squared_length  # twice length times the foot's place
    within = (along > 0.0) & (along < 2.0 * squared_length)
    above = 4.0 * squared_length * (squared_p - squared_radius) - along * along
    ends = (squared_p <= squared_radius) | (squared_q <= squared_radius)
    unsure = (not ends) & (abs(above) <= 1e-10 * squared_length * (squared_p + squared_q))
    return int(ends | (within & (above < 0.0))) - 2 * int(unsure)


@inner_kernel
def _gaps_to_disc(roads, edges, was, now):
    """Fill ``near`` with the vertices an edge may touch either disc from, ``gap`` with how far.

    The gap is that to the nearer of both discs; -inf inside both, where nothing can turn. Returns
    the number of vertices.
    """
    points, near, gap = roads.points, edges.near, edges.gap
    d = points.shape[1]
    half = 0.5 * roads.longest * (1.0 + 1e-12)
    low, high = edges.corners[0], edges.corners[1]
    for k in range(d):
        low[k], high[k] = np.inf, -np.inf
        if was[d] >= 0.0:
            low[k] = was[k] - was[d]
            high[k] = was[k] + was[d]
        if now[d] >= 0.0:
            low[k] = min(low[k], now[k] - now[d])
            high[k] = max(high[k], now[k] + now[d])
    kept = 0
    for i in range(collect_in_box(roads, low, high, half, near)):
        v = near[i]
        to_was, to_now = np.inf, np.inf
        if was[d] >= 0.0:
            to_was = np.sqrt(_squared_distance(points, v, was)) - was[d]
        if now[d] >= 0.0:
            to_now = np.sqrt(_squared_distance(points, v, now)) - now[d]
        least = min(to_was, to_now)
        if least <= half:
            gap[v] = -np.inf if max(to_was, to_now) < -1e-9 else least
            near[kept] = v
            kept += 1
    return kept


@inner_kernel
def turn_disc(roads, edges, was, now, n_turned):
    """Follow a disc that ``was`` (d + 1,) there and ``now`` is here, in ``hits`` and ``cost``.

    A radius below zero stands for a disc that is not there. Edges whose hits leave or reach zero
    are appended to ``turned``; its new length is returned. An edge is met once: from the end
    whose gap to the nearer of both discs is smaller, which is at most half the edge's length.
    """
    points, indptr, indices, length = roads.points, roads.indptr, roads.indices, roads.length
    near, gap, met, hits = edges.near, edges.gap, edges.met, edges.hits
    stamp, turned = edges.stamp, edges.turned
    d = points.shape[1]
    squared_was = was[d] * was[d] if was[d] >= 0.0 else -1.0
    squared_now = now[d] * now[d] if now[d] >= 0.0 else -1.0
    kept = _gaps_to_disc(roads, edges, was, now)
    for i in range(kept):
        u = near[i]
        gap_u = gap[u]
        if gap_u == -np.inf:
            continue
        least_length = 2.0 * gap_u * (1.0 - 1e-9)
        n_met = 0
        for s in range(indptr[u], indptr[u + 1]):  # no branches: none could be foreseen
            v = indices[s]
            mine = (gap[v] > gap_u) | ((gap[v] == gap_u) & (u < v))
            met[n_met] = s
            n_met += int(mine & (length[s] >= least_length))
        edges.checks[0] += n_met
        u_was = _squared_distance(points, u, was)
        u_now = _squared_distance(points, u, now)
        for k in range(n_met):
            s = met[k]
            v = indices[s]
            squared_length = length[s] * length[s]
            v_was = _squared_distance(points, v, was)
            v_now = _squared_distance(points, v, now)
            before = _hits(u_was, v_was, squared_length, squared_was)
            after = _hits(u_now, v_now, squared_length, squared_now)
            if before == after and before >= 0:
                continue
            if before < 0 or after < 0:
                p, q = points[min(u, v)], points[max(u, v)]
                before = int(was[d] >= 0.0 and disc_hits_segment(was, p, q))
                after = int(now[d] >= 0.0 and disc_hits_segment(now, p, q))
            turn = after - before
            if turn == 0:
                continue
            opposite = np.int64(roads.reverse[s])
            e = np.int64(s) if u < v else opposite
            old = hits[e]
            hits[e] = old + turn
            if old == 0 or old + turn == 0:
                edges.cost[s] = edges.cost[opposite] = np.inf if old == 0 else length[s]
                if stamp[e] == 0:
                    stamp[e] = LISTED
                    turned[n_turned] = e
                    n_turned += 1
                else:
                    stamp[e] = LISTED + BACK_AGAIN - stamp[e]
    for i in range(kept):
        gap[near[i]] = np.inf
    return n_turned


@inner_kernel
def discs_meet(was, now):
    """Tell whether two discs (d + 1,) have points in common."""
    d = was.shape[0] - 1
    apart = 0.0
    for k in range(d):
        apart += (was[k] - now[k]) ** 2
    return apart < (was[d] + now[d]) ** 2


@lean_kernel
def move_disc(roads, edges, was, now, n_turned):
    """Follow a disc that went from ``was`` to ``now`` (d + 1,), however far; see ``turn_disc``.

    Returns the new length of ``turned``, which is to be closed by ``close_turned``.
    """
    if was[-1] < 0.0 or now[-1] < 0.0 or discs_meet(was, now):
        return turn_disc(roads, edges, was, now, n_turned)
    n_turned = turn_disc(roads, edges, was, edges.absent, n_turned)
    return turn_disc(roads, edges, edges.absent, now, n_turned)


@lean_kernel
def close_turned(edges, n_turned):
    """Drop from ``turned`` what several discs together have left as it was; return its length."""
    kept = 0
    for i in range(n_turned):
        e = edges.turned[i]
        if edges.stamp[e] == LISTED:
            edges.turned[kept] = e
            kept += 1
        edges.stamp[e] = 0
    return kept


@inner_kernel
def is_covered(roads, edges, arrays, u, s):
    """Tell whether the edge in slot ``s`` of vertex ``u`` leads into an obstacle; if so, note it.

    It is noted as any blocked edge is: once its end is free, it will be asked about again.
    """
    v = roads.indices[s]
    if edges.covered[v] != edges.age[0]:
        if point_is_free(arrays, roads.points[v]):
            return False
        edges.covered[v] = edges.age[0]
    _note_blocked(roads, edges, u, s)
    return True


@inner_kernel
def _note_blocked(roads, edges, u, s):
    """Note that the edge in slot ``s`` of vertex ``u`` is blocked."""
    r = roads.reverse[s]
    edges.cost[s] = np.inf
    edges.cost[r] = np.inf
    edges.known[s] = edges.age[0]
    edges.known[r] = edges.age[0]
    edges.hindered[u] = 1
    edges.hindered[roads.indices[s]] = 1


@inner_kernel
def test_edge(roads, edges, arrays, u, s):
    """Ask the world about the edge in slot ``s`` of vertex ``u``, note the answer and return it."""
    v = roads.indices[s]
    edges.checks[0] += 1
    if u < v:
        free = motion_is_free(arrays, roads.points[u], roads.points[v])
    else:
        free = motion_is_free(arrays, roads.points[v], roads.points[u])
    if not free:
        _note_blocked(roads, edges, u, s)
        return False
    r = roads.reverse[s]
    edges.cost[s] = roads.length[s]
    edges.cost[r] = roads.length[s]
    edges.known[s] = edges.age[0]
    edges.known[r] = edges.age[0]
    return True


@lean_kernel
def test_all_edges(roads, edges, arrays):
    """Ask the world about every edge."""
    for u in range(roads.points.shape[0]):
        for s in range(roads.indptr[u], roads.indptr[u + 1]):
            if u < roads.indices[s]:
                test_edge(roads, edges, arrays, np.int32(u), np.int64(s))


@lean_kernel
def touch_boxes(roads, edges, boxes, n_touched):
    """Append to ``touched`` the edges whose own box meets one of ``boxes`` (k, d, 2).

    Returns the new length of ``touched``.
    """
    d = roads.points.shape[1]
    reach = 0.5 * roads.longest * (1.0 + 1e-12)
    for i in range(boxes.shape[0]):
        for k in range(d):
            edges.corners[0, k], edges.corners[1, k] = boxes[i, k, 0], boxes[i, k, 1]
        count = collect_in_box(roads, edges.corners[0], edges.corners[1], reach, edges.near)
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
                    edges.stamp[e] = LISTED
                    edges.touched[n_touched] = e
                    n_touched += 1
    return n_touched


@lean_kernel
def retest_touched(roads, edges, arrays, n_touched):
    """Test the touched edges again; return how many ``turned``."""
    n_turned = 0
    for i in range(n_touched):
        e = edges.touched[i]
        edges.stamp[e] = 0
        was_blocked = edges.cost[e] == np.inf
        if was_blocked == test_edge(roads, edges, arrays, edges.tails[e], np.int64(e)):
            edges.turned[n_turned] = e
            n_turned += 1
    return n_turned
