"""What a hostile user hands to every estimator is refused by name, and spoils nothing."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from bcd import (
    GroupLasso,
    GroupLogisticRegression,
    HuberRegressor,
    LassoCV,
    LinearSVC,
    LogisticRegression,
    LogisticRegressionCV,
    MultiTaskLasso,
    enet_path,
    group_path,
    lambda_max,
    logistic_path,
)
from experiments.estimators.models import CLASSES, NUMBERS, TARGETS, data
from experiments.estimators.models import MODELS as ALL

N = 40
EACH = pytest.mark.parametrize("model", ALL, ids=lambda model: model.name)
CROSS = pytest.mark.parametrize(
    "model", [m for m in ALL if m.cross_validates], ids=lambda m: m.name
)


def text(X):
    frame = pd.DataFrame(X.astype(object))
    frame.iloc[3, 1] = "a"
    return frame


def hole(X):
    X = X.copy()
    X[3, 1] = np.nan
    return X


@EACH
@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (text, "X was of type DataFrame and shape .* with 'a' in row 3, column 1"),
        (lambda X: X[:, 0], r"X was of type ndarray and shape \(40,\) of float64"),
        (lambda X: X[None], r"X was of type ndarray and shape \(1, 40, 8\)"),
        (lambda X: X[:0], r"X was of type ndarray and shape \(0, 8\)"),
        (lambda X: X[:, :0], r"X was of type ndarray and shape \(40, 0\)"),
        (lambda X: X * 1j, "Complex data not supported(.|\n)*of complex128"),
        (lambda X: {"a": X}, "X was of type dict"),
        (lambda X: None, "X was of type NoneType"),
        (hole, "X must be finite, got nan in row 3, column 1"),
        (lambda X: sp.csr_array(hole(X)), "X must be finite, got nan in row 3, column 1"),
    ],
)
def test_what_is_no_matrix_of_numbers_is_described(model, spoil, message):
    X, y = model.data(N)
    with pytest.raises((ValueError, TypeError), match=message):
        model.make().fit(spoil(X), y)


@pytest.mark.parametrize("model", [m for m in ALL if not m.classifies], ids=lambda m: m.name)
def test_targets_that_are_no_numbers_are_described(model):
    X, y = model.data(N)
    with pytest.raises(ValueError, match=r"y was of type ndarray and shape \(40.* with .*'a'"):
        model.make().fit(X, np.full(y.shape, "a"))
    with pytest.raises(ValueError, match=r"y was of type ndarray .* of complex128"):
        model.make().fit(X, y * 1j)


@EACH
@pytest.mark.parametrize(
    "weights", ["a", ["a"] * N, np.ones(N) * 1j, {"a": 1}, np.full(N, 1.7e308), -np.ones(N)]
)
def test_sample_weights_are_refused_by_name(model, weights):
    X, y = model.data(N)
    with pytest.raises((ValueError, TypeError), match="sample_weight"):
        model.make().fit(X, y, sample_weight=weights)


@EACH
def test_settings_of_a_wrong_kind_are_refused_by_name(model):
    X, y = model.data(N)
    wrong = {"verbose": np.ones(2), "bounds": ("a", 1.0), "penalty": [1.0], "callback": 3}
    for name in wrong.keys() & model.make().get_params().keys():
        with pytest.raises((ValueError, TypeError), match=name):
            model.make(**{name: wrong[name]}).fit(X, y)


@pytest.mark.parametrize("value", [-1.0, np.nan, np.inf, "a", 1e308])
@pytest.mark.parametrize(
    "model",
    [m for m in ALL if "class_weight" in m.make().get_params()],
    ids=lambda model: model.name,
)
def test_class_weights_are_refused_by_name(model, value):
    X, y = model.data(N)
    with pytest.raises((ValueError, TypeError), match="class_weight"):
        model.make(class_weight={0: value, 1: 1.0}).fit(X, y)


@CROSS
@pytest.mark.parametrize(
    ("cv", "message"),
    [
        (1, "cv must split the 40 samples: k-fold"),
        (1000, "cv must split the 40 samples: Cannot have"),
        ([], "cv must hold folds, got none"),
        ([(np.arange(20), [99])], "cv must hold numbers of samples below 40, got 99 in the test"),
        ([([], [1])], "cv must leave samples .* got none in the training part of fold 0"),
        ([(np.arange(20), [])], "cv must leave samples .* got none in the test part of fold 0"),
    ],
)
def test_folds_are_looked_at_before_any_work(model, cv, message):
    X, y = model.data(N)
    with pytest.raises(ValueError, match=message):
        model.make(cv=cv).fit(X, y)


def logistic_cv(**settings):
    return LogisticRegressionCV(cv=3, **settings)


@pytest.mark.parametrize(
    ("model", "kind", "message"),
    [
        (MultiTaskLasso(alpha=1e308), TARGETS, "alpha must give penalties below"),
        (GroupLasso(alpha=1e308, groups=2), NUMBERS, "alpha and weights must give penalties below"),
        (GroupLasso(groups=2, weights=[1e308] * 4), NUMBERS, "alpha and weights must give"),
        (GroupLogisticRegression(groups=2, weights=[1e308] * 4), CLASSES, "weights and 1 / C must"),
        (HuberRegressor(epsilon=1e308), NUMBERS, "epsilon must be at least 1 and at most 1e"),
        (HuberRegressor(scale=1e308), NUMBERS, "scale must be above 0 and at most 1e"),
        (LinearSVC(C=1e308), CLASSES, "C times class_weight and sample_weight must be below"),
        (LinearSVC(intercept_scaling=1e308), CLASSES, "intercept_scaling must be above 0 and at"),
        (logistic_cv(Cs="a"), CLASSES, "Cs must be real numbers"),
        (logistic_cv(Cs=[1j]), CLASSES, "Cs must be real numbers"),
        (logistic_cv(l1_ratios="a"), CLASSES, "l1_ratios must be real numbers"),
        (LassoCV(eps=2.0), NUMBERS, "eps must be above 0 and at most 1"),
    ],
)
def test_numbers_that_cannot_be_squared_and_words_are_refused_by_name(model, kind, message):
    with pytest.raises((ValueError, TypeError), match=message):
        model.fit(*data(kind, N))


@pytest.mark.parametrize("fit", [LogisticRegression().fit, logistic_cv().fit, logistic_path])
def test_labels_of_several_types_are_refused_by_name(fit):
    X, _ = data(CLASSES, N)
    with pytest.raises(TypeError, match="y must hold labels that can be compared"):
        fit(X, np.array([1, "a"] * (N // 2), dtype=object))


@pytest.mark.parametrize("model", [m for m in ALL if "callback" in m.make().get_params()])
def test_a_callback_that_raises_leaves_the_former_fit(model):
    X, y = model.data(200, 60)
    found = model.make().fit(X, y)
    before = model.answer(found, X)

    def broken(step):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        found.set_params(callback=broken).fit(X, y)
    np.testing.assert_array_equal(model.answer(found, X), before)


@pytest.mark.parametrize(
    ("path", "settings", "message"),
    [
        (enet_path, {"fit_intercept": "a"}, "fit_intercept must be True or False, got 'a'"),
        (enet_path, {"positive": np.ones(2)}, "positive must be True or False"),
        (enet_path, {"max_iter": 1.5}, "max_iter must be an integer of at least 1, got 1.5"),
        (enet_path, {"return_n_iter": None}, "return_n_iter must be True or False, got None"),
        (lambda_max, {"positive": 1j}, "positive must be True or False, got 1j"),
        (group_path, {"groups": 2, "alphas": "a"}, r"alphas\[0\] must be a real number, got 'a'"),
        (enet_path, {"eps": 10**400}, "eps must be .*got 1000"),
        (group_path, {"groups": 2, "alphas": [-(10**400)]}, r"alphas\[0\] must be .*got -1000"),
        (group_path, {"groups": 2, "alphas": 1.0}, "alphas must be a sequence of numbers, got 1.0"),
    ],
)
def test_paths_refuse_by_name(path, settings, message):
    with pytest.raises((ValueError, TypeError), match=message):
        path(*data(NUMBERS, N), **settings)
