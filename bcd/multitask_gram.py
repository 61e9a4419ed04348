"""Least squares with many targets and row penalties on a small Gram matrix.

Minimise ``1/2 <W, G W> - <Q, W> + sum_j weight_j ||W_j||_2`` over W of shape (k, t). The steps
are those of :mod:`bcd.group_gram`; here every block of the Hessian of the loss is a multiple of the
identity, so that a Newton system of size k t falls apart into two of size k. Features come scaled
to a length of about one, whatever their units: each has its own weight.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

from bcd._multitask_kernels import row_norms, sweep_rows
from bcd.group_gram import (
    MAX_POLISHES,
    MAX_ROUNDS,
    ROUNDING,
    SWEEPS,
    definite_factor,
    solve_definite,
)
from bcd.multitask_duality import certify_rows
from bcd.proximal import ProximalProblem, Vector


class MultiTaskGramProblem(ProximalProblem):
    """The small problem, growing by features while its working set grows.

    Attributes
    ----------
    G : ndarray of shape (size, size), float64
        With what is added to its diagonal.
    weight : ndarray of shape (size,)
    Q, H, W : ndarray of shape (size, n_targets), float64
        Linear term, negative gradient ``Q - G W`` of the smooth part, solution.
    squares : float
        ``||B||^2``, so that objectives and gaps are those of ``1/2 ||B - A W||^2``.
    """

    def __init__(self, squares: float, n_targets: int):
        super().__init__(squares)
        self.size = 0
        self.G, self.weight = np.empty((0, 0)), np.empty(0)
        self.Q, self.H, self.W = (np.empty((0, n_targets)) for _ in range(3))

    def grow(self, old_new, new_new, Q, W, weight) -> None:
        """Append features.

        Parameters
        ----------
        old_new : ndarray of shape (size, m)
        new_new : ndarray of shape (m, m)
        Q, W : ndarray of shape (m, n_targets)
        weight : ndarray of shape (m,)
        """
        self.weight = np.concatenate([self.weight, weight])
        self.G = np.block([[self.G, old_new], [old_new.T, new_new]])
        self.Q = np.vstack([self.Q, Q])
        self.W = np.vstack([self.W, W])
        self.size = len(self.Q)
        self.refresh()

    @property
    def x(self) -> NDArray[np.float64]:
        """``W``, of shape (size, n_targets)."""
        return self.W

    def refresh(self) -> None:
        """Compute ``H`` anew, free of the rounding errors that updates pile up."""
        support = np.flatnonzero(self.W.any(axis=1))
        self.H = self.Q - self.G[:, support] @ self.W[support]

    def _objective(self) -> float:
        smooth = self.squares - np.vdot(self.Q + self.H, self.W)
        return 0.5 * float(smooth) + float(self.weight @ lengths(self.W))

    def gap(self) -> float:
        """Return the duality gap of the small problem at ``W``."""
        inner = self.squares - float(np.vdot(self.Q, self.W))
        squares = max(inner - float(np.vdot(self.H, self.W)), 0.0)
        penalty = float(self.weight @ lengths(self.W))
        sizes = np.sqrt(self.G.diagonal())
        totals = (self.squares, inner, squares, penalty)
        return certify_rows(*totals, lengths(self.H), self.weight, sizes).gap

    def solve(self, tol: float) -> float:
        """Descend until the small problem's duality gap is at most ``tol``, and return it.

        It may stay above ``tol`` where rounding forbids better.
        """
        best, objective, stalled, converging = np.inf, np.inf, 0, False
        for _ in range(MAX_ROUNDS):
            if not converging:  # sweeps may undo the last digits that a step has found
                sweep_rows(self.G, self.H, self.W, self.weight, SWEEPS)
                reached = self.gap()
                if reached <= tol:
                    break
            before = reached
            reached = self._polish(tol)
            if reached > tol and reached > 0.1 * min(before, best):
                self._proximal_step()
                reached = self.gap()
            before, objective = objective, self._objective()
            converging = reached <= 0.5 * best
            helps = converging or objective < before - ROUNDING * self.squares
            stalled = 0 if helps else stalled + 1
            best = min(best, reached)
            if reached <= tol or stalled >= 2:
                break
        return reached

    def _polish(self, tol: float) -> float:
        """Take Newton steps on the support while they converge; return the gap reached."""
        reached = self.gap()
        for _ in range(MAX_POLISHES):
            support = np.flatnonzero(self.W.any(axis=1))
            if reached <= tol:
                break
            support, step = self._newton_step(support)
            if len(support) == 0:
                break
            W = self.W[support]
            size, moved = lengths(W), W + step
            weight = self.weight[support]
            curved = self.G[:, support] @ step
            change = 0.5 * np.vdot(step, curved[support]) - np.vdot(self.H[support], step)
            change += weight @ (lengths(moved) - size)
            if change > 0.1 * ROUNDING * self.squares:
                break
            self.W[support] = moved
            self.H -= curved
            before, reached = reached, self.gap()
            if reached > 0.5 * before:
                self.refresh()
                break
        return reached

    def _newton_step(self, support: NDArray) -> tuple[NDArray, NDArray]:
        """Return rows and their Newton step, rows left out that it would turn by a right angle.

        Such a row may have to become zero, or shares its column with others; sweeps and proximal
        steps see to it, and the rest goes on.
        """
        step = np.empty((0, self.W.shape[1]))
        while len(support):
            W = self.W[support]
            size, weight = lengths(W), self.weight[support]
            unit, bend = W / size[:, None], weight / size
            rhs = self.H[support] - weight[:, None] * unit
            step = self._newton_solve(support, bend, bend, unit, rhs)
            kept = np.einsum("ij,ij->i", W, W + step) > 0.0
            if kept.all():
                break
            support = support[kept]
        return support, step

    def _newton_solve(self, support, diagonal, along, unit, rhs) -> NDArray:
        """Solve ``(G + diag(diagonal)) S - along_j (unit_j' S_j) unit_j = rhs`` for S.

        The part along the unit vectors has rank k only: Woodbury's formula leaves, after
        ``M = (G + diag)^-1``, a system with ``diag(1 / along) - M * (unit unit')``.
        """
        matrix = self.G[np.ix_(support, support)]
        matrix[np.diag_indices_from(matrix)] += diagonal
        scale, factor = definite_factor(matrix)
        half = lapack.dtrtri(factor, lower=0)[0]
        half = np.triu(half) * scale[:, None]
        inverse = half @ half.T
        first = inverse @ rhs
        small = -inverse * (unit @ unit.T)
        small[np.diag_indices_from(small)] += 1.0 / along
        right = np.einsum("ij,ij->i", unit, first)
        return first + inverse @ (solve_definite(small, right)[:, None] * unit)

    def _present(self) -> NDArray:
        return self.W.copy()

    def _place(self, x) -> None:
        self.W = x
        self.refresh()

    def _curvature(self) -> Vector:
        return self.G.diagonal()

    def _proximal_point(self, center, pull, sigma) -> tuple[NDArray, Vector, float]:
        return proximal_rows(center, pull, sigma, self.weight)

    def _squared_distance(self, x, center, sigma) -> float:
        return float(((x - center) ** 2).sum(axis=1) @ (1.0 / sigma))

    def _dual_start(self) -> tuple[NDArray, NDArray]:
        return self.W.copy(), self.H.copy()  # V, for the point B - A V

    def _dual_value(self, point, pull) -> float:
        return 0.5 * float(np.vdot(point, self.Q - pull))

    def _dual_newton(self, point, pull, x, norms, sigma, enough):
        left = point - x
        slope = self.G @ left
        if np.vdot(left, slope) <= enough:
            return None
        support = np.flatnonzero(norms > sigma * self.weight)
        step = -point
        if len(support):
            own, unit = sigma[support], x[support] / lengths(x[support])[:, None]
            kept = 1.0 - own * self.weight[support] / norms[support]
            diagonal = 1.0 / (kept * own)
            rhs = x[support] / own[:, None] + self.Q[support] - pull[support]
            step[support] += self._newton_solve(support, diagonal, diagonal - 1.0 / own, unit, rhs)
        return slope, step, -(self.G @ step)


TINY = np.finfo(np.float64).tiny


def lengths(A: NDArray) -> NDArray[np.float64]:
    """Return the length of each row."""
    out = np.empty(len(A))
    row_norms(A, out)
    return out


def proximal_rows(center, pull, sigma, weight) -> tuple[NDArray, Vector, float]:
    """Return each row's proximal point at ``center + sigma pull``, lengths before, and envelope."""
    moved = center + sigma[:, None] * pull
    norms = lengths(moved)
    kept = np.maximum(0.0, 1.0 - sigma * weight / np.maximum(norms, TINY))
    return kept[:, None] * moved, norms, float((kept * norms) ** 2 @ (0.5 / sigma))
