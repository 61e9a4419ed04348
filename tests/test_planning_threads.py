"""What is guaranteed when several threads are at work, and that memory does not grow."""

import threading
import tracemalloc

import numpy as np
import pytest
from planning_oracles import assert_costs, assert_path_is_free, dijkstra_costs

from planning import FMTx, UpdateStatus
from problems.worlds import DiscWorld, OccupancyGrid

GOAL = np.array((18.0, 18.0))
START = np.array((2.0, 2.0))


def make_world(seed):
    rng = np.random.default_rng(seed)
    world = DiscWorld(((0, 20), (0, 20)))
    for _ in range(6):
        world.add(rng.uniform(4, 16, 2), rng.uniform(0.5, 2.0))
    return world


def drive(seed, out):
    world, rng = make_world(seed), np.random.default_rng(seed)
    planner = FMTx(world, 300, seed=seed)
    planner.set_goal(GOAL)
    planner.plan(START)
    for _ in range(60):
        world.move(int(rng.integers(6)), rng.uniform(4, 16, 2))
        planner.update()
        out.append(planner.path(START).cost)


def test_planners_in_two_threads_do_not_disturb_each_other():
    alone: list[list[float]] = [[], []]
    together: list[list[float]] = [[], []]
    for seed in range(2):
        drive(seed, alone[seed])
    threads = [threading.Thread(target=drive, args=(k, together[k])) for k in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert together == alone


@pytest.mark.parametrize("kind", ["discs", "grid"])
def test_world_may_change_while_another_thread_queries_and_updates(kind):
    rng = np.random.default_rng(0)
    if kind == "discs":
        world = make_world(0)
    else:
        world = OccupancyGrid.from_array(np.zeros((80, 80), np.int8), 0.25)
    planner = FMTx(world, 300, seed=0)
    planner.set_goal(GOAL)
    planner.plan(START)
    stop = threading.Event()

    def change():
        while not stop.is_set():
            if kind == "discs":
                world.move(int(rng.integers(6)), rng.uniform(4, 16, 2))
            else:
                row, col = rng.integers(10, 60, 2)
                world.update_window(row, col, 100 * (rng.random((6, 6)) < 0.3))

    thread = threading.Thread(target=change)
    thread.start()
    try:
        for _ in range(100):
            planner.update()
            paths = [planner.path(START) for _ in range(3)]
            # the answer belongs to the snapshot of the last update, whatever has changed since
            assert len({path.cost for path in paths}) == 1
            if kind == "discs" and paths[0].solved:
                assert_path_is_free(paths[0], planner._arrays.discs, world.bounds, 0.1)
    finally:
        stop.set()
        thread.join()
    planner.update()
    expected = dijkstra_costs(world, planner.roadmap, GOAL)
    assert_costs(planner.cost_to_goal, expected, settled_only=True)


@pytest.mark.parametrize("kind", ["discs", "grid"])
def test_memory_stays_flat_over_many_updates(kind):
    rng = np.random.default_rng(0)
    if kind == "discs":
        world = make_world(0)
    else:
        world = OccupancyGrid.from_array(np.zeros((40, 40), np.int8), 0.5)
    planner = FMTx(world, 200, seed=0)
    planner.set_goal(GOAL)
    planner.plan(START)

    def spend(n):
        for _ in range(n):
            if kind == "discs":
                world.move(int(rng.integers(6)), rng.uniform(4, 16, 2))
            else:
                row, col = rng.integers(5, 30, 2)
                world.update_window(row, col, 100 * (rng.random((3, 3)) < 0.3))
            planner.update()
            planner.path(START)

    tracemalloc.start()
    try:
        spend(1100)  # the grid's log is full then
        before = tracemalloc.get_traced_memory()[0]
        spend(1500)
        after = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert after - before < 100_000  # bytes


def test_unchanged_does_not_look_at_the_world():
    planner = FMTx(make_world(0), 100, seed=0)
    planner.set_goal(GOAL)
    planner.plan(START)
    # any look at its arrays or changes would fail
    planner._world = type("Still", (), {"revision": planner._revision})()
    assert planner.update().status is UpdateStatus.UNCHANGED
