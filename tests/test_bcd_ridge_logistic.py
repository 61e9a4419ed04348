"""l2 logistic regression on wide data: kernels against plain numpy, answers against the gap."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn.linear_model
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.special import expit
from sklearn.exceptions import ConvergenceWarning

import bcd.ridge_logistic_sweeps as by_sweeps
from bcd import LogisticRegression
from bcd._logistic_dual_kernels import (
    compress_samples,
    logistic_epoch,
    logistic_epochs_of_products,
)
from bcd.glm_scores import Scores
from bcd.result import Status
from bcd.ridge_logistic import solve_ridge_logistic
from bcd.ridge_logistic_samples import products_pay, solve_by_products
from bcd.ridge_logistic_sweeps import rows_of, solve_by_sweeps, sweeps_pay
from experiments.certificates import logistic_gap
from problems.losses import LOGISTIC


def problem(n, p, seed, density=1.0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) * (rng.random((n, p)) < density)
    X[:, -1] = 0.0
    X[-1] = X[0]
    y = np.where(rng.random(n) < 0.5, 1.0, -1.0)
    y[:2] = 1.0, -1.0
    return X, y


def started(y, weight, intercept=False):
    scores = Scores(LOGISTIC, 0.0, y, weight, intercept)
    return scores, scores.start()


def plain_gap(X, y, weight, w, c, C):
    """Objective times C at w, less its value at the dual point that the slopes are."""
    slope = -weight * y * expit(-y * (X @ w + c))
    return 0.5 * C * np.sum((w / C + X.T @ slope) ** 2), slope


# seed, scale of the features, C at scale one, and two choices
PROBLEMS = (
    st.integers(0, 10_000),
    st.sampled_from([1e-4, 1.0, 1e4]),
    st.sampled_from([1e-2, 1.0, 1e2]),
    st.booleans(),
    st.booleans(),
)


@pytest.mark.kernel
@settings(max_examples=25)
@given(st.integers(2, 12), st.integers(1, 12), st.integers(0, 1000), st.floats(0.0, 1.0))
def test_compress_samples_agrees_with_scipy(n, p, seed, density):
    X = sp.csc_array(problem(n, p, seed, density)[0])
    expected = X.tocsr()
    ptr, index, value = np.empty(n + 1, int), np.empty(X.nnz, np.int32), np.empty(X.nnz)
    compress_samples(X.indptr, X.indices, X.data, ptr, index, value)
    np.testing.assert_array_equal(ptr, expected.indptr)
    np.testing.assert_array_equal(index, expected.indices)
    np.testing.assert_array_equal(value, expected.data)


@pytest.mark.kernel
@settings(max_examples=40)
@given(
    st.integers(3, 12),
    st.integers(2, 12),
    st.integers(0, 1000),
    st.sampled_from([1e-3, 1.0, 1e3, 1e6]),
    st.booleans(),
)
def test_an_update_solves_for_its_dual_variable(n, p, seed, C, sparse):
    X, y = problem(n, p, seed, 0.5)
    rows = rows_of(sp.csc_array(X) if sparse else X)
    squares, cost = (X**2).sum(axis=1), np.full(n, C)
    theta, alpha, w = np.full(n, np.inf), np.zeros(n), np.zeros(p + 1)
    missed, state = np.zeros(n), np.array([seed + 1], dtype=np.uint64)
    for _ in range(3):
        for i in range(n):
            margin = y[i] * (X[i] @ w[:-1])
            before, away = alpha[i], margin - theta[i]

            def off(s, i=i, margin=margin, before=before):
                return s - margin - squares[i] * (C * expit(-s) - before)

            low = min(margin - squares[i] * C, margin) - 1.0
            high = max(margin + squares[i] * C, margin) + 1.0
            exact = brentq(off, low, high, xtol=1e-12)
            order = np.array([i], dtype=np.int32)
            logistic_epoch(
                *rows, y, squares, 0.0, cost, order, theta, alpha, w, missed, state
            )  # fmt: skip
            close = 0.05 * abs(away) if np.isfinite(away) else 0.005
            assert abs(theta[i] - exact) <= close + 3e-12 * (1.0 + squares[i] * C)
            np.testing.assert_allclose(alpha[i], C * expit(-theta[i]), rtol=1e-12)
        np.testing.assert_allclose(w[:-1], X.T @ (alpha * y), atol=1e-9 * C)


@pytest.mark.kernel
@settings(max_examples=20)
@given(st.integers(3, 12), st.integers(2, 30), st.integers(0, 1000), st.sampled_from([0.1, 10.0]))
def test_sweeps_reach_the_minimum_with_rows_or_their_products(n, p, seed, C):
    X, y = problem(n, p, seed, 0.7)
    cost = np.full(n, C)
    cost[2] = 0.0
    K = X @ X.T
    theta, alpha, z = np.full(n, np.inf), np.zeros(n), np.zeros(n)
    logistic_epochs_of_products(K, y, cost, theta, alpha, z, 3000)
    np.testing.assert_allclose(z, K @ (alpha * y), atol=1e-8 * C * (1.0 + K.max()))
    asked = cost * expit(-y * z)
    np.testing.assert_allclose(alpha, asked, atol=1e-6 * C)
    w, again, values = np.zeros(p + 1), np.zeros(n), np.full(n, np.inf)
    order, missed = np.flatnonzero(cost).astype(np.int32), np.zeros(n)
    state = np.array([7], dtype=np.uint64)
    arrays = order, values, again, w, missed, state
    for _ in range(3000):
        logistic_epoch(*rows_of(X), y, K.diagonal().copy(), 0.0, cost, *arrays)
    np.testing.assert_allclose(again, alpha, atol=1e-6 * C)


@settings(max_examples=40)
@given(
    st.integers(3, 30),
    st.integers(30, 80),
    *PROBLEMS,
)
def test_few_samples_are_solved_by_products(n, p, seed, scale, C, intercept, far):
    X, y = problem(n, p, seed)
    X = scale * (X + (3.0 if far else 0.0))
    C /= scale**2
    weight = np.random.default_rng(seed).integers(0, 3, n).astype(float)
    weight[:2] = 1.0
    scores, at_zero = started(y, weight, intercept)
    assert products_pay(X)
    result = solve_by_products(X, scores, 1.0 / C, tol=1e-9 * at_zero)
    assert result.status is Status.CONVERGED
    gap, slope = plain_gap(X, y, weight, result.x, result.extra["intercept"], C)
    assert gap <= 1.1e-9 * at_zero
    if intercept:
        assert abs(slope.sum()) <= 1e-6 * np.abs(slope).sum()


@settings(max_examples=40)
@given(
    st.integers(3, 40),
    st.integers(2, 80),
    *PROBLEMS,
)
def test_sweeps_are_certified(n, p, seed, scale, C, sparse, intercept):
    X, y = problem(n, p, seed, 0.3)
    X, easy = scale * X, C <= 1.0
    C /= scale**2
    weight = np.random.default_rng(seed).integers(0, 3, n).astype(float)
    weight[:2] = 1.0
    scores, at_zero = started(y, weight, intercept)
    given_X = sp.csc_array(X) if sparse else X
    result = solve_by_sweeps(given_X, scores, 1.0 / C, tol=1e-4 * at_zero, max_iter=1000)
    gap, slope = plain_gap(X, y, weight, result.x, result.extra["intercept"], C)
    if intercept:
        assert abs(slope.sum()) <= 1e-9 * np.abs(slope).sum()
    if result.gap < at_zero:
        assert gap == pytest.approx(result.gap, rel=1e-6, abs=1e-12 * at_zero)
    else:  # certified by dual variables of zero
        assert not result.x.any()
    assert result.status is Status.CONVERGED or (result.status is Status.STALLED and not easy)


@pytest.mark.parametrize("kind", [np.asarray, np.asfortranarray, sp.csc_array, sp.csr_array])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("intercept", [False, True])
def test_estimator_agrees_with_scikit_learn(kind, dtype, intercept):
    X, y = problem(60, 1100, 3, 0.1)
    X = X.astype(dtype)
    weight = np.arange(60) % 3 + 0.0
    named = {"C": 3.0, "fit_intercept": intercept}
    ours = LogisticRegression(tol=1e-9, **named).fit(kind(X), y, sample_weight=weight)
    theirs = sklearn.linear_model.LogisticRegression(tol=1e-10, max_iter=10_000, **named)
    theirs.fit(X.astype(float), y, sample_weight=weight)
    atol = 1e-4 if dtype == np.float64 else 1e-3
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=atol)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, atol=atol)


@pytest.mark.parametrize("shape", [(30, 400), (700, 1500)])
@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("intercept", [False, True])
def test_warm_start_from_the_answer_stays_there(shape, sparse, intercept):
    X, y = problem(*shape, 5, 0.05)
    given_X = sp.csc_array(X) if sparse else X
    named = {"tol": 1e-8, "fit_intercept": intercept, "warm_start": True}
    model = LogisticRegression(**named).fit(given_X, y)
    first = model.coef_.copy()
    model.fit(given_X, y)
    assert model.n_iter_ <= 5
    np.testing.assert_allclose(model.coef_, first, atol=1e-4)
    label = (y > 0).astype(int)
    gap = logistic_gap(X, label, model.coef_, model.intercept_, 1.0, 0.0)[1]
    assert gap <= 1.01e-8 * len(y) * np.log(2.0)


def test_what_sweeps_cannot_finish_newton_does(monkeypatch):
    rng = np.random.default_rng(0)
    X = np.ones((40, 1)) + 1e-3 * rng.standard_normal((40, 1200)) * (rng.random((40, 1200)) < 0.1)
    y = np.where(np.arange(40) % 2, 1.0, -1.0)
    given_X = sp.csc_array(X)
    assert sweeps_pay(given_X)
    monkeypatch.setattr(by_sweeps, "MOST_SWEEPS", 2.0)
    scores, at_zero = started(y, np.ones(40))
    named = {"tol": 1e-8 * at_zero, "max_iter": 100}
    left = solve_ridge_logistic(given_X, scores, np.zeros(1200), np.full(1200, 1e-2), **named)
    assert left.status is Status.STALLED
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        model = LogisticRegression(C=100.0, tol=1e-8, fit_intercept=False).fit(given_X, y)
    gap, _ = plain_gap(X, y, np.ones(40), model.coef_[0], 0.0, 100.0)
    assert gap <= 1.01e-8 * at_zero


def test_what_is_not_one_ridge_is_left_to_others():
    X, y = problem(20, 50, 0)
    scores, at_zero = started(y, np.ones(20))
    named = {"tol": 1e-3 * at_zero, "max_iter": 10}
    ridge = np.ones(50)
    assert solve_ridge_logistic(X, scores, np.ones(50), ridge, **named) is None
    assert solve_ridge_logistic(X, scores, np.zeros(50), np.zeros(50), **named) is None
    assert solve_ridge_logistic(X, scores, np.zeros(50), np.arange(50.0) + 1, **named) is None
    assert solve_ridge_logistic(X, scores, np.zeros(50), ridge, **named).status.solved
    huge = 1e160 * X
    assert solve_by_products(huge, scores, 1.0, tol=1e-3) is None
    assert solve_by_sweeps(huge, scores, 1.0, tol=1e-3, max_iter=10) is None


def test_callback_can_stop_a_run():
    X, y = problem(700, 1500, 5, 0.05)
    seen = []

    def stop(progress):
        seen.append(progress.gap)
        return len(seen) == 2

    named = {"fit_intercept": False, "tol": 1e-12, "callback": stop}
    with pytest.warns(ConvergenceWarning, match="callback"):
        model = LogisticRegression(**named).fit(sp.csc_array(X), y)
    assert len(seen) == 2 and seen[1] < seen[0]
    assert model.n_iter_ == 2 and model.dual_gap_ == seen[1]


def test_sweeps_count_as_iterations():
    X, y = problem(700, 1500, 5, 0.05)
    named = {"fit_intercept": False, "tol": 1e-12}
    for n in (1, 3):
        with pytest.warns(ConvergenceWarning, match="max_iter"):
            model = LogisticRegression(max_iter=n, **named).fit(sp.csc_array(X), y)
        assert model.n_iter_ == n


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("intercept", [False, True])
def test_many_classes_of_few_samples_agree_with_scikit_learn(dtype, intercept):
    X = (problem(30, 90, 3)[0] + 2.0).astype(dtype)
    y = np.arange(30) % 3
    weight = 1.0 + np.arange(30) % 2
    named = {"C": 0.3, "fit_intercept": intercept}
    ours = LogisticRegression(tol=1e-9, warm_start=True, **named).fit(X, y, sample_weight=weight)
    ours.fit(X, y, sample_weight=weight)
    theirs = sklearn.linear_model.LogisticRegression(tol=1e-10, max_iter=10_000, **named)
    theirs.fit(X.astype(float), y, sample_weight=weight)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-4)
    np.testing.assert_allclose(ours.decision_function(X), theirs.decision_function(X), atol=1e-3)
