"""Films and live views hold one frame a step and what the planner said."""

import shutil

import numpy as np
import pytest
from PIL import Image

from planning import FMTx
from problems.worlds import BoxWorld, DiscWorld, OccupancyGrid, PolygonWorld, Union

pytest.importorskip("matplotlib")

from planning.animation import animate
from planning.plotting import plot_world


def planned():
    world = DiscWorld(((0, 10), (0, 6)))
    disc = world.add((5.0, 3.0), 1.0)
    planner = FMTx(world, 200, seed=0)
    planner.set_goal((9.0, 5.0))
    return world, disc, planner


def test_film_has_a_frame_for_every_step(tmp_path):
    world, disc, planner = planned()

    def step(frame, path):
        assert (path is None) == (frame == 0)
        world.move(disc, (5.0, 3.0 + 0.2 * frame))
        return (1.0 + 0.5 * frame, 1.0) if frame < 4 else None

    paths = animate(planner, step, tmp_path / "drive.gif", tree=True)
    assert len(paths) == 4 and all(path.solved for path in paths)
    with Image.open(tmp_path / "drive.gif") as film:
        assert film.n_frames == 4


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs ffmpeg")
def test_film_can_be_a_video(tmp_path):
    _, _, planner = planned()
    animate(planner, lambda k, path: (1.0 + k, 1.0) if k < 3 else None, tmp_path / "drive.mp4")
    assert (tmp_path / "drive.mp4").read_bytes()[4:8] == b"ftyp"


def test_bad_files_and_numbers_are_refused(tmp_path):
    _, _, planner = planned()
    with pytest.raises(ValueError, match=r"file must end in .gif or .mp4, got film.avi"):
        animate(planner, lambda k, path: None, tmp_path / "film.avi")
    with pytest.raises(ValueError, match="n_frames and fps must be positive, got 0 and 10"):
        animate(planner, lambda k, path: None, tmp_path / "film.gif", n_frames=0)


def test_every_kind_of_world_is_drawn_where_it_is():
    import matplotlib.pyplot as plt

    bounds = ((0, 10), (0, 10))
    boxes, polygons = BoxWorld(bounds), PolygonWorld(bounds)
    boxes.add((2, 2), (3, 1), angle=0.5)
    polygons.add([(6, 6), (9, 6), (7, 9)])
    cells = np.zeros((10, 10), np.int8)
    cells[8, 1] = 100
    world = Union(boxes, polygons, OccupancyGrid.from_array(cells, 1.0))
    figure, ax = plt.subplots(figsize=(4, 4), dpi=50)
    ax.set_position((0, 0, 1, 1))
    plot_world(world, ax)
    figure.canvas.draw()
    picture = np.asarray(figure.canvas.buffer_rgba())[::-1, :, 0]
    rows, cols = picture.shape
    x, y = np.meshgrid(np.arange(0.25, 10, 0.5), np.arange(0.25, 10, 0.5))
    points = np.column_stack((x.ravel(), y.ravel()))
    dark = picture[(points[:, 1] / 10 * rows).astype(int), (points[:, 0] / 10 * cols).astype(int)]
    free = world.is_free(points)
    assert np.mean((dark > 128) == free) > 0.97
    plt.close(figure)


def test_live_view_records_every_tick(tmp_path):
    pytest.importorskip("rerun")
    from planning.live import LiveView, box_outlines

    _, _, planner = planned()
    view = LiveView(planner, file=tmp_path / "drive.rrd")
    for k in range(3):
        view.show(planner.plan((1.0 + k, 1.0)))
    view.close()
    assert (tmp_path / "drive.rrd").stat().st_size > 1000
    boxes = BoxWorld(((0, 1), (0, 1)))
    boxes.add((0.5, 0.5), (0.4, 0.2), angle=np.pi / 2)
    (outline,) = box_outlines(boxes.arrays().shapes.boxes, 2)
    np.testing.assert_allclose(outline.min(axis=0), [0.4, 0.3])
    np.testing.assert_allclose(outline.max(axis=0), [0.6, 0.7])
    with pytest.raises(ValueError, match="planner must plan in 2 or 3 dimensions, got 1"):
        LiveView(FMTx(BoxWorld(((0, 1),)), 10, seed=0))
