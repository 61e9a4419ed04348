"""Working sets of sparse columns solved by their residual, where a Gram matrix would be dearer.

A sweep over sparse columns costs their entries, one over the Gram matrix of s columns s^2, and a
factorisation more. So large supports on sparse data are solved by coordinate sweeps, which find the
free coordinates and their signs, and Newton steps by conjugate gradients on those, which finish
(Nutini, Laradji & Schmidt, 2022, section 6: two-metric projection).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bcd._glm_block_kernels import compress_rows, count_entries, take_columns
from bcd._residual_kernels import (
    conjugate_gradients,
    correlate_residual,
    move_within,
    reach,
    slope_of_free,
    subtract_columns,
    sweep_residual,
    value_and_gap,
)
from bcd.design import SparseDesign
from bcd.separable import Separable

Vector = NDArray[np.float64]
ENTRIES = 1000  # of a column, times: squared supports above it are dearer to factor than to sweep
SWEEPS = 5  # at a time, the first one over the zeros too
UNSETTLED = 0.003  # of the support: so many changes in a sweep, and a Newton step would be wasted
MAX_ROUNDS = 100
PATIENCE = 10  # rounds that do not halve the gap, after which the Gram matrix is the better way
FIRST_STEPS, MAX_STEPS = 40, 1000  # of conjugate gradients
FORCING = 0.1  # their tolerance
ROUNDING = 1e-15  # relative errors of the objective that a line search must overlook


def residual_pays(design: SparseDesign, columns: NDArray[np.int32], n_free: int) -> bool:
    """Tell whether ``n_free`` of these columns are solved sooner without their Gram matrix."""
    if len(columns) == 0:
        return False
    per_column = count_entries(design.parts[2], columns) / len(columns)
    return n_free**2 > ENTRIES * per_column


class ResidualProblem:
    """A working set of sparse columns, weighted and centred.

    Parameters
    ----------
    design : SparseDesign
    columns : ndarray of shape (k,), int32
    """

    def __init__(self, design: SparseDesign, columns: NDArray[np.int32]):
        self.form = _taken(*design.parts, columns)
        if design.root is not None:
            self.form[2][:] *= design.root[self.form[1]]
        self.u, self.length = design.u, float(design.u @ design.u)
        self.mean, self.squares = design.means[columns], design.squares[columns]

    def solve(self, b: Vector, r: Vector, x: Vector, penalty: Separable, tol: float) -> bool:
        """Change ``x`` (k,) until the duality gap of the working set is at most ``tol``.

        Parameters
        ----------
        b, r : ndarray of shape (n_samples,)
            Target and residual at ``x``, orthogonal to ``u``; neither is changed.

        Returns
        -------
        bool
            Whether it got there.
        """
        r, shift, pull = r.copy(), np.zeros(1), np.empty(len(x))
        max_steps, best, waited = FIRST_STEPS, np.inf, 0
        for _ in range(MAX_ROUNDS):
            for sweep in range(SWEEPS):
                n_changes = self._sweep(x, r, shift, penalty, zeros=sweep == 0)
            if len(self.u):
                r += shift[0] * self.u
                shift[0] = 0.0
            correlate_residual(*self.form, r, pull)
            pull -= penalty.l2 * x
            value, gap = value_and_gap(b, r, pull, x, *penalty)
            if gap <= tol:
                return True
            waited = 0 if gap <= 0.5 * best else waited + 1
            best = min(best, gap)
            if waited == PATIENCE:
                break
            if n_changes <= UNSETTLED * np.count_nonzero(x):
                r, n_steps = self._newton(r, x, pull, value, penalty, max_steps)
                if n_steps == max_steps:
                    max_steps = min(2 * max_steps, MAX_STEPS)
        return False

    def _sweep(self, x, r, shift, penalty: Separable, *, zeros: bool) -> int:
        books = (self.mean, self.length, self.squares, x, r, shift)
        return sweep_residual(*self.form, *books, *penalty, zeros)

    def _newton(self, r, x, pull, value, penalty, max_steps: int):
        """Take a Newton step on the free coordinates, projected where it passes a breakpoint."""
        l1, l2, lower, upper = penalty
        free, left = np.empty(len(x), dtype=np.int32), np.empty(len(x))
        s = slope_of_free(pull, x, l1, lower, upper, free, left)
        free, left, found, step = free[:s], left[:s], np.empty(s), np.zeros(len(x))
        ptr, row, value_of = _taken(self.form[2], self.form[1], self.form[0], free)
        row_ptr = np.empty(len(r) + 1, dtype=np.int64)
        column, row_value = np.empty(len(row), dtype=np.int32), np.empty(len(row))
        compress_rows(len(r), ptr, row, value_of, np.arange(s), row_ptr, column, row_value)
        n_steps = conjugate_gradients(
            ptr,
            row,
            value_of,
            row_ptr,
            column,
            row_value,
            self.mean[free],
            self.length,
            self.squares[free] + l2[free],
            l2[free],
            FORCING,
            max_steps,
            left,
            found,
        )
        step[free] = found
        multiple, longest = 1.0, reach(x, step, l1, lower, upper)
        moved = np.empty(len(x))
        while True:
            move_within(x, step, multiple, l1, lower, upper, moved)
            trial = r.copy()
            move = subtract_columns(*self.form, self.mean, moved - x, trial)
            if len(self.u):
                trial += move * self.u
            tried = 0.5 * float(trial @ trial + l2 @ moved**2) + float(l1 @ np.abs(moved))
            if tried <= value * (1.0 + ROUNDING):
                x[:] = moved
                return trial, n_steps
            if multiple <= longest:
                return r, n_steps
            multiple = max(0.5 * multiple, longest)


def _taken(data, indices, indptr, columns) -> tuple[NDArray, NDArray, NDArray]:
    ptr = np.zeros(len(columns) + 1, dtype=np.int64)
    n_entries = count_entries(indptr, columns)
    row, value = np.empty(n_entries, dtype=np.int32), np.empty(n_entries)
    take_columns(data, indices, indptr, columns, ptr, row, value)
    return ptr, row, value
