import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planning_oracles import assert_path_is_free

from bcd.chain import solve_chain
from planning import FMTx, PathStatus, Roadmap
from planning._smoothing_kernels import chain_length, length_model
from planning.result import Path
from planning.smoothing import smooth
from problems.worlds import BoxWorld, DiscWorld, OccupancyGrid, PolygonWorld, Union
from problems.worlds._clearance_kernels import clearance_at


@given(seed=st.integers(0, 10**6), n=st.integers(1, 8), d=st.integers(1, 4))
@settings(max_examples=30)
def test_chain_solve_agrees_with_the_dense_system(seed, n, d):
    rng = np.random.default_rng(seed)
    dense = np.zeros((n * d, n * d))
    link = rng.normal(size=(n - 1, d, d))
    diagonal = np.empty((n, d, d))
    for i in range(n):
        part = rng.normal(size=(d, d))
        diagonal[i] = part @ part.T + 10 * d * np.eye(d)
        dense[i * d : (i + 1) * d, i * d : (i + 1) * d] = diagonal[i]
    for i in range(n - 1):
        rows, cols = slice(i * d, (i + 1) * d), slice((i + 1) * d, (i + 2) * d)
        dense[rows, cols], dense[cols, rows] = link[i], link[i].T
    rhs, out = rng.normal(size=(n, d)), np.empty((n, d))
    expected = np.linalg.solve(dense, rhs.ravel())
    solve_chain(diagonal, link, rhs.copy(), out)
    np.testing.assert_allclose(out.ravel(), expected, rtol=1e-9, atol=1e-12)


@given(seed=st.integers(0, 10**6), d=st.integers(2, 3))
@settings(max_examples=10)
def test_length_model_has_the_gradient_and_hessian_of_the_length(seed, d):
    rng = np.random.default_rng(seed)
    points = np.cumsum(rng.uniform(0.5, 2.0, (5, d)), axis=0)
    diagonal, link, pull = np.empty((3, d, d)), np.empty((2, d, d)), np.empty((3, d))
    length_model(points, 0.0, diagonal, link, pull)
    h = 1e-4

    def moved(i, a, j=None, b=None, s=1, t=1):
        other = points.copy()
        other[i + 1, a] += s * h
        if j is not None:
            other[j + 1, b] += t * h
        return chain_length(other)

    for i in range(3):
        for a in range(d):
            slope = (moved(i, a) - moved(i, a, s=-1)) / (2 * h)
            assert -pull[i, a] == pytest.approx(slope, abs=1e-6)
            for b in range(d):
                for j, block in ((i, diagonal[i]), (i + 1, link[i] if i < 2 else None)):
                    if block is None:
                        continue
                    signs = [(1, 1), (1, -1), (-1, 1), (-1, -1)]
                    bend = sum(s * t * moved(i, a, j, b, s, t) for s, t in signs) / (4 * h * h)
                    assert block[a, b] == pytest.approx(bend, abs=1e-5)


@settings(max_examples=15)
@given(seed=st.integers(0, 10**6))
def test_smoothed_paths_are_free_and_never_longer(seed):
    rng = np.random.default_rng(seed)
    world = DiscWorld([(0.0, 20.0)] * 2)
    for _ in range(8):
        world.add(rng.uniform(2, 18, 2), rng.uniform(0.5, 2.5))
    planner = FMTx(world, Roadmap.from_points(rng.uniform(0, 20, (150, 2)), radius=4.0))
    planner.set_goal((19.5, 19.5))
    path = planner.plan((0.5, 0.5))
    smoothed = smooth(path, world)
    assert smoothed.status is path.status
    assert smoothed.cost <= path.cost or path.cost == np.inf
    if path.solved:
        legs = np.linalg.norm(np.diff(smoothed.waypoints, axis=0), axis=1)
        assert legs.sum() == pytest.approx(smoothed.cost)
        np.testing.assert_array_equal(smoothed.waypoints[[0, -1]], path.waypoints[[0, -1]])
        assert_path_is_free(smoothed, world.arrays().discs, world.bounds)
        again = smooth(smoothed, world)
        assert again.cost <= smoothed.cost


def test_path_around_a_disc_becomes_nearly_the_taut_string():
    world = DiscWorld([(-10.0, 10.0)] * 2)
    world.add((0.0, 0.0), 3.0)
    planner = FMTx(world, 400, seed=0)
    planner.set_goal((8.0, 0.0))
    path = planner.plan((-8.0, 0.0))
    tangent = np.sqrt(64.0 - 9.0)
    best = 2 * tangent + 3.0 * (np.pi - 2 * np.arccos(3.0 / 8.0))
    smoothed = smooth(path, world)
    assert best <= smoothed.cost < 1.003 * best < path.cost


def test_smoothing_holds_in_three_dimensions():
    world = BoxWorld([(0.0, 10.0)] * 3, robot_radius=0.2)
    world.add((5, 5, 5), (2, 12, 8))
    planner = FMTx(world, 600, seed=0)
    planner.set_goal((9, 5, 1))
    path = planner.plan((1, 5, 1))
    smoothed = smooth(path, world)
    assert path.solved and smoothed.cost < 0.98 * path.cost
    assert world.is_motion_free(smoothed.waypoints[:-1], smoothed.waypoints[1:]).all()


def clearance_along(world, path, most):
    """Mean clearance over the length of a path, ``most`` metres at most."""
    arrays, total = world.arrays(), 0.0
    for p, q in zip(path.waypoints[:-1], path.waypoints[1:], strict=True):
        places = p + (np.arange(20)[:, None] + 0.5) / 20 * (q - p)
        total += np.linalg.norm(q - p) * np.mean([clearance_at(arrays, x, most) for x in places])
    return total / path.cost


@settings(max_examples=10)
@given(seed=st.integers(0, 10**6), clearance=st.floats(0.1, 3.0))
def test_clearance_is_bought_with_saved_length_only(seed, clearance):
    rng = np.random.default_rng(seed)
    world = DiscWorld([(0.0, 20.0)] * 2)
    for _ in range(8):
        world.add(rng.uniform(2, 18, 2), rng.uniform(0.5, 2.5))
    planner = FMTx(world, Roadmap.from_points(rng.uniform(0, 20, (150, 2)), radius=4.0))
    planner.set_goal((19.5, 19.5))
    path = planner.plan((0.5, 0.5))
    if not path.solved:
        return
    taut, clear = smooth(path, world), smooth(path, world, clearance=clearance)
    assert taut.cost - 1e-9 <= clear.cost <= path.cost
    assert_path_is_free(clear, world.arrays().discs, world.bounds)
    np.testing.assert_array_equal(clear.waypoints[[0, -1]], path.waypoints[[0, -1]])
    near, far = (clearance_along(world, one, clearance) for one in (taut, clear))
    assert far >= near - 0.02 * clearance


def test_path_with_length_to_spare_keeps_the_clearance_asked_for():
    world = DiscWorld([(0.0, 20.0)] * 2)
    world.add((10.0, 10.0), 3.0)
    detour = np.array([(1, 10), (4, 17), (16, 17), (19.0, 10)])
    cost = float(np.linalg.norm(np.diff(detour, axis=0), axis=1).sum())
    path = Path(status=PathStatus.SOLVED, cost=cost, waypoints=detour)
    clear = smooth(path, world, clearance=1.0)
    gaps = np.linalg.norm(clear.waypoints - (10.0, 10.0), axis=1) - 3.0
    assert smooth(path, world).cost < clear.cost < path.cost
    assert gaps.min() > 0.7


def test_clearance_is_the_distance_to_the_nearest_shape():
    cells = np.zeros((40, 40), np.int8)
    cells[:, 0] = 100
    grid = OccupancyGrid.from_array(cells, 0.25, robot_radius=0.2)
    discs = DiscWorld(grid.bounds, robot_radius=0.2)
    discs.add((8.0, 8.0), 1.0)
    boxes = BoxWorld(grid.bounds, robot_radius=0.2)
    boxes.add((5.0, 2.0), (2.0, 1.0))
    polygons = PolygonWorld(grid.bounds, robot_radius=0.2)
    polygons.add([(5.0, 9.0), (6.0, 9.0), (5.5, 9.5)])
    arrays = Union(grid, discs, boxes, polygons).arrays()
    for point, expected, slack in [
        ((8.0, 5.8), 1.0, 1e-9),
        ((5.0, 3.2), 0.5, 1e-9),
        ((5.5, 8.2), 0.6, 1e-9),
        ((1.0, 5.0), 0.675, 1e-6),  # to the centre of the wall's cells
        ((7.0, 5.0), 1.5, 1e-9),
    ]:
        found = clearance_at(arrays, np.array(point), 1.5)
        assert found == pytest.approx(expected, abs=slack), point


def test_warehouse_path_is_within_a_percent_of_the_best_known(shared_data):
    grid = OccupancyGrid.from_ros(shared_data / "maps" / "warehouse.yaml", robot_radius=0.25)
    planner = FMTx(grid, Roadmap.sample(grid, 5000, 0))
    planner.set_goal((13.5, -21.5))
    path = smooth(planner.plan((-13.5, 23.5)), grid)
    assert path.cost < 1.01 * 72.2
    assert grid.is_motion_free(path.waypoints[:-1], path.waypoints[1:]).all()


def test_first_leg_out_of_an_obstacle_is_kept():
    world = DiscWorld([(0.0, 20.0)] * 2)
    world.add((3.0, 3.0), 1.0)
    planner = FMTx(world, 300, seed=0, escape=2.0)
    planner.set_goal((18.0, 12.0))
    path = planner.plan((3.5, 3.0))
    smoothed = smooth(path, world)
    np.testing.assert_array_equal(smoothed.waypoints[:2], path.waypoints[:2])
    assert smoothed.cost < path.cost


def test_bad_input_is_refused_by_name():
    world = DiscWorld([(0.0, 10.0)] * 2)
    world.add((5.0, 5.0), 1.0)
    bent = Path(
        status=PathStatus.SOLVED, cost=9.0, waypoints=np.array([(1, 5), (2, 5), (8, 5), (9.0, 5)])
    )
    nothing = dataclasses.replace(bent, waypoints=np.empty((0, 2)), cost=np.inf)
    assert smooth(nothing, world) is nothing
    assert smooth(nothing, world, clearance=1.0) is nothing
    solid = dataclasses.replace(bent, waypoints=np.zeros((3, 3)))
    for call, message in [
        (lambda: smooth(bent, world), "path must be free in this world, got waypoints"),
        (lambda: smooth(solid, world), "path must have the world's dimension 2"),
        (lambda: smooth(bent, world, n_rounds=0), "n_rounds must be at least 1, got 0"),
        (lambda: smooth(bent, world, clearance=-0.1), "clearance must be finite and not negative"),
        (lambda: smooth(bent, world, clearance=np.nan), "clearance must be finite and not neg"),
        (lambda: smooth(bent, world, time_limit=0.0), "time_limit must be a positive number"),
    ]:
        with pytest.raises(ValueError, match=message):
            call()
