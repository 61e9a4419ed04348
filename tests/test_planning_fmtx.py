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

from planning import FMTx, PathStatus, Roadmap, Scratch, UpdateStatus
from problems.worlds import DiscWorld

SIDE = 20.0
BOUNDS = ((0.0, SIDE), (0.0, SIDE))
SETTINGS = [
    {"focus": False, "collision": "proactive"},
    {"focus": False, "collision": "lazy"},
    {"focus": True, "collision": "proactive"},
    {"focus": True, "collision": "lazy"},
]


def make_world(n_discs, seed, dimension=2):
    rng = np.random.default_rng(seed)
    world = DiscWorld([(0.0, SIDE)] * dimension)
    for _ in range(n_discs):
        world.add(rng.uniform(0, SIDE, dimension), rng.uniform(0.5, 3.0))
    return world


def audit(world, roadmap, planners, goal, starts):
    expected = dijkstra_costs(world, roadmap, goal)
    discs = world.arrays().discs
    for planner in planners:
        focused = getattr(planner, "_focused", False)
        assert_costs(planner.cost_to_goal, expected, settled_only=focused)
        for start in starts:
            paths = [other.path(start) for other in planners]
            path = planner.path(start)
            assert path.status is paths[0].status
            assert path.cost == pytest.approx(paths[0].cost, rel=1e-9)
            if path.solved:
                assert_path_is_consistent(path, start, goal)
                assert_path_is_free(path, discs, world.bounds, resolution=0.05)
        if isinstance(planner, FMTx):
            audit_tree(planner, world, roadmap)


def audit_tree(planner, world, roadmap):
    tree = planner._tree
    free = set(zip(*(ends.tolist() for ends in free_edges(world, roadmap)[:2]), strict=True))
    ids = roadmap.caller_ids
    settled = roadmap.to_internal(planner.cost_to_goal)
    for v in np.flatnonzero(np.isfinite(settled)):
        parent = tree.parent[v]
        if parent >= 0:
            assert (int(ids[v]), int(ids[parent])) in free
            assert np.isfinite(settled[parent])
        else:
            assert np.isfinite(tree.goal_link[v])
    children = [[] for _ in tree.cost]
    for v, parent in enumerate(tree.parent):
        if parent >= 0:
            children[parent].append(v)
    for v in range(len(tree.cost)):
        listed, child = [], tree.child[v]
        while child >= 0:
            listed.append(int(child))
            child = tree.next[child]
        assert sorted(listed) == children[v]


@pytest.mark.kernel
@settings(max_examples=15)
@given(
    seed=st.integers(0, 10**6),
    dimension=st.sampled_from([2, 2, 3]),
    moves=st.lists(
        st.sampled_from(["add", "move", "nudge", "remove", "goal", "robot"]), max_size=8
    ),
)
def test_costs_equal_dijkstra_after_random_changes(seed, dimension, moves):
    rng = np.random.default_rng(seed)
    world = make_world(3, seed, dimension)
    points = rng.uniform(0, SIDE, (120, dimension))
    roadmap = Roadmap.from_points(points, radius=3.5 if dimension == 2 else 6.0)
    planners = [Scratch(world, roadmap)] + [FMTx(world, roadmap, **s) for s in SETTINGS]
    goal, start = points[0], rng.uniform(0, SIDE, dimension)
    for planner in planners:
        planner.set_goal(goal)
        planner.plan(start)
    audit(world, roadmap, planners, goal, [start])
    for move in moves:
        present = list(world.discs)
        if move == "add":
            world.add(rng.uniform(0, SIDE, dimension), rng.uniform(0.5, 3.0))
        elif move == "move" and present:
            world.move(rng.choice(present), rng.uniform(0, SIDE, dimension))
        elif move == "nudge" and present:
            k = rng.choice(present)
            world.move(k, world.discs[k][0] + rng.normal(0, 0.5, dimension))
        elif move == "remove" and present:
            world.remove(rng.choice(present))
        elif move == "goal":
            goal = rng.uniform(0, SIDE, dimension)
            for planner in planners:
                planner.set_goal(goal)
                planner.plan(start)
        elif move == "robot":
            start = rng.uniform(0, SIDE, dimension)
            for planner in planners[::2]:
                planner.plan(start)
        for planner in planners:
            planner.update()
        audit(world, roadmap, planners, goal, [start, rng.uniform(0, SIDE, dimension)])


@pytest.mark.parametrize("options", SETTINGS, ids=str)
def test_costs_equal_dijkstra_on_moving_discs(shared_data, options):
    data = np.load(shared_data / "replanning" / "discs_n1000_m10.npz")
    low, high = float(data["lo"]), float(data["hi"])
    world = DiscWorld(((low, high), (low, high)))
    for center, radius in zip(data["pos"][0], data["rad"], strict=True):
        world.add(center, radius)
    roadmap = Roadmap.from_points(data["points"], radius=float(data["rn_C1.5"]))
    planner = FMTx(world, roadmap, **options)
    planner.set_goal(data["root"])
    planner.plan(data["robot"][0])
    for tick in range(1, 151 if options["collision"] == "proactive" else 51):
        for k, center in enumerate(data["pos"][tick]):
            world.move(k, center)
        planner.update()
        expected = dijkstra_costs(world, roadmap, data["root"])
        assert_costs(planner.cost_to_goal, expected, settled_only=options["focus"])
        path = planner.path(data["robot"][tick])
        assert path.solved == np.isfinite(path.cost)
        if path.solved:
            assert_path_is_consistent(path, data["robot"][tick], data["root"])
            assert_path_is_free(path, world.arrays().discs, world.bounds)
        if tick % 25 == 0:
            audit_tree(planner, world, roadmap)


def planned(world, n=300, goal=(18.0, 18.0), start=(2.0, 2.0), **options):
    planner = FMTx(world, n, seed=0, **options)
    planner.set_goal(goal)
    planner.plan(start)
    return planner


def test_stopping_early_leaves_no_stale_costs(monkeypatch):
    monkeypatch.setattr("planning.fmtx._BUDGET", 5)
    world = make_world(4, 1)
    planner = planned(world, 400, focus=False)
    rng = np.random.default_rng(0)
    for _ in range(20):
        for _ in range(2):
            world.move(int(rng.integers(4)), rng.uniform(3, 17, 2))
        update = planner.update(time_limit=1e-9)
        expected = dijkstra_costs(world, planner.roadmap, np.array([18.0, 18.0]))
        assert_costs(planner.cost_to_goal, expected, settled_only=True)
        path = planner.path((2.0, 2.0))
        if len(path.waypoints):
            assert_path_is_free(path, world.arrays().discs, world.bounds)
        if update.status is UpdateStatus.TIMEOUT:
            covered = not world.is_free([(18.0, 18.0)])[0]
            fine = (PathStatus.TIMEOUT, PathStatus.SOLVED)
            assert path.status is PathStatus.GOAL_OCCUPIED if covered else path.status in fine
    planner.update()
    assert_costs(planner.cost_to_goal, expected)


def test_plan_cut_short_says_so_and_is_resumed(monkeypatch):
    monkeypatch.setattr("planning.fmtx._BUDGET", 5)
    world = make_world(3, 2)
    planner = FMTx(world, 400, seed=0)
    planner.set_goal((18.0, 18.0))
    path = planner.plan((2.0, 2.0), time_limit=1e-9)
    assert path.status is PathStatus.TIMEOUT and not path.solved and path.cost == np.inf
    for _ in range(1000):
        path = planner.plan((2.0, 2.0), time_limit=1e-9)
        if path.solved:
            break
    assert path.cost == pytest.approx(planned(world, 400).path((2.0, 2.0)).cost)


def test_update_when_nothing_moved_does_nothing_and_says_so():
    planner = planned(make_world(3, 0))
    update = planner.update()
    assert update.status is UpdateStatus.UNCHANGED
    assert update.n_expanded == update.n_changed == update.n_collision_checks == 0


def test_nothing_planned_is_a_status():
    world = make_world(0, 0)
    planner = FMTx(world, 50, seed=0)
    assert planner.update().status is UpdateStatus.NOT_PLANNED
    assert planner.path((1, 1)).status is PathStatus.NOT_PLANNED
    assert planner.plan((1, 1)).status is PathStatus.NOT_PLANNED
    planner.set_goal((5, 5))
    assert planner.path((1, 1)).status is PathStatus.NOT_PLANNED
    assert np.isinf(planner.cost_to_goal).all()


@pytest.mark.parametrize("planner_class", [FMTx, Scratch])
def test_bad_places_are_statuses(planner_class):
    world = make_world(0, 0)
    world.add((10.0, 10.0), 2.0)
    planner = planner_class(world, 300, seed=0)
    planner.set_goal((18.0, 18.0))
    assert planner.plan((10.0, 10.5)).status is PathStatus.START_OCCUPIED
    assert planner.plan((10.0, 30.0)).status is PathStatus.OUT_OF_BOUNDS
    planner.set_goal((10.0, 9.5))
    assert planner.plan((1.0, 1.0)).status is PathStatus.GOAL_OCCUPIED
    planner.set_goal((-1.0, 9.5))
    assert planner.plan((1.0, 1.0)).status is PathStatus.OUT_OF_BOUNDS
    for k in range(11):
        world.add((2.0 * k, 15.0), 1.5)
    planner.set_goal((18.0, 18.0))
    path = planner.plan((1.0, 1.0))
    assert path.status is PathStatus.NO_PATH and path.cost == np.inf and not path.solved


@pytest.mark.parametrize("planner_class", [FMTx, Scratch])
def test_nearest_of_several_goals_counts(planner_class):
    world = make_world(0, 0)
    planner = planner_class(world, 400, seed=0)
    planner.set_goal([(18.0, 18.0), (18.0, 2.0)])
    np.testing.assert_array_equal(planner.plan((2.0, 3.0)).waypoints[-1], (18.0, 2.0))
    np.testing.assert_array_equal(planner.plan((2.0, 17.0)).waypoints[-1], (18.0, 18.0))
    world.add((18.0, 2.0), 1.0)
    planner.update()
    np.testing.assert_array_equal(planner.path((2.0, 3.0)).waypoints[-1], (18.0, 18.0))


@pytest.mark.parametrize("planner_class", [FMTx, Scratch])
def test_start_within_sight_of_the_goal_goes_straight(planner_class):
    planner = planner_class(make_world(0, 0), 300, seed=0)
    planner.set_goal((18.0, 18.0))
    path = planner.plan((17.9, 18.0))
    assert path.cost == pytest.approx(0.1)
    assert path.waypoints.shape == (2, 2)
    path = planner.path((18.0, 18.0))
    assert path.solved and path.cost == 0.0 and path.waypoints.shape == (1, 2)


def test_too_few_samples_are_no_path_with_a_hint():
    planner = FMTx(make_world(0, 0), Roadmap.from_points([(1, 1), (9, 9)], radius=0.5))
    planner.set_goal((19.0, 19.0))
    path = planner.plan((1.0, 2.0))
    assert path.status is PathStatus.NO_PATH
    assert "more samples or a larger radius" in path.message


def test_path_is_a_query_that_changes_nothing():
    planner = planned(make_world(5, 3), 500)
    state = [array.copy() for array in planner._tree[:-1]]
    costs = planner.cost_to_goal
    rng = np.random.default_rng(0)
    scratch = Scratch(planner.world, planner.roadmap)
    scratch.set_goal((18.0, 18.0))
    scratch.plan((2.0, 2.0))
    for start in rng.uniform(0, SIDE, (20, 2)):
        assert planner.path(start).cost == pytest.approx(scratch.path(start).cost, rel=1e-9)
    for array, before in zip(planner._tree[:-1], state, strict=True):
        np.testing.assert_array_equal(array, before)
    np.testing.assert_array_equal(planner.cost_to_goal, costs)


def test_path_answers_for_the_world_the_last_update_saw():
    world = make_world(0, 0)
    planner = planned(world)
    before = planner.path((2.0, 2.0))
    world.add((2.0, 2.0), 1.0)
    assert planner.path((2.0, 2.0)).cost == before.cost
    planner.update()
    assert planner.path((2.0, 2.0)).status is PathStatus.START_OCCUPIED


def test_planner_catches_up_after_the_log_forgot():
    world = make_world(3, 0)
    planner = planned(world, focus=False)
    rng = np.random.default_rng(1)
    for _ in range(4500):
        world.move(int(rng.integers(3)), rng.uniform(0, SIDE, 2))
    planner.update()
    expected = dijkstra_costs(world, planner.roadmap, np.array([18.0, 18.0]))
    assert_costs(planner.cost_to_goal, expected)


def test_same_seed_gives_the_same_path():
    a, b = (planned(make_world(4, 7)).path((2.0, 2.0)) for _ in range(2))
    np.testing.assert_array_equal(a.waypoints, b.waypoints)


def test_expansions_stay_near_the_number_of_changed_vertices():
    world = make_world(5, 4)
    planner = planned(world, 2000, focus=False)
    rng = np.random.default_rng(2)
    expanded = changed = 0
    for _ in range(30):
        k = int(rng.integers(5))
        world.move(k, world.discs[k][0] + rng.normal(0, 0.3, 2))
        update = planner.update()
        expanded += update.n_expanded
        changed += update.n_changed
    assert 0 < expanded <= 1.2 * changed


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda p: p.set_goal((1, np.nan)), "goal must be finite"),
        (lambda p: p.set_goal((1, 2, 3)), r"goal must be of shape \(2,\) or \(k, 2\), got \(3,\)"),
        (lambda p: p.set_goal([]), "goal must be of shape"),
        (lambda p: p.plan((1, np.inf)), "start must be finite"),
        (lambda p: p.plan(3.0), "start must be of shape"),
        (lambda p: p.path((1, 2, 3)), "start must be of shape"),
        (lambda p: p.plan((1, 1), time_limit=0), "time_limit must be a positive number of seconds"),
        (lambda p: p.update(time_limit=-1), "time_limit must be a positive number of seconds"),
        (lambda p: FMTx(p.world, 0), "n_samples must be a positive integer, got 0"),
        (lambda p: FMTx(p.world, 10, collision="eager"), "collision must be one of"),
        (
            lambda p: FMTx(p.world, Roadmap.from_points([(0, 0, 0)], radius=1)),
            "roadmap must have the world's dimension 2, got 3",
        ),
    ],
)
def test_bad_input_is_refused_and_changes_nothing(call, message):
    planner = planned(make_world(2, 0), 100)
    before = planner.cost_to_goal
    with pytest.raises(ValueError, match=message):
        call(planner)
    np.testing.assert_array_equal(planner.cost_to_goal, before)
    assert planner.path((2.0, 2.0)).status is not PathStatus.NOT_PLANNED


@pytest.mark.parametrize("focus", [True, False])
def test_a_second_goal_is_found_from_anywhere(focus):
    world = DiscWorld(bounds=((0, 20), (0, 20)))
    world.add((10.0, 10.0), 3.0)
    roadmap = Roadmap.sample(world, 400, 0)
    planner, anew = FMTx(world, roadmap, focus=focus), Scratch(world, roadmap)
    rng = np.random.default_rng(0)
    for _ in range(30):
        goal, start = rng.uniform(0.5, 19.5, (2, 2))
        for one in (planner, anew):
            one.set_goal(goal)
        path, expected = planner.plan(start), anew.plan(start)
        assert path.status is expected.status
        assert path.cost == pytest.approx(expected.cost, rel=1e-12)


def test_a_lazy_plan_asks_about_little_more_than_one_motion_a_vertex():
    world = DiscWorld(((0, 10), (0, 10)))
    world.add((5.0, 5.0), 1.5)
    planner = FMTx(world, 600, seed=0, collision="lazy", focus=False)
    planner.set_goal((9.5, 9.5))
    assert planner.plan((0.5, 0.5)).solved
    assert planner.last_update.n_collision_checks < 1.3 * planner.roadmap.n_vertices
