"""The design matrix as the solvers see it: columns, centred without being copied.

``A`` is what the user gave, times the square roots of the sample weights where there are any. With
an intercept every column stands for its part orthogonal to ``u``; that part is never stored for the
whole matrix. Residuals are kept orthogonal to ``u``, so ``A' r`` needs no centring at all.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from bcd._design_kernels import (
    centered_squares_columns,
    centered_squares_dense,
    centered_squares_sparse,
    correlate_columns,
    correlate_rows,
    correlate_sparse,
)

CHUNK = 256  # columns that are gathered at once
ZERO_COLUMN = 1e-26  # squared length, relative, below which centring left nothing but rounding
Vector = NDArray[np.float64]
Columns = NDArray[np.int32]


class Design(Protocol):
    """What a working-set solver asks of a matrix of shape (n_samples, n_features)."""

    matrix: Any  # as given, times the square roots of sample weights; neither copied nor centred
    shape: tuple[int, int]
    means: Vector  # (n_features,) u'a_j / u'u, zeros without an intercept
    squares: Vector  # (n_features,) squared length of each centred column
    u: Vector  # (n_samples,) or (0,)

    def correlate(self, r: Vector, columns: Columns) -> Vector:
        """Return ``A[:, columns]' r``."""

    def gram(self, left: Columns, right: Columns) -> Vector:
        """Return the inner products of centred columns, of shape (len(left), len(right))."""

    def product(self, columns: Columns, coef: Vector) -> Vector:
        """Return ``A[:, columns] @ coef`` with centred columns, of shape (n_samples,)."""


def nonzero_columns(design: Design) -> Columns:
    """Return the columns of which centring left more than rounding errors."""
    raw = design.squares + design.means**2 * (design.u @ design.u)
    return np.flatnonzero(design.squares > ZERO_COLUMN * raw).astype(np.int32)


def project_out(u: Vector, r: Vector) -> Vector:
    """Return ``r`` without its part along ``u`` (``r`` itself when ``u`` is empty)."""
    return r - (u @ r) / (u @ u) * u if len(u) else r


class DenseDesign:
    """A dense matrix, C or Fortran ordered, float32 or float64."""

    def __init__(self, matrix, u: Vector):
        self.matrix, self.u, self.shape = matrix, u, matrix.shape
        self.by_columns = matrix.flags.f_contiguous
        self.means, self.squares = np.empty(self.shape[1]), np.empty(self.shape[1])
        squares = centered_squares_columns if self.by_columns else centered_squares_dense
        squares(matrix, u, self.means, self.squares)

    def correlate(self, r: Vector, columns: Columns) -> Vector:
        """Return ``A[:, columns]' r``."""
        out = np.empty(len(columns))
        kernel = correlate_columns if self.by_columns else correlate_rows
        kernel(self.matrix, r, columns, out)
        return out

    def _centered(self, columns: Columns) -> Vector:
        block = self.matrix[:, columns].astype(np.float64, order="F", copy=False)
        if len(self.u):
            block -= self.u[:, None] * self.means[columns]
        return block

    def gram(self, left: Columns, right: Columns) -> Vector:
        """Return the inner products of centred columns, of shape (len(left), len(right))."""
        out = np.empty((len(left), len(right)))
        for start in range(0, len(right), CHUNK):
            block = self._centered(right[start : start + CHUNK])
            for other in range(0, len(left), CHUNK):
                # centring one side is enough, and the other side then needs no second copy
                part = self.matrix[:, left[other : other + CHUNK]].astype(np.float64, copy=False)
                out[other : other + CHUNK, start : start + CHUNK] = part.T @ block
        return out

    def product(self, columns: Columns, coef: Vector) -> Vector:
        """Return ``A[:, columns] @ coef`` with centred columns, of shape (n_samples,)."""
        out = np.zeros(self.shape[0])
        for start in range(0, len(columns), CHUNK):
            chosen = columns[start : start + CHUNK]
            out += (
                self.matrix[:, chosen].astype(np.float64, copy=False) @ coef[start : start + CHUNK]
            )
        return out - (self.means[columns] @ coef) * self.u if len(self.u) else out


class SparseDesign:
    """A matrix in compressed sparse column form; it is never densified, centred or not."""

    def __init__(self, matrix: sp.csc_array, u: Vector):
        self.matrix, self.u, self.shape = matrix, u, matrix.shape
        self.means, self.squares = np.empty(self.shape[1]), np.empty(self.shape[1])
        centered_squares_sparse(
            matrix.data, matrix.indices, matrix.indptr, u, self.means, self.squares
        )

    def correlate(self, r: Vector, columns: Columns) -> Vector:
        """Return ``A[:, columns]' r``."""
        out = np.empty(len(columns))
        matrix = self.matrix
        correlate_sparse(matrix.data, matrix.indices, matrix.indptr, r, columns, out)
        return out

    def gram(self, left: Columns, right: Columns) -> Vector:
        """Return the inner products of centred columns, of shape (len(left), len(right))."""
        part, block = (self.matrix[:, chosen].astype(np.float64) for chosen in (left, right))
        out = (part.T @ block).toarray()
        if len(self.u):
            out -= (self.u @ self.u) * np.outer(self.means[left], self.means[right])
        return out

    def product(self, columns: Columns, coef: Vector) -> Vector:
        """Return ``A[:, columns] @ coef`` with centred columns, of shape (n_samples,)."""
        out = self.matrix[:, columns].astype(np.float64) @ coef
        return out - (self.means[columns] @ coef) * self.u if len(self.u) else out


def make_design(matrix, u: Vector) -> Design:
    """Wrap a matrix of float32 or float64, dense or ``csc_array`` with 32-bit or 64-bit indices."""
    return SparseDesign(matrix, u) if sp.issparse(matrix) else DenseDesign(matrix, u)
