"""Label propagation against dense algebra, and its manners with bad input."""

import logging
import os
import subprocess
import sys
import warnings

import networkx as nx
import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.datasets import make_moons
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.estimator_checks import parametrize_with_checks

from bcd import LabelPropagation, graph_core, propagate_labels, solve_graph_system, solve_labels
from graphs import CSRGraph
from problems.datasets import dataset_d, dataset_e


def random_graph(n, degree, seed):
    rng = np.random.default_rng(seed)
    edges = nx.gnm_random_graph(n, n * degree // 2, seed=seed)
    for u, v in edges.edges:
        edges.edges[u, v]["weight"] = rng.uniform(0.1, 2.0)
    return edges


def dense_answer(W, labels, anchor=None):
    W = W.toarray()
    laplacian = np.diag(W.sum(axis=1)) - W
    given = ~np.isnan(labels)
    if anchor is not None:
        H = laplacian + anchor * np.diag(given)
        return np.linalg.solve(H, anchor * np.where(given, labels, 0.0))
    f = labels.copy()
    free = np.flatnonzero(~given)
    f[free] = np.linalg.solve(
        laplacian[np.ix_(free, free)], W[np.ix_(free, np.flatnonzero(given))] @ labels[given]
    )
    return f


def connected(degree, seed):
    graph = random_graph(80, degree, seed)
    return nx.convert_node_labels_to_integers(
        graph.subgraph(max(nx.connected_components(graph), key=len))
    )


@pytest.mark.parametrize("solver", ["auto", "sweep", "forest-sweep", "multigrid"])
@pytest.mark.parametrize("degree", [2, 5])
def test_harmonic_functions_agree_with_dense_algebra(degree, solver):
    for seed in range(4):
        graph = connected(degree, seed)
        W = nx.to_scipy_sparse_array(graph)
        labels = np.full(len(graph), np.nan)
        labels[:5] = [1.0, -1.0, 3.0, 0.0, 2.0]
        for anchor in (None, 0.7):
            f = propagate_labels(W, labels, solver=solver, tol=1e-18, anchor=anchor)
            np.testing.assert_allclose(f, dense_answer(W, labels, anchor), atol=1e-6)


def test_a_tree_is_eliminated_exactly_and_said_so():
    tree = nx.random_labeled_tree(200, seed=1)
    labels = np.full(200, np.nan)
    labels[[3, 7, 100]] = [1.0, 0.0, 5.0]
    found = solve_labels(nx.to_scipy_sparse_array(tree), labels, solver="forest")
    assert found.solution.solver == "forest" and found.solution.n_iter == 0
    W = nx.to_scipy_sparse_array(tree)
    np.testing.assert_allclose(found.values, dense_answer(W, labels), atol=1e-10)
    with pytest.raises(ValueError, match="graph without cycles"):
        solve_labels(nx.cycle_graph(9), {0: 1.0, 4: 0.0}, solver="forest", anchor=1.0)


@pytest.mark.parametrize("problem", [dataset_d(20, 20), dataset_e(300, 20)], ids=["D", "E"])
@pytest.mark.parametrize("solver", ["sweep", "forest-sweep", "multigrid", "pyamg"])
def test_solvers_reach_the_suboptimality_they_promise(problem, solver):
    if solver == "pyamg":
        pytest.importorskip("pyamg")
    x = np.linalg.solve(problem.Q.toarray(), problem.q)
    for tol in (1e-3, 1e-6, 1e-9):
        solution = solve_graph_system(problem.Q, problem.q, solver=solver, tol=tol)
        assert solution.success and solution.solver == solver
        reached = (problem.value(solution.x) - problem.value(x)) / -problem.value(x)
        assert reached <= 3 * tol
        residual = problem.q - problem.Q @ solution.x
        assert solution.residual == pytest.approx(
            np.linalg.norm(residual) / np.linalg.norm(problem.q)
        )


def test_auto_takes_multigrid_on_large_lattices_and_sweeps_on_expanders(monkeypatch):
    monkeypatch.setattr(graph_core, "LARGE", 1000)
    problem = dataset_d(40, 30)
    solution = solve_graph_system(problem.Q, problem.q)
    assert solution.solver == "multigrid" and solution.residual < 1e-3
    shuffled = np.random.default_rng(0).permutation(len(problem.q))  # laid out anew
    again = solve_graph_system(problem.Q[shuffled][:, shuffled], problem.q[shuffled], tol=1e-16)
    np.testing.assert_allclose(
        again.x, solve_graph_system(problem.Q, problem.q, tol=1e-16).x[shuffled], atol=1e-5
    )
    expander = nx.random_regular_graph(8, 1500, seed=0)
    labels = np.full(1500, np.nan)
    labels[:10] = np.arange(10)
    assert solve_labels(expander, labels).solution.solver == "sweep"


def test_weights_beyond_single_precision_are_solved_by_sweeps(monkeypatch):
    """Kernels of distances give them: an outlier is joined by 1e-50."""
    monkeypatch.setattr(graph_core, "LARGE", 1000)
    W = nx.to_scipy_sparse_array(nx.grid_2d_graph(40, 30), dtype=float, format="lil")
    for v in (77, 500):
        for u in W.rows[v]:
            W[v, u] = W[u, v] = 1e-50 * (1 + u)
    labels = np.full(1200, np.nan)
    labels[[0, 1199]] = 0.0, 1.0
    found = solve_labels(W.tocsr(), labels, tol=1e-16)
    assert found.solution.solver == "sweep"
    Q = (sp.diags_array(W.tocsr().sum(axis=1)) - W).toarray()
    free = np.isnan(labels)
    expected = np.linalg.solve(Q[free][:, free], -Q[free] @ np.nan_to_num(labels))
    np.testing.assert_allclose(found.values[free], expected, atol=1e-6)


def test_positive_off_diagonals_are_solved_by_sweeps():
    rng = np.random.default_rng(0)
    A = sp.random_array((60, 60), density=0.05, rng=rng)
    Q = sp.csr_array(A @ A.T + sp.eye_array(60))
    q = rng.standard_normal(60)
    for solver in ("auto", "multigrid"):
        solution = solve_graph_system(Q, q, solver=solver, tol=1e-16)
        assert solution.solver in ("sweep", "forest")
        np.testing.assert_allclose(solution.x, np.linalg.solve(Q.toarray(), q), atol=1e-6)


def test_many_columns_are_solved_at_once():
    W = nx.to_scipy_sparse_array(connected(4, 0))
    labels = np.full((W.shape[0], 3), np.nan)
    labels[:4] = np.random.default_rng(0).standard_normal((4, 3))
    f = propagate_labels(W, labels, tol=1e-18)
    for c in range(3):
        np.testing.assert_allclose(f[:, c], dense_answer(W, labels[:, c]), atol=1e-6)


def test_networkx_names_come_back():
    graph = nx.Graph()
    graph.add_edge("Ann", ("b", 1), weight=2.0)
    graph.add_edge(("b", 1), 3.5, weight=1.0)
    graph.add_node("alone")
    f = propagate_labels(graph, {"Ann": 0.0, 3.5: 3.0})
    assert f == {"Ann": 0.0, ("b", 1): 1.0, 3.5: 3.0, "alone": 1.5}
    assert propagate_labels(graph, {"Ann": 0.0}, prior=-7.0)["alone"] == -7.0
    array = propagate_labels(graph, [0.0, np.nan, 3.0, np.nan])
    np.testing.assert_allclose(array, list(f.values()))


def test_self_loops_and_stored_zeros_do_not_matter():
    tails, heads = [0, 1, 1, 2, 1, 2, 3], [1, 0, 2, 1, 1, 3, 2]
    data = [1.0, 1.0, 1.0, 1.0, 5.0, 0.0, 0.0]
    plain = propagate_labels(
        sp.coo_array((data[:4], (tails[:4], heads[:4])), shape=(4, 4)), [0.0, np.nan, 2.0, np.nan]
    )
    looped = sp.coo_array((data, (tails, heads)), shape=(4, 4)).tocsr()
    found = solve_labels(looped, [0.0, np.nan, 2.0, np.nan])
    np.testing.assert_allclose(found.values, plain)
    assert found.unreached.tolist() == [False, False, False, True]


def test_asymmetric_graphs_are_averaged_with_a_warning():
    W = sp.csr_array(np.array([[0, 4.0, 0], [0, 0, 0], [0, 2.0, 0]]))
    with pytest.warns(UserWarning, match="not symmetric") as caught:
        f = propagate_labels(W, [0.0, np.nan, 3.0])
    assert caught[0].filename == __file__
    np.testing.assert_allclose(f, [0.0, 1.0, 3.0])
    assert W[1, 0] == 0.0


def test_graphs_of_all_kinds_and_nothing_changed():
    graph = CSRGraph.from_edges(3, [0, 1], [1, 2])
    labels = np.array([0.0, np.nan, 1.0])
    kept = labels.copy()
    for same in (graph, graph.to_scipy(), sp.coo_matrix(graph.to_scipy()), graph.to_networkx()):
        np.testing.assert_allclose(propagate_labels(same, labels), [0.0, 0.5, 1.0])
    np.testing.assert_array_equal(labels, kept)
    np.testing.assert_allclose(propagate_labels(graph, [0.0, 1.0, 2.0]), [0.0, 1.0, 2.0])


def test_bad_input_is_refused_by_name():
    path = nx.path_graph(3)
    W = nx.to_scipy_sparse_array(path, dtype=float)
    with pytest.raises(ValueError, match=r"at least 0, got -1.0 at \(0, 1\)"):
        propagate_labels(-W, [0.0, np.nan, 1.0])
    with pytest.raises(ValueError, match="got nan at"):
        propagate_labels(W * np.nan, [0.0, np.nan, 1.0])
    with pytest.raises(ValueError, match="must be square"):
        propagate_labels(W[:2], [0.0, 1.0])
    with pytest.raises(ValueError, match="at least one vertex's label"):
        propagate_labels(W, [np.nan] * 3)
    with pytest.raises(ValueError, match="inf at row 1"):
        propagate_labels(W, [0.0, np.inf, 1.0])
    with pytest.raises(ValueError, match="each of 3 vertices"):
        propagate_labels(W, [0.0, 1.0])
    with pytest.raises(ValueError, match="'x', which is none"):
        propagate_labels(path, {"x": 1.0})
    with pytest.raises(TypeError, match="networkx graph, got a dict"):
        propagate_labels(W, {0: 1.0})
    with pytest.raises(TypeError, match="got list"):
        propagate_labels([[0, 1], [1, 0]], [0.0, np.nan])
    with pytest.raises(ValueError, match="no vertices"):
        propagate_labels(nx.Graph(), {})
    with pytest.raises(ValueError, match="all columns of a row"):
        propagate_labels(W, [[0.0, np.nan], [1.0, 2.0], [1.0, 1.0]])
    with pytest.raises(ValueError, match="anchor must be above 0"):
        propagate_labels(W, [0.0, np.nan, 1.0], anchor=0.0)
    with pytest.raises(ValueError, match="solver must be one of 'auto'"):
        propagate_labels(W, [0.0, np.nan, 1.0], solver="magic")
    with pytest.raises(ValueError, match="max_iter"):
        propagate_labels(W, [0.0, np.nan, 1.0], max_iter=0)
    for argument, value in {"tol": "x", "verbose": 2, "anchor": "x", "prior": np.nan}.items():
        with pytest.raises((TypeError, ValueError), match=f"{argument} must be"):
            propagate_labels(W, [0.0, np.nan, 1.0], **{argument: value})
    for labels in (["a", "b", "c"], [1j, np.nan, 1.0], [0.0, "b", None]):
        with pytest.raises(TypeError, match="labels must be real numbers"):
            propagate_labels(W, labels)
    for label in (None, "x", [1.0, 0.0]):
        with pytest.raises(TypeError, match="labels must be numbers, got"):
            propagate_labels(path, {0: label})
    with pytest.raises(TypeError, match="graph must hold real numbers"):
        propagate_labels(W.astype(complex), [0.0, np.nan, 1.0])
    with pytest.raises(ValueError, match="graph must have numbers as weights"):
        propagate_labels(nx.Graph([(0, 1, {"weight": "heavy"})]), {0: 1.0})
    with pytest.raises(TypeError, match="q must hold real numbers"):
        solve_graph_system(W, ["a", "b", "c"])
    with pytest.raises(TypeError, match="Q must hold real numbers"):
        solve_graph_system(W * 1j, [1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="Q must not be empty"):
        solve_graph_system(sp.csr_array((0, 0)), [])
    for argument, value in {"tol": -1.0, "max_iter": 2.5, "solver": "magic"}.items():
        with pytest.raises(ValueError, match=f"{argument} must be"):
            solve_graph_system(W, np.ones(3), **{argument: value})
    with pytest.raises(TypeError, match="Q must be a scipy sparse"):
        solve_graph_system(np.eye(2), np.ones(2))
    with pytest.raises(ValueError, match="q must have 3 rows"):
        solve_graph_system(W, np.ones(2))


def test_extreme_weights_and_labels_neither_overflow_nor_vanish():
    W = nx.to_scipy_sparse_array(nx.path_graph(3), dtype=float)
    for scale in (1e-310, 1e307):
        np.testing.assert_allclose(propagate_labels(W * scale, [0.0, np.nan, 1.0])[1], 0.5)
        held = propagate_labels(W * scale, [0.0, np.nan, 1.0], anchor=scale)
        np.testing.assert_allclose(held, [0.25, 0.5, 0.75])
    far = propagate_labels(W, [1e308, np.nan, -1e308])
    np.testing.assert_allclose(far, [1e308, 0.0, -1e308], atol=1e290)


def test_masked_and_read_only_arrays_serve():
    W = nx.to_scipy_sparse_array(nx.path_graph(3), dtype=np.float32)
    labels = np.ma.array([0.0, 7.0, 1.0], mask=[False, True, False])
    for array in (W.data, W.indices, W.indptr):
        array.flags.writeable = False
    np.testing.assert_allclose(propagate_labels(W, labels), [0.0, 0.5, 1.0])
    np.testing.assert_allclose(propagate_labels(W, [0.0, None, 1.0]), [0.0, 0.5, 1.0])


def test_running_out_of_iterations_warns_and_returns(caplog):
    problem = dataset_d(20, 5)
    for solver in ("sweep", "multigrid"):
        with pytest.warns(ConvergenceWarning, match="max_iter was reached") as caught:
            solution = solve_graph_system(problem.Q, problem.q, solver=solver, max_iter=1)
        assert caught[0].filename == __file__
        assert solution.n_iter == 1 and not solution.success and np.isfinite(solution.x).all()
    with caplog.at_level(logging.INFO, "southwell"):
        solve_graph_system(problem.Q, problem.q, verbose=True)
    assert "iterations of sweep" in caplog.text
    with pytest.warns(ConvergenceWarning, match="positive definite"):
        solve_graph_system(sp.csr_array([[-1.0, 0.0], [0.0, 1.0]]), [1.0, 1.0])


@parametrize_with_checks([LabelPropagation(), LabelPropagation(graph="radius", anchor=2.0)])
def test_scikit_learn_checks(estimator, check):
    check(estimator)


def test_estimator_separates_two_moons_and_predicts_new_points():
    X, y = make_moons(400, noise=0.08, random_state=0)
    partial = np.full(400, -1)
    rng = np.random.default_rng(0)
    chosen = rng.choice(300, 15, replace=False)
    partial[chosen] = y[chosen]
    model = LabelPropagation().fit(X[:300], partial[:300])
    assert (model.transduction_ == y[:300]).mean() > 0.95
    assert (model.predict(X[300:]) == y[300:]).mean() > 0.95
    np.testing.assert_allclose(model.predict_proba(X[300:]).sum(axis=1), 1.0)
    far = model.predict_proba([[1e3, 1e3]])
    assert np.isfinite(far).all()
    own = LabelPropagation(graph="precomputed").fit(model._weighted_graph(X[:300]), partial[:300])
    np.testing.assert_allclose(own.label_distributions_, model.label_distributions_)


def test_estimator_accepts_graphs_and_tells_what_no_label_reaches():
    graph = nx.union(nx.path_graph(3), nx.relabel_nodes(nx.path_graph(2), {0: 10, 1: 11}))
    y = [0, -1, 2, -1, -1]
    model = LabelPropagation(graph="precomputed").fit(graph, y)
    assert model.unreached_.tolist() == [False] * 3 + [True] * 2
    np.testing.assert_allclose(model.label_distributions_[[1, 3, 4]], 0.5)
    assert set(model.transduction_) <= {0, 2}
    rejecting = LabelPropagation(graph="precomputed", unreached="reject").fit(graph, y)
    assert rejecting.transduction_[3:].tolist() == [-1, -1]
    weights = sp.csr_array(([1.0], ([0], [2])), shape=(2, 5))
    np.testing.assert_allclose(model.predict_proba(weights)[0], [0.0, 1.0])
    assert np.isfinite(model.predict_proba(weights)).all()
    with pytest.raises(ValueError, match="5 columns"):
        model.predict(np.ones((1, 2)))
    with pytest.raises(ValueError, match="at least one sample"):
        LabelPropagation().fit([[0.0], [1.0]], [-1, -1])
    with pytest.raises(ValueError, match="numeric classes"):
        LabelPropagation(unreached="reject").fit([[0.0], [1.0]], ["a", "b"])
    with pytest.raises(ValueError, match="graph must be one of"):
        LabelPropagation(graph="dense").fit([[0.0], [1.0]], [0, 1])
    with pytest.raises(ValueError, match="anchor must be above 0"):
        LabelPropagation(anchor=-1.0).fit([[0.0], [1.0]], [0, 1])


def test_strings_and_marked_objects_are_classes():
    X = [[0.0], [0.1], [5.0], [5.1]]
    y = np.array(["left", -1, "right", -1], dtype=object)
    model = LabelPropagation(n_neighbors=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted = model.fit(X, y)
    assert fitted.transduction_.tolist() == ["left", "left", "right", "right"]
    mixed = model.fit(X, ["left", -1, "right", -1])  # numpy makes "-1" of it
    assert mixed.transduction_.tolist() == ["left", "left", "right", "right"]
    with pytest.raises(ValueError, match="classes that can be sorted"):
        model.fit(X, np.array(["left", None, "right", -1], dtype=object))
    with pytest.raises(ValueError, match="distances overflow"):
        model.fit(np.array(X) * 1e200, [0, -1, 1, -1])


def test_classes_of_named_nodes_are_read_from_a_dict():
    graph = nx.Graph([("a", "b"), ("b", 3), (3, (4, 5))])
    model = LabelPropagation(graph="precomputed").fit(graph, {"a": "red", (4, 5): "blue"})
    assert dict(zip(graph, model.transduction_.tolist(), strict=True)) == {
        "a": "red", "b": "red", 3: "blue", (4, 5): "blue"
    }  # fmt: skip
    with pytest.raises(ValueError, match="got 'z', which is none"):
        model.fit(graph, {"z": 1})
    with pytest.raises(TypeError, match="networkx graph, got a dict"):
        model.fit(nx.to_scipy_sparse_array(graph), {"a": 1})


MULTIGRID = """
from bcd import solve_graph_system
from problems.datasets import dataset_d
problem = dataset_d(20, 20)
assert solve_graph_system(problem.Q, problem.q, solver="multigrid").solver == "multigrid"
"""


def test_multigrid_runs_from_the_cache_that_another_process_filled(tmp_path):
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", MULTIGRID],
            capture_output=True,
            text=True,
            env=os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)},
            check=False,
        )
        assert done.returncode == 0, done.stderr
