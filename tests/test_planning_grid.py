import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planning_oracles import assert_costs, assert_path_is_consistent, dijkstra_costs

from planning import FMTx, PathStatus, Roadmap, Scratch
from problems.worlds import OccupancyGrid

SETTINGS = [
    {"focus": False, "collision": "proactive"},
    {"focus": False, "collision": "lazy"},
    {"focus": True, "collision": "auto"},
]


def random_grid(rng, rows=14, cols=17, blocked=0.25):
    values = np.where(rng.random((rows, cols)) < blocked, 100, 0).astype(np.int8)
    return OccupancyGrid.from_array(values, resolution=0.5, origin=(-2.0, 1.0))


def audit_path(path, grid, start, goal):
    """Walk the path finely and look every point up in the grid's values, in plain numpy."""
    assert_path_is_consistent(path, start, goal)
    values, (low_x, low_y) = grid.values, grid.bounds[:, 0]
    for p, q in zip(path.waypoints[:-1], path.waypoints[1:], strict=True):
        fine = p + np.linspace(0.0, 1.0, 200)[:, None] * (q - p)
        cols = np.clip(((fine[:, 0] - low_x) / 0.5).astype(int), 0, values.shape[1] - 1)
        rows = np.clip(((fine[:, 1] - low_y) / 0.5).astype(int), 0, values.shape[0] - 1)
        assert (values[rows, cols] == 0).all()


@pytest.mark.kernel
@settings(max_examples=15)
@given(seed=st.integers(0, 10**6), kind=st.sampled_from([4, 8, "points"]))
def test_costs_equal_dijkstra_after_window_updates(seed, kind):
    rng = np.random.default_rng(seed)
    grid = random_grid(rng)
    if kind == "points":
        points = rng.uniform(grid.bounds[:, 0], grid.bounds[:, 1], (150, 2))
        roadmap = Roadmap.from_points(points, radius=1.6)
    else:
        roadmap = Roadmap.from_grid(grid, connectivity=kind)
    planners = [Scratch(grid, roadmap)] + [FMTx(grid, roadmap, **s) for s in SETTINGS]
    free = roadmap.points[grid.is_free(roadmap.points)]
    goal, start = free[0], free[-1]
    for planner in planners:
        planner.set_goal(goal)
        planner.plan(start)
    for _ in range(5):
        row, col = int(rng.integers(0, 10)), int(rng.integers(0, 12))
        window = np.where(rng.random((4, 5)) < 0.4, 100, 0).astype(np.int8)
        grid.update_window(row, col, window)
        expected = dijkstra_costs(grid, roadmap, goal)
        for planner in planners:
            planner.update()
            focused = getattr(planner, "_focused", False)
            assert_costs(planner.cost_to_goal, expected, settled_only=focused)
            path = planner.path(start)
            assert path.status is planners[0].path(start).status
            assert path.cost == pytest.approx(planners[0].path(start).cost, rel=1e-9)
            if path.solved:
                audit_path(path, grid, start, goal)


@pytest.mark.kernel
@settings(max_examples=15)
@given(
    seed=st.integers(0, 10**6),
    moves=st.lists(
        st.sampled_from(["window", "window", "drive", "jump", "goal", "densify", "no time"]),
        max_size=12,
    ),
)
def test_costs_equal_dijkstra_whatever_happens_on_a_grid(seed, moves):
    rng = np.random.default_rng(seed)
    grid = random_grid(rng)
    points = rng.uniform(grid.bounds[:, 0], grid.bounds[:, 1], (150, 2))
    roadmap = Roadmap.from_points(points, radius=1.6)
    planners = [FMTx(grid, roadmap, seed=seed, **s) for s in SETTINGS]
    free = points[grid.is_free(points)]
    goal, start = free[0], free[-1]
    for planner in planners:
        planner.set_goal(goal)
        planner.plan(start)
    for move in moves:
        if move == "window":
            row, col = int(rng.integers(0, 10)), int(rng.integers(0, 12))
            grid.update_window(row, col, np.where(rng.random((4, 5)) < 0.4, 100, 0))
        elif move == "drive":
            start = np.clip(start + rng.normal(0, 0.3, 2), *grid.bounds.T)
        elif move == "jump":
            start = rng.uniform(*grid.bounds.T)
        elif move == "goal":
            goal = rng.uniform(*grid.bounds.T)
        for planner in planners:
            if move == "goal":
                planner.set_goal(goal)
            if move == "densify":
                planner.densify(20)
            path = planner.plan(start, time_limit=1e-9 if move == "no time" else None)
            if path.status is PathStatus.TIMEOUT:
                continue
            expected = dijkstra_costs(grid, planner.roadmap, goal, reach=planner._radius)
            focused = planner._focused
            assert_costs(planner.cost_to_goal, expected, settled_only=focused)
            anew = Scratch(grid, planner.roadmap)
            anew.set_goal(goal)
            anew._radius = planner._radius
            assert path.status is anew.plan(start).status
            assert path.cost == pytest.approx(anew.path(start).cost, rel=1e-9)


@pytest.mark.parametrize("connectivity", [4, 8])
def test_from_grid_joins_every_cell_to_its_neighbours(connectivity):
    grid = OccupancyGrid.from_array(np.zeros((3, 4), np.int8), resolution=0.5)
    roadmap = Roadmap.from_grid(grid, connectivity=connectivity)
    np.testing.assert_allclose(roadmap.points[5], (0.75, 0.75))  # row 1, column 1
    around = {5 - 4, 5 + 4, 5 - 1, 5 + 1}
    if connectivity == 8:
        around |= {0, 2, 8, 10}
    assert set(roadmap.graph.neighbors(5).tolist()) == around
    assert roadmap.n_edges == (17 if connectivity == 4 else 29)


def test_paths_on_a_grid_cut_no_corners():
    values = np.zeros((2, 2), np.int8)
    values[0, 1] = 100
    grid = OccupancyGrid.from_array(values, resolution=1.0)
    planner = FMTx(grid, Roadmap.from_grid(grid, connectivity=8))
    planner.set_goal((1.5, 1.5))
    path = planner.plan((0.5, 0.5))
    assert path.cost == pytest.approx(2.0)
    np.testing.assert_allclose(path.waypoints, [(0.5, 0.5), (0.5, 1.5), (1.5, 1.5)])


def test_a_door_that_closes_and_opens():
    values = np.zeros((20, 21), np.int8)
    values[:, 10] = 100
    values[9:11, 10] = 0
    grid = OccupancyGrid.from_array(values, resolution=0.25)
    planner = FMTx(grid, 400, seed=0)
    planner.set_goal((4.5, 1.0))
    before = planner.plan((0.5, 1.0))
    assert before.solved
    grid.update_window(9, 10, np.full((2, 1), 100, np.int8))
    planner.update()
    closed = planner.path((0.5, 1.0))
    assert closed.status is PathStatus.NO_PATH
    grid.update_window(9, 10, np.zeros((2, 1), np.int8))
    planner.update()
    assert planner.path((0.5, 1.0)).cost == pytest.approx(before.cost, rel=1e-12)
