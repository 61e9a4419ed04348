"""A design without what some of its columns explain: those of features that have no penalty.

Least squares is minimised over free features first, whatever the others are. That leaves the same
problem in the parts of target and columns orthogonal to the free columns, in which nothing is free
any more: its dual points are orthogonal to the free columns, as they must be, and ``A' r`` needs no
projection where ``r`` is orthogonal already (as with an intercept, see :mod:`bcd.design`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.linalg import qr, solve_triangular

from bcd.design import (
    CHUNK,
    SLAB,
    ZERO_COLUMN,
    Columns,
    DenseDesign,
    Design,
    Vector,
    nonzero_columns,
)

DEPENDENT = 1e-13  # relative, of what is left of a free column that others span
CANCELLED = 1e-4  # of a squared length, below which a difference of squares lacks digits


class ProjectedDesign:
    """The columns' parts orthogonal to the free columns; the matrix is neither changed nor copied.

    Parameters
    ----------
    base : Design
    free : ndarray of shape (n_free,), int32
        The free features, whose columns become zero.

    Attributes
    ----------
    basis : ndarray of shape (n_samples, rank), float64
        Orthonormal, spans the free columns, orthogonal to ``u``.
    overlap : ndarray of shape (n_features, rank), float64
        ``A' basis``.
    squares : ndarray of shape (n_features,)
        Squared lengths of what is left of the columns, 0 where that is rounding errors only.
    """

    def __init__(self, base: Design, free: Columns):
        self.base, self.matrix, self.shape = base, base.matrix, base.shape
        self.means, self.u, self.root = base.means, base.u, base.root
        self.first: tuple[Vector, Vector] | None = None
        usable = np.intersect1d(free, nonzero_columns(base)).astype(np.int32)
        lengths = np.sqrt(base.squares[usable])
        columns = base.gathered(usable) / lengths[:, None]
        basis, triangle, order = qr(columns.T, mode="economic", pivoting=True)
        rank = int(np.count_nonzero(np.abs(triangle.diagonal()) > DEPENDENT))
        self.basis = np.ascontiguousarray(basis[:, :rank])
        if len(self.u):  # means may be large
            self.basis -= np.outer(self.u, (self.u @ self.basis) / (self.u @ self.u))
        self.triangle = triangle[:rank, :rank]
        self.free, self.lengths = usable[order[:rank]], lengths[order[:rank]]  # which span the rest
        self.overlap = self._correlate_basis()
        self.squares = np.maximum(base.squares - (self.overlap**2).sum(axis=1), 0.0)
        self._measure_what_cancelled()
        self.squares[free] = 0.0

    def _correlate_basis(self) -> NDArray[np.float64]:
        matrix, basis = self.matrix, self.basis
        weighted = basis if self.root is None else self.root[:, None] * basis
        if sp.issparse(matrix):
            out = matrix.T @ weighted
        else:
            out = np.empty((self.shape[1], basis.shape[1]))
            for start in range(0, len(out), CHUNK):
                part = matrix[:, start : start + CHUNK].T
                out[start : start + CHUNK] = part.astype(np.float64, copy=False) @ weighted
        return out - np.outer(self.means, self.u @ basis) if len(self.u) else out

    def _measure_what_cancelled(self) -> None:
        raw = self.base.squares + self.means**2 * (self.u @ self.u)
        doubtful = np.flatnonzero(self.squares < CANCELLED * self.base.squares).astype(np.int32)
        for start in range(0, len(doubtful), CHUNK):
            chosen = doubtful[start : start + CHUNK]
            self.squares[chosen] = (self.gathered(chosen) ** 2).sum(axis=1)
        self.squares[self.squares <= ZERO_COLUMN * raw] = 0.0

    def project(self, r: NDArray) -> NDArray:
        """Return ``r`` of shape (n_samples,) or (n_samples, k) without what the basis explains."""
        for _ in range(2):  # the second takes out what rounding left
            r = r - self.basis @ (self.basis.T @ r)
        return r

    def free_coefficients(self, target: NDArray, x: NDArray) -> NDArray:
        """Return ``x`` with the free features' best coefficients, given those of the others.

        Parameters
        ----------
        target : ndarray of shape (n_samples,) or (n_samples, n_targets)
            Before it was projected.
        x : ndarray of shape (n_features,) or (n_features, n_targets)
            Zero at the free features.
        """
        x = x.copy()
        by_target = x if x.ndim == 2 else x[:, None]
        support = np.flatnonzero(by_target.any(axis=1)).astype(np.int32)
        parts = [self.base.product(support, np.ascontiguousarray(w)) for w in by_target[support].T]
        left = target - np.column_stack(parts).reshape(target.shape)
        found = solve_triangular(self.triangle, self.basis.T @ left)
        x[self.free] = (found.T / self.lengths).T
        return x

    def correlate(self, r: Vector, columns: Columns) -> Vector:
        """Return ``A[:, columns]' r``; ``r`` is orthogonal to the free columns but for rounding."""
        return self.base.correlate(self.project(r), columns)

    def gram(self, left: Columns, right: Columns) -> Vector:
        """Return the inner products of columns, of shape (len(left), len(right))."""
        base = self.base
        if not isinstance(base, DenseDesign):
            return base.gram(left, right) - self.overlap[left] @ self.overlap[right].T
        out = np.zeros((len(left), len(right)))
        for start in range(0, self.shape[0], SLAB):  # differences of products would lack digits
            part = self._slab(right, start)
            out += (part if left is right else self._slab(left, start)) @ part.T
        return out

    def _slab(self, columns: Columns, start: int) -> NDArray[np.float64]:
        base: Any = self.base
        rows = self.basis[start : start + SLAB]
        return base.slab(columns, start) - self.overlap[columns] @ rows.T

    def product(self, columns: Columns, coef: Vector) -> Vector:
        """Return ``A[:, columns] @ coef``, of shape (n_samples,)."""
        return self.project(self.base.product(columns, coef))

    def gathered(self, columns: Columns) -> NDArray[np.float64]:
        """Return columns, dense, of shape (k, n_samples)."""
        return self.project(self.base.gathered(columns).T).T


def without_free(design: Design, free: Columns) -> Design:
    """Return the design without what free columns explain, itself where there are none."""
    return ProjectedDesign(design, free) if len(free) else design
