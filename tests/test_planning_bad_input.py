"""What a new user may get wrong, tried on every planner and world: refused by name, or a status."""

import numpy as np
import pytest

from planning import DStarLite, FMTStar, FMTx, PathStatus, Roadmap, RRTx, Scratch, UpdateStatus
from planning.smoothing import smooth
from problems.worlds import (
    BoxWorld,
    DiscWorld,
    ForecastDiscWorld,
    OccupancyGrid,
    PolygonWorld,
    Union,
)

PLANNERS = [DStarLite, FMTStar, FMTx, RRTx, Scratch]
BOUNDS = ((0.0, 10.0), (0.0, 10.0))


def grid():
    return OccupancyGrid.from_array(np.zeros((20, 20), np.int8), 0.5)


WORLDS = {
    "discs": lambda: DiscWorld(BOUNDS),
    "boxes": lambda: BoxWorld(BOUNDS),
    "polygons": lambda: PolygonWorld(BOUNDS),
    "grid": grid,
    "union": lambda: Union(grid(), DiscWorld(BOUNDS)),
}


@pytest.mark.parametrize("planner_class", PLANNERS)
@pytest.mark.parametrize("kind", WORLDS)
def test_every_planner_takes_bad_calls_in_every_world(planner_class, kind):
    planner = planner_class(WORLDS[kind](), 60, seed=0)
    assert planner.update().status is UpdateStatus.NOT_PLANNED
    assert planner.plan((1, 1)).status is PathStatus.NOT_PLANNED
    for goal, message in [
        ((np.nan, 1), r"goal must be finite, got \[nan, 1.0\]"),
        ((1, 2, 3), r"goal must be of shape \(2,\) or \(k, 2\), got \(3,\)"),
        ([], r"goal must be of shape .*, got \(0,\)"),
        ("there", "goal must be an array of numbers, got 'there'"),
        (None, "goal must be"),
    ]:
        with pytest.raises(ValueError, match=message):
            planner.set_goal(goal)
    planner.set_goal((9, 9))
    assert planner.update().status is UpdateStatus.NOT_PLANNED  # before any plan
    assert planner.path((1, 1)).status is PathStatus.NOT_PLANNED
    for ask in (planner.plan, planner.path):
        for start, message in [
            ((np.nan, 1), r"start must be finite, got \[nan, 1.0\]"),
            ((1, 2, 3), r"start must be of shape \(2,\), got \(3,\)"),
            (((1, 2), (3,)), "start must be an array of numbers"),
        ]:
            with pytest.raises(ValueError, match=message):
                ask(start)
    for limit in (0, -1.0, np.nan, "soon", "1", True):
        with pytest.raises(ValueError, match="time_limit must be a"):
            planner.plan((1, 1), time_limit=limit)
        with pytest.raises(ValueError, match="time_limit must be a"):
            planner.update(time_limit=limit)
    assert planner.path((1, 1)).status is PathStatus.NOT_PLANNED  # nothing of it took effect
    assert planner.plan((1, 1)).status in (PathStatus.SOLVED, PathStatus.NO_PATH)


@pytest.mark.parametrize("planner_class", PLANNERS)
def test_too_few_samples_and_short_radii_are_no_path_with_a_hint(planner_class):
    world = DiscWorld(BOUNDS)
    points = np.random.default_rng(0).uniform(0, 10, (50, 2))
    for roadmap in (1, Roadmap.from_points(points, radius=1e-6)):
        planner = planner_class(world, roadmap, seed=0)
        world.add((5.0, 5.0), 1.0)
        planner.set_goal((9.5, 9.5))
        path = planner.plan((0.5, 0.5))
        if roadmap != 1 or not path.solved:  # one vertex may see both ends
            assert path.status is PathStatus.NO_PATH
            assert "more samples or a larger radius" in path.message


@pytest.mark.parametrize("planner_class", PLANNERS)
def test_settings_of_every_planner_are_refused_by_name(planner_class):
    world = DiscWorld(BOUNDS)
    for arguments, options, message in [
        ((None, 10), {}, "world must be a world, of discs say or a grid, got None"),
        ((DiscWorld, 10), {}, "world must be a world"),
        ((world,), {}, "exactly one of roadmap and n_samples must be given"),
        ((world, 0), {}, "n_samples must be a positive integer, got 0"),
        ((world, "many"), {}, "n_samples must be a positive integer, got 'many'"),
        ((world, np.inf), {}, "n_samples must be a positive integer, got inf"),
        ((world, 10), {"escape": -1}, "escape must be finite and not negative, got -1"),
        ((world, 10), {"escape": "far"}, "escape must be a number, got 'far'"),
        ((world, Roadmap.from_points([(0, 0, 0)], radius=1)), {}, "roadmap must have the world's"),
    ]:
        with pytest.raises(ValueError, match=message):
            planner_class(*arguments, **options)


@pytest.mark.parametrize(
    "value", ["a", "1", None, 1j, True, 10**400], ids=lambda value: repr(value)[:9]
)
def test_what_is_no_number_is_refused_by_name(value):
    discs, boxes, polygons, cells = (WORLDS[k]() for k in ("discs", "boxes", "polygons", "grid"))
    disc = discs.add((1, 1), 1)
    start = Roadmap.from_points([(0, 0), (1, 1)], radius=2)
    planner = FMTx(discs, start)
    planner.set_goal((9, 9))
    path = planner.plan((5, 5))
    spot = "a" if value is True else value  # among numbers numpy takes it for 1
    for name, call in [
        ("center", lambda: discs.add((spot, 1), 1)),
        ("center", lambda: discs.move(disc, value)),
        ("radius", lambda: discs.add((1, 1), value)),
        ("dt", lambda: discs.advance(value)),
        ("disc", lambda: discs.remove(value)),
        ("disc", lambda: discs.move(value, (1, 1))),
        ("disc", lambda: discs.set_velocity(value, (1, 1))),
        ("bounds", lambda: DiscWorld(value)),
        ("size", lambda: boxes.add((1, 1), value)),
        ("angle", lambda: boxes.add((1, 1), (1, 1), angle=value)),
        ("box", lambda: boxes.remove(value)),
        ("polygon", lambda: polygons.add(value)),
        ("polygon", lambda: polygons.remove(value)),
        ("polygon", lambda: polygons.move(value, [(0, 0), (1, 0), (0, 1)])),
        ("window", lambda: cells.update_window(value, 0, [[0]])),
        ("values", lambda: cells.update_window(0, 0, value)),
        ("resolution", lambda: OccupancyGrid.from_array([[0]], value)),
        ("origin", lambda: OccupancyGrid.from_array([[0]], 1.0, origin=value)),
        ("yaw", lambda: OccupancyGrid.from_array([[0]], 1.0, yaw=value)),
        ("worlds", lambda: Union(value)),
        ("world", lambda: Roadmap.sample(value, 10)),
        ("n_samples", lambda: Roadmap.sample(discs, value)),
        ("factor", lambda: Roadmap.sample(discs, 10, factor=value)),
        ("points", lambda: Roadmap.from_points(value, radius=1.0)),
        ("grid", lambda: Roadmap.from_grid(value)),
        ("graph", lambda: Roadmap.from_networkx(value)),
        ("hysteresis", lambda: FMTx(discs, start, hysteresis=value)),
        ("n_samples", lambda: planner.densify(value)),
        ("start", lambda: planner.plan((spot, 5))),
        ("goal", lambda: planner.set_goal((5, spot))),
        ("path", lambda: smooth(value, discs)),
        ("clearance", lambda: smooth(path, discs, clearance=value)),
    ]:
        with pytest.raises(ValueError, match=f"^{name} must"):
            call()
    assert len(discs) == 1 and cells.revision == 0 and len(boxes) == len(polygons) == 0


def test_ids_are_whole_numbers():
    discs = DiscWorld(BOUNDS)
    discs.add((1, 1), 1)
    for wrong in (0.5, True, 1, -1):
        with pytest.raises(ValueError, match="disc must be the id of a present disc"):
            discs.remove(wrong)
    discs.remove(np.int64(0))
    assert len(discs) == 0


@pytest.mark.parametrize("planner_class", PLANNERS)
def test_a_start_far_outside_leaves_the_next_plan_as_it_would_be(planner_class):
    world = DiscWorld(BOUNDS)
    world.add((5, 5), 1.5)
    roadmap = Roadmap.sample(world, 300, seed=0)
    planner, other = planner_class(world, roadmap), planner_class(world, roadmap)
    for each in (planner, other):
        each.set_goal((8, 8))
    for far in (1e10, -1e160, 1e300):
        assert planner.plan((far, 1)).status is PathStatus.OUT_OF_BOUNDS
    path = planner.plan((1, 1))
    assert path.solved
    assert path.cost == pytest.approx(other.plan((1, 1)).cost, rel=1e-12)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda w: Roadmap.sample(w, 5, connection=np.array([1, 2])),
            "connection must be one of .*radius.*knn.*, got array",
        ),
        (
            lambda w: Roadmap.from_grid(grid(), np.array([1, 2])),
            "connectivity must be 4 or 8, got array",
        ),
        (
            lambda w: FMTx(w, 5, collision=np.array([1, 2])),
            "collision must be one of .*auto.*, got array",
        ),
        (lambda w: w.is_free([(10**400, 1)]), "points must be an array of numbers"),
        (lambda w: grid().to_msg(stamp=10**400), "stamp must be a number below 1.8e308"),
        (lambda w: Roadmap.sample(w, 5, seed="a"), "seed must be None, an integer .*got 'a'"),
        (lambda w: FMTx(w, 5, seed=-1), "seed must be None, an integer .*got -1"),
        (lambda w: FMTx(w, 5, approximate="no"), "approximate must be True or False, got 'no'"),
        (lambda w: FMTx(w, 5, focus=None), "focus must be True or False, got None"),
        (lambda w: FMTx(w, 5, faithful=1), "faithful must be True or False, got 1"),
        (lambda w: RRTx(w, 5, focus="all"), "focus must be True or False, got 'all'"),
        (lambda w: DStarLite(w, 5, focus="all"), "focus must be True or False, got 'all'"),
        (lambda w: Roadmap.sample(w, 5, free_only="a"), "free_only must be True or False, got 'a'"),
        (lambda w: Roadmap.sample(w, 5).extended(None, 5), "world must be a world.*got None"),
        (lambda w: Roadmap.from_points([(1e300, 0), (0, 0)], 1.0), "points must lie within 1e.150"),
        (
            lambda w: Roadmap.from_points([(1e300, 0), (0, 0)], n_neighbors=1),
            r"points must lie within 1e.150 of zero, .*got 1e.300 at row 0, column 0",
        ),
        (lambda w: DiscWorld(((0, 1e300), (0, 1))), "bounds must lie within 1e.60 metres of zero"),
        (lambda w: DiscWorld(((0, 1e-100), (0, 1))), "bounds must be at least 1e-60 metres apart"),
        (lambda w: w.add((1e300, 1), 1.0), "center must lie within 1e.60 of zero"),
        (
            lambda w: Roadmap.sample(w, 2**40),
            "n_samples must be at most 2147483647, got 1099511627776",
        ),
        (lambda w: Roadmap.sample(w, 5, verbose="a"), "verbose must be True or False, got 'a'"),
        (lambda w: w.changes_since(1.5), r"revision must be between 0 and .* got 1\.5"),
        (lambda w: grid().changes_since("now"), "revision must be between 0 and .* got 'now'"),
        (
            lambda w: BoxWorld(BOUNDS).changes_since(None),
            "revision must be between 0 and .* got None",
        ),
        (lambda w: Union(w).changes_since(True), "revision must be between 0 and .* got True"),
        (
            lambda w: grid().cell_of([(1e300, 0)]),
            r"points must lie within 9.*got \[1e.300",
        ),
        (lambda w: grid().to_msg(frame_id=3), "frame_id must be text, got 3"),
        (lambda w: OccupancyGrid.from_ros(None), "file must be the path of a file, got None"),
        (lambda w: OccupancyGrid.from_movingai(None), "file must be the path of a file, got None"),
        (
            lambda w: ForecastDiscWorld(BOUNDS, 1e10).add((1, 1), 1.0, velocity=(1e55, 0)),
            r"velocity must lead less than 1e.60 metres far within the horizon of 1e.10 s",
        ),
    ],
)
def test_seeds_flags_and_sizes_are_refused_by_name(make, message):
    with pytest.raises(ValueError, match=message):
        make(DiscWorld(BOUNDS))
