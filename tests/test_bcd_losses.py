"""Every loss through the engine, held against scipy's minimisers; what bad input is told."""

import numpy as np
import pytest
import scipy.optimize
import scipy.sparse

from bcd import minimize
from bcd._update_kernels import interpolate
from problems import (
    L1,
    Bounds,
    ElasticNet,
    GraphQuadratic,
    GroupL2,
    Huber,
    LeastSquares,
    Logistic,
    Multinomial,
    Penalty,
    Poisson,
    Quadratic,
    SquaredHinge,
)

KINDS = [Logistic, SquaredHinge, Huber, Poisson, Multinomial]
RIDGE = ElasticNet(2.0, 0.0)


def make_problem(kind, penalty, sparse=False):
    rng = np.random.default_rng(4)
    A = rng.normal(size=(40, 6)) * (rng.random((40, 6)) < 0.8)
    y = A @ rng.normal(size=6) + rng.normal(size=40)
    if kind in (Logistic, SquaredHinge):
        y = np.sign(y)
    elif kind is Poisson:
        y = rng.poisson(np.exp(0.5 * y.clip(-2, 2)))
    elif kind is Multinomial:
        y = np.argmax(A @ rng.normal(size=(6, 3)) + rng.normal(size=(40, 3)), axis=1)
    return kind(scipy.sparse.csr_array(A) if sparse else A, y, penalty)


def reference(problem, bounds=None):
    l2 = problem.penalty.l2
    return scipy.optimize.minimize(
        lambda x: problem.smooth_value(x) + 0.5 * l2 * x @ x,
        np.zeros(problem.n_coordinates),
        jac=lambda x: problem.gradient(x) + l2 * x,
        bounds=bounds,
        method="L-BFGS-B",
        options={"ftol": 1e-15, "gtol": 1e-10, "maxiter": 10_000},
    )


@pytest.mark.kernel
@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_every_loss_agrees_with_scipy(kind, sparse):
    problem = make_problem(kind, RIDGE, sparse)
    expected = reference(problem)
    bounded = np.isfinite(problem.curvature_bound)
    updates = ["newton", "backtracking", "prox-newton", "two-metric"]
    updates += ["gradient", "matrix", "prox-gradient"] if bounded else []
    selections = ["gs", "shuffled"] + (["gsl", "gsd", "gsq", "mi", "lipschitz"] if bounded else [])
    for partition in ("order", "variable"):
        for k, selection in enumerate(selections):
            if selection == "mi" and partition == "variable":
                continue
            update = updates[k % len(updates)]
            result = minimize(
                problem,
                partition=partition,
                selection=selection,
                update=update,
                block_size=3,
                tol=1e-6 if update == "backtracking" else 1e-8,
                max_iter=20_000,
                random_state=0,
            )
            assert result.success, (partition, selection, update)
            np.testing.assert_allclose(result.x, expected.x, atol=1e-4, err_msg=selection)
            assert result.fun == pytest.approx(problem.value(result.x), rel=1e-10)
            assert np.all(np.diff(result.history.objective) <= 1e-10 * abs(expected.fun))


@pytest.mark.kernel
@pytest.mark.parametrize("kind", KINDS)
def test_every_loss_with_l1_and_with_bounds_meets_its_optimality_conditions(kind):
    for update in ("prox-newton", "two-metric", "backtracking"):
        problem = make_problem(kind, L1(3.0))
        result = minimize(
            problem, selection="gs-s", update=update, block_size=3, tol=1e-8, max_iter=20_000
        )
        g, x = problem.gradient(result.x), result.x
        scale = np.abs(problem.gradient(0 * x)).max()
        assert np.all(np.abs(g) <= 3.0 + 1e-7 * scale)
        np.testing.assert_allclose(g[x != 0], -3.0 * np.sign(x[x != 0]), atol=1e-7 * scale)
        box = make_problem(kind, Bounds(-0.1, 0.2))
        result = minimize(
            box, selection="gs-s", update=update, block_size=3, tol=1e-8, max_iter=20_000
        )
        expected = reference(box, [(-0.1, 0.2)] * box.n_coordinates)
        assert result.fun == pytest.approx(expected.fun, rel=1e-9)


@pytest.mark.kernel
def test_fixed_gsq_counts_the_l2_term():
    """Without it a block that is solved already would be chosen for ever."""
    rng = np.random.default_rng(0)
    A, y = rng.normal(size=(40, 12)), rng.normal(size=40)
    problem = LeastSquares(A, y, ElasticNet(50.0, 0.0))
    result = minimize(
        problem, partition="order", selection="gsq", update="matrix", block_size=3, tol=1e-12
    )
    assert result.success
    expected = np.linalg.solve(A.T @ A + 50.0 * np.eye(12), A.T @ y)
    np.testing.assert_allclose(result.x, expected, atol=1e-9)


@pytest.mark.kernel
def test_sparse_groups_are_optimal_on_every_smooth_part():
    groups, l1, weight = [[0, 1], [2, 3, 4], [5]], 1.0, 2.0
    rng = np.random.default_rng(2)
    B = rng.normal(size=(9, 6))
    problems = [
        make_problem(kind, GroupL2(weight, groups, l1=l1)) for kind in (Logistic, LeastSquares)
    ]
    problems.append(Quadratic(B.T @ B, 5.0 * rng.normal(size=6), GroupL2(weight, groups, l1=l1)))
    for problem in problems:
        for selection in ("gs-s", "gs-q", "gs-r", "shuffled"):
            result = minimize(
                problem,
                partition="groups",
                selection=selection,
                tol=1e-9,
                random_state=0,
                max_iter=20_000,
            )
            assert result.success
            g, x = problem.gradient(result.x), result.x
            for group in groups:
                u, v, scale = x[group], g[group], weight * np.sqrt(len(group))
                if not u.any():
                    shrunk = np.maximum(np.abs(v) - l1, 0.0)
                    assert np.linalg.norm(shrunk) <= scale + 1e-6
                    continue
                total = v + scale * u / np.linalg.norm(u)
                assert np.all(np.abs(total[u == 0.0]) <= l1 + 1e-6)
                np.testing.assert_allclose(total[u != 0], -l1 * np.sign(u[u != 0]), atol=1e-6)


@pytest.mark.kernel
def test_float32_designs_are_kept_and_solved_in_double():
    rng = np.random.default_rng(0)
    A = rng.normal(size=(40, 12)).astype(np.float32)
    y = rng.normal(size=40)
    run = {"selection": "gs-q", "block_size": 4, "gram": False}
    expected = minimize(LeastSquares(A.astype(np.float64), y, L1(1.0)), tol=1e-12, **run)
    for design in (A, scipy.sparse.csc_array(A)):  # one test, because it compiles anew
        problem = LeastSquares(design, y, L1(1.0))
        assert problem.A.dtype == np.float32
        result = minimize(problem, tol=1e-10, **run)
        assert result.success and result.x.dtype == np.float64
        np.testing.assert_allclose(result.x, expected.x, atol=1e-6)


@pytest.mark.kernel
def test_interpolation_finds_the_minimiser_of_the_parabola_and_of_the_cubic():
    def parabola(t):
        return -2.0 * t + 4.0 * t * t

    assert interpolate.py_func(1.0, -2.0, parabola(1.0), 0.0, 0.0) == pytest.approx(0.25)

    def cubic(t):
        return -1.0 * t - t * t + 8.0 * t**3

    least = (2.0 + np.sqrt(4.0 + 96.0)) / 48.0  # root of -1 - 2 t + 24 t^2
    assert interpolate.py_func(0.6, -1.0, cubic(0.6), 1.0, cubic(1.0)) == pytest.approx(least)
    # kept within a tenth and a half of the last trial
    assert interpolate.py_func(1.0, -1.0, 1e9, 0.0, 0.0) == pytest.approx(0.1)
    assert interpolate.py_func(1.0, -1.0, -0.99, 0.0, 0.0) == pytest.approx(0.5)


@pytest.mark.kernel
def test_arc_search_lands_on_the_bound_where_a_straight_line_would_leave_the_box():
    """Projected Newton from the interior: one coordinate meets its bound, the other goes on."""
    Q = np.array([[2.0, 0.5], [0.5, 1.0]])
    problem = Quadratic(Q, [-4.0, 6.0], Bounds(0.0, 10.0))
    start = np.array([0.5, 1.0])
    run = {"selection": "gs-q", "update": "two-metric", "block_size": 2, "tol": 0.0}
    first = minimize(problem, start, max_iter=1, **run)
    newton = np.linalg.solve(Q, problem.q)
    assert newton[0] < 0.0
    np.testing.assert_allclose(first.x, np.clip(newton, 0.0, 10.0))
    second = minimize(problem, start, max_iter=3, **run)
    np.testing.assert_array_equal(second.x, [0.0, 6.0])


def test_verbose_shows_a_bar_and_silence_is_the_default(capsys):
    problem = make_problem(LeastSquares, L1(1.0))
    minimize(problem, block_size=2)
    assert capsys.readouterr() == ("", "")
    minimize(problem, block_size=2, verbose=True)
    shown = capsys.readouterr()
    assert shown.out == "" and "minimize" in shown.err and "objective" in shown.err


def test_history_makes_a_pandas_table():
    pandas = pytest.importorskip("pandas")
    result = minimize(make_problem(LeastSquares, L1(1.0)), block_size=2)
    table = pandas.DataFrame(result.history.as_dict())
    assert list(table.columns) == ["objective", "time_s", "block_size", "n_active"]
    assert len(table) == result.n_iter + 1
    assert table["objective"].iloc[-1] == pytest.approx(result.fun, rel=1e-12)


def test_malformed_arguments_are_refused_by_kind():
    problem = LeastSquares(np.eye(3), np.ones(3))
    with pytest.raises(TypeError, match="callback must be callable, got int"):
        minimize(problem, callback=3)
    with pytest.raises(TypeError, match=r"partition must be one of 'order', .* got NoneType"):
        minimize(problem, partition=None)
    with pytest.raises(TypeError, match="x0 must be real numbers, got dtype complex128"):
        minimize(problem, np.ones(3) * 1j)
    with pytest.raises(TypeError, match=r"block_size must be an integer, got 2\.5"):
        minimize(problem, block_size=2.5)
    with pytest.raises(ValueError, match="groups must come without l2 and bounds"):
        Penalty(groups=[[0], [1, 2]], group_weight=1.0, lower=0.0)
    with pytest.raises(TypeError, match=r"penalty must be None or a problems.Penalty, got float"):
        Quadratic(np.eye(2), np.ones(2), 1.0)
    with pytest.raises(ValueError, match="A must have at least one row"):
        Multinomial(np.ones((0, 2)), [])


@pytest.mark.parametrize(
    ("Q", "message"),
    [
        ([[1.0, 2.0], [2.0, 1.0]], r"a pivot of -3 times the diagonal at vertex \d"),
        ([[1.0, 1.0], [1.0, 1.0]], "positive definite, got a singular matrix"),
        ([[2.0, 1.5, 0.0], [1.5, 2.0, 1.5], [0.0, 1.5, 2.0]], "got a pivot of -0.125 times"),
    ],
)
def test_sparse_quadratics_that_are_not_definite_are_refused(Q, message):
    with pytest.raises(ValueError, match=message):
        GraphQuadratic(scipy.sparse.csr_array(np.array(Q)), np.ones(len(Q)))


def test_sparse_quadratics_that_are_definite_but_not_dominant_are_taken():
    Q = np.array([[2.0, 1.2, 0.0], [1.2, 2.0, 1.2], [0.0, 1.2, 2.0]])
    assert GraphQuadratic(scipy.sparse.csr_array(Q), np.ones(3)).n_coordinates == 3
