"""What all planners share: goals, starts that are not vertices, statuses and paths."""

from __future__ import annotations

import abc
import time
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from planning._join_kernels import (
    best_link,
    follow_parents,
    nearest_goal,
    visible_vertices,
)
from planning._nearest import nearest_reachable
from planning.result import Path, PathStatus, Update, UpdateStatus
from planning.roadmap import Roadmap
from problems.worlds._validate import (
    as_float,
    as_floats,
    check_flag,
    check_world,
    make_generator,
)
from problems.worlds.arrays import World, WorldArrays
from problems.worlds.kernels import point_in_bounds, point_is_free


class Links(NamedTuple):
    """Free straight motions from a point to vertices of the roadmap."""

    vertices: NDArray[np.int32]  # (k,), hidden order
    lengths: NDArray[np.float64]  # (k,), metres


class Planner(abc.ABC):
    """A planner on a roadmap in a world that changes; see ``FMTx`` for how it is used.

    ``copy.deepcopy`` and pickle copy the world along with it.

    Parameters
    ----------
    world : World
        What can be hit.
    roadmap : Roadmap or int, optional
        Where the robot may turn, or the number of vertices to sample.
    n_samples : int, optional
        Number of vertices to sample, instead of a ``roadmap``.
    seed : int or numpy.random.Generator, optional
        Where samples come from, when no ``roadmap`` is given.
    escape : float, default=0
        How far, metres, the first leg may run through an obstacle when the start lies in one.
    approximate : bool, default=False
        When the goal is cut off, lead to the reachable place nearest to it.
    """

    def __init__(
        self,
        world: World,
        roadmap: Roadmap | int | None = None,
        *,
        n_samples: int | None = None,
        seed: int | np.random.Generator | None = None,
        escape: float = 0.0,
        approximate: bool = False,
    ) -> None:
        check_world("world", world)
        if not (np.isfinite(as_float("escape", escape)) and escape >= 0.0):
            raise ValueError(f"escape must be finite and not negative, got {escape}.")
        if (roadmap is None) == (n_samples is None):
            raise ValueError(
                "exactly one of roadmap and n_samples must be given, "
                f"got roadmap={roadmap!r} and n_samples={n_samples!r}."
            )
        self._random = make_generator(seed)
        if not isinstance(roadmap, Roadmap):
            count = roadmap if n_samples is None else n_samples
            roadmap = Roadmap.sample(world, count, self._random)  # type: ignore[arg-type]
        if roadmap.dimension != world.dimension:
            raise ValueError(
                f"roadmap must have the world's dimension {world.dimension}, "
                f"got {roadmap.dimension}."
            )
        self._world = world
        self._roadmap = roadmap
        self._roads = roadmap.roads
        self._radius = roadmap.radius  # how far goals and robot reach for vertices, metres
        self._escape = float(escape)
        self._approximate = check_flag("approximate", approximate)
        self._goals = np.empty((0, world.dimension))
        self._start: NDArray[np.float64] | None = None  # the last one planned for
        self._arrays: WorldArrays | None = None  # the snapshot the tree agrees with
        self._revision = -1
        self._planned = False
        self._timed_out = False
        self._last_update = Update(status=UpdateStatus.NOT_PLANNED)

    @property
    def last_update(self) -> Update:
        """The account of the last repair, by ``plan`` or ``update``."""
        return self._last_update

    @property
    def world(self) -> World:
        """The world planned in."""
        return self._world

    @property
    def roadmap(self) -> Roadmap:
        """The roadmap planned on."""
        return self._roadmap

    @property
    def goals(self) -> NDArray[np.float64]:
        """Goals set, (k, d), metres."""
        return self._goals.copy()

    def set_goal(self, goal: ArrayLike) -> None:
        """Set where to go; what is known about collisions is kept.

        Parameters
        ----------
        goal : array_like of shape (d,) or (k, d)
            One goal, or several of which the nearest counts, metres. A goal need not be a vertex:
            it joins all roadmap vertices it sees within the roadmap's radius.

        Raises
        ------
        ValueError
            If a coordinate is not finite or the shape is another one.
        """
        array = as_floats("goal", goal)
        d = self._world.dimension
        if array.ndim not in (1, 2) or array.shape[-1] != d or array.size == 0:
            raise ValueError(f"goal must be of shape ({d},) or (k, {d}), got {array.shape}.")
        if not np.isfinite(array).all():
            raise ValueError(f"goal must be finite, got {array.tolist()}.")
        self._goals = np.ascontiguousarray(array.reshape(-1, d))
        self._radius = self._roadmap.radius
        self._planned = False
        self._timed_out = False
        self._forget_tree()

    def plan(self, start: ArrayLike, time_limit: float | None = None) -> Path:
        """Plan from ``start``, or resume, and return the path.

        Parameters
        ----------
        start : array_like of shape (d,)
            Where the robot is, metres: anywhere in the world.
        time_limit : float, optional
            Seconds after which to stop; what is left is done by the next call.

        Returns
        -------
        Path

        Raises
        ------
        ValueError
            If ``start`` is not finite or of another shape, or ``time_limit`` is not positive.
        """
        point = self._check_start(start)
        limit = _check_time_limit(time_limit)
        if len(self._goals) == 0:
            return self._failure(PathStatus.NOT_PLANNED)
        deadline = None if limit is None else time.perf_counter() + limit
        low, high = self._world.bounds.T
        self._start = np.clip(point, low, high)  # keys of the search bear no robot at infinity
        self._planned = True
        self._last_update = self._repair(limit)
        return self._path(point, deadline)

    def update(self, time_limit: float | None = None) -> Update:
        """Repair the plan after the world changed, for a robot where ``plan`` last saw it.

        Parameters
        ----------
        time_limit : float, optional
            Seconds after which to stop; what is left is done by the next call.

        Raises
        ------
        ValueError
            If ``time_limit`` is not positive; no time at all is no plan.
        """
        self._last_update = self._repair(_check_time_limit(time_limit))
        return self._last_update

    def path(self, start: ArrayLike) -> Path:
        """Return the path from ``start``, in the world as the last plan or update saw it.

        A query: it changes nothing.

        Raises
        ------
        ValueError
            If ``start`` is not finite or of another shape.
        """
        return self._path(self._check_start(start), None)

    @property
    @abc.abstractmethod
    def cost_to_goal(self) -> NDArray[np.float64]:
        """Cost of each vertex, (n_vertices,), metres, in the caller's order; inf if unreached."""

    @abc.abstractmethod
    def _repair(self, time_limit: float | None) -> Update: ...

    @abc.abstractmethod
    def _answer(self, point: NDArray[np.float64], links: Links) -> Path:
        """Return the path from ``point``, which is free and joined by ``links``."""

    @abc.abstractmethod
    def _forget_tree(self) -> None: ...

    def _path(self, point: NDArray[np.float64], deadline: float | None) -> Path:
        path = self._obvious_failure(point)
        links = None
        if path is None:
            links = self._join(point)
            path = self._answer(point, links)
        cut_off = path.status in (PathStatus.NO_PATH, PathStatus.GOAL_OCCUPIED)
        if not (cut_off and self._approximate):
            return path
        assert self._arrays is not None
        seen = self._join(point) if links is None else links
        nearest = nearest_reachable(self._roads, self._arrays, point, self._goals, *seen, deadline)
        return nearest or self._failure(PathStatus.TIMEOUT)

    def _read_world(self) -> tuple[WorldArrays, int]:
        """Return a snapshot and its revision, also while another thread changes the world."""
        while True:
            revision = self._world.revision
            arrays = self._world.arrays()
            if self._world.revision == revision:
                return arrays, revision

    def _check_start(self, start: ArrayLike) -> NDArray[np.float64]:
        point = as_floats("start", start)
        d = self._world.dimension
        if point.shape != (d,):
            raise ValueError(f"start must be of shape ({d},), got {point.shape}.")
        if not np.isfinite(point).all():
            raise ValueError(f"start must be finite, got {point.tolist()}.")
        return point

    def _failure(self, status: PathStatus, message: str = "") -> Path:
        return Path(
            status=status,
            cost=np.inf,
            waypoints=np.empty((0, self._world.dimension)),
            message=message or status.value,
        )

    def _obvious_failure(self, start: NDArray[np.float64]) -> Path | None:
        """Return the answer where no search is needed to give it."""
        if not self._planned or self._arrays is None:
            return self._failure(PathStatus.NOT_PLANNED)
        bounds = self._arrays.bounds
        inside = [goal for goal in self._goals if point_in_bounds(bounds, goal)]
        if not point_in_bounds(bounds, start) or not inside:
            return self._failure(PathStatus.OUT_OF_BOUNDS)
        if self._escape_from(start) < 0.0:
            return self._failure(PathStatus.START_OCCUPIED)
        if not any(point_is_free(self._arrays, goal) for goal in inside):
            return self._failure(PathStatus.GOAL_OCCUPIED)
        return None

    def _escape_from(self, start: NDArray[np.float64]) -> float:
        """Return how much of the first leg is not tested, metres; -1 if nothing can start there."""
        assert self._arrays is not None
        if point_is_free(self._arrays, start):
            return 0.0
        inside = point_in_bounds(self._arrays.bounds, start)
        return self._escape if self._escape > 0.0 and inside else -1.0

    def _join(self, point: NDArray[np.float64]) -> Links:
        """Join ``point`` to the vertices it sees; farther ones only if there are none near."""
        n = self._roadmap.n_vertices
        vertices, lengths = np.empty(n, np.int32), np.empty(n)
        count = visible_vertices(
            self._roads,
            self._arrays,
            point,
            self._radius,
            self._escape_from(point),
            vertices,
            lengths,
            np.empty_like(point),
        )
        return Links(vertices[:count], lengths[:count])

    def _direct(self, start: NDArray[np.float64]) -> tuple[float, int]:
        """Return length and number of the nearest goal that ``start`` sees within the radius."""
        escape = self._escape_from(start)
        which = nearest_goal(
            self._arrays, start, self._goals, self._radius, escape, np.empty_like(start)
        )
        if which < 0:
            return np.inf, -1
        return float(np.linalg.norm(self._goals[which] - start)), which

    def _hint(self, links: Links) -> str:
        """Say what may be done about a path that does not exist."""
        if self._roadmap.n_edges == 0:
            return "the roadmap has no edges: use more samples or a larger radius"
        if len(links.vertices) == 0:
            return "the start sees no vertex of the roadmap: it is enclosed, or samples are too few"
        n = self._roadmap.n_vertices
        part = self._roadmap.components
        around = {part[v] for v in links.vertices}
        seen, lengths = np.empty(n, np.int32), np.empty(n)
        at_goal: set[int] = set()
        for goal in self._goals:
            if point_is_free(self._arrays, goal):
                k = visible_vertices(
                    self._roads, self._arrays, goal, self._radius, 0.0, seen, lengths, goal
                )
                at_goal.update(part[v] for v in seen[:k])
        if not at_goal:
            return "the goal sees no vertex of the roadmap: it is enclosed, or samples are too few"
        if around.isdisjoint(at_goal):
            return (
                "start and goal lie in parts of the roadmap that no motion joins: "
                "use more samples or a larger radius"
            )
        return "obstacles cut the start off from the goal, or samples are too few in a passage"

    def _extract(
        self,
        start: NDArray[np.float64],
        links: Links,
        cost: NDArray[np.float64],
        parent: NDArray[np.int32],
        goal_of: NDArray[np.int32],
        status: PathStatus = PathStatus.SOLVED,
    ) -> Path:
        """Follow the tree from the best of ``links``; a TIMEOUT when ``status`` says so."""
        place = best_link(cost, links.vertices, links.lengths)
        total = np.inf if place < 0 else float(cost[links.vertices[place]] + links.lengths[place])
        direct, which = self._direct(start)
        if direct <= total and which >= 0:
            return Path(
                status=status,
                cost=direct,
                waypoints=np.array([start, self._goals[which]]) if direct > 0.0 else start[None],
                message=status.value,
            )
        if place < 0:
            if status is PathStatus.TIMEOUT:
                return self._failure(status)
            return self._failure(PathStatus.NO_PATH, self._hint(links))
        chain = np.empty(len(cost), np.int32)
        count = follow_parents(parent, int(links.vertices[place]), chain)
        waypoints = self._roads.points[chain[:count]]
        goal = self._goals[goal_of[chain[count - 1]]]
        parts = [waypoints]
        if links.lengths[place] > 0.0:
            parts.insert(0, start[np.newaxis])
        if not np.array_equal(waypoints[-1], goal):
            parts.append(goal[np.newaxis])
        return Path(
            status=status, cost=total, waypoints=np.concatenate(parts), message=status.value
        )


def _check_time_limit(time_limit: float | None) -> float | None:
    if time_limit is None:
        return None
    limit = as_float("time_limit", time_limit)
    if not limit > 0.0:
        raise ValueError(f"time_limit must be a positive number of seconds, got {time_limit}.")
    return limit
