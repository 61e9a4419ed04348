"""Logistic regression with group penalties, in the terms of GroupLasso and LogisticRegression."""

from __future__ import annotations

import numpy as np
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import column_or_1d

from bcd.design import make_design, refuse_overflow
from bcd.estimators._base import LogisticClassifier, check_settings, restoring, warn_unless_solved
from bcd.estimators._glm import last_solution
from bcd.estimators._offsets import as_given, without_offsets
from bcd.estimators._validation import (
    check_number,
    penalty_factors,
    read_samples,
    refuse_large_penalties,
)
from bcd.estimators.logistic import read_labels, weigh_samples
from bcd.glm_scores import Scores
from bcd.group_logistic import LogisticGroups
from bcd.group_loop import run_group_loop
from bcd.group_structure import read_group_weights, read_groups
from bcd.progress import reporting
from problems.losses import LOGISTIC


class GroupLogisticRegression(LogisticClassifier):
    """Logistic regression of two classes with a (sparse) group penalty, certified by a duality gap.

    Minimises, scaled as :class:`bcd.LogisticRegression` is::

        C sum_i s_i loss_i + l1_ratio ||w||_1 + (1 - l1_ratio) sum_g weights_g ||w_g||_2

    (``penalty_factor`` weighs the entries of ``||w||_1``)

    with ``s_i`` sample weight times class weight, by greedy working sets of groups (see
    :mod:`bcd.group_loop`) and proximal Newton steps (see :mod:`bcd.group_logistic`).

    Parameters
    ----------
    C : float, default=1.0
        Inverse weight of the penalty, above 0.
    l1_ratio : float, default=0.0
        Share of the l1 penalty, from 0 (group Lasso) through the sparse group Lasso to 1 (l1).
    groups, weights
        See :class:`bcd.SparseGroupLasso`.
    fit_intercept : bool, default=True
        Whether to fit an intercept, which is never penalised.
    class_weight : dict or "balanced", default=None
        Multiples of the samples' weights, class by class; ``"balanced"`` makes classes weigh alike.
    max_iter : int, default=1000
        Block updates at most, each of a whole working set.
    tol : float, default=1e-4
        The run ends when the duality gap is at most ``tol`` times the loss of the best model
        without features.
    warm_start : bool, default=False
        Whether to start from the last solution.
    positive : bool, default=False
        Whether to require ``w >= 0``.
    penalty_factor : array-like of shape (n_features,), default=None
        Multiples of the l1 penalty, see :class:`bcd.SparseGroupLasso`.
    verbose : bool or int, default=False
        Whether to show a progress bar, see :class:`bcd.ElasticNet`.
    callback : callable, default=None
        Called with a :class:`bcd.group_loop.Progress` after each block update; a true answer stops
        the run.

    Attributes
    ----------
    classes_ : ndarray of shape (2,)
    coef_ : ndarray of shape (1, n_features)
        In the number type of X.
    sparse_coef_ : sparse matrix of shape (1, n_features)
    intercept_ : ndarray of shape (1,)
    dual_gap_ : float
        Upper bound on how far ``sum_i s_i loss_i + penalty / C`` is from its minimum.
    n_iter_ : int
        Block updates performed.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features_in_,)

    References
    ----------
    .. [1] Meier, van de Geer, Buehlmann (2008), "The Group Lasso for Logistic Regression",
       JRSS B 70, equation 2.
    .. [2] Ndiaye, Fercoq, Gramfort, Salmon (2017), "Gap Safe Screening Rules for Sparsity Enforcing
       Penalties", JMLR 18, section 4.

    Examples
    --------
    >>> from bcd import GroupLogisticRegression
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.preprocessing import StandardScaler
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = GroupLogisticRegression(C=0.03, groups=10).fit(StandardScaler().fit_transform(X), y)
    >>> (model.coef_.reshape(3, 10) != 0).all(axis=1).tolist()
    [True, False, True]
    """

    def __init__(
        self,
        C=1.0,
        *,
        l1_ratio=0.0,
        groups=1,
        weights=None,
        fit_intercept=True,
        class_weight=None,
        max_iter=1000,
        tol=1e-4,
        warm_start=False,
        positive=False,
        penalty_factor=None,
        verbose=False,
        callback=None,
    ):
        self.C = C
        self.l1_ratio = l1_ratio
        self.groups = groups
        self.weights = weights
        self.fit_intercept = fit_intercept
        self.class_weight = class_weight
        self.max_iter = max_iter
        self.tol = tol
        self.warm_start = warm_start
        self.positive = positive
        self.penalty_factor = penalty_factor
        self.verbose = verbose
        self.callback = callback

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags

    @restoring
    def fit(self, X, y, sample_weight=None):
        """Fit the model.

        Parameters
        ----------
        X : {ndarray, sparse array} of shape (n_samples, n_features)
            Dense (C or Fortran order) or sparse (compressed by columns; other formats are
            converted, with 32-bit or 64-bit indices), float32 or float64.
        y : array-like of shape (n_samples,)
            Labels of two classes.
        sample_weight : float or array-like of shape (n_samples,), default=None
            A weight k counts as k repeats, 0 as removed.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If a parameter is out of its range, groups overlap or do not cover the features, a
            factor is negative, y does not hold two classes, or X, y or the weights are empty, not
            finite or of lengths that do not match.

        Warns
        -----
        ConvergenceWarning
            If ``max_iter`` ran out, or rounding errors forbid the gap asked for.
        """
        check_number("C", self.C, 0.0, above=True)
        check_settings(self)
        X, y = read_samples(self, X, y)
        X, offsets = without_offsets(X, self.fit_intercept)
        kind = type_of_target(y, input_name="y", raise_unknown=True)
        if kind != "binary":
            raise ValueError(
                "y must hold two classes. Only binary classification is supported. "
                f"The type of the target is {kind}."
            )
        y = column_or_1d(y, warn=True)
        classes, label = read_labels(y)
        weights = weigh_samples(self.class_weight, sample_weight, classes, label, y)
        result, intercept = self._solve(X, np.where(label == 1, 1.0, -1.0), weights, offsets)
        self.classes_ = classes
        self.coef_ = result.x[None, :].astype(X.dtype)
        self.intercept_ = np.array([as_given(intercept, result.x, offsets)]).astype(X.dtype)
        self.dual_gap_ = result.gap
        self.n_iter_ = result.n_iter
        return self

    def _solve(self, X, signs, weights, offsets):
        n_samples, n_features = X.shape
        groups = read_groups(self.groups, n_features)
        factors = read_group_weights(self.weights, groups)
        own = penalty_factors(self.penalty_factor, n_features)
        refuse_large_penalties("weights and 1 / C", factors, 1.0 / self.C)
        refuse_large_penalties("penalty_factor and 1 / C", own, 1.0 / self.C)
        scores = Scores(LOGISTIC, 0.0, signs, weights, self.fit_intercept)
        tol = self.tol * scores.start()
        start = last_solution(self, n_features, offsets)
        x0, intercept0 = (None, 0.0) if start is None else (start[0][0], float(start[1][0]))
        design = make_design(X, np.ones(n_samples) if self.fit_intercept else np.empty(0))
        refuse_overflow(design)
        problem = LogisticGroups(
            design,
            scores,
            groups,
            own * (self.l1_ratio / self.C),
            factors * ((1.0 - self.l1_ratio) / self.C),
            positive=self.positive,
            x0=x0,
            intercept0=intercept0,
        )
        with reporting(type(self).__name__, tol, self.verbose, self.callback) as report:
            result = run_group_loop(problem, tol=tol, max_iter=self.max_iter, callback=report)
        warn_unless_solved(result, tol)
        return result, problem.intercept()
