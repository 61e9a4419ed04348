"""Shorter, smoother paths: shortcuts, then a chain pulled taut by message passing."""

from __future__ import annotations

import dataclasses
import time

import numpy as np
from numpy.typing import NDArray

from bcd.chain import solve_chain
from planning._smoothing_kernels import (
    add_clearance_model,
    chain_length,
    first_blocked_leg,
    length_model,
    shortest_subchain,
    take_clear_step,
    take_step,
)
from planning.result import Path
from problems.worlds._validate import as_float, check_world
from problems.worlds.arrays import World, WorldArrays

DAMPING = 0.1  # of the model along a leg, where the length does not bend
N_POINTS = 80  # of the chain, at most, while it is pulled
N_STEPS = 12  # between two rounds of shortcuts
CLEAR_POINTS = 400  # of the chain, at most, while it is pushed off obstacles
CLEAR_STEPS = 40
CLEAR_WEIGHT = 20.0  # metres of length that a metre without any clearance is worth


def smooth(
    path: Path,
    world: World,
    *,
    clearance: float = 0.0,
    n_rounds: int = 8,
    time_limit: float | None = None,
) -> Path:
    """Shorten a path off the roadmap's vertices; it stays free and is never longer.

    Parameters
    ----------
    path : Path
        As a planner gave it. One without waypoints is returned as it is. A first leg that leads out
        of an obstacle is kept.
    world : World
        What must not be hit.
    clearance : float, default=0
        Distance to obstacles that is preferred, metres, beyond the robot's radius. The path is
        first made short; what length it saved may then be spent on clearance, and no more.
    n_rounds : int, default=8
        Rounds at most; it stops before when nothing is gained.
    time_limit : float, optional
        Seconds after which to stop.

    Returns
    -------
    Path
        With the status and message of ``path``.

    Raises
    ------
    ValueError
        If a leg of the path after the first hits something in this world, ``clearance`` is negative
        or not finite, ``n_rounds`` is not positive or ``time_limit`` is not.

    Notes
    -----
    A round leaves out waypoints that shortcuts make idle (the shortest free chain through some of
    them), puts points along the long legs, and pulls the chain taut: Newton steps on its length,
    whose Hessian is block tridiagonal and solved by ``bcd``'s message passing in one sweep. A step
    that would hit something is cut, all together or point by point, so that at no time anything is
    hit.

    ``clearance`` is a wish, two things are promises: nothing is hit, and the path is not longer
    than the one that was given. Of the taut chain (then with points at most ``clearance`` apart)
    the length plus a penalty on each metre that runs too near an obstacle is lowered by the same
    block-tridiagonal Newton steps; a step that would hit something, or make the chain longer than
    the given path, is cut. So where the given path is hardly longer than the taut one, there is
    hardly any clearance to be had: plan with a larger ``robot_radius`` where it must be kept. On a
    grid clearance is known, and so preferred, up to 16 cells.

    Examples
    --------
    >>> from planning import FMTx
    >>> from problems.worlds import DiscWorld
    >>> world = DiscWorld(bounds=((0, 10), (0, 10)))
    >>> k = world.add((5, 5), 2)
    >>> planner = FMTx(world, 200, seed=0)
    >>> planner.set_goal((9, 9))
    >>> path = planner.plan((1, 1))
    >>> shorter = smooth(path, world)
    >>> shorter.cost < path.cost, shorter.solved
    (True, True)
    """
    if not isinstance(path, Path):
        raise ValueError(f"path must be a Path, got {path!r}.")
    check_world("world", world)
    if not (np.isfinite(as_float("clearance", clearance)) and clearance >= 0.0):
        raise ValueError(f"clearance must be finite and not negative, got {clearance}.")
    if n_rounds < 1:
        raise ValueError(f"n_rounds must be at least 1, got {n_rounds}.")
    if time_limit is not None and not as_float("time_limit", time_limit) > 0.0:
        raise ValueError(f"time_limit must be a positive number of seconds, got {time_limit}.")
    if path.waypoints.ndim != 2 or path.waypoints.shape[1] != world.dimension:
        raise ValueError(
            f"path must have the world's dimension {world.dimension}, "
            f"got waypoints of shape {path.waypoints.shape}."
        )
    deadline = np.inf if time_limit is None else time.perf_counter() + time_limit
    arrays = world.arrays()
    points = np.ascontiguousarray(path.waypoints, dtype=np.float64)
    blocked = first_blocked_leg(arrays, points)
    kept = points[:1] if blocked == 0 else points[:0]  # a leg out of an obstacle
    chain = points[1:] if blocked == 0 else points
    blocked = first_blocked_leg(arrays, chain)
    if blocked >= 0:
        raise ValueError(
            f"path must be free in this world, got waypoints {chain[blocked].tolist()} and "
            f"{chain[blocked + 1].tolist()} with something between them."
        )
    if len(chain) < 3:
        return path
    longest = float(chain_length(chain))
    chain = _pulled(arrays, chain, n_rounds, deadline)
    if clearance > 0.0 and time.perf_counter() <= deadline:
        chain = _cleared(arrays, chain, float(clearance), longest, deadline)
    waypoints = np.concatenate((kept, chain))
    cost = float(chain_length(waypoints))
    if not cost < path.cost:
        return path
    return dataclasses.replace(path, waypoints=waypoints, cost=cost)


def _pulled(
    arrays: WorldArrays, chain: NDArray[np.float64], n_rounds: int, deadline: float
) -> NDArray[np.float64]:
    length = np.inf
    for _ in range(n_rounds):
        chain = _shortcut(arrays, chain)
        before, length = length, float(chain_length(chain))
        if len(chain) < 3 or length > before * (1.0 - 1e-4) or time.perf_counter() > deadline:
            break
        chain = _tightened(arrays, _subdivided(chain), deadline)
    return _shortcut(arrays, chain)


def _shortcut(arrays: WorldArrays, chain: NDArray[np.float64]) -> NDArray[np.float64]:
    previous = np.empty(len(chain), np.int64)
    shortest_subchain(arrays, chain, np.empty(len(chain)), previous)
    kept = [len(chain) - 1]
    while previous[kept[-1]] >= 0:
        kept.append(int(previous[kept[-1]]))
    return chain[kept[::-1]]


def _subdivided(chain: NDArray[np.float64], spacing: float | None = None) -> NDArray[np.float64]:
    """Put points along the legs, evenly, ``spacing`` apart or up to about ``N_POINTS`` in all."""
    legs = np.linalg.norm(np.diff(chain, axis=0), axis=1)
    spacing = legs.sum() / N_POINTS if spacing is None else spacing
    parts = []
    for p, q, leg in zip(chain[:-1], chain[1:], legs, strict=True):
        count = max(int(np.ceil(leg / spacing)), 1)
        parts.append(p + np.arange(count)[:, np.newaxis] / count * (q - p))
    return np.concatenate((*parts, chain[-1:]))


def _tightened(
    arrays: WorldArrays, chain: NDArray[np.float64], deadline: float
) -> NDArray[np.float64]:
    k, d = chain.shape
    diagonal, link = np.empty((k - 2, d, d)), np.empty((k - 3, d, d))
    pull, step, trial = np.empty((k - 2, d)), np.empty((k - 2, d)), np.empty((k, d))
    for _ in range(N_STEPS):
        length_model(chain, DAMPING, diagonal, link, pull)
        solve_chain(diagonal, link, pull, step)
        moved = take_step(arrays, chain, step, trial)
        if not moved or time.perf_counter() > deadline:
            break
    return chain


def _cleared(
    arrays: WorldArrays,
    chain: NDArray[np.float64],
    clearance: float,
    longest: float,
    deadline: float,
) -> NDArray[np.float64]:
    """Push a taut chain off obstacles while it is at most ``longest`` metres long."""
    chain = _subdivided(chain, max(clearance, float(chain_length(chain)) / CLEAR_POINTS))
    k, d = chain.shape
    if k < 3:
        return chain
    weight = CLEAR_WEIGHT / clearance**2
    diagonal, link = np.empty((k - 2, d, d)), np.empty((k - 3, d, d))
    pull, step, trial = np.empty((k - 2, d)), np.empty((k - 2, d)), np.empty((k, d))
    for _ in range(CLEAR_STEPS):
        length_model(chain, DAMPING, diagonal, link, pull)
        add_clearance_model(arrays, chain, clearance, weight, diagonal, pull)
        solve_chain(diagonal, link, pull, step)
        moved = take_clear_step(arrays, chain, step, trial, clearance, weight, longest)
        if not moved or time.perf_counter() > deadline:
            break
    return chain
