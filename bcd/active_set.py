"""Least squares with l1 on a small Gram matrix, solved to the last bits by an active-set method.

Minimise ``1/2 x'Gx - q'x + sum_j l1_j |x_j|``, over ``x >= 0`` if asked. Cheap coordinate sweeps
find the support and its signs; a Newton step on that support solves the smooth problem that is
left. Where the step would change signs, the better of two candidates is taken: the projection (all
of them stop at zero at once) and the exact minimum along the line. Each round decreases the
objective strictly, and there are finitely many supports and signs, hence finite termination
(Nutini, Laradji & Schmidt, 2022: active-set identification and two-metric projection).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

from bcd._active_set_kernels import (
    apply_step,
    change_of_objective,
    descend,
    exact_line_search,
    gather,
    largest_violation,
    project_step,
)

SWEEPS = 3  # between Newton steps, to let coordinates in and out cheaply
MAX_ROUNDS = 1000
RIDGE = 1e-13  # relative; only where the support's columns are linearly dependent


class GramProblem:
    """The small problem, growing by columns while its working set grows.

    Attributes
    ----------
    G : ndarray of shape (capacity, capacity), float64
        The leading ``size`` x ``size`` part is in use; ``l2`` is added to its diagonal.
    q, h, x, l1 : ndarray of shape (capacity,), float64
        Linear term, negative gradient ``q - G x`` of the smooth part, solution, penalty weights.
    """

    def __init__(self, l2: float, positive: bool, capacity: int = 64):
        self.l2, self.positive, self.size = l2, positive, 0
        self.G = np.zeros((capacity, capacity))
        self.q, self.h, self.x, self.l1 = (np.zeros(capacity) for _ in range(4))
        self.n_rounds = 0

    def grow(self, old_new: NDArray, new_new: NDArray, q: NDArray, l1: NDArray, x: NDArray) -> None:
        """Append columns.

        Parameters
        ----------
        old_new : ndarray of shape (size, k)
        new_new : ndarray of shape (k, k)
        q, l1, x : ndarray of shape (k,)
        """
        size, grown = self.size, self.size + len(q)
        if grown > len(self.q):
            capacity = max(grown, 2 * len(self.q))
            self.G = _enlarged(self.G, (capacity, capacity))
            for name in ("q", "h", "x", "l1"):
                setattr(self, name, _enlarged(getattr(self, name), (capacity,)))
        self.G[:size, size:grown] = old_new
        self.G[size:grown, :size] = old_new.T
        self.G[size:grown, size:grown] = new_new
        self.G[range(size, grown), range(size, grown)] += self.l2
        self.q[size:grown], self.l1[size:grown], self.x[size:grown] = q, l1, x
        self.size = grown
        self.refresh()

    def refresh(self) -> None:
        """Compute ``h`` anew, free of the rounding errors that updates pile up."""
        k = self.size
        support = np.flatnonzero(self.x[:k])
        self.h[:k] = self.q[:k] - self.G[:k, support] @ self.x[support]

    def solve(self, tol: float) -> float:
        """Descend until no entry of the scaled minimum-norm subgradient exceeds ``tol``.

        An entry is divided by the square root of its curvature: half its square is what one exact
        coordinate update would gain, whatever the feature's scale.

        Returns
        -------
        float
            The entry reached. It may stay above ``tol`` where rounding forbids better.
        """
        k = self.size
        G, h, x, l1 = self.G, self.h[:k], self.x[:k], self.l1[:k]
        best, stalled = np.inf, 0
        for _ in range(MAX_ROUNDS):
            self.n_rounds += 1
            descend(G, h, x, l1, self.positive, SWEEPS, 0.0)
            reached = largest_violation(G, h, x, l1, self.positive)
            if reached <= tol:
                break
            signs_kept = self._newton_step(h, x, l1)
            reached = largest_violation(G, h, x, l1, self.positive)
            if reached <= tol:
                break
            # once a full step on a fixed support no longer helps, only rounding is left
            stalled = stalled + 1 if signs_kept and reached > 0.5 * best else 0
            best = min(best, reached)
            if stalled >= 3:
                break
            if stalled:
                self.refresh()
        return reached

    def _newton_step(self, h, x, l1) -> bool:
        support = np.flatnonzero(x)
        if len(support) == 0:
            return True
        matrix = np.empty((len(support), len(support)))
        gather(self.G, support, matrix)
        rhs = h[support] - l1[support] * np.sign(x[support])
        direction = _solve_definite(matrix, rhs)
        step = np.empty_like(direction)
        if project_step(x, support, direction, step) == 0:
            apply_step(self.G, h, x, support, direction)
            return True
        search = np.empty_like(direction)
        exact_line_search(matrix, h, x, l1, self.positive, support, direction, search)
        projected = change_of_objective(matrix, h, x, l1, support, step)
        searched = change_of_objective(matrix, h, x, l1, support, search)
        chosen = step if projected < searched else search
        dropped = x[support] + chosen == 0.0
        apply_step(self.G, h, x, support, chosen)
        x[support[dropped]] = 0.0
        return False


def _solve_definite(matrix: NDArray, rhs: NDArray) -> NDArray:
    """Solve with a symmetric matrix that should be positive definite, by Cholesky.

    The diagonal is scaled to one first, so that features of any scale meet the same threshold.
    Where the matrix is singular to working precision (repeated or dependent columns), a ridge as
    small as will do is added: the step is then one of the proximal point method and descends still.
    """
    scale = 1.0 / np.sqrt(matrix.diagonal())
    scaled = matrix * scale * scale[:, None]
    ridge = 0.0
    while True:
        scaled[np.diag_indices_from(scaled)] = 1.0 + ridge
        factor, info = lapack.dpotrf(scaled, lower=0, clean=0, overwrite_a=0)
        if info == 0 and factor.diagonal().min() ** 2 > 0.1 * max(ridge, RIDGE):
            return scale * lapack.dpotrs(factor, scale * rhs, lower=0)[0]
        ridge = max(RIDGE * len(rhs), 10.0 * ridge)


def _enlarged(array: NDArray, shape: tuple[int, ...]) -> NDArray:
    grown = np.zeros(shape)
    grown[tuple(slice(0, n) for n in array.shape)] = array
    return grown
