"""Least squares with group penalties in scikit-learn's terms: GroupLasso and SparseGroupLasso."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from sklearn.utils.validation import column_or_1d

from bcd.design import Design, make_design, project_out, refuse_overflow
from bcd.estimators._base import (
    LinearRegressor,
    check_settings,
    last_coefficients,
    restoring,
    warn_unless_solved,
)
from bcd.estimators._offsets import as_given, without_offsets
from bcd.estimators._validation import (
    penalty_factors,
    read_data,
    read_weights,
    refuse_large_penalties,
)
from bcd.group_loop import run_group_loop
from bcd.group_squares import SquaredGroups
from bcd.group_structure import read_group_weights, read_groups
from bcd.least_squares import solve_smooth
from bcd.progress import reporting
from bcd.result import Result
from bcd.working_set import solve_working_sets


def weighted_design(X, weights, fit_intercept: bool, y=None):
    """Return the design, the square roots of the weights or None; see ``bcd.design``.

    Columns are correlated with a target y of shape (n_samples,) while they are read.
    """
    root = None if weights is None else np.sqrt(weights)
    u = np.empty(0)
    if fit_intercept:
        u = np.ones(X.shape[0]) if root is None else root
    target = None if y is None else np.asarray(y if root is None else root * y, dtype=np.float64)
    return make_design(X if root is None else _scaled_rows(X, root), u, target=target), root


def _scaled_rows(X, root):
    """Multiply the rows; a copy, for solvers that cannot weigh them on the way."""
    if sp.issparse(X):
        scaled = sp.csc_array(X, copy=True)
        scaled.data *= root[scaled.indices].astype(X.dtype)
        return scaled
    return np.asfortranarray(X * root[:, None].astype(X.dtype))


class SparseGroupLasso(LinearRegressor):
    """Least squares with a group penalty and an l1 penalty, certified by a duality gap.

    Minimises, scaled as scikit-learn's Lasso is::

        1 / (2 n_samples) ||y - X w - c||^2
            + alpha l1_ratio ||w||_1 + alpha (1 - l1_ratio) sum_g weights_g ||w_g||_2

    where ``penalty_factor`` weighs the entries of ``||w||_1``, by greedy working sets of groups
    (see :mod:`bcd.group_loop`).

    Parameters
    ----------
    alpha : float, default=1.0
        Weight of the penalty, at least 0.
    l1_ratio : float, default=0.5
        Share of the l1 penalty, from 0 (group Lasso) to 1 (Lasso).
    groups : int, list of int or list of lists of int, default=1
        The size of contiguous groups, the sizes of contiguous groups, or the features of each
        group. Groups must not overlap and must cover all features.
    weights : array-like of shape (n_groups,), default=None
        Factor of each group's norm, not negative; the square root of the group's size when None.
    fit_intercept : bool, default=True
        Whether to fit ``c``, which is never penalised. Sparse X is centred without densifying it.
    max_iter : int, default=1000
        Block updates at most, each of a whole working set.
    tol : float, default=1e-4
        The run ends when the duality gap is at most ``tol * ||y||^2 / n_samples`` (y centred when
        an intercept is fitted).
    warm_start : bool, default=False
        Whether to start from the last solution.
    positive : bool, default=False
        Whether to require ``w >= 0``.
    penalty_factor : array-like of shape (n_features,), default=None
        Multiples of the l1 penalty, feature by feature, taken as they are. A feature is unpenalised
        where both its factor and its group's weight are 0 (one of them, where ``l1_ratio`` leaves
        out the other); with ``positive`` there may be none.
    verbose : bool or int, default=False
        Whether to show a progress bar, see :class:`bcd.ElasticNet`.
    callback : callable, default=None
        Called with a :class:`bcd.group_loop.Progress` after each block update; a true answer stops
        the run.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,)
        In the number type of X.
    sparse_coef_ : sparse matrix of shape (1, n_features)
    intercept_ : float
    dual_gap_ : float
        Upper bound on how far the objective above is from its minimum.
    n_iter_ : int
        Block updates performed.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features_in_,)

    References
    ----------
    .. [1] Nutini, Laradji, Schmidt (2022), "Let's Make Block Coordinate Descent Converge Faster",
       JMLR 23, sections 3 (gs-q), 6 (active-set identification).
    .. [2] Ndiaye, Fercoq, Gramfort, Salmon (2016), "GAP Safe Screening Rules for Sparse-Group
       Lasso", NIPS 29, sections 3 and 4.

    Examples
    --------
    >>> from bcd import SparseGroupLasso
    >>> from sklearn.datasets import make_regression
    >>> X, y = make_regression(n_features=6, n_informative=2, shuffle=False, random_state=0)
    >>> SparseGroupLasso(alpha=5.0, groups=2, tol=1e-8).fit(X, y).coef_.round(1)
    array([51.8, 21.5,  0. ,  0. ,  0. ,  0. ])
    """

    def __init__(
        self,
        alpha=1.0,
        *,
        l1_ratio=0.5,
        groups=1,
        weights=None,
        fit_intercept=True,
        max_iter=1000,
        tol=1e-4,
        warm_start=False,
        positive=False,
        penalty_factor=None,
        verbose=False,
        callback=None,
    ):
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.groups = groups
        self.weights = weights
        self.fit_intercept = fit_intercept
        self.max_iter = max_iter
        self.tol = tol
        self.warm_start = warm_start
        self.positive = positive
        self.penalty_factor = penalty_factor
        self.verbose = verbose
        self.callback = callback

    @restoring
    def fit(self, X, y, sample_weight=None):
        """Fit the model.

        Parameters
        ----------
        X : {ndarray, sparse array} of shape (n_samples, n_features)
            Dense (C or Fortran order) or sparse (compressed by columns; other formats are
            converted, with 32-bit or 64-bit indices), float32 or float64.
        y : array-like of shape (n_samples,)
        sample_weight : float or array-like of shape (n_samples,), default=None
            A weight k counts as k repeats, 0 as removed. Scaled to the sum n_samples.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If a parameter is out of its range, groups overlap or do not cover the features, a
            factor is negative, or X, y or the weights are empty, not finite or of lengths that do
            not match.

        Warns
        -----
        ConvergenceWarning
            If ``max_iter`` ran out, or rounding errors forbid the gap asked for.
        """
        check_settings(self)
        X, y = read_data(self, X, y)
        y = column_or_1d(y, warn=True)
        X, offsets = without_offsets(X, self.fit_intercept)
        weights = read_weights(sample_weight, X.shape[0])
        target = y if np.isfinite(np.vdot(y, y)) else None
        design, root = weighted_design(X, weights, self.fit_intercept, target)
        refuse_overflow(design, y)
        result = self._solve(design, y if root is None else root * y)
        intercept = 0.0
        if self.fit_intercept:
            intercept = np.average(y, weights=weights) - result.x @ design.means
            intercept = as_given(intercept, result.x, offsets)
        self.coef_ = result.x.astype(X.dtype)
        self.intercept_ = X.dtype.type(intercept) if self.fit_intercept else 0.0
        self.dual_gap_ = result.gap / X.shape[0]
        self.n_iter_ = result.n_iter
        return self

    def _solve(self, design: Design, target) -> Result:
        n_samples, n_features = design.shape
        groups = read_groups(self.groups, n_features)
        factors = read_group_weights(self.weights, groups)
        own = penalty_factors(self.penalty_factor, n_features)
        refuse_large_penalties("alpha and weights", n_samples, self.alpha, factors)
        refuse_large_penalties("alpha and penalty_factor", n_samples, self.alpha, own)
        l1 = n_samples * self.alpha * self.l1_ratio * own
        weight = n_samples * self.alpha * (1.0 - self.l1_ratio) * factors
        b = project_out(design.u, target)
        tol = self.tol * float(b @ b)
        start = last_coefficients(self, (n_features,))
        if self.alpha == 0.0 and not self.positive:
            result = solve_smooth(design, b, 0.0, tol=tol)
        elif self.alpha == 0.0:
            settings = {"x0": start, "tol": tol, "max_iter": self.max_iter}
            result = solve_working_sets(design, b, l1, positive=True, **settings)
        else:
            problem = SquaredGroups(design, b, groups, l1, weight, positive=self.positive, x0=start)
            with reporting(type(self).__name__, tol, self.verbose, self.callback) as report:
                result = run_group_loop(problem, tol=tol, max_iter=self.max_iter, callback=report)
        warn_unless_solved(result, tol, n_samples)
        return result


class GroupLasso(SparseGroupLasso):
    """Least squares with a group penalty, certified by a duality gap.

    Minimises ``1 / (2 n_samples) ||y - X w - c||^2 + alpha sum_g weights_g ||w_g||_2``, scaled as
    scikit-learn's Lasso is; whole groups are zero, those of weight 0 unpenalised. With groups of
    one feature it is the Lasso.

    Parameters
    ----------
    alpha, groups, weights, fit_intercept, max_iter, tol, warm_start, positive, verbose, callback
        See :class:`SparseGroupLasso`, of which this is the case ``l1_ratio=0``.

    Examples
    --------
    >>> from bcd import GroupLasso
    >>> from sklearn.datasets import make_regression
    >>> X, y = make_regression(n_features=6, n_informative=2, shuffle=False, random_state=0)
    >>> GroupLasso(alpha=5.0, groups=2, tol=1e-8).fit(X, y).coef_.round(1)
    array([51.1, 22.4,  0. ,  0. ,  0. ,  0. ])
    """

    def __init__(
        self,
        alpha=1.0,
        *,
        groups=1,
        weights=None,
        fit_intercept=True,
        max_iter=1000,
        tol=1e-4,
        warm_start=False,
        positive=False,
        verbose=False,
        callback=None,
    ):
        super().__init__(
            alpha=alpha,
            l1_ratio=0.0,
            groups=groups,
            weights=weights,
            fit_intercept=fit_intercept,
            max_iter=max_iter,
            tol=tol,
            warm_start=warm_start,
            positive=positive,
            verbose=verbose,
            callback=callback,
        )
