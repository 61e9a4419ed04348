"""Kernel support vector machines: greedy pairs of dual variables on rows of the kernel matrix.

Primal: ``1/2 ||w||^2 + sum_i cost_i max(0, 1 - y_i (w'phi(x_i) + b))``. Dual: minimise
``1/2 a'Qa - sum(a)`` over ``0 <= a <= cost`` and ``y'a = 0`` with ``Q_ij = y_i y_j K_ij``. The
constraint ties the variables together, so that the smallest blocks are pairs (Fan, Chen & Lin,
2005). Variables that sit firmly at a bound are left out for a time (shrinking) and looked at again
before the end. The variables at bounds being identified (Nutini, Laradji & Schmidt, 2022, section
6), the free ones solve one linear system.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bcd._svc_face_kernels import INNER, face_step
from bcd._svc_kernels import (
    CONVERGED,
    MISSING,
    N_ACTIVE,
    N_ITER,
    N_STATE,
    NEEDS_ROW,
    NEEDS_SCORES,
    NEXT_SHRINK,
    STALLED,
    Duals,
    Store,
    claim,
)
from bcd._svc_pair_kernels import BETWEEN_SHRINKS, finish_pair, restore_order, solve_pair
from bcd.result import Status
from bcd.working_set import Progress

MOST_STEPS = 10_000_000  # when there is no limit; 100 a sample if that is more
MOST_POLISHED = 300  # free variables whose system is solved at the end where rows are scarce
CHUNK = 256  # rows of the kernel matrix that are made at once

Values = Callable[[NDArray, NDArray], NDArray]
NO_MATRIX = np.empty((0, 0))


class Matrix(NamedTuple):
    """A kernel matrix at hand, of which a problem may use some rows and columns.

    values : (N, N) float64, contiguous;  place : (n_samples,) int64, in ascending order
    """

    values: NDArray[np.float64]
    place: NDArray[np.int64]


class SVCResult(NamedTuple):
    """Solution of a two-class problem.

    signed : (n_samples,) dual variables times labels;  objective : the primal's;  gap : its
    excess over the dual's
    """

    signed: NDArray[np.float64]
    intercept: float
    objective: float
    gap: float
    n_iter: int
    status: Status


def solve_kernel_svm(
    values: Values | Matrix,
    y: NDArray,
    cost: NDArray,
    *,
    tol: float,
    max_iter: int,
    cache_mb: float,
    shrinking: bool = True,
    newton: bool = True,
    start: NDArray | None = None,
    callback: Callable[[Progress], bool | None] | None = None,
) -> SVCResult:
    """Solve the dual until no pair of variables violates optimality by more than ``tol``.

    The free variables are solved for exactly now and then, where that costs less than what steps
    on pairs have cost. The gap is computed afresh from the kernel matrix at the end; it bounds the
    distance to the minimum where the kernel is positive semidefinite, else it tells how near to
    stationary the point is.

    Parameters
    ----------
    values : callable or Matrix
        From two integer arrays to the kernel matrix of these rows and columns.
    y : ndarray of shape (n_samples,)
        -1 or 1, both present.
    cost : ndarray of shape (n_samples,)
        Upper bounds, above zero.
    tol : float
        On ``max -y_i g_i - min -y_j g_j`` over what may go up and down, g the dual's gradient.
    max_iter : int
        Steps at most, -1 for ten millions, or 100 a sample if that is more.
    cache_mb : float
        Memory for rows of the kernel matrix, at least two of them.
    shrinking : bool, default=True
        Whether variables that sit firmly at a bound are left out for a time.
    newton : bool, default=True
        Whether to take Newton steps on the free variables.
    start : ndarray of shape (n_samples,), default=None
        Dual variables times labels to start from, brought within their bounds and into balance;
        zeros when None.
    callback : callable, default=None
        Called with a :class:`bcd.working_set.Progress` every thousand steps or fewer and at the
        end; its ``gap`` is the largest violation, which ``tol`` is compared with, its ``objective``
        the dual's as far as gradients are at hand. A true answer stops the run.
    """
    n, everyone = len(y), np.arange(len(y))
    capacity = int(min(max(cache_mb * 2**20 / (8 * n), 2), n))
    if not isinstance(values, Matrix) and capacity == n:
        values = Matrix(np.ascontiguousarray(values(everyone, everyone), np.float64), everyone)
    if isinstance(values, Matrix):
        matrix, place = values
        diagonal = matrix.ravel()[:: len(matrix) + 1][place]
    else:
        matrix, place = NO_MATRIX, everyone
        parts = np.array_split(everyone, -(-n // CHUNK))
        diagonal = np.concatenate([values(part, part).diagonal() for part in parts])
    low, high = np.where(y > 0.0, 0.0, -cost), np.where(y > 0.0, cost, 0.0)
    signed, score = np.zeros(n), y.copy()
    if start is not None:
        signed = _balanced(start, low, high)
        score -= _product(values, signed, everyone)
    duals = Duals(everyone.copy(), place.copy(), signed, low, high, score, diagonal)
    held = np.full(n, -1), np.full(capacity, -1), np.zeros(capacity, dtype=np.int64)
    store, state = Store(np.empty((capacity, n)), *held), np.zeros(N_STATE, dtype=np.int64)
    state[N_ACTIVE], state[NEXT_SHRINK] = n, min(n, BETWEEN_SHRINKS)
    max_iter = max(MOST_STEPS, 100 * n) if max_iter < 0 else max_iter
    limit = max_iter if callback is None else min(n, BETWEEN_SHRINKS)
    arrays, ends = (matrix, duals, store, state, y), np.zeros(3)
    status = None
    while status is None:
        code = solve_pair(*arrays, tol, min(limit, max_iter), shrinking, newton, ends)
        n_iter, n_active = int(state[N_ITER]), int(state[N_ACTIVE])
        if code == NEEDS_ROW and not isinstance(values, Matrix):
            t = int(state[MISSING])
            slot, order = claim(store, state, t), duals.origin[:n_active]
            store.rows[slot, :n_active] = values(duals.origin[t : t + 1], order)[0]
            continue
        if code == NEEDS_SCORES:
            _score_outside(values, duals, n_active, y)
            restore_order(duals, store, state)
            continue
        if code == CONVERGED:
            status = Status.OPTIMAL
        elif code == STALLED:
            status = Status.STALLED
        elif n_iter >= max_iter:
            status = Status.MAX_ITER
        if callback is not None:
            limit = n_iter + min(n, BETWEEN_SHRINKS)
            if callback(_progress(duals, n_iter, y, ends)) and status is None:
                status = Status.STOPPED
    if state[N_ACTIVE] < n:
        restore_order(duals, store, state)
    certificate = np.empty(3)
    if isinstance(values, Matrix):
        finish_pair(*arrays, certificate)
    else:
        duals.score[:] = y - _product(values, duals.signed, everyone)
        finish_pair(*arrays, certificate)
        polished = _polish(values, duals, state) if newton and status is Status.OPTIMAL else None
        if polished is not None:
            other = duals._replace(signed=polished, score=y - _product(values, polished, everyone))
            finish_pair(matrix, other, store, state, y, ends)
            if ends[2] < certificate[2]:
                duals, certificate = other, ends
    intercept, objective, gap = certificate.tolist()
    return SVCResult(duals.signed, intercept, objective, gap, int(state[N_ITER]), status)


def _polish(values: Values, duals: Duals, state: NDArray) -> NDArray[np.float64] | None:
    """Return dual variables of which few free ones were solved for, with a matrix of their own."""
    free = np.flatnonzero((duals.low < duals.signed) & (duals.signed < duals.high))
    if not 1 < len(free) <= MOST_POLISHED:
        return None
    own, order = state.copy(), np.arange(len(free))
    own[N_ACTIVE] = len(free)
    part = Duals(order, order, *(numbers[free] for numbers in duals[2:]))
    store = Store(np.empty((0, len(free))), order, order, order)
    if face_step(np.ascontiguousarray(values(free, free)), part, store, own) != INNER:
        return None
    polished = duals.signed.copy()
    polished[free] = part.signed
    return polished


def _product(values: Values | Matrix, signed: NDArray, index: NDArray) -> NDArray[np.float64]:
    """Return the entries ``index`` of ``K @ signed``."""
    total, used = np.zeros(len(index)), np.flatnonzero(signed)
    for start in range(0, len(used), CHUNK):
        part = used[start : start + CHUNK]
        if isinstance(values, Matrix):
            rows = values.values[np.ix_(values.place[part], values.place[index])]
        else:
            rows = values(part, index)
        total += signed[part] @ rows
    return total


def _score_outside(values: Values | Matrix, duals: Duals, n_active: int, y: NDArray) -> None:
    """Compute the scores of variables that were left out."""
    signed = np.empty(len(y))
    signed[duals.origin] = duals.signed
    outside = duals.origin[n_active:]
    duals.score[n_active:] = y[outside] - _product(values, signed, outside)


def _progress(duals: Duals, n_iter: int, y: NDArray, ends: NDArray) -> Progress:
    alpha = np.empty(len(y))
    alpha[duals.origin] = np.abs(duals.signed)
    dual = -0.5 * float(duals.signed @ (duals.score + y[duals.origin]))
    return Progress(n_iter, dual, max(float(ends[0] - ends[1]), 0.0), alpha)


def _balanced(start: NDArray, low: NDArray, high: NDArray) -> NDArray[np.float64]:
    """Return dual variables within their bounds, the larger side shrunk until they sum to 0."""
    signed = np.clip(start, low, high)
    above, below = signed > 0.0, signed < 0.0
    gained, lost = float(signed[above].sum()), -float(signed[below].sum())
    least = min(gained, lost)
    signed[above] *= least / gained if gained > 0.0 else 0.0
    signed[below] *= least / lost if lost > 0.0 else 0.0
    return signed
