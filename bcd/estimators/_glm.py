"""What the estimators of generalised linear models share: where to start, one solver call."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bcd.design import make_design, refuse_overflow
from bcd.estimators._base import warn_unless_solved
from bcd.estimators._offsets import as_moved
from bcd.glm import solve_glm
from bcd.glm_scores import Scores
from bcd.progress import reporting
from bcd.result import Result, Status
from bcd.ridge_logistic import solve_ridge_logistic
from problems.losses import LOGISTIC


def fit_scores(
    X,
    y,
    weights,
    *,
    tag: int,
    parameter: float = 0.0,
    intercept: bool,
    l1,
    l2,
    tol: float,
    max_iter: int,
    bounds=None,
    start=None,
    verbose=False,
    callback=None,
    name: str = "southwell",
    design=None,
) -> tuple[Result, float]:
    """Fit one vector of scores; warn when it is not converged.

    Parameters
    ----------
    X : {ndarray, sparse array} of shape (n_samples, n_features)
    y, weights : ndarray of shape (n_samples,)
    tag, parameter
        The loss, see :mod:`problems.losses`.
    intercept : bool
    l1, l2 : ndarray of shape (n_features,)
    tol : float
        On the gap, as a fraction of the losses at zero coefficients.
    bounds : pair of ndarray, default=None
    start : pair of ndarray of shape (n_features,) and float, default=None
    verbose, callback, name
        See :func:`bcd.progress.reporting`.

    Returns
    -------
    result : Result
    at_zero : float
        The losses at zero coefficients (and the best intercept), the unit of ``tol``.
    """
    scores = Scores(tag, parameter, y, weights, intercept)
    at_zero = abs(scores.start())
    x0, intercept0 = (None, 0.0) if start is None else start
    result = None
    with reporting(name, tol * at_zero, verbose, callback) as report:
        if tag == LOGISTIC and bounds is None:
            result = solve_ridge_logistic(
                X, scores, l1, l2, x0=x0, tol=tol * at_zero, max_iter=max_iter, callback=report
            )
        if result is None or result.status is Status.STALLED:
            n_before = 0 if result is None else result.n_iter
            if result is not None and result.gap < at_zero:
                x0, intercept0 = result.x, result.extra["intercept"]
            if design is None:
                design = make_design(X, np.ones(len(y)) if intercept else np.empty(0))
                refuse_overflow(design, y)
            result = solve_glm(
                design,
                scores,
                l1,
                l2,
                bounds=bounds,
                x0=x0,
                intercept0=intercept0,
                tol=tol * at_zero,
                max_iter=max(max_iter - n_before, 1) if n_before else max_iter,
                callback=report,
            )
            result = replace(result, n_iter=n_before + result.n_iter)
    warn_unless_solved(result, tol * at_zero)
    return result, at_zero


def last_solution(estimator, n_features: int, offsets=None):
    """Return ``coef_`` and ``intercept_`` to start from, None when there are none that fit.

    ``offsets`` is by how much columns of X were moved, see :mod:`bcd.estimators._offsets`.
    """
    coef = getattr(estimator, "coef_", None) if estimator.warm_start else None
    if coef is None or coef.shape[-1] != n_features:
        return None
    coef, intercept = coef.astype(np.float64), np.asarray(estimator.intercept_, dtype=np.float64)
    return coef, as_moved(intercept, coef, offsets)
