"""How a start or goal anywhere in the world joins a roadmap."""

import numpy as np

from graphs._jit import lean_kernel
from planning._roads import collect_in_box, distance
from problems.worlds.kernels import motion_is_free, point_is_free


@lean_kernel
def leg_is_free(arrays, p, q, length, escape, begin):
    """Tell whether the motion of ``length`` from ``p`` to ``q`` (d,) is free.

    Its first ``escape`` metres are not asked for; they lead a robot out of an obstacle.
    begin : (d,), workspace
    """
    if escape <= 0.0:
        return motion_is_free(arrays, p, q)
    if length <= escape:
        return point_is_free(arrays, q)
    for k in range(p.shape[0]):
        begin[k] = p[k] + (escape / length) * (q[k] - p[k])
    return motion_is_free(arrays, begin, q)


@lean_kernel
def visible_vertices(roads, arrays, p, radius, escape, vertices, lengths, begin):
    """Find the vertices within ``radius`` of ``p`` (d,) that a straight free motion reaches.

    Where there are none, twice as far, and so on; ``escape, begin`` as in ``leg_is_free``. Writes
    them to ``vertices`` (n,) int32, their distances to ``lengths`` (n,); returns their number. A
    vertex that coincides with ``p`` is the only one, and needs no motion.
    """
    span = 0.0
    for k in range(p.shape[0]):
        span += (arrays.bounds[k, 1] - arrays.bounds[k, 0]) ** 2
    span = np.sqrt(span)
    while True:
        count = collect_in_box(roads, p, p, radius, vertices)
        for i in range(count):
            if distance(roads.points, vertices[i], p) == 0.0:
                vertices[0] = vertices[i]
                lengths[0] = 0.0
                return 1
        kept = 0
        for i in range(count):
            v = vertices[i]
            length = distance(roads.points, v, p)
            if length > radius:
                continue
            if leg_is_free(arrays, p, roads.points[v], length, escape, begin):
                vertices[kept] = v
                lengths[kept] = length
                kept += 1
        if kept > 0 or radius > span:
            return kept
        radius *= 2.0


@lean_kernel
def join_goals(
    roads, arrays, goals, radius, goal_link, goal_of, linked, n_linked, vertices, lengths
):
    """Renew the free motions from vertices to the nearest of ``goals`` (k, d).

    goal_link : (n,) float64, lengths, inf where there is none;  goal_of : (n,) int32, which goal
    linked : (n,) int32, before and after the vertices that have one
    vertices : (n,) int32, lengths : (n,), workspaces
    Returns their new number.
    """
    for i in range(n_linked):
        goal_link[linked[i]] = np.inf
        goal_of[linked[i]] = -1
    if goals.shape[0] == 1:
        goal = goals[0]  # no leg escapes from a goal, so nothing is written to it
        n_linked = visible_vertices(roads, arrays, goal, radius, 0.0, linked, lengths, goal)
        for i in range(n_linked):
            goal_link[linked[i]] = lengths[i]
            goal_of[linked[i]] = 0
        return n_linked
    n_linked = 0
    for k in range(goals.shape[0]):
        goal = goals[k]  # no leg escapes from a goal, so nothing is written to it
        count = visible_vertices(roads, arrays, goal, radius, 0.0, vertices, lengths, goal)
        for i in range(count):
            v = vertices[i]
            if goal_of[v] < 0:
                linked[n_linked] = v
                n_linked += 1
            if lengths[i] < goal_link[v]:
                goal_link[v] = lengths[i]
                goal_of[v] = k
    return n_linked


@lean_kernel
def nearest_goal(arrays, start, goals, radius, escape, begin):
    """Return the number of the nearest of ``goals`` (k, d) seen within ``radius``, or -1.

    ``escape, begin`` as in ``leg_is_free``.
    """
    best = radius
    which = -1
    for k in range(goals.shape[0]):
        squared = 0.0
        for i in range(start.shape[0]):
            squared += (goals[k, i] - start[i]) ** 2
        length = np.sqrt(squared)
        if length <= best and leg_is_free(arrays, start, goals[k], length, escape, begin):
            best = length
            which = k
    return which


@lean_kernel
def best_link(cost, vertices, lengths):
    """Return the place of the least ``cost[vertex] + length``, or -1 if all are inf."""
    best = np.inf
    place = -1
    for i in range(vertices.shape[0]):
        total = cost[vertices[i]] + lengths[i]
        if total < best:
            best = total
            place = i
    return place


@lean_kernel
def follow_parents(parent, v, out):
    """Write the vertices from ``v`` towards the goal to ``out`` (n,) int32; return their number."""
    count = 0
    while v >= 0:
        out[count] = v
        count += 1
        v = parent[v]
    return count
