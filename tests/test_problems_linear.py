import numpy as np
import pytest
import scipy.sparse

from problems import (
    L1,
    Huber,
    LeastSquares,
    Logistic,
    Multinomial,
    NonNegative,
    Poisson,
    SquaredHinge,
)

KINDS = [LeastSquares, Logistic, SquaredHinge, Huber, Poisson, Multinomial]


def make_problem(kind, sparse=False, seed=0, penalty=None):
    rng = np.random.default_rng(seed)
    A = rng.normal(size=(12, 5)) * (rng.random((12, 5)) < 0.7)
    y = rng.normal(size=12)
    if kind in (Logistic, SquaredHinge):
        y = np.sign(y)
    elif kind is Poisson:
        y = rng.poisson(2.0, 12)
    elif kind is Multinomial:
        y = np.arange(12) % 3
    return kind(scipy.sparse.csr_array(A) if sparse else A, y, penalty)


@pytest.mark.kernel
@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_derivatives_agree_with_finite_differences(kind, sparse):
    problem = make_problem(kind, sparse)
    n = problem.n_coordinates
    x = 0.3 * np.random.default_rng(1).normal(size=n)
    steps = 1e-6 * np.eye(n)
    gradient = [(problem.value(x + s) - problem.value(x - s)) / 2e-6 for s in steps]
    hessian = [(problem.gradient(x + s) - problem.gradient(x - s)) / 2e-6 for s in steps]
    np.testing.assert_allclose(problem.gradient(x), gradient, atol=1e-7)
    np.testing.assert_allclose(problem.hessian_block(x, np.arange(n)), hessian, atol=1e-7)
    block = [3, 0]
    np.testing.assert_allclose(
        problem.block_gradient(x, block), np.take(gradient, block), atol=1e-7
    )
    np.testing.assert_allclose(
        problem.hessian_block(x, block), np.asarray(hessian)[np.ix_(block, block)], atol=1e-7
    )


@pytest.mark.kernel
@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind is not Poisson])
def test_bounds_are_above_every_hessian(kind, sparse):
    problem = make_problem(kind, sparse)
    everything = np.arange(problem.n_coordinates)
    bound = problem.bound_block(everything)
    for seed in range(5):
        x = np.random.default_rng(seed).normal(size=problem.n_coordinates)
        H = problem.hessian_block(x, everything)
        assert np.linalg.eigvalsh(bound - H)[0] > -1e-10
    np.testing.assert_allclose(problem.coordinate_lipschitz(), np.diag(bound), rtol=1e-12)
    np.testing.assert_allclose(problem.block_lipschitz([1, 2]), np.linalg.norm(bound[1:3, 1:3], 2))


def test_poisson_has_no_bound():
    with pytest.raises(ValueError, match="Poisson has no bound on its curvature; use a line"):
        make_problem(Poisson).bound_block([0])


@pytest.mark.kernel
def test_gram_form_is_the_same_function():
    problem = make_problem(LeastSquares, penalty=L1(0.3))
    arrays = problem.arrays(gram=True)
    np.testing.assert_allclose(arrays.columns, problem.A.T @ problem.A)
    np.testing.assert_allclose(arrays.target, problem.A.T @ problem.y)


@pytest.mark.kernel
@pytest.mark.parametrize("penalty", [L1(0.4), NonNegative(0.4)])
def test_duality_gap_bounds_the_distance_and_closes(penalty):
    from sklearn.linear_model import Lasso

    problem = make_problem(LeastSquares, penalty=penalty)
    model = Lasso(alpha=0.4 / 12, fit_intercept=False, tol=1e-14, positive=penalty.is_bounded).fit(
        problem.A, problem.y
    )
    best = problem.value(model.coef_)
    assert 0.0 <= problem.duality_gap(model.coef_) < 1e-10
    for seed in range(10):
        x = np.abs(np.random.default_rng(seed).normal(size=5))
        assert problem.duality_gap(x) >= problem.value(x) - best - 1e-12


@pytest.mark.parametrize("penalty", [L1(0.4), NonNegative(0.4)])
def test_dual_point_stays_feasible_where_the_residual_has_room(penalty):
    from sklearn.linear_model import Lasso

    rng = np.random.default_rng(0)
    A = rng.normal(size=(12, 5))
    problem = LeastSquares(A, A @ np.abs(rng.normal(size=5)), penalty)  # fits without noise
    model = Lasso(alpha=0.4 / 12, fit_intercept=False, tol=1e-14, positive=penalty.is_bounded)
    best = problem.value(model.fit(A, problem.y).coef_)
    for share in (1.0, 0.5, 0.1):
        x = model.set_params(alpha=share * 0.4 / 12).fit(A, problem.y).coef_
        assert problem.duality_gap(x) >= problem.value(x) - best - 1e-12


@pytest.mark.parametrize(
    ("A", "y", "message"),
    [
        (np.ones(3), np.ones(3), r"A must be two-dimensional, got shape \(3,\)"),
        (np.ones((0, 2)), np.ones(0), "A must have at least one row and one column"),
        (np.full((2, 2), np.nan), np.ones(2), "A must be finite, got NaN or inf"),
        (scipy.sparse.csr_array(np.diag([1.0, np.inf])), np.ones(2), "A must be finite"),
        (np.eye(2), np.ones(3), "A and y must have the same length, got 2 and 3"),
        (np.eye(2), np.ones((2, 1)), r"y must be one-dimensional, got shape \(2, 1\)"),
        (np.eye(2), np.array([1.0, np.inf]), "y must be finite, got NaN or inf"),
    ],
)
def test_bad_data_is_refused(A, y, message):
    with pytest.raises(ValueError, match=message):
        LeastSquares(A, y)


def test_bad_types_are_refused():
    with pytest.raises(TypeError, match="A must be real numbers, got dtype complex128"):
        LeastSquares(np.eye(2) * 1j, np.ones(2))
    with pytest.raises(TypeError, match=r"penalty must be None or a .*Penalty, got str"):
        LeastSquares(np.eye(2), np.ones(2), "l1")


def test_targets_a_loss_does_not_know_are_refused():
    with pytest.raises(ValueError, match=r"y must be -1 or 1, got 2.0"):
        Logistic(np.eye(2), [1.0, 2.0])
    with pytest.raises(ValueError, match="y must be at least 0 for counts, got -1"):
        Poisson(np.eye(2), [-1.0, 2.0])
    with pytest.raises(ValueError, match=r"y must be class ids in 0..1, got 2.0"):
        Multinomial(np.eye(3), [0, 1, 2], n_classes=2)
    with pytest.raises(ValueError, match="delta must be a finite number above 0, got 0"):
        Huber(np.eye(2), np.ones(2), delta=0.0)
