"""The penalties of least squares, coordinate by coordinate."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bcd._penalty_kernels import penalty_value


class Separable(NamedTuple):
    """``sum_j l1_j |x_j| + l2_j / 2 x_j^2`` over ``lower <= x <= upper``, arrays of shape (k,)."""

    l1: NDArray[np.float64]
    l2: NDArray[np.float64]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]

    def take(self, which) -> Separable:
        """Return the penalties of some coordinates."""
        return Separable(*(part[which] for part in self))

    def value(self, x: NDArray[np.float64]) -> float:
        """Return the penalty at a point of the box."""
        return penalty_value(x, self.l1, self.l2)

    def free(self, x: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Tell which coordinates have no penalty and are not at a bound."""
        return (self.l1 == 0.0) & (self.l2 == 0.0) & (self.lower < x) & (x < self.upper)

    @property
    def boxed(self) -> bool:
        """Whether any coordinate has a bound."""
        return bool((self.lower > -np.inf).any() or (self.upper < np.inf).any())


def separable(
    l1: NDArray[np.float64],
    l2: ArrayLike = 0.0,
    *,
    positive: bool = False,
    bounds: tuple[ArrayLike, ArrayLike] | None = None,
) -> Separable:
    """Fill in what is the same for all coordinates.

    Parameters
    ----------
    l1 : ndarray of shape (k,)
    l2 : float or ndarray of shape (k,), default=0.0
    positive : bool, default=False
        Whether ``x >= 0`` is required besides the bounds.
    bounds : pair of array_like, default=None
        Lower and upper bounds, broadcast to (k,).
    """
    low, high = (-np.inf, np.inf) if bounds is None else bounds
    weights = np.ascontiguousarray(l1, dtype=np.float64)
    shrink, lower, upper = (_filled(part, weights.shape) for part in (l2, low, high))
    if positive:
        lower = np.maximum(lower, 0.0)
    return Separable(weights, shrink, lower, upper)


def _filled(part: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Return an array as kernels take it: the given one where it is one already."""
    if isinstance(part, np.ndarray) and part.shape == shape and part.dtype == np.float64:
        return np.require(part, requirements=("C", "W"))
    if not np.any(part):
        return np.zeros(shape)  # takes no memory until it is written to
    return np.array(np.broadcast_to(part, shape), dtype=np.float64)
