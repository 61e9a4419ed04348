"""Logistic groups of weight zero and factors of the l1 part, against gaps computed by numpy."""

import numpy as np
import pytest
from group_oracles import feasible_multiple, free_features, free_some, grouped, stored

from bcd import GroupLogisticRegression, LogisticRegression

SIZES = (2, 3, 1, 4, 2, 3)


def problem(n, seed, sparse=False):
    X, groups, score, rng = grouped(n, seed, SIZES, sparse)
    score += 3.0 * rng.logistic(size=n)
    return X, (score > np.median(score)).astype(int), groups


def factored_gap(X, y, w, intercept, groups, weight, l1, with_intercept):
    """Duality gap; the dual point is made orthogonal to free columns in Newton's metric."""
    sign = 2.0 * y - 1.0
    margin = sign * (X @ w + intercept)
    norms = np.array([np.linalg.norm(w[group]) for group in groups])
    objective = np.logaddexp(0.0, -margin).sum() + l1 @ np.abs(w) + weight @ norms
    share = 1.0 / (1.0 + np.exp(margin))
    free = free_features(groups, weight, l1)
    F = np.column_stack([X[:, free], np.ones(len(y))]) if with_intercept else X[:, free]
    h, dual = share * (1.0 - share), sign * share
    if F.shape[1]:
        half = np.sqrt(h)[:, None] * F
        dual = dual - np.sqrt(h) * (half @ (np.linalg.pinv(half.T @ half) @ (F.T @ dual)))
    pull = X.T @ dual
    assert np.abs(F.T @ dual).max(initial=0.0) <= 1e-8 * np.abs(X).sum()
    pull[free] = 0.0

    low = feasible_multiple(pull, groups, weight, l1, 1.0)
    u = low * sign * dual
    assert (u >= -1e-12).all() and (u <= 1.0 + 1e-12).all()
    u = np.clip(u, 0.0, 1.0)
    rest = 1.0 - u
    entropy = u * np.log(np.where(u > 0, u, 1)) + rest * np.log(np.where(rest > 0, rest, 1))
    return objective + entropy.sum()


@pytest.mark.parametrize("seed", range(24))
def test_solution_is_certified(seed):
    rng = np.random.default_rng(seed)
    n, kind = int(rng.integers(50, 90)), ("C", "F", "csc", "csr")[seed % 4]
    X, y, groups = problem(n, seed, sparse=kind.startswith("cs"))
    factor, weights = free_some(rng, X, groups, dependent=seed % 5 == 0)
    C, l1_ratio = (0.03, 0.3, 3.0)[seed % 3], (0.5, 0.0, 1.0)[seed // 3 % 3]
    intercept = seed % 7 != 3
    penalty = {"l1_ratio": l1_ratio, "weights": weights, "penalty_factor": factor}
    model = GroupLogisticRegression(
        C, groups=groups, fit_intercept=intercept, tol=1e-9, **penalty
    ).fit(stored(X, kind), y)
    own = (1 - l1_ratio) / C * weights, l1_ratio / C * factor
    gap = factored_gap(X, y, model.coef_[0], model.intercept_[0], groups, *own, intercept)
    unit = n * np.log(2.0)
    assert gap <= 2e-9 * unit
    assert 0.0 <= model.dual_gap_ <= 1e-9 * unit


def test_groups_of_one_and_the_l1_end_are_l1_logistic_regression_with_factors():
    X, y, _ = problem(80, 1)
    factor = np.random.default_rng(0).uniform(0.3, 3.0, X.shape[1])
    factor[[3, 7]] = 0.0
    plain = LogisticRegression(C=0.1, l1_ratio=1.0, penalty_factor=factor, tol=1e-11).fit(X, y)
    for model in (
        GroupLogisticRegression(0.1, weights=factor, tol=1e-11),
        GroupLogisticRegression(0.1, l1_ratio=1.0, penalty_factor=factor, groups=3, tol=1e-11),
    ):
        np.testing.assert_allclose(model.fit(X, y).coef_, plain.coef_, atol=1e-5)
        np.testing.assert_allclose(model.intercept_, plain.intercept_, atol=1e-5)


def test_under_the_strongest_penalty_free_groups_are_plain_logistic_regression():
    X, y, groups = problem(80, 2)
    weights = np.ones(len(groups))
    weights[[1, 4]] = 0.0
    free = np.concatenate([groups[1], groups[4]])
    model = GroupLogisticRegression(1e-6, groups=groups, weights=weights, tol=1e-11).fit(X, y)
    alone = LogisticRegression(C=np.inf, tol=1e-11).fit(X[:, free], y)
    np.testing.assert_allclose(model.coef_[:, free], alone.coef_, atol=1e-5)
    assert not np.delete(model.coef_[0], free).any()


def test_bad_factors_are_refused_by_name():
    X, y, groups = problem(30, 3)
    n_features = X.shape[1]
    for settings, message in (
        ({"weights": [0.0] * 6}, "weights must have an entry above zero"),
        ({"penalty_factor": [1.0]}, r"penalty_factor.shape must be \(15,\)"),
        ({"penalty_factor": [-1.0] * n_features}, "not negative, got -1.0 at feature 0"),
        (
            {"weights": [0.0, 1, 1, 1, 1, 1], "positive": True},
            "where positive=True, got feature .* without a penalty",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            GroupLogisticRegression(groups=groups, **settings).fit(X, y)


@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e16])
@pytest.mark.parametrize("offset", [1e6, 1e9])
def test_free_groups_are_solved_however_far_columns_lie_from_zero(offset, scale):
    X, y, groups = problem(80, 3)
    X = np.round(X * 2.0**10) / 2.0**10  # such that the offset costs no digits
    weights = np.ones(len(groups))
    weights[[0, 2]] = 0.0
    settings = {"groups": groups, "weights": weights, "tol": 1e-7}
    near = GroupLogisticRegression(C=0.1, **settings).fit(X, y)
    far = GroupLogisticRegression(C=0.1 / scale, **settings).fit((X + offset) * scale, y)
    assert far.dual_gap_ <= 1e-7 * 80 * np.log(2.0)
    np.testing.assert_allclose(far.coef_ * scale, near.coef_, atol=1e-3)
