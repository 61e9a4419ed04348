"""The sweeps that come before a path is followed, each against a brute-force answer."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bcd._active_set_kernels import descend, largest_pull, refresh, small_gap

pytestmark = pytest.mark.kernel


def make_problem(seed: int, m: int, bounded: bool):
    rng = np.random.default_rng(seed)
    A, b = rng.standard_normal((2 * m, m)), 3.0 * rng.standard_normal(2 * m)
    l1 = rng.uniform(0.0, 4.0, m)
    lower = np.where(rng.random(m) < 0.5, 0.0, -1.0) if bounded else np.full(m, -np.inf)
    upper = np.where(rng.random(m) < 0.5, 0.5, np.inf) if bounded else np.full(m, np.inf)
    return A.T @ A, A.T @ b, l1, lower, upper, float(b @ b)


def value(G, q, l1, x):
    return 0.5 * x @ G @ x - q @ x + l1 @ np.abs(x)


def best_on_a_line(G, q, l1, lower, upper, x, j):
    """Least value over coordinate ``j`` alone: of its kinks and its stationary points."""
    rest = q[j] - G[j] @ x + G[j, j] * x[j]
    tries = [lower[j], upper[j], 0.0, (rest - l1[j]) / G[j, j], (rest + l1[j]) / G[j, j]]
    values = []
    for candidate in np.clip([t for t in tries if np.isfinite(t)], lower[j], upper[j]):
        y = x.copy()
        y[j] = candidate
        values.append(value(G, q, l1, y))
    return min(values)


@given(st.integers(0, 10**6), st.integers(1, 8), st.booleans())
def test_one_sweep_is_an_exact_step_along_each_coordinate_in_turn(seed, m, bounded):
    G, q, l1, lower, upper, _ = make_problem(seed, m, bounded)
    x, h = np.zeros(m), q.copy()
    x[:] = np.clip(np.random.default_rng(seed + 1).standard_normal(m), lower, upper)
    expected = x.copy()
    refresh(G, q, x, h)
    np.testing.assert_allclose(h, q - G @ x, rtol=1e-9, atol=1e-9)
    descend(G, h, x, l1, lower, upper, 1, 0.0)
    for j in range(m):
        least = best_on_a_line(G, q, l1, lower, upper, expected, j)
        expected[j] = x[j]
        assert value(G, q, l1, expected) <= least + 1e-9 * (1.0 + abs(least))
    assert (lower <= x).all() and (x <= upper).all()
    np.testing.assert_allclose(h, q - G @ x, rtol=1e-8, atol=1e-8)


@given(st.integers(0, 10**6), st.integers(1, 8))
def test_gap_of_the_small_problem_bounds_the_distance_to_its_minimum(seed, m):
    G, q, l1, lower, upper, energy = make_problem(seed, m, False)
    x, h = np.zeros(m), q.copy()
    gaps = []
    for _ in range(3):
        gaps.append((small_gap(energy, q, h, x, l1, lower, upper), value(G, q, l1, x)))
        descend(G, h, x, l1, lower, upper, 1, 0.0)
    for _ in range(300):
        descend(G, h, x, l1, lower, upper, 5, 0.0)
    least = value(G, q, l1, x)
    for gap, above in gaps:
        assert gap >= above - least - 1e-9 * energy
    assert small_gap(energy, q, h, x, l1, lower, upper) <= 1e-6 * energy
    assert small_gap(energy, q, h, x, l1, lower, np.ones(m)) == np.inf


def test_largest_pull_is_measured_in_units_of_the_objective():
    G = np.diag([4.0, 0.0, 9.0])
    assert largest_pull(G, np.array([-8.0, 99.0, 3.0]), np.zeros(3)) == 4.0
