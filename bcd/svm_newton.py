"""Proximal Newton steps on some samples of a linear support vector machine.

The others' dual variables stay as they are, and with them their part of ``w``. The proximal point
method on the dual makes the hinge smooth around the present dual variables, so that Newton's method
with a line search solves for w (Yin & Li, 2019); the longer the proximal step, the fewer are needed
once it is known which variables are free (Nutini, Laradji & Schmidt, 2022, section 6). The squared
hinge is smooth by itself: one such step is its answer.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.linalg import lapack
from scipy.sparse.linalg import LinearOperator, cg

from bcd._svm_kernels import (
    combine_rows,
    line_minimum,
    row_margins,
    rows_gram,
    smooth_slack,
    total_excess,
    weighted_gram,
)
from bcd.svm_problem import LinearSVMProblem, SignedRows

SMALL_SYSTEM = 1200  # unknowns up to which a Newton system is factorised
FEW_NEWTON = 20  # in a proximal step, below which the next one is longer
MAX_NEWTON = 50  # in one proximal step
STEP_GROWS, STEP_SHRINKS = 2.0, 4.0
PROXIMAL_SHARE = 3.0
MAX_CG = 200
FRUITLESS = 10  # Newton steps of a smooth problem that gain nothing, after which it is left
FEW_VALUES = 30_000  # rows times features, up to which a Gram matrix is soonest made afresh
LOSSY = 1e6  # times its diagonal: what may have left a Gram matrix before it is made afresh


class Subproblem(SignedRows):
    """The samples ``rows`` of a problem, apart from all others.

    Attributes
    ----------
    alpha : ndarray of shape (n_rows,)
        Dual variables, in their box.
    w, combined : ndarray of shape (n_features + 1,)
        The primal's point, and the dual's: the fixed part and ``sum_i alpha_i y_i x_i``.
    gap : float
        Between the two, of this problem.
    """

    def __init__(self, problem: LinearSVMProblem, rows: NDArray, alpha: NDArray, w: NDArray):
        self.squared = problem.squared
        everything = len(rows) == len(problem.y)
        X = problem.X if everything else problem.X[rows]
        self.X, self.bias = X, problem.bias
        self.y, self.cost = problem.y[rows], problem.cost[rows]
        self.upper, self.ridge = problem.upper[rows], problem.ridge[rows]
        self.alpha, self.w = alpha[rows], w.copy()
        if sp.issparse(X):
            self.arrays = (X.data, X.indices, X.indptr)
        else:
            self.arrays = (X.ravel(), problem.arrays[1], problem.arrays[2])
        self.everyone = np.arange(len(rows), dtype=np.int32)
        self.fixed = w - self.combine(self.alpha)
        self.combined, self.gap = w.copy(), np.inf
        self.held = np.zeros(len(rows))  # weights of the rows in the Gram matrix of features
        self.gram = self.peak = np.empty(0)

    @np.errstate(over="ignore", invalid="ignore")  # such a point has no finite gap and is not kept
    def solve(self, factor: float, tol: float, max_iter: int) -> tuple[int, float]:
        """Take proximal steps until the gap is below ``tol``, the first ``factor`` long.

        Returns the number of Newton steps and the length of the last proximal step.
        """
        a, free = np.empty(len(self.y)), np.empty(len(self.y), dtype=np.bool_)
        center = np.zeros(len(self.y)) if self.squared else self.alpha.copy()
        w, n_iter, n_inner, n_fruitless, best_alpha = self.w, 0, 0, 0, self.alpha
        margins, lowest = self.margins(w), np.inf
        step = 1.0 / self.ridge if self.squared else np.full(len(self.y), factor)
        while True:
            value = smooth_slack(margins, center, step, self.upper, a, free)
            value += float((0.5 * w - self.fixed) @ w)
            combined = self.fixed + self.combine(a)
            gradient = w - combined
            residual = float(gradient @ gradient)
            gap = 0.5 * residual + total_excess(margins, a, self.cost, self.ridge)
            n_fruitless = 0 if gap < self.gap or value < lowest else n_fruitless + 1
            lowest = min(lowest, value)
            if gap < self.gap:
                self.gap, self.w, self.combined = gap, w.copy(), combined
                best_alpha = a.copy()
            if self.gap <= tol or n_iter >= max_iter:
                break
            if self.squared and n_fruitless > FRUITLESS:
                break
            if not self.squared:
                moved = a - center
                near = residual <= PROXIMAL_SHARE**2 * float(moved @ (moved / step))
                if near or n_inner > MAX_NEWTON:
                    center = a.copy()
                    factor *= (
                        STEP_GROWS
                        if n_inner <= FEW_NEWTON
                        else 1.0 / STEP_SHRINKS
                        if n_inner > MAX_NEWTON
                        else 1.0
                    )
                    step[:] = factor
                    n_inner = 0
                    if residual <= 1e-30 * float(w @ w):
                        break
                    continue
            n_iter, n_inner = n_iter + 1, n_inner + 1
            direction = self.newton_direction(free, step, gradient)
            change = self.margins(direction)
            line = (float((w - self.fixed) @ direction), float(direction @ direction))
            descent = float(gradient @ direction)
            t = line_minimum(margins, change, *line, descent, center, step, self.upper)
            w = w + t * direction
            margins += t * change
        self.alpha = best_alpha
        return n_iter, factor

    def newton_direction(self, free, step, gradient) -> NDArray[np.float64]:
        """Solve ``(I + sum over the free of step_i x_i x_i') d = -gradient``.

        In the smaller of the two dimensions by Cholesky where that is small, else by conjugate
        gradients.
        """
        rows = np.flatnonzero(free).astype(np.int32)
        p = len(gradient)
        if len(rows) == 0:
            return -gradient
        if min(len(rows), p) <= SMALL_SYSTEM:
            solve = self._by_features if p <= len(rows) else self._by_samples
            direction = solve(rows, step[rows], gradient)
            if direction is not None:
                return direction
        part, scale = self.X[rows], step[rows]

        def times(d):
            product = scale * (part @ d[:-1] + self.bias * d[-1])
            return d + np.append(part.T @ product, self.bias * product.sum())

        operator = LinearOperator((p, p), matvec=times, dtype=np.float64)
        share = min(0.1, float(gradient @ gradient) ** 0.25)
        return cg(operator, -gradient, rtol=share, maxiter=MAX_CG)[0]

    def _by_features(self, rows, scale, gradient) -> NDArray[np.float64] | None:
        fresh = self._weigh(rows, scale)
        matrix = self.gram.copy()
        matrix.ravel()[:: len(matrix) + 1] += 1.0
        # read by columns, the lower triangle is the upper one
        found = lapack.dposv(matrix.T, gradient, lower=False, overwrite_a=True)
        if found[2] == 0:
            return -found[1]
        if fresh:
            return None
        self.held[:] = 0.0
        return self._by_features(rows, scale, gradient)

    def _weigh(self, rows, scale) -> bool:
        """Make ``gram`` the sum of ``scale_k x_k x_k'`` over ``rows``, by what changed if less.

        What was taken away leaves its rounding errors, so that it is made afresh where much was.
        Returns whether it was.
        """
        if len(self.held) * len(self.w) <= FEW_VALUES:
            self.gram = np.zeros((len(self.w), len(self.w)))
            self._add_gram(rows, scale)
            return True
        weight = np.zeros(len(self.held))
        weight[rows] = scale
        moved = weight - self.held
        changed = np.flatnonzero(moved).astype(np.int32)
        fresh = len(changed) >= len(rows) or not self.held.any()
        if not fresh:
            self._add_gram(changed, moved[changed])
            diagonal = self.gram.diagonal()
            fresh = bool((self.peak > LOSSY * (1.0 + diagonal)).any())
            np.maximum(self.peak, diagonal, out=self.peak)
        if fresh:
            self.gram = np.zeros((len(self.w), len(self.w)))
            self._add_gram(rows, scale)
            self.peak = self.gram.diagonal().copy()
        self.held = weight
        return fresh

    def _add_gram(self, rows, scale) -> None:
        """Add ``sum_k scale_k x_k x_k'`` over ``rows`` to the lower triangle of ``gram``."""
        if sp.issparse(self.X):
            weighted_gram(*self.arrays, self.bias, rows, scale, self.gram)
            return
        for sign in (1.0, -1.0):
            chosen = sign * scale > 0.0
            if chosen.any():
                root = np.sqrt(sign * scale[chosen])
                part, last = self.X[rows[chosen]] * root[:, None], self.bias * root
                self.gram[:-1, :-1] += sign * (part.T @ part)
                self.gram[-1, :-1] += sign * (last @ part)
                self.gram[-1, -1] += sign * (last @ last)

    def _by_samples(self, rows, scale, gradient) -> NDArray[np.float64] | None:
        scale = np.sqrt(scale)
        if sp.issparse(self.X):
            matrix, buffer = np.empty((len(rows), len(rows))), np.zeros(len(gradient))
            rows_gram(*self.arrays, self.bias, rows, scale, buffer, matrix)
            inner = np.empty(len(rows))
            ones = np.ones(len(self.y))
            row_margins(*self.arrays, ones, self.bias, gradient, rows, inner)
            inner *= scale
        else:
            part, last = self.X[rows] * scale[:, None], self.bias * scale
            matrix = part @ part.T + np.outer(last, last)
            inner = part @ gradient[:-1] + last * gradient[-1]
        matrix.ravel()[:: len(matrix) + 1] += 1.0
        found = lapack.dposv(matrix.T, inner, lower=False, overwrite_a=True)
        if found[2] != 0:
            return None
        back = scale * found[1]
        direction = -gradient
        if sp.issparse(self.X):
            combine_rows(*self.arrays, np.ones(len(self.y)), self.bias, rows, back, direction)
            return direction
        return direction + np.append(back @ self.X[rows], self.bias * back.sum())
