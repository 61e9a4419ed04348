"""Occupancy grids in metres: inflated by the robot's radius, patched by windows, logged."""

from __future__ import annotations

import threading
from collections import deque
from os import PathLike
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from problems.worlds import maps, messages
from problems.worlds._copying import Copyable
from problems.worlds._grid_frame import GridFrame, check_frame
from problems.worlds._snapshots import SnapshotStore
from problems.worlds._validate import (
    as_index,
    check_flag,
    check_number,
    check_points,
    check_revision,
)
from problems.worlds.arrays import GRID, WorldArrays, WorldChanges
from problems.worlds.kernels import motions_are_free, points_are_free

UNKNOWN, FREE, OCCUPIED = -1, 0, 100
BLOCKED_FROM = 65  # per cent; map_server's occupied_thresh
REACH_CELLS = 16  # how far beyond the robot's radius clearance is told, which bounds an update
_LOG_ENTRIES = 1024  # revisions kept; whoever is further behind starts over
_MAX_BOXES = 64  # of one update; beyond, one box around all


class _Entry(NamedTuple):
    revision: int
    blocked: NDArray[np.float64]  # (k, 2, 2)
    freed: NDArray[np.float64]  # (l, 2, 2)


class OccupancyGrid(Copyable):
    """A grid of cells that are free, occupied or unknown, as ``nav_msgs/OccupancyGrid`` has them.

    Row 0 lies at the lowest y, column 0 at the lowest x, as in ROS messages (not as in images); a
    ``yaw`` turns the whole about the lower left corner of cell (0, 0), its origin.
    The robot is a disc: a cell is blocked for its centre when the centre of an occupied cell is
    within ``robot_radius``, as in the inflation layer of a costmap; add a cell's diagonal to the
    radius for a guarantee about the robot's outline.

    Build one by :meth:`from_ros`, :meth:`from_movingai` or :meth:`from_array`.

    Notes
    -----
    Motion tests are continuous: every cell that the segment crosses is looked at. Changes may come
    from one thread while others take snapshots: each method is atomic. The log keeps the last 1024
    changes.

    Examples
    --------
    >>> grid = OccupancyGrid.from_array(np.zeros((4, 6), np.int8), resolution=0.5)
    >>> grid.bounds.tolist()
    [[0.0, 3.0], [0.0, 2.0]]
    >>> grid.update_window(0, 2, np.full((4, 1), 100, np.int8))
    >>> grid.is_motion_free([(0.2, 1.1)], [(2.8, 1.1)])
    array([False])
    >>> grid.changes_since(0).blocked_boxes.tolist()
    [[[1.0, 1.5], [0.0, 2.0]]]
    """

    def __init__(
        self,
        values: NDArray[np.int8],
        frame: GridFrame,
        robot_radius: float,
        unknown_is_free: bool,
    ):
        self._values = values
        self._frame = frame
        self._robot_radius = robot_radius
        self._unknown_is_free = unknown_is_free
        rows, cols = values.shape
        self._bounds = frame.boxes_around(np.array([[[0.0, cols], [0.0, rows]]]))[0]
        self._bounds.flags.writeable = False
        self._hard = self._is_hard(values)
        self._lock = threading.RLock()
        self._revision = 0
        self._log: deque[_Entry] = deque(maxlen=_LOG_ENTRIES)
        clearance, blocked = self._inflate(self._hard)
        self._store = SnapshotStore(clearance, blocked)

    @classmethod
    def from_array(
        cls,
        values: ArrayLike,
        resolution: float,
        *,
        origin: tuple[float, float] = (0.0, 0.0),
        yaw: float = 0.0,
        robot_radius: float = 0.0,
        unknown_is_free: bool = False,
    ) -> OccupancyGrid:
        """Build a grid from its cells.

        Parameters
        ----------
        values : array_like of shape (rows, cols), integer or bool
            -1 unknown, 0 to 100 the probability of being occupied in per cent (from 65 a cell
            counts as occupied), or True where occupied. Row 0 lies at the lowest y. Copied.
        resolution : float
            Side of a cell, metres.
        origin : (float, float), default=(0, 0)
            Lower left corner of cell (0, 0), metres.
        yaw : float, default=0
            By how much the grid is turned about that corner, radians, counterclockwise.
        robot_radius : float, default=0
            Metres.
        unknown_is_free : bool, default=False

        Raises
        ------
        ValueError
            If ``values`` is not a non-empty table of -1..100, a number is not finite, or
            ``resolution`` is not positive.
        """
        cells = _checked_values(values)
        if cells.size == 0:
            raise ValueError(f"values must have at least one cell, got shape {cells.shape}.")
        return cls(
            cells,
            check_frame(resolution, origin, yaw, cells.shape),
            check_number("robot_radius", robot_radius),
            check_flag("unknown_is_free", unknown_is_free),
        )

    @classmethod
    def from_ros(
        cls, file: str | PathLike, *, robot_radius: float = 0.0, unknown_is_free: bool = False
    ) -> OccupancyGrid:
        """Load a map as ROS map_server does, from its yaml file; see :func:`maps.read_ros`."""
        found = maps.read_ros(file)
        return cls.from_array(
            found.values,
            found.resolution,
            origin=found.origin,
            yaw=found.yaw,
            robot_radius=robot_radius,
            unknown_is_free=unknown_is_free,
        )

    @classmethod
    def from_movingai(
        cls, file: str | PathLike, *, resolution: float = 1.0, robot_radius: float = 0.0
    ) -> OccupancyGrid:
        """Load a Moving AI benchmark map (``type octile``); see :func:`maps.read_movingai`."""
        return cls.from_array(maps.read_movingai(file), resolution, robot_radius=robot_radius)

    @classmethod
    def from_msg(
        cls, message: Any, *, robot_radius: float = 0.0, unknown_is_free: bool = False
    ) -> OccupancyGrid:
        """Build a grid from a ``nav_msgs/OccupancyGrid``: its dictionary or the message itself."""
        found = messages.read_grid(message)
        return cls.from_array(
            found.values,
            found.resolution,
            origin=found.origin,
            yaw=found.yaw,
            robot_radius=robot_radius,
            unknown_is_free=unknown_is_free,
        )

    def to_msg(self, *, frame_id: str = "map", stamp: float = 0.0) -> dict:
        """Return the cells as a dictionary with the fields of ``nav_msgs/OccupancyGrid``."""
        ros_map = maps.RosMap(self.values, *self._frame)
        return messages.grid_message(ros_map, frame_id, stamp)

    def update_from_msg(self, message: Any) -> None:
        """Apply a ``map_msgs/OccupancyGridUpdate``; see :meth:`update_window`."""
        self.update_window(*messages.read_update(message))

    def __repr__(self) -> str:
        rows, cols = self.shape
        return f"OccupancyGrid({rows} x {cols} cells of {self.resolution:g} m)"

    @property
    def dimension(self) -> int:
        """Number of coordinates of a point: two."""
        return 2

    @property
    def bounds(self) -> NDArray[np.float64]:
        """Lowest and highest coordinate of each axis, (2, 2), metres."""
        return self._bounds

    @property
    def frame(self) -> GridFrame:
        """Side of a cell, corner and yaw."""
        return self._frame

    @property
    def origin(self) -> tuple[float, float]:
        """Lower left corner of cell (0, 0), metres."""
        return self._frame.origin

    @property
    def yaw(self) -> float:
        """By how much the grid is turned about its origin, radians, counterclockwise."""
        return self._frame.yaw

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self._values.shape

    @property
    def resolution(self) -> float:
        """Side of a cell, metres."""
        return self._frame.resolution

    @property
    def robot_radius(self) -> float:
        """Radius of the robot, metres."""
        return self._robot_radius

    @property
    def revision(self) -> int:
        """A number that grows with each change."""
        return self._revision

    @property
    def values(self) -> NDArray[np.int8]:
        """A copy of the cells as they are now, -1 / 0..100, row 0 at the lowest y."""
        with self._lock:
            return self._values.copy()

    def cell_of(self, points: ArrayLike) -> NDArray[np.int64]:
        """Return (row, col) of the cells that hold the (k, 2) points; they may lie outside."""
        return self._frame.cell_of(points)

    def center_of(self, cells: ArrayLike) -> NDArray[np.float64]:
        """Return the centres, (k, 2) in metres, of the (k, 2) cells given as (row, col)."""
        return self._frame.center_of(cells)

    def update_window(self, row: int, col: int, values: ArrayLike) -> None:
        """Overwrite a window of cells, as ``map_msgs/OccupancyGridUpdate`` sends them.

        Parameters
        ----------
        row, col : int
            The window's lowest row (y) and column (x).
        values : array_like of shape (height, width), integer or bool
            As in :meth:`from_array`.

        Raises
        ------
        ValueError
            If the window is empty, reaches outside the grid or holds other values; the grid is
            then as it was.

        Notes
        -----
        Distances are computed anew only around the cells that turned. Where no cell turned between
        passable and impassable, the revision stays.
        """
        window = _checked_values(values)
        height, width = window.shape
        rows, cols = self.shape
        row, col, asked = as_index(row), as_index(col), (row, col)
        if window.size == 0 or not (0 <= row <= rows - height and 0 <= col <= cols - width):
            raise ValueError(
                f"window must lie within {rows} rows and {cols} columns and not be empty, "
                f"got {height} x {width} cells at row {asked[0]!r}, column {asked[1]!r}."
            )
        with self._lock:
            place = (slice(row, row + height), slice(col, col + width))
            self._values[place] = window
            hard = self._is_hard(window)
            turned = np.argwhere(hard != self._hard[place])
            if len(turned) == 0:
                return
            self._hard[place] = hard
            corner = np.array([row, col])
            self._refresh(corner + turned.min(axis=0), corner + turned.max(axis=0) + 1)

    def _reach_cells(self) -> int:
        return int(np.ceil(self._robot_radius / self.resolution)) + REACH_CELLS

    def _inflate(self, hard: NDArray[np.bool_]) -> tuple[NDArray, NDArray]:
        """Clearance beyond the robot's radius, cut off at the reach, and the inflated cells."""
        reach = self._reach_cells() * self.resolution
        if hard.any():
            distance = ndimage.distance_transform_edt(~hard, sampling=self.resolution)
            np.minimum(distance, reach, out=distance)
        else:
            distance = np.full(hard.shape, reach)
        # a hair more than the radius, so that rounding does not free a cell exactly that far off
        blocked = distance <= self._robot_radius * (1.0 + 1e-9)
        return (distance - self._robot_radius).astype(np.float32), blocked.astype(np.uint8)

    def _refresh(self, low, high) -> None:
        """Bring clearance up to date where cells in rows and columns ``low``..``high`` turned."""
        reach = self._reach_cells()
        # what turned is felt within the reach, and is computed from what lies within twice that
        inner, outer = self._window(low, high, reach), self._window(low, high, 2 * reach)
        inside = tuple(
            slice(a.start - b.start, a.stop - b.start) for a, b in zip(inner, outer, strict=True)
        )
        clearance, blocked = (array[inside] for array in self._inflate(self._hard[outer]))
        before = self._store.read()[1][inner].astype(np.bool_)
        now = blocked.astype(np.bool_)
        self._store.patch(inner, clearance, blocked)
        self._revision += 1
        corner = np.array([part.start for part in inner])
        came, went = self._boxes(now & ~before, corner), self._boxes(before & ~now, corner)
        self._log.append(_Entry(self._revision, came, went))

    def _window(self, low, high, margin: int) -> tuple[slice, slice]:
        row, col = np.maximum(low - margin, 0)
        end_row, end_col = np.minimum(high + margin, self.shape)
        return slice(row, end_row), slice(col, end_col)

    def _boxes(self, mask: NDArray[np.bool_], corner) -> NDArray[np.float64]:
        """Boxes, (k, 2, 2) in metres, around the connected parts of ``mask``."""
        if not mask.any():
            return np.empty((0, 2, 2))
        found = ndimage.find_objects(ndimage.label(mask, structure=np.ones((3, 3)))[0])
        if len(found) > _MAX_BOXES:
            found = ndimage.find_objects(mask.astype(np.int32))
        spans = np.array([[[s.start, s.stop] for s in part[::-1]] for part in found], dtype=float)
        spans += np.asarray(corner)[::-1, None]
        return self._frame.boxes_around(spans)

    def _is_hard(self, values: NDArray[np.int8]) -> NDArray[np.bool_]:
        hard = values >= BLOCKED_FROM
        return hard if self._unknown_is_free else hard | (values == UNKNOWN)

    def arrays(self) -> WorldArrays:
        """Return a snapshot for kernels; later changes do not reach it."""
        with self._lock:
            clearance, blocked = self._store.read()
        return WorldArrays(
            kind=GRID,
            bounds=self._bounds.copy(),
            discs=np.empty((0, 3)),
            clearance=clearance,
            blocked=blocked,
            frame=np.array(
                [
                    *self.origin,
                    self.resolution,
                    self._robot_radius,
                    np.cos(self.yaw),
                    np.sin(self.yaw),
                ]
            ),
        )

    def changes_since(self, revision: int) -> WorldChanges:
        """Return boxes around all that turned between ``revision`` and now.

        Further back than the log reaches the answer says so (``complete`` is False).

        Raises
        ------
        ValueError
            If ``revision`` is none there was.
        """
        with self._lock:
            now = self._revision
            revision = check_revision(revision, now)
            entries = [entry for entry in self._log if entry.revision > revision]
        complete = len(entries) == now - revision
        none = np.empty((0, 2, 2))
        known = entries if complete else []
        return WorldChanges(
            revision=now,
            complete=complete,
            n_moved=0,
            blocked_discs=np.empty((0, 3)),
            freed_discs=np.empty((0, 3)),
            blocked_boxes=np.concatenate([none, *(entry.blocked for entry in known)]),
            freed_boxes=np.concatenate([none, *(entry.freed for entry in known)]),
        )

    def is_free(self, points: ArrayLike) -> NDArray[np.bool_]:
        """Tell which of the (k, 2) points are within bounds and in a cell that is not blocked."""
        array = check_points("points", points, 2)
        out = np.empty(len(array), np.bool_)
        points_are_free(self.arrays(), array, out)
        return out

    def is_motion_free(self, starts: ArrayLike, ends: ArrayLike) -> NDArray[np.bool_]:
        """Tell which straight motions between the (k, 2) ``starts`` and ``ends`` are free."""
        first, last = check_points("starts", starts, 2), check_points("ends", ends, 2)
        if len(first) != len(last):
            raise ValueError(
                f"starts and ends must be of one length, got {len(first)} and {len(last)}."
            )
        out = np.empty(len(first), np.bool_)
        motions_are_free(self.arrays(), first, last, out)
        return out


def _checked_values(values: ArrayLike) -> NDArray[np.int8]:
    try:
        array = np.asarray(values)
    except ValueError:  # rows of different lengths
        array = np.empty(0)
    if array.ndim != 2 or array.dtype.kind not in "iub":
        raise ValueError(
            "values must be a table of integers -1..100 or of bools, "
            f"got {array.dtype} of shape {array.shape}."
        )
    if array.dtype.kind == "b":
        return np.where(array, OCCUPIED, FREE).astype(np.int8)
    bad = np.argwhere((array < -1) | (array > 100))
    if len(bad):
        row, col = bad[0]
        raise ValueError(
            f"values must lie in -1..100, got {array[row, col]} at row {row}, column {col}."
        )
    return array.astype(np.int8)
