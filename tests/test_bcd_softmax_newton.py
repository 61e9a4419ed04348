"""Newton steps of multinomial models: conjugate gradients, shifts of all classes alike."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from bcd import softmax_newton
from bcd.design import make_design
from bcd.softmax_block import SoftmaxBlock, SoftmaxScores

N_CLASSES = 4


def model(scale=1.0, seed=0):
    rng = np.random.default_rng(seed)
    X = scale * rng.standard_normal((60, 7))
    label = rng.integers(0, N_CLASSES, 60)
    block = SoftmaxBlock(make_design(np.asfortranarray(X), np.empty(0)), intercept=False)
    block.append(np.arange(7, dtype=np.int32))
    scores = SoftmaxScores(label, N_CLASSES, rng.uniform(0.5, 2.0, 60))
    scores.set(rng.standard_normal((N_CLASSES, 60)))
    return X, block, scores


def dense_hessian(X, scores, l2):
    """Return the Hessian over (class, feature) in plain numpy."""
    P = scores.P
    parts = np.array(
        [
            [
                (X.T * (scores.weight * (P[a] * (a == b) - P[a] * P[b]))) @ X
                for b in range(N_CLASSES)
            ]
            for a in range(N_CLASSES)
        ]
    )
    size = N_CLASSES * X.shape[1]
    return parts.transpose(0, 2, 1, 3).reshape(size, size) + np.diag(np.tile(l2, N_CLASSES))


@pytest.mark.parametrize("accuracy", [1e-2, 1e-12])  # products in single precision, and in double
def test_conjugate_gradients_solve_with_the_hessian(accuracy):
    X, block, scores = model()
    l2 = np.full(7, 0.3)
    rhs = np.random.default_rng(1).standard_normal((N_CLASSES, 7))
    diagonal = block.squares(scores.curvature) + l2
    factor = softmax_newton._shared_factor(scores, block, l2)
    exact = np.linalg.solve(dense_hessian(X, scores, l2), rhs.ravel()).reshape(rhs.shape)
    first = float((rhs * exact).sum())
    solve = softmax_newton._conjugate_gradients
    step = solve(scores, block, l2, diagonal, diagonal > 0.0, rhs, accuracy**2 * first, factor)
    assert np.linalg.norm(step - exact) <= 10.0 * accuracy * np.linalg.norm(exact)


def test_conjugate_gradients_move_however_loose_the_tolerance():
    _, block, scores = model()
    l2 = np.full(7, 0.3)
    rhs = np.random.default_rng(1).standard_normal((N_CLASSES, 7))
    diagonal = block.squares(scores.curvature) + l2
    factor = softmax_newton._shared_factor(scores, block, l2)
    for preconditioner in (factor, None):
        step = softmax_newton._conjugate_gradients(
            scores, block, l2, diagonal, diagonal > 0.0, rhs, 1e300, preconditioner
        )
        assert (rhs * step).sum() > 0.0


@pytest.mark.parametrize(("scale", "fits"), [(1.0, True), (1e-20, False), (1e20, False)])
def test_single_precision_is_for_columns_within_its_range(scale, fits):
    X, block, _ = model(scale)
    single = block.single()
    assert (single is not None) == fits
    if fits:
        np.testing.assert_allclose(single, X.T, rtol=1e-6)


@pytest.mark.parametrize("l1", [0.0, 0.7])
def test_shifts_of_all_classes_alike_minimise_the_penalty(l1):
    U = np.random.default_rng(2).standard_normal((N_CLASSES, 3)) + 1.0
    l1, l2 = np.full(3, l1), np.array([0.4, 1.0, 2.0])
    settled = softmax_newton.settle_shifts(U, l1, l2)
    for j in range(3):

        def penalty(shift, j=j):
            moved = U[:, j] + shift
            return l1[j] * np.abs(moved).sum() + 0.5 * l2[j] * (moved**2).sum()

        shifts = settled[:, j] - U[:, j]
        np.testing.assert_allclose(shifts, shifts[0], atol=1e-14)
        least = minimize_scalar(penalty, bounds=(-6.0, 6.0), method="bounded")
        assert penalty(shifts[0]) <= least.fun + 1e-9
