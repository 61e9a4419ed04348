from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from problems import L1, Bounds, ElasticNet, GroupL2, NonNegative, Penalty
from problems.penalties import (
    is_active,
    minimum_norm_subgradient,
    model_decrease,
    penalty_value,
    prox,
    prox_group,
)

number = st.floats(-5, 5)
weight = st.sampled_from([0.0, 0.5, 2.0])
interval = st.sampled_from([(-np.inf, np.inf), (0.0, np.inf), (-1.0, 2.0), (1.0, 1.5)])


@pytest.mark.kernel
@given(number, st.sampled_from([0.1, 1.0, 3.0]), weight, weight, interval)
def test_prox_agrees_with_a_fine_grid(v, step, l1, l2, bounds):
    u = prox(v, step, l1, l2, *bounds)
    grid = np.append(np.linspace(max(bounds[0], -6.0), min(bounds[1], 6.0), 20001), 0.0)
    grid = grid[(grid >= bounds[0]) & (grid <= bounds[1])]
    values = (grid - v) ** 2 / (2 * step) + l1 * np.abs(grid) + 0.5 * l2 * grid**2
    assert bounds[0] <= u <= bounds[1]
    assert (u - v) ** 2 / (2 * step) + penalty_value(u, l1, l2) <= values.min() + 1e-12


@pytest.mark.kernel
@given(number, st.sampled_from([-1.0, 0.0, 1.0, 1.5, 2.0]), weight, weight, interval)
def test_minimum_norm_subgradient_is_zero_exactly_at_fixed_points_of_prox(g, u, l1, l2, bounds):
    u = float(np.clip(u, *bounds))
    s = minimum_norm_subgradient(g, u, l1, l2, *bounds)
    moved = prox(u - 1e-3 * g, 1e-3, l1, l2, *bounds) - u
    if s == 0.0:
        assert abs(moved) < 1e-15
    elif abs(s) > 1e-9:
        assert moved * s < 0.0


@pytest.mark.kernel
@given(number, number, weight, weight, interval)
def test_model_decrease_is_never_negative(g, u, l1, l2, bounds):
    u = float(np.clip(u, *bounds))
    assert model_decrease(g, u, 2.0, l1, l2, *bounds) >= -1e-12


@pytest.mark.kernel
def test_active_coordinates_are_those_free_to_move():
    assert is_active(0.5, 1.0, -np.inf, np.inf)
    assert not is_active(0.0, 1.0, -np.inf, np.inf)
    assert is_active(0.0, 0.0, -np.inf, np.inf)
    assert not is_active(0.0, 0.0, 0.0, np.inf)
    assert not is_active(2.0, 0.0, 0.0, 2.0)


@pytest.mark.kernel
def test_prox_group_minimises_its_objective():
    rng = np.random.default_rng(0)
    for weight in (0.1, 1.0, 10.0):
        v, out = rng.normal(size=3), np.empty(3)
        prox_group(v, 0.5, 0.2, weight, out)

        def objective(u, v=v, weight=weight):
            return ((u - v) ** 2).sum() + 0.2 * np.abs(u).sum() + weight * np.linalg.norm(u)

        best = objective(out)
        for _ in range(200):
            assert best <= objective(out + 0.01 * rng.normal(size=3))


def test_penalties_have_their_values():
    x = np.array([1.0, -2.0])
    assert Penalty().value(x) == 0.0
    assert L1(0.5).value(x) == 1.5
    assert ElasticNet(2.0, 0.5).value(x) == 3.0 + 2.5
    assert NonNegative(1.0).value(x) == np.inf
    assert NonNegative(1.0).value(-x[1:]) == 2.0
    assert Bounds(-2.0, 1.0).value(x) == 0.0
    assert GroupL2(1.0, [[0, 1]]).value(x) == pytest.approx(np.sqrt(10.0))


def test_bad_weights_and_bounds_are_refused():
    with pytest.raises(ValueError, match="alpha must be a finite number, at least 0, got -1"):
        L1(-1)
    with pytest.raises(ValueError, match="alpha must be a number, got the truth value True"):
        L1(True)
    with pytest.raises(ValueError, match="alpha must be a finite number, at least 0, got nan"):
        NonNegative(np.nan)
    with pytest.raises(ValueError, match="l1_ratio must be between 0 and 1, got 2"):
        ElasticNet(1.0, 2)
    with pytest.raises(ValueError, match="lower must be at most upper, got lower > upper at entr"):
        Bounds([0.0, 2.0], [1.0, 1.0])
    with pytest.raises(ValueError, match="bounds must not be NaN"):
        Bounds(np.nan, 1.0)


@given(
    st.floats(-1e3, 1e3).filter(lambda u: abs(u) > 1e-3),
    st.floats(-1e-6, 1e-6),
    st.sampled_from([0.0, 0.5]),
)
def test_model_decrease_keeps_what_is_small_beside_the_penalty(u, s, l2):
    l1, curvature = 1e4, 3.0
    g = s - l1 * np.sign(u) - l2 * u
    left = Fraction(g) + Fraction(l1) * int(np.sign(u)) + Fraction(l2) * Fraction(u)  # exactly
    new = prox(u - g / curvature, 1.0 / curvature, l1, l2, -np.inf, np.inf)
    d = Fraction(new) - Fraction(u)
    exact = -left * d - (Fraction(curvature) + Fraction(l2)) * d * d / 2
    made = model_decrease(g, u, curvature, l1, l2, -np.inf, np.inf)
    slack = 4e-16 * (abs(g) + l1) * abs(float(d))  # what rounds is the slope, times the step
    assert abs(made - float(exact)) <= slack + 1e-300
