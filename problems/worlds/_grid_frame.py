"""Where a grid lies in the world: the side of its cells, its corner and how it is turned."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from problems.worlds._validate import as_float, as_floats, check_number, check_points

FARTHEST = 2.0**53  # cells; beyond, neighbours are one floating-point number


class GridFrame(NamedTuple):
    """The frame of a grid; rows count along its own y, columns along its own x.

    Attributes
    ----------
    resolution : float
        Side of a cell, metres.
    origin : (float, float)
        Lower left corner of cell (0, 0), metres.
    yaw : float
        By how much the grid is turned about that corner, radians, counterclockwise.
    """

    resolution: float
    origin: tuple[float, float]
    yaw: float

    def cell_of(self, points: ArrayLike) -> NDArray[np.int64]:
        """Return (row, col) of the cells that hold the (k, 2) points; they may lie outside."""
        array = check_points("points", points, 2)
        own = (array - self.origin) @ self._turn() / self.resolution
        far = np.flatnonzero(np.abs(own).max(axis=1, initial=0.0) >= FARTHEST)
        if len(far):
            raise ValueError(
                f"points must lie within {FARTHEST:g} cells of the origin, "
                f"got {array[far[0]].tolist()}."
            )
        return np.floor(own).astype(np.int64)[:, ::-1]

    def center_of(self, cells: ArrayLike) -> NDArray[np.float64]:
        """Return the centres, (k, 2) in metres, of the (k, 2) cells given as (row, col)."""
        array = check_points("cells", cells, 2)
        return self.origin + (array[:, ::-1] + 0.5) * self.resolution @ self._turn().T

    def boxes_around(self, spans: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the boxes, (k, 2, 2) in metres, around ``spans`` of columns and rows."""
        corners = np.stack([spans[:, [0, 1], [i, j]] for i in (0, 1) for j in (0, 1)])
        places = self.origin + corners * self.resolution @ self._turn().T
        return np.stack((places.min(axis=0), places.max(axis=0)), axis=2)

    def _turn(self) -> NDArray[np.float64]:
        """Columns are the grid's own axes."""
        cos, sin = np.cos(self.yaw), np.sin(self.yaw)
        return np.array([[cos, -sin], [sin, cos]])


def check_frame(
    resolution: float, origin: tuple[float, float], yaw: float, shape: tuple[int, int]
) -> GridFrame:
    """Return the frame of a grid of ``shape``, in which floating point can tell cells apart."""
    corner = as_floats("origin", origin)
    if corner.shape != (2,) or not np.isfinite(corner).all():
        raise ValueError(f"origin must be two finite coordinates, got {origin!r}.")
    turn = as_float("yaw", yaw)
    if not np.isfinite(turn):
        raise ValueError(f"yaw must be finite, got {yaw}.")
    side = check_number("resolution", resolution, positive=True)
    extent = np.abs(corner).max() + side * sum(shape)
    if not (1e-30 < side < 1e30 and np.spacing(extent) < 1e-3 * side):
        raise ValueError(
            "resolution must tell cells apart in floating point and lie in 1e-30..1e30, "
            f"got {resolution} with origin {origin!r}."
        )
    return GridFrame(side, (float(corner[0]), float(corner[1])), turn)
