"""Fenchel-Young gaps of separable penalties, for losses of any kind.

Names as in :mod:`bcd._certificate_kernels`.
"""

import numpy as np

from bcd._certificate_kernels import conjugate
from graphs._jit import kernel, sum_kernel


@kernel
def fenchel_gap(scale, c, x, l1, l2, lower, upper, noise):
    """Sum of Fenchel-Young gaps of the penalties at ``scale * c``, coordinate by coordinate.

    Coordinates without any penalty that are not at a bound do not count: their dual point has to be
    orthogonal to them. Nor do pulls without a penalty below ``noise`` (k,), which are rounding
    errors. ``scale`` must have been chosen so that no pull on an l1 penalty exceeds it.
    """
    total = 0.0
    for j in range(len(c)):
        total += _fenchel_term(scale * c[j], x[j], l1[j], l2[j], lower[j], upper[j], noise[j])
    return total


@kernel
def _fenchel_term(pull, u, l1, l2, lower, upper, noise):
    if l1 == 0.0 and l2 == 0.0:
        if lower < u < upper or abs(pull) <= noise:
            return 0.0
    if l2 == 0.0 and l1 > 0.0:
        pull = min(max(pull, -l1), l1) if _is_open(pull, lower, upper) else pull
    cost = l1 * abs(u) + 0.5 * l2 * u * u - pull * u
    return max(cost + conjugate(pull, l1, l2, lower, upper), 0.0)


@kernel
def survey_columns(c, columns, x, l1, l2, lower, upper):
    """Return the largest multiple up to 1 that l1 terms withstand, and the penalties' value.

    c : (m,) their pulls, columns : (m,) int32;  the others have an entry a feature
    """
    scale, total = 1.0, 0.0
    for k in range(len(columns)):
        j = columns[k]
        total += l1[j] * abs(x[j]) + 0.5 * l2[j] * x[j] * x[j]
        if l1[j] > 0.0 and _is_open(c[k], lower[j], upper[j]):
            limit = l1[j] + l2[j] * abs(x[j])
            if abs(c[k]) > limit:
                scale = min(scale, limit / abs(c[k]))
    return scale, total


@kernel
def gap_of_columns(scale, c, columns, x, l1, l2, lower, upper, lengths, noise):
    """Return the ``fenchel_gap`` of some columns, whose rounding errors are noise times lengths."""
    total = 0.0
    for k in range(len(columns)):
        j = columns[k]
        box = lower[j], upper[j]
        total += _fenchel_term(scale * c[k], x[j], l1[j], l2[j], *box, noise * lengths[j])
    return total


@kernel
def _is_open(pull, lower, upper):
    return upper == np.inf if pull > 0.0 else lower == -np.inf


@kernel
def penalty_value(x, l1, l2):
    """Value of the penalties at a point of the box."""
    total = 0.0
    for j in range(len(x)):
        total += l1[j] * abs(x[j]) + 0.5 * l2[j] * x[j] * x[j]
    return total


@kernel
def feasible_scale(c, l1, l2, lower, upper):
    """Largest multiple up to 1 of the pulls ``c`` that l1 terms without a ridge withstand."""
    scale = 1.0
    for j in range(len(c)):
        if l1[j] > 0.0 and l2[j] == 0.0 and _is_open(c[j], lower[j], upper[j]):
            if abs(c[j]) > l1[j]:
                scale = min(scale, l1[j] / abs(c[j]))
    return scale


@kernel
def block_gap(gradient, x, l1, l2, lower, upper, slope, curvature, intercept):
    """Estimate a working block's duality gap, but for coordinates that have no penalty.

    gradient : (k,) of the losses;  slope, curvature : (n,) of the samples
    intercept : whether one is fitted, whose own part is then added
    """
    pull, noise = -gradient, np.zeros(len(x))
    for j in range(len(x)):
        if l1[j] == 0.0 and l2[j] == 0.0:
            noise[j] = np.inf
    scale = feasible_scale(pull, l1, l2, lower, upper)
    gap = fenchel_gap(scale, pull, x, l1, l2, lower, upper, noise)
    if scale < 1.0:
        gap += 0.5 * (1.0 - scale) ** 2 * _squared_slopes(slope, curvature)
    if intercept:
        total = slope.sum()
        gap += total * total / max(curvature.sum(), 1e-300)
    return gap


@sum_kernel
def _squared_slopes(slope, curvature):
    total = 0.0
    for i in range(len(slope)):
        size = abs(slope[i])
        total += min(slope[i] * slope[i] / max(curvature[i], 1e-300), size)
    return total
