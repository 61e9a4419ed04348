"""The questions that every world made of arrays answers alike."""

from __future__ import annotations

import abc

import numpy as np
from numpy.typing import ArrayLike, NDArray

from problems.worlds._validate import check_points
from problems.worlds.arrays import WorldArrays
from problems.worlds.kernels import motions_are_free, points_are_free


class Queries(abc.ABC):
    """Answers for many points and motions at once, from one snapshot."""

    _bounds: NDArray[np.float64]

    @property
    def dimension(self) -> int:
        """Number of coordinates of a point."""
        return len(self._bounds)

    @property
    def bounds(self) -> NDArray[np.float64]:
        """Lowest and highest coordinate of each axis, (d, 2), metres."""
        return self._bounds

    @abc.abstractmethod
    def arrays(self) -> WorldArrays:
        """Return a snapshot for kernels, not to be written to; later changes do not reach it."""

    def is_free(self, points: ArrayLike) -> NDArray[np.bool_]:
        """Tell which of the (k, d) points are within bounds and hit nothing.

        Raises
        ------
        ValueError
            If ``points`` are not finite or of another dimension.
        """
        array = check_points("points", points, self.dimension)
        out = np.empty(len(array), np.bool_)
        points_are_free(self.arrays(), array, out)
        return out

    def is_motion_free(self, starts: ArrayLike, ends: ArrayLike) -> NDArray[np.bool_]:
        """Tell which straight motions between the (k, d) ``starts`` and ``ends`` are free.

        Raises
        ------
        ValueError
            If coordinates are not finite, of another dimension, or their numbers differ.
        """
        p = check_points("starts", starts, self.dimension)
        q = check_points("ends", ends, self.dimension)
        if len(p) != len(q):
            raise ValueError(f"ends must be as many as starts={len(p)}, got {len(q)}.")
        out = np.empty(len(p), np.bool_)
        motions_are_free(self.arrays(), p, q, out)
        return out
