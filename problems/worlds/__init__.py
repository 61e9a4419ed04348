"""What can be hit, in metres: discs, boxes, polygons, grids and unions, each with a change log."""

from problems.worlds.boxes import BoxWorld
from problems.worlds.discs import DiscWorld
from problems.worlds.footprint import FootprintGrid
from problems.worlds.forecasts import ForecastDiscWorld
from problems.worlds.grid import OccupancyGrid
from problems.worlds.polygons import PolygonWorld
from problems.worlds.union import Union

__all__ = [
    "BoxWorld",
    "DiscWorld",
    "FootprintGrid",
    "ForecastDiscWorld",
    "OccupancyGrid",
    "PolygonWorld",
    "Union",
]
