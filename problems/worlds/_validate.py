"""Checks of what callers pass to worlds; every message names the argument and what was got."""

import operator
import reprlib
from contextlib import suppress
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

LARGEST = 1e60  # metres, so that products of squared distances are finite
SMALLEST = 1e-60  # metres across, so that they are not zero


def as_floats(name: str, values: ArrayLike) -> NDArray[np.float64]:
    """Return a copy of ``values`` as an array of floats, of whatever shape."""
    with suppress(TypeError, ValueError, OverflowError):
        given = np.asarray(values)
        if given.dtype.kind == "O" and any(isinstance(v, str | bytes) for v in given.flat):
            given = given.astype(str)
        if given.dtype.kind not in "OUSbcMm":
            return np.array(given, dtype=np.float64, order="C")
        if given.dtype.kind == "O":  # fractions, say
            return given.astype(np.float64, order="C")
    raise ValueError(f"{name} must be an array of numbers, got {reprlib.repr(values)}.")


def as_float(name: str, value: Any) -> float:
    """Return ``value`` as a float."""
    try:
        with suppress(TypeError, ValueError):
            if not isinstance(value, bool | np.bool_ | str | bytes | np.complexfloating):
                return float(value)
    except OverflowError:
        raise ValueError(
            f"{name} must be a number below 1.8e308, got {reprlib.repr(value)}."
        ) from None
    raise ValueError(f"{name} must be a number, got {value!r}.")


def check_revision(revision: Any, now: int) -> int:
    """Return ``revision`` as one of those there were until ``now``."""
    known = as_index(revision)
    if not 0 <= known <= now:
        raise ValueError(f"revision must be between 0 and {now}, got {revision!r}.")
    return known


def check_file(name: str, file: Any) -> Path:
    """Return ``file`` as a path."""
    if not isinstance(file, str | PathLike):
        raise ValueError(f"{name} must be the path of a file, got {file!r}.")
    return Path(file)


def as_index(value: Any) -> int:
    """Return ``value`` as an integer, -1 if it is none: then it names nothing."""
    try:
        return -1 if isinstance(value, bool) else operator.index(value)
    except TypeError:
        return -1


def check_choice(name: str, value: Any, choices: tuple[str, ...]) -> None:
    """Refuse what is none of the names in ``choices``."""
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{name} must be one of {choices}, got {value!r}.")


def check_flag(name: str, value: Any) -> bool:
    """Return ``value`` as a bool; only truth values are."""
    if not isinstance(value, bool | np.bool_):
        raise ValueError(f"{name} must be True or False, got {value!r}.")
    return bool(value)


def make_generator(seed: Any) -> np.random.Generator:
    """Return the generator that ``seed`` stands for."""
    try:
        return np.random.default_rng(seed)
    except (TypeError, ValueError):
        raise ValueError(
            f"seed must be None, an integer of at least 0 or a numpy Generator, got {seed!r}."
        ) from None


def check_world(name: str, world: Any) -> None:
    """Refuse what is not a world."""
    methods = ("dimension", "bounds", "revision", "arrays", "changes_since")
    if isinstance(world, type) or not all(hasattr(world, method) for method in methods):
        raise ValueError(f"{name} must be a world, of discs say or a grid, got {world!r}.")


def check_bounds(bounds: ArrayLike) -> NDArray[np.float64]:
    """Return ``bounds`` as a (d, 2) array of finite, increasing limits."""
    array = as_floats("bounds", bounds)
    if array.ndim != 2 or array.shape[1] != 2 or len(array) == 0:
        raise ValueError(f"bounds must be pairs (lowest, highest), one an axis, got {bounds!r}.")
    if not (np.isfinite(array).all() and (array[:, 0] < array[:, 1]).all()):
        raise ValueError(f"bounds must be finite with lowest < highest, got {array.tolist()}.")
    if np.abs(array).max() > LARGEST:
        raise ValueError(
            f"bounds must lie within {LARGEST:g} metres of zero, or distances overflow, "
            f"got {array.tolist()}."
        )
    if np.diff(array, axis=1).min() < SMALLEST:
        raise ValueError(
            f"bounds must be at least {SMALLEST:g} metres apart, or distances vanish, "
            f"got {array.tolist()}."
        )
    return array


def check_point(name: str, point: ArrayLike, dimension: int) -> NDArray[np.float64]:
    """Return ``point`` as a finite (d,) array."""
    array = as_floats(name, point)
    if array.shape != (dimension,):
        raise ValueError(f"{name} must be {dimension} coordinates, got shape {array.shape}.")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite, got {array.tolist()}.")
    if np.abs(array).max() > LARGEST:
        raise ValueError(f"{name} must lie within {LARGEST:g} of zero, got {array.tolist()}.")
    return array


def check_points(name: str, points: ArrayLike, dimension: int) -> NDArray[np.float64]:
    """Return ``points`` as a finite, C-contiguous (k, d) array."""
    array = as_floats(name, points)
    if array.ndim != 2 or array.shape[1] != dimension:
        raise ValueError(f"{name} must be of shape (k, {dimension}), got {array.shape}.")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite, got NaN or infinity.")
    return array


def check_number(name: str, value: float, *, positive: bool = False) -> float:
    """Return ``value`` as a finite float, not negative, or above zero with ``positive``."""
    number = as_float(name, value)
    if not np.isfinite(number) or number < 0.0 or (positive and number == 0.0):
        wanted = "positive" if positive else "non-negative"
        raise ValueError(f"{name} must be finite and {wanted}, got {value}.")
    return number
