"""The bound on identification, held against runs and against a direct computation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bcd import active_set_complexity, minimize
from problems import L1, GroupL2, LeastSquares, Logistic, NonNegative, Quadratic


def tall(seed, penalty):
    rng = np.random.default_rng(seed)
    A = rng.normal(size=(60, 12)) + 0.3
    w = np.where(rng.random(12) < 0.5, rng.normal(size=12), 0.0)
    return LeastSquares(A, A @ w + 0.1 * rng.normal(size=60), penalty)


@pytest.mark.kernel
@settings(max_examples=15)
@given(st.integers(0, 10**6), st.sampled_from([L1(8.0), NonNegative(4.0)]), st.sampled_from([1, 3]))
def test_greedy_runs_identify_within_the_bound(seed, penalty, size):
    problem = tall(seed, penalty)
    best = minimize(problem, selection="gs-q", update="prox-newton", tol=1e-15, max_iter=500).x
    bound = active_set_complexity(problem, best, block_size=size)
    run = minimize(
        problem, selection="gs-q", update="prox-gradient", block_size=size, tol=0.0, max_iter=3000
    )
    if bound.margin > 1e-6:
        assert run.identified_at <= bound.iterations


def test_bound_is_made_of_margin_curvature_and_rate():
    Q, q = np.diag([1.0, 4.0]), np.array([3.0, 0.5])
    problem = Quadratic(Q, q, L1(1.0))
    bound = active_set_complexity(problem, [2.0, 0.0])
    assert bound.margin == 0.5 and bound.radius == 0.5 / 8.0
    assert bound.rate == 1.0 - 1.0 / (2 * 4.0)
    gap = problem.value(np.zeros(2)) - problem.value(np.array([2.0, 0.0]))
    k = bound.iterations
    assert bound.rate**k * gap <= 0.5 * bound.radius**2 < bound.rate ** (k - 1) * gap
    assert active_set_complexity(problem, [2.0, 0.0], x0=[2.0, 0.0]).iterations == 0


def test_without_strong_convexity_or_margin_there_is_no_bound():
    rng = np.random.default_rng(0)
    wide = LeastSquares(rng.normal(size=(10, 30)), rng.normal(size=10), L1(2.0))
    best = minimize(wide, selection="gs-q", update="prox-newton", tol=1e-14).x
    bound = active_set_complexity(wide, best)
    assert bound.rate == 1.0 and bound.iterations == np.inf
    logistic = Logistic(rng.normal(size=(40, 5)), np.sign(rng.normal(size=40)), L1(100.0))
    assert active_set_complexity(logistic, np.zeros(5)).iterations in (0.0, np.inf)
    tight = Quadratic(np.eye(2), [1.0, 3.0], L1(1.0))
    assert active_set_complexity(tight, [0.0, 2.0]).margin == 0.0


@pytest.mark.parametrize(
    ("penalty", "x", "message"),
    [
        (None, [3.0, 0.5], "penalty must have an l1 term or bounds"),
        (L1(1.0), [2.0], r"x_star must have shape \(2,\)"),
        (L1(1.0), [5.0, 0.0], "x_star must be stationary"),
    ],
)
def test_bad_arguments_are_refused(penalty, x, message):
    problem = Quadratic(np.eye(2), [3.0, 0.5], penalty)
    with pytest.raises(ValueError, match=message):
        active_set_complexity(problem, x)


def test_groups_are_refused():
    problem = LeastSquares(np.eye(2), [1.0, 1.0], GroupL2(1.0, [[0, 1]]))
    with pytest.raises(ValueError, match="no groups"):
        active_set_complexity(problem, [0.0, 0.0])
