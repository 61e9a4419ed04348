"""Dense designs made with a target know its correlations, of every layout and weighting."""

import numpy as np
import pytest

from bcd.design import correlate_target, make_design, project_out


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("intercept", [False, True])
def test_correlations_with_the_target_are_those_of_the_centred_columns(
    order, dtype, weighted, intercept
):
    rng = np.random.default_rng(0)
    X = np.asarray(rng.standard_normal((30, 7)) + 3.0, dtype=dtype, order=order)
    root = np.sqrt(rng.random(30)) if weighted else None
    share = np.ones(30) if root is None else root
    u = share if intercept else np.empty(0)
    y = share * (rng.standard_normal(30) + 5.0)
    design = make_design(X, u, root, y)
    A = share[:, None] * X.astype(np.float64)
    A = A - np.outer(u, u @ A) / (u @ u) if intercept else A
    columns = np.array([1, 4, 6], dtype=np.int32)
    b = project_out(u, y)
    found = correlate_target(design, project_out(u, b), columns)  # differs by rounding, if at all
    np.testing.assert_array_equal(found, design.first[1][columns])
    np.testing.assert_allclose(found, (A.T @ b)[columns], rtol=1e-10)
    other = correlate_target(design, 2.0 * b, columns)
    np.testing.assert_allclose(other, 2.0 * (A.T @ b)[columns], rtol=1e-10)
