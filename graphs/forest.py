"""Forests inside graphs: how to find them, in which order to walk them, how to solve on them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphs._jit import kernel
from graphs.csr import CSRGraph

OK = 0
NOT_POSITIVE_DEFINITE = 1
ORDERS = ("lipschitz", "random")


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
def find_root(leader, v):
    """Return the representative of ``v``'s set, halving the path on the way.

    leader : (n,) int32, changed in place
    """
    while leader[v] != v:
        leader[v] = leader[leader[v]]
        v = leader[v]
    return v


@kernel
def unite(leader, size, u, v):
    """Join the sets of ``u`` and ``v``, the smaller below the larger; False if they are one."""
    u, v = find_root(leader, u), find_root(leader, v)
    if u == v:
        return False
    if size[u] < size[v]:
        u, v = v, u
    leader[v] = u
    size[u] += size[v]
    return True


@kernel
def _can_join(indptr, indices, leader, label, forest, v, seen, stamp):
    # v closes a cycle iff two of its neighbours inside the forest are already connected
    for slot in range(indptr[v], indptr[v + 1]):
        u = indices[slot]
        if label[u] == forest:
            root = find_root(leader, u)
            if seen[root] == stamp:
                return False
            seen[root] = stamp
    return True


@kernel
def _join(indptr, indices, leader, size, label, forest, v):
    label[v] = forest
    for slot in range(indptr[v], indptr[v + 1]):
        if label[indices[slot]] == forest:
            unite(leader, size, v, indices[slot])


@kernel
def _grow_forest(indptr, indices, order, label):
    n = len(label)
    leader = np.arange(n, dtype=np.int32)
    size = np.ones(n, dtype=np.int32)
    seen = np.full(n, -1, dtype=np.int64)
    for i in range(len(order)):
        v = order[i]
        if _can_join(indptr, indices, leader, label, 0, v, seen, i):
            _join(indptr, indices, leader, size, label, 0, v)


@kernel
def _first_fit(indptr, indices, order, label):
    # Each forest is grown by one walk over what the earlier ones left, so one leader array serves.
    n = len(label)
    leader = np.arange(n, dtype=np.int32)
    size = np.ones(n, dtype=np.int32)
    seen = np.full(n, -1, dtype=np.int64)
    left = order.copy()
    n_left = len(left)
    stamp = 0
    forest = 0
    while n_left > 0:
        kept = 0
        for i in range(n_left):
            v = left[i]
            stamp += 1
            if _can_join(indptr, indices, leader, label, forest, v, seen, stamp):
                _join(indptr, indices, leader, size, label, forest, v)
            else:
                left[kept] = v
                kept += 1
        n_left = kept
        forest += 1
    return forest


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


def _checked_order(
    graph: CSRGraph, order: ArrayLike | str | None, random_state=None
) -> NDArray[np.int32]:
    n = graph.n_vertices
    if order is None:
        return np.arange(n, dtype=np.int32)
    if isinstance(order, str):
        if order not in ORDERS:
            raise ValueError(
                f"order must be a permutation or one of {', '.join(ORDERS)}, got {order!r}."
            )
        if order == "random":
            try:
                rng = np.random.default_rng(random_state)
            except (TypeError, ValueError):
                raise ValueError(
                    "random_state must be None, an integer of at least 0 or a numpy Generator, "
                    f"got {random_state!r}."
                ) from None
            return rng.permutation(n).astype(np.int32)
        pull = np.bincount(graph.tails(), weights=np.abs(graph.weights), minlength=n)
        return np.argsort(-pull, kind="stable").astype(np.int32)
    given = np.asarray(order)
    if given.shape != (n,) or not np.array_equal(np.sort(given), np.arange(n)):
        raise ValueError(
            f"order must be a permutation of 0..{n - 1}, got an array of shape {given.shape}."
        )
    return np.ascontiguousarray(given, dtype=np.int32)


def _require_undirected(graph: CSRGraph) -> None:
    if not isinstance(graph, CSRGraph):
        raise TypeError(f"graph must be a CSRGraph, got {type(graph).__name__}.")
    if graph.reverse is None:
        raise ValueError("graph must be undirected, got a directed one.")


def first_fit_forests(
    graph: CSRGraph, order: ArrayLike | str | None = None, *, random_state=None
) -> NDArray[np.int32]:
    """Partition the vertices into induced forests: each vertex joins the first that it fits.

    Parameters
    ----------
    graph : CSRGraph
        Undirected.
    order : array_like of shape (n_vertices,) or {"lipschitz", "random"}, default=None
        The order in which vertices choose; 0, 1, 2, ... when None. "lipschitz" lets those of the
        largest sum of absolute weights choose first, which is how a Laplacian bounds curvature.
    random_state : int or numpy.random.Generator, default=None
        Of the order "random".

    Returns
    -------
    label : ndarray of shape (n_vertices,), int32
        The number of each vertex's forest.

    Notes
    -----
    Near-linear in edges for each forest; a graph of degeneracy d needs at most d/2 + 1 in a
    suitable order. Partitions of this kind are the fixed blocks of [1]_, section 5.

    References
    ----------
    .. [1] Nutini, Laradji, Schmidt (2022), "Let's Make Block Coordinate Descent Converge Faster".

    Examples
    --------
    >>> square = CSRGraph.from_edges(4, [0, 1, 2, 3], [1, 2, 3, 0])
    >>> first_fit_forests(square)
    array([0, 0, 0, 1], dtype=int32)
    """
    _require_undirected(graph)
    queue = _checked_order(graph, order, random_state)
    label = np.full(graph.n_vertices, -1, dtype=np.int32)
    _first_fit(graph.indptr, graph.indices, queue, label)
    return label


def lattice_combs(n_rows: int, n_columns: int) -> NDArray[np.int32]:
    """Partition a lattice into two interlocking combs: two trees, whatever its size.

    One comb's spine is the first row and its teeth the even columns; the other's spine is the last
    row and its teeth the odd columns. Vertices are numbered row by row.

    Parameters
    ----------
    n_rows, n_columns : int
        At least 2 and at least 1.

    Returns
    -------
    label : ndarray of shape (n_rows * n_columns,), int32
        0 or 1.

    Examples
    --------
    >>> lattice_combs(3, 4).reshape(3, 4)
    array([[0, 0, 0, 0],
           [0, 1, 0, 1],
           [1, 1, 1, 1]], dtype=int32)
    """
    if n_rows < 2 or n_columns < 1:
        raise ValueError(
            f"a lattice must have 2 rows and 1 column at least, got {n_rows} and {n_columns}."
        )
    label = np.empty((n_rows, n_columns), dtype=np.int32)
    label[:] = np.arange(n_columns) % 2
    label[0], label[-1] = 0, 1
    return label.ravel()


def greedy_forest(graph: CSRGraph, score: ArrayLike) -> NDArray[np.bool_]:
    """Grow a maximal induced forest, highest score first, skipping what would close a cycle.

    Parameters
    ----------
    graph : CSRGraph
        Undirected.
    score : array_like of shape (n_vertices,)
        Not NaN. Ties go to the lower vertex number.

    Returns
    -------
    member : ndarray of shape (n_vertices,), bool
        No vertex outside could be added without closing a cycle.
    """
    _require_undirected(graph)
    score = np.asarray(score, dtype=np.float64)
    if score.shape != (graph.n_vertices,):
        raise ValueError(f"score must have shape ({graph.n_vertices},), got {score.shape}.")
    if np.isnan(score).any():
        raise ValueError(f"score must not be NaN, got NaN at {np.flatnonzero(np.isnan(score))[0]}.")
    return _forest_in_order(graph, np.argsort(-score, kind="stable").astype(np.int32))


def random_forest(graph: CSRGraph, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Grow a maximal induced forest in a random order; see :func:`greedy_forest`."""
    _require_undirected(graph)
    return _forest_in_order(graph, rng.permutation(graph.n_vertices).astype(np.int32))


def _forest_in_order(graph: CSRGraph, order: NDArray[np.int32]) -> NDArray[np.bool_]:
    label = np.full(graph.n_vertices, -1, dtype=np.int32)
    _grow_forest(graph.indptr, graph.indices, order, label)
    return label == 0


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
    _require_undirected(graph)
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
