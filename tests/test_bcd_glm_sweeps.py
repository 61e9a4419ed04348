"""Coordinate sweeps on logistic losses over tall sparse data, against plain oracles."""

import numpy as np
import pytest
import scipy.sparse as sp

from bcd import LogisticRegression, glm_sweeps
from bcd._glm_sweep_kernels import gap_of_sweep, shift_all, start_sweeps, sweep_logistic
from bcd.design import make_design
from bcd.glm_scores import Scores
from bcd.glm_sweeps import Sweeps, make_sweeps
from bcd.separable import separable
from experiments.certificates import logistic_gap
from problems.losses import LOGISTIC, POISSON


def _data(seed, n=600, p=30):
    rng = np.random.default_rng(seed)
    X = (rng.random((n, p)) < rng.uniform(0.05, 0.5, p)).astype(float)
    if seed % 2:
        X *= rng.integers(1, 3, p)
    if seed % 4 > 1:
        X *= np.where(rng.random((n, p)) < 0.5, 1.0, -2.0)
    scores = X @ (rng.standard_normal(p) * 2.0) - 3.0
    y = np.where(scores + rng.logistic(size=n) > 0.0, 1.0, -1.0)
    return X, y, rng.integers(0, 3, n).astype(float)


def _objective(z, y, weight, x, penalty):
    return weight @ np.logaddexp(0.0, -y * z) + penalty.value(x)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("seed", range(4))
def test_each_sweep_descends_and_keeps_its_books(seed, dtype):
    X, y, weight = _data(seed)
    p = X.shape[1]
    parts = make_design(sp.csc_array(X.astype(dtype)), np.empty(0)).parts
    penalty = separable(np.full(p, 3.0), np.full(p, 0.5), bounds=(-1.0, 0.4))
    kinds, columns = np.zeros(p, dtype=np.int8), np.arange(p, dtype=np.int32)[::-1].copy()
    x, shift, gradient = np.zeros(p), 0.0, np.zeros(p)
    state = np.empty((len(y), 4))
    start_sweeps(np.zeros(len(y)), y, weight, state)
    before, gap = _objective(np.zeros(len(y)), y, weight, x, penalty), np.inf
    for _ in range(40):
        shift += shift_all(state)
        promised = sweep_logistic(*parts, kinds, columns, state, x, gradient, *penalty)
        z = X @ x + shift
        after = _objective(z, y, weight, x, penalty)
        assert after <= before + 1e-12 * before
        q = 1.0 / (1.0 + np.exp(y * z))
        np.testing.assert_allclose(state[:, 0], -weight * y * q, atol=1e-12)
        np.testing.assert_allclose(state[:, 1], weight * q * (1.0 - q), atol=1e-12)
        gap = gap_of_sweep(columns, gradient, x, *penalty, state, True)
        assert gap >= 0.0
        before = after
    assert promised <= 1e-9 * after
    assert gap <= 1e-4 * after
    one = np.array([len(np.unique(X[X[:, j] != 0.0, j])) == 1 for j in range(p)])
    np.testing.assert_array_equal(kinds == 1, one)
    assert (x >= -1.0).all()
    assert (x <= 0.4).all()


def test_sweeps_survive_scores_beyond_any_exponential():
    X, y, weight = _data(0)
    p = X.shape[1]
    parts = make_design(sp.csc_array(X * 1e4), np.empty(0)).parts
    state, gradient, x = np.empty((len(y), 4)), np.zeros(p), np.zeros(p)
    start_sweeps(np.linspace(-1e5, 1e5, len(y)), y, weight, state)
    columns = np.arange(p, dtype=np.int32)
    for _ in range(5):
        sweep_logistic(
            *parts, np.zeros(p, dtype=np.int8), columns, state, x, gradient, *separable(np.ones(p))
        )
    assert np.isfinite(state).all()
    assert np.isfinite(x).all()


@pytest.mark.parametrize("seed", range(12))
def test_sweeps_end_at_a_certified_solution(seed, monkeypatch):
    X, label, weight = _data(seed)
    y = (label > 0.0).astype(int)
    rows = np.repeat(np.arange(len(y)), weight.astype(int))
    settings = {"C": 1.0, "l1_ratio": (1.0, 0.7)[seed % 2], "fit_intercept": seed % 3 > 0}
    ran = []
    run = Sweeps.run
    monkeypatch.setattr(Sweeps, "run", lambda *a: ran.append(run(*a)) or ran[-1])
    monkeypatch.setattr(glm_sweeps, "NEWTON", (12.0, np.inf)[seed % 4 == 0])
    monkeypatch.setattr(glm_sweeps, "NEW_VALUES", 1.0)
    sparse = sp.csc_array(X)
    model = LogisticRegression(tol=1e-9, **settings).fit(sparse, y, sample_weight=weight)
    assert ran
    assert any(ran[0][0] != 0.0)
    found = model.coef_, model.intercept_
    gap = logistic_gap(X[rows], y[rows], *found, settings["C"], settings["l1_ratio"])[1]
    assert gap <= 2e-9 * len(rows) * np.log(2.0)
    bounded = LogisticRegression(tol=1e-9, bounds=(-0.1, 0.5), **settings).fit(sparse, y)
    dense = LogisticRegression(tol=1e-9, bounds=(-0.1, 0.5), **settings).fit(X, y)
    np.testing.assert_allclose(bounded.coef_, dense.coef_, atol=1e-4)


def test_sweeps_are_for_tall_sparse_penalised_data_of_few_values():
    X, y, weight = _data(0)
    n, p = X.shape
    rng = np.random.default_rng(1)

    def made(matrix, tag=LOGISTIC, l1=1.0):
        scores = Scores(tag, 0.0, y[: matrix.shape[0]], weight[: matrix.shape[0]], False)
        design = make_design(matrix, np.empty(0))
        return make_sweeps(scores, design, separable(np.full(p, l1))) is not None

    assert made(sp.csc_array(X))
    assert not made(sp.csc_array(X[: 10 * p]))
    assert not made(X)
    assert not made(sp.csc_array(X), tag=POISSON)
    assert not made(sp.csc_array(X), l1=0.0)
    assert not made(sp.csc_array(X * rng.random((n, p))))


def test_sweeps_that_do_not_help_leave_all_as_it_was(monkeypatch):
    X, y, weight = _data(0)
    scores = Scores(LOGISTIC, 0.0, y, weight, False)
    scores.start()
    p = X.shape[1]
    sweeps = make_sweeps(scores, make_design(sp.csc_array(X), np.empty(0)), separable(np.ones(p)))
    monkeypatch.setattr(Sweeps, "_sweep_on", lambda *a: 0.0)
    x, columns = np.zeros(p), np.arange(p, dtype=np.int32)
    new, shift = sweeps.run(x, 0.0, X.T @ scores.slope, columns, 1e-3)
    assert new is x
    assert shift == 0.0
    assert not sweeps.open
