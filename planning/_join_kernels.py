"""How a start or goal anywhere in the world joins a roadmap."""

import numpy as np

from graphs._jit import kernel
from planning._roads import collect_in_box, distance
from problems.worlds.kernels import motion_is_free


@kernel
def visible_vertices(roads, arrays, p, radius, vertices, lengths):
    """Find the vertices within ``radius`` of ``p`` (d,) that a straight free motion reaches.

    Writes them to ``vertices`` (n,) int32 and their distances to ``lengths`` (n,); returns their
    number. A vertex that coincides with ``p`` is the only one, and needs no motion.
    """
    count = collect_in_box(roads, p - radius, p + radius, vertices)
    for i in range(count):
        if distance(roads.points, vertices[i], p) == 0.0:
            vertices[0] = vertices[i]
            lengths[0] = 0.0
            return 1
    kept = 0
    for i in range(count):
        v = vertices[i]
        length = distance(roads.points, v, p)
        if length <= radius and motion_is_free(arrays, p, roads.points[v]):
            vertices[kept] = v
            lengths[kept] = length
            kept += 1
    return kept


@kernel
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


@kernel
def follow_parents(parent, v, out):
    """Write the vertices from ``v`` towards the goal to ``out`` (n,) int32; return their number."""
    count = 0
    while v >= 0:
        out[count] = v
        count += 1
        v = parent[v]
    return count
