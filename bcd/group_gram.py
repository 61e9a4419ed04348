"""Least squares with group penalties on a small Gram matrix, solved to the last bits.

Minimise ``1/2 x'Gx - q'x + sum_j l1_j |x_j| + sum_g weight_g ||x_g||``, over ``x >= 0`` if asked.
Three steps take turns. Block updates (exact where only the group norm is at work) are cheap. While
the set of nonzero coordinates still changes, a proximal point step lets many groups in and out at
once; it is solved by Newton's method on its dual, which is smooth where the primal is not. Once
the set stays, the primal is smooth too, and Newton steps with the norm's own curvature converge
quadratically (Nutini, Laradji & Schmidt, 2022, sections 2.5 and 6: Newton updates of blocks and
active-set identification; Zhang, Zhang, Sun & Toh, 2020: semismooth Newton for the sparse group
Lasso's dual).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

from bcd._group_kernels import (
    crosses_zero,
    dual_newton_system,
    dual_norms,
    move_support,
    newton_system,
    penalty_of_groups,
    proximal_point,
    sweep_groups,
)
from bcd.group_bases import diagonal_blocks, eigenbases, square_ptr
from bcd.proximal import ProximalProblem, Vector

SWEEPS = 5  # between other steps
MAX_ROUNDS = 200
MAX_POLISHES = 30  # Newton steps in a row
ROUNDING = 1e-14  # relative to the objective at zero
RIDGE = 1e-13  # relative; only where the support's columns are linearly dependent


class GroupGramProblem(ProximalProblem):
    """The small problem, growing by whole groups while its working set grows.

    Attributes
    ----------
    G : ndarray of shape (capacity, capacity), float64
        The leading ``size`` x ``size`` part is in use; ``l2`` is added to its diagonal.
    q, h, x, l1 : ndarray of shape (capacity,), float64
        Linear term, negative gradient ``q - G x``, solution, l1 penalty of each coordinate.
    group_ptr, weight : ndarray
        Where each group starts, and its factor of the norm.
    squares : float
        ``b'b``, so that objectives and gaps are those of ``1/2 ||b - A x||^2``.
    """

    def __init__(self, squares: float, l2: float, positive: bool, capacity: int = 64):
        super().__init__(squares)
        self.l2, self.positive, self.size = l2, positive, 0
        self.G = np.zeros((capacity, capacity))
        self.q, self.h, self.x, self.l1 = (np.zeros(capacity) for _ in range(4))
        self.group_of = np.zeros(capacity, dtype=np.int64)
        self.eigenvalues = np.zeros(capacity)
        self.group_ptr, self.basis_ptr = np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64)
        self.weight, self.basis = np.empty(0), np.empty(0)
        self.plain = not positive

    def grow(self, old_new, new_new, q, l1, x, weight, ptr) -> None:
        """Append groups.

        Parameters
        ----------
        old_new : ndarray of shape (size, k)
        new_new : ndarray of shape (k, k)
        q, l1, x : ndarray of shape (k,)
        weight : ndarray of shape (n_new_groups,)
        ptr : ndarray of shape (n_new_groups + 1,)
        """
        size, grown, n_old = self.size, self.size + len(q), len(self.weight)
        if grown > len(self.q):
            self._enlarge(max(grown, 2 * len(self.q)))
        self.G[:size, size:grown] = old_new
        self.G[size:grown, :size] = old_new.T
        self.G[size:grown, size:grown] = new_new
        self.G[range(size, grown), range(size, grown)] += self.l2
        self.q[size:grown], self.l1[size:grown], self.x[size:grown] = q, l1, x
        self.group_of[size:grown] = n_old + np.repeat(np.arange(len(weight)), np.diff(ptr))
        self.weight = np.concatenate([self.weight, weight])
        self.group_ptr = np.concatenate([self.group_ptr, size + ptr[1:]])
        self.plain = self.plain and not l1.any()
        self.size = grown
        self._decompose(n_old)
        self.refresh()

    def _enlarge(self, capacity: int) -> None:
        k = self.size
        G = np.zeros((capacity, capacity))
        G[:k, :k] = self.G[:k, :k]
        self.G = G
        for name in ("q", "h", "x", "l1", "eigenvalues", "group_of"):
            old = getattr(self, name)
            new = np.zeros(capacity, dtype=old.dtype)
            new[:k] = old[:k]
            setattr(self, name, new)

    def _decompose(self, first: int) -> None:
        ptr = self.group_ptr[first:] - self.group_ptr[first]
        start = self.group_ptr[first]
        fresh = slice(start, self.size)
        values, bases = eigenbases(diagonal_blocks(self.G[fresh, fresh], ptr), ptr)
        self.eigenvalues[fresh] = values
        self.basis = np.concatenate([self.basis, bases])
        self.basis_ptr = square_ptr(self.group_ptr)

    def refresh(self) -> None:
        """Compute ``h`` anew, free of the rounding errors that updates pile up."""
        k = self.size
        support = np.flatnonzero(self.x[:k])
        self.h[:k] = self.q[:k] - self.G[:k, support] @ self.x[support]

    def solution(self) -> NDArray[np.float64]:
        """Return the coefficients, of shape (size,)."""
        return self.x[: self.size]

    def gap(self) -> float:
        """Return the duality gap of the small problem at ``x``."""
        k = self.size
        h, x = self.h[:k], self.x[:k]
        inner = self.squares - float(self.q[:k] @ x)  # b'r
        squares = max(inner - float(h @ x), 0.0)  # r'r, with the ridge's part
        penalty = penalty_of_groups(x, self.l1[:k], self.weight, self.group_ptr)
        norms = np.empty(len(self.weight))
        dual_norms(h, self.l1[:k], self.weight, self.group_ptr, self.positive, norms)
        worst = float(norms.max(initial=0.0))
        best = max(float(inner / squares), 0.0) if squares > 0.0 else 0.0
        scale = best if best * worst <= 1.0 else 1.0 / worst
        return 0.5 * squares + penalty - scale * inner + 0.5 * scale**2 * squares

    def solve(self, tol: float) -> float:
        """Descend until the small problem's duality gap is at most ``tol``, and return it.

        It may stay above ``tol`` where rounding forbids better.
        """
        best, objective, stalled, converging = np.inf, np.inf, 0, False
        for _ in range(MAX_ROUNDS):
            if not converging:  # sweeps may undo the last digits that a step has found
                self._sweep()
                reached = self.gap()
                if reached <= tol:
                    break
            before = reached
            reached = self._polish(tol)
            if reached == before and reached > tol:
                self._proximal_step()
                reached = self.gap()
            # once neither kind of step helps, only rounding is left
            before, objective = objective, self._objective()
            converging = reached <= 0.5 * best
            helps = converging or objective < before - ROUNDING * self.squares
            stalled = 0 if helps else stalled + 1
            best = min(best, reached)
            if reached <= tol or stalled >= 2:
                break
        return reached

    def _sweep(self) -> None:
        k = self.size
        sweep_groups(
            self.G,
            self.h[:k],
            self.x[:k],
            self.l1[:k],
            self.weight,
            self.group_ptr,
            self.basis,
            self.basis_ptr,
            self.eigenvalues,
            self.plain,
            self.positive,
            SWEEPS,
        )

    def _polish(self, tol: float) -> float:
        """Take Newton steps on the support while they converge; return the gap reached."""
        k = self.size
        h, x, l1 = self.h[:k], self.x[:k], self.l1[:k]
        reached = self.gap()
        for _ in range(MAX_POLISHES):
            support = np.flatnonzero(x)
            s = len(support)
            if reached <= tol or s == 0:
                break
            matrix, rhs = np.empty((s, s)), np.empty(s)
            newton_system(self.G, h, x, l1, self.weight, self.group_of, support, matrix, rhs)
            step = solve_definite(matrix, rhs)
            if crosses_zero(x, l1, self.group_of, self.positive, support, step):
                break
            if self._change(support, step) > 0.1 * ROUNDING * self.squares:
                break
            move_support(self.G, h, x, support, step)
            before, reached = reached, self.gap()
            if reached > 0.5 * before:
                self.refresh()
                break
        return reached

    def _objective(self) -> float:
        k = self.size
        x = self.x[:k]
        penalty = penalty_of_groups(x, self.l1[:k], self.weight, self.group_ptr)
        return 0.5 * (self.squares - (self.q[:k] + self.h[:k]) @ x) + penalty

    def _change(self, support: NDArray, step: NDArray) -> float:
        """Objective at ``x + step`` minus that at ``x``."""
        k = self.size
        moved = self.x[:k].copy()
        moved[support] += step
        before, after = (
            penalty_of_groups(point, self.l1[:k], self.weight, self.group_ptr)
            for point in (self.x[:k], moved)
        )
        curvature = step @ (self.G[np.ix_(support, support)] @ step)
        return 0.5 * curvature - self.h[support] @ step + after - before

    def _present(self) -> Vector:
        return self.x[: self.size].copy()

    def _place(self, x) -> None:
        self.x[: self.size] = x
        self.refresh()

    def _curvature(self) -> Vector:
        diagonal = self.G.diagonal()[: self.size]
        return np.add.reduceat(diagonal, self.group_ptr[:-1]) / np.diff(self.group_ptr)

    def _proximal_point(self, center, pull, sigma) -> tuple[Vector, Vector, float]:
        penalty = self.l1[: self.size], self.weight, self.group_ptr, self.positive
        return proximal_groups(center, pull, sigma, *penalty)

    def _squared_distance(self, x, center, sigma) -> float:
        return float((x - center) ** 2 @ np.repeat(1.0 / sigma, np.diff(self.group_ptr)))

    def _dual_start(self) -> tuple[Vector, Vector]:
        return self.x[: self.size].copy(), self.h[: self.size].copy()  # v, for the point b - A v

    def _dual_value(self, point, pull) -> float:
        return 0.5 * float(point @ (self.q[: self.size] - pull))

    def _dual_newton(self, point, pull, x, norms, sigma, enough):
        k = self.size
        G, left = self.G[:k, :k], point - x
        slope = G @ left
        if left @ slope <= enough:
            return None
        support = np.flatnonzero(x)
        s = len(support)
        step = -point
        if s:
            matrix, rhs = np.empty((s, s)), np.empty(s)
            sizes = (sigma, norms, self.weight, self.group_of)
            dual_newton_system(G, pull, self.q[:k], x, *sizes, support, matrix, rhs)
            step[support] += solve_definite(matrix, rhs)
        return slope, step, -(G @ step)


def proximal_groups(
    center, pull, sigma, l1, weight, group_ptr, positive
) -> tuple[Vector, Vector, float]:
    """Return the proximal point at ``center + sigma pull``, groups' lengths before, envelope."""
    x, norms = np.empty(len(center)), np.empty(len(weight))
    envelope = proximal_point(center, pull, sigma, l1, weight, group_ptr, positive, x, norms)
    return x, norms, float(envelope)


def solve_definite(matrix: NDArray, rhs: NDArray) -> NDArray:
    """Solve with a symmetric matrix that should be positive definite; see ``definite_factor``."""
    scale, factor = definite_factor(matrix)
    return scale * lapack.dpotrs(factor, scale * rhs, lower=0)[0]


def definite_factor(matrix: NDArray) -> tuple[NDArray, NDArray]:
    """Scale a symmetric matrix that should be positive definite, and factorise it by Cholesky.

    The diagonal is scaled to one first, so that features of any scale meet the same threshold.
    Where the matrix is singular to working precision (repeated or dependent columns), a ridge as
    small as will do is added: the step is then one of the proximal point method and descends still.

    Returns
    -------
    scale : ndarray of shape (s,)
    factor : ndarray of shape (s, s)
        Upper, of ``scale[:, None] * matrix * scale``.
    """
    scale = 1.0 / np.sqrt(np.maximum(matrix.diagonal(), np.finfo(np.float64).tiny))
    scaled = matrix * scale * scale[:, None]
    ridge = 0.0
    while ridge < 1.0:
        scaled[np.diag_indices_from(scaled)] = 1.0 + ridge
        factor, info = lapack.dpotrf(scaled, lower=0, clean=0, overwrite_a=0)
        if info == 0 and factor.diagonal().min() ** 2 > 0.1 * max(ridge, RIDGE):
            break
        ridge = max(RIDGE * len(matrix), 10.0 * ridge)
    return scale, factor
