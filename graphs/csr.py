"""Compressed sparse row graphs: the one graph that every room of the house walks on."""

from __future__ import annotations

import numbers
import operator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphs._jit import kernel

MAX_SLOTS = np.iinfo(np.int32).max


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class CSRGraph:
    """A weighted graph in compressed sparse row form; each undirected edge fills two slots.

    Attributes
    ----------
    indptr : ndarray of shape (n_vertices + 1,), int64
        The slots of vertex ``v`` are ``indptr[v]:indptr[v + 1]``.
    indices : ndarray of shape (n_slots,), int32
        The neighbour in each slot, ascending within a vertex.
    weights : ndarray of shape (n_slots,), float64
    reverse : ndarray of shape (n_slots,), int32, or None
        Slot of the opposite edge, so ``indices[reverse[s]]`` is the vertex that owns ``s``;
        None on directed graphs.

    Examples
    --------
    >>> graph = CSRGraph.from_edges(3, [0, 1], [1, 2], [0.5, 2.0])
    >>> graph.neighbors(1)
    array([0, 2], dtype=int32)
    >>> graph.indices[graph.reverse]
    array([0, 1, 1, 2], dtype=int32)
    """

    indptr: NDArray[np.int64]
    indices: NDArray[np.int32]
    weights: NDArray[np.float64]
    reverse: NDArray[np.int32] | None

    @classmethod
    def from_edges(
        cls,
        n_vertices: int,
        tails: ArrayLike,
        heads: ArrayLike,
        weights: ArrayLike | None = None,
        *,
        directed: bool = False,
    ) -> CSRGraph:
        """Build a graph from a list of edges, each undirected edge named once.

        Parameters
        ----------
        n_vertices : int
        tails, heads : array_like of shape (n_edges,), int
            End points, in ``0 .. n_vertices - 1``.
        weights : array_like of shape (n_edges,), default=None
            Finite; ones when None.
        directed : bool, default=False

        Raises
        ------
        ValueError
            If lengths differ, an end point is out of range, a weight is not finite, an edge is
            named twice or an undirected edge joins a vertex to itself.
        """
        try:
            count = operator.index(n_vertices)
        except TypeError:
            raise TypeError(f"n_vertices must be an integer, got {n_vertices!r}.") from None
        if not 0 <= count <= MAX_SLOTS:
            raise ValueError(f"n_vertices must lie in 0..{MAX_SLOTS}, got {count}.")
        n_vertices = count
        tail, head = (
            _vertex_ids("tails", tails, n_vertices),
            _vertex_ids("heads", heads, n_vertices),
        )
        weight = np.ones(len(tail)) if weights is None else np.asarray(weights, dtype=np.float64)
        if not (len(tail) == len(head) and weight.shape == tail.shape):
            raise ValueError(
                "tails, heads and weights must have the same length, "
                f"got {len(tail)}, {len(head)} and {weight.shape}."
            )
        bad = np.flatnonzero(~np.isfinite(weight))
        if len(bad):
            raise ValueError(f"weights must be finite, got {weight[bad[0]]} at edge {bad[0]}.")
        if not directed:
            loops = np.flatnonzero(tail == head)
            if len(loops):
                raise ValueError(
                    f"edges must join two vertices, got a self-loop at vertex {tail[loops[0]]}."
                )
            tail, head = np.concatenate([tail, head]), np.concatenate([head, tail])
            weight = np.concatenate([weight, weight])
        if len(tail) > MAX_SLOTS:
            raise ValueError(f"a graph must have at most {MAX_SLOTS} slots, got {len(tail)}.")
        return _from_slots(n_vertices, tail, head, weight, directed)

    @classmethod
    def from_scipy(cls, matrix, *, directed: bool = False) -> CSRGraph:
        """Build a graph from a square scipy sparse matrix or array of edge weights.

        See :func:`graphs.convert.from_scipy`, which this calls.
        """
        from graphs.convert import from_scipy

        return from_scipy(matrix, directed=directed)

    @property
    def n_vertices(self) -> int:
        """Number of vertices."""
        return len(self.indptr) - 1

    @property
    def n_slots(self) -> int:
        """Number of directed edges; an undirected edge counts twice."""
        return len(self.indices)

    @property
    def n_edges(self) -> int:
        """Number of edges; an undirected edge counts once."""
        return len(self.indices) if self.reverse is None else len(self.indices) // 2

    @property
    def degrees(self) -> NDArray[np.int64]:
        """Number of slots of each vertex."""
        return np.diff(self.indptr)

    def neighbors(self, vertex: int) -> NDArray[np.int32]:
        """Return the neighbours of ``vertex`` in ascending order, as a view."""
        if not (isinstance(vertex, numbers.Integral) and 0 <= vertex < self.n_vertices):
            raise ValueError(
                f"vertex must be an integer in 0..{self.n_vertices - 1}, got {vertex!r}."
            )
        return self.indices[self.indptr[vertex] : self.indptr[vertex + 1]]

    def tails(self) -> NDArray[np.int32]:
        """Return the vertex that owns each slot, of shape (n_slots,)."""
        return np.repeat(np.arange(self.n_vertices, dtype=np.int32), self.degrees)

    def to_scipy(self):
        """Return the weights as a ``scipy.sparse.csr_array`` of shape (n_vertices, n_vertices)."""
        from graphs.convert import to_scipy

        return to_scipy(self)

    def to_networkx(self):
        """Return a ``networkx.Graph`` (or ``DiGraph``) with the edge attribute ``weight``."""
        from graphs.convert import to_networkx

        return to_networkx(self)

    def relabeled(self, order: ArrayLike) -> CSRGraph:
        """Return the same graph with vertex ``order[i]`` renamed to ``i``.

        Parameters
        ----------
        order : array_like of shape (n_vertices,)
            A permutation of the vertices.
        """
        order = _vertex_ids("order", order, self.n_vertices)
        rank = np.full(self.n_vertices, -1, dtype=np.int64)
        rank[order] = np.arange(len(order))
        if len(order) != self.n_vertices or (rank < 0).any():
            raise ValueError(f"order must be a permutation of 0..{self.n_vertices - 1}.")
        return _from_slots(
            self.n_vertices,
            rank[self.tails()],
            rank[self.indices],
            self.weights,
            self.reverse is None,
        )


def _vertex_ids(name: str, values: ArrayLike, n_vertices: int) -> NDArray[np.int64]:
    ids = np.asarray(values)
    if ids.size == 0:
        ids = ids.astype(np.int64)
    if ids.ndim != 1 or ids.dtype.kind not in "iu":
        raise ValueError(
            f"{name} must be a one-dimensional array of integers, "
            f"got {ids.dtype} of shape {ids.shape}."
        )
    bad = np.flatnonzero((ids < 0) | (ids >= n_vertices))
    if len(bad):
        raise ValueError(
            f"{name} must lie in 0..{n_vertices - 1}, got {ids[bad[0]]} at position {bad[0]}."
        )
    return ids.astype(np.int64, copy=False)


def _from_slots(n_vertices, tail, head, weight, directed) -> CSRGraph:
    order = np.lexsort((head, tail)) if len(tail) else np.empty(0, dtype=np.int64)
    tail, head = tail[order], head[order]
    twice = np.flatnonzero((tail[1:] == tail[:-1]) & (head[1:] == head[:-1]))
    if len(twice):
        raise ValueError(f"edges must differ, got ({tail[twice[0]]}, {head[twice[0]]}) twice.")
    indptr = np.zeros(n_vertices + 1, dtype=np.int64)
    np.cumsum(np.bincount(tail, minlength=n_vertices), out=indptr[1:])
    indices = head.astype(np.int32)
    reverse = None
    if not directed:
        reverse = np.empty(len(indices), dtype=np.int32)
        pair_slots(indptr, indices, reverse)
    return CSRGraph(
        indptr=indptr,
        indices=indices,
        weights=np.ascontiguousarray(weight[order], dtype=np.float64),
        reverse=reverse,
    )


@kernel
def pair_slots(indptr, indices, reverse):
    """Find the slot of each slot's opposite edge in one pass over a symmetric pattern.

    indptr : (n + 1,) int64;  indices : (m,) int32, ascending within a vertex
    reverse : (m,) int32, overwritten;  -1 where the opposite edge is missing
    """
    n = len(indptr) - 1
    cursor = indptr[:-1].copy()  # tails come by in ascending order, as in each head's own list
    for v in range(n):
        for slot in range(indptr[v], indptr[v + 1]):
            u = indices[slot]
            while cursor[u] < indptr[u + 1] and indices[cursor[u]] < v:
                reverse[cursor[u]] = -1
                cursor[u] += 1
            if cursor[u] < indptr[u + 1] and indices[cursor[u]] == v:
                reverse[slot] = cursor[u]
                cursor[u] += 1
            else:
                reverse[slot] = -1


def require_graph(graph: CSRGraph) -> None:
    """Refuse what is not a graph."""
    if not isinstance(graph, CSRGraph):
        raise TypeError(f"graph must be a CSRGraph, got {type(graph).__name__}.")


def require_undirected(graph: CSRGraph) -> None:
    """Refuse what is not a graph, or is a directed one."""
    require_graph(graph)
    if graph.reverse is None:
        raise ValueError("graph must be undirected, got a directed one.")
