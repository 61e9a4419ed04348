"""Bounds and signs of logistic, Poisson and Huber regression: optimality conditions in numpy."""

import numpy as np
import pytest
import scipy.optimize
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from bcd import HuberRegressor, LogisticRegression, PoissonRegressor


def problem(seed, n, p, sparse=False):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) * np.exp(0.5 * rng.standard_normal(p)) + 0.2
    if sparse:
        X *= rng.random((n, p)) < 0.4
    lower = rng.choice([-np.inf, -0.3, 0.0, 0.1], p)
    upper = np.maximum(lower, -9.0) + rng.choice([np.inf, 0.0, 0.2, 1.0], p)
    upper = np.where(np.isneginf(lower), rng.choice([np.inf, 0.0, 0.4, -0.2], p), upper)
    score = X @ rng.standard_normal(p) / np.sqrt(p)
    return X, score, lower, upper, rng


def targets(kind, score, rng):
    if kind == "logistic":
        y = (score + rng.logistic(size=len(score)) > 0).astype(float)
        y[:2] = 0, 1
        return y
    if kind == "poisson":
        return rng.poisson(np.exp(np.clip(score, -3, 2))) + (np.arange(len(score)) == 0)
    return score + rng.standard_t(2, len(score))


def fit(kind, X, y, l1, l2, bounds, intercept):
    """Fit ``sum loss + l1 ||w||_1 + l2 / 2 ||w||^2``."""
    total, settings_ = l1 + l2, {"bounds": bounds, "fit_intercept": intercept, "max_iter": 1000}
    ratio = l1 / total if total else 0.0
    if kind == "logistic":
        C = 1.0 / total if total else np.inf
        return LogisticRegression(C=C, l1_ratio=ratio, tol=1e-12, **settings_).fit(X, y)
    if kind == "poisson":
        alpha = total / len(y)
        return PoissonRegressor(alpha=alpha, l1_ratio=ratio, tol=1e-12, **settings_).fit(X, y)
    # its objective is that of half squares times 2 / scale, and alpha ||w||^2 has no half
    alpha, ratio = 2.0 * l1 + l2, 2.0 * l1 / (2.0 * l1 + l2) if total else 0.0
    model = HuberRegressor(epsilon=1.5, alpha=alpha, l1_ratio=ratio, scale=1.0, **settings_)
    return model.set_params(tol=1e-8).fit(X, y)


def slopes(kind, z, y):
    if kind == "logistic":
        return 1.0 / (1.0 + np.exp(-z)) - y
    if kind == "poisson":
        return np.exp(z) - y
    return np.clip(z - y, -1.5, 1.5)


@settings(max_examples=60)
@given(
    st.sampled_from(["logistic", "poisson", "huber"]),
    st.integers(0, 10_000),
    st.integers(10, 40),
    st.integers(1, 15),
    st.sampled_from([(1.0, 0.0), (0.5, 0.5), (0.0, 1.0), (5.0, 0.0)]),
    st.booleans(),
    st.sampled_from(["dense", "sparse"]),
)
def test_optimality_conditions_hold_within_bounds(kind, seed, n, p, penalty, intercept, form):
    X, score, lower, upper, rng = problem(seed, n, p, form == "sparse")
    y = targets(kind, score, rng)
    l1, l2 = penalty
    given_X = sp.csc_array(X) if form == "sparse" else X
    model = fit(kind, given_X, y, l1, l2, (lower, upper), intercept)
    w = np.ravel(model.coef_)
    slope = slopes(kind, X @ w + model.intercept_, y)
    assert (lower <= w).all() and (w <= upper).all()
    g = X.T @ slope + l2 * w
    down, up = g - l1 * np.where(w <= 0, 1, -1), g + l1 * np.where(w >= 0, 1, -1)
    # derivatives downwards and upwards: neither may lead down unless a bound is in the way
    size = np.linalg.norm(X, axis=0) * np.linalg.norm(slope) + 1e-9
    assert (np.where(w > lower, np.maximum(down, 0.0), 0.0) <= 1e-4 * size).all()
    assert (np.where(w < upper, np.maximum(-up, 0.0), 0.0) <= 1e-4 * size).all()
    if intercept:
        assert abs(slope.sum()) <= 1e-5 * np.abs(slope).sum() + 1e-9


@pytest.mark.parametrize("seed", range(5))
def test_signs_agree_with_l_bfgs_b(seed):
    X, score, _, _, rng = problem(seed, 60, 8)
    y = targets("logistic", score, rng)
    sign = 2.0 * y - 1.0

    def objective(w):
        margin = sign * (X @ w)
        value = np.logaddexp(0.0, -margin).sum() + 0.25 * w @ w + 0.5 * np.abs(w).sum()
        slope = -sign / (1.0 + np.exp(margin))
        return value, X.T @ slope + 0.5 * w + 0.5  # w >= 0, so that |w| is w

    found = scipy.optimize.minimize(
        objective, np.zeros(8), jac=True, bounds=[(0, None)] * 8, tol=1e-14
    )
    model = fit("logistic", X, y, 0.5, 0.5, (0.0, np.inf), False)
    value, _ = objective(model.coef_[0])
    assert (model.coef_ >= 0).all()
    assert abs(value - found.fun) <= 1e-8 * value
    np.testing.assert_allclose(model.coef_[0], found.x, atol=1e-4)


def test_without_a_penalty_signs_are_certified():
    X, score, _, _, rng = problem(4, 80, 6)
    y = targets("logistic", score, rng)
    model = fit("logistic", X, y, 0.0, 0.0, (0.0, np.inf), True)
    assert model.dual_gap_ <= 1e-12 * 80
    pull = X.T @ (y - model.predict_proba(X)[:, 1])
    assert (np.abs(pull[model.coef_[0] > 0]) <= 1e-4).all()
    assert (pull[model.coef_[0] == 0] <= 1e-4).all()
    assert (model.coef_ == 0).any()


def test_bad_bounds_are_refused_by_name():
    X, y = np.arange(8.0)[:, None], np.resize([0, 1], 8)
    for model in (LogisticRegression, PoissonRegressor, HuberRegressor):
        with pytest.raises(ValueError, match=r"bounds must not cross, got lower 1.0 and upper 0.0"):
            model(bounds=(1.0, 0.0)).fit(X, y)
        with pytest.raises(ValueError, match=r"bounds must be a pair \(lower, upper\), got 3"):
            model(bounds=3).fit(X, y)
