"""Polygons, lines and points that appear, move and vanish: shapely in, arrays inside."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from problems.worlds._outlines import checked_geometry, edges_of, footprint_parts, swept_area
from problems.worlds._shape_world import ShapeWorld
from problems.worlds._validate import check_number
from problems.worlds.arrays import NO_SHAPES, Shapes


class Polygon(NamedTuple):
    """A polygon as kernels see it."""

    edges: NDArray[np.float64]  # (s, 4), metres, those of all rings or lines
    radius: NDArray[np.float64]  # (), what it is rounded by, the robot's radius included
    area: NDArray[np.bool_]  # (), whether the edges enclose an area


class PolygonWorld(ShapeWorld[Polygon]):
    """A rectangle with polygons, lines and points in it, in metres.

    Parameters
    ----------
    bounds : array_like of shape (2, 2)
        Lowest and highest coordinate of each axis, metres.
    robot_radius : float, default=0
        Radius of a round robot, metres.
    footprint : shapely.Polygon or array_like of shape (k, 2), optional
        Outline of a robot that does not turn, around the point that is planned for, metres.
        Obstacles are grown by it (their Minkowski sum with the mirrored outline); a
        ``robot_radius`` beside it is a margin.

    Raises
    ------
    ValueError
        If ``bounds`` are not two finite increasing pairs, ``robot_radius`` is negative, or the
        footprint crosses itself.

    Notes
    -----
    Touching is a collision. Motion tests are continuous and, up to rounding, exact: a robot's
    roundness is not replaced by corners. One costs time in the edges of the polygons whose box the
    motion meets. Needs shapely (``pip install southwell[polygons]``).

    Examples
    --------
    >>> world = PolygonWorld(bounds=((0, 10), (0, 10)), robot_radius=0.5)
    >>> k = world.add([(3, 3), (7, 3), (5, 7)])
    >>> world.is_motion_free([(1, 5), (1, 2)], [(9, 5), (9, 2)])
    array([False,  True])
    >>> world.remove(k)
    """

    _noun = "polygon"

    def __init__(
        self, bounds: ArrayLike, *, robot_radius: float = 0.0, footprint: Any = None
    ) -> None:
        super().__init__(bounds, robot_radius)
        if self.dimension != 2:
            raise ValueError(f"bounds must be two pairs, got {self.dimension}.")
        self._footprint = [] if footprint is None else footprint_parts(footprint)

    def __repr__(self) -> str:
        return f"PolygonWorld(bounds={self._bounds.tolist()}, n_polygons={len(self)})"

    def add(self, polygon: Any, *, radius: float = 0.0) -> int:
        """Put a polygon, line or point into the world.

        Parameters
        ----------
        polygon : shapely geometry or array_like of shape (k, 2)
            A (multi)polygon, holes and all, a (multi)line, a (multi)point, or the corners of a
            polygon, metres; it may lie outside the bounds.
        radius : float, default=0
            What it is rounded by, metres: a line with a radius is a wall or a swept disc.

        Returns
        -------
        int
            The polygon's id, never given twice.

        Raises
        ------
        ValueError
            If it crosses itself (with shapely's reason), is empty or has a coordinate that is not
            finite, or ``radius`` is negative.
        """
        return self._insert(self._checked(polygon, radius))

    def move(self, polygon: int, shape: Any, *, radius: float = 0.0) -> None:
        """Replace a present polygon by another shape, or the same one elsewhere.

        Raises
        ------
        ValueError
            If there is no such polygon, or as in :meth:`add`.
        """
        self._find(polygon)
        self._replace(polygon, self._checked(shape, radius))

    def remove(self, polygon: int) -> None:
        """Take a polygon out of the world.

        Raises
        ------
        ValueError
            If there is no such polygon.
        """
        self._remove(polygon)

    def _checked(self, polygon: Any, radius: float) -> Polygon:
        geometry = checked_geometry("polygon", polygon)
        round_by = check_number("radius", radius) + self._robot_radius
        if self._footprint:
            geometry = swept_area(geometry, self._footprint)
        edges, area = edges_of(geometry)
        edges.flags.writeable = False
        return Polygon(edges, np.array(round_by), np.array(area))

    def _pack(self, shapes: list[Polygon]) -> Shapes:
        counts = [len(shape.edges) for shape in shapes]
        outlines = np.empty((len(shapes), 6))
        for row, shape in zip(outlines, shapes, strict=True):
            row[:4] = self._extent(shape).ravel()
            row[4:] = shape.radius, shape.area
        return NO_SHAPES._replace(
            edges=np.concatenate([np.empty((0, 4)), *(shape.edges for shape in shapes)]),
            edge_ptr=np.concatenate([[0], np.cumsum(counts, dtype=np.int64)]).astype(np.int64),
            outlines=outlines,
        )

    def _extent(self, shape: Polygon) -> NDArray[np.float64]:
        corners = shape.edges.reshape(-1, 2)
        return np.column_stack(
            (corners.min(axis=0) - shape.radius, corners.max(axis=0) + shape.radius)
        )
