"""The small problem on gathered columns against dense linear algebra and the Gram form."""

import itertools

import numpy as np
import pytest
from scipy.optimize import approx_fprime

from bcd import SparseGroupLasso
from bcd._group_columns_kernels import root_of_proximal_slope
from bcd.group_bases import eigenbases, inner_products, rotated
from bcd.group_columns import GroupColumnsProblem
from bcd.group_gram import GroupGramProblem
from experiments.certificates import group_gap

PTR = np.array([0, 3, 4, 9, 11])


def small_problem(n, seed, l1=0.0, positive=False, weight=2.0):
    """Return two forms of one problem, its columns and its target."""
    rng = np.random.default_rng(seed)
    columns, b = rng.standard_normal((PTR[-1], n)), 3.0 * rng.standard_normal(n)
    penalty = np.full(PTR[-1], l1), np.zeros(PTR[-1]), np.full(len(PTR) - 1, weight), PTR
    by_columns = GroupColumnsProblem(b, l1 == 0.0 and not positive, positive)
    by_columns.grow(columns, *penalty)
    by_gram = GroupGramProblem(float(b @ b), 0.0, positive)
    by_gram.grow(np.empty((0, len(columns))), columns @ columns.T, columns @ b, *penalty)
    return by_columns, by_gram, columns, b


def test_bases_make_the_columns_of_each_group_orthogonal_and_lead_back():
    columns = np.random.default_rng(0).standard_normal((PTR[-1], 7))
    blocks = inner_products(columns, PTR)
    values, bases = eigenbases(blocks, PTR)
    turned = rotated(bases, PTR, columns)
    for a, b in itertools.pairwise(PTR):
        np.testing.assert_allclose(turned[a:b] @ turned[a:b].T, np.diag(values[a:b]), atol=1e-12)
    np.testing.assert_allclose(rotated(bases, PTR, turned, back=True), columns, atol=1e-12)


@pytest.mark.parametrize("n", [5, 40])
@pytest.mark.parametrize(("l1", "positive"), [(0.0, False), (0.7, False), (0.0, True), (0.5, True)])
def test_both_forms_have_one_solution(n, l1, positive):
    by_columns, by_gram, _, b = small_problem(n, n, l1, positive)
    for form in (by_columns, by_gram):
        assert form.solve(1e-12 * float(b @ b)) <= 1e-12 * float(b @ b)
    np.testing.assert_allclose(by_columns.solution(), by_gram.solution(), atol=1e-5)


@pytest.mark.parametrize("n", [5, 40])
@pytest.mark.parametrize("l1", [0.0, 0.3])
def test_newton_step_makes_the_gradient_vanish_to_first_order(n, l1):
    small, _, _, b = small_problem(n, 3, l1, weight=0.9)
    small.x = np.random.default_rng(1).standard_normal(PTR[-1])
    small.refresh()

    def value(x):
        norms = np.sqrt(np.add.reduceat(x**2, PTR[:-1]))
        residual = b - x @ small.C[: small.size]
        return 0.5 * residual @ residual + l1 * np.abs(x).sum() + 0.9 * norms.sum()

    def gradient(x):
        norms = np.repeat(np.sqrt(np.add.reduceat(x**2, PTR[:-1])), np.diff(PTR))
        residual = b - x @ small.C[: small.size]
        return -small.C[: small.size] @ residual + l1 * np.sign(x) + 0.9 * x / norms

    start = small.x
    np.testing.assert_allclose(approx_fprime(start, value, 1e-7), gradient(start), atol=1e-3)
    step = small._newton_step(np.arange(PTR[-1]))
    change = (gradient(start + 1e-5 * step) - gradient(start - 1e-5 * step)) / 2e-5
    np.testing.assert_allclose(change, -gradient(start), atol=1e-4)


def test_root_of_the_proximal_slope_squares_to_its_derivative():
    small, _, columns, _ = small_problem(6, 2, 0.2)
    rng = np.random.default_rng(5)
    center, pull, sigma = (
        rng.standard_normal(PTR[-1]),
        rng.standard_normal(PTR[-1]),
        np.full(4, 0.3),
    )
    x, norms, _ = small._proximal_point(center, pull, sigma)
    support = np.flatnonzero(x)
    root = np.empty((len(support), 6))
    root_of_proximal_slope(small.C, x, sigma, norms, small.weight, small.group_of, support, root)
    for direction in np.eye(6):
        ends = [
            small._proximal_point(center, pull + t * (columns @ direction), sigma)[0] @ columns
            for t in (1e-6, -1e-6)
        ]
        slope = (ends[0] - ends[1]) / 2e-6
        np.testing.assert_allclose(root.T @ (root @ direction), slope, atol=1e-6)


@pytest.mark.parametrize("l1_ratio", [0.0, 0.4])
def test_large_supports_are_solved_whichever_system_is_smaller(l1_ratio, monkeypatch):
    rng = np.random.default_rng(2)
    X, y = rng.standard_normal((40, 600)), rng.standard_normal(40)
    groups = np.arange(600).reshape(-1, 6).tolist()
    factors = np.full(100, 6**0.5)
    alpha = np.abs(X.T @ y).max() / 40 / 50
    for steps in (40, 0):  # conjugate gradients are never, or always, cheaper
        monkeypatch.setattr("bcd.group_columns.BLAS_SPEED", 1e-9 if steps else 1e9)
        model = SparseGroupLasso(
            alpha, l1_ratio=l1_ratio, groups=6, fit_intercept=False, tol=1e-9
        ).fit(X, y)
        gap = group_gap(X, y, model.coef_, alpha, l1_ratio, groups, factors)[1]
        assert gap <= 1.1e-9 * float(y @ y) / 40
