"""Occupancy grids with a yaw: all answers are those of the grid along the axes, turned."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from planning_oracles import assert_costs, dijkstra_costs

from planning import FMTx, Roadmap
from problems.worlds import DiscWorld, FootprintGrid, OccupancyGrid, Union

pytestmark = pytest.mark.kernel
ORIGIN, SIDE = np.array([-3.0, 7.0]), 0.25


def turn(points, yaw):
    """Turn (k, 2) points about the origin of the grids."""
    rotation = np.array([[np.cos(yaw), -np.sin(yaw)], [np.sin(yaw), np.cos(yaw)]])
    return ORIGIN + (np.asarray(points) - ORIGIN) @ rotation.T


def pair(seed, yaw, radius=0.3, shape=(20, 31)):
    """The same cells along the axes and turned."""
    cells = np.where(np.random.default_rng(seed).random(shape) < 0.1, 100, 0).astype(np.int8)
    options = {"origin": tuple(ORIGIN), "robot_radius": radius}
    straight = OccupancyGrid.from_array(cells, SIDE, **options)
    return straight, OccupancyGrid.from_array(cells, SIDE, yaw=yaw, **options)


@given(st.integers(0, 10_000), st.floats(-7.0, 7.0), st.sampled_from([0.0, 0.3]))
def test_points_and_motions_are_free_where_they_are_on_the_straight_grid(seed, yaw, radius):
    straight, turned = pair(seed, yaw, radius)
    rng = np.random.default_rng(seed)
    low, high = straight.bounds.T
    starts, ends = rng.uniform(low - 1.0, high + 1.0, (2, 80, 2))  # some lie outside
    np.testing.assert_array_equal(straight.is_free(starts), turned.is_free(turn(starts, yaw)))
    np.testing.assert_array_equal(
        straight.is_motion_free(starts, ends),
        turned.is_motion_free(turn(starts, yaw), turn(ends, yaw)),
    )
    inside = straight.is_free(starts)
    corners = turn([(x, y) for x in straight.bounds[0] for y in straight.bounds[1]], yaw)
    np.testing.assert_allclose(turned.bounds, np.stack((corners.min(0), corners.max(0)), axis=1))
    cells = straight.cell_of(starts[inside])
    np.testing.assert_array_equal(turned.cell_of(turn(starts[inside], yaw)), cells)
    np.testing.assert_array_equal(turned.cell_of(turned.center_of(cells)), cells)
    np.testing.assert_allclose(turned.center_of(cells), turn(straight.center_of(cells), yaw))


@pytest.mark.parametrize("collision", ["lazy", "proactive"])
@pytest.mark.parametrize("united", [False, True])
def test_costs_equal_dijkstra_on_a_turned_grid_after_window_updates(collision, united):
    grid, rng = pair(3, 0.7)[1], np.random.default_rng(0)
    world = Union(grid, DiscWorld(grid.bounds)) if united else grid
    roadmap = Roadmap.sample(grid, 300, 0)
    assert grid.is_free(roadmap.points).all()
    planner = FMTx(world, roadmap, collision=collision, focus=False)
    goal = roadmap.points[0]
    planner.set_goal(goal)
    planner.plan(roadmap.points[1])
    for _ in range(12):
        row, col = int(rng.integers(0, 15)), int(rng.integers(0, 26))
        grid.update_window(row, col, np.where(rng.random((5, 5)) < 0.3, 100, 0))
        planner.update()
        assert_costs(planner.cost_to_goal, dijkstra_costs(world, roadmap, goal))


def test_every_cell_of_a_turned_grid_is_a_vertex_at_its_centre():
    straight, turned = pair(1, -1.1)
    roadmaps = [Roadmap.from_grid(grid) for grid in (straight, turned)]
    np.testing.assert_allclose(roadmaps[1].points, turn(roadmaps[0].points, -1.1))
    assert roadmaps[0].n_edges == roadmaps[1].n_edges


def test_a_footprint_keeps_to_the_axes_of_the_world():
    cells = np.zeros((60, 60), np.int8)
    cells[30, 30] = 100
    grid = OccupancyGrid.from_array(cells, 0.05, yaw=np.pi / 2)
    long = FootprintGrid(grid, [(-0.4, -0.1), (0.4, -0.1), (0.4, 0.1), (-0.4, 0.1)])
    post = grid.center_of([(30, 30)])[0]
    beside = post + np.array([(0.3, 0.0), (-0.3, 0.0), (0.0, 0.3), (0.0, -0.3)])
    assert long.is_free(beside).tolist() == [False, False, True, True]


def test_a_yaw_must_be_finite():
    with pytest.raises(ValueError, match="yaw must be finite, got nan"):
        OccupancyGrid.from_array([[0]], 1.0, yaw=np.nan)
