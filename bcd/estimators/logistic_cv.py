"""Logistic regression whose penalty is chosen by cross-validation."""

from __future__ import annotations

import copy
import inspect
import warnings

import numpy as np
from joblib import Parallel, delayed
from sklearn.metrics import get_scorer, make_scorer
from sklearn.utils.validation import check_is_fitted

from bcd.design import make_design, refuse_overflow
from bcd.estimators._base import LogisticClassifier, check_settings, restoring, users_level
from bcd.estimators._folds import SplitsSamples, split_samples
from bcd.estimators._glm import last_solution
from bcd.estimators._least_squares import read_bounds
from bcd.estimators._offsets import as_given, without_offsets
from bcd.estimators._validation import (
    check_choice,
    check_number,
    penalty_factors,
    read_sample_weight,
    read_samples,
)
from bcd.estimators.logistic import PENALTIES, fit_classes, read_labels, weigh_samples
from bcd.estimators.logistic_path import follow_path, read_Cs
from bcd.progress import counted


def scorer_of_classes(scoring, classes):
    """Return the scorer, told of all classes if it can be: a left-out part may lack some."""
    scorer = get_scorer("accuracy" if scoring is None else scoring)
    loss = getattr(scorer, "_score_func", None)
    known = inspect.signature(loss).parameters if loss is not None else ()
    if "labels" not in known:
        return scorer
    extra = {"labels": classes}
    if len(classes) == 2 and "pos_label" in known:
        extra["pos_label"] = classes[1]
    return make_scorer(
        loss,
        greater_is_better=scorer._sign == 1,
        response_method=scorer._response_method,
        **{**extra, **scorer._kwargs},
    )


class LogisticRegressionCV(SplitsSamples, LogisticClassifier):
    """Logistic regression whose C and l1_ratio are chosen by cross-validation.

    All folds share one X: the samples of a fold are left out by a weight of zero. Paths run from
    small C to large, each fit from the last one; folds run in threads.

    Parameters
    ----------
    Cs : int or array-like of float, default=10
        Inverse weights of the penalty; a number of them means so many from 1e-4 to 1e4.
    l1_ratios : array-like of float, default=(0.0,)
        Shares of the l1 penalty to try.
    fit_intercept : bool, default=True
        Whether to fit an intercept, which is never penalised.
    cv : int, splitter or iterable, default=None
        5 stratified folds when None.
    dual, intercept_scaling, solver
        Accepted for scikit-learn's sake and without effect, see :class:`LogisticRegression`.
    penalty : {"l1", "l2", "elasticnet"}, default="deprecated"
        Deprecated, as in scikit-learn 1.8: ``l1_ratios`` tells which penalties.
    scoring : str or callable, default=None
        What is maximised over the left-out samples: accuracy when None.
    tol, max_iter, class_weight, random_state
        See :class:`LogisticRegression`.
    verbose : int, default=0
        Whether to show a progress bar over folds and shares.
    n_jobs : int, default=None
        Threads.
    refit : bool, default=True
        Whether to fit all samples with the best choice; else the folds' coefficients at each fold's
        best choice are averaged.
    use_legacy_attributes : bool, default=False
        False only: the attributes are arrays.
    penalty_factor, bounds
        See :class:`LogisticRegression`.
    warm_start : bool, default=False
        Whether the final fit starts from the last solution; each fold's path starts at its
        smallest C.
    callback : callable, default=None
        Called with a :class:`bcd.working_set.Progress` after each block update of the final fit; a
        true answer stops that.

    Attributes
    ----------
    classes_, coef_, intercept_, dual_gap_, n_features_in_, feature_names_in_
        See :class:`LogisticRegression`; ``dual_gap_`` only with ``refit``.
    C_, l1_ratio_ : float
        The choice: the best mean score, the smallest C among equals.
    Cs_ : ndarray of shape (n_Cs,)
    l1_ratios_ : ndarray of shape (n_l1_ratios,)
    scores_ : ndarray of shape (n_folds, n_l1_ratios, n_Cs)
    coefs_paths_ : ndarray of shape (n_folds, n_l1_ratios, n_Cs, n_classes or 1, n_features + 1)
        The intercept last, where one is fitted. These shapes are scikit-learn's with
        ``use_legacy_attributes=False``.
    n_iter_ : ndarray of shape (n_folds, n_l1_ratios, n_Cs)

    Examples
    --------
    >>> from bcd import LogisticRegressionCV
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> model = LogisticRegressionCV(Cs=[0.01, 1.0], l1_ratios=[1.0], cv=3).fit(X, y)
    >>> model.C_, model.scores_.shape
    (1.0, (3, 1, 2))
    """

    def __init__(
        self,
        *,
        Cs=10,
        l1_ratios=(0.0,),
        fit_intercept=True,
        cv=None,
        dual=False,
        penalty="deprecated",
        scoring=None,
        solver="gs-q",
        tol=1e-4,
        max_iter=100,
        class_weight=None,
        n_jobs=None,
        verbose=0,
        refit=True,
        intercept_scaling=1.0,
        random_state=None,
        use_legacy_attributes=False,
        penalty_factor=None,
        bounds=None,
        warm_start=False,
        callback=None,
    ):
        self.Cs = Cs
        self.l1_ratios = l1_ratios
        self.fit_intercept = fit_intercept
        self.cv = cv
        self.dual = dual
        self.penalty = penalty
        self.scoring = scoring
        self.solver = solver
        self.tol = tol
        self.max_iter = max_iter
        self.class_weight = class_weight
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.refit = refit
        self.intercept_scaling = intercept_scaling
        self.random_state = random_state
        self.use_legacy_attributes = use_legacy_attributes
        self.penalty_factor = penalty_factor
        self.bounds = bounds
        self.warm_start = warm_start
        self.callback = callback

    @restoring
    def fit(self, X, y, sample_weight=None, **params):
        """Choose C and l1_ratio, and fit.

        Parameters
        ----------
        X : {ndarray, sparse array} of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
        sample_weight : float or array-like of shape (n_samples,), default=None
            Counts in fitting and in scoring.
        **params : dict
            Handed to the splitter's ``split``, for example ``groups``, where scikit-learn's
            metadata routing is enabled.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            As :class:`LogisticRegression` does, and if no sample of a training part has a weight.
            A class that a training part lacks is fitted without samples, as in scikit-learn.
        """
        check_settings(self)
        ratios = self._read_ratios()
        Cs = read_Cs(self.Cs)
        X, y = read_samples(self, X, y)
        X, offsets = without_offsets(X, self.fit_intercept)
        classes, label = read_labels(y)
        weights = read_sample_weight(sample_weight, X.shape[0])
        factor = penalty_factors(self.penalty_factor, X.shape[1])
        bounds = read_bounds(self.bounds, X.shape[1], False)
        start = last_solution(self, X.shape[1], offsets)
        design = make_design(X, np.ones(X.shape[0]) if self.fit_intercept else np.empty(0))
        refuse_overflow(design)

        # classes are balanced over all samples, as in scikit-learn, so that a fold may lack some
        balanced = weigh_samples(self.class_weight, sample_weight, classes, label, y)
        folds = split_samples(self, X, y, params, balanced)

        def train_weights(train):
            chosen = np.zeros(len(y))
            chosen[train] = balanced[train]
            return chosen

        jobs = [(train_weights(train), ratio) for train, _ in folds for ratio in ratios]
        limits = self.tol, self.max_iter
        # of X the design's own view: worker processes are handed one array, not two
        running = Parallel(n_jobs=self.n_jobs, prefer="threads", return_as="generator")(
            delayed(follow_path)(
                design.matrix, label, len(classes), w, Cs, ratio, factor, bounds, design, *limits
            )
            for w, ratio in jobs
        )
        paths = counted(running, len(jobs), type(self).__name__, self.verbose)
        shape = (len(folds), len(ratios), len(Cs))
        self.classes_ = classes
        coefs = np.array([path.coefs for path in paths]).reshape(*shape, -1, X.shape[1])
        intercepts = np.array([path.intercepts for path in paths]).reshape(*shape, -1)
        scores = np.empty(shape)
        scorer = scorer_of_classes(self.scoring, classes)
        probe = copy.copy(self)  # parts of X have no feature names
        probe.__dict__.pop("feature_names_in_", None)
        for f, (_, test) in enumerate(folds):
            part = X[test]
            extra = {} if sample_weight is None else {"sample_weight": weights[test]}
            for place in np.ndindex(shape[1:]):
                probe.coef_ = coefs[(f, *place)]
                probe.intercept_ = intercepts[(f, *place)]
                scores[(f, *place)] = scorer(probe, part, y[test], **extra)
        intercepts = as_given(intercepts, coefs, offsets)
        self.Cs_, self.l1_ratios_, self.scores_ = Cs, ratios, scores
        self.n_iter_ = np.array([path.n_iters for path in paths]).reshape(shape)
        self.coefs_paths_ = coefs
        if self.fit_intercept:
            self.coefs_paths_ = np.concatenate([coefs, intercepts[..., None]], axis=-1)
        best = np.unravel_index(np.argmax(scores.mean(axis=0)), shape[1:])
        self.l1_ratio_, self.C_ = float(ratios[best[0]]), float(Cs[best[1]])
        if self.refit:
            self._fit_all(X, label, balanced, factor, bounds, start, design, offsets)
        else:
            flat = scores.reshape(len(folds), -1).argmax(axis=1)
            own = np.unravel_index(flat, shape[1:])
            every = (np.arange(len(folds)), *own)
            self.l1_ratio_, self.C_ = float(ratios[own[0]].mean()), float(Cs[own[1]].mean())
            self.coef_ = coefs[every].mean(axis=0).astype(X.dtype)
            self.intercept_ = intercepts[every].mean(axis=0).astype(X.dtype)
        return self

    def _read_ratios(self):
        """Shares of l1 to try, by ``l1_ratios`` or by the deprecated name of a penalty."""
        if not (isinstance(self.use_legacy_attributes, bool) and not self.use_legacy_attributes):
            raise ValueError(
                "use_legacy_attributes must be False: scikit-learn's dictionaries of attributes "
                f"are not kept here, got {self.use_legacy_attributes!r}."
            )
        given = self.l1_ratios
        if not (isinstance(self.penalty, str) and self.penalty == "deprecated"):
            check_choice("penalty", self.penalty, ("l1", "l2", "elasticnet"))
            warnings.warn(
                "penalty is deprecated, as in scikit-learn 1.8: use l1_ratios=(1,) for 'l1', "
                "(0,) for 'l2', numbers between them for 'elasticnet'.",
                FutureWarning,
                stacklevel=users_level(),
            )
            if self.penalty != "elasticnet":
                given = (PENALTIES[self.penalty],)
        try:
            ratios = np.atleast_1d(np.asarray(given, dtype=np.float64))
        except (TypeError, ValueError, OverflowError) as error:
            raise ValueError(f"l1_ratios must be real numbers, got {given!r}.") from error
        for ratio in ratios:
            check_number("l1_ratios", ratio, 0.0, 1.0)
        return ratios

    def _fit_all(self, X, label, weights, factor, bounds, start, design, offsets):
        coef, intercept, result = fit_classes(
            X,
            label,
            len(self.classes_),
            weights,
            l1=factor * (self.l1_ratio_ / self.C_),
            l2=factor * ((1.0 - self.l1_ratio_) / self.C_),
            fit_intercept=self.fit_intercept,
            tol=self.tol,
            max_iter=self.max_iter,
            bounds=bounds,
            start=start,
            callback=self.callback,
            design=design,
        )
        self.coef_ = coef.astype(X.dtype)
        self.intercept_ = as_given(intercept, coef, offsets).astype(X.dtype)
        self.dual_gap_ = result.gap

    def score(self, X, y, sample_weight=None):
        """Return the score that ``scoring`` names, accuracy when it is None.

        Parameters
        ----------
        X : {ndarray, sparse array} of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        float
        """
        check_is_fitted(self)
        scorer = get_scorer("accuracy" if self.scoring is None else self.scoring)
        extra = {} if sample_weight is None else {"sample_weight": sample_weight}
        if self.scoring is None:
            return super().score(X, y, **extra)
        return scorer(self, X, y, **extra)
