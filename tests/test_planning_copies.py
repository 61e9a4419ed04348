"""Copies of planners and worlds: each goes on by itself, with a world of its own."""

import copy
import pickle

import numpy as np
import pytest

import planning._anew
from planning import DStarLite, FMTStar, FMTx, PathStatus, Roadmap, RRTx, Scratch
from problems.worlds import BoxWorld, DiscWorld, ForecastDiscWorld, OccupancyGrid, Union

BOUNDS = ((0.0, 20.0), (0.0, 20.0))
COPIES = [copy.deepcopy, lambda planner: pickle.loads(pickle.dumps(planner))]


def block(world):
    """Put something into the middle of ``world``, or of the first of a union."""
    if isinstance(world, Union):
        block(world.worlds[0])
    elif isinstance(world, OccupancyGrid):
        world.update_window(8, 8, np.full((24, 24), 100, np.int8))
    elif isinstance(world, BoxWorld):
        world.add((10.0, 10.0), (12.0, 12.0))
    else:
        world.add((10.0, 10.0), 6.0)


def grid():
    return OccupancyGrid.from_array(np.zeros((40, 40), np.int8), 0.5)


WORLDS = {
    "discs": lambda: DiscWorld(BOUNDS),
    "forecast": lambda: ForecastDiscWorld(BOUNDS, horizon=1.0),
    "boxes": lambda: BoxWorld(BOUNDS),
    "grid": grid,
    "union": lambda: Union(grid(), DiscWorld(BOUNDS)),
}


def cost_anew(world, roadmap):
    planner = Scratch(world, roadmap)
    planner.set_goal((18.0, 18.0))
    return planner.plan((2.0, 2.0)).cost


@pytest.mark.parametrize("make_copy", COPIES, ids=["deepcopy", "pickle"])
@pytest.mark.parametrize("planner_class", [DStarLite, FMTStar, FMTx, RRTx, Scratch])
@pytest.mark.parametrize("kind", WORLDS)
def test_a_copy_goes_on_by_itself(kind, planner_class, make_copy):
    world = WORLDS[kind]()
    planner = planner_class(world, Roadmap.sample(world, 200, seed=0))
    planner.set_goal((18.0, 18.0))
    before = planner.plan((2.0, 2.0)).cost
    twin = make_copy(planner)
    assert twin.plan((2.0, 2.0)).cost == before
    block(twin.world)
    assert world.revision == 0 and planner.plan((2.0, 2.0)).cost == before
    after = twin.plan((2.0, 2.0)).cost
    assert after > before
    if planner_class in (DStarLite, FMTx, Scratch):
        assert after == pytest.approx(cost_anew(twin.world, twin.roadmap), rel=1e-12)
    block(world)
    assert planner.plan((2.0, 2.0)).cost == pytest.approx(after, rel=1e-12)
    assert not twin.world.bounds.flags.writeable and not twin.roadmap.points.flags.writeable


def test_a_copy_begins_anew_what_was_cut_short(monkeypatch):
    monkeypatch.setattr(planning._anew, "_BUDGET", 5)
    world = DiscWorld(BOUNDS)
    planner = Scratch(world, 200, seed=0)
    planner.set_goal((18.0, 18.0))
    assert planner.plan((2.0, 2.0), time_limit=1e-9).status is PathStatus.TIMEOUT
    twin = copy.deepcopy(planner)
    assert twin.path((2.0, 2.0)).status is PathStatus.TIMEOUT
    assert twin.plan((2.0, 2.0)).cost == planner.plan((2.0, 2.0)).cost
