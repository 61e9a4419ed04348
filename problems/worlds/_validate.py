"""Checks of what callers pass to worlds; every message names the argument and what was got."""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def check_bounds(bounds: ArrayLike) -> NDArray[np.float64]:
    """Return ``bounds`` as a (d, 2) array of finite, increasing limits."""
    array = np.array(bounds, dtype=np.float64)
    if array.ndim != 2 or array.shape[1] != 2 or len(array) == 0:
        raise ValueError(f"bounds must be pairs (lowest, highest), one an axis, got {bounds!r}.")
    if not (np.isfinite(array).all() and (array[:, 0] < array[:, 1]).all()):
        raise ValueError(f"bounds must be finite with lowest < highest, got {array.tolist()}.")
    return array


def check_point(name: str, point: ArrayLike, dimension: int) -> NDArray[np.float64]:
    """Return ``point`` as a finite (d,) array."""
    array = np.array(point, dtype=np.float64)
    if array.shape != (dimension,):
        raise ValueError(f"{name} must be {dimension} coordinates, got shape {array.shape}.")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite, got {array.tolist()}.")
    return array


def check_points(name: str, points: ArrayLike, dimension: int) -> NDArray[np.float64]:
    """Return ``points`` as a finite, C-contiguous (k, d) array."""
    array = np.array(points, dtype=np.float64, order="C")
    if array.ndim != 2 or array.shape[1] != dimension:
        raise ValueError(f"{name} must be of shape (k, {dimension}), got {array.shape}.")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite, got NaN or infinity.")
    return array


def check_number(name: str, value: float, *, positive: bool = False) -> float:
    """Return ``value`` as a finite float, not negative, or above zero with ``positive``."""
    number = float(value)
    if not np.isfinite(number) or number < 0.0 or (positive and number == 0.0):
        wanted = "positive" if positive else "non-negative"
        raise ValueError(f"{name} must be finite and {wanted}, got {value}.")
    return number
