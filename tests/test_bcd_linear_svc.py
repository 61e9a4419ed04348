"""LinearSVC against scikit-learn at tight tolerance and plain-numpy duality gaps."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn.svm
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_breast_cancer
from sklearn.exceptions import ConvergenceWarning

from bcd import LinearSVC
from bcd._svm_face_kernels import face_step
from bcd._svm_kernels import dual_epoch, line_minimum, rows_gram, smooth_slack, weighted_gram
from bcd.svm_linear import solve_linear_svm
from bcd.svm_newton import Subproblem
from bcd.svm_problem import LinearSVMProblem
from experiments.certificates import linear_svm_gap


def problem(n, p, seed, sparse=False):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) * np.exp(0.5 * rng.standard_normal(p)) + 0.3
    if sparse:
        X *= rng.random((n, p)) < 0.4
    y = np.where(X[:, 0] - 0.3 + 0.5 * rng.standard_normal(n) > 0, 1.0, -1.0)
    y[:2] = 1.0, -1.0
    return X, y


@settings(max_examples=40)
@given(
    st.integers(3, 40),
    st.integers(1, 30),
    st.integers(0, 10_000),
    st.sampled_from([0.01, 1.0, 100.0]),
    st.sampled_from(["hinge", "squared_hinge"]),
    st.booleans(),
    st.sampled_from(["C", "F", "csc", "csr"]),
)
def test_solution_is_certified(n, p, seed, C, loss, intercept, kind):
    X, y = problem(n, p, seed, sparse=kind.startswith("cs"))
    given_X = {"C": X, "F": np.asfortranarray(X)}.get(kind)
    given_X = sp.csc_array(X).asformat(kind) if given_X is None else given_X
    cost = np.full(n, C)
    data = np.column_stack([X, np.full(n, 2.0)]) if intercept else X
    problem_ = LinearSVMProblem(
        sp.csr_array(X) if kind.startswith("cs") else X,
        y,
        cost,
        2.0 if intercept else 0.0,
        loss == "squared_hinge",
    )
    result = solve_linear_svm(problem_, tol=1e-9 * n * C, max_iter=1000)
    w = result.x if intercept else result.x[:-1]
    _, gap = linear_svm_gap(data, y, w, result.alpha, cost, loss == "squared_hinge")
    assert gap == pytest.approx(result.gap, abs=1e-13 * n * C, rel=1e-3)
    assert gap <= 1.01e-9 * n * C
    assert (result.alpha >= 0).all() and (result.alpha <= problem_.upper).all()
    model = LinearSVC(loss=loss, C=C, fit_intercept=intercept, intercept_scaling=2.0, tol=1e-9).fit(
        given_X, y
    )
    np.testing.assert_array_equal(model.coef_[0], result.x[:-1])
    assert model.intercept_[0] == 2.0 * result.x[-1]


@pytest.mark.parametrize("loss", ["hinge", "squared_hinge"])
@pytest.mark.parametrize("C", [0.1, 10.0])
@pytest.mark.parametrize("kind", ["dense", "sparse"])
def test_agrees_with_scikit_learn_at_tight_tolerance(loss, C, kind):
    X, y = problem(80, 6, 3, sparse=kind == "sparse")
    wrap = sp.csr_array if kind == "sparse" else np.asarray
    parameters = {"loss": loss, "C": C, "intercept_scaling": 3.0, "class_weight": {1: 2.0}}
    ours = LinearSVC(tol=1e-13, **parameters).fit(wrap(X), y)
    theirs = sklearn.svm.LinearSVC(
        tol=1e-7, max_iter=10**6, dual=True, random_state=0, **parameters
    ).fit(wrap(X), y)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(
        ours.decision_function(X), theirs.decision_function(X), rtol=1e-3, atol=1e-3
    )


def test_many_classes_are_one_against_the_rest():
    X, y = problem(90, 5, 0)
    labels = np.array(["a", "b", "c"])[(y > 0).astype(int) + (X[:, 1] > 0.3)]
    ours = LinearSVC(tol=1e-12, class_weight="balanced").fit(X, labels)
    theirs = sklearn.svm.LinearSVC(tol=1e-7, max_iter=10**6, class_weight="balanced").fit(X, labels)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-3, atol=1e-4)
    np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))
    assert ours.dual_gap_.shape == (3,)


@pytest.mark.parametrize("loss", ["hinge", "squared_hinge"])
def test_sample_weight_counts_as_repeats(loss):
    X, y = problem(30, 4, 5)
    weights = np.random.default_rng(0).integers(0, 4, size=30)
    repeated = np.repeat(np.arange(30), weights)
    weighted = LinearSVC(loss=loss, tol=1e-13).fit(X, y, sample_weight=weights)
    plain = LinearSVC(loss=loss, tol=1e-13).fit(X[repeated], y[repeated])
    np.testing.assert_allclose(weighted.coef_, plain.coef_, rtol=1e-5, atol=1e-7)


def test_data_forms_and_pickling(tmp_path):
    X, y = problem(40, 6, 2, sparse=True)
    expected = LinearSVC(tol=1e-12).fit(X, y).coef_
    np.save(tmp_path / "X.npy", X)
    wide = sp.csr_array(X)
    wide.indices, wide.indptr = wide.indices.astype(np.int64), wide.indptr.astype(np.int64)
    for given_X in (np.load(tmp_path / "X.npy", mmap_mode="r"), wide, sp.csc_matrix(X)):
        model = LinearSVC(tol=1e-12).fit(given_X, y)
        np.testing.assert_allclose(model.coef_, expected, atol=1e-8)
    single = LinearSVC().fit(X.astype(np.float32), y)
    assert single.coef_.dtype == np.float32
    again = pickle.loads(pickle.dumps(single))
    np.testing.assert_array_equal(again.predict(X), single.predict(X))


@settings(max_examples=30)
@given(st.integers(1, 20), st.integers(0, 10_000), st.sampled_from([np.inf, 1.0]))
def test_line_search_finds_the_minimum_along_the_line(n, seed, bound):
    rng = np.random.default_rng(seed)
    margins, change = rng.standard_normal(n), rng.standard_normal(n)
    alpha, step = rng.uniform(0, 1, n), rng.uniform(0.5, 2, n)
    upper = np.full(n, bound)
    a, free = np.empty(n), np.empty(n, dtype=bool)

    def value(t):
        smooth = smooth_slack(margins + t * change, alpha, step, upper, a, free)
        return smooth + linear * t + 0.5 * t * t

    linear = 0.0
    epsilon = 1e-6
    linear = -1.0 - (value(epsilon) - value(0.0)) / epsilon  # downhill at the start
    t = line_minimum(margins, change, linear, 1.0, -1.0, alpha, step, upper)
    around = np.linspace(0, 2 * t + 1, 400)
    assert value(t) <= min(value(s) for s in around) + 1e-4


def test_bad_input_is_refused_by_name():
    X, y = problem(10, 3, 0)
    with pytest.raises(ValueError, match=r"at least 2 classes .* got 1 class"):
        LinearSVC().fit(X, np.ones(10))
    with pytest.raises(ValueError, match="at least 2 classes"):
        LinearSVC().fit(X, y, sample_weight=y > 0)
    with pytest.raises(ValueError, match="penalty must be one of l1, l2, got 'l3'"):
        LinearSVC(penalty="l3").fit(X, y)
    with pytest.raises(ValueError, match="loss must be one of hinge, squared_hinge, got 'log'"):
        LinearSVC(loss="log").fit(X, y)
    with pytest.raises(ValueError, match="multi_class must be one of ovr, got 'crammer_singer'"):
        LinearSVC(multi_class="crammer_singer").fit(X, y)
    with pytest.raises(ValueError, match="C must be above 0, got 0"):
        LinearSVC(C=0).fit(X, y)
    with pytest.raises(ValueError, match="sample_weight must not be negative"):
        LinearSVC().fit(X, y, sample_weight=-np.ones(10))
    with pytest.warns(ConvergenceWarning, match=r"duality gap .*, tolerance .*max_iter"):
        LinearSVC(tol=1e-12, max_iter=1, loss="hinge").fit(*problem(60, 20, 1))


@pytest.mark.parametrize("seed", range(20))
def test_l1_penalty_agrees_with_liblinear(seed):
    rng = np.random.default_rng(seed)
    n, p = rng.integers(6, 60), rng.integers(1, 40)
    X = rng.standard_normal((n, p)) * 10.0 ** rng.uniform(-1, 1, p)
    X *= rng.random((n, p)) < (0.3, 1.0)[seed % 2]
    y = (X @ rng.standard_normal(p) + rng.standard_normal(n) > 0).astype(int)
    y[:4] = 0, 1, 0, 1
    weight = rng.integers(1, 3, n).astype(float)
    settings_ = {"penalty": "l1", "C": 10.0 ** rng.uniform(-2, 1), "intercept_scaling": 2.0}
    ours = LinearSVC(tol=1e-10, **settings_).fit(sp.csr_array(X), y, sample_weight=weight)
    dense = LinearSVC(tol=1e-10, **settings_).fit(X, y, sample_weight=weight)
    theirs = sklearn.svm.LinearSVC(dual=False, tol=1e-10, max_iter=10**6, **settings_)
    theirs.fit(X, y, sample_weight=weight)

    def objective(model):
        margin = (2 * y - 1) * model.decision_function(X)
        penalty = np.abs(model.coef_).sum() + abs(model.intercept_[0] / 2.0)
        return penalty + settings_["C"] * weight @ np.maximum(1.0 - margin, 0.0) ** 2

    unit = settings_["C"] * weight.sum()
    assert 0 <= ours.dual_gap_ <= 1e-10 * unit
    best = objective(theirs)
    assert max(objective(ours), objective(dense)) <= best + 1e-10 * unit
    assert min(objective(ours), objective(dense)) >= best - 1e-6 * unit


def test_l1_optimality_conditions_hold_and_most_coefficients_are_zero():
    X, y = load_breast_cancer(return_X_y=True)
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    model = LinearSVC(penalty="l1", C=0.01, tol=1e-13).fit(X, y)
    sign = 2.0 * y - 1.0
    slack = np.maximum(1.0 - sign * model.decision_function(X), 0.0)
    pull = 2.0 * 0.01 * np.column_stack([X, np.ones(len(y))]).T @ (sign * slack)
    w = np.append(model.coef_[0], model.intercept_[0])
    np.testing.assert_allclose(pull[w != 0], np.sign(w[w != 0]), rtol=1e-5)
    assert (np.abs(pull[w == 0]) <= 1.0 + 1e-9).all()
    assert 0 < (model.coef_ != 0).sum() < 15


def test_l1_penalty_with_hinge_or_dual_is_refused_and_callbacks_stop_a_run():
    X, y = np.arange(6.0)[:, None], np.array([0, 0, 0, 1, 1, 1])
    with pytest.raises(ValueError, match=r"penalty='l1' must go with .* got loss='hinge'"):
        LinearSVC(penalty="l1", loss="hinge").fit(X, y)
    with pytest.raises(ValueError, match=r"penalty='l1' must go with .* dual=True"):
        LinearSVC(penalty="l1", dual=True).fit(X, y)
    for penalty in ("l1", "l2"):
        seen = []
        model = LinearSVC(
            penalty, tol=0.0, callback=lambda step, seen=seen: seen.append(step.gap) or True
        )
        with pytest.warns(ConvergenceWarning, match="callback"):
            model.fit(X, y)
        assert len(seen) == 1


def started(n, p, seed, sparse, squared, bias=0.5):
    """A problem, dual variables inside their box, and the sum that they make."""
    X, y = problem(n, p, seed, sparse)
    svm = LinearSVMProblem(sp.csr_array(X) if sparse else X, y, np.full(n, 2.0), bias, squared)
    alpha = np.random.default_rng(seed).uniform(0.0, 2.0, n)
    return svm, np.column_stack([X, np.full(n, bias)]), alpha, svm.combine(alpha)


def dual_value(svm, wide, alpha):
    w = wide.T @ (alpha * svm.y)
    return alpha.sum() - 0.5 * w @ w - 0.5 * svm.ridge @ alpha**2


@settings(max_examples=30)
@given(st.integers(2, 30), st.integers(1, 12), st.integers(0, 9999), st.booleans(), st.booleans())
def test_sweeps_climb_keep_their_sum_and_shrink_only_what_is_pushed_outwards(
    n, p, seed, sparse, squared
):
    svm, wide, alpha, w = started(n, p, seed, sparse, squared)
    active, n_active = np.arange(n, dtype=np.int32), n
    limits, order, out = np.array([np.inf, -np.inf]), np.array([7], dtype=np.uint64), np.empty(3)
    value = dual_value(svm, wide, alpha)
    for _ in range(5):
        arrays = (*svm.arrays, svm.y, svm.squares, svm.bias, svm.cost, svm.upper, svm.ridge)
        n_active = dual_epoch(*arrays, active, n_active, alpha, w, limits, order, out)
        assert out[1] >= 0.0
        assert (alpha >= 0.0).all() and (alpha <= svm.upper).all()
        np.testing.assert_allclose(w, wide.T @ (alpha * svm.y), atol=1e-9)
        np.testing.assert_array_equal(np.sort(active), np.arange(n))
        assert dual_value(svm, wide, alpha) >= value - 1e-9
        value = dual_value(svm, wide, alpha)
        left_out = alpha[active[n_active:]]
        assert ((left_out == 0.0) | (left_out == svm.upper[active[n_active:]])).all()


@settings(max_examples=30)
@given(st.integers(2, 30), st.integers(1, 12), st.integers(0, 9999), st.booleans(), st.booleans())
def test_steps_on_the_free_variables_climb_and_solve_where_the_box_allows(
    n, p, seed, sparse, squared
):
    svm, wide, alpha, w = started(n, p, seed, sparse, squared)
    rows = np.flatnonzero(np.random.default_rng(seed).random(n) < 0.5).astype(np.int32)
    before, value = alpha.copy(), dual_value(svm, wide, alpha)
    arrays = (*svm.arrays, svm.y, svm.squares, svm.bias, svm.upper, svm.ridge)
    face_step(*arrays, rows, alpha, w, 1e-10, 200, np.empty((5, len(rows))), np.empty(p + 1))
    np.testing.assert_allclose(w, wide.T @ (alpha * svm.y), atol=1e-9 * (1 + np.abs(alpha).max()))
    assert (alpha >= 0.0).all() and (alpha <= svm.upper).all()
    assert dual_value(svm, wide, alpha) >= value - 1e-9
    np.testing.assert_array_equal(np.delete(alpha, rows), np.delete(before, rows))
    signed = wide[rows] * svm.y[rows, None]
    matrix = signed @ signed.T + np.diag(svm.ridge[rows])
    slope = 1.0 - svm.margins(wide.T @ (before * svm.y)) - svm.ridge * before
    if len(rows) and np.linalg.cond(matrix) < 1e8:
        best = before[rows] + np.linalg.solve(matrix, slope[rows])
        if (best > 0.0).all() and (best < svm.upper[rows]).all():
            np.testing.assert_allclose(alpha[rows], best, atol=1e-6)


@settings(max_examples=20)
@given(st.integers(1, 20), st.integers(1, 12), st.integers(0, 9999), st.sampled_from([0.0, 0.5]))
def test_gram_matrices_of_sparse_rows_agree_with_dense_products(n, p, seed, bias):
    svm, wide, alpha, _ = started(max(n, 2), p, seed, True, False, bias)
    rows = np.flatnonzero(np.arange(len(alpha)) % 2 == 0).astype(np.int32)
    weight = alpha[rows]
    out = np.zeros((p + 1, p + 1))
    weighted_gram(*svm.arrays, bias, rows, weight, out)
    expected = wide[rows].T @ (weight[:, None] * wide[rows])
    np.testing.assert_allclose(np.tril(out), np.tril(expected), atol=1e-12)
    out = np.zeros((len(rows), len(rows)))
    rows_gram(*svm.arrays, bias, rows, weight, np.zeros(p + 1), out)
    scaled = weight[:, None] * wide[rows]
    np.testing.assert_allclose(np.tril(out), np.tril(scaled @ scaled.T), atol=1e-12)


@pytest.mark.parametrize("loss", ["hinge", "squared_hinge"])
@pytest.mark.parametrize("shape", [(3000, 40), (400, 3000)])
def test_many_samples_or_features_are_certified_at_small_and_large_costs(loss, shape):
    rng = np.random.default_rng(0)
    X = (
        rng.standard_normal(shape)
        * (rng.random(shape) < 0.2)
        * 10.0 ** rng.uniform(-2, 2, shape[1])
    )
    y = np.where(X @ rng.standard_normal(shape[1]) + rng.standard_normal(shape[0]) > 0, 1.0, -1.0)
    for C in (1e-3, 1.0, 1e3):
        cost = np.full(len(y), C)
        svm = LinearSVMProblem(sp.csr_array(X), y, cost, 0.0, loss == "squared_hinge")
        result = solve_linear_svm(svm, tol=1e-8 * cost.sum(), max_iter=2000)
        gap = linear_svm_gap(X, y, result.x[:-1], result.alpha, cost, loss == "squared_hinge")[1]
        assert gap <= 1.01e-8 * cost.sum()


def test_proximal_steps_that_are_too_long_are_shortened():
    rng = np.random.default_rng(0)
    X = np.round(rng.standard_normal((1500, 200))) * (rng.random((1500, 200)) < 0.3)
    y = np.where(X @ rng.standard_normal(200) + 0.1 * rng.standard_normal(1500) > 0, 1.0, -1.0)
    svm = LinearSVMProblem(sp.csr_array(X), y, np.full(1500, 1e3), 0.0, False)
    result = solve_linear_svm(svm, tol=1.5, max_iter=500)  # 795 when the length stayed as it was
    assert result.gap <= 1.5


@settings(max_examples=10)
@given(st.integers(0, 9999), st.booleans(), st.sampled_from([0.0, 0.5]))
def test_gram_matrix_follows_the_rows_by_what_changed(seed, sparse, bias):
    svm, wide, alpha, w = started(1600, 19, seed, sparse, True, bias)
    part = Subproblem(svm, svm.everyone, alpha, w)
    rng = np.random.default_rng(seed)
    inside = np.ones(1600, dtype=bool)
    made_afresh = []
    for share in (0.0, 0.1, 0.05, 0.01, 0.5):
        inside ^= rng.random(1600) < share
        rows = np.flatnonzero(inside).astype(np.int32)
        made_afresh.append(part._weigh(rows, alpha[rows]))
        expected = wide[rows].T @ (alpha[rows, None] * wide[rows])
        np.testing.assert_allclose(np.tril(part.gram), np.tril(expected), rtol=1e-9, atol=1e-9)
    assert made_afresh[:4] == [True, False, False, False]


@pytest.mark.parametrize("sparse", [False, True])
def test_gram_matrix_is_made_afresh_when_a_huge_row_leaves_it(sparse):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((2000, 20))
    X[7] *= 1e9  # taken away again, it would leave an error of a hundred
    svm = LinearSVMProblem(sp.csr_array(X) if sparse else X, np.ones(2000), np.ones(2000), 0, True)
    part = Subproblem(svm, svm.everyone, np.zeros(2000), np.zeros(21))
    part._weigh(svm.everyone, np.ones(2000))
    rest = np.delete(svm.everyone, 7)
    assert part._weigh(rest, np.ones(1999))
    np.testing.assert_allclose(
        np.tril(part.gram[:-1, :-1]), np.tril(X[rest].T @ X[rest]), atol=1e-9
    )


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("C", [1e-3, 1.0, 1e3])
def test_squared_hinge_of_many_samples_takes_few_newton_steps(sparse, C):
    X, y = problem(4000, 20, 0, sparse)
    order = np.argsort(y)  # class by class
    X, y, cost = X[order], y[order], np.full(4000, C)
    svm = LinearSVMProblem(sp.csr_array(X) if sparse else X, y, cost, 0.0, True)
    result = solve_linear_svm(svm, tol=1e-9 * cost.sum(), max_iter=20)  # sweeps: above a hundred
    assert linear_svm_gap(X, y, result.x[:-1], result.alpha, cost, True)[1] <= 1e-9 * cost.sum()


def test_line_search_is_exact_where_the_slope_is_small_beside_its_parts():
    margins, change, step = np.array([-4999.0]), np.ones(1), np.full(1, 2.0)
    # the derivative is 9999 + t - 2 (5000 - t)
    t = line_minimum(margins, change, 9999.0, 1.0, -1.0, np.zeros(1), step, np.full(1, np.inf))
    assert t == pytest.approx(1.0 / 3.0, rel=1e-2)


@pytest.mark.parametrize(
    ("penalty", "loss"), [("l2", "hinge"), ("l2", "squared_hinge"), ("l1", "squared_hinge")]
)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_warm_start_ends_where_a_cold_one_does_and_sooner(penalty, loss, n_classes):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((150, 12))
    y = (X[:, :n_classes] + 0.7 * rng.standard_normal((150, n_classes))).argmax(axis=1)
    weights = np.where(np.arange(150) % 9 == 0, 0.0, 1.0 + (y == 0))
    settings = {"penalty": penalty, "loss": loss, "tol": 1e-9}
    model = LinearSVC(warm_start=True, **settings).fit(X, y, weights)
    first = model.n_iter_
    assert model.fit(X, y, weights).n_iter_ <= 1 < first
    nearby = model.set_params(C=1.05).fit(X, y, weights)
    cold = LinearSVC(C=1.05, **settings).fit(X, y, weights)
    np.testing.assert_allclose(nearby.coef_, cold.coef_, atol=1e-4)
    np.testing.assert_allclose(nearby.intercept_, cold.intercept_, atol=1e-4)
    fewer = model.fit(X[:90, :7], y[:90])  # another shape is no obstacle
    np.testing.assert_allclose(
        fewer.coef_, LinearSVC(C=1.05, **settings).fit(X[:90, :7], y[:90]).coef_, atol=1e-4
    )
    named = np.array(["p", "q", "r"])[y]  # other classes are none either
    assert model.fit(X, named).score(X, named) > 0.7


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_features_of_very_different_sizes_overflow_without_a_word_and_keep_what_is_best():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((64, 300)) * 10.0 ** rng.uniform(-8, 8, 300)
    y = rng.integers(0, 2, 64)
    model = LinearSVC(C=4.9e3, tol=1e-8, intercept_scaling=1e-3, warm_start=True)
    for C in (4.9e3, 4.9e7):
        model.set_params(C=C).fit(X, y)
        assert np.isfinite(model.coef_).all() and model.dual_gap_ <= C * len(y)
