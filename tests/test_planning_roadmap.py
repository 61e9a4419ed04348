import math

import networkx as nx
import numpy as np
import pytest
from scipy.spatial.distance import cdist

from graphs import radius_graph
from planning import Roadmap
from planning._roads import collect_in_box
from planning.roadmap import connection_radius
from problems.worlds import DiscWorld


@pytest.fixture
def points():
    return np.random.default_rng(0).uniform(0, 10, (200, 2))


def edges_of(roadmap):
    graph = roadmap.graph
    return {(int(u), int(v)) for u, v in zip(graph.tails(), graph.indices, strict=True)}


def test_from_points_joins_all_within_the_radius_in_the_callers_order(points):
    roadmap = Roadmap.from_points(points, radius=1.0)
    near = cdist(points, points) <= 1.0
    np.fill_diagonal(near, False)
    assert edges_of(roadmap) == {(int(u), int(v)) for u, v in np.argwhere(near)}
    np.testing.assert_array_equal(roadmap.points, points)
    graph = roadmap.graph
    lengths = np.linalg.norm(points[graph.tails()] - points[graph.indices], axis=1)
    np.testing.assert_allclose(graph.weights, lengths)


def test_from_points_with_neighbours_joins_the_nearest(points):
    edges = edges_of(Roadmap.from_points(points, n_neighbors=3))
    nearest = np.argsort(cdist(points, points), axis=1)[:, 1:4]
    for u in range(200):
        for v in nearest[u]:
            assert (u, int(v)) in edges and (int(v), u) in edges


def test_values_go_to_the_hidden_order_and_back(points):
    roadmap = Roadmap.from_points(points, radius=1.0)
    values = np.arange(200.0)
    np.testing.assert_array_equal(roadmap.to_caller(roadmap.to_internal(values)), values)
    np.testing.assert_array_equal(roadmap.to_internal(points), roadmap.roads.points)


def test_samples_depend_on_the_seed_alone():
    world = DiscWorld(((0, 10), (-5, 5)))
    a, b = (Roadmap.sample(world, 100, seed=3).points for _ in range(2))
    np.testing.assert_array_equal(a, b)
    assert not np.array_equal(a, Roadmap.sample(world, 100, seed=4).points)
    assert (a.min(axis=0) >= (0, -5)).all() and (a.max(axis=0) <= (10, 5)).all()
    assert Roadmap.sample(world, 100, seed=np.random.default_rng(3)).n_vertices == 100


@pytest.mark.parametrize(("dimension", "side"), [(2, 100.0), (3, 10.0), (6, 2.0)])
def test_connection_radius_uses_the_volume_and_the_dimension(dimension, side):
    # the expected number of neighbours is 2^d / d log n, whatever the world's size
    n = 1000
    radius = connection_radius(n, dimension, side**dimension)
    ball = math.pi ** (dimension / 2) / math.gamma(dimension / 2 + 1) * radius**dimension
    assert n * ball / side**dimension == pytest.approx(2**dimension / dimension * math.log(n))


def test_radius_of_sampled_roadmap_shrinks_with_the_free_volume():
    empty = DiscWorld(((0, 10), (0, 40)))
    full = DiscWorld(((0, 10), (0, 40)))
    full.add((5, 20), 7.0)
    free = Roadmap.sample(full, 2000, seed=0, free_only=True)
    assert full.is_free(free.points).all()
    share = (
        1.0
        - math.pi * 7.0**2 / 400.0
        + 2 * 0.5 * (2 * 49 * math.acos(5 / 7) - 2 * 5 * math.sqrt(24)) / 400.0
    )
    ratio = free.radius / Roadmap.sample(empty, 2000, seed=0).radius
    assert ratio == pytest.approx(math.sqrt(share), rel=0.02)


def test_sample_with_nearest_neighbours():
    roadmap = Roadmap.sample(DiscWorld(((0, 1), (0, 1))), 300, seed=0, connection="knn")
    assert roadmap.graph.degrees.min() >= math.e * 1.5 * math.log(300)


@pytest.mark.parametrize("connection", ["radius", "knn"])
@pytest.mark.parametrize("obstacle", [False, True])
def test_a_progress_bar_counts_to_the_end_and_changes_nothing(connection, obstacle, capsys):
    world = DiscWorld([(0.0, 10.0)] * 2)
    if obstacle:
        world.add((5.0, 5.0), 3.0)
    options = {"connection": connection, "free_only": obstacle}
    quiet = Roadmap.sample(world, 5000, 0, **options)
    assert capsys.readouterr().err == ""
    shown = Roadmap.sample(world, 5000, 0, verbose=True, **options)
    assert "10000/10000" in capsys.readouterr().err
    for name in ("indptr", "indices", "weights"):
        np.testing.assert_array_equal(getattr(shown.graph, name), getattr(quiet.graph, name))


def test_coincident_points_are_joined_with_a_progress_bar_too():
    points = np.repeat(np.random.default_rng(0).uniform(0.0, 5.0, (300, 2)), 2, axis=0)
    told = []
    graph = radius_graph(points, 0.7, progress=told.append)
    plain = radius_graph(points, 0.7)
    assert sum(told) == 600
    np.testing.assert_array_equal(graph.indices, plain.indices)
    np.testing.assert_array_equal(graph.weights, plain.weights)


def test_full_world_leaves_no_room_to_sample():
    world = DiscWorld(((0, 1), (0, 1)))
    world.add((0.5, 0.5), 2.0)
    with pytest.raises(ValueError, match="world must leave room for n_samples=10"):
        Roadmap.sample(world, 10, seed=0, free_only=True)


def test_from_networkx_keeps_nodes_in_their_order():
    graph = nx.Graph()
    for name, pos in (("c", (3, 0)), ("a", (0, 0)), ("b", (0, 4))):
        graph.add_node(name, pos=pos)
    graph.add_edges_from([("a", "b"), ("b", "c")])
    roadmap = Roadmap.from_networkx(graph)
    np.testing.assert_array_equal(roadmap.points, [(3, 0), (0, 0), (0, 4)])
    assert edges_of(roadmap) == {(1, 2), (2, 1), (2, 0), (0, 2)}
    assert sorted(roadmap.graph.weights) == [4, 4, 5, 5]


@pytest.mark.kernel
@pytest.mark.parametrize("dimension", [1, 2, 3, 5])
def test_boxes_hold_the_vertices_a_full_scan_finds(dimension):
    rng = np.random.default_rng(dimension)
    roadmap = Roadmap.from_points(rng.uniform(-3, 4, (150, dimension)), radius=1.0)
    roads, out = roadmap.roads, np.empty(150, np.int32)
    for _ in range(100):
        low = rng.uniform(-6, 5, dimension)
        high = low + rng.uniform(0, 6, dimension)
        count = collect_in_box(roads, low, high, 0.0, out)
        inside = ((roads.points >= low) & (roads.points <= high)).all(axis=1)
        np.testing.assert_array_equal(np.sort(out[:count]), np.flatnonzero(inside))
    assert (
        collect_in_box(roads, np.full(dimension, -1e300), np.full(dimension, 1e300), 0.0, out)
        == 150
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Roadmap.from_points([], radius=1), "points must be of shape"),
        (
            lambda: Roadmap.from_points([(0, np.nan)], radius=1),
            "points must be finite, got .* row 0",
        ),
        (
            lambda: Roadmap.from_points([(0, 1)], radius=0),
            "radius must be finite and positive, got 0",
        ),
        (lambda: Roadmap.from_points([(0, 1)], radius=-2), "radius must be finite and positive"),
        (lambda: Roadmap.from_points([(0, 1)]), "exactly one of radius and n_neighbors"),
        (
            lambda: Roadmap.from_points([(0, 1)], n_neighbors=0),
            "n_neighbors must be a positive int",
        ),
        (lambda: Roadmap.sample(DiscWorld([(0, 1)]), 0), "n_samples must be a positive integer"),
        (lambda: Roadmap.sample(DiscWorld([(0, 1)]), 2.5), "n_samples must be a positive integer"),
        (
            lambda: Roadmap.sample(DiscWorld([(0, 1)]), 5, connection="mesh"),
            "connection must be one of .*radius.*knn.*, got 'mesh'",
        ),
        (
            lambda: Roadmap.sample(DiscWorld([(0, 1)]), 5, factor=0.0),
            "factor must be finite and positive",
        ),
        (lambda: Roadmap.from_grid(None, connectivity=6), "connectivity must be 4 or 8, got 6"),
        (lambda: Roadmap.from_grid(DiscWorld([(0, 1)])), "grid must be an occupancy grid"),
        (lambda: Roadmap.from_networkx(nx.DiGraph()), "graph must be undirected"),
        (lambda: Roadmap.from_networkx(nx.path_graph(2)), "graph must have 'pos' on every node"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
