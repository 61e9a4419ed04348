"""What can be hit: discs and occupancy grids, in metres, each with a change log."""
