"""The races of logistic regression with l1 or l2, and of many classes with l2; no intercept."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import scipy.sparse as sp
import sklearn.linear_model

import bcd
from experiments import race
from experiments.certificates import logistic_gap
from experiments.race import OURS, Cell, peer
from experiments.race_data import load

DATA = (
    "breast_cancer",
    "digits",
    "colon",
    "leukemia",
    "arcene",
    "a8a",
    "w8a",
    "basehock",
    "news20_unigrams",
    "news20_bigrams",
)
QUICK = ("breast_cancer", "digits", "colon", "tall 5000 x 100", "random sparse 500 x 2000")
HEAVY = ("news20_unigrams", "news20_bigrams", "isolet")
CLASSES = ("digits", "srbct", "isolet")
FRACTIONS = (5, 20, 100)
RIDGE_CS = (1, 100)


def logistic_cell(data: str, X, y, setting: float, kind: str = "l1") -> Cell:
    """Build the cell of one data set: l1 at ``C = setting / C_max``, or l2 at ``C = setting``."""
    positive = y > (np.median(y) if len(np.unique(y)) > 2 else y.min())
    y = np.where(positive, 1.0, -1.0)
    l1_ratio = 1.0 if kind == "l1" else 0.0
    C = float(setting)
    if kind == "l1":
        C = setting / float(np.abs(X.T @ (0.5 * y)).max())
    at_zero = len(y) * np.log(2.0)
    label = positive.astype(int)

    def gap(coef) -> float:
        return logistic_gap(X, label, np.atleast_2d(coef), np.zeros(1), C, l1_ratio)[1] / at_zero

    solvers = {OURS: southwell(X, y, C, l1_ratio)}
    for factory in (liblinear, lbfgs, newton_cholesky, blitz, celer, skglm, snapml):
        solver = factory(X, y, C, l1_ratio)
        if solver is not None:
            solvers[factory.__name__] = solver
    name = f"/{setting}" if kind == "l1" else f"C={setting}"
    return Cell(f"logistic_{kind}", data, name, gap, solvers, 20.0 if data in HEAVY else 3.0)


def multinomial_cell(data: str, X, y, C: float) -> Cell:
    """Build the cell of one data set whose classes are told apart by one multinomial model."""
    _, label = np.unique(y, return_inverse=True)
    n_classes = int(label.max()) + 1
    at_zero = len(y) * np.log(n_classes)

    def gap(coef) -> float:
        return logistic_gap(X, label, coef, np.zeros(n_classes), C, 0.0)[1] / at_zero

    solvers = {OURS: southwell(X, label, C, 0.0)}
    for factory in (lbfgs, newton_cg, newton_cholesky):
        solver = factory(X, label, C, 0.0)
        if solver is not None:
            solvers[factory.__name__] = solver
    return Cell("multinomial_l2", data, f"C={C}", gap, solvers, 20.0 if data in HEAVY else 3.0)


def southwell(X, y, C, l1_ratio):
    """Solve with the library of this repository."""

    def solve(tol):
        model = bcd.LogisticRegression(
            C=C, l1_ratio=l1_ratio, fit_intercept=False, tol=tol, max_iter=10_000
        )
        return model.fit(X, y).coef_

    return solve


def _scikit_learn(X, y, C, l1_ratio, solver: str, scale: float):
    def solve(tol):
        model = sklearn.linear_model.LogisticRegression(
            C=C,
            l1_ratio=l1_ratio,
            solver=solver,
            fit_intercept=False,
            tol=scale * tol,
            max_iter=100_000,
        )
        return model.fit(X, y).coef_

    return solve


def liblinear(X, y, C, l1_ratio):
    """Solve with liblinear, through scikit-learn."""
    return _scikit_learn(X, y, C, l1_ratio, "liblinear", 1.0)


def lbfgs(X, y, C, l1_ratio):
    """Solve with scikit-learn's default, l2 only."""
    return None if l1_ratio > 0.0 else _scikit_learn(X, y, C, l1_ratio, "lbfgs", 1.0)


def newton_cg(X, y, C, l1_ratio):
    """Solve with scikit-learn's truncated Newton method, l2 only."""
    return None if l1_ratio > 0.0 else _scikit_learn(X, y, C, l1_ratio, "newton-cg", 1.0)


def newton_cholesky(X, y, C, l1_ratio):
    """Solve with scikit-learn's Newton method, l2 and few coefficients only."""
    n_classes = len(np.unique(y))
    if l1_ratio > 0.0 or X.shape[1] * (n_classes if n_classes > 2 else 1) > 1000:
        return None
    return _scikit_learn(X, y, C, l1_ratio, "newton-cholesky", 1.0)


def blitz(X, y, C, l1_ratio):
    """Solve with blitzl1 (Johnson & Guestrin, 2015)."""
    module = race.blitz()
    if module is None or l1_ratio < 1.0:
        return None

    def solve(tol):
        module.set_use_intercept(False)
        module.set_tolerance(tol)
        return module.LogRegProblem(X, y).solve(1.0 / C).x

    return solve


def celer(X, y, C, l1_ratio):
    """Solve with celer's proximal Newton method."""
    module = peer("celer")
    if module is None or l1_ratio < 1.0:
        return None

    def solve(tol):
        model = module.LogisticRegression(C=C, tol=tol, max_iter=1000, fit_intercept=False)
        return model.fit(X, y).coef_

    return solve


def skglm(X, y, C, l1_ratio):
    """Solve with skglm's proximal Newton method."""
    module = peer("skglm")
    if module is None or l1_ratio < 1.0:
        return None

    def solve(tol):
        model = module.SparseLogisticRegression(
            alpha=1.0 / (C * len(y)), tol=0.1 * tol, max_iter=1000, fit_intercept=False
        )
        return model.fit(X, y).coef_

    return solve


def snapml(X, y, C, l1_ratio):
    """Solve with Snap ML, which is given rows."""
    module = peer("snapml")
    if module is None:
        return None
    rows = X.tocsr() if hasattr(X, "tocsr") else np.ascontiguousarray(X)

    def solve(tol):
        model = module.LogisticRegression(
            regularizer=1.0 / C,
            penalty="l1" if l1_ratio else "l2",
            dual=not l1_ratio,
            tol=tol,
            max_iter=100_000,
        )
        return model.fit(rows, y).coef_

    return solve


def small_cells(kind: str = "l1") -> list[Cell]:
    """Small problems on which everybody compiles, each way of solving: by columns, by samples."""
    if kind == "multinomial":
        X, y = load("digits")
        return [multinomial_cell("digits", X, y, 0.01)]
    cells = []
    for name in ("random sparse 500 x 2000", "breast_cancer"):
        X, y = load(name)
        cells.append(logistic_cell(name, X, y, 20 if kind == "l1" else 1, kind))
    rng = np.random.default_rng(0)
    wide = np.asfortranarray(rng.standard_normal((60, 2000)))
    indicators = sp.csc_matrix((rng.random((4000, 60)) < 0.1).astype(np.float64))
    for name, X in (("wide", wide), ("indicators", indicators)):
        scores = X[:, :5] @ np.array([1.0, -1.0, 2.0, -2.0, 1.0])
        y = np.where(scores + rng.standard_normal(len(scores)) > 0.0, 1.0, -1.0)
        cells.append(logistic_cell(name, X, y, 20 if kind == "l1" else 1, kind))
    return cells


def cells(quick: bool, kind: str = "l1") -> Iterator[Cell]:
    """Every data set at every strength of the penalty."""
    names: tuple[str, ...] = QUICK if quick else DATA
    if kind == "multinomial":
        names = CLASSES[:1] if quick else CLASSES
    for name in names:
        data = load(name)
        if data is not None:
            X, y = data
            for setting in FRACTIONS if kind == "l1" else RIDGE_CS:
                if kind == "multinomial":
                    yield multinomial_cell(name, X, y, setting)
                else:
                    yield logistic_cell(name, X, y, setting, kind)
