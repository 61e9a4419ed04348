"""Kernel support vector machines: greedy pairs of dual variables on rows of the kernel matrix.

Primal: ``1/2 ||w||^2 + sum_i cost_i max(0, 1 - y_i (w'phi(x_i) + b))``. Dual: minimise
``1/2 a'Qa - sum(a)`` over ``0 <= a <= cost`` and ``y'a = 0`` with ``Q_ij = y_i y_j K_ij``. The
constraint ties the variables together, so that the smallest blocks are pairs (Fan, Chen & Lin,
2005). Variables that sit firmly at a bound are left out for a time (shrinking) and looked at again
before the end; then, the variables at bounds being identified (Nutini, Laradji & Schmidt, 2022,
section 6), the free ones solve one linear system.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

from bcd._svc_kernels import CONVERGED, NEEDS_ROW, STALLED, descend_pairs
from bcd.result import Status
from bcd.working_set import Progress

MOST_STEPS = 10_000_000  # when there is no limit; 100 a sample if that is more
BETWEEN_SHRINKS = 1000  # steps
NEAR = 10.0  # times tol: where what was left out is looked at for the first time
MOST_POLISHED = 300  # free variables whose system is solved at the end
RANK = 1e-12  # share of the largest singular value below which one counts as zero
CHUNK = 256  # rows of the kernel matrix that are made at once

Values = Callable[[NDArray, NDArray], NDArray]


class SVCResult(NamedTuple):
    """Solution of a two-class problem.

    alpha : (n_samples,);  objective : the primal's;  gap : its excess over the dual's
    """

    alpha: NDArray[np.float64]
    intercept: float
    objective: float
    gap: float
    n_iter: int
    status: Status


class RowCache:
    """Rows of the kernel matrix: all of them if they fit, else those that were used last.

    Parameters
    ----------
    values : callable
        From two integer arrays to the kernel matrix of these rows and columns.
    n : int
        Samples.
    cache_mb : float
        Memory, at least two rows.
    """

    def __init__(self, values: Values, n: int, cache_mb: float):
        self.everyone = np.arange(n)
        capacity = int(min(max(cache_mb * 2**20 / (8 * n), 2), n))
        self.values = values
        self.last_use = np.zeros(capacity, dtype=np.int64)
        if capacity == n:
            self.rows = np.ascontiguousarray(values(self.everyone, self.everyone), np.float64)
            self.row_of = self.everyone.copy()
            self.diagonal = self.rows.diagonal().copy()
            self.values = self._read
        else:
            self.rows = np.empty((capacity, n))
            self.row_of = np.full(n, -1)
            parts = np.array_split(self.everyone, -(-n // CHUNK))
            self.diagonal = np.concatenate([values(part, part).diagonal() for part in parts])
        self.holds = np.full(capacity, -1)
        self.n_held = 0

    def _read(self, row: NDArray, column: NDArray) -> NDArray:
        return self.rows[np.ix_(row, column)]

    def fetch(self, sample: int, clock: int) -> None:
        """Make the row of a sample, in place of the one that was used least recently."""
        slot = self.n_held
        if slot < len(self.rows):
            self.n_held += 1
        else:
            slot = int(self.last_use.argmin())
            self.row_of[self.holds[slot]] = -1
        self.rows[slot] = self.values(self.everyone[sample : sample + 1], self.everyone)[0]
        self.row_of[sample], self.holds[slot], self.last_use[slot] = slot, sample, clock

    def product(self, signed: NDArray, index: NDArray) -> NDArray[np.float64]:
        """Return the entries ``index`` of ``K @ signed``."""
        used = np.flatnonzero(signed)
        if len(self.rows) == len(self.everyone) == len(index):  # all rows at hand, all wanted
            return signed[used] @ self.rows[used]
        total = np.zeros(len(index))
        for start in range(0, len(used), CHUNK):
            part = used[start : start + CHUNK]
            total += signed[part] @ self.values(part, index)
        return total


def solve_kernel_svm(
    values: Values,
    y: NDArray,
    cost: NDArray,
    *,
    tol: float,
    max_iter: int,
    cache_mb: float,
    shrinking: bool = True,
    start: NDArray | None = None,
    callback: Callable[[Progress], bool | None] | None = None,
) -> SVCResult:
    """Solve the dual until no pair of variables violates optimality by more than ``tol``.

    The free variables are then solved for exactly where they are few and that lowers the gap. The
    gap is computed afresh from the kernel matrix at the end; it bounds the distance to the minimum
    where the kernel is positive semidefinite, else it tells how near to stationary the point is.

    Parameters
    ----------
    values : callable
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
    start : ndarray of shape (n_samples,), default=None
        Dual variables to start from, brought within their bounds and into balance; zeros when None.
    callback : callable, default=None
        Called with a :class:`bcd.working_set.Progress` every thousand steps or fewer and at the
        end; its ``gap`` is the largest violation, which ``tol`` is compared with, its ``objective``
        the dual's as far as gradients are at hand. A true answer stops the run.
    """
    n = len(y)
    cache = RowCache(values, n, cache_mb)
    max_iter = max(MOST_STEPS, 100 * n) if max_iter < 0 else max_iter
    alpha, gradient, out = np.zeros(n), np.full(n, -1.0), np.zeros(4)
    if start is not None:
        alpha = _balanced(start, y, cost)
        gradient = y * cache.product(alpha * y, cache.everyone) - 1.0
    active = cache.everyone
    clock, n_iter, next_shrink, restored = 0, 0, min(n, BETWEEN_SHRINKS), False
    next_look = next_shrink
    status = None
    while status is None:
        partial = len(active) < n
        until = NEAR * tol if partial and not restored else tol
        last = min(next_shrink, max_iter) if shrinking or callback is not None else max_iter
        variables = (cache.diagonal, y, cost, alpha, gradient, active)
        arrays = (cache.rows, cache.row_of, cache.last_use, clock, *variables)
        code = descend_pairs(*arrays, float(until), last - n_iter, out)
        n_iter, clock = n_iter + int(out[0]), int(out[3])
        if code == NEEDS_ROW:
            clock += 1
            cache.fetch(int(out[2]), clock)
        elif code in (CONVERGED, STALLED) and partial:
            outside = np.setdiff1d(cache.everyone, active)
            gradient[outside] = y[outside] * cache.product(alpha * y, outside) - 1.0
            active, restored = cache.everyone, True
            next_shrink = n_iter + min(n, BETWEEN_SHRINKS)
        elif code == CONVERGED:
            status = Status.OPTIMAL
        elif code == STALLED:
            status = Status.STALLED
        elif n_iter >= max_iter:
            status = Status.MAX_ITER
        else:
            if shrinking:
                active = active[_undecided(active, alpha, gradient, y, cost)]
            next_shrink += min(n, BETWEEN_SHRINKS)
        if callback is not None and (status is not None or n_iter >= next_look):
            next_look = n_iter + min(n, BETWEEN_SHRINKS)
            dual = 0.5 * float(alpha @ (gradient - 1.0))
            if callback(Progress(n_iter, dual, float(out[1]), alpha)) and status is None:
                status = Status.STOPPED
    score = cache.product(alpha * y, cache.everyone)  # w'phi(x_i)
    answer = _certify(alpha, score, y, cost)
    if status is Status.OPTIMAL:
        polished = _polish(cache, alpha, score, y, cost)
        if polished is not None:
            exact = _certify(polished, cache.product(polished * y, cache.everyone), y, cost)
            if exact[3] < answer[3]:
                answer = exact
    return SVCResult(*answer, n_iter, status)


def _balanced(start: NDArray, y: NDArray, cost: NDArray) -> NDArray[np.float64]:
    """Return dual variables within their bounds, the larger side shrunk until ``y'alpha = 0``."""
    alpha = np.clip(start, 0.0, cost)
    above, below = float(alpha[y > 0.0].sum()), float(alpha[y < 0.0].sum())
    least = min(above, below)
    alpha[y > 0.0] *= least / above if above > 0.0 else 0.0
    alpha[y < 0.0] *= least / below if below > 0.0 else 0.0
    return alpha


def _certify(alpha, score, y, cost) -> tuple[NDArray[np.float64], float, float, float]:
    """Return alpha with its intercept, the primal objective, and its excess over the dual's."""
    intercept = _intercept(alpha, y - score, y, cost)
    quadratic = float((alpha * y) @ score)
    slack = np.maximum(1.0 - y * (score + intercept), 0.0)
    primal = 0.5 * quadratic + float(cost @ slack)
    gap = max(primal - float(alpha.sum()) + 0.5 * quadratic, 0.0)
    return alpha, intercept, primal, gap


def _polish(cache: RowCache, alpha, score, y, cost) -> NDArray[np.float64] | None:
    """Put all free variables where they belong together, the others staying at their bounds.

    Solves ``K_FF d + b = y_F - score_F`` and ``sum(d) = -sum(alpha y)`` for the least change d of
    the signed variables. Returns None where there are too many or none, or they leave their box.
    """
    free = np.flatnonzero((alpha > 0.0) & (alpha < cost))
    if not 0 < len(free) <= MOST_POLISHED:
        return None
    system = np.ones((len(free) + 1, len(free) + 1))
    system[:-1, :-1], system[-1, -1] = cache.values(free, free), 0.0
    target = np.append(y[free] - score[free], -float(alpha @ y))
    polished = alpha.copy()
    *_, change, rcond, _, _, info = lapack.dsysvx(system, target[:, None])
    if info != 0 or not rcond > RANK:  # dependent samples: the least of many solutions
        change = np.linalg.lstsq(system, target, rcond=RANK)[0]
    polished[free] += y[free] * change.ravel()[:-1]
    inside = (polished[free] >= 0.0).all() and (polished[free] <= cost[free]).all()
    return polished if inside else None


def _directions(alpha, y, cost) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which variables may move in the direction of their label, and which against it."""
    low, high = alpha > 0.0, alpha < cost
    return np.where(y > 0.0, high, low), np.where(y > 0.0, low, high)


def _undecided(active, alpha, gradient, y, cost) -> NDArray[np.bool_]:
    """Tell which active variables are free, or not beyond all others at their bound."""
    up, down = _directions(alpha[active], y[active], cost[active])
    score = -y[active] * gradient[active]
    top, bottom = score[up].max(initial=-np.inf), score[down].min(initial=np.inf)
    return (up & down) | (up & (score >= bottom)) | (down & (score <= top))


def _intercept(alpha, residual, y, cost) -> float:
    """Return the mean of what free variables ask for, else the middle of what the others allow."""
    free = (alpha > 0.0) & (alpha < cost)
    if free.any():
        return float(residual[free].mean())
    up, down = _directions(alpha, y, cost)
    return 0.5 * float(residual[up].max() + residual[down].min())
