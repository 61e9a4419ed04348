"""How far a point is from what it may hit, up to a limit, in every kind of world."""

import numpy as np

from graphs._jit import kernel
from problems.worlds._grid_kernels import to_cells
from problems.worlds._shape_kernels import _squared_gap, _squared_gap_to_line


@kernel
def _grid_clearance(arrays, p):
    """Clearance told for cell centres, interpolated at ``p`` (2,), metres."""
    rows, cols = arrays.clearance.shape
    x, y = to_cells(arrays.frame, p)
    x = min(max(x - 0.5, 0.0), cols - 1.0)
    y = min(max(y - 0.5, 0.0), rows - 1.0)
    col, row = int(x), int(y)
    right, up = min(col + 1, cols - 1), min(row + 1, rows - 1)
    dx, dy = x - col, y - row
    low = (1.0 - dx) * arrays.clearance[row, col] + dx * arrays.clearance[row, right]
    high = (1.0 - dx) * arrays.clearance[up, col] + dx * arrays.clearance[up, right]
    return (1.0 - dy) * low + dy * high


@kernel
def clearance_at(arrays, p, most):
    """Return how far ``p`` (d,) is from the nearest obstacle, ``most`` metres at most.

    The robot's radius is taken off; on a grid the answer is interpolated between cells, and ends
    where the grid's own knowledge does. What lies out of bounds is no obstacle.
    """
    d = p.shape[0]
    least = most
    for i in range(arrays.discs.shape[0]):
        squared = 0.0
        for k in range(d):
            squared += (p[k] - arrays.discs[i, k]) ** 2
        least = min(least, np.sqrt(squared) - arrays.discs[i, d])
    boxes, edges = arrays.shapes.boxes, arrays.shapes.edges
    for i in range(boxes.shape[0]):
        least = min(least, np.sqrt(_squared_gap(boxes[i], p, p, 0.0)) - boxes[i, 2 * d + 2])
    for i in range(arrays.shapes.outlines.shape[0]):
        radius = arrays.shapes.outlines[i, 4]
        for e in range(arrays.shapes.edge_ptr[i], arrays.shapes.edge_ptr[i + 1]):
            a, b = edges[e, :2], edges[e, 2:]
            gap = _squared_gap_to_line(p[0], p[1], a[0], a[1], b[0], b[1])
            least = min(least, np.sqrt(gap) - radius)
    if arrays.clearance.shape[0] > 0:
        least = min(least, _grid_clearance(arrays, p))
    return least
