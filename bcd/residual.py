"""Working sets solved by their residual, where a Gram matrix would be dearer.

A sweep over s columns costs their entries; their Gram matrix as many passes over them as there are
columns, and a factorisation more. So large supports on sparse data, and on dense data where the
squared penalty keeps columns apart, are solved by coordinate sweeps, which find the free
coordinates and their signs, and Newton steps by conjugate gradients on those, which finish
(Nutini, Laradji & Schmidt, 2022, section 6: two-metric projection).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bcd._glm_block_kernels import count_entries, take_columns
from bcd._residual_kernels import (
    Columns,
    conjugate_gradients,
    correlate_residual,
    move_within,
    reach,
    slope_of_free,
    subtract_columns,
    sweep_residual,
)
from bcd.design import DenseDesign, Design, SparseDesign, read_only
from bcd.duality import certify
from bcd.separable import Separable

Vector = NDArray[np.float64]
ENTRIES = 1000  # of a column, times: squared supports above it are dearer to factor than to sweep
APART = 18.0  # columns times l2 share: sweeps then end before a Gram matrix would be made
MANY_COLUMNS = 200  # and not fewer than samples: these are swept, not factored, from an l2 share of
RIDGE = 0.01  # on
MANY_SAMPLES = 4  # times the columns: sweeps on a Gram matrix that is there are much cheaper then
SWEEPS = 5  # at a time at most, the first one over the zeros too; twice as many, where so many
MAX_SWEEPS = 640  # or fewer did not halve the gap
SHARE = 0.3  # of the gap asked for: a first sweep that decreases the objective by less is the last
UNSETTLED = 0.03  # of the support: so many changes in a sweep, and a Newton step would be wasted
SLOW = 2  # rounds that do not halve the gap, after which it is tried all the same
MAX_ROUNDS = 100
PATIENCE = 10  # rounds that do not halve the gap, after which the Gram matrix is the better way
FIRST_STEPS, STEPS = 40, 2  # of conjugate gradients at most, and for each sweep: costs keep pace
FORCING = 0.1  # their tolerance
FAR = 1e6  # times the squared residual: what is clipped off such a step drowns it in rounding
ROUNDING = 1e-15  # relative errors of the objective that a line search must overlook
NO_COLUMNS = np.empty(0, dtype=np.int32)


def ridge_share(design: Design, l2: Vector) -> float:
    """Return the least l2 weight in units of the columns' mean squared length."""
    mean = float(np.mean(design.squares)) if len(design.squares) else 0.0
    return float(l2.min()) / mean if mean > 0.0 else 0.0


def residual_pays(
    design: Design,
    columns: NDArray[np.int32],
    n_free: int,
    ridge: float = 0.0,
    n_penalties: int = 1,
) -> bool:
    """Tell whether ``n_free`` of these columns are solved sooner without their Gram matrix.

    Where several penalties share the Gram matrix, sweeps on it must be dearer too.
    """
    k = len(columns)
    if n_penalties > 1 and isinstance(design, DenseDesign) and MANY_SAMPLES * k <= design.shape[0]:
        return False
    if ridge * k >= APART or (ridge >= RIDGE and k >= max(MANY_COLUMNS, design.shape[0])):
        return True
    if not isinstance(design, SparseDesign) or len(columns) == 0:
        return False
    per_column = count_entries(design.parts[2], columns) / len(columns)
    return n_free**2 > ENTRIES * per_column


class ResidualProblem:
    """A working set of columns, weighted and centred.

    Parameters
    ----------
    design : Design
    columns : ndarray of shape (k,), int32

    Attributes
    ----------
    books : tuple of ndarray
        After ``solve`` got there: the residual at the solution, and the columns' products with it.
    """

    def __init__(self, design: Design, columns: NDArray[np.int32]):
        self.form = _take(design, columns)
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
        self.books = (r, pull)
        n_sweeps, best, waited = SWEEPS, np.inf, 0
        books = (self.mean, self.length, self.squares, x, r, shift)
        for _ in range(MAX_ROUNDS):
            enough = SHARE * tol if n_sweeps == SWEEPS else 0.0  # then the dual point is to settle
            n_changes = sweep_residual(self.form, *books, *penalty, n_sweeps, enough)
            if len(self.u):
                r += shift[0] * self.u
                shift[0] = 0.0
            correlate_residual(self.form, r, pull)
            certificate = certify(b, r, pull, x, penalty, self.squares)
            if certificate.gap <= tol:
                return True
            waited = 0 if certificate.gap <= 0.5 * best else waited + 1
            best = min(best, certificate.gap)
            if waited == PATIENCE:
                break
            if waited:
                n_sweeps = min(2 * n_sweeps, MAX_SWEEPS)
            n_free = np.count_nonzero(x)
            apart = n_free < len(b) or penalty.l2.all()
            if apart and (waited >= SLOW or n_changes <= UNSETTLED * n_free):
                pull -= penalty.l2 * x
                max_steps = max(FIRST_STEPS, STEPS * n_sweeps)
                self._newton(r, x, pull, certificate.objective, penalty, max_steps)
        return False

    def _newton(self, r, x, pull, value, penalty, max_steps: int) -> None:
        """Take a Newton step on the free coordinates, projected where it passes a breakpoint.

        ``r`` and ``x`` are changed.
        """
        l1, l2, lower, upper = penalty
        free, left = np.empty(len(x), dtype=np.int32), np.empty(len(x))
        s = slope_of_free(pull, x, l1, lower, upper, free, left)
        step, image, moved = np.empty(len(x)), np.empty(len(r)), np.empty(len(x))
        system = (self.form, free[:s], self.mean, self.u, self.squares, l2)
        conjugate_gradients(*system, FORCING, max_steps, left[:s], step, image)
        multiple, longest = 1.0, reach(x, step, l1, lower, upper)
        ends = (l1, lower, upper, moved)
        far = float(image @ image) > FAR * float(r @ r)
        while True:
            trial = r - multiple * image
            drift = move_within(self.form, self.mean, x, step, multiple, *ends, trial)
            if far:
                trial = r.copy()
                drift = subtract_columns(self.form, self.mean, moved - x, trial)
            if len(self.u):
                trial += drift * self.u
            tried = 0.5 * float(trial @ trial + l2 @ moved**2) + float(l1 @ np.abs(moved))
            if tried <= value * (1.0 + ROUNDING):
                x[:], r[:] = moved, trial
                return
            if multiple <= longest:
                return
            multiple = max(0.5 * multiple, longest)


def _take(design: Design, columns: NDArray[np.int32]) -> Columns:
    """Copy sparse columns; dense ones only where they are weighted or do not lie in one piece."""
    if isinstance(design, SparseDesign):
        data, indices, indptr = design.parts
        ptr = np.zeros(len(columns) + 1, dtype=np.int64)
        n_entries = count_entries(indptr, columns)
        row, value = np.empty(n_entries, dtype=np.int32), np.empty(n_entries)
        take_columns(data, indices, indptr, columns, ptr, row, value)
        if design.root is not None:
            value *= design.root[row]
        return Columns(ptr, row, value, read_only(np.empty((0, 0), order="F")), NO_COLUMNS)
    assert isinstance(design, DenseDesign)  # there are no others
    nothing = (np.empty(0, dtype=np.int64), NO_COLUMNS, np.empty(0))
    if design.by_columns and design.root is None:
        return Columns(*nothing, design.matrix, columns)
    gathered = read_only(design.weighted_columns(columns).T)
    return Columns(*nothing, gathered, np.arange(len(columns), dtype=np.int32))
