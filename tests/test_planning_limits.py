"""Plans while the world changes, some cut short by a time limit, held against one from nothing."""

import numpy as np
import pytest
import shapely
from hypothesis import example, given, settings
from hypothesis import strategies as st

import planning._anew
import planning.dstar_lite
import planning.fmtx
from planning import DStarLite, FMTx, Roadmap, Scratch
from problems.worlds import BoxWorld, DiscWorld, OccupancyGrid, PolygonWorld, Union

SIDE = 20.0
BOUNDS = ((0.0, SIDE), (0.0, SIDE))
TRIANGLE = shapely.Polygon([(0, 0), (4, 0), (2, 4)])
PLANNERS = [
    (FMTx, {"collision": "proactive"}),
    (FMTx, {"collision": "proactive", "focus": False}),
    (FMTx, {"collision": "lazy"}),
    (FMTx, {"collision": "lazy", "focus": False}),
    (DStarLite, {}),
    (Scratch, {}),
]


def boxes(rng):
    world = BoxWorld(BOUNDS)
    ids = [world.add(rng.uniform(3, 17, 2), (3, 3)) for _ in range(8)]
    return world, lambda: world.move(rng.choice(ids), rng.uniform(3, 17, 2))


def polygons(rng):
    world = PolygonWorld(BOUNDS)

    def place():
        return shapely.affinity.translate(TRIANGLE, *rng.uniform(2, 14, 2))

    ids = [world.add(place()) for _ in range(8)]
    return world, lambda: world.move(rng.choice(ids), place())


def grid(rng):
    world = OccupancyGrid.from_array(np.zeros((40, 40), np.int8), SIDE / 40)

    def overwrite():
        cells = np.full(rng.integers(3, 8, 2), rng.choice([0, 100]), np.int8)
        world.update_window(*rng.integers(5, 30, 2), cells)

    for _ in range(12):
        overwrite()
    return world, overwrite


def discs(rng):
    world = DiscWorld(BOUNDS)
    ids = [world.add(rng.uniform(3, 17, 2), 1.7) for _ in range(8)]

    def change():
        for k in rng.choice(ids, 3, replace=False):
            world.move(k, rng.uniform(3, 17, 2))

    return world, change


def grid_and_discs(rng):
    under, overwrite = grid(rng)
    discs = DiscWorld(BOUNDS)
    ids = [discs.add(rng.uniform(3, 17, 2), 1.5) for _ in range(4)]

    def change():
        overwrite()
        discs.move(rng.choice(ids), rng.uniform(3, 17, 2))

    return Union(under, discs), change


@pytest.fixture(params=[20, 1000], ids=["cut soon", "cut at the first look at the clock"])
def budget(request, monkeypatch):
    for module in (planning._anew, planning.dstar_lite, planning.fmtx):
        monkeypatch.setattr(module, "_BUDGET", request.param)


@pytest.mark.kernel
@pytest.mark.usefixtures("budget")
@pytest.mark.parametrize("make", [boxes, polygons, grid, discs, grid_and_discs])
def test_a_plan_after_limited_ones_is_that_of_a_plan_from_nothing(make):
    @settings(max_examples=25)
    @given(seed=st.integers(0, 2**20), n_limited=st.integers(1, 3))
    @example(
        seed=330, n_limited=2
    )  # among discs: what was covered is met before its disc is followed
    def check(seed, n_limited):
        rng = np.random.default_rng(seed)
        world, change = make(rng)
        roadmap = Roadmap.sample(world, 250, rng, free_only=False)
        planners = [kind(world, roadmap, **options) for kind, options in PLANNERS]
        for planner in planners:
            planner.set_goal((19.0, 19.0))
        for _ in range(n_limited):
            for planner in planners:
                planner.plan((1.0, 1.0), time_limit=1e-9)
            change()
        for _ in range(3):
            anew = Scratch(world, roadmap)
            anew.set_goal((19.0, 19.0))
            expected = anew.plan((1.0, 1.0))
            for planner in planners:
                path = planner.plan((1.0, 1.0))
                assert path.status is expected.status
                assert path.cost == pytest.approx(expected.cost, rel=1e-9)
                legs = path.waypoints[:-1], path.waypoints[1:]
                assert not path.solved or world.is_motion_free(*legs).all()
            change()

    check()


@pytest.mark.parametrize("seed", [172, 1583, 1615, 1946])
def test_places_where_a_disc_was_met_while_its_move_waited_are_not_passed_over(seed):
    rng = np.random.default_rng(seed)
    world = DiscWorld(BOUNDS)
    n_discs = rng.integers(6, 14)
    ids = [world.add(rng.uniform(1, 19, 2), rng.uniform(0.8, 1.8)) for _ in range(n_discs)]
    roadmap = Roadmap.sample(world, int(rng.integers(100, 400)), seed, free_only=False)
    goal, start = rng.uniform(1, 19, 2), rng.uniform(1, 19, 2)
    planner, anew = FMTx(world, roadmap, collision="lazy"), Scratch(world, roadmap)
    for each in (planner, anew):
        each.set_goal(goal)
    planner.plan(start)
    for _ in range(25):
        for _ in range(rng.integers(1, 5)):
            k = ids[rng.integers(len(ids))]
            near = world.discs[k][0]
            far = rng.integers(2)
            world.move(k, rng.uniform(1, 19, 2) if far else near + rng.normal(0, 0.7, 2))
        if rng.integers(3) == 0:
            start = np.clip(start + rng.normal(0, 2, 2), 0, SIDE)
        path, expected = planner.plan(start), anew.plan(start)
        assert path.status is expected.status
        assert path.cost == pytest.approx(expected.cost, rel=1e-9)
