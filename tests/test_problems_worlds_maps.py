"""Map files: map_server's rules pixel by pixel, round trips, refusals that name the field."""

import numpy as np
import pytest
import yaml
from PIL import Image

from problems.worlds import OccupancyGrid
from problems.worlds.floorplan import warehouse
from problems.worlds.maps import RosMap, read_movingai, read_ros, write_ros

SHADES = np.array([[0, 50, 100], [150, 205, 254]], dtype=np.uint8)


def write_map(folder, pixels=SHADES, **fields):
    Image.fromarray(pixels).save(folder / "map.png")
    content = {
        "image": "map.png",
        "resolution": 0.5,
        "origin": [-1.0, 2.0, 0.0],
        "negate": 0,
        "occupied_thresh": 0.65,
        "free_thresh": 0.25,
    }
    content.update(fields)
    kept = {name: value for name, value in content.items() if value is not None}
    (folder / "map.yaml").write_text(yaml.safe_dump(kept))
    return folder / "map.yaml"


def expected(shade, mode, negate, occupied=0.65, free=0.25):
    """nav2_map_server's rule for one opaque pixel, written out."""
    if mode == "raw":
        return shade if shade <= 100 else -1
    occupancy = shade / 255 if negate else 1 - shade / 255
    if occupancy > occupied:
        return 100
    if occupancy < free:
        return 0
    return round((occupancy - free) / (occupied - free) * 100) if mode == "scale" else -1


@pytest.mark.parametrize("negate", [2, 0.5, "yes"])
def test_negate_is_a_truth_value(tmp_path, negate):
    with pytest.raises(ValueError, match="negate must be"):
        read_ros(write_map(tmp_path, np.zeros((2, 2), np.uint8), negate=negate))


@pytest.mark.parametrize("mode", ["trinary", "scale", "raw"])
@pytest.mark.parametrize("negate", [0, 1])
def test_every_shade_follows_map_server(tmp_path, mode, negate):
    shades = np.arange(256, dtype=np.uint8).reshape(16, 16)
    found = read_ros(write_map(tmp_path, shades, mode=mode, negate=negate))
    wanted = [[expected(int(shade), mode, negate) for shade in row] for row in shades[::-1]]
    np.testing.assert_array_equal(found.values, wanted)


def test_first_image_row_is_the_highest_y(tmp_path):
    grid = OccupancyGrid.from_ros(write_map(tmp_path))
    assert grid.bounds.tolist() == [[-1.0, 0.5], [2.0, 3.0]]
    np.testing.assert_array_equal(grid.values, [[-1, 0, 0], [100, 100, -1]])
    np.testing.assert_array_equal(grid.center_of([[1, 0]]), [[-0.75, 2.75]])


def test_transparent_pixels_are_unknown(tmp_path):
    pixels = np.full((2, 2, 4), 255, dtype=np.uint8)
    pixels[0, 0, 3] = 0
    np.testing.assert_array_equal(read_ros(write_map(tmp_path, pixels)).values, [[0, 0], [-1, 0]])


@pytest.mark.parametrize("binary", [True, False])
def test_floor_plan_survives_writing_and_reading(tmp_path, binary):
    plan = warehouse(1, width=16, height=14, resolution=0.1)
    file = write_ros(tmp_path / "plan.yaml", plan.to_ros())
    if not binary:  # the same image as plain text pgm
        pixels = np.asarray(Image.open(tmp_path / "plan.pgm"))
        rows = "\n".join(" ".join(map(str, row)) for row in pixels)
        (tmp_path / "plan.pgm").write_text(f"P2\n{pixels.shape[1]} {pixels.shape[0]}\n255\n{rows}")
    found = read_ros(file)
    np.testing.assert_array_equal(found.values, plan.values)
    assert found.resolution == 0.1 and found.origin == (0.0, 0.0)


def test_written_occupancies_come_back_as_free_occupied_and_unknown(tmp_path):
    values = np.array([[0, 24, 25, 64], [65, 100, -1, 50]], dtype=np.int8)
    found = read_ros(write_ros(tmp_path / "m", RosMap(values, 0.05, (1.5, -2.0), 0.3)))
    np.testing.assert_array_equal(found.values, [[0, 0, -1, -1], [100, 100, -1, -1]])
    assert found.origin == (1.5, -2.0) and found.yaw == 0.3
    assert OccupancyGrid.from_ros(tmp_path / "m.yaml").yaw == 0.3


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"resolution": None}, r"map.yaml: field resolution is missing; found free"),
        ({"resolution": "wide"}, "map.yaml: resolution must be a finite number, got 'wide'"),
        ({"resolution": -1}, "map.yaml: resolution must be positive, got -1"),
        ({"resolution": float("nan")}, "resolution must be a finite number, got nan"),
        ({"resolution": True}, "map.yaml: resolution must be a finite number, got True"),
        ({"resolution": 10**400}, "map.yaml: resolution must be a finite number, got 1000"),
        ({"origin": [True, 0, 0]}, r"map.yaml: origin must be \[x, y, yaw\], finite numbers"),
        ({"origin": [10**400, 0, 0]}, r"map.yaml: origin must be \[x, y, yaw\], finite numbers"),
        ({"negate": "1"}, "map.yaml: negate must be 0 or 1, got '1'"),
        ({"origin": [0.0]}, r"map.yaml: origin must be \[x, y, yaw\]"),
        ({"origin": [0, 0, float("inf")]}, r"map.yaml: origin must be \[x, y, yaw\], finite"),
        ({"mode": "fancy"}, "map.yaml: mode must be one of trinary, scale, raw, got 'fancy'"),
        ({"free_thresh": 0.9}, "thresholds must satisfy .* got 0.9 and 0.65"),
    ],
)
def test_malformed_yaml_is_refused_with_file_and_field(tmp_path, fields, message):
    with pytest.raises(ValueError, match=message):
        read_ros(write_map(tmp_path, **fields))


def test_missing_and_broken_files_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nothing.yaml"):
        read_ros(tmp_path / "nothing.yaml")
    with pytest.raises(FileNotFoundError, match=r"map.yaml: image .* got .*gone.pgm"):
        read_ros(write_map(tmp_path, image="gone.pgm"))
    (tmp_path / "list.yaml").write_text("- 1\n")
    with pytest.raises(ValueError, match=r"list.yaml: a map must be a table"):
        read_ros(tmp_path / "list.yaml")
    (tmp_path / "broken.yaml").write_text("image: [")
    with pytest.raises(ValueError, match=r"broken.yaml: not a yaml file"):
        read_ros(tmp_path / "broken.yaml")
    plan = warehouse(0, width=16, height=14, resolution=0.2)
    file = write_ros(tmp_path / "cut.yaml", plan.to_ros())
    whole = (tmp_path / "cut.pgm").read_bytes()
    for kept in (len(whole) // 2, len(whole) - 1, 3):
        (tmp_path / "cut.pgm").write_bytes(whole[:kept])
        with pytest.raises(ValueError, match=r"cut.pgm: the image cannot be read"):
            read_ros(file)
    (tmp_path / "cut.pgm").write_bytes(b"P5\n100000 100000\n255\n" + bytes(12))
    with pytest.raises(ValueError, match=r"cut.pgm: the image cannot be read: Image size"):
        read_ros(file)


GOOD = "type octile\nheight 2\nwidth 3\nmap\n.@G\nTWS\n"


def test_movingai_map_is_read_as_drawn(tmp_path):
    (tmp_path / "m.map").write_text(GOOD)
    np.testing.assert_array_equal(read_movingai(tmp_path / "m.map"), [[100, 100, 0], [0, 100, 0]])
    assert OccupancyGrid.from_movingai(tmp_path / "m.map").bounds.tolist() == [[0, 3], [0, 2]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("height 2", "height 3"), r"m.map: height must be the number of rows, 2, got 3"),
        (("height 2", "height 1"), r"m.map: height must be the number of rows, 2, got 1"),
        (("width 3", "width 4"), r"m.map, line 5: width must be the number of cells, 3, got 4"),
        (("width 3", "width x"), r"m.map, line 3: must be 'width' and a positive number"),
        (("type octile", "type tile"), r"m.map, line 1: must be 'type octile', got 'type tile'"),
        (("map\n", "mop\n"), r"m.map, line 4: must be 'map'"),
        ((".@G", ".@?"), r"m.map, line 5: cells must be one of .* got '\?' in column 3"),
        ((GOOD, ""), r"m.map, line 1: must be 'type octile', got ''"),
    ],
)
def test_lying_movingai_file_is_refused_with_its_line(tmp_path, change, message):
    (tmp_path / "m.map").write_text(GOOD.replace(*change))
    with pytest.raises(ValueError, match=message):
        read_movingai(tmp_path / "m.map")


@pytest.mark.parametrize("name", ["depot", "tb3_sandbox", "warehouse", "warehouse_keepout"])
def test_real_ros_maps_load(shared_data, name):
    grid = OccupancyGrid.from_ros(shared_data / "maps" / f"{name}.yaml", robot_radius=0.25)
    assert {0, 100} <= set(np.unique(grid.values)) <= {-1, 0, 100}


def test_real_movingai_map_loads(shared_data):
    grid = OccupancyGrid.from_movingai(shared_data / "maps" / "bigmap600.map")
    assert grid.shape == (214, 192)
