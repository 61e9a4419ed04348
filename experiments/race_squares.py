"""Races around the Lasso and the elastic net: nonnegative squares, paths, cross-validation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

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
QUICK_PATH, QUICK_CV, QUICK_NNLS = ("diabetes", "colon"), ("diabetes",), ("digits",)
CV_FRACTION = 1e-2
PATH_RATIO, CV_RATIOS = 0.5, [0.5, 0.9]  # l1_ratio of the elastic nets


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


def path_cell(data: str, X, y, l1_ratio: float = 1.0) -> Cell:
    """Build the cell of a path to ``alpha_max / 100``: the worst gap of its 100 points counts."""
    y = y - y.mean()
    largest = float(np.abs(X.T @ y).max()) / len(y) / l1_ratio
    alphas = np.geomspace(largest, largest / 100, N_ALPHAS)
    at_zero = 0.5 * float(y @ y) / len(y)

    def gap(coefs) -> float:
        gaps = [lasso_gap(X, y, coefs[:, k], alphas[k], l1_ratio)[1] for k in range(1, N_ALPHAS)]
        return max(gaps) / at_zero

    grid = {"alphas": alphas, "l1_ratio": l1_ratio}
    solvers = {
        OURS: lambda tol: bcd.enet_path(X, y, tol=0.5 * tol, **grid)[1],
        "scikit-learn": lambda tol: sklearn.linear_model.enet_path(
            X, y, tol=0.5 * tol, max_iter=10**7, **grid
        )[1],
    }
    celer, adelie, skglm = peer("celer"), peer("adelie"), peer("skglm")
    if celer is not None:
        solvers["celer"] = lambda tol: celer.celer_path(
            X, y, pb="lasso", tol=0.5 * tol, max_iter=1000, **grid
        )[1]
    if adelie is not None:
        solvers["adelie"] = lambda tol: _adelie_path(adelie, X, y, alphas, l1_ratio, tol)
    if skglm is not None and l1_ratio < 1.0:
        solvers["skglm"] = lambda tol: _skglm_path(skglm, X, y, alphas, l1_ratio, tol)
    return Cell("enet_path" if l1_ratio < 1.0 else "path", data, "to /100", gap, solvers, 15.0)


def _skglm_path(skglm, X, y, alphas, l1_ratio, tol):
    """Follow the path with skglm; its tolerance is on the largest subgradient."""
    model = skglm.ElasticNet(
        l1_ratio=l1_ratio,
        fit_intercept=False,
        tol=tol * float(alphas[0]) * l1_ratio,
        max_iter=1000,
        warm_start=True,
    )
    return model.path(X, y, alphas)[1]


def _adelie_path(adelie, X, y, alphas, l1_ratio, tol):
    wrap = adelie.matrix.sparse if sp.issparse(X) else adelie.matrix.dense
    state = adelie.grpnet(
        wrap(X, method="naive"),
        adelie.glm.gaussian(y),
        alpha=l1_ratio,
        penalty=np.ones(X.shape[1]),
        lmda_path=alphas,
        tol=1e-2 * tol,
        adev_tol=1.0,
        early_exit=False,
        intercept=False,
        progress_bar=False,
    )
    return np.asarray(state.betas.todense()).T


def cv_cell(data: str, X, y, l1_ratios: list[float] | None = None) -> Cell:
    """Build the cell of 5-fold cross-validation, 100 penalties to ``alpha_max / 100``.

    Of the Lasso, or with ``l1_ratios`` of the elastic net, between which it chooses too. What a
    solver returns is the fit at the penalty that it chose; the gap is that of the fit.
    """
    at_zero = 0.5 * float(np.var(y))
    settings: dict = {"eps": CV_FRACTION, "cv": 5}
    if l1_ratios is not None:
        settings["l1_ratio"] = l1_ratios

    def gap(answer) -> float:
        alpha, l1_ratio, coef = answer[0], answer[1], answer[2:]
        return lasso_gap(X, y, coef, alpha, l1_ratio, centered=True)[1] / at_zero

    def solver(module, **extra):
        kind = module.LassoCV if l1_ratios is None else module.ElasticNetCV

        def solve(tol):
            model = kind(tol=0.5 * tol, **settings, **extra).fit(X, y)
            l1_ratio = 1.0 if l1_ratios is None else model.l1_ratio_
            return np.concatenate([[model.alpha_, l1_ratio], model.coef_])

        return solve

    solvers = {
        OURS: solver(bcd, alphas=N_ALPHAS),
        "scikit-learn": solver(sklearn.linear_model, alphas=N_ALPHAS, max_iter=10**6),
    }
    celer = peer("celer")
    if celer is not None:
        solvers["celer"] = solver(celer, n_alphas=N_ALPHAS, max_iter=1000)
    return Cell("cv" if l1_ratios is None else "enet_cv", data, "5 folds", gap, solvers, 30.0)


# how a cell is built, on which data, and on which of them where time is short
FAMILIES: dict[str, tuple[Callable[..., Cell], tuple[str, ...], tuple[str, ...]]] = {
    "nnls": (nnls_cell, NNLS_DATA, QUICK_NNLS),
    "path": (path_cell, PATH_DATA, QUICK_PATH),
    "cv": (cv_cell, CV_DATA, QUICK_CV),
    "enet_path": (partial(path_cell, l1_ratio=PATH_RATIO), PATH_DATA, QUICK_PATH),
    "enet_cv": (partial(cv_cell, l1_ratios=CV_RATIOS), CV_DATA, QUICK_CV),
}


def small_cells(kind: str) -> list[Cell]:
    """Small problems on which everybody compiles: few features, many, sparse with many active."""
    rng = np.random.default_rng(0)
    problems = [("sparse", *random_sparse(200, 1000, 0.01))]
    for name, n_features in (("few", 12), ("many", 150)):
        X = np.asfortranarray(rng.random((60, n_features)))
        problems.append((name, X, X[:, :40].sum(axis=1) + 0.1 * rng.standard_normal(60)))
    return [FAMILIES[kind][0](*problem) for problem in problems]


def cells(quick: bool, kind: str) -> Iterator[Cell]:
    """Every data set of the family."""
    build, everything, few = FAMILIES[kind]
    for name in few if quick else everything:
        data = _nonnegative(name) if kind == "nnls" else load(name)
        if data is not None:
            yield build(name, data[0], data[1])
