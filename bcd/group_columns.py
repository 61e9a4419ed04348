"""Least squares with group penalties on gathered columns, where a Gram matrix would be dearer.

A sweep by the residual costs the columns' entries, one over the Gram matrix of k columns k^2. So
where there are not many more samples than columns, the columns themselves are kept, those of each
group rotated to be orthogonal (which changes no group's norm), so that block updates cost two
products a column. Sweeps go on for as long as they are cheaper than what follows: a proximal
point step, which lets many groups in and out at once. It is solved by Newton's method on its dual,
whose unknown is the residual (Zhang, Zhang, Sun & Toh, 2020); systems are of the size of the
support or of the samples, whichever is less, or are left to conjugate gradients.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import blas, lapack

from bcd._group_columns_kernels import root_of_proximal_slope, sweep_columns
from bcd._group_kernels import crosses_zero, dual_norms, penalty_of_groups, proximal_point
from bcd.group_bases import eigenbases, inner_products, rotated, square_ptr
from bcd.group_duality import feasible_scale
from bcd.group_gram import solve_definite

SWEEPS = 5  # at a time
MAX_ROUNDS = 200
MAX_NEWTON = 30  # in one proximal step
MAX_BATCHES = 100  # of sweeps in a row
FIRST_SIGMA, SIGMA_GROWS = 10.0, 10.0  # proximal steps, in units of one over the curvature
PROXIMAL_SHARE = 0.1  # a proximal problem is solved to this share of the step that it makes
ROUNDING = 1e-14  # relative to the objective at zero
NOISE = 1e-26  # squared, relative
SUFFICIENT = 1e-4  # of the decrease that the slope promises
NEWTONS = 3.0  # systems that a proximal step solves, about
BLAS_SPEED = 3.0  # products that BLAS makes of matrices while a sweep makes one
CALLS = 1e5  # products that a sweep makes while Python calls what a Newton step needs
MAX_STEPS, FORCING = 40, 0.1  # of conjugate gradients, and their tolerance

Vector = NDArray[np.float64]


class GroupColumnsProblem:
    """The small problem, growing by whole groups while its working set grows.

    Parameters
    ----------
    b : ndarray of shape (n_samples,)
    plain : bool
        Whether there is neither an l1 penalty nor a bound: block updates are then exact.
    positive : bool

    Attributes
    ----------
    C : ndarray of shape (capacity, n_samples), float64
        The columns as rows, rotated where ``plain``; the first ``size`` are in use.
    x, l1 : ndarray of shape (size,), float64
    group_ptr, weight : ndarray
        Where each group starts, and its factor of the norm.
    """

    def __init__(self, b: Vector, plain: bool, positive: bool):
        self.b, self.plain, self.positive, self.size = b, plain, positive, 0
        self.squares, self.r = float(b @ b), b.copy()
        self.C = np.empty((0, len(b)))
        self.x, self.l1, self.eigenvalues, self.blocks = (np.empty(0) for _ in range(4))
        self.group_of = np.empty(0, dtype=np.int64)
        self.group_ptr, self.block_ptr = np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64)
        self.weight = np.empty(0)
        self.sigma, self.n_newton, self.settled = FIRST_SIGMA, 0, False

    def grow(self, columns, l1, x, weight, ptr) -> None:
        """Append groups.

        Parameters
        ----------
        columns : ndarray of shape (k, n_samples)
        l1, x : ndarray of shape (k,)
        weight : ndarray of shape (n_new_groups,)
        ptr : ndarray of shape (n_new_groups + 1,)
        """
        size, grown, n_old = self.size, self.size + len(x), len(self.weight)
        if grown > len(self.C):
            enlarged = np.empty((max(grown, 2 * len(self.C)), len(self.b)))
            enlarged[:size] = self.C[:size]
            self.C = enlarged
        blocks = inner_products(columns, ptr)
        values, bases = eigenbases(blocks, ptr)
        if self.plain:
            blocks, columns = bases, rotated(bases, ptr, columns)
            x = rotated(bases, ptr, x[:, None])[:, 0]
        self.C[size:grown] = columns
        self.x, self.l1 = np.concatenate([self.x, x]), np.concatenate([self.l1, l1])
        self.eigenvalues = np.concatenate([self.eigenvalues, values])
        self.blocks = np.concatenate([self.blocks, blocks])
        owner = n_old + np.repeat(np.arange(len(weight)), np.diff(ptr))
        self.group_of = np.concatenate([self.group_of, owner])
        self.weight = np.concatenate([self.weight, weight])
        self.group_ptr = np.concatenate([self.group_ptr, size + ptr[1:]])
        self.block_ptr, self.size = square_ptr(self.group_ptr), grown
        self.refresh()

    def solution(self) -> Vector:
        """Return the coefficients of the columns as they came, of shape (size,)."""
        if not self.plain:
            return self.x
        return rotated(self.blocks, self.group_ptr, self.x[:, None], back=True)[:, 0]

    def refresh(self) -> None:
        """Compute ``r`` anew, free of the rounding errors that updates pile up."""
        support = np.flatnonzero(self.x)
        self.r = self.b - self.x[support] @ self.C[support]

    def _objective(self) -> float:
        return 0.5 * float(self.r @ self.r) + penalty_of_groups(
            self.x, self.l1, self.weight, self.group_ptr
        )

    def gap(self) -> float:
        """Return the duality gap of the small problem at ``x``."""
        r, inner, squares = self.r, float(self.b @ self.r), float(self.r @ self.r)
        norms = np.empty(len(self.weight))
        pull = self.C[: self.size] @ r
        dual_norms(pull, self.l1, self.weight, self.group_ptr, self.positive, norms)
        scale = feasible_scale(inner / squares if squares > 0.0 else 0.0, norms)
        return self._objective() - scale * inner + 0.5 * scale**2 * squares

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
            sweep_columns(
                self.C,
                self.r,
                self.x,
                self.l1,
                self.weight,
                self.group_ptr,
                self.eigenvalues,
                self.blocks,
                self.block_ptr,
                self.plain,
                self.positive,
                SWEEPS,
            )
            before, reached = reached, self.gap()
            if reached <= tol:
                self.refresh()
                reached = self.gap()
            if reached <= tol:
                break
            s = int(np.count_nonzero(self.x))
            batch = 2.0 * len(self.b) * (SWEEPS * s + self.size)
            spent += batch
            left = np.inf  # batches, at the rate of the last one
            if 0.0 < tol < reached < before < np.inf:
                left = math.log(reached / tol) / math.log(before / reached)
            self.settled = np.array_equal(self.x != 0.0, nonzero)
            if min(spent, left * batch) > NEWTONS * self._cost_of_newton(s):
                break
        return reached

    def _cost_of_newton(self, s: int) -> float:
        n = len(self.b)
        small = min(n, s)
        direct = (0.5 * small * max(n, s) * small + small**3 / 3.0) / BLAS_SPEED
        return CALLS + 4.0 * s * n + min(direct, MAX_STEPS * 2.0 * s * n)

    def _polish(self, reached: float, tol: float) -> float:
        """Take Newton steps on the support while they converge; return the gap reached."""
        for _ in range(MAX_NEWTON):
            support = np.flatnonzero(self.x)
            if reached <= tol or len(support) == 0:
                break
            step = self._newton_step(support)
            if crosses_zero(self.x, self.l1, self.group_of, self.positive, support, step):
                break
            old, before = (self.x.copy(), self.r), self._objective()
            self.x[support] += step
            self.refresh()
            if self._objective() > before + 0.1 * ROUNDING * self.squares:
                self.x, self.r = old
                break
            before, reached = reached, self.gap()
            if reached > 0.5 * before:
                break
        return reached

    def _newton_step(self, support: NDArray) -> Vector:
        """Solve the Newton system on the nonzero coordinates, where the objective is smooth.

        The norm of group g adds ``bend (I - u u')`` to the Hessian, ``u`` the group's direction.
        With more coordinates than samples ``B = part / sqrt(bend)`` leaves two systems by
        Woodbury's formula, ``I + B' B`` and, with a row of ``Z = U' B`` a group, ``Z () ^-1 Z'``.
        """
        self.n_newton += 1
        part, x = self.C[support], self.x[support]
        owner = self.group_of[support]
        starts = np.flatnonzero(np.diff(owner, prepend=-1))
        sizes = np.diff(starts, append=len(support))
        norms = np.repeat(np.sqrt(np.add.reduceat(x**2, starts)), sizes)
        unit, bend = x / norms, self.weight[owner] / norms
        rhs = part @ self.r - self.weight[owner] * unit - self.l1[support] * np.sign(x)
        if len(support) <= len(self.b) or not bend.all():
            matrix = part @ part.T
            matrix[np.diag_indices_from(matrix)] += bend
            for a, b in zip(starts, starts + sizes, strict=True):
                matrix[a:b, a:b] -= np.outer(bend[a:b] * unit[a:b], unit[a:b])
            return solve_definite(matrix, rhs)
        root = np.sqrt(bend)
        part /= root[:, None]
        factor = _factor_of_identity_plus(part)
        first = rhs / root
        first -= part @ lapack.dpotrs(factor, first @ part, lower=0)[0]
        Z = np.add.reduceat(unit[:, None] * part, starts, axis=0)
        half = blas.dtrsm(1.0, factor, Z.T, lower=0, trans_a=1)
        along = solve_definite(half.T @ half, np.add.reduceat(unit * first, starts))
        second = unit * np.repeat(along, sizes)
        second -= part @ lapack.dpotrs(factor, second @ part, lower=0)[0]
        return (first + second) / root

    def _proximal_step(self) -> None:
        """Move to about the minimum of the objective plus ``sum_g ||x_g - now_g||^2 / 2 sigma_g``.

        The dual variable is the residual.
        """
        k = self.size
        C, b, center = self.C[:k], self.b, self.x
        sizes = np.diff(self.group_ptr)
        curvature = np.add.reduceat(self.eigenvalues, self.group_ptr[:-1]) / sizes
        sigma = self.sigma / np.where(curvature > 0.0, curvature, 1.0)
        penalty = (sigma, self.l1, self.weight, self.group_ptr, self.positive)
        r, c = self.r.copy(), C @ self.r
        x, norms = np.empty(k), np.empty(len(self.weight))
        envelope = proximal_point(center, c, *penalty, x, norms)
        for n_newton in range(MAX_NEWTON):  # noqa: B007
            support = np.flatnonzero(x)
            part = C[support]
            slope = r - b + x[support] @ part  # of the dual, r'r / 2 - b'r + envelope
            moved = float((x - center) ** 2 @ np.repeat(1.0 / sigma, sizes))
            if slope @ slope <= max(PROXIMAL_SHARE**2 * moved, NOISE * self.squares):
                break
            root = np.empty(part.shape)
            root_of_proximal_slope(C, x, sigma, norms, self.weight, self.group_of, support, root)
            self.n_newton += 1
            step = -self._solve_dual(root, slope)
            change, descent = C @ step, float(slope @ step)
            value = 0.5 * float(r @ r) - float(b @ r) + envelope
            t = 1.0
            while t > 1e-6:
                trial, pull = r + t * step, c + t * change
                envelope = proximal_point(center, pull, *penalty, x, norms)
                reached = 0.5 * float(trial @ trial) - float(b @ trial) + envelope
                if reached <= value + SUFFICIENT * t * descent:
                    break
                t *= 0.5
            else:
                break  # only rounding is left
            r, c = trial, pull
        before = self._objective()
        self.x = x
        self.refresh()
        if self._objective() > before:  # a step so long that rounding took over
            self.x = center
            self.refresh()
            self.sigma = FIRST_SIGMA
        elif n_newton <= MAX_NEWTON // 3:
            self.sigma *= SIGMA_GROWS

    def _solve_dual(self, root: NDArray, slope: Vector) -> Vector:
        """Solve ``(I + root' root) step = slope``."""
        s, n = root.shape
        small = min(s, n)
        if (0.5 * max(s, n) * small**2 + small**3 / 3.0) / BLAS_SPEED > MAX_STEPS * 2.0 * s * n:
            return conjugate_gradients(root, slope)
        if s < n:
            factor = _factor_of_identity_plus(root.T)
            inner = lapack.dpotrs(factor, root @ slope, lower=0)[0]
            return slope - inner @ root
        return lapack.dpotrs(_factor_of_identity_plus(root), slope, lower=0)[0]


def _factor_of_identity_plus(part: NDArray) -> NDArray:
    """Return the upper Cholesky factor of ``I + part' part``."""
    matrix = part.T @ part
    matrix[np.diag_indices_from(matrix)] += 1.0
    return lapack.dpotrf(matrix.T, lower=0, clean=0, overwrite_a=1)[0]


def conjugate_gradients(root: NDArray, slope: Vector) -> Vector:
    """Solve ``(I + root' root) step = slope`` to a loose tolerance."""
    step, left = np.zeros_like(slope), slope.copy()
    way, rho = left.copy(), float(left @ left)
    enough = FORCING**2 * rho
    for _ in range(MAX_STEPS):
        if rho <= enough:
            break
        product = way + (root @ way) @ root
        length = rho / float(way @ product)
        step += length * way
        left -= length * product
        fresh = float(left @ left)
        way = left + (fresh / rho) * way
        rho = fresh
    return step
