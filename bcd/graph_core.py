"""What is left of a system on a graph once trees are gone: how it is laid out and iterated on."""

from __future__ import annotations

import enum
import logging
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from bcd import _system_kernels as kernels
from bcd._multigrid_kernels import N_WORK, cycled_gradients
from bcd._sweep_kernels import (
    BROKEN_DOWN,
    CONVERGED,
    OUT_OF_STEPS,
    incomplete_pivots,
    sweep_forwards,
    swept_gradients,
)
from bcd.multigrid import build_hierarchy
from graphs import CSRGraph
from graphs.coloring import breadth_first
from graphs.elimination import peel
from graphs.forest import first_fit_forests

BALL = 4096  # vertices met on the way to telling a stretched graph from an expander
STRETCHED = 11  # steps to meet them: a lattice takes 45, random graphs of degree 10 take 4
LARGE = 20_000  # vertices from which a stretched graph pays for a hierarchy
FAR = 0.05  # share of all vertices that an edge spans on average when numbers say nothing
SAMPLE = 2000  # edges whose span is looked at
RELAXATION = 0.95  # of the incomplete pivots on stretched graphs
SWEEP_WINDOW, CYCLE_WINDOW = 2, 1

logger = logging.getLogger("southwell")


class SystemStatus(enum.Enum):
    """Why a solver ended; the value is the sentence that the user reads."""

    EXACT = "eliminated exactly"
    CONVERGED = "the last steps decreased the objective by less than tol of all steps"
    MAX_ITER = "max_iter was reached first"
    BROKEN_DOWN = "rounding, or a system that is not positive definite, forbids a further step"

    @property
    def solved(self) -> bool:
        """Whether the tolerance was met."""
        return self in (SystemStatus.EXACT, SystemStatus.CONVERGED)


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """A symmetric system as arrays.

    Attributes
    ----------
    indptr, middle, indices : ndarrays of uint32
        Rows with ascending columns; the diagonal's slots are ``middle``.
    values : ndarray of float64
    diagonal : ndarray of shape (n,), float64
    b : ndarray of shape (n, k), float64
        Right-hand sides.
    has_positive : bool
        Whether an entry off the diagonal is above zero.
    """

    indptr: NDArray[np.uint32]
    middle: NDArray[np.uint32]
    indices: NDArray[np.uint32]
    values: NDArray[np.float64]
    diagonal: NDArray[np.float64]
    b: NDArray[np.float64]
    has_positive: bool


def with_diagonal(indptr, indices, values, diagonal, b) -> System:
    """Copy rows, with another diagonal put in and stored zeros left out."""
    n, m = len(diagonal), len(indices)
    out_ptr, middle = np.empty(n + 1, dtype=np.uint32), np.empty(n, dtype=np.uint32)
    out_index, out_value = np.empty(n + m, dtype=np.uint32), np.empty(n + m)
    end, positive = kernels.insert_diagonal(
        indptr, indices, values, diagonal, out_ptr, middle, out_index, out_value
    )
    return System(
        indptr=out_ptr, middle=middle, indices=out_index[:end], values=out_value[:end],
        diagonal=diagonal, b=b, has_positive=positive,
    )  # fmt: skip


class Core:
    """What is left of a system once trees are gone, renumbered and split at the diagonal."""

    def __init__(self, system: System, core: NDArray[np.int32], diagonal, b, solver: str) -> None:
        self.stretched = _is_stretched(system, core)
        if solver == "auto":
            large = len(core) >= LARGE
            solver = "multigrid" if self.stretched and large else "sweep"
        self.solver, self.has_positive = solver, system.has_positive
        self.order = _layout(system, core, solver) if self.stretched else core
        if solver == "forest-sweep":
            self.order = _forest_layout(system, core)
        if self.order is core and len(core) == len(diagonal):
            self.indptr, self.middle = system.indptr, system.middle
            self.indices, self.values = system.indices, system.values
            self.diagonal, self.b = system.diagonal, system.b
            return
        m = len(core)
        rank = np.full(len(diagonal), -1, dtype=np.int32)
        rank[self.order] = np.arange(m, dtype=np.int32)
        self.indptr, self.middle = np.empty(m + 1, dtype=np.uint32), np.empty(m, dtype=np.uint32)
        indices = np.empty(len(system.indices) + 1, dtype=np.uint32)
        values = np.empty(len(indices))
        end = kernels.arrange_rows(
            system.indptr, system.indices, system.values, diagonal, self.order, rank,
            self.indptr, self.middle, indices, values,
        )  # fmt: skip
        self.indices, self.values = indices[:end], values[:end]
        self.diagonal, self.b = diagonal[self.order], b[self.order]

    def solve(self, x, tol: float, max_iter: int, verbose: bool):
        """Fill the core's rows of ``x``; returns status, most iterations, what was done."""
        worst, most, done = SystemStatus.CONVERGED, 0, self.solver
        run = {"multigrid": self._cycles, "pyamg": self._pyamg}.get(self.solver, self._sweeps)
        call = run(tol, max_iter)
        for c in range(x.shape[1]):
            part = np.zeros(len(self.order))
            status, steps, done = call(self.b[:, c].copy(), part)
            x[self.order, c] = part
            most = max(most, steps)
            if not status.solved:
                worst = status
            if verbose:
                logger.info("column %d: %d iterations of %s, %s", c, steps, done, status.value)
        return worst, most, done

    def _sweeps(self, tol, max_iter):
        rows = self.indptr, self.middle, self.indices, self.values
        pivot = np.empty_like(self.diagonal)
        relaxation = RELAXATION if self.stretched else 0.0
        if self.has_positive or not incomplete_pivots(*rows, self.diagonal, relaxation, pivot):
            pivot[:] = self.diagonal  # symmetric Gauss-Seidel, which always is positive definite
        work, drops = np.empty((4, len(pivot))), np.empty(max_iter)

        pull = np.add.reduceat(self.values, self.indptr[:-1])
        stiffness = pull.sum()

        def call(b, x):
            whole = b.sum()
            level = whole / stiffness if stiffness > 0.0 else 0.0
            x += level  # the constant that fits best: expanders else pause on the way to it
            b -= level * pull
            sweep_forwards(*rows, pivot, b)
            outcome = swept_gradients(
                *rows, self.diagonal, pivot, x, b, work, 0.5 * level * whole, tol, SWEEP_WINDOW,
                drops, max_iter,
            )  # fmt: skip
            return _STATUS[outcome[0]], outcome[1], self.solver

        return call

    def _cycles(self, tol, max_iter):
        rows = self.indptr, self.indices, self.values
        hierarchy = None
        if not self.has_positive:
            hierarchy = build_hierarchy(
                self.indptr, self.middle, self.indices, self.values, self.diagonal
            )
        if hierarchy is None:
            self.solver = "sweep"
            return self._sweeps(tol, max_iter)
        work = np.empty((N_WORK, hierarchy.row[-1]), dtype=np.float32)
        vectors, drops = np.empty((3, len(self.diagonal))), np.empty(max_iter)

        def call(b, x):
            outcome = cycled_gradients(
                *rows, hierarchy, work, x, b, vectors, tol, CYCLE_WINDOW, drops, max_iter
            )
            return _STATUS[outcome[0]], outcome[1], "multigrid"

        return call

    def _pyamg(self, tol, max_iter):
        try:
            import pyamg
        except ImportError as error:
            raise ValueError("solver='pyamg' needs the package pyamg, which is missing.") from error
        rows = self.values, self.indices.view(np.int32), self.indptr.view(np.int32)
        levels = pyamg.smoothed_aggregation_solver(sp.csr_matrix(rows, shape=(len(self.b),) * 2))

        def call(b, x):
            residuals: list[float] = []
            goal = max(np.sqrt(tol) * 1e-1, 1e-14)
            x[:] = levels.solve(b, tol=goal, maxiter=max_iter, accel="cg", residuals=residuals)
            reached = residuals[-1] <= goal * np.linalg.norm(b)
            status = SystemStatus.CONVERGED if reached else SystemStatus.MAX_ITER
            return status, len(residuals) - 1, "pyamg"

        return call


_STATUS = {
    CONVERGED: SystemStatus.CONVERGED,
    OUT_OF_STEPS: SystemStatus.MAX_ITER,
    BROKEN_DOWN: SystemStatus.BROKEN_DOWN,
}


def _is_stretched(system: System, core: NDArray[np.int32]) -> bool:
    n = len(system.diagonal)
    start = int(core[len(core) // 2])
    queue, seen = np.empty(n, dtype=np.int32), np.zeros(n, dtype=np.bool_)
    size = min(BALL, n)
    depth = kernels.ball_depth(system.indptr, system.indices, start, size, queue, seen)
    return depth >= STRETCHED


def _layout(system: System, core: NDArray[np.int32], solver: str) -> NDArray[np.int32]:
    """In which order the core's vertices lie in memory: as they came if that keeps them near."""
    n = len(system.diagonal)
    sample = np.linspace(0, len(system.indices) - 1, SAMPLE).astype(np.int64)
    tails = np.searchsorted(system.indptr.view(np.int32), sample.astype(np.int32), side="right") - 1
    span = np.abs(tails - system.indices[sample].astype(np.int64)).mean()
    if n < LARGE or span < FAR * n:
        return core
    order = np.empty(n, dtype=np.int32)
    breadth_first(system.indptr, system.indices, order)
    if len(core) == n:
        return order
    inside = np.zeros(n, dtype=np.bool_)
    inside[core] = True
    return order[inside[order]]


def _forest_layout(system: System, core: NDArray[np.int32]) -> NDArray[np.int32]:
    """Forest after forest, each leaves first: a factorisation then fills nothing inside one."""
    n = len(system.diagonal)
    rows = system.values, system.indices.view(np.int32), system.indptr.view(np.int32)
    matrix = sp.csr_array(rows, shape=(n, n))
    graph = CSRGraph.from_scipy(sp.csr_array(matrix - sp.diags_array(system.diagonal)))
    label = first_fit_forests(graph)
    outside = np.ones(n, dtype=np.bool_)
    outside[core] = False
    label[outside] = -1
    vertex, parent = np.empty(n, dtype=np.int32), np.empty(n, dtype=np.int32)
    carried, node = np.empty(n, dtype=np.int64), np.empty((n, 3), dtype=np.int64)
    pieces = []
    for forest in range(label.max() + 1):
        count = peel(
            graph.indptr, graph.indices, graph.weights.view(np.int64), label == forest,
            node, vertex, parent, carried,
        )  # fmt: skip
        pieces.append(vertex[:count].copy())
    return np.concatenate(pieces)
