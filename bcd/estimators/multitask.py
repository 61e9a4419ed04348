"""Least squares with many targets that share their features, in scikit-learn's terms."""

from __future__ import annotations

import numpy as np
from sklearn.base import MultiOutputMixin

from bcd.design import Design, refuse_overflow
from bcd.estimators._base import (
    LinearRegressor,
    check_settings,
    last_coefficients,
    restoring,
    warn_unless_solved,
)
from bcd.estimators._offsets import as_given, without_offsets
from bcd.estimators._validation import (
    read_data,
    read_penalty_factor,
    read_weights,
    refuse_large_penalties,
)
from bcd.estimators.group import weighted_design
from bcd.group_loop import run_group_loop
from bcd.least_squares import solve_smooth
from bcd.multitask import MultiTaskRows
from bcd.progress import reporting
from bcd.working_set import solve_working_sets


class MultiTaskElasticNet(MultiOutputMixin, LinearRegressor):
    """Least squares for many targets at once, with an l1/l2 row penalty and a squared l2 penalty.

    Minimises, as scikit-learn does::

        1 / (2 n_samples) ||Y - X W - c||^2 + alpha l1_ratio sum_j ||W_j||_2
            + alpha (1 - l1_ratio) / 2 ||W||^2

    over W of shape (n_features, n_targets), certified by a duality gap: features are kept or left
    out for all targets together. Greedy working sets of rows, see :mod:`bcd.group_loop`.

    Parameters
    ----------
    alpha : float, default=1.0
        Weight of the penalty, at least 0.
    l1_ratio : float, default=0.5
        Share of the row penalty, from 0 (ridge) to 1 (MultiTaskLasso).
    fit_intercept : bool, default=True
        Whether to fit ``c``, which is never penalised. Sparse X is centred without densifying it.
    copy_X : bool, default=True
        Accepted for scikit-learn's sake and without effect: X is never changed.
    max_iter : int, default=1000
        Block updates at most, each of a whole working set.
    tol : float, default=1e-4
        The run ends when the duality gap is at most ``tol * ||Y||^2 / n_samples`` (Y centred when
        an intercept is fitted), as in scikit-learn.
    warm_start : bool, default=False
        Whether to start from the last solution.
    random_state : int, RandomState instance or None, default=None
        Accepted for scikit-learn's sake and without effect.
    selection : str, default="gs-q"
        How blocks are chosen: ``"gs-q"`` takes greedy working sets, each solved exactly.
    penalty_factor : array-like of shape (n_features,), default=None
        Multiples of the whole penalty, feature by feature (for all targets alike); 0 leaves a
        feature unpenalised. They are taken as they are, not rescaled.
    verbose : bool or int, default=False
        Whether to show a progress bar, see :class:`bcd.ElasticNet`.
    callback : callable, default=None
        Called with a :class:`bcd.group_loop.Progress` after each block update; a true answer stops
        the run.

    Attributes
    ----------
    coef_ : ndarray of shape (n_targets, n_features)
        In the number type of X.
    sparse_coef_ : sparse matrix of shape (n_targets, n_features)
    intercept_ : ndarray of shape (n_targets,)
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

    Examples
    --------
    >>> from bcd import MultiTaskElasticNet
    >>> X = Y = [[0, 0], [1, 1], [2, 2]]
    >>> model = MultiTaskElasticNet(alpha=0.1).fit(X, Y)
    >>> model.coef_.round(2)
    array([[0.46, 0.46],
           [0.46, 0.46]])
    """

    def __init__(
        self,
        alpha=1.0,
        *,
        l1_ratio=0.5,
        fit_intercept=True,
        copy_X=True,
        max_iter=1000,
        tol=1e-4,
        warm_start=False,
        random_state=None,
        selection="gs-q",
        penalty_factor=None,
        verbose=False,
        callback=None,
    ):
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.fit_intercept = fit_intercept
        self.copy_X = copy_X
        self.max_iter = max_iter
        self.tol = tol
        self.warm_start = warm_start
        self.random_state = random_state
        self.selection = selection
        self.penalty_factor = penalty_factor
        self.verbose = verbose
        self.callback = callback

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.single_output = False
        return tags

    @restoring
    def fit(self, X, y, sample_weight=None):
        """Fit the model.

        Parameters
        ----------
        X : {ndarray, sparse array} of shape (n_samples, n_features)
            Dense (C or Fortran order) or sparse (compressed by columns; other formats are
            converted, with 32-bit or 64-bit indices), float32 or float64.
        y : array-like of shape (n_samples, n_targets)
        sample_weight : float or array-like of shape (n_samples,), default=None
            A weight k counts as k repeats, 0 as removed. Scaled to the sum n_samples.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If a parameter is out of its range, a penalty factor is negative, y has one dimension
            only, or X, y or the weights are empty, not finite or of lengths that do not match.

        Warns
        -----
        ConvergenceWarning
            If ``max_iter`` ran out, or rounding errors forbid the gap asked for.
        """
        check_settings(self)
        X, y = read_data(self, X, y)
        if y.ndim == 1:
            raise ValueError(
                f"For mono-task outputs, use {type(self).__name__.removeprefix('MultiTask')}: "
                f"y must be of shape (n_samples, n_targets), got {y.shape}."
            )
        X, offsets = without_offsets(X, self.fit_intercept)
        weights = read_weights(sample_weight, X.shape[0])
        design, root = weighted_design(X, weights, self.fit_intercept)
        refuse_overflow(design, y)
        targets = y if root is None else root[:, None] * y
        W, gap, n_iter = self._solve(design, targets)
        intercept = np.zeros(y.shape[1])
        if self.fit_intercept:
            intercept = np.average(y, axis=0, weights=weights) - design.means @ W
            intercept = as_given(intercept, W.T, offsets)
        self.coef_ = np.ascontiguousarray(W.T, dtype=X.dtype)
        self.intercept_ = intercept.astype(X.dtype)
        self.dual_gap_ = gap / X.shape[0]
        self.n_iter_ = n_iter
        return self

    def _solve(self, design: Design, targets):
        n_samples, n_features = design.shape
        factor = read_penalty_factor(self.penalty_factor, n_features)
        alike = factor is None
        factor = np.ones(n_features) if factor is None else factor
        names = "alpha" if alike else "alpha and penalty_factor"
        refuse_large_penalties(names, n_samples, self.alpha, factor)
        weight = n_samples * self.alpha * self.l1_ratio
        l2 = n_samples * self.alpha * (1.0 - self.l1_ratio)
        centered = targets
        if len(design.u):
            u = design.u
            centered = targets - np.outer(u, u @ targets / (u @ u))
        tol = self.tol * float(np.vdot(centered, centered))
        if weight == 0.0:  # the targets are then problems of their own
            share = tol / targets.shape[1]
            each = []
            for b in np.ascontiguousarray(centered.T):
                if alike or l2 == 0.0:
                    each.append(solve_smooth(design, b, l2, tol=share))
                else:
                    ridge = np.zeros(n_features), l2 * factor
                    settings = {"tol": share, "max_iter": self.max_iter}
                    each.append(solve_working_sets(design, b, *ridge, **settings))
                warn_unless_solved(each[-1], share, n_samples)
            W = np.column_stack([result.x for result in each])
            return W, sum(result.gap for result in each), max(result.n_iter for result in each)
        start = last_coefficients(self, (targets.shape[1], n_features))
        W0 = None if start is None else start.T
        problem = MultiTaskRows(design, centered, weight * factor, l2 * factor, W0)
        with reporting(type(self).__name__, tol, self.verbose, self.callback) as report:
            result = run_group_loop(problem, tol=tol, max_iter=self.max_iter, callback=report)
        warn_unless_solved(result, tol, n_samples)
        return result.x, result.gap, result.n_iter


class MultiTaskLasso(MultiTaskElasticNet):
    """Least squares for many targets at once with an l1/l2 row penalty, certified by a duality gap.

    Minimises ``1 / (2 n_samples) ||Y - X W - c||^2 + alpha sum_j ||W_j||_2``, as scikit-learn does.

    Parameters
    ----------
    alpha, fit_intercept, copy_X, max_iter, tol, warm_start, random_state, selection
        See :class:`MultiTaskElasticNet`, of which this is the case ``l1_ratio=1``.
    penalty_factor, verbose, callback
        See :class:`MultiTaskElasticNet`.

    Examples
    --------
    >>> from bcd import MultiTaskLasso
    >>> model = MultiTaskLasso(alpha=0.1, tol=1e-8)
    >>> model = model.fit([[0, 1], [1, 2], [2, 4]], [[0, 0], [1, 1], [2, 3]])
    >>> model.coef_.round(2)
    array([[0.  , 0.61],
           [0.  , 0.95]])
    """

    def __init__(
        self,
        alpha=1.0,
        *,
        fit_intercept=True,
        copy_X=True,
        max_iter=1000,
        tol=1e-4,
        warm_start=False,
        random_state=None,
        selection="gs-q",
        penalty_factor=None,
        verbose=False,
        callback=None,
    ):
        super().__init__(
            alpha=alpha,
            l1_ratio=1.0,
            fit_intercept=fit_intercept,
            copy_X=copy_X,
            max_iter=max_iter,
            tol=tol,
            warm_start=warm_start,
            random_state=random_state,
            selection=selection,
            penalty_factor=penalty_factor,
            verbose=verbose,
            callback=callback,
        )
