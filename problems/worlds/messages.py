"""Grids as ROS messages carry them: nav_msgs/OccupancyGrid and map_msgs/OccupancyGridUpdate.

A message is a dictionary with the message's fields, or the message object itself: nothing of ROS
is imported.
"""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from problems.worlds._validate import as_float, as_index, check_number
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
    given = _field(message, "data")
    wanted = f"data must be height x width = {height} x {width} integers"
    if isinstance(given, bytes | bytearray):
        given = np.frombuffer(given, np.int8)  # as they are on the wire
    try:
        data = np.asarray(given)
    except ValueError:  # rows of different lengths
        raise ValueError(f"{wanted}, got {reprlib.repr(given)}.") from None
    if data.ndim != 1 or data.dtype.kind not in "iu" or len(data) != height * width:
        raise ValueError(f"{wanted}, got {data.dtype} of shape {data.shape}.")
    if len(data) and not (data.min() >= -1 and data.max() <= 100):
        raise ValueError(f"data must lie in -1..100, got {data.min()}..{data.max()}.")
    return data.astype(np.int8).reshape(height, width)


def _whole(message: Any, path: str, *, positive: bool = False) -> int:
    """Read a number of cells; some bridges send 4.0 for 4."""
    value = _field(message, path)
    whole = isinstance(value, float | np.floating) and value.is_integer()
    number = int(value) if whole else as_index(value)
    if number < int(positive):
        wanted = "a positive" if positive else "a non-negative"
        raise ValueError(f"{path} must be {wanted} integer, got {value!r}.")
    return number


def _finite(message: Any, path: str) -> float:
    number = as_float(path, _field(message, path))
    if not np.isfinite(number):
        raise ValueError(f"{path} must be finite, got {number}.")
    return number


def _yaw(message: Any) -> float:
    """Yaw of the origin, radians; a quaternion that was never filled in counts as no turn."""
    x, y, z, w = (_finite(message, f"info.origin.orientation.{axis}") for axis in "xyzw")
    if abs(x) > FLAT_TOLERANCE or abs(y) > FLAT_TOLERANCE:
        raise ValueError(f"info.origin.orientation must be flat, got x={x}, y={y}.")
    return 0.0 if z == w == 0.0 else float(2.0 * np.arctan2(z, w))


def read_grid(message: Any) -> RosMap:
    """Read a ``nav_msgs/OccupancyGrid``.

    Raises
    ------
    ValueError
        If a field is missing, height or width is no positive integer, ``data`` has not height x
        width values of -1..100, a number is not finite, or the map is tilted.
    """
    height, width = (_whole(message, f"info.{side}", positive=True) for side in ("height", "width"))
    resolution = check_number("info.resolution", _field(message, "info.resolution"), positive=True)
    x, y = (_finite(message, f"info.origin.position.{axis}") for axis in "xy")
    return RosMap(_cells(message, height, width), resolution, (x, y), _yaw(message))


def read_update(message: Any) -> Window:
    """Read a ``map_msgs/OccupancyGridUpdate``; x is the column, y the row.

    Raises
    ------
    ValueError
        If a field is missing, x or y is no integer of at least 0, height or width no positive one,
        or ``data`` has not height x width values of -1..100.
    """
    height, width = (_whole(message, side, positive=True) for side in ("height", "width"))
    row, col = _whole(message, "y"), _whole(message, "x")
    return Window(row, col, _cells(message, height, width))


def header(frame_id: str, stamp: float) -> dict:
    """Return a ``std_msgs/Header`` for a time in seconds."""
    if not isinstance(frame_id, str):
        raise ValueError(f"frame_id must be text, got {frame_id!r}.")
    time = as_float("stamp", stamp)
    if not np.isfinite(time):
        raise ValueError(f"stamp must be a finite time in seconds, got {stamp}.")
    seconds = int(np.floor(time))
    nanoseconds = min(round((time - seconds) * 1e9), 999_999_999)
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
