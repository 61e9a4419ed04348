"""The races of linear support vector machines, hinge and squared hinge, without an intercept."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import numpy as np
import scipy.sparse as sp
import sklearn.svm

from bcd import LinearSVC
from bcd.svm_linear import solve_linear_svm
from bcd.svm_problem import LinearSVMProblem
from experiments.certificates import linear_svm_gap
from experiments.race import OURS, Cell, peer
from experiments.race_data import load

DATA = ("breast_cancer", "leukemia", "a8a", "w8a", "basehock", "news20_unigrams")
QUICK = ("breast_cancer", "a8a")
COSTS = (0.1, 1.0, 10.0)


def svm_cell(data: str, X, y, C: float, loss: str) -> Cell:
    """Build the cell of one data set at one C; labels above their mean are the positive class."""
    X = sp.csr_array(X) if sp.issparse(X) else np.ascontiguousarray(X)
    y = np.where(y > y.mean(), 1.0, -1.0)
    cost, squared = np.full(len(y), C), loss == "squared_hinge"

    @functools.cache
    def dual_point():
        # any point of the dual's box bounds the objective from below: no trust in the solver needed
        problem = LinearSVMProblem(X, y, cost, 0.0, squared)
        return solve_linear_svm(problem, tol=1e-11 * len(y) * C, max_iter=10_000).alpha

    def gap(coef) -> float:
        found = linear_svm_gap(X, y, coef.ravel(), dual_point(), cost, squared)[1]
        return found / (len(y) * C)

    def southwell(tol):
        model = LinearSVC(loss=loss, C=C, fit_intercept=False, tol=tol, max_iter=10_000)
        return model.fit(X, y).coef_

    def liblinear(tol, dual=True):
        model = sklearn.svm.LinearSVC(
            loss=loss, C=C, fit_intercept=False, tol=tol, max_iter=10**7, dual=dual
        )
        return model.fit(X, y).coef_

    solvers = {OURS: southwell, "liblinear dual": liblinear}
    if squared:
        solvers["liblinear primal"] = functools.partial(liblinear, dual=False)
    elif peer("snapml") is not None:
        # it refuses sparse arrays
        solvers["snapml"] = functools.partial(
            _snapml, sp.csr_matrix(X) if sp.issparse(X) else X, y, C
        )
    return Cell(f"svm {loss}", data, f"C={C:g}", gap, solvers, 5.0)


def _snapml(X, y, C, tol):
    model = _module("snapml").SupportVectorMachine(
        regularizer=1.0 / C, fit_intercept=False, tol=tol, max_iter=100_000, n_jobs=1
    )
    return model.fit(X, y).coef_


def _module(name: str) -> Any:
    return peer(name)


def small_cells(loss: str = "hinge") -> list[Cell]:
    """Tiny problems on which everybody compiles."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 8))
    y = X[:, 0] + 0.1 * rng.standard_normal(40)
    sparse = sp.csr_array(X * (rng.random(X.shape) < 0.5))
    return [svm_cell("dense", X, y, 1.0, loss), svm_cell("sparse", sparse, y, 1.0, loss)]


def cells(quick: bool, loss: str = "hinge") -> Iterator[Cell]:
    """Every data set at every C."""
    for name in QUICK if quick else DATA:
        data = load(name)
        if data is not None:
            for C in COSTS:
                yield svm_cell(name, data[0], data[1], C, loss)
