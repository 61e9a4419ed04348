"""Several worlds in one: what hits something in any of them hits something in their union."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from problems.worlds._queries import Queries
from problems.worlds._validate import check_revision, check_world
from problems.worlds.arrays import (
    NO_SHAPES,
    SHAPES,
    Shapes,
    World,
    WorldArrays,
    WorldChanges,
    arrays_without_grid,
)

_REMEMBERED = 1024  # revisions whose parts are kept; whoever is further behind starts over


class Union(Queries):
    """Worlds laid over each other, each of which goes on being changed by itself.

    Parameters
    ----------
    *worlds : World
        Of one dimension; at most one of them an occupancy grid. Where the robot is not a point,
        each must know its size.

    Raises
    ------
    ValueError
        If no world is given, dimensions differ, the bounds have no room in common, or there is
        more than one grid.

    Notes
    -----
    Its bounds are what all have in common.

    Examples
    --------
    >>> from problems.worlds import BoxWorld, DiscWorld
    >>> people, shelves = DiscWorld(((0, 9), (0, 9))), BoxWorld(((0, 9), (0, 9)))
    >>> world = Union(people, shelves)
    >>> k = people.add((2, 2), 1.0); shelf = shelves.add((6, 6), (2, 4))
    >>> world.is_free([(2, 2), (6, 5), (4, 4)])
    array([False, False,  True])
    """

    def __init__(self, *worlds: World) -> None:
        if not worlds:
            raise ValueError("worlds must be at least one, got none.")
        for world in worlds:
            check_world("worlds", world)
        dimensions = [world.dimension for world in worlds]
        if len(set(dimensions)) > 1:
            raise ValueError(f"worlds must have one dimension, got {dimensions}.")
        if sum(world.arrays().blocked.size > 0 for world in worlds) > 1:
            raise ValueError("worlds must hold at most one occupancy grid, got several.")
        self._worlds = worlds
        low = np.max([world.bounds[:, 0] for world in worlds], axis=0)
        high = np.min([world.bounds[:, 1] for world in worlds], axis=0)
        if not (low < high).all():
            raise ValueError(
                "worlds must have room in common, "
                f"got bounds {[world.bounds.tolist() for world in worlds]}."
            )
        self._bounds = np.column_stack((low, high))
        self._bounds.flags.writeable = False
        self._parts_at: OrderedDict[int, tuple[int, ...]] = OrderedDict()
        self._snapshot: tuple[tuple[int, ...], WorldArrays] | None = None

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._bounds.flags.writeable = False  # copies of arrays forget that

    def __repr__(self) -> str:
        return f"Union({', '.join(map(repr, self._worlds))})"

    @property
    def worlds(self) -> tuple[World, ...]:
        """The worlds it is made of."""
        return self._worlds

    @property
    def revision(self) -> int:
        """A number that grows with each change of any of the worlds."""
        return self._remember(self._revisions())

    def _revisions(self) -> tuple[int, ...]:
        while True:  # revisions only grow: read twice alike, they all held at one time
            once = tuple(world.revision for world in self._worlds)
            if once == tuple(world.revision for world in self._worlds):
                return once

    def _remember(self, parts: tuple[int, ...]) -> int:
        total = sum(parts)
        self._parts_at[total] = parts
        while len(self._parts_at) > _REMEMBERED:
            self._parts_at.popitem(last=False)
        return total

    def arrays(self) -> WorldArrays:
        """Return a snapshot for kernels, not to be written to; later changes do not reach it."""
        while True:
            parts = self._revisions()
            known = self._snapshot
            if known is not None and known[0] == parts:
                return known[1]
            found = [world.arrays() for world in self._worlds]
            if self._revisions() == parts:
                break
        joined = arrays_without_grid(
            SHAPES,
            self._bounds,
            np.concatenate([one.discs for one in found]),
            _join_shapes([one.shapes for one in found]),
        )
        for one in found:
            if one.blocked.size:
                joined = joined._replace(
                    clearance=one.clearance, blocked=one.blocked, frame=one.frame
                )
        self._snapshot = parts, joined
        return joined

    def changes_since(self, revision: int) -> WorldChanges:
        """Return the net changes of all worlds from ``revision`` to now.

        For a revision that nobody read, or further back than a log reaches, the answer says so
        (``complete`` is False).

        Raises
        ------
        ValueError
            If ``revision`` is none there was.
        """
        now = self.revision
        revision = check_revision(revision, now)
        since = self._parts_at.get(revision)
        start = since or (0,) * len(self._worlds)
        found = [world.changes_since(k) for world, k in zip(self._worlds, start, strict=True)]
        known = since is not None and all(changes.complete for changes in found)

        if not known:
            found = [_nothing(changes) for changes in found]
        n_moved = [changes.n_moved for changes in found]
        return WorldChanges(
            revision=self._remember(tuple(changes.revision for changes in found)),
            complete=known,
            n_moved=sum(n_moved),
            blocked_discs=_moved_first([changes.blocked_discs for changes in found], n_moved),
            freed_discs=_moved_first([changes.freed_discs for changes in found], n_moved),
            blocked_boxes=np.concatenate([changes.blocked_boxes for changes in found]),
            freed_boxes=np.concatenate([changes.freed_boxes for changes in found]),
        )


def _nothing(changes: WorldChanges) -> WorldChanges:
    """Return ``changes`` without what changed."""
    return changes._replace(
        complete=False,
        n_moved=0,
        blocked_discs=changes.blocked_discs[:0],
        freed_discs=changes.freed_discs[:0],
        blocked_boxes=changes.blocked_boxes[:0],
        freed_boxes=changes.freed_boxes[:0],
    )


def _moved_first(discs: list[NDArray[np.float64]], n_moved: list[int]) -> NDArray[np.float64]:
    """Concatenate discs so that the moved ones of all worlds, the first of each, come first."""
    moved = [rows[:n] for rows, n in zip(discs, n_moved, strict=True)]
    return np.concatenate(moved + [rows[n:] for rows, n in zip(discs, n_moved, strict=True)])


def _join_shapes(parts: list[Shapes]) -> Shapes:
    """Lay the boxes and polygons of several snapshots one after the other."""
    boxes = [part.boxes for part in parts if len(part.boxes)]
    counts = np.concatenate([np.diff(part.edge_ptr) for part in parts])
    return Shapes(
        boxes=np.concatenate(boxes) if boxes else NO_SHAPES.boxes,
        edges=np.concatenate([part.edges for part in parts]),
        edge_ptr=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        outlines=np.concatenate([part.outlines for part in parts]),
    )
