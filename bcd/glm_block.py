"""Working blocks of generalised linear models: the chosen columns, laid out for Newton steps.

A block copies its columns once: dense ones one after another, sparse ones compressed by columns,
and by rows those of which a Gram matrix is kept. It is small; the design itself is never copied.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bcd._glm_block_kernels import (
    combine_columns,
    compress_rows,
    count_drifted,
    count_entries,
    multiply_compressed,
    multiply_squares,
    pairs_of_rows,
    pick_square,
    take_columns,
    update_gram,
)
from bcd.design import DenseDesign, Design, SparseDesign

Vector = NDArray[np.float64]
FEW_SAMPLES = 500  # up to which smooth models are solved by one equation a sample
DRIFT = 0.25  # of a sample's curvature, that a Gram matrix may be off


class Block(Protocol):
    """What the Newton solver asks of the working block ``W`` of shape (n_samples, size)."""

    columns: NDArray[np.int32]
    centered: bool  # whether the columns are centred when the design is

    @property
    def size(self) -> int:
        """Number of columns."""

    def append(self, columns: NDArray[np.int32]) -> None:
        """Take further columns of the design in."""

    def product(self, step: Vector) -> Vector:
        """Return ``W @ step``."""

    def correlate(self, slope: Vector) -> Vector:
        """Return ``W' slope``."""

    def squares(self, h: Vector) -> Vector:
        """Return the diagonal of ``W' diag(h) W``."""

    def gram(self, h: Vector, chosen: NDArray[np.int64]) -> Vector:
        """Return ``W' diag(h) W`` over the chosen columns."""

    def nearly_gram(
        self, h: Vector, chosen: NDArray[np.int64], reach: NDArray[np.int64] | None = None
    ) -> tuple[Vector, Vector]:
        """Return the same for weights near ``h``, off by a share DRIFT at most; and these.

        ``reach`` holds the columns that may be chosen next, beside those that are.
        """

    def inner_products(self, l2: Vector) -> Vector | None:
        """Return ``W diag(1 / l2) W'``, None where the samples are too many for it to pay."""

    def gram_pays(self) -> bool:
        """Whether to form Gram matrices rather than to walk columns."""

    def factor_pays(self) -> bool:
        """Whether to factor a Gram matrix rather than to take conjugate gradients."""


class DenseBlock:
    """Columns of a dense design; centred when the design has an intercept."""

    centered = True

    def __init__(self, design: DenseDesign):
        self.design = design
        self.columns = np.empty(0, dtype=np.int32)
        self.rows = np.empty((64, design.shape[0]))
        self.inner: Vector | None = None  # W diag(1 / inner_l2) W'
        self.inner_l2 = np.empty(0)

    @property
    def size(self) -> int:
        """Number of columns."""
        return len(self.columns)

    def append(self, columns: NDArray[np.int32]) -> None:
        """Take further columns of the design in."""
        size, grown = self.size, self.size + len(columns)
        matrix = self.design.matrix
        whole = len(columns) == matrix.shape[1] and (columns == np.arange(grown)).all()
        if whole and matrix.flags.f_contiguous and matrix.dtype == np.float64:
            if not len(self.design.u):  # it lies in memory as is wanted
                self.rows, self.columns = matrix.T, columns
                return
        if grown > len(self.rows):
            rows = np.empty((max(grown, 2 * len(self.rows)), self.rows.shape[1]))
            rows[:size] = self.rows[:size]
            self.rows = rows
        self.design.gather(columns, self.rows[size:grown])
        self.columns = np.concatenate([self.columns, columns])

    def product(self, step: Vector) -> Vector:
        """Return ``W @ step``."""
        return step @ self.rows[: self.size]

    def correlate(self, slope: Vector) -> Vector:
        """Return ``W' slope``."""
        return self.rows[: self.size] @ slope

    def squares(self, h: Vector) -> Vector:
        """Return the diagonal of ``W' diag(h) W``."""
        rows = self.rows[: self.size]
        return np.einsum("ki,ki,i->k", rows, rows, h)

    def gram(self, h: Vector, chosen: NDArray[np.int64]) -> Vector:
        """Return ``W' diag(h) W`` over the chosen columns."""
        scaled = self.rows[chosen] * np.sqrt(h)
        return scaled @ scaled.T

    def nearly_gram(
        self, h: Vector, chosen: NDArray[np.int64], reach: NDArray[np.int64] | None = None
    ) -> tuple[Vector, Vector]:
        """Return the same, and ``h``: BLAS is fast enough."""
        return self.gram(h, chosen), h

    def inner_products(self, l2: Vector) -> Vector | None:
        """Return ``W diag(1 / l2) W'``, None where the samples are too many for it to pay."""
        n = self.rows.shape[1]
        if n > min(FEW_SAMPLES, self.size) or not (l2 > 0.0).all():
            return None
        if self.inner is None or len(self.inner_l2) != len(l2) or (self.inner_l2 != l2).any():
            scaled = self.rows[: self.size] / np.sqrt(l2)[:, None]
            self.inner, self.inner_l2 = scaled.T @ scaled, l2
        return self.inner

    def gram_pays(self) -> bool:
        """Whether to form Gram matrices rather than to walk columns."""
        return True

    def factor_pays(self) -> bool:
        """Whether to factor a Gram matrix rather than to take conjugate gradients."""
        return self.size <= max(100, min(1000, 2 * self.rows.shape[1]))


class SparseBlock:
    """Columns of a sparse design, compressed by columns; never centred."""

    centered = False

    def __init__(self, design: SparseDesign):
        self.design = design
        self.columns = np.empty(0, dtype=np.int32)
        self.ptr = np.zeros(1, dtype=np.int64)
        self.index = np.empty(0, dtype=np.int32)
        self.value = np.empty(0)
        self.kept = np.empty(0, dtype=np.int64)  # columns of which G is, and its weights, are held
        self.rows = (np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int32), np.empty(0))
        self.held, self.G = np.empty(0), np.empty((0, 0))
        self.pays = True

    @property
    def size(self) -> int:
        """Number of columns."""
        return len(self.columns)

    def append(self, columns: NDArray[np.int32]) -> None:
        """Take further columns of the design in."""
        stored = int(self.ptr[-1])
        total = stored + count_entries(self.design.parts[2], columns)
        if total > len(self.value):
            index = np.empty(max(total, 2 * stored), dtype=np.int32)
            value = np.empty(len(index))
            index[:stored], value[:stored] = self.index[:stored], self.value[:stored]
            self.index, self.value = index, value
        ptr = np.empty(self.size + len(columns) + 1, dtype=np.int64)
        ptr[: len(self.ptr)] = self.ptr
        take_columns(
            *self.design.parts,
            columns,
            ptr[self.size :],
            self.index,
            self.value,
        )
        self.ptr = ptr
        self.columns = np.concatenate([self.columns, columns])
        gram = 0.5 * pairs_of_rows(self.design.shape[0], self.index[:total])
        self.pays = gram + self.size**3 / 60.0 <= 60.0 * total + 1e5

    def product(self, step: Vector) -> Vector:
        """Return ``W @ step``."""
        out = np.empty(self.design.shape[0])
        combine_columns(self.ptr, self.index, self.value, step, out)
        return out

    def correlate(self, slope: Vector) -> Vector:
        """Return ``W' slope``."""
        out = np.empty(self.size)
        multiply_compressed(self.ptr, self.index, self.value, slope, out)
        return out

    def squares(self, h: Vector) -> Vector:
        """Return the diagonal of ``W' diag(h) W``."""
        out = np.empty(self.size)
        multiply_squares(self.ptr, self.index, self.value, h, out)
        return out

    def gram(self, h: Vector, chosen: NDArray[np.int64]) -> Vector:
        """Return ``W' diag(h) W`` over the chosen columns."""
        self._keep(chosen)
        return self._update(h, chosen, 0.0)

    def nearly_gram(
        self, h: Vector, chosen: NDArray[np.int64], reach: NDArray[np.int64] | None = None
    ) -> tuple[Vector, Vector]:
        """Return the same for weights near ``h``, off by a share DRIFT at most; and these."""
        known = len(chosen) <= len(self.kept) and np.isin(chosen, self.kept).all()
        if known:  # but a smaller matrix anew may cost less
            drifted = count_drifted(h, self.held, DRIFT)
            known = drifted * len(self.kept) ** 2 <= len(h) * len(chosen) ** 2
        if not known:
            self._keep(chosen if reach is None else reach)
        return self._update(h, chosen, DRIFT), self.held

    def _keep(self, chosen: NDArray[np.int64]) -> None:
        """Forget the Gram matrix, and begin one of the chosen columns."""
        n = self.design.shape[0]
        total = int((self.ptr[chosen + 1] - self.ptr[chosen]).sum())
        row_ptr = np.empty(n + 1, dtype=np.int64)
        self.rows = row_ptr, np.empty(total, dtype=np.int32), np.empty(total)
        compress_rows(n, self.ptr, self.index, self.value, chosen, *self.rows)
        self.kept, self.held, self.G = chosen, np.zeros(n), np.zeros((len(chosen), len(chosen)))

    def _update(self, h: Vector, chosen: NDArray[np.int64], drift: float) -> Vector:
        update_gram(*self.rows, h, drift, self.held, self.G)
        if len(chosen) == len(self.kept):
            return self.G.copy()
        out = np.empty((len(chosen), len(chosen)))
        pick_square(self.G, np.searchsorted(self.kept, chosen), out)
        return out

    def inner_products(self, l2: Vector) -> Vector | None:
        """Return None: samples are many where data are sparse."""
        return None

    def gram_pays(self) -> bool:
        """Whether to form Gram matrices rather than to walk columns."""
        return self.pays

    def factor_pays(self) -> bool:
        """Whether to factor a Gram matrix rather than to take conjugate gradients."""
        return self.gram_pays()


def make_block(design: Design) -> Block:
    """Return an empty working block of a design."""
    if isinstance(design, SparseDesign):
        return SparseBlock(design)
    assert isinstance(design, DenseDesign)
    return DenseBlock(design)


def block_scores(design: Design, block: Block, x: Vector, intercept: bool) -> Vector:
    """Scores of the centred design from scratch; a sparse block holds its columns as they are."""
    z = block.product(x) if block.size else np.zeros(design.shape[0])
    if intercept and not block.centered:
        z -= design.means[block.columns] @ x
    return z
