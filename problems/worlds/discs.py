"""Discs (balls in any dimension) that appear, move and vanish, with a change log."""

import threading

import numpy as np
from numpy.typing import ArrayLike, NDArray

from problems.worlds._copying import Copyable
from problems.worlds._disc_log import DiscLog
from problems.worlds._queries import Queries
from problems.worlds._validate import (
    LARGEST,
    as_index,
    check_bounds,
    check_number,
    check_point,
    check_revision,
)
from problems.worlds.arrays import DISCS, WorldArrays, WorldChanges, arrays_without_grid


class DiscWorld(Copyable, Queries):
    """A box with discs in it, in metres; balls when there are more than two axes.

    Parameters
    ----------
    bounds : array_like of shape (d, 2)
        Lowest and highest coordinate of each axis, metres.
    robot_radius : float, default=0
        Radius of the robot, metres; every disc is grown by it, so that the robot is a point.

    Raises
    ------
    ValueError
        If ``bounds`` are not finite increasing pairs or ``robot_radius`` is negative.

    Notes
    -----
    Touching a disc is a collision. Changes may come from one thread while another one takes
    snapshots: each method is atomic. The log keeps at least the last 2048 changes.

    Examples
    --------
    >>> world = DiscWorld(bounds=((-50, 50), (-50, 50)))
    >>> k = world.add((3.0, 4.0), 2.5)
    >>> world.is_motion_free([(0, 0)], [(6, 8)])
    array([False])
    >>> world.move(k, (20.0, 4.0))
    >>> world.is_motion_free([(0, 0)], [(6, 8)])
    array([ True])
    """

    def __init__(self, bounds: ArrayLike, *, robot_radius: float = 0.0) -> None:
        self._bounds = check_bounds(bounds)
        self._bounds.flags.writeable = False
        self._robot_radius = check_number("robot_radius", robot_radius)
        self._discs = np.empty((0, self.dimension + 1))  # by id, radius NaN once removed
        self._velocity = np.empty((0, self.dimension))  # metres a second
        self._revision = 0
        self._log = DiscLog(self.dimension)
        self._snapshot: WorldArrays | None = None  # until the next change
        self._lock = threading.RLock()

    def __repr__(self) -> str:
        return f"DiscWorld(bounds={self._bounds.tolist()}, n_discs={len(self)})"

    def __len__(self) -> int:
        return int(np.isfinite(self._discs[:, -1]).sum())

    @property
    def revision(self) -> int:
        """A number that grows with each change."""
        return self._revision

    @property
    def robot_radius(self) -> float:
        """Radius of the robot, metres."""
        return self._robot_radius

    @property
    def discs(self) -> dict[int, tuple[NDArray[np.float64], float]]:
        """Centre and radius (the disc's own) of each present disc, by id."""
        rows = self._discs.copy()
        return {k: (row[:-1], float(row[-1])) for k, row in enumerate(rows) if row[-1] == row[-1]}

    def add(self, center: ArrayLike, radius: float, *, velocity: ArrayLike | None = None) -> int:
        """Put a disc into the world.

        Parameters
        ----------
        center : array_like of shape (d,)
            Centre, metres; it may lie outside the bounds.
        radius : float
            Radius, metres.
        velocity : array_like of shape (d,), optional
            What ``advance`` moves the disc by, metres a second; at rest when left out.

        Returns
        -------
        int
            The disc's id, never given twice.

        Raises
        ------
        ValueError
            If a coordinate is not finite or ``radius`` not positive.
        """
        row = np.append(
            check_point("center", center, self.dimension),
            check_number("radius", radius, positive=True),
        )
        speed = self._check_velocity(np.zeros(self.dimension) if velocity is None else velocity)
        with self._lock:
            k = self._reserve(1)
            self._velocity[k] = speed
            self._record(np.array([k]), row[np.newaxis])
        return k

    def move(self, disc: int, center: ArrayLike, *, radius: float | None = None) -> None:
        """Put a present disc elsewhere, with another ``radius`` if one is given.

        Raises
        ------
        ValueError
            If there is no such disc, a coordinate is not finite or ``radius`` not positive.
        """
        place = check_point("center", center, self.dimension)
        size = None if radius is None else check_number("radius", radius, positive=True)
        with self._lock:
            k = self._present(disc)
            self._record(
                np.array([k]), np.append(place, self._discs[k, -1] if size is None else size)[None]
            )

    def remove(self, disc: int) -> None:
        """Take a disc out of the world.

        Raises
        ------
        ValueError
            If there is no such disc.
        """
        with self._lock:
            k = self._present(disc)
            self._record(np.array([k]), np.full((1, self.dimension + 1), np.nan))

    def set_velocity(self, disc: int, velocity: ArrayLike) -> None:
        """Set what ``advance`` moves a present disc by, metres a second.

        Raises
        ------
        ValueError
            If there is no such disc or a component is not finite.
        """
        speed = self._check_velocity(velocity)
        with self._lock:
            self._velocity[self._present(disc)] = speed

    def advance(self, dt: float) -> None:
        """Move every disc by its velocity times ``dt`` seconds.

        Raises
        ------
        ValueError
            If ``dt`` is negative or not finite, or a disc would leave what numbers can tell.
        """
        step = check_number("dt", dt)
        with self._lock:
            ids = np.flatnonzero(np.isfinite(self._discs[:, -1]) & self._velocity.any(axis=1))
            rows = self._discs[ids]
            with np.errstate(over="ignore"):
                rows[:, :-1] += step * self._velocity[ids]
            if (np.abs(rows[:, :-1]) > LARGEST).any():
                raise ValueError(
                    f"dt must leave every disc within {LARGEST:g} metres of zero, got {dt}."
                )
            self._record(ids, rows)

    def arrays(self) -> WorldArrays:
        """Return a snapshot for kernels, not to be written to; later changes do not reach it."""
        with self._lock:
            if self._snapshot is None:
                discs = self._discs[np.isfinite(self._discs[:, -1])]
                discs[:, -1] += self._robot_radius
                self._snapshot = arrays_without_grid(DISCS, self._bounds, discs)
            return self._snapshot

    def changes_since(self, revision: int) -> WorldChanges:
        """Return the net changes from ``revision`` to now.

        A disc that moved and came back is no change. Further back than the log reaches the answer
        says so (``complete`` is False).

        Raises
        ------
        ValueError
            If ``revision`` is none there was.
        """
        with self._lock:
            now = self._revision
            revision = check_revision(revision, now)
            complete, n_moved, before, after = self._log.since(revision, len(self._discs))
        before[:, -1] += self._robot_radius
        after[:, -1] += self._robot_radius
        return WorldChanges(
            revision=now,
            complete=complete,
            n_moved=n_moved,
            blocked_discs=after,
            freed_discs=before,
            blocked_boxes=np.empty((0, self.dimension, 2)),
            freed_boxes=np.empty((0, self.dimension, 2)),
        )

    def _check_velocity(self, velocity: ArrayLike) -> NDArray[np.float64]:
        return check_point("velocity", velocity, self.dimension)

    def _reserve(self, count: int) -> int:
        """Make room for ``count`` more discs, not yet present; return the first one's id."""
        first = len(self._discs)
        self._velocity = np.vstack((self._velocity, np.zeros((count, self.dimension))))
        self._discs = np.vstack((self._discs, np.full((count, self.dimension + 1), np.nan)))
        return first

    def _present(self, disc: int) -> int:
        k = as_index(disc)
        if not 0 <= k < len(self._discs) or np.isnan(self._discs[k, -1]):
            raise ValueError(f"disc must be the id of a present disc, got {disc}.")
        return k

    def _record(self, ids: NDArray[np.int64], after: NDArray[np.float64]) -> None:
        before = self._discs[ids]
        changed = ~np.all((before == after) | (np.isnan(before) & np.isnan(after)), axis=1)
        if not changed.any():
            return
        ids, before, after = ids[changed], before[changed], after[changed]
        self._discs[ids] = after
        self._log.record(self._revision + 1, ids, before, after)
        self._snapshot = None
        self._revision += 1
