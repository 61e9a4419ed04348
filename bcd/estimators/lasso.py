"""Lasso and ElasticNet in scikit-learn's terms."""

from __future__ import annotations

import numpy as np
from sklearn.base import MultiOutputMixin

from bcd.estimators._base import LinearRegressor, check_settings, last_coefficients, restoring
from bcd.estimators._least_squares import read_bounds, solve, weighted_design
from bcd.estimators._offsets import as_given, without_offsets
from bcd.estimators._validation import (
    read_data,
    read_penalty_factor,
    read_weights,
    refuse_not_finite,
)


class ElasticNet(MultiOutputMixin, LinearRegressor):
    """Least squares with l1 and squared l2 penalties, certified by a duality gap.

    Minimises, as scikit-learn does::

        1 / (2 n_samples) ||y - X w - c||^2 + alpha l1_ratio ||w||_1
            + alpha (1 - l1_ratio) / 2 ||w||^2

    by greedy working sets with active-set Newton steps (see :mod:`bcd.working_set`).

    Parameters
    ----------
    alpha : float, default=1.0
        Weight of the penalty, at least 0.
    l1_ratio : float, default=0.5
        Share of the l1 penalty, from 0 (ridge) to 1 (Lasso).
    fit_intercept : bool, default=True
        Whether to fit ``c``, which is never penalised. Sparse X is centred without densifying it.
    precompute : bool or array-like, default=False
        Accepted for scikit-learn's sake and without effect: Gram columns are computed for the
        features that need them.
    max_iter : int, default=1000
        Block updates at most (scikit-learn counts sweeps over all features; a block update does the
        work of many).
    copy_X : bool, default=True
        Accepted for scikit-learn's sake and without effect: X is never changed.
    tol : float, default=1e-4
        The run ends when the duality gap is at most ``tol * ||y||^2 / n_samples`` (y centred when
        an intercept is fitted), as in scikit-learn.
    warm_start : bool, default=False
        Whether to start from the last solution.
    positive : bool, default=False
        Whether to require ``w >= 0``.
    random_state : int, RandomState instance or None, default=None
        Accepted for scikit-learn's sake; used by the random selection rules only.
    selection : str, default="gs-q"
        How blocks are chosen: ``"gs-q"`` takes greedy working sets, each solved exactly.
        scikit-learn's ``"cyclic"`` and ``"random"`` are accepted and mean the same.
    penalty_factor : array-like of shape (n_features,), default=None
        Multiples of the whole penalty, feature by feature; 0 leaves a feature unpenalised. They are
        taken as they are, not rescaled.
    bounds : pair of (float or array-like of shape (n_features,)), default=None
        Lower and upper bounds of the coefficients; signs are bounds of 0. With ``positive`` both
        hold.
    verbose : bool or int, default=False
        Whether to show a progress bar (of tqdm where it is installed, else lines in the log
        ``southwell``).
    callback : callable, default=None
        Called with a :class:`bcd.working_set.Progress` after each block update; a true answer stops
        the run.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
        In the number type of X.
    sparse_coef_ : sparse matrix of shape (1, n_features) or (n_targets, n_features)
    intercept_ : float or ndarray of shape (n_targets,)
    dual_gap_ : float or ndarray of shape (n_targets,)
        Upper bound on how far the objective above is from its minimum.
    n_iter_ : int or list of int
        Block updates performed.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features_in_,)

    References
    ----------
    .. [1] Nutini, Laradji, Schmidt (2022), "Let's Make Block Coordinate Descent Converge Faster",
       JMLR 23, sections 3 (gs-q), 6 (active-set identification).

    Examples
    --------
    >>> from bcd import ElasticNet
    >>> from sklearn.datasets import make_regression
    >>> X, y = make_regression(n_features=2, random_state=0)
    >>> ElasticNet(tol=1e-8).fit(X, y).coef_.round(2)
    array([18.84, 64.56])
    """

    def __init__(
        self,
        alpha=1.0,
        *,
        l1_ratio=0.5,
        fit_intercept=True,
        precompute=False,
        max_iter=1000,
        copy_X=True,
        tol=1e-4,
        warm_start=False,
        positive=False,
        random_state=None,
        selection="gs-q",
        penalty_factor=None,
        bounds=None,
        verbose=False,
        callback=None,
    ):
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.fit_intercept = fit_intercept
        self.precompute = precompute
        self.max_iter = max_iter
        self.copy_X = copy_X
        self.tol = tol
        self.warm_start = warm_start
        self.positive = positive
        self.random_state = random_state
        self.selection = selection
        self.penalty_factor = penalty_factor
        self.bounds = bounds
        self.verbose = verbose
        self.callback = callback

    @restoring
    def fit(self, X, y, sample_weight=None, check_input=True):
        """Fit the model.

        Parameters
        ----------
        X : {ndarray, sparse array} of shape (n_samples, n_features)
            Dense (C or Fortran order) or sparse (compressed by columns; other formats are
            converted, with 32-bit or 64-bit indices), float32 or float64.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Each target is a problem of its own.
        sample_weight : float or array-like of shape (n_samples,), default=None
            A weight k counts as k repeats, 0 as removed. Scaled to the sum n_samples.
        check_input : bool, default=True
            Accepted for scikit-learn's sake and without effect: X and y are always looked at.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If a parameter is out of its range, bounds cross, a penalty factor is negative, or X, y
            or the weights are empty, not finite, of lengths that do not match or so large that
            their squares overflow.

        Warns
        -----
        ConvergenceWarning
            If ``max_iter`` ran out, or rounding errors forbid the gap asked for.
        """
        check_settings(self)
        X, y = read_data(self, X, y, sums_follow=True)
        X, offsets = without_offsets(X, self.fit_intercept)
        weights = read_weights(sample_weight, X.shape[0])
        n_samples, n_features = X.shape
        many = y.ndim == 2 and y.shape[1] > 1
        start = last_coefficients(self, (y.shape[1], n_features) if many else (n_features,))
        start = None if start is None else np.atleast_2d(start)
        penalty_factor = read_penalty_factor(self.penalty_factor, n_features)
        bounds = read_bounds(self.bounds, n_features, self.positive)
        from_zero = y.ndim == 1 and start is None and np.isfinite(np.vdot(y, y))
        design = weighted_design(X, weights, self.fit_intercept, y if from_zero else None)
        if not (np.isfinite(design.squares).all() and np.isfinite(np.vdot(y, y))):
            refuse_not_finite(self, X, y)
        targets = y.reshape(n_samples, -1)
        outcomes = []
        for k in range(targets.shape[1]):
            target = targets[:, k] if weights is None else design.root * targets[:, k]
            outcomes.append(
                solve(
                    design,
                    np.ascontiguousarray(target),
                    self.alpha,
                    self.l1_ratio,
                    tol=self.tol,
                    max_iter=self.max_iter,
                    n_samples=n_samples,
                    penalty_factor=penalty_factor,
                    bounds=bounds,
                    start=None if start is None else start[k],
                    callback=self.callback,
                    verbose=self.verbose,
                    name=type(self).__name__,
                )
            )
        coef = np.array([outcome.x for outcome in outcomes])
        intercepts = np.zeros(len(outcomes))
        if self.fit_intercept:
            intercepts = np.average(targets, axis=0, weights=weights) - coef @ design.means
            intercepts = as_given(intercepts, coef, offsets)
        gaps = np.array([outcome.gap for outcome in outcomes]) / n_samples
        self.coef_ = (coef if many else coef[0]).astype(X.dtype)
        self.intercept_ = intercepts.astype(X.dtype) if y.ndim == 2 else X.dtype.type(intercepts[0])
        if not self.fit_intercept:
            self.intercept_ = 0.0
        self.dual_gap_ = gaps if many else float(gaps[0])
        steps = [outcome.n_iter for outcome in outcomes]
        self.n_iter_ = steps if many else steps[0]
        return self


class Lasso(ElasticNet):
    """Least squares with an l1 penalty, certified by a duality gap.

    Minimises ``1 / (2 n_samples) ||y - X w - c||^2 + alpha ||w||_1``, as scikit-learn does; all
    parameters and attributes are those of :class:`ElasticNet` with ``l1_ratio=1``.

    Parameters
    ----------
    alpha, fit_intercept, precompute, copy_X, max_iter, tol, warm_start, positive, random_state
        See :class:`ElasticNet`.
    selection, penalty_factor, bounds, verbose, callback
        See :class:`ElasticNet`.

    Examples
    --------
    >>> from bcd import Lasso
    >>> model = Lasso(alpha=0.1).fit([[0, 0], [1, 1], [2, 2]], [0, 1, 2])
    >>> round(float(model.coef_.sum()), 2), round(float(model.intercept_), 2)
    (0.85, 0.15)
    """

    def __init__(
        self,
        alpha=1.0,
        *,
        fit_intercept=True,
        precompute=False,
        copy_X=True,
        max_iter=1000,
        tol=1e-4,
        warm_start=False,
        positive=False,
        random_state=None,
        selection="gs-q",
        penalty_factor=None,
        bounds=None,
        verbose=False,
        callback=None,
    ):
        super().__init__(
            alpha=alpha,
            l1_ratio=1.0,
            fit_intercept=fit_intercept,
            precompute=precompute,
            max_iter=max_iter,
            copy_X=copy_X,
            tol=tol,
            warm_start=warm_start,
            positive=positive,
            random_state=random_state,
            selection=selection,
            penalty_factor=penalty_factor,
            bounds=bounds,
            verbose=verbose,
            callback=callback,
        )
