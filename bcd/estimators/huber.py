"""Robust regression with Huber's loss and an l1 or l2 penalty, in scikit-learn's terms."""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from bcd.design import make_design, refuse_overflow
from bcd.estimators._base import LinearRegressor, check_settings, restoring, users_level
from bcd.estimators._glm import fit_scores, last_solution
from bcd.estimators._least_squares import read_bounds
from bcd.estimators._offsets import as_given, without_offsets
from bcd.estimators._validation import (
    LARGEST,
    check_number,
    penalty_factors,
    read_sample_weight,
    read_samples,
)
from problems.losses import HUBER

SCALE_STEPS = 100
FINER = 1e-5  # of tol, within the turns: their errors pile up


class HuberRegressor(LinearRegressor):
    """Linear regression that outliers cannot pull far, its scale estimated along.

    Minimises, as scikit-learn does, over the coefficients and the scale sigma > 0::

        sum_i s_i (sigma + sigma H((y_i - x_i w - c) / sigma))
            + alpha (l1_ratio ||w||_1 + (1 - l1_ratio) ||w||^2)

    with ``H(r) = r^2`` within epsilon and ``2 epsilon |r| - epsilon^2`` beyond. The objective is
    convex in both together. For a fixed scale the coefficients are a problem of :mod:`bcd.glm`,
    certified by a duality gap; the best scale for given residuals is a root in one unknown; the two
    are repaired in turn until the scale stands still.

    Parameters
    ----------
    epsilon : float, default=1.35
        Beyond ``epsilon * scale_`` a sample counts as an outlier; above 1 as in scikit-learn.
    max_iter : int, default=100
        Block updates at most, for each scale.
    alpha : float, default=0.0001
        Weight of the penalty, at least 0.
    l1_ratio : float, default=0.0
        Share of the l1 penalty, from 0 (scikit-learn's l2) to 1.
    warm_start : bool, default=False
        Whether to start from the last solution.
    fit_intercept : bool, default=True
        Whether to fit ``c``, which is never penalised.
    tol : float, default=1e-5
        Relative: on the duality gap for the final scale, and on the scale.
    scale : float, default=None
        The scale where it is known; it is then not estimated.
    penalty_factor : array-like of shape (n_features,), default=None
        Multiples of the whole penalty, feature by feature; 0 leaves a feature unpenalised.
    verbose : bool or int, default=False
        Whether to show a progress bar for each scale, see :class:`bcd.ElasticNet`.
    bounds : pair of (float or array-like of shape (n_features,)), default=None
        Lower and upper bounds of the coefficients; signs are bounds of 0.
    callback : callable, default=None
        Called with a :class:`bcd.working_set.Progress` after each block update; a true answer stops
        the run.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,)
    intercept_ : float
    scale_ : float
        In units of y.
    outliers_ : ndarray of shape (n_samples,), bool
        Samples beyond ``epsilon * scale_``.
    dual_gap_ : float
        Upper bound on how far the objective, at this scale, is from its minimum.
    n_iter_ : int
        Block updates performed, over all scales.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features_in_,)

    References
    ----------
    .. [1] Huber, Ronchetti (2009), "Robust Statistics", section 7.8 (scale estimated along).

    Examples
    --------
    >>> import numpy as np
    >>> from bcd import HuberRegressor
    >>> X, y = np.arange(10.0)[:, None], np.arange(10.0) * 2 + np.resize([0.1, -0.1], 10)
    >>> y[9] = 100.0
    >>> HuberRegressor().fit(X, y).coef_.round(1)
    array([2.])
    """

    def __init__(
        self,
        *,
        epsilon=1.35,
        max_iter=100,
        alpha=0.0001,
        l1_ratio=0.0,
        warm_start=False,
        fit_intercept=True,
        tol=1e-5,
        scale=None,
        penalty_factor=None,
        verbose=False,
        callback=None,
        bounds=None,
    ):
        self.epsilon = epsilon
        self.max_iter = max_iter
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.warm_start = warm_start
        self.fit_intercept = fit_intercept
        self.tol = tol
        self.scale = scale
        self.penalty_factor = penalty_factor
        self.verbose = verbose
        self.callback = callback
        self.bounds = bounds

    @restoring
    def fit(self, X, y, sample_weight=None):
        """Fit the model.

        Parameters
        ----------
        X : {ndarray, sparse array} of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
        sample_weight : float or array-like of shape (n_samples,), default=None
            A weight k counts as k repeats, 0 as removed.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If a parameter is out of its range, or X, y or the weights are empty, not finite or of
            lengths that do not match.

        Warns
        -----
        ConvergenceWarning
            If ``max_iter`` ran out for a scale, the scale did not settle, or rounding errors forbid
            the gap asked for.
        """
        check_number("epsilon", self.epsilon, 1.0, LARGEST)
        check_settings(self)
        if self.scale is not None:
            check_number("scale", self.scale, 0.0, LARGEST, above=True)
        X, y = read_samples(self, X, y, y_numeric=True)
        X, offsets = without_offsets(X, self.fit_intercept)
        y = np.asarray(y, dtype=np.float64)  # as it is mostly
        weights = read_sample_weight(sample_weight, X.shape[0])
        factor = self.alpha * penalty_factors(self.penalty_factor, X.shape[1])
        bounds = read_bounds(self.bounds, X.shape[1], False)
        design = make_design(X, np.ones(len(y)) if self.fit_intercept else np.empty(0))
        refuse_overflow(design, y)
        start = last_solution(self, X.shape[1], offsets)
        if start is None:
            start = np.zeros(X.shape[1]), float(np.median(y)) if self.fit_intercept else 0.0
        residual = y - X @ start[0] - start[1]
        smallest = 10.0 * np.finfo(np.float64).eps * max(float(np.abs(y).max()), 1e-290)
        scale = (
            self.scale if self.scale is not None else best_scale(residual, weights, self.epsilon)
        )
        scale, n_iter = max(scale, smallest), 0
        settled, stopped = False, False

        def report(progress):
            nonlocal stopped
            stopped = stopped or bool(self.callback(progress))
            return stopped

        for _ in range(SCALE_STEPS):
            # divided by 2 / sigma: the loss of ``bcd.glm`` is half a square
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                result, at_zero = fit_scores(
                    X,
                    y,
                    weights,
                    tag=HUBER,
                    parameter=self.epsilon * scale,
                    intercept=self.fit_intercept,
                    l1=0.5 * scale * self.l1_ratio * factor,
                    l2=scale * (1.0 - self.l1_ratio) * factor,
                    tol=FINER * self.tol,
                    max_iter=self.max_iter,
                    bounds=bounds,
                    start=start,
                    design=design,
                    verbose=self.verbose,
                    callback=None if self.callback is None else report,
                    name=type(self).__name__,
                )
            n_iter += result.n_iter
            start = result.x, result.extra["intercept"]
            residual = y - X @ start[0] - start[1]
            if stopped or self.scale is not None:
                settled = not stopped
                break
            new = max(best_scale(residual, weights, self.epsilon), smallest)
            settled = abs(new - scale) <= max(FINER * self.tol, 1e-14) * scale or new == smallest
            if settled:
                break
            scale = new
        if not (settled and result.gap <= self.tol * at_zero):
            warnings.warn(
                f"not converged: duality gap {result.gap:.3e}, tolerance {self.tol * at_zero:.3e}, "
                f"scale {scale:.3e}; {result.status.value}.",
                ConvergenceWarning,
                stacklevel=users_level(),
            )
        self.coef_ = start[0].astype(X.dtype)
        self.intercept_ = X.dtype.type(as_given(start[1], start[0], offsets))
        self.scale_ = float(scale)
        self.outliers_ = np.abs(residual) > self.epsilon * scale
        self.dual_gap_ = 2.0 * result.gap / scale
        self.n_iter_ = n_iter
        return self


def best_scale(residual, weights, epsilon: float) -> float:
    """Return the scale that minimises Huber's joint objective for given residuals.

    Its derivative in sigma vanishes where the inliers' weighted squares sum to ``sigma^2`` times
    the weight of all less ``epsilon^2`` times that of the outliers; sorted residuals make every
    choice of outliers a prefix sum.
    """
    order = np.argsort(np.abs(residual))
    size, weight = np.abs(residual)[order], weights[order]
    squares = np.concatenate([[0.0], np.cumsum(weight * size**2)])
    outside = weight.sum() - np.concatenate([[0.0], np.cumsum(weight)])
    room = weight.sum() - epsilon**2 * outside
    for inliers in range(len(size), 0, -1):
        if room[inliers] <= 0.0:
            break
        scale = float(np.sqrt(squares[inliers] / room[inliers]))
        if size[inliers - 1] <= epsilon * scale * (1.0 + 1e-12) and (
            inliers == len(size) or size[inliers] >= epsilon * scale * (1.0 - 1e-12)
        ):
            return scale
    return 0.0
