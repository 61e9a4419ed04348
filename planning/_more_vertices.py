"""Joining new vertices to a roadmap whose motions stay."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from graphs import CSRGraph, spatial_order


def shrunk_radius(radius: float, n_before: int, n_after: int, dimension: int) -> float:
    """Return what ``radius`` becomes, by ``(log n / n)^(1/d)``, as vertices become more."""
    before, after = max(n_before, 2), max(n_after, 2)
    share = (math.log(after) / after) / (math.log(before) / before)
    return radius * min(share, 1.0) ** (1.0 / dimension)


def grown_neighbors(n_neighbors: int, n_before: int, n_after: int) -> int:
    """Return what ``n_neighbors`` becomes, by ``log n``, as vertices become more."""
    return math.ceil(n_neighbors * math.log(max(n_after, 2)) / math.log(max(n_before, 2)))


def join_more(
    points: NDArray[np.float64],
    order: NDArray[np.int32],
    graph: CSRGraph,
    radius: float,
    n_neighbors: int | None,
) -> tuple[NDArray[np.int32], CSRGraph]:
    """Join the last of ``points`` to all.

    Parameters
    ----------
    points : ndarray of shape (n, d)
        In the caller's order, those of ``graph`` first.
    order : ndarray of shape (n_before,)
        The caller's number of each vertex of ``graph``.
    graph : CSRGraph
    radius : float
        How far new vertices reach, metres, unless ``n_neighbors`` is given.
    n_neighbors : int, optional
        How many others each new vertex counts.

    Returns
    -------
    order : ndarray of shape (n,)
        A space-filling order of all.
    graph : CSRGraph
        In that order.
    """
    n, n_before = len(points), len(order)
    tree = cKDTree(points)
    if n_neighbors is None:
        found = cKDTree(points[n_before:]).sparse_distance_matrix(
            tree, radius, output_type="ndarray"
        )
        tails, heads = found["i"].astype(np.int64) + n_before, found["j"].astype(np.int64)
    else:
        nearest = tree.query(points[n_before:], k=min(n_neighbors + 1, n))[1]
        tails = np.repeat(np.arange(n_before, n), nearest.shape[1])
        heads = nearest.ravel()
    low, high = np.minimum(tails, heads), np.maximum(tails, heads)
    code = np.unique((low * n + high)[low != high])
    tails, heads = code // n, code % n
    lengths = np.linalg.norm(points[tails] - points[heads], axis=1)
    kept = np.flatnonzero(graph.tails() < graph.indices)
    new_order = spatial_order(points)
    rank = np.empty(n, np.int64)
    rank[new_order] = np.arange(n)
    return new_order, CSRGraph.from_edges(
        n,
        rank[np.concatenate((order[graph.tails()[kept]], tails))],
        rank[np.concatenate((order[graph.indices[kept]], heads))],
        np.concatenate((graph.weights[kept], lengths)),
    )
