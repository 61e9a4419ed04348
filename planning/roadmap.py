"""Roadmaps: where a robot may turn, and which straight motions join those places."""

from __future__ import annotations

import math
from contextlib import nullcontext
from typing import Any, Literal

import networkx
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from graphs import CSRGraph, knn_graph, radius_graph, spatial_order
from planning._more_vertices import grown_neighbors, join_more, shrunk_radius
from planning._roads import Roads, make_roads
from problems.worlds._validate import (
    as_float,
    as_floats,
    as_index,
    check_flag,
    check_world,
    make_generator,
)
from problems.worlds.arrays import GRID, World
from problems.worlds.kernels import points_are_free

MAX_REJECTIONS = 1000  # samples drawn for each one asked, before a world counts as full


class Roadmap:
    """Vertices and the straight motions that join them; it knows no obstacles.

    Made by ``sample``, ``from_points``, ``from_grid`` or ``from_networkx``. Vertices are kept in a
    space-filling order, so that neighbours are near in memory; every public array is in the order
    of the caller.

    Attributes
    ----------
    points : ndarray of shape (n_vertices, d)
        Vertices in the caller's order, metres; read-only.
    radius : float
        How far a start or goal reaches for vertices to join, metres.
    """

    def __init__(
        self,
        points: NDArray[np.float64],
        order: NDArray[np.int32],
        graph: CSRGraph,
        radius: float,
        *,
        n_neighbors: int | None = None,
    ) -> None:
        self._points = points
        self._points.flags.writeable = False
        self._order = order  # internal vertex -> the caller's
        self._rank = np.empty_like(order)  # the caller's vertex -> internal
        self._rank[order] = np.arange(len(order), dtype=np.int32)
        self._graph = graph
        self._radius = float(radius)
        self._reach = float(radius)  # of vertices that are yet to come
        self._n_neighbors = n_neighbors  # instead of that reach
        self._roads = make_roads(np.ascontiguousarray(points[order]), graph)
        self._components: NDArray[np.int32] | None = None  # found when first asked for

    def __repr__(self) -> str:
        return (
            f"Roadmap(n_vertices={self.n_vertices}, n_edges={self.n_edges}, "
            f"dimension={self.dimension}, radius={self.radius:.3g})"
        )

    @property
    def points(self) -> NDArray[np.float64]:
        """Vertices in the caller's order, (n_vertices, d), metres."""
        return self._points

    @property
    def radius(self) -> float:
        """How far a start or goal reaches for vertices to join, metres."""
        return self._radius

    @property
    def dimension(self) -> int:
        """Number of coordinates of a vertex."""
        return self._points.shape[1]

    @property
    def n_vertices(self) -> int:
        """Number of vertices."""
        return len(self._points)

    @property
    def n_edges(self) -> int:
        """Number of motions, each counted once."""
        return self._graph.n_edges

    @property
    def graph(self) -> CSRGraph:
        """A copy of the graph in the caller's vertex order, weighted by length in metres."""
        return self._graph.relabeled(self._rank)

    @classmethod
    def from_points(
        cls, points: ArrayLike, radius: float | None = None, *, n_neighbors: int | None = None
    ) -> Roadmap:
        """Join given points to all others within ``radius``, or to their nearest neighbours.

        Parameters
        ----------
        points : array_like of shape (n, d)
            Vertices, metres.
        radius : float, optional
            Longest motion, metres.
        n_neighbors : int, optional
            Neighbours of each vertex, instead of a radius (joined if either counts the other).

        Raises
        ------
        ValueError
            If points are empty or not finite, ``radius`` is not positive, or not exactly one of
            ``radius`` and ``n_neighbors`` is given.

        Examples
        --------
        >>> Roadmap.from_points([(0, 0), (1, 0), (2, 0)], radius=1.5).n_edges
        2
        """
        return cls._joined(points, radius, n_neighbors, None)

    @classmethod
    def _joined(
        cls, points: ArrayLike, radius: float | None, n_neighbors: int | None, progress: Any
    ) -> Roadmap:
        array = _check_vertices(points)
        if (radius is None) == (n_neighbors is None):
            raise ValueError(
                "exactly one of radius and n_neighbors must be given, "
                f"got radius={radius}, n_neighbors={n_neighbors}."
            )
        order = spatial_order(array)
        inner = array[order]
        if radius is not None:
            reach = as_float("radius", radius)
            if not (np.isfinite(reach) and reach > 0.0):
                raise ValueError(f"radius must be finite and positive, got {radius}.")
            return cls(array, order, radius_graph(inner, reach, progress=progress), reach)
        count = min(_check_count("n_neighbors", n_neighbors), len(array) - 1)
        graph = CSRGraph.from_edges(1, [], [])
        if count:
            graph = knn_graph(inner, count, progress=progress)
        return cls(array, order, graph, _longest(graph), n_neighbors=count or None)

    @classmethod
    def sample(
        cls,
        world: World,
        n_samples: int,
        seed: int | np.random.Generator | None = None,
        *,
        connection: Literal["radius", "knn"] = "radius",
        factor: float = 1.2,
        free_only: bool | None = None,
        verbose: bool = False,
    ) -> Roadmap:
        """Scatter vertices uniformly over a world and join them.

        Parameters
        ----------
        world : World
            Gives the bounds, and says which samples are free.
        n_samples : int
            Number of vertices.
        seed : int or numpy.random.Generator, optional
            Where the samples come from; the same seed gives the same roadmap.
        connection : {"radius", "knn"}, default="radius"
            Join all within ``factor * connection_radius(...)``, or each to its
            ``factor * e * (1 + 1/d) * log(n)`` nearest.
        factor : float, default=1.2
            How much more than the theory's least connection is made.
        free_only : bool, optional
            Reject samples that hit something now. By default on grids, whose walls stay, and not
            among discs, which move.
        verbose : bool, default=False
            Show a progress bar on the standard error while vertices are drawn and joined.

        Raises
        ------
        ValueError
            If ``n_samples`` or ``factor`` is not positive, ``connection`` is unknown, or hardly
            anything is free.

        Notes
        -----
        The volume in the radius is that of the sampled space: with ``free_only`` the fraction of
        accepted samples times the volume of the bounds.

        The default was chosen by ``python -m experiments replanning --only connection``: among
        moving discs, twice the degree shortens paths by half a per cent and takes twice as long,
        and nearest neighbours of the same degree are neither shorter nor faster.

        References
        ----------
        Janson, Schmerling, Clark, Pavone (2015), "Fast marching tree", Theorem 4.1, and section
        5.1 of Karaman and Frazzoli (2011) for nearest neighbours.
        """
        check_world("world", world)
        n = _check_count("n_samples", n_samples)
        if connection not in ("radius", "knn"):
            raise ValueError(f"connection must be 'radius' or 'knn', got {connection!r}.")
        if not (np.isfinite(as_float("factor", factor)) and factor > 0.0):
            raise ValueError(f"factor must be finite and positive, got {factor}.")
        rng = make_generator(seed)
        reject = _rejects(world, free_only)
        with _progress_bar(2 * n) if verbose else nullcontext() as bar:
            points, fraction = _scatter(world, n, rng, reject, bar)
            progress = None if bar is None else bar.update
            if connection == "knn":
                k = math.ceil(factor * math.e * (1.0 + 1.0 / world.dimension) * math.log(max(n, 2)))
                return cls._joined(points, None, k, progress)
            volume = fraction * float(np.prod(np.diff(world.bounds, axis=1)))
            radius = factor * connection_radius(n, world.dimension, volume)
            return cls._joined(points, radius, None, progress)

    def extended(
        self,
        world: World,
        n_samples: int,
        seed: int | np.random.Generator | None = None,
        *,
        free_only: bool | None = None,
    ) -> Roadmap:
        """Return this roadmap with more vertices: all it has stays, so no path gets longer.

        Parameters
        ----------
        world : World
            Gives the bounds, and says which samples are free.
        n_samples : int
            How many vertices are added; they come last in the caller's order.
        seed : int or numpy.random.Generator, optional
            Where they come from.
        free_only : bool, optional
            As in ``sample``.

        Raises
        ------
        ValueError
            If ``n_samples`` is not positive, the world has another dimension, or hardly anything
            is free.

        Notes
        -----
        New vertices are joined as ``sample`` would join that many: the radius falls, or the number
        of neighbours grows, as the logarithm of the number of vertices tells. ``radius``, the
        reach of starts and goals, stays.
        """
        check_world("world", world)
        n = _check_count("n_samples", n_samples)
        if world.dimension != self.dimension:
            raise ValueError(
                f"world must have the roadmap's dimension {self.dimension}, got {world.dimension}."
            )
        reject = _rejects(world, free_only)
        added = _scatter(world, n, make_generator(seed), reject)[0]
        points = np.concatenate((self._points, added))
        before, after = self.n_vertices, len(points)
        reach = shrunk_radius(self._reach, before, after, self.dimension)
        count = self._n_neighbors
        if count is not None:
            count = grown_neighbors(count, before, after)
        order, graph = join_more(points, self._order, self._graph, reach, count)
        more = Roadmap(points, order, graph, self._radius, n_neighbors=count)
        more._reach = reach
        return more

    def places_of(self, smaller: Roadmap) -> NDArray[np.int32]:
        """Return where the vertices of the roadmap this one extends are, both in hidden orders."""
        return self._rank[smaller._order]

    @classmethod
    def from_grid(cls, grid: Any, connectivity: int = 8) -> Roadmap:
        """Make every cell of an occupancy grid a vertex, joined to its 4 or 8 neighbours.

        Blocked cells are vertices too, for they may become free; the world says what is blocked,
        and its motion checks forbid cutting corners.

        Parameters
        ----------
        grid : OccupancyGrid
        connectivity : {4, 8}, default=8

        Raises
        ------
        ValueError
            If ``connectivity`` is neither 4 nor 8, or ``grid`` is not an occupancy grid.
        """
        if connectivity not in (4, 8):
            raise ValueError(f"connectivity must be 4 or 8, got {connectivity}.")
        check_world("grid", grid)
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
        return cls(points, order, graph, resolution * (1.0 if connectivity == 4 else math.sqrt(2)))

    @classmethod
    def from_networkx(cls, graph: Any, *, position: str = "pos") -> Roadmap:
        """Take vertices and motions from an undirected networkx graph.

        Vertices are numbered in the order of ``graph.nodes``; a motion's length is the distance
        between its ends.

        Parameters
        ----------
        graph : networkx.Graph
        position : str, default="pos"
            Node attribute that holds the coordinates, metres.

        Raises
        ------
        ValueError
            If the graph is directed, empty, or a node has no finite position.
        """
        if not isinstance(graph, networkx.Graph):
            raise ValueError(f"graph must be a networkx graph, got {graph!r}.")
        if graph.is_directed():
            raise ValueError("graph must be undirected, got a directed one.")
        missing = [node for node, data in graph.nodes(data=True) if position not in data]
        if missing:
            raise ValueError(
                f"graph must have {position!r} on every node, got {missing[0]!r} bare."
            )
        points = _check_vertices([data[position] for _, data in graph.nodes(data=True)])
        order = spatial_order(points)
        rank = np.empty_like(order)
        rank[order] = np.arange(len(order), dtype=np.int32)
        number = {node: k for k, node in enumerate(graph.nodes)}
        ends = np.array(
            [(number[u], number[v]) for u, v in graph.edges if u != v], dtype=np.int64
        ).reshape(-1, 2)
        lengths = np.linalg.norm(points[ends[:, 0]] - points[ends[:, 1]], axis=1)
        inner = CSRGraph.from_edges(len(points), rank[ends[:, 0]], rank[ends[:, 1]], lengths)
        return cls(points, order, inner, _longest(inner))

    @property
    def components(self) -> NDArray[np.int32]:
        """The connected part each vertex lies in, in the hidden order; for planners only."""
        if self._components is None:
            slots = (np.ones(len(self._roads.indices)), self._roads.indices, self._roads.indptr)
            joined = csr_array(slots, shape=(self.n_vertices, self.n_vertices))
            self._components = connected_components(joined, directed=False)[1]
        return self._components

    @property
    def roads(self) -> Roads:
        """The arrays kernels read, in the hidden order; for planners only."""
        return self._roads

    def to_internal(self, values: NDArray[Any]) -> NDArray[Any]:
        """Bring per-vertex values from the caller's order into the hidden one."""
        return values[self._order]

    def to_caller(self, values: NDArray[Any]) -> NDArray[Any]:
        """Bring per-vertex values from the hidden order into the caller's."""
        return values[self._rank]

    @property
    def caller_ids(self) -> NDArray[np.int32]:
        """The caller's number of each vertex in the hidden order."""
        return self._order


def connection_radius(n_samples: int, dimension: int, volume: float) -> float:
    """Return the radius above which FMT* converges to the optimum, in metres.

    ``2 (1/d)^(1/d) (volume / unit ball)^(1/d) (log n / n)^(1/d)``.

    Parameters
    ----------
    n_samples : int
    dimension : int
    volume : float
        Measure of the free space, metres to the power ``dimension``.

    References
    ----------
    Janson, Schmerling, Clark, Pavone (2015), "Fast marching tree", Theorem 4.1.

    Examples
    --------
    >>> round(connection_radius(10_000, 2, 100.0 * 100.0), 3)
    2.421
    """
    d = dimension
    ball = math.pi ** (d / 2.0) / math.gamma(d / 2.0 + 1.0)
    n = max(n_samples, 2)
    return 2.0 * (volume / (d * ball) * math.log(n) / n) ** (1.0 / d)


def _rejects(world: World, free_only: bool | None) -> bool:
    return world.arrays().kind == GRID if free_only is None else check_flag("free_only", free_only)


def _progress_bar(total: int) -> Any:
    """Bar on the standard error, of vertices drawn and of vertices joined."""
    from tqdm import tqdm

    return tqdm(total=total, desc="roadmap", unit=" vertices")


def _scatter(
    world: World, n: int, rng: np.random.Generator, reject: bool, bar: Any = None
) -> tuple[NDArray[np.float64], float]:
    low, high = world.bounds[:, 0], world.bounds[:, 1]
    if not reject:
        if bar is not None:
            bar.update(n)
        return rng.uniform(low, high, size=(n, len(low))), 1.0
    kept: list[NDArray[np.float64]] = []
    arrays = world.arrays()
    drawn = accepted = 0
    while accepted < n:
        batch = rng.uniform(low, high, size=(max(n, 100), len(low)))
        free = np.empty(len(batch), np.bool_)
        points_are_free(arrays, batch, free)
        kept.append(batch[free])
        drawn += len(batch)
        more = int(free.sum())
        if bar is not None:
            bar.update(min(more, n - accepted))
        accepted += more
        if drawn >= MAX_REJECTIONS * max(n, 100) and accepted < n:
            raise ValueError(
                f"world must leave room for n_samples={n}, got {accepted} free of {drawn} drawn."
            )
    return np.concatenate(kept)[:n], accepted / drawn


def _check_vertices(points: ArrayLike) -> NDArray[np.float64]:
    array = as_floats("points", points)
    if array.ndim != 2 or array.shape[0] == 0 or array.shape[1] == 0:
        raise ValueError(f"points must be of shape (n, d) with n >= 1, got {array.shape}.")
    if not np.isfinite(array).all():
        row = int(np.flatnonzero(~np.isfinite(array).all(axis=1))[0])
        raise ValueError(f"points must be finite, got {array[row].tolist()} at row {row}.")
    return array


def _check_count(name: str, value: Any) -> int:
    whole = isinstance(value, float) and value.is_integer()  # as 1e4 is
    count = int(value) if whole else as_index(value)
    if count < 1:
        raise ValueError(f"{name} must be a positive integer, got {value!r}.")
    return count


def _longest(graph: CSRGraph) -> float:
    return float(graph.weights.max(initial=0.0)) or 1.0
