"""Logistic regression with one squared l2 penalty, for few samples of many dense features.

Coefficients are ``w = A'u / l2`` with a number for each sample, and scores ``K u + c`` with ``K = A
A' / l2``. Once K is known, no step looks at the features again: sweeps over the dual, and then
Newton's method (Rasmussen & Williams, 2006, algorithm 3.1) with one equation a sample. Features are
looked at once more for the coefficients and their certificate; single precision does for K, since
what it lost shows in the scores then and is added to them (iterative refinement).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.linalg import lapack

from bcd._logistic_dual_kernels import logistic_epochs_of_products
from bcd.glm import DualCertificate
from bcd.glm_block import FEW_SAMPLES
from bcd.glm_scores import HALVINGS, ROUNDING, Scores
from bcd.result import Result, Status
from bcd.working_set import Progress, _Books

Vector = NDArray[np.float64]
CHUNK = 2048  # features whose products are added at once, so that copies stay in cache
FIRST_SWEEPS = 10  # over the dual, before Newton steps
NEWTON_STEPS = 50
NEAR_TOL = 0.3  # times tol: what is reached in terms of the products
PATIENCE = 3  # Newton steps without a smaller gap
CORRECTIONS = 4  # of scores from products in single precision
WORTH = 0.1  # times the gap, that a correction should leave


def products_pay(X: Any) -> bool:
    """Tell whether to solve by one equation a sample."""
    n, p = X.shape
    return not sp.issparse(X) and n <= min(FEW_SAMPLES, p)


def products_of_samples(X: NDArray, means: Vector | None, kind: type) -> Vector:
    """Return the inner products of rows, centred where means are given, rounded to ``kind``."""
    total: NDArray = np.zeros((len(X), len(X)), dtype=kind)
    for start in range(0, X.shape[1], CHUNK):
        part = X[:, start : start + CHUNK]
        if means is not None:
            part = part - means[start : start + CHUNK]
        part = part.astype(kind, copy=False)
        total += part @ part.T  # BLAS does half the work
    return total.astype(np.float64)


class SampleNewton:
    """Newton's method on ``losses(K u + lost + c) + u'K u / 2``.

    Attributes
    ----------
    u : ndarray of shape (n_samples,)
    lost : ndarray of shape (n_samples,)
        By how much ``K u`` is off.
    shift : float
        ``c``, zero without an intercept.
    Ku : ndarray of shape (n_samples,)
    scores : Scores
        At ``K u + lost + c``.
    """

    def __init__(self, K: Vector, scores: Scores):
        self.K, self.scores = K, scores
        self.u, self.Ku, self.lost = np.zeros(len(K)), np.zeros(len(K)), np.zeros(len(K))
        self.shift = 0.0

    def sweep_dual(self) -> None:
        """Start with sweeps over the dual; an intercept is penalised there like the coefficients.

        Newton steps from zero would take one for each unit that the margins grow.
        """
        scores, K = self.scores, self.K
        ridge = float(np.mean(K.diagonal())) if scores.intercept else 0.0
        theta, alpha, z = np.full(len(K), np.inf), np.zeros(len(K)), np.zeros(len(K))
        bordered = K + ridge if ridge else K
        arrays = bordered, scores.y, scores.weight, theta, alpha, z
        logistic_epochs_of_products(*arrays, FIRST_SWEEPS)
        self.u = alpha * scores.y
        self.Ku = K @ self.u
        self.shift = ridge * float(self.u.sum())
        self.settle()

    def start_at(self, u: Vector) -> None:
        """Start from ``w = A'u / l2``."""
        self.u, self.Ku = u, self.K @ u
        self.settle()

    def settle(self) -> None:
        """Move the scores to ``K u + lost + c``, with the best c if there is an intercept."""
        self.scores.set(self.Ku + self.lost + self.shift)
        if self.scores.intercept:
            self.shift += self.scores.center()

    def gap(self) -> float:
        """Return the duality gap; also how far u is from what the slopes ask for, times K."""
        self.off = self.u + self.scores.slope
        self.pull = self.K @ self.off
        return max(0.5 * float(self.off @ self.pull), 0.0)

    def step(self) -> bool:
        """Take a Newton step, shortened where it would not descend; tell whether it moved.

        ``du = -off - h (K du + dc)`` with the losses' curvature h, and ``sum(u + du) = 0`` if there
        is an intercept.
        """
        scores, K = self.scores, self.K
        h = scores.curvature
        root = np.sqrt(h)
        M = K * root * root[:, None]
        M.flat[:: len(M) + 1] += 1.0
        right = -root * self.pull
        if scores.intercept:
            right = np.column_stack([right, root * (K @ h)])
        found = lapack.dposv(M, right, lower=True, overwrite_a=True)
        if found[2] != 0:
            return False
        solved = found[1]
        if scores.intercept:
            own, border = -self.off - root * solved[:, 0], h - root * solved[:, 1]
            total = float(border.sum())
            dc = float((self.u + own).sum()) / total if total > 0.0 else 0.0
            du = own - dc * border
        else:
            dc, du = 0.0, -self.off - root * solved
        Kdu = K @ du
        change = Kdu + dc
        linear, quadratic = float(self.u @ Kdu), 0.5 * float(du @ Kdu)
        before = scores.value
        drop = float(scores.slope @ change) + linear
        t = 1.0
        for _ in range(HALVINGS):
            value = scores.try_out(scores.z + t * change)
            gained = value - before + t * linear + t * t * quadratic
            if gained <= 1e-4 * t * min(drop, 0.0) + ROUNDING * abs(before):
                break
            t *= 0.5
        else:
            return False
        scores.accept()
        self.u, self.Ku = self.u + t * du, self.Ku + t * Kdu
        self.shift += t * dc
        if scores.intercept:
            self.shift += scores.center()
        return True

    def solve(self, tol: float) -> None:
        """Take Newton steps until the gap is below ``tol``, or they do not help."""
        best, n_worse = np.inf, 0
        for _ in range(NEWTON_STEPS):
            gap = self.gap()
            n_worse = 0 if gap < 0.5 * best else n_worse + 1
            best = min(best, gap)
            if gap <= tol or n_worse > PATIENCE or not self.step():
                break


def solve_by_products(
    X: NDArray,
    scores: Scores,
    l2: float,
    *,
    x0: Vector | None = None,
    tol: float,
    callback: Callable[[Progress], bool | None] | None = None,
) -> Result | None:
    """Minimise until the duality gap is below tol, or as far as rounding lets it.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
    scores : Scores
        Of the logistic loss at zero coefficients, and whether an intercept is fitted.
    l2 : float
        Above zero.
    x0 : ndarray of shape (n_features,), default=None
        Coefficients whose scores are those to begin with.
    tol : float
        On the duality gap, in units of the objective.
    callback : callable, default=None
        Called once, with the answer.

    Returns
    -------
    Result or None
        Of status STALLED where the gap is above ``tol``; None where numbers overflow.
    """
    books = _Books()
    means = X.mean(axis=0, dtype=np.float64) if scores.intercept else None
    free = np.arange(X.shape[1], dtype=np.int32)
    books.enter(DualCertificate(scores.value, scores.value, 0.0), 0, free)
    u = None if x0 is None else _slopes_at(X, means, x0, scores)
    found = None
    with np.errstate(over="ignore", invalid="ignore"):
        for kind in (np.float32, np.float64):
            K = products_of_samples(X, means, kind) / l2
            if not np.isfinite(K.diagonal() @ scores.weight):
                continue
            newton = SampleNewton(K, scores)
            if u is None:
                newton.sweep_dual()
            else:
                newton.start_at(-u)
            w, found = _solve_and_correct(X, means, newton, l2, tol)
            if found.gap <= tol:
                break
            u = scores.slope
    if found is None:
        return None
    objective, gap, _ = found
    books.enter(found, len(free), free)
    status = Status.CONVERGED if gap <= tol else Status.STALLED
    if callback is not None:
        asked_to_stop = callback(Progress(1, objective, gap, w))
        if asked_to_stop and gap > tol:
            status = Status.STOPPED
    intercept = newton.shift - (0.0 if means is None else float(means @ w))
    return Result(
        x=w,
        fun=objective,
        gap=gap,
        n_iter=1,
        status=status,
        history=books.history(),
        active_set=free.astype(np.int64),
        identified_at=books.identified_at,
        gap_kind="duality",
        extra={"gap": np.asarray(books.rows["gap"]), "intercept": intercept},
    )


def _solve_and_correct(
    X: NDArray, means: Vector | None, newton: SampleNewton, l2: float, tol: float
) -> tuple[Vector, DualCertificate]:
    """Solve, and add to the scores what the products lost for as long as that helps."""
    scores, last = newton.scores, np.inf
    for _ in range(CORRECTIONS):
        newton.solve(NEAR_TOL * tol)
        w = _correlate(X, means, newton.u) / l2
        z = _scores_of(X, means, w)
        newton.lost = z - newton.Ku
        newton.settle()
        gradient = l2 * w + _correlate(X, means, scores.slope)
        gap = 0.5 / l2 * float(gradient @ gradient)
        if gap <= tol or not gap <= WORTH * last:
            break
        last = gap
    return w, DualCertificate(scores.value + 0.5 * l2 * float(w @ w), gap, 1.0)


def _slopes_at(X: NDArray, means: Vector | None, x0: Vector, scores: Scores) -> Vector:
    scores.set(_scores_of(X, means, x0))
    if scores.intercept:
        scores.center()
    return scores.slope.copy()


def _scores_of(X: NDArray, means: Vector | None, w: Vector) -> Vector:
    return X @ w if means is None else X @ w - float(means @ w)


def _correlate(X: NDArray, means: Vector | None, u: Vector) -> Vector:
    found = X.T @ u
    return found if means is None else found - means * float(u.sum())
