"""Duality gaps of least squares with row penalties, rounding errors of long columns seen through.

Primal: ``1/2 ||B - A W||^2 + sum_j weight_j ||W_j||``, a ridge being rows below A and B. Names:
``R = B - A W`` and ``C = A' R``.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bcd.duality import ROUNDING

Vector = NDArray[np.float64]


class RowCertificate(NamedTuple):
    """Duality gap, and a multiple of R that is dual feasible with the gap of that very point."""

    gap: float
    scale: float
    scaled_gap: float


def certify_rows(
    total: float,
    inner: float,
    squares: float,
    penalty: float,
    norms: Vector,
    weight: Vector,
    sizes: Vector,
) -> RowCertificate:
    """Bound how far W is from the minimum.

    The dual point is R, scaled. A correlation carries rounding errors in proportion to its column's
    length; where these exceed the weight's own digits, scaling would charge all rows for them. So
    rows may exceed their weight by ``ROUNDING ||a_j|| ||B||``, and what moving the dual point back
    into the feasible set costs, ``excess_j / ||a_j||`` along column j, is added to the gap.

    Parameters
    ----------
    total, inner, squares : float
        ``<B, B>``, ``<B, R>`` and ``<R, R>``.
    penalty : float
        ``sum_j weight_j ||W_j||``.
    norms, weight, sizes : ndarray of shape (k,)
        Lengths of the rows of C, the rows' weights, lengths of the columns.
    """
    best = max(inner / squares, 0.0) if squares > 0.0 else 0.0

    def bound(slack) -> tuple[float, float]:
        binding = best * norms > weight + slack
        limit = weight + slack
        scale = float((limit[binding] / norms[binding]).min()) if binding.any() else best
        gap = 0.5 * squares + penalty - scale * inner + 0.5 * scale**2 * squares
        excess = np.maximum(scale * norms - weight, 0.0)
        moved = float((excess[excess > 0.0] / sizes[excess > 0.0]).sum())
        rest = max(total - 2.0 * scale * inner + scale**2 * squares, 0.0)
        return scale, max(gap + moved * rest**0.5 + 0.5 * moved**2, 0.0)

    scale, scaled_gap = bound(np.zeros_like(weight))
    gap = min(scaled_gap, bound(ROUNDING * total**0.5 * sizes)[1])
    return RowCertificate(float(gap), scale, float(scaled_gap))
