"""Races around the Lasso: nonnegative least squares, 100-point paths, cross-validation."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import scipy.optimize
import scipy.sparse as sp
import sklearn.linear_model

import bcd
from experiments.certificates import lasso_gap
from experiments.race import OURS, Cell, peer
from experiments.race_data import load, random_sparse

N_ALPHAS = 100
PATH_DATA = ("diabetes", "colon", "leukemia", "isolet", "AR(0.9) 500 x 5000", "basehock")
CV_DATA = ("diabetes", "colon", "leukemia", "AR(0.9) 200 x 2000", "basehock")
NNLS_DATA = ("digits", "isolet, magnitudes", "basehock", "uniform 2000 x 300")
QUICK = {"path": ("diabetes", "colon"), "cv": ("diabetes",), "nnls": ("digits",)}
CV_FRACTION = 1e-2


def nonnegative_gap(X, y, coef) -> float:
    """Duality gap of least squares over ``w >= 0`` with ``X >= 0``, relative to the value at zero.

    The dual point is the residual less a multiple of the vector of ones, just enough that no
    feature has a positive correlation with it; the multiple is there because X is nonnegative.
    """
    if (coef < 0.0).any():
        return np.inf
    residual = y - X @ coef
    sums = np.asarray(X.sum(axis=0)).ravel()
    pull = X.T @ residual
    dual = residual - max(float(np.max(pull[sums > 0] / sums[sums > 0])), 0.0) * np.ones(len(y))
    inner, length = float(dual @ y), float(dual @ dual)
    scale = max(inner / length, 0.0) if length > 0.0 else 0.0
    value = 0.5 * residual @ residual - scale * inner + 0.5 * scale**2 * length
    return float(value) / (0.5 * float(y @ y))


def nnls_cell(data: str, X, y) -> Cell:
    """Build the cell of one nonnegative data set."""

    def ours(tol):
        return bcd.NonNegativeLeastSquares(fit_intercept=False, tol=0.5 * tol).fit(X, y).coef_

    def positive_lasso(tol):
        model = sklearn.linear_model.Lasso(
            alpha=1e-14, positive=True, fit_intercept=False, tol=tol, max_iter=10**7
        )
        return model.fit(X, y).coef_

    solvers = {OURS: ours, "scikit-learn, Lasso": positive_lasso}
    if not sp.issparse(X):
        dense = np.ascontiguousarray(X)
        solvers["scipy nnls"] = lambda tol: scipy.optimize.nnls(dense, y)[0]
        solvers["scikit-learn"] = lambda tol: (
            sklearn.linear_model.LinearRegression(positive=True, fit_intercept=False)
            .fit(X, y)
            .coef_
        )
    solvers["scipy lsq_linear"] = lambda tol: np.maximum(
        scipy.optimize.lsq_linear(X, y, (0, np.inf), tol=tol, max_iter=1000).x, 0.0
    )
    return Cell("nnls", data, "", lambda coef: nonnegative_gap(X, y, coef), solvers, 10.0)


def _nonnegative(data: str):
    if data == "uniform 2000 x 300":
        rng = np.random.default_rng(0)
        X = np.asfortranarray(rng.random((2000, 300)))
        return X, X @ np.maximum(rng.standard_normal(300), 0.0) + rng.standard_normal(2000)
    loaded = load(data.partition(",")[0])
    if loaded is None:
        return None
    X, y = loaded
    return (abs(X) if sp.issparse(X) else np.asfortranarray(np.abs(X))), y


def path_cell(data: str, X, y) -> Cell:
    """Build the cell of a path to ``alpha_max / 100``: the worst gap of its 100 points counts."""
    y = y - y.mean()
    largest = float(np.abs(X.T @ y).max()) / len(y)
    alphas = np.geomspace(largest, largest / 100, N_ALPHAS)
    at_zero = 0.5 * float(y @ y) / len(y)

    def gap(coefs) -> float:
        return max(lasso_gap(X, y, coefs[:, k], alphas[k])[1] / at_zero for k in range(1, N_ALPHAS))

    solvers = {
        OURS: lambda tol: bcd.lasso_path(X, y, alphas=alphas, tol=0.5 * tol)[1],
        "scikit-learn": lambda tol: sklearn.linear_model.lasso_path(
            X, y, alphas=alphas, tol=0.5 * tol, max_iter=10**7
        )[1],
    }
    celer, adelie = peer("celer"), peer("adelie")
    if celer is not None:
        solvers["celer"] = lambda tol: celer.celer_path(
            X, y, pb="lasso", alphas=alphas, tol=0.5 * tol, max_iter=1000
        )[1]
    if adelie is not None:
        solvers["adelie"] = lambda tol: _adelie_path(adelie, X, y, alphas, tol)
    return Cell("path", data, "to /100", gap, solvers, 15.0)


def _adelie_path(adelie, X, y, alphas, tol):
    wrap = adelie.matrix.sparse if sp.issparse(X) else adelie.matrix.dense
    state = adelie.grpnet(
        wrap(X, method="naive"),
        adelie.glm.gaussian(y),
        penalty=np.ones(X.shape[1]),
        lmda_path=alphas,
        tol=1e-2 * tol,
        adev_tol=1.0,
        early_exit=False,
        intercept=False,
        progress_bar=False,
    )
    return np.asarray(state.betas.todense()).T


def cv_cell(data: str, X, y) -> Cell:
    """Build the cell of 5-fold cross-validation, 100 penalties to ``alpha_max / 100``.

    What a solver returns is the fit at the penalty that it chose; the gap is that of the fit.
    """
    n_samples = len(y)
    at_zero = 0.5 * float(np.var(y))
    settings = {"eps": CV_FRACTION, "cv": 5}

    def gap(answer) -> float:
        alpha, coef = answer[0], answer[1:]
        return lasso_gap(X, y, coef, alpha, centered=True)[1] / at_zero

    def solver(kind, **extra):
        def solve(tol):
            model = kind(tol=0.5 * tol, **settings, **extra).fit(X, y)
            return np.concatenate([[model.alpha_], model.coef_])

        return solve

    solvers = {
        OURS: solver(bcd.LassoCV, alphas=N_ALPHAS),
        "scikit-learn": solver(sklearn.linear_model.LassoCV, alphas=N_ALPHAS, max_iter=10**6),
    }
    celer = peer("celer")
    if celer is not None and n_samples:
        solvers["celer"] = solver(celer.LassoCV, n_alphas=N_ALPHAS, max_iter=1000)
    return Cell("cv", data, "5 folds", gap, solvers, 30.0)


BUILDERS = {"nnls": nnls_cell, "path": path_cell, "cv": cv_cell}
DATA = {"nnls": NNLS_DATA, "path": PATH_DATA, "cv": CV_DATA}


def small_cells(kind: str) -> list[Cell]:
    """Small problems on which everybody compiles: few features, many, sparse with many active."""
    rng = np.random.default_rng(0)
    problems = [("sparse", *random_sparse(200, 1000, 0.01))]
    for name, n_features in (("few", 12), ("many", 150)):
        X = np.asfortranarray(rng.random((60, n_features)))
        problems.append((name, X, X[:, :40].sum(axis=1) + 0.1 * rng.standard_normal(60)))
    return [BUILDERS[kind](*problem) for problem in problems]


def cells(quick: bool, kind: str) -> Iterator[Cell]:
    """Every data set of the family."""
    for name in QUICK[kind] if quick else DATA[kind]:
        data = _nonnegative(name) if kind == "nnls" else load(name)
        if data is not None:
            yield BUILDERS[kind](name, data[0], data[1])
