"""How a fit runs and what it tells: starts, progress, certificates, warnings."""

from __future__ import annotations

import contextlib
import io
import warnings

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import ConvergenceWarning

from experiments.estimators.models import CLASSES, COUNTS, GROUPS, MULTI_CLASS, Model


def intercept_is_not_penalised(model: Model) -> None:
    """Under the strongest penalty the intercept alone fits; else it follows a shift of y."""
    X, y = model.data()
    if model.name == "SVC":  # the dual's share of an intercept that costs nothing
        assert_allclose(model.make().fit(X, y).dual_coef_.sum(), 0.0, atol=1e-9)
        return
    if not model.strongest:
        near, far = model.make().fit(X, y), model.make().fit(X, y + 100.0)
        assert_allclose(far.coef_, near.coef_, atol=1e-6)
        assert_allclose(far.intercept_ - near.intercept_, 100.0, rtol=1e-6)
        return
    found = model.make(**model.strongest).fit(X, y)
    assert not np.any(found.coef_)
    intercept = np.atleast_1d(found.intercept_)
    if model.kind in (CLASSES, MULTI_CLASS):
        shares = np.bincount(y) / len(y)
        scores = np.log(shares)
        best = [scores[1] - scores[0]] if model.kind == CLASSES else scores - scores.mean()
        assert_allclose(intercept, best, atol=1e-5)
    elif model.kind == COUNTS:
        assert_allclose(intercept, np.log(y.mean()), atol=1e-5)
    elif model.name == "HuberRegressor":
        far = model.make(**model.strongest).fit(X, y + 100.0)
        assert_allclose(far.intercept_ - intercept, 100.0, rtol=1e-6)
    else:
        assert_allclose(intercept, np.atleast_1d(y.mean(axis=0)), rtol=1e-9)


def penalty_factor(model: Model) -> None:
    """Factors of 0 leave a feature free, large ones forbid it, ones change nothing."""
    X, y = model.data()
    usual = model.make().fit(X, y)
    size = GROUPS if "groups" in model.settings else 1  # a group is free as a whole
    factor = np.ones(X.shape[1] // size)

    def settings() -> dict:
        each = {"penalty_factor": np.repeat(factor, size)}
        return {**each, "weights": np.sqrt(size) * factor} if size > 1 else each

    ones = model.make(**settings()).fit(X, y)
    assert_allclose(ones.coef_, usual.coef_, atol=1e-6)
    factor[0], factor[1] = 0.0, 1e6
    found = model.make(**settings()).fit(X, y)
    assert np.abs(found.coef_[..., size : 2 * size]).max() < 1e-5
    factor[1] = 1.0
    free = model.make(**{**model.strongest, **settings()}).fit(X, y)
    assert np.abs(free.coef_[..., :size]).max() > 0.1
    assert not np.any(free.coef_[..., size:])


def bounds(model: Model) -> None:
    """Coefficients stay within, some at a bound, and mirrored features mirror them."""
    X, y = model.data()
    usual = model.make().fit(X, y)
    wide = model.make(bounds=(-np.inf, np.inf)).fit(X, y)
    if model.name != "NonNegativeLeastSquares":
        assert_allclose(wide.coef_, usual.coef_, atol=1e-6)
    lower, upper = np.full(X.shape[1], -0.1), np.full(X.shape[1], 0.2)
    upper[2] = np.inf
    found = model.make(bounds=(lower, upper)).fit(X, y)
    assert (found.coef_ >= lower).all() and (found.coef_ <= upper).all()
    assert (found.coef_ == upper).any() or (found.coef_ == lower).any()
    if model.name != "NonNegativeLeastSquares":
        mirrored = model.make(bounds=(-upper, -lower)).fit(-X, y)
        assert_allclose(mirrored.coef_, -found.coef_, atol=1e-6)


def signs(model: Model) -> None:
    """Keep coefficients at or above zero, by ``positive`` or by bounds of 0."""
    X, y = model.data()
    asked: dict = {"positive": True}
    if "positive" not in model.make().get_params():
        asked = {"bounds": (0.0, np.inf)}
    if model.name == "NonNegativeLeastSquares":
        asked = {}
    found = model.make(**asked).fit(X, y)
    assert (found.coef_ >= 0.0).all() and (found.coef_ > 0.0).any()


def without_penalty(model: Model) -> None:
    """Find the certified minimum where there is no penalty at all (``alpha=0``, ``C=inf``)."""
    X, y = model.data(200)
    settings: dict = {"alpha": 0.0}
    if model.name == "NonNegativeLeastSquares":
        settings = {}
    elif model.cross_validates:
        settings = {"Cs": [np.inf]} if model.classifies else {"alphas": [0.0]}
    elif model.classifies:
        settings = {"C": np.inf}
    _is_a_certified_minimum(model, model.make(**settings), X, y)


def without_l1(model: Model) -> None:
    """Find the certified minimum where ``l1_ratio=0``."""
    X, y = model.data()
    settings = {"l1_ratios": (0.0,)} if "l1_ratios" in model.settings else {"l1_ratio": 0.0}
    _is_a_certified_minimum(model, model.make(**settings), X, y)


def _is_a_certified_minimum(model: Model, estimator, X, y) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = estimator.fit(X, y)
    value = model.objective(found, X, y)
    assert np.max(found.dual_gap_) <= 1e-8 * len(y)
    rng = np.random.default_rng(0)
    coef = found.coef_
    for _ in range(20):
        step = 1e-3 * rng.standard_normal(coef.shape)
        if model.name == "NonNegativeLeastSquares":
            step = np.maximum(coef + step, 0.0) - coef
        found.coef_ = coef + step
        assert model.objective(found, X, y) > value - 1e-10 * abs(value)
    found.coef_ = coef


def warm_start(model: Model) -> None:
    """Start a second fit at the last solution; data of another shape are no obstacle."""
    X, y = model.data()
    model_ = model.make(warm_start=True).fit(X, y)
    first, answer = np.sum(model_.n_iter_), model.answer(model_, X)
    again = np.sum(model_.fit(X, y).n_iter_)
    assert again <= first
    assert_allclose(model.answer(model_, X), answer, atol=1e-5)
    X, y = model.data(40, 6)
    other = model.make().fit(X, y)
    assert_allclose(model.answer(model_.fit(X, y), X), model.answer(other, X), atol=1e-5)


def progress_bar(model: Model) -> None:
    """``verbose`` shows a bar with the estimator's name."""
    X, y = model.data()
    shown = io.StringIO()
    with contextlib.redirect_stderr(shown):
        model.make(verbose=True).fit(X, y)
    assert model.estimator.__name__ in shown.getvalue()


def callback(model: Model) -> None:
    """Let a callback see each step, and stop the run by a true answer, with a warning."""
    X, y = model.data(200, 60)
    seen: list = []
    model.make(callback=seen.append).fit(X, y)
    assert seen and all(np.isfinite(step.gap) and step.n_iter >= 0 for step in seen)
    calls = []

    def stop(step):
        calls.append(step)
        return True

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.make(callback=stop, tol=1e-14).fit(X, y)
    assert calls
    assert all(issubclass(w.category, ConvergenceWarning) for w in caught)


def certificate(model: Model) -> None:
    """``dual_gap_`` bounds how far the objective is from that of a far finer fit."""
    X, y = model.data()
    best = model.objective(model.make().fit(X, y), X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        rough = model.make(tol=1e-3).fit(X, y)
    gap = float(np.max(rough.dual_gap_))
    assert 0.0 <= gap < np.inf
    if (
        not model.cross_validates and model.name != "HuberRegressor"
    ):  # theirs are of what was chosen
        assert model.objective(rough, X, y) - best <= gap * (1.0 + 1e-9) + 1e-9 * abs(best)
    assert np.max(rough.n_iter_) >= 1


def warning_names_gap_and_tolerance(model: Model) -> None:
    """Warn of a run that stops early with the gap reached and the tolerance."""
    X, y = model.data(150, 100)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.make(max_iter=1, tol=1e-300).fit(X, y)
    messages = [str(w.message) for w in caught if issubclass(w.category, ConvergenceWarning)]
    assert messages and all("duality gap" in m and "tolerance" in m for m in messages)


def deterministic(model: Model) -> None:
    """Two fits agree to the last bit."""
    X, y = model.data()
    settings = {"random_state": 0} if "random_state" in model.make().get_params() else {}
    first, second = model.make(**settings).fit(X, y), model.make(**settings).fit(X, y)
    assert_array_equal(first.coef_, second.coef_)
    assert_array_equal(first.intercept_, second.intercept_)
