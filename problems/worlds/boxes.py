"""Boxes that appear, move, turn and vanish: rotated in the plane, along the axes elsewhere."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from problems.worlds._shape_world import ShapeWorld
from problems.worlds._validate import as_float, check_point
from problems.worlds.arrays import NO_SHAPES, Shapes


class Box(NamedTuple):
    """A box as it was given."""

    center: NDArray[np.float64]  # (d,), metres
    size: NDArray[np.float64]  # (d,), sides, metres
    angle: float  # radians, anticlockwise; 0 unless d = 2


class BoxWorld(ShapeWorld[Box]):
    """A box with boxes in it, in metres, in any dimension; in the plane they may be turned.

    Parameters
    ----------
    bounds : array_like of shape (d, 2)
        Lowest and highest coordinate of each axis, metres.
    robot_radius : float, default=0
        Radius of the robot, a disc or ball, metres.

    Raises
    ------
    ValueError
        If ``bounds`` are not finite increasing pairs or ``robot_radius`` is negative.

    Notes
    -----
    Motion tests are continuous and exact, the robot's roundness included. Each method is atomic;
    the log keeps the last 4096 changes.

    Examples
    --------
    >>> world = BoxWorld(bounds=((0, 10), (0, 10), (0, 3)), robot_radius=0.2)
    >>> shelf = world.add(center=(5, 5, 1), size=(2, 8, 2))
    >>> world.is_motion_free([(1, 5, 1), (1, 5, 2.5)], [(9, 5, 1), (9, 5, 2.5)])
    array([False,  True])
    """

    _noun = "box"

    def __init__(self, bounds: ArrayLike, *, robot_radius: float = 0.0) -> None:
        super().__init__(bounds, robot_radius)

    def __repr__(self) -> str:
        return f"BoxWorld(bounds={self._bounds.tolist()}, n_boxes={len(self)})"

    @property
    def boxes(self) -> dict[int, Box]:
        """Each present box by id."""
        with self._lock:
            return dict(self._present)

    def add(self, center: ArrayLike, size: ArrayLike, *, angle: float = 0.0) -> int:
        """Put a box into the world.

        Parameters
        ----------
        center : array_like of shape (d,)
            Metres; it may lie outside the bounds.
        size : array_like of shape (d,)
            Lengths of the sides, metres.
        angle : float, default=0
            Turn about the centre, radians, anticlockwise; in two dimensions only.

        Returns
        -------
        int
            The box's id, never given twice.

        Raises
        ------
        ValueError
            If a coordinate is not finite, a side not positive, or a box is turned where d != 2.
        """
        return self._insert(self._checked(center, size, angle))

    def move(
        self,
        box: int,
        center: ArrayLike,
        *,
        size: ArrayLike | None = None,
        angle: float | None = None,
    ) -> None:
        """Put a present box elsewhere, with another size or angle if one is given.

        Raises
        ------
        ValueError
            If there is no such box, or as in :meth:`add`.
        """
        with self._lock:
            old = self._find(box)
            new_size = old.size if size is None else size
            new_angle = old.angle if angle is None else angle
            self._replace(box, self._checked(center, new_size, new_angle))

    def remove(self, box: int) -> None:
        """Take a box out of the world.

        Raises
        ------
        ValueError
            If there is no such box.
        """
        self._remove(box)

    def _checked(self, center: ArrayLike, size: ArrayLike, angle: float) -> Box:
        place = check_point("center", center, self.dimension)
        sides = check_point("size", size, self.dimension)
        if not (sides > 0.0).all():
            raise ValueError(f"size must be positive, got {sides.tolist()}.")
        turn = as_float("angle", angle)
        if not np.isfinite(turn):
            raise ValueError(f"angle must be finite, got {angle}.")
        if turn != 0.0 and self.dimension != 2:
            raise ValueError(
                f"angle must be 0 in {self.dimension} dimensions, got {angle}; "
                "boxes are turned in two dimensions only."
            )
        for array in (place, sides):
            array.flags.writeable = False
        return Box(place, sides, turn)

    def _pack(self, shapes: list[Box]) -> Shapes:
        d = self.dimension
        rows = np.empty((len(shapes), 2 * d + 3))
        for row, (center, size, angle) in zip(rows, shapes, strict=True):
            row[:d], row[d : 2 * d] = center, 0.5 * size
            row[2 * d :] = np.cos(angle), np.sin(angle), self._robot_radius
        return NO_SHAPES._replace(boxes=rows)

    def _extent(self, shape: Box) -> NDArray[np.float64]:
        half = 0.5 * shape.size
        if self.dimension == 2:
            cos, sin = abs(np.cos(shape.angle)), abs(np.sin(shape.angle))
            half = np.array([cos * half[0] + sin * half[1], sin * half[0] + cos * half[1]])
        half = half * (1.0 + 1e-12) + self._robot_radius
        return np.column_stack((shape.center - half, shape.center + half))
