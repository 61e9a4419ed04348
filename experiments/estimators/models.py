"""The estimators of sparse linear models, each with data, settings and its objective."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

import bcd

N_SAMPLES, N_FEATURES = 60, 8
GROUPS = 2  # features each
CLASSES, MULTI_CLASS, COUNTS, TARGETS, NUMBERS = "classes", "multi", "counts", "targets", "numbers"


def data(kind: str, n_samples: int = N_SAMPLES, n_features: int = N_FEATURES, seed: int = 0):
    """Return X, with zeros in it, and a target of one of the five kinds."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_samples, n_features)) * (rng.random((n_samples, n_features)) < 0.7)
    z = X[:, 0] - X[:, 1] + 0.5 * X[:, 2] + 0.5 * rng.standard_normal(n_samples)
    if kind == CLASSES:
        return X, (z > 0.2).astype(int)
    if kind == MULTI_CLASS:
        return X, np.digitize(z, [-0.6, 0.6])
    if kind == COUNTS:
        return X, rng.poisson(np.exp(0.5 * z)).astype(float)
    return X, np.column_stack([z, X[:, 2] - z]) + 1.0 if kind == TARGETS else z + 1.0


@dataclass(frozen=True)
class Model:
    """An estimator of the table.

    Attributes
    ----------
    name : str
    kind : str
        Of target.
    estimator : type
    settings : dict
        Tight tolerances, and penalties that leave some coefficients zero.
    strongest : dict
        Settings whose penalty makes all penalised coefficients zero.
    objective : callable
        From a fitted model, X, y and weights to what ``dual_gap_`` is in units of.
    """

    name: str
    kind: str
    estimator: type
    settings: dict[str, Any]
    objective: Callable[..., float]
    strongest: dict[str, Any] = field(default_factory=dict)

    def make(self, **changes):
        """Return the estimator, not fitted."""
        return self.estimator(**{**self.settings, **changes})

    def data(self, *size: int) -> tuple[NDArray, NDArray]:
        """Return X and y."""
        return data(self.kind, *size)

    @property
    def classifies(self) -> bool:
        """Whether y holds classes."""
        return self.kind in (CLASSES, MULTI_CLASS)

    @property
    def cross_validates(self) -> bool:
        """Whether the penalty is chosen by cross-validation."""
        return self.name.endswith("CV")

    def answer(self, model, X) -> NDArray[np.float64]:
        """Return what two fits of the same problem must agree on."""
        found = model.decision_function(X) if self.classifies else model.predict(X)
        return np.asarray(found, dtype=np.float64)


def _residual_squares(model, X, y) -> float:
    left = y - X @ model.coef_.T - model.intercept_
    return float(np.vdot(left, left)) / (2 * len(y))


def squares(model, X, y) -> float:
    """Least squares with the elastic net (``alpha_`` where it was chosen)."""
    alpha = model.alpha_ if hasattr(model, "alpha_") else model.alpha
    ratio = model.l1_ratio_ if hasattr(model, "l1_ratio_") else model.l1_ratio
    w = model.coef_
    penalty = ratio * np.abs(w).sum() + 0.5 * (1.0 - ratio) * w @ w
    return _residual_squares(model, X, y) + alpha * float(penalty)


def rows(model, X, y) -> float:
    """Least squares with a penalty of each feature's row."""
    W = model.coef_
    ratio = model.l1_ratio
    penalty = ratio * np.linalg.norm(W, axis=0).sum() + 0.5 * (1.0 - ratio) * np.vdot(W, W)
    return _residual_squares(model, X, y) + model.alpha * float(penalty)


def _group_norms(w, ratio: float) -> float:
    norms = np.linalg.norm(w.reshape(-1, GROUPS), axis=1).sum() * np.sqrt(GROUPS)
    return float(ratio * np.abs(w).sum() + (1.0 - ratio) * norms)


def groups(model, X, y) -> float:
    """Least squares with a (sparse) group penalty."""
    return _residual_squares(model, X, y) + model.alpha * _group_norms(model.coef_, model.l1_ratio)


def _log_losses(model, X, y) -> float:
    z = X @ model.coef_.T + model.intercept_
    if z.shape[1] == 1:
        return float(np.logaddexp(0.0, -np.where(y == model.classes_[1], 1, -1) * z[:, 0]).sum())
    return float((logsumexp(z, axis=1) - z[np.arange(len(y)), y]).sum())


def logistic(model, X, y) -> float:
    """Sum of logistic losses, and the penalty over C."""
    C = model.C_ if hasattr(model, "C_") else model.C
    ratio = model.l1_ratio_ if hasattr(model, "l1_ratio_") else model.l1_ratio
    w = model.coef_
    penalty = ratio * np.abs(w).sum() + 0.5 * (1.0 - ratio) * np.vdot(w, w)
    return _log_losses(model, X, y) + float(penalty) / C


def logistic_groups(model, X, y) -> float:
    """Sum of logistic losses, and the group penalty over C."""
    return _log_losses(model, X, y) + _group_norms(model.coef_[0], model.l1_ratio) / model.C


def poisson(model, X, y) -> float:
    """Mean of half deviances but for a constant, with the elastic net."""
    z = X @ model.coef_ + model.intercept_
    w, ratio = model.coef_, model.l1_ratio
    penalty = ratio * np.abs(w).sum() + 0.5 * (1.0 - ratio) * w @ w
    return float((np.exp(z) - y * z).mean() + model.alpha * penalty)


def huber(model, X, y) -> float:
    """Huber's joint objective at the scale that was found."""
    size = np.abs(y - X @ model.coef_ - model.intercept_) / model.scale_
    loss = np.where(size <= model.epsilon, size**2, 2 * model.epsilon * size - model.epsilon**2)
    w, ratio = model.coef_, model.l1_ratio
    penalty = ratio * np.abs(w).sum() + (1.0 - ratio) * w @ w
    return float(model.scale_ * (1.0 + loss).sum() + model.alpha * penalty)


def margins(model, X, y) -> float:
    """Squared hinge losses and the penalty, the intercept included."""
    w, c = model.coef_[0], float(model.intercept_[0])
    slack = np.maximum(0.0, 1.0 - np.where(y == model.classes_[1], 1, -1) * (X @ w + c))
    return float(0.5 * (w @ w + c * c) + model.C * (slack**2).sum())


def kernel_margins(model, X, y) -> float:
    """Hinge losses and the penalty; a linear kernel lets them be computed."""
    w, scores = model.coef_[0], model.decision_function(X)
    slack = np.maximum(0.0, 1.0 - np.where(y == model.classes_[1], 1, -1) * scores)
    return float(0.5 * w @ w + model.C * slack.sum())


HARD = {"alpha": 1e3}
MODELS = (
    Model("Lasso", NUMBERS, bcd.Lasso, {"alpha": 0.1, "tol": 1e-11}, squares, HARD),
    Model("ElasticNet", NUMBERS, bcd.ElasticNet, {"alpha": 0.1, "tol": 1e-11}, squares, HARD),
    Model(
        "LassoCV",
        NUMBERS,
        bcd.LassoCV,
        {"alphas": [0.3, 0.1], "cv": 3, "tol": 1e-11},
        squares,
        {"alphas": [1e3]},
    ),
    Model(
        "ElasticNetCV",
        NUMBERS,
        bcd.ElasticNetCV,
        {"alphas": [0.3, 0.1], "cv": 3, "tol": 1e-11},
        squares,
        {"alphas": [1e3], "l1_ratio": 1.0},
    ),
    Model("MultiTaskLasso", TARGETS, bcd.MultiTaskLasso, {"alpha": 0.1, "tol": 1e-11}, rows, HARD),
    Model(
        "MultiTaskElasticNet",
        TARGETS,
        bcd.MultiTaskElasticNet,
        {"alpha": 0.1, "tol": 1e-11},
        rows,
        HARD,
    ),
    Model("NonNegativeLeastSquares", NUMBERS, bcd.NonNegativeLeastSquares, {"tol": 1e-11}, squares),
    Model(
        "GroupLasso",
        NUMBERS,
        bcd.GroupLasso,
        {"alpha": 0.1, "groups": GROUPS, "tol": 1e-11},
        groups,
        HARD,
    ),
    Model(
        "SparseGroupLasso",
        NUMBERS,
        bcd.SparseGroupLasso,
        {"alpha": 0.1, "groups": GROUPS, "tol": 1e-11},
        groups,
        HARD,
    ),
    Model(
        "GroupLogisticRegression",
        CLASSES,
        bcd.GroupLogisticRegression,
        {"C": 0.5, "groups": GROUPS, "tol": 1e-11},
        logistic_groups,
        {"C": 1e-3},
    ),
    *(
        Model(
            f"LogisticRegression ({kind} classes)",
            problem,
            bcd.LogisticRegression,
            {"C": 0.5, "l1_ratio": 0.5, "tol": 1e-11},
            logistic,
            {"C": 1e-3, "l1_ratio": 1.0},
        )
        for kind, problem in (("two", CLASSES), ("many", MULTI_CLASS))
    ),
    Model(
        "LogisticRegressionCV",
        CLASSES,
        bcd.LogisticRegressionCV,
        {"Cs": [0.1, 0.5], "l1_ratios": (0.5,), "cv": 3, "tol": 1e-11, "scoring": "neg_log_loss"},
        logistic,
        {"Cs": [1e-3], "l1_ratios": (1.0,)},
    ),
    Model(
        "PoissonRegressor",
        COUNTS,
        bcd.PoissonRegressor,
        {"alpha": 0.1, "l1_ratio": 0.5, "tol": 1e-11},
        poisson,
        {"alpha": 1e3, "l1_ratio": 1.0},
    ),
    Model(
        "HuberRegressor",
        NUMBERS,
        bcd.HuberRegressor,
        {"alpha": 5.0, "l1_ratio": 0.5, "tol": 1e-10},
        huber,
        {"alpha": 1e3, "l1_ratio": 1.0},
    ),
    Model("LinearSVC", CLASSES, bcd.LinearSVC, {"C": 0.1, "tol": 1e-11}, margins),
    Model("SVC", CLASSES, bcd.SVC, {"C": 0.5, "kernel": "linear", "tol": 1e-9}, kernel_margins),
)
