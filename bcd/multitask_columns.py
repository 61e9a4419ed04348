"""Least squares with many targets and row penalties on gathered columns; see columns_problem.

A Newton system of the dual has a row and column for each sample and target, but it is a system for
one target plus a rank one for each feature: conjugate gradients, preconditioned by the former, need
few steps.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

from bcd._multitask_kernels import sweep_columns_of_tasks
from bcd.columns_problem import MAX_STEPS, ColumnsProblem, factor_of_identity_plus
from bcd.multitask_duality import certify_rows
from bcd.multitask_gram import lengths, proximal_rows
from bcd.proximal import Vector

FORCING = 0.01  # tolerance of conjugate gradients


class TaskColumnsProblem(ColumnsProblem):
    """The small problem, growing by features while its working set grows.

    Parameters
    ----------
    targets : ndarray of shape (n_samples, n_targets)
    """

    def __init__(self, targets: NDArray):
        super().__init__(np.ascontiguousarray(targets.T))
        self.lengths = np.empty(0)

    def grow(self, columns, x, weight) -> None:
        """Append features.

        Parameters
        ----------
        columns : ndarray of shape (k, n_samples)
        x : ndarray of shape (k, n_targets)
        weight : ndarray of shape (k,)
        """
        self.lengths = np.concatenate([self.lengths, lengths(columns)])
        self._append(columns, x, weight)

    def _objective(self) -> float:
        return 0.5 * float(np.vdot(self.r, self.r)) + float(self.weight @ lengths(self.x))

    def gap(self) -> float:
        """Return the duality gap of the small problem at ``x``."""
        inner, squares = float(np.vdot(self.b, self.r)), float(np.vdot(self.r, self.r))
        totals = (self.squares, inner, squares, float(self.weight @ lengths(self.x)))
        norms = lengths(self.C[: self.size] @ self.r.T)
        return certify_rows(*totals, norms, self.weight, self.lengths).gap

    def _sweep_times(self, n_sweeps: int) -> None:
        sweep_columns_of_tasks(self.C, self.r, self.x, self.weight, self.lengths, n_sweeps)

    def _curvature(self) -> Vector:
        return self.lengths**2

    def _proximal_point(self, center, pull, sigma) -> tuple[NDArray, Vector, float]:
        return proximal_rows(center, pull, sigma, self.weight)

    def _squared_distance(self, x, center, sigma) -> float:
        return float(((x - center) ** 2).sum(axis=1) @ (1.0 / sigma))

    def _solve_dual(self, support, part, x, norms, sigma, slope) -> NDArray:
        sigma, weight, norms = sigma[support], self.weight[support], norms[support]
        kept = 1.0 - sigma * weight / norms
        unit = x[support] / (kept * norms)[:, None]
        across, along = sigma * kept, sigma * (1.0 - kept)
        root = np.sqrt(across)[:, None] * part
        few = len(root) < self.n_samples
        factor = factor_of_identity_plus(root.T if few else root)

        def precondition(left):
            if few:
                return left - (root.T @ lapack.dpotrs(factor, root @ left.T, lower=0)[0]).T
            return lapack.dpotrs(factor, left.T, lower=0)[0].T

        step, left = np.zeros_like(slope), slope.copy()
        way = precondition(left)
        rho = float(np.vdot(left, way))
        enough = FORCING**2 * rho
        for _ in range(MAX_STEPS):
            if rho <= enough:
                break
            pull = part @ way.T
            bent = across[:, None] * pull
            bent += (along * np.einsum("ij,ij->i", unit, pull))[:, None] * unit
            product = way + bent.T @ part
            length = rho / float(np.vdot(way, product))
            step += length * way
            left -= length * product
            eased = precondition(left)
            fresh = float(np.vdot(left, eased))
            way = eased + (fresh / rho) * way
            rho = fresh
        return step
