"""The races of group penalties: GroupLasso with groups of ten, and MultiTaskLasso."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import sklearn.linear_model

import bcd
from experiments.certificates import group_gap, multitask_gap
from experiments.race import OURS, Cell, peer
from experiments.race_data import correlated, load

SIZE = 10  # features in a group
DATA = {
    "group": ("colon", "leukemia", "srbct", "arcene", "AR(0.9) 1000 x 20000"),
    "multitask": ("digits", "srbct", "AR(0.9) 500 x 5000"),
}
QUICK = {"group": ("AR(0.9) 200 x 2000", "colon"), "multitask": ("digits",)}
FRACTIONS = (5, 20, 100)
N_TARGETS = 10  # of the generated multi-task sets


def group_cell(data: str, X, y, fraction: int) -> Cell:
    """Build the cell of one data set at ``alpha_max / fraction``, features in groups of ten."""
    n_samples = len(y)
    n_features = X.shape[1] // SIZE * SIZE
    X, y = np.asfortranarray(X[:, :n_features]), y - y.mean()
    groups = np.arange(n_features).reshape(-1, SIZE)
    norms = np.linalg.norm((X.T @ y)[groups], axis=1)
    alpha = float(norms.max()) / n_samples / np.sqrt(SIZE) / fraction
    factors = np.full(len(groups), np.sqrt(SIZE))
    at_zero = 0.5 * float(y @ y) / n_samples

    def gap(coef) -> float:
        return group_gap(X, y, coef, alpha, 0.0, groups, factors)[1] / at_zero

    def southwell(tol):
        model = bcd.GroupLasso(
            alpha, groups=SIZE, fit_intercept=False, tol=0.5 * tol, max_iter=100_000
        )
        return model.fit(X, y).coef_

    def celer(tol):
        model = _module("celer").GroupLasso(
            SIZE, alpha=alpha * np.sqrt(SIZE), fit_intercept=False, tol=0.5 * tol, max_iter=1000
        )
        return model.fit(X, y).coef_

    def skglm(tol):
        model = _module("skglm").GroupLasso(
            SIZE,
            alpha=alpha,
            weights=factors,
            fit_intercept=False,
            tol=tol * alpha * fraction,
            max_iter=1000,
        )
        return model.fit(X, y).coef_

    def adelie(tol):
        module = _module("adelie")
        state = module.grpnet(
            X,
            module.glm.gaussian(y=y),
            groups=groups[:, 0],
            lmda_path=[alpha],
            intercept=False,
            tol=1e-2 * tol,
            progress_bar=False,
            early_exit=False,
            max_iters=1_000_000,
            n_threads=1,
        )
        return state.betas.toarray()[-1]

    solvers = {OURS: southwell}
    peers = {"celer": celer, "skglm": skglm, "adelie": adelie}
    solvers |= {name: solver for name, solver in peers.items() if peer(name) is not None}
    return Cell("group", data, f"/{fraction}", gap, solvers, 6.0)


def multitask_cell(data: str, X, Y, fraction: int) -> Cell:
    """Build the cell of one data set with many targets at ``alpha_max / fraction``."""
    n_samples = len(Y)
    Y = np.asfortranarray(Y - Y.mean(axis=0))
    alpha = float(np.linalg.norm(X.T @ Y, axis=1).max()) / n_samples / fraction
    at_zero = 0.5 * float((Y**2).sum()) / n_samples

    def gap(coef) -> float:
        return multitask_gap(X, Y, coef.T, alpha)[1] / at_zero

    def southwell(tol):
        model = bcd.MultiTaskLasso(alpha, fit_intercept=False, tol=0.5 * tol, max_iter=100_000)
        return model.fit(X, Y).coef_

    def scikit_learn(tol):
        model = sklearn.linear_model.MultiTaskLasso(
            alpha, fit_intercept=False, tol=0.5 * tol, max_iter=10**8
        )
        return model.fit(X, Y).coef_

    def skglm(tol):
        model = _module("skglm.estimators").MultiTaskLasso(
            alpha, fit_intercept=False, tol=tol * alpha * fraction, max_iter=1000
        )
        return model.fit(X, Y).coef_

    solvers = {OURS: southwell, "scikit-learn": scikit_learn}
    if peer("skglm") is not None:
        solvers["skglm"] = skglm
    return Cell("multitask", data, f"/{fraction}", gap, solvers, 6.0)


def _targets(name: str, X, y):
    """Classes become indicator columns; generated data get targets that share 50 features."""
    labels = np.unique(y)
    if len(labels) <= 30:
        return (y[:, None] == labels).astype(np.float64)
    rng = np.random.default_rng(1)
    coef = np.zeros((X.shape[1], N_TARGETS))
    chosen = rng.choice(X.shape[1], min(50, X.shape[1]), replace=False)
    coef[chosen] = rng.standard_normal((len(chosen), N_TARGETS))
    Y = X @ coef
    return Y + rng.standard_normal(Y.shape) * Y.std() / 3


def _module(name: str) -> Any:
    return peer(name)


def small_cells(kind: str = "group") -> list[Cell]:
    """Tiny problems on which everybody compiles."""
    X, y = correlated(40, 60)
    if kind == "group":
        return [group_cell("dense", X, y, 20)]
    return [multitask_cell("dense", X, _targets("dense", X, y), 20)]


def cells(quick: bool, kind: str = "group") -> Iterator[Cell]:
    """Every data set at every fraction of ``alpha_max``."""
    for name in QUICK[kind] if quick else DATA[kind]:
        data = load(name)
        if data is None:
            continue
        for fraction in (20, 100) if quick else FRACTIONS:
            if kind == "group":
                yield group_cell(name, data[0], data[1], fraction)
            else:
                yield multitask_cell(name, data[0], _targets(name, *data), fraction)
