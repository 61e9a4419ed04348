"""Logistic regression for many penalties, each fitted from the last solution."""

from __future__ import annotations

import numbers
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bcd.design import make_design, refuse_overflow
from bcd.estimators._least_squares import read_bounds
from bcd.estimators._offsets import as_given, without_offsets
from bcd.estimators._validation import (
    check_count,
    check_flag,
    check_number,
    penalty_factors,
    read_samples,
)
from bcd.estimators.logistic import (
    LogisticRegression,
    fit_classes,
    read_labels,
    weigh_samples,
)
from problems.linear import check_real


@dataclass(frozen=True, slots=True, kw_only=True)
class LogisticPath:
    """Solutions of logistic regression, one for each C.

    Attributes
    ----------
    Cs : ndarray of shape (n_Cs,)
        Ascending.
    coefs : ndarray of shape (n_Cs, 1 or n_classes, n_features)
    intercepts : ndarray of shape (n_Cs, 1 or n_classes)
    dual_gaps : ndarray of shape (n_Cs,)
        In units of ``sum loss + penalty / C``.
    n_iters : ndarray of shape (n_Cs,)
    """

    Cs: NDArray[np.float64]
    coefs: NDArray[np.float64]
    intercepts: NDArray[np.float64]
    dual_gaps: NDArray[np.float64]
    n_iters: NDArray[np.int32]


def logistic_path(
    X,
    y,
    *,
    Cs=10,
    l1_ratio=1.0,
    fit_intercept=True,
    class_weight=None,
    sample_weight=None,
    penalty_factor=None,
    bounds=None,
    tol=1e-4,
    max_iter=100,
):
    """Fit logistic regression for each C, the next one from the last solution.

    Parameters
    ----------
    X : {ndarray, sparse array} of shape (n_samples, n_features)
    y : array-like of shape (n_samples,)
    Cs : int or array-like of float, default=10
        Inverse weights of the penalty; a number of them means so many from 1e-4 to 1e4.
    l1_ratio, fit_intercept, class_weight, penalty_factor, bounds, tol, max_iter
        See :class:`LogisticRegression`.
    sample_weight : float or array-like of shape (n_samples,), default=None
        A weight k counts as k repeats, 0 as removed.

    Returns
    -------
    LogisticPath

    Raises
    ------
    ValueError
        As :class:`LogisticRegression` does.

    Examples
    --------
    >>> from bcd import logistic_path
    >>> path = logistic_path([[0.0], [1.0], [2.0], [3.0]], [0, 0, 1, 1], Cs=[0.1, 1.0], tol=1e-8)
    >>> path.coefs[:, 0, 0].round(2)
    array([0.  , 0.91])
    """
    check_number("l1_ratio", l1_ratio, 0.0, 1.0)
    check_number("tol", tol, 0.0)
    check_count("max_iter", max_iter)
    check_flag("fit_intercept", fit_intercept)
    X, y = read_samples(LogisticRegression(), X, y)
    X, offsets = without_offsets(X, fit_intercept)
    classes, label = read_labels(y)
    weights = weigh_samples(class_weight, sample_weight, classes, label, y)
    factor = penalty_factors(penalty_factor, X.shape[1])
    design = make_design(X, np.ones(X.shape[0]) if fit_intercept else np.empty(0))
    refuse_overflow(design)
    fixed = factor, read_bounds(bounds, X.shape[1], False), design, tol, max_iter
    path = follow_path(X, label, len(classes), weights, read_Cs(Cs), l1_ratio, *fixed)
    return replace(path, intercepts=as_given(path.intercepts, path.coefs, offsets))


def read_Cs(Cs):
    """Return the inverse penalties, ascending."""
    if isinstance(Cs, numbers.Integral) and not isinstance(Cs, bool):
        check_count("Cs", Cs)
        return np.logspace(-4, 4, Cs)
    check_real("Cs", Cs)
    found = np.sort(np.asarray(Cs, dtype=np.float64).ravel())
    if len(found) == 0 or not (found > 0.0).all():
        raise ValueError(f"Cs must hold numbers above 0, got {Cs!r}.")
    return found


def follow_path(
    X, label, n_classes, weights, Cs, l1_ratio, factor, bounds, design, tol, max_iter
) -> LogisticPath:
    """Fit for each C in turn on a design that is at hand; samples of weight zero do not count."""
    coefs, intercepts, gaps, n_iters, start = [], [], [], [], None
    for C in Cs:
        coef, intercept, result = fit_classes(
            X,
            label,
            n_classes,
            weights,
            l1=factor * (l1_ratio / C),
            l2=factor * ((1.0 - l1_ratio) / C),
            fit_intercept=len(design.u) > 0,
            tol=tol,
            max_iter=max_iter,
            bounds=bounds,
            start=start,
            design=design,
        )
        start = coef, intercept
        coefs.append(coef)
        intercepts.append(intercept)
        gaps.append(result.gap)
        n_iters.append(result.n_iter)
    return LogisticPath(
        Cs=np.asarray(Cs, dtype=np.float64),
        coefs=np.array(coefs),
        intercepts=np.array(intercepts),
        dual_gaps=np.array(gaps),
        n_iters=np.array(n_iters, dtype=np.int32),
    )
