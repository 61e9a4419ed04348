"""Separable penalties as one family: l1 |u| + l2 u^2 / 2 on an interval [lower, upper], and groups.

None, l1, elastic net, bounds and nonnegativity (with or without l1) are members of this family, so
one proximal operator and one optimality condition serve them all. Group penalties add
``weight_g |u_g|_2`` for each group of coordinates.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphs._jit import kernel


@kernel
def penalty_value(u, l1, l2):
    """Penalty of one coordinate that lies within its bounds."""
    return l1 * abs(u) + 0.5 * l2 * u * u


@kernel
def prox(v, step, l1, l2, lower, upper):
    """Argmin over u in [lower, upper] of (u - v)^2 / (2 step) + l1 |u| + l2 u^2 / 2."""
    threshold = step * l1
    if v > threshold:
        u = (v - threshold) / (1.0 + step * l2)
    elif v < -threshold:
        u = (v + threshold) / (1.0 + step * l2)
    else:
        u = 0.0
    return min(max(u, lower), upper)


@kernel
def minimum_norm_subgradient(g, u, l1, l2, lower, upper):
    """Return the subgradient of least size of ``f + penalty`` at one coordinate; 0 when optimal.

    g is the derivative of f. The penalty's left and right derivatives span the subdifferential;
    at a bound the outward one is infinite.
    """
    slope = g + l2 * u
    if u < upper:
        right = slope + (l1 if u >= 0.0 else -l1)
        if right < 0.0:
            return right
    if u > lower:
        left = slope + (l1 if u > 0.0 else -l1)
        if left > 0.0:
            return left
    return 0.0


@kernel
def model_decrease(g, u, curvature, l1, l2, lower, upper):
    """Largest decrease of g d + curvature d^2 / 2 + penalty(u + d) - penalty(u) over d."""
    new = prox(u - g / curvature, 1.0 / curvature, l1, l2, lower, upper)
    d = new - u
    if u * new < 0.0:
        change = penalty_value(new, l1, l2) - penalty_value(u, l1, l2)
        return -change - g * d - 0.5 * curvature * d * d
    # on one side of zero nothing is subtracted but what is small, so that no decrease is lost
    slope = g + l2 * u + (l1 if u + new > 0.0 else -l1)
    return -slope * d - 0.5 * (curvature + l2) * d * d


@kernel
def is_active(u, l1, lower, upper):
    """Whether a coordinate is free: not held at a bound, nor at zero by an l1 term."""
    if u <= lower or u >= upper:
        return False
    return not (l1 > 0.0 and u == 0.0)


@kernel
def prox_group(v, step, l1, weight, out):
    """Proximal operator of l1 |u|_1 + weight |u|_2: soft threshold, then shrink the length."""
    total = 0.0
    for k in range(len(v)):
        out[k] = prox(v[k], step, l1, 0.0, -np.inf, np.inf)
        total += out[k] * out[k]
    norm = math.sqrt(total)
    scale = 1.0 - step * weight / norm if norm > step * weight else 0.0
    for k in range(len(v)):
        out[k] *= scale


def _not_negative(name: str, value: float) -> float:
    if isinstance(value, bool | np.bool_):
        raise ValueError(f"{name} must be a number, got the truth value {value}.")
    number = isinstance(value, int | float | np.integer | np.floating)
    if not (number and np.isfinite(value) and value >= 0.0):
        raise ValueError(f"{name} must be a finite number, at least 0, got {value!r}.")
    return float(value)


def _real_array(name: str, value) -> NDArray[np.float64]:
    """Return numbers as float64; TypeError where they are none."""
    try:
        array = np.asarray(value)
    except ValueError:  # ragged
        array = np.empty(0, dtype=object)
    if array.dtype.kind not in "fiu":
        raise TypeError(f"{name} must be real numbers, got {value!r}.")
    return array.astype(np.float64)


@dataclass(frozen=True, eq=False)
class Penalty:
    """l1 |u|_1 + l2 |u|_2^2 / 2 with lower <= u <= upper; the parent of all penalties.

    Parameters
    ----------
    l1, l2 : float, default=0
        Weights, in units of the objective per unit of ``x`` and of ``x`` squared.
    lower, upper : float or array_like of shape (n_coordinates,)
        Bounds, in units of ``x``.
    groups : sequence of array_like of int, default=None
        Disjoint groups that cover all coordinates.
    group_weight : float or array_like of shape (n_groups,), default=0
        Weight of each group's length.

    Raises
    ------
    ValueError
        If a weight is negative or not finite, a bound is NaN, a lower bound exceeds its upper, or
        groups come with l2 or bounds.
    """

    l1: float = 0.0
    l2: float = 0.0
    lower: float | ArrayLike = -np.inf
    upper: float | ArrayLike = np.inf
    groups: Sequence[ArrayLike] | None = None
    group_weight: float | ArrayLike = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "l1", _not_negative("l1", self.l1))
        object.__setattr__(self, "l2", _not_negative("l2", self.l2))
        lower, upper = _real_array("lower", self.lower), _real_array("upper", self.upper)
        if self.groups is not None and (self.l2 > 0.0 or self.is_bounded):
            raise ValueError(
                "groups must come without l2 and bounds, for which no proximal operator of a group "
                "is known here; use groups with l1 only."
            )
        if np.isnan(lower).any() or np.isnan(upper).any():
            raise ValueError("bounds must not be NaN.")
        if lower.ndim and upper.ndim and lower.shape != upper.shape:
            raise ValueError(
                f"lower and upper must have the same shape, got {lower.shape} and {upper.shape}."
            )
        if np.any(lower > upper):
            where = np.flatnonzero(np.atleast_1d(lower > upper))[0]
            raise ValueError(f"lower must be at most upper, got lower > upper at entry {where}.")
        if np.any(lower == np.inf) or np.any(upper == -np.inf):
            raise ValueError("bounds must leave finite values, got lower = inf or upper = -inf.")
        weight = _real_array("group_weight", self.group_weight)
        if not np.all(np.isfinite(weight)) or np.any(weight < 0.0):
            raise ValueError(
                f"group_weight must be finite and at least 0, got {self.group_weight}."
            )
        if self.groups is None:
            if np.any(weight > 0.0):
                raise ValueError(f"group_weight must come with groups, got {self.group_weight}.")
            return
        if isinstance(self.groups, str) or not isinstance(self.groups, Sequence | np.ndarray):
            raise TypeError(
                f"groups must be a sequence of index arrays, got {type(self.groups).__name__}."
            )
        if weight.ndim and weight.shape != (len(self.groups),):
            raise ValueError(
                f"group_weight must be a number or one for each of the {len(self.groups)} groups, "
                f"got shape {weight.shape}."
            )

    @property
    def is_grouped(self) -> bool:
        """Whether groups of coordinates are penalised together."""
        return self.groups is not None

    @property
    def is_bounded(self) -> bool:
        """Whether any coordinate has a finite bound."""
        return bool(np.isfinite(self.lower).any() or np.isfinite(self.upper).any())

    @property
    def is_smooth(self) -> bool:
        """Whether a gradient step needs no proximal operator."""
        return self.l1 == 0.0 and not self.is_bounded and not self.is_grouped

    def bounds(self, n: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return lower and upper bounds as arrays of shape (n,)."""
        result = []
        for name in ("lower", "upper"):
            value = np.asarray(getattr(self, name), dtype=np.float64)
            if value.ndim and value.shape != (n,):
                raise ValueError(f"{name} must have shape ({n},), got {value.shape}.")
            result.append(np.ascontiguousarray(np.broadcast_to(value, (n,))).copy())
        return result[0], result[1]

    def group_violation(self, x: NDArray, gradient: NDArray) -> float:
        """Largest length of the minimum-norm subgradient of a group, given the smooth gradient."""
        groups, worst = self.groups or (), 0.0
        weights = np.broadcast_to(np.asarray(self.group_weight), (len(groups),))
        for group, weight in zip(groups, weights, strict=True):
            u, g = x[np.asarray(group)], gradient[np.asarray(group)]
            length = np.linalg.norm(u)
            if length > 0.0:
                g = g + weight * u / length
            signed = g + self.l1 * np.sign(u)
            shrunk = np.sign(g) * np.maximum(np.abs(g) - self.l1, 0.0)
            s = np.linalg.norm(np.where(u != 0.0, signed, shrunk))
            worst = max(worst, float(s if length > 0.0 else max(0.0, s - weight)))
        return worst

    def value(self, x: NDArray) -> float:
        """Penalty at ``x``; inf outside the bounds."""
        if np.any(x < self.lower) or np.any(x > self.upper):
            return np.inf
        total = self.l1 * np.abs(x).sum() + 0.5 * self.l2 * float(x @ x)
        if self.groups is not None:
            lengths = np.array([np.linalg.norm(x[np.asarray(group)]) for group in self.groups])
            total += float((np.asarray(self.group_weight) * lengths).sum())
        return float(total)


def L1(alpha: float) -> Penalty:
    """``alpha |x|_1``.

    Examples
    --------
    >>> import numpy as np
    >>> L1(0.5).value(np.array([1.0, -3.0]))
    2.0
    """
    return Penalty(l1=_not_negative("alpha", alpha))


def ElasticNet(alpha: float, l1_ratio: float = 0.5) -> Penalty:
    """``alpha (l1_ratio |x|_1 + (1 - l1_ratio) / 2 |x|_2^2)``."""
    alpha = _not_negative("alpha", alpha)
    if not _not_negative("l1_ratio", l1_ratio) <= 1.0:
        raise ValueError(f"l1_ratio must be between 0 and 1, got {l1_ratio}.")
    return Penalty(l1=alpha * l1_ratio, l2=alpha * (1.0 - l1_ratio))


def NonNegative(alpha: float = 0.0) -> Penalty:
    """``x >= 0``, with ``alpha sum(x)`` if asked for."""
    return Penalty(l1=_not_negative("alpha", alpha), lower=0.0)


def Bounds(lower: float | ArrayLike, upper: float | ArrayLike) -> Penalty:
    """``lower <= x <= upper``."""
    return Penalty(lower=lower, upper=upper)


def GroupL2(alpha: float, groups: Sequence[ArrayLike], l1: float = 0.0) -> Penalty:
    """``alpha sum_g sqrt(|g|) |x_g|_2 + l1 |x|_1``; sparse group when l1 > 0."""
    alpha = _not_negative("alpha", alpha)
    if not isinstance(groups, Sequence | np.ndarray):
        raise TypeError(f"groups must be a sequence of index arrays, got {type(groups).__name__}.")
    sizes = np.array([np.size(group) for group in groups], dtype=np.float64)
    return Penalty(l1=l1, groups=groups, group_weight=alpha * np.sqrt(sizes))
