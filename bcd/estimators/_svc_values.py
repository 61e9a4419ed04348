"""Values of kernels, by name or as a function that the user gives."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.metrics.pairwise import pairwise_kernels

ROWS = 256  # of a matrix that are made together, so that they stay in the cache


def read_gamma(gamma, X, sample_weight) -> float:
    """Return the number that ``gamma`` stands for.

    Parameters
    ----------
    gamma : {"scale", "auto"} or float
    X : {ndarray, csr matrix} of shape (n_samples, n_features)
    sample_weight : float, array-like of shape (n_samples,) or None
        How often each sample counts in the variance of ``"scale"``.
    """
    if not isinstance(gamma, str):
        return float(gamma)
    if gamma == "auto":
        return 1.0 / X.shape[1]
    weights = np.ones(X.shape[0])
    if sample_weight is not None:
        weights *= np.asarray(sample_weight, dtype=np.float64)

    def mean(values) -> float:
        return float(np.average(np.asarray(values.mean(axis=1)).ravel(), weights=weights))

    center = mean(X)
    variance = mean(X.multiply(X)) - center**2 if sp.issparse(X) else mean((X - center) ** 2)
    return 1.0 / (X.shape[1] * variance) if variance > 0.0 else 1.0


def kernel_values(
    kernel: str | Callable, X, Z, gamma: float, degree: float, coef0: float
) -> NDArray[np.float64]:
    """Return the kernel's matrix of the rows of X and Z.

    Raises
    ------
    ValueError
        If a callable kernel returns another shape, or values are not finite.
    """
    if callable(kernel):
        values = np.asarray(kernel(X, Z), dtype=np.float64)
        if values.shape != (X.shape[0], Z.shape[0]):
            raise ValueError(
                f"kernel must return an array of shape {(X.shape[0], Z.shape[0])} for X of "
                f"{X.shape[0]} and Y of {Z.shape[0]} rows, got {values.shape}."
            )
    else:
        known = {"gamma": gamma, "degree": degree, "coef0": coef0}
        with np.errstate(over="ignore", invalid="ignore"):
            if X is Z and kernel in ("linear", "rbf") and not sp.issparse(X):
                values = _square(kernel, X, gamma)
            else:
                values = pairwise_kernels(X, Z, metric=kernel, filter_params=True, **known)
    with np.errstate(over="ignore", invalid="ignore"):
        total = values.sum()  # of finite values it may be infinite, but of others not finite
    if not np.isfinite(total) and not np.isfinite(values).all():
        bad = values[~np.isfinite(values)][0]
        raise ValueError(f"kernel values must be finite, got {bad}; scale the features.")
    return values


def _square(kernel: str, X: NDArray, gamma: float) -> NDArray[np.float64]:
    """Return the matrix of all pairs of dense rows; what is below its diagonal is copied."""
    if kernel == "rbf":
        X = X * np.sqrt(2.0 * gamma)
    half = 0.5 * np.einsum("ij,ij->i", X, X)
    values = np.empty((len(X), len(X)))
    for start in range(0, len(X), ROWS):
        rows = slice(start, start + ROWS)
        part = values[rows, start:]
        np.matmul(X[rows], X[start:].T, out=part)
        if kernel == "rbf":
            part -= half[rows, None]
            part -= half[start:]
            np.minimum(part, 0.0, out=part)
            np.exp(part, out=part)
        values[start + ROWS :, rows] = part[:, ROWS:].T
    if kernel == "rbf":
        np.fill_diagonal(values, 1.0)
    return values
