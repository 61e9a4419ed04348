"""Kernel support vector classification in scikit-learn's terms."""

from __future__ import annotations

import numbers
import warnings

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data

from bcd.estimators._base import check_callback, check_verbose, restoring, users_level
from bcd.estimators._svc_pairs import by_pair, count_votes, lay_out, pairs_of
from bcd.estimators._svc_values import kernel_values, read_gamma
from bcd.estimators._validation import (
    check_choice,
    check_count,
    check_flag,
    check_number,
    check_seed,
    check_whole,
    naming_places,
    read_costs,
)
from bcd.progress import reporting
from bcd.svm_kernel import Matrix, SVCResult, solve_kernel_svm

KERNELS = ("linear", "poly", "precomputed", "rbf", "sigmoid")
CHUNK = 1024  # samples whose kernel values with all support vectors are held at once


class SVC(ClassifierMixin, BaseEstimator):
    """Support vector classification with kernels, certified by a duality gap.

    For each pair of classes, as scikit-learn does, minimises::

        1/2 ||w||^2 + C sum_i weight_i max(0, 1 - y_i (w'phi(x_i) + b))

    in the feature space of the kernel, by greedy blocks of two dual variables; those that are not
    at a bound are solved for together now and then, where that is cheap. The intercept b is not
    penalised.

    Parameters
    ----------
    C : float, default=1.0
        Weight of the loss, above 0.
    kernel : {"linear", "poly", "rbf", "sigmoid", "precomputed"} or callable, default="rbf"
        A callable takes two arrays (n, n_features) and (m, n_features), sparse ones where X is
        sparse, and returns the (n, m) kernel matrix.
    degree : int, default=3
        Of ``"poly"``: ``(gamma x'z + coef0)^degree``.
    gamma : {"scale", "auto"} or float, default="scale"
        ``1 / (n_features * X.var())``, ``1 / n_features``, or a number of at least 0. The
        variance counts a sample as often as its ``sample_weight`` says (scikit-learn's does not).
    coef0 : float, default=0.0
        Of ``"poly"`` and ``"sigmoid"``: ``tanh(gamma x'z + coef0)``.
    shrinking : bool, default=True
        Whether variables that sit firmly at a bound are left out for a time.
    probability : bool, default=False
        Only False: scikit-learn deprecates its own, which fits a calibration that need not agree
        with ``predict``; ``sklearn.calibration.CalibratedClassifierCV`` does it for any classifier.
    tol : float, default=1e-3
        The run ends when no pair of dual variables violates optimality by more, as in
        scikit-learn.
    cache_size : float, default=200
        Megabytes for rows of the kernel matrix, which is made at once where it fits.
    class_weight : dict or "balanced", default=None
        Factors of C for each class.
    verbose : bool, default=False
        Whether to show a progress bar for each pair of classes, see :class:`bcd.ElasticNet`.
    max_iter : int, default=-1
        Steps at most for each pair of classes; -1 for ten millions, or 100 a sample if that is
        more, as in scikit-learn.
    decision_function_shape : {"ovr", "ovo"}, default="ovr"
        Whether decision values are given by class or by pair of classes.
    break_ties : bool, default=False
        Whether equal votes are told apart by the decision values rather than by the order of the
        classes; not with ``decision_function_shape="ovo"``.
    random_state : int, RandomState instance or None, default=None
        Accepted for scikit-learn's sake and without effect.
    warm_start : bool, default=False
        Whether to start from the last dual variables, if X had the same shape and y the same
        classes; C, the kernel and the labels may have changed.
    callback : callable, default=None
        Called with a :class:`bcd.working_set.Progress` every thousand steps or fewer and at the end
        of each pair of classes; its ``gap`` is what ``tol`` is compared with. A true answer stops
        the pair's run.

    Attributes
    ----------
    support_ : ndarray of shape (n_support_vectors,)
        Which samples are support vectors, class by class.
    support_vectors_ : {ndarray, csr matrix} of shape (n_support_vectors, n_features)
        Empty for a precomputed kernel.
    n_support_ : ndarray of shape (n_classes,)
    dual_coef_ : ndarray of shape (n_classes - 1, n_support_vectors)
        Dual variables times labels, laid out as scikit-learn's; dense for a sparse X too.
    intercept_ : ndarray of shape (n_classes * (n_classes - 1) / 2,)
    coef_ : ndarray of shape (n_pairs, n_features)
        For the linear kernel only.
    classes_ : ndarray of shape (n_classes,)
    dual_gap_ : float or ndarray of shape (n_pairs,)
        Upper bound on how far the objective above is from its minimum, where the kernel is
        positive semidefinite; else (``"sigmoid"``) 0 says no more than that a point is stationary.
    shape_fit_ : tuple of int
        Shape of X.
    fit_status_ : int
        0 if every pair of classes reached ``tol``, else 1.
    n_iter_ : ndarray of shape (n_pairs,)
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features_in_,)

    References
    ----------
    .. [1] Fan, Chen, Lin (2005), "Working Set Selection Using Second Order Information for Training
       Support Vector Machines", JMLR 6, section 2.
    .. [2] Nutini, Laradji, Schmidt (2022), "Let's Make Block Coordinate Descent Converge Faster",
       JMLR 23, section 6 (active-set identification).

    Examples
    --------
    >>> from bcd import SVC
    >>> X = [[0, 0], [1, 1], [1, 0], [0, 1]]
    >>> SVC(C=10.0, gamma=1.0).fit(X, ["same", "same", "other", "other"]).predict(X).tolist()
    ['same', 'same', 'other', 'other']
    """

    def __init__(
        self,
        *,
        C=1.0,
        kernel="rbf",
        degree=3,
        gamma="scale",
        coef0=0.0,
        shrinking=True,
        probability=False,
        tol=1e-3,
        cache_size=200,
        class_weight=None,
        verbose=False,
        max_iter=-1,
        decision_function_shape="ovr",
        break_ties=False,
        random_state=None,
        warm_start=False,
        callback=None,
    ):
        self.C = C
        self.kernel = kernel
        self.degree = degree
        self.gamma = gamma
        self.coef0 = coef0
        self.shrinking = shrinking
        self.probability = probability
        self.tol = tol
        self.cache_size = cache_size
        self.class_weight = class_weight
        self.verbose = verbose
        self.max_iter = max_iter
        self.decision_function_shape = decision_function_shape
        self.break_ties = break_ties
        self.random_state = random_state
        self.warm_start = warm_start
        self.callback = callback

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = self.kernel != "precomputed"
        tags.input_tags.pairwise = self.kernel == "precomputed"
        return tags

    def _check_parameters(self):
        if not callable(self.kernel):
            check_choice("kernel", self.kernel, KERNELS)
        check_choice("decision_function_shape", self.decision_function_shape, ("ovo", "ovr"))
        check_number("C", self.C, 0.0, above=True)
        check_number("tol", self.tol, 0.0, above=True)
        check_number("cache_size", self.cache_size, 0.0, above=True)
        check_number("coef0", self.coef0, -np.finfo(np.float64).max)
        check_whole("degree", self.degree, 0)
        check_seed(self.random_state)
        check_verbose(self.verbose)
        if not (isinstance(self.max_iter, numbers.Integral) and self.max_iter == -1):
            check_count("max_iter", self.max_iter)
        check_callback(self.callback)
        for name in ("shrinking", "probability", "break_ties", "warm_start"):
            check_flag(name, getattr(self, name))
        if self.probability:
            raise ValueError(
                "probability must be False, got True; calibrate the decision values with "
                "sklearn.calibration.CalibratedClassifierCV instead."
            )
        if isinstance(self.gamma, str):
            check_choice("gamma", self.gamma, ("auto", "scale"))
        else:
            check_number("gamma", self.gamma, 0.0)

    @restoring
    def fit(self, X, y, sample_weight=None):
        """Fit the model.

        Parameters
        ----------
        X : {ndarray, sparse array} of shape (n_samples, n_features)
            Or the kernel matrix, of shape (n_samples, n_samples), where it is precomputed.
        y : array-like of shape (n_samples,)
            Labels of at least two classes.
        sample_weight : float or array-like of shape (n_samples,), default=None
            Factors of C; a weight k counts as k repeats, 0 as removed.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If a parameter is out of its range, there is one class only, a precomputed kernel is
            not square, a callable kernel returns another shape, kernel values are not finite, or
            X, y or the weights are empty, not finite or of lengths that do not match.

        Warns
        -----
        ConvergenceWarning
            If ``max_iter`` ran out, or rounding errors forbid the ``tol`` asked for.
        """
        self._check_parameters()
        sparse = "csr" if self.kernel != "precomputed" else False
        with naming_places(X, y):
            X, y = validate_data(self, X, y, accept_sparse=sparse, dtype=np.float64, order="C")
        if self.kernel == "precomputed" and X.shape[0] != X.shape[1]:
            raise ValueError(
                f"X must be a square kernel matrix where kernel='precomputed', got shape {X.shape}."
            )
        check_classification_targets(y)
        y = column_or_1d(y, warn=True)
        cost = read_costs(self.C, self.class_weight, sample_weight, y)
        kept = np.flatnonzero(cost > 0.0)
        before = self._last_duals(X.shape, np.unique(y[kept]))
        self.classes_ = np.unique(y[kept])
        if len(self.classes_) < 2:
            raise ValueError(
                "y must hold at least 2 classes (of samples with a weight above zero), got "
                f"1 class: {self.classes_[0]!r}."
            )
        self._gamma = read_gamma(self.gamma, X, sample_weight)
        members = [kept[y[kept] == label] for label in self.classes_]
        results = self._solve_pairs(X, members, cost, before)
        signed = np.zeros((len(results), len(y)))  # dual variables times labels
        for row, result, (first, second) in zip(
            signed, results, pairs_of(len(members)), strict=True
        ):
            size = len(members[first])
            row[members[first]], row[members[second]] = result.signed[:size], result.signed[size:]
        used = np.abs(signed).max(axis=0) > 0.0
        support = [group[used[group]] for group in members]
        self.support_ = np.concatenate(support).astype(np.int32)
        self.n_support_ = np.array([len(group) for group in support], dtype=np.int32)
        sign = -1.0 if len(members) == 2 else 1.0  # of two classes the second is the positive one
        self.dual_coef_ = sign * lay_out(signed[:, self.support_], self.n_support_)
        self.intercept_ = sign * np.array([result.intercept for result in results])
        if self.kernel == "precomputed":
            self.support_vectors_ = np.empty((0, 0))
        else:
            self.support_vectors_ = X[self.support_]
        gaps = np.array([result.gap for result in results])
        self.dual_gap_ = float(gaps[0]) if len(gaps) == 1 else gaps
        self.shape_fit_ = X.shape
        self.fit_status_ = int(not all(result.status.solved for result in results))
        self.n_iter_ = np.array([result.n_iter for result in results])
        return self

    def _solve_pairs(self, X, members, cost, before) -> list[SVCResult]:
        """Solve the problem of each pair of classes, given the samples of each class."""
        order = np.concatenate(members)  # pairs of classes share most of the kernel matrix
        starts = np.concatenate([[0], np.cumsum([len(group) for group in members])])
        whole = None
        if self.kernel == "precomputed":
            whole = np.ascontiguousarray(X[np.ix_(order, order)])
        elif 8 * len(order) ** 2 <= self.cache_size * 2**20:
            data = X[order]
            whole = np.ascontiguousarray(self._values(data, data))
        results = []
        for k, (first, second) in enumerate(pairs_of(len(members))):
            sizes = len(members[first]), len(members[second])
            places = np.concatenate([np.arange(starts[c], starts[c + 1]) for c in (first, second)])
            chosen = order[places]
            values = self._values_of(X[chosen]) if whole is None else Matrix(whole, places)
            start = None if before is None else before[k, chosen]
            label = np.repeat([1.0, -1.0], sizes)
            results.append(self._solve(values, label, cost[chosen], start))
        return results

    def _values_of(self, data):
        def values(row, column):
            part = data if len(column) == data.shape[0] else data[column]
            return self._values(data[row], part)

        return values

    def _last_duals(self, shape, classes):
        """Return dual variables times labels by pair of classes, None where they do not fit."""
        if not self.warm_start or getattr(self, "shape_fit_", None) != shape:
            return None
        if not np.array_equal(self.classes_, classes):
            return None
        sign = -1.0 if len(classes) == 2 else 1.0
        pairs = sign * by_pair(self.dual_coef_, self.n_support_)
        signed = np.zeros((len(pairs), shape[0]))
        signed[:, self.support_] = pairs
        return signed

    def _solve(self, values, label, cost, start):
        with reporting(type(self).__name__, self.tol, self.verbose, self.callback) as report:
            result = solve_kernel_svm(
                values,
                label,
                cost,
                tol=float(self.tol),
                max_iter=int(self.max_iter),
                cache_mb=float(self.cache_size),
                shrinking=bool(self.shrinking),
                start=start,
                callback=report,
            )
        if not result.status.solved:
            warnings.warn(
                f"not converged: duality gap {result.gap:.3e}, tolerance {self.tol:.3e} on the "
                f"violation of optimality; {result.status.value}.",
                ConvergenceWarning,
                stacklevel=users_level(),
            )
        return result

    def _values(self, X, Z) -> NDArray[np.float64]:
        """Return the kernel's matrix of the rows of X and Z."""
        return kernel_values(self.kernel, X, Z, self._gamma, self.degree, self.coef0)

    @property
    def coef_(self):
        """Coefficients of the features, for the linear kernel."""
        if self.kernel != "linear":
            raise AttributeError("coef_ is available for kernel='linear' only.")
        check_is_fitted(self)
        return by_pair(self.dual_coef_, self.n_support_) @ self.support_vectors_

    def _by_pair(self, X):
        check_is_fitted(self)
        sparse = "csr" if self.kernel != "precomputed" else False
        X = validate_data(self, X, accept_sparse=sparse, dtype=np.float64, reset=False)
        coefficients = by_pair(self.dual_coef_, self.n_support_).T
        scores = np.empty((X.shape[0], coefficients.shape[1]))
        for start in range(0, X.shape[0], CHUNK):
            part = X[start : start + CHUNK]
            if self.kernel == "precomputed":
                values = part[:, self.support_]
            else:
                values = self._values(part, self.support_vectors_)
            scores[start : start + CHUNK] = values @ coefficients
        return scores + self.intercept_

    def decision_function(self, X):
        """Return decision values: one for two classes, else by class or by pair of classes.

        Parameters
        ----------
        X : {ndarray, sparse array} of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,), (n_samples, n_classes) or (n_samples, n_pairs)
        """
        scores = self._by_pair(X)
        if len(self.classes_) == 2:
            return scores[:, 0]
        if self.decision_function_shape == "ovo":
            return scores
        votes, sums = count_votes(scores, len(self.classes_))
        return votes + sums

    def predict(self, X):
        """Return the class that most pairs vote for.

        Parameters
        ----------
        X : {ndarray, sparse array} of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,)

        Raises
        ------
        ValueError
            If ``break_ties`` is asked for with ``decision_function_shape="ovo"``.
        """
        if self.break_ties and self.decision_function_shape == "ovo":
            raise ValueError(
                "break_ties must be False where decision_function_shape='ovo', got True."
            )
        scores = self._by_pair(X)
        if len(self.classes_) == 2:
            return self.classes_[(scores[:, 0] > 0.0).astype(np.intp)]
        votes, sums = count_votes(scores, len(self.classes_))
        if self.break_ties:
            votes += sums
        return self.classes_[votes.argmax(axis=1)]
