"""Paths, cross-validation, penalty factors, bounds and nonnegative least squares."""

import logging

import numpy as np
import pytest
import scipy.optimize
import scipy.sparse as sp
import sklearn
import sklearn.linear_model
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GroupKFold, KFold

from bcd import (
    ElasticNet,
    ElasticNetCV,
    Lasso,
    LassoCV,
    MultiTaskElasticNet,
    NonNegativeLeastSquares,
    enet_path,
    lambda_max,
    lasso_path,
)
from bcd.progress import ProgressBar
from experiments.certificates import lasso_gap


@pytest.mark.parametrize("sparse", [False, True])
def test_nonnegative_weights_count_as_repeats_where_the_solution_is_unique(sparse):
    X, y = problem(40, 6, 3, sparse)
    weights = np.random.default_rng(0).integers(0, 4, size=40)
    repeated = np.repeat(np.arange(40), weights)
    wrap = sp.csc_array if sparse else np.asfortranarray
    model = NonNegativeLeastSquares(tol=1e-13)
    weighted = clone(model).fit(wrap(X), y, sample_weight=weights)
    whole = clone(model).fit(wrap(X[repeated]), y[repeated])
    assert whole.coef_.any()
    np.testing.assert_allclose(weighted.coef_, whole.coef_, rtol=1e-9, atol=1e-10)
    assert weighted.intercept_ == pytest.approx(whole.intercept_, abs=1e-9)


def problem(n, p, seed, sparse=False):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) * np.exp(0.5 * rng.standard_normal(p)) + 0.3
    if sparse:
        X *= rng.random((n, p)) < 0.3
    return X, X[:, :4].sum(axis=1) + rng.standard_normal(n) + 2.0


WRAP = {"F": np.asfortranarray, "C": np.ascontiguousarray, "csc": sp.csc_array}


@pytest.mark.parametrize("kind", WRAP)
@pytest.mark.parametrize("l1_ratio", [1.0, 0.4])
def test_path_agrees_with_single_fits_and_scikit_learn(kind, l1_ratio):
    X, y = problem(40, 90, 0, sparse=kind == "csc")
    X, y = X - X.mean(axis=0), y - y.mean()
    settings = {"l1_ratio": l1_ratio, "eps": 0.02, "alphas": 12, "tol": 1e-11}
    alphas, coefs, gaps, n_iters = enet_path(WRAP[kind](X), y, return_n_iter=True, **settings)
    their_alphas, theirs, _ = sklearn.linear_model.enet_path(X, y, max_iter=10**6, **settings)
    np.testing.assert_allclose(alphas, their_alphas)
    np.testing.assert_allclose(coefs, theirs, atol=1e-4)
    assert coefs.shape == (90, 12) and len(n_iters) == 12
    for k, alpha in enumerate(alphas):
        _, gap = lasso_gap(X, y, coefs[:, k], alpha, l1_ratio)
        assert gap <= 1.1e-11 * (y @ y) and gaps[k] <= 1e-11 * (y @ y) / 40
    assert not coefs[:, 0].any() and coefs[:, 1].any()


@pytest.mark.parametrize("kind", WRAP)
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"fit_intercept": True, "l1_ratio": 0.4},
        {"positive": True},
        {"penalty_factor": np.where(np.arange(90) % 7 == 0, 0.0, 1.0 + np.arange(90) / 90)},
    ],
)
def test_every_point_of_a_loose_path_is_within_the_gap_that_it_reports(kind, settings):
    X, y = problem(60, 90, 7, sparse=kind == "csc")
    settings = {"l1_ratio": 1.0, "eps": 1e-2, "alphas": 60} | settings
    centered = y - y.mean() if "fit_intercept" in settings else y
    energy = float(centered @ centered) / 60
    grid, loose, gaps, steps = enet_path(WRAP[kind](X), y, tol=1e-3, return_n_iter=True, **settings)
    _, tight, least, _ = enet_path(WRAP[kind](X), y, tol=1e-11, return_n_iter=True, **settings)
    if "fit_intercept" in settings:
        X = X - X.mean(axis=0)
    factor = settings.get("penalty_factor", np.ones(90))
    ratio = settings["l1_ratio"]

    def objective(coef, alpha):
        left = centered - X @ coef
        size = ratio * np.abs(coef) + 0.5 * (1.0 - ratio) * coef**2
        return left @ left / 120 + alpha * float(factor @ size)

    assert steps.count(0) > 20  # those are interpolated
    assert (gaps <= 1e-3 * energy).all()
    for k, alpha in enumerate(grid):
        above = objective(loose[:, k], alpha) - objective(tight[:, k], alpha)
        assert -1.01 * least[k] - 1e-14 * energy <= above <= gaps[k] + 1e-14 * energy


def test_lambda_max_is_where_the_first_coefficient_leaves_zero():
    X, y = problem(30, 12, 1)
    weights = np.random.default_rng(0).random(30)
    factor = np.ones(12)
    factor[[2, 5]] = 0.0
    for l1_ratio, intercept, positive in ((1.0, True, False), (0.3, False, True)):
        common = {"fit_intercept": intercept, "positive": positive, "penalty_factor": factor}
        alpha = lambda_max(X, y, l1_ratio=l1_ratio, sample_weight=weights, **common)
        for share, expected in ((1.0001, 2), (0.99, 3)):
            model = ElasticNet(share * alpha, l1_ratio=l1_ratio, tol=1e-12, **common)
            coef = model.fit(X, y, sample_weight=weights).coef_
            if not positive:
                assert np.count_nonzero(coef) == expected
            else:
                assert (np.count_nonzero(coef[factor > 0]) > 0) == (share < 1.0)


@pytest.mark.parametrize("kind", WRAP)
@pytest.mark.parametrize("weighted", [False, True])
def test_cross_validation_agrees_with_scikit_learn(kind, weighted):
    X, y = problem(60, 15, 2, sparse=kind == "csc")
    before = X.copy()
    weights = np.random.default_rng(1).random(60) + 0.1 if weighted else None
    settings = {"cv": KFold(4), "alphas": 15, "tol": 1e-11, "max_iter": 100_000}
    ours = LassoCV(**settings).fit(WRAP[kind](X), y, sample_weight=weights)
    theirs = sklearn.linear_model.LassoCV(**settings).fit(X, y, sample_weight=weights)
    np.testing.assert_allclose(ours.alphas_, theirs.alphas_)
    np.testing.assert_allclose(ours.mse_path_, theirs.mse_path_, rtol=1e-4)
    assert ours.alpha_ == pytest.approx(theirs.alpha_)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-4)
    assert ours.intercept_ == pytest.approx(theirs.intercept_, rel=1e-4)
    np.testing.assert_array_equal(X, before)


def test_elastic_net_cv_compares_ratios_threads_and_groups():
    X, y = problem(50, 10, 3)
    settings = {"l1_ratio": [0.2, 0.9], "alphas": 8, "tol": 1e-9}
    ours = ElasticNetCV(cv=3, n_jobs=2, **settings).fit(X, y)
    theirs = sklearn.linear_model.ElasticNetCV(cv=3, max_iter=10**5, **settings).fit(X, y)
    assert ours.mse_path_.shape == theirs.mse_path_.shape == (2, 8, 3)
    np.testing.assert_allclose(ours.mse_path_, theirs.mse_path_, rtol=1e-4)
    assert (ours.alpha_, ours.l1_ratio_) == pytest.approx((theirs.alpha_, theirs.l1_ratio_))
    groups = np.arange(50) % 5
    with sklearn.config_context(enable_metadata_routing=True):
        grouped = LassoCV(cv=GroupKFold(5), alphas=5).fit(X, y, groups=groups)
    assert grouped.mse_path_.shape == (5, 5)
    with pytest.raises(ValueError, match="only supported if enable_metadata_routing=True"):
        LassoCV(cv=GroupKFold(5)).fit(X, y, groups=groups)
    with pytest.raises(ValueError, match="y must have one column, got 2"):
        LassoCV().fit(X, np.column_stack([y, y]))


@pytest.mark.parametrize("intercept", [False, True])
def test_penalty_factors_rescale_features_and_zero_leaves_one_free(intercept):
    X, y = problem(40, 70, 4)
    factor = np.exp(np.random.default_rng(0).standard_normal(70))
    common = {"alpha": 0.2, "fit_intercept": intercept, "tol": 1e-12}
    model = Lasso(penalty_factor=factor, **common).fit(X, y)
    scaled = Lasso(**common).fit(X / factor, y)
    np.testing.assert_allclose(model.coef_, scaled.coef_ / factor, atol=1e-7)
    factor[[7, 9]] = 0.0
    free = Lasso(penalty_factor=factor, **common).fit(X, y)
    left = y - free.predict(X)
    assert np.abs(X[:, [7, 9]].T @ (left - left.mean() * intercept)).max() < 1e-7
    assert 0.0 <= free.dual_gap_ <= 1e-12 * np.var(y) if intercept else True
    assert free.coef_[7] != 0.0 and free.coef_[9] != 0.0


@pytest.mark.parametrize("alpha", [0.0, 0.05])
@pytest.mark.parametrize("sparse", [False, True])
def test_bounds_agree_with_scipy(alpha, sparse):
    X, y = problem(50, 9, 5, sparse=sparse)
    lower, upper = np.full(9, -0.4), np.full(9, 0.7)
    lower[3], upper[4], lower[5] = 0.2, -0.1, -np.inf
    model = ElasticNet(alpha, l1_ratio=0.5, bounds=(lower, upper), fit_intercept=False, tol=1e-13)
    model.fit(sp.csc_array(X) if sparse else X, y)

    def objective(w):
        left = y - X @ w
        penalty = alpha * (0.5 * np.abs(w).sum() + 0.25 * w @ w)
        return left @ left / 100 + penalty

    started = np.clip(np.zeros(9), lower, upper)
    best = scipy.optimize.minimize(
        objective,
        started,
        bounds=list(zip(lower, upper, strict=True)),
        method="Powell",
        options={"xtol": 1e-10, "ftol": 1e-15, "maxiter": 10**5},
    )
    assert objective(model.coef_) <= best.fun + 1e-9
    assert (model.coef_ >= lower).all() and (model.coef_ <= upper).all()
    assert 0.0 <= model.dual_gap_ <= 1e-13 * (y @ y) / 50
    assert objective(model.coef_) - model.dual_gap_ <= best.fun


def test_signs_are_bounds():
    X, y = problem(40, 20, 6)
    sign = np.where(np.arange(20) % 2, 1.0, -1.0)
    bounds = (np.where(sign > 0, 0.0, -np.inf), np.where(sign > 0, np.inf, 0.0))
    model = Lasso(0.05, bounds=bounds, tol=1e-12).fit(X, y)
    flipped = Lasso(0.05, positive=True, tol=1e-12).fit(X * sign, y)
    np.testing.assert_allclose(model.coef_, sign * flipped.coef_, atol=1e-8)


@pytest.mark.parametrize("shape", [(60, 20), (20, 60), (40, 40)])
@pytest.mark.parametrize("kind", WRAP)
def test_nonnegative_least_squares_agrees_with_scipy(shape, kind):
    X, y = problem(*shape, seed=7, sparse=kind == "csc")
    model = NonNegativeLeastSquares(fit_intercept=False).fit(WRAP[kind](X), y)
    expected, norm = scipy.optimize.nnls(X, y)
    left = y - X @ model.coef_
    assert np.linalg.norm(left) == pytest.approx(norm, rel=1e-8, abs=1e-6)
    assert (model.coef_ >= 0.0).all()
    assert 0.0 <= model.dual_gap_ <= 1e-9 * (y @ y) / len(y)
    if shape[0] > shape[1]:
        np.testing.assert_allclose(model.coef_, expected, atol=1e-6)
    lasso = Lasso(alpha=0.0, positive=True, fit_intercept=False, tol=1e-9).fit(X, y)
    np.testing.assert_allclose(X @ lasso.coef_, X @ model.coef_, atol=1e-5)


def test_callback_sees_the_gap_fall_and_can_stop():
    X, y = problem(50, 400, 8)
    gaps = []

    def watch(progress):
        gaps.append(progress.gap)
        return len(gaps) == 2

    with pytest.warns(ConvergenceWarning, match=r"duality gap .*tolerance .*callback asked"):
        Lasso(1e-3, tol=1e-12, callback=watch).fit(X, y)
    assert len(gaps) == 2 and gaps[1] < gaps[0]


def test_cross_validation_shows_its_progress(capsys):
    X, y = problem(30, 5, 0)
    ElasticNetCV(l1_ratio=[0.5, 1.0], alphas=5, cv=3, verbose=1).fit(X, y)
    assert "6 of 6" in capsys.readouterr().err


def test_verbose_shows_a_bar_or_logs(capsys, caplog):
    X, y = problem(30, 100, 9)
    Lasso(0.01, tol=1e-9, verbose=True).fit(X, y)
    assert "Lasso" in capsys.readouterr().err
    bar = ProgressBar("Lasso", 1e-3)
    bar.close()
    bar.bar = None
    with caplog.at_level(logging.INFO, logger="southwell"):
        Lasso(0.01, tol=1e-9, callback=bar).fit(X, y)
    assert "duality gap" in caplog.text and "tolerance" in caplog.text


def test_read_only_memory_map_is_not_copied(tmp_path):
    X, y = problem(2000, 300, 10)
    np.save(tmp_path / "X.npy", np.asfortranarray(X))
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    model = Lasso(0.05, tol=1e-9).fit(mapped, y, sample_weight=np.ones(2000))
    np.testing.assert_allclose(model.coef_, Lasso(0.05, tol=1e-9).fit(X, y).coef_, atol=1e-8)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"penalty_factor": [1.0]}, r"penalty_factor.shape must be \(2,\).*got \(1,\)"),
        ({"penalty_factor": [1.0, -1.0]}, "not negative, got -1.0 at feature 1"),
        ({"penalty_factor": [0.0, 0.0]}, "an entry above zero"),
        ({"bounds": 3}, "bounds must be a pair"),
        ({"bounds": ([0.0, 2.0], 1.0)}, "must not cross, got lower 2.0 and upper 1.0 at feature 1"),
        ({"bounds": (None, -1.0), "positive": True}, "must not"),
        ({"bounds": (0.0, [1.0])}, r"upper must be a number or of shape \(2,\), got \(1,\)"),
    ],
)
def test_bad_penalties_are_refused_by_name(parameters, message):
    with pytest.raises(ValueError, match=message):
        Lasso(0.1, **parameters).fit(np.eye(3, 2), np.arange(3.0))


def test_bad_paths_are_refused_by_name():
    X, y = problem(10, 3, 11)
    for settings, message in (
        ({"alphas": [1.0, -1.0]}, r"alphas\[1\] must be at least 0, got -1.0"),
        ({"alphas": 0}, "alphas must be at least 1"),
        ({"eps": 0.0}, "eps must be above 0"),
    ):
        with pytest.raises(ValueError, match=message):
            lasso_path(X, y, **settings)


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("l1_ratio", [0.5, 1.0])
def test_paths_of_many_targets_are_scikit_learns(l1_ratio, sparse):
    X, y = problem(40, 6, 1, sparse)
    X = X.astype(np.float64)
    Y = np.column_stack([y, X[:, 0] - y])
    wrap = sp.csc_array if sparse else np.asfortranarray
    alphas, coefs, gaps, n_iters = enet_path(
        wrap(X), Y, l1_ratio=l1_ratio, alphas=7, tol=1e-12, return_n_iter=True
    )
    theirs = sklearn.linear_model.enet_path(
        np.asfortranarray(X), Y, l1_ratio=l1_ratio, alphas=7, tol=1e-13, max_iter=100000
    )
    np.testing.assert_allclose(alphas, theirs[0], rtol=1e-12)
    assert coefs.shape == (2, 6, 7)
    assert not coefs[:, :, 0].any()
    np.testing.assert_allclose(coefs, theirs[1], rtol=1e-4, atol=1e-6)
    assert gaps.shape == (7,)
    assert len(n_iters) == 7
    model = MultiTaskElasticNet(alphas[-1], l1_ratio=l1_ratio, fit_intercept=False, tol=1e-12)
    np.testing.assert_allclose(model.fit(wrap(X), Y).coef_, coefs[:, :, -1], rtol=1e-4, atol=1e-6)


def test_paths_of_many_targets_take_weights_and_refuse_signs():
    X, y = problem(30, 5, 2)
    Y = np.column_stack([y, -X[:, 1]])
    weights = np.random.default_rng(0).integers(0, 3, size=30)
    rows = np.repeat(np.arange(30), weights)
    shared = {"alphas": [1.0, 0.1], "fit_intercept": True, "tol": 1e-13}
    _, weighted, _ = lasso_path(X, Y, sample_weight=weights * (len(rows) / 30), **shared)
    _, repeated, _ = lasso_path(X[rows], Y[rows], **shared)
    np.testing.assert_allclose(weighted, repeated, rtol=1e-6, atol=1e-8)
    with pytest.raises(ValueError, match=r"bounds and positive are not allowed.*got \(30, 2\)"):
        enet_path(X, Y, positive=True)


@pytest.mark.parametrize("seed", range(4))
def test_few_features_choose_the_penalty_of_exact_folds(seed):
    # a gap within tol is not enough where errors of folds are compared, small ones without noise
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((20, 6))
    y = 50.0 * X.sum(axis=1)
    rough, fine = LassoCV(cv=3).fit(X, y), LassoCV(cv=3, tol=1e-13).fit(X, y)
    assert rough.alpha_ == pytest.approx(fine.alpha_, rel=1e-9)
    np.testing.assert_allclose(rough.mse_path_, fine.mse_path_, rtol=1e-6)


def test_weights_that_are_all_alike_choose_the_same_penalty_where_folds_differ_in_size():
    rng = np.random.RandomState(0)
    X = rng.rand(10, 5)
    y = X.sum(axis=1) + rng.rand(10)
    plain = LassoCV(tol=1e-6, cv=3).fit(X, y)  # folds of 4, 3 and 3
    alike = LassoCV(tol=1e-6, cv=3).fit(X, y, sample_weight=np.full(10, 2.0))
    assert plain.alpha_ == alike.alpha_
    assert plain.alpha_ == plain.alphas_[plain.mse_path_.mean(axis=1).argmin()]


def test_the_final_fit_of_cross_validation_is_far_more_precise_than_asked():
    rng = np.random.default_rng(7)
    X = rng.standard_normal((60, 200))
    y = X[:, :5].sum(axis=1) + rng.standard_normal(60)
    for tol in (1e-2, 1e-4):
        model = ElasticNetCV(cv=3, alphas=20, eps=1e-2, l1_ratio=0.7, tol=tol).fit(X, y)
        gap = lasso_gap(X, y, model.coef_, model.alpha_, 0.7, centered=True)[1]
        assert gap <= 0.011 * tol * np.var(y)
