"""Fenchel-Young gaps of separable penalties, for losses of any kind.

Names as in :mod:`bcd._certificate_kernels`.
"""

import numpy as np

from bcd._certificate_kernels import conjugate
from graphs._jit import kernel


@kernel
def fenchel_gap(scale, c, x, l1, l2, lower, upper, noise):
    """Sum of Fenchel-Young gaps of the penalties at ``scale * c``, coordinate by coordinate.

    Coordinates without any penalty that are not at a bound do not count: their dual point has to be
    orthogonal to them. Nor do pulls without a penalty below ``noise`` (k,), which are rounding
    errors. ``scale`` must have been chosen so that no pull on an l1 penalty exceeds it.
    """
    total = 0.0
    for j in range(len(c)):
        u, pull = x[j], scale * c[j]
        if l1[j] == 0.0 and l2[j] == 0.0:
            if lower[j] < u < upper[j] or abs(pull) <= noise[j]:
                continue
        if l2[j] == 0.0 and l1[j] > 0.0:
            pull = min(max(pull, -l1[j]), l1[j]) if _is_open(pull, lower[j], upper[j]) else pull
        cost = l1[j] * abs(u) + 0.5 * l2[j] * u * u - pull * u
        total += max(cost + conjugate(pull, l1[j], l2[j], lower[j], upper[j]), 0.0)
    return total


@kernel
def _is_open(pull, lower, upper):
    return upper == np.inf if pull > 0.0 else lower == -np.inf
