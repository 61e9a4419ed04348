"""The race of kernel support vector machines against libsvm, with an intercept."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator

import numpy as np
import scipy.sparse as sp
import sklearn.svm
from sklearn.metrics.pairwise import pairwise_kernels

from bcd import SVC
from experiments.certificates import kernel_svm_gap
from experiments.race import OURS, Cell, Solver
from experiments.race_data import load

DATA = {"digits": 1797, "breast_cancer": 569, "a8a": 2000}  # and their first samples
QUICK = ("digits", "breast_cancer")
KERNELS = ("rbf", "linear")


def svc_cell(data: str, X, y, kernel: str, C: float = 1.0) -> Cell:
    """Build the cell of one data set: all pairs of classes, the worst of whose gaps counts.

    Solvers return the dual variables times labels, a row for each pair, and the intercepts last.
    """
    X = sp.csr_array(X) if sp.issparse(X) else np.ascontiguousarray(X)
    dense = X.toarray() if sp.issparse(X) else X
    gamma = 1.0 / (X.shape[1] * dense.var())

    @functools.cache
    def matrix():
        extra = {"gamma": gamma} if kernel == "rbf" else {}
        return pairwise_kernels(dense, metric=kernel, **extra)

    def gap(packed) -> float:
        worst = 0.0
        classes = np.unique(y)
        pairs = itertools.combinations(classes, 2)
        for row, (first, second) in zip(packed, pairs, strict=True):
            chosen = np.flatnonzero((y == first) | (y == second))
            label = np.where(y[chosen] == first, 1.0, -1.0)
            if len(classes) == 2:
                label = -label  # of two classes the second is the positive one
            part = matrix()[np.ix_(chosen, chosen)]
            found = kernel_svm_gap(part, label, row[chosen] * label, row[-1], C)[1]
            worst = max(worst, found / (len(chosen) * C))
        return worst

    def solve(factory, tol):
        model = factory(kernel=kernel, C=C, gamma=gamma, tol=tol).fit(X, y)
        return _by_pair(model, len(y))

    solvers: dict[str, Solver] = {
        OURS: functools.partial(solve, SVC),
        "libsvm": functools.partial(solve, sklearn.svm.SVC),
    }
    return Cell("svc", data, f"{kernel} C={C:g}", gap, solvers, 5.0)


def _by_pair(model, n_samples: int):
    """Return dual variables times labels, a row for each pair of classes, and intercepts last."""
    coefficients = model.dual_coef_
    if sp.issparse(coefficients):
        coefficients = coefficients.toarray()
    owner = np.repeat(np.arange(len(model.classes_)), model.n_support_)
    pairs = list(itertools.combinations(range(len(model.classes_)), 2))
    packed = np.zeros((len(pairs), n_samples + 1))
    for row, (first, second) in zip(packed, pairs, strict=True):
        mine, other = owner == first, owner == second
        row[model.support_[mine]] = coefficients[second - 1, mine]
        row[model.support_[other]] = coefficients[first, other]
    packed[:, -1] = model.intercept_
    return packed


def small_cells() -> list[Cell]:
    """Tiny problems on which everybody compiles."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 4))
    y = (X[:, 0] > 0.3).astype(float) + (X[:, 1] > 0.3)
    return [svc_cell("dense", X, y, kernel) for kernel in KERNELS] + [
        svc_cell("sparse", sp.csr_array(X), y, "rbf")
    ]


def cells(quick: bool) -> Iterator[Cell]:
    """Every data set with every kernel."""
    for name in QUICK if quick else DATA:
        data = load(name)
        if data is not None:
            X, y = sp.csr_array(data[0]) if sp.issparse(data[0]) else data[0], data[1]
            for kernel in KERNELS:
                yield svc_cell(name, X[: DATA[name]], y[: DATA[name]], kernel)
