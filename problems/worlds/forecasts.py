"""Moving discs that count for where they are about to be, too."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from problems.worlds._validate import LARGEST, check_number
from problems.worlds.arrays import WorldArrays, WorldChanges
from problems.worlds.discs import DiscWorld

_LINKS_A_RADIUS = 2.0  # discs of a chain a radius of way: 3% wider than the sweep itself
_MAX_LINKS = 256


class ForecastDiscWorld(DiscWorld):
    """Discs with a velocity, each inflated along its way over the next ``horizon`` seconds.

    Parameters
    ----------
    bounds : array_like of shape (d, 2)
        Lowest and highest coordinate of each axis, metres.
    horizon : float
        How far ahead to look, seconds.
    robot_radius : float, default=0
        Radius of the robot, metres.

    Raises
    ------
    ValueError
        If ``bounds`` are not finite increasing pairs or another number is negative.

    Notes
    -----
    Used as ``DiscWorld`` is; ``discs`` are the discs themselves. What a disc sweeps while it keeps
    its velocity is covered by a chain of discs, at most 3% wider than it, so that planners count
    discs as ever.

    Examples
    --------
    >>> world = ForecastDiscWorld(bounds=((0, 10), (0, 10)), horizon=2.0)
    >>> cart = world.add((2, 5), 0.5, velocity=(1.5, 0))
    >>> world.is_free([(4.5, 5), (6, 5)])  # within two seconds, and later
    array([False,  True])
    >>> world.advance(1.0)
    >>> world.is_free([(4.5, 5), (6, 5)])
    array([False, False])
    """

    def __init__(self, bounds: ArrayLike, horizon: float, *, robot_radius: float = 0.0) -> None:
        super().__init__(bounds, robot_radius=robot_radius)
        self._horizon = check_number("horizon", horizon)
        self._swept = DiscWorld(bounds, robot_radius=robot_radius)
        self._chains: dict[int, list[int]] = {}  # ids in the swept world, by id here

    @property
    def horizon(self) -> float:
        """How far ahead discs are inflated, seconds."""
        return self._horizon

    @property
    def revision(self) -> int:
        """A number that grows with each change."""
        return self._swept.revision

    def set_velocity(self, disc: int, velocity: ArrayLike) -> None:
        """Set what ``advance`` moves a present disc by, metres a second.

        Raises
        ------
        ValueError
            If there is no such disc or a component is not finite.
        """
        with self._lock:
            super().set_velocity(disc, velocity)
            self._sweep(np.array([int(disc)]))

    def arrays(self) -> WorldArrays:
        """Return a snapshot for kernels, not to be written to; later changes do not reach it."""
        return self._swept.arrays()

    def changes_since(self, revision: int) -> WorldChanges:
        """Return the net changes from ``revision`` to now; see :meth:`DiscWorld.changes_since`."""
        return self._swept.changes_since(revision)

    def _check_velocity(self, velocity: ArrayLike) -> NDArray[np.float64]:
        speed = super()._check_velocity(velocity)
        fastest = float(np.abs(speed).max())
        if fastest > 0.0 and self._horizon > LARGEST / fastest:
            raise ValueError(
                f"velocity must lead less than {LARGEST:g} metres far within the horizon of "
                f"{self._horizon:g} s, got {speed.tolist()}."
            )
        return speed

    def _record(self, ids: NDArray[np.int64], after: NDArray[np.float64]) -> None:
        super()._record(ids, after)
        self._sweep(ids)

    def _sweep(self, ids: NDArray[np.int64]) -> None:
        """Lay the chains of discs ``ids`` anew, in one change of the swept world."""
        links: list[int] = []
        rows = []
        with self._swept._lock:
            for k in ids.tolist():
                chain = self._chains.setdefault(k, [])
                places = self._chain(k)
                missing = len(places) - len(chain)
                if missing > 0:
                    first = self._swept._reserve(missing)
                    chain.extend(range(first, first + missing))
                links.extend(chain)
                rows.append(np.full((len(chain), self.dimension + 1), np.nan))
                rows[-1][: len(places)] = places
            if links:
                self._swept._record(np.array(links), np.concatenate(rows))

    def _chain(self, k: int) -> NDArray[np.float64]:
        disc, radius = self._discs[k], self._discs[k, -1]
        if np.isnan(radius):
            return disc[np.newaxis][:0]
        way = self._horizon * self._velocity[k]
        length = float(np.linalg.norm(way))
        count = min(int(np.ceil(_LINKS_A_RADIUS * length / radius)) + 1, _MAX_LINKS)
        gap = length / max(count - 1, 1)
        rows = np.empty((count, self.dimension + 1))
        rows[:, :-1] = disc[:-1] + np.linspace(0.0, 1.0, count)[:, np.newaxis] * way
        rows[:, -1] = np.hypot(radius, 0.5 * gap)
        return rows
