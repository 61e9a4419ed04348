"""Displays: what is drawn, on which axes, from which estimators."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge

from bcd import (
    ElasticNetCV,
    GroupLasso,
    Lasso,
    LassoCV,
    LogisticRegression,
    lasso_path,
    logistic_path,
    plot_convergence,
    plot_path,
)

X, Y = load_diabetes(return_X_y=True, as_frame=True)


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def test_path_display_draws_the_path_and_marks_the_penalty():
    _, ax = plt.subplots()
    display = plot_path(Lasso(alpha=0.2, tol=1e-9), X, Y, alphas=20, ax=ax)
    grid, coefs, _ = lasso_path(X, Y, alphas=20, fit_intercept=True, tol=1e-9)
    assert display.ax_ is ax and display.figure_ is ax.figure
    first = display.lines_[0]
    strongest = np.abs(coefs).max(axis=1).argmax()
    np.testing.assert_allclose(first.get_ydata(), coefs[strongest])
    np.testing.assert_allclose(first.get_xdata(), grid)
    assert first.get_label() == X.columns[strongest]
    assert any(np.allclose(line.get_xdata(), 0.2) for line in ax.lines)


def test_path_display_marks_what_cross_validation_chose():
    model = LassoCV(cv=3, alphas=10).fit(X, Y)
    display = plot_path(model, X.to_numpy(), Y, alphas=10)
    assert display.alpha == model.alpha_
    assert display.lines_[0].get_label().startswith("feature ")


def test_path_display_follows_other_models_from_the_least_penalty_that_zeroes_them():
    labels = np.where(Y > Y.median(), "ill", "well")
    model = LogisticRegression(l1_ratio=1.0, C=0.5, tol=1e-10)
    display = plot_path(model, X, labels, alphas=15)
    start = np.abs(X.to_numpy().T @ ((labels == "well") - (labels == "well").mean())).max()
    assert start <= display.alphas[0] <= 1.05 * start  # the gradient at the intercept alone
    path = logistic_path(X, labels, Cs=1.0 / display.alphas, l1_ratio=1.0, tol=1e-12)
    np.testing.assert_allclose(display.coefs, path.coefs[:, 0].T, atol=1e-4)
    assert display.alpha == 2.0 and display.ax_.get_xlabel().startswith("1 / C")
    assert not hasattr(model, "coef_") and not model.warm_start


def test_path_display_of_groups_enters_group_by_group():
    display = plot_path(GroupLasso(groups=5), X, Y, alphas=[3.0, 1.0, 0.1])
    entered = (display.coefs != 0.0).reshape(2, 5, 3)
    assert (entered.all(axis=1) == entered.any(axis=1)).all() and entered.any()
    np.testing.assert_array_equal(display.alphas, [3.0, 1.0, 0.1])


def test_paths_without_a_start_or_with_many_rows_are_refused():
    with pytest.raises(ValueError, match="alphas must be an array for this estimator"):
        plot_path(LogisticRegression(), X, Y > Y.median(), alphas=5)
    with pytest.raises(ValueError, match="estimator must have one row of coefficients, got 3"):
        plot_path(LogisticRegression(l1_ratio=1.0), X, np.arange(len(Y)) % 3, alphas=[1.0])


def test_many_targets_ratios_and_wrong_penalties_are_refused_by_name():
    with pytest.raises(ValueError, match="y must be of one target, got 2 targets"):
        plot_path(Lasso(), X, np.column_stack([Y, -Y]), alphas=3)
    with pytest.raises(ValueError, match="estimator must be fitted where l1_ratio is many"):
        plot_path(ElasticNetCV(l1_ratio=[0.2, 0.9]), X, Y)
    with pytest.raises(TypeError, match="C must be a real number, got 'a'"):
        plot_path(LogisticRegression(C="a"), X, Y > Y.median())


@pytest.mark.parametrize("against", ["time", "steps"])
def test_convergence_display_draws_a_falling_gap(against):
    model = Lasso(alpha=0.01, tol=1e-9)
    display = plot_convergence(model, X, Y, against=against, name="ours")
    (line,) = display.lines_
    gaps = np.asarray(line.get_ydata())
    assert line.get_label() == "ours" and len(gaps) >= 1
    assert model.callback is None and not hasattr(model, "coef_")
    assert display.ax_.get_yscale() == "log"


def test_other_estimators_and_choices_are_refused():
    with pytest.raises(TypeError, match=r"estimator must be one of southwell .* got Ridge"):
        plot_path(Ridge(), X, Y)
    with pytest.raises(ValueError, match="against must be one of steps, time, got 'space'"):
        plot_convergence(Lasso(), X, Y, against="space")
