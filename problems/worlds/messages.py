"""Grids as ROS messages carry them: nav_msgs/OccupancyGrid and map_msgs/OccupancyGridUpdate.

A message is a dictionary with the message's fields, or the message object itself: nothing of ROS
is imported.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from problems.worlds._validate import as_float, check_number
from problems.worlds.maps import RosMap

FLAT_TOLERANCE = 1e-6  # of the parts of a quaternion that would tilt the map


class Window(NamedTuple):
    """A patch of a grid, as ``map_msgs/OccupancyGridUpdate`` carries it."""

    row: int
    col: int
    values: NDArray[np.int8]  # (height, width), row 0 at the lowest y


def _field(message: Any, path: str) -> Any:
    """Follow ``path`` ("info.origin.position.x") through dictionaries or attributes."""
    found = message
    for name in path.split("."):
        try:
            found = found[name] if isinstance(found, Mapping) else getattr(found, name)
        except (KeyError, AttributeError):
            raise ValueError(f"message must have a field {path}, got none.") from None
    return found


def _cells(message: Any, height: int, width: int) -> NDArray[np.int8]:
    data = np.asarray(_field(message, "data"))
    if data.ndim != 1 or data.dtype.kind not in "iu" or len(data) != height * width:
        raise ValueError(
            f"data must be height x width = {height} x {width} integers, "
            f"got {data.dtype} of shape {data.shape}."
        )
    if len(data) and not (data.min() >= -1 and data.max() <= 100):
        raise ValueError(f"data must lie in -1..100, got {data.min()}..{data.max()}.")
    return data.astype(np.int8).reshape(height, width)


def _count(message: Any, path: str) -> int:
    value = _field(message, path)
    try:
        number = int(value)
    except (TypeError, ValueError):
        number = -1
    if number < 0 or number != value:
        raise ValueError(f"{path} must be a non-negative integer, got {value!r}.")
    return number


def _yaw(message: Any) -> float:
    """Yaw of the origin, radians; a quaternion that was never filled in counts as no turn."""
    x, y, z, w = (float(_field(message, f"info.origin.orientation.{axis}")) for axis in "xyzw")
    if not np.isfinite((x, y, z, w)).all():
        raise ValueError(f"info.origin.orientation must be finite, got {(x, y, z, w)}.")
    if abs(x) > FLAT_TOLERANCE or abs(y) > FLAT_TOLERANCE:
        raise ValueError(f"info.origin.orientation must be flat, got x={x}, y={y}.")
    return 0.0 if z == w == 0.0 else float(2.0 * np.arctan2(z, w))


def read_grid(message: Any) -> RosMap:
    """Read a ``nav_msgs/OccupancyGrid``.

    Raises
    ------
    ValueError
        If a field is missing, ``data`` has not height x width values of -1..100, a number is not
        finite, or the map is tilted.
    """
    height, width = _count(message, "info.height"), _count(message, "info.width")
    resolution = check_number(
        "info.resolution", float(_field(message, "info.resolution")), positive=True
    )
    origin = tuple(float(_field(message, f"info.origin.position.{axis}")) for axis in "xy")
    if not np.isfinite(origin).all():
        raise ValueError(f"info.origin.position must be finite, got {origin}.")
    cells = _cells(message, height, width)
    return RosMap(cells, resolution, (origin[0], origin[1]), _yaw(message))


def read_update(message: Any) -> Window:
    """Read a ``map_msgs/OccupancyGridUpdate``; x is the column, y the row.

    Raises
    ------
    ValueError
        If a field is missing or ``data`` has not height x width values of -1..100.
    """
    height, width = _count(message, "height"), _count(message, "width")
    return Window(
        int(_field(message, "y")), int(_field(message, "x")), _cells(message, height, width)
    )


def header(frame_id: str, stamp: float) -> dict:
    """Return a ``std_msgs/Header`` for a time in seconds."""
    if not isinstance(frame_id, str):
        raise ValueError(f"frame_id must be text, got {frame_id!r}.")
    if not np.isfinite(as_float("stamp", stamp)):
        raise ValueError(f"stamp must be a finite time in seconds, got {stamp}.")
    seconds = int(np.floor(stamp))
    nanoseconds = min(round((stamp - seconds) * 1e9), 999_999_999)
    return {"stamp": {"sec": seconds, "nanosec": nanoseconds}, "frame_id": frame_id}


def grid_message(ros_map: RosMap, frame_id: str, stamp: float) -> dict:
    """Return a map as a ``nav_msgs/OccupancyGrid``."""
    rows, cols = ros_map.values.shape
    head = header(frame_id, stamp)
    x, y = ros_map.origin
    return {
        "header": head,
        "info": {
            "map_load_time": dict(head["stamp"]),
            "resolution": float(ros_map.resolution),
            "width": cols,
            "height": rows,
            "origin": {
                "position": {"x": float(x), "y": float(y), "z": 0.0},
                "orientation": {
                    "x": 0.0,
                    "y": 0.0,
                    "z": float(np.sin(ros_map.yaw / 2.0)),
                    "w": float(np.cos(ros_map.yaw / 2.0)),
                },
            },
        },
        "data": ros_map.values.ravel().tolist(),
    }
