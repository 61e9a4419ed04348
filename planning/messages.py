"""Paths as ROS messages carry them, as plain dictionaries: nothing of ROS is imported."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from problems.worlds.messages import header


def path_message(waypoints: NDArray[np.float64], frame_id: str, stamp: float) -> dict:
    """Return waypoints, (k, 2) or (k, 3) in metres, as a ``nav_msgs/Path``.

    Each pose looks along the plane towards the next one, the last as the one before it.
    """
    if waypoints.shape[1] not in (2, 3):
        raise ValueError(f"path must be in 2 or 3 dimensions, got {waypoints.shape[1]}.")
    head = header(frame_id, stamp)
    poses = []
    yaw = 0.0
    for k, point in enumerate(waypoints):
        if k + 1 < len(waypoints):
            dx, dy = waypoints[k + 1, :2] - point[:2]
            yaw = float(np.arctan2(dy, dx)) if dx or dy else yaw
        height = float(point[2]) if len(point) == 3 else 0.0
        pose = {
            "position": {"x": float(point[0]), "y": float(point[1]), "z": height},
            "orientation": {
                "x": 0.0,
                "y": 0.0,
                "z": float(np.sin(yaw / 2.0)),
                "w": float(np.cos(yaw / 2.0)),
            },
        }
        poses.append({"header": dict(head), "pose": pose})
    return {"header": head, "poses": poses}
