"""Multinomial models with bounds against scipy's minimiser of the same problem."""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.optimize import minimize
from scipy.special import logsumexp

from bcd import LogisticRegression, LogisticRegressionCV, logistic_path


def problem(seed, n=80, p=6, n_classes=4):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) * np.exp(0.5 * rng.normal(size=p))
    z = X @ rng.normal(size=(p, n_classes)) + 1.5 * rng.normal(size=(n, n_classes))
    y = z.argmax(axis=1)
    y[:n_classes] = np.arange(n_classes)
    return X, y, rng


def objective(W, c, X, y, C, l1_ratio):
    z = X @ W.T + c
    losses = (logsumexp(z, axis=1) - z[np.arange(len(y)), y]).sum()
    return C * losses + l1_ratio * np.abs(W).sum() + 0.5 * (1.0 - l1_ratio) * (W**2).sum()


def minimum(X, y, C, l1_ratio, lower, upper, intercept):
    """The least objective, by L-BFGS-B over positive and negative parts (0 is within bounds)."""
    (n, p), k = X.shape, y.max() + 1

    def value_and_slope(t):
        up, down, c = t[: k * p].reshape(k, p), t[k * p : 2 * k * p].reshape(k, p), t[2 * k * p :]
        W = up - down
        z = X @ W.T + (c if intercept else 0.0)
        total = logsumexp(z, axis=1)
        P = np.exp(z - total[:, None])
        P[np.arange(n), y] -= 1.0
        G = C * P.T @ X + (1.0 - l1_ratio) * W
        value = C * (total - z[np.arange(n), y]).sum() + l1_ratio * (up + down).sum()
        slopes = [(G + l1_ratio).ravel(), (l1_ratio - G).ravel()]
        slopes += [C * P.sum(axis=0)] if intercept else []
        return value + 0.5 * (1.0 - l1_ratio) * (W**2).sum(), np.concatenate(slopes)

    box = [(0.0, one) for _ in range(k) for one in upper]
    box += [(0.0, -one) for _ in range(k) for one in lower] + [(None, None)] * (k * intercept)
    options = {"maxiter": 20_000, "maxfun": 40_000, "ftol": 1e-15, "gtol": 1e-10}
    start = np.zeros(len(box))
    return minimize(value_and_slope, start, jac=True, bounds=box, options=options).fun


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("l1_ratio", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("wrap", [np.asarray, sp.csc_array])
def test_many_classes_reach_the_bounded_minimum(seed, l1_ratio, wrap):
    X, y, rng = problem(seed)
    lower = np.array([0.0, -np.inf, -0.1, -0.3, -1.0, 0.0])
    upper = np.array([np.inf, 0.2, 0.1, np.inf, 0.0, 0.5])
    C, intercept = 10.0 ** rng.uniform(-1, 1), bool(seed % 2)
    settings = {"C": C, "l1_ratio": l1_ratio, "fit_intercept": intercept, "tol": 1e-10}
    model = LogisticRegression(bounds=(lower, upper), **settings).fit(wrap(X), y)
    found = objective(model.coef_, model.intercept_, X, y, C, l1_ratio)
    best = minimum(X, y, C, l1_ratio, lower, upper, intercept)
    assert (model.coef_ >= lower).all() and (model.coef_ <= upper).all()
    assert found <= best * (1.0 + 1e-8)
    assert found - best <= C * model.dual_gap_ + 1e-8 * best


@pytest.mark.parametrize("l1_ratio", [0.0, 1.0])
@pytest.mark.parametrize("wrap", [np.asarray, sp.csc_array])
def test_many_coordinates_are_swept_between_bounds(l1_ratio, wrap):
    X, y, _ = problem(0, n=120, p=300, n_classes=5)
    bounds = np.full(300, -0.01), np.full(300, 0.02)
    model = LogisticRegression(C=1.0, l1_ratio=l1_ratio, tol=1e-7, bounds=bounds).fit(wrap(X), y)
    assert model.coef_.min() == -0.01 and model.coef_.max() == 0.02
    best = minimum(X, y, 1.0, l1_ratio, *bounds, True)
    assert objective(model.coef_, model.intercept_, X, y, 1.0, l1_ratio) <= best * (1.0 + 1e-6)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_one_bound_of_an_unpenalised_feature_is_met_by_a_shift(sign):
    X, y, _ = problem(1)
    factor = np.array([0.0, 1.0, 1.0, 1.0, 1.0, 1.0])
    settings = {"l1_ratio": 1.0, "tol": 1e-10, "penalty_factor": factor}
    bounds = (np.where(factor == 0.0, 0.3, -np.inf), np.inf)
    if sign < 0.0:
        bounds = (-np.inf, -bounds[0])
    model = LogisticRegression(bounds=bounds, **settings).fit(X, y)
    free = LogisticRegression(**settings).fit(X, y)
    assert (sign * model.coef_[:, 0]).min() == pytest.approx(0.3)
    np.testing.assert_allclose(model.predict_proba(X), free.predict_proba(X), atol=1e-5)


def test_bounds_that_exclude_zero_and_bounds_that_fix_are_kept():
    X, y, _ = problem(2)
    lower, upper = np.full(6, -np.inf), np.full(6, np.inf)
    lower[0], upper[1], lower[2], upper[2] = 0.5, -0.2, 0.3, 0.3
    model = LogisticRegression(l1_ratio=1.0, tol=1e-10, bounds=(lower, upper)).fit(X, y)
    assert (model.coef_[:, 0] >= 0.5).all() and (model.coef_[:, 1] <= -0.2).all()
    assert (model.coef_[:, 2] == 0.3).all()
    assert model.dual_gap_ <= 1e-8


def test_paths_and_cross_validation_keep_bounds():
    X, y, _ = problem(3)
    path = logistic_path(X, y, Cs=[0.1, 1.0], bounds=(0.0, 0.4))
    assert path.coefs.min() >= 0.0 and path.coefs.max() <= 0.4
    model = LogisticRegressionCV(Cs=[0.1, 1.0], cv=3, bounds=(0.0, 0.4)).fit(X, y)
    assert model.coef_.min() >= 0.0 and model.coef_.max() == 0.4
