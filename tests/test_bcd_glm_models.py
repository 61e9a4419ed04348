"""Quadratic models of a working block, and pieces of its certificates, against plain oracles."""

import numpy as np
import pytest

from bcd import LogisticRegression, glm_model
from bcd._glm_choice_kernels import keep_active, list_violators
from bcd._penalty_kernels import feasible_scale, survey_columns
from bcd._score_kernels import dual_distance, evaluate_losses, scaled_distance
from bcd.design import make_design
from bcd.glm_block import make_block
from bcd.glm_scores import Scores
from problems.losses import LOGISTIC, POISSON


def _model(seed):
    rng = np.random.default_rng(seed)
    k, n = int(rng.integers(1, 30)), int(rng.integers(3, 40))
    A = rng.standard_normal((n, k)) * 10.0 ** rng.integers(-2, 3, k)
    if seed % 3 == 0:
        A[:, -1] = A[:, 0]  # dependent
    l1 = np.where(rng.random(k) < 0.2, 0.0, rng.uniform(0.1, 2.0, k) * np.sqrt((A**2).sum(0)))
    lower, upper = np.full(k, -np.inf), np.full(k, np.inf)
    if seed % 2:
        lower, upper = np.full(k, -0.3), np.where(rng.random(k) < 0.5, 0.2, np.inf)
    x = np.clip(np.where(rng.random(k) < 0.5, 0.0, rng.standard_normal(k)), lower, upper)
    gradient = A.T @ rng.standard_normal(n)
    return A.T @ A, gradient, x, l1, lower, upper


def _violation(G, gradient, x, l1, lower, upper, u):
    """Sum of squared minimum-norm subgradients of the model, each over its curvature."""
    g = gradient + G @ (u - x)
    total = 0.0
    for j in range(len(u)):
        right = g[j] + (l1[j] if u[j] >= 0.0 else -l1[j])
        left = g[j] + (l1[j] if u[j] > 0.0 else -l1[j])
        down = max(left, 0.0) if u[j] > lower[j] else 0.0
        up = max(-right, 0.0) if u[j] < upper[j] else 0.0
        total += (down + up) ** 2 / G[j, j]
    return total


@pytest.mark.parametrize("factored_here", [0, 96])
@pytest.mark.parametrize("seed", range(40))
def test_minimise_model_meets_the_optimality_conditions(seed, factored_here, monkeypatch):
    monkeypatch.setattr(glm_model, "FACTORED_HERE", factored_here)
    G, gradient, x, l1, lower, upper = _model(seed)
    u = glm_model.minimise_model(G, gradient, x, l1, lower, upper, 1e8)
    assert (u >= lower).all() and (u <= upper).all()
    start = _violation(G, gradient, x, l1, lower, upper, x)
    allowed = glm_model.accuracy(start, 1e8)
    assert _violation(G, gradient, x, l1, lower, upper, u) <= 1.01 * allowed + 1e-24


@pytest.mark.parametrize("scale", [0.0, 0.02, 0.5, 0.97, 1.0 - 1e-9])
def test_scaled_distance_is_the_dual_distance_of_scaled_slopes(scale):
    rng = np.random.default_rng(0)
    z = rng.standard_normal(1500) * np.repeat([0.1, 3.0, 30.0], 500)
    y, weight = rng.choice([-1.0, 1.0], 1500), rng.integers(0, 3, 1500).astype(float)
    slope, curvature = np.empty(1500), np.empty(1500)
    evaluate_losses(LOGISTIC, 0.0, z, y, weight, slope, curvature)
    expected = dual_distance(LOGISTIC, 0.0, z, y, weight, scale * slope)
    found = scaled_distance(scale, weight, slope, curvature)
    np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-13)


def test_scales_bring_every_pull_within_its_l1_term():
    rng = np.random.default_rng(1)
    c, x = 3.0 * rng.standard_normal(50), rng.standard_normal(50)
    l1, l2 = rng.uniform(0.0, 1.0, 50) * (rng.random(50) < 0.8), rng.random(50)
    l2[::2] = 0.0
    lower, upper = np.full(50, -np.inf), np.where(rng.random(50) < 0.3, 2.0, np.inf)
    limit = l1 + l2 * np.abs(x)
    held = (l1 > 0.0) & ((c < 0.0) | (upper == np.inf)) & (np.abs(c) > limit)
    scale, value = survey_columns(c, np.arange(50, dtype=np.int32), x, l1, l2, lower, upper)
    assert scale == pytest.approx((limit[held] / np.abs(c[held])).min())
    assert value == pytest.approx(l1 @ np.abs(x) + 0.5 * l2 @ x**2)
    held &= l2 == 0.0
    expected = (limit[held] / np.abs(c[held])).min()
    assert feasible_scale(c, l1, l2, lower, upper) == pytest.approx(expected)


def test_choices_agree_with_numpy():
    rng = np.random.default_rng(2)
    p = 200
    columns = np.sort(rng.choice(p, 120, replace=False)).astype(np.int32)
    c, squares, l1 = rng.standard_normal(120), rng.random(p) + 0.1, rng.random(p)
    in_block, l2 = rng.random(p) < 0.2, rng.random(p)
    lower, upper = np.where(rng.random(p) < 0.3, 0.0, -np.inf), np.full(p, np.inf)
    kept, kept_c = np.empty_like(columns), np.empty_like(c)
    lengths = np.sqrt(squares)
    n = keep_active(c, columns, lengths, l1, 0.7, 0.1, in_block, kept, kept_c)
    stays = in_block[columns] | (0.7 * np.abs(c) + 0.1 * lengths[columns] >= l1[columns])
    np.testing.assert_array_equal(kept[:n], columns[stays])
    np.testing.assert_array_equal(kept_c[:n], c[stays])
    gain = np.empty_like(c)
    n = list_violators(c, columns, squares, 0.25, l1, l2, lower, upper, in_block, kept, gain)
    excess = np.abs(c) - l1[columns]
    moves = ~in_block[columns] & (excess > 0.0) & ((c > 0.0) | (lower[columns] < 0.0))
    np.testing.assert_array_equal(kept[:n], columns[moves])
    expected = excess[moves] ** 2 / (0.25 * squares[columns] + l2[columns])[moves]
    np.testing.assert_allclose(gain[:n], expected)


@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("order", ["C", "F"])
def test_few_samples_with_ridges_are_solved_exactly(intercept, order):
    rng = np.random.default_rng(3)
    X = np.asarray(rng.standard_normal((30, 900)) + 1.0, order=order)
    y, factor = rng.integers(0, 2, 30), rng.uniform(0.5, 2.0, 900)
    model = LogisticRegression(C=0.1, fit_intercept=intercept, tol=1e-10, penalty_factor=factor)
    model.fit(X, y)
    assert model.dual_gap_ <= 1e-10 * 30 * np.log(2.0)
    slope = 1.0 / (1.0 + np.exp(-model.decision_function(X))) - y
    np.testing.assert_allclose(X.T @ slope + 10.0 * factor * model.coef_[0], 0.0, atol=1e-3)
    assert abs(slope.sum()) <= 1e-9 or not intercept


def test_inner_products_follow_the_ridges():
    rng = np.random.default_rng(4)
    block = make_block(make_design(rng.standard_normal((20, 50)), np.empty(0)))
    block.append(np.arange(50, dtype=np.int32))
    for l2 in (rng.uniform(0.5, 2.0, 50), rng.uniform(0.5, 2.0, 50)):
        W = block.rows[:50].T
        np.testing.assert_allclose(block.inner_products(l2), (W / l2) @ W.T)
    assert block.inner_products(np.zeros(50)) is None


@pytest.mark.parametrize("tag", [LOGISTIC, POISSON])
def test_scores_start_at_the_best_intercept(tag):
    rng = np.random.default_rng(5)
    y = np.where(rng.random(200) < 0.1, 1.0, -1.0) if tag == LOGISTIC else 1.0 * rng.poisson(2, 200)
    weight = rng.integers(0, 3, 200).astype(float)
    scores = Scores(tag, 0.0, y, weight, True)
    value = scores.start()
    assert abs(scores.slope.sum()) <= 1e-12 * np.abs(scores.slope).sum()
    assert (scores.z == scores.started_at).all()
    for other in (-1e-3, 1e-3):
        assert scores.try_out(scores.z + other) > value
