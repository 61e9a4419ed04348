"""Scattering vertices over a world, and how far each is to be joined."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from problems.worlds._validate import as_index, check_flag
from problems.worlds.arrays import GRID, World
from problems.worlds.kernels import points_are_free

MAX_REJECTIONS = 1000  # samples drawn for each one asked, before a world counts as full
MOST = 2**31 - 1  # vertices; their numbers are int32


def connection_radius(n_samples: int, dimension: int, volume: float) -> float:
    """Return the radius above which FMT* converges to the optimum, in metres.

    ``2 (1/d)^(1/d) (volume / unit ball)^(1/d) (log n / n)^(1/d)``.

    Parameters
    ----------
    n_samples : int
    dimension : int
    volume : float
        Measure of the free space, metres to the power ``dimension``.

    References
    ----------
    Janson, Schmerling, Clark, Pavone (2015), "Fast marching tree", Theorem 4.1.

    Examples
    --------
    >>> round(connection_radius(10_000, 2, 100.0 * 100.0), 3)
    2.421
    """
    d = dimension
    ball = math.pi ** (d / 2.0) / math.gamma(d / 2.0 + 1.0)
    n = max(n_samples, 2)
    return 2.0 * (volume / (d * ball) * math.log(n) / n) ** (1.0 / d)


def rejects(world: World, free_only: bool | None) -> bool:
    """Tell whether samples that hit something now are to be drawn again."""
    return world.arrays().kind == GRID if free_only is None else check_flag("free_only", free_only)


def progress_bar(total: int) -> Any:
    """Bar on the standard error, of vertices drawn and of vertices joined."""
    from tqdm import tqdm

    return tqdm(total=total, desc="roadmap", unit=" vertices")


def scatter(
    world: World, n: int, rng: np.random.Generator, reject: bool, bar: Any = None
) -> tuple[NDArray[np.float64], float]:
    """Return ``n`` samples, (n, d), and which share of those drawn was free, if that counts."""
    low, high = world.bounds[:, 0], world.bounds[:, 1]
    if not reject:
        if bar is not None:
            bar.update(n)
        return rng.uniform(low, high, size=(n, len(low))), 1.0
    kept: list[NDArray[np.float64]] = []
    arrays = world.arrays()
    drawn = accepted = 0
    while accepted < n:
        batch = rng.uniform(low, high, size=(max(n, 100), len(low)))
        free = np.empty(len(batch), np.bool_)
        points_are_free(arrays, batch, free)
        kept.append(batch[free])
        drawn += len(batch)
        more = int(free.sum())
        if bar is not None:
            bar.update(min(more, n - accepted))
        accepted += more
        if drawn >= MAX_REJECTIONS * max(n, 100) and accepted < n:
            raise ValueError(
                f"world must leave room for n_samples={n}, got {accepted} free of {drawn} drawn."
            )
    return np.concatenate(kept)[:n], accepted / drawn


def check_count(name: str, value: Any) -> int:
    """Return ``value`` as a number of vertices or neighbours."""
    whole = isinstance(value, float) and value.is_integer()  # as 1e4 is
    count = int(value) if whole else as_index(value)
    if count < 1:
        raise ValueError(f"{name} must be a positive integer, got {value!r}.")
    if count > MOST:
        raise ValueError(f"{name} must be at most {MOST}, got {value!r}.")
    return count
