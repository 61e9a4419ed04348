"""What linear models answer once fitted, and the settings that they share."""

from __future__ import annotations

import functools
import numbers
import sys
import warnings
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.special import expit, softmax
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted, validate_data

from bcd.estimators._validation import (
    FLOATS,
    check_choice,
    check_count,
    check_flag,
    check_jobs,
    check_number,
    check_precompute,
    check_seed,
)

SELECTIONS = ("gs-q", "cyclic", "random")
RANGES = {"alpha": (0.0, np.inf), "l1_ratio": (0.0, 1.0), "tol": (0.0, np.inf)}
FLAGS = ("fit_intercept", "copy_X", "warm_start", "positive", "dual", "refit")


def check_settings(estimator, *own: str) -> None:
    """Check the settings that linear models share, save those that the estimator reads its ``own``.

    Raises
    ------
    TypeError
        If a setting is of the wrong kind.
    ValueError
        If a setting is out of its range, or unknown.
    """
    settings = {name: value for name, value in vars(estimator).items() if name not in own}
    for name, (low, high) in RANGES.items():
        if name in settings:
            check_number(name, settings[name], low, high)
    for name in FLAGS:
        if name in settings:
            check_flag(name, settings[name])
    check_count("max_iter", estimator.max_iter)
    if "selection" in settings:
        check_choice("selection", settings["selection"], SELECTIONS)
    check_verbose(settings.get("verbose", False))
    if "random_state" in settings:
        check_seed(settings["random_state"])
    if "precompute" in settings:
        check_precompute(settings["precompute"])
    if settings.get("n_jobs") is not None:
        check_jobs(settings["n_jobs"])
    check_callback(settings.get("callback"))


def check_verbose(value) -> None:
    """Raise unless ``value`` is a truth value or a whole number, as scikit-learn's levels are."""
    if not isinstance(value, numbers.Integral | np.bool_):
        raise TypeError(f"verbose must be True, False or an integer, got {value!r}.")


def check_callback(value) -> None:
    """Raise unless ``value`` can be called, or is None."""
    if value is not None and not callable(value):
        raise TypeError(f"callback must be callable or None, got {value!r}.")


def users_level() -> int:
    """Return the ``stacklevel`` at which a warning names the user's line, not one of ours."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("bcd."):
        level, frame = level + 1, frame.f_back
    return level


def warn_unless_solved(result, tol: float, scale: float = 1.0) -> None:
    """Warn with the gap reached and the tolerance that it was compared with, both over ``scale``.

    Parameters
    ----------
    result
        Anything with ``gap`` and ``status``.
    """
    if not result.status.solved:
        warnings.warn(
            f"not converged: duality gap {result.gap / scale:.3e}, tolerance {tol / scale:.3e}; "
            f"{result.status.value}.",
            ConvergenceWarning,
            stacklevel=users_level(),
        )


def restoring(fit):
    """Let a ``fit`` that raises leave the estimator as it was, its former fit usable."""

    @functools.wraps(fit)
    def guarded(self, *arguments, **named):
        before = vars(self).copy()
        try:
            return fit(self, *arguments, **named)
        except BaseException:
            vars(self).clear()
            vars(self).update(before)
            raise

    return guarded


def last_coefficients(estimator, shape: tuple[int, ...]):
    """Return ``coef_`` in float64 to start from, None unless asked for, there and of the shape."""
    coef = getattr(estimator, "coef_", None) if estimator.warm_start else None
    if coef is None or np.shape(coef) != shape:
        return None
    return coef.astype(np.float64)


class LinearModel(BaseEstimator):
    """A model whose answers depend on ``X @ coef_.T + intercept_``; X may be sparse."""

    coef_: Any
    intercept_: Any

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def _scores(self, X):
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse=["csr", "csc", "coo"], dtype=FLOATS, reset=False)
        scores = X @ self.coef_.T
        if sp.issparse(scores):  # of a sparse X with coefficients made sparse
            scores = scores.toarray()
        return scores + self.intercept_

    @property
    def sparse_coef_(self):
        """``coef_`` as a sparse matrix."""
        check_is_fitted(self)
        return sp.csr_matrix(self.coef_)


class LinearRegressor(RegressorMixin, LinearModel):
    """A linear model of one target or several."""

    def predict(self, X):
        """Return ``X @ coef_.T + intercept_``.

        Parameters
        ----------
        X : {ndarray, sparse array} of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_targets)
        """
        return self._scores(X)


class LinearClassifier(ClassifierMixin, LinearModel):
    """A linear model of classes: one score for two of them, else one score a class."""

    def decision_function(self, X):
        """Return the scores: of the second class where there are two, else one score a class.

        Parameters
        ----------
        X : {ndarray, sparse array} of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
        """
        scores = self._scores(X)
        return scores[:, 0] if scores.shape[1] == 1 else scores

    def predict(self, X):
        """Return the class of the largest score for each sample.

        Parameters
        ----------
        X : {ndarray, sparse array} of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        scores = self.decision_function(X)
        if scores.ndim == 1:
            return self.classes_[(scores > 0).astype(np.intp)]
        return self.classes_[scores.argmax(axis=1)]

    def sparsify(self):
        """Make ``coef_`` a sparse matrix, which is smaller where most of it is zero.

        Returns
        -------
        self : object
        """
        check_is_fitted(self)
        self.coef_ = sp.csr_matrix(self.coef_)
        return self

    def densify(self):
        """Make ``coef_`` an array again.

        Returns
        -------
        self : object
        """
        check_is_fitted(self)
        if sp.issparse(self.coef_):
            self.coef_ = self.coef_.toarray()
        return self


class LogisticClassifier(LinearClassifier):
    """A linear model whose scores are logarithms of odds."""

    def predict_proba(self, X):
        """Return the probabilities of the classes.

        Parameters
        ----------
        X : {ndarray, sparse array} of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
        """
        scores = self.decision_function(X)
        if scores.ndim == 1:
            return np.column_stack([expit(-scores), expit(scores)])
        return softmax(scores, axis=1)

    def predict_log_proba(self, X):
        """Return the logarithms of the probabilities, of shape (n_samples, n_classes)."""
        return np.log(self.predict_proba(X))
