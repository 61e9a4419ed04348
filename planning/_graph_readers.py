"""Roadmaps from what is there: the cells of a grid, or a graph of networkx."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphs import CSRGraph, spatial_order
from graphs.convert import is_networkx
from problems.worlds._validate import as_floats
from problems.worlds.arrays import GRID

Parts = tuple[NDArray[np.float64], NDArray[np.int32], CSRGraph, float]  # of ``Roadmap``


def lattice(grid: Any, connectivity: int) -> Parts:
    """Make every cell of an occupancy grid a vertex; see ``Roadmap.from_grid``."""
    arrays = grid.arrays()
    if arrays.kind != GRID:
        raise ValueError(f"grid must be an occupancy grid, got {type(grid).__name__}.")
    rows, columns = arrays.blocked.shape
    resolution = float(arrays.frame[2])
    row, column = np.divmod(np.arange(rows * columns), columns)
    points = grid.center_of(np.column_stack((row, column)))
    order = spatial_order(points)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order), dtype=np.int32)
    steps = ((0, 1), (1, 0)) if connectivity == 4 else ((0, 1), (1, 0), (1, 1), (1, -1))
    tails, heads, lengths = [], [], []
    for down, right in steps:
        ok = (row + down < rows) & (0 <= column + right) & (column + right < columns)
        tail = np.flatnonzero(ok)
        tails.append(rank[tail])
        heads.append(rank[tail + down * columns + right])
        lengths.append(np.full(len(tail), resolution * math.hypot(down, right)))
    graph = CSRGraph.from_edges(
        len(points), np.concatenate(tails), np.concatenate(heads), np.concatenate(lengths)
    )
    return points, order, graph, resolution * (1.0 if connectivity == 4 else math.sqrt(2))


def read_networkx(graph: Any, position: str) -> Parts:
    """Take vertices and motions from a networkx graph; see ``Roadmap.from_networkx``."""
    if not is_networkx(graph):
        raise ValueError(f"graph must be a networkx graph, got {graph!r}.")
    if graph.is_directed():
        raise ValueError("graph must be undirected, got a directed one.")
    missing = [node for node, data in graph.nodes(data=True) if position not in data]
    if missing:
        raise ValueError(f"graph must have {position!r} on every node, got {missing[0]!r} bare.")
    points = check_vertices([data[position] for _, data in graph.nodes(data=True)])
    order = spatial_order(points)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order), dtype=np.int32)
    number = {node: k for k, node in enumerate(graph.nodes)}
    ends = np.array(
        [(number[u], number[v]) for u, v in graph.edges if u != v], dtype=np.int64
    ).reshape(-1, 2)
    lengths = np.linalg.norm(points[ends[:, 0]] - points[ends[:, 1]], axis=1)
    inner = CSRGraph.from_edges(len(points), rank[ends[:, 0]], rank[ends[:, 1]], lengths)
    return points, order, inner, longest_motion(inner)


def check_vertices(points: ArrayLike) -> NDArray[np.float64]:
    """Return ``points`` as a finite (n, d) array of at least one vertex."""
    array = as_floats("points", points)
    if array.ndim != 2 or array.shape[0] == 0 or array.shape[1] == 0:
        raise ValueError(f"points must be of shape (n, d) with n >= 1, got {array.shape}.")
    if not np.isfinite(array).all():
        row = int(np.flatnonzero(~np.isfinite(array).all(axis=1))[0])
        raise ValueError(f"points must be finite, got {array[row].tolist()} at row {row}.")
    return array


def longest_motion(graph: CSRGraph) -> float:
    """Return the longest motion, metres; one metre if there is none."""
    return float(graph.weights.max(initial=0.0)) or 1.0
