"""Duality gaps of least squares with group penalties, and what they prove to be zero.

Primal: ``1/2 ||b - A x||^2 + sum_j l1_j |x_j| + sum_g weight_g ||x_g|| + l2/2 ||x||^2``, over
``x >= 0`` if asked. Names: ``r = b - A x`` and ``c = A' r``, both for the groups in question.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bcd._group_kernels import dual_norms, excess_norms, penalty_of_groups
from bcd.duality import Certificate


def certify_groups(b, r, c, x, l1, weight, ptr, l2: float, positive: bool) -> Certificate:
    """Bound how far ``x`` is from the minimum.

    The dual point is the residual (of the problem that has ``sqrt(l2) I`` below ``A``), scaled by
    what maximises the dual among the feasible multiples: those for which the penalty's dual norm
    of no group exceeds one (Ndiaye, Fercoq, Gramfort & Salmon, 2016).

    Parameters
    ----------
    b, r : ndarray of shape (n,)
    c, x, l1 : ndarray of shape (k,)
        The features of the groups in question; all others must be zero at the minimum.
    weight, ptr : ndarray of shape (n_groups,) and (n_groups + 1,)
    l2 : float
    positive : bool
    """
    squares = float(r @ r + l2 * (x @ x))
    inner = float(b @ r)
    objective = 0.5 * squares + penalty_of_groups(x, l1, weight, ptr)
    norms = np.empty(len(weight))
    dual_norms(c - l2 * x if l2 else c, l1, weight, ptr, positive, norms)
    scale = feasible_scale(inner / squares if squares > 0.0 else 0.0, norms)
    gap = objective - scale * inner + 0.5 * scale**2 * squares
    return Certificate(float(objective), max(gap, 0.0), scale)


def feasible_scale(best: float, norms: NDArray) -> float:
    """Return the multiple of the dual point nearest to ``best`` that is feasible."""
    worst = float(norms.max(initial=0.0))
    return max(best, 0.0) if best * worst <= 1.0 else 1.0 / worst


def groups_that_may_be_active(dual, radius, l1, weight, ptr, lengths, positive) -> NDArray:
    """Tell which groups the gap-safe sphere cannot rule out.

    The soft threshold moves no point further than its argument moves, so no dual point within the
    sphere reaches the weight of a group whose excess stays below it by ``radius`` times the
    group's operator norm (Ndiaye, Fercoq, Gramfort & Salmon, 2016, theorem 1).

    Parameters
    ----------
    dual, l1 : ndarray of shape (k,)
        ``A' theta`` at a feasible dual point theta.
    radius : float
        How far the best dual point can be from theta.
    weight, ptr : ndarray of shape (n_groups,) and (n_groups + 1,)
    lengths : ndarray of shape (n_groups,)
        An upper bound on each group's operator norm.
    """
    excess = np.empty(len(weight))
    excess_norms(dual, l1, ptr, positive, excess)
    return excess + radius * lengths >= weight
