"""Sweeps on tall dense data: right whatever the columns are, without a Gram matrix if apart."""

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from bcd import ElasticNet
from bcd.active_set import GramProblem
from bcd.apart import may_be_apart
from bcd.design import make_design


def tall(rho: float, n_samples: int = 3000, n_features: int = 80):
    """Columns of a chain whose neighbours correlate by rho; a third of them matter."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n_samples, n_features))
    for j in range(1, n_features):
        X[:, j] = rho * X[:, j - 1] + np.sqrt(1.0 - rho**2) * X[:, j]
    w = rng.standard_normal(n_features) * (np.arange(n_features) % 3 == 0)
    return np.asfortranarray(X), X @ w + rng.standard_normal(n_samples) + 3.0


def violation(X, y, model) -> float:
    """Length of the minimum-norm subgradient, in units of the penalty, in plain numpy."""
    left = y - X @ model.coef_ - model.intercept_
    ridge = model.alpha * (1.0 - model.l1_ratio)
    pull = X.T @ left / len(y) - ridge * model.coef_
    if model.fit_intercept:
        assert abs(left.mean()) < 1e-9
    l1, at_zero = model.alpha * model.l1_ratio, model.coef_ == 0.0
    low = np.full_like(pull, -np.inf) if model.positive else np.full_like(pull, -l1)
    outside = np.maximum(np.maximum(pull - l1, low - pull), 0.0)
    return float(np.where(at_zero, outside, np.abs(pull - l1 * np.sign(model.coef_))).max()) / l1


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.99])
@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("l1_ratio", [1.0, 0.7])
@pytest.mark.parametrize("fraction", [3, 100])
def test_tall_solutions_satisfy_the_optimality_conditions(rho, positive, l1_ratio, fraction):
    X, y = tall(rho)
    alpha = np.abs(X.T @ (y - y.mean())).max() / len(y) / l1_ratio / fraction
    for fit_intercept in (False, True):
        settings = {"positive": positive, "fit_intercept": fit_intercept, "tol": 1e-12}
        model = ElasticNet(alpha, l1_ratio=l1_ratio, **settings).fit(X, y)
        assert violation(X, y, model) < 1e-4


def test_columns_that_are_apart_need_no_gram_matrix(monkeypatch):
    def refuse(*_):
        raise AssertionError("a Gram matrix was made")

    X, y = tall(0.0)
    monkeypatch.setattr(GramProblem, "grow", refuse)
    ElasticNet(0.01, l1_ratio=1.0, tol=1e-8).fit(X, y)


def test_columns_that_are_not_apart_are_handed_to_the_gram_matrix(monkeypatch):
    made, grow = [], GramProblem.grow

    def note(*arguments):
        made.append(1)
        grow(*arguments)

    X, y = tall(0.99)
    monkeypatch.setattr(GramProblem, "grow", note)
    ElasticNet(0.001, l1_ratio=1.0, tol=1e-8).fit(X, y)
    assert made


def test_only_tall_dense_columns_may_be_apart():
    X = np.zeros((1000, 70))
    assert may_be_apart(make_design(np.asfortranarray(X), np.empty(0)))
    assert not may_be_apart(make_design(X, np.empty(0)))
    assert not may_be_apart(make_design(np.asfortranarray(X[:600]), np.empty(0)))
    assert not may_be_apart(make_design(np.asfortranarray(X[:, :60]), np.empty(0)))
    assert not may_be_apart(make_design(np.asfortranarray(X), np.empty(0), np.ones(1000)))


def test_a_tolerance_of_zero_ends_in_rounding_errors():
    X, y = tall(0.0)
    with pytest.warns(ConvergenceWarning):
        model = ElasticNet(0.01, l1_ratio=1.0, tol=0.0).fit(X, y)
    assert violation(X, y, model) < 1e-9
