"""Roadmaps: where a robot may turn, and which straight motions join those places."""

from __future__ import annotations

import math
from contextlib import nullcontext
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from graphs import CSRGraph, knn_graph, radius_graph, spatial_order
from planning._graph_readers import check_vertices, lattice, longest_motion, read_networkx
from planning._more_vertices import grown_neighbors, join_more, shrunk_radius
from planning._roads import Roads, make_roads
from planning._samples import check_count, connection_radius, progress_bar, rejects, scatter
from problems.worlds._validate import (
    as_float,
    as_index,
    check_choice,
    check_flag,
    check_world,
    make_generator,
)
from problems.worlds.arrays import World


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

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._points.flags.writeable = False  # copies of arrays forget that

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
        array = check_vertices(points)
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
        count = min(check_count("n_neighbors", n_neighbors), len(array) - 1)
        graph = CSRGraph.from_edges(1, [], [])
        if count:
            graph = knn_graph(inner, count, progress=progress)
        return cls(array, order, graph, longest_motion(graph), n_neighbors=count or None)

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
        n = check_count("n_samples", n_samples)
        check_choice("connection", connection, ("radius", "knn"))
        if not (np.isfinite(as_float("factor", factor)) and factor > 0.0):
            raise ValueError(f"factor must be finite and positive, got {factor}.")
        rng = make_generator(seed)
        check_flag("verbose", verbose)
        reject = rejects(world, free_only)
        with progress_bar(2 * n) if verbose else nullcontext() as bar:
            points, fraction = scatter(world, n, rng, reject, bar)
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
        n = check_count("n_samples", n_samples)
        if world.dimension != self.dimension:
            raise ValueError(
                f"world must have the roadmap's dimension {self.dimension}, got {world.dimension}."
            )
        reject = rejects(world, free_only)
        added = scatter(world, n, make_generator(seed), reject)[0]
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
        if as_index(connectivity) not in (4, 8):
            raise ValueError(f"connectivity must be 4 or 8, got {connectivity!r}.")
        check_world("grid", grid)
        return cls(*lattice(grid, connectivity))

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
        return cls(*read_networkx(graph, position))

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
