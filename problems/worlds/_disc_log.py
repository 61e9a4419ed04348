"""The change log of a world of discs, and the net difference between two of its revisions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from graphs._jit import kernel

CAPACITY = 4096  # changes kept at most; whoever is further behind starts over


class DiscLog:
    """Changes of discs, oldest first; a radius that is NaN stands for a disc that is not there.

    Parameters
    ----------
    dimension : int
        Number of coordinates of a centre.
    """

    def __init__(self, dimension: int) -> None:
        self._revision = np.empty(CAPACITY, np.int64)
        self._id = np.empty(CAPACITY, np.int64)
        self._before = np.empty((CAPACITY, dimension + 1))
        self._after = np.empty((CAPACITY, dimension + 1))
        self._size = 0
        self._forgotten = 0  # the last revision of which a change was dropped

    def __len__(self) -> int:
        return self._size

    def record(
        self,
        revision: int,
        ids: NDArray[np.int64],
        before: NDArray[np.float64],
        after: NDArray[np.float64],
    ) -> None:
        """Note that discs ``ids`` (k,) went from ``before`` to ``after`` (k, d + 1)."""
        if len(ids) > CAPACITY:
            self._size, self._forgotten = 0, revision
            return
        if self._size + len(ids) > CAPACITY:
            drop = max(CAPACITY // 2, len(ids))
            drop = min(drop, self._size)
            self._forgotten = int(self._revision[drop - 1])
            for column in (self._revision, self._id, self._before, self._after):
                column[: self._size - drop] = column[drop : self._size].copy()
            self._size -= drop
        rows = slice(self._size, self._size + len(ids))
        self._revision[rows] = revision
        self._id[rows] = ids
        self._before[rows] = before
        self._after[rows] = after
        self._size += len(ids)

    def since(
        self, revision: int, n_ids: int
    ) -> tuple[bool, int, NDArray[np.float64], NDArray[np.float64]]:
        """Return whether the log reaches back, how many discs moved, and discs before and after."""
        nothing = np.empty((0, self._before.shape[1]))
        if revision < self._forgotten:
            return False, 0, nothing, nothing.copy()
        start = int(np.searchsorted(self._revision[: self._size], revision, side="right"))
        count = self._size - start
        before, after = np.empty((count, nothing.shape[1])), np.empty((count, nothing.shape[1]))
        n_moved, n_before, n_after = net_changes(
            self._id[start : self._size],
            self._before[start : self._size],
            self._after[start : self._size],
            np.full(n_ids, -1, np.int64),
            np.full(n_ids, -1, np.int64),
            before,
            after,
        )
        return True, n_moved, before[:n_before], after[:n_after]


@kernel
def net_changes(ids, before, after, first, last, out_before, out_after):
    """Sum up changes (k,) of discs, oldest first, into one a disc; NaN stands for absence.

    ids : (k,) int64;  before, after : (k, d + 1);  first, last : (n_ids,) int64, all -1
    out_before, out_after : (k, d + 1), overwritten, discs that were there before and after first
    Returns the number of these and the lengths of both outputs.
    """
    d = before.shape[1] - 1
    for i in range(ids.shape[0]):
        if first[ids[i]] < 0:
            first[ids[i]] = i
        last[ids[i]] = i
    n_moved = 0
    for i in range(ids.shape[0]):
        if first[ids[i]] != i:
            continue
        j = last[ids[i]]
        if np.isnan(before[i, d]) or np.isnan(after[j, d]):
            continue
        same = True
        for k in range(d + 1):
            if before[i, k] != after[j, k]:
                same = False
        if not same:
            out_before[n_moved] = before[i]
            out_after[n_moved] = after[j]
            n_moved += 1
    n_before = n_moved
    n_after = n_moved
    for i in range(ids.shape[0]):
        if first[ids[i]] != i:
            continue
        j = last[ids[i]]
        was = not np.isnan(before[i, d])
        stays = not np.isnan(after[j, d])
        if was and not stays:
            out_before[n_before] = before[i]
            n_before += 1
        if stays and not was:
            out_after[n_after] = after[j]
            n_after += 1
    return n_moved, n_before, n_after
