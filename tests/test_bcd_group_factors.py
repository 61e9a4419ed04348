"""Groups of weight zero and factors of the l1 part: scaled and projected columns, numpy's gaps."""

import numpy as np
import pytest
from group_oracles import feasible_multiple, free_features, free_some, grouped, span, stored

from bcd import GroupLasso, Lasso, SparseGroupLasso, group_path

SIZES = (2, 3, 1, 4, 2, 3, 5, 1, 3)


def problem(n, seed, sparse=False):
    X, groups, score, rng = grouped(n, seed, SIZES, sparse)
    return X, score + rng.standard_normal(n) + 2.0, groups


def factored_gap(A, b, w, groups, weight, l1):
    """Gap of ``1/2 ||b - A w||^2 + l1' |w| + sum_g weight_g ||w_g||``, free columns projected out.

    Returns the gap and how much the residual correlates with free columns.
    """
    free = free_features(groups, weight, l1)
    r = b - A @ w
    basis = span(A[:, free])
    dual = r - basis @ (basis.T @ r)
    c = A.T @ dual
    c[free] = 0.0
    norms = np.array([np.linalg.norm(w[group]) for group in groups])
    objective = 0.5 * r @ r + l1 @ np.abs(w) + weight @ norms

    best = max((dual @ b) / max(dual @ dual, np.finfo(float).tiny), 0.0)
    low = feasible_multiple(c, groups, weight, l1, best)
    gap = objective - 0.5 * b @ b + 0.5 * ((b - low * dual) ** 2).sum()
    return gap, np.abs(A[:, free].T @ r).max(initial=0.0)


@pytest.mark.parametrize("seed", range(24))
def test_solution_is_certified(seed):
    rng = np.random.default_rng(seed)
    n, kind = int(rng.integers(12, 60)), ("C", "F", "csc", "csr")[seed % 4]
    X, y, groups = problem(n, seed, sparse=kind.startswith("cs"))
    factor, weights = free_some(rng, X, groups, dependent=seed % 5 == 0)
    alpha, l1_ratio = (0.5, 0.05, 0.003)[seed % 3], (0.5, 0.0, 1.0)[seed // 3 % 3]
    penalty = {"l1_ratio": l1_ratio, "weights": weights, "penalty_factor": factor}
    model = SparseGroupLasso(alpha, groups=groups, tol=1e-10, **penalty).fit(stored(X, kind), y)
    A, b = X - X.mean(axis=0), y - y.mean()
    own = n * alpha * (1 - l1_ratio) * weights, n * alpha * l1_ratio * factor
    gap, pull = factored_gap(A, b, model.coef_, groups, *own)
    assert gap <= 1.1e-10 * b @ b
    assert pull <= 1e-9 * np.abs(A).max() * np.abs(b).sum()
    assert 0.0 <= model.dual_gap_ <= 1e-10 * (b @ b) / n


def test_groups_of_one_and_the_l1_end_are_the_lasso_with_factors():
    X, y, _ = problem(40, 1)
    factor = np.random.default_rng(0).uniform(0.3, 3.0, X.shape[1])
    factor[[3, 7]] = 0.0
    lasso = Lasso(0.1, penalty_factor=factor, tol=1e-12).fit(X, y)
    for model in (
        GroupLasso(0.1, weights=factor, tol=1e-12),
        SparseGroupLasso(0.1, l1_ratio=1.0, penalty_factor=factor, groups=4, tol=1e-12),
    ):
        np.testing.assert_allclose(model.fit(X, y).coef_, lasso.coef_, atol=1e-6)
        assert model.intercept_ == pytest.approx(lasso.intercept_, rel=1e-6)


def test_a_common_factor_of_a_group_scales_its_columns():
    X, y, groups = problem(50, 2)
    weights, factor = np.linspace(0.5, 2.0, len(groups)), np.empty(X.shape[1])
    for group, weight in zip(groups, weights, strict=True):
        factor[group] = weight
    settings = {"alpha": 0.1, "groups": groups, "tol": 1e-12}
    ours = SparseGroupLasso(weights=weights, penalty_factor=factor, **settings).fit(X, y)
    scaled = SparseGroupLasso(weights=np.ones(len(groups)), **settings).fit(X / factor, y)
    np.testing.assert_allclose(ours.coef_, scaled.coef_ / factor, atol=1e-6)


@pytest.mark.parametrize("n", [60, 12])
def test_groups_of_weight_zero_are_projected_out(n):
    X, y, groups = problem(n, 4)
    weights = np.ones(len(groups))
    weights[[1, 4]] = 0.0
    ours = GroupLasso(0.2, groups=groups, weights=weights, tol=1e-12).fit(X, y)
    free = np.concatenate([groups[1], groups[4]])
    A, b = X - X.mean(axis=0), y - y.mean()
    basis = span(A[:, free])
    left, target = A - basis @ (basis.T @ A), b - basis @ (basis.T @ b)
    penalised = np.setdiff1d(np.arange(X.shape[1]), free)
    place = np.empty(X.shape[1], dtype=int)
    place[penalised] = np.arange(len(penalised))
    rest = [place[group].tolist() for group in np.delete(np.array(groups, dtype=object), [1, 4])]
    model = GroupLasso(0.2, groups=rest, weights=[1.0] * 7, fit_intercept=False, tol=1e-12)
    expected = model.fit(left[:, penalised], target).coef_
    np.testing.assert_allclose(ours.coef_[penalised], expected, atol=1e-5)
    explained = np.linalg.lstsq(A[:, free], b - A[:, penalised] @ expected)[0]
    np.testing.assert_allclose(ours.coef_[free], explained, atol=1e-4)


@pytest.mark.parametrize("l1_ratio", [0.0, 0.6])
def test_path_starts_where_the_first_penalised_group_enters(l1_ratio):
    X, y, groups = problem(40, 5)
    weights, factor = np.linspace(0.5, 2.0, len(groups)), np.linspace(0.5, 2.0, X.shape[1])
    weights[2] = weights[6] = 0.0
    factor[groups[6]] = factor[groups[2]] = 0.0
    penalty = {"groups": groups, "weights": weights, "penalty_factor": factor, "l1_ratio": l1_ratio}
    alphas, coefs, gaps = group_path(X, y, n_alphas=5, eps=0.01, tol=1e-10, **penalty)
    free = np.concatenate([groups[2], groups[6]])
    penalised = np.setdiff1d(np.arange(X.shape[1]), free)
    assert not coefs[penalised, 0].any()
    assert coefs[free].all()
    for k, alpha in enumerate(alphas):
        own = 40 * alpha * (1 - l1_ratio) * weights, 40 * alpha * l1_ratio * factor
        gap, _ = factored_gap(X, y, coefs[:, k], groups, *own)
        assert max(gap, 40 * gaps[k]) <= 1.1e-10 * y @ y
    below = SparseGroupLasso(0.99 * alphas[0], fit_intercept=False, tol=1e-10, **penalty).fit(X, y)
    assert below.coef_[penalised].any()


def test_warm_start_and_callback_see_the_free_groups():
    X, y, groups = problem(40, 6)
    weights, seen = np.ones(len(groups)), []
    weights[0] = 0.0
    model = GroupLasso(
        0.1,
        groups=groups,
        weights=weights,
        tol=1e-10,
        warm_start=True,
        callback=lambda at: seen.append(at.x),
    ).fit(X, y)
    np.testing.assert_array_equal(seen[-1], model.coef_)
    assert all(x[groups[0]].all() for x in seen)
    assert model.fit(X, y).n_iter_ <= 1
