"""What a change of the world means for the motions of a roadmap: where to look, and how."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from planning._repair_kernels import LAPSE, MOVES, NOTHING_CHANGED, RETEST, TEST_ALL
from problems.worlds.arrays import WorldArrays, WorldChanges


class Change(NamedTuple):
    """How edges are to follow the world, and where they may have turned."""

    mode: int
    was: NDArray[np.float64]  # (k, d + 1), discs before and after, where these are counted
    now: NDArray[np.float64]  # (l, d + 1)
    blocked: NDArray[np.float64]  # (k, d, 2), where something came, metres
    freed: NDArray[np.float64]  # (l, d, 2), where something went away


def nothing_changed(dimension: int) -> Change:
    """Return the change of a world that stands still."""
    none, nowhere = np.empty((0, dimension + 1)), np.empty((0, dimension, 2))
    return Change(NOTHING_CHANGED, none, none, nowhere, nowhere)


def everything_new(dimension: int, lazy: bool) -> Change:
    """Return the change to a world of which nothing is known; ``lazy``: not asked about at once."""
    return nothing_changed(dimension)._replace(mode=LAPSE if lazy else TEST_ALL)


def moved_discs(
    before: WorldArrays | None, arrays: WorldArrays, changes: WorldChanges | None
) -> tuple[Change, int]:
    """Return the change of a world of discs, and how many of them moved; these come first.

    before : the last snapshot, None at first;  changes : from there to ``arrays``
    """
    none, nowhere = arrays.discs[:0], np.empty((0, arrays.discs.shape[1] - 1, 2))
    if before is None or changes is None:
        return Change(MOVES, none, arrays.discs, nowhere, nowhere), 0
    if not changes.complete:
        return Change(MOVES, before.discs, arrays.discs, nowhere, nowhere), 0
    freed, blocked = changes.freed_discs, changes.blocked_discs
    return Change(MOVES, freed, blocked, nowhere, nowhere), changes.n_moved


def changed_boxes(changes: WorldChanges, lazy: bool) -> Change:
    """Return the change within boxes; ``lazy``: motions there are tested when they are wanted."""
    blocked = boxes_around(changes.blocked_boxes, changes.blocked_discs)
    freed = boxes_around(changes.freed_boxes, changes.freed_discs)
    none = changes.freed_discs[:0]
    return Change(LAPSE if lazy else RETEST, none, none, blocked, freed)


def boxes_around(boxes: NDArray[np.float64], discs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ``boxes`` (k, d, 2) and those around ``discs`` (l, d + 1), metres."""
    center, radius = discs[:, :-1], discs[:, -1:]
    around = np.stack((center - radius, center + radius), axis=2)
    return np.ascontiguousarray(np.concatenate((boxes, around)))
