"""Labels spread over a graph: each unlabelled vertex becomes the mean of its neighbours."""

from __future__ import annotations

import numbers
import warnings
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from bcd import _system_kernels as kernels
from bcd.estimators._validation import check_number
from bcd.graph_core import System
from bcd.graph_system import (
    SystemSolution,
    check_solver,
    solve_system,
    warn_unless_solved,
)
from graphs import CSRGraph
from graphs.convert import is_networkx
from graphs.csr import pair_slots


@dataclass(frozen=True, slots=True, kw_only=True)
class Propagation:
    """Labels of all vertices, and how they were found.

    Attributes
    ----------
    values : ndarray of shape (n,) or (n, k), float64
        Never NaN: vertices out of reach of any label hold the prior.
    unreached : ndarray of shape (n,), bool
        Vertices in components without a label.
    solution : SystemSolution
        Of the unlabelled, reached vertices.
    """

    values: NDArray[np.float64]
    unreached: NDArray[np.bool_]
    solution: SystemSolution


def propagate_labels(
    graph,
    labels,
    *,
    anchor: float | None = None,
    prior: float | None = None,
    solver: str = "auto",
    tol: float = 1e-10,
    max_iter: int = 1000,
    verbose: bool = False,
):
    """Extend labels to all vertices of a graph, as smoothly as its weights ask for.

    Minimises ``1/2 sum_edges w_ij (f_i - f_j)^2`` with ``f = labels`` where they are given (the
    harmonic function of [1]_), or, with an anchor, plus ``anchor/2 sum_labelled (f_i - y_i)^2``.

    Parameters
    ----------
    graph : scipy sparse matrix, CSRGraph or networkx.Graph
        Edge weights, nonnegative; scipy's must be square. Self-loops do not matter and are
        ignored. An asymmetric matrix or a directed graph is replaced by the mean of it and its
        transpose, with a warning.
    labels : array_like of shape (n,) or (n, k), or dict
        NaN means unlabelled (a row of NaN where there are k columns, the classes' indicators say).
        For a networkx graph in the order of its nodes, or a dict from nodes to numbers.
    anchor : float, default=None
        Trust in the labels, in units of edge weight; None trusts them entirely.
    prior : float, default=None
        What vertices without any path to a label get; the mean label when None.
    solver, tol, max_iter, verbose
        See :func:`bcd.solve_graph_system`.

    Returns
    -------
    ndarray of shape (n,) or (n, k), or dict
        Never NaN. A dict under the graph's own names when ``labels`` is one.

    Raises
    ------
    TypeError
        If weights or labels are not real numbers, or an argument is of another type.
    ValueError
        If a weight is negative or not finite, a label is infinite, none is given, or one is given
        to a vertex that does not exist.

    Warns
    -----
    ConvergenceWarning
        If the tolerance was not reached.
    UserWarning
        If the graph was symmetrised.

    Notes
    -----
    Time and memory are linear in edges for each iteration. :func:`solve_labels` returns the same
    with an account of the solver and the vertices out of reach.

    References
    ----------
    .. [1] Zhu, Ghahramani, Lafferty (2003), "Semi-supervised learning using Gaussian fields and
       harmonic functions".

    Examples
    --------
    >>> import networkx as nx
    >>> propagate_labels(nx.path_graph(["a", "b", "c"]), {"a": 0.0, "c": 1.0})
    {'a': 0.0, 'b': 0.5, 'c': 1.0}
    """
    found = solve_labels(
        graph, labels, anchor=anchor, prior=prior, solver=solver, tol=tol, max_iter=max_iter,
        verbose=verbose, _stacklevel=3,
    )  # fmt: skip
    if isinstance(labels, Mapping):
        return dict(zip(graph, found.values.tolist(), strict=True))
    return found.values


def solve_labels(
    graph,
    labels,
    *,
    anchor: float | None = None,
    prior: float | None = None,
    solver: str = "auto",
    tol: float = 1e-10,
    max_iter: int = 1000,
    verbose: bool = False,
    _stacklevel: int = 2,
) -> Propagation:
    """Do what :func:`propagate_labels` does, and tell how; arguments and errors are the same."""
    check_solver(solver, tol, max_iter, verbose)
    if anchor is not None:
        check_number("anchor", anchor, 0.0, above=True)
    if prior is not None:
        check_number("prior", prior, -np.inf)
    indptr, indices, weights = read_weights_of_edges(graph, _stacklevel + 1)
    n = len(indptr) - 1
    columns, flat = _read_labels(graph, labels, n)
    size, pull = _scale(np.nanmax(np.abs(columns))), _scale(weights.max(initial=0.0))
    if size != 1.0 or pull != 1.0:  # sums and quotients would overflow
        columns, weights = columns / size, weights / pull
    given = ~np.isnan(columns[:, 0])
    reached = given.copy()
    kernels.reach(indptr, indices, weights, reached, np.empty(n, dtype=np.int32))
    fixed = given if anchor is None else np.zeros(n, dtype=np.bool_)
    unknown = np.flatnonzero(reached & ~fixed)
    rank = np.full(n, -1, dtype=np.int32)
    rank[unknown] = np.arange(len(unknown), dtype=np.int32)
    system = _grounded(indptr, indices, weights, fixed, columns, rank, len(unknown))
    if anchor is not None:
        rows = rank[given]
        trust = anchor / pull
        system.diagonal[rows] += trust
        system.values[system.middle[rows]] += trust
        system.b[rows] += trust * columns[given]
    solution = solve_system(system, solver, float(tol), int(max_iter), verbose)
    warn_unless_solved(solution, tol, stacklevel=_stacklevel)
    values = np.empty_like(columns)
    values[given] = columns[given]
    values[unknown] = solution.x
    values[~reached] = columns[given].mean(axis=0)
    values *= size
    if prior is not None:
        values[~reached] = prior
    return Propagation(
        values=values[:, 0].copy() if flat else values, unreached=~reached, solution=solution
    )


def _scale(largest: float) -> float:
    """Return what to divide numbers by before they are added up: 1 unless they are extreme."""
    return float(largest) if largest > 0.0 and not 1e-100 < largest < 1e100 else 1.0


def _grounded(indptr, indices, weights, fixed, columns, rank, n_unknown: int) -> System:
    n_slots = len(indices) + n_unknown
    out_ptr, middle = np.empty(n_unknown + 1, np.uint32), np.empty(n_unknown, np.uint32)
    out_index, out_value = np.empty(n_slots, np.uint32), np.empty(n_slots)
    diagonal, b = np.empty(n_unknown), np.empty((n_unknown, columns.shape[1]))
    end = kernels.ground(
        indptr, indices, weights, fixed, columns, rank,
        out_ptr, middle, out_index, out_value, diagonal, b,
    )  # fmt: skip
    return System(
        indptr=out_ptr, middle=middle, indices=out_index[:end], values=out_value[:end],
        diagonal=diagonal, b=b, has_positive=False,
    )  # fmt: skip


def read_weights_of_edges(graph, stacklevel: int):
    """Read a symmetric, nonnegative weight matrix by rows, columns ascending, in 32-bit indices.

    The graph is not changed; asymmetry is averaged away with a warning.
    """
    if isinstance(graph, CSRGraph):
        matrix = graph.to_scipy()
    elif is_networkx(graph):
        if len(graph) == 0:
            raise ValueError("graph must not be empty, got no vertices.")
        import networkx

        try:
            read = networkx.to_scipy_sparse_array(graph, dtype=np.float64, format="csr")
        except (TypeError, ValueError, OverflowError) as error:
            raise ValueError(f"graph must have numbers as weights: {error}.") from error
        matrix = sp.csr_array(read)
    elif sp.issparse(graph):
        if graph.dtype.kind not in "fiub":
            raise TypeError(f"graph must hold real numbers, got dtype {graph.dtype}.")
        if graph.ndim != 2:
            raise ValueError(f"graph must be square, got shape {graph.shape}.")
        matrix = sp.csr_array(graph)
    else:
        raise TypeError(
            f"graph must be scipy sparse, a CSRGraph or networkx, got {type(graph).__name__}."
        )
    if matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"graph must be square, got shape {matrix.shape}.")
    if matrix.shape[0] == 0:
        raise ValueError("graph must not be empty, got no vertices.")
    if not matrix.has_canonical_format:
        matrix = matrix.copy()
        matrix.sum_duplicates()
    indptr, indices = matrix.indptr.astype(np.int32), matrix.indices.astype(np.int32)
    weights = np.ascontiguousarray(matrix.data, dtype=np.float64)
    bad = np.flatnonzero(~(np.isfinite(weights) & (weights >= 0)))
    if len(bad):
        row = int(np.searchsorted(indptr, bad[0], side="right")) - 1
        raise ValueError(
            "graph must have finite weights of at least 0, got "
            f"{weights[bad[0]]} at ({row}, {indices[bad[0]]})."
        )
    reverse = np.empty(len(indices), dtype=np.int32)
    pair_slots(indptr, indices, reverse)
    if (reverse < 0).any() or not np.array_equal(weights[reverse], weights):
        warnings.warn(
            "graph is not symmetric: the mean of it and its transpose is used.",
            UserWarning,
            stacklevel=stacklevel,
        )
        mean = sp.csr_array((matrix + matrix.T) / 2, dtype=np.float64)
        mean.sort_indices()
        indptr, indices = mean.indptr.astype(np.int32), mean.indices.astype(np.int32)
        weights = mean.data
    return indptr, indices, weights


def _number(label) -> float:
    if not isinstance(label, numbers.Real):
        raise TypeError(f"labels must be numbers, got {label!r}.")
    return float(label)


def _numbers(labels) -> NDArray[np.float64]:
    """Return labels as float64, what is masked (or None) as NaN."""
    if isinstance(labels, np.ma.MaskedArray):
        labels = np.ma.filled(labels.astype(np.float64), np.nan)
    given = np.asarray(labels)
    if given.dtype.kind not in "fiubO":
        raise TypeError(f"labels must be real numbers, got dtype {given.dtype}.")
    try:
        return np.array(given, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise TypeError(f"labels must be real numbers: {error}.") from error


def _read_labels(graph, labels, n: int) -> tuple[NDArray[np.float64], bool]:
    if isinstance(labels, Mapping):
        if not is_networkx(graph):
            raise TypeError("labels must be an array unless graph is a networkx graph, got a dict.")
        unknown = [node for node in labels if node not in graph]
        if unknown:
            raise ValueError(
                f"labels must name vertices of the graph, got {unknown[0]!r}, which is none."
            )
        values = np.array([_number(labels[node]) if node in labels else np.nan for node in graph])
    else:
        values = _numbers(labels)
    if values.ndim not in (1, 2) or values.shape[0] != n or values.size == 0:
        raise ValueError(f"labels must have one row for each of {n} vertices, got {values.shape}.")
    columns = values.reshape(n, -1)
    missing = np.isnan(columns)
    if np.isinf(columns).any():
        row = int(np.argwhere(np.isinf(columns))[0, 0])
        raise ValueError(
            f"labels must be finite, or NaN for unlabelled, got {columns[row].max()} at row {row}."
        )
    if (missing.any(axis=1) != missing.all(axis=1)).any():
        raise ValueError("labels must be NaN in all columns of a row or in none.")
    if missing.all():
        raise ValueError("labels must name at least one vertex's label, got NaN only.")
    return columns, values.ndim == 1
