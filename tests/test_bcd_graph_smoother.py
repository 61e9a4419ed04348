"""GraphSmoother against dense algebra and scipy, its robustness, and its manners."""

import networkx as nx
import numpy as np
import pytest
import scipy.optimize
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.estimator_checks import parametrize_with_checks

from bcd import GraphSmoother
from graphs import CSRGraph


@parametrize_with_checks([GraphSmoother(), GraphSmoother(loss="huber", edge_loss="huber")])
def test_scikit_learn_checks(estimator, check):
    check(estimator)


def chain_laplacian(n):
    D = np.diff(np.eye(n), axis=0)
    return D.T @ D


def test_squares_on_a_chain_agree_with_a_dense_solve():
    y, s = np.random.default_rng(0).normal(size=(2, 30)) + 5.0, np.ones(30)
    s[::4] = 0.0
    for alpha in (0.0, 0.3, 1e4):
        model = GraphSmoother(alpha=alpha).fit(None, y[0])
        expected = np.linalg.solve(np.eye(30) + alpha * chain_laplacian(30), y[0])
        np.testing.assert_allclose(model.values_, expected, rtol=1e-9)
        assert not model.outliers_.any()
    scaled = s * 30 / s.sum()
    expected = np.linalg.solve(np.diag(scaled) + 2.0 * chain_laplacian(30), scaled * y[0])
    model = GraphSmoother(alpha=2.0).fit(None, y[0], sample_weight=s)
    np.testing.assert_allclose(model.values_, expected, rtol=1e-9)


def huber(d, delta):
    return np.where(abs(d) <= delta, 0.5 * d * d, delta * (abs(d) - 0.5 * delta)).sum()


def test_huber_on_a_tree_agrees_with_scipy():
    tree = nx.random_labeled_tree(12, seed=4)
    u, v = np.array(tree.edges).T
    y = np.random.default_rng(1).normal(size=12) * 3.0

    def objective(x):
        return huber(x - y, 0.8) + 1.7 * huber(x[u] - x[v], 0.5)

    model = GraphSmoother(tree, alpha=1.7, loss="huber", edge_loss="huber", delta=0.8,
                          edge_delta=0.5).fit(None, y)  # fmt: skip
    oracle = scipy.optimize.minimize(objective, y, options={"gtol": 1e-7})
    np.testing.assert_allclose(model.objective_, objective(model.values_), rtol=1e-12)
    assert model.objective_ <= oracle.fun + 1e-9
    np.testing.assert_array_equal(model.outliers_, abs(model.values_ - y) > 0.8)


def test_outliers_do_not_pull_where_the_loss_is_huber():
    rng = np.random.default_rng(2)
    truth = np.linspace(0.0, 5.0, 300)
    y = truth + 0.2 * rng.normal(size=300)
    spoilt = rng.choice(300, 20, replace=False)
    y[spoilt] += 100.0
    robust = GraphSmoother(alpha=20.0, loss="huber", delta=0.5).fit(None, y)
    plain = GraphSmoother(alpha=20.0).fit(None, y)
    assert abs(robust.values_ - truth).max() < 1.0 < abs(plain.values_ - truth).max()
    assert robust.outliers_[spoilt].all() and robust.outliers_.sum() < 30


def test_outliers_on_a_tree_do_not_pull():
    tree = nx.balanced_tree(2, 6)
    y = np.ones(len(tree))
    y[[3, 40, 100]] = -500.0
    values = GraphSmoother(tree, loss="huber", alpha=5.0).smooth(y)
    assert abs(values - 1.0).max() < 1.0 < abs(GraphSmoother(tree, alpha=5.0).smooth(y) - 1).max()


def test_steps_stay_steps_where_the_edges_loss_is_huber():
    y = np.repeat([0.0, 10.0], 50)
    y += np.resize([0.3, -0.3], 100)
    steep = GraphSmoother(alpha=100.0, edge_loss="huber", edge_delta=0.01).smooth(y)
    blurred = GraphSmoother(alpha=100.0).smooth(y)
    assert steep[50] - steep[49] > 9.0 > 2.0 > blurred[50] - blurred[49]


def test_values_move_and_scale_with_the_data():
    y = np.random.default_rng(3).normal(size=40)
    y[7] = 30.0
    values = GraphSmoother(loss="huber", tol=1e-12).smooth(y)
    moved = GraphSmoother(loss="huber", delta=1e3, tol=1e-12).smooth(1e3 * y + 1e6)
    np.testing.assert_allclose(moved, 1e3 * values + 1e6, rtol=0, atol=1e-6)


def test_kinds_of_graph_agree_and_names_come_back():
    graph = nx.relabel_nodes(nx.cycle_graph(6), dict(enumerate("fbadce")))
    for u, v in graph.edges:
        graph.edges[u, v]["weight"] = 1.0 + ord(u) % 3
    matrix = nx.to_scipy_sparse_array(graph)
    y = dict(zip("abcdef", [1.0, 5.0, 2.0, 8.0, 0.0, 3.0], strict=True))
    named = GraphSmoother(graph).smooth(y)
    array = np.array([y[node] for node in graph])
    expected = np.linalg.solve(
        np.eye(6) + np.diag(matrix.sum(axis=1)) - matrix.toarray(), array
    )  # fmt: skip
    np.testing.assert_allclose([named[node] for node in graph], expected, rtol=1e-9)
    for kind in (graph, matrix, CSRGraph.from_scipy(matrix)):
        np.testing.assert_allclose(GraphSmoother(kind).smooth(array), expected, rtol=1e-9)


def test_isolated_vertices_keep_their_value_and_constants_stay():
    graph = CSRGraph.from_edges(4, [0, 1], [1, 2])
    assert GraphSmoother(graph).smooth([1.0, 2.0, 3.0, 9.0])[3] == 9.0
    np.testing.assert_array_equal(GraphSmoother(loss="huber").smooth(np.full(5, 7.3)), 7.3)
    np.testing.assert_array_equal(GraphSmoother().smooth([4.0]), 4.0)


def test_stopping_early_warns_and_the_values_are_finite():
    y = np.random.default_rng(5).normal(size=50) * 10
    with pytest.warns(ConvergenceWarning, match="max_iter was reached first"):
        model = GraphSmoother(loss="huber", max_iter=1).fit(None, y)
    assert np.isfinite(model.values_).all() and model.n_iter_ == 1


def test_parameters_and_data_are_left_alone():
    y, graph = np.arange(5.0), sp.csr_array(nx.to_scipy_sparse_array(nx.path_graph(5)) * 1.0)
    before = graph.toarray()
    clone(GraphSmoother(graph, alpha=3.0)).fit(None, y)
    np.testing.assert_array_equal(graph.toarray(), before)
    np.testing.assert_array_equal(y, np.arange(5.0))


@pytest.mark.parametrize(
    ("options", "y", "weight", "error", "message"),
    [
        ({}, [0.0, np.nan, 1.0], None, ValueError, "y contains NaN"),
        ({}, [0.0, np.inf, 1.0], None, ValueError, "y contains infinity"),
        ({}, [[0.0], [1.0]], None, ValueError, r"y must have shape \(n_samples,\), got \(2, 1\)"),
        ({}, {"a": 1.0}, None, TypeError, "networkx graph, got a dict"),
        ({"graph": nx.path_graph(2)}, {0: 1.0, 5: 1.0}, None, ValueError, "each node of graph"),
        ({"graph": nx.path_graph(4)}, [0.0, 1.0], None, ValueError, "4 vertices of graph, got 2"),
        ({"graph": nx.DiGraph([(0, 1)])}, [0.0, 1.0], None, ValueError, "undirected"),
        ({"graph": sp.csr_array([[0.0, -1.0], [-1.0, 0.0]])}, [0, 1], None, ValueError,
         "weights of at least 0, got -1.0"),
        ({"graph": "chain"}, [0.0, 1.0], None, TypeError, "got str"),
        ({}, [0.0, 1.0], [1.0, -1.0], ValueError, "sample_weight must not be negative"),
        ({}, [0.0, 1.0], [1.0], ValueError, r"sample_weight.shape must be \(2,\)"),
        ({"alpha": 0.0}, [0.0, 1.0], [1.0, 0.0], ValueError, "got 0 all around vertex 1"),
        ({"alpha": -1.0}, [0.0, 1.0], None, ValueError, "alpha must be at least 0, got -1.0"),
        ({"alpha": "1"}, [0.0, 1.0], None, TypeError, "alpha must be a real number"),
        ({"loss": "l1"}, [0.0, 1.0], None, ValueError, "loss must be one of huber, squared"),
        ({"edge_loss": "l1"}, [0.0, 1.0], None, ValueError, "edge_loss must be one of"),
        ({"delta": 0.0}, [0.0, 1.0], None, ValueError, "delta must be above 0, got 0.0"),
        ({"edge_delta": np.nan}, [0.0, 1.0], None, ValueError, "edge_delta must be above 0"),
        ({"tol": -1.0}, [0.0, 1.0], None, ValueError, "tol must be at least 0"),
        ({"max_iter": 0}, [0.0, 1.0], None, ValueError, "max_iter must be an integer"),
    ],
)  # fmt: skip
def test_bad_input_is_refused(options, y, weight, error, message):
    with pytest.raises(error, match=message):
        GraphSmoother(**options).fit(None, y, weight)
