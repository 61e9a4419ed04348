"""SVC against scikit-learn's at tight tolerance, optimality conditions and gaps in plain numpy."""

import itertools
import pickle

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn.svm
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning

from bcd import SVC
from bcd._svc_face_kernels import BLOCKED, INNER, NOTHING, face_step
from bcd._svc_kernels import (
    MISSING,
    N_ACTIVE,
    N_STATE,
    NEEDS_ROW,
    Duals,
    Store,
    claim,
    descend_pairs,
)
from bcd._svc_pair_kernels import restore_order, score_outside, shrink
from bcd.result import Status
from bcd.svm_kernel import NO_MATRIX, solve_kernel_svm

AMPLE, SCARCE = 10.0, 1e-6  # megabytes: the whole matrix, and two rows


def problem(n, p, seed):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p))
    y = np.where((X**2).sum(axis=1) + 0.5 * rng.standard_normal(n) > p, 1, 0)
    y[:2] = 0, 1
    return X, y


def matrix(X, width=0.5):
    return np.exp(-width * ((X[:, None] - X[None]) ** 2).sum(axis=-1))


def reader(K):
    return lambda row, column: K[np.ix_(row, column)]


def plain_gap(K, label, cost, alpha, intercept):
    score = K @ (alpha * label)
    slack = np.maximum(1.0 - label * (score + intercept), 0.0)
    quadratic = (alpha * label) @ score
    return 0.5 * quadratic + cost @ slack, quadratic + cost @ slack - alpha.sum()


@settings(max_examples=40)
@given(
    st.integers(3, 50),
    st.integers(0, 10_000),
    st.sampled_from([0.01, 1.0, 100.0]),
    st.sampled_from([1e-3, 1e-8]),
    st.sampled_from([AMPLE, SCARCE, 0.004]),
    st.booleans(),
    st.booleans(),
)
def test_solution_is_feasible_optimal_and_certified(n, seed, C, tol, cache_mb, shrinking, low_rank):
    X, y = problem(n, 2, seed)
    K = X @ X.T if low_rank else matrix(X)
    label = np.where(y == 1, 1.0, -1.0)
    cost = C * np.random.default_rng(seed).uniform(0.5, 2.0, n)
    limits = {"tol": tol, "max_iter": 100_000, "cache_mb": cache_mb, "shrinking": shrinking}
    result = solve_kernel_svm(reader(K), label, cost, **limits)
    assert result.status is Status.OPTIMAL
    alpha = result.signed * label
    assert (alpha >= 0).all() and (alpha <= cost).all()
    assert abs(alpha @ label) <= 1e-12 * cost.sum()
    score = label - K @ (alpha * label)
    up = np.where(label > 0, alpha < cost, alpha > 0)
    down = np.where(label > 0, alpha > 0, alpha < cost)
    assert score[up].max() - score[down].min() <= 2 * tol
    objective, gap = plain_gap(K, label, cost, alpha, result.intercept)
    assert result.objective == pytest.approx(objective, rel=1e-9)
    assert result.gap == pytest.approx(gap, abs=1e-11 * cost.sum())
    assert gap <= 2 * tol * cost.sum()


@pytest.mark.parametrize("newton", [True, False])
def test_shrinking_and_a_scarce_cache_find_the_same_solution(newton):
    X, y = problem(120, 3, 1)
    K, label, cost = matrix(X), np.where(y == 1, 1.0, -1.0), np.full(120, 20.0)
    sizes, results = [], []

    def watched(row, column):
        if len(row) == 1:  # while descending
            sizes.append(len(column))
        return K[np.ix_(row, column)]

    for cache_mb, shrinking in itertools.product((AMPLE, SCARCE), (True, False)):
        sizes.clear()
        limits = {"tol": 1e-9, "max_iter": -1, "cache_mb": cache_mb, "shrinking": shrinking}
        results.append(solve_kernel_svm(watched, label, cost, newton=newton, **limits))
        # the whole matrix is asked for but once
        assert (min(sizes, default=120) < 120) == (shrinking and cache_mb == SCARCE)
    for result in results[1:]:
        np.testing.assert_allclose(result.signed, results[0].signed, rtol=1e-6, atol=1e-7)


@settings(max_examples=30)
@given(st.integers(6, 60), st.integers(0, 10_000), st.sampled_from([0.1, 5.0]), st.booleans())
def test_leaving_variables_out_and_looking_at_them_again_keeps_rows_and_scores(n, seed, C, given):
    rng = np.random.default_rng(seed)
    X, y = problem(n, 2, seed)
    K, label = matrix(X), np.where(y == 1, 1.0, -1.0)
    duals, store, state = start(K, label, np.full(n, C), places=rng.permutation(n + 3)[:n])
    source = np.zeros((n + 3, n + 3))
    source[np.ix_(duals.place, duals.place)] = K
    ends = np.zeros(3)
    for steps in (n // 2, n, 2 * n):
        arrays = (source if given else NO_MATRIX, duals, store, state)
        while descend_pairs(*arrays, 1e-9, steps, ends) == NEEDS_ROW:
            t, n_active = state[MISSING], state[N_ACTIVE]
            slot = claim(store, state, t)
            store.rows[slot, :n_active] = K[duals.origin[t], duals.origin[:n_active]]
        looked_at = state[N_ACTIVE]
        shrink(duals, store, state, ends)
        n_active = state[N_ACTIVE]
        for t in np.flatnonzero(store.row_of[:n_active] >= 0):
            row = store.rows[store.row_of[t], :n_active]
            np.testing.assert_array_equal(row, K[duals.origin[t], duals.origin[:n_active]])
        score = label - K[:, duals.origin] @ duals.signed
        outside = duals.origin[n_active:looked_at]
        np.testing.assert_allclose(
            duals.score[:n_active], score[duals.origin[:n_active]], atol=1e-9
        )
        top, bottom = ends[:2]
        at_high = (duals.signed == duals.high)[n_active:looked_at]
        assert np.where(at_high, score[outside] > top - 1e-9, score[outside] < bottom + 1e-9).all()
    duals.score[state[N_ACTIVE] :] = np.nan
    score_outside(source, duals, state, label)
    restore_order(duals, store, state)
    np.testing.assert_array_equal(duals.origin, np.arange(n))
    np.testing.assert_allclose(duals.score, label - K @ duals.signed, atol=1e-9)
    assert state[N_ACTIVE] == n and (store.row_of == -1).all()


def start(K, label, cost, places):
    n = len(label)
    low, high = np.where(label > 0, 0.0, -cost), np.where(label > 0, cost, 0.0)
    arrays = (np.arange(n), places, np.zeros(n), low, high, label.copy(), K.diagonal().copy())
    held = np.full(n, -1), np.full(n, -1), np.zeros(n, dtype=np.int64)
    state = np.zeros(N_STATE, dtype=np.int64)
    state[N_ACTIVE] = n
    return Duals(*arrays), Store(np.empty((n, n)), *held), state


@settings(max_examples=40)
@given(st.integers(4, 40), st.integers(0, 10_000), st.booleans())
def test_a_newton_step_minimises_on_the_free_variables_or_reaches_a_bound(n, seed, low_rank):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, 3))
    K = X @ X.T if low_rank else matrix(X)
    label = np.where(rng.random(n) < 0.5, 1.0, -1.0)
    duals, store, state = start(K, label, np.full(n, 3.0), np.arange(n))
    duals.signed[:] = rng.choice([0.0, 0.3, 3.0], size=n) * label
    duals.score[:] = label - K @ duals.signed
    free = (duals.signed > duals.low) & (duals.signed < duals.high)
    before, total = duals.signed.copy(), duals.signed.sum()

    def objective(signed):
        return 0.5 * signed @ K @ signed - label @ signed

    outcome = face_step(K, duals, store, state)
    after = duals.signed
    assert (outcome == NOTHING) == (free.sum() < 2)
    np.testing.assert_array_equal(after[~free], before[~free])
    assert ((duals.low <= after) & (after <= duals.high)).all()
    assert after.sum() == pytest.approx(total, abs=1e-9)
    np.testing.assert_allclose(duals.score, label - K @ after, atol=1e-7)
    assert objective(after) <= objective(before) + 1e-9
    if outcome == INNER and free.sum() > 1:
        asked = duals.score[free]
        assert asked.max() - asked.min() <= 1e-7
    if outcome == BLOCKED:
        assert ((after == duals.low) | (after == duals.high))[free].any()


def test_few_free_variables_are_solved_for_exactly():
    X, y = problem(60, 3, 1)
    label, cost = np.where(y == 1, 1.0, -1.0), np.full(60, 2.0)
    limits = {"tol": 1e-4, "max_iter": -1, "cache_mb": AMPLE}
    exact = solve_kernel_svm(reader(matrix(X)), label, cost, **limits)
    rough = solve_kernel_svm(reader(matrix(X)), label, cost, newton=False, **limits)
    assert exact.gap < 1e-10 < 1e-7 < rough.gap


@pytest.mark.parametrize(
    "parameters",
    [
        {"kernel": "linear", "C": 0.5},
        {"kernel": "rbf"},
        {"kernel": "rbf", "gamma": 0.3, "C": 50.0, "class_weight": "balanced"},
        {"kernel": "rbf", "class_weight": {0: 3.0}, "shrinking": False},
        {"kernel": "poly", "degree": 2, "coef0": 1.0, "gamma": "auto"},
        {"kernel": "sigmoid", "gamma": 0.05, "coef0": -0.5},
    ],
)
@pytest.mark.parametrize("sparse", [False, True])
def test_agrees_with_scikit_learn(parameters, sparse):
    X, y = problem(80, 4, 0)
    given_X = sp.csr_array(X) if sparse else X
    ours = SVC(tol=1e-8, **parameters).fit(given_X, y)
    theirs = sklearn.svm.SVC(tol=1e-8, **parameters).fit(X, y)
    scores = theirs.decision_function(X)
    np.testing.assert_allclose(ours.decision_function(given_X), scores, atol=1e-5)
    np.testing.assert_array_equal(ours.predict(given_X), theirs.predict(X))
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, atol=1e-5)
    assert ours.fit_status_ == theirs.fit_status_ == 0
    if parameters["kernel"] == "rbf":  # a kernel of low rank has many dual solutions
        np.testing.assert_array_equal(ours.support_, theirs.support_)
        np.testing.assert_array_equal(ours.n_support_, theirs.n_support_)
        np.testing.assert_allclose(ours.dual_coef_, theirs.dual_coef_, atol=1e-4)
        vectors = ours.support_vectors_.toarray() if sparse else ours.support_vectors_
        np.testing.assert_array_equal(vectors, theirs.support_vectors_)
    if parameters["kernel"] == "linear":
        np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-5)


@pytest.mark.parametrize("shape", ["ovr", "ovo"])
def test_many_classes_are_one_against_one_as_in_scikit_learn(shape):
    X, y = load_iris(return_X_y=True)
    parameters = {"tol": 1e-8, "decision_function_shape": shape, "C": 2.0}
    ours, theirs = SVC(**parameters).fit(X, y), sklearn.svm.SVC(**parameters).fit(X, y)
    np.testing.assert_array_equal(ours.support_, theirs.support_)
    np.testing.assert_allclose(ours.dual_coef_, theirs.dual_coef_, atol=1e-3)
    np.testing.assert_allclose(ours.decision_function(X), theirs.decision_function(X), atol=1e-4)
    np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))
    assert ours.dual_gap_.shape == ours.n_iter_.shape == ours.intercept_.shape == (3,)
    for model in (ours, theirs):
        model.set_params(break_ties=True)
    if shape == "ovr":
        np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))
    else:
        with pytest.raises(ValueError, match=r"break_ties must be False where .*'ovo', got True"):
            ours.predict(X)
    linear = SVC(kernel="linear", tol=1e-8).fit(X, y)
    theirs = sklearn.svm.SVC(kernel="linear", tol=1e-8).fit(X, y)
    np.testing.assert_allclose(linear.coef_, theirs.coef_, atol=1e-4)


def test_precomputed_and_callable_kernels_are_as_the_named_one():
    X, y = problem(50, 3, 2)
    K = X @ X.T
    scores = SVC(kernel="linear").fit(X, y).decision_function(X)
    given = SVC(kernel="precomputed").fit(K, y)
    np.testing.assert_allclose(given.decision_function(K), scores, atol=1e-7)
    theirs = sklearn.svm.SVC(kernel="precomputed", tol=1e-8).fit(K, y)
    np.testing.assert_allclose(scores, theirs.decision_function(K), atol=1e-5)
    for cache_size in (AMPLE, SCARCE):
        called = SVC(kernel=lambda A, B: A @ B.T, cache_size=cache_size).fit(X, y)
        np.testing.assert_allclose(called.decision_function(X), scores, atol=1e-7)


def test_sample_weights_count_as_repeats_and_agree_with_scikit_learn():
    X, y = problem(50, 3, 2)
    weights = np.random.default_rng(0).integers(0, 3, size=50)
    repeated = np.repeat(np.arange(50), weights)
    weighted = SVC().fit(X, y, sample_weight=weights)
    scores = SVC().fit(X[repeated], y[repeated]).decision_function(X)
    np.testing.assert_allclose(weighted.decision_function(X), scores, atol=1e-8)
    weights = weights + 0.5  # scikit-learn numbers support vectors among those of weight above 0
    ours = SVC(gamma=0.5).fit(X, y, sample_weight=weights)
    theirs = sklearn.svm.SVC(gamma=0.5, tol=1e-8).fit(X, y, sample_weight=weights)
    np.testing.assert_array_equal(ours.support_, theirs.support_)
    np.testing.assert_allclose(ours.decision_function(X), theirs.decision_function(X), atol=1e-5)
    again = pickle.loads(pickle.dumps(weighted))
    np.testing.assert_array_equal(again.predict(X), weighted.predict(X))


def test_bad_input_is_refused_by_name():
    X, y = problem(20, 3, 0)
    with pytest.raises(ValueError, match=r"at least 2 classes .* got 1 class"):
        SVC().fit(X, np.ones(20))
    with pytest.raises(ValueError, match="Input X contains NaN"):
        SVC().fit(np.where(X > 1, np.nan, X), y)
    with pytest.raises(TypeError, match="Sparse data was passed"):
        SVC(kernel="precomputed").fit(sp.csr_array(X @ X.T), y)
    with pytest.raises(ValueError, match="sample_weight must be above 0, got 0"):
        SVC().fit(X, y, sample_weight=0)
    with pytest.raises(ValueError, match="must leave samples with a weight above zero"):
        SVC(class_weight={0: 0.0, 1: 0.0}).fit(X, y)
    for parameters, message in (
        ({"kernel": "cubic"}, "one of linear, poly, precomputed, rbf, sigmoid, got 'cubic'"),
        ({"C": 0.0}, "C must be above 0, got 0.0"),
        ({"C": -1.0}, "C must be above 0, got -1.0"),
        ({"gamma": -1.0}, "gamma must be at least 0, got -1.0"),
        ({"gamma": "tiny"}, "gamma must be one of auto, scale, got 'tiny'"),
        ({"degree": 1.5}, "degree must be an integer of at least 0, got 1.5"),
        ({"max_iter": 0}, "max_iter must be an integer of at least 1, got 0"),
        ({"probability": True}, "probability must be False.*CalibratedClassifierCV"),
        ({"kernel": "precomputed"}, r"square kernel matrix .*, got shape \(20, 3\)"),
        ({"kernel": lambda A, B: A}, r"kernel must return .*\(20, 20\) .*, got \(20, 3\)"),
        ({"kernel": "poly", "degree": 999, "gamma": 9.0}, "kernel values must be finite, got"),
    ):
        with pytest.raises(ValueError, match=message):
            SVC(**parameters).fit(X, y)
    with pytest.raises(AttributeError, match="coef_ is available for kernel='linear' only"):
        SVC().fit(X, y).coef_  # noqa: B018


def test_a_run_that_stops_early_says_so_and_stays_certified():
    X, y = problem(60, 3, 0)
    with pytest.warns(ConvergenceWarning, match=r"duality gap .*, tolerance .*max_iter"):
        model = SVC(gamma=0.5, max_iter=2, tol=1e-9).fit(X, y)
    assert model.fit_status_ == 1 and model.n_iter_.tolist() == [2]
    label, alpha = np.where(y == 1, 1.0, -1.0), np.zeros(60)
    alpha[model.support_] = np.abs(model.dual_coef_[0])
    _, gap = plain_gap(matrix(X), label, np.ones(60), alpha, model.intercept_[0])
    assert model.dual_gap_ == pytest.approx(gap, rel=1e-9) and gap > 1.0


@pytest.mark.parametrize("shrinking", [True, False])
@pytest.mark.parametrize("cache_size", [AMPLE, SCARCE])
def test_a_warm_start_from_another_C_ends_where_a_cold_one_does(shrinking, cache_size):
    X, y = problem(150, 4, 3)
    y = y + (X[:, 0] > 1.0)  # three classes
    settings = {"tol": 1e-9, "shrinking": shrinking, "cache_size": cache_size}
    warm = SVC(C=1.0, warm_start=True, **settings).fit(X, y)
    cold = SVC(C=1.3, **settings).fit(X, y)
    warm.set_params(C=1.3).fit(X, y)
    np.testing.assert_allclose(warm.decision_function(X), cold.decision_function(X), atol=1e-6)
    assert warm.n_iter_.sum() < cold.n_iter_.sum()
    assert warm.shape_fit_ == (150, 4)
    again = warm.fit(X, y).n_iter_
    assert again.sum() < 0.2 * cold.n_iter_.sum()
    flipped = SVC(C=1.3, **settings).fit(X, 2 - y)
    warm.fit(X, 2 - y)  # other labels: the start is brought into balance
    np.testing.assert_allclose(warm.decision_function(X), flipped.decision_function(X), atol=1e-6)


def test_a_callback_sees_steps_and_stops_each_pair():
    X, y = problem(300, 6, 0)
    seen = []
    full = SVC(C=100.0, callback=lambda step: seen.append((step.n_iter, step.gap))).fit(X, y)
    assert len(seen) > 1 and seen[-1][1] <= full.tol
    assert [n for n, _ in seen] == sorted(n for n, _ in seen)
    with pytest.warns(ConvergenceWarning, match="the callback"):
        short = SVC(C=100.0, callback=lambda step: True).fit(X, y)
    assert short.n_iter_[0] < full.n_iter_[0]
