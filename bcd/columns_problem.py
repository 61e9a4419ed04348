"""What small problems on gathered columns have in common: sweeps first, then steps in the residual.

Minimise ``1/2 ||b - C' x||^2`` plus norms of groups. A sweep by the residual costs the columns'
entries, one over the Gram matrix of k columns k^2, so where there are not many more samples than
columns, the columns themselves are kept. Sweeps go on for as long as they are cheaper than what
follows: a proximal point step, which lets many groups in and out at once. It is solved by Newton's
method on its dual, whose unknown is the residual (Zhang, Zhang, Sun & Toh, 2020).
"""

from __future__ import annotations

import math
from abc import abstractmethod

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

from bcd.proximal import ProximalProblem, Vector

SWEEPS = 5  # at a time
MAX_ROUNDS = 200
MAX_BATCHES = 100  # of sweeps in a row
ROUNDING = 1e-14  # relative to the objective at zero
NEWTONS = 3.0  # systems that a proximal step solves, about
BLAS_SPEED = 3.0  # products that BLAS makes of matrices while a sweep makes one
CALLS = 1e5  # products that a sweep makes while Python calls what a Newton step needs
MAX_STEPS = 40  # of conjugate gradients
TASK_STEPS = 20  # of them that a system of many targets takes, about


class ColumnsProblem(ProximalProblem):
    """The small problem; its groups are sets of columns, or a column's coefficients of all targets.

    Attributes
    ----------
    C : ndarray of shape (capacity, n_samples), float64
        The columns as rows; the first ``size`` are in use.
    x : ndarray of shape (size,) or (size, n_targets), float64
    b, r : ndarray of shape (n_samples,) or (n_targets, n_samples), float64
        Target, and residual at ``x``.
    weight : ndarray of shape (n_groups,)
        Factor of each group's norm.
    settled : bool
        Whether the last sweeps left all zeros where they were.
    """

    def __init__(self, b: Vector):
        super().__init__(float(np.vdot(b, b)))
        self.b, self.r, self.size = b, b.copy(), 0
        self.n_samples, self.n_targets = b.shape[-1], b.size // b.shape[-1]
        self.C, self.weight = np.empty((0, self.n_samples)), np.empty(0)
        self.x = np.empty((0, *b.shape[:-1]))
        self.settled = False

    def _append(self, columns: NDArray, x: NDArray, weight: Vector) -> None:
        grown = self.size + len(x)
        if grown > len(self.C):
            enlarged = np.empty((max(grown, 2 * len(self.C)), self.n_samples))
            enlarged[: self.size] = self.C[: self.size]
            self.C = enlarged
        self.C[self.size : grown] = columns
        self.x, self.size = np.concatenate([self.x, x]), grown
        self.weight = np.concatenate([self.weight, weight])
        self.refresh()

    def refresh(self) -> None:
        """Compute ``r`` anew, free of the rounding errors that updates pile up."""
        support = np.flatnonzero(self.x if self.x.ndim == 1 else self.x.any(axis=1))
        self.r = self.b - self.x[support].T @ self.C[support]

    @abstractmethod
    def gap(self) -> float:
        """Return the duality gap of the small problem at ``x``."""

    @abstractmethod
    def _sweep_times(self, n_sweeps: int) -> None: ...

    @abstractmethod
    def _solve_dual(self, support, part, x, norms, sigma, slope) -> NDArray:
        """Solve ``(I + part' P part) step = slope``, P the slope of the proximal point."""

    def _polish(self, reached: float, tol: float) -> float:
        """Take Newton steps on the support, if there are any to take; return the gap reached."""
        return reached

    def solve(self, tol: float) -> float:
        """Descend until the small problem's duality gap is at most ``tol``, and return it.

        It may stay above ``tol`` where rounding forbids better.
        """
        best, best_x, objective, stalled = np.inf, self.x, np.inf, 0
        for _ in range(MAX_ROUNDS):
            before = reached = self._sweep(tol)
            if reached > tol and self.settled:
                reached = self._polish(before, tol)
            if reached > max(tol, 0.5 * before):
                self._proximal_step()
                reached = self.gap()
            # once nothing helps, only rounding is left
            before, objective = objective, self._objective()
            helps = reached <= 0.5 * best or objective < before - ROUNDING * self.squares
            stalled = 0 if helps else stalled + 1
            if reached < best:
                best, best_x = reached, self.x.copy()
            if reached <= tol or stalled >= 2:
                break
        if best < reached:
            self.x = best_x
            self.refresh()
        return best

    def _sweep(self, tol: float) -> float:
        """Sweep for as long as that promises to be cheaper than a Newton step; return the gap."""
        reached, spent = np.inf, 0.0
        for _ in range(MAX_BATCHES):
            nonzero = self.x != 0.0
            self._sweep_times(SWEEPS)
            before, reached = reached, self.gap()
            if reached <= tol:
                self.refresh()
                reached = self.gap()
            if reached <= tol:
                break
            s = int(np.count_nonzero(self.x))
            batch = 2.0 * self.n_samples * (SWEEPS * s + self.size * self.n_targets)
            spent += batch
            left = np.inf  # batches, at the rate of the last one
            if 0.0 < tol < reached < before < np.inf:
                left = math.log(reached / tol) / math.log(before / reached)
            self.settled = np.array_equal(self.x != 0.0, nonzero)
            if min(spent, left * batch) > NEWTONS * self._cost_of_newton(s):
                break
        return reached

    def _cost_of_newton(self, s: int) -> float:
        n, s = self.n_samples, s // self.n_targets
        small = min(n, s)
        direct = (0.5 * small * max(n, s) * small + small**3 / 3.0) / BLAS_SPEED
        call = CALLS + 4.0 * s * n * self.n_targets
        if self.n_targets > 1:  # conjugate gradients of all targets, the direct way for one in them
            return call + direct + TASK_STEPS * 2.0 * s * n * self.n_targets
        return call + min(direct, MAX_STEPS * 2.0 * s * n)

    def _present(self) -> NDArray:
        return self.x

    def _place(self, x) -> None:
        self.x = x
        self.refresh()

    def _dual_start(self) -> tuple[NDArray, NDArray]:
        return self.r, self.C[: self.size] @ self.r.T  # the dual point is the residual

    def _dual_value(self, point, pull) -> float:
        return float(np.vdot(0.5 * point - self.b, point))

    def _dual_newton(self, point, pull, x, norms, sigma, enough):
        C = self.C[: self.size]
        support = np.flatnonzero(x if x.ndim == 1 else x.any(axis=1))
        part = C[support]
        slope = point - self.b + x[support].T @ part
        if np.vdot(slope, slope) <= enough:
            return None
        step = -self._solve_dual(support, part, x, norms, sigma, slope)
        return slope, step, C @ step.T


def factor_of_identity_plus(part: NDArray) -> NDArray:
    """Return the upper Cholesky factor of ``I + part' part``."""
    matrix = part.T @ part
    matrix[np.diag_indices_from(matrix)] += 1.0
    return lapack.dpotrf(matrix.T, lower=0, clean=0, overwrite_a=1)[0]


def solve_identity_plus(root: NDArray, rhs: NDArray) -> NDArray:
    """Solve ``(I + root' root) X = rhs`` by a system of the smaller side of ``root``."""
    if len(root) < root.shape[1]:
        factor = factor_of_identity_plus(root.T)
        return rhs - root.T @ lapack.dpotrs(factor, root @ rhs, lower=0)[0]
    return lapack.dpotrs(factor_of_identity_plus(root), rhs, lower=0)[0]
