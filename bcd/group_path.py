"""Group Lasso solutions along a grid of penalties, on one working set that only grows."""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from bcd._group_kernels import dual_norms
from bcd.design import make_design, refuse_overflow
from bcd.estimators._validation import (
    check_count,
    check_flag,
    check_number,
    penalty_factors,
    read_data,
)
from bcd.estimators.group import SparseGroupLasso
from bcd.group_loop import run_group_loop
from bcd.group_squares import SquaredGroups
from bcd.group_structure import read_group_weights, read_groups
from bcd.path import read_alphas


def group_path(
    X,
    y,
    *,
    groups=1,
    weights=None,
    l1_ratio=0.0,
    eps=1e-3,
    n_alphas=100,
    alphas=None,
    positive=False,
    penalty_factor=None,
    tol=1e-4,
    max_iter=1000,
):
    """Solve the (sparse) group Lasso for every alpha of a decreasing grid, without an intercept.

    The objective is that of :class:`bcd.SparseGroupLasso`; centre X and y to have an intercept.
    Solution, working set and Gram matrix are handed on from one alpha to the next.

    Parameters
    ----------
    X : {ndarray, sparse array} of shape (n_samples, n_features)
    y : array-like of shape (n_samples,)
    groups, weights
        See :class:`bcd.SparseGroupLasso`.
    l1_ratio : float, default=0.0
        Share of the l1 penalty; 0 is the group Lasso.
    eps : float, default=1e-3
        The last alpha divided by the first, the smallest with no penalised feature at all.
    n_alphas : int, default=100
    alphas : array-like, default=None
        The grid itself, above 0; it is put in decreasing order.
    positive : bool, default=False
    penalty_factor : array-like of shape (n_features,), default=None
        Of the l1 penalty, see :class:`bcd.SparseGroupLasso`.
    tol : float, default=1e-4
        On each duality gap, in units of ``||y||^2 / n_samples``.
    max_iter : int, default=1000
        Block updates at most, for each alpha.

    Returns
    -------
    alphas : ndarray of shape (n_alphas,)
        Decreasing.
    coefs : ndarray of shape (n_features, n_alphas)
    dual_gaps : ndarray of shape (n_alphas,)

    Raises
    ------
    ValueError
        If a parameter is out of its range, or X or y are empty, not finite or of lengths that do
        not match.

    Examples
    --------
    >>> from bcd import group_path
    >>> from sklearn.datasets import make_regression
    >>> X, y = make_regression(n_features=6, n_informative=2, shuffle=False, random_state=0)
    >>> alphas, coefs, _ = group_path(X, y, groups=2, n_alphas=4)
    >>> (coefs != 0).sum(axis=0).tolist()
    [0, 2, 2, 2]
    """
    check_number("l1_ratio", l1_ratio, 0.0, 1.0)
    check_number("eps", eps, 0.0, 1.0, above=True)
    check_number("tol", tol, 0.0)
    check_count("n_alphas", n_alphas)
    check_count("max_iter", max_iter)
    check_flag("positive", positive)
    X, y = read_data(SparseGroupLasso(), X, y)
    if y.ndim != 1:
        raise ValueError(f"y must be of shape (n_samples,), got {y.shape}.")
    n_samples, n_features = X.shape
    partition = read_groups(groups, n_features)
    factors = n_samples * (1.0 - l1_ratio) * read_group_weights(weights, partition)
    l1 = n_samples * l1_ratio * penalty_factors(penalty_factor, n_features)
    design = make_design(X, np.empty(0))
    refuse_overflow(design, y)
    problem = SquaredGroups(design, y, partition, l1, factors, positive=positive)
    if alphas is None:
        penalised = problem.groups
        correlation = problem.design.correlate(problem.b, penalised.members)
        norms = np.empty(len(penalised))
        dual_norms(correlation, problem.l1, problem.weight, penalised.ptr, positive, norms)
        alphas = norms.max() * np.geomspace(1.0, eps, n_alphas)
    else:
        alphas = read_alphas(alphas)
        if not (alphas > 0.0).all():
            raise ValueError(f"alphas must hold numbers above 0, got {alphas}.")
    coefs, gaps, failed = np.empty((n_features, len(alphas)), dtype=X.dtype), [], []
    limit = tol * float(y @ y)
    for k, alpha in enumerate(alphas):
        problem.set_penalty(alpha * l1, alpha * factors)
        result = run_group_loop(problem, tol=limit, max_iter=max_iter)
        coefs[:, k] = result.x
        gaps.append(result.gap / n_samples)
        if not result.success:
            failed.append(k)
    if failed:
        warnings.warn(
            f"not converged at {len(failed)} of {len(alphas)} alphas: largest duality gap "
            f"{max(gaps):.3e}, tolerance {limit / n_samples:.3e}.",
            ConvergenceWarning,
            stacklevel=2,
        )
    return alphas, coefs, np.array(gaps)
