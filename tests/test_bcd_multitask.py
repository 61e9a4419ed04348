"""MultiTaskLasso and MultiTaskElasticNet against scikit-learn and plain-numpy gaps."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn.linear_model
from group_oracles import many_targets, stored
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from bcd import MultiTaskElasticNet, MultiTaskLasso
from bcd.multitask_columns import TaskColumnsProblem
from bcd.multitask_gram import MultiTaskGramProblem
from experiments.certificates import multitask_gap


@settings(max_examples=30)
@given(
    st.integers(3, 30),
    st.integers(1, 40),
    st.integers(1, 5),
    st.integers(0, 10_000),
    st.sampled_from([0.9, 0.3, 0.05, 0.003]),
    st.sampled_from([1.0, 0.5]),
    st.booleans(),
    st.sampled_from(["C", "F", "csc", "csr"]),
)
def test_solution_is_certified(n, p, t, seed, ratio, l1_ratio, intercept, kind):
    X, Y = many_targets(n, p, t, seed, sparse=kind.startswith("cs"))
    target = Y - Y.mean(axis=0) if intercept else Y
    A = X - X.mean(axis=0) if intercept else X
    alpha = max(ratio * np.linalg.norm(A.T @ target, axis=1).max() / n, 1e-3)
    model = MultiTaskElasticNet(alpha, l1_ratio=l1_ratio, fit_intercept=intercept, tol=1e-11)
    model.fit(stored(X, kind), Y)
    objective, gap = multitask_gap(X, Y, model.coef_.T, alpha, l1_ratio, intercept)
    scale = (target**2).sum() / n
    assert gap <= 1.01e-11 * scale + 1e-14 * objective
    assert 0 <= model.dual_gap_ <= 1e-11 * scale
    if intercept:
        expected = (Y - X @ model.coef_.T).mean(axis=0)
        np.testing.assert_allclose(model.intercept_, expected, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("fraction", [5, 100, 1000])
@pytest.mark.parametrize("l1_ratio", [1.0, 0.7])
def test_agrees_with_scikit_learn_at_tight_tolerance(fraction, l1_ratio):
    X, Y = many_targets(60, 25, 4, 3)
    alpha = np.linalg.norm((X - X.mean(axis=0)).T @ (Y - Y.mean(axis=0)), axis=1).max() / 60
    parameters = {"alpha": alpha / fraction, "l1_ratio": l1_ratio, "tol": 1e-13}
    ours = MultiTaskElasticNet(**parameters).fit(X, Y)
    theirs = sklearn.linear_model.MultiTaskElasticNet(max_iter=10**6, **parameters).fit(X, Y)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-5, atol=1e-7)
    np.testing.assert_array_equal(ours.coef_ == 0, theirs.coef_ == 0)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, rtol=1e-6)


def test_newton_system_is_solved_by_its_two_halves():
    rng = np.random.default_rng(0)
    A, unit = rng.standard_normal((9, 6)), rng.standard_normal((6, 3))
    unit /= np.linalg.norm(unit, axis=1)[:, None]
    problem_ = MultiTaskGramProblem(1.0, 3)
    Q, W = rng.standard_normal((6, 3)), np.zeros((6, 3))
    problem_.grow(np.empty((0, 6)), A.T @ A, Q, W, np.full(6, 0.5))
    diagonal, along = rng.uniform(1, 2, 6), rng.uniform(0.1, 0.9, 6)
    rhs = rng.standard_normal((6, 3))
    full = np.kron(A.T @ A + np.diag(diagonal), np.eye(3))
    for j in range(6):
        rows = slice(3 * j, 3 * j + 3)
        full[rows, rows] -= along[j] * np.outer(unit[j], unit[j])
    found = problem_._newton_solve(np.arange(6), diagonal, along, unit, rhs)
    np.testing.assert_allclose(found.ravel(), np.linalg.solve(full, rhs.ravel()), rtol=1e-9)


@pytest.mark.parametrize("seed", range(31))
def test_awkward_columns_are_right(seed):
    X, Y = many_targets(30, 6, 3, seed)
    X = np.column_stack([X, X[:, 0], -X[:, 1], np.zeros(30), np.full(30, 3.0), X[:, 2] * 1e-6])
    X = np.column_stack([X, X[:, 3] * 1e8, X[:, :2].sum(axis=1)])
    scale = ((Y - Y.mean(axis=0)) ** 2).sum() / 30
    for alpha in (0.3, 1e-3):
        model = MultiTaskLasso(alpha=alpha, tol=1e-10).fit(X, Y)
        assert multitask_gap(X, Y, model.coef_.T, alpha, 1.0, True)[1] <= 2e-10 * scale
        assert not model.coef_[:, [8, 9]].any()


@pytest.mark.parametrize("seed", range(20))
def test_scales_and_dependent_columns_do_not_matter(seed):
    rng = np.random.default_rng(seed)
    n, p, t = rng.integers(5, 40), rng.integers(2, 30), rng.integers(1, 5)
    X = rng.standard_normal((n, p)) @ rng.standard_normal((p, p)) * 10.0 ** rng.integers(-8, 9, p)
    X = np.hstack([X, -1e3 * X[:, :2], X @ rng.standard_normal((p, 2)), np.zeros((n, 1))])
    Y = rng.standard_normal((n, t)) + X[:, :1] / np.abs(X[:, 0]).max()
    target, l1_ratio = Y - Y.mean(axis=0), (1.0, 0.7)[seed % 2]
    correlation = np.linalg.norm((X - X.mean(axis=0)).T @ target, axis=1).max() / n
    alpha = correlation * 10.0 ** -rng.uniform(0.1, 4)
    model = MultiTaskElasticNet(alpha, l1_ratio=l1_ratio, tol=1e-10).fit(X, Y)
    _, gap = multitask_gap(X, Y, model.coef_.T, alpha, l1_ratio, True)
    assert gap <= 2e-10 * (target**2).sum() / n


@pytest.mark.parametrize("kind", ["dense", "sparse"])
def test_sample_weight_counts_as_repeats(kind):
    X, Y = many_targets(20, 8, 3, 5, sparse=kind == "sparse")
    weights = np.random.default_rng(0).integers(0, 4, size=20)
    repeated = np.repeat(np.arange(20), weights)
    wrap = sp.csc_array if kind == "sparse" else np.asarray
    weighted = MultiTaskLasso(0.05, tol=1e-13).fit(wrap(X), Y, sample_weight=weights)
    plain = MultiTaskLasso(0.05, tol=1e-13).fit(X[repeated], Y[repeated])
    np.testing.assert_allclose(weighted.coef_, plain.coef_, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(weighted.intercept_, plain.intercept_)


def test_data_forms_warm_start_and_pickling(tmp_path):
    X, Y = many_targets(40, 60, 3, 2, sparse=True)
    model = MultiTaskLasso(0.1, tol=1e-12)
    expected = clone(model).fit(X, Y).coef_
    np.save(tmp_path / "X.npy", X)
    wide = sp.csc_array(X)
    wide.indices, wide.indptr = wide.indices.astype(np.int64), wide.indptr.astype(np.int64)
    for given_X in (np.load(tmp_path / "X.npy", mmap_mode="r"), wide, sp.csr_matrix(X)):
        np.testing.assert_allclose(clone(model).fit(given_X, Y).coef_, expected, atol=1e-8)
    single = MultiTaskLasso(0.1, tol=1e-6).fit(X.astype(np.float32), Y)
    assert single.coef_.dtype == np.float32 and single.predict(X.astype("f4")).dtype == np.float32
    np.testing.assert_allclose(single.coef_, expected, atol=1e-3)
    warm = MultiTaskLasso(0.1, tol=1e-10, warm_start=True).fit(X, Y)
    cold = warm.n_iter_
    assert warm.fit(X, Y).n_iter_ < cold
    again = pickle.loads(pickle.dumps(warm))
    np.testing.assert_array_equal(again.predict(X), warm.predict(X))
    np.testing.assert_array_equal(warm.sparse_coef_.toarray(), warm.coef_)


def test_alpha_zero_is_least_squares_and_l1_ratio_zero_is_ridge():
    X, Y = many_targets(30, 6, 2, 11)
    ordinary = MultiTaskLasso(0.0, tol=1e-12).fit(X, Y)
    expected = sklearn.linear_model.LinearRegression().fit(X, Y).predict(X)
    np.testing.assert_allclose(ordinary.predict(X), expected, rtol=1e-6)
    ridge = MultiTaskElasticNet(0.1, l1_ratio=0.0, tol=1e-13).fit(X, Y)
    theirs = sklearn.linear_model.Ridge(0.1 * 30).fit(X, Y)
    np.testing.assert_allclose(ridge.coef_, theirs.coef_, rtol=1e-5, atol=1e-8)


def test_bad_input_is_refused_by_name():
    X, Y = many_targets(10, 3, 2, 0)
    with pytest.raises(ValueError, match=r"use Lasso: y must be of shape .* got \(10,\)"):
        MultiTaskLasso().fit(X, Y[:, 0])
    with pytest.raises(ValueError, match="alpha must be at least 0, got -1"):
        MultiTaskLasso(alpha=-1).fit(X, Y)
    with pytest.raises(ValueError, match="l1_ratio must be at least 0 and at most 1, got 2"):
        MultiTaskElasticNet(l1_ratio=2).fit(X, Y)
    with pytest.raises(ValueError, match=r"selection must be one of .*gs-q.*, got 'greedy'"):
        MultiTaskLasso(selection="greedy").fit(X, Y)
    with pytest.raises(ValueError, match="nan in row 1, column 1"):
        MultiTaskLasso().fit(np.where(X == X[1, 1], np.nan, X), Y)
    with pytest.warns(ConvergenceWarning, match=r"duality gap .*, tolerance .*max_iter"):
        MultiTaskLasso(alpha=1e-3, tol=1e-12, max_iter=1).fit(*many_targets(50, 200, 2, 1))


@pytest.mark.parametrize("n", [400, 30])
def test_newton_step_of_the_dual_solves_its_system(n):
    rng = np.random.default_rng(n)
    part = rng.standard_normal((50, n))
    small = TaskColumnsProblem(rng.standard_normal((n, 3)))
    small.grow(part, rng.standard_normal((50, 3)), rng.random(50))
    sigma, pull = 0.2 + rng.random(50), rng.standard_normal((50, 3))
    x, norms, _ = small._proximal_point(small.x, pull, sigma)
    support = np.flatnonzero(x.any(axis=1))
    slope = rng.standard_normal((3, n))
    step = small._solve_dual(support, part[support], x, norms, sigma, slope)

    def point(residual):
        moved = small.x + sigma[:, None] * (pull + part @ residual.T)
        length = np.linalg.norm(moved, axis=1, keepdims=True)
        return (np.maximum(0.0, 1.0 - (sigma * small.weight)[:, None] / length) * moved).T @ part

    product = step + (point(1e-6 * step) - point(-1e-6 * step)) / 2e-6
    np.testing.assert_allclose(product, slope, atol=0.05 * np.abs(slope).max())


def test_support_may_exceed_the_samples(monkeypatch):
    monkeypatch.setattr("bcd.multitask.FEW_COLUMNS", 0)  # so small a problem has them too
    rng = np.random.default_rng(0)
    X, Y = rng.standard_normal((20, 900)), rng.standard_normal((20, 25))
    alpha = np.linalg.norm(X.T @ Y, axis=1).max() / 20 / 300
    model = MultiTaskLasso(alpha, fit_intercept=False, tol=1e-10).fit(X, Y)
    assert multitask_gap(X, Y, model.coef_.T, alpha)[1] <= 1.1e-10 * (Y**2).sum() / 20
    assert np.count_nonzero(model.coef_.any(axis=0)) > 40


@pytest.mark.parametrize("mean", [1e4, 1e6])
def test_features_far_from_zero_are_certified(mean):
    rng = np.random.default_rng(0)
    X, Y = rng.standard_normal((60, 200)), rng.standard_normal((60, 4))
    alpha = np.linalg.norm((X - X.mean(axis=0)).T @ (Y - Y.mean(axis=0)), axis=1).max() / 60 / 20
    model = MultiTaskLasso(alpha, tol=1e-8).fit(X + mean, Y)
    centered = X + mean - (X + mean).mean(axis=0)
    gap = multitask_gap(centered, Y - Y.mean(axis=0), model.coef_.T, alpha)[1]
    assert gap <= 1.1e-8 * (Y**2).sum() / 60
