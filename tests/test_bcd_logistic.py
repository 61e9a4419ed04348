"""Logistic regression against scikit-learn, plain-numpy certificates and bad input."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn.linear_model
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.exceptions import ConvergenceWarning

from bcd import LogisticRegression
from bcd.design import make_design
from bcd.glm_block import DRIFT, make_block
from bcd.glm_scores import Scores
from experiments.certificates import logistic_gap
from problems.losses import LOGISTIC


def problem(n, p, seed, n_classes=2, sparse=False):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) + 0.5 * rng.standard_normal(p)
    if sparse:
        X *= rng.random((n, p)) < 0.4
    Z = X @ rng.standard_normal((p, n_classes)) / np.sqrt(p) + rng.gumbel(size=(n, n_classes))
    y = Z.argmax(axis=1)
    y[:n_classes] = np.arange(n_classes)
    return X, y


def test_a_kept_gram_matrix_follows_its_weights():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 12)) * (rng.random((60, 12)) < 0.4)
    block = make_block(make_design(sp.csc_array(X), np.empty(0)))
    block.append(np.array([7, 2, 5, 9, 0, 3], dtype=np.int32))
    W, h = X[:, block.columns], rng.random(60)
    for chosen in ([0, 1, 2, 4, 5], [1, 2, 4, 5], [0, 3], [0, 1, 2, 3, 4, 5]):
        kept = np.array(chosen)
        h = h * rng.uniform(0.5, 1.5, 60)
        exact = (W[:, kept].T * h) @ W[:, kept]
        near, used = block.nearly_gram(h, kept)
        assert (np.abs(used - h) <= DRIFT / (1 - DRIFT) * h).all()
        np.testing.assert_allclose(near, (W[:, kept].T * used) @ W[:, kept], atol=1e-12)
        np.testing.assert_allclose(block.gram(h, kept), exact, atol=1e-12)


@settings(max_examples=40)
@given(
    st.integers(8, 40),
    st.integers(1, 40),
    st.integers(2, 4),
    st.integers(0, 10_000),
    st.sampled_from([0.05, 1.0, 20.0]),
    st.sampled_from([1.0, 0.5, 0.0]),
    st.booleans(),
    st.sampled_from(["C", "F", "csc", "csr"]),
)
def test_solution_is_certified_by_plain_numpy(n, p, k, seed, C, l1_ratio, intercept, kind):
    X, y = problem(n, p, seed, k, sparse=kind.startswith("cs"))
    given_X = {"C": X, "F": np.asfortranarray(X)}.get(kind)
    given_X = sp.csc_array(X).asformat(kind) if given_X is None else given_X
    model = LogisticRegression(C=C, l1_ratio=l1_ratio, fit_intercept=intercept, tol=1e-9)
    model.fit(given_X, y)
    objective, gap = logistic_gap(X, y, model.coef_, model.intercept_, C, l1_ratio)
    unit = n * np.log(k)
    assert gap <= 2e-9 * unit
    assert 0 <= model.dual_gap_ <= 1e-9 * unit
    assert objective <= n * np.log(k) * (1 + 1e-12)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("l1_ratio", [0.0, 0.4, 1.0])
def test_agrees_with_scikit_learn_at_tight_tolerance(n_classes, l1_ratio):
    X, y = problem(60, 6, 1, n_classes)
    settings_ = {"C": 0.7, "l1_ratio": l1_ratio}
    ours = LogisticRegression(tol=1e-13, **settings_).fit(X, y)
    solver = "saga" if l1_ratio else "newton-cg"
    theirs = sklearn.linear_model.LogisticRegression(
        tol=1e-10, max_iter=100_000, solver=solver, random_state=0, **settings_
    ).fit(X, y)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-5)
    np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))


@pytest.mark.parametrize("n_classes", [2, 3])
def test_weights_count_as_repeats_and_classes_can_be_balanced(n_classes):
    X, y = problem(40, 5, 3, n_classes)
    weights = np.random.default_rng(0).integers(0, 4, size=40)
    repeated = np.repeat(np.arange(40), weights)
    for balance in (None, "balanced"):
        model = LogisticRegression(l1_ratio=1.0, tol=1e-12, class_weight=balance)
        weighted = clone(model).fit(X, y, sample_weight=weights)
        plain = clone(model).fit(X[repeated], y[repeated])
        np.testing.assert_allclose(weighted.coef_, plain.coef_, rtol=1e-6, atol=1e-7)
        np.testing.assert_allclose(weighted.intercept_, plain.intercept_, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_no_penalty_is_solved_and_certified(n_classes):
    X, y = problem(80, 3, 5, n_classes)
    model = LogisticRegression(C=np.inf, tol=1e-10).fit(X, y)
    _, gap = logistic_gap(X, y, model.coef_, model.intercept_, np.inf, 0.0)
    assert model.dual_gap_ <= 1e-10 * 80 * np.log(n_classes)
    assert gap <= 1e-6  # the largest slope: plain numpy has no gap without a penalty


def test_an_unpenalised_feature_is_certified_too():
    X, y = problem(60, 8, 2)
    factor = np.ones(8)
    factor[3] = 0.0
    model = LogisticRegression(C=0.02, l1_ratio=1.0, penalty_factor=factor, tol=1e-10).fit(X, y)
    p = model.predict_proba(X)[:, 1]
    gradient = X.T @ (p - y)
    assert abs(gradient[3]) <= 1e-6 * np.abs(gradient).max()
    assert model.coef_[0, 3] != 0
    assert (np.abs(gradient) <= (1 + 1e-6) * 50).all()


def test_separable_classes_without_penalty_are_reported_not_hidden():
    X, y = np.array([[0.0], [1.0], [2.0], [3.0]]), np.array([0, 0, 1, 1])
    with pytest.warns(ConvergenceWarning, match=r"duality gap .*, tolerance"):
        LogisticRegression(C=np.inf, tol=0.0, max_iter=3).fit(X, y)


def test_separable_sparse_and_dense_classes_agree():
    X, y = load_iris(return_X_y=True)
    dense = LogisticRegression(tol=1e-11).fit(X, y)
    for form in (sp.csr_array(X), sp.csc_matrix(X), np.asfortranarray(X)):
        again = LogisticRegression(tol=1e-11).fit(form, y)
        np.testing.assert_allclose(again.coef_, dense.coef_, atol=1e-6)


def test_float32_stays_and_memory_maps_are_read_in_place(tmp_path):
    X, y = problem(50, 10, 4)
    small = LogisticRegression(l1_ratio=1.0, tol=1e-6).fit(X.astype(np.float32), y)
    assert small.coef_.dtype == small.intercept_.dtype == np.float32
    np.save(tmp_path / "X.npy", X)
    expected = LogisticRegression(l1_ratio=1.0, tol=1e-12).fit(X, y).coef_
    wide = sp.csc_array(X)
    wide.indices, wide.indptr = wide.indices.astype(np.int64), wide.indptr.astype(np.int64)
    for given_X in (np.load(tmp_path / "X.npy", mmap_mode="r"), wide):
        model = LogisticRegression(l1_ratio=1.0, tol=1e-12).fit(given_X, y)
        np.testing.assert_allclose(model.coef_, expected, atol=1e-8)


def test_warm_start_pickle_and_labels():
    X, y = load_breast_cancer(return_X_y=True)
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    names = np.array(["benign", "malignant"])[y]
    model = LogisticRegression(l1_ratio=1.0, C=0.1, warm_start=True, tol=1e-9).fit(X, names)
    coef = model.coef_
    cold = model.n_iter_[0]
    model.fit(X, names)
    assert model.n_iter_[0] < cold
    np.testing.assert_allclose(model.coef_, coef, atol=1e-6)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    assert set(model.predict(X)) == {"benign", "malignant"}
    np.testing.assert_allclose(
        model.predict_log_proba(X), np.log(model.predict_proba(X)), rtol=1e-12
    )


def test_penalty_names_of_older_scikit_learn_warn_and_work():
    X, y = problem(40, 5, 6)
    with pytest.warns(FutureWarning, match="penalty is deprecated"):
        old = LogisticRegression(penalty="l1", tol=1e-10).fit(X, y)
    np.testing.assert_allclose(
        old.coef_, LogisticRegression(l1_ratio=1.0, tol=1e-10).fit(X, y).coef_
    )


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"C": 0.0}, ValueError, "C must be above 0, got 0.0"),
        ({"C": "1"}, TypeError, "C must be a real number, got '1'"),
        ({"C": np.nan}, ValueError, "C must be above 0, got nan"),
        ({"l1_ratio": 1.5}, ValueError, "l1_ratio must be at least 0 and at most 1, got 1.5"),
        ({"tol": -1.0}, ValueError, "tol must be at least 0"),
        ({"max_iter": 0}, ValueError, "max_iter must be an integer of at least 1"),
        ({"penalty": "l3"}, ValueError, "penalty must be one of .*got 'l3'"),
        ({"class_weight": "even"}, ValueError, "class_weight must be .*'even'"),
        ({"fit_intercept": "yes"}, TypeError, "fit_intercept must be True or False"),
        (
            {"penalty_factor": [1.0, -1.0]},
            ValueError,
            "penalty_factor must be finite and not negative",
        ),
        ({"penalty_factor": [1.0]}, ValueError, r"penalty_factor.shape must be \(2,\)"),
    ],
)
def test_bad_parameters_are_refused_by_name(parameters, error, message):
    with pytest.raises(error, match=message):
        LogisticRegression(**parameters).fit([[0.0, 1.0], [1.0, 0.0]], [0, 1])


X3, Y3 = np.arange(6.0).reshape(3, 2), np.array([0, 1, 1])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((X3, [1, 1, 1]), "only one class: np.int64\\(1\\)"),
        ((X3, [0.1, 0.2, 0.3]), "Unknown label type: continuous"),
        ((np.where(X3 == 3, np.nan, X3), Y3), r"(?s)contains NaN.*nan in row 1, column 1"),
        ((X3, [0, 1]), "inconsistent numbers of samples"),
        ((X3, Y3, [0.0, 0.0, 0.0]), "sample_weight must have a sum above zero"),
        ((X3, Y3, [1.0, -1.0, 1.0]), "sample_weight must not be negative, got -1.0 at sample 1"),
    ],
)
def test_bad_data_are_refused_before_any_work(arguments, message):
    model = LogisticRegression()
    with pytest.raises(ValueError, match=message):
        model.fit(*arguments)
    assert not hasattr(model, "coef_")


@pytest.mark.parametrize(
    ("seed", "n_classes", "C", "l1_ratio", "tol"),
    [(1, 2, 0.01, 0.5, 1e-4), (2, 2, 100.0, 1.0, 1e-7), (3, 3, 0.01, 0.5, 1e-7)]
    + [(seed, 3, 30.0, 0.5, 1e-7) for seed in range(4, 8)],
)
@pytest.mark.parametrize("kind", ["dense", "sparse"])
def test_scales_of_features_may_differ_by_1e8(seed, n_classes, C, l1_ratio, tol, kind):
    X, y = problem(50, 40, seed, n_classes)
    X = X * 10.0 ** np.random.default_rng(seed).integers(-4, 5, 40)
    given_X = sp.csc_array(X) if kind == "sparse" else X
    model = LogisticRegression(C=C, l1_ratio=l1_ratio, tol=tol).fit(given_X, y)
    _, gap = logistic_gap(X, y, model.coef_, model.intercept_, C, l1_ratio)
    assert gap <= 2 * tol * 50 * np.log(n_classes)


def test_an_intercept_far_from_zero_is_found():
    scores = Scores(LOGISTIC, 0.0, np.resize([1.0, -1.0], 40), np.ones(40), True)
    scores.set(np.full(40, 80.0))  # both halves' slopes are flat to the last digit
    moved = scores.center()
    assert abs(moved + 80.0) <= 1e-9
    assert abs(scores.slope.sum()) <= 1e-9
