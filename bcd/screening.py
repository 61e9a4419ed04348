"""Gap-safe screening: features that the certificate proves to be zero are dropped for good."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bcd._certificate_kernels import keep_active
from bcd.duality import Certificate
from bcd.separable import Separable


def screen(
    certificate: Certificate,
    columns: NDArray[np.int32],
    c: NDArray[np.float64],
    x: NDArray[np.float64],
    penalty: Separable,
    squares: NDArray[np.float64],
    in_block: NDArray[np.bool_],
) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Keep the features that the gap-safe sphere cannot rule out.

    The dual is 1-strongly concave, so its maximiser lies within ``sqrt(2 gap)`` of any feasible
    dual point; a feature whose constraint holds strictly over that sphere is zero at every minimum
    (Ndiaye, Fercoq, Gramfort & Salmon, 2017, section 3).

    Parameters
    ----------
    certificate : Certificate
    columns : ndarray of shape (k,), int32
        The features in question, with ``c = A[:, columns]' r`` of shape (k,). Both are reordered.
    x, squares, in_block : ndarray of shape (n_features,)
        Solution, squared lengths of the columns, features that stay whatever is proven.
    penalty : Separable
        Of all features.
    """
    radius = np.sqrt(2.0 * certificate.scaled_gap)
    kept = keep_active(certificate.scale, radius, c, x, *penalty, squares, in_block, columns)
    return columns[:kept], c[:kept]
