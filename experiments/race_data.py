"""Data of the races: real sets from ../shared/data where present, bundled and generated ones."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, make_regression
from sklearn.preprocessing import StandardScaler

REAL = Path(__file__).parent.parent.parent / "shared" / "data" / "linear"


def real(name: str):
    """Load a real set: X (Fortran order, or ``csc_matrix``), y; None where it is absent."""
    file = REAL / f"{name}.npz"
    if not file.is_file():
        return None
    with np.load(file) as data:
        if "X" in data:
            X = np.asfortranarray(data["X"])
        else:
            parts = (data["data"].astype(np.float64), data["indices"], data["indptr"])
            X = sp.csc_matrix(parts, shape=tuple(data["shape"]))
        return X, data["y"].astype(np.float64)


def correlated(n_samples: int, n_features: int, rho: float = 0.9, seed: int = 0):
    """Columns of a stationary AR(rho) process, 100 of them in y, signal-to-noise ratio 3."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_samples, n_features))
    for j in range(1, n_features):
        X[:, j] = rho * X[:, j - 1] + np.sqrt(1.0 - rho**2) * X[:, j]
    coef = np.zeros(n_features)
    coef[rng.choice(n_features, min(100, n_features), replace=False)] = 1.0
    signal = X @ coef
    noise = rng.standard_normal(n_samples)
    return np.asfortranarray(X), signal + noise * np.linalg.norm(signal) / np.linalg.norm(noise) / 3


def gaussian(n_samples: int, n_features: int, n_informative: int = 100, noise: float = 10.0):
    """scikit-learn's ``make_regression``."""
    X, y = make_regression(
        n_samples,
        n_features,
        n_informative=min(n_informative, n_features),
        noise=noise,
        random_state=0,
    )
    return np.asfortranarray(X), y


def random_sparse(n_samples: int, n_features: int, density: float, seed: int = 0):
    """Positions and values at random, 100 features in y."""
    rng = np.random.default_rng(seed)
    X = sp.random(n_samples, n_features, density, format="csc", random_state=rng, dtype=np.float64)
    coef = np.zeros(n_features)
    coef[rng.choice(n_features, 100, replace=False)] = rng.standard_normal(100)
    return X, X @ coef + 0.1 * rng.standard_normal(n_samples)


def _standardised(loader):
    X, y = loader(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    return np.asfortranarray(X[:, X.std(axis=0) > 0]), y.astype(np.float64)


GENERATED = {
    "diabetes": lambda: _standardised(load_diabetes),
    "breast_cancer": lambda: _standardised(load_breast_cancer),
    "digits": lambda: _standardised(load_digits),
    "AR(0.9) 1000 x 20000": lambda: correlated(1000, 20_000),
    "AR(0.9) 500 x 5000": lambda: correlated(500, 5000),
    "AR(0.9) 200 x 2000": lambda: correlated(200, 2000),
    "make_regression 1000 x 10000": lambda: gaussian(1000, 10_000),
    "make_regression 200 x 2000": lambda: gaussian(200, 2000),
    "tall 50000 x 500": lambda: gaussian(50_000, 500),
    "tall 5000 x 100": lambda: gaussian(5000, 100),
    "random sparse 5000 x 50000": lambda: random_sparse(5000, 50_000, 1e-3),
    "random sparse 500 x 2000": lambda: random_sparse(500, 2000, 0.01),
}


@functools.lru_cache(maxsize=1)
def load(name: str):
    """Return X and y, uncentred, of a set by name; None where a real one is absent."""
    return GENERATED[name]() if name in GENERATED else real(name)
