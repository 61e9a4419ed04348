"""Walking and solving forests inside graphs: leaves first, then back from the roots."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphs._jit import kernel
from graphs.csr import CSRGraph, require_undirected

OK = 0
NOT_POSITIVE_DEFINITE = 1


class Elimination(NamedTuple):
    """How to walk a forest leaves first.

    Attributes
    ----------
    order : ndarray of shape (n_members,), int32
        The forest's vertices, children before parents.
    parent : ndarray of shape (n_members,), int32
        Place in ``order`` of each vertex's parent; -1 at roots. ``parent[i] > i`` elsewhere.
    slot : ndarray of shape (n_members,), int64
        Slot of the edge from ``order[i]`` to its parent in the graph; -1 at roots.
    """

    order: NDArray[np.int32]
    parent: NDArray[np.int32]
    slot: NDArray[np.int64]


@kernel
def peel(indptr, indices, payload, member, node, vertex, parent, carried):
    """Strip leaves until none is left; returns how many vertices were taken.

    A leaf's one neighbour is the exclusive or of its neighbours that are left, so nothing is
    searched and the adjacency is read once, forwards. What is left over is the 2-core.

    payload : (m,) int64, the same in both slots of an edge: its number, or the bits of its weight
    member : (n,) bool, the vertices that take part
    node : (n, 3) int64, overwritten: edges left (-1 when taken or no member) and the exclusive ors
        of the neighbours and of the payloads that are left
    vertex, parent : (k,) int32, overwritten: the vertices in the order in which they were taken,
        and the neighbour left to each, which is taken later (-1 at roots)
    carried : (k,) int64, overwritten: the payload of the edge to the parent
    """
    n = len(member)
    for v in range(n):
        node[v, 0], node[v, 1], node[v, 2] = 0, 0, 0
        if not member[v]:
            node[v, 0] = -1
            continue
        for s in range(indptr[v], indptr[v + 1]):
            u = indices[s]
            if member[u]:
                node[v, 0] += 1
                node[v, 1] ^= u
                node[v, 2] ^= payload[s]
    count = 0
    for start in range(n):
        leaf = np.int64(start)
        while 0 <= node[leaf, 0] <= 1:
            vertex[count] = leaf
            if node[leaf, 0] == 0:
                node[leaf, 0], parent[count], carried[count] = -1, -1, 0
                count += 1
                break
            p, load = node[leaf, 1], node[leaf, 2]
            node[leaf, 0], parent[count], carried[count] = -1, p, load
            count += 1
            node[p, 0] -= 1
            node[p, 1] ^= leaf
            node[p, 2] ^= load
            if p > start:
                break  # its turn comes
            leaf = p
    return count


@kernel
def settle(vertex, parent, carried, place):
    """Sort a peeled forest depth first, each subtree in one piece, so that parents stay near.

    vertex, parent : (k,) int32, carried : (k,) int64; changed in place, ``parent`` from vertex
        numbers to places (-1 at roots, behind the children elsewhere)
    place : (n,) int32, overwritten at the vertices
    """
    k = len(vertex)
    for i in range(k):
        place[vertex[i]] = i
    size, rank = np.ones(k, dtype=np.int32), np.empty(k, dtype=np.int32)
    above = np.empty(k, dtype=np.int32)
    for i in range(k):
        above[i] = place[parent[i]] if parent[i] >= 0 else -1
        if above[i] >= 0:
            size[above[i]] += size[i]
    end = k
    for i in range(k - 1, -1, -1):  # a subtree's last place is its root's; size turns into the next
        if above[i] < 0:
            rank[i] = end - 1
            end -= size[i]
        else:
            rank[i] = size[above[i]]
            size[above[i]] -= size[i]
        size[i] = rank[i] - 1
    _permute(rank, above, vertex, parent, carried)


@kernel
def _permute(rank, above, vertex, parent, carried):
    k = len(vertex)
    old_vertex, old_carried = vertex.copy(), carried.copy()
    for i in range(k):
        r = rank[i]
        vertex[r], carried[r] = old_vertex[i], old_carried[i]
        parent[r] = rank[above[i]] if above[i] >= 0 else -1


@kernel
def factor_forest(parent, diagonal, link, pivot, factor):
    """Factor a symmetric A whose off-diagonal graph is a forest as L D L', in O(n).

    Vertices are laid out in elimination order, so memory is walked forwards once.

    parent : (n,) int32, place of the parent, behind its children; -1 at roots
    diagonal, link : (n,) float64, A[i, i] and A[i, parent[i]]
    pivot, factor : (n,) float64, overwritten: D, and L[parent[i], i]; pivot may be diagonal
    Returns OK, or NOT_POSITIVE_DEFINITE when a pivot is not above zero.
    """
    n = len(parent)
    for i in range(n):
        pivot[i] = diagonal[i]
    for i in range(n):
        if not pivot[i] > 0.0:  # catches NaN too
            return NOT_POSITIVE_DEFINITE
        p = parent[i]
        if p >= 0:
            factor[i] = link[i] / pivot[i]
            pivot[p] -= factor[i] * link[i]
        else:
            factor[i] = 0.0
    return OK


@kernel
def solve_factored(parent, pivot, factor, x):
    """Solve L D L' X = R in place, forwards and back once; see ``factor_forest``.

    x : (n, k) float64, R on entry and X on return
    """
    n, k = x.shape
    for i in range(n):
        p = parent[i]
        if p >= 0:
            for c in range(k):
                x[p, c] -= factor[i] * x[i, c]
    for i in range(n - 1, -1, -1):
        p, inverse = parent[i], 1.0 / pivot[i]
        if p >= 0:
            for c in range(k):
                x[i, c] = x[i, c] * inverse - factor[i] * x[p, c]
        else:
            for c in range(k):
                x[i, c] *= inverse


@kernel
def solve_forest(parent, diagonal, link, rhs, out):
    """Solve A X = R in O(n) a column for a symmetric A whose off-diagonal graph is a forest.

    Vertices are laid out in elimination order, so memory is walked forwards and back once.

    parent : (n,) int32, place of the parent, behind its children; -1 at roots
    diagonal, link : (n,) float64, A[i, i] and A[i, parent[i]]
    rhs, out : (n, k) float64; out is overwritten and may be rhs itself
    Returns OK, or NOT_POSITIVE_DEFINITE when a pivot is not above zero (``out`` is then undefined).
    """
    n, k = rhs.shape
    for i in range(n):
        for c in range(k):
            out[i, c] = rhs[i, c]
    pivot, factor = np.empty(n), np.empty(n)
    status = factor_forest(parent, diagonal, link, pivot, factor)
    if status == OK:
        solve_factored(parent, pivot, factor, out)
    return status


def eliminate(graph: CSRGraph, member: ArrayLike | None = None) -> Elimination:
    """Order an induced forest leaves first, roots last.

    Parameters
    ----------
    graph : CSRGraph
        Undirected.
    member : array_like of shape (n_vertices,), bool, default=None
        The forest's vertices; all when None.

    Raises
    ------
    ValueError
        If the members' edges close a cycle.
    """
    require_undirected(graph)
    n = graph.n_vertices
    inside = np.ones(n, dtype=np.bool_) if member is None else np.asarray(member)
    if inside.shape != (n,) or inside.dtype != np.bool_:
        raise ValueError(
            f"member must be a boolean array of shape ({n},), "
            f"got {inside.dtype} of shape {inside.shape}."
        )
    k = int(np.count_nonzero(inside))
    order, parent = np.empty(k, dtype=np.int32), np.empty(k, dtype=np.int32)
    edge, place = np.empty(k, dtype=np.int64), np.empty(n, dtype=np.int32)
    reverse = np.asarray(graph.reverse)
    numbers = np.minimum(np.arange(graph.n_slots, dtype=np.int64), reverse)
    node = np.empty((n, 3), dtype=np.int64)
    if peel(graph.indptr, graph.indices, numbers, inside, node, order, parent, edge) < k:
        raise ValueError("member must induce a forest, got vertices whose edges close a cycle.")
    settle(order, parent, edge, place)
    inner = np.flatnonzero(parent >= 0)
    ends = order[parent[inner]]
    slot = np.full(k, -1, dtype=np.int64)
    slot[inner] = np.where(graph.indices[edge[inner]] == ends, edge[inner], reverse[edge[inner]])
    return Elimination(order, parent, slot)
