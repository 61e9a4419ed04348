"""Pairwise objectives against finite differences and dense optimisers, and how they refuse."""

import itertools

import networkx as nx
import numpy as np
import pytest
import scipy.optimize
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.exceptions import ConvergenceWarning

from bcd import Status, solve_pairwise
from graphs import CSRGraph
from problems import PairwiseProblem

LOSSES = ("squared", "huber", "logistic")
PAIRS = list(itertools.product(LOSSES, repeat=2))


def weighted(graph, rng):
    for u, v in graph.edges:
        graph.edges[u, v]["weight"] = rng.uniform(0.2, 3.0)
    return graph


def random_problem(n, n_edges, edge_loss, node_loss, seed, l2=0.1):
    rng = np.random.default_rng(seed)
    if n_edges < n:
        graph = nx.random_labeled_tree(n, seed=seed)
    else:
        graph = nx.gnm_random_graph(n, n_edges, seed=seed)
    y = rng.choice([-1.0, 1.0], n) if node_loss == "logistic" else 3.0 * rng.normal(size=n)
    return PairwiseProblem(
        weighted(graph, rng), y, edge_loss=edge_loss, node_loss=node_loss,
        node_weight=rng.uniform(0.1, 2.0, n) * (rng.random(n) < 0.8),
        edge_delta=0.4, node_delta=0.7, l2=l2,
    )  # fmt: skip


def loss(name, d, delta):
    if name == "squared":
        return 0.5 * d * d
    if name == "huber":
        return np.where(abs(d) <= delta, 0.5 * d * d, delta * (abs(d) - 0.5 * delta))
    return 2.0 * np.log(np.cosh(0.5 * d))


def value_by_hand(problem, edge_loss, node_loss, x):
    p, W = problem.arrays(), sp.triu(problem.graph.to_scipy()).tocoo()
    total = np.sum(W.data * loss(edge_loss, x[W.row] - x[W.col], 0.4))
    if node_loss == "logistic":
        total += np.sum(p.trust * np.log1p(np.exp(-p.target * x)))
    else:
        total += np.sum(p.trust * loss(node_loss, x - p.target, 0.7))
    return total + 0.5 * p.l2 * x @ x


@pytest.mark.kernel
@pytest.mark.parametrize(("edge_loss", "node_loss"), PAIRS)
@given(seed=st.integers(0, 10_000))
@settings(max_examples=10)
def test_value_gradient_and_hessian_agree_with_numpy_and_differences(edge_loss, node_loss, seed):
    problem = random_problem(7, 10, edge_loss, node_loss, seed)
    x = 2.0 * np.random.default_rng(seed + 1).normal(size=7)
    value, gradient, h = problem.value(x), problem.gradient(x), 1e-6
    np.testing.assert_allclose(value, value_by_hand(problem, edge_loss, node_loss, x), rtol=1e-12)
    E = h * np.eye(7)
    slopes = [(problem.value(x + e) - problem.value(x - e)) / (2 * h) for e in E]
    np.testing.assert_allclose(gradient, slopes, atol=1e-7)
    rows = np.array([(problem.gradient(x + e) - problem.gradient(x - e)) / (2 * h) for e in E])
    dense = problem.hessian(x).toarray()
    np.testing.assert_array_equal(dense, dense.T)
    np.testing.assert_allclose(dense, rows, atol=1e-6)


@pytest.mark.parametrize(("edge_loss", "node_loss"), PAIRS)
@pytest.mark.parametrize(("n_edges", "blocks"), [(24, "auto"), (50, "all"), (50, "forest")])
def test_solutions_agree_with_scipy(edge_loss, node_loss, n_edges, blocks):
    problem = random_problem(25, n_edges, edge_loss, node_loss, seed=n_edges)
    result = solve_pairwise(problem, blocks=blocks, tol=1e-9)
    oracle = scipy.optimize.minimize(
        problem.value, np.zeros(25), jac=problem.gradient, method="BFGS", options={"gtol": 1e-7}
    )
    assert result.success and result.gap <= 1e-9
    assert result.gap == abs(problem.gradient(result.x)).max()
    assert result.fun <= oracle.fun + 1e-10
    np.testing.assert_allclose(result.x, oracle.x, atol=1e-4)
    assert np.all(np.diff(result.history.objective) <= 1e-13 * abs(result.fun))
    assert len(result.history) == result.n_iter + 1


@pytest.mark.parametrize("seed", range(3))
def test_squares_on_a_tree_take_one_step_that_agrees_with_a_dense_solve(seed):
    problem = random_problem(40, 39, "squared", "squared", seed)
    result = solve_pairwise(problem, x0=np.full(40, 5.0))
    H = problem.hessian(result.x).toarray()
    expected = np.linalg.solve(H, -problem.gradient(np.zeros(40)))
    np.testing.assert_allclose(result.x, expected, rtol=1e-10, atol=1e-12)
    assert (result.n_iter, result.extra["solver"]) == (1, "forest")


def test_greedy_forests_reach_the_same_minimum_in_smaller_steps():
    problem = random_problem(30, 60, "logistic", "huber", seed=3)
    whole = solve_pairwise(problem, tol=1e-9)
    greedy = solve_pairwise(problem, tol=1e-9, blocks="greedy-forest")
    np.testing.assert_allclose(greedy.x, whole.x, atol=1e-7)
    assert max(greedy.history.block_size) < 30 == max(whole.history.block_size)


def test_huber_on_long_chains_ends_on_flat_pieces():
    n, rng = 2000, np.random.default_rng(0)
    y = np.where(np.arange(n) < n // 2, 0.0, 10.0) + rng.normal(size=n)
    y[rng.integers(0, n, 50)] += 1000.0
    chain = CSRGraph.from_edges(n, np.arange(n - 1), np.arange(1, n), np.full(n - 1, 50.0))
    problem = PairwiseProblem(chain, y, edge_loss="huber", node_loss="huber", edge_delta=0.05)
    result = solve_pairwise(problem, tol=1e-7)
    assert result.success
    assert abs(np.median(result.x[:900])) < 0.5
    assert abs(np.median(result.x[1100:]) - 10.0) < 0.5


@pytest.mark.parametrize(("edge_loss", "node_loss"), PAIRS)
def test_scales_far_apart_are_solved_to_rounding(edge_loss, node_loss):
    for seed in range(12):
        rng = np.random.default_rng(seed)
        n = int(rng.integers(2, 40))
        parent = [int(rng.integers(0, i)) for i in range(1, n)]
        weights = rng.uniform(0.0, 10.0, n - 1) * 10.0 ** rng.uniform(-3, 3)
        y = rng.normal(size=n) * 10.0 ** rng.uniform(-4, 4)
        if node_loss == "logistic":
            y = np.where(np.arange(n) % 2, 1.0, -1.0)
        deltas = 10.0 ** rng.uniform(-2, 2, 2)
        problem = PairwiseProblem(
            CSRGraph.from_edges(n, np.arange(1, n), parent, weights), y, edge_loss=edge_loss,
            node_loss=node_loss, edge_delta=deltas[0], node_delta=deltas[1],
        )  # fmt: skip
        assert solve_pairwise(problem).success


def test_small_differences_keep_their_digits():
    path = CSRGraph.from_edges(2, [0], [1])
    problem = PairwiseProblem(path, [0.0, 1e-6], edge_loss="logistic")
    np.testing.assert_allclose(problem.value([0.0, 1e-6]), 0.25e-12, rtol=1e-9)
    np.testing.assert_allclose(problem.value([0.0, 800.0]), 800 - 2 * np.log(2) + 800**2 / 2)


def test_label_regression_fills_in_unlabelled_vertices():
    graph = nx.path_graph(5)
    y, trust = [-1.0, np.nan, np.nan, np.nan, 1.0], [1.0, 0.0, 0.0, 0.0, 1.0]
    x = solve_pairwise(PairwiseProblem(graph, y, node_loss="logistic", node_weight=trust)).x
    np.testing.assert_allclose(x, x[4] * np.linspace(-1, 1, 5), atol=1e-8)
    # the labels' pull is the tension of a path of four edges
    np.testing.assert_allclose(1.0 / (1.0 + np.exp(x[4])), x[4] / 2.0, atol=1e-8)


def test_edges_of_weight_zero_are_none():
    matrix = sp.csr_array(([1.0, 1.0, 0.0, 0.0], ([0, 1, 1, 2], [1, 0, 2, 1])), shape=(3, 3))
    problem = PairwiseProblem(matrix, [1.0, 3.0, 7.0])
    assert problem.graph.n_edges == 1
    assert matrix.nnz == 4  # the caller's
    np.testing.assert_allclose(solve_pairwise(problem).x, [5 / 3, 7 / 3, 7.0])


def test_stopping_early_is_told():
    problem = random_problem(20, 19, "huber", "huber", seed=1)
    with pytest.warns(ConvergenceWarning, match="max_iter was reached first"):
        result = solve_pairwise(problem, max_iter=1)
    assert result.status is Status.MAX_ITER and result.n_iter == 1


def test_data_beyond_floating_point_end_in_a_warning():
    path = CSRGraph.from_edges(2, [0], [1])
    with pytest.warns(ConvergenceWarning, match="not converged"):
        result = solve_pairwise(PairwiseProblem(path, [1e300, -1e300]))
    assert result.status is Status.STALLED


PATH = CSRGraph.from_edges(3, [0, 1], [1, 2])
Y = [0.0, 1.0, 2.0]


@pytest.mark.parametrize(
    ("graph", "y", "options", "error", "message"),
    [
        (CSRGraph.from_edges(2, [0], [1], [-1.0]), [0, 1], {}, ValueError,
         r"at least 0, got -1.0 at \(0, 1\)"),
        (CSRGraph.from_edges(2, [0], [1], directed=True), [0, 1], {}, ValueError, "undirected"),
        (nx.DiGraph([(0, 1)]), [0, 1], {}, ValueError, "undirected, got a directed one"),
        (nx.Graph(), [], {}, ValueError, "must not be empty"),
        (nx.Graph([(0, 0)]), [0], {}, ValueError, "self-loop"),
        (sp.csr_array([[0.0, 1.0], [0.0, 0.0]]), [0, 1], {}, ValueError, "symmetric entries"),
        (sp.csr_array([[0.0, np.nan], [np.nan, 0.0]]), [0, 1], {}, ValueError, "finite weights"),
        (np.eye(2), [0, 1], {}, TypeError, "got ndarray"),
        (PATH, [0.0, 1.0], {}, ValueError, r"each of 3 vertices, got shape \(2,\)"),
        (PATH, [0.0, np.nan, 1.0], {}, ValueError, "y must be finite, got nan at vertex 1"),
        (PATH, Y, {"node_weight": [1.0, -2.0, 1.0]}, ValueError, "got -2.0 at vertex 1"),
        (PATH, Y, {"node_weight": [1.0, 1.0]}, ValueError, r"node_weight .* got \(2,\)"),
        (PATH, Y, {"node_weight": np.inf}, ValueError, "node_weight must be finite"),
        (PATH, Y, {"node_weight": 0.0}, ValueError, "node_weight is above 0.* vertex 0"),
        (PATH, Y, {"node_loss": "logistic"}, ValueError, "-1 or 1 .* got 0.0 at vertex 0"),
        (PATH, [1, 1, 1], {"node_loss": "logistic"}, ValueError, "label -1.* set l2 above 0"),
        (PATH, Y, {"edge_loss": "l1"}, ValueError, "edge_loss must be one of .* got 'l1'"),
        (PATH, Y, {"node_loss": 3}, ValueError, "node_loss must be one of .* got 3"),
        (PATH, Y, {"edge_delta": 0.0}, ValueError, "edge_delta must be .* above 0, got 0.0"),
        (PATH, Y, {"l2": -1.0}, ValueError, "l2 must be"),
    ],
)  # fmt: skip
def test_bad_problems_are_refused(graph, y, options, error, message):
    with pytest.raises(error, match=message):
        PairwiseProblem(graph, y, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"x0": [0.0]}, r"x0 must have shape \(3,\), got \(1,\)"),
        ({"x0": [0.0, np.nan, 0.0]}, "x0 must be finite"),
        ({"tol": -1.0}, "tol must be"),
        ({"max_iter": 0}, "max_iter must be"),
        ({"blocks": "tree"}, "blocks must be one of .* got 'tree'"),
    ],
)
def test_bad_solver_arguments_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        solve_pairwise(PairwiseProblem(PATH, Y), **options)


def test_other_problems_and_points_are_refused():
    with pytest.raises(TypeError, match="must be a PairwiseProblem, got list"):
        solve_pairwise([1.0])
    with pytest.raises(ValueError, match=r"x must have shape \(3,\), got \(2,\)"):
        PairwiseProblem(PATH, Y).value([0.0, 1.0])
