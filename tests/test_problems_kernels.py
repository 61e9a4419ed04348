"""Passes over a compressed design and Hessian blocks, held against dense algebra."""

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st

from bcd import minimize
from problems import L1, LeastSquares, Logistic
from problems._linear_kernels import SPARSE, full_gradient


@st.composite
def designs(draw):
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    n, p = draw(st.integers(1, 30)), draw(st.integers(1, 40))
    A = rng.normal(size=(n, p)) * (rng.random((n, p)) < draw(st.sampled_from([0.0, 0.1, 0.6])))
    A[:, rng.random(p) < 0.1] = 1.0  # a few columns without a zero beside short ones
    return A.astype(draw(st.sampled_from([np.float32, np.float64])))


@pytest.mark.kernel
@settings(max_examples=60)
@given(designs(), st.integers(0, 10**6))
def test_lanes_hold_the_design_and_give_its_gradient(A, seed):
    problem = LeastSquares(scipy.sparse.csc_array(A), np.zeros(len(A)))
    pointer, index, value, column = problem.lanes
    again = np.zeros(A.shape)
    for s in range(len(pointer) - 1):
        for lane in range(8):
            inside = slice(pointer[s], pointer[s + 1])
            total = np.zeros(len(A))
            np.add.at(total, index[inside, lane], value[inside, lane])
            again[:, column[8 * s + lane]] = total
    np.testing.assert_array_equal(again, A)
    arrays = problem.arrays()._replace(
        lane_ptr=pointer, lane_index=index, lane_value=value, lane_column=column
    )
    slope = np.random.default_rng(seed).normal(size=len(A))
    gradient = np.full(A.shape[1], np.nan)
    full_gradient(arrays, slope, gradient)
    np.testing.assert_allclose(gradient, A.T.astype(float) @ slope, rtol=1e-12, atol=1e-12)


@pytest.mark.kernel
def test_what_is_not_finite_reaches_no_other_column():
    A = scipy.sparse.csc_array(np.eye(3))
    problem = LeastSquares(A, np.zeros(3))
    pointer, index, value, column = problem.lanes
    arrays = problem.arrays()._replace(
        lane_ptr=pointer, lane_index=index, lane_value=value, lane_column=column
    )
    gradient = np.zeros(3)
    full_gradient(arrays, np.array([np.inf, 1.0, 2.0]), gradient)
    np.testing.assert_array_equal(gradient, [np.inf, 1.0, 2.0])


@pytest.mark.kernel
@pytest.mark.parametrize("update", ["matrix", "newton", "exact"])
@pytest.mark.parametrize("penalty", [None, L1(0.5)])
def test_runs_with_lanes_are_those_without(update, penalty):
    rng = np.random.default_rng(0)
    A = scipy.sparse.random_array((60, 90), density=0.3, rng=rng)
    if penalty is not None:
        update = "prox-newton"
    problem = LeastSquares(A, rng.normal(size=60), penalty)
    rules = {"selection": "gsl", "update": update, "block_size": 9, "tol": 0.0}
    wide = minimize(problem, max_iter=40, **rules)  # enough passes that lanes are laid out
    assert "lanes" in vars(problem)
    other = LeastSquares(A, problem.y, penalty)
    x, objective = None, []
    for _ in range(40):  # runs too short for lanes
        one = minimize(other, x, max_iter=1, **rules)
        objective.append(one.fun)
        x = one
    assert "lanes" not in vars(other)
    np.testing.assert_allclose(
        wide.history.objective[1 : len(objective) + 1],
        objective[: wide.n_iter],
        rtol=1e-9,
        atol=1e-12,
    )


@pytest.mark.kernel
@pytest.mark.parametrize("kind", [LeastSquares, Logistic])
def test_a_nearly_empty_dense_design_is_walked_compressed(kind):
    rng = np.random.default_rng(0)
    A = rng.normal(size=(40, 80)) * (rng.random((40, 80)) < 0.08)
    y = np.sign(rng.normal(size=40))
    dense, sparse = kind(A, y), kind(scipy.sparse.csc_array(A), y)
    assert dense.arrays().kind == SPARSE and dense.A is not None
    np.testing.assert_array_equal(dense.A, A)
    runs = [minimize(problem, block_size=5, tol=0.0, max_iter=50) for problem in (dense, sparse)]
    np.testing.assert_array_equal(runs[0].x, runs[1].x)
    block = [3, 1, 70]
    np.testing.assert_allclose(dense.bound_block(block), sparse.bound_block(block))
