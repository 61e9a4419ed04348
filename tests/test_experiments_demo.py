"""The demo end to end, small: files are written, paths are free, the robot arrives."""

import numpy as np
import pytest
from PIL import Image

from experiments import demo, demo_planning, demo_sparse
from experiments.__main__ import EXPERIMENTS, main
from planning import Roadmap
from problems.worlds import OccupancyGrid
from problems.worlds.floorplan import warehouse
from problems.worlds.maps import RosMap, write_ros

pytest.importorskip("matplotlib")


def test_sparse_half_certifies_and_draws(tmp_path, capsys):
    demo_sparse.draw(*demo_sparse.measure(degree=2), tmp_path / "sparse_model.png")
    with Image.open(tmp_path / "sparse_model.png") as image:
        assert image.size[0] > 1000
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    last = [line for line in lines if line[:1] == ["southwell"]][-1]
    assert float(last[1]) == 1e-10 and float(last[3]) <= 1e-10 * 2.001  # gap over ||y||^2 / 2


def test_planning_half_draws_a_drive_on_a_users_map(tmp_path, capsys):
    plan = warehouse(3, width=16, height=14, resolution=0.1)
    file = write_ros(tmp_path / "mine.yaml", plan.to_ros())
    written = demo_planning.run(tmp_path, file, n_samples=700, n_ticks=12, n_people=3)
    assert [path.name for path in written] == ["tree.png", "drive.gif"]
    with Image.open(written[1]) as image:
        assert image.n_frames > 1
    assert "12 ticks, 3 people" in capsys.readouterr().out


def test_drive_arrives_on_free_paths_past_a_door_that_shuts():
    plan = warehouse(0)
    grid = plan.to_grid(robot_radius=0.25)
    record = demo_planning.drive(
        grid,
        np.array(plan.start),
        np.array(plan.goal),
        Roadmap.sample(grid, 2000, 0),
        doors=plan.doors,
        n_ticks=50,
        n_people=4,
        seed=0,
    )
    assert len(record.ticks) == 50
    assert np.linalg.norm(record.ticks[-1].robot - plan.goal) < 1.0
    assert record.door is not None and record.ticks[-1].door_shut
    row, col, height, width = record.door
    for tick in record.ticks:
        cells = record.still.copy()
        if tick.door_shut:
            cells[row : row + height, col : col + width] = 100
        rows, cols = np.indices(cells.shape)
        centers = grid.center_of(np.column_stack([rows.ravel(), cols.ravel()]))
        for person in tick.people:
            near = np.linalg.norm(centers - person, axis=1) <= demo_planning.PERSON_RADIUS
            cells[near.reshape(cells.shape)] = 100
        now = OccupancyGrid.from_array(cells, grid.resolution, robot_radius=0.25)
        assert now.is_motion_free(tick.path.waypoints[:-1], tick.path.waypoints[1:]).all()


@pytest.mark.parametrize(
    ("cells", "message"),
    [(None, "map.yaml"), (100, "map.yaml: must have a cell that is free for a robot of 0.25 m")],
)
def test_maps_that_cannot_be_driven_on_are_refused_before_any_work(
    tmp_path, capsys, cells, message
):
    if cells is not None:
        write_ros(tmp_path / "map.yaml", RosMap(np.full((9, 9), cells, np.int8), 0.1, (0.0, 0.0)))
    with pytest.raises(SystemExit, match="2"):
        demo.main(["--map", str(tmp_path / "map.yaml"), "--output", str(tmp_path / "out")])
    assert message in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_experiments_are_listed_and_unknown_ones_refused(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["experiments", "nothing"])
    with pytest.raises(SystemExit, match="2"):
        main()
    out = capsys.readouterr().out
    assert all(name in out for name in EXPERIMENTS)
