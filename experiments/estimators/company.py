"""How an estimator gets on with scikit-learn, pandas, pickle and joblib."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pandas as pd
import sklearn
from joblib import Parallel, delayed
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.feature_selection import SelectFromModel
from sklearn.model_selection import cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from experiments.estimators.models import Model


def feature_names(model: Model) -> None:
    """Remember the columns of a frame, and refuse others."""
    X, y = model.data()
    frame = pd.DataFrame(X, columns=[f"x{j}" for j in range(X.shape[1])])
    found = model.make().fit(frame, y)
    assert list(found.feature_names_in_) == list(frame.columns)
    assert found.n_features_in_ == X.shape[1]
    assert_allclose(model.answer(found, frame), model.answer(model.make().fit(X, y), X), rtol=1e-9)
    try:
        found.predict(frame[frame.columns[::-1]])
    except ValueError as error:
        assert "feature names" in str(error)
    else:
        raise AssertionError("shuffled columns were taken")
    assert not hasattr(found.fit(X, y), "feature_names_in_")


def set_output(model: Model) -> None:
    """Select columns of a frame in a pipeline that keeps their names."""
    X, y = model.data()
    frame = pd.DataFrame(X, columns=[f"x{j}" for j in range(X.shape[1])])
    steps = make_pipeline(StandardScaler(), SelectFromModel(model.make(), threshold=1e-9))
    chosen = steps.set_output(transform="pandas").fit_transform(frame, y)
    assert isinstance(chosen, pd.DataFrame)
    assert set(chosen.columns) <= set(frame.columns) and "x0" in chosen.columns


def metadata_routing(model: Model) -> None:
    """Receive sample weights through cross-validation."""
    X, y = model.data()
    weights = np.random.default_rng(2).integers(1, 4, size=len(y)).astype(float)
    with sklearn.config_context(enable_metadata_routing=True):
        asking = model.make().set_fit_request(sample_weight=True)
        if hasattr(asking, "set_score_request"):
            asking.set_score_request(sample_weight=True)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = cross_validate(
                asking,
                X,
                y,
                cv=3,
                params={"sample_weight": weights},
                return_estimator=True,
                return_indices=True,
            )
    rows = found["indices"]["train"][0]
    direct = model.make().fit(X[rows], y[rows], sample_weight=weights[rows])
    assert_allclose(model.answer(found["estimator"][0], X), model.answer(direct, X), rtol=1e-7)


def pickling(model: Model) -> None:
    """Answer alike after pickling."""
    X, y = model.data()
    found = model.make().fit(X, y)
    restored = pickle.loads(pickle.dumps(found))
    assert_array_equal(model.answer(restored, X), model.answer(found, X))


def cloning(model: Model) -> None:
    """Clone to the same settings, not fitted; ``fit`` changes no setting."""
    X, y = model.data()
    found = model.make().fit(X, y)
    fresh = clone(found)
    assert not hasattr(fresh, "coef_") and not hasattr(fresh, "n_features_in_")
    assert repr(fresh) == repr(model.make())
    assert_array_equal(model.answer(fresh.fit(X, y), X), model.answer(found, X))


def threads(model: Model) -> None:
    """Fit in threads beside each other as one after another."""
    X, y = model.data()
    usual = model.answer(model.make().fit(X, y), X)
    fits = Parallel(n_jobs=2, prefer="threads")(
        delayed(lambda: model.make().fit(X, y))() for _ in range(4)
    )
    for found in fits:
        assert_array_equal(model.answer(found, X), usual)


def processes(model: Model) -> None:
    """Answer alike from a worker process of loky."""
    X, y = model.data()
    usual = model.answer(model.make().fit(X, y), X)
    (found,) = Parallel(n_jobs=2, backend="loky")([delayed(fit)(model.make(), X, y)])
    assert_allclose(model.answer(found, X), usual, rtol=1e-12)


def fit(model, X, y):
    """Fit, where worker processes can find it."""
    return model.fit(X, y)
