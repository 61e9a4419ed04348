"""Sparse columns that hold hardly a zero and lie far from it: moved to their mean before the fit.

Solvers centre sparse columns implicitly, by differences of sums that lose the digits which mean and
spread do not share. A column with a mean of many spreads has next to no zeros (a share f of equal
entries has ``mean^2 / variance = f / (1 - f)``), so it can be centred where it is stored. With an
intercept the model stays the same but for the intercept.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

FAR = 1e4  # mean squared over variance from which a column is moved
FULL = 0.999  # share of entries below which no column is that far


def without_offsets(X, fit_intercept: bool):
    """Return X, columns far from zero moved to their mean, and by how much; else X and None.

    Parameters
    ----------
    X : {ndarray, csc_array} of shape (n_samples, n_features)
    fit_intercept : bool
        Without an intercept no column may be moved.

    Returns
    -------
    X : {ndarray, csc_array} of shape (n_samples, n_features)
        As it was given, or a copy in which some columns are moved.
    offsets : ndarray of shape (n_features,) or None
    """
    if not fit_intercept or not sp.issparse(X):
        return X, None
    n_samples, n_features = X.shape
    lengths = np.diff(X.indptr)
    full = np.flatnonzero(lengths > FULL * n_samples)
    offsets = np.zeros(n_features)
    with np.errstate(over="ignore", invalid="ignore"):  # others refuse what overflows
        for j in full:
            column = X.data[X.indptr[j] : X.indptr[j + 1]].astype(np.float64)
            mean = column.sum() / n_samples
            squares = ((column - mean) ** 2).sum() + (n_samples - len(column)) * mean**2
            if n_samples * mean**2 > FAR * squares:
                offsets[j] = mean
    moved = offsets != 0.0
    if not moved.any():
        return X, None
    old = np.repeat(moved, lengths)
    lengths = np.where(moved, n_samples, lengths)
    new = np.repeat(moved, lengths)
    data = np.empty(len(new), dtype=X.dtype)
    indices = np.empty(len(new), dtype=X.indices.dtype)
    data[~new], indices[~new] = X.data[~old], X.indices[~old]
    columns = np.flatnonzero(moved)
    data[new] = (X[:, columns].toarray() - offsets[columns]).ravel(order="F")
    indices[new] = np.tile(np.arange(n_samples, dtype=indices.dtype), len(columns))
    indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(X.indptr.dtype)
    return sp.csc_array((data, indices, indptr), shape=X.shape), offsets


def as_given(intercept, coef: NDArray, offsets: NDArray | None):
    """Return the intercept for X as it was given from that for moved columns."""
    return intercept if offsets is None else intercept - coef @ offsets


def as_moved(intercept, coef: NDArray, offsets: NDArray | None):
    """Return the intercept for moved columns from that for X as it was given."""
    return intercept if offsets is None else intercept + coef @ offsets
