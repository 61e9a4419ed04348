"""Displays: what is drawn, on which axes, from which estimators."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge

from bcd import Lasso, LassoCV, lasso_path, plot_convergence, plot_path

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
    with pytest.raises(TypeError, match="estimator must be a Lasso or an ElasticNet, got Ridge"):
        plot_path(Ridge(), X, Y)
    with pytest.raises(ValueError, match="against must be one of steps, time, got 'space'"):
        plot_convergence(Lasso(), X, Y, against="space")
