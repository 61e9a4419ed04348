"""Linear support vector machines: sweeps over the dual's box, then Newton steps on what is free.

Primal: ``1/2 ||w||^2 + sum_i cost_i max(0, 1 - y_i x_i'w)``, or the squares of the slacks. Dual:
``sum_i a_i - 1/2 ||sum_i a_i y_i x_i||^2`` over ``0 <= a_i <= cost_i``; with squares
``a_i^2 / (4 cost_i)`` is taken off and there is no upper bound. Exact updates of one dual variable
at a time (Hsieh, Chang, Lin, Keerthi & Sundararajan, 2008) soon tell which samples are free, that
is between their bounds; from there the proximal point method on the dual, each step solved in w by
Newton's method with a line search, needs few passes (Nutini, Laradji & Schmidt, 2022, section 6:
identification and superlinear steps; Yin & Li, 2019: the same for support vectors). The squared
hinge is smooth by itself, so that one such step is the answer.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.sparse.linalg import LinearOperator, cg

from bcd._svm_kernels import dual_epoch, line_minimum, smooth_slack
from bcd.result import Status
from bcd.working_set import Progress

EPOCHS = 10  # of cheap sweeps at most, before Newton steps
SMALL_SYSTEM = 1200  # unknowns up to which a Newton system is factorised
MAX_NEWTON = 50  # in one proximal step
FIRST_STEP, STEP_GROWS = 10.0, 3.0  # proximal steps, in units of one over the curvature
PROXIMAL_SHARE = 0.5
MAX_CG = 200
PATIENCE = 10  # proximal steps without a smaller gap, each STEP_GROWS as long as the last


class SVMResult(NamedTuple):
    """Solution of a two-class problem.

    x : (n_features,) and the constant feature's coefficient last;  alpha : (n_samples,)
    """

    x: NDArray[np.float64]
    alpha: NDArray[np.float64]
    objective: float
    gap: float
    n_iter: int
    status: Status


class LinearSVMProblem:
    """Rows, labels and costs; ``bias`` is the value of a constant feature, 0 for none.

    Parameters
    ----------
    X : {ndarray, csr_array} of shape (n_samples, n_features), float64
    y : ndarray of shape (n_samples,)
        -1 or 1.
    cost : ndarray of shape (n_samples,)
        Above zero.
    bias : float
    squared : bool
        Whether slacks are squared.
    """

    def __init__(self, X, y, cost, bias: float, squared: bool):
        self.X, self.y, self.cost, self.bias, self.squared = X, y, cost, bias, squared
        if sp.issparse(X):
            self.transposed = X.T  # a view, compressed by columns
            squares = np.asarray(X.multiply(X).sum(axis=1)).ravel()
        else:
            self.transposed = X.T
            squares = np.einsum("ij,ij->i", X, X)
        self.squares = squares + bias**2
        self.upper = np.full(len(y), np.inf) if squared else cost
        self.ridge = 0.5 / cost if squared else np.zeros(len(y))

    def margins(self, w: NDArray) -> NDArray[np.float64]:
        """Return ``y * (X w)``."""
        return self.y * (self.X @ w[:-1] + self.bias * w[-1])

    def combine(self, a: NDArray) -> NDArray[np.float64]:
        """Return ``sum_i a_i y_i x_i``."""
        signed = a * self.y
        return np.append(self.transposed @ signed, self.bias * signed.sum())

    def gap(self, w, margins, a, combined) -> tuple[float, float]:
        """Return the objective at w, and what it exceeds the dual objective at ``a`` by."""
        slack = np.maximum(1.0 - margins, 0.0)
        loss = self.cost @ (slack**2 if self.squared else slack)
        primal = 0.5 * float(w @ w) + float(loss)
        dual = float(a.sum()) - 0.5 * float(combined @ combined)
        if self.squared:
            dual -= 0.5 * float(self.ridge @ a**2)
        return primal, max(primal - dual, 0.0)

    def newton_direction(self, free, step, gradient, share: float) -> NDArray[np.float64]:
        """Solve ``(I + sum over the free of step_i x_i x_i') d = -gradient``.

        In the smaller of the two dimensions by Cholesky where that is small, else by conjugate
        gradients to the given share of the gradient.
        """
        rows, scale = self.X[free], step[free]
        p = len(gradient)
        if min(rows.shape[0], p) <= SMALL_SYSTEM:
            try:
                return self._solve_directly(rows, scale, gradient)
            except np.linalg.LinAlgError:
                pass  # beside features this large the identity is lost in rounding

        def times(d):
            product = scale * (rows @ d[:-1] + self.bias * d[-1])
            return d + np.append(rows.T @ product, self.bias * product.sum())

        operator = LinearOperator((p, p), matvec=times, dtype=np.float64)
        return cg(operator, -gradient, rtol=share, maxiter=MAX_CG)[0]

    def _solve_directly(self, rows, scale, gradient) -> NDArray[np.float64]:
        signs = np.sqrt(scale)
        p, s = len(gradient), len(scale)
        if sp.issparse(rows):
            scaled = rows.multiply(signs[:, None]).tocsr()
        else:
            scaled = rows * signs[:, None]
        last = self.bias * signs
        if p <= s:
            matrix = np.eye(p)
            product = scaled.T @ scaled
            matrix[:-1, :-1] += product.toarray() if sp.issparse(product) else product
            border = scaled.T @ last
            matrix[:-1, -1] += border
            matrix[-1, :-1] += border
            matrix[-1, -1] += last @ last
            return -cho_solve(cho_factor(matrix, check_finite=False), gradient)
        product = scaled @ scaled.T
        matrix = product.toarray() if sp.issparse(product) else product
        matrix = matrix + np.outer(last, last) + np.eye(s)
        inner = scaled @ gradient[:-1] + last * gradient[-1]
        back = cho_solve(cho_factor(matrix, check_finite=False), inner)
        return np.append(scaled.T @ back, last @ back) - gradient


def solve_linear_svm(
    problem: LinearSVMProblem,
    *,
    tol: float,
    max_iter: int,
    alpha: NDArray | None = None,
    seed: int = 0,
    time_limit: float = np.inf,
    callback: Callable[[Progress], bool | None] | None = None,
) -> SVMResult:
    """Minimise until the duality gap is at most ``tol``, in units of the objective.

    Parameters
    ----------
    problem : LinearSVMProblem
    tol : float
    max_iter : int
        Newton steps and sweeps at most.
    alpha : ndarray of shape (n_samples,), default=None
        Where to start; zeros when None.
    seed : int, default=0
        Of the order of the sweeps.
    time_limit : float, default=inf
        Seconds, looked at between steps.
    callback : callable, default=None
        Called with a :class:`Progress` after each Newton step; a true answer stops the run.
    """
    started = time.perf_counter()
    n_samples = len(problem.y)
    alpha = np.zeros(n_samples) if alpha is None else np.clip(alpha, 0.0, problem.upper)
    w = problem.combine(alpha) if alpha.any() else np.zeros(problem.X.shape[1] + 1)
    n_iter, n_stalled = 0, 0
    if sp.issparse(problem.X):
        n_iter = _sweep(problem, alpha, w, tol, max_iter, seed)
    curvature = float(np.mean(problem.squares)) or 1.0
    factor = FIRST_STEP
    a, free = np.empty(n_samples), np.empty(n_samples, dtype=np.bool_)
    center = np.zeros(n_samples) if problem.squared else alpha
    margins = problem.margins(w)
    combined = problem.combine(alpha)
    answer = (w, alpha.copy(), *problem.gap(w, margins, alpha, combined))
    status = None
    while status is None:
        step = 1.0 / problem.ridge if problem.squared else np.full(n_samples, factor / curvature)
        before, n_newton = answer[3], 0
        while status is None and n_newton < MAX_NEWTON:
            smooth_slack(margins, center, step, problem.upper, a, free)
            combined = problem.combine(a)
            objective, gap = problem.gap(w, margins, a, combined)
            if gap < answer[3]:
                answer = (w.copy(), a.copy(), objective, gap)
            if answer[3] <= tol:
                status = Status.CONVERGED
            elif n_iter >= max_iter:
                status = Status.MAX_ITER
            elif time.perf_counter() - started >= time_limit:
                status = Status.TIME_LIMIT
            if callback is not None:
                progress = Progress(n_iter, answer[2], answer[3], answer[0])
                if callback(progress) and status is None:
                    status = Status.STOPPED
            gradient = w - combined
            residual = float(gradient @ gradient)
            moved = float((a - center) @ ((a - center) / step))
            done = residual <= PROXIMAL_SHARE**2 * moved and not problem.squared
            if status is not None or done:
                break
            n_iter, n_newton = n_iter + 1, n_newton + 1
            share = min(0.1, residual**0.25)
            direction = problem.newton_direction(free, step, gradient, share)
            change = problem.margins(direction)
            line = (float(w @ direction), float(direction @ direction))
            t = line_minimum(margins, change, *line, center, step, problem.upper)
            w = w + t * direction
            margins = problem.margins(w)
        if status is None:
            n_stalled = n_stalled + 1 if answer[3] > 0.9 * before else 0
            if problem.squared or n_stalled > PATIENCE:
                status = Status.STALLED
            center = a.copy()
            if n_newton <= MAX_NEWTON // 5:
                factor *= STEP_GROWS
    return SVMResult(answer[0], answer[1], answer[2], answer[3], n_iter, status)


def _sweep(problem: LinearSVMProblem, alpha, w, tol: float, max_iter: int, seed: int) -> int:
    """Sweep until what the last sweep gained says that Newton steps are due; return how many."""
    X, y = problem.X, problem.y
    rng = np.random.default_rng(seed)
    order = np.arange(len(y), dtype=np.int32)
    for epoch in range(min(EPOCHS, max_iter)):
        rng.shuffle(order)
        arrays = (X.data, X.indices, X.indptr, y, problem.squares, float(problem.bias))
        worst = dual_epoch(*arrays, problem.upper, problem.ridge, order, alpha, w)
        if worst * problem.cost.sum() <= 0.1 * tol:
            return epoch + 1
    return min(EPOCHS, max_iter)
