"""Finding forests inside graphs: partitions into induced ones, and large single ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphs._jit import kernel
from graphs.csr import CSRGraph, require_undirected

ORDERS = ("lipschitz", "random")


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


def checked_order(
    graph: CSRGraph, order: ArrayLike | str | None, random_state=None
) -> NDArray[np.int32]:
    """Return ``order`` as a permutation of the vertices, or the one that its name stands for."""
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
    require_undirected(graph)
    queue = checked_order(graph, order, random_state)
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

    Raises
    ------
    ValueError
        If a number is no integer or too small.

    Examples
    --------
    >>> lattice_combs(3, 4).reshape(3, 4)
    array([[0, 0, 0, 0],
           [0, 1, 0, 1],
           [1, 1, 1, 1]], dtype=int32)
    """
    for name, count, least in (("n_rows", n_rows, 2), ("n_columns", n_columns, 1)):
        whole = isinstance(count, int | np.integer) and not isinstance(count, bool)
        if not (whole and count >= least):
            raise ValueError(f"{name} must be an integer of at least {least}, got {count!r}.")
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
    require_undirected(graph)
    score = np.asarray(score, dtype=np.float64)
    if score.shape != (graph.n_vertices,):
        raise ValueError(f"score must have shape ({graph.n_vertices},), got {score.shape}.")
    if np.isnan(score).any():
        raise ValueError(f"score must not be NaN, got NaN at {np.flatnonzero(np.isnan(score))[0]}.")
    return _forest_in_order(graph, np.argsort(-score, kind="stable").astype(np.int32))


def random_forest(graph: CSRGraph, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Grow a maximal induced forest in a random order; see :func:`greedy_forest`."""
    require_undirected(graph)
    return _forest_in_order(graph, rng.permutation(graph.n_vertices).astype(np.int32))


def _forest_in_order(graph: CSRGraph, order: NDArray[np.int32]) -> NDArray[np.bool_]:
    label = np.full(graph.n_vertices, -1, dtype=np.int32)
    _grow_forest(graph.indptr, graph.indices, order, label)
    return label == 0
