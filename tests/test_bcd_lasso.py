"""Lasso and ElasticNet against scikit-learn, plain-numpy certificates and optimality conditions."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn.linear_model
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.datasets import load_diabetes, make_regression
from sklearn.exceptions import ConvergenceWarning

from bcd import ElasticNet, Lasso
from bcd.design import SparseDesign
from experiments.certificates import lasso_gap


def problem(n, p, seed, sparse=False):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) * np.exp(rng.standard_normal(p)) + rng.standard_normal(p)
    if sparse:
        X *= rng.random((n, p)) < 0.3
    y = X[:, : min(3, p)].sum(axis=1) + rng.standard_normal(n) + 2.0
    return X, y


def objective(X, y, model, weights=None):
    weights = np.ones(len(y)) if weights is None else weights
    fit = np.average((y - X @ model.coef_ - model.intercept_) ** 2, weights=weights) / 2
    l1 = np.abs(model.coef_).sum()
    ratio = model.l1_ratio
    return fit + model.alpha * (ratio * l1 + (1 - ratio) / 2 * model.coef_ @ model.coef_)


@settings(max_examples=60)
@given(
    st.integers(3, 30),
    st.integers(1, 40),
    st.integers(0, 10_000),
    st.sampled_from([0.9, 0.3, 0.05, 0.002]),
    st.sampled_from([1.0, 0.7, 0.2]),
    st.booleans(),
    st.booleans(),
    st.sampled_from(["C", "F", "csc", "csr"]),
)
def test_solution_is_certified_and_optimal(n, p, seed, ratio, l1_ratio, intercept, positive, kind):
    X, y = problem(n, p, seed, sparse=kind.startswith("cs"))
    target = y - y.mean() if intercept else y
    centered = X - X.mean(axis=0) if intercept else X
    alpha = max(ratio * np.abs(centered.T @ target).max() / n / l1_ratio, 1e-3)
    model = ElasticNet(
        alpha=alpha, l1_ratio=l1_ratio, fit_intercept=intercept, positive=positive, tol=1e-11
    )
    given_X = {"C": X, "F": np.asfortranarray(X)}.get(kind)
    model.fit(sp.csc_array(X).asformat(kind) if given_X is None else given_X, y)
    w = model.coef_
    correlation = centered.T @ (target - centered @ w) / n - alpha * (1 - l1_ratio) * w
    size = 1e-5 * alpha + 1e-5 * np.sqrt((target @ target) / n * (centered**2).sum(axis=0) / n)
    assert (np.abs(correlation - alpha * l1_ratio * np.sign(w))[w != 0] <= size[w != 0]).all()
    pushing = correlation if positive else np.abs(correlation)
    assert (pushing <= alpha * l1_ratio + size).all()
    if positive:
        assert (w >= 0).all()
    else:
        found, gap = lasso_gap(X, y, w, alpha, l1_ratio, centered=intercept)
        assert found == pytest.approx(objective(X, y, model), rel=1e-9)
        assert gap <= 1.01e-11 * (target @ target) / n + 1e-14 * found
    if intercept:
        assert model.intercept_ == pytest.approx(np.mean(y - X @ w), rel=1e-8, abs=1e-8)
    assert 0 <= model.dual_gap_ <= 1e-11 * (target @ target) / n


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("fraction", [5, 100, 1000])
def test_agrees_with_scikit_learn_at_tight_tolerance(fraction, positive):
    X, y = problem(60, 25, 3)
    alpha = np.abs((X - X.mean(axis=0)).T @ (y - y.mean())).max() / 60 / fraction
    settings_ = {"alpha": alpha, "positive": positive}
    ours = Lasso(tol=1e-14, **settings_).fit(X, y)
    theirs = sklearn.linear_model.Lasso(tol=1e-14, max_iter=10**6, **settings_).fit(X, y)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), rtol=1e-7)
    np.testing.assert_array_equal(ours.coef_ == 0, theirs.coef_ == 0)


def test_dual_gap_is_what_plain_numpy_says_even_when_stopped_early():
    X, y = problem(50, 200, 1)
    with pytest.warns(ConvergenceWarning, match=r"duality gap .*, tolerance .*max_iter"):
        model = Lasso(alpha=0.01, tol=1e-12, max_iter=1).fit(X, y)
    best = objective(X, y, Lasso(alpha=0.01, tol=1e-13).fit(X, y))
    _, gap = lasso_gap(X, y, model.coef_, 0.01, centered=True)
    assert model.dual_gap_ == pytest.approx(gap, rel=1e-3)
    assert model.dual_gap_ >= objective(X, y, model) - best > 0


@pytest.mark.parametrize("kind", ["dense", "sparse"])
def test_sample_weight_counts_as_repeats(kind):
    X, y = problem(20, 8, 5, sparse=kind == "sparse")
    weights = np.random.default_rng(0).integers(0, 4, size=20)
    repeated = np.repeat(np.arange(20), weights)
    wrap = sp.csc_array if kind == "sparse" else np.asarray
    before = X.copy()
    weighted = Lasso(alpha=0.05, tol=1e-13).fit(wrap(X), y, sample_weight=weights)
    plain = Lasso(alpha=0.05, tol=1e-13).fit(X[repeated], y[repeated])
    np.testing.assert_allclose(weighted.coef_, plain.coef_, rtol=1e-7, atol=1e-9)
    assert weighted.intercept_ == pytest.approx(plain.intercept_)
    np.testing.assert_array_equal(X, before)


@pytest.mark.parametrize("kind", ["C", "F", "csc", "csr"])
def test_float32_stays_float32_and_is_certified(kind):
    X, y = problem(40, 60, 2, sparse=True)
    X = X.astype(np.float32)
    single = sp.csc_array(X).asformat(kind) if kind.startswith("cs") else np.array(X, order=kind)
    model = Lasso(alpha=0.1, tol=1e-7).fit(single, y)
    assert model.coef_.dtype == np.float32
    double = Lasso(alpha=0.1, tol=1e-12).fit(X.astype(float), y)
    np.testing.assert_allclose(model.coef_, double.coef_, atol=1e-4)
    assert model.predict(single).dtype == np.float32


@pytest.mark.parametrize("l1_ratio", [1.0, 0.5, 0.0])
def test_awkward_columns_are_right(l1_ratio):
    X, y = problem(30, 6, 7)
    X = np.column_stack([X, X[:, 0], -X[:, 1], np.zeros(30), np.full(30, 3.0), X[:, 2] * 1e-8])
    X = np.column_stack([X, X[:, 3] * 1e8, X[:, :2].sum(axis=1)])
    for alpha in (0.3, 1e-3):
        model = ElasticNet(alpha=alpha, l1_ratio=l1_ratio, tol=1e-10).fit(X, y)
        if l1_ratio:
            _, gap = lasso_gap(X, y, model.coef_, alpha, l1_ratio, centered=True)
            assert gap <= 1e-8 * np.var(y)  # a column of length 1e9 rounds its correlation
        assert model.coef_[8] == 0 and model.coef_[9] == 0
        assert np.isfinite(model.coef_).all()


@pytest.mark.parametrize("kind", ["dense", "sparse"])
@pytest.mark.parametrize("shape", [(30, 10), (10, 30)])
def test_alpha_zero_is_least_squares_and_l1_ratio_zero_is_ridge(kind, shape):
    X, y = problem(*shape, seed=11, sparse=kind == "sparse")
    wrap = sp.csr_array if kind == "sparse" else np.asarray
    ordinary = Lasso(alpha=0.0, tol=1e-12).fit(wrap(X), y)
    np.testing.assert_allclose(
        ordinary.predict(X), sklearn.linear_model.LinearRegression().fit(X, y).predict(X), rtol=1e-6
    )
    assert 0 <= ordinary.dual_gap_ <= 1e-12 * np.var(y)
    ridge = ElasticNet(alpha=0.1, l1_ratio=0.0, tol=1e-13).fit(wrap(X), y)
    expected = sklearn.linear_model.Ridge(alpha=0.1 * len(y)).fit(X, y)
    np.testing.assert_allclose(ridge.coef_, expected.coef_, rtol=1e-5, atol=1e-8)
    assert 0 <= ridge.dual_gap_ <= 1e-13 * np.var(y)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("strength", [1.0, 1e-6, 1e-12])
@pytest.mark.parametrize("shape", [(60, 20), (20, 60)])
def test_ridge_on_dependent_columns_of_any_scale_is_certified(shape, strength, weighted):
    rng = np.random.default_rng(12)
    n, p = shape
    X = rng.standard_normal(shape)
    X[:, 3], X[:, 4], X[:, 5] = X[:, 0], 0.0, 1.0
    X *= 10.0 ** rng.integers(-4, 5, p)
    y = rng.standard_normal(n)
    weights = rng.integers(0, 3, n).astype(float) if weighted else np.ones(n)
    weights *= n / weights.sum()
    alpha = strength * float(np.mean(X**2))
    model = ElasticNet(alpha, l1_ratio=0.0, tol=1e-9)
    model.fit(X, y, sample_weight=weights if weighted else None)
    root = np.sqrt(weights)
    below = np.sqrt(n * alpha) * np.eye(p)
    A = np.vstack([root[:, None] * (X - weights @ X / n), below])
    b = root * (y - weights @ y / n)
    best = np.linalg.lstsq(A, np.append(b, np.zeros(p)), rcond=None)[0]
    found, least = (
        float(np.sum((np.append(b, np.zeros(p)) - A @ coef) ** 2)) for coef in (model.coef_, best)
    )
    assert found <= least + 2.1e-9 * float(b @ b)
    assert n * model.dual_gap_ <= 1e-9 * float(b @ b)


@pytest.mark.parametrize("n, p", [(60, 25), (25, 60)])
@pytest.mark.parametrize("tol", [1e-2, 1e-6, 1e-12])
@pytest.mark.parametrize("alpha", [1e-5, 0.1])
@pytest.mark.parametrize("weighted", [False, True])
def test_sparse_ridge_comes_as_near_the_minimum_as_it_says(n, p, tol, alpha, weighted):
    rng = np.random.default_rng(n)
    X = sp.random(n, p, 0.3, random_state=rng).toarray() * 10.0 ** rng.integers(-1, 2, p)
    X[:, 3] = 0.0
    y, weights = rng.standard_normal(n), rng.random(n) + 0.1 if weighted else np.ones(n)
    model = ElasticNet(alpha, l1_ratio=0.0, tol=tol)
    model.fit(sp.csc_array(X), y, sample_weight=weights if weighted else None)
    root = np.sqrt(weights * n / weights.sum())
    A, b = (root[:, None] * (X - np.average(X, axis=0, weights=weights)), y)
    b = root * (b - np.average(b, weights=weights))
    least = np.linalg.solve(A.T @ A + n * alpha * np.eye(p), A.T @ b)

    def value(coef):
        return 0.5 * (np.sum((b - A @ coef) ** 2) / n + alpha * coef @ coef)

    assert model.dual_gap_ <= tol * (b @ b) / n
    assert value(model.coef_) - value(least) <= model.dual_gap_ + 1e-14


def test_sparse_ridge_goes_no_further_than_asked(monkeypatch):
    rng = np.random.default_rng(5)
    X = sp.random(80, 300, 0.1, format="csc", random_state=rng)
    y, counts, correlate = X @ rng.standard_normal(300), [], SparseDesign.correlate

    def counted(design, *arguments):
        counts[-1] += 1
        return correlate(design, *arguments)

    monkeypatch.setattr(SparseDesign, "correlate", counted)
    for tol in (1e-2, 1e-10):
        counts.append(0)
        ElasticNet(1e-4, l1_ratio=0.0, tol=tol).fit(X, y)
    assert counts[0] < 0.7 * counts[1] < 50


def test_support_may_exceed_the_samples_and_samples_the_features():
    for shape in ((8, 300), (2000, 5)):
        X, y = problem(*shape, seed=4)
        model = ElasticNet(alpha=1e-3, l1_ratio=0.1, tol=1e-10).fit(X, y)
        _, gap = lasso_gap(X, y, model.coef_, 1e-3, 0.1, centered=True)
        assert gap <= 1.01e-10 * np.var(y)
    few = ElasticNet(alpha=1e-3, l1_ratio=0.1, tol=1e-10).fit(*problem(8, 300, 4))
    assert np.count_nonzero(few.coef_) > 8


def test_many_targets_are_problems_of_their_own():
    X, y = problem(30, 5, 0)
    both = Lasso(alpha=0.1, tol=1e-12).fit(X, np.column_stack([y, -2 * y]))
    assert both.coef_.shape == (2, 5) and both.intercept_.shape == (2,)
    for k, target in enumerate((y, -2 * y)):
        single = Lasso(alpha=0.1, tol=1e-12).fit(X, target)
        np.testing.assert_allclose(both.coef_[k], single.coef_, rtol=1e-9)
        assert both.predict(X)[:, k] == pytest.approx(single.predict(X))


def test_warm_start_begins_at_the_last_solution():
    X, y = problem(60, 300, 9)
    model = Lasso(alpha=0.02, tol=1e-10, warm_start=True).fit(X, y)
    cold, coef = model.n_iter_, model.coef_
    model.fit(X, y)
    assert model.n_iter_ < cold
    np.testing.assert_allclose(model.coef_, coef, atol=1e-6)


def test_sixty_four_bit_indices_read_only_memory_and_data_frames_are_taken(tmp_path):
    X, y = problem(30, 10, 6, sparse=True)
    expected = Lasso(alpha=0.05, tol=1e-12).fit(X, y).coef_
    wide = sp.csc_array(X)
    wide.indices, wide.indptr = wide.indices.astype(np.int64), wide.indptr.astype(np.int64)
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=[f"f{j}" for j in range(10)])
    for given_X in (wide, mapped, frame, X[::-1][::-1]):
        model = Lasso(alpha=0.05, tol=1e-12).fit(given_X, y)
        np.testing.assert_allclose(model.coef_, expected, atol=1e-9)
    assert Lasso().fit(frame, y).feature_names_in_.tolist() == list(frame.columns)


def test_unsorted_and_repeated_sparse_entries_are_read_and_left_alone():
    matrix = sp.csc_array(([1.0, 2.0, 3.0, 4.0], [1, 0, 0, 0], [0, 3, 4]), shape=(3, 2))
    model = Lasso(alpha=0.01, tol=1e-12).fit(matrix, [1.0, 2.0, 4.0])
    expected = Lasso(alpha=0.01, tol=1e-12).fit(matrix.toarray(), [1.0, 2.0, 4.0])
    np.testing.assert_allclose(model.coef_, expected.coef_, atol=1e-9)
    assert matrix.nnz == 4


def test_pickles_clones_and_reports_a_sparse_coefficient():
    X, y = load_diabetes(return_X_y=True)
    model = Lasso(alpha=0.1).fit(X, y)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.coef_, model.coef_)
    assert clone(model).get_params() == model.get_params()
    np.testing.assert_array_equal(model.sparse_coef_.toarray()[0], model.coef_)


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"alpha": -1.0}, ValueError, "alpha must be at least 0, got -1.0"),
        ({"alpha": np.nan}, ValueError, "alpha must be at least 0, got nan"),
        ({"alpha": "1"}, TypeError, "alpha must be a real number, got '1'"),
        ({"l1_ratio": 1.5}, ValueError, "l1_ratio must be at least 0 and at most 1, got 1.5"),
        ({"tol": -1e-3}, ValueError, "tol must be at least 0"),
        ({"max_iter": 0}, ValueError, "max_iter must be an integer of at least 1, got 0"),
        ({"positive": 1}, TypeError, "positive must be True or False, got 1"),
        ({"selection": "greedy"}, ValueError, "selection must be one of .*gs-q.*, got 'greedy'"),
    ],
)
def test_bad_parameters_are_refused_by_name(parameters, error, message):
    with pytest.raises(error, match=message):
        ElasticNet(**parameters).fit([[0.0], [1.0]], [0.0, 1.0])


X3, Y3 = np.arange(6.0).reshape(3, 2), np.arange(3.0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.where(X3 == 3, np.nan, X3), Y3), r"(?s)contains NaN.*nan in row 1, column 1"),
        ((np.where(X3 == 4, np.inf, X3), Y3), "inf in row 2, column 0"),
        ((sp.csr_array(np.where(X3 == 3, np.nan, X3)), Y3), "nan in row 1, column 1"),
        ((X3, [0.0, np.nan, 1.0]), "y contains NaN"),
        ((X3, [0.0, 1.0]), "inconsistent numbers of samples"),
        ((np.empty((0, 2)), np.empty(0)), "0 sample"),
        ((X3[:, :0], Y3), "0 feature"),
        ((Y3, Y3), "Expected 2D array"),
        ((X3, Y3, [1.0, -1.0, 1.0]), "sample_weight must not be negative, got -1.0 at sample 1"),
        ((X3, Y3, [0.0, 0.0, 0.0]), "sample_weight must have a sum above zero"),
        ((X3, Y3, [1.0, 1.0]), r"sample_weight.shape must be \(3,\).*got \(2,\)"),
        ((X3, Y3, [1.0, np.nan, 1.0]), "sample_weight contains NaN"),
    ],
)
def test_bad_data_are_refused_before_any_work(arguments, message):
    model = Lasso()
    with pytest.raises(ValueError, match=message):
        model.fit(*arguments)
    assert not hasattr(model, "coef_")


@pytest.mark.parametrize("name", ["colon", "leukemia", "news20_unigrams"])
def test_real_data_are_certified_to_nine_digits(shared_data, name):
    with np.load(shared_data / "linear" / f"{name}.npz") as data:
        if "X" in data:
            X, y = data["X"], data["y"].astype(float)
        else:
            parts = tuple(data[key] for key in ("data", "indices", "indptr"))
            X, y = sp.csc_array(parts, shape=data["shape"]), data["y"].astype(float)
    y = y - y.mean()
    alpha = np.abs(X.T @ y).max() / len(y) / 20
    model = Lasso(alpha=alpha, fit_intercept=False, tol=1e-9).fit(X, y)
    _, gap = lasso_gap(X, y, model.coef_, alpha)
    assert gap <= 1.001e-9 * (y @ y) / len(y)


def test_a_warm_start_for_another_number_of_targets_or_features_begins_anew():
    X, y = make_regression(n_samples=30, n_features=6, noise=1.0, random_state=0)
    model = Lasso(alpha=0.5, tol=1e-12, warm_start=True).fit(X, y)
    two = model.fit(X, np.c_[y, -y]).coef_
    np.testing.assert_allclose(two[0], -two[1], rtol=1e-9)
    fresh = Lasso(alpha=0.5, tol=1e-12).fit(X[:, :4], y)
    np.testing.assert_allclose(model.fit(X[:, :4], y).coef_, fresh.coef_, rtol=1e-9)


@pytest.mark.parametrize("weight", [-1.0, 0.0, np.nan])
def test_a_single_weight_for_all_samples_is_looked_at_too(weight):
    with pytest.raises(ValueError, match="sample_weight"):
        Lasso().fit([[0.0], [1.0]], [0.0, 1.0], sample_weight=weight)


def test_an_infinite_alpha_is_told_what_is_wrong():
    with pytest.raises(ValueError, match="alpha must be at least 0 and finite, got inf"):
        Lasso(alpha=np.inf).fit([[0.0], [1.0]], [0.0, 1.0])


@pytest.mark.parametrize("shape", [(24, 6), (6, 24)])
@pytest.mark.parametrize("intercept", [False, True])
def test_small_ridge_problems_are_solved_alike_sparse_and_dense(shape, intercept):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal(shape), rng.standard_normal(shape[0])
    settings = {"alpha": 1.0, "l1_ratio": 0.0, "fit_intercept": intercept, "tol": 1e-4}
    dense = ElasticNet(**settings).fit(X, y)
    sparse = ElasticNet(**settings).fit(sp.csc_array(X), y)
    np.testing.assert_allclose(sparse.coef_, dense.coef_, rtol=1e-9)
    np.testing.assert_allclose(sparse.intercept_, dense.intercept_, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("shape", [(780, 66), (2400, 90)])
def test_dependent_columns_without_a_penalty_share_what_one_of_them_would_have(shape):
    rng = np.random.default_rng(0)
    half = rng.standard_normal((shape[0], shape[1] // 2))
    y = half[:, :5].sum(axis=1) + rng.standard_normal(shape[0])
    model = Lasso(alpha=0.0).fit(np.hstack([half, half]), y)
    exact = np.linalg.lstsq(half - half.mean(axis=0), y - y.mean())[0]
    np.testing.assert_allclose(model.coef_, np.tile(exact / 2, 2), atol=1e-10)
