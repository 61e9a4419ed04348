"""Snapshots of large arrays that change a little at a time, without copying them each time."""

from __future__ import annotations

import weakref

import numpy as np
from numpy.typing import NDArray


class _Buffer:
    """One full copy of the arrays, the revision it stands at and who still looks at it."""

    def __init__(self, arrays: tuple[NDArray, ...], revision: int):
        self.arrays, self.revision = arrays, revision
        self.readers: list[weakref.ref] = []

    def __getstate__(self) -> dict:
        return {**self.__dict__, "readers": []}  # who looks at the original holds no copy

    def in_use(self) -> bool:
        self.readers = [reader for reader in self.readers if reader() is not None]
        return bool(self.readers)


class SnapshotStore:
    """Arrays of one shape that are patched by windows, and read as snapshots that never change.

    A patch is written to a copy nobody looks at, which is first brought up to date by the windows
    it missed; the cost goes with the windows, not with the arrays. Only when every copy is being
    looked at is a new one made.

    Parameters
    ----------
    *arrays : ndarray of shape (rows, cols)
        Taken over, not copied.
    """

    def __init__(self, *arrays: NDArray):
        self._front = _Buffer(arrays, 0)
        self._spare: list[_Buffer] = []
        self._windows: list[tuple[slice, slice]] = []

    def read(self) -> tuple[NDArray, ...]:
        """Return views of the arrays as they are now; later patches do not reach them."""
        views = tuple(array.view() for array in self._front.arrays)
        self._front.readers.extend(weakref.ref(view) for view in views)
        return views

    def patch(self, window: tuple[slice, slice], *values: NDArray) -> None:
        """Overwrite ``window`` of each array by ``values``."""
        front = self._front
        if front.in_use():
            target = self._idle()
            for missed in self._windows[target.revision :]:
                for mine, newer in zip(target.arrays, front.arrays, strict=True):
                    mine[missed] = newer[missed]
            self._spare.append(front)
            self._front = target
        for array, value in zip(self._front.arrays, values, strict=True):
            array[window] = value
        self._windows.append(window)
        self._front.revision = len(self._windows)
        self._forget()

    def _idle(self) -> _Buffer:
        for k, spare in enumerate(self._spare):
            if not spare.in_use():
                return self._spare.pop(k)
        return _Buffer(tuple(np.copy(array) for array in self._front.arrays), len(self._windows))

    def _forget(self) -> None:
        # windows that every copy has seen are of no further use; two idle copies are too many
        idle = [spare for spare in self._spare if not spare.in_use()]
        self._spare = [spare for spare in self._spare if spare.in_use()] + idle[-1:]
        seen = min(buffer.revision for buffer in [self._front, *self._spare])
        if seen > 0:
            del self._windows[:seen]
            for buffer in [self._front, *self._spare]:
                buffer.revision -= seen
