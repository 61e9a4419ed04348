"""Poisson regression with an l1 or l2 penalty in scikit-learn's terms."""

from __future__ import annotations

import numpy as np

from bcd.estimators._base import LinearRegressor, check_settings, restoring
from bcd.estimators._glm import fit_scores, last_solution
from bcd.estimators._least_squares import read_bounds
from bcd.estimators._offsets import as_given, without_offsets
from bcd.estimators._validation import read_sample_weight, read_samples, split_penalty
from problems.losses import POISSON


class PoissonRegressor(LinearRegressor):
    """Poisson regression with a logarithmic link, certified by a duality gap.

    Minimises, with ``s`` the sample weights divided by their sum::

        sum_i s_i (exp(z_i) - y_i z_i) + alpha l1_ratio ||w||_1 + alpha (1 - l1_ratio) / 2 ||w||^2

    with ``z = X w + c``: scikit-learn's objective, to which ``l1_ratio`` is added.

    Parameters
    ----------
    alpha : float, default=1.0
        Weight of the penalty, at least 0.
    l1_ratio : float, default=0.0
        Share of the l1 penalty, from 0 (scikit-learn's l2) to 1.
    fit_intercept : bool, default=True
        Whether to fit ``c``, which is never penalised.
    solver : str, default="gs-q"
        scikit-learn's names are accepted and mean the same.
    max_iter : int, default=100
        Block updates at most.
    tol : float, default=1e-4
        The run ends when the duality gap is at most ``tol`` times the loss of the best model
        without features.
    warm_start : bool, default=False
        Whether to start from the last solution.
    verbose : int, default=0
        Whether to show a progress bar, see :class:`bcd.ElasticNet`.
    penalty_factor : array-like of shape (n_features,), default=None
        Multiples of the whole penalty, feature by feature; 0 leaves a feature unpenalised.
    bounds : pair of (float or array-like of shape (n_features,)), default=None
        Lower and upper bounds of the coefficients; signs are bounds of 0.
    callback : callable, default=None
        Called with a :class:`bcd.working_set.Progress` after each block update; a true answer stops
        the run.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,)
    intercept_ : float
    dual_gap_ : float
        Upper bound on how far the objective above is from its minimum.
    n_iter_ : int
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features_in_,)

    Examples
    --------
    >>> from bcd import PoissonRegressor
    >>> model = PoissonRegressor(alpha=0.1, l1_ratio=1.0).fit([[0, 1], [1, 0], [2, 0]], [1, 2, 6])
    >>> model.coef_.round(2), round(float(model.predict([[1, 0]])[0]), 1)
    (array([0.88, 0.  ]), 2.4)
    """

    def __init__(
        self,
        *,
        alpha=1.0,
        l1_ratio=0.0,
        fit_intercept=True,
        solver="gs-q",
        max_iter=100,
        tol=1e-4,
        warm_start=False,
        verbose=0,
        penalty_factor=None,
        callback=None,
        bounds=None,
    ):
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.fit_intercept = fit_intercept
        self.solver = solver
        self.max_iter = max_iter
        self.tol = tol
        self.warm_start = warm_start
        self.verbose = verbose
        self.penalty_factor = penalty_factor
        self.callback = callback
        self.bounds = bounds

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.positive_only = True
        return tags

    @restoring
    def fit(self, X, y, sample_weight=None):
        """Fit the model.

        Parameters
        ----------
        X : {ndarray, sparse array} of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
            Counts or rates, not negative and not all zero.
        sample_weight : float or array-like of shape (n_samples,), default=None
            A weight k counts as k repeats, 0 as removed.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If a parameter is out of its range, y is negative somewhere or zero everywhere, or X, y
            or the weights are empty, not finite or of lengths that do not match.

        Warns
        -----
        ConvergenceWarning
            If ``max_iter`` ran out, or rounding errors forbid the gap asked for.
        """
        check_settings(self)
        X, y = read_samples(self, X, y, y_numeric=True)
        X, offsets = without_offsets(X, self.fit_intercept)
        y = np.asarray(y, dtype=np.float64)  # as it is mostly
        if (y < 0.0).any():
            i = np.flatnonzero(y < 0.0)[0]
            raise ValueError(f"y must not be negative for Poisson regression, got {y[i]} at {i}.")
        weights = read_sample_weight(sample_weight, X.shape[0])
        if not (y @ weights > 0.0):
            raise ValueError("y must hold a count above zero, got zeros only (weights regarded).")
        weights = weights / weights.sum()
        l1, l2 = split_penalty(self.penalty_factor, X.shape[1], self.alpha, self.l1_ratio)
        bounds = read_bounds(self.bounds, X.shape[1], False)
        result, _ = fit_scores(
            X,
            y,
            weights,
            tag=POISSON,
            intercept=self.fit_intercept,
            l1=l1,
            l2=l2,
            tol=self.tol,
            max_iter=self.max_iter,
            bounds=bounds,
            start=last_solution(self, X.shape[1], offsets),
            verbose=self.verbose,
            callback=self.callback,
            name=type(self).__name__,
        )
        self.coef_ = result.x.astype(X.dtype)
        self.intercept_ = X.dtype.type(as_given(result.extra["intercept"], result.x, offsets))
        self.dual_gap_ = result.gap
        self.n_iter_ = result.n_iter
        return self

    def predict(self, X):
        """Return the expected counts ``exp(X @ coef_ + intercept_)``.

        Parameters
        ----------
        X : {ndarray, sparse array} of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,)
            In units of y.
        """
        return np.exp(self._scores(X))

    def score(self, X, y, sample_weight=None):
        """Return D^2, the share of the deviance that the model explains, as scikit-learn does.

        Parameters
        ----------
        X : {ndarray, sparse array} of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        float
            At most 1; 0 for a constant prediction of the mean.
        """
        from sklearn.metrics import d2_tweedie_score

        return d2_tweedie_score(y, self.predict(X), sample_weight=sample_weight, power=1)
