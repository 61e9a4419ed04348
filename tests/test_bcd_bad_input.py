"""What a stranger may hand to ``minimize``: refused by name before any work, or taken as meant."""

import itertools

import numpy as np
import pytest
import scipy.sparse

from bcd import Status, minimize
from problems import (
    L1,
    Bounds,
    ElasticNet,
    GroupL2,
    Huber,
    LeastSquares,
    Logistic,
    Multinomial,
    Penalty,
    Quadratic,
)

RNG = np.random.default_rng(0)
A, Y = RNG.normal(size=(12, 6)), RNG.normal(size=12)


def problem(penalty=None):
    return LeastSquares(A, Y, penalty)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"tol": True}, ValueError, "tol must be a finite number"),
        ({"tol": 10**400}, ValueError, "tol must be a finite number"),
        ({"time_limit": 10**400}, ValueError, "time_limit must be above 0 seconds"),
        ({"x0": [[0], [1, 2]]}, TypeError, "x0 must be real numbers, got lists of differing"),
        ({"x0": ["a"] * 6}, TypeError, "x0 must be real numbers, got dtype <U1"),
        ({"gram": "no"}, TypeError, "gram must be True, False or None, got 'no'"),
        ({"heap": 1}, TypeError, "heap must be True, False or None, got 1"),
        ({"heap": True}, ValueError, "heap=True needs a sparse problem and a greedy selection"),
        ({"random_state": "a"}, ValueError, "random_state must be None, an integer .*got 'a'"),
        ({"random_state": -1}, ValueError, "random_state must be None, an integer .*got -1"),
        ({"partition": [[0, [1]], [2, 3, 4, 5]]}, TypeError, "partition must hold arrays of int"),
        ({"partition": np.arange(6)}, ValueError, "partition must hold non-empty one-dimensional"),
    ],
)
def test_malformed_arguments_are_named(arguments, error, message):
    with pytest.raises(error, match=message):
        minimize(problem(), **arguments)


def test_rows_of_an_array_are_blocks():
    blocks = np.arange(6).reshape(3, 2)
    rules = {"selection": "gs", "update": "matrix", "tol": 1e-9}
    np.testing.assert_array_equal(
        minimize(problem(), partition=blocks, **rules).x,
        minimize(problem(), partition=[[0, 1], [2, 3], [4, 5]], **rules).x,
    )


def test_a_gram_matrix_is_refused_where_it_would_be_another_problem():
    with pytest.raises(ValueError, match=r"gram=True needs least squares.*got Logistic"):
        minimize(Logistic(A, np.sign(Y)), gram=True)
    with pytest.raises(ValueError, match=r"heap=True needs a sparse problem.*'random'"):
        minimize(LeastSquares(scipy.sparse.csr_array(A), Y), selection="random", heap=True)


def test_a_class_is_no_problem():
    with pytest.raises(TypeError, match="problem must be one of the package problems, got type"):
        minimize(LeastSquares)


@pytest.mark.parametrize("scale", [1e200, 1e-200])
def test_data_that_cannot_be_squared_are_refused(scale):
    with pytest.raises(ValueError, match="squared; scale the data"):
        minimize(LeastSquares(scale * A, Y))
    assert minimize(LeastSquares(0.0 * A, Y)).success  # nothing to do is another matter


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: L1([1.0, 2.0]), ValueError, r"alpha must be a finite number.*\[1.0, 2.0\]"),
        (lambda: L1(None), ValueError, "alpha must be a finite number, at least 0, got None"),
        (lambda: L1("a"), ValueError, "alpha must be a finite number, at least 0, got 'a'"),
        (lambda: ElasticNet(1.0, "a"), ValueError, "l1_ratio must be a finite number"),
        (lambda: Bounds("a", 1.0), TypeError, "lower must be real numbers, got 'a'"),
        (lambda: Bounds(np.inf, np.inf), ValueError, "bounds must leave finite values"),
        (lambda: Bounds(-np.inf, -np.inf), ValueError, "bounds must leave finite values"),
        (lambda: GroupL2(1.0, 3), TypeError, "groups must be a sequence of index arrays, got int"),
        (lambda: Penalty(groups="abc"), TypeError, "groups must be a sequence .*got str"),
        (
            lambda: Penalty(groups=[[0, 1], [2]], group_weight=[1, 2, 3]),
            ValueError,
            r"one for each of the 2 groups, got shape \(3,\)",
        ),
        (lambda: Penalty(group_weight=2.0), ValueError, "group_weight must come with groups"),
        (
            lambda: Penalty(groups=[[0]], group_weight="a"),
            TypeError,
            "group_weight must be real numbers, got 'a'",
        ),
    ],
)
def test_malformed_penalties_are_named(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_groups_with_gaps_are_named_as_groups():
    with pytest.raises(ValueError, match=r"groups must hold every coordinate once, .*none for .*2"):
        minimize(problem(GroupL2(1.0, [[0, 1]])), partition="groups", selection="gs-q")


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Quadratic(1j * np.eye(2), [1, 1]), TypeError, "Q must be real .*complex128"),
        (
            lambda: Quadratic(scipy.sparse.csr_array(1j * np.eye(2)), [1, 1]),
            TypeError,
            "Q must be real numbers, got dtype complex128",
        ),
        (lambda: Quadratic(np.eye(2), ["a", "b"]), TypeError, "q must be real numbers"),
        (lambda: Quadratic(None, [1]), TypeError, "Q must be real numbers, got dtype object"),
        (
            lambda: Quadratic(np.eye(2), [1, 1], constant=np.nan),
            ValueError,
            "constant must be a finite number, got nan",
        ),
        (lambda: LeastSquares([[1.0], [1.0, 2.0]], [1, 2]), TypeError, "A must be real numbers"),
        (lambda: LeastSquares(A, [[1], [1, 2]]), TypeError, "y must be real numbers, got lists"),
        (lambda: Huber(A, Y, delta="a"), ValueError, "delta must be a finite number .*got 'a'"),
        (
            lambda: Multinomial(A, -np.ones(12)),
            ValueError,
            r"y must be class ids in 0\.\.0, got -1",
        ),
        (
            lambda: Multinomial(A, np.arange(12) % 3, n_classes=3.7),
            TypeError,
            "n_classes must be an integer, got 3.7",
        ),
    ],
)
def test_malformed_problems_are_named(make, error, message):
    with pytest.raises(error, match=message):
        make()


@pytest.mark.kernel
def test_any_layout_of_the_same_numbers_is_the_same_problem(tmp_path):
    mapped = np.memmap(tmp_path / "A", dtype=np.float64, mode="w+", shape=A.shape)
    mapped[:] = A
    frozen = np.memmap(tmp_path / "A", dtype=np.float64, mode="r", shape=A.shape)
    rules = {"block_size": 2, "tol": 1e-10}
    expected = minimize(problem(), **rules).x
    for same in (
        A.tolist(),
        np.asfortranarray(A),
        np.repeat(A, 2, axis=0)[::2],
        A.astype(">f8"),
        A.astype(np.longdouble),
        np.ma.masked_array(A),
        mapped,
        frozen,
    ):
        np.testing.assert_array_equal(minimize(LeastSquares(same, Y), **rules).x, expected)
    for kind in ("csc", "csr", "coo", "dok", "lil", "bsr"):
        sparse = scipy.sparse.csr_array(A).asformat(kind)
        np.testing.assert_allclose(minimize(LeastSquares(sparse, Y), **rules).x, expected)
    whole = (3 * A).astype(np.int64)
    np.testing.assert_array_equal(
        minimize(LeastSquares(whole, Y), **rules).x,
        minimize(LeastSquares(whole.astype(float), Y), **rules).x,
    )
    single = minimize(LeastSquares(A.astype(np.float32), Y), **rules)
    assert single.x.dtype == np.float64  # data in single precision, sums in double
    np.testing.assert_allclose(single.x, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("block_size", [2, "auto"])
def test_the_result_so_far_travels_with_a_callbacks_exception(block_size):
    rules = {"partition": "variable", "selection": "gs-q", "update": "exact"}

    def broken(progress):
        raise KeyError("mine")

    data = RNG.normal(size=(40, 300))
    wide = LeastSquares(data, data[:, :20].sum(axis=1) + RNG.normal(size=40), L1(0.5))
    with pytest.raises(KeyError, match="mine") as caught:
        minimize(wide, callback=broken, block_size=block_size, tol=1e-12, **rules)
    result = caught.value.result
    assert result.n_iter == 1 and result.status is Status.STOPPED and result.x.any()
    assert result.fun == pytest.approx(wide.value(result.x), rel=1e-12)


def test_a_run_stops_where_the_same_run_stopped_however_fast_the_machine(monkeypatch):
    rules = {"selection": "random", "update": "gradient", "block_size": 2, "random_state": 3}
    runs = []
    for pace in (1.0, 1e4):
        clock = itertools.count(0.0, pace)
        monkeypatch.setattr("bcd._run.time.perf_counter", lambda clock=clock: next(clock))
        runs.append(minimize(problem(), tol=1e-6, **rules))
    assert runs[0].n_iter == runs[1].n_iter
    np.testing.assert_array_equal(runs[0].x, runs[1].x)
