"""What worlds of boxes and of polygons share: ids, the change log, snapshots."""

from __future__ import annotations

import abc
import threading
from collections import deque
from typing import Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from problems.worlds._copying import Copyable
from problems.worlds._queries import Queries
from problems.worlds._validate import as_index, check_bounds, check_number, check_revision
from problems.worlds.arrays import SHAPES, Shapes, WorldArrays, WorldChanges, arrays_without_grid

_LOG_ENTRIES = 4096  # changes kept; whoever is further behind starts over

Shape = TypeVar("Shape", bound=NamedTuple)


class _Entry(NamedTuple, Generic[Shape]):
    id: int
    before: Shape | None
    after: Shape | None


class ShapeWorld(Copyable, Queries, Generic[Shape]):
    """A box with shapes in it, each with an id; touching a shape is a collision."""

    _noun = "shape"

    def __init__(self, bounds: ArrayLike, robot_radius: float) -> None:
        self._bounds = check_bounds(bounds)
        self._bounds.flags.writeable = False
        self._robot_radius = check_number("robot_radius", robot_radius)
        self._present: dict[int, Shape] = {}
        self._n_ids = 0
        self._revision = 0
        self._log: deque[_Entry[Shape]] = deque(maxlen=_LOG_ENTRIES)  # one a revision
        self._snapshot: WorldArrays | None = None  # until the next change
        self._lock = threading.RLock()

    def __len__(self) -> int:
        return len(self._present)

    @property
    def revision(self) -> int:
        """A number that grows with each change."""
        return self._revision

    @property
    def robot_radius(self) -> float:
        """Radius of the robot, metres."""
        return self._robot_radius

    @abc.abstractmethod
    def _pack(self, shapes: list[Shape]) -> Shapes: ...

    @abc.abstractmethod
    def _extent(self, shape: Shape) -> NDArray[np.float64]:
        """Box (d, 2) around a shape, the robot's radius included."""

    def _insert(self, shape: Shape) -> int:
        with self._lock:
            k = self._n_ids
            self._n_ids += 1
            self._change(k, None, shape)
        return k

    def _find(self, shape_id: int) -> Shape:
        found = self._present.get(as_index(shape_id))
        if found is None:
            raise ValueError(
                f"{self._noun} must be the id of a present {self._noun}, got {shape_id}."
            )
        return found

    def _replace(self, shape_id: int, shape: Shape) -> None:
        with self._lock:
            before = self._find(shape_id)
            if not _same(before, shape):
                self._change(as_index(shape_id), before, shape)

    def _remove(self, shape_id: int) -> None:
        with self._lock:
            self._change(as_index(shape_id), self._find(shape_id), None)

    def _change(self, k: int, before: Shape | None, after: Shape | None) -> None:
        if after is None:
            del self._present[k]
        else:
            self._present[k] = after
        self._log.append(_Entry(k, before, after))
        self._snapshot = None
        self._revision += 1

    def arrays(self) -> WorldArrays:
        """Return a snapshot for kernels, not to be written to; later changes do not reach it."""
        with self._lock:
            if self._snapshot is None:
                shapes = self._pack(list(self._present.values()))
                no_discs = np.empty((0, self.dimension + 1))
                self._snapshot = arrays_without_grid(SHAPES, self._bounds, no_discs, shapes)
            return self._snapshot

    def changes_since(self, revision: int) -> WorldChanges:
        """Return boxes around all that changed from ``revision`` to now.

        A shape that moved and came back is no change. Further back than the log reaches the answer
        says so (``complete`` is False).

        Raises
        ------
        ValueError
            If ``revision`` is none there was.
        """
        with self._lock:
            now = self._revision
            revision = check_revision(revision, now)
            complete = now - revision <= len(self._log)
            n_entries = now - revision if complete else 0
            entries = [self._log[len(self._log) - n_entries + i] for i in range(n_entries)]
        first: dict[int, Shape | None] = {}
        last: dict[int, Shape | None] = {}
        for k, before, after in entries:
            first.setdefault(k, before)
            last[k] = after
        turned = [k for k in first if not _same(first[k], last[k])]
        no_discs = np.empty((0, self.dimension + 1))
        return WorldChanges(
            revision=now,
            complete=complete,
            n_moved=0,
            blocked_discs=no_discs,
            freed_discs=no_discs.copy(),
            blocked_boxes=self._extents([last[k] for k in turned]),
            freed_boxes=self._extents([first[k] for k in turned]),
        )

    def _extents(self, shapes: list[Shape | None]) -> NDArray[np.float64]:
        boxes = [self._extent(shape) for shape in shapes if shape is not None]
        return np.array(boxes) if boxes else np.empty((0, self.dimension, 2))


def _same(one: Shape | None, other: Shape | None) -> bool:
    if one is None or other is None:
        return one is other
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
