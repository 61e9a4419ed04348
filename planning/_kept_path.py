"""Keeping to the previous path while it is valid and hardly longer than the new one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from planning._join_kernels import leg_is_free
from planning.result import Path, PathStatus
from problems.worlds.arrays import WorldArrays
from problems.worlds.kernels import motion_is_free

_KEPT = "the previous path was kept: it is valid, and hysteresis allows for its length"


def keep_path(
    previous: NDArray[np.float64],
    path: Path,
    start: NDArray[np.float64],
    arrays: WorldArrays,
    escape: float,
    hysteresis: float,
) -> Path:
    """Return what is left of the ``previous`` waypoints if they will do, else ``path``.

    Parameters
    ----------
    previous : ndarray of shape (k, d)
        Waypoints that led to a goal, metres.
    path : Path
        The new answer.
    start : ndarray of shape (d,)
        The robot joins the waypoint it sees from where the whole is shortest.
    arrays : WorldArrays
    escape : float
        As in ``leg_is_free``.
    hysteresis : float
        By what fraction of its length the new path must be beaten to be taken.
    """
    if path.status is not PathStatus.SOLVED or len(previous) == 0:
        return path
    if np.array_equal(previous, path.waypoints):  # no other path to keep, so no way to join it
        return path
    limit = (1.0 + hysteresis) * path.cost
    legs = np.linalg.norm(np.diff(previous, axis=0), axis=1)
    remaining = np.append(np.cumsum(legs[::-1])[::-1], 0.0)
    first = _joint(previous, legs, remaining, start, arrays, escape, limit)
    if first < 0:
        return path
    rest = previous[first:]
    if np.array_equal(rest[0], start):
        rest = rest[1:]
    waypoints = np.concatenate((start[np.newaxis], rest))
    cost = float(np.linalg.norm(np.diff(waypoints, axis=0), axis=1).sum())
    if np.array_equal(waypoints, path.waypoints):
        return path
    return Path(status=path.status, cost=cost, waypoints=waypoints, message=_KEPT)


def _joint(previous, legs, remaining, start, arrays, escape, limit) -> int:
    """Return the waypoint to go on from, or -1 if none will do."""
    free_from = len(legs)  # the legs from here on are free
    while free_from > 0 and motion_is_free(arrays, previous[free_from - 1], previous[free_from]):
        free_from -= 1
    gaps = np.linalg.norm(previous - start, axis=1)
    for k in np.argsort(gaps + remaining, kind="stable"):
        if gaps[k] + remaining[k] > limit:
            return -1
        if k < free_from:
            continue
        if leg_is_free(arrays, start, previous[k], gaps[k], escape, np.empty_like(start)):
            return int(k)
    return -1
