"""Neighbour graphs against brute force."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphs import knn_graph, neighbors, radius_graph, spatial_order

CLOUDS = st.tuples(st.integers(2, 25), st.integers(1, 4), st.integers(0, 99), st.booleans()).map(
    lambda t: (
        np.random.default_rng(t[2]).integers(0, 4, size=t[:2]).astype(float)
        if t[3]
        else np.random.default_rng(t[2]).standard_normal(t[:2])
    )
)


def distances(cloud):
    return np.linalg.norm(cloud[:, None] - cloud[None], axis=2)


@given(CLOUDS, st.floats(0.3, 2.5))
def test_radius_graph_joins_exactly_the_pairs_within_the_radius(cloud, radius):
    distance = distances(cloud)
    away = abs(distance - radius) > 1e-9
    graph = radius_graph(cloud, radius)
    joined = np.zeros(distance.shape, dtype=bool)
    joined[graph.tails(), graph.indices] = True
    expected = (distance <= radius) & ~np.eye(len(cloud), dtype=bool)
    np.testing.assert_array_equal(joined[away], expected[away])
    np.testing.assert_allclose(graph.weights, distance[graph.tails(), graph.indices], atol=1e-12)


@given(CLOUDS, st.integers(1, 6))
def test_knn_graph_joins_each_point_to_k_nearest(cloud, k):
    k = min(k, len(cloud) - 1)
    distance = distances(cloud)
    np.fill_diagonal(distance, np.inf)
    graph = knn_graph(cloud, k)
    kth = np.sort(distance, axis=1)[:, k - 1]
    assert (graph.degrees >= k).all()
    tails, heads = graph.tails(), graph.indices
    assert (graph.weights <= np.maximum(kth[tails], kth[heads]) + 1e-9).all()
    for v in range(len(cloud)):  # everything strictly nearer than the k-th is there
        assert set(np.flatnonzero(distance[v] < kth[v] - 1e-9)) <= set(graph.neighbors(v).tolist())


@given(CLOUDS)
def test_spatial_order_is_a_permutation(cloud):
    np.testing.assert_array_equal(np.sort(spatial_order(cloud)), np.arange(len(cloud)))


def test_spatial_order_keeps_neighbours_near_in_memory():
    cloud = np.random.default_rng(0).random((4000, 2))
    ordered = cloud[spatial_order(cloud)]
    steps = np.linalg.norm(np.diff(ordered, axis=0), axis=1)
    assert np.median(steps) < 0.05 < np.median(np.linalg.norm(np.diff(cloud, axis=0), axis=1))


def test_degenerate_clouds_work():
    assert radius_graph(np.empty((0, 2)), 1.0).n_vertices == 0
    assert spatial_order(np.empty((0, 2))).shape == (0,)
    same = knn_graph(np.zeros((5, 2)), 2)
    assert (same.weights == 0).all() and (same.degrees >= 2).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: radius_graph([[0.0, 1.0]], 0.0), "radius must be a positive finite number, got 0"),
        (lambda: radius_graph([[0.0, 1.0]], -1.0), "radius must be a positive"),
        (lambda: radius_graph([[0.0, 1.0]], np.nan), "radius must be a positive"),
        (lambda: radius_graph([0.0, 1.0], 1.0), r"points must have shape \(n, d\)"),
        (lambda: radius_graph([[0.0, np.nan]], 1.0), "finite, got nan at row 0, column 1"),
        (lambda: knn_graph([[0.0], [1.0]], 2), r"k must lie in 1..1 for 2 points, got 2"),
        (lambda: knn_graph([[0.0], [1.0]], 0), "k must lie in"),
        (lambda: spatial_order([[np.inf]]), "finite, got inf"),
    ],
)
def test_bad_clouds_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("k", [1.0, 1.5, True, None])
def test_knn_graph_refuses_a_number_of_neighbours_that_is_no_integer(k):
    with pytest.raises(TypeError, match="k must be an integer, got"):
        knn_graph([[0.0], [1.0], [2.0]], k)


def test_neighbours_in_many_dimensions_are_those_of_a_full_scan(monkeypatch):
    monkeypatch.setattr(neighbors, "BLOCK", 7)
    monkeypatch.setattr(neighbors, "COLUMNS", 11)
    points = np.random.default_rng(0).standard_normal((60, 20)) + 100.0
    distance = np.linalg.norm(points[:, None] - points[None], axis=2)
    nearest = np.argsort(distance, axis=1)[:, 1:4]
    expected = {tuple(sorted((i, int(j)))) for i in range(60) for j in nearest[i]}
    graph = knn_graph(points, 3)
    assert set(zip(graph.tails().tolist(), graph.indices.tolist(), strict=True)) == {
        pair for u, v in expected for pair in ((u, v), (v, u))
    }
    np.testing.assert_allclose(graph.weights, distance[graph.tails(), graph.indices])
    twins = knn_graph(np.zeros((5, 20)), 1)  # none finds itself first
    assert (twins.degrees > 0).all()


@pytest.mark.parametrize("dimensions", [1, 20])
def test_points_whose_squared_distances_overflow_are_refused(dimensions):
    points = 1e200 * np.arange(6.0)[:, None] * np.ones(dimensions)
    with pytest.raises(ValueError, match="distances of finite squares"):
        neighbors.find_nearest(points, points, 2)


@pytest.mark.parametrize("build", [lambda p: radius_graph(p, 1.0), lambda p: knn_graph(p, 1)])
def test_points_whose_distances_overflow_are_refused(build):
    """The tree would name a neighbour that does not exist: a write beyond the graph."""
    with pytest.raises(ValueError, match=r"points must lie within 1e.150 .*got 1e.300 at row 0"):
        build([[1e300, 0.0], [0.0, 0.0]])
    with pytest.raises(ValueError, match="points must be an array of numbers, got 'ab'"):
        build("ab")
    with pytest.raises(ValueError, match="radius must be a positive finite number, got 'a'"):
        radius_graph([[0.0], [1.0]], "a")
