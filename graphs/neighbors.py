"""Graphs of point clouds, and the order that keeps neighbours near in memory."""

from __future__ import annotations

import numbers
from collections.abc import Callable

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

from graphs._jit import kernel
from graphs.csr import MAX_SLOTS, CSRGraph, pair_slots

DEEP = 15  # dimensions above which a tree of boxes prunes nothing
BLOCK, COLUMNS = 256, 2048  # points whose distances are held at a time
LARGEST = 1e150  # coordinate, so that squared distances are finite
STEP = 4096  # points joined between two words on progress
Progress = Callable[[int], object] | None


def _checked_points(points: ArrayLike) -> NDArray[np.float64]:
    try:
        cloud = np.ascontiguousarray(points, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"points must be an array of numbers, got {points!r:.80}.") from None
    if cloud.ndim != 2 or cloud.shape[1] == 0:
        raise ValueError(f"points must have shape (n, d) with d above 0, got {cloud.shape}.")
    bad = np.argwhere(~np.isfinite(cloud))
    if len(bad):
        i, j = bad[0]
        raise ValueError(f"points must be finite, got {cloud[i, j]} at row {i}, column {j}.")
    far = np.argwhere(np.abs(cloud) > LARGEST)
    if len(far):
        i, j = far[0]
        raise ValueError(
            f"points must lie within {LARGEST:g} of zero, or their distances overflow, "
            f"got {cloud[i, j]} at row {i}, column {j}."
        )
    return cloud


def radius_graph(points: ArrayLike, radius: float, *, progress: Progress = None) -> CSRGraph:
    """Join all pairs of points at most ``radius`` apart, weighted by Euclidean distance.

    Parameters
    ----------
    points : array_like of shape (n, d)
    radius : float
        Above zero, in the unit of the points.
    progress : callable, optional
        Told from time to time how many more points are joined.

    Returns
    -------
    CSRGraph
        Undirected, vertices in the order of ``points``.

    Raises
    ------
    ValueError
        If ``radius`` is not a positive finite number, a point is not finite, or the graph would
        have more slots than 32-bit slot numbers can name.

    Examples
    --------
    >>> radius_graph([[0.0], [1.0], [3.0]], 2.0).weights
    array([1., 1., 2., 2.])
    """
    cloud = _checked_points(points)
    if not (isinstance(radius, numbers.Real) and np.isfinite(radius) and radius > 0):
        raise ValueError(f"radius must be a positive finite number, got {radius!r}.")
    if len(cloud) == 0:
        return CSRGraph.from_edges(0, [], [])
    tree = cKDTree(cloud)
    expected = int(tree.count_neighbors(tree, radius)) - len(cloud) if len(cloud) > 10_000 else 0
    if expected > MAX_SLOTS:
        raise ValueError(
            f"radius must give at most {MAX_SLOTS} slots, got {radius}, which gives {expected}."
        )
    if progress is None:
        pairs = tree.query_pairs(radius, output_type="ndarray")
        return _by_distance(cloud, pairs[:, 0], pairs[:, 1])
    tails, heads = [], []
    for begin in range(0, len(cloud), STEP):
        part = cKDTree(cloud[begin : begin + STEP])
        found = part.sparse_distance_matrix(tree, radius, output_type="ndarray")
        once = found["i"] + begin < found["j"]
        tails.append(found["i"][once] + begin)
        heads.append(found["j"][once])
        progress(part.n)
    return _by_distance(cloud, np.concatenate(tails), np.concatenate(heads))


def knn_graph(points: ArrayLike, k: int, *, progress: Progress = None) -> CSRGraph:
    """Join each point to its ``k`` nearest others, symmetrised, weighted by Euclidean distance.

    Parameters
    ----------
    points : array_like of shape (n, d)
    k : int
        From 1 to n - 1.
    progress : callable, optional
        Told from time to time how many more points are joined.

    Returns
    -------
    CSRGraph
        Undirected: an edge is there when either end counts the other among its nearest.

    Raises
    ------
    TypeError
        If ``k`` is not an integer.
    ValueError
        If ``k`` is out of range or a point is not finite.
    """
    cloud = _checked_points(points)
    if isinstance(k, bool) or not isinstance(k, int | np.integer):
        raise TypeError(f"k must be an integer, got {k!r}.")
    if not 1 <= k < len(cloud):
        raise ValueError(f"k must lie in 1..{len(cloud) - 1} for {len(cloud)} points, got {k}.")
    return _joined(cloud, find_nearest(cloud, cloud, k + 1, progress or _ignore))


def _joined(cloud: NDArray[np.float64], nearest: NDArray[np.int64]) -> CSRGraph:
    """Join each point to those listed in its row of ``nearest``, itself left out."""
    n, k = nearest.shape
    # a point that coincides with others may not find itself first, so itself is dropped by name
    keep = nearest != np.arange(n)[:, None]
    keep[keep.all(axis=1), k - 1] = False
    row = np.arange(0, n * (k - 1) + 1, k - 1)
    shape = (n, n)
    ones = np.ones(n * (k - 1), dtype=np.int8)
    found = sp.csr_array((ones, nearest[keep].astype(np.int32), row), shape=shape)
    found.sort_indices()
    both = sp.csr_array(found + found.T)
    both.sort_indices()
    indptr, indices = both.indptr.astype(np.int64), both.indices.astype(np.int32)
    reverse, lengths = np.empty(len(indices), dtype=np.int32), np.empty(len(indices))
    pair_slots(indptr, indices, reverse)
    _measure_edges(cloud, indptr, indices, reverse, lengths)
    return CSRGraph(indptr=indptr, indices=indices, weights=lengths, reverse=reverse)


@kernel
def _measure_edges(cloud, indptr, indices, reverse, lengths):
    """Write the Euclidean length of each edge into both of its slots."""
    for v in range(len(cloud)):
        for s in range(indptr[v], indptr[v + 1]):
            u = indices[s]
            if u > v:
                total = 0.0
                for j in range(cloud.shape[1]):
                    gap = cloud[v, j] - cloud[u, j]
                    total += gap * gap
                lengths[s] = total**0.5
                lengths[reverse[s]] = lengths[s]


def _ignore(n_more: int) -> None:
    """Keep progress to oneself."""


def find_nearest(
    cloud: NDArray[np.float64],
    queries: NDArray[np.float64],
    k: int,
    progress: Callable[[int], object] = _ignore,
) -> NDArray[np.int64]:
    """Return the k points of ``cloud`` nearest to each query, nearest first: (n_queries, k).

    Raises ValueError where points are so far apart that squared distances overflow.
    """
    nearest = np.full((len(queries), k), len(cloud), dtype=np.int64)
    if cloud.shape[1] <= DEEP:
        tree = cKDTree(cloud)
        for begin in range(0, len(queries), STEP):
            part = queries[begin : begin + STEP]
            nearest[begin : begin + STEP] = tree.query(part, k=k)[1].reshape(len(part), k)
            progress(len(part))
    else:
        with np.errstate(over="ignore", invalid="ignore"):
            _scan_blocks(cloud, queries, nearest, progress)
    lost = np.flatnonzero(nearest.max(axis=1) == len(cloud))
    if len(lost):
        raise ValueError(
            "points must lie at distances of finite squares, got too far ones around row "
            f"{lost[0]}; scale them."
        )
    return nearest


def _scan_blocks(cloud, queries, nearest, progress) -> None:
    middle = cloud.mean(axis=0)
    centred, seekers = cloud - middle, queries - middle
    squares = np.einsum("ij,ij->i", centred, centred)
    for begin in range(0, len(queries), BLOCK):
        rows = nearest[begin : begin + BLOCK]
        least = np.full(rows.shape, np.inf)
        for first in range(0, len(cloud), COLUMNS):
            columns = slice(first, first + COLUMNS)
            product = seekers[begin : begin + BLOCK] @ centred[columns].T
            _keep_nearest(product, squares[columns], first, least, rows)
        progress(len(rows))


@kernel
def _keep_nearest(product, squares, first, least, nearest):
    """Sort candidates into each row's list by squared distance less the row's own square.

    product : (b, c) float64, inner products;  squares : (c,) float64;  first : number of column 0
    least : (b, k) float64, ascending, and nearest : (b, k) int64; changed in place
    """
    k = least.shape[1]
    for i in range(len(product)):
        worst = least[i, k - 1]
        for j in range(len(squares)):
            value = squares[j] - 2.0 * product[i, j]
            if value < worst:
                place = k - 1
                while place > 0 and least[i, place - 1] > value:
                    least[i, place] = least[i, place - 1]
                    nearest[i, place] = nearest[i, place - 1]
                    place -= 1
                least[i, place], nearest[i, place] = value, first + j
                worst = least[i, k - 1]


def _by_distance(cloud, tails, heads) -> CSRGraph:
    distance = np.linalg.norm(cloud[tails] - cloud[heads], axis=1)
    return CSRGraph.from_edges(len(cloud), tails, heads, distance)


@kernel
def _morton_codes(cells, bits, code):
    n, d = cells.shape
    for i in range(n):
        value = np.uint64(0)
        for bit in range(bits - 1, -1, -1):
            for j in range(d):
                value = (value << np.uint64(1)) | ((cells[i, j] >> np.uint64(bit)) & np.uint64(1))
        code[i] = value


def spatial_order(points: ArrayLike) -> NDArray[np.int32]:
    """Order points along a Morton curve, so that near points are near in memory.

    Parameters
    ----------
    points : array_like of shape (n, d)

    Returns
    -------
    order : ndarray of shape (n,), int32
        ``points[order]`` follows the curve. Dimensions beyond the 64th do not count.
    """
    cloud = _checked_points(points)[:, :64]
    if len(cloud) == 0:
        return np.empty(0, dtype=np.int32)
    bits = min(64 // cloud.shape[1], 21)
    low = cloud.min(axis=0)
    extent = np.maximum(cloud.max(axis=0) - low, np.finfo(float).tiny)
    cells = np.minimum((cloud - low) / extent * 2.0**bits, 2.0**bits - 1).astype(np.uint64)
    code = np.empty(len(cloud), dtype=np.uint64)
    _morton_codes(cells, bits, code)
    return np.argsort(code, kind="stable").astype(np.int32)
