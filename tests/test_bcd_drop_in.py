"""Calls that scikit-learn's users make, unchanged but for the import."""

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn.linear_model
from sklearn.datasets import load_iris, make_regression

from bcd import ElasticNet, ElasticNetCV, Lasso, LassoCV, LinearSVC, LogisticRegressionCV

X, y = make_regression(n_samples=30, n_features=6, noise=1.0, random_state=0)


def test_fit_takes_check_input_and_answers_alike():
    plain, unchecked = Lasso(alpha=0.5).fit(X, y), Lasso(alpha=0.5).fit(X, y, check_input=False)
    np.testing.assert_array_equal(plain.coef_, unchecked.coef_)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("kind", [np.asarray, sp.csc_array])
def test_columns_whose_squares_overflow_are_refused(kind, fit_intercept):
    with pytest.raises(ValueError, match="X and y must have columns whose sums of squares"):
        ElasticNet(fit_intercept=fit_intercept).fit(kind(1e200 * X), y)
    with pytest.raises(ValueError, match="X and y must have columns whose sums of squares"):
        ElasticNet(fit_intercept=fit_intercept).fit(kind(X), 1e200 * y)


@pytest.mark.parametrize(
    ("alphas", "error", "words"),
    [
        ((1.0, "2"), TypeError, r"alphas\[1\] must be a real number, got '2'"),
        ((1.0, -1.0), ValueError, r"alphas\[1\] must be at least 0, got -1.0"),
        ((np.nan,), ValueError, r"alphas\[0\] must be at least 0, got nan"),
        ((), ValueError, "alphas must be a sequence of numbers"),
    ],
)
def test_alphas_are_numbers(alphas, error, words):
    with pytest.raises(error, match=words):
        LassoCV(alphas=alphas).fit(X, y)


def test_a_grid_without_l1_asks_for_alphas():
    with pytest.raises(ValueError, match="alphas must be given where l1_ratio=0"):
        ElasticNetCV(l1_ratio=0.0).fit(X, y)


@pytest.mark.parametrize("kind", [np.asarray, sp.csr_array, sp.csr_matrix])
def test_sparsified_classifiers_answer_alike(kind):
    data, label = load_iris(return_X_y=True)
    model = LinearSVC().fit(data, label)
    before = model.decision_function(data)
    assert sp.issparse(model.sparsify().coef_)
    np.testing.assert_allclose(model.decision_function(kind(data)), before, rtol=1e-12)
    assert isinstance(model.densify().coef_, np.ndarray)
    np.testing.assert_array_equal(model.decision_function(data), before)


def test_cross_validation_takes_scikit_learns_settings():
    data, label = load_iris(return_X_y=True)
    settings = {
        "Cs": [0.1, 1.0],
        "cv": 3,
        "solver": "saga",
        "dual": False,
        "intercept_scaling": 1.0,
    }
    known = set(sklearn.linear_model.LogisticRegressionCV().get_params())
    assert known <= set(LogisticRegressionCV().get_params())
    model = LogisticRegressionCV(l1_ratios=(1.0,), use_legacy_attributes=False, **settings)
    model.fit(data, label)
    with pytest.warns(FutureWarning, match="penalty is deprecated"):
        named = LogisticRegressionCV(penalty="l1", **settings).fit(data, label)
    np.testing.assert_array_equal(named.coef_, model.coef_)
    with pytest.raises(ValueError, match="use_legacy_attributes must be False"):
        LogisticRegressionCV(use_legacy_attributes=True, **settings).fit(data, label)
    with pytest.raises(ValueError, match="penalty must be one of elasticnet, l1, l2"):
        LogisticRegressionCV(penalty="l3", **settings).fit(data, label)
