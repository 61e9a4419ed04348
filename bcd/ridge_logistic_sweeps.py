"""Logistic regression with one squared l2 penalty, where features outnumber what Newton can factor.

Minimise ``sum_i s_i log(1 + exp(-y_i x_i'w)) + l2 / 2 ||w||^2``. Exact updates of one dual variable
after the other cost a pass over the rows and gain a digit or so each (Yu, Huang & Lin, 2011), with
no matrix to form. Their own estimate tells when the gap is worth computing; where they gain too
little, as with weak penalties on columns that are nearly dependent, :mod:`bcd.glm` goes on from
there by truncated Newton steps. Few samples of many dense features see the features only through
their products ``X X'``, see :mod:`bcd.ridge_logistic_samples`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from bcd._glm_block_kernels import pairs_of_rows
from bcd._logistic_dual_kernels import compress_samples, logistic_epoch
from bcd._svm_kernels import combine_rows, row_margins, squared_lengths
from bcd.design import read_only
from bcd.glm import DualCertificate
from bcd.glm_scores import Scores
from bcd.result import Result, Status
from bcd.working_set import Progress, _Books

Vector = NDArray[np.float64]
FEW_FEATURES = 1000  # of dense rows, up to which Newton's method factors a matrix of features
BIAS_SHARE = 0.1  # of the rows' mean squared length, what the constant feature adds to it
LOOK_BACK = 5  # sweeps that are compared with as many before them
MOST_SWEEPS = 150.0  # that may lie ahead, as the last ones went
OUTLYING, REPEATS = 10.0, 2  # times the mean mismatch, from which samples are updated again
PATIENCE = 4  # certificates without a smaller gap
BETTER, WORSE = 0.3, 100.0  # times the sweeps' estimate, that a gap may be trusted to be


class Rows(NamedTuple):
    """Rows of X, compressed, or one after the other with no ``indptr`` (see ``_svm_kernels``)."""

    values: Vector
    indices: NDArray[np.int32]
    indptr: NDArray[np.int64]


def rows_of(X: Any) -> Rows:
    """Return the rows of a dense matrix, or of one compressed by columns, in float64."""
    if not sp.issparse(X):
        dense = np.ascontiguousarray(X, dtype=np.float64).ravel()
        return Rows(read_only(dense), read_only(np.empty(0, np.int32)), read_only(np.empty(0, int)))
    rows = Rows(np.empty(X.nnz), np.empty(X.nnz, np.int32), np.empty(X.shape[0] + 1, np.int64))
    compress_samples(
        read_only(X.indptr), read_only(X.indices[: X.nnz]), read_only(X.data),
        rows.indptr, rows.indices, rows.values,
    )  # fmt: skip
    return rows


def sweeps_pay(X: Any) -> bool:
    """Tell whether sweeps over samples are cheaper than Newton's method with a factored matrix."""
    n, p = X.shape
    if not sp.issparse(X):
        return p > max(FEW_FEATURES, n)
    total = X.nnz
    beyond = 60.0 * total + 1e5 - p**3 / 60.0  # as ``SparseBlock`` decides
    return beyond < 0.0 or 0.5 * pairs_of_rows(n, read_only(X.indices[:total])) > beyond


class DualSweeps:
    """Sweeps over the dual, and what they reached.

    Attributes
    ----------
    w : ndarray of shape (n_features + 1,)
        ``sum_i alpha_i y_i x_i``, kept up to date; times ``bias`` the last entry is the intercept.
    bias : float
        Value of a constant feature, 0 without an intercept. Within a sweep the intercept is
        penalised as that feature's coefficient is, for its distance from where it was: the sums
        ``sum_i alpha_i y_i``, which have to vanish, are its steps (method of multipliers).
    n_sweeps : int
    estimates : list of float
        Of the gap, before each sweep.
    """

    def __init__(self, X: Any, scores: Scores, l2: float):
        self.scores, self.l2 = scores, l2
        n, p = X.shape
        self.rows, self.y = rows_of(X), scores.y
        self.squares = np.empty(n)
        squared_lengths(*self.rows, p, 0.0, self.squares)
        self.bias = 0.0
        if scores.intercept:
            self.bias = np.sqrt(BIAS_SHARE * float(self.squares.mean())) or 1.0
            self.squares += self.bias**2
        self.cost = scores.weight / l2
        self.everyone = np.arange(n, dtype=np.int32)
        self.order = self.everyone[scores.weight > 0.0]
        self.theta, self.alpha = np.full(n, np.inf), np.zeros(n)
        self.w = np.zeros(p + 1)
        if scores.started_at:
            self.w[-1] = scores.started_at / self.bias
        self.missed = np.zeros(n)
        self.seed = np.array([88172645463325252], dtype=np.uint64)
        self.n_sweeps = 0
        self.estimates: list[float] = []

    def fits(self) -> bool:
        """Tell whether the numbers that come up do not overflow."""
        with np.errstate(over="ignore"):
            return bool(np.isfinite((self.squares * self.cost).sum()))

    def start_at(self, x: Vector) -> None:
        """Take the dual variables that coefficients ask for."""
        intercept = self._move_scores(np.append(x, 0.0))
        margins = self.y * self.scores.z
        self.theta = margins
        with np.errstate(over="ignore"):
            self.alpha = self.cost / (1.0 + np.exp(margins))
        self.w[:] = 0.0
        combine_rows(*self.rows, self.y, 0.0, self.everyone, self.alpha, self.w)
        if self.bias:
            self.w[-1] = intercept / self.bias

    def _move_scores(self, w: Vector) -> float:
        """Compute the scores at ``w``, and return the best intercept if there is one."""
        z = np.empty(len(self.y))
        row_margins(*self.rows, np.ones(len(z)), self.bias, w, self.everyone, z)
        self.scores.set(z)
        return self.bias * float(w[-1]) + (self.scores.center() if self.bias else 0.0)

    def sweep(self) -> None:
        """Update each dual variable once, and those that were farthest off again.

        Samples that are nearly alike, or whose loss is much curved, undo each other's updates.
        """
        estimate = self._epoch(self.order)
        if self.estimates:
            far = OUTLYING * estimate / max(len(self.order), 1)
            again = self.order[self.missed[self.order] > far]
            for _ in range(REPEATS if len(again) else 0):
                self._epoch(again)
        if self.bias:
            self.w[-1] += self.bias * float(self.alpha @ self.y)
        self.n_sweeps += 1
        self.estimates.append(max(0.5 * self.l2 * estimate, 1e-300))

    def _epoch(self, order) -> float:
        return logistic_epoch(
            *self.rows, self.y, self.squares, self.bias, self.cost, order,
            self.theta, self.alpha, self.w, self.missed, self.seed,
        )  # fmt: skip

    def n_ahead(self, tol: float) -> float:
        """Return how many sweeps are left at the pace of the last ones; 0 if it is not known."""
        if len(self.estimates) < 2 * LOOK_BACK:
            return 0.0
        late = np.log(self.estimates[-2 * LOOK_BACK :])
        gained = float(np.mean(late[:LOOK_BACK]) - np.mean(late[LOOK_BACK:]))
        wanted = float(late[-1] - np.log(tol))
        return LOOK_BACK * wanted / max(gained, 1e-3)

    def certify(self) -> tuple[DualCertificate, float]:
        """Compute the objective and the gap at ``w``, whose slopes are the dual point.

        The intercept is the best for ``w``, and is returned too.
        """
        scores, l2 = self.scores, self.l2
        intercept = self._move_scores(self.w)
        gradient, w = l2 * self.w, self.w[:-1]
        gradient[-1] = 0.0
        ones = np.ones(len(self.y))
        combine_rows(*self.rows, ones, 0.0, self.everyone, scores.slope, gradient)
        objective = scores.value + 0.5 * l2 * float(w @ w)
        gap = 0.5 / l2 * float(gradient @ gradient)
        return DualCertificate(objective, gap, 1.0), intercept


def solve_by_sweeps(
    X: Any,
    scores: Scores,
    l2: float,
    *,
    x0: Vector | None = None,
    tol: float,
    max_iter: int,
    time_limit: float = np.inf,
    callback: Callable[[Progress], bool | None] | None = None,
) -> Result | None:
    """Minimise until the duality gap is below tol, or sweeps over the dual gain too little.

    Parameters
    ----------
    X : {ndarray, csc_array} of shape (n_samples, n_features)
    scores : Scores
        Of the logistic loss at zero coefficients, and whether an intercept is fitted.
    l2 : float
        Above zero.
    x0 : ndarray of shape (n_features,), default=None
    tol : float
        On the duality gap, in units of the objective.
    max_iter : int
        Sweeps at most.
    time_limit, callback
        As in :func:`bcd.glm.solve_glm`.

    Returns
    -------
    Result or None
        Of status STALLED where sweeps gain too little; None where their numbers overflow.
    """
    books = _Books()
    sweeps = DualSweeps(X, scores, l2)
    if not sweeps.fits():
        return None
    trust, n_worse, status = 1.0, 0, None
    free = np.arange(X.shape[1], dtype=np.int32)
    if x0 is None:
        best = DualCertificate(scores.value, scores.value, 0.0)  # of dual variables of zero
        intercept = scores.started_at
    else:
        sweeps.start_at(x0)
        best, intercept = sweeps.certify()
    best_w = sweeps.w.copy()
    books.enter(best, 0, free)
    while best.gap > tol:
        if sweeps.n_sweeps >= max_iter:
            status = Status.MAX_ITER
            break
        while True:
            sweeps.sweep()
            n_left = max_iter - sweeps.n_sweeps
            slow = sweeps.n_ahead(tol) > min(MOST_SWEEPS, n_left)
            near = trust * sweeps.estimates[-1] <= tol
            if slow or near or callback is not None or n_left == 0:
                break
        found, moved = sweeps.certify()
        books.enter(found, len(sweeps.order), free)
        trust = min(max(found.gap / max(sweeps.estimates[-1], 1e-300), BETTER), WORSE)
        n_worse = 0 if found.gap < best.gap else n_worse + 1
        if found.gap < best.gap:
            best, intercept = found, moved
            best_w = sweeps.w if found.gap <= tol else sweeps.w.copy()
        if callback is not None:
            progress = Progress(sweeps.n_sweeps, best.objective, best.gap, best_w[:-1])
            if callback(progress) and best.gap > tol:
                status = Status.STOPPED
                break
        if best.gap > tol and n_left > 0 and (slow or n_worse >= PATIENCE):
            status = Status.STALLED
            break
        if best.gap > tol and time.perf_counter() - books.started >= time_limit:
            status = Status.TIME_LIMIT
            break
    x = best_w[:-1]
    return Result(
        x=x,
        fun=best.objective,
        gap=best.gap,
        n_iter=sweeps.n_sweeps,
        status=status or Status.CONVERGED,
        history=books.history(),
        active_set=free.astype(np.int64),
        identified_at=books.identified_at,
        gap_kind="duality",
        extra={"gap": np.asarray(books.rows["gap"]), "intercept": intercept},
    )
