"""Coefficients of any estimator along its penalty, each fit started from the one before."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from bcd.estimators._validation import check_number
from bcd.path import read_alphas

DOUBLINGS = 100  # of the penalty at most, until every coefficient is zero
CLOSE = 1.02  # the first penalty is at most so many times the least that zeroes everything


def warm_path(estimator, X, y, *, eps=1e-3, alphas=100) -> tuple[NDArray, NDArray]:
    """Fit clones of an estimator with ``warm_start`` from the largest penalty to the least.

    Parameters
    ----------
    estimator : estimator
        With the parameters ``warm_start`` and ``alpha``, or ``C``, which is one over the penalty.
    X, y : array-like
    eps : float, default=1e-3
        Last penalty of the grid, relative to the first.
    alphas : int or array-like, default=100
        Length of a geometric grid from the least penalty that makes every coefficient zero, or the
        penalties themselves.

    Returns
    -------
    alphas : ndarray of shape (n_alphas,)
        Decreasing; where the estimator has ``C``, these are ``1 / C``.
    coefs : ndarray of shape (n_features, n_alphas)

    Raises
    ------
    ValueError
        If the estimator has more than one row of coefficients, or the grid is asked for and no
        penalty makes every coefficient zero.
    """
    check_number("eps", eps, 0.0, 1.0, above=True)
    follower = clone(estimator).set_params(warm_start=True, verbose=False)
    if np.ndim(alphas) == 0:
        check_number("alphas", alphas, 1)
        grid = _largest(follower, X, y) * np.geomspace(1.0, eps, int(alphas))
    else:
        grid = read_alphas(alphas)
    return grid, np.column_stack([_coef(follower, alpha, X, y) for alpha in grid])


def _coef(follower, alpha, X, y) -> NDArray:
    penalty = {"C": 1.0 / alpha} if hasattr(follower, "C") else {"alpha": alpha}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a picture shows no ninth digit
        coef = follower.set_params(**penalty).fit(X, y).coef_
    if coef.size != coef.shape[-1]:
        raise ValueError(f"estimator must have one row of coefficients, got {coef.shape[0]} rows.")
    return np.array(coef).ravel()


def _largest(follower, X, y) -> float:
    """Return a penalty just above the least that makes every coefficient zero."""
    above = 1.0
    for _ in range(DOUBLINGS):
        if not _coef(follower, above, X, y).any():
            break
        above *= 2.0
    else:
        raise ValueError(
            f"alphas must be an array for this estimator: at the penalty {above:.0e} some "
            "coefficient is still not zero."
        )
    below = 0.5 * above
    while not _coef(follower, below, X, y).any():
        above, below = below, 0.5 * below
        if above < np.finfo(np.float64).tiny:
            raise ValueError("y must depend on X: every coefficient is zero at any penalty.")
    while above > CLOSE * below:
        middle = np.sqrt(above * below)
        if _coef(follower, middle, X, y).any():
            below = middle
        else:
            above = middle
    return above
