"""To and from scipy's sparse matrices and networkx's graphs."""

from __future__ import annotations

import sys
from typing import SupportsFloat

import numpy as np
import scipy.sparse as sp

from graphs.csr import MAX_SLOTS, CSRGraph, pair_slots, require_graph


def from_scipy(matrix, *, directed: bool = False) -> CSRGraph:
    """Build a graph from a square sparse matrix of edge weights; explicit zeros stay edges.

    Parameters
    ----------
    matrix : scipy sparse matrix or array of shape (n_vertices, n_vertices)
        Entry (u, v) is the weight of the edge from u to v. Duplicate entries are summed, as scipy
        reads them; the caller's matrix is not changed.
    directed : bool, default=False
        Undirected graphs need a symmetric matrix with an empty diagonal.

    Raises
    ------
    TypeError
        If ``matrix`` is not a scipy sparse matrix of real numbers.
    ValueError
        If it is not square, holds NaN or infinity, or, for undirected graphs, is not symmetric or
        has an entry on its diagonal.
    """
    return read_matrix("matrix", matrix, directed)


def read_matrix(name: str, matrix, directed: bool = False) -> CSRGraph:
    """Do what :func:`from_scipy` does; errors call the matrix by the caller's ``name`` for it."""
    if not sp.issparse(matrix):
        raise TypeError(f"{name} must be a scipy sparse matrix, got {type(matrix).__name__}.")
    if matrix.dtype.kind not in "fiub":
        raise TypeError(f"{name} must hold real numbers, got dtype {matrix.dtype}.")
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"{name} must be square, got shape {matrix.shape}.")
    csr = sp.csr_array(matrix)
    if csr.nnz > MAX_SLOTS:
        raise ValueError(f"a graph must have at most {MAX_SLOTS} slots, got {csr.nnz}.")
    if not csr.has_canonical_format:
        csr = csr.copy()
        csr.sum_duplicates()
    indptr = csr.indptr.astype(np.int64)
    indices = csr.indices.astype(np.int32)
    weights = csr.data.astype(np.float64)
    tails = np.repeat(np.arange(len(indptr) - 1, dtype=np.int32), np.diff(indptr))
    slots = (tails, indices, weights)
    _refuse(~np.isfinite(weights), f"{name} must have finite weights", *slots)
    reverse = None
    if not directed:
        _refuse(tails == indices, f"{name} must have an empty diagonal", *slots)
        reverse = np.empty(len(indices), dtype=np.int32)
        pair_slots(indptr, indices, reverse)
        unlike = (reverse < 0) | (weights[reverse] != weights)
        remedy = " (or directed=True)" if name == "matrix" else ""
        _refuse(unlike, f"{name} must have symmetric entries{remedy}", *slots)
    return CSRGraph(indptr=indptr, indices=indices, weights=weights, reverse=reverse)


def _refuse(bad, wanted, tails, indices, weights) -> None:
    slots = np.flatnonzero(bad)
    if len(slots):
        s = slots[0]
        raise ValueError(f"{wanted}, got {weights[s]} at ({tails[s]}, {indices[s]}).")


def to_scipy(graph: CSRGraph) -> sp.csr_array:
    """Return the weights as a ``csr_array``; an edge of weight zero is stored explicitly."""
    require_graph(graph)
    shape = (graph.n_vertices, graph.n_vertices)
    return sp.csr_array((graph.weights.copy(), graph.indices.copy(), graph.indptr.copy()), shape)


def is_networkx(graph) -> bool:
    """Tell whether this is a networkx graph; networkx, slow to import, is not imported for it."""
    module = sys.modules.get("networkx")
    return module is not None and isinstance(graph, module.Graph)


def from_networkx(graph, *, weight: str = "weight", default: float = 1.0) -> tuple[CSRGraph, list]:
    """Build a graph from networkx, whatever its nodes are called.

    Parameters
    ----------
    graph : networkx.Graph or networkx.DiGraph
    weight : str, default="weight"
        The edge attribute to read; ``default`` where it is missing.
    default : float, default=1.0

    Returns
    -------
    graph : CSRGraph
        Directed if the input is.
    nodes : list
        The input's name of each vertex.

    Raises
    ------
    TypeError
        If ``graph`` is not a networkx graph.
    ValueError
        If it is a multigraph, has a self-loop (undirected) or a weight that is not a finite number.
    """
    if not is_networkx(graph):
        raise TypeError(f"graph must be a networkx graph, got {type(graph).__name__}.")
    if graph.is_multigraph():
        raise ValueError("graph must have at most one edge a pair of nodes, got a multigraph.")
    nodes = list(graph)
    number = {node: i for i, node in enumerate(nodes)}
    edges = list(graph.edges(data=weight, default=default))
    tails = np.fromiter((number[u] for u, _, _ in edges), dtype=np.int64, count=len(edges))
    heads = np.fromiter((number[v] for _, v, _ in edges), dtype=np.int64, count=len(edges))
    weights = np.empty(len(edges))
    for k, (u, v, value) in enumerate(edges):
        if isinstance(value, str) or not isinstance(value, SupportsFloat):
            raise ValueError(
                f"{weight} must be a number on every edge, got {value!r} at ({u!r}, {v!r})."
            )
        weights[k] = float(value)
    directed = graph.is_directed()
    return CSRGraph.from_edges(len(nodes), tails, heads, weights, directed=directed), nodes


def to_networkx(graph: CSRGraph, nodes: list | None = None):
    """Return a ``networkx.Graph``, or ``DiGraph`` where the graph is directed.

    Parameters
    ----------
    graph : CSRGraph
    nodes : list, default=None
        Names of the vertices; their numbers when None.
    """
    import networkx as nx

    require_graph(graph)
    if nodes is not None and len(nodes) != graph.n_vertices:
        raise ValueError(f"nodes must have {graph.n_vertices} entries, got {len(nodes)}.")
    names = list(range(graph.n_vertices)) if nodes is None else nodes
    result = nx.DiGraph() if graph.reverse is None else nx.Graph()
    result.add_nodes_from(names)
    triples = zip(graph.tails(), graph.indices, graph.weights, strict=True)
    result.add_weighted_edges_from((names[u], names[v], float(w)) for u, v, w in triples)
    return result
