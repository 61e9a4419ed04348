"""Least squares without any l1 penalty: ordinary and ridge, solved and certified directly.

With no l1 there is no active set to find, so this is left to LAPACK (dense) and LSMR (sparse).
"""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lstsq
from scipy.sparse.linalg import LinearOperator, lsmr

from bcd.design import DenseDesign, Design, nonzero_columns, project_out
from bcd.duality import certify
from bcd.result import History, Result, Status
from bcd.separable import separable

MAX_LSMR = 10_000
REFINEMENTS = 3


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
    if isinstance(design, DenseDesign):
        step = _dense_solver(design, columns, scale, l2)
    else:
        step = _sparse_solver(design, columns, scale, l2)
    x = np.zeros(design.shape[1])
    r, gap, n_iter = b, np.inf, 0
    while gap > tol and n_iter < REFINEMENTS:
        n_iter += 1
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


def _dense_solver(design: DenseDesign, columns, scale, l2: float):
    matrix = design.matrix[:, columns].astype(np.float64) * scale
    if design.root is not None:
        matrix *= design.root[:, None]
    if len(design.u):
        matrix -= design.u[:, None] * (design.means[columns] * scale)
    if l2 > 0.0:
        matrix = np.vstack([matrix, np.diag(np.sqrt(l2) * scale)])

    def step(r, below):
        rhs = np.concatenate([r, below]) if l2 > 0.0 else r
        return scale * lstsq(matrix, rhs, lapack_driver="gelsd", check_finite=False)[0]

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
        return scale * lsmr(operator, rhs, atol=1e-15, btol=1e-15, conlim=0, maxiter=MAX_LSMR)[0]

    return step
