"""Sparse columns with hardly a zero and far from it: the answer of centred ones, certified."""

import numpy as np
import pytest
import scipy.sparse as sp

from bcd import enet_path, lambda_max, logistic_path
from bcd.estimators._offsets import as_given, as_moved, without_offsets
from experiments.estimators.models import CLASSES, MODELS, NUMBERS, data

PENALISED_INTERCEPT = {"LinearSVC", "SVC"}


@pytest.mark.parametrize("offset", [1e4, 1e6, 1e8])
@pytest.mark.parametrize(
    "model", [m for m in MODELS if m.name not in PENALISED_INTERCEPT], ids=lambda model: model.name
)
def test_sparse_features_far_from_zero_have_the_coefficients_of_centred_ones(model, offset):
    X, y = model.data(60, 8)
    shift = offset * np.array([1.0, 0.0, -1.0, 1.0, 0.0, 0.0, 2.0, 1.0])
    near = model.make().fit(sp.csc_array(X), y)
    far = model.make().fit(sp.csc_array(X + shift), y)
    np.testing.assert_allclose(far.coef_, near.coef_, atol=1e-5 + 1e-14 * offset)
    assert np.max(far.dual_gap_) <= 1e-8 * len(y)
    before = near.intercept_ - np.atleast_2d(near.coef_) @ shift
    np.testing.assert_allclose(np.ravel(far.intercept_), np.ravel(before), atol=1e-5 * offset)


def test_columns_are_moved_to_their_mean_and_others_left_alone():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2000, 5))
    X[:, 0] += 1e5
    X[0, 0] = 1e5
    X[:, 1] *= rng.random(2000) < 0.3
    X[:, 2] = 7.0
    X[:, 3] += 1e6
    moved, offsets = without_offsets(sp.csc_array(X), True)
    assert (offsets != 0.0).tolist() == [True, False, True, True, False]
    np.testing.assert_allclose(moved.toarray() + offsets, X, rtol=1e-15)
    np.testing.assert_allclose(moved.mean(axis=0)[[0, 2, 3]], 0.0, atol=1e-9)
    coef = rng.normal(size=5)
    assert as_moved(as_given(0.3, coef, offsets), coef, offsets) == pytest.approx(0.3, abs=1e-8)


def test_a_stored_column_with_a_few_zeros_is_filled():
    X = np.full((5000, 2), 3.0) + 1e-3 * np.random.default_rng(0).normal(size=(5000, 2))
    X[1, 0] = 0.0  # a spread of 0.04: left alone
    X[:, 1] += 1e6
    moved, offsets = without_offsets(sp.csc_array(X), True)
    assert offsets[0] == 0.0 and offsets[1] > 1e6
    np.testing.assert_allclose(moved.toarray() + offsets, X, rtol=1e-15)
    X = np.full((20_000, 1), 3.0)
    X[1] = 0.0
    moved, offsets = without_offsets(sp.csc_array(X), True)
    assert offsets[0] != 0.0 and moved.nnz == 20_000
    np.testing.assert_allclose(moved.toarray() + offsets, X, atol=1e-15)


def test_nothing_is_copied_where_nothing_is_far():
    X = sp.csc_array(np.random.default_rng(0).normal(size=(50, 3)) + 2.0)
    assert without_offsets(X, True) == (X, None)
    far = sp.csc_array(X.toarray() + 1e6)
    assert without_offsets(far, False) == (far, None)
    dense = far.toarray()
    assert without_offsets(dense, True)[0] is dense


@pytest.mark.parametrize("kind", [NUMBERS, CLASSES])
def test_paths_agree(kind):
    X, y = data(kind)
    X += 0.1
    shifted = sp.csc_array(X + 1e6)
    if kind == CLASSES:
        near = logistic_path(X, y, Cs=[0.1, 1.0], tol=1e-10)
        far = logistic_path(shifted, y, Cs=[0.1, 1.0], tol=1e-10)
        np.testing.assert_allclose(far.coefs, near.coefs, atol=1e-5)
        expected = near.intercepts - 1e6 * near.coefs.sum(axis=-1)
        np.testing.assert_allclose(far.intercepts, expected, rtol=1e-5)
        return
    settings = {"alphas": [0.1, 0.01], "fit_intercept": True, "tol": 1e-10}
    near = enet_path(X, y, **settings)[1]
    np.testing.assert_allclose(enet_path(shifted, y, **settings)[1], near, atol=1e-6)
    assert lambda_max(shifted, y) == pytest.approx(lambda_max(X, y), rel=1e-9)
