"""Any partition, selection and update on any problem: right, or refused with what to take."""

import functools
import warnings

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st

from bcd import Status, minimize
from bcd.partition import PARTITIONS
from bcd.selection import SELECTIONS
from bcd.update import UPDATES
from problems import (
    L1,
    Bounds,
    ElasticNet,
    GroupL2,
    Huber,
    LeastSquares,
    Logistic,
    Multinomial,
    NonNegative,
    Penalty,
    Poisson,
    Quadratic,
    SquaredHinge,
)
from problems.datasets import dataset_e

GROUPS = [[0, 1, 2], [3, 4], [5, 6, 7, 8]]
PENALTIES = {
    "none": None,
    "l1": L1(0.3),
    "elastic net": ElasticNet(0.5, 0.5),
    "l2": ElasticNet(1.0, 0.0),
    "bounds": Bounds(-0.2, 0.1),
    "nonnegative": NonNegative(),
    "nonnegative with l1": NonNegative(0.3),
    "bounds with l1": Penalty(l1=0.2, lower=-0.5, upper=0.3),
    "group": GroupL2(0.5, GROUPS),
    "sparse group": GroupL2(0.5, GROUPS, l1=0.1),
}
KINDS = ("squares", "sparse squares", "logistic", "sparse logistic", "huber", "hinge", "poisson")
KINDS += ("multinomial", "sparse quadratic", "dense quadratic")


@functools.cache
def make(kind, penalty_name):
    penalty, rng = PENALTIES[penalty_name], np.random.default_rng(0)
    A, y = rng.normal(size=(20, 9)), rng.normal(size=20)
    S = scipy.sparse.csc_array(A * (rng.random((20, 9)) < 0.4))
    graph = dataset_e(60, 20)
    return {
        "squares": lambda: LeastSquares(A, y, penalty),
        "sparse squares": lambda: LeastSquares(S, y, penalty),
        "logistic": lambda: Logistic(A, np.sign(y), penalty),
        "sparse logistic": lambda: Logistic(S, np.sign(y), penalty),
        "huber": lambda: Huber(S, y, penalty),
        "hinge": lambda: SquaredHinge(A, np.sign(y), penalty),
        "poisson": lambda: Poisson(S, np.abs(np.round(y)), penalty),
        "multinomial": lambda: Multinomial(S[:, :3], np.arange(20) % 3, penalty),
        "sparse quadratic": lambda: Quadratic(graph.Q, graph.q, penalty),
        "dense quadratic": lambda: Quadratic(graph.Q.toarray(), graph.q, penalty),
    }[kind]()


@pytest.mark.kernel
@settings(max_examples=400)
@given(
    st.sampled_from(KINDS),
    st.sampled_from(list(PENALTIES)),
    st.sampled_from(PARTITIONS),
    st.sampled_from(list(SELECTIONS)),
    st.sampled_from(list(UPDATES)),
)
def test_any_triple_descends_or_is_refused_with_alternatives(
    kind, penalty, partition, selection, update
):
    if kind.endswith("quadratic") and "group" in penalty:
        penalty = "none"  # the groups are of nine coordinates
    problem = make(kind, penalty)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # sixty steps are not meant to converge
            result = minimize(
                problem,
                partition=partition,
                selection=selection,
                update=update,
                block_size=3,
                max_iter=60,
                tol=1e-9,
                random_state=0,
            )
    except ValueError as error:
        assert "use " in str(error) or "needs" in str(error)
        return
    objective = result.history.objective
    assert np.all(np.diff(objective) <= 1e-9 * np.abs(objective).max())
    np.testing.assert_allclose(result.fun, problem.value(result.x), rtol=1e-8, atol=1e-10)
    if result.status in (Status.STALLED, Status.OPTIMAL):
        assert result.gap <= 1e-5 * max(1.0, abs(objective[0]))
