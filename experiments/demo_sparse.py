"""The demo's first half: a sparse model of real data, certified, beside scikit-learn's solver."""

import time
import warnings
from pathlib import Path

import numpy as np
import sklearn.linear_model
from sklearn.datasets import load_breast_cancer
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

import bcd
from experiments.certificates import lasso_gap

TOLERANCES = tuple(10.0**-k for k in range(1, 11))
PATIENCE_S = 0.5  # a solver that needed more for one fit is not asked for a tighter one
COLORS = {"southwell": "#c8102e", "scikit-learn": "#3b6ea5"}


def cubic_features(degree: int = 3):
    """Load breast cancer (569 patients) with all products of up to ``degree`` measurements.

    Returns
    -------
    X : ndarray of shape (569, n_features), Fortran order, standardised columns
    y : ndarray of shape (569,), centred class labels
    names : ndarray of str, the product that each column holds
    """
    data = load_breast_cancer()
    products = PolynomialFeatures(degree, include_bias=False)
    X = products.fit_transform(StandardScaler().fit_transform(data.data))
    names = products.get_feature_names_out([name.replace(" ", "_") for name in data.feature_names])
    y = data.target - data.target.mean()
    return np.asfortranarray(StandardScaler().fit_transform(X)), y, names


def warm_up() -> None:
    """Compile what the race needs, on some of its columns."""
    X, y, _ = cubic_features(2)
    alpha = np.abs(X.T @ y).max() / len(y) / 20
    for tol in (TOLERANCES[0], TOLERANCES[-1]):
        bcd.Lasso(alpha=alpha, fit_intercept=False, tol=tol).fit(X, y)


def race(X, y, alpha: float, repeats: int = 3) -> list[dict]:
    """Fit with ever tighter tolerance; best time, objective and independent relative gap of each.

    The solvers take turns, so that a busy machine is unfair to none.
    """
    solvers = {"southwell": bcd.Lasso, "scikit-learn": sklearn.linear_model.Lasso}
    at_zero = lasso_gap(X, y, np.zeros(X.shape[1]), alpha)[0]
    rows = []
    for tol in TOLERANCES:
        for name, solver in list(solvers.items()):
            elapsed = []
            for _ in range(repeats):
                model = solver(alpha=alpha, fit_intercept=False, tol=tol, max_iter=100_000)
                started = time.perf_counter()
                with warnings.catch_warnings():  # what was reached is measured below
                    warnings.simplefilter("ignore", ConvergenceWarning)
                    model.fit(X, y)
                elapsed.append(time.perf_counter() - started)
                if elapsed[-1] > PATIENCE_S:
                    del solvers[name]
                    break
            objective, gap = lasso_gap(X, y, model.coef_, alpha)
            rows.append(
                {
                    "solver": name,
                    "tol": tol,
                    "time_s": min(elapsed),
                    "objective": objective,
                    "relative_gap": gap / at_zero,
                    "coef": model.coef_,
                }
            )
    return rows


def fastest(times, values) -> tuple[np.ndarray, np.ndarray]:
    """Keep the fits that no faster fit matches, by rising time; values below 1e-16 are rounding.

    Examples
    --------
    >>> fastest([1.0, 3.0, 2.0, 4.0], [1e-1, 1e-3, 1e-3, 1e-2])
    (array([1., 2.]), array([0.1  , 0.001]))
    """
    order = np.lexsort((values, times))
    times, values = np.asarray(times)[order], np.maximum(np.asarray(values)[order], 1e-16)
    best_before = np.append(np.inf, np.minimum.accumulate(values)[:-1])
    return times[values < best_before], values[values < best_before]


def draw(rows: list[dict], names, file: Path) -> None:
    """Objective and gap against time, and the support that was identified."""
    import matplotlib.pyplot as plt

    best = min(row["objective"] for row in rows)
    figure, axes = plt.subplots(1, 3, figsize=(11, 4.0), layout="constrained")
    for name, color in COLORS.items():
        mine = [row for row in rows if row["solver"] == name]
        times = [1e3 * row["time_s"] for row in mine]
        for axis, key, offset in ((axes[0], "objective", best), (axes[1], "relative_gap", 0.0)):
            front = fastest(times, [row[key] - offset for row in mine])
            axis.loglog(*front, "o-", color=color, label=name, markersize=5)
    axes[0].set(ylabel="objective above the best found", title="Objective against time")
    axes[1].set(ylabel="duality gap / objective at zero", title="Certificate against time")
    for axis in axes[:2]:
        axis.set_xlabel("time of one fit (ms)")
        axis.grid(alpha=0.3, which="major")
        axis.legend(frameon=False, loc="upper right")
    coef = next(row["coef"] for row in reversed(rows) if row["solver"] == "southwell")
    strongest = np.argsort(-np.abs(coef))[: min(8, np.count_nonzero(coef))][::-1]
    axes[2].barh(range(len(strongest)), coef[strongest], color=COLORS["southwell"])
    labels = [names[j].replace(" ", " ×\n").replace("_", " ") for j in strongest]  # noqa: RUF001
    labels = [label.replace("^2", "²").replace("^3", "³") for label in labels]
    axes[2].set_yticks(range(len(strongest)), labels, fontsize=8.5, linespacing=1.1)
    axes[2].set(
        xlabel="coefficient (standardised features)",
        title=f"{len(strongest)} strongest of {np.count_nonzero(coef)} features",
    )
    axes[2].axvline(0.0, color="black", linewidth=0.8)
    axes[2].locator_params(axis="x", nbins=4)
    figure.savefig(file, dpi=130)
    plt.close(figure)


def measure(degree: int = 3) -> tuple[list[dict], np.ndarray]:
    """Race the two solvers and print what was reached.

    Returns
    -------
    rows : list of dict
        As ``race`` returns them.
    names : ndarray of str
        As ``cubic_features`` returns them.
    """
    X, y, names = cubic_features(degree)
    alpha = np.abs(X.T @ y).max() / len(y) / 20
    warm_up()
    rows = race(X, y, alpha)
    print(f"Lasso on breast cancer, products of up to {degree} measurements: {X.shape}, ")
    print(f"alpha = alpha_max / 20 = {alpha:.4g}; relative gap = duality gap / objective at 0")
    print(f"{'solver':>14} {'tol':>8} {'time (ms)':>10} {'relative gap':>13} {'nonzero':>8}")
    for row in rows:
        print(
            f"{row['solver']:>14} {row['tol']:8.0e} {1e3 * row['time_s']:10.2f} "
            f"{row['relative_gap']:13.1e} {np.count_nonzero(row['coef']):8d}"
        )
    return rows, names
