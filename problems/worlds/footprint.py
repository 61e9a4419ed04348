"""Occupancy grids for a robot whose outline is a polygon and which does not turn."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from problems.worlds._outlines import footprint_parts, load_shapely, swept_area
from problems.worlds._validate import check_flag
from problems.worlds.grid import REACH_CELLS, OccupancyGrid


class FootprintGrid(OccupancyGrid):
    """A copy of a grid whose occupied cells are grown by a footprint instead of a radius.

    Parameters
    ----------
    grid : OccupancyGrid
        Where the cells come from; its ``robot_radius`` is not used, and it is not changed or
        followed.
    footprint : shapely.Polygon or array_like of shape (k, 2)
        Outline of the robot around the point that is planned for, metres.
    unknown_is_free : bool, default=False

    Raises
    ------
    ValueError
        If the footprint crosses itself or is not one polygon without holes.

    Notes
    -----
    A cell is blocked for the robot's point when, with the point anywhere in the cell, the robot
    could touch an occupied cell: the guarantee is for the outline, no cell's diagonal need be
    added. Used as any grid is, windows included.

    Examples
    --------
    >>> cells = np.zeros((20, 20), np.int8); cells[10, 10] = 100
    >>> grid = OccupancyGrid.from_array(cells, resolution=0.1)
    >>> long = FootprintGrid(grid, [(-0.4, -0.1), (0.4, -0.1), (0.4, 0.1), (-0.4, 0.1)])
    >>> long.is_free([(0.7, 1.05), (1.05, 0.7)])
    array([False,  True])
    """

    def __init__(
        self, grid: OccupancyGrid, footprint: Any, *, unknown_is_free: bool = False
    ) -> None:
        if not isinstance(grid, OccupancyGrid):
            raise ValueError(f"grid must be an OccupancyGrid, got {grid!r}.")
        free = check_flag("unknown_is_free", unknown_is_free)
        self._mask = _footprint_cells(footprint, grid.resolution, grid.yaw, max(grid.shape))
        super().__init__(grid.values, grid.frame, 0.0, free)

    def _reach_cells(self) -> int:
        return len(self._mask) // 2 + REACH_CELLS

    def _inflate(self, hard: NDArray[np.bool_]) -> tuple[NDArray, NDArray]:
        return super()._inflate(ndimage.binary_dilation(hard, structure=self._mask))


def _footprint_cells(
    footprint: Any, resolution: float, yaw: float, farthest: int
) -> NDArray[np.bool_]:
    """Return which cells around an occupied one are blocked, a square of odd side.

    The footprint keeps to the world's axes, the cells are turned by ``yaw`` radians. Cells more
    than ``farthest`` rows or columns away are left out: the grid has none.
    """
    shapely = load_shapely()
    cos, sin = np.cos(yaw), np.sin(yaw)
    parts = [part @ np.array([[cos, -sin], [sin, cos]]) for part in footprint_parts(footprint)]
    reach = max(np.abs(part).max() for part in parts)
    half = int(min(np.ceil(reach / resolution) + 1, farthest))
    # the occupied cell grown by the mirrored outline: where the robot's point touches it
    cell = shapely.box(-0.5, -0.5, 0.5, 0.5)
    touching = swept_area(cell, [part / resolution for part in parts])
    offsets = np.arange(-half, half + 1)
    x, y = np.meshgrid(offsets, offsets)
    cells = shapely.box(x - 0.5, y - 0.5, x + 0.5, y + 0.5)
    # a border in common alone does not count, or a robot of whole cells would be one cell wider
    return shapely.intersects(cells, touching.buffer(-1e-9))
