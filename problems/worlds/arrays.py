"""What kernels and planners see of a world: a snapshot of arrays, and what changed since one."""

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

DISCS = 0  # tag of worlds made of discs (balls in any dimension)
GRID = 1  # tag of occupancy grids
SHAPES = 2  # tag of worlds made of anything: discs, boxes, polygons and at most one grid


class Shapes(NamedTuple):
    """Boxes and polygons of a snapshot, rounded by the robot's radius; see ``_shape_kernels``."""

    boxes: NDArray[np.float64]  # (m, 2 d + 3), centre, half sides, cosine, sine, radius, metres
    edges: NDArray[np.float64]  # (s, 4), x0, y0, x1, y1, metres
    edge_ptr: NDArray[np.int64]  # (k + 1,), first edge of each polygon
    outlines: NDArray[np.float64]  # (k, 6), low x, high x, low y, high y, radius, 1 if an area


NO_SHAPES = Shapes(
    boxes=np.empty((0, 0)),
    edges=np.empty((0, 4)),
    edge_ptr=np.zeros(1, np.int64),
    outlines=np.empty((0, 6)),
)


class WorldArrays(NamedTuple):
    """A snapshot of a world, as its kernels read it; fields a kind does not use are empty.

    Later changes of the world never reach a snapshot that was already taken.
    """

    kind: int  # DISCS, GRID or SHAPES
    bounds: NDArray[np.float64]  # (d, 2), lowest and highest coordinate, metres
    discs: NDArray[np.float64]  # (m, d + 1), centre and radius (robot's radius included), metres
    clearance: NDArray[np.float32]  # (rows, cols), metres to the nearest occupied cell's centre at
    # least, beyond the robot's radius
    blocked: NDArray[np.uint8]  # (rows, cols), 1 where the robot's centre must not be
    frame: NDArray[np.float64]  # (6,), origin_x, origin_y, resolution, robot_radius, metres, and
    # cosine and sine of the grid's yaw
    shapes: Shapes = NO_SHAPES


def arrays_without_grid(
    kind: int, bounds: NDArray[np.float64], discs: NDArray[np.float64], shapes: Shapes = NO_SHAPES
) -> WorldArrays:
    """Return the snapshot of a world that has no grid in it."""
    return WorldArrays(
        kind=kind,
        bounds=bounds.copy(),
        discs=np.ascontiguousarray(discs),
        clearance=np.empty((0, 0), np.float32),
        blocked=np.empty((0, 0), np.uint8),
        frame=np.zeros(6),
        shapes=shapes,
    )


class WorldChanges(NamedTuple):
    """Net difference between a world at an earlier revision and now.

    Everything whose answer may have turned lies in these regions, the robot's radius included:
    a motion that touches none of the blocked ones was not blocked by the change, and one that
    touches none of the freed ones was not freed by it.
    """

    revision: int  # the world's revision that these changes lead to
    complete: bool  # False: the log no longer reaches back, anything may have changed
    n_moved: int  # row i of both disc arrays is the same moved disc for i < n_moved
    blocked_discs: NDArray[np.float64]  # (k, d + 1), where discs are now, centre and radius
    freed_discs: NDArray[np.float64]  # (l, d + 1), where discs were before
    blocked_boxes: NDArray[np.float64]  # (k, d, 2), lowest and highest coordinate, metres
    freed_boxes: NDArray[np.float64]  # (l, d, 2)


class World(Protocol):
    """What a planner asks of a world."""

    @property
    def dimension(self) -> int:
        """Number of coordinates of a configuration."""

    @property
    def bounds(self) -> NDArray[np.float64]:
        """Lowest and highest coordinate of each axis, (d, 2), metres."""

    @property
    def revision(self) -> int:
        """A number that grows with each change."""

    def arrays(self) -> WorldArrays:
        """Snapshot for kernels."""

    def changes_since(self, revision: int) -> WorldChanges:
        """Net changes from ``revision`` to now."""

    def is_free(self, points: ArrayLike) -> NDArray[np.bool_]:
        """Tell which of the (k, d) points are within bounds and hit nothing."""

    def is_motion_free(self, starts: ArrayLike, ends: ArrayLike) -> NDArray[np.bool_]:
        """Tell which straight motions between the (k, d) starts and ends hit nothing."""
