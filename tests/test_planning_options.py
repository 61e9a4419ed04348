import numpy as np
import pytest
from planning_oracles import assert_path_is_consistent, assert_path_is_free

from planning import FMTx, PathStatus, Roadmap, Scratch
from problems.worlds import DiscWorld, OccupancyGrid

PLANNERS = [FMTx, Scratch]
AROUND = ((0.8, 0), (-0.8, 0), (0, 0.8), (0, -0.8))


def open_world(*discs):
    world = DiscWorld(((0, 20), (0, 20)))
    for center, radius in discs:
        world.add(center, radius)
    return world


def planned(planner_class, world, start=(2.0, 2.0), goal=(18.0, 18.0), **options):
    planner = planner_class(world, 400, seed=0, **options)
    planner.set_goal(goal)
    return planner, planner.plan(start)


@pytest.mark.parametrize("planner_class", PLANNERS)
def test_escape_lets_a_robot_out_of_an_obstacle(planner_class):
    world = open_world(((2.0, 2.0), 1.0))
    start = np.array((2.8, 2.0))
    assert planned(planner_class, world, start)[1].status is PathStatus.START_OCCUPIED
    assert planned(planner_class, world, start, escape=0.1)[1].status is PathStatus.NO_PATH
    path = planned(planner_class, world, start, escape=0.5)[1]
    assert_path_is_consistent(path, start, (18, 18))
    leg = path.waypoints[1] - start
    way_out = start + leg * 0.5 / np.linalg.norm(leg)
    rest = np.vstack((way_out, path.waypoints[1:]))
    assert world.is_motion_free(rest[:-1], rest[1:]).all()


def test_escape_is_not_used_by_a_start_that_is_free():
    world = open_world(((4.0, 4.0), 1.0))
    with_it, without = (planned(FMTx, world, escape=escape)[1] for escape in (3.0, 0.0))
    np.testing.assert_array_equal(with_it.waypoints, without.waypoints)


def test_escape_does_not_lead_in_from_out_of_bounds():
    path = planned(FMTx, open_world(), (-0.1, 2.0), escape=1.0)[1]
    assert path.status is PathStatus.OUT_OF_BOUNDS


def test_occupied_start_costs_no_search():
    world = open_world(((10.0, 10.0), 3.0))
    planner, _ = planned(FMTx, world)
    disc = world.add((2.0, 2.0), 0.5)
    world.add((10.0, 14.0), 3.0)
    assert planner.update().n_expanded == 0
    assert planner.path((2.0, 2.0)).status is PathStatus.START_OCCUPIED
    world.remove(disc)
    planner.update()
    assert planner.path((2.0, 2.0)).cost == pytest.approx(
        planned(Scratch, world)[1].cost, rel=1e-12
    )


@pytest.mark.parametrize("planner_class", PLANNERS)
@pytest.mark.parametrize("cut_off", ["wall", "goal covered"])
def test_goal_cut_off_leads_to_the_nearest_reachable_place(planner_class, cut_off):
    world = open_world()
    if cut_off == "wall":
        for y in np.arange(0.0, 20.1, 1.0):
            world.add((14.0, y), 0.8)
    else:
        world.add((18.0, 18.0), 2.0)
    planner, path = planned(planner_class, world, approximate=True)
    assert path.status is PathStatus.APPROXIMATE and not path.solved
    assert "m away from it" in path.message
    assert_path_is_free(path, world.arrays().discs, world.bounds)
    legs = np.linalg.norm(np.diff(path.waypoints, axis=0), axis=1)
    assert path.cost == pytest.approx(legs.sum())
    reached = Scratch(world, planner.roadmap)
    reached.set_goal((2.0, 2.0))
    reached.plan((2.0, 2.0))
    there = np.isfinite(reached.cost_to_goal)
    gaps = np.linalg.norm(planner.roadmap.points - (18.0, 18.0), axis=1)
    assert np.linalg.norm(path.waypoints[-1] - (18, 18)) == pytest.approx(gaps[there].min())
    assert path.cost == pytest.approx(reached.cost_to_goal[np.argmin(np.where(there, gaps, 99.0))])


def test_goal_cut_off_without_the_option_is_no_path():
    world = open_world(((18.0, 18.0), 2.0))
    path = planned(FMTx, world)[1]
    assert path.status is PathStatus.GOAL_OCCUPIED and len(path.waypoints) == 0


def test_nothing_nearer_than_the_start_leaves_the_robot_where_it_is():
    roadmap = Roadmap.from_points([(1, 1), (2, 1), (18, 18)], radius=1.5)
    planner = FMTx(open_world(((18.0, 17.0), 0.5), ((9, 9), 3)), roadmap, approximate=True)
    planner.set_goal((18.0, 17.0))
    path = planner.plan((3.0, 3.0))
    assert path.status is PathStatus.APPROXIMATE and path.cost == 0.0
    np.testing.assert_array_equal(path.waypoints, [(3.0, 3.0)])


@pytest.mark.parametrize("planner_class", PLANNERS)
@pytest.mark.parametrize(
    ("points", "discs", "hint"),
    [
        ([(1, 1), (9, 9)], [], "no edges: use more samples or a larger radius"),
        ([(2, 3), (3, 3), (17, 3), (18, 4)], [], "parts of the roadmap that no motion joins"),
        ([(2, 3), (3, 3)], [((2, 3), 0.3), ((3, 3), 0.3)], "the start sees no vertex"),
        ([(2, 3), (3, 3)], [((18 + x, 3.5 + y), 0.6) for x, y in AROUND], "the goal sees no"),
        ([(x, 3) for x in range(2, 19)], [((9, y), 1.2) for y in range(0, 21, 2)], "obstacles cut"),
    ],
)  # fmt: skip
def test_no_path_comes_with_a_hint(planner_class, points, discs, hint):
    planner = planner_class(open_world(*discs), Roadmap.from_points(points, radius=2.0))
    planner.set_goal((18.0, 3.5))
    path = planner.plan((2.0, 2.0))
    assert path.status is PathStatus.NO_PATH and path.cost == np.inf
    assert hint in path.message


def test_hysteresis_keeps_the_previous_way_until_the_other_is_clearly_shorter():
    points = [(2, 10), (10, 17.6), (10, 2.4), (18, 10)]
    roadmap = Roadmap.from_points(points, radius=12.0)
    world = open_world(*(((10.0, y), 1.0) for y in np.arange(4.0, 16.1, 1.0)))
    block = world.add((10.0, 1.5), 1.0)  # the lower way is shut at first
    wavering = FMTx(world, roadmap)
    steady = FMTx(world, roadmap, hysteresis=0.2)
    for planner in (wavering, steady):
        planner.set_goal((18.0, 10.0))
        assert planner.plan((2.0, 9.5)).waypoints[1, 1] > 10.0
    world.remove(block)
    for planner in (wavering, steady):
        planner.update()
    assert wavering.path((2.0, 9.5)).waypoints[1, 1] < 10.0
    kept = steady.path((2.0, 9.5))
    assert kept.waypoints[1, 1] > 10.0 and "previous path was kept" in kept.message
    shortest = wavering.path((2.0, 9.5)).cost
    assert shortest < kept.cost <= 1.2 * shortest
    assert_path_is_consistent(kept, (2.0, 9.5), (18.0, 10.0))
    # far enough down, the upper way is more than a fifth longer
    assert steady.plan((6.0, 4.0)).waypoints[1, 1] < 10.0
    assert steady.plan((2.0, 10.5)).waypoints[1, 1] < 10.0  # and now that way is kept


def test_the_first_path_is_no_previous_one():
    steady, path = planned(FMTx, open_world(((10.0, 10.0), 3.0)), hysteresis=0.05)
    _, shortest = planned(FMTx, open_world(((10.0, 10.0), 3.0)))
    assert path.message == path.status.value
    np.testing.assert_array_equal(path.waypoints, shortest.waypoints)
    np.testing.assert_array_equal(steady.plan((2.0, 2.0)).waypoints, shortest.waypoints)


def test_hysteresis_lets_a_blocked_path_go():
    points = [(2, 10), (10, 17.6), (10, 2.4), (18, 10)]
    world = open_world(*(((10.0, y), 1.0) for y in np.arange(4.0, 16.1, 1.0)))
    planner = FMTx(world, Roadmap.from_points(points, radius=12.0), hysteresis=0.5)
    planner.set_goal((18.0, 10.0))
    assert planner.plan((2.0, 10.5)).waypoints[1, 1] > 10.0
    world.add((10.0, 18.0), 1.0)
    planner.update()
    path = planner.path((2.0, 10.5))
    assert path.waypoints[1, 1] < 10.0
    assert_path_is_free(path, world.arrays().discs, world.bounds)


def test_start_in_the_inflation_of_a_grid_may_leave_it():
    values = np.zeros((40, 40), np.int8)
    values[:, 0] = 100
    grid = OccupancyGrid.from_array(values, 0.1, robot_radius=0.5)
    start = (0.45, 2.0)
    assert planned(FMTx, grid, start, (3.5, 3.5))[1].status is PathStatus.START_OCCUPIED
    path = planned(FMTx, grid, start, (3.5, 3.5), escape=0.5)[1]
    assert_path_is_consistent(path, start, (3.5, 3.5))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"escape": -1.0}, "escape must be finite and not negative, got -1.0"),
        ({"escape": np.nan}, "escape must be finite and not negative, got nan"),
        ({"hysteresis": -0.1}, "hysteresis must be finite and not negative, got -0.1"),
        ({"faithful": True, "collision": "proactive"}, "collision must be 'lazy' or 'auto' with"),
        ({"collision": "eager"}, "collision must be one of"),
    ],
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        FMTx(open_world(), 10, seed=0, **options)
