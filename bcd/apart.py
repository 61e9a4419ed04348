"""Tall dense data whose columns are nearly orthogonal: a few sweeps, and no Gram matrix.

Of many more samples than features, columns that have nothing to do with each other are nearly
orthogonal, and coordinate descent on the residual is there after a handful of sweeps, each of which
reads the columns once. Their Gram matrix costs many times that, but whatever they are like. Whether
they are apart is seen by how fast the sweeps settle, so they are tried first, for no longer than
the Gram matrix would take.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from bcd._residual_kernels import sweep_in_order
from bcd.design import DenseDesign, Design
from bcd.residual import ResidualProblem
from bcd.separable import Separable

TALL = 10  # samples for each feature, from which on columns may be apart
FEW = 64  # features: their Gram matrix costs no more than reading them
GATHER, PRODUCT = (
    8.0,
    0.02,
)  # a Gram matrix in sweeps: to copy columns, and to multiply one by another
SAFETY = 0.3  # of the gap asked for, which the sweeps' last moves are to explain
ZEROS = 0.3  # of the others: so many are looked at in each sweep, more in the first one only
HEAD = 0.5  # the first to be swept: those whose pulls exceed so high a power of the largest


def may_be_apart(design: Design) -> bool:
    """Tell whether the data are dense, tall and stored by columns."""
    if not isinstance(design, DenseDesign) or not design.by_columns or design.root is not None:
        return False
    return design.shape[1] > FEW and design.shape[0] >= TALL * design.shape[1]


def sweep_apart(
    block: ResidualProblem,
    r: NDArray[np.float64],
    x: NDArray[np.float64],
    penalty: Separable,
    pull: NDArray[np.float64],
    tol: float,
) -> bool:
    """Change ``x`` (k,) by sweeps until the duality gap of the block is about ``tol``.

    Parameters
    ----------
    block : ResidualProblem
    r : ndarray of shape (n_samples,)
        Residual at ``x``, orthogonal to ``u``; not changed.
    penalty : Separable
        All l1 weights above zero, no finite bounds but 0.
    pull : ndarray of shape (k,)
        Columns are swept in the falling order of its size.
    tol : float

    Returns
    -------
    bool
        Whether it got there before a Gram matrix would have.
    """
    ratio = np.abs(pull) / penalty.l1
    order = np.argsort(-ratio)
    head = order[: np.count_nonzero(ratio >= max(1.0, float(ratio[order[0]])) ** HEAD)]
    books = (block.mean, block.length, block.squares, x, r.copy(), np.zeros(1), *penalty)
    last = np.inf
    if not x.any():  # what hardly pulls had better wait until the others are in
        last = sweep_in_order(block.form, *books, head, True)
    n_sweeps = 0
    while True:
        few_zeros = ZEROS * np.count_nonzero(x) >= np.count_nonzero(x == 0.0)
        error = sweep_in_order(block.form, *books, order, n_sweeps == 0 or few_zeros)
        shrinks = error / last if error < last < np.inf else 1.0
        n_sweeps += 1
        near = _near_enough(x, penalty, SAFETY * tol)
        if shrinks * error <= near:
            return True
        settling = shrinks < 1.0 and near > 0.0
        left = math.log(near / error) / math.log(shrinks) if settling else np.inf
        if n_sweeps > 1 and n_sweeps + left > GATHER + PRODUCT * np.count_nonzero(x):
            return False
        last = error


def _near_enough(x: NDArray[np.float64], penalty: Separable, tol: float) -> float:
    """Return how far off pulls may be, in units of their l1 weights, for a gap of ``tol``."""
    free = np.flatnonzero(x)
    l1, l2 = penalty.l1[free], penalty.l2[free]
    if len(free) == 0:
        return np.inf
    scaled = tol / float(l1 @ np.abs(x[free]))  # the dual point is the residual, scaled down
    if not l2.all():
        return scaled
    return max(scaled, math.sqrt(2.0 * tol / float(np.sum(l1**2 / l2))))  # the residual itself
