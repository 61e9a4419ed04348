"""Continuous collision tests on an occupancy grid: every cell that a segment crosses is seen.

``blocked`` (rows, cols) uint8 is 1 where the robot's centre must not be; ``clearance`` (rows, cols)
float32, in metres, is how far the nearest blocked cell's centre is at least from a cell's centre,
the robot's radius already taken off; ``frame`` (6,) = origin x, origin y, resolution, robot radius,
in metres, cosine and sine of the grid's yaw. Columns run along the grid's own x, rows along its y.
"""

import numpy as np

from graphs._jit import inner_kernel

DIAGONAL = 1.4142135623730951  # of a cell, in cells
TIE = 1e-12  # crossings of both axes nearer than this, as a share of the motion, are a corner
HAIR = 1e-9  # cells that rounding may put a point beyond the border by


@inner_kernel
def _cell(value, n):
    """Index of the cell that holds ``value`` (in cells), the last one at the upper bound."""
    return min(max(int(np.floor(value)), 0), n - 1)


@inner_kernel
def to_cells(frame, p):
    """Return where ``p`` (2,) lies along the columns and along the rows, in cells."""
    dx, dy = p[0] - frame[0], p[1] - frame[1]
    return (frame[4] * dx + frame[5] * dy) / frame[2], (frame[4] * dy - frame[5] * dx) / frame[2]


@inner_kernel
def _outside(x, y, rows, cols):
    """Tell whether a place in cells is off the grid; a turned one does not fill its bounds."""
    return not (-HAIR <= x <= cols + HAIR and -HAIR <= y <= rows + HAIR)


@inner_kernel
def grid_point_is_free(arrays, p):
    """Tell whether the cell that holds ``p`` (2,) is free; ``p`` lies within the bounds."""
    rows, cols = arrays.blocked.shape
    x, y = to_cells(arrays.frame, p)
    if _outside(x, y, rows, cols):
        return False
    return arrays.blocked[_cell(y, rows), _cell(x, cols)] == 0


@inner_kernel
def grid_motion_is_free(arrays, p, q):
    """Tell whether no blocked cell lies on the segment from ``p`` to ``q`` (2,), within bounds.

    Where obstacles are far the walk skips ahead by the clearance; near them it goes from cell to
    cell. A segment through the corner of four cells touches all four.
    """
    blocked, clearance = arrays.blocked, arrays.clearance
    rows, cols = blocked.shape
    resolution = arrays.frame[2]
    x, y = to_cells(arrays.frame, p)
    end_x, end_y = to_cells(arrays.frame, q)
    if _outside(x, y, rows, cols) or _outside(end_x, end_y, rows, cols):
        return False
    dx, dy = end_x - x, end_y - y
    col, row = _cell(x, cols), _cell(y, rows)
    end_col, end_row = _cell(end_x, cols), _cell(end_y, rows)
    if blocked[row, col] or blocked[end_row, end_col]:
        return False
    length = np.sqrt(dx * dx + dy * dy)
    step_col = 1 if dx > 0.0 else -1
    step_row = 1 if dy > 0.0 else -1
    t = 0.0
    while row != end_row or col != end_col:
        skip = clearance[row, col] / resolution - DIAGONAL
        if skip > 1.0:
            t += skip / length
            if t >= 1.0:
                return True
            col, row = _cell(x + t * dx, cols), _cell(y + t * dy, rows)
            continue
        t_col = (col + (step_col > 0) - x) / dx if dx != 0.0 else np.inf
        t_row = (row + (step_row > 0) - y) / dy if dy != 0.0 else np.inf
        if min(t_col, t_row) > 1.0 + TIE:
            return True
        if t_col < t_row - TIE:
            col += step_col
            t = t_col
        elif t_row < t_col - TIE:
            row += step_row
            t = t_row
        else:
            t = t_col
            across, along = col + step_col, row + step_row
            if 0 <= across < cols and blocked[row, across]:
                return False
            if 0 <= along < rows and blocked[along, col]:
                return False
            col, row = across, along
        if not (0 <= col < cols and 0 <= row < rows):
            return True
        if blocked[row, col]:
            return False
    return True
