"""Moves of discs that a planner has yet to follow, those first that can matter to the robot.

A path that touches a disc is at least as long as the way from the goal to the disc and on to the
robot. While that is more than the robot's path costs, it does not matter where the disc is, so
its move waits; later moves of the same disc are merged into it where discs are counted.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from graphs._jit import inner_kernel, kernel, lean_kernel

ABSENT = -1.0  # every number of a disc that is not there


class Moves(NamedTuple):
    """Discs before and after; the first ``size[0]`` rows count."""

    was: NDArray[np.float64]  # (capacity, d + 1), centre and radius, metres, or all ABSENT
    now: NDArray[np.float64]  # (capacity, d + 1)
    size: NDArray[np.int64]  # (1,)


def no_moves(dimension: int) -> Moves:
    """Return an empty list."""
    nothing = np.empty((0, dimension + 1))
    return Moves(nothing, nothing.copy(), np.zeros(1, np.int64))


def copy_moves(moves: Moves) -> Moves:
    """Return an independent copy."""
    return Moves._make(array.copy() for array in moves)


def add_moves(
    moves: Moves, was: NDArray[np.float64], now: NDArray[np.float64], n_moved: int
) -> Moves:
    """Return ``moves`` with those from ``was`` (k, d + 1) to ``now`` (l, d + 1) merged in.

    The first ``n_moved`` rows of both are the same discs, the others went or came.
    """
    size = int(moves.size[0])
    most = size + len(was) + len(now)
    if most > len(moves.was):
        spare = np.full((most, was.shape[1]), ABSENT)
        moves = Moves(
            np.concatenate((moves.was[:size], spare)),
            np.concatenate((moves.now[:size], spare)),
            moves.size,
        )
    merge_moves(moves, was, now, n_moved)
    return moves


def append_moves(
    moves: Moves, was: NDArray[np.float64], now: NDArray[np.float64], n_moved: int
) -> Moves:
    """Return ``moves`` and those of ``add_moves`` one by one, so that no place is passed over."""
    size, n_gone, n_new = int(moves.size[0]), len(was) - n_moved, len(now) - n_moved
    gone, new = (np.full((n, was.shape[1]), ABSENT) for n in (n_gone, n_new))
    return Moves(
        np.concatenate((moves.was[:size], was, new)),
        np.concatenate((moves.now[:size], now[:n_moved], gone, now[n_moved:])),
        np.array([size + len(was) + n_new]),
    )


@inner_kernel
def _same(a, b):
    for k in range(a.shape[0]):
        if a[k] != b[k]:
            return False
    return True


@inner_kernel
def remove_move(moves, i):
    """Forget the move in row ``i``; the last row takes its place."""
    last = moves.size[0] - 1
    for k in range(moves.was.shape[1]):
        moves.was[i, k] = moves.was[last, k]
        moves.now[i, k] = moves.now[last, k]
    moves.size[0] = last


@kernel
def merge_moves(moves, was, now, n_moved):
    """Merge in the moves from ``was`` to ``now``, as ``add_moves`` does; there must be room.

    A move on from where a waiting one ends prolongs that; one that leads back drops it.
    """
    waiting = moves.size[0]
    for i in range(was.shape[0]):
        found = -1
        for j in range(waiting):
            if _same(moves.now[j], was[i]):
                found = j
                break
        if found < 0:
            found = moves.size[0]
            moves.size[0] = found + 1
            moves.was[found] = was[i]
        if i < n_moved:
            moves.now[found] = now[i]
        else:
            moves.now[found] = ABSENT
    for i in range(n_moved, now.shape[0]):
        moves.was[moves.size[0]] = ABSENT
        moves.now[moves.size[0]] = now[i]
        moves.size[0] += 1
    for j in range(moves.size[0] - 1, -1, -1):
        if _same(moves.was[j], moves.now[j]):
            remove_move(moves, j)


@inner_kernel
def _detour(disc, goal, start):
    """Return a lower bound, metres, on a path from ``goal`` to ``start`` that touches ``disc``."""
    d = goal.shape[0]
    to_goal = 0.0
    to_start = 0.0
    straight = 0.0
    for k in range(d):
        to_goal += (disc[k] - goal[k]) ** 2
        to_start += (disc[k] - start[k]) ** 2
        straight += (goal[k] - start[k]) ** 2
    around = np.sqrt(to_goal) + np.sqrt(to_start) - 2.0 * disc[d]
    if straight == 0.0:
        return max(around, 0.0)
    along = 0.5 * (to_goal - to_start + straight)
    aside = np.sqrt(max(to_goal - along * along / straight, 0.0)) - disc[d]
    if aside > 0.0:  # no point that far from the straight line is on a shorter path
        return max(around, np.sqrt(straight + 4.0 * aside * aside))
    return max(around, np.sqrt(straight))


@inner_kernel
def least_detour(moves, i, goals, start):
    """Return a lower bound, metres, on what a path that the move in row ``i`` concerns costs."""
    d = start.shape[0]
    least = np.inf
    for k in range(goals.shape[0]):
        if moves.was[i, d] >= 0.0:
            least = min(least, _detour(moves.was[i], goals[k], start))
        if moves.now[i, d] >= 0.0:
            least = min(least, _detour(moves.now[i], goals[k], start))
    return least * (1.0 - 1e-12)


@lean_kernel
def least_waiting(moves, goals, start):
    """Return the least of ``least_detour``, inf if no move waits."""
    least = np.inf
    for i in range(moves.size[0]):
        least = min(least, least_detour(moves, i, goals, start))
    return least
