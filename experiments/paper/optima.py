"""The data sets by letter, and how far a point is from the optimum, without cancellation.

Subtracting two objectives of 1e6 leaves nothing below 1e-10. On quadratics the difference is
computed from ``x - x*`` instead: ``f(x) - f* = 1/2 (x - x*)'H(x - x*) + s'(x - x*)`` with s the
subgradient at the optimum, which is zero but for coordinates at a bound.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
import scipy.sparse.linalg
from numpy.typing import NDArray

from bcd import minimize
from problems import datasets

DATA: dict[str, Callable] = {
    "A": datasets.dataset_a,
    "A-l1nn": datasets.dataset_a_l1nn,
    "B": datasets.dataset_b,
    "C": datasets.dataset_c,
    "D": datasets.dataset_d,
    "E": datasets.dataset_e,
}
BY_POINT = ("A-l1nn", "D", "E")  # the others have the optimal value 0, so nothing cancels


@functools.cache
def problem(data: str):
    """Return the data set of that letter, built once a process."""
    return DATA[data]()


@functools.cache
def optimum(data: str) -> NDArray[np.float64]:
    """x* of a data set whose gap is computed by the point, to about 1e-15."""
    instance = problem(data)
    if data == "A-l1nn":
        result = minimize(instance, selection="gs-q", update="exact", block_size="auto", tol=1e-14)
        return result.x
    x = scipy.sparse.linalg.spsolve(instance.Q.tocsc(), instance.q)
    return x + scipy.sparse.linalg.spsolve(instance.Q.tocsc(), -instance.gradient(x))


def check_zero_optimum(data: str) -> None:
    """Raise unless the rows of A are independent: any scores can be reached, so f* is 0."""
    A = problem(data).A
    rank = np.linalg.matrix_rank((A @ A.T).toarray())
    if rank < A.shape[0]:
        raise ValueError(f"data set {data} has dependent rows (rank {rank}); its f* is not known.")


@functools.cache
def distance(data: str) -> Callable[[NDArray], float]:
    """``F(x) - F*`` of a quadratic as a function of x."""
    instance, best = problem(data), optimum(data)
    if data != "A-l1nn":
        return lambda x: 0.5 * float((x - best) @ (instance.Q @ (x - best)))
    slack = instance.gradient(best) + instance.penalty.l1
    slack = np.where(best > 0.0, 0.0, np.maximum(slack, 0.0))

    def excess(x: NDArray) -> float:
        moved = instance.A @ (x - best)
        return 0.5 * float(moved @ moved) + float(slack @ (x - best))

    return excess
