"""GroupLogisticRegression against plain-numpy gaps, its special cases and bad input."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning

from bcd import GroupLogisticRegression, LogisticRegression
from experiments.certificates import group_logistic_gap


def problem(n, sizes, seed, sparse=False):
    rng = np.random.default_rng(seed)
    p = sum(sizes)
    X = rng.standard_normal((n, p)) * np.exp(0.5 * rng.standard_normal(p)) + rng.standard_normal(p)
    if sparse:
        X *= rng.random((n, p)) < 0.4
    score = X[:, : sizes[0]] @ rng.standard_normal(sizes[0]) + rng.logistic(size=n)
    y = (score > np.median(score)).astype(int)
    y[:2] = 0, 1
    ends = np.cumsum(sizes)
    return X, y, [list(range(b - s, b)) for s, b in zip(sizes, ends, strict=True)]


@settings(max_examples=40)
@given(
    st.integers(6, 40),
    st.lists(st.integers(1, 5), min_size=1, max_size=8),
    st.integers(0, 10_000),
    st.sampled_from([0.05, 1.0, 20.0]),
    st.sampled_from([0.0, 0.5, 1.0]),
    st.booleans(),
    st.booleans(),
    st.sampled_from(["C", "F", "csc", "csr"]),
)
def test_solution_is_certified_by_plain_numpy(
    n, sizes, seed, C, l1_ratio, intercept, positive, kind
):
    X, y, groups = problem(n, sizes, seed, sparse=kind.startswith("cs"))
    given_X = {"C": X, "F": np.asfortranarray(X)}.get(kind)
    given_X = sp.csc_array(X).asformat(kind) if given_X is None else given_X
    model = GroupLogisticRegression(
        C, l1_ratio=l1_ratio, groups=groups, fit_intercept=intercept, positive=positive, tol=1e-9
    )
    model.fit(given_X, y)
    coef, factors = model.coef_[0], np.sqrt(sizes)
    _, gap = group_logistic_gap(
        X, y, coef, model.intercept_[0], C, l1_ratio, groups, factors, positive
    )
    unit = n * np.log(2.0)
    assert gap <= 2e-9 * unit
    assert 0 <= model.dual_gap_ <= 1e-9 * unit
    assert not positive or (coef >= 0.0).all()


@pytest.mark.parametrize("kind", ["dense", "sparse"])
def test_optimality_conditions_hold_group_by_group(kind):
    X, y, groups = problem(80, (3, 3, 3, 3), 1, sparse=kind == "sparse")
    wrap = sp.csc_array if kind == "sparse" else np.asarray
    model = GroupLogisticRegression(C=0.2, groups=3, tol=1e-13).fit(wrap(X), y)
    pull = X.T @ (y - model.predict_proba(X)[:, 1])
    weight = np.sqrt(3.0) / 0.2
    active = 0
    for group in groups:
        w = model.coef_[0, group]
        if w.any():
            np.testing.assert_allclose(pull[group], weight * w / np.linalg.norm(w), rtol=1e-5)
            active += 1
        else:
            assert np.linalg.norm(pull[group]) <= weight * (1 + 1e-9)
    assert 0 < active < 4
    assert abs((y - model.predict_proba(X)[:, 1]).sum()) <= 1e-8


@pytest.mark.parametrize("C", [0.05, 1.0])
def test_groups_of_one_and_the_l1_end_are_l1_logistic_regression(C):
    X, y, _ = problem(60, (4, 4), 2)
    expected = LogisticRegression(C=C, l1_ratio=1.0, tol=1e-13).fit(X, y)
    for settings_ in ({"groups": 1}, {"groups": 4, "l1_ratio": 1.0}):
        model = GroupLogisticRegression(C, tol=1e-13, **settings_).fit(X, y)
        np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(model.intercept_, expected.intercept_, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("kind", ["dense", "sparse"])
def test_weights_count_as_repeats_and_classes_can_be_balanced(kind):
    X, y, groups = problem(50, (3, 2, 3), 3, sparse=kind == "sparse")
    wrap = sp.csc_array if kind == "sparse" else np.asarray
    weights = np.random.default_rng(0).integers(0, 4, size=50)
    repeated = np.repeat(np.arange(50), weights)
    for balance in (None, "balanced"):
        model = GroupLogisticRegression(groups=groups, tol=1e-12, class_weight=balance)
        weighted = clone(model).fit(wrap(X), y, sample_weight=weights)
        plain = clone(model).fit(X[repeated], y[repeated])
        np.testing.assert_allclose(weighted.coef_, plain.coef_, rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(weighted.intercept_, plain.intercept_, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("seed", range(10))
def test_awkward_columns_are_right(seed):
    X, y, _ = problem(40, (6,), seed)
    X = np.column_stack([X, X[:, 0], -X[:, 1], np.zeros(40), np.full(40, 3.0), X[:, 2] * 1e-4])
    X = np.column_stack([X, X[:, 3] * 1e5])
    for C in (0.1, 10.0):
        model = GroupLogisticRegression(C, groups=3, tol=1e-8).fit(X, y)
        groups = np.arange(12).reshape(4, 3).tolist()
        _, gap = group_logistic_gap(
            X, y, model.coef_[0], model.intercept_[0], C, 0.0, groups, np.full(4, 3.0**0.5)
        )
        assert gap <= 2e-8 * 40


def test_data_forms_warm_start_pickling_and_callback(tmp_path):
    X, y, _ = problem(60, (5,) * 8, 4, sparse=True)
    model = GroupLogisticRegression(C=0.2, groups=5, tol=1e-12)
    expected = clone(model).fit(X, y).coef_
    np.save(tmp_path / "X.npy", X)
    wide = sp.csc_array(X)
    wide.indices, wide.indptr = wide.indices.astype(np.int64), wide.indptr.astype(np.int64)
    for given_X in (np.load(tmp_path / "X.npy", mmap_mode="r"), wide, sp.csr_matrix(X)):
        np.testing.assert_allclose(clone(model).fit(given_X, y).coef_, expected, atol=1e-6)
    single = GroupLogisticRegression(C=0.2, groups=5, tol=1e-6).fit(X.astype(np.float32), y)
    assert single.coef_.dtype == single.intercept_.dtype == np.float32
    warm = GroupLogisticRegression(C=0.2, groups=5, tol=1e-10, warm_start=True).fit(X, y)
    cold = warm.n_iter_
    assert warm.fit(X, y).n_iter_ < cold
    again = pickle.loads(pickle.dumps(warm))
    np.testing.assert_array_equal(again.predict_proba(X), warm.predict_proba(X))
    seen = []
    with pytest.warns(ConvergenceWarning, match="callback"):
        stop = GroupLogisticRegression(
            C=0.2, groups=5, tol=0.0, callback=lambda step: seen.append(step.gap) or True
        )
        stop.fit(X, y)
    assert len(seen) == stop.n_iter_ == 1


def test_bad_input_is_refused_by_name():
    X, y, _ = problem(20, (2, 2), 0)
    with pytest.raises(ValueError, match=r"y must hold two classes.* is multiclass"):
        GroupLogisticRegression(groups=2).fit(*load_iris(return_X_y=True))
    with pytest.raises(ValueError, match="only one class"):
        GroupLogisticRegression(groups=2).fit(X, np.zeros(20, dtype=int))
    with pytest.raises(ValueError, match="C must be above 0, got -1"):
        GroupLogisticRegression(C=-1).fit(X, y)
    with pytest.raises(ValueError, match="groups must not overlap, got feature 1 in 2 places"):
        GroupLogisticRegression(groups=[[0, 1], [1, 2, 3]]).fit(X, y)
    with pytest.raises(ValueError, match="groups must cover every feature, got feature 3 in none"):
        GroupLogisticRegression(groups=[[0, 1], [2]]).fit(X, y)
    with pytest.raises(ValueError, match="nan in row 1, column 1"):
        GroupLogisticRegression().fit(np.where(X == X[1, 1], np.nan, X), y)
    with pytest.raises(ValueError, match="sum above zero, got zeros only"):
        GroupLogisticRegression().fit(X, y, sample_weight=np.zeros(20))
