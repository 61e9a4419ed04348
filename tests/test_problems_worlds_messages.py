"""Grids to and from ROS messages: axes, origins, and fields that are missing or wrong."""

from types import SimpleNamespace

import numpy as np
import pytest

from problems.worlds import OccupancyGrid


def cells(seed=0, shape=(4, 7)):
    return np.random.default_rng(seed).choice([-1, 0, 100], shape).astype(np.int8)


def as_object(message):
    if isinstance(message, dict):
        return SimpleNamespace(**{key: as_object(value) for key, value in message.items()})
    return message


def message(values=None, **info):
    grid = OccupancyGrid.from_array(cells() if values is None else values, 0.25, origin=(-3.0, 2.0))
    built = grid.to_msg(frame_id="odom", stamp=12.5)
    built["info"].update(info)
    return built


@pytest.mark.parametrize("form", [dict, as_object])
def test_a_grid_survives_its_message(form):
    back = OccupancyGrid.from_msg(form(message()))
    np.testing.assert_array_equal(back.values, cells())
    np.testing.assert_allclose(back.bounds, [[-3.0, -3.0 + 7 * 0.25], [2.0, 3.0]])


def test_data_runs_along_x_first_from_the_lower_left_corner():
    values = np.zeros((4, 7), np.int8)
    values[1, 5] = 100
    built = message(values)
    assert built["info"]["width"] == 7
    assert built["info"]["height"] == 4
    assert built["data"][1 * 7 + 5] == 100
    grid = OccupancyGrid.from_msg(built)
    center = grid.center_of([(1, 5)])
    np.testing.assert_allclose(center, [(-3.0 + 5.5 * 0.25, 2.0 + 1.5 * 0.25)])
    np.testing.assert_array_equal(grid.cell_of(center), [(1, 5)])
    assert not grid.is_free(center)[0]


def test_the_header_carries_frame_and_time():
    head = message()["header"]
    assert head == {"stamp": {"sec": 12, "nanosec": 500_000_000}, "frame_id": "odom"}


def test_an_update_message_patches_the_window_it_names():
    grid = OccupancyGrid.from_array(np.zeros((4, 7), np.int8), 0.25)
    grid.update_from_msg({"x": 5, "y": 1, "width": 2, "height": 3, "data": [100, 0, 0, -1, 0, 100]})
    expected = np.zeros((4, 7), np.int8)
    expected[1:4, 5:7] = [[100, 0], [0, -1], [0, 100]]
    np.testing.assert_array_equal(grid.values, expected)
    assert grid.revision == 1


def test_an_orientation_never_filled_in_is_no_turn():
    built = message()
    built["info"]["origin"]["orientation"] = dict.fromkeys("xyzw", 0.0)
    np.testing.assert_array_equal(OccupancyGrid.from_msg(built).values, cells())


def test_a_turned_map_is_turned_about_its_origin():
    built = message()
    built["info"]["origin"]["orientation"] = {"x": 0.0, "y": 0.0, "z": 0.5**0.5, "w": 0.5**0.5}
    grid = OccupancyGrid.from_msg(built)
    np.testing.assert_allclose(grid.bounds, [[-3.0 - 4 * 0.25, -3.0], [2.0, 2.0 + 7 * 0.25]])
    np.testing.assert_allclose(grid.center_of([(0, 0)]), [(-3.125, 2.125)])
    back = grid.to_msg(frame_id="odom", stamp=12.5)
    assert back["data"] == built["data"]
    turned = back["info"]["origin"]["orientation"]
    assert turned == pytest.approx(built["info"]["origin"]["orientation"])


def test_a_tilted_map_is_refused():
    built = message()
    for turn, match in [
        ({"x": 0.5, "y": 0.0, "z": 0.0, "w": 0.75**0.5}, "must be flat, got x=0.5"),
        ({"x": 0.0, "y": 0.0, "z": float("nan"), "w": 1.0}, r"orientation\.z must be finite"),
    ]:
        built["info"]["origin"]["orientation"] = turn
        with pytest.raises(ValueError, match=match):
            OccupancyGrid.from_msg(built)


@pytest.mark.parametrize(
    ("info", "match"),
    [
        ({"width": 8}, r"data must be height x width = 4 x 8 integers"),
        ({"width": -1}, r"info\.width must be a positive integer, got -1"),
        ({"width": 0, "height": 0}, r"info\.height must be a positive integer, got 0"),
        ({"height": float("inf")}, r"info\.height must be a positive integer, got inf"),
        ({"height": True}, r"info\.height must be a positive integer, got True"),
        ({"width": "7"}, r"info\.width must be a positive integer, got '7'"),
        ({"width": None}, r"info\.width must be a positive integer, got None"),
        ({"resolution": None}, r"info\.resolution must be a number, got None"),
        ({"resolution": "0.25"}, r"info\.resolution must be a number, got '0\.25'"),
        ({"resolution": 10**400}, r"info\.resolution must be a number below 1\.8e308"),
        ({"origin": {"position": {"x": True}}}, r"info\.origin\.position\.x must be a number"),
        ({"origin": {"position": {"x": np.inf}}}, r"info\.origin\.position\.x must be finite"),
        ({"resolution": 0.0}, r"info\.resolution must be finite and positive, got 0"),
        ({"resolution": float("nan")}, r"info\.resolution must be finite"),
        ({"origin": {}}, r"must have a field info\.origin\.position\.x"),
    ],
)
def test_a_wrong_field_is_named(info, match):
    with pytest.raises(ValueError, match=match):
        OccupancyGrid.from_msg(message(**info))


@pytest.mark.parametrize("value", [None, "1", 1j, [], True], ids=repr)
def test_a_turn_that_is_no_number_is_named(value):
    built = message()
    built["info"]["origin"]["orientation"]["w"] = value
    with pytest.raises(ValueError, match=r"^info\.origin\.orientation\.w must be a number"):
        OccupancyGrid.from_msg(built)


@pytest.mark.parametrize("value", [-0.9, "1", True, None, [], float("nan"), float("inf"), 1j, -1])
@pytest.mark.parametrize("name", ["x", "y", "width", "height"])
def test_a_window_that_is_nowhere_is_refused_by_name(name, value):
    grid = OccupancyGrid.from_array(np.zeros((4, 7), np.int8), 0.25)
    update = {"x": 0, "y": 0, "width": 1, "height": 1, "data": [100]} | {name: value}
    with pytest.raises(ValueError, match=rf"^{name} must be a (non-nega|posi)tive integer, got "):
        grid.update_from_msg(update)
    assert grid.revision == 0


def test_whole_floats_are_cells():
    grid = OccupancyGrid.from_array(np.zeros((4, 7), np.int8), 0.25)
    grid.update_from_msg({"x": 2.0, "y": np.float64(1), "width": 1, "height": 1, "data": [100]})
    assert np.argwhere(grid.values == 100).tolist() == [[1, 2]]


@pytest.mark.parametrize("form", [bytes, bytearray])
def test_data_may_be_bytes(form):
    built = message()
    built["data"] = form(cells().tobytes())
    np.testing.assert_array_equal(OccupancyGrid.from_msg(built).values, cells())


@pytest.mark.parametrize("data", [[[1, 2], [3]], "0" * 28, None, [0.0] * 28, []])
def test_data_that_are_no_cells_are_refused(data):
    built = message()
    built["data"] = data
    with pytest.raises(ValueError, match=r"^data must be height x width = 4 x 7 integers, got "):
        OccupancyGrid.from_msg(built)


def test_values_out_of_range_are_refused():
    built = message()
    built["data"][3] = 101
    with pytest.raises(ValueError, match=r"data must lie in -1\.\.100, got -1\.\.101"):
        OccupancyGrid.from_msg(built)


def test_a_missing_field_is_named():
    with pytest.raises(ValueError, match=r"must have a field info\.height"):
        OccupancyGrid.from_msg({})
