"""Linear support vector machines in scikit-learn's terms."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d, validate_data

from bcd.design import make_design
from bcd.estimators._base import LinearClassifier, check_settings, restoring, warn_unless_solved
from bcd.estimators._validation import (
    FLOATS,
    LARGEST,
    check_choice,
    check_number,
    naming_places,
    read_costs,
)
from bcd.glm import solve_glm
from bcd.glm_scores import Scores
from bcd.progress import reporting
from bcd.svm_linear import solve_linear_svm
from bcd.svm_problem import LinearSVMProblem
from problems.losses import SQUARED_HINGE

LOSSES = ("hinge", "squared_hinge")


class LinearSVC(LinearClassifier):
    """Linear support vector classification, certified by a duality gap.

    Minimises, as scikit-learn does::

        1/2 ||w||^2 + 1/2 c^2 + C sum_i weight_i max(0, 1 - y_i (x_i'w + intercept_scaling c))^k

    with ``k = 1`` for ``loss="hinge"``, ``k = 2`` for ``"squared_hinge"``, and ``y_i`` 1 for the
    class in question, -1 for all others; with ``penalty="l1"`` it is ``||w||_1 + |c|`` instead of
    the squares. The intercept is ``intercept_scaling c``: as in
    scikit-learn it is penalised, the less the larger ``intercept_scaling`` is.

    Parameters
    ----------
    penalty : {"l1", "l2"}, default="l2"
        ``"l1"`` goes with ``loss="squared_hinge"`` only, as in scikit-learn, and makes most
        coefficients zero.
    loss : {"hinge", "squared_hinge"}, default="squared_hinge"
    dual : bool or "auto", default="auto"
        Accepted for scikit-learn's sake and without effect: both problems are solved together.
        ``dual=True`` with ``penalty="l1"`` is refused, as there.
    tol : float, default=1e-4
        The run ends when the duality gap is at most ``tol`` times the objective at ``w = 0``
        (scikit-learn compares its ``tol`` with slopes of the dual).
    C : float, default=1.0
        Weight of the loss, above 0.
    multi_class : {"ovr"}, default="ovr"
        One class against the rest. scikit-learn's ``"crammer_singer"`` is not offered.
    fit_intercept : bool, default=True
        Whether to fit an intercept.
    intercept_scaling : float, default=1.0
        Above 0; see above.
    class_weight : dict or "balanced", default=None
        Factors of C for each class; with more than two, as in liblinear, the factor of a class
        counts where it stands against the rest, and the rest count once.
    verbose : int, default=0
        Whether to show a progress bar for each class, see :class:`bcd.ElasticNet`.
    random_state : int, RandomState instance or None, default=None
        Accepted for scikit-learn's sake and without effect: the order of the sweeps is fixed.
    max_iter : int, default=1000
        Sweeps over the samples and Newton steps at most; with ``"l1"`` block updates.
    warm_start : bool, default=False
        Whether ``fit`` starts at the last solution where samples (with ``"l1"`` features) and
        classes are as many as before; dual variables keep their share of their sample's cost.
    callback : callable, default=None
        Called with a :class:`bcd.working_set.Progress` after each sweep or round of Newton steps
        (with ``"l1"`` block update); a true answer stops the run. The gap that it is shown costs
        two passes over the data each time.

    Attributes
    ----------
    coef_ : ndarray of shape (1, n_features) or (n_classes, n_features)
        In the number type of X.
    intercept_ : ndarray of shape (1,) or (n_classes,)
    classes_ : ndarray of shape (n_classes,)
    dual_gap_ : float or ndarray of shape (n_classes,)
        Upper bound on how far the objective above is from its minimum.
    n_iter_ : int
        The largest number of sweeps and Newton steps of any class.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features_in_,)

    References
    ----------
    .. [1] Hsieh, Chang, Lin, Keerthi, Sundararajan (2008), "A Dual Coordinate Descent Method for
       Large-scale Linear SVM", ICML, algorithm 1.
    .. [2] Nutini, Laradji, Schmidt (2022), "Let's Make Block Coordinate Descent Converge Faster",
       JMLR 23, section 6 (active-set identification, superlinear convergence).

    Examples
    --------
    >>> from bcd import LinearSVC
    >>> model = LinearSVC().fit([[-2.0], [-1.0], [1.0], [2.0]], ["no", "no", "yes", "yes"])
    >>> model.predict([[-3.0], [0.5]]).tolist()
    ['no', 'yes']
    """

    def __init__(
        self,
        penalty="l2",
        loss="squared_hinge",
        *,
        dual="auto",
        tol=1e-4,
        C=1.0,
        multi_class="ovr",
        fit_intercept=True,
        intercept_scaling=1.0,
        class_weight=None,
        verbose=0,
        random_state=None,
        max_iter=1000,
        warm_start=False,
        callback=None,
    ):
        self.penalty = penalty
        self.loss = loss
        self.dual = dual
        self.tol = tol
        self.C = C
        self.multi_class = multi_class
        self.fit_intercept = fit_intercept
        self.intercept_scaling = intercept_scaling
        self.class_weight = class_weight
        self.verbose = verbose
        self.random_state = random_state
        self.max_iter = max_iter
        self.warm_start = warm_start
        self.callback = callback

    def _check_parameters(self):
        check_choice("penalty", self.penalty, ("l1", "l2"))
        check_choice("loss", self.loss, LOSSES)
        if self.penalty == "l1" and (self.loss == "hinge" or self.dual is True):
            raise ValueError(
                "penalty='l1' must go with loss='squared_hinge' and dual=False or 'auto', got "
                f"loss={self.loss!r}, dual={self.dual!r}."
            )
        check_choice("multi_class", self.multi_class, ("ovr",))
        check_number("C", self.C, 0.0, above=True)
        check_number("intercept_scaling", self.intercept_scaling, 0.0, LARGEST, above=True)
        check_settings(self, "dual")  # which may be "auto", and is without effect

    @restoring
    def fit(self, X, y, sample_weight=None):
        """Fit the model.

        Parameters
        ----------
        X : {ndarray, sparse array} of shape (n_samples, n_features)
            Dense or sparse (compressed by rows; other formats are converted). float32 is computed
            with in float64.
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
            If a parameter is out of its range, there is one class only, or X, y or the weights are
            empty, not finite or of lengths that do not match.

        Warns
        -----
        ConvergenceWarning
            If ``max_iter`` ran out, or rounding errors forbid the gap asked for.
        """
        self._check_parameters()
        with naming_places(X, y):
            X, y = validate_data(
                self, X, y, accept_sparse="csr", dtype=FLOATS, order="C", accept_large_sparse=True
            )
        check_classification_targets(y)
        y = column_or_1d(y, warn=True)
        cost = read_costs(self.C, None, sample_weight, y)
        factor = read_costs(1.0, self.class_weight, None, y)
        kept = cost * factor > 0.0
        data = _rows(X, kept).astype(np.float64, copy=False)
        labels, cost, factor = y[kept], cost[kept], factor[kept]
        _refuse_overflow(data)
        before = self._last_starts(len(kept), X.shape[1], np.unique(labels))
        self.classes_ = np.unique(labels)
        if len(self.classes_) < 2:
            raise ValueError(
                "y must hold at least 2 classes (of samples with a weight above zero), got "
                f"1 class: {self.classes_[0]!r}."
            )
        results = []
        shares = np.zeros((len(self._against_the_rest()), len(kept)))  # dual variables over costs
        for k, label in enumerate(self._against_the_rest()):
            own = labels == label
            balanced = factor if len(self.classes_) == 2 else np.where(own, factor, 1.0)
            costs = cost * balanced
            start = None if before is None else before[k]
            if start is not None and self.penalty == "l2":
                start = start[kept] * costs
            results.append(self._solve(data, np.where(own, 1.0, -1.0), costs, start))
            if self.penalty == "l2":
                shares[k, kept] = results[-1].alpha / costs
        self._shares = shares if self.warm_start and self.penalty == "l2" else None
        coef = np.array([result.x for result in results])
        bias = self.intercept_scaling if self.fit_intercept else 0.0
        self.coef_ = coef[:, :-1].astype(X.dtype)
        self.intercept_ = (bias * coef[:, -1]).astype(X.dtype)
        gaps = np.array([result.gap for result in results])
        self.dual_gap_ = float(gaps[0]) if len(gaps) == 1 else gaps
        self.n_iter_ = max(result.n_iter for result in results)
        return self

    def _against_the_rest(self):
        """Return the classes that have a problem of their own."""
        return self.classes_[1:] if len(self.classes_) == 2 else self.classes_

    def _last_starts(self, n_samples, n_features, classes):
        """Return where to start each class's problem, None where the last fit does not fit."""
        if not self.warm_start or not hasattr(self, "classes_"):
            return None
        if not np.array_equal(self.classes_, classes):
            return None
        n_problems = len(self._against_the_rest())
        if self.penalty == "l2":
            shares = getattr(self, "_shares", None)
            fits = shares is not None and shares.shape == (n_problems, n_samples)
            return shares if fits else None
        if self.coef_.shape != (n_problems, n_features):
            return None
        constant = self.intercept_ / self.intercept_scaling if self.fit_intercept else 0.0
        return np.column_stack([self.coef_, np.broadcast_to(constant, n_problems)])

    def _solve(self, X, y, cost, start):
        bias = float(self.intercept_scaling) if self.fit_intercept else 0.0
        tol = self.tol * float(cost.sum())
        with reporting(type(self).__name__, tol, self.verbose, self.callback) as report:
            settings = {"tol": tol, "max_iter": self.max_iter, "callback": report}
            if self.penalty == "l1":
                result = solve_l1_svm(X, y, cost, bias, start, **settings)
            else:
                problem = LinearSVMProblem(X, y, cost, bias, self.loss == "squared_hinge")
                result = solve_linear_svm(problem, alpha=start, **settings)
        warn_unless_solved(result, tol)
        return result


def solve_l1_svm(X, y, cost, bias: float, start=None, *, tol: float, max_iter: int, callback=None):
    """Minimise ``||w||_1 + sum_i cost_i max(0, 1 - y_i x_i'w)^2``, the samples having a constant.

    Parameters
    ----------
    X : {ndarray, csr_array} of shape (n_samples, n_features)
    y, cost : ndarray of shape (n_samples,)
        Labels -1 or 1, and the factors of the losses.
    bias : float
        The constant that is put behind each sample.
    start : ndarray of shape (n_features + 1,), default=None
        Coefficients to start from, the constant's last; zeros when None.
    tol, max_iter, callback
        See :func:`bcd.glm.solve_glm`.
    """
    n_samples, n_features = X.shape
    if sp.issparse(X):
        constant = sp.csc_array(np.full((n_samples, 1), bias))
        wide = sp.csc_array(sp.hstack([X, constant], format="csc"))
    else:
        wide = np.empty((n_samples, n_features + 1), order="F")
        wide[:, :-1], wide[:, -1] = X, bias
    scores = Scores(SQUARED_HINGE, 0.0, y, 2.0 * cost, intercept=False)
    l1, l2 = np.ones(n_features + 1), np.zeros(n_features + 1)
    design = make_design(wide, np.empty(0))
    return solve_glm(
        design, scores, l1, l2, x0=start, tol=tol, max_iter=max_iter, callback=callback
    )


def _refuse_overflow(X) -> None:
    values = X.data if sp.issparse(X) else X.ravel(order="K")
    with np.errstate(over="ignore"):
        if not np.isfinite(values @ values):
            raise ValueError("X must have squares that do not overflow in sum; scale the features.")


def _rows(X, kept):
    if kept.all():
        if sp.issparse(X) and not X.has_canonical_format:
            X = X.copy()
            X.sum_duplicates()
        return X
    return X[kept]
