"""Gap-safe screening: features that the certificate proves to be zero are dropped for good."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bcd.duality import Certificate


def may_be_active(
    certificate: Certificate,
    c: NDArray,
    x: NDArray,
    l1: NDArray,
    squares: NDArray,
    l2: float,
    positive: bool,
) -> NDArray[np.bool_]:
    """Tell which features the gap-safe sphere cannot rule out.

    The dual is 1-strongly concave, so its maximiser lies within ``sqrt(2 gap)`` of any feasible
    dual point; a feature whose constraint holds strictly over that sphere is zero at every minimum
    (Ndiaye, Fercoq, Gramfort & Salmon, 2017, section 3).

    Parameters
    ----------
    certificate : Certificate
        Its gap must be that of its own dual point.
    c, x, l1 : ndarray of shape (k,)
    squares : ndarray of shape (k,)
        Squared lengths of the columns.
    """
    dual = certificate.scale * (c - l2 * x)
    radius = np.sqrt(2.0 * certificate.gap)
    return (dual if positive else np.abs(dual)) + radius * np.sqrt(squares + l2) >= l1
