"""Working sets solved by their residual: certified whatever the columns, and as the Gram way."""

import numpy as np
import pytest
import scipy.sparse as sp

import bcd.residual
from bcd import ElasticNet, Lasso
from bcd._residual_kernels import conjugate_gradients, sweep_residual
from bcd.block_solver import Memory, WorkingSet
from bcd.design import make_design
from bcd.residual import ResidualProblem, residual_pays, ridge_share
from bcd.separable import separable
from experiments.certificates import lasso_gap


def awkward_columns(rng, n: int, p: int):
    """Columns, many entries zero, some of them twice, constant, zero, or of another scale."""
    X = rng.standard_normal((n, p)) * (rng.random((n, p)) < 0.2)
    X[:, 3], X[:, 4], X[:, 5] = X[:, 0], -2.0 * X[:, 1], 0.0
    X[:, 6] = 1.0
    X *= 10.0 ** rng.integers(-3, 4, p)
    y = X[:, :10] @ (1.0 / (1e-3 + abs(X[:, :10]).max(axis=0))) + rng.standard_normal(n)
    return X, y


FORMATS = {"sparse": sp.csc_array, "Fortran": np.asfortranarray, "C": np.ascontiguousarray}


@pytest.mark.parametrize("layout", FORMATS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("l1_ratio, positive", [(1.0, False), (0.5, False), (1.0, True)])
@pytest.mark.parametrize("seed", range(3))
def test_awkward_columns_are_certified(
    monkeypatch, layout, weighted, intercept, l1_ratio, positive, seed
):
    for limit in ("ENTRIES", "APART"):
        monkeypatch.setattr(bcd.residual, limit, 0)  # the residual whatever the size
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
    model.fit(FORMATS[layout](X), y, sample_weight=weights if weighted else None)
    gap = lasso_gap(Xw, yw, model.coef_, alpha, l1_ratio, positive=positive)[1]
    assert gap <= 1.001e-8 * (yw @ yw) / n
    assert not positive or (model.coef_ >= 0.0).all()


def test_many_free_columns_with_few_entries_are_left_to_their_residual():
    X = sp.random(500, 2000, 0.01, format="csc", random_state=0)
    columns = np.arange(2000, dtype=np.int32)
    assert residual_pays(make_design(sp.csc_array(X), np.empty(0)), columns, 400)
    assert not residual_pays(make_design(sp.csc_array(X), np.empty(0)), columns, 20)


def test_dense_columns_are_left_to_their_residual_where_the_squared_penalty_parts_them():
    design = make_design(np.asfortranarray(np.ones((10, 300))), np.empty(0))
    columns = np.arange(300, dtype=np.int32)
    share = ridge_share(design, np.full(300, 1.0))
    assert share == pytest.approx(0.1)
    assert residual_pays(design, columns, 10, share)
    assert not residual_pays(design, columns, 10, 1e-4)
    assert not residual_pays(design, columns[:50], 10, share)


@pytest.mark.parametrize("layout", FORMATS)
def test_conjugate_gradients_agree_with_a_dense_solve(layout):
    rng = np.random.default_rng(4)
    X = rng.standard_normal((30, 50)) * (rng.random((30, 50)) < 0.5)
    design = make_design(FORMATS[layout](X), np.ones(30))
    block = ResidualProblem(design, np.arange(50, dtype=np.int32))
    free, l2, rhs = np.array([3, 7, 8, 20, 49], dtype=np.int32), np.full(50, 0.3), np.ones(5)
    A = (X - X.mean(axis=0))[:, free]
    step, image, left = np.empty(50), np.empty(30), rhs.copy()
    system = (block.form, free, block.mean, block.u, block.squares, l2)
    n_steps = conjugate_gradients(*system, 1e-12, 100, left, step, image)
    assert n_steps <= 7
    np.testing.assert_allclose(step[free], np.linalg.solve(A.T @ A + 0.3 * np.eye(5), rhs))
    np.testing.assert_allclose(image, A @ step[free], atol=1e-12)
    assert np.count_nonzero(step) == 5


def test_a_step_along_dependent_columns_ends_where_only_rounding_is_left():
    X = np.asfortranarray(np.repeat(np.random.default_rng(5).standard_normal((20, 3)), 4, axis=1))
    block = ResidualProblem(make_design(X, np.empty(0)), np.arange(12, dtype=np.int32))
    free, step, image = np.arange(12, dtype=np.int32), np.empty(12), np.empty(20)
    system = (block.form, free, block.mean, block.u, block.squares, np.zeros(12))
    conjugate_gradients(*system, 0.0, 500, np.arange(12.0), step, image)  # beyond A's range
    assert np.abs(step).max() < 1e6


def test_many_columns_that_the_squared_penalty_parts_are_solved_in_few_block_updates():
    rng = np.random.default_rng(6)
    X = np.asfortranarray(rng.standard_normal((200, 3000)))
    y = X[:, :50].sum(axis=1)
    alpha = np.abs(X.T @ y).max() / 200 / 0.5 / 50
    model = ElasticNet(alpha, fit_intercept=False, tol=1e-9).fit(X, y)
    assert np.count_nonzero(model.coef_) > 300 and model.n_iter_ <= 8
    assert lasso_gap(X, y, model.coef_, alpha, 0.5)[1] <= 1.001e-9 * (y @ y) / 200


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


@pytest.mark.parametrize("tol", [1e-3, 1e-5])
def test_a_support_of_nearly_as_many_columns_as_samples_is_settled_by_more_sweeps(tol):
    rng = np.random.default_rng(1)
    X = sp.csc_array(sp.random(200, 400, 0.05, random_state=rng))
    y = X @ (rng.standard_normal(400) * (rng.random(400) < 0.02))
    y += 0.1 * rng.standard_normal(200)
    l1 = np.abs(X.T @ y).max() / 1000
    block = ResidualProblem(make_design(X, np.empty(0)), np.arange(400, dtype=np.int32))
    x = np.zeros(400)
    assert block.solve(y, y, x, separable(np.full(400, l1)), 0.5 * tol * (y @ y))
    assert 180 < np.count_nonzero(x) < 200
    assert lasso_gap(X, y, x, l1 / 200, 1.0)[1] * 200 <= 0.501 * tol * (y @ y)


def test_a_block_that_was_given_up_is_not_taken_for_solved(monkeypatch):
    monkeypatch.setattr(bcd.residual, "ENTRIES", 0.0)
    rng = np.random.default_rng(3)
    X = sp.csc_array(sp.random(60, 40, 0.1, random_state=rng))
    design, b = make_design(X, np.empty(0)), rng.standard_normal(60)
    monkeypatch.setattr(bcd.residual, "MAX_ROUNDS", 1)
    x, penalty = np.zeros(40), separable(np.full(40, 1e-3))
    block = WorkingSet(design, b, x, penalty, Memory(), False)
    block.take(np.arange(40, dtype=np.int32))
    assert not block.solve(b, 40, tol=1e-12, ease=1.0, gap=0.0)
    assert block.solve(b - X @ x, 40, tol=1e-12, ease=1.0, gap=0.0)  # now by its Gram matrix
    assert np.abs(X.T @ (b - X @ x)).max() <= 1e-3 * (1 + 1e-9)


@pytest.mark.parametrize("k", [1, 6, 8, 11])
@pytest.mark.parametrize("intercept", [False, True])
def test_dense_columns_are_swept_four_at_a_time_as_sparse_ones_are_one_by_one(k, intercept):
    rng = np.random.default_rng(k)
    X = 3.0 + rng.standard_normal((25, k))
    X[:, k // 2] = X[:, 0] + 1e-3 * rng.standard_normal(25)
    u = np.ones(25) if intercept else np.empty(0)
    b = rng.standard_normal(25)
    b -= intercept * b.mean()
    penalty = separable(rng.random(k), rng.random(k))
    found = []
    for layout in FORMATS.values():
        block = ResidualProblem(make_design(layout(X), u), np.arange(k, dtype=np.int32))
        x, r, shift = np.zeros(k), b.copy(), np.zeros(1)
        x[:2], start = 0.5, X - intercept * X.mean(axis=0)
        r -= start @ x
        books = (block.mean, block.length, block.squares, x, r, shift)
        changes = sweep_residual(block.form, *books, *penalty, 2, 0.0)
        np.testing.assert_allclose(r + shift[0] * np.ones(25), b - start @ x, atol=1e-10)
        found.append(np.append(x, changes))
    np.testing.assert_allclose(found[1], found[0], atol=1e-11)
    np.testing.assert_allclose(found[2], found[0], atol=1e-11)


@pytest.mark.parametrize("intercept", [False, True])
def test_the_books_that_a_working_set_leaves_are_those_of_its_solution(intercept):
    rng = np.random.default_rng(8)
    X = np.asfortranarray(1.0 + rng.standard_normal((80, 900)))
    u = np.ones(80) if intercept else np.empty(0)
    b = rng.standard_normal(80)
    b -= intercept * b.mean()
    columns, x = np.arange(900, dtype=np.int32)[::3].copy(), np.zeros(900)
    block = WorkingSet(make_design(X, u), b, x, separable(np.full(900, 5.0), 40.0), Memory(), False)
    block.take(columns)
    assert block.solve(b, 40, tol=1e-8 * (b @ b), ease=1.0, gap=0.0)
    A = X - intercept * X.mean(axis=0)
    r, pull = block.books
    np.testing.assert_allclose(r, b - A @ x, atol=1e-12)
    np.testing.assert_allclose(pull, A[:, columns].T @ r, atol=1e-10)
    assert block.solve(b - A @ x, 40, tol=1e-12 * (b @ b), ease=1.0, gap=0.0)
    assert block.books is None  # so precise a residual is computed anew


def test_penalties_of_a_path_share_a_gram_matrix_where_samples_are_many():
    design = make_design(np.asfortranarray(np.ones((1000, 300))), np.empty(0))
    columns = np.arange(250, dtype=np.int32)
    assert residual_pays(design, columns, 100, 0.1)
    assert not residual_pays(design, columns, 100, 0.1, 2)
    assert residual_pays(design, np.arange(300, dtype=np.int32), 100, 0.1, 2)
