"""Floor plans drawn from a seed: a warehouse with racks, offices and doors, to try planners on."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from problems.worlds._validate import check_number, make_generator
from problems.worlds.grid import FREE, OCCUPIED, OccupancyGrid
from problems.worlds.maps import RosMap

WALL_M = 0.2
RACK_M = 1.2  # depth of a double rack
AISLE_M = 2.6
DOOR_M = 1.4
OFFICE_M = 5.0  # depth of the row of offices
COARSEST_M = 0.5  # a coarser cell swallows doors and the robot
CROSS_AISLES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class FloorPlan:
    """A drawn floor plan.

    Attributes
    ----------
    values : ndarray of shape (rows, cols), int8
        0 free, 100 occupied; row 0 at the lowest y.
    resolution : float
        Side of a cell, metres.
    doors : ndarray of shape (n_doors, 4), int64
        Window of each door's opening: row, column, height, width in cells.
    start, goal : (float, float)
        Two places far from each other in open floor, metres.
    """

    values: NDArray[np.int8]
    resolution: float
    doors: NDArray[np.int64]
    start: tuple[float, float]
    goal: tuple[float, float]

    def to_grid(self, *, robot_radius: float = 0.0) -> OccupancyGrid:
        """Return the plan as a world with its lower left corner at the origin."""
        return OccupancyGrid.from_array(self.values, self.resolution, robot_radius=robot_radius)

    def to_ros(self) -> RosMap:
        """Return the plan as a map that :func:`problems.worlds.maps.write_ros` writes."""
        return RosMap(self.values, self.resolution, (0.0, 0.0))


def warehouse(
    seed: int, *, width: float = 36.0, height: float = 22.0, resolution: float = 0.05
) -> FloorPlan:
    """Draw a warehouse: a hall of rack rows with cross aisles, and offices behind doors above it.

    Parameters
    ----------
    seed : int
        The same seed draws the same plan.
    width, height : float
        Outer size, metres; at least 16 by 14.
    resolution : float
        Side of a cell, metres; at most 0.5.

    Raises
    ------
    ValueError
        If a size is too small or not finite, or ``resolution`` is above 0.5 m.
    """
    if check_number("resolution", resolution, positive=True) > COARSEST_M:
        raise ValueError(f"resolution must be at most {COARSEST_M:g} m, got {resolution:g}.")
    for name, size, least in (("width", width, 16.0), ("height", height, 14.0)):
        if check_number(name, size) < least:
            raise ValueError(f"{name} must be at least {least:g} m, got {size:g}.")
    pen = _Pen(width, height, resolution)
    rng = make_generator(seed)
    pen.frame()
    hall_top = height - OFFICE_M - WALL_M
    pen.block(0.0, hall_top, width, WALL_M)
    doors = _draw_offices(pen, rng, width, height, hall_top)
    _draw_racks(pen, rng, width, hall_top)
    return FloorPlan(
        values=pen.cells,
        resolution=resolution,
        doors=np.array(doors, dtype=np.int64),
        start=(1.2, 1.2),
        goal=(width - 1.5, height - 1.5),
    )


class _Pen:
    """Draws rectangles given in metres."""

    def __init__(self, width: float, height: float, resolution: float):
        self.resolution = resolution
        shape = (round(height / resolution), round(width / resolution))
        self.cells = np.full(shape, FREE, dtype=np.int8)

    def window(self, x: float, y: float, width: float, height: float) -> tuple[int, int, int, int]:
        col, row = round(x / self.resolution), round(y / self.resolution)
        end_col = max(col + 1, round((x + width) / self.resolution))
        end_row = max(row + 1, round((y + height) / self.resolution))
        return row, col, end_row - row, end_col - col

    def block(self, x: float, y: float, width: float, height: float, value: int = OCCUPIED) -> None:
        row, col, rows, cols = self.window(x, y, width, height)
        self.cells[row : row + rows, col : col + cols] = value

    def frame(self) -> None:
        thickness = max(1, round(WALL_M / self.resolution))
        for side in (np.s_[:thickness], np.s_[-thickness:]):
            self.cells[side] = OCCUPIED
            self.cells[:, side] = OCCUPIED


def _draw_offices(pen: _Pen, rng, width: float, height: float, hall_top: float) -> list:
    n_rooms = max(2, int(width // 7))
    edges = np.linspace(0.0, width, n_rooms + 1)
    edges[1:-1] += rng.uniform(-0.8, 0.8, n_rooms - 1)
    doors = []
    for left, right in itertools.pairwise(edges):
        x = rng.uniform(left + 0.8, right - 0.8 - DOOR_M)
        pen.block(x, hall_top, DOOR_M, WALL_M, FREE)
        doors.append(pen.window(x, hall_top, DOOR_M, WALL_M))
        # the last room's desk leaves its right corner to the goal
        desk = rng.uniform(left + 1.0, right - (2.8 if right < width else 4.0))
        pen.block(desk, height - 2.2, 1.6, 0.8)
    for wall in edges[1:-1]:
        pen.block(wall, hall_top, WALL_M, height - hall_top)
        y = hall_top + WALL_M + rng.uniform(0.6, OFFICE_M - DOOR_M - 1.0)
        pen.block(wall, y, WALL_M, DOOR_M, FREE)
        doors.append(pen.window(wall, y, WALL_M, DOOR_M))
    return doors


def _draw_racks(pen: _Pen, rng, width: float, hall_top: float) -> None:
    margin = 2.4
    inner = width - 2 * margin
    y = margin
    while y + RACK_M + margin <= hall_top:
        gaps = np.sort(rng.choice(np.arange(1, 9), CROSS_AISLES - 1, replace=False)) * inner / 9
        left = margin
        for gap in (*(margin + gaps), margin + inner + AISLE_M / 2):
            right = gap - AISLE_M / 2
            if right - left > 0.8:
                pen.block(left, y, right - left, RACK_M)
            left = gap + AISLE_M / 2
        if rng.random() < 0.5:  # a pallet left in the aisle
            x = rng.uniform(margin, width - margin - 1.0)
            pen.block(x, y + RACK_M + rng.uniform(0.3, AISLE_M - 1.3), 1.0, 0.8)
        y += RACK_M + AISLE_M
