"""Pictures of planners: what is drawn is what the planner holds."""

import numpy as np
import pytest

from planning import FMTx, Scratch
from problems.worlds import DiscWorld, OccupancyGrid

matplotlib = pytest.importorskip("matplotlib")

from planning.plotting import plot, plot_world  # noqa: E402


@pytest.fixture(autouse=True)
def close_figures():
    import matplotlib.pyplot as plt

    yield
    plt.close("all")


def worlds():
    discs = DiscWorld(bounds=((0, 10), (0, 6)))
    discs.add((5.0, 3.0), 1.0)
    cells = np.zeros((12, 20), np.int8)
    cells[3:8, 9] = 100
    return [discs, OccupancyGrid.from_array(cells, 0.5, robot_radius=0.3)]


@pytest.mark.parametrize("world", worlds(), ids=["discs", "grid"])
def test_every_edge_of_the_tree_and_the_path_are_drawn(world):
    planner = FMTx(world, n_samples=200, seed=0, focus=False)
    planner.set_goal((9.0, 5.0))
    path = planner.plan((1.0, 1.0))
    ax = plot(planner, path)
    parents = planner.parents
    (lines,) = [c for c in ax.collections if type(c).__name__ == "LineCollection"]
    assert len(lines.get_segments()) == (parents >= 0).sum() > 100
    drawn = [line.get_xydata() for line in ax.lines]
    assert any(np.array_equal(data, path.waypoints) for data in drawn)
    assert ax.get_xlabel() == "x (m)" and ax.get_xlim() == tuple(world.bounds[0])


def test_parents_lead_to_the_goal_and_costs_are_lengths_along_them():
    world = worlds()[0]
    planner = FMTx(world, n_samples=150, seed=1, focus=False)
    planner.set_goal((9.0, 5.0))
    planner.plan((1.0, 1.0))
    points, parents, cost = planner.roadmap.points, planner.parents, planner.cost_to_goal
    for v in np.flatnonzero(np.isfinite(cost)):
        ahead = np.array([9.0, 5.0]) if parents[v] == -2 else points[parents[v]]
        rest = 0.0 if parents[v] == -2 else cost[parents[v]]
        assert cost[v] == pytest.approx(rest + np.linalg.norm(points[v] - ahead), abs=1e-9)


def test_worlds_of_other_dimensions_are_refused():
    with pytest.raises(ValueError, match="two-dimensional to be drawn, got 3"):
        plot_world(DiscWorld(bounds=((0, 1), (0, 1), (0, 1))))


@pytest.mark.parametrize("planner", [FMTx, Scratch])
def test_roadmap_or_number_of_samples_but_not_both(planner):
    world = worlds()[0]
    assert planner(world, n_samples=50, seed=0).roadmap.n_vertices == 50
    for given in ({}, {"roadmap": 50, "n_samples": 50}):
        with pytest.raises(ValueError, match="exactly one of roadmap and n_samples"):
            planner(world, **given)
