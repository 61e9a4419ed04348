"""Least squares with group penalties on gathered columns, where a Gram matrix would be dearer.

The columns of each group are rotated to be orthogonal (which changes no group's norm), so that
block updates, see :mod:`bcd.columns_problem`, are exact and cost two products a column. Systems are
of the size of the support or of the samples, whichever is less, or left to conjugate gradients.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import blas, lapack

from bcd._group_columns_kernels import root_of_proximal_slope, sweep_columns
from bcd._group_kernels import crosses_zero, dual_norms, penalty_of_groups
from bcd.columns_problem import (
    BLAS_SPEED,
    MAX_STEPS,
    ROUNDING,
    ColumnsProblem,
    factor_of_identity_plus,
    solve_identity_plus,
)
from bcd.group_bases import eigenbases, inner_products, rotated, square_ptr
from bcd.group_duality import feasible_scale
from bcd.group_gram import MAX_POLISHES, proximal_groups, solve_definite
from bcd.proximal import Vector

FORCING = 0.1  # tolerance of conjugate gradients


class GroupColumnsProblem(ColumnsProblem):
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
        super().__init__(b)
        self.plain, self.positive = plain, positive
        self.l1, self.eigenvalues, self.blocks = (np.empty(0) for _ in range(3))
        self.group_of = np.empty(0, dtype=np.int64)
        self.group_ptr, self.block_ptr = np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64)

    def grow(self, columns, l1, x, weight, ptr) -> None:
        """Append groups.

        Parameters
        ----------
        columns : ndarray of shape (k, n_samples)
        l1, x : ndarray of shape (k,)
        weight : ndarray of shape (n_new_groups,)
        ptr : ndarray of shape (n_new_groups + 1,)
        """
        size, n_old = self.size, len(self.weight)
        blocks = inner_products(columns, ptr)
        values, bases = eigenbases(blocks, ptr)
        if self.plain:
            blocks, columns = bases, rotated(bases, ptr, columns)
            x = rotated(bases, ptr, x[:, None])[:, 0]
        self.l1 = np.concatenate([self.l1, l1])
        self.eigenvalues = np.concatenate([self.eigenvalues, values])
        self.blocks = np.concatenate([self.blocks, blocks])
        owner = n_old + np.repeat(np.arange(len(weight)), np.diff(ptr))
        self.group_of = np.concatenate([self.group_of, owner])
        self.group_ptr = np.concatenate([self.group_ptr, size + ptr[1:]])
        self.block_ptr = square_ptr(self.group_ptr)
        self._append(columns, x, weight)

    def solution(self) -> Vector:
        """Return the coefficients of the columns as they came, of shape (size,)."""
        if not self.plain:
            return self.x
        return rotated(self.blocks, self.group_ptr, self.x[:, None], back=True)[:, 0]

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

    def _sweep_times(self, n_sweeps: int) -> None:
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
            n_sweeps,
        )

    def _curvature(self) -> Vector:
        return np.add.reduceat(self.eigenvalues, self.group_ptr[:-1]) / np.diff(self.group_ptr)

    def _proximal_point(self, center, pull, sigma) -> tuple[Vector, Vector, float]:
        penalty = self.l1, self.weight, self.group_ptr, self.positive
        return proximal_groups(center, pull, sigma, *penalty)

    def _squared_distance(self, x, center, sigma) -> float:
        return float((x - center) ** 2 @ np.repeat(1.0 / sigma, np.diff(self.group_ptr)))

    def _solve_dual(self, support, part, x, norms, sigma, slope) -> Vector:
        root = np.empty(part.shape)
        root_of_proximal_slope(self.C, x, sigma, norms, self.weight, self.group_of, support, root)
        s, n = root.shape
        small = min(s, n)
        if (0.5 * max(s, n) * small**2 + small**3 / 3.0) / BLAS_SPEED > MAX_STEPS * 2.0 * s * n:
            return conjugate_gradients(root, slope)
        return solve_identity_plus(root, slope)

    def _polish(self, reached: float, tol: float) -> float:
        """Take Newton steps on the support while they converge; return the gap reached."""
        for _ in range(MAX_POLISHES):
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
        factor = factor_of_identity_plus(part)
        first = rhs / root
        first -= part @ lapack.dpotrs(factor, first @ part, lower=0)[0]
        Z = np.add.reduceat(unit[:, None] * part, starts, axis=0)
        half = blas.dtrsm(1.0, factor, Z.T, lower=0, trans_a=1)
        along = solve_definite(half.T @ half, np.add.reduceat(unit * first, starts))
        second = unit * np.repeat(along, sizes)
        second -= part @ lapack.dpotrs(factor, second @ part, lower=0)[0]
        return (first + second) / root


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
