"""The reachable place nearest to a goal that is cut off."""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

from graphs import make_heap
from planning._join_kernels import follow_parents
from planning._reach_kernels import begin_reach, nearest_reached, reach
from planning._roads import Roads
from planning.result import Path, PathStatus
from problems.worlds.arrays import WorldArrays

_BUDGET = 1000  # vertices expanded between two looks at the clock


def nearest_reachable(
    roads: Roads,
    arrays: WorldArrays,
    start: NDArray[np.float64],
    goals: NDArray[np.float64],
    vertices: NDArray[np.int32],
    lengths: NDArray[np.float64],
    deadline: float | None,
) -> Path | None:
    """Return the path to the reachable vertex, or the start, that is nearest to a goal.

    Parameters
    ----------
    roads, arrays
        Where to go, and what can be hit.
    start : ndarray of shape (d,)
    goals : ndarray of shape (k, d)
    vertices, lengths : ndarray of shape (l,)
        What the start sees, and how far that is, metres.
    deadline : float, optional
        When to give up, by ``time.perf_counter``.

    Returns
    -------
    Path or None
        None if there was no time left.

    Notes
    -----
    Dijkstra outwards from the start; a motion is tested when it would be used.
    """
    n = len(roads.points)
    heap, cost, parent = make_heap(n), np.full(n, np.inf), np.full(n, -1, np.int32)
    begin_reach(vertices, lengths, heap, cost, parent)
    while reach(roads, arrays, heap, cost, parent, _BUDGET) == _BUDGET:
        if deadline is not None and time.perf_counter() > deadline:
            return None
    which, gap = nearest_reached(roads, cost, goals)
    waypoints, total = start[np.newaxis], 0.0
    at_start = float(np.linalg.norm(goals - start, axis=1).min())
    if which >= 0 and gap < at_start:
        chain = np.empty(n, np.int32)
        inner = roads.points[chain[: follow_parents(parent, which, chain)]][::-1]
        first = 1 if np.array_equal(inner[0], start) else 0
        waypoints, total = np.concatenate((waypoints, inner[first:])), float(cost[which])
    else:
        gap = at_start
    status = PathStatus.APPROXIMATE
    return Path(
        status=status,
        cost=total,
        waypoints=waypoints,
        message=f"{status.value}, {gap:.3g} m away from it",
    )
