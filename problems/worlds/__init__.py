"""What can be hit: discs and occupancy grids, in metres, each with a change log."""

from problems.worlds.discs import DiscWorld
from problems.worlds.grid import OccupancyGrid

__all__ = ["DiscWorld", "OccupancyGrid"]
