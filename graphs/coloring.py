"""Greedy vertex colouring: red-black on a lattice."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphs._jit import kernel
from graphs.csr import CSRGraph, require_undirected
from graphs.forest import checked_order


@kernel
def _color_in_order(indptr, indices, order, color):
    taken = np.full(len(color) + 1, -1, dtype=np.int64)  # which vertex saw that colour last
    for v in order:
        for slot in range(indptr[v], indptr[v + 1]):
            c = color[indices[slot]]
            if c >= 0:
                taken[c] = v
        c = 0
        while taken[c] == v:
            c += 1
        color[v] = c


@kernel
def breadth_first(indptr, indices, order):
    """Order the vertices breadth first, component by component.

    order : (n,) int32, overwritten
    """
    n = len(order)
    seen = np.zeros(n, dtype=np.bool_)
    tail = 0
    head = 0
    for root in range(n):
        if seen[root]:
            continue
        seen[root] = True
        order[tail] = root
        tail += 1
        while head < tail:
            v = order[head]
            head += 1
            for slot in range(indptr[v], indptr[v + 1]):
                u = indices[slot]
                if not seen[u]:
                    seen[u] = True
                    order[tail] = u
                    tail += 1


def greedy_coloring(graph: CSRGraph, order: ArrayLike | None = None) -> NDArray[np.int32]:
    """Give each vertex the least colour that none of its neighbours has.

    Parameters
    ----------
    graph : CSRGraph
        Undirected.
    order : array_like of shape (n_vertices,), default=None
        The order in which vertices choose; breadth first when None, which colours every bipartite
        graph (a lattice, a tree) with two colours.

    Returns
    -------
    color : ndarray of shape (n_vertices,), int32
        At most one colour more than the largest degree.
    """
    require_undirected(graph)
    if order is None:
        queue = np.empty(graph.n_vertices, dtype=np.int32)
        breadth_first(graph.indptr, graph.indices, queue)
    else:
        queue = checked_order(graph, order)
    color = np.full(graph.n_vertices, -1, dtype=np.int32)
    _color_in_order(graph.indptr, graph.indices, queue, color)
    return color
