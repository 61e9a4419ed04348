"""One repair of the tree in one kernel: what the world changed, then what the robot needs."""

import numpy as np

from graphs._jit import kernel
from planning import _tree_kernels as trees
from planning._edge_kernels import (
    apply_hits,
    retest_touched,
    test_all_edges,
    touch_boxes,
    turn_discs,
)
from planning._join_kernels import join_goals, nearest_goal, visible_vertices

# how edges follow the world
COUNT = 0  # discs are counted on and off
RETEST = 1  # edges near a change are tested again at once
LAZY = 2  # edges near a change are tested when a search wants them
TEST_ALL = 3  # every edge is tested
NOTHING_CHANGED = 4


@kernel
def follow_edges(roads, edges, tree, arrays, mode, freed, blocked, n_moved, boxes):
    """Bring what is known of edges in line with the world; return how many turned (``turned``)."""
    if mode == COUNT:
        n_touched = turn_discs(roads, edges, freed, blocked, n_moved)
        return apply_hits(roads, edges, n_touched)
    if mode == TEST_ALL:
        test_all_edges(roads, edges, arrays)
        return 0
    n_touched = touch_boxes(roads, edges, boxes, 0)
    return retest_touched(roads, edges, arrays, tree.parent, mode == LAZY, n_touched)


@kernel
def mend(roads, edges, tree, arrays, n_turned, goals, radius, focused):
    """Orphan what lost its way, then find who can adopt it and what has become shorter."""
    counts = tree.counts
    n_linked = counts[trees.LINKED]
    were_linked = tree.linked[:n_linked].copy()
    counts[trees.LINKED] = join_goals(
        roads,
        arrays,
        goals,
        radius,
        tree.goal_link,
        tree.goal_of,
        tree.linked,
        n_linked,
        tree.lengths,
    )
    trees.orphan_blocked(roads, edges, tree, edges.turned, n_turned)
    for i in range(n_linked):
        v = were_linked[i]
        if tree.parent[v] == trees.GOAL and tree.cost[v] != tree.goal_link[v]:
            trees.orphan_subtree(tree, v)
    trees.seek_parents(roads, edges, tree, arrays)
    trees.seek_freed(roads, edges, tree, arrays, edges.turned, n_turned)
    trees.seek_links(tree)
    trees.accept_offers(roads, tree, focused)


@kernel
def look_from(roads, tree, arrays, start, goals, radius, bound):
    """Join the robot at ``start`` (d,); ``bound`` (1,) becomes its cost as far as known."""
    counts = tree.counts
    for i in range(counts[trees.SEEN]):
        tree.start_link[tree.seen[i]] = np.inf
    counts[trees.SEEN] = visible_vertices(roads, arrays, start, radius, tree.seen, tree.lengths)
    bound[0] = np.inf
    for i in range(counts[trees.SEEN]):
        v = tree.seen[i]
        tree.start_link[v] = tree.lengths[i]
        bound[0] = min(bound[0], tree.cost[v] + tree.lengths[i])
    which = nearest_goal(arrays, start, goals, radius)
    if which >= 0:
        bound[0] = min(bound[0], np.sqrt(np.sum((goals[which] - start) ** 2)))


@kernel
def repair(
    roads,
    edges,
    tree,
    arrays,
    mode,
    freed,
    blocked,
    n_moved,
    boxes,
    start,
    goals,
    radius,
    focused,
    bound,
    budget,
):
    """Bring the tree in line with the world and settle it as far as the robot needs.

    mode : one of COUNT, RETEST, LAZY, TEST_ALL, NOTHING_CHANGED
    freed, blocked : (k, d + 1), discs before and after, of which ``n_moved`` are the same
    boxes : (k, d, 2), where edges may have turned;  start : (d,);  goals : (k, d)
    bound : (1,), overwritten with the robot's cost;  budget : most vertices to expand
    Returns the number of vertices expanded; fewer than ``budget`` if the work is done.
    """
    trees.begin_update(tree)
    if mode != NOTHING_CHANGED:
        n_turned = follow_edges(roads, edges, tree, arrays, mode, freed, blocked, n_moved, boxes)
        trees.aim(roads, tree, start, focused)
        mend(roads, edges, tree, arrays, n_turned, goals, radius, focused)
    else:
        trees.aim(roads, tree, start, focused)
    bound[0] = np.inf
    if focused:
        look_from(roads, tree, arrays, start, goals, radius, bound)
    spent = trees.expand(roads, edges, tree, arrays, focused, bound, budget)
    trees.list_children(tree)
    return spent


@kernel
def resume(roads, edges, tree, arrays, focused, bound, budget):
    """Go on expanding after a repair that spent its budget."""
    spent = trees.expand(roads, edges, tree, arrays, focused, bound, budget)
    trees.list_children(tree)
    return spent
