"""Collision tests for any kind of world: one branch on the snapshot's integer tag.

Points are (d,) float64 in metres; ``arrays`` is a ``WorldArrays`` snapshot. What lies outside the
world's bounds is never free.
"""

from graphs._jit import inner_kernel, lean_kernel
from problems.worlds._disc_kernels import discs_motion_is_free, discs_point_is_free
from problems.worlds._grid_kernels import grid_motion_is_free, grid_point_is_free
from problems.worlds._shape_kernels import shapes_motion_is_free
from problems.worlds.arrays import DISCS, GRID, SHAPES


@lean_kernel
def point_in_bounds(bounds, p):
    """Tell whether ``p`` (d,) lies within the closed box ``bounds`` (d, 2); NaN does not."""
    for k in range(p.shape[0]):
        if not (bounds[k, 0] <= p[k] <= bounds[k, 1]):
            return False
    return True


@inner_kernel
def _mixture_is_free(arrays, p, q):
    """Tell whether the motion ``p`` to ``q`` (d,) hits nothing of any kind."""
    if not discs_motion_is_free(arrays.discs, p, q):
        return False
    if not shapes_motion_is_free(arrays.shapes, p, q):
        return False
    return arrays.blocked.size == 0 or grid_motion_is_free(arrays, p, q)


@lean_kernel
def point_is_free(arrays, p):
    """Tell whether the configuration ``p`` (d,) is within bounds and hits nothing."""
    if not point_in_bounds(arrays.bounds, p):
        return False
    if arrays.kind == DISCS:
        return discs_point_is_free(arrays.discs, p)
    if arrays.kind == GRID:
        return grid_point_is_free(arrays, p)
    if arrays.kind == SHAPES:
        return _mixture_is_free(arrays, p, p)
    return False


@lean_kernel
def motion_is_free(arrays, p, q):
    """Tell whether the whole straight motion from ``p`` to ``q`` (d,) is free."""
    if not (point_in_bounds(arrays.bounds, p) and point_in_bounds(arrays.bounds, q)):
        return False
    if arrays.kind == DISCS:
        return discs_motion_is_free(arrays.discs, p, q)
    if arrays.kind == GRID:
        return grid_motion_is_free(arrays, p, q)
    if arrays.kind == SHAPES:
        return _mixture_is_free(arrays, p, q)
    return False


@lean_kernel
def points_are_free(arrays, points, out):
    """Fill ``out`` (k,) bool with the answers for ``points`` (k, d)."""
    for i in range(points.shape[0]):
        out[i] = point_is_free(arrays, points[i])


@lean_kernel
def motions_are_free(arrays, starts, ends, out):
    """Fill ``out`` (k,) bool with the answers for the motions ``starts`` to ``ends`` (k, d)."""
    for i in range(starts.shape[0]):
        out[i] = motion_is_free(arrays, starts[i], ends[i])
