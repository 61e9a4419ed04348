"""Every estimator of sparse linear models has every feature, or the table says why not."""

import inspect
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning

import bcd
from experiments.estimators.models import MODELS
from experiments.estimators.reasons import REASONS
from experiments.estimators.table import FEATURES, PAGE, cells, check, page

ON_GRAPHS = {"GraphSmoother", "LabelPropagation"}  # their data are graphs, not designs


@pytest.mark.parametrize(
    ("feature", "model"), cells(), ids=[f"{model.name}-{feature}" for feature, model in cells()]
)
def test_an_estimator_has_the_feature(feature, model):
    check(feature, model)


def test_the_table_holds_every_estimator():
    public = {
        name
        for name in bcd.__all__
        if inspect.isclass(getattr(bcd, name)) and issubclass(getattr(bcd, name), BaseEstimator)
    }
    assert {model.estimator.__name__ for model in MODELS} == public - ON_GRAPHS


def test_the_published_table_is_that_of_the_code():
    assert PAGE.read_text() == page()


@pytest.mark.parametrize("feature", REASONS)
def test_what_is_said_to_be_missing_is_not_there(feature):
    assert any(feature in part for part in FEATURES.values())
    known = {model.name: model for model in MODELS}
    for names in REASONS[feature]:
        for name in names.split(", "):
            settings = known[name].make().get_params()
            if feature.strip("`") in ("penalty_factor", "warm_start", "callback"):
                assert feature.strip("`") not in settings


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_a_fit_that_fails_leaves_the_former_fit_usable(model):
    X, y = model.data()
    found = model.make().fit(X, y)
    before = model.answer(found, X)
    other, target = model.data(50, 6)
    with pytest.raises(ValueError, match="sample_weight"):
        found.fit(other, target, sample_weight=np.ones(7))
    np.testing.assert_array_equal(model.answer(found, X), before)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_warnings_name_the_users_line(model):
    X, y = model.data(150, 100)
    with pytest.warns(ConvergenceWarning, match="not converged") as caught:
        model.make(max_iter=1, tol=1e-300).fit(X, y)
    files = {Path(warning.filename).name for warning in caught}
    assert Path(__file__).name in files
    if not model.cross_validates:  # whose folds are joblib's calls
        assert files == {Path(__file__).name}
