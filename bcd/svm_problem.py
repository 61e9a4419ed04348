"""The problem of a linear support vector machine: rows, labels, costs and what is made of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from bcd._svm_kernels import combine_rows, row_margins, squared_lengths

# What a row costs in a sweep, in nanoseconds as measured: itself, and each of its entries
ROW_COST, ENTRY_COST, DENSE_COST = 30.0, 2.0, 0.5
# and what a Gram matrix costs for each pair of a row's entries, or of rows and an entry
PAIR_COST, DENSE_PAIR_COST = 0.6, 0.07


class SignedRows:
    """Rows ``X`` with labels ``y``, -1 or 1; ``bias`` is the value of a constant feature.

    Attributes
    ----------
    arrays : tuple of ndarray
        What kernels take for X.
    everyone : ndarray of shape (n_rows,), int32
        Places of all rows.
    """

    X: Any
    y: NDArray[np.float64]
    bias: float
    arrays: tuple[Any, Any, Any]
    everyone: NDArray[np.int32]

    def margins(self, w: NDArray) -> NDArray[np.float64]:
        """Return ``y * (X w)``."""
        if not sp.issparse(self.X):
            return self.y * (self.X @ w[:-1] + self.bias * w[-1])
        out = np.empty(len(self.y))
        row_margins(*self.arrays, self.y, self.bias, w, self.everyone, out)
        return out

    def combine(self, a: NDArray) -> NDArray[np.float64]:
        """Return ``sum_i a_i y_i x_i``."""
        if not sp.issparse(self.X):
            signed = a * self.y
            return np.append(signed @ self.X, self.bias * signed.sum())
        total = np.zeros(self.X.shape[1] + 1)
        combine_rows(*self.arrays, self.y, self.bias, self.everyone, a, total)
        return total


class LinearSVMProblem(SignedRows):
    """Rows, labels and costs; ``bias`` is the value of a constant feature, 0 for none.

    Parameters
    ----------
    X : {ndarray, csr_array} of shape (n_samples, n_features), float64
        A dense one in C order; indices of rows in increasing order.
    y : ndarray of shape (n_samples,)
        -1 or 1.
    cost : ndarray of shape (n_samples,)
        Above zero.
    bias : float
    squared : bool
        Whether slacks are squared.
    """

    def __init__(self, X, y, cost, bias: float, squared: bool):
        self.X, self.y, self.cost, self.bias, self.squared = X, y, cost, float(bias), squared
        self.arrays = _arrays_of(X)
        if sp.issparse(X):
            self.n_entries = X.nnz / max(len(y), 1)
            self.row_cost = ROW_COST + ENTRY_COST * self.n_entries
        else:
            self.n_entries = float(X.shape[1])
            self.row_cost = ROW_COST + DENSE_COST * self.n_entries
        self.squares = np.empty(len(y))
        squared_lengths(*self.arrays, X.shape[1], self.bias, self.squares)
        self.upper = np.full(len(y), np.inf) if squared else cost
        self.ridge = 0.5 / cost if squared else np.zeros(len(y))
        self.everyone = np.arange(len(y), dtype=np.int32)

    def gram_cost(self) -> float:
        """Return the nanoseconds of the smaller Gram matrix, of all rows or of all features."""
        n, p = self.X.shape
        if n < p and sp.issparse(self.X):
            return 0.5 * n**2 * self.row_cost
        pairs = 0.5 * n * self.n_entries * (self.n_entries if n >= p else n)
        return pairs * (PAIR_COST if sp.issparse(self.X) else DENSE_PAIR_COST)

    def objective(self, w: NDArray, margins: NDArray) -> float:
        """Return the primal objective."""
        slack = np.maximum(1.0 - margins, 0.0)
        loss = self.cost @ (slack**2 if self.squared else slack)
        return 0.5 * float(w @ w) + float(loss)


def _arrays_of(X) -> tuple[Any, Any, Any]:
    """Return entries, indices and row pointers; of a dense X the entries alone, row by row."""
    if sp.issparse(X):
        return _as_if_writable(X.data), _as_if_writable(X.indices), _as_if_writable(X.indptr)
    nothing = np.empty(0, dtype=np.int32)
    return _as_if_writable(X.ravel()), nothing, nothing


class _Alias:
    """The memory of an array, which it keeps alive, under another description."""

    def __init__(self, array: NDArray, description: dict):
        self.array, self.__array_interface__ = array, description


def _as_if_writable(array: NDArray) -> NDArray:
    """Return an array for kernels that only read: for read-only ones they would compile anew."""
    if array.flags.writeable:
        return array
    description = dict(array.__array_interface__)
    description["data"] = (description["data"][0], False)
    return np.asarray(_Alias(array, description))
