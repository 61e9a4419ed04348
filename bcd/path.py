"""Regularisation paths: one working set, kept from penalty to penalty."""

from __future__ import annotations

import numbers

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from bcd.design import (
    Design,
    correlate_target,
    make_design,
    nonzero_columns,
    project_out,
    refuse_overflow,
)
from bcd.estimators._least_squares import read_bounds, weighted_design
from bcd.estimators._offsets import without_offsets
from bcd.estimators._validation import (
    check_count,
    check_flag,
    check_number,
    read_arrays,
    read_penalty_factor,
    read_weights,
)
from bcd.knots import follow_alphas
from bcd.least_squares import solve_smooth
from bcd.multitask_path import TaskPath
from bcd.working_set import solve_working_sets


def largest_alpha(
    design: Design,
    target: NDArray,
    l1_ratio: float,
    n_samples: float,
    penalty_factor: NDArray | None = None,
    bounds=None,
) -> float:
    """Return the least alpha whose solution has no penalised coefficient."""
    b = project_out(design.u, target)
    columns = nonzero_columns(design)
    factor = np.ones(design.shape[1]) if penalty_factor is None else penalty_factor
    free = columns[factor[columns] == 0.0]
    if len(free):
        b = _without(design, free, b, bounds)
        columns = columns[factor[columns] > 0.0]
    c = correlate_target(design, b, columns)
    if bounds is not None:
        lower, upper = (np.broadcast_to(part, design.shape[1:])[columns] for part in bounds)
        c = np.where(c > 0.0, np.where(upper > 0.0, c, 0.0), np.where(lower < 0.0, c, 0.0))
    largest = np.max(np.abs(c) / factor[columns], initial=0.0)
    return float(largest) / (n_samples * l1_ratio)


def _without(design: Design, columns: NDArray[np.int32], b: NDArray, bounds) -> NDArray:
    """Take out of b what unpenalised features explain."""
    part = design.matrix[:, columns]
    part = part if design.root is None else part * design.root[:, None]
    if sp.issparse(part):
        part = sp.csc_array(part)
    sub, tol = make_design(part, design.u), 1e-13 * float(b @ b)
    if bounds is None:
        result = solve_smooth(sub, b, 0.0, tol=tol)
    else:
        low, high = (np.broadcast_to(bound, design.shape[1:])[columns] for bound in bounds)
        nothing = np.zeros(len(columns))
        result = solve_working_sets(sub, b, nothing, bounds=(low, high), tol=tol, max_iter=1000)
    chosen = np.arange(len(columns), dtype=np.int32)
    return project_out(design.u, b - sub.product(chosen, result.x))


def geometric_alphas(largest: float, eps: float, n_alphas: int) -> NDArray[np.float64]:
    """Return a grid from ``largest`` down to ``eps * largest``, as scikit-learn's."""
    if largest <= np.finfo(float).resolution:
        return np.full(n_alphas, np.finfo(float).resolution)
    return np.geomspace(largest, eps * largest, n_alphas)


def lambda_max(
    X,
    y,
    *,
    l1_ratio=1.0,
    fit_intercept=True,
    sample_weight=None,
    positive=False,
    penalty_factor=None,
) -> float:
    """Return the least ``alpha`` at which all penalised coefficients of ``ElasticNet`` are zero.

    Parameters
    ----------
    X : {ndarray, sparse array} of shape (n_samples, n_features)
    y : array-like of shape (n_samples,)
    l1_ratio : float, default=1.0
        Above 0, at most 1.
    fit_intercept, sample_weight, positive, penalty_factor
        As in :class:`bcd.ElasticNet` and its ``fit``.

    Returns
    -------
    float
        In units of ``alpha``; 0 where no penalised feature correlates with ``y``.

    Raises
    ------
    ValueError
        If a parameter is out of its range, or X, y or the weights are empty, not finite or of
        lengths that do not match.

    Examples
    --------
    >>> from bcd import Lasso, lambda_max
    >>> X, y = [[0.0, 1.0], [1.0, 0.0], [2.0, 3.0]], [1.0, 2.0, 4.0]
    >>> alpha = lambda_max(X, y)
    >>> Lasso(alpha).fit(X, y).coef_.any(), Lasso(0.5 * alpha).fit(X, y).coef_.any()
    (np.False_, np.True_)
    """
    check_number("l1_ratio", l1_ratio, 0.0, 1.0, above=True)
    check_flag("fit_intercept", fit_intercept)
    check_flag("positive", positive)
    X, y = read_arrays(X, y)
    X, _ = without_offsets(X, fit_intercept)
    weights = read_weights(sample_weight, X.shape[0])
    factor = read_penalty_factor(penalty_factor, X.shape[1])
    bounds = read_bounds(None, X.shape[1], positive)
    design = weighted_design(X, weights, fit_intercept, y)
    refuse_overflow(design, y)
    target = y if weights is None else design.root * y
    return largest_alpha(design, target, l1_ratio, X.shape[0], factor, bounds)


def enet_path(
    X,
    y,
    *,
    l1_ratio=0.5,
    eps=1e-3,
    alphas=100,
    fit_intercept=False,
    sample_weight=None,
    positive=False,
    penalty_factor=None,
    bounds=None,
    tol=1e-4,
    max_iter=1000,
    return_n_iter=False,
):
    """Solve ``ElasticNet`` along a sequence of penalties, with scikit-learn's return convention.

    Parameters
    ----------
    X : {ndarray, sparse array} of shape (n_samples, n_features)
    y : array-like of shape (n_samples,) or (n_samples, n_targets)
        Many targets share their features, as in :class:`bcd.MultiTaskElasticNet`.
    l1_ratio : float, default=0.5
        Above 0 where ``alphas`` is a number.
    eps : float, default=1e-3
        Last alpha of the grid, relative to the first.
    alphas : int or array-like, default=100
        Length of a geometric grid from ``lambda_max``, or the penalties themselves.
    fit_intercept : bool, default=False
        Whether to centre X and y on the way; as in scikit-learn no intercept is returned.
    sample_weight, positive, penalty_factor, bounds, tol, max_iter
        As in :class:`bcd.ElasticNet` and its ``fit``.
    return_n_iter : bool, default=False
        Whether the block updates of each point are returned too.

    Returns
    -------
    alphas : ndarray of shape (n_alphas,)
        Descending.
    coefs : ndarray of shape (n_features, n_alphas) or (n_targets, n_features, n_alphas)
    dual_gaps : ndarray of shape (n_alphas,)
        In units of the objective of :class:`bcd.ElasticNet`.
    n_iters : list of int, only with ``return_n_iter``

    Raises
    ------
    ValueError
        If a parameter is out of its range, a grid is asked for with ``l1_ratio=0``, or X, y or the
        weights are empty, not finite or of lengths that do not match.

    Warns
    -----
    ConvergenceWarning
        Where ``max_iter`` ran out, or rounding errors forbid the gap asked for.

    Notes
    -----
    Between two solutions that are near enough for ``tol`` the path is interpolated, each point with
    its own duality gap and an ``n_iter`` of 0 (see :mod:`bcd.knots`).

    Examples
    --------
    >>> from bcd import enet_path
    >>> from sklearn.datasets import make_regression
    >>> X, y = make_regression(n_samples=50, n_features=5, random_state=0)
    >>> alphas, coefs, dual_gaps = enet_path(X, y, alphas=10)
    >>> coefs.shape
    (5, 10)
    """
    check_number("l1_ratio", l1_ratio, 0.0, 1.0)
    check_number("eps", eps, 0.0, 1.0, above=True)
    check_number("tol", tol, 0.0)
    check_count("max_iter", max_iter)
    check_flag("fit_intercept", fit_intercept)
    check_flag("positive", positive)
    check_flag("return_n_iter", return_n_iter)
    X, y = read_arrays(X, y, multi_output=True)
    X, _ = without_offsets(X, fit_intercept)
    n_samples, n_features = X.shape
    weights = read_weights(sample_weight, n_samples)
    factor = read_penalty_factor(penalty_factor, n_features)
    bounds = read_bounds(bounds, n_features, positive)
    if y.ndim == 2:
        if bounds is not None:
            raise ValueError(
                "bounds and positive are not allowed with y of shape (n_samples, n_targets), got "
                f"{y.shape}; give one target."
            )
        tasks = TaskPath(
            X,
            y,
            l1_ratio,
            fit_intercept=fit_intercept,
            penalty_factor=factor,
            weights=weights,
            tol=tol,
            max_iter=max_iter,
        )
        grid = _read_grid(alphas, l1_ratio, eps, tasks.largest_alpha)
        coefs, gaps, n_iters = tasks.follow(grid)
        found = grid, coefs.astype(X.dtype), gaps
        return (*found, n_iters) if return_n_iter else found
    design = weighted_design(X, weights, fit_intercept, y)
    refuse_overflow(design, y)
    target = y if weights is None else design.root * y
    grid = _read_grid(
        alphas,
        l1_ratio,
        eps,
        lambda: largest_alpha(design, target, l1_ratio, n_samples, factor, bounds),
    )
    path = follow_alphas(
        design,
        target,
        grid,
        l1_ratio,
        tol=tol,
        max_iter=max_iter,
        n_samples=n_samples,
        penalty_factor=factor,
        bounds=bounds,
    )
    found = grid, path.x.astype(X.dtype).T, path.gap / n_samples
    return (*found, path.n_iter.tolist()) if return_n_iter else found


def _read_grid(alphas, l1_ratio, eps, largest) -> NDArray[np.float64]:
    """Return the penalties given, or a grid from ``largest()`` where their number is given."""
    if not isinstance(alphas, numbers.Integral):
        return read_alphas(alphas)
    check_number("l1_ratio", l1_ratio, 0.0, 1.0, above=True)
    check_number("alphas", alphas, 1)
    return geometric_alphas(largest(), eps, int(alphas))


def read_alphas(alphas) -> NDArray[np.float64]:
    """Return penalties, descending."""
    plain = isinstance(alphas, np.ndarray) and alphas.dtype == np.float64
    if not (plain and np.isfinite(alphas).all() and (alphas >= 0.0).all()):
        for k, alpha in enumerate(np.ravel(np.asarray(alphas, dtype=object))):
            check_number(f"alphas[{k}]", alpha, 0.0)
    grid = np.asarray(alphas, dtype=np.float64)
    if grid.ndim != 1 or len(grid) == 0:
        raise ValueError(f"alphas must be a sequence of numbers, got {alphas!r}.")
    return np.sort(grid)[::-1]


def lasso_path(X, y, *, eps=1e-3, alphas=100, **settings):
    """Solve ``Lasso`` along a sequence of penalties: :func:`enet_path` with ``l1_ratio=1``.

    Parameters
    ----------
    X : {ndarray, sparse array} of shape (n_samples, n_features)
    y : array-like of shape (n_samples,) or (n_samples, n_targets)
        Many targets share their features, as in :class:`bcd.MultiTaskLasso`.
    eps : float, default=1e-3
        Last alpha of the grid, relative to the first.
    alphas : int or array-like, default=100
        Length of a geometric grid from ``lambda_max``, or the penalties themselves.
    **settings : dict
        Further arguments of :func:`enet_path`.

    Returns
    -------
    alphas : ndarray of shape (n_alphas,)
        Descending.
    coefs : ndarray of shape (n_features, n_alphas) or (n_targets, n_features, n_alphas)
    dual_gaps : ndarray of shape (n_alphas,)
        In units of ``1 / (2 n_samples) ||y - X w||^2 + alpha ||w||_1``.
    n_iters : list of int, only with ``return_n_iter``

    Raises
    ------
    ValueError
        As :func:`enet_path` does.

    Examples
    --------
    >>> import numpy as np
    >>> from bcd import lasso_path
    >>> X = np.array([[1.0, 2.0, 3.1], [2.3, 5.4, 4.3]]).T
    >>> alphas, coefs, _ = lasso_path(X, [1.0, 2.0, 3.1], alphas=[5.0, 1.0, 0.5], tol=1e-10)
    >>> coefs.round(3)
    array([[0.   , 0.   , 0.469],
           [0.216, 0.443, 0.237]])
    """
    return enet_path(X, y, l1_ratio=1.0, eps=eps, alphas=alphas, **settings)
