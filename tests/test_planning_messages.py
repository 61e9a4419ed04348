"""Paths as ROS messages."""

import numpy as np
import pytest

from planning import Path, PathStatus


def path(waypoints):
    return Path(status=PathStatus.SOLVED, cost=1.0, waypoints=np.array(waypoints, dtype=float))


def yaws(built):
    turns = [pose["pose"]["orientation"] for pose in built["poses"]]
    return [2.0 * np.arctan2(turn["z"], turn["w"]) for turn in turns]


def test_poses_stand_on_the_waypoints_and_look_along_the_path():
    built = path([(0, 0), (2, 0), (2, 3)]).to_ros(frame_id="odom", stamp=3.25)
    places = [pose["pose"]["position"] for pose in built["poses"]]
    assert [(p["x"], p["y"], p["z"]) for p in places] == [(0, 0, 0), (2, 0, 0), (2, 3, 0)]
    np.testing.assert_allclose(yaws(built), [0.0, np.pi / 2, np.pi / 2])
    assert built["header"]["frame_id"] == "odom"
    assert built["header"]["stamp"] == {"sec": 3, "nanosec": 250_000_000}


def test_the_third_coordinate_is_height():
    built = path([(0, 0, 1), (0, -2, 4)]).to_ros()
    assert [pose["pose"]["position"]["z"] for pose in built["poses"]] == [1.0, 4.0]
    np.testing.assert_allclose(yaws(built), [-np.pi / 2, -np.pi / 2])


def test_no_path_has_no_poses():
    none = Path(status=PathStatus.NO_PATH, cost=np.inf, waypoints=np.empty((0, 2)))
    assert none.to_ros()["poses"] == []


def test_other_dimensions_are_refused():
    with pytest.raises(ValueError, match="path must be in 2 or 3 dimensions, got 4"):
        path([(0, 0, 0, 0)]).to_ros()
