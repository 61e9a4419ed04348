"""Small dense problems solved at once: the same answers as by working sets, and certified."""

import numpy as np
import pytest

import bcd.whole
from bcd import ElasticNet, NonNegativeLeastSquares, lasso_path
from bcd.design import make_design
from bcd.whole import whole_problem
from experiments.certificates import lasso_gap


def small_data(seed: int, n: int, p: int):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) * 10.0 ** rng.integers(-2, 3, p)
    X[:, p // 2] = X[:, 0]
    return X + 1.0, X[:, 0] / abs(X[:, 0]).max() + 0.1 * rng.standard_normal(n)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("l1_ratio, positive", [(1.0, False), (0.3, False), (1.0, True)])
@pytest.mark.parametrize("n, p", [(100, 12), (20, 50)])
def test_small_problems_are_certified_and_agree_with_working_sets(
    monkeypatch, order, intercept, l1_ratio, positive, n, p
):
    X, y = small_data(n + p, n, p)
    X = np.asarray(X, order=order)
    centered, target = X - X.mean(axis=0) * intercept, y - y.mean() * intercept
    alpha = np.max(centered.T @ target) / n / l1_ratio / 50
    settings = {"l1_ratio": l1_ratio, "positive": positive, "fit_intercept": intercept}
    model = ElasticNet(alpha, tol=1e-10, **settings).fit(X, y)
    assert model.n_iter_ == 1
    gap = lasso_gap(centered, target, model.coef_, alpha, l1_ratio, positive=positive)[1]
    assert gap <= 1.001e-10 * target @ target / n
    assert gap == pytest.approx(model.dual_gap_, abs=1e-12 * target @ target / n)
    monkeypatch.setattr(bcd.whole, "SMALL", 0)
    other = ElasticNet(alpha, tol=1e-10, **settings).fit(X, y)
    np.testing.assert_allclose(model.predict(X), other.predict(X), atol=1e-5)


def test_a_path_goes_on_from_the_last_solution():
    X, y = small_data(0, 80, 20)
    alphas, coefs, gaps = lasso_path(X, y, tol=1e-9, fit_intercept=False)
    enough = 1e-9 * y @ y / len(y)
    assert (gaps <= enough).all()
    for alpha, coef in zip(alphas[::10], coefs.T[::10], strict=True):
        assert lasso_gap(X, y, coef, alpha)[1] <= 1.001 * enough


def test_a_solution_within_the_tolerance_stays():
    X, y = small_data(1, 60, 10)
    model = ElasticNet(0.01, tol=1e-6, warm_start=True).fit(X, y)
    before = model.coef_.copy()
    model.fit(X, y)
    assert model.n_iter_ == 0
    np.testing.assert_array_equal(model.coef_, before)


def test_nonnegative_least_squares_of_few_features_is_solved_at_once():
    X, y = small_data(2, 60, 10)
    model = NonNegativeLeastSquares(fit_intercept=False, tol=1e-9).fit(X, y)
    pull = X.T @ (y - X @ model.coef_)
    scale = np.linalg.norm(X, axis=0) * np.linalg.norm(y)
    assert (pull <= 1e-9 * scale).all() and (abs(pull * (model.coef_ > 0)) <= 1e-9 * scale).all()


def test_constant_columns_and_many_features_are_left_to_working_sets():
    X, y = small_data(3, 40, 10)
    X[:, 2] = 5.0
    ones = np.ones(40)
    assert whole_problem(make_design(X, ones), y) is None
    assert whole_problem(make_design(X, np.empty(0)), y) is not None
    assert whole_problem(make_design(np.ones((3, 65)), np.empty(0)), y[:3]) is None
