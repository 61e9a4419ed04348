"""GroupLasso and SparseGroupLasso against plain-numpy gaps, optimality conditions and cvxpy."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from bcd import GroupLasso, Lasso, SparseGroupLasso
from bcd._group_kernels import dual_norm, solve_block_exactly
from bcd.group_structure import read_groups
from experiments.certificates import group_gap


def problem(n, sizes, seed, sparse=False):
    """Random data with columns of different scales, and a partition that is not contiguous."""
    rng = np.random.default_rng(seed)
    p = sum(sizes)
    X = rng.standard_normal((n, p)) * np.exp(0.5 * rng.standard_normal(p)) + rng.standard_normal(p)
    if sparse:
        X *= rng.random((n, p)) < 0.3
    ends = np.cumsum(sizes)
    order = rng.permutation(p)
    groups = [order[b - s : b].tolist() for s, b in zip(sizes, ends, strict=True)]
    y = X[:, groups[0]].sum(axis=1) + rng.standard_normal(n) + 2.0
    return X, y, groups


def violation(X, y, coef, alpha, l1_ratio, groups, factors, centered, positive):
    """Largest entry of the minimum-norm subgradient, from the definition."""
    target = y - y.mean() if centered else y
    A = X - X.mean(axis=0) if centered else X
    c = A.T @ (target - A @ coef) / len(y)
    worst = 0.0
    for group, factor in zip(groups, factors, strict=True):
        w, h = coef[group], c[group]
        l1, weight = alpha * l1_ratio, alpha * (1 - l1_ratio) * factor
        soft = np.sign(h) * np.maximum(np.abs(h) - l1, 0)
        if positive:
            soft = np.maximum(h - l1, 0)
        if not w.any():
            worst = max(worst, np.linalg.norm(soft) - weight)
        else:
            smooth = h - l1 * np.sign(w) - weight * w / np.linalg.norm(w)
            worst = max(worst, np.abs(np.where(w != 0, smooth, soft)).max())
    return worst


@settings(max_examples=40)
@given(
    st.integers(3, 30),
    st.lists(st.integers(1, 5), min_size=1, max_size=8),
    st.integers(0, 10_000),
    st.sampled_from([0.9, 0.3, 0.05, 0.003]),
    st.sampled_from([0.0, 0.0, 0.3, 0.8, 1.0]),
    st.booleans(),
    st.booleans(),
    st.sampled_from(["C", "F", "csc", "csr"]),
)
def test_solution_is_certified_and_optimal(
    n, sizes, seed, ratio, l1_ratio, intercept, positive, kind
):
    X, y, groups = problem(n, sizes, seed, sparse=kind.startswith("cs"))
    target = y - y.mean() if intercept else y
    A = X - X.mean(axis=0) if intercept else X
    alpha = max(ratio * np.abs(A.T @ target).max() / n, 1e-3)
    factors = np.sqrt([len(group) for group in groups])
    model = SparseGroupLasso(
        alpha=alpha,
        l1_ratio=l1_ratio,
        groups=groups,
        fit_intercept=intercept,
        positive=positive,
        tol=1e-11,
    )
    given_X = {"C": X, "F": np.asfortranarray(X)}.get(kind)
    model.fit(sp.csc_array(X).asformat(kind) if given_X is None else given_X, y)
    setting = (alpha, l1_ratio, groups, factors, intercept, positive)
    objective, gap = group_gap(X, y, model.coef_, *setting)
    scale = (target @ target) / n
    assert gap <= 1.01e-11 * scale + 1e-14 * objective
    assert 0 <= model.dual_gap_ <= 1e-11 * scale
    largest = np.sqrt((A**2).sum(axis=0).max() / n)
    assert violation(X, y, model.coef_, *setting) <= 1e-4 * (alpha + largest * np.sqrt(scale))
    if positive:
        assert (model.coef_ >= 0).all()
    if intercept:
        assert model.intercept_ == pytest.approx(np.mean(y - X @ model.coef_), rel=1e-8, abs=1e-8)


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("l1_ratio", [0.0, 0.4])
def test_agrees_with_a_general_convex_solver(l1_ratio, positive):
    cvxpy = pytest.importorskip("cvxpy")
    X, y, groups = problem(30, (3, 4, 2, 1, 5), 1)
    alpha = 0.3
    w, c = cvxpy.Variable(15), cvxpy.Variable()
    penalty = sum(np.sqrt(len(group)) * cvxpy.norm(w[group]) for group in groups)
    objective = cvxpy.sum_squares(y - X @ w - c) / 60 + alpha * (
        l1_ratio * cvxpy.norm1(w) + (1 - l1_ratio) * penalty
    )
    problem_ = cvxpy.Problem(cvxpy.Minimize(objective), [w >= 0] if positive else [])
    problem_.solve(solver="CLARABEL")
    model = SparseGroupLasso(
        alpha=alpha, l1_ratio=l1_ratio, groups=groups, positive=positive, tol=1e-13
    ).fit(X, y)
    np.testing.assert_allclose(model.coef_, w.value, atol=2e-4)


def test_groups_of_one_feature_are_the_lasso():
    X, y, _ = problem(40, (20,), 3)
    expected = Lasso(alpha=0.2, tol=1e-13).fit(X, y).coef_
    for model in (GroupLasso(0.2, tol=1e-13), SparseGroupLasso(0.2, groups=4, l1_ratio=1.0)):
        model.set_params(tol=1e-13).fit(X, y)
        np.testing.assert_allclose(model.coef_, expected, atol=1e-7)


@settings(max_examples=40)
@given(
    st.integers(1, 8),
    st.integers(0, 10_000),
    st.floats(0.0, 2.0),
    st.floats(0.01, 2.0),
    st.booleans(),
)
def test_dual_norm_is_where_the_soft_threshold_meets_the_weight(m, seed, l1, weight, positive):
    c = np.random.default_rng(seed).standard_normal(m) * 3
    nu = dual_norm(c, np.full(m, l1), weight, positive)
    kept = np.maximum((c if positive else np.abs(c)) - nu * l1, 0)
    assert np.linalg.norm(kept) == pytest.approx(nu * weight, rel=1e-9, abs=1e-12)


@settings(max_examples=40)
@given(st.integers(1, 8), st.integers(1, 10), st.integers(0, 10_000), st.floats(0.0, 3.0))
def test_block_update_is_exact(m, n, seed, weight):
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((n, m))
    c = A.T @ rng.standard_normal(n)
    B = A.T @ A
    values, vectors = np.linalg.eigh(B)
    out = np.empty(m)
    solve_block_exactly(c, vectors, np.maximum(values, 0.0), weight, out)
    if not out.any():
        assert np.linalg.norm(c) <= weight + 1e-12
    else:
        np.testing.assert_allclose(B @ out + weight * out / np.linalg.norm(out), c, atol=1e-6)


def test_awkward_columns_are_right():
    X, y, _ = problem(30, (6,), 7)
    X = np.column_stack([X, X[:, 0], -X[:, 1], np.zeros(30), np.full(30, 3.0), X[:, 2] * 1e-4])
    X = np.column_stack([X, X[:, 3] * 1e8, X[:, 4] * 1e8, np.zeros((30, 2))])
    sizes = [2, 3, 3, 1, 1, 1, 2, 2]
    groups = [list(range(b - s, b)) for s, b in zip(sizes, np.cumsum(sizes), strict=True)]
    for alpha in (0.3, 1e-3):
        model = GroupLasso(alpha=alpha, groups=sizes, tol=1e-10).fit(X, y)
        _, gap = group_gap(X, y, model.coef_, alpha, 0.0, groups, np.sqrt(sizes), True, False)
        assert gap <= 2e-10 * np.var(y)
        assert not model.coef_[[8, 9, 13, 14]].any()


def test_support_may_exceed_the_samples():
    X, y, _ = problem(8, (300,), 4)
    model = GroupLasso(alpha=1e-3, groups=10, tol=1e-10).fit(X, y)
    groups = np.arange(300).reshape(30, 10).tolist()
    _, gap = group_gap(X, y, model.coef_, 1e-3, 0.0, groups, np.full(30, 10**0.5), True, False)
    assert gap <= 1.01e-10 * np.var(y)
    assert np.count_nonzero(model.coef_) > 8


@pytest.mark.parametrize("kind", ["dense", "sparse"])
def test_sample_weight_counts_as_repeats(kind):
    X, y, groups = problem(20, (3, 3, 2), 5, sparse=kind == "sparse")
    weights = np.random.default_rng(0).integers(0, 4, size=20)
    repeated = np.repeat(np.arange(20), weights)
    wrap = sp.csc_array if kind == "sparse" else np.asarray
    model = GroupLasso(alpha=0.05, groups=groups, tol=1e-13)
    weighted = clone(model).fit(wrap(X), y, sample_weight=weights)
    plain = clone(model).fit(X[repeated], y[repeated])
    np.testing.assert_allclose(weighted.coef_, plain.coef_, rtol=1e-6, atol=1e-8)
    assert weighted.intercept_ == pytest.approx(plain.intercept_)


def test_float32_memory_maps_and_wide_indices_are_taken(tmp_path):
    X, y, groups = problem(40, (4, 4, 4), 2, sparse=True)
    model = GroupLasso(alpha=0.1, groups=groups, tol=1e-12)
    expected = clone(model).fit(X, y).coef_
    single = clone(model).set_params(tol=1e-6).fit(X.astype(np.float32), y)
    assert single.coef_.dtype == np.float32
    np.testing.assert_allclose(single.coef_, expected, atol=1e-3)
    np.save(tmp_path / "X.npy", X)
    wide = sp.csc_array(X)
    wide.indices, wide.indptr = wide.indices.astype(np.int64), wide.indptr.astype(np.int64)
    for given_X in (np.load(tmp_path / "X.npy", mmap_mode="r"), wide, sp.csr_matrix(X)):
        np.testing.assert_allclose(clone(model).fit(given_X, y).coef_, expected, atol=1e-8)


def test_alpha_zero_is_least_squares():
    X, y, groups = problem(30, (3, 3), 11)
    centered = X - X.mean(axis=0)
    expected = np.linalg.lstsq(centered, y - y.mean())[0]
    model = GroupLasso(alpha=0.0, groups=groups, tol=1e-12).fit(X, y)
    np.testing.assert_allclose(model.coef_, expected, rtol=1e-6)


def test_warm_start_begins_at_the_last_solution_and_the_model_pickles():
    X, y, _ = problem(60, (300,), 9)
    model = GroupLasso(alpha=0.05, groups=5, tol=1e-10, warm_start=True).fit(X, y)
    cold, coef = model.n_iter_, model.coef_
    model.fit(X, y)
    assert model.n_iter_ < cold
    np.testing.assert_allclose(model.coef_, coef, atol=1e-5)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    np.testing.assert_array_equal(model.sparse_coef_.toarray()[0], model.coef_)


def test_running_out_of_iterations_warns_with_the_gap_and_the_tolerance():
    X, y, _ = problem(50, (200,), 1)
    with pytest.warns(ConvergenceWarning, match=r"duality gap .*, tolerance .*max_iter"):
        model = GroupLasso(alpha=0.01, groups=5, tol=1e-12, max_iter=1).fit(X, y)
    groups = np.arange(200).reshape(40, 5).tolist()
    _, gap = group_gap(X, y, model.coef_, 0.01, 0.0, groups, np.full(40, 5**0.5), True, False)
    assert model.dual_gap_ == pytest.approx(gap, rel=1e-3)


@pytest.mark.parametrize(
    ("groups", "error", "message"),
    [
        (0, ValueError, "groups must be a size that divides n_features=4, got 0"),
        (3, ValueError, "groups must be a size that divides n_features=4, got 3"),
        ("ab", TypeError, "groups must be an int or a list, got 'ab'"),
        (2.0, TypeError, "groups must be an int or a list, got 2.0"),
        ([], ValueError, "groups must hold at least one group"),
        ([2, 3], ValueError, "sizes that add up to n_features=4, got 5"),
        ([4, 0], ValueError, "sizes of at least 1, got 0 at group 1"),
        ([[0, 1], [1, 2, 3]], ValueError, "groups must not overlap, got feature 1 in 2 places"),
        ([[0, 1], [3]], ValueError, "groups must cover every feature, got feature 2 in none"),
        ([[0, 1], [2, 4]], ValueError, "features from 0 to 3, got 2 to 4 at group 1"),
        ([[0, 1], []], TypeError, r"lists of feature indices, at least one each, got \[\]"),
    ],
)
def test_bad_groups_are_refused(groups, error, message):
    with pytest.raises(error, match=message):
        read_groups(groups, 4)
    with pytest.raises(error, match=message):
        GroupLasso(groups=groups).fit(np.eye(4), np.arange(4.0))


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"weights": [1.0]}, ValueError, r"weights must be one a group, of shape \(2,\)"),
        ({"weights": [1.0, -1.0]}, ValueError, "finite and not negative, got -1.0 at group 1"),
        ({"weights": [np.nan, 1.0]}, ValueError, "finite and not negative, got nan at group 0"),
        ({"weights": [0.0, 0.0]}, ValueError, "weights must have an entry above zero"),
        ({"penalty_factor": [1.0] * 3}, ValueError, r"penalty_factor.shape must be \(4,\)"),
        ({"penalty_factor": [1, 1, -1, 1]}, ValueError, r"not negative, got -1.0 at feature 2"),
        (
            {"weights": [0, 1], "penalty_factor": [1, 0, 0, 1], "positive": True},
            ValueError,
            "where positive=True, got feature 1 without a penalty",
        ),
        ({"alpha": -1.0}, ValueError, "alpha must be at least 0, got -1.0"),
        ({"l1_ratio": 2}, ValueError, "l1_ratio must be at least 0 and at most 1, got 2"),
        ({"max_iter": 0}, ValueError, "max_iter must be an integer of at least 1, got 0"),
        ({"positive": 1}, TypeError, "positive must be True or False, got 1"),
    ],
)
def test_bad_parameters_are_refused_by_name(parameters, error, message):
    with pytest.raises(error, match=message):
        SparseGroupLasso(groups=2, **parameters).fit(np.eye(4), np.arange(4.0))


@pytest.mark.parametrize("fraction", [20, 1000])
def test_real_data_are_certified_to_nine_digits(shared_data, fraction):
    with np.load(shared_data / "linear" / "colon.npz") as data:
        X, y = data["X"], data["y"].astype(float)
    y = y - y.mean()
    groups = np.arange(2000).reshape(200, 10)
    norms = np.linalg.norm((X.T @ y)[groups], axis=1)
    alpha = norms.max() / len(y) / np.sqrt(10) / fraction
    model = GroupLasso(alpha=alpha, groups=10, fit_intercept=False, tol=1e-9).fit(X, y)
    setting = (alpha, 0.0, groups.tolist(), np.full(200, np.sqrt(10)), False, False)
    assert group_gap(X, y, model.coef_, *setting)[1] <= 1.001e-9 * (y @ y) / len(y)
