"""What multinomial regression keeps: the working block of features, and the scores of the classes.

Coordinates are (K, k): a row a class, a column a feature of the block, with an intercept column 0 a
feature of ones. Scores, probabilities and slopes are (K, n).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bcd._glm_block_kernels import (
    combine_columns,
    count_entries,
    multiply_compressed,
    multiply_squares,
    take_columns,
)
from bcd._softmax_kernels import apply_curvature, softmax_losses
from bcd.design import DenseDesign, Design, SparseDesign

Matrix = NDArray[np.float64]
HALVINGS = 40
SINGLE = 1e10  # largest entry of a column, or one over it, that is multiplied in single precision


class SoftmaxBlock:
    """Chosen columns behind each other; column 0 is ones with an intercept.

    ``ptr, index, value`` is the compressed form. A dense design's columns are centred where there
    is an intercept, and multiplied by BLAS.
    """

    def __init__(self, design: Design, intercept: bool):
        self.design, self.offset = design, int(intercept)
        self.dense = isinstance(design, DenseDesign)
        n = design.shape[0]
        self.columns = np.empty(0, dtype=np.int32)
        self.ptr = np.array([0, n] if intercept else [0], dtype=np.int64)
        self.index = np.arange(n if intercept else 0, dtype=np.int32)
        self.value = np.ones(n if intercept else 0)
        self._single: NDArray[np.float32] | None = None

    @property
    def size(self) -> int:
        """Number of columns, that of ones included."""
        return len(self.ptr) - 1

    @property
    def rows(self) -> Matrix:
        """The columns of a dense design, of shape (size, n_samples)."""
        return self.value.reshape(self.size, self.design.shape[0])

    def single(self) -> NDArray[np.float32] | None:
        """Return ``rows`` in single precision; None where some could be lost in it."""
        if self._single is None or len(self._single) < self.size:
            sizes = np.abs(self.rows).max(axis=1, initial=0.0)
            if not ((sizes > 1.0 / SINGLE) & (sizes < SINGLE) | (sizes == 0.0)).all():
                return None
            self._single = self.rows.astype(np.float32)
        return self._single

    def append(self, columns: NDArray[np.int32]) -> None:
        """Take further columns of the design in."""
        design, n = self.design, self.design.shape[0]
        if isinstance(design, SparseDesign):
            stored = int(self.ptr[-1])
            total = stored + count_entries(design.parts[2], columns)
            ptr = np.empty(self.size + len(columns) + 1, dtype=np.int64)
            ptr[: len(self.ptr)] = self.ptr
            self.index, self.value = np.resize(self.index, total), np.resize(self.value, total)
            first = ptr[self.size :]
            take_columns(*design.parts, columns, first, self.index, self.value)
            self.ptr = ptr
        else:
            part = design.matrix[:, columns].T.astype(np.float64)
            if self.offset:
                part -= design.means[columns][:, None]
            self.value = np.concatenate([self.value, part.ravel()])
            self.ptr = n * np.arange(self.size + len(columns) + 1)
        self.columns = np.concatenate([self.columns, columns])

    def compressed(self) -> tuple[NDArray[np.int64], NDArray[np.int32], Matrix]:
        """Return ``ptr, index, value``."""
        if len(self.index) < len(self.value):
            self.index = np.resize(np.arange(self.design.shape[0], dtype=np.int32), len(self.value))
        return self.ptr, self.index, self.value

    def product(self, step: Matrix) -> Matrix:
        """Return the scores of ``step``, of shape (n_classes, n_samples)."""
        if self.dense:
            return step @ self.rows
        out = np.empty((len(step), self.design.shape[0]))
        for own, scores in zip(step, out, strict=True):
            combine_columns(self.ptr, self.index, self.value, own, scores)
        return out

    def correlate(self, slope: Matrix) -> Matrix:
        """Return each class's slopes times each column, of shape (n_classes, size)."""
        if self.dense:
            return slope @ self.rows.T
        return self._by_class(multiply_compressed, slope)

    def squares(self, curvature: Matrix) -> Matrix:
        """Return each class's curvatures times each column's squares."""
        if self.dense:
            return curvature @ np.square(self.rows).T
        return self._by_class(multiply_squares, curvature)

    def _by_class(self, multiply, vectors: Matrix) -> Matrix:
        out = np.empty((len(vectors), self.size))
        for vector, row in zip(vectors, out, strict=True):
            multiply(self.ptr, self.index, self.value, vector, row)
        return out

    def gather(self, features: NDArray) -> Matrix:
        """Return chosen columns as rows of a dense array."""
        if self.dense:
            return self.rows[features]
        out = np.zeros((len(features), self.design.shape[0]))
        for row, j in zip(out, features, strict=True):
            slots = slice(self.ptr[j], self.ptr[j + 1])
            row[self.index[slots]] = self.value[slots]
        return out

    def shift(self, U: Matrix) -> NDArray[np.float64]:
        """Return what the centred columns have taken off the scores of all samples."""
        if not (self.dense and self.offset):
            return np.zeros(len(U))
        return U[:, 1:] @ self.design.means[self.columns]


class SoftmaxScores:
    """Scores, probabilities and the losses' weighted sum.

    Attributes
    ----------
    Z, P, target : ndarray of shape (n_classes, n_samples)
    value : float
    """

    def __init__(self, label: NDArray[np.int64], n_classes: int, weight: NDArray[np.float64]):
        self.label, self.weight = label, weight
        self.target = np.zeros((n_classes, len(label)))
        self.target[label, np.arange(len(label))] = 1.0
        self.P = np.empty_like(self.target)
        self.set(np.zeros_like(self.target))

    def set(self, Z: Matrix) -> float:
        """Move to scores ``Z``."""
        self.Z = Z
        self.value = softmax_losses(Z, self.label, self.weight, self.P)
        return self.value

    @property
    def slope(self) -> Matrix:
        """Derivatives of the weighted losses in the scores."""
        return self.weight * (self.P - self.target)

    @property
    def curvature(self) -> Matrix:
        """Second derivatives of the weighted losses, each score by itself."""
        return self.weight * (self.P * (1.0 - self.P))

    def curved(self, D: Matrix) -> Matrix:
        """Return the Hessian in the scores times ``D``."""
        out = np.empty_like(D)
        apply_curvature(self.P, self.weight, D, out)
        return out

    def center(self) -> NDArray[np.float64]:
        """Minimise over the intercepts alone until rounding stops it; return their change."""
        moved = np.zeros(len(self.Z))
        total = self.slope.sum(axis=1)
        for _ in range(HALVINGS):
            worst = float(np.abs(total).max())
            if worst <= 1e-15 * float(self.weight.sum()):
                break
            weighted = self.P * self.weight
            H = np.diag(weighted.sum(axis=1)) - self.P @ weighted.T
            step = -np.linalg.lstsq(H, total, rcond=1e-14)[0]
            step *= min(1.0, 5.0 / max(float(np.abs(step).max()), 1e-300))
            before, Z = self.value, self.Z
            # where the gain is lost in rounding the slopes alone tell whether a step is better
            length, lost = 1.0, -0.5 * float(total @ step) <= 1e-13 * abs(before)
            while self.set(Z + length * step[:, None]) > before and not lost and length > 1e-12:
                length *= 0.5
            total = self.slope.sum(axis=1)
            if lost and not float(np.abs(total).max()) < 0.5 * worst:
                self.set(Z)
                break
            moved += length * step
        return moved
