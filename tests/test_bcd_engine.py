import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Lasso

from bcd import Status, minimize
from bcd._chosen_runs import ThresholdingRun
from problems import (
    L1,
    Bounds,
    ElasticNet,
    GroupL2,
    LeastSquares,
    Logistic,
    Multinomial,
    NonNegative,
    Poisson,
    Quadratic,
)
from problems.datasets import dataset_a, dataset_b, dataset_c, dataset_d, dataset_e

BLIND = ["cyclic", "shuffled", "random", "lipschitz"]
GREEDY = ["gs", "gsl", "gsd", "gs-r", "gs-q", "gsq"]
SMOOTH = ["gradient", "matrix", "exact", "prox-gradient", "two-metric", "newton", "backtracking"]
PROXIMAL = ["exact", "prox-gradient", "two-metric", "prox-newton", "backtracking"]
PENALTIES = [L1(2.0), NonNegative(), NonNegative(1.0), ElasticNet(3.0, 0.6)]
PARTITIONS = ["order", "sorted", "averaged", "random", "variable"]


def least_squares(sparse=False, penalty=None, n=30, p=12, seed=0):
    rng = np.random.default_rng(seed)
    A = rng.normal(size=(n, p)) * (rng.random((n, p)) < 0.6)
    A[0] = 1.0
    return LeastSquares(scipy.sparse.csr_array(A) if sparse else A, rng.normal(size=n), penalty)


def check_descent(result):
    objective = result.history.objective
    assert np.all(np.diff(objective) <= 1e-12 * np.abs(objective).max())


@pytest.mark.kernel
@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("partition", PARTITIONS)
@pytest.mark.parametrize("selection", BLIND + GREEDY)
def test_smooth_triples_agree_with_dense_algebra(sparse, partition, selection):
    problem = least_squares(sparse)
    expected = np.linalg.lstsq(least_squares().A, problem.y, rcond=None)[0]
    for update in SMOOTH:
        result = minimize(
            problem,
            partition=partition,
            selection=selection,
            update=update,
            block_size=3,
            tol=1e-10,
            random_state=0,
        )
        assert result.status is Status.CONVERGED, update
        np.testing.assert_allclose(result.x, expected, atol=1e-8, err_msg=update)
        check_descent(result)


@pytest.mark.kernel
@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("partition", ["order", "variable"])
def test_penalised_triples_agree_with_each_other_and_are_optimal(penalty, partition):
    answers = []
    for sparse in (False, True):
        for selection in ("shuffled", "gs-s", "gsl", "gsd", "gs-r", "gs-q"):
            for update in PROXIMAL:
                problem = least_squares(sparse, penalty)
                result = minimize(
                    problem,
                    partition=partition,
                    selection=selection,
                    update=update,
                    block_size=4,
                    tol=1e-11,
                    random_state=1,
                )
                assert result.status.solved, (selection, update)
                check_descent(result)
                answers.append(result.x)
    np.testing.assert_allclose(answers, [answers[0]] * len(answers), atol=1e-6)


@pytest.mark.kernel
@pytest.mark.parametrize("positive", [False, True])
def test_lasso_agrees_with_scikit_learn(positive):
    problem = least_squares(penalty=NonNegative(2.0) if positive else L1(2.0))
    model = Lasso(alpha=2.0 / 30, fit_intercept=False, tol=1e-14, positive=positive)
    expected = model.fit(problem.A, problem.y).coef_
    result = minimize(problem, selection="gs-q", update="exact", block_size=4, tol=1e-14)
    np.testing.assert_allclose(result.x, expected, atol=1e-9)
    np.testing.assert_array_equal(result.active_set, np.flatnonzero(expected))
    auto = minimize(problem, selection="gs-q", update="exact", block_size="auto", tol=1e-12)
    np.testing.assert_allclose(auto.x, expected, atol=1e-7)


@pytest.mark.kernel
@pytest.mark.parametrize("partition", ["order", "variable"])
@pytest.mark.parametrize("selection", ["gs", "gsl", "gsd", "gs-q"])
def test_heap_selection_makes_the_same_run_as_the_scan(partition, selection):
    for problem in (uneven_lattice(), sparse_wide(), sparse_wide(L1(0.5))):
        update = "exact"
        runs = [
            minimize(
                problem,
                partition=partition,
                selection=selection,
                update=update,
                block_size=2,
                heap=heap,
                tol=0.0,
                max_iter=60,
            )
            for heap in (False, True)
        ]
        np.testing.assert_allclose(
            runs[0].history.objective, runs[1].history.objective, rtol=1e-9, atol=1e-9
        )


def uneven_lattice():
    Q = scipy.sparse.coo_array(dataset_d(12, 10, weight=1.0).Q)
    rng = np.random.default_rng(0)
    scale = scipy.sparse.diags_array(rng.uniform(0.5, 2.0, Q.shape[0]))
    return Quadratic(scale @ Q @ scale, rng.normal(size=Q.shape[0]))


def sparse_wide(penalty=None):
    rng = np.random.default_rng(3)
    A = scipy.sparse.random_array((200, 150), density=0.01, rng=rng)
    return LeastSquares(A, rng.normal(size=200), penalty)


@pytest.mark.kernel
def test_gram_and_residual_books_make_the_same_run():
    for selection in ("cyclic", "gs"):
        runs = [
            minimize(
                least_squares(), selection=selection, block_size=3, gram=gram, tol=0, max_iter=40
            )
            for gram in (False, True)
        ]
        np.testing.assert_allclose(runs[0].x, runs[1].x, atol=1e-12)


@pytest.mark.kernel
@pytest.mark.parametrize("sparse", [False, True])
def test_quadratics_agree_with_a_dense_solve(sparse):
    problem = dataset_e(120, 20)
    Q = problem.Q.toarray()
    if not sparse:
        problem = Quadratic(Q, problem.q)
    expected = np.linalg.solve(Q, problem.q)
    for selection in ("cyclic", "gs", "gsl"):
        result = minimize(problem, selection=selection, block_size=10, tol=1e-11)
        np.testing.assert_allclose(result.x, expected, atol=1e-8)
    clipped = Quadratic(problem.Q, problem.q, Bounds(-0.5, 0.25))
    result = minimize(clipped, selection="gs-q", update="two-metric", block_size=10, tol=1e-11)
    g = clipped.gradient(result.x)
    free = (result.x > -0.5) & (result.x < 0.25)
    assert np.abs(g[free]).max() < 1e-8
    assert np.all(g[result.x == -0.5] >= 0) and np.all(g[result.x == 0.25] <= 0)


@pytest.mark.kernel
@pytest.mark.parametrize("update", ["newton", "backtracking", "gradient", "matrix", "prox-newton"])
@pytest.mark.parametrize("make", [dataset_b, dataset_c])
def test_other_losses_reach_a_stationary_point(make, update):
    problem = make(40, 12) if make is dataset_b else make(60, 6, 3)
    problem.penalty = ElasticNet(5.0, 0.0)
    tol = 1e-7 if "newton" in update else 1e-3
    result = minimize(
        problem, selection="gs", update=update, block_size=3, tol=tol, max_iter=50_000
    )
    assert result.status is Status.CONVERGED
    total = problem.gradient(result.x) + 5.0 * result.x
    assert np.abs(total).max() <= 1.1 * tol * np.abs(problem.gradient(0 * result.x)).max()
    check_descent(result)


@pytest.mark.kernel
def test_groups_are_zero_together_and_optimal():
    groups = [[0, 1, 2], [3, 4], [5, 6, 7, 8], [9, 10, 11]]
    problem = least_squares(penalty=GroupL2(1.5, groups))
    for selection in ("cyclic", "gs-s", "gsl", "gs-r", "gs-q"):
        for update in ("prox-gradient", "backtracking"):
            result = minimize(
                problem, partition="groups", selection=selection, update=update, tol=1e-10
            )
            assert result.success
            assert result.fun == pytest.approx(problem.value(result.x), rel=1e-12)
            for group in groups:
                u, g = result.x[group], problem.gradient(result.x)[group]
                weight = 1.5 * np.sqrt(len(group))
                if u.any():
                    np.testing.assert_allclose(g, -weight * u / np.linalg.norm(u), atol=1e-7)
                else:
                    assert np.linalg.norm(g) <= weight + 1e-7


@st.composite
def quadratics(draw):
    n = draw(st.integers(4, 9))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    B = rng.normal(size=(n + 2, n)) * rng.uniform(0.2, 3.0, size=n)
    return Quadratic(B.T @ B + 0.01 * np.eye(n), rng.normal(size=n)), rng.normal(size=n)


def first_step(problem, x0, **rules):
    result = minimize(problem, x0, block_size=2, tol=0.0, max_iter=1, **rules)
    return result.history.objective[0] - result.history.objective[1]


@pytest.mark.kernel
@settings(max_examples=40)
@given(quadratics())
def test_each_rule_makes_the_progress_that_the_paper_guarantees(case):
    problem, x = case
    g = problem.gradient(x)
    n = problem.n_coordinates
    blocks = [np.arange(b, min(b + 2, n)) for b in range(0, n, 2)]
    H = [problem.bound_block(block) for block in blocks]
    L = np.array([np.linalg.eigvalsh(h)[-1] for h in H])
    D = [np.abs(h).sum(axis=1) for h in H]
    squares = np.array([g[block] @ g[block] for block in blocks])
    scaled = np.array([(g[b] ** 2 / d).sum() for b, d in zip(blocks, D, strict=True)])
    energy = np.array([g[b] @ np.linalg.solve(h, g[b]) for b, h in zip(blocks, H, strict=True)])
    bounds = {
        ("cyclic", "gradient"): squares[0] / L[0] / 2,
        ("gs", "gradient"): squares.max() / L[np.argmax(squares)] / 2,
        ("gsl", "gradient"): (squares / L).max() / 2,
        ("gsd", "matrix"): scaled.max() / 2,
        ("gsq", "matrix"): energy.max() / 2,
        ("cyclic", "matrix"): energy[0] / 2,
    }
    slack = 1e-9 * (1.0 + abs(problem.value(x)))
    progress = {}
    for (selection, update), bound in bounds.items():
        made = first_step(problem, x, partition="order", selection=selection, update=update)
        progress[selection, update] = made
        assert made >= bound - slack, (selection, update)
    # variable blocks: the best two coordinates by either diagonal bound
    diagonals = {
        "row-sums": np.abs(problem.Q).sum(axis=1),
        "lipschitz": 2.0 * problem.coordinate_lipschitz(),
    }
    for diagonal, D in diagonals.items():
        made = first_step(
            problem, x, partition="variable", selection="gsd", update="matrix", diagonal=diagonal
        )
        assert made >= np.sort(g**2 / D)[-2:].sum() / 2 - slack, diagonal
    # the order that the theory gives
    for selection in ("gs", "gsl", "gsd"):
        made = first_step(problem, x, partition="order", selection=selection, update="matrix")
        assert progress["gsq", "matrix"] >= made - slack


@pytest.mark.kernel
@settings(max_examples=20)
@given(quadratics())
def test_the_linear_rate_is_no_worse_than_the_theory(case):
    problem, x = case
    eigenvalues = np.linalg.eigvalsh(problem.Q)
    best = problem.value(np.linalg.solve(problem.Q, problem.q))
    result = minimize(
        problem, x, selection="gs", update="gradient", block_size=2, tol=0, max_iter=30
    )
    rate = 1.0 - eigenvalues[0] / (eigenvalues[-1] * problem.n_coordinates / 2)
    excess = result.history.objective - best
    k = np.arange(len(excess))
    assert np.all(excess <= rate**k * excess[0] + 1e-9 * (1 + abs(best)))


def test_history_and_warm_start_and_reproducibility():
    problem = dataset_a(60, 80)
    rules = {"selection": "random", "update": "gradient", "block_size": 5, "tol": 0.0}
    first = minimize(problem, max_iter=50, random_state=7, **rules)
    again = minimize(problem, max_iter=50, random_state=7, **rules)
    np.testing.assert_array_equal(first.x, again.x)
    assert len(first.history) == 51 and first.n_iter == 50
    assert np.all(np.diff(first.history.time_s) >= 0)
    assert set(first.history.as_dict()) == {"objective", "time_s", "block_size", "n_active"}
    np.testing.assert_array_equal(first.history.block_size[1:], 5)
    warm = minimize(problem, first, max_iter=1, random_state=1, **rules)
    assert warm.history.objective[0] == pytest.approx(first.fun, rel=1e-12)


def test_callback_may_stop_the_run_and_an_exception_keeps_the_result():
    problem = least_squares()
    seen = []

    def stop_at_three(progress):
        seen.append(progress.objective)
        return progress.n_iter == 3

    result = minimize(problem, block_size=2, callback=stop_at_three)
    assert result.status is Status.STOPPED and result.n_iter == 3 == len(seen)

    def broken(progress):
        raise KeyError("mine")

    with pytest.raises(KeyError, match=r"mine") as caught:
        minimize(problem, block_size=2, callback=broken)
    assert caught.value.result.n_iter == 1


def test_limits_stop_the_run_with_a_warning():
    problem = dataset_a(50, 200)
    with pytest.warns(ConvergenceWarning, match=r"gap of .*max_iter was reached first"):
        result = minimize(problem, selection="cyclic", update="gradient", max_iter=2)
    assert result.status is Status.MAX_ITER and not result.success
    with pytest.warns(ConvergenceWarning, match=r"time_limit was reached first"):
        minimize(problem, selection="cyclic", update="gradient", time_limit=1e-4)


def test_input_is_not_changed_and_float32_runs():
    problem = least_squares()
    x0 = np.ones(12)
    minimize(problem, x0, block_size=3)
    np.testing.assert_array_equal(x0, 1.0)


BAD_RULES = [
    ({"partition": "blocks"}, "partition must be one of 'order', .*got 'blocks'"),
    ({"selection": "best"}, "selection must be one of 'cyclic', .*got 'best'"),
    ({"update": "sgd"}, "update must be one of 'gradient', .*got 'sgd'"),
    ({"partition": [[0, 1], [1, 2]]}, "every coordinate once, got coordinate 1 more than once"),
    ({"partition": [[0, 1]]}, "every coordinate once, got none for coordinate 2"),
    ({"partition": [[0, 1, 2, 12]]}, r"coordinates in 0\.\.11, got 12"),
    ({"block_size": 0}, "block_size must be between 1 and n_coordinates=12, got 0"),
    ({"block_size": 13}, "block_size must be between 1 and n_coordinates=12, got 13"),
    ({"x0": np.ones(3)}, r"x0 must have shape \(12,\), got \(3,\)"),
    ({"x0": np.full(12, np.nan)}, "x0 must be finite"),
    ({"tol": -1.0}, "tol must be a finite number, at least 0, got -1"),
    ({"max_iter": 0}, "max_iter must be an integer, at least 1, got 0"),
    ({"time_limit": 0.0}, "time_limit must be above 0 seconds"),
    ({"partition": "variable", "selection": "mi"}, "'mi' tries every block"),
    ({"partition": "forest"}, "'forest' needs a problem on a graph"),
    ({"update": "message-passing"}, "'message-passing' needs a problem on a graph"),
    ({"partition": "groups"}, "'groups' needs a penalty with groups"),
    ({"block_size": "auto"}, "block_size='auto' needs partition='variable', selection='gs-q'"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD_RULES)
def test_bad_arguments_are_refused_by_name(arguments, message):
    with pytest.raises(ValueError, match=message):
        minimize(least_squares(), **arguments)


def test_rules_that_do_not_go_together_are_refused_with_alternatives():
    with pytest.raises(ValueError, match=r"'gradient' needs a smooth objective.*'prox-gradient'"):
        minimize(least_squares(penalty=L1(1.0)), update="gradient")
    with pytest.raises(ValueError, match=r"'gsq' needs a smooth objective.*use 'gs-q'"):
        minimize(least_squares(penalty=L1(1.0)), selection="gsq")
    with pytest.raises(ValueError, match=r"'exact' has no closed form for Logistic"):
        minimize(Logistic(np.eye(2), [1, -1]), update="exact")
    with pytest.raises(ValueError, match=r"Poisson has no bound on its curvature"):
        minimize(Poisson(np.eye(2), [1, 2]), selection="gsl", update="gradient")
    with pytest.raises(ValueError, match=r"separable over its groups only"):
        minimize(least_squares(penalty=GroupL2(1.0, [range(12)])))
    with pytest.raises(ValueError, match=r"x0 must lie within the bounds, got 2.0 outside \[0"):
        minimize(least_squares(penalty=Bounds(0.0, 1.0)), np.full(12, 2.0))
    with pytest.raises(TypeError, match=r"problem must be one of the package problems, got int"):
        minimize(3)


def test_diagonal_is_one_of_two_and_fixed_blocks_know_both():
    problem = dataset_a(40, 30)
    with pytest.raises(
        ValueError, match="diagonal must be one of 'row-sums', 'lipschitz', got 'x'"
    ):
        minimize(problem, selection="gsd", diagonal="x")
    for diagonal in ("row-sums", "lipschitz"):
        rules = {"partition": "sorted", "selection": "gsd", "update": "matrix", "block_size": 5}
        result = minimize(problem, diagonal=diagonal, tol=1e-9, **rules)
        assert result.success


def test_bad_quadratics_are_refused():
    with pytest.raises(ValueError, match=r"symmetric, got Q\[i, j\] != Q\[j, i\] at i=0, j=1"):
        Quadratic(np.array([[2.0, 1.0], [0.0, 2.0]]), np.ones(2))
    with pytest.raises(ValueError, match=r"positive definite, got diagonal 0.0 at vertex 1"):
        Quadratic(np.diag([1.0, 0.0]), np.ones(2))
    laplacian = scipy.sparse.csr_array(np.array([[2.0, 0, 0], [0, 1.0, -1.0], [0, -1.0, 1.0]]))
    with pytest.raises(ValueError, match=r"component of 2 vertices \(vertex 1 among them\)"):
        Quadratic(laplacian, np.ones(3))


@pytest.mark.kernel
@pytest.mark.parametrize("selection", ["cyclic", "random", "lipschitz", "gs", "gsl", "gsd", "gsq"])
@pytest.mark.parametrize("partition", ["forest", "colors"])
def test_message_passing_agrees_with_a_dense_solve(partition, selection):
    problem = dataset_e(150, 30)
    result = minimize(
        problem,
        partition=partition,
        selection=selection,
        update="message-passing",
        tol=1e-10,
        random_state=0,
    )
    assert result.success
    np.testing.assert_allclose(result.x, np.linalg.solve(problem.Q.toarray(), problem.q), atol=1e-8)
    check_descent(result)


@pytest.mark.kernel
@pytest.mark.parametrize("selection", ["greedy-forest", "random-forest"])
def test_grown_forests_solve_a_tree_at_once_and_a_lattice_soon(selection):
    chain = scipy.sparse.diags_array([[2.5] * 30, [-1.0] * 29, [-1.0] * 29], offsets=[0, 1, -1])
    rules = {"selection": selection, "update": "message-passing", "random_state": 0}
    tree = Quadratic(chain, np.ones(30))
    result = minimize(tree, tol=1e-12, **rules)
    np.testing.assert_allclose(result.x, np.linalg.solve(chain.toarray(), np.ones(30)), atol=1e-12)
    assert result.history.block_size[1] == 30
    lattice = dataset_d(10, 10)
    result = minimize(lattice, tol=1e-10, **rules)
    np.testing.assert_allclose(lattice.Q @ result.x, lattice.q, atol=1e-8 * np.abs(lattice.q).max())


@pytest.mark.kernel
def test_mi_takes_the_block_that_decreases_most():
    problem = least_squares(penalty=L1(1.0))
    x = np.random.default_rng(0).normal(size=12)
    rules = {"partition": "order", "update": "prox-newton", "block_size": 3}
    values = []
    for b in range(4):
        order = [np.arange(3 * c, 3 * c + 3) for c in np.roll(range(4), -b)]
        one = minimize(
            problem, x, partition=order, selection="cyclic", update="prox-newton", tol=0, max_iter=1
        )
        values.append(one.fun)
    made = minimize(problem, x, selection="mi", tol=0, max_iter=1, **rules)
    assert made.fun == pytest.approx(min(values), rel=1e-13)
    assert minimize(problem, x, selection="mi", tol=1e-10, **rules).success


@pytest.mark.kernel
def test_thresholded_block_is_never_worse_than_its_start():
    for seed in range(5):
        problem = least_squares(n=40, p=20, seed=seed)
        x = np.random.default_rng(seed).normal(size=20)
        made = {
            rule: minimize(
                problem, x, selection=rule, update="matrix", block_size=4, tol=0, max_iter=1
            ).fun
            for rule in ("gsd", "gsq")
        }
        assert made["gsq"] <= made["gsd"] + 1e-12


@pytest.mark.kernel
@pytest.mark.parametrize("update", ["matrix", "newton"])
@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("make", [dataset_b, dataset_c])
def test_thresholding_multiplies_by_the_hessian_of_its_model(make, sparse, update):
    problem = make(30, 8) if make is dataset_b else make(40, 5, 3)
    if not sparse:
        problem = (
            Logistic(problem.A.toarray(), problem.y)
            if make is dataset_b
            else Multinomial(problem.A.toarray(), problem.y)
        )
    n = problem.n_coordinates
    seen = []

    class Watched(ThresholdingRun):
        def look(self):
            super().look()
            x, everything = self.state.x.copy(), np.arange(n)
            H = (
                problem.hessian_block(x, everything)
                if update == "newton"
                else problem.bound_block(everything)
            )
            products = np.array([self.hessian_times(d) for d in np.eye(n)])
            np.testing.assert_allclose(products, H, atol=1e-9 * np.abs(H).max())
            np.testing.assert_allclose(self.diagonal, np.diag(H), rtol=1e-9)
            seen.append(x)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bcd.engine.ThresholdingRun", Watched)
        minimize(problem, selection="gsq", update=update, block_size=3, tol=0.0, max_iter=3)
    assert len(seen) == 3 and not np.array_equal(seen[0], seen[2])
