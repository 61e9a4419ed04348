"""Poisson and Huber regression against scikit-learn, optimality conditions and bad input."""

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn.linear_model

import bcd.glm
import bcd.softmax
from bcd import HuberRegressor, LogisticRegression, PoissonRegressor
from bcd.estimators.huber import best_scale


def counts(n=150, p=8, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p))
    return X, rng.poisson(np.exp(X[:, :3].sum(axis=1) / 2 + 0.3)).astype(float)


def outlying(n=150, p=8, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p))
    y = X[:, :3].sum(axis=1) + 0.3 + 0.1 * rng.standard_normal(n)
    y[:15] += 10.0
    return X, y


@pytest.mark.parametrize("alpha", [0.0, 0.1, 2.0])
@pytest.mark.parametrize("intercept", [True, False])
def test_poisson_agrees_with_scikit_learn(alpha, intercept):
    X, y = counts()
    weights = np.random.default_rng(1).integers(0, 3, size=len(y))
    settings = {"alpha": alpha, "fit_intercept": intercept}
    ours = PoissonRegressor(tol=1e-13, **settings).fit(X, y, weights)
    theirs = sklearn.linear_model.PoissonRegressor(
        tol=1e-10, solver="newton-cholesky", **settings
    ).fit(X, y, weights)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-7)
    assert ours.intercept_ == pytest.approx(theirs.intercept_, abs=1e-7)
    assert ours.score(X, y) == pytest.approx(theirs.score(X, y))


@pytest.mark.parametrize("wrap", [np.asarray, sp.csc_array])
def test_poisson_with_l1_is_certified_by_plain_numpy(wrap):
    X, y = counts(60, 100)
    model = PoissonRegressor(alpha=0.1, l1_ratio=1.0, tol=1e-10).fit(wrap(X), y)
    z = X @ model.coef_ + model.intercept_
    mean = np.exp(z)
    correlation = X.T @ (y - mean) / len(y)
    scale = min(1.0, 0.1 / np.abs(correlation).max())
    dual = (1 - scale) * y + scale * mean  # means whose slopes the penalty can hold
    gap = (dual * np.log(dual / mean) - dual + mean).mean()
    gap += 0.1 * np.abs(model.coef_).sum() - scale * correlation @ model.coef_
    assert 0 < (model.coef_ != 0).sum() < 60
    assert gap <= 1e-8 and model.dual_gap_ <= 1e-9
    assert model.dual_gap_ == pytest.approx(max(gap, 0.0), abs=1e-12)


@pytest.mark.parametrize("alpha", [0.0, 1e-4, 1.0])
def test_huber_agrees_with_scikit_learn_scale_included(alpha):
    X, y = outlying()
    ours = HuberRegressor(alpha=alpha, tol=1e-11).fit(X, y)
    theirs = sklearn.linear_model.HuberRegressor(alpha=alpha, tol=1e-9, max_iter=5000).fit(X, y)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=2e-5)
    assert ours.scale_ == pytest.approx(theirs.scale_, rel=1e-4)
    np.testing.assert_array_equal(ours.outliers_, theirs.outliers_)


def test_huber_with_l1_meets_its_optimality_conditions():
    X, y = outlying(80, 120)
    alpha = 20.0
    model = HuberRegressor(alpha=alpha, l1_ratio=1.0, tol=1e-10).fit(X, y)
    residual = (y - X @ model.coef_ - model.intercept_) / model.scale_
    pull = 2 * X.T @ np.clip(residual, -1.35, 1.35)
    w = model.coef_
    assert 0 < (w != 0).sum() < 80
    np.testing.assert_allclose(pull[w != 0], alpha * np.sign(w[w != 0]), rtol=1e-4)
    assert (np.abs(pull) <= alpha * (1 + 1e-4)).all()


def test_best_scale_minimises_the_joint_objective():
    rng = np.random.default_rng(0)
    residual, weights = rng.standard_t(2, size=40), rng.integers(0, 3, size=40).astype(float)

    def objective(sigma):
        r = np.abs(residual) / sigma
        loss = np.where(r <= 1.5, r**2, 3.0 * r - 1.5**2)
        return float((weights * (sigma + sigma * loss)).sum())

    scale = best_scale(residual, weights, 1.5)
    assert objective(scale) <= min(objective(scale * f) for f in (0.9, 0.999, 1.001, 1.1))


@pytest.mark.parametrize("n_classes", [2, 3])
def test_no_block_is_asked_for_more_than_a_share_of_tol(n_classes, monkeypatch):
    # a start at hand leaves no feature to choose; the first block was then to be solved to 0.0,
    # which rounding forbids, by rounds that could only stall
    asked = []

    def watched(descend):
        def call(*arguments, **named):
            asked.append(arguments[-1])
            return descend(*arguments, **named)

        return call

    monkeypatch.setattr("bcd.glm.descend_block", watched(bcd.glm.descend_block))
    monkeypatch.setattr("bcd.softmax.descend_softmax", watched(bcd.softmax.descend_softmax))
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 5))
    label = rng.integers(n_classes, size=60)
    model = LogisticRegression(C=100.0, l1_ratio=1.0, warm_start=True, tol=1e-3)
    start = model.fit(X, label).coef_
    assert start.any(axis=0).all()
    model.coef_ = 0.9 * start
    asked.clear()
    model.set_params(tol=1e-8).fit(X, label)
    assert asked
    assert min(asked) > 0.0


def test_a_known_scale_is_kept():
    X, y = outlying()
    model = HuberRegressor(scale=0.5).fit(X, y)
    assert model.scale_ == 0.5


@pytest.mark.parametrize(
    ("estimator", "y", "message"),
    [
        (PoissonRegressor(), [1.0, -1.0, 2.0], "y must not be negative.*got -1.0 at 1"),
        (PoissonRegressor(), [0.0, 0.0, 0.0], "y must hold a count above zero"),
        (PoissonRegressor(alpha=-1.0), [0.0, 1.0, 2.0], "alpha must be at least 0"),
        (HuberRegressor(epsilon=0.5), [0.0, 1.0, 2.0], "epsilon must be at least 1"),
        (HuberRegressor(scale=0.0), [0.0, 1.0, 2.0], "scale must be above 0"),
        (HuberRegressor(), [0.0, np.nan, 2.0], "y contains NaN"),
        (
            HuberRegressor(penalty_factor=[-1.0]),
            [0.0, 1.0, 2.0],
            "penalty_factor must be finite and not",
        ),
    ],
)
def test_bad_input_is_refused_by_name(estimator, y, message):
    with pytest.raises(ValueError, match=message):
        estimator.fit([[0.0], [1.0], [2.0]], y)
