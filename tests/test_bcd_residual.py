"""Working sets solved by their residual: certified whatever the columns, and as the Gram way."""

import numpy as np
import pytest
import scipy.sparse as sp

import bcd.residual
from bcd import ElasticNet, Lasso
from bcd.block_solver import Memory, WorkingSet
from bcd.design import make_design
from bcd.residual import ResidualProblem, residual_pays
from bcd.separable import separable
from experiments.certificates import lasso_gap


def awkward_columns(rng, n: int, p: int):
    """Sparse columns, some of them twice, constant, zero, or of another scale."""
    X = rng.standard_normal((n, p)) * (rng.random((n, p)) < 0.2)
    X[:, 3], X[:, 4], X[:, 5] = X[:, 0], -2.0 * X[:, 1], 0.0
    X[:, 6] = 1.0
    X *= 10.0 ** rng.integers(-3, 4, p)
    y = X[:, :10] @ (1.0 / (1e-3 + abs(X[:, :10]).max(axis=0))) + rng.standard_normal(n)
    return X, y


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("l1_ratio, positive", [(1.0, False), (0.5, False), (1.0, True)])
@pytest.mark.parametrize("seed", range(4))
def test_awkward_sparse_columns_are_certified(
    monkeypatch, weighted, intercept, l1_ratio, positive, seed
):
    monkeypatch.setattr(bcd.residual, "ENTRIES", 0.0)  # the residual whatever the size
    rng = np.random.default_rng(seed)
    n, p = 60, 150
    X, y = awkward_columns(rng, n, p)
    weights = rng.integers(0, 3, n).astype(float) if weighted else np.ones(n)
    weights *= n / weights.sum()
    center = weights if intercept else np.zeros(n)
    root = np.sqrt(weights)
    Xw = root[:, None] * (X - center @ X / n)
    yw = root * (y - center @ y / n)
    alpha = np.max(Xw.T @ yw) / n / l1_ratio / 200
    model = ElasticNet(
        alpha, l1_ratio=l1_ratio, fit_intercept=intercept, positive=positive, tol=1e-8
    )
    model.fit(sp.csc_array(X), y, sample_weight=weights if weighted else None)
    gap = lasso_gap(Xw, yw, model.coef_, alpha, l1_ratio, positive=positive)[1]
    assert gap <= 1.001e-8 * (yw @ yw) / n
    assert not positive or (model.coef_ >= 0.0).all()


def test_many_free_columns_with_few_entries_are_left_to_their_residual():
    X = sp.random(500, 2000, 0.01, format="csc", random_state=0)
    columns = np.arange(2000, dtype=np.int32)
    assert residual_pays(make_design(sp.csc_array(X), np.empty(0)), columns, 400)
    assert not residual_pays(make_design(sp.csc_array(X), np.empty(0)), columns, 20)


def test_both_ways_to_solve_a_block_agree(monkeypatch):
    rng = np.random.default_rng(1)
    X = sp.random(200, 1000, 0.02, format="csc", random_state=rng)
    y = X @ np.repeat([1.0, 0.0], [50, 950]) + 0.1 * rng.standard_normal(200)
    fits = []
    for entries in (0.0, np.inf):
        monkeypatch.setattr(bcd.residual, "ENTRIES", entries)
        fits.append(Lasso(1e-5, tol=1e-12).fit(X, y).coef_)
    np.testing.assert_allclose(*fits, atol=1e-6)


def test_a_block_solved_by_its_residual_says_whether_it_got_there(monkeypatch):
    rng = np.random.default_rng(2)
    X = sp.csc_array(sp.random(100, 300, 0.05, random_state=rng))
    b = rng.standard_normal(100)
    design, columns = make_design(X, np.empty(0)), np.arange(300, dtype=np.int32)
    penalty = separable(np.full(300, 0.1))
    x = np.zeros(300)
    assert ResidualProblem(design, columns).solve(b, b, x, penalty, 1e-9)
    residual = b - X @ x
    assert np.abs(X.T @ residual).max() < 0.1 * (1 + 1e-4)
    monkeypatch.setattr(bcd.residual, "MAX_ROUNDS", 1)
    assert not ResidualProblem(design, columns).solve(b, b, np.zeros(300), penalty, 1e-9)


def test_a_block_that_was_given_up_is_not_taken_for_solved(monkeypatch):
    monkeypatch.setattr(bcd.residual, "ENTRIES", 0.0)
    rng = np.random.default_rng(3)
    X = sp.csc_array(sp.random(60, 40, 0.1, random_state=rng))
    design, b = make_design(X, np.empty(0)), rng.standard_normal(60)
    monkeypatch.setattr(bcd.residual, "MAX_ROUNDS", 1)
    x, penalty = np.zeros(40), separable(np.full(40, 1e-3))
    block = WorkingSet(design, b, x, penalty, Memory())
    block.take(np.arange(40, dtype=np.int32))
    assert not block.solve(b, 40, tol=1e-12, ease=1.0, gap=0.0)
    assert block.solve(b - X @ x, 40, tol=1e-12, ease=1.0, gap=0.0)  # now by its Gram matrix
    assert np.abs(X.T @ (b - X @ x)).max() <= 1e-3 * (1 + 1e-9)
