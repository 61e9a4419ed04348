"""What the paper proves of its rules: progress of a step, order of rules, how Newton ends."""

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st

from bcd import Status, minimize
from problems import (
    L1,
    Bounds,
    ElasticNet,
    Huber,
    LeastSquares,
    Logistic,
    Multinomial,
    NonNegative,
    Quadratic,
    SquaredHinge,
)

SIZE = 2


def make_problem(kind, seed, penalty):
    rng = np.random.default_rng(seed)
    A = rng.normal(size=(14, 6)) * rng.uniform(0.2, 3.0, size=6)
    if kind is Multinomial:
        return Multinomial(A[:, :2], np.arange(14) % 3, penalty)
    y = rng.normal(size=14)
    return kind(A, np.sign(y) if kind in (Logistic, SquaredHinge) else y, penalty)


def step(problem, x, **rules):
    """Progress of one iteration, and the block that it moved."""
    result = minimize(problem, x, block_size=SIZE, tol=0.0, max_iter=1, gram=False, **rules)
    objective = result.history.objective
    moved = np.unique(np.flatnonzero(result.x != x) // SIZE)
    assert len(moved) == 1
    return objective[0] - objective[-1], int(moved[0])


@pytest.mark.kernel
@settings(max_examples=25)
@given(
    st.sampled_from([LeastSquares, Logistic, Huber, SquaredHinge, Multinomial]),
    st.integers(0, 10**6),
    st.sampled_from([0.0, 2.0]),
)
def test_one_step_makes_the_guaranteed_progress_on_every_loss(kind, seed, l2):
    problem = make_problem(kind, seed, ElasticNet(l2, 0.0))
    n = problem.n_coordinates
    x = np.random.default_rng(seed).normal(size=n)
    g = problem.gradient(x) + l2 * x
    blocks = [np.arange(b, b + SIZE) for b in range(0, n, SIZE)]
    H = [problem.bound_block(block) + l2 * np.eye(SIZE) for block in blocks]
    L = np.array([np.linalg.eigvalsh(h)[-1] for h in H])
    D = [np.abs(h - l2 * np.eye(SIZE)).sum(axis=1) + l2 for h in H]
    squares = np.array([g[b] @ g[b] for b in blocks])
    scaled = np.array([(g[b] ** 2 / d).sum() for b, d in zip(blocks, D, strict=True)])
    energy = np.array([g[b] @ np.linalg.solve(h, g[b]) for b, h in zip(blocks, H, strict=True)])
    chosen = {
        "cyclic": 0,
        "gs": int(np.argmax(squares)),
        "gsl": int(np.argmax(squares / L)),
        "gsd": int(np.argmax(scaled)),
        "gsq": int(np.argmax(energy)),
    }
    slack = 1e-9 * (1.0 + abs(problem.value(x)))
    granted = {"gradient": squares / L / 2, "matrix": energy / 2}
    moved = {}
    for selection, b in chosen.items():
        for update, bound in granted.items():
            rules = {"partition": "order", "selection": selection, "update": update}
            made, moved[selection, update] = step(problem, x, **rules)
            assert made >= bound[b] - slack, (selection, update)
    # of the blocks that were moved: gsl is granted at least what gs is, gsq what any other is
    by_gradient, by_matrix = granted["gradient"] * (1 + 1e-9), granted["matrix"] * (1 + 1e-9)
    assert by_gradient[moved["gsl", "gradient"]] >= granted["gradient"][moved["gs", "gradient"]]
    for selection in chosen:
        other = granted["matrix"][moved[selection, "matrix"]]
        assert by_matrix[moved["gsq", "matrix"]] >= other, selection


@pytest.mark.kernel
@settings(max_examples=25)
@given(
    st.integers(0, 10**6),
    st.sampled_from([L1(0.3), NonNegative(0.3), Bounds(-0.05, 0.1)]),
    st.sampled_from(["order", "variable"]),
)
def test_proximal_gradient_makes_the_progress_of_its_model(seed, penalty, partition):
    rng = np.random.default_rng(seed)
    V, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    Q = V @ np.diag([1.0, 1.5, 100.0]) @ V.T
    # a gradient in the space of a small eigenvalue, and a step that the penalty turns out of it
    problem = Quadratic((Q + Q.T) / 2, -V[:, 0], penalty)
    result = minimize(
        problem,
        partition=partition,
        selection="gs-q",
        update="prox-gradient",
        block_size=3,
        tol=0.0,
        max_iter=30,
    )
    objective = result.history.objective
    assert np.all(np.diff(objective) <= 1e-12)
    # with all coordinates in the block L_b is at most the largest eigenvalue's estimate
    x = np.clip(-problem.gradient(np.zeros(3)) / 101.0, *penalty.bounds(3))
    model = np.sign(x) * np.maximum(np.abs(x) - penalty.l1 / 101.0, 0.0)
    assert objective[min(1, result.n_iter)] <= problem.value(model) + 1e-12


@pytest.mark.kernel
@settings(max_examples=15)
@given(st.integers(0, 10**6), st.sampled_from(["gs", "gsl", "gsd", "gsq", "shuffled"]))
def test_linear_rates_are_no_worse_than_the_theory(seed, selection):
    rng = np.random.default_rng(seed)
    B = rng.normal(size=(10, 6)) * rng.uniform(0.3, 2.0, size=6)
    problem = Quadratic(B.T @ B + 0.1 * np.eye(6), rng.normal(size=6))
    Q, best = problem.Q, problem.value(np.linalg.solve(problem.Q, problem.q))
    result = minimize(
        problem,
        partition="order",
        selection=selection,
        update="matrix" if selection in ("gsd", "gsq") else "gradient",
        block_size=SIZE,
        tol=0.0,
        max_iter=30,
        random_state=seed,
    )
    excess = result.history.objective - best
    constants = [np.linalg.eigvalsh(Q[b : b + SIZE, b : b + SIZE])[-1] for b in range(0, 6, SIZE)]
    L, least = max(constants), min(constants)
    strong = np.linalg.eigvalsh(Q)[0]
    if selection == "shuffled":  # a round of all blocks, Beck and Tetruashvili (2013), theorem 3.9
        n_blocks, whole = 3, np.linalg.eigvalsh(Q)[-1]
        rate = 1.0 - strong / (2.0 * L * (1.0 + n_blocks * (whole / least) ** 2))
        excess = excess[::n_blocks]
    elif selection == "gs":  # max |g_b|^2 >= |g|^2 / n_blocks
        rate = 1.0 - strong / (L * 3)
    else:  # strong convexity in the norm that the rule's bound is made of
        blocks = [slice(b, b + SIZE) for b in range(0, 6, SIZE)]
        metric = np.zeros((6, 6))
        for block in blocks:
            H = Q[block, block]
            metric[block, block] = {
                "gsl": np.linalg.eigvalsh(H)[-1] * np.eye(SIZE),
                "gsd": np.diag(np.abs(H).sum(axis=1)),
                "gsq": H,
            }[selection]
        rate = 1.0 - np.linalg.eigvals(np.linalg.solve(metric, Q)).real.min() / 3
    k = np.arange(len(excess))
    assert np.all(excess <= rate**k * excess[0] + 1e-10 * (1.0 + abs(best)))


@pytest.mark.kernel
@pytest.mark.parametrize("update", ["prox-newton", "two-metric"])
@pytest.mark.parametrize("penalty", [L1(4.0), NonNegative(), NonNegative(3.0)])
def test_newton_ends_at_the_last_bits_once_the_active_set_is_known(update, penalty):
    for seed in range(5):
        rng = np.random.default_rng(seed)
        A = rng.normal(size=(50, 30))
        w = np.where(rng.random(30) < 0.3, rng.normal(size=30), 0.0)
        problem = LeastSquares(A, A @ w + 0.1 * rng.normal(size=50), penalty)
        result = minimize(
            problem, selection="gs-q", update=update, block_size=24, tol=0.0, max_iter=60
        )
        # what is left after identification is rounding: the objective stands still
        assert result.identified_at <= 30
        later = result.history.objective[result.identified_at + 2 :]
        assert len(later) == 0 or np.ptp(later) <= 1e-13 * later[0]
        free = result.active_set
        assert len(free) <= 24
        expected = np.zeros(30)
        rhs = A[:, free].T @ problem.y - penalty.l1 * np.sign(result.x[free])
        expected[free] = np.linalg.solve(A[:, free].T @ A[:, free], rhs)
        np.testing.assert_allclose(result.x, expected, rtol=1e-12, atol=1e-14)
        s = problem.gradient(result.x)
        held = np.setdiff1d(np.arange(30), free)
        if penalty.is_bounded:
            assert np.all(s[held] + penalty.l1 >= -1e-12)
        else:
            assert np.all(np.abs(s[held]) <= penalty.l1 + 1e-12)


@pytest.mark.kernel
@pytest.mark.parametrize("update", ["prox-newton", "two-metric"])
@pytest.mark.parametrize("penalty", [L1(4.0), NonNegative(), NonNegative(3.0)])
@pytest.mark.parametrize("size", [3, 24])
@pytest.mark.parametrize("sparse", [False, True])
def test_newton_ends_of_itself_with_no_tolerance_asked_for(update, penalty, size, sparse):
    for seed in range(4):
        rng = np.random.default_rng(seed)
        A = rng.normal(size=(50, 30))
        w = np.where(rng.random(30) < 0.3, rng.normal(size=30), 0.0)
        y = A @ w + 0.1 * rng.normal(size=50)
        problem = LeastSquares(scipy.sparse.csc_array(A) if sparse else A, y, penalty)
        result = minimize(
            problem, selection="gs-q", update=update, block_size=size, tol=0.0, max_iter=20_000
        )
        assert result.status in (Status.CONVERGED, Status.OPTIMAL, Status.STALLED)
        assert result.n_iter < 1000
        # a gap of a few units in the last place: what is left is rounding
        assert result.gap <= 4e-15 * max(problem.value(np.zeros(30)), 1.0)
        s = problem.gradient(result.x) + penalty.l1 * np.sign(result.x)
        assert np.abs(s[result.active_set]).max() <= 1e-11


@pytest.mark.kernel
@pytest.mark.parametrize("update", ["prox-newton", "two-metric"])
def test_convergence_is_superlinear_after_identification(update):
    rng = np.random.default_rng(1)
    A = rng.normal(size=(80, 30))
    w = np.where(rng.random(30) < 0.2, 2.0 * rng.normal(size=30), 0.0)
    problem = Logistic(A, np.sign(A @ w + 0.5 * rng.normal(size=80)), L1(3.0))
    run = {"selection": "gs-q", "update": update, "block_size": 25, "tol": 0.0}
    best = minimize(problem, max_iter=300, **run).fun
    result = minimize(problem, max_iter=60, **run)
    assert 0 < result.identified_at < 60
    excess = result.history.objective[result.identified_at :] - best
    excess = excess[excess > 1e-13 * best]
    assert len(excess) <= 6  # quadratic: the digits double
    ratios = excess[1:] / excess[:-1]
    assert np.all(np.diff(ratios) < 0.0) and ratios[-1] < 1e-2
