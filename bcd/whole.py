"""Small problems at once: with few features the first working set is all of them.

What ``bcd.working_set`` does in one block update, in one compiled call, because on such data the
work of Python around it would take longer than the update.
"""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

from bcd._whole_kernels import follow_whole, solve_whole
from bcd.active_set import FLOOR, MAX_PATHS, SWEEPS
from bcd.design import SLAB, ZERO_COLUMN, Design
from bcd.duality import ROUNDING
from bcd.result import History, Result, Status

SMALL = 64  # features
CONSTANTS = (SWEEPS, MAX_PATHS, FLOOR, ROUNDING)


class WholeProblem:
    """Least squares on all features of a small design, held dense, and its Gram matrix.

    Parameters
    ----------
    design : Design
    b : ndarray of shape (n_samples,)
        Target, orthogonal to ``design.u``.
    """

    def __init__(self, design: Design, b: NDArray[np.float64]):
        columns = np.arange(design.shape[1], dtype=np.int32)
        self.A, self.b, self.squares = design.gathered(columns), b, design.squares
        self.G, self.q, self.l2 = self.A @ self.A.T, self.A @ b, 0.0

    def solve(
        self, l1: float, l2: float, *, positive: bool, tol: float, x: NDArray | None
    ) -> Result | None:
        """Minimise ``1/2 ||b - A x||^2 + l1 |x| + l2/2 ||x||^2``, over ``x >= 0`` or all x.

        Parameters
        ----------
        x : ndarray of shape (n_features,) or None
            Where to start; zeros when None.

        Returns
        -------
        Result or None
            None where the gap asked for was not reached.
        """
        started = time.perf_counter()
        p = len(self.q)
        if l2 != self.l2:
            self.G.flat[:: p + 1] += l2 - self.l2
            self.l2 = l2
        low = 0.0 if positive else -np.inf
        penalty = (np.full(p, l1), np.full(p, l2), np.full(p, low), np.full(p, np.inf))
        x, trace = np.zeros(p) if x is None else np.maximum(x, low), np.empty((2, 2))
        data = (self.A, self.b, self.G, self.q, self.squares)
        solve_whole(*data, *penalty, tol, CONSTANTS, x, trace)
        (_, start_gap), (objective, gap) = trace.tolist()
        if not gap <= tol:
            return None
        support = x.nonzero()[0]
        rows = 1 if start_gap <= tol else 2
        return Result(
            x=x,
            fun=objective,
            gap=gap,
            n_iter=rows - 1,
            status=Status.CONVERGED,
            history=History(
                objective=trace[:rows, 0],
                time_s=np.array([0.0, time.perf_counter() - started])[:rows],
                block_size=np.array([0, p], dtype=np.int32)[:rows],
                n_active=np.full(rows, len(support), dtype=np.int32),
            ),
            active_set=support,
            identified_at=rows - 1,
            gap_kind="duality",
            extra={"gap": trace[:rows, 1]},
        )

    def follow(
        self, l1: NDArray, l2: NDArray, *, positive: bool, tol: float
    ) -> tuple[NDArray, NDArray, NDArray]:
        """Minimise as ``solve`` does for each of several penalties, in the order given.

        Returns
        -------
        x : ndarray of shape (n_penalties, n_features)
        gap : ndarray of shape (n_penalties,)
        n_iter : ndarray of shape (n_penalties,), int64
        """
        p = len(self.q)
        path, trace = np.empty((len(l1), p)), np.empty((len(l1), 2))
        bounds = np.full(p, 0.0 if positive else -np.inf), np.full(p, np.inf)
        data = (self.A, self.b, self.G, self.q, self.squares)
        follow_whole(*data, l1, l2, *bounds, tol, CONSTANTS, path, trace)
        return path, trace[:, 0], trace[:, 1].astype(np.int64)


def whole_problem(design: Design, b: NDArray[np.float64]) -> WholeProblem | None:
    """Return the problem of all features at once, None unless they are few and nonzero."""
    if design.shape[1] > SMALL or design.shape[0] > SLAB:
        return None
    raw = design.squares + design.means**2 * float(design.u @ design.u)
    return WholeProblem(design, b) if (design.squares > ZERO_COLUMN * raw).all() else None
