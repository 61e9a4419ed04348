"""Which motions of a roadmap are free, followed from snapshot to snapshot: all of them, at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from planning import _edge_kernels as kernels
from planning._changes import boxes_around
from planning._moves import ABSENT
from planning._roads import Roads
from problems.worlds.arrays import DISCS, World, WorldArrays


class EdgeBook:
    """Collision answers of all motions, for planners that want to know at once what turned.

    Among discs each motion counts the discs that touch it; elsewhere those near a change are tested
    again.

    Attributes
    ----------
    arrays : WorldArrays or None
        The snapshot that the answers hold for.
    revision : int
        The world's revision then.
    """

    def __init__(self, world: World, roads: Roads) -> None:
        self._world = world
        self._roads = roads
        self._edges = kernels.make_edges(roads)
        self.arrays: WorldArrays | None = None
        self.revision = -1

    @property
    def cost(self) -> NDArray[np.float64]:
        """Length of the motion in each slot, (m,), metres; inf where it is blocked."""
        return self._edges.cost

    @property
    def checks(self) -> int:
        """Motions tested so far."""
        return int(self._edges.checks[0])

    def follow(self) -> NDArray[np.int32]:
        """Take the next snapshot; return the lower slots of the motions that turned."""
        before = self.arrays
        if before is not None and self._world.revision == self.revision:
            return np.empty(0, np.int32)
        while True:
            changes = self._world.changes_since(max(self.revision, 0))
            arrays = self._world.arrays()
            if self._world.revision == changes.revision:
                break
        self.arrays, self.revision = arrays, changes.revision
        roads, edges = self._roads, self._edges
        if arrays.kind == DISCS:
            if before is None:
                was, now, n_moved = arrays.discs[:0], arrays.discs, 0
            elif changes.complete:
                was, now, n_moved = changes.freed_discs, changes.blocked_discs, changes.n_moved
            else:
                was, now, n_moved = before.discs, arrays.discs, 0
            absent, n_turned = np.full(now.shape[1], ABSENT), 0
            pairs = [*zip(was[:n_moved], now[:n_moved], strict=True)]
            pairs += [(disc, absent) for disc in was[n_moved:]]
            pairs += [(absent, disc) for disc in now[n_moved:]]
            for old, new in pairs:
                n_turned = kernels.move_disc(roads, edges, old, new, n_turned)
            return edges.turned[: kernels.close_turned(edges, n_turned)].copy()
        if before is not None and changes.complete:
            discs = np.concatenate((changes.blocked_discs, changes.freed_discs))
            boxes = np.concatenate((changes.blocked_boxes, changes.freed_boxes))
            boxes = boxes_around(boxes, discs)
            n_touched = kernels.touch_boxes(roads, edges, boxes, 0)
            return edges.turned[: kernels.retest_touched(roads, edges, arrays, n_touched)].copy()
        known = np.isfinite(edges.cost)
        kernels.test_all_edges(roads, edges, arrays)
        turned = known != np.isfinite(edges.cost)
        return np.flatnonzero(turned & (edges.tails < roads.indices)).astype(np.int32)
