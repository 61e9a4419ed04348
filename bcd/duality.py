"""Duality gaps of least squares with separable penalties: an answer's own certificate.

Primal: ``1/2 ||b - A x||^2 + sum_j l1_j |x_j| + l2_j / 2 x_j^2`` over ``lower <= x <= upper``.
Names: ``r = b - A x`` and ``c = A' r``.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bcd._certificate_kernels import (
    BOUND,
    FENCHEL,
    PENALTY,
    RIDGE,
    bounded,
    scaled_conjugates,
    survey,
)
from bcd.separable import Separable

ROUNDING = 1e-12  # relative, of a correlation with an unpenalised column
BISECTIONS = 60


class Certificate(NamedTuple):
    """Objective, duality gap, and the multiple of the residual that is the dual point."""

    objective: float
    gap: float
    scale: float
    scaled_gap: float = np.inf  # the gap of that very dual point; ``gap`` may come from another


def certify(b, r, c, x, penalty: Separable, squares, boxed: bool | None = None) -> Certificate:
    """Bound how far ``x`` is from the minimum.

    Two dual points are tried. The first is the residual of the least-squares problem that has
    ``diag(sqrt(l2))`` below ``A``, scaled by what maximises the dual among the feasible multiples.
    The second is the residual itself where no constraint binds, as with ``l2 > 0``, for the
    conjugate of the elastic net is finite everywhere (Mairal, 2010, appendix D; Fercoq, Gramfort &
    Salmon, 2015).

    Parameters
    ----------
    b, r : ndarray of shape (n,)
    c, x : ndarray of shape (k,)
        The features in question; all others must be known to be zero at the minimum.
    penalty : Separable
        Of those features.
    squares : ndarray of shape (k,)
        Squared lengths of their columns.
    boxed : bool, default=None
        Whether any feature has a finite bound other than 0; looked up when None.
    """
    found, noise = np.empty(4), ROUNDING * float(np.sqrt(b @ b))
    if boxed is None:
        boxed = bounded(penalty.lower, penalty.upper)
    survey(c, x, *penalty, squares, noise, boxed, found)
    length = float(r @ r + found[RIDGE])
    objective = 0.5 * length + float(found[PENALTY])
    inner = float(b @ r)
    scale = max(inner / length, 0.0) if length > 0.0 else 0.0
    scale = min(scale, float(found[BOUND]))
    conjugates = 0.0
    if boxed:
        scale, conjugates = _best_scale(inner, length, float(found[BOUND]), c, x, penalty)
    scaled_gap = max(objective - scale * inner + 0.5 * scale**2 * length + conjugates, 0.0)
    gap = min(scaled_gap, float(found[FENCHEL]))
    return Certificate(objective, gap, scale, scaled_gap)


def _best_scale(inner, length, bound, c, x, penalty) -> tuple[float, float]:
    """Maximise the concave dual over the feasible multiples by bisection of its slope."""
    low, high = 0.0, min(bound, max(2.0 * inner / length, 1.0) if length > 0.0 else 1.0)
    total, slope = scaled_conjugates(high, c, x, *penalty)
    if inner - high * length - slope >= 0.0:
        return high, total
    for _ in range(BISECTIONS):
        middle = 0.5 * (low + high)
        total, slope = scaled_conjugates(middle, c, x, *penalty)
        if inner - middle * length - slope >= 0.0:
            low = middle
        else:
            high = middle
    return middle, total
