from itertools import pairwise

import numpy as np
import pytest
from planning_oracles import assert_costs, assert_path_is_free, dijkstra_costs

from planning import FMTx, Roadmap, UpdateStatus
from problems.worlds import DiscWorld, OccupancyGrid

GOAL = np.array((18.0, 18.0))
START = np.array((2.0, 2.0))


def make_world(n_discs=5, seed=0):
    rng = np.random.default_rng(seed)
    world = DiscWorld(((0, 20), (0, 20)))
    for _ in range(n_discs):
        world.add(rng.uniform(3, 16, 2), rng.uniform(0.5, 2.0))
    return world


def edges_of(roadmap):
    graph = roadmap.graph
    return set(zip(graph.tails().tolist(), graph.indices.tolist(), strict=True))


@pytest.mark.parametrize("connection", ["radius", "knn"])
def test_extended_keeps_every_vertex_and_motion(connection):
    world = make_world()
    small = Roadmap.sample(world, 200, 0, connection=connection)
    large = small.extended(world, 100, 1)
    assert large.n_vertices == 300
    np.testing.assert_array_equal(large.points[:200], small.points)
    assert edges_of(small) <= edges_of(large)
    assert large.radius == small.radius
    new = {edge for edge in edges_of(large) if max(edge) >= 200}
    lengths = {edge: np.linalg.norm(np.diff(large.points[list(edge)], axis=0)) for edge in new}
    if connection == "radius":
        n = np.array([200.0, 300.0])
        reach = small.radius * np.sqrt(np.divide(*(np.log(n) / n)[::-1]))
        gaps = np.linalg.norm(large.points[:, None] - large.points[None, 200:], axis=2)
        wanted = {(i, j + 200) for i, j in zip(*np.nonzero(gaps <= reach), strict=True)}
        wanted = {edge for edge in wanted if edge[0] != edge[1]}
        assert new == wanted | {edge[::-1] for edge in wanted}
        assert max(lengths.values()) <= reach
    else:
        degrees = np.bincount([edge[0] for edge in new], minlength=300)[200:]
        assert degrees.min() >= np.ceil(1.2 * np.e * 1.5 * np.log(200))


def test_extended_by_one_seed_is_one_roadmap():
    world = make_world()
    small = Roadmap.sample(world, 100, 0)
    a, b = small.extended(world, 50, 3), small.extended(world, 50, 3)
    np.testing.assert_array_equal(a.points, b.points)
    assert edges_of(a) == edges_of(b)


def test_growing_in_steps_ends_with_the_radius_of_the_whole():
    world = make_world(0)
    steps = Roadmap.sample(world, 100, 0).extended(world, 100, 1).extended(world, 200, 2)
    whole = Roadmap.sample(world, 400, 0)
    assert steps._reach == pytest.approx(whole.radius)


@pytest.mark.parametrize(
    ("n", "message"),
    [(0, "n_samples must be a positive integer, got 0"), (1.5, "n_samples must be"), (-3, "n_sa")],
)
def test_bad_numbers_of_samples_are_refused(n, message):
    planner = FMTx(make_world(), 50, seed=0)
    with pytest.raises(ValueError, match=message):
        planner.densify(n)
    assert planner.roadmap.n_vertices == 50


def test_extended_in_a_world_of_another_dimension_is_refused():
    roadmap = Roadmap.sample(make_world(), 50, 0)
    with pytest.raises(ValueError, match="the roadmap's dimension 2, got 3"):
        roadmap.extended(DiscWorld([(0, 1)] * 3), 5)


def test_densify_shortens_paths_towards_the_straight_line():
    world = make_world(0)
    planner = FMTx(world, 50, seed=0)
    planner.set_goal(GOAL)
    costs = [planner.plan(START).cost]
    for _ in range(3):
        assert planner.densify(400).status is UpdateStatus.REPAIRED
        costs.append(planner.path(START).cost)
    straight = np.linalg.norm(GOAL - START)
    assert all(b <= a + 1e-9 for a, b in pairwise(costs))
    assert straight <= costs[-1] < 1.01 * straight
    assert costs[0] > 1.02 * straight


@pytest.mark.parametrize("options", [{}, {"collision": "lazy"}, {"faithful": True}], ids=str)
def test_densify_on_a_grid_agrees_with_dijkstra_before_and_after_changes(options):
    rng = np.random.default_rng(0)
    values = np.where(rng.random((40, 40)) < 0.1, 100, 0).astype(np.int8)
    grid = OccupancyGrid.from_array(values, 0.5)
    planner = FMTx(grid, 200, seed=0, focus=False, **options)
    planner.set_goal(planner.roadmap.points[0])
    start = planner.roadmap.points[1]
    planner.plan(start)
    for _ in range(3):
        planner.densify(60)
        grid.update_window(*rng.integers(0, 35, 2), 100 - 100 * (rng.random((5, 5)) < 0.7))
        planner.update()
        expected = dijkstra_costs(grid, planner.roadmap, planner.goals[0])
        if planner._faithful:
            reached = np.isfinite(planner.cost_to_goal)
            assert (planner.cost_to_goal[reached] >= expected[reached] - 1e-9).all()
        else:
            assert_costs(planner.cost_to_goal, expected)


def test_densify_keeps_collision_answers():
    rng = np.random.default_rng(0)
    values = np.where(rng.random((40, 40)) < 0.1, 100, 0).astype(np.int8)
    grid = OccupancyGrid.from_array(values, 0.5)
    planner = FMTx(grid, 300, seed=0, collision="proactive", focus=False)
    planner.set_goal(planner.roadmap.points[0])
    planner.plan(planner.roadmap.points[1])
    n_known = planner.roadmap.n_edges
    assert planner._edges.known.sum() == 2 * n_known
    planner.densify(5)
    asked = planner._edges.checks[0] - n_known
    assert 0 < asked <= planner.roadmap.n_edges - n_known


def test_densify_before_any_plan_is_not_planned_and_is_kept():
    planner = FMTx(make_world(), 100, seed=0)
    assert planner.densify(100).status is UpdateStatus.NOT_PLANNED
    assert planner.roadmap.n_vertices == 200
    planner.set_goal(GOAL)
    path = planner.plan(START)
    assert path.solved
    assert_costs(
        planner.cost_to_goal,
        dijkstra_costs(planner.world, planner.roadmap, GOAL),
        settled_only=True,
    )
    planner.set_goal(START)
    assert planner.densify(50).status is UpdateStatus.NOT_PLANNED
    assert_path_is_free(planner.plan(GOAL), planner.world.arrays().discs, planner.world.bounds)


def test_goal_that_saw_only_far_vertices_keeps_them():
    # the goal sees nothing within the radius, until a sample falls near it that leads nowhere
    roadmap = Roadmap.from_points([(2, 2), (4, 2), (6, 2)], radius=2.5)
    planner = FMTx(make_world(0), roadmap, seed=0, focus=False)
    planner.set_goal((14.0, 2.0))
    before = planner.plan((1.0, 2.0))
    assert before.solved
    for _ in range(10):
        planner.densify(1)
        assert planner.path((1.0, 2.0)).cost <= before.cost + 1e-9


@pytest.mark.parametrize("collision", ["proactive", "lazy"])
def test_new_goal_asks_only_for_motions_not_asked_before(collision):
    planner = FMTx(make_world(), 300, seed=0, collision=collision)
    planner.set_goal(GOAL)
    first = planner.plan(START)
    asked = int(planner._edges.checks[0])
    planner.set_goal((17.0, 3.0))
    planner.plan(START)
    more = int(planner._edges.checks[0]) - asked
    assert more < asked
    if collision == "proactive":
        assert more == 0
    asked = int(planner._edges.checks[0])
    planner.set_goal(GOAL)
    again = planner.plan(START)
    assert planner._edges.checks[0] == asked
    np.testing.assert_array_equal(again.waypoints, first.waypoints)
