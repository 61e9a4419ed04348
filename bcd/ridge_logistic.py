"""Logistic regression with one squared l2 penalty where Newton's method on features costs much.

Which way is taken depends on sizes alone. Few samples of many dense features: one equation a sample
(:mod:`bcd.ridge_logistic_samples`). Features too many for a factored matrix: sweeps over the dual
(:mod:`bcd.ridge_logistic_sweeps`). All else is left to :mod:`bcd.glm`, and so
is what these two do not bring to an end.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bcd.glm_scores import Scores
from bcd.result import Result
from bcd.ridge_logistic_samples import products_pay, solve_by_products
from bcd.ridge_logistic_sweeps import solve_by_sweeps, sweeps_pay
from bcd.working_set import Progress

Vector = NDArray[np.float64]


def solve_ridge_logistic(
    X: Any,
    scores: Scores,
    l1: Vector,
    l2: Vector,
    *,
    x0: Vector | None = None,
    tol: float,
    max_iter: int,
    callback: Callable[[Progress], bool | None] | None = None,
) -> Result | None:
    """Minimise until the duality gap is below tol, where this is quicker than :mod:`bcd.glm`.

    Parameters
    ----------
    X : {ndarray, csc_array} of shape (n_samples, n_features)
    scores : Scores
        Of the logistic loss, at zero coefficients; and whether an intercept is fitted.
    l1, l2 : ndarray of shape (n_features,)
    x0 : ndarray of shape (n_features,), default=None
        Where to start.
    tol, max_iter, callback
        As in :func:`bcd.glm.solve_glm`.

    Returns
    -------
    Result or None
        Of status STALLED where :mod:`bcd.glm` should go on from there; None where it should start.
    """
    strength = float(l2[0])
    if l1.any() or not strength > 0.0 or (l2 != strength).any() or max_iter < 1:
        return None
    if products_pay(X):
        return solve_by_products(X, scores, strength, x0=x0, tol=tol, callback=callback)
    if not sweeps_pay(X):
        return None
    return solve_by_sweeps(
        X, scores, strength, x0=x0, tol=tol, max_iter=max_iter, callback=callback
    )
