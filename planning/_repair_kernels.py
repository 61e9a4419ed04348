"""One repair of the tree in one kernel: what the world changed, then what the robot needs."""

import numpy as np

from graphs._jit import inner_kernel, lean_kernel
from planning import _tree_kernels as trees
from planning._edge_kernels import (
    close_turned,
    move_disc,
    retest_touched,
    test_all_edges,
    touch_boxes,
)
from planning._join_kernels import join_goals, nearest_goal, visible_vertices
from planning._lapse_kernels import lapse_boxes, lapse_move, seek_lapsed
from planning._moves import least_detour, least_waiting, remove_move
from planning._roads import distance

# how edges follow the world
MOVES = 0  # moves of discs are followed when they matter to the robot
RETEST = 1  # edges near a change are tested again at once
LAPSE = 2  # edges near a change are tested when a search wants them
TEST_ALL = 3  # every edge is tested
NOTHING_CHANGED = 4

CHECKS_A_VERTEX = 32  # edges asked about one disc take about as long as one vertex expanded
NEAR_A_VERTEX = 8  # and so do these vertices looked at near a disc


@inner_kernel
def follow_moves(roads, edges, tree, arrays, moves, goals, start, bound, budget):
    """Follow the waiting moves that matter to a robot whose path costs ``bound`` metres.

    Those beyond a ``budget``, counted as by ``settle``, go on waiting. Returns the number of edges
    that turned (``turned``), or -1 if no move was followed, and the work done.
    """
    n_turned = 0
    followed = 0
    spent = 0
    before = edges.checks[0]
    for i in range(moves.size[0] - 1, -1, -1):
        if bound == np.inf or least_detour(moves, i, goals, start) <= bound:
            if spent >= budget:
                break
            was, now = moves.was[i], moves.now[i]
            if edges.counted[0]:
                n_turned = move_disc(roads, edges, was, now, n_turned)
                spent = (edges.checks[0] - before) // CHECKS_A_VERTEX
            else:
                near = lapse_move(roads, edges, tree, arrays, was, now)
                spent += near // NEAR_A_VERTEX
            remove_move(moves, i)
            followed += 1
    if followed == 0:
        return -1, spent
    edges.age[0] += 1 - edges.counted[0]
    return close_turned(edges, n_turned), spent


@inner_kernel
def follow_boxes(roads, edges, tree, arrays, mode, boxes, n_blocked):
    """Bring edges in line with a world that changed within ``boxes``; return how many turned.

    The first ``n_blocked`` boxes are those where something came, the others where it went.
    """
    if mode == TEST_ALL:
        test_all_edges(roads, edges, arrays)
        return 0
    if mode == LAPSE:
        lapse_boxes(roads, edges, tree, arrays, boxes, n_blocked)
        return 0
    n_touched = touch_boxes(roads, edges, boxes, 0)
    return retest_touched(roads, edges, arrays, n_touched)


@inner_kernel
def _farthest_sight(lengths, count, radius):
    """Return ``radius`` if what is seen lies within, else inf: then sight was widened."""
    if count == 0:
        return np.inf
    for i in range(count):
        if lengths[i] > radius:
            return np.inf
    return radius


@lean_kernel
def rejoin_goals(roads, tree, arrays, goals, radius):
    """Renew the links to the goals; orphan whom the one it hung on was taken from."""
    counts = tree.counts
    n_linked = counts[trees.LINKED]
    were_linked = tree.seeds  # nothing is offered now, so these lists are free
    for i in range(n_linked):
        were_linked[i] = tree.linked[i]
    counts[trees.LINKED] = join_goals(
        roads,
        arrays,
        goals,
        radius,
        tree.goal_link,
        tree.goal_of,
        tree.linked,
        n_linked,
        tree.through,
        tree.lengths,
    )
    tree.sight[trees.GOAL_SIGHT] = _farthest_sight(tree.lengths, counts[trees.LINKED], radius)
    for i in range(n_linked):
        v = were_linked[i]
        if tree.parent[v] == trees.GOAL and tree.cost[v] != tree.goal_link[v]:
            trees.orphan_subtree(tree, v)


@inner_kernel
def mend(roads, edges, tree, arrays, n_turned, focused, bound):
    """Orphan what lost its way, then find who can adopt it and what has become shorter."""
    trees.orphan_blocked(roads, edges, tree, edges.turned, n_turned)
    trees.seek_parents(roads, edges, tree, arrays)
    trees.seek_freed(roads, edges, tree, arrays, edges.turned, n_turned)
    seek_lapsed(roads, edges, tree, arrays, focused, bound)
    trees.seek_links(tree)
    trees.accept_offers(roads, tree, focused)
    tree.counts[trees.ORPHANED] += tree.counts[trees.ORPHANS]
    tree.counts[trees.ORPHANS] = 0


@inner_kernel
def disturbed(p, sight, was, now, boxes):
    """Tell whether something changed within ``sight`` metres of ``p`` (d,).

    was, now : (k, d + 1), discs before and after;  boxes : (l, d, 2)
    """
    d = p.shape[0]
    if sight == np.inf:
        return True
    for discs in (was, now):
        for i in range(discs.shape[0]):
            squared = 0.0
            for k in range(d):
                squared += (discs[i, k] - p[k]) ** 2
            if squared <= (discs[i, d] + sight) ** 2 * (1.0 + 1e-9):
                return True
    for i in range(boxes.shape[0]):
        squared = 0.0
        for k in range(d):
            gap = max(boxes[i, k, 0] - p[k], p[k] - boxes[i, k, 1], 0.0)
            squared += gap * gap
        if squared <= sight * sight * (1.0 + 1e-9):
            return True
    return False


@inner_kernel
def look_from(roads, tree, arrays, start, escape, goals, radius):
    """Join the robot at ``start`` (d,) to the vertices and the goal it sees.

    ``escape`` as in ``leg_is_free``; below zero nothing can start there, and nothing is needed.
    """
    counts = tree.counts
    for i in range(counts[trees.SEEN]):
        tree.start_link[tree.seen[i]] = np.inf
    counts[trees.SEEN] = 0
    tree.sight[trees.ROBOT_SIGHT] = np.inf
    tree.sight[trees.DIRECT] = -np.inf
    if escape < 0.0:
        return
    count = visible_vertices(
        roads, arrays, start, radius, escape, tree.seen, tree.lengths, tree.begin
    )
    counts[trees.SEEN] = count
    for i in range(count):
        tree.start_link[tree.seen[i]] = tree.lengths[i]
    if escape == 0.0:
        tree.sight[trees.ROBOT_SIGHT] = _farthest_sight(tree.lengths, count, radius)
    which = nearest_goal(arrays, start, goals, radius, escape, tree.begin)
    direct = np.inf
    if which >= 0:
        direct = distance(goals, which, start)
    tree.sight[trees.DIRECT] = direct


@inner_kernel
def robot_cost(tree):
    """Return the robot's cost as far as known, metres; -inf where nothing can start."""
    cost = tree.sight[trees.DIRECT]
    for i in range(tree.counts[trees.SEEN]):
        v = tree.seen[i]
        cost = min(cost, tree.cost[v] + tree.start_link[v])
    return cost


@lean_kernel
def settle(
    roads,
    edges,
    tree,
    arrays,
    moves,
    start,
    escape,
    goals,
    radius,
    focused,
    bound,
    budget,
    n_turned,
    looks,
):
    """Mend the tree after ``n_turned`` edges turned, and expand it as far as the robot needs.

    With ``looks`` the robot is joined anew; otherwise its links are known to hold.

    Moves of discs that matter to the robot are followed; which ones do is seen from ``bound``
    (1,), the robot's cost before, and again as it grows. Negative ``n_turned``: no edge turned.
    Returns the work done, counted in vertices expanded; less than ``budget`` if all is done.
    """
    spent = 0
    while True:
        followed, work = follow_moves(
            roads, edges, tree, arrays, moves, goals, start, bound[0], budget - spent
        )
        spent += work
        n_turned = max(n_turned, followed)
        if n_turned >= 0:
            mend(roads, edges, tree, arrays, n_turned, focused, bound[0])
            trees.list_children(tree)
        bound[0] = np.inf
        if focused:
            if looks:
                look_from(roads, tree, arrays, start, escape, goals, radius)
                looks = False
            bound[0] = robot_cost(tree)
        if spent >= budget:
            break
        spent += trees.expand(roads, edges, tree, arrays, focused, bound, budget - spent)
        trees.list_children(tree)
        if spent >= budget:
            break
        if moves.size[0] == 0 or least_waiting(moves, goals, start) > bound[0]:
            break
        n_turned = -1
    return spent


@lean_kernel
def repair(
    roads,
    edges,
    tree,
    arrays,
    mode,
    moves,
    was,
    now,
    boxes,
    n_blocked,
    start,
    escape,
    goals,
    radius,
    focused,
    bound,
    budget,
):
    """Bring the tree in line with the world and settle it as far as the robot needs.

    mode : one of MOVES, RETEST, LAPSE, TEST_ALL, NOTHING_CHANGED
    moves : discs whose moves wait;  was, now : (k, d + 1), discs that have changed just now
    boxes : (k, d, 2), where edges may have turned, the first ``n_blocked`` where something came
    start : (d,);  goals : (k, d);  bound : (1,), the robot's cost before, overwritten with it
    Returns the work done, as ``settle`` does.
    """
    trees.begin_update(tree)
    looks = trees.aim(tree, start, focused)
    n_turned = -1
    if mode != NOTHING_CHANGED:
        looks = looks or disturbed(start, tree.sight[trees.ROBOT_SIGHT], was, now, boxes)
        if mode != MOVES:
            n_turned = follow_boxes(roads, edges, tree, arrays, mode, boxes, n_blocked)
        sight = tree.sight[trees.GOAL_SIGHT] if goals.shape[0] == 1 else np.inf
        if disturbed(goals[0], sight, was, now, boxes):
            rejoin_goals(roads, tree, arrays, goals, radius)
            n_turned = max(n_turned, 0)
    return settle(
        roads,
        edges,
        tree,
        arrays,
        moves,
        start,
        escape,
        goals,
        radius,
        focused,
        bound,
        budget,
        n_turned,
        looks,
    )
