"""Odd input to the estimators and the solvers on graphs: right, or refused by name."""

import networkx as nx
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.exceptions import ConvergenceWarning

from bcd import (
    SVC,
    ElasticNetCV,
    GraphSmoother,
    GroupLasso,
    GroupLogisticRegression,
    HuberRegressor,
    LabelPropagation,
    Lasso,
    LassoCV,
    LinearSVC,
    LogisticRegression,
    LogisticRegressionCV,
    MultiTaskLasso,
    PoissonRegressor,
    group_path,
    lasso_path,
    logistic_path,
    minimize,
    propagate_labels,
    solve_graph_system,
)
from problems import LeastSquares

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 6))
Y = X[:, 0] - X[:, 1] + 0.3 * RNG.normal(size=60)
LABEL = (Y > 0.0).astype(int)
CHAIN = sp.csr_array(nx.to_scipy_sparse_array(nx.path_graph(3), dtype=float))


@pytest.mark.parametrize("offset", [1e4, 1e6, 1e8])
@pytest.mark.parametrize(
    ("model", "y"),
    [
        (Lasso(alpha=0.1, tol=1e-10), Y),
        (GroupLasso(alpha=0.1, groups=2, tol=1e-8), Y),
        pytest.param(
            MultiTaskLasso(alpha=0.1, tol=1e-6),
            np.column_stack([Y, -Y]),
            marks=pytest.mark.filterwarnings("ignore:not converged"),  # of its certificate's digits
        ),
    ],
)
def test_features_far_from_zero_have_the_coefficients_of_centred_ones(model, y, offset):
    near = model.fit(X, y).coef_.copy()
    far = model.fit(X + offset, y)
    np.testing.assert_allclose(far.coef_, near, atol=1e-14 * offset + 1e-9)


@pytest.mark.parametrize("layout", [np.ascontiguousarray, np.asfortranarray])
@pytest.mark.parametrize("model", [Lasso(alpha=0.05), GroupLasso(alpha=0.05, groups=4)])
def test_a_working_set_of_features_far_from_zero_is_solved(model, layout):
    model.set_params(tol=1e-8)
    wide = RNG.normal(size=(80, 1000))
    y = wide[:, :10].sum(axis=1)
    near = model.fit(layout(wide), y).coef_.copy()
    far = model.fit(layout(wide + 1e6), y)
    np.testing.assert_allclose(far.coef_, near, atol=1e-6)


@pytest.mark.parametrize("wrap", [np.asarray, sp.csc_array])
@pytest.mark.parametrize(
    "fit",
    [
        Lasso().fit,
        LassoCV(cv=3).fit,
        GroupLasso(groups=2).fit,
        lambda X, y: MultiTaskLasso().fit(X, np.column_stack([y, y])),
        HuberRegressor().fit,
        lambda X, y: PoissonRegressor().fit(X, abs(y)),
        lambda X, y: LogisticRegression().fit(X, LABEL),
        lambda X, y: LogisticRegression().fit(X, np.arange(60) % 3),
        lambda X, y: LogisticRegressionCV(cv=3).fit(X, LABEL),
        lambda X, y: GroupLogisticRegression(groups=2).fit(X, LABEL),
        lambda X, y: LinearSVC().fit(X, LABEL),
        lasso_path,
        lambda X, y: logistic_path(X, LABEL),
        lambda X, y: group_path(X, y, groups=2),
    ],
)
def test_squares_that_overflow_are_refused(fit, wrap):
    with pytest.raises(ValueError, match=r"squares .*do not overflow.*scale"):
        fit(wrap(1e200 * X), Y)


@pytest.mark.parametrize(
    "fit", [LassoCV(cv=3).fit, GroupLasso(groups=2).fit, HuberRegressor().fit, lasso_path]
)
def test_targets_whose_squares_overflow_are_refused(fit):
    with pytest.raises(ValueError, match="do not overflow"):
        fit(X, 1e200 * Y)


def test_a_support_vector_machine_that_rounding_stops_says_so():
    with pytest.warns(ConvergenceWarning, match="duality gap"):
        model = LinearSVC(tol=0.0).fit(X + 1e8, LABEL)
    assert np.isfinite(model.coef_).all()


@pytest.mark.parametrize("weight", [-1.0, 0, np.nan])
@pytest.mark.parametrize("model", [Lasso(), LassoCV(), GroupLasso(groups=2), GraphSmoother()])
def test_one_weight_for_all_samples_must_be_above_zero(model, weight):
    with pytest.raises(ValueError, match="sample_weight"):
        model.fit(X, Y, sample_weight=weight)


@pytest.mark.parametrize(
    ("model", "error", "message"),
    [
        (Lasso(penalty_factor="high"), TypeError, "penalty_factor must be real numbers"),
        (Lasso(penalty_factor=[1j] * 6), TypeError, "penalty_factor must be real .*complex128"),
        (Lasso(selection=np.ones(2)), ValueError, r"selection must be one of .*array\(\[1., 1"),
        (GroupLasso(groups=2, weights="high"), TypeError, "weights must be real numbers"),
        (ElasticNetCV(l1_ratio="half"), TypeError, "l1_ratio must be a real number, got .*half"),
        (ElasticNetCV(l1_ratio=None), TypeError, "l1_ratio must be a real number, got None"),
        (LassoCV(alphas=0.5), ValueError, "alphas must be a sequence of numbers, got 0.5"),
    ],
)
def test_malformed_settings_are_named(model, error, message):
    with pytest.raises(error, match=message):
        model.fit(X, Y)


@pytest.mark.parametrize("model", [Lasso(), LinearSVC(), SVC(), LogisticRegression()])
def test_what_is_not_finite_is_found(model):
    hole, y = X.copy(), LABEL.astype(float)
    hole[3, 2] = np.nan
    with pytest.raises(ValueError, match="X must be finite, got nan in row 3, column 2"):
        model.fit(hole, y)
    y[5] = np.inf
    with pytest.raises(ValueError, match="y must be finite, got inf at sample 5"):
        model.fit(X, y)


def test_malformed_settings_of_classifiers_are_named():
    with pytest.raises(ValueError, match="max_iter must be an integer of at least 1"):
        SVC(max_iter=np.ones(2)).fit(X, LABEL)
    with pytest.raises(ValueError, match="graph must be one of knn, precomputed, radius, got"):
        LabelPropagation(graph=CHAIN).fit(CHAIN, [0, 1, -1])


@pytest.mark.parametrize("dtype", ["category", "string", object])
def test_unlabelled_strings_are_known_whatever_holds_them(dtype):
    y = pd.Series(["a", "-1", "-1", "b", "-1", "-1"], dtype=dtype)
    found = LabelPropagation(n_neighbors=1).fit(np.array([[0, 1, 2, 7, 8, 9.0]]).T, y)
    assert found.classes_.tolist() == ["a", "b"]
    assert found.transduction_.tolist() == ["a"] * 3 + ["b"] * 3


@pytest.mark.parametrize("label", [np.nan, np.inf])
def test_classes_of_nodes_are_finite(label):
    with pytest.raises(ValueError, match=f"y must hold classes, got {label}"):
        LabelPropagation(graph="precomputed").fit(nx.path_graph(3), {0: label, 1: 1.0})


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: propagate_labels(CHAIN, [0, np.nan, 1], prior=np.nan),
            ValueError,
            "prior must be finite, got nan",
        ),
        (
            lambda: propagate_labels(sp.coo_array(np.zeros((2, 2, 2))), [0, 1]),
            ValueError,
            r"graph must be square, got shape \(2, 2, 2\)",
        ),
        (
            lambda: solve_graph_system(CHAIN, [[1], [1, 2], 1]),
            TypeError,
            "q must hold real numbers, got lists of differing lengths",
        ),
        (
            lambda: minimize(LeastSquares(X, Y), sp.csr_array((1, 6))),
            TypeError,
            "x0 must be a dense array, got csr_array",
        ),
        (
            lambda: GraphSmoother(sp.csr_array(sp.triu(CHAIN))).smooth([0, 1, 2]),
            ValueError,
            r"graph must have symmetric entries, got 1.0 at \(0, 1\)",
        ),
        (
            lambda: GraphSmoother(sp.csr_array(CHAIN + sp.eye_array(3))).smooth([0, 1, 2]),
            ValueError,
            r"graph must have an empty diagonal, got 1.0 at \(0, 0\)",
        ),
        (lambda: GraphSmoother().smooth(["a", "b"]), TypeError, "y must be real numbers"),
        (lambda: GraphSmoother().smooth([[1], [1, 2]]), TypeError, "y must be real numbers"),
        (lambda: GraphSmoother().smooth([object()]), TypeError, "y must be real numbers"),
        (lambda: GraphSmoother().smooth(None), ValueError, r"y must have shape \(n_samples,\)"),
        (
            lambda: GraphSmoother().smooth(np.ma.masked_greater([0.0, 50.0], 9.0)),
            ValueError,
            "y must not be masked.*sample_weight of 0",
        ),
    ],
)
def test_malformed_arguments_on_graphs_are_named(call, error, message):
    with pytest.raises(error, match=message):
        call()
