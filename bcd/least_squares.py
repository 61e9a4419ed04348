"""Least squares without any l1 penalty: ordinary and ridge, solved and certified directly.

With no l1 there is no active set to find, so this is left to LAPACK (dense), conjugate gradients
(sparse ridge, no further than asked) and LSMR (sparse, and where the former do not get there).
Dense ridge problems are solved by the Cholesky factor of the smaller Gram matrix, of columns or of
samples, and where rounding forbids that by singular values, as ordinary least squares are.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cho_factor, cho_solve, lstsq
from scipy.sparse.linalg import LinearOperator, lsmr

from bcd._residual_kernels import conjugate_gradients
from bcd.design import DenseDesign, Design, nonzero_columns, project_out
from bcd.duality import certify
from bcd.residual import ResidualProblem
from bcd.result import History, Result, Status
from bcd.separable import separable

MAX_LSMR = 10_000
REFINEMENTS = 3
ROUNDING = 1e-15  # relative, of what is left of an equation
FEW = 50  # unknowns or samples up to which a sparse problem is solved as exactly as a dense one
AIM, LOWER = 0.01, 0.01  # of tol, to which conjugate gradients go first; each time times what


def solve_smooth(design: Design, target: NDArray, l2: float, *, tol: float) -> Result:
    """Minimise ``1/2 ||b - A x||^2 + l2/2 ||x||^2``; the shortest ``x`` where it is not unique.

    Columns are scaled to one length first, so that features of any scale are solved alike. Ordinary
    least squares is certified by a second solve: what it still takes off the residual leaves a dual
    point, and half its squared length is the gap.

    Parameters
    ----------
    design : Design
    target : ndarray of shape (n_samples,)
    l2 : float
    tol : float
        On the duality gap, in units of the objective.
    """
    started = time.perf_counter()
    b = project_out(design.u, target)
    columns = nonzero_columns(design)
    scale = 1.0 / np.sqrt(design.squares[columns] + l2)
    solvers: list[Callable] = [_sparse_solver]
    if l2 > 0.0 and min(len(columns), design.shape[0]) > FEW:
        by_samples = len(columns) > design.shape[0]
        gradients = _sample_gradients_solver if by_samples else _gradients_solver
        solvers = [partial(gradients, tol=tol), _sparse_solver]
    if isinstance(design, DenseDesign):
        solvers = [_ridge_solver, _dense_solver] if l2 > 0.0 else [_dense_solver]
    x = np.zeros(design.shape[1])
    r, gap, n_iter, n_left = b, np.inf, 0, 0
    while gap > tol and (n_left or solvers):
        if not n_left:
            step, n_left = solvers.pop(0)(design, columns, scale, l2), REFINEMENTS
            if step is None:
                n_left = 0
                continue
        n_iter, n_left = n_iter + 1, n_left - 1
        x[columns] += step(r, -np.sqrt(l2) * x[columns])
        r = project_out(design.u, b - design.product(columns, x[columns]))
        if l2 > 0.0:
            c, free = design.correlate(r, columns), separable(np.zeros(len(columns)), l2)
            gap = certify(b, r, c, x[columns], free, design.squares[columns]).gap
        else:
            left = design.product(columns, step(r, np.zeros(len(columns))))
            gap = 0.5 * float(left @ left)
    objective = 0.5 * float(r @ r + l2 * (x @ x))
    return Result(
        x=x,
        fun=objective,
        gap=gap,
        n_iter=n_iter,
        status=Status.CONVERGED if gap <= tol else Status.STALLED,
        history=_history(b, objective, time.perf_counter() - started, len(columns)),
        active_set=np.flatnonzero(x),
        gap_kind="duality",
    )


def _history(b, objective: float, elapsed_s: float, n_columns: int) -> History:
    return History(
        objective=np.array([0.5 * float(b @ b), objective]),
        time_s=np.array([0.0, elapsed_s]),
        block_size=np.array([0, n_columns], dtype=np.int32),
        n_active=np.array([0, n_columns], dtype=np.int32),
    )


def _ridge_solver(design: DenseDesign, columns, scale, l2: float):
    """Solve by a Cholesky factor; None where rounding leaves it none."""
    by_columns = len(columns) <= design.shape[0]
    if by_columns:
        gram = design.gram(columns, columns)
        gram.flat[:: len(columns) + 1] += l2
        gram *= scale
        gram *= scale[:, None]
    else:
        gram = design.gram_of_samples(columns)
        gram.flat[:: design.shape[0] + 1] += l2
    try:
        factor = cho_factor(gram, lower=True, overwrite_a=True, check_finite=False)
    except LinAlgError:
        return None
    dual = np.zeros(design.shape[0])  # of which x is the image under A'

    def step_by_columns(r, below):
        left = design.correlate(r, columns) + np.sqrt(l2) * below
        return scale * cho_solve(factor, scale * left, check_finite=False)

    def step_by_samples(r, below):
        move = cho_solve(factor, r - l2 * dual, check_finite=False)
        dual[:] += move
        return design.correlate(project_out(design.u, move), columns)

    return step_by_columns if by_columns else step_by_samples


def _dense_solver(design: DenseDesign, columns, scale, l2: float):
    matrix = design.matrix[:, columns].astype(np.float64) * scale
    if design.root is not None:
        matrix *= design.root[:, None]
    if len(design.u):
        matrix -= design.u[:, None] * (design.means[columns] * scale)
    if l2 > 0.0:
        matrix = np.vstack([matrix, np.diag(np.sqrt(l2) * scale)])
    lost = np.finfo(np.float64).eps * max(matrix.shape)  # what rounding makes of dependent columns

    def step(r, below):
        rhs = np.concatenate([r, below]) if l2 > 0.0 else r
        settings = {"cond": lost, "lapack_driver": "gelsd", "check_finite": False}
        return scale * lstsq(matrix, rhs, **settings)[0]

    return step


def _gradients_solver(design, columns, scale, l2: float, tol: float):
    problem, k = ResidualProblem(design, columns), len(columns)
    free, weights, aim = np.arange(k, dtype=np.int32), np.full(k, l2), AIM * tol
    system = (problem.form, free, problem.mean, problem.u, problem.squares, weights)

    def step(r, below):
        nonlocal aim
        left = design.correlate(r, columns) + np.sqrt(l2) * below
        energy = 0.5 * float(((scale * left) ** 2).sum())  # left to gain, were columns orthogonal
        move, image = np.zeros(k), np.empty(len(r))
        if energy > aim:
            share = max(np.sqrt(aim / energy), ROUNDING)
            conjugate_gradients(*system, share, MAX_LSMR, left, move, image)
        aim *= LOWER
        return move

    return step


def _sample_gradients_solver(design, columns, scale, l2: float, tol: float):
    """Solve ``(A A' + l2) dual = b`` by conjugate gradients; ``x`` is the image under A'.

    Where ``left`` remains of that equation, the gap at ``x`` and its residual is
    ``|A' left|^2 / (2 l2)``.
    """
    dual, aim = np.zeros(design.shape[0]), AIM * tol

    def step(r, below):
        nonlocal aim
        left, move, energy = r - l2 * dual, np.zeros(len(r)), np.inf
        way, image = np.zeros(len(r)), np.zeros(len(columns))
        for _ in range(MAX_LSMR):
            pull, before, energy = design.correlate(left, columns), energy, float(left @ left)
            if 0.5 * float(pull @ pull) <= aim * l2 or energy <= ROUNDING**2 * float(r @ r):
                break
            way = left + energy / before * way
            image = pull + energy / before * image
            bent = design.product(columns, image) + l2 * way
            length = energy / float(way @ bent)
            move += length * way
            left -= length * bent
        dual[:] += move
        aim *= LOWER
        return design.correlate(move, columns)

    return step


def _sparse_solver(design, columns, scale, l2: float):
    n = design.shape[0]

    def forward(z):
        return design.product(columns, scale * z)

    def backward(r):
        return scale * design.correlate(project_out(design.u, r), columns)

    def stacked_forward(z):
        return np.concatenate([forward(z), np.sqrt(l2) * scale * z])

    def stacked_backward(r):
        return backward(r[:n]) + np.sqrt(l2) * scale * r[n:]

    k = len(columns)
    if l2 > 0.0:
        operator = LinearOperator((n + k, k), matvec=stacked_forward, rmatvec=stacked_backward)
    else:
        operator = LinearOperator((n, k), matvec=forward, rmatvec=backward)

    def step(r, below):
        rhs = np.concatenate([r, below]) if l2 > 0.0 else r
        ends = {"atol": ROUNDING, "btol": ROUNDING, "conlim": 0, "maxiter": MAX_LSMR}
        return scale * lsmr(operator, rhs, **ends)[0]

    return step
