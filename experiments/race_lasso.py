"""The races of l1 least squares: Lasso, elastic net, nonnegative Lasso."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import scipy.sparse as sp
import sklearn.linear_model

import bcd
from experiments import race
from experiments.certificates import lasso_gap
from experiments.race import OURS, Cell, peer
from experiments.race_data import load, random_sparse

DATA = (
    "diabetes",
    "colon",
    "leukemia",
    "srbct",
    "arcene",
    "isolet",
    "AR(0.9) 1000 x 20000",
    "make_regression 1000 x 10000",
    "tall 50000 x 500",
    "basehock",
    "news20_unigrams",
    "news20_bigrams",
)
QUICK = ("diabetes", "AR(0.9) 200 x 2000", "tall 5000 x 100", "random sparse 500 x 2000", "colon")
HEAVY = ("AR(0.9) 1000 x 20000", "tall 50000 x 500", "news20_unigrams", "news20_bigrams")
FRACTIONS = (5, 20, 100, 1000)


def lasso_cell(data: str, X, y, fraction: int, kind: str = "lasso") -> Cell:
    """Build the cell of one data set at ``alpha_max / fraction``."""
    y = y - y.mean()
    n_samples = len(y)
    l1_ratio = 0.5 if kind == "enet" else 1.0
    positive = kind == "positive"
    correlation = X.T @ y
    largest = correlation.max() if positive else np.abs(correlation).max()
    alpha = float(largest) / n_samples / l1_ratio / fraction
    at_zero = 0.5 * float(y @ y) / n_samples

    def gap(coef) -> float:
        return lasso_gap(X, y, coef, alpha, l1_ratio, positive=positive)[1] / at_zero

    settings = {"alpha": alpha, "l1_ratio": l1_ratio, "positive": positive}
    solvers = {OURS: southwell(X, y, **settings)}
    solvers |= scikit_learn(X, y, **settings)
    for factory in (celer, skglm, adelie, blitz, cyanure):
        solver = factory(X, y, **settings)
        if solver is not None:
            solvers[factory.__name__] = solver
    budget = 20.0 if data in HEAVY else 3.0
    return Cell(kind, data, f"/{fraction}", gap, solvers, budget)


def southwell(X, y, alpha, l1_ratio, positive):
    """Solve with the library of this repository."""

    def solve(tol):
        model = bcd.ElasticNet(
            alpha=alpha,
            l1_ratio=l1_ratio,
            positive=positive,
            fit_intercept=False,
            tol=0.5 * tol,
            max_iter=100_000,
        )
        return model.fit(X, y).coef_

    return solve


def scikit_learn(X, y, alpha, l1_ratio, positive):
    """Solve with scikit-learn, by residuals, and with the Gram matrix where it is small."""

    def solver(precompute):
        def solve(tol):
            model = sklearn.linear_model.ElasticNet(
                alpha=alpha,
                l1_ratio=l1_ratio,
                positive=positive,
                precompute=precompute,
                fit_intercept=False,
                tol=0.5 * tol,
                max_iter=10**8,
            )
            return model.fit(X, y).coef_

        return solve

    solvers = {"scikit-learn": solver(False)}
    if X.shape[1] <= 2000 and not sp.issparse(X):
        solvers["scikit-learn, Gram"] = solver(True)
    return solvers


def celer(X, y, alpha, l1_ratio, positive):
    """Solve with celer (Massias, Gramfort & Salmon, 2018)."""
    module = peer("celer")
    if module is None or (positive and l1_ratio < 1.0):  # it has no positive elastic net
        return None

    def solve(tol):
        common = {"alpha": alpha, "fit_intercept": False, "tol": 0.5 * tol, "max_iter": 1000}
        if l1_ratio < 1.0:
            return module.ElasticNet(l1_ratio=l1_ratio, **common).fit(X, y).coef_
        return module.Lasso(positive=positive, **common).fit(X, y).coef_

    return solve


def skglm(X, y, alpha, l1_ratio, positive):
    """Solve with skglm; its tolerance is on the largest subgradient, in units of alpha_max."""
    module = peer("skglm")
    if module is None:
        return None
    largest = float(np.abs(X.T @ y).max()) / len(y)

    def solve(tol):
        common = {"alpha": alpha, "fit_intercept": False, "tol": tol * largest, "max_iter": 1000}
        if l1_ratio < 1.0:
            model = module.ElasticNet(l1_ratio=l1_ratio, positive=positive, **common)
        else:
            model = module.Lasso(positive=positive, **common)
        return model.fit(X, y).coef_

    return solve


def adelie(X, y, alpha, l1_ratio, positive):
    """Solve with adelie (Yang & Hastie, 2024) at the end of its own short path."""
    module = peer("adelie")
    if module is None or positive:
        return None
    n_samples, n_features = X.shape
    correlation = np.abs(X.T @ y).max() / n_samples / l1_ratio

    def solve(tol):
        path = np.geomspace(correlation, alpha, max(2, int(6 * np.log10(correlation / alpha))))
        wrap = module.matrix.sparse if sp.issparse(X) else module.matrix.dense
        state = module.grpnet(
            wrap(X, method="naive"),
            module.glm.gaussian(y),
            alpha=l1_ratio,
            penalty=np.ones(n_features),
            lmda_path=path,
            tol=1e-2 * tol,
            adev_tol=1.0,
            early_exit=False,
            intercept=False,
            progress_bar=False,
        )
        return np.asarray(state.betas[-1].todense()).ravel()

    return solve


def blitz(X, y, alpha, l1_ratio, positive):
    """Solve with blitzl1 (Johnson & Guestrin, 2015)."""
    module = race.blitz()
    if module is None or l1_ratio < 1.0 or positive:
        return None
    weight = alpha * len(y)

    def solve(tol):
        module.set_use_intercept(False)
        module.set_tolerance(tol)
        return module.LassoProblem(X, y).solve(weight).x

    return solve


def cyanure(X, y, alpha, l1_ratio, positive):
    """Solve with cyanure (Mairal, 2019)."""
    module = peer("cyanure.estimators")
    if module is None or positive:
        return None
    penalty = "l1" if l1_ratio == 1.0 else "elasticnet"
    data = X.tocsr() if sp.issparse(X) else np.ascontiguousarray(X)

    def solve(tol):
        model = module.Regression(
            penalty=penalty,
            fit_intercept=False,
            lambda_1=alpha * l1_ratio,
            lambda_2=alpha * (1.0 - l1_ratio),
            tol=tol,
            max_iter=10_000,
            verbose=False,
            n_threads=1,
        )
        return np.asarray(model.fit(data, y).get_weights()).ravel()

    return solve


def small_cells(kind: str = "lasso") -> list[Cell]:
    """Small problems on which everybody compiles, by Gram matrices and by sweeps."""
    rng = np.random.default_rng(0)
    problems = []
    for name, shape, n_used, fractions in (
        ("dense", (80, 300), 60, (100,)),
        ("small", (60, 20), 1, (20,)),
        ("wide", (400, 4000), 300, (5, 20)),
        ("tall", (3000, 100), 100, (20,)),
    ):
        X = np.asfortranarray(rng.standard_normal(shape))
        y = X[:, :n_used].sum(axis=1) + rng.standard_normal(shape[0])
        problems += [(name, X, y, fraction) for fraction in fractions]
    for shape, fractions in (((200, 1000), (100, 1000)), ((1000, 5000), (5, 1000))):
        problems += [("sparse", *random_sparse(*shape, 0.01), fraction) for fraction in fractions]
    return [lasso_cell(*problem, kind) for problem in problems]


def cells(quick: bool, kind: str = "lasso") -> Iterator[Cell]:
    """Every data set at every fraction of ``alpha_max``."""
    for name in QUICK if quick else DATA:
        data = load(name)
        if data is not None:
            for fraction in (20, 100) if quick else FRACTIONS:
                yield lasso_cell(name, data[0], data[1], fraction, kind)
