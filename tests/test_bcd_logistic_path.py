"""Logistic paths and cross-validation against single fits and scikit-learn."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn
import sklearn.linear_model
from sklearn.datasets import load_iris, make_classification
from sklearn.model_selection import GroupKFold, KFold

from bcd import LogisticRegression, LogisticRegressionCV, logistic_path


def problem():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((120, 10))
    return X, (X[:, :3].sum(axis=1) + rng.logistic(size=120) > 0).astype(int)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_path_holds_the_single_fits(n_classes):
    X, y = problem() if n_classes == 2 else load_iris(return_X_y=True)
    path = logistic_path(X, y, Cs=[1.0, 0.05], tol=1e-11)
    assert path.Cs.tolist() == [0.05, 1.0]
    for k, C in enumerate(path.Cs):
        single = LogisticRegression(C=C, l1_ratio=1.0, tol=1e-11).fit(X, y)
        np.testing.assert_allclose(path.coefs[k], single.coef_, atol=1e-5)
        np.testing.assert_allclose(path.intercepts[k], single.intercept_, atol=1e-5)


@pytest.mark.parametrize("wrap", [np.asarray, sp.csr_array])
def test_cross_validation_scores_as_scikit_learn_does(wrap):
    X, y = problem()
    settings = {"Cs": [0.01, 0.1, 1.0], "cv": 3, "scoring": "neg_log_loss"}
    ours = LogisticRegressionCV(tol=1e-10, n_jobs=2, **settings).fit(wrap(X), y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = sklearn.linear_model.LogisticRegressionCV(
            tol=1e-10, solver="newton-cholesky", **settings
        ).fit(X, y)
    np.testing.assert_allclose(ours.scores_[:, 0], np.asarray(theirs.scores_[1]), rtol=1e-5)
    assert ours.C_ == pytest.approx(theirs.C_[0])
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-5)
    assert ours.coefs_paths_.shape == (3, 1, 3, 1, 11)


def test_averaging_instead_of_refitting():
    X, y = problem()
    model = LogisticRegressionCV(Cs=[0.1, 1.0], l1_ratios=[0.0, 1.0], cv=3, refit=False).fit(X, y)
    assert model.scores_.shape == (3, 2, 2) and not hasattr(model, "dual_gap_")
    assert model.coef_.shape == (1, 10)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"Cs": [0.0]}, "Cs must hold numbers above 0"),
        ({"Cs": 0}, "Cs must be an integer of at least 1"),
        ({"l1_ratios": [2.0]}, "l1_ratios must be at least 0 and at most 1, got"),
    ],
)
def test_bad_parameters_are_refused_by_name(parameters, message):
    with pytest.raises(ValueError, match=message):
        LogisticRegressionCV(**parameters).fit(*problem())


def test_groups_reach_the_splitter_by_metadata_routing():
    X, y = make_classification(60, 4, random_state=0)
    groups = np.repeat(np.arange(6), 10)
    splitter = GroupKFold(3)
    with pytest.raises(ValueError, match="fit must be given X, y and sample_weight only"):
        LogisticRegressionCV(Cs=2, cv=splitter).fit(X, y, groups=groups)
    with sklearn.config_context(enable_metadata_routing=True):
        routed = LogisticRegressionCV(Cs=2, cv=splitter).fit(X, y, groups=groups)
    given = LogisticRegressionCV(Cs=2, cv=list(splitter.split(X, y, groups))).fit(X, y)
    np.testing.assert_array_equal(routed.scores_, given.scores_)


def test_cross_validation_shows_its_progress(capsys):
    X, y = make_classification(60, 4, random_state=0)
    LogisticRegressionCV(Cs=2, cv=3, verbose=1).fit(X, y)
    assert "3 of 3" in capsys.readouterr().err


@pytest.mark.parametrize("class_weight", [None, "balanced"])
@pytest.mark.parametrize("scoring", [None, "neg_log_loss"])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_folds_that_lack_a_class_are_scored_as_scikit_learn_does(n_classes, scoring, class_weight):
    rng = np.random.default_rng(0)
    y = np.sort(rng.integers(n_classes, size=60))
    X = rng.standard_normal((60, 4))
    X[:, 0] += y
    cv = KFold(3)
    least = min(len(np.unique(y[train])) for train, _ in cv.split(X))
    assert n_classes == 2 or least == 2
    shared = {"Cs": [0.1, 1.0], "l1_ratios": (0.0,), "cv": cv, "tol": 1e-10}
    shared |= {"class_weight": class_weight, "scoring": scoring, "fit_intercept": False}
    ours = LogisticRegressionCV(**shared).fit(X, y)
    theirs = sklearn.linear_model.LogisticRegressionCV(
        **shared, solver="newton-cg", max_iter=1000, use_legacy_attributes=False
    ).fit(X, y)
    assert ours.C_ == theirs.C_
    np.testing.assert_allclose(ours.scores_, theirs.scores_, rtol=1e-5)
    np.testing.assert_allclose(ours.coefs_paths_, theirs.coefs_paths_, rtol=1e-3, atol=1e-4)
