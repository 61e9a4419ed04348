"""The design matrix as the solvers see it: columns, centred without being copied.

``A`` is what the user gave, its rows times the square roots of the sample weights where there are
any; neither weights nor centring copy it, and a fold of cross-validation is a weight of zero. With
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
    centered_squares_rows,
    centered_squares_sparse,
    combine_columns,
    combine_sparse,
    correlate_columns,
    correlate_rows,
    correlate_sparse,
    gather_from_columns,
    gather_from_rows,
    gram_sparse,
    plain_squares_sparse,
    scatter_sparse,
)

CHUNK = 256  # columns that are gathered at once
SLAB = 2048  # samples that are gathered at once
SAME = 1e-14  # relative: targets that differ by rounding
ZERO_COLUMN = 1e-26  # squared length, relative, below which centring left nothing but rounding
OVERFLOW = (
    "X and y must have columns whose sums of squares do not overflow, which would end in "
    "non-finite parameter values; scale them."
)
Vector = NDArray[np.float64]
Columns = NDArray[np.int32]


class Design(Protocol):
    """What a working-set solver asks of a matrix of shape (n_samples, n_features)."""

    matrix: Any  # (n_samples, n_features) as it was given, neither weighted nor centred
    shape: tuple[int, int]
    means: Vector  # (n_features,) u'a_j / u'u, zeros without an intercept
    squares: Vector  # (n_features,) squared length of each centred column
    u: Vector  # (n_samples,) or (0,)
    root: Vector | None  # (n_samples,) square roots of the sample weights
    first: tuple[Vector, Vector] | None  # a target, orthogonal to u, and ``A'`` times it

    def correlate(self, r: Vector, columns: Columns) -> Vector:
        """Return ``A[:, columns]' r``."""

    def gram(self, left: Columns, right: Columns) -> Vector:
        """Return the inner products of centred columns, of shape (len(left), len(right))."""

    def product(self, columns: Columns, coef: Vector) -> Vector:
        """Return ``A[:, columns] @ coef`` with centred columns, of shape (n_samples,)."""

    def gathered(self, columns: Columns) -> Vector:
        """Return centred columns, dense, of shape (len(columns), n_samples)."""


def nonzero_columns(design: Design) -> Columns:
    """Return the columns of which centring left more than rounding errors."""
    least: Vector | float = 0.0
    if len(design.u):
        least = ZERO_COLUMN * (design.squares + design.means**2 * (design.u @ design.u))
    kept = design.squares > least
    if kept.all():
        return np.arange(len(kept), dtype=np.int32)
    return np.flatnonzero(kept).astype(np.int32)


def correlate_target(design: Design, b: Vector, columns: Columns) -> Vector:
    """Return ``A[:, columns]' b``, without a pass where the design was made with that target."""
    if design.first is not None:
        known, c = design.first
        if np.abs(known - b).max() <= SAME * np.abs(b).max():
            in_order = len(columns) == len(c) and (columns[:-1] < columns[1:]).all()
            return c if in_order else c[columns]
    return design.correlate(b, columns)


def grown_gram(design: Design, old: Columns, new: Columns) -> tuple[Vector, Vector]:
    """Return the inner products of old columns with new ones, and of new ones with each other."""
    if not isinstance(design, DenseDesign):
        return design.gram(old, new), design.gram(new, new)
    across, among = np.zeros((len(old), len(new))), np.zeros((len(new), len(new)))
    for start in range(0, design.shape[0], SLAB):
        part = design.slab(new, start)  # gathered once
        among += part @ part.T
        across += design.slab(old, start) @ part.T
    return across, among


def refuse_overflow(design: Design, *targets: NDArray) -> None:
    """Raise ValueError where squares of the columns, or of targets, do not sum to a number."""
    with np.errstate(over="ignore"):
        fit = np.isfinite(design.squares).all() and all(np.isfinite(np.vdot(y, y)) for y in targets)
    if not fit:
        raise ValueError(OVERFLOW)


def project_out(u: Vector, r: Vector) -> Vector:
    """Return ``r`` without its part along ``u`` (``r`` itself when ``u`` is empty)."""
    return r - (u @ r) / (u @ u) * u if len(u) else r


class DenseDesign:
    """A dense matrix, C or Fortran ordered, float32 or float64."""

    def __init__(self, matrix, u: Vector, root: Vector | None = None, target: Vector | None = None):
        matrix = read_only(matrix)
        self.matrix, self.u, self.root, self.shape = matrix, u, root, matrix.shape
        self.by_columns = matrix.flags.f_contiguous
        self.weight, self.shift = _weight_and_shift(self)
        self.means, self.squares = np.empty(self.shape[1]), np.empty(self.shape[1])
        b = np.empty(0) if target is None else project_out(u, target)
        # a copy, which kernels may write: one signature whatever the user's target allows
        r = np.array(b if root is None or target is None else root * b)
        c = np.empty(self.shape[1])
        squares = centered_squares_columns if self.by_columns else centered_squares_rows
        squares(matrix, self.weight, self.shift, r, self.means, self.squares, c)
        self.first = None if target is None else (b, c)

    def correlate(self, r: Vector, columns: Columns) -> Vector:
        """Return ``A[:, columns]' r``."""
        out = np.empty(len(columns))
        kernel = correlate_columns if self.by_columns else correlate_rows
        kernel(self.matrix, r if self.root is None else self.root * r, columns, out)
        return out

    def gram(self, left: Columns, right: Columns) -> Vector:
        """Return the inner products of centred columns, of shape (len(left), len(right))."""
        out = np.zeros((len(left), len(right)))
        for start in range(0, self.shape[0], SLAB):
            part = self.slab(right, start)
            # both sides are centred: a mean's rounding error is else multiplied by other means
            other = part if left is right else self.slab(left, start)
            out += other @ part.T  # of one with itself BLAS does half the work
        return out

    def slab(self, columns: Columns, start: int) -> NDArray[np.float64]:
        """Return ``SLAB`` samples of columns, centred and weighted, a row for each column."""
        return self._slab(columns, start, self.shift)

    def gathered(self, columns: Columns | None = None) -> NDArray[np.float64]:
        """Return columns (all when None), centred and weighted, of shape (k, n_samples)."""
        if columns is None:
            columns = np.arange(self.shape[1], dtype=np.int32)
        return self._slab(columns, 0, self.shift, self.shape[0])

    def gram_of_samples(self, columns: Columns) -> NDArray[np.float64]:
        """Return the inner products of the samples in these columns, centred."""
        out = np.zeros((self.shape[0], self.shape[0]))
        for start in range(0, len(columns), CHUNK):
            part = self._slab(columns[start : start + CHUNK], 0, self.shift, self.shape[0])
            out += part.T @ part
        return out

    def weighted_columns(self, columns: Columns) -> NDArray[np.float64]:
        """Return the columns weighted but not centred, a row each."""
        return self._slab(columns, 0, np.empty(0), self.shape[0])

    def gather(self, columns: Columns, out: NDArray[np.float64]) -> None:
        """Set ``out`` of shape (len(columns), n_samples) to columns, centred and weighted."""
        root = np.empty(0) if self.root is None else self.root
        kernel = gather_from_columns if self.by_columns else gather_from_rows
        kernel(self.matrix, 0, columns, self.means, root, self.shift, out)

    def _slab(
        self, columns: Columns, start: int, shift: Vector, rows: int = SLAB
    ) -> NDArray[np.float64]:
        out = np.empty((len(columns), min(rows, self.shape[0] - start)))
        root = np.empty(0) if self.root is None else self.root
        gather = gather_from_columns if self.by_columns else gather_from_rows
        gather(self.matrix, start, columns, self.means, root, shift, out)
        return out

    def product(self, columns: Columns, coef: Vector) -> Vector:
        """Return ``A[:, columns] @ coef`` with centred columns, of shape (n_samples,)."""
        out = np.empty(self.shape[0])
        combine_columns(self.matrix, columns, coef, out)
        return _weighted(out, self, columns, coef)


class SparseDesign:
    """A matrix in compressed sparse column form; it is never densified, centred or not."""

    def __init__(self, matrix: sp.csc_array, u: Vector, root: Vector | None = None, target=None):
        self.matrix, self.u, self.root, self.shape = matrix, u, root, matrix.shape
        self.first: tuple[Vector, Vector] | None = None
        self.parts = _parts(matrix)
        self.weight, self.shift = _weight_and_shift(self)
        self.means, self.squares = np.zeros(self.shape[1]), np.empty(self.shape[1])
        if root is None and (u == 1.0).all():  # or without an intercept
            b = np.empty(0) if target is None else np.array(project_out(u, target))
            c = np.empty(0 if target is None else self.shape[1])
            rest = len(u) > 0, b, self.means, self.squares, c
            plain_squares_sparse(*self.parts, self.shape[0], *rest)
            self.first = None if target is None else (b, c)
        else:
            centered_squares_sparse(*self.parts, self.weight, self.shift, self.means, self.squares)

    def __getstate__(self):
        # parts are views of the matrix: a worker process is handed each array once
        return {name: value for name, value in vars(self).items() if name != "parts"}

    def __setstate__(self, state):
        vars(self).update(state, parts=_parts(state["matrix"]))

    def correlate(self, r: Vector, columns: Columns) -> Vector:
        """Return ``A[:, columns]' r``."""
        out = np.empty(len(columns))
        correlate_sparse(*self.parts, r if self.root is None else self.root * r, columns, out)
        return out

    def gram(self, left: Columns, right: Columns) -> Vector:
        """Return the inner products of centred columns, of shape (len(left), len(right))."""
        same = left is right
        out = np.empty((len(right), len(left)))
        gram_sparse(*self.parts, left, right, self.weight, same, out)
        out = np.tril(out) + np.tril(out, -1).T if same else out.T
        if len(self.u):
            out -= (self.u @ self.u) * np.outer(self.means[left], self.means[right])
        return out

    def product(self, columns: Columns, coef: Vector) -> Vector:
        """Return ``A[:, columns] @ coef`` with centred columns, of shape (n_samples,)."""
        out = np.empty(self.shape[0])
        combine_sparse(*self.parts, columns, coef, out)
        return _weighted(out, self, columns, coef)

    def gathered(self, columns: Columns) -> NDArray[np.float64]:
        """Return columns, centred, weighted and dense, of shape (k, n_samples)."""
        out = np.zeros((len(columns), self.shape[0]))
        scatter_sparse(*self.parts, columns, out)
        if self.root is not None:
            out *= self.root
        return out - np.outer(self.means[columns], self.u) if len(self.u) else out


def _weight_and_shift(design: Design) -> tuple[Vector, Vector]:
    """Sample weights, and what ``u`` is before the weights: where both are given, ones."""
    n = design.shape[0]
    if design.root is None:
        return np.ones(n), design.u
    return design.root**2, np.ones(n) if len(design.u) else design.u


def _weighted(out: Vector, design: Design, columns: Columns, coef: Vector) -> Vector:
    if design.root is not None:
        out *= design.root
    return out - (design.means[columns] @ coef) * design.u if len(design.u) else out


def _parts(matrix) -> tuple[Vector, Columns, NDArray[np.integer]]:
    """Return views of the data, indices and pointers of a compressed matrix."""
    return read_only(matrix.data), read_only(matrix.indices), read_only(matrix.indptr)


def read_only(array):
    """Return a view that kernels may only read: one signature whatever the user's array allows."""
    view = np.asarray(array).view()
    view.flags.writeable = False
    return view


def make_design(
    matrix, u: Vector, root: Vector | None = None, target: Vector | None = None
) -> Design:
    """Wrap a matrix of float32 or float64, dense or ``csc_array`` with 32-bit or 64-bit indices.

    Parameters
    ----------
    matrix : {ndarray, csc_array} of shape (n_samples, n_features)
    u : ndarray of shape (n_samples,) or (0,)
        Without an intercept empty, else ``root``, or ones where that is None (the square roots of
        the sample weights where the rows of ``matrix`` were multiplied by them already).
    root : ndarray of shape (n_samples,), default=None
        Square roots of the sample weights, by which each row counts; zeros leave rows out.
    target : ndarray of shape (n_samples,), default=None
        Multiplied by ``root`` already. Columns are correlated with it while they are read; sparse
        ones only where all samples weigh the same.
    """
    if sp.issparse(matrix):
        return SparseDesign(matrix, u, root, target)
    return DenseDesign(matrix, u, root, target)
