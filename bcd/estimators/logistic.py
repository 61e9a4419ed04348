"""Logistic regression in scikit-learn's terms: l1, l2, elastic net; two classes or many."""

from __future__ import annotations

import numbers
import warnings

import numpy as np
import scipy.sparse as sp
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets

from bcd.design import make_design, refuse_overflow
from bcd.estimators._base import (
    LogisticClassifier,
    check_settings,
    restoring,
    users_level,
    warn_unless_solved,
)
from bcd.estimators._glm import fit_scores, last_solution
from bcd.estimators._least_squares import read_bounds
from bcd.estimators._offsets import as_given, without_offsets
from bcd.estimators._validation import (
    check_class_weight,
    check_number,
    read_sample_weight,
    read_samples,
    refuse_infinite,
    split_penalty,
)
from bcd.progress import reporting
from bcd.softmax import solve_softmax
from bcd.softmax_block import SoftmaxScores
from problems.losses import LOGISTIC

WIDE = 2  # times the samples, from which dense features are replaced by the rows' span
PENALTIES = {"l1": 1.0, "l2": 0.0, "elasticnet": None, None: None}


class LogisticRegression(LogisticClassifier):
    """Logistic regression with l1, l2 or elastic net penalty, certified by a duality gap.

    Minimises, as scikit-learn does::

        C sum_i s_i loss_i + l1_ratio ||w||_1 + (1 - l1_ratio) / 2 ||w||^2

    with ``s_i`` sample weight times class weight; more than two classes are one symmetric
    multinomial model. Greedy working sets and proximal Newton steps (see :mod:`bcd.glm`) serve
    every penalty and any number of classes, and what the sizes of the data call for where they do
    not (see :mod:`bcd.ridge_logistic`), so there is no ``solver`` to choose.

    Parameters
    ----------
    penalty : {"l1", "l2", "elasticnet", None}, default="deprecated"
        Deprecated, as in scikit-learn 1.8: ``l1_ratio`` tells which penalty, ``C=np.inf`` none.
    C : float, default=1.0
        Inverse weight of the penalty, above 0; ``np.inf`` for no penalty.
    l1_ratio : float, default=0.0
        Share of the l1 penalty, from 0 (l2) to 1 (l1).
    dual : bool, default=False
        Accepted for scikit-learn's sake and without effect.
    tol : float, default=1e-4
        The run ends when the duality gap is at most ``tol`` times the loss of the best model
        without features.
    fit_intercept : bool, default=True
        Whether to fit an intercept, which is never penalised.
    intercept_scaling : float, default=1
        Accepted for scikit-learn's sake and without effect: the intercept is not penalised.
    class_weight : dict or "balanced", default=None
        Multiples of the samples' weights, class by class; ``"balanced"`` makes classes weigh alike.
    random_state : int, RandomState instance or None, default=None
        Accepted for scikit-learn's sake: no step is random.
    solver : str, default="gs-q"
        scikit-learn's names are accepted and mean the same.
    max_iter : int, default=100
        Block updates at most; few are needed, since each is a run of Newton steps or a sweep over
        all samples.
    verbose : int, default=0
        Whether to show a progress bar, see :class:`bcd.ElasticNet`.
    warm_start : bool, default=False
        Whether to start from the last solution.
    n_jobs : int, default=None
        Accepted for scikit-learn's sake and without effect.
    penalty_factor : array-like of shape (n_features,), default=None
        Multiples of the whole penalty, feature by feature; 0 leaves a feature unpenalised.
    bounds : pair of (float or array-like of shape (n_features,)), default=None
        Lower and upper bounds of the coefficients (with many classes of each class's); signs are
        bounds of 0.
    callback : callable, default=None
        Called with a :class:`bcd.working_set.Progress` after each block update; a true answer stops
        the run.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
    coef_ : ndarray of shape (1, n_features) or (n_classes, n_features)
        In the number type of X.
    intercept_ : ndarray of shape (1,) or (n_classes,)
    dual_gap_ : float
        Upper bound on how far ``sum_i s_i loss_i + penalty / C`` is from its minimum.
    n_iter_ : ndarray of shape (1,)
        Block updates performed.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features_in_,)

    References
    ----------
    .. [1] Nutini, Laradji, Schmidt (2022), "Let's Make Block Coordinate Descent Converge Faster",
       JMLR 23, sections 3 (gs-q), 6 (active-set identification).
    .. [2] Johnson, Guestrin (2015), "Blitz: A Principled Meta-Algorithm for Scaling Sparse
       Optimization", ICML.

    Examples
    --------
    >>> from bcd import LogisticRegression
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.preprocessing import StandardScaler
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = LogisticRegression(l1_ratio=1.0, C=0.1).fit(StandardScaler().fit_transform(X), y)
    >>> int((model.coef_ != 0).sum()), model.predict_proba([[0.0] * 30]).shape
    (8, (1, 2))
    """

    def __init__(
        self,
        penalty="deprecated",
        *,
        C=1.0,
        l1_ratio=0.0,
        dual=False,
        tol=1e-4,
        fit_intercept=True,
        intercept_scaling=1,
        class_weight=None,
        random_state=None,
        solver="gs-q",
        max_iter=100,
        verbose=0,
        warm_start=False,
        n_jobs=None,
        penalty_factor=None,
        callback=None,
        bounds=None,
    ):
        self.penalty = penalty
        self.C = C
        self.l1_ratio = l1_ratio
        self.dual = dual
        self.tol = tol
        self.fit_intercept = fit_intercept
        self.intercept_scaling = intercept_scaling
        self.class_weight = class_weight
        self.random_state = random_state
        self.solver = solver
        self.max_iter = max_iter
        self.verbose = verbose
        self.warm_start = warm_start
        self.n_jobs = n_jobs
        self.penalty_factor = penalty_factor
        self.callback = callback
        self.bounds = bounds

    @restoring
    def fit(self, X, y, sample_weight=None):
        """Fit the model.

        Parameters
        ----------
        X : {ndarray, sparse array} of shape (n_samples, n_features)
            Dense (C or Fortran order) or sparse (compressed by columns; other formats are
            converted, with 32-bit or 64-bit indices), float32 or float64.
        y : array-like of shape (n_samples,)
            Labels of at least two classes.
        sample_weight : float or array-like of shape (n_samples,), default=None
            A weight k counts as k repeats, 0 as removed.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If a parameter is out of its range, y has one class only, or X, y or the weights are
            empty, not finite or of lengths that do not match.

        Warns
        -----
        ConvergenceWarning
            If ``max_iter`` ran out, or no coefficients are best (classes that a plane separates,
            without a penalty).
        """
        strength, l1_ratio = self._read_penalty()
        check_settings(self)
        X, y = read_samples(self, X, y)
        X, offsets = without_offsets(X, self.fit_intercept)
        classes, label = read_labels(y)
        weights = weigh_samples(self.class_weight, sample_weight, classes, label, y)
        l1, l2 = split_penalty(self.penalty_factor, X.shape[1], strength, l1_ratio)
        bounds = read_bounds(self.bounds, X.shape[1], False)
        coef, intercept, result = fit_classes(
            X,
            label,
            len(classes),
            weights,
            bounds=bounds,
            l1=l1,
            l2=l2,
            fit_intercept=self.fit_intercept,
            tol=self.tol,
            max_iter=self.max_iter,
            start=last_solution(self, X.shape[1], offsets),
            verbose=self.verbose,
            callback=self.callback,
        )
        self.classes_ = classes
        self.coef_ = coef.astype(X.dtype)
        self.intercept_ = as_given(intercept, coef, offsets).astype(X.dtype)
        self.dual_gap_ = result.gap
        self.n_iter_ = np.array([result.n_iter], dtype=np.int32)
        return self

    def _read_penalty(self) -> tuple[float, float]:
        """Weight of the penalty against the plain sum of losses, and the share of l1 in it."""
        if not isinstance(self.C, numbers.Real) or isinstance(self.C, bool | np.bool_):
            raise TypeError(f"C must be a real number, got {self.C!r}.")
        if not float(self.C) > 0.0:
            raise ValueError(f"C must be above 0, got {self.C!r}.")
        l1_ratio, strength = self.l1_ratio, 1.0 / float(self.C)
        if not (isinstance(self.penalty, str) and self.penalty == "deprecated"):
            if not isinstance(self.penalty, str | None) or self.penalty not in PENALTIES:
                raise ValueError(
                    "penalty must be one of 'l1', 'l2', 'elasticnet' or None, got "
                    f"{self.penalty!r}."
                )
            warnings.warn(
                "penalty is deprecated, as in scikit-learn 1.8: use l1_ratio=1 for 'l1', 0 for "
                "'l2', between them for 'elasticnet', and C=np.inf for None.",
                FutureWarning,
                stacklevel=users_level(),
            )
            if self.penalty is None:
                strength = 0.0
            elif self.penalty != "elasticnet":
                l1_ratio = PENALTIES[self.penalty]
        check_number("l1_ratio", l1_ratio, 0.0, 1.0)
        return strength, float(l1_ratio)


def read_labels(y):
    """Return the classes and each sample's number; raise unless there are two at least."""
    try:
        classes, label = number_classes(y)
    except TypeError as error:  # of a sort
        raise TypeError(f"y must hold labels that can be compared: {error}.") from error
    if len(classes) != 2 or not _are_whole(classes):  # two whole numbers are two classes
        check_classification_targets(y)
    if len(classes) < 2:
        raise ValueError(
            "y must hold at least two classes: this solver needs samples of at least 2 classes "
            f"in the data, but the data contains only one class: {classes[0]!r}."
        )
    return classes, label


def _are_whole(classes) -> bool:
    return (
        classes.dtype.kind in "biuf"
        and float(classes[0]).is_integer()
        and (float(classes[1]).is_integer())
    )


def number_classes(y):
    """Return what ``np.unique(y, return_inverse=True)`` does, without a sort for two numbers."""
    if y.dtype.kind in "biuf" and y.ndim == 1 and len(y):
        low, high = y.min(), y.max()
        second = y == high
        if low < high and ((y == low) | second).all():
            return np.array([low, high]), second.astype(np.intp)
    return np.unique(y, return_inverse=True)


def read_class_weight(class_weight, classes, y, sample_weight):
    """Return one weight a class, by scikit-learn's rules."""
    check_class_weight(class_weight)
    if class_weight is None:
        return np.ones(len(classes))
    if isinstance(class_weight, str) and sample_weight is not None:
        # repeats count: a weight k is k samples when classes are balanced
        weights = read_sample_weight(sample_weight, len(y))
        mass = np.array([weights[y == label].sum() for label in classes])
        return weights.sum() / (len(classes) * np.where(mass > 0.0, mass, np.inf))
    return compute_class_weight(class_weight, classes=classes, y=y)


def weigh_samples(class_weight, sample_weight, classes, label, y):
    """Return sample weight times class weight; their sum is finite."""
    weights = read_sample_weight(sample_weight, len(y))
    weights = weights * read_class_weight(class_weight, classes, y, sample_weight)[label]
    refuse_infinite("class_weight and sample_weight", weights)
    return weights


def fit_classes(
    X,
    label,
    n_classes: int,
    weights,
    *,
    l1,
    l2,
    fit_intercept: bool,
    tol: float,
    max_iter: int,
    bounds=None,
    start=None,
    verbose=False,
    callback=None,
    design=None,
):
    """Fit two classes by their margin, more by the multinomial model.

    Parameters
    ----------
    label : ndarray of shape (n_samples,), int
        Numbers of the classes, from 0.
    bounds : pair of ndarray of shape (n_features,), default=None
        Of each class's coefficients; the second class's where there are two.
    start : pair of ndarray, default=None
        ``coef_`` and ``intercept_`` to start from.
    design : Design, default=None
        Of X, where it is at hand.

    Returns
    -------
    coef : ndarray of shape (1 or n_classes, n_features)
    intercept : ndarray of shape (1 or n_classes,)
    result : Result
    """
    if n_classes == 2:
        first = None
        if start is not None and start[0].shape[0] == 1:
            first = start[0][0], float(start[1][0])
        result, _ = fit_scores(
            X,
            np.where(label == 1, 1.0, -1.0),
            weights,
            tag=LOGISTIC,
            intercept=fit_intercept,
            l1=l1,
            l2=l2,
            tol=tol,
            max_iter=max_iter,
            bounds=bounds,
            start=first,
            verbose=verbose,
            callback=callback,
            name="LogisticRegression",
            design=design,
        )
        return result.x[None, :], np.array([result.extra["intercept"]]), result
    rotation = None
    if design is None and callback is None and not verbose and bounds is None:
        rotation = rows_span(X, l1, l2)
    if rotation is not None:
        X, l1, l2 = X @ rotation, l1[: len(X)], l2[: len(X)]
        if start is not None:
            start = start[0] @ rotation, start[1]
    if design is None:
        design = make_design(X, np.ones(X.shape[0]) if fit_intercept else np.empty(0))
        refuse_overflow(design)
    scores = SoftmaxScores(label.astype(np.int64), n_classes, weights)
    if fit_intercept:
        scores.center()
    at_zero = scores.value
    x0, intercept0 = None, None
    if start is not None and start[0].shape[0] == n_classes:
        x0, intercept0 = start
    with reporting("LogisticRegression", tol * at_zero, verbose, callback) as report:
        result = solve_softmax(
            design,
            scores,
            l1,
            l2,
            intercept=fit_intercept,
            x0=x0,
            intercept0=intercept0,
            tol=tol * at_zero,
            max_iter=max_iter,
            bounds=bounds,
            callback=report,
        )
    warn_unless_solved(result, tol * at_zero)
    coef = result.x if rotation is None else result.x @ rotation.T
    return coef, result.extra["intercept"], result


def rows_span(X, l1, l2):
    """Return an orthonormal basis of the rows' span, in which one ridge lets coefficients be.

    None where features do not outnumber the samples enough, or the penalty is another.
    """
    n, p = X.shape
    if sp.issparse(X) or p < WIDE * n or l1.any() or not l2[0] > 0.0 or (l2 != l2[0]).any():
        return None
    basis = np.linalg.qr(X.T.astype(np.float64))[0]
    return basis if np.isfinite(basis).all() else None
