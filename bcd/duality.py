"""Duality gaps of least squares with l1 and squared l2 penalties: an answer's own certificate.

Primal: ``1/2 ||b - A x||^2 + sum_j l1_j |x_j| + l2/2 ||x||^2``, over ``x >= 0`` if asked. Names:
``r = b - A x`` and ``c = A' r``.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Certificate(NamedTuple):
    """Objective, duality gap, and the multiple of the residual that is the dual point."""

    objective: float
    gap: float
    scale: float


def certify(b, r, c, x, l1, l2: float, positive: bool) -> Certificate:
    """Bound how far ``x`` is from the minimum.

    Two dual points are tried. The first is the residual of the least-squares problem that has
    ``sqrt(l2) I`` below ``A``, scaled by what maximises the dual among the feasible multiples. The
    second, for ``l2 > 0``, is the residual itself, where no constraint binds because the conjugate
    of the elastic net is finite everywhere (Mairal, 2010, appendix D; Fercoq, Gramfort & Salmon,
    2015).

    Parameters
    ----------
    b, r : ndarray of shape (n,)
    c, x, l1 : ndarray of shape (k,)
        The features in question; all others must be known to be zero at the minimum.
    l2 : float
    positive : bool
    """
    squares = r @ r + l2 * (x @ x)
    objective = 0.5 * squares + l1 @ np.abs(x)
    scale = dual_scale(b @ r, squares, c - l2 * x, l1, positive)
    gap = objective - scale * (b @ r) + 0.5 * scale**2 * squares
    if l2 > 0.0:
        excess = np.maximum((c if positive else np.abs(c)) - l1, 0.0)
        fenchel = l1 * np.abs(x) + 0.5 * l2 * x**2 + excess**2 / (2.0 * l2) - c * x
        gap = min(gap, float(fenchel.sum()))
    return Certificate(float(objective), max(float(gap), 0.0), scale)


def dual_scale(inner: float, squares: float, c: NDArray, l1: NDArray, positive: bool) -> float:
    """Return the feasible multiple of the residual with the largest dual objective.

    Feasible is ``|s c_j| <= l1_j``, or ``s c_j <= l1_j`` when ``positive``.
    """
    size = c if positive else np.abs(c)
    binding = size > 0.0
    bound = float((l1[binding] / size[binding]).min()) if binding.any() else np.inf
    best = max(inner / squares, 0.0) if squares > 0.0 else 0.0
    return min(best, bound)
