"""FMTStar, RRTx and DStarLite: against Dijkstra where they claim it, and regressions of all."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planning_oracles import (
    assert_costs,
    assert_path_is_consistent,
    assert_path_is_free,
    dijkstra_costs,
    free_edges,
)

from planning import (
    DStarLite,
    FMTStar,
    FMTx,
    PathStatus,
    Roadmap,
    RRTx,
    Scratch,
    UpdateStatus,
)
from planning.rrtx import newborn_graph, shrinking_balls
from problems.worlds import BoxWorld, DiscWorld

SIDE = 20.0
ALL = [DStarLite, FMTStar, FMTx, RRTx, Scratch]


def make_world(n_discs, seed, dimension=2):
    rng = np.random.default_rng(seed)
    world = DiscWorld([(0.0, SIDE)] * dimension)
    for _ in range(n_discs):
        world.add(rng.uniform(0, SIDE, dimension), rng.uniform(0.5, 3.0))
    return world


def change(world, move, rng):
    present, dimension = list(world.discs), world.dimension
    if move == "add":
        world.add(rng.uniform(0, SIDE, dimension), rng.uniform(0.5, 3.0))
    elif move == "move" and present:
        world.move(rng.choice(present), rng.uniform(0, SIDE, dimension))
    elif move == "nudge" and present:
        k = rng.choice(present)
        world.move(k, world.discs[k][0] + rng.normal(0, 0.5, dimension))
    elif move == "remove" and present:
        world.remove(rng.choice(present))


def rrtx_bounds(planner, world, roadmap, goal, epsilon):
    """Costs on all motions that may be used, and with ``epsilon`` more a motion of the roadmap."""
    fields = {"points": roadmap.points, "n_vertices": roadmap.n_vertices, "radius": roadmap.radius}
    least = dijkstra_costs(world, SimpleNamespace(graph=planner.graph, **fields), goal)
    own = roadmap.graph
    longer = SimpleNamespace(tails=own.tails, indices=own.indices, weights=own.weights + epsilon)
    return least, dijkstra_costs(world, SimpleNamespace(graph=longer, **fields), goal)


def audit(world, roadmap, planners, goal, starts):
    expected = dijkstra_costs(world, roadmap, goal)
    discs = world.arrays().discs
    for planner in planners:
        cost = planner.cost_to_goal
        if isinstance(planner, RRTx):
            least, most = rrtx_bounds(planner, world, roadmap, goal, planner._epsilon)
            known = np.isfinite(cost)
            assert (cost[known] >= least[known] - 1e-9).all()
            assert (cost[known] <= most[known] + planner._epsilon + 1e-9).all()
            if not planner._focused:
                assert known[np.isfinite(expected)].all()
        elif isinstance(planner, DStarLite):
            assert_costs(cost, expected, settled_only=planner._weight > 0.0)
        for start in starts:
            path, best = planner.path(start), planners[0].path(start)
            if not isinstance(planner, RRTx):
                assert path.status is best.status
            elif best.solved:
                assert path.solved
            if path.solved:
                assert_path_is_consistent(path, start, goal)
                assert_path_is_free(path, discs, world.bounds, resolution=0.05)
                if isinstance(planner, DStarLite):
                    assert path.cost == pytest.approx(best.cost, rel=1e-9)
                elif best.solved:
                    hops = len(best.waypoints)
                    slack = planner._epsilon * hops if isinstance(planner, RRTx) else np.inf
                    assert path.cost <= best.cost + slack + 1e-9


@pytest.mark.kernel
@settings(max_examples=12)
@given(
    seed=st.integers(0, 10**6),
    dimension=st.sampled_from([2, 2, 3]),
    moves=st.lists(
        st.sampled_from(["add", "move", "nudge", "remove", "goal", "robot", "box"]), max_size=8
    ),
)
def test_planners_keep_their_promise_after_random_changes(seed, dimension, moves):
    rng = np.random.default_rng(seed)
    world = make_world(3, seed, dimension)
    points = rng.uniform(0, SIDE, (120, dimension))
    roadmap = Roadmap.from_points(points, radius=3.5 if dimension == 2 else 6.0)
    planners = [
        Scratch(world, roadmap),
        DStarLite(world, roadmap),
        DStarLite(world, roadmap, focus=False),
        RRTx(world, roadmap),
        RRTx(world, roadmap, epsilon=0.0, focus=False),
        RRTx(world, roadmap, epsilon=0.5, delta=30.0),
    ]
    goal, start = points[0], rng.uniform(0, SIDE, dimension)
    for planner in planners:
        planner.set_goal(goal)
        planner.plan(start)
    audit(world, roadmap, planners, goal, [start])
    for move in moves:
        if move == "goal":
            goal = rng.uniform(0, SIDE, dimension)
            for planner in planners:
                planner.set_goal(goal)
                planner.plan(start)
        elif move == "robot":
            start = rng.uniform(0, SIDE, dimension)
            for planner in planners[::2]:
                planner.plan(start)
        else:
            change(world, move, rng)
        for planner in planners:
            planner.update()
        audit(world, roadmap, planners, goal, [start, rng.uniform(0, SIDE, dimension)])


def test_costs_hold_among_boxes_where_motions_are_tested_again():
    rng = np.random.default_rng(5)
    world = BoxWorld([(0.0, SIDE)] * 2)
    box = world.add((10, 10), (6, 6), angle=0.3)
    points = rng.uniform(0, SIDE, (300, 2))
    roadmap = Roadmap.from_points(points, radius=2.5)
    planners = [DStarLite(world, roadmap, focus=False), RRTx(world, roadmap, focus=False)]
    for planner in planners:
        planner.set_goal(points[0])
        planner.plan(points[1])
    for _ in range(6):
        world.move(box, rng.uniform(4, 16, 2), angle=rng.uniform(0, 3))
        for planner in planners:
            planner.update()
        assert_costs(planners[0].cost_to_goal, dijkstra_costs(world, roadmap, points[0]))
        least, most = rrtx_bounds(planners[1], world, roadmap, points[0], planners[1]._epsilon)
        cost = planners[1].cost_to_goal
        assert (cost >= least - 1e-9).all() and (cost <= most + 1.0).all()


def test_fmt_star_follows_its_algorithm_word_by_word():
    world = make_world(5, 3)
    roadmap = Roadmap.sample(world, 400, 0)
    goal = roadmap.points[int(np.flatnonzero(world.is_free(roadmap.points))[0])]
    planner = FMTStar(world, roadmap)
    planner.set_goal(goal)
    planner.plan((1.0, 1.0))
    tails, heads, _ = free_edges(world, roadmap)
    free = set(zip(tails.tolist(), heads.tolist(), strict=True))
    graph = roadmap.graph
    near = [
        list(
            zip(
                graph.indices[graph.indptr[v] : graph.indptr[v + 1]].tolist(),
                graph.weights[graph.indptr[v] : graph.indptr[v + 1]].tolist(),
                strict=True,
            )
        )
        for v in range(roadmap.n_vertices)
    ]
    unvisited = set(np.flatnonzero(world.is_free(roadmap.points)).tolist())
    root = int(np.flatnonzero((roadmap.points == goal).all(axis=1))[0])
    cost, front = {root: 0.0}, {root}
    unvisited.discard(root)
    while front:
        z = min(front, key=cost.__getitem__)
        fresh = set()
        for x, _ in near[z]:
            if x in unvisited:
                y, length = min(
                    ((y, w) for y, w in near[x] if y in front), key=lambda p: cost[p[0]] + p[1]
                )
                if (x, y) in free:
                    cost[x] = cost[y] + length
                    fresh.add(x)
        unvisited -= fresh
        front = (front | fresh) - {z}
    expected = np.array([cost.get(v, np.inf) for v in range(roadmap.n_vertices)])
    assert_costs(planner.cost_to_goal, expected)
    best = dijkstra_costs(world, roadmap, goal)
    reached = np.isfinite(expected)
    assert (expected[reached] >= best[reached] - 1e-9).all()
    assert expected[reached].mean() < 1.02 * best[reached].mean()


def test_balls_shrink_and_newborns_join_all_older_ones_within():
    points = np.random.default_rng(0).uniform(0, 10, (150, 2))
    balls = shrinking_balls(150, 2, 1.5, 4.0)
    assert balls[-1] == 1.5 and balls.max() == 4.0 and (np.diff(balls) <= 0).all()
    graph = newborn_graph(points, balls)
    gaps = np.linalg.norm(points[:, None] - points[None], axis=2)
    young, old = np.nonzero(np.tril(gaps <= balls[:, None], -1))
    found = set(zip(graph.tails().tolist(), graph.indices.tolist(), strict=True))
    expected = set(zip(young.tolist(), old.tolist(), strict=True))
    assert found == expected | {(u, v) for v, u in expected}


def test_long_motions_of_older_vertices_are_culled():
    world = make_world(0, 0)
    points = np.random.default_rng(2).uniform(0, SIDE, (300, 2))
    roadmap = Roadmap.from_points(points, radius=2.0)
    planner = RRTx(world, roadmap, epsilon=0.0, delta=6.0, focus=False)
    planner.set_goal(points[0])
    planner.plan(points[1])
    disc = world.add(points[0], 1.0)  # all are orphans now, and come back to a small ball
    planner.update()
    world.remove(disc)
    planner.update()
    tree, ids = planner._tree, roadmap.caller_ids
    longer = 0
    for v in np.flatnonzero(tree.parent >= 0):
        u = tree.parent[v]
        if np.linalg.norm(points[ids[v]] - points[ids[u]]) > 2.0:
            longer += 1
            assert ids[u] < ids[v]  # only towards a neighbour it had when it was born
    assert longer > 0


@pytest.mark.parametrize("planner_class", ALL)
def test_root_covered_and_freed_finds_the_paths_again(planner_class):
    world = make_world(0, 0)
    planner = planner_class(world, 300, seed=0)
    planner.set_goal((18.0, 18.0))
    before = planner.plan((2.0, 2.0))
    for _ in range(3):
        disc = world.add((18.0, 18.0), 2.0)
        planner.update()
        covered = planner.path((2.0, 2.0))
        assert covered.status is PathStatus.GOAL_OCCUPIED
        assert len(covered.waypoints) == 0 and covered.cost == np.inf
        world.remove(disc)
        planner.update()
        after = planner.path((2.0, 2.0))
        slack = 0.5 if planner_class is RRTx else 1e-9
        assert after.solved and after.cost == pytest.approx(before.cost, abs=slack)


@pytest.mark.parametrize("planner_class", ALL)
def test_obstacles_present_at_construction_are_seen(planner_class):
    world = make_world(0, 0)
    disc = world.add((10.0, 10.0), 6.0)
    planner = planner_class(world, 500, seed=0)
    planner.set_goal((18.0, 18.0))
    path = planner.plan((2.0, 2.0))
    assert path.solved and path.cost > 24.0
    assert_path_is_free(path, world.arrays().discs, world.bounds)
    world.remove(disc)
    planner.update()
    assert planner.path((2.0, 2.0)).cost < 24.0


@pytest.mark.parametrize("planner_class", ALL)
def test_first_leg_is_checked_for_collision(planner_class):
    world = make_world(0, 0)
    # the nearest vertex is behind a thin post; the farther one is seen
    roadmap = Roadmap.from_points([(5, 5), (2, 2), (2, 8), (8, 8)], radius=6.5)
    world.add((4.5, 5.0), 0.3)
    planner = planner_class(world, roadmap)
    planner.set_goal((8.0, 8.0))
    path = planner.plan((4.0, 5.0))
    assert_path_is_consistent(path, (4, 5), (8, 8))
    assert_path_is_free(path, world.arrays().discs, world.bounds)


@pytest.mark.parametrize("planner_class", [DStarLite, RRTx])
def test_stopping_early_leaves_no_stale_costs(planner_class, monkeypatch):
    for module in ("dstar_lite", "rrtx"):
        monkeypatch.setattr(f"planning.{module}._BUDGET", 5)
    world = make_world(4, 1)
    planner = planner_class(world, 400, seed=0, focus=False)
    planner.set_goal((18.0, 18.0))
    assert planner.plan((2.0, 2.0), time_limit=1e-9).status is PathStatus.TIMEOUT
    rng, goal, cut = np.random.default_rng(0), np.array([18.0, 18.0]), 0
    for _ in range(20):
        world.move(int(rng.integers(4)), rng.uniform(3, 15, 2))
        cut += planner.update(time_limit=1e-9).status is UpdateStatus.TIMEOUT
        path, cost = planner.path((2.0, 2.0)), planner.cost_to_goal
        if len(path.waypoints):
            assert_path_is_free(path, world.arrays().discs, world.bounds)
        if planner_class is DStarLite:
            assert_costs(cost, dijkstra_costs(world, planner.roadmap, goal), settled_only=True)
    assert cut > 10
    assert planner.update().status is UpdateStatus.REPAIRED
    reference = Scratch(world, planner.roadmap)
    reference.set_goal(goal)
    best = reference.plan((2.0, 2.0))
    path = planner.path((2.0, 2.0))
    assert path.status is best.status
    assert path.cost <= best.cost + (0.5 if planner_class is RRTx else 1e-9)


@pytest.mark.parametrize("planner_class", [FMTStar, Scratch])
def test_a_search_cut_short_is_gone_on_with_until_the_world_changes(planner_class, monkeypatch):
    monkeypatch.setattr("planning._anew._BUDGET", 5)
    world, goal, start = make_world(4, 1), np.array([18.0, 18.0]), (2.0, 2.0)
    planner = planner_class(world, 400, seed=0)
    planner.set_goal(goal)
    assert planner.plan(start, time_limit=1e-9).status is PathStatus.TIMEOUT
    seen = 0
    for k in range(4):
        world.move(k, (4.0 + 3.0 * k, 12.0))
        anew = planner_class(world, planner.roadmap)
        anew.set_goal(goal)
        best = anew.plan(start)
        calls, update = 1, planner.update(time_limit=1e-9)
        while update.status is UpdateStatus.TIMEOUT:
            path, cost = planner.path(start), planner.cost_to_goal
            assert path.status is PathStatus.TIMEOUT
            if len(path.waypoints):
                seen += 1
                assert_path_is_free(path, world.arrays().discs, world.bounds)
                assert path.cost >= best.cost - 1e-9
            settled = np.isfinite(cost)
            np.testing.assert_array_equal(cost[settled], anew.cost_to_goal[settled])
            calls, update = calls + 1, planner.update(time_limit=1e-9)
        assert update.status is UpdateStatus.REPAIRED and calls > 10
        np.testing.assert_array_equal(planner.cost_to_goal, anew.cost_to_goal)
        assert planner.path(start).cost == best.cost
        assert planner.update(time_limit=1e-9).status is UpdateStatus.UNCHANGED
    assert seen > 0
    planner.set_goal((10.0, 18.0))  # what was begun for another goal is not gone on with
    planner.plan(start, time_limit=1e-9)
    planner.set_goal(goal)
    assert planner.plan(start).cost == best.cost


@pytest.mark.parametrize("planner_class", ALL)
@pytest.mark.parametrize("dimension", [1, 3])
def test_radius_holds_in_other_dimensions(planner_class, dimension):
    world = DiscWorld([(0.0, 5.0), (0.0, 9.0), (0.0, 2.0)][:dimension])
    planner = planner_class(world, 800, seed=0)
    planner.set_goal([4.5, 8.5, 1.5][:dimension])
    path = planner.plan([0.5, 0.5, 0.5][:dimension])
    straight = np.linalg.norm(path.waypoints[0] - path.waypoints[-1])
    assert path.solved and path.cost < 1.15 * straight


@pytest.mark.parametrize("planner_class", ALL)
def test_statuses_are_those_of_every_planner(planner_class):
    world = make_world(0, 0)
    disc = world.add((10.0, 10.0), 2.0)
    planner = planner_class(world, 300, seed=0)
    assert planner.update().status is UpdateStatus.NOT_PLANNED
    assert planner.plan((1, 1)).status is PathStatus.NOT_PLANNED
    planner.set_goal((18.0, 18.0))
    assert planner.path((1, 1)).status is PathStatus.NOT_PLANNED
    assert planner.plan((10.0, 10.5)).status is PathStatus.START_OCCUPIED
    assert planner.plan((10.0, 30.0)).status is PathStatus.OUT_OF_BOUNDS
    assert planner.plan((1.0, 1.0)).solved
    same = planner.update()
    assert same.status is UpdateStatus.UNCHANGED
    assert same.n_expanded == same.n_changed == same.n_collision_checks == 0
    wall = [world.add((2.0 * k, 15.0), 1.5) for k in range(11)]
    assert planner.update().status is UpdateStatus.REPAIRED
    assert planner.path((1.0, 1.0)).status is PathStatus.NO_PATH
    for k in [*wall, disc]:
        world.remove(k)
    planner.update()
    assert planner.path((1.0, 1.0)).solved
    planner.set_goal([(2.0, 1.0), (18.0, 18.0)])
    assert planner.plan((1.0, 1.0)).cost == pytest.approx(1.0, abs=0.3)


def test_bad_settings_are_refused_by_name():
    world = make_world(0, 0)
    roadmap = Roadmap.from_points([(0, 0), (1, 0)], radius=2.0)
    for options, message in [
        ({"epsilon": -1.0}, "epsilon must be finite and not negative, got -1"),
        ({"epsilon": np.nan}, "epsilon must be finite"),
        ({"delta": 1.0}, "delta must be finite and at least the radius 2.0, got 1"),
    ]:
        with pytest.raises(ValueError, match=message):
            RRTx(world, roadmap, **options)
    for planner_class in (DStarLite, FMTStar, RRTx):
        with pytest.raises(ValueError, match="exactly one of roadmap and n_samples"):
            planner_class(world)
        with pytest.raises(ValueError, match="start must be finite"):
            planner_class(world, roadmap).plan((np.nan, 1.0))
