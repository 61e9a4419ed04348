"""Penalty factors of rows: scaled columns, projected columns, and gaps computed by plain numpy."""

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn.linear_model
from group_oracles import many_targets, span, stored

from bcd import MultiTaskElasticNet, MultiTaskLasso, enet_path
from bcd.design import make_design
from bcd.projected import ProjectedDesign


def factored_gap(X, Y, W, alpha, l1_ratio, factor):
    """Duality gap with an intercept; the dual point is the residual orthogonal to free columns."""
    n, p = X.shape
    weight, l2 = n * alpha * l1_ratio * factor, n * alpha * (1 - l1_ratio) * factor
    A = np.vstack([X - X.mean(axis=0), np.diag(np.sqrt(l2))])
    B = np.vstack([Y - Y.mean(axis=0), np.zeros((p, Y.shape[1]))])
    free, R = factor == 0, B - A @ W
    objective = 0.5 * (R**2).sum() + weight @ np.linalg.norm(W, axis=1)
    basis = span(A[:, free])
    dual = R - basis @ (basis.T @ R)
    norms = np.linalg.norm(A.T @ dual, axis=1)[~free]
    scale = (B * dual).sum() / max((dual**2).sum(), np.finfo(float).tiny)
    scale = min(scale, (weight[~free] / np.maximum(norms, np.finfo(float).tiny)).min())
    return (objective - 0.5 * (B**2).sum() + 0.5 * ((B - scale * dual) ** 2).sum()) / n


@pytest.mark.parametrize("seed", range(24))
def test_solution_is_certified(seed):
    rng = np.random.default_rng(seed)
    n, p, t, n_free = (int(rng.integers(*ends)) for ends in ((4, 40), (6, 50), (1, 5), (1, 5)))
    kind = ("C", "F", "csc", "csr")[seed % 4]
    X, Y = many_targets(n, p, t, seed, sparse=kind.startswith("cs"))
    factor = rng.uniform(0.2, 3.0, p)
    factor[:n_free] = 0.0
    if seed % 5 == 0:  # free columns depend on each other, and another column on them
        X[:, n_free - 1], X[:, -1] = 2.0 * X[:, 0], -X[:, 0]
    setting = ((0.5, 0.05, 0.003)[seed % 3], (1.0, 0.3)[seed // 4 % 2])
    model = MultiTaskElasticNet(setting[0], l1_ratio=setting[1], penalty_factor=factor, tol=1e-10)
    model.fit(stored(X, kind), Y)
    scale = ((Y - Y.mean(axis=0)) ** 2).sum() / n
    assert factored_gap(X, Y, model.coef_.T, *setting, factor) <= 1.1e-10 * scale
    assert 0.0 <= model.dual_gap_ <= 1e-10 * scale
    expected = (Y - X @ model.coef_.T).mean(axis=0)
    np.testing.assert_allclose(model.intercept_, expected, rtol=1e-8, atol=1e-8)


def test_factors_scale_columns():
    X, Y = many_targets(60, 25, 3, 0)
    factor = np.random.default_rng(1).uniform(0.3, 3.0, 25)
    ours = MultiTaskLasso(0.1, penalty_factor=factor, tol=1e-13).fit(X, Y)
    theirs = sklearn.linear_model.MultiTaskLasso(0.1, tol=1e-13, max_iter=10**6).fit(X / factor, Y)
    np.testing.assert_allclose(ours.coef_, theirs.coef_ / factor, rtol=1e-5, atol=1e-7)
    np.testing.assert_array_equal(ours.coef_ == 0, theirs.coef_ == 0)


@pytest.mark.parametrize("kind", ["C", "csc"])
@pytest.mark.parametrize(("mean", "tol"), [(0.0, 1e-12), (1e5, 1e-10)])  # rounding allows no less
def test_factors_of_zero_project_columns_out(kind, mean, tol):
    X, Y = many_targets(60, 25, 3, 2, sparse=kind == "csc")
    X += mean
    factor = np.ones(25)
    factor[[1, 4]] = 0.0
    centered = X - X.mean(axis=0)
    basis = span(centered[:, [1, 4]])
    left, target = (part - basis @ (basis.T @ part) for part in (centered, Y - Y.mean(axis=0)))
    theirs = sklearn.linear_model.MultiTaskLasso(
        0.1, fit_intercept=False, tol=1e-13, max_iter=10**6
    ).fit(left[:, factor > 0], target)
    ours = MultiTaskLasso(0.1, penalty_factor=factor, tol=tol)
    ours.fit(X if kind == "C" else sp.csc_array(X), Y)
    np.testing.assert_allclose(ours.coef_[:, factor > 0], theirs.coef_, atol=10.0 * tol**0.5)
    residual = Y - ours.predict(X)
    residual -= residual.mean(axis=0)  # less the rounding errors of large means
    assert np.abs(centered[:, [1, 4]].T @ residual).max() <= 1e-7 * np.abs(Y).sum()


def test_without_a_row_penalty_each_target_is_ridge_with_factors():
    X, Y = many_targets(30, 6, 2, 11)
    factor = np.array([0.0, 1.0, 2.0, 0.5, 3.0, 1.0])
    ours = MultiTaskElasticNet(0.1, l1_ratio=0.0, penalty_factor=factor, tol=1e-13).fit(X, Y)
    A = X - X.mean(axis=0)
    expected = np.linalg.solve(A.T @ A + 3.0 * np.diag(factor), A.T @ (Y - Y.mean(axis=0)))
    np.testing.assert_allclose(ours.coef_.T, expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("free", [[], [0, 3]])
def test_grid_starts_where_the_first_penalised_row_enters(free):
    X, Y = many_targets(40, 12, 3, 5)
    factor = np.linspace(0.5, 2.0, 12)
    factor[free] = 0.0
    alphas, coefs, gaps = enet_path(
        X, Y, l1_ratio=0.8, penalty_factor=factor, fit_intercept=True, alphas=5, tol=1e-10
    )
    penalised = factor > 0.0
    assert not coefs[:, penalised, 0].any()
    assert (gaps <= 1e-10 * ((Y - Y.mean(axis=0)) ** 2).sum() / 40).all()
    settings = {"l1_ratio": 0.8, "penalty_factor": factor, "tol": 1e-10}
    below = MultiTaskElasticNet(0.99 * alphas[0], **settings).fit(X, Y)
    assert below.coef_[:, penalised].any()
    point = MultiTaskElasticNet(alphas[3], **settings).fit(X, Y)
    np.testing.assert_allclose(coefs[:, :, 3], point.coef_, atol=1e-5)


def test_warm_start_and_callback_see_the_free_rows():
    X, Y = many_targets(50, 80, 2, 7)
    factor = np.ones(80)
    factor[:2] = 0.0
    seen = []
    model = MultiTaskLasso(
        0.05,
        penalty_factor=factor,
        tol=1e-10,
        warm_start=True,
        callback=lambda at: seen.append(at.x),
    ).fit(X, Y)
    np.testing.assert_array_equal(seen[-1].T, model.coef_)
    assert all(x[:2].all() for x in seen)
    assert model.fit(X, Y).n_iter_ <= 1


@pytest.mark.parametrize("kind", ["C", "F", "csc"])
def test_projected_columns_are_those_of_numpy(kind):
    X, _ = many_targets(30, 9, 1, 3, sparse=kind == "csc")
    X[:, 8] = X[:, 0] + 1e-6 * X[:, 7]  # almost explained
    base = {"C": X, "F": np.asfortranarray(X)}.get(kind)
    free = np.array([0, 5], dtype=np.int32)
    design = ProjectedDesign(
        make_design(sp.csc_array(X) if base is None else base, np.ones(30)), free
    )
    A = X - X.mean(axis=0)
    basis = span(A[:, free])
    A = A - basis @ (basis.T @ A)
    columns = np.array([1, 2, 8, 5], dtype=np.int32)
    atol = 1e-12
    np.testing.assert_allclose(design.gathered(columns), A[:, columns].T, atol=atol)
    np.testing.assert_allclose(
        design.gram(columns, columns), A[:, columns].T @ A[:, columns], atol=atol
    )
    np.testing.assert_allclose(design.squares, (A**2).sum(axis=0), rtol=1e-6, atol=atol)
    r, x = np.arange(-14.5, 15.0) ** 3, np.arange(4.0)
    np.testing.assert_allclose(design.correlate(r, columns), A[:, columns].T @ r, atol=1e-8)
    np.testing.assert_allclose(design.product(columns, x), A[:, columns] @ x, atol=atol)
    assert not design.squares[free].any()


def test_bad_factors_are_refused_by_name():
    X, Y = many_targets(10, 3, 2, 0)
    with pytest.raises(ValueError, match=r"penalty_factor.shape must be \(3,\), .* got \(2,\)"):
        MultiTaskLasso(penalty_factor=[1.0, 2.0]).fit(X, Y)
    with pytest.raises(ValueError, match=r"penalty_factor .* got -1.0 at feature 1"):
        MultiTaskLasso(penalty_factor=[1.0, -1.0, 0.0]).fit(X, Y)
    with pytest.raises(ValueError, match="alpha and penalty_factor must give penalties below"):
        MultiTaskLasso(penalty_factor=[1.0, 1e308, 0.0]).fit(X, Y)
