"""The graphs of the label propagation race, as reduced systems ``Q x = q`` of the unlabelled."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components

from graphs import knn_graph
from problems.datasets import dataset_d, dataset_e


def reduced(W, labelled: NDArray, labels: NDArray):
    """Return Q and q of the unlabelled vertices that some label reaches."""
    n = W.shape[0]
    component = connected_components(W, directed=False)[1]
    free = np.isin(component, component[labelled])
    free[labelled] = False
    rows = np.flatnonzero(free)
    laplacian = sp.csr_array(sp.diags_array(np.asarray(W.sum(axis=1)).ravel()) - W)[rows]
    known = np.zeros(n)
    known[labelled] = labels
    Q = sp.csr_array(laplacian[:, rows])
    Q.sort_indices()
    return Q, -(laplacian @ known)


def _neighbors(n: int, d: int):
    rng = np.random.default_rng(0)
    points = rng.random((n, d)) if d == 2 else rng.standard_normal((n, d))
    W = knn_graph(points, 10).to_scipy()
    W.data[:] = 1.0
    return reduced(W, rng.choice(n, 1000, replace=False), rng.choice([-1.0, 1.0], 1000))


def tree(n: int):
    """Return a random recursive tree of n vertices, names shuffled, 1000 labelled at most."""
    rng = np.random.default_rng(0)
    names = rng.permutation(n)
    tails, heads = names[1:], names[(rng.random(n - 1) * np.arange(1, n)).astype(np.int64)]
    half = sp.coo_array((np.ones(n - 1), (tails, heads)), shape=(n, n))
    W = sp.csr_array(half + half.T)
    n_labelled = min(1000, n // 10)
    labels = rng.choice([-1.0, 1.0], n_labelled)
    return reduced(W, rng.choice(n, n_labelled, replace=False), labels)


def _lattice(side: int, n_labelled: int):
    problem = dataset_d(side, n_labelled, weight=1.0)
    return problem.Q, problem.q


def _moons():
    problem = dataset_e()
    return problem.Q, problem.q


CELLS = {
    "two moons": _moons,
    "lattice 50": lambda: _lattice(50, 100),
    "kNN 1e5 2-D": lambda: _neighbors(100_000, 2),
    "kNN 1e5 10-D": lambda: _neighbors(100_000, 10),
    "random tree 1e6": lambda: tree(1_000_000),
    "lattice 1000": lambda: _lattice(1000, 1000),
    "kNN 1e6 2-D": lambda: _neighbors(1_000_000, 2),
    "kNN 1e6 10-D": lambda: _neighbors(1_000_000, 10),
}
SMALL = ["two moons", "lattice 50"]


def make_cell(name: str, folder: Path | None = None):
    """Build a cell's Q and q by name, or read what an earlier run left in ``folder``."""
    if folder is None:
        return CELLS[name]()
    file = folder / f"{name.replace(' ', '_')}.npz"
    if not file.exists():
        Q, q = CELLS[name]()
        folder.mkdir(parents=True, exist_ok=True)
        np.savez(file, data=Q.data, indices=Q.indices, indptr=Q.indptr, q=q)
    kept = np.load(file)
    rows = kept["data"], kept["indices"].astype(np.int32), kept["indptr"].astype(np.int32)
    return sp.csr_array(rows, shape=(len(kept["q"]),) * 2), kept["q"]
