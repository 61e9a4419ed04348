import numpy as np
import pytest
from planning_oracles import assert_path_is_consistent, assert_path_is_free, dijkstra_costs
from published_fmtx import PublishedFMTx

from planning import FMTx, Roadmap, UpdateStatus
from problems.worlds import DiscWorld

SIDE = 10.0


def scenario(seed, n=120):
    rng = np.random.default_rng(seed)
    world = DiscWorld(((0, SIDE), (0, SIDE)))
    points = rng.uniform(0, SIDE, (n, 2))
    for _ in range(4):
        world.add(away_from(rng, points[1]), rng.uniform(0.3, 1.5))
    return rng, world, Roadmap.from_points(points, radius=1.9)


def away_from(rng, robot):
    """Draw a place for a disc that leaves the robot free: what it does else is not published."""
    while True:
        center = rng.uniform(0, SIDE, 2)
        if np.linalg.norm(center - robot) > 1.6:
            return center


def change(rng, world, robot):
    present = list(world.discs)
    kind = rng.choice(["add", "move", "move", "remove"])
    if kind == "add" or not present:
        world.add(away_from(rng, robot), rng.uniform(0.3, 1.5))
    elif kind == "move":
        world.move(int(rng.choice(present)), away_from(rng, robot))
    else:
        world.remove(int(rng.choice(present)))


@pytest.mark.kernel
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("stops", [False, True])
def test_faithful_is_the_published_algorithm(seed, stops):
    rng, world, roadmap = scenario(seed)
    root, robot = 0, 1
    literal = PublishedFMTx(world, roadmap, root)
    planner = FMTx(world, roadmap, faithful=True, focus=stops)
    planner.set_goal(roadmap.points[root])
    planner.plan(roadmap.points[robot])
    literal.expand(robot if stops else None)
    for _ in range(12):
        costs = roadmap.to_caller(planner._tree.cost)
        np.testing.assert_allclose(costs, list(literal.g.values()), rtol=1e-12)
        change(rng, world, roadmap.points[1])
        planner.update()
        literal.update()
        literal.expand(robot if stops else None)


def test_faithful_paths_are_free_and_may_be_longer_than_the_shortest():
    longer = 0
    for seed in range(8):
        rng, world, roadmap = scenario(seed)
        goal, start = roadmap.points[:2]
        planner = FMTx(world, roadmap, faithful=True, focus=False)
        planner.set_goal(goal)
        planner.plan(start)
        for _ in range(10):
            change(rng, world, roadmap.points[1])
            planner.update()
            shortest = dijkstra_costs(world, roadmap, goal)
            reached = np.isfinite(planner.cost_to_goal)
            excess = planner.cost_to_goal[reached] / np.maximum(shortest[reached], 1e-9)
            longer += int((excess > 1.0 + 1e-9).sum())
            path = planner.path(start)
            if path.solved:
                assert_path_is_consistent(path, start, goal)
                assert_path_is_free(path, world.arrays().discs, world.bounds, resolution=0.05)
    assert longer > 0


def test_faithful_repair_is_cut_short_and_resumed(monkeypatch):
    monkeypatch.setattr("planning.fmtx._BUDGET", 4)
    rng, world, roadmap = scenario(1)
    cut, whole = (FMTx(world, roadmap, faithful=True, focus=False) for _ in range(2))
    for planner in (cut, whole):
        planner.set_goal(roadmap.points[0])
        planner.plan(roadmap.points[1])
    change(rng, world, roadmap.points[1])
    whole.update()
    update = cut.update(time_limit=1e-9)
    assert update.status is UpdateStatus.TIMEOUT
    while update.status is UpdateStatus.TIMEOUT:
        update = cut.update(time_limit=1e-9)
    np.testing.assert_allclose(cut.cost_to_goal, whole.cost_to_goal, rtol=1e-12)
