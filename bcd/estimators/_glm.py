"""What the estimators of generalised linear models share: reading data, one solver call, words."""

from __future__ import annotations

import logging
import numbers
import warnings

import numpy as np
import scipy.sparse as sp
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_array, validate_data

from bcd.design import make_design
from bcd.estimators._validation import FLOATS, _first_not_finite
from bcd.glm import solve_glm
from bcd.glm_newton import Scores
from bcd.result import Result

log = logging.getLogger("southwell")


def read_samples(estimator, X, y, **checks):
    """Read X (dense, or compressed by columns, float32 or float64) and y as ``validate_data`` does.

    X is copied only where it must be: another number type, or a layout that is neither C nor
    Fortran contiguous, nor compressed sparse column.
    """
    try:
        X, y = validate_data(
            estimator, X, y, accept_sparse="csc", dtype=FLOATS, accept_large_sparse=True, **checks
        )
    except ValueError as error:
        where = _first_not_finite(X)
        if where and "Input X contains" in str(error):
            raise ValueError(f"{error}\nX must be finite, got {where}.") from error
        raise
    if sp.issparse(X):
        if not X.has_canonical_format:
            X = X.copy()
            X.sum_duplicates()
    elif not (X.flags.c_contiguous or X.flags.f_contiguous):
        X = np.asfortranarray(X)
    return X, y


def read_sample_weight(sample_weight, n_samples: int):
    """Return one weight a sample, as they are; ones where none were given."""
    if sample_weight is None:
        return np.ones(n_samples)
    if isinstance(sample_weight, numbers.Number):
        sample_weight = np.full(n_samples, sample_weight, dtype=np.float64)
    weights = check_array(
        sample_weight, ensure_2d=False, dtype=np.float64, input_name="sample_weight"
    )
    if weights.shape != (n_samples,):
        raise ValueError(
            f"sample_weight.shape must be ({n_samples},), one weight a sample, got {weights.shape}."
        )
    if (weights < 0).any():
        i = np.flatnonzero(weights < 0)[0]
        raise ValueError(f"sample_weight must not be negative, got {weights[i]} at sample {i}.")
    if weights.sum() <= 0:
        raise ValueError("sample_weight must have a sum above zero, got zeros only.")
    return weights


def read_penalty_factor(factor, n_features: int):
    """Return one multiple of the penalty a feature; ones where none were given."""
    if factor is None:
        return np.ones(n_features)
    factor = check_array(factor, ensure_2d=False, dtype=np.float64, input_name="penalty_factor")
    if factor.shape != (n_features,):
        raise ValueError(
            f"penalty_factor.shape must be ({n_features},), one a feature, got {factor.shape}."
        )
    if (factor < 0).any():
        j = np.flatnonzero(factor < 0)[0]
        raise ValueError(f"penalty_factor must not be negative, got {factor[j]} at feature {j}.")
    return factor


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
    start=None,
    verbose=False,
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
    start : pair of ndarray of shape (n_features,) and float, default=None

    Returns
    -------
    result : Result
    at_zero : float
        The losses at zero coefficients (and the best intercept), the unit of ``tol``.
    """
    scores = Scores(tag, parameter, y, weights, intercept)
    scores.set(np.zeros(len(y)))
    if intercept:
        scores.center()
    at_zero = abs(scores.value)
    if design is None:
        design = make_design(X, np.ones(len(y)) if intercept else np.empty(0))
    x0, intercept0 = (None, 0.0) if start is None else start
    result = solve_glm(
        design,
        scores,
        l1,
        l2,
        x0=x0,
        intercept0=intercept0,
        tol=tol * at_zero,
        max_iter=max_iter,
    )
    if verbose:
        log.info("%d block updates, duality gap %.3e", result.n_iter, result.gap)
    warn_unless_solved(result, tol * at_zero)
    return result, at_zero


def last_solution(estimator, n_features: int):
    """Return ``coef_`` and ``intercept_`` to start from, None when there are none that fit."""
    coef = getattr(estimator, "coef_", None) if estimator.warm_start else None
    if coef is None or coef.shape[-1] != n_features:
        return None
    return coef.astype(np.float64), np.asarray(estimator.intercept_, dtype=np.float64)


def warn_unless_solved(result: Result, tol: float, stacklevel: int = 4) -> None:
    """Warn with the gap and the tolerance that it was compared with."""
    if not result.success:
        warnings.warn(
            f"not converged: duality gap {result.gap:.3e}, tolerance {tol:.3e}; "
            f"{result.status.value}.",
            ConvergenceWarning,
            stacklevel=stacklevel,
        )
