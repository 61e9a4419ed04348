"""From shapely's geometries to edges, checked, and grown by the outline of a robot."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from problems.worlds._validate import as_floats


def load_shapely() -> Any:
    """Import shapely, or say how to get it."""
    try:
        import shapely
    except ImportError as error:
        raise ImportError(
            "polygons need shapely, which is not installed: pip install southwell[polygons]"
        ) from error
    return shapely


def checked_geometry(name: str, shape: Any) -> Any:
    """Return ``shape``, or the polygon with these corners, as a valid geometry of the plane."""
    shapely = load_shapely()
    if isinstance(shape, shapely.Geometry):
        geometry = shapely.force_2d(shape)
    else:
        corners = as_floats(name, shape)
        if corners.ndim != 2 or corners.shape[1] != 2 or len(corners) < 3:
            raise ValueError(
                f"{name} must be a shapely geometry or at least 3 corners of shape (k, 2), "
                f"got shape {corners.shape}."
            )
        if not np.isfinite(corners).all():
            raise ValueError(f"{name} must be finite, got NaN or infinity.")
        geometry = shapely.Polygon(corners)
    if geometry.is_empty:
        raise ValueError(f"{name} must not be empty, got {geometry.geom_type} without points.")
    if not np.isfinite(shapely.get_coordinates(geometry)).all():
        raise ValueError(f"{name} must be finite, got NaN or infinity.")
    if not geometry.is_valid:
        raise ValueError(f"{name} must be valid, got: {shapely.is_valid_reason(geometry)}.")
    return geometry


def edges_of(geometry: Any) -> tuple[NDArray[np.float64], bool]:
    """Return the edges, (s, 4) x0, y0, x1, y1, and whether they enclose an area.

    Areas beside lines in one collection would be taken for lines only, so they are refused.
    """
    shapely = load_shapely()
    parts = shapely.get_parts(geometry)
    kinds = {int(shapely.get_dimensions(part)) for part in parts}
    if len(kinds) > 1 or geometry.geom_type == "GeometryCollection":
        raise ValueError(
            "polygon must be made of areas, of lines or of points only, "
            f"got a {geometry.geom_type}; add them one by one."
        )
    edges = []
    for part in parts:
        lines = [part.exterior, *part.interiors] if part.geom_type == "Polygon" else [part]
        for line in lines:
            corners = shapely.get_coordinates(line)
            if len(corners) == 1:
                corners = np.repeat(corners, 2, axis=0)
            edges.append(np.hstack((corners[:-1], corners[1:])))
    return np.ascontiguousarray(np.concatenate(edges)), kinds == {2}


def footprint_parts(footprint: Any) -> list[NDArray[np.float64]]:
    """Return the mirrored footprint as convex parts, each its corners (k, 2).

    Raises
    ------
    ValueError
        If it is not one polygon without holes, or crosses itself.
    """
    shapely = load_shapely()
    geometry = checked_geometry("footprint", footprint)
    if geometry.geom_type != "Polygon" or len(geometry.interiors):
        raise ValueError(
            f"footprint must be one polygon without holes, got a {geometry.geom_type} "
            "of another kind."
        )
    if geometry.convex_hull.area <= geometry.area * (1.0 + 1e-12):
        pieces = [geometry]
    else:
        pieces = list(shapely.get_parts(shapely.constrained_delaunay_triangles(geometry)))
    return [-shapely.get_coordinates(piece.exterior)[:-1] for piece in pieces]


def swept_area(geometry: Any, parts: list[NDArray[np.float64]]) -> Any:
    """Return the Minkowski sum of a geometry with the union of convex ``parts``.

    It is the geometry, put at one point of the parts, with its boundary swept by each of them: the
    sum of an edge and a convex part is the hull of the part at both ends.
    """
    shapely = load_shapely()
    edges, area = edges_of(geometry)
    pieces = []
    for part in parts:
        for edge in edges:
            both = np.concatenate((part + edge[:2], part + edge[2:]))
            pieces.append(shapely.MultiPoint(both).convex_hull)
    if area:
        offset = parts[0][0]
        pieces.append(shapely.transform(geometry, lambda corners: corners + offset))
    return shapely.union_all(pieces)
