"""FMTx in every kind of world, held against Dijkstra after every change."""

import numpy as np
import pytest
import shapely
from planning_oracles import assert_costs, assert_path_is_consistent, dijkstra_costs

from planning import FMTx, Roadmap
from problems.worlds import BoxWorld, DiscWorld, ForecastDiscWorld, PolygonWorld, Union


def box_world(dimension):
    world = BoxWorld([(0.0, 20.0)] * dimension, robot_radius=0.2)
    ids = [world.add(np.full(dimension, 6.0 + 4 * k), (4.0,) * dimension) for k in range(3)]
    return world, lambda k, rng: world.move(ids[k % 3], rng.uniform(3, 17, dimension))


def polygon_world(_):
    world = PolygonWorld([(0.0, 20.0)] * 2, robot_radius=0.2)
    triangle = shapely.Polygon([(0, 0), (5, 0), (2, 4)])
    ids = [world.add(shapely.affinity.translate(triangle, 3 + 4 * k, 8)) for k in range(3)]

    def move(k, rng):
        world.move(ids[k % 3], shapely.affinity.translate(triangle, *rng.uniform(0, 15, 2)))

    return world, move


def forecast_world(dimension):
    world = ForecastDiscWorld([(0.0, 20.0)] * dimension, horizon=1.0)
    rng = np.random.default_rng(0)
    for _ in range(4):
        place, speed = rng.uniform(0, 20, dimension), rng.normal(0, 2, dimension)
        world.add(place, 1.5, velocity=speed)
    return world, lambda k, rng: world.advance(0.5)


def union_world(dimension):
    boxes, move_box = box_world(dimension)
    discs = DiscWorld([(0.0, 20.0)] * dimension)
    disc = discs.add((4.0,) * dimension, 2.0)

    def move(k, rng):
        if k % 2:
            move_box(k, rng)
        discs.move(disc, rng.uniform(0, 20, dimension))

    return Union(boxes, discs), move


@pytest.mark.parametrize(
    ("make", "dimension"),
    [(box_world, 2), (box_world, 6), (polygon_world, 2), (forecast_world, 2), (union_world, 3)],
)
def test_costs_equal_dijkstra_after_every_change(make, dimension):
    rng = np.random.default_rng(1)
    world, move = make(dimension)
    points = rng.uniform(0, 20, (200, dimension))
    points[0], points[1] = 1.0, 19.0
    roadmap = Roadmap.from_points(points, n_neighbors=10)
    planners = [FMTx(world, roadmap, focus=focus) for focus in (True, False)]
    for planner in planners:
        planner.set_goal(points[1])
        planner.plan(points[0])
    solved = 0
    for k in range(8):
        move(k, rng)
        expected = dijkstra_costs(world, roadmap, points[1])
        for planner in planners:
            planner.update()
            assert_costs(planner.cost_to_goal, expected, settled_only=planner is planners[0])
            path = planner.path(points[0])
            assert path.solved == np.isfinite(expected[0])
            if path.solved:
                assert_path_is_consistent(path, points[0], points[1])
                assert path.cost == pytest.approx(expected[0])
                assert world.is_motion_free(path.waypoints[:-1], path.waypoints[1:]).all()
                solved += 1
    assert solved > 4
