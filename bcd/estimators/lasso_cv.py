"""Lasso and ElasticNet whose penalty is chosen by cross-validation, all folds on one copy of X."""

from __future__ import annotations

import numbers

import numpy as np
import scipy.sparse as sp
from joblib import Parallel, delayed
from numpy.typing import NDArray
from sklearn.utils.validation import column_or_1d

from bcd.design import project_out, refuse_overflow
from bcd.estimators._base import (
    check_settings,
    last_coefficients,
    restoring,
    warn_unless_solved,
)
from bcd.estimators._folds import SplitsSamples, split_samples
from bcd.estimators._least_squares import read_bounds, solve_quietly, weighted_design
from bcd.estimators._offsets import as_given, without_offsets
from bcd.estimators._validation import (
    check_number,
    read_data,
    read_penalty_factor,
    read_weights,
)
from bcd.estimators.lasso import ElasticNet
from bcd.knots import follow_alphas
from bcd.path import geometric_alphas, largest_alpha, read_alphas
from bcd.progress import counted

FINAL_TOL, FINEST = 0.01, 1e-8  # of tol, and no less: to be precise costs little beside the folds
FOLD_TOL = 0.1  # of tol: errors of neighbouring penalties, whose differences choose, are alike


def _fold_errors(X, y, weights, train, test, alphas, l1_ratio, fit_intercept, settings) -> NDArray:
    """Mean squared errors on one fold along a path; the other rows take part with weight zero."""
    mask = np.zeros(X.shape[0])
    mask[train] = 1.0 if weights is None else weights[train]
    design = weighted_design(X, mask, fit_intercept, y)
    path = follow_alphas(
        design, design.root * y, alphas, l1_ratio, n_samples=mask.sum(), **settings
    )
    ever = np.flatnonzero((path.x != 0.0).any(axis=0))
    coefs = path.x[:, ever]
    if sp.issparse(X):
        fitted = (X[:, ever] @ coefs.T)[test]
    else:
        fitted = X[np.ix_(test, ever)] @ coefs.T
    left = y[test, None] - fitted
    if fit_intercept:
        left -= np.average(y, weights=mask) - coefs @ design.means[ever]
    return np.average(left**2, axis=0, weights=None if weights is None else weights[test])


class ElasticNetCV(SplitsSamples, ElasticNet):
    """Elastic net whose ``alpha`` (and ``l1_ratio``) has the least cross-validated squared error.

    The objective is that of :class:`bcd.ElasticNet`. Each fold is a path of warm starts on all of
    X, in which the rows left out weigh nothing: X is never copied.

    Parameters
    ----------
    l1_ratio : float or array-like, default=0.5
        Above 0; several are compared.
    eps : float, default=1e-3
        Last alpha of the grid, relative to the first.
    alphas : int or array-like, default=100
        Length of a geometric grid, or the penalties themselves.
    cv : int, splitter or iterable, default=None
        As in scikit-learn; 5 folds when None.
    n_jobs : int, default=None
        Threads over folds; they share X.
    verbose : bool or int, default=0
        Whether to show a progress bar over folds and shares, then one of the final fit.
    fit_intercept, precompute, max_iter, tol, copy_X, positive, random_state, selection
        See :class:`bcd.ElasticNet`.
    penalty_factor, bounds
        See :class:`bcd.ElasticNet`.
    warm_start : bool, default=False
        Whether the final fit starts from the last solution; each fold's path starts where its
        largest penalty leaves no feature.
    callback : callable, default=None
        Called with a :class:`bcd.working_set.Progress` after each block update of the final fit; a
        true answer stops that.

    Attributes
    ----------
    alpha_, l1_ratio_ : float
        Those chosen.
    alphas_ : ndarray of shape (n_alphas,) or (n_l1_ratios, n_alphas)
    mse_path_ : ndarray of shape (n_alphas, n_folds) or (n_l1_ratios, n_alphas, n_folds)
    coef_, intercept_, dual_gap_, n_iter_, n_features_in_, feature_names_in_
        Of the final fit on all of X; see :class:`bcd.ElasticNet`.

    Examples
    --------
    >>> from bcd import ElasticNetCV
    >>> from sklearn.datasets import make_regression
    >>> X, y = make_regression(n_samples=60, n_features=5, noise=1.0, random_state=0)
    >>> model = ElasticNetCV(cv=3, alphas=20).fit(X, y)
    >>> model.mse_path_.shape
    (20, 3)
    """

    def __init__(
        self,
        *,
        l1_ratio=0.5,
        eps=1e-3,
        alphas=100,
        fit_intercept=True,
        precompute="auto",
        max_iter=1000,
        tol=1e-4,
        cv=None,
        copy_X=True,
        verbose=0,
        n_jobs=None,
        positive=False,
        random_state=None,
        selection="gs-q",
        penalty_factor=None,
        bounds=None,
        warm_start=False,
        callback=None,
    ):
        super().__init__(
            l1_ratio=l1_ratio,
            fit_intercept=fit_intercept,
            precompute=precompute,
            max_iter=max_iter,
            copy_X=copy_X,
            tol=tol,
            positive=positive,
            random_state=random_state,
            selection=selection,
            penalty_factor=penalty_factor,
            bounds=bounds,
            verbose=verbose,
            warm_start=warm_start,
            callback=callback,
        )
        self.eps = eps
        self.alphas = alphas
        self.cv = cv
        self.n_jobs = n_jobs

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = False
        return tags

    @restoring
    def fit(self, X, y, sample_weight=None, **params):
        """Choose the penalty by cross-validation, then fit on all of X.

        Parameters
        ----------
        X : {ndarray, sparse array} of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
        sample_weight : float or array-like of shape (n_samples,), default=None
            In the fits and in the errors.
        **params : dict
            Handed to the splitter's ``split``, for example ``groups``, where scikit-learn's
            metadata routing is enabled.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            As :meth:`bcd.ElasticNet.fit`, or if y has several columns.
        """
        for ratio in np.atleast_1d(self.l1_ratio):
            check_number("l1_ratio", ratio, 0.0, 1.0)
        check_number("eps", self.eps, 0.0, 1.0, above=True)
        check_settings(self, "l1_ratio")
        X, y = read_data(self, X, y)
        if y.ndim == 2 and y.shape[1] > 1:
            raise ValueError(
                f"y must have one column, got {y.shape[1]}; fit one model a column, mono-task."
            )
        y = column_or_1d(y, warn=True)
        X, offsets = without_offsets(X, self.fit_intercept)
        weights = read_weights(sample_weight, X.shape[0])
        n_samples, n_features = X.shape
        settings = {
            "tol": self.tol,
            "max_iter": self.max_iter,
            "penalty_factor": read_penalty_factor(self.penalty_factor, n_features),
            "bounds": read_bounds(self.bounds, n_features, self.positive),
        }
        start = last_coefficients(self, (n_features,))
        design = weighted_design(X, weights, self.fit_intercept, y)
        refuse_overflow(design, y)
        target = y if weights is None else design.root * y
        ratios = np.atleast_1d(self.l1_ratio).astype(np.float64)
        grids = [self._grid(design, target, ratio, settings) for ratio in ratios]
        fold_settings = settings | {"tol": FOLD_TOL * self.tol}
        folds = split_samples(self, X, y, params, weights)
        running = Parallel(n_jobs=self.n_jobs, prefer="threads", return_as="generator")(
            delayed(_fold_errors)(
                X, y, weights, train, test, grid, ratio, self.fit_intercept, fold_settings
            )
            for ratio, grid in zip(ratios, grids, strict=True)
            for train, test in folds
        )
        errors = counted(running, len(ratios) * len(folds), type(self).__name__, self.verbose)
        path = np.array(errors).reshape(len(ratios), len(folds), -1)
        means = path.mean(axis=1)  # over folds, whatever their weights sum to, as scikit-learn
        best_ratio, best = np.unravel_index(np.argmin(means), means.shape)
        self.alpha_ = float(grids[best_ratio][best])
        self.l1_ratio_ = float(ratios[best_ratio])
        several = np.ndim(self.l1_ratio) > 0
        given = not isinstance(self.alphas, numbers.Integral)
        self.alphas_ = np.array(grids) if several and not given else grids[0]
        self.mse_path_ = np.squeeze(np.moveaxis(path, 1, 2)) if several else path[0].T
        precise = {"tol": max(FINAL_TOL * self.tol, min(self.tol, FINEST))}
        result = solve_quietly(
            design,
            np.ascontiguousarray(target),
            self.alpha_,
            self.l1_ratio_,
            n_samples=n_samples,
            start=start,
            callback=self.callback,
            verbose=self.verbose,
            name=type(self).__name__,
            **settings | precise,
        )
        b = project_out(design.u, target)
        if not result.gap <= self.tol * float(b @ b):
            warn_unless_solved(result, self.tol * float(b @ b), n_samples)
        self.coef_ = result.x.astype(X.dtype)
        self.intercept_ = 0.0
        if self.fit_intercept:
            intercept = np.average(y, weights=weights) - result.x @ design.means
            self.intercept_ = X.dtype.type(as_given(intercept, result.x, offsets))
        self.dual_gap_ = result.gap / n_samples
        self.n_iter_ = result.n_iter
        return self

    def _grid(self, design, target, l1_ratio: float, settings: dict) -> NDArray:
        if not isinstance(self.alphas, numbers.Integral):
            return read_alphas(self.alphas)
        check_number("alphas", self.alphas, 1)
        if l1_ratio == 0.0:
            raise ValueError(
                "alphas must be given where l1_ratio=0, got the number "
                f"{self.alphas} of a grid, whose largest alpha only an l1 penalty has."
            )
        largest = largest_alpha(
            design,
            target,
            l1_ratio,
            design.shape[0],
            settings["penalty_factor"],
            settings["bounds"],
        )
        return geometric_alphas(largest, self.eps, int(self.alphas))


class LassoCV(ElasticNetCV):
    """Lasso whose ``alpha`` has the least cross-validated squared error.

    Parameters and attributes are those of :class:`bcd.ElasticNetCV` with ``l1_ratio=1``.

    Parameters
    ----------
    eps, alphas, cv, n_jobs
        See :class:`bcd.ElasticNetCV`.
    fit_intercept, precompute, max_iter, tol, copy_X, verbose, positive, random_state, selection
        See :class:`bcd.ElasticNet`.
    penalty_factor, bounds, warm_start, callback
        See :class:`bcd.ElasticNetCV`.

    Examples
    --------
    >>> from bcd import LassoCV
    >>> from sklearn.datasets import make_regression
    >>> X, y = make_regression(n_samples=60, n_features=5, noise=1.0, random_state=0)
    >>> model = LassoCV(cv=3).fit(X, y)
    >>> bool(0 < model.alpha_ < model.alphas_[0])
    True
    """

    def __init__(
        self,
        *,
        eps=1e-3,
        alphas=100,
        fit_intercept=True,
        precompute="auto",
        max_iter=1000,
        tol=1e-4,
        copy_X=True,
        cv=None,
        verbose=False,
        n_jobs=None,
        positive=False,
        random_state=None,
        selection="gs-q",
        penalty_factor=None,
        bounds=None,
        warm_start=False,
        callback=None,
    ):
        super().__init__(
            l1_ratio=1.0,
            eps=eps,
            alphas=alphas,
            fit_intercept=fit_intercept,
            precompute=precompute,
            max_iter=max_iter,
            tol=tol,
            copy_X=copy_X,
            cv=cv,
            verbose=verbose,
            n_jobs=n_jobs,
            positive=positive,
            random_state=random_state,
            selection=selection,
            penalty_factor=penalty_factor,
            bounds=bounds,
            warm_start=warm_start,
            callback=callback,
        )
