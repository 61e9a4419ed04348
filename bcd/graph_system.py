"""Systems ``Qx = q`` of graph quadratics: the solver that fits the graph, and an account of it.

Trees that hang on the graph are eliminated exactly first, in linear time; a forest is then done.
The core that is left goes to conjugate gradients, preconditioned by triangular sweeps (expanders
and small systems) or by cycles over aggregates (large stretched graphs: lattices, roads, meshes).
"""

from __future__ import annotations

import enum
import logging
import warnings
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray
from sklearn.exceptions import ConvergenceWarning

from bcd import _system_kernels as kernels
from bcd._elimination_kernels import (
    eliminate_leaves,
    open_records,
    restore_leaves,
    split_diagonal,
)
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
from graphs.forest import first_fit_forests, peel

SOLVERS = ("auto", "forest", "sweep", "forest-sweep", "multigrid", "pyamg")
BALL = 4096  # vertices met on the way to telling a stretched graph from an expander
STRETCHED = 11  # steps to meet them: a lattice takes 45, random graphs of degree 10 take 4
LARGE = 20_000  # vertices from which a stretched graph pays for a hierarchy
FAR = 0.05  # share of all vertices that an edge spans on average when numbers say nothing
RELAXATION = 0.95  # of the incomplete pivots on stretched graphs
SWEEP_WINDOW, CYCLE_WINDOW = 3, 2

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
class SystemSolution:
    """The answer of :func:`solve_graph_system`, and how it came about.

    Attributes
    ----------
    x : ndarray of shape (n,) or (n, k), float64
    status : SystemStatus
    solver : str
        What was done: ``"forest"``, ``"sweep"``, ``"forest-sweep"``, ``"multigrid"`` or
        ``"pyamg"``.
    n_iter : int
        Iterations, the most of any column; 0 when exact.
    residual : float
        ``||q - Qx|| / ||q||``, computed anew at the end, the largest of any column.
    n_eliminated : int
        Vertices eliminated exactly before iterating.
    """

    x: NDArray[np.float64]
    status: SystemStatus
    solver: str
    n_iter: int
    residual: float
    n_eliminated: int

    @property
    def message(self) -> str:
        """The status as a sentence."""
        return self.status.value

    @property
    def success(self) -> bool:
        """Whether the tolerance was met."""
        return self.status.solved


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """A symmetric system as arrays: off-diagonal rows, diagonal, right-hand sides (n, k)."""

    indptr: NDArray[np.int32]
    indices: NDArray[np.int32]
    values: NDArray[np.float64]
    diagonal: NDArray[np.float64]
    b: NDArray[np.float64]


def solve_graph_system(
    Q,
    q: ArrayLike,
    *,
    solver: str = "auto",
    tol: float = 1e-10,
    max_iter: int = 1000,
    verbose: bool = False,
) -> SystemSolution:
    """Solve ``Qx = q`` for a sparse symmetric positive definite Q, a grounded Laplacian say.

    Minimises ``1/2 x'Qx - q'x``.

    Parameters
    ----------
    Q : sparse array of shape (n, n)
        Symmetric positive definite, which is taken on trust; :class:`problems.Quadratic` checks.
    q : array_like of shape (n,) or (n, k)
    solver : {"auto", "forest", "sweep", "forest-sweep", "multigrid", "pyamg"}, default="auto"
        ``"forest"`` eliminates and refuses a graph with cycles; ``"sweep"`` is conjugate gradients
        under an incomplete factorisation, in the graph's own or breadth-first order;
        ``"forest-sweep"`` the same, laid out forest after forest, each in elimination order;
        ``"multigrid"`` conjugate gradients under cycles over aggregates; ``"pyamg"`` the library's
        smoothed aggregation, if it is installed. "auto" picks by structure.
    tol : float, default=1e-10
        Estimated distance from the least objective, relative to where it started.
    max_iter : int, default=1000
    verbose : bool, default=False
        Whether progress is logged to the logger ``southwell``.

    Returns
    -------
    SystemSolution

    Raises
    ------
    ValueError
        If shapes do not match, something is not finite, the solver is unknown or does not fit.

    Warns
    -----
    ConvergenceWarning
        If ``max_iter`` ran out or rounding errors forbade the tolerance.

    Examples
    --------
    >>> import scipy.sparse as sp
    >>> chain = sp.diags_array([-1.0, 2.0, -1.0], offsets=[-1, 0, 1], shape=(3, 3))
    >>> solution = solve_graph_system(chain, [1.0, 0.0, 0.0])
    >>> solution.x.round(6), solution.solver
    (array([0.75, 0.5 , 0.25]), 'forest')
    """
    if not sp.issparse(Q):
        raise TypeError(f"Q must be a scipy sparse matrix, got {type(Q).__name__}.")
    if Q.ndim != 2 or Q.shape[0] != Q.shape[1]:
        raise ValueError(f"Q must be square, got shape {Q.shape}.")
    rhs = np.asarray(q, dtype=np.float64)
    if rhs.ndim not in (1, 2) or rhs.shape[0] != Q.shape[0]:
        raise ValueError(f"q must have {Q.shape[0]} rows, got shape {rhs.shape}.")
    matrix = sp.csr_array(Q, dtype=np.float64)
    if not matrix.has_canonical_format:
        matrix = matrix.copy()
        matrix.sum_duplicates()
    system = _split(matrix, np.array(rhs.reshape(matrix.shape[0], -1)))
    solution = solve_system(system, solver, tol, max_iter, verbose)
    warn_unless_solved(solution, tol, stacklevel=2)
    if rhs.ndim == 1:
        return SystemSolution(
            **{f: getattr(solution, f) for f in SystemSolution.__slots__ if f != "x"},
            x=solution.x[:, 0].copy(),
        )
    return solution


def _split(matrix, b: NDArray[np.float64]) -> System:
    n, m = matrix.shape[0], matrix.nnz
    indptr, diagonal = np.empty(n + 1, dtype=np.int32), np.empty(n)
    indices, values = np.empty(m + 1, dtype=np.int32), np.empty(m + 1)  # one to spare
    data = np.ascontiguousarray(matrix.data)
    end = split_diagonal(
        matrix.indptr.astype(np.int32, copy=False), matrix.indices.astype(np.int32, copy=False),
        data, data.view(np.int64), indptr, indices, values, diagonal,
    )  # fmt: skip
    if end < 0 or not np.isfinite(b).all():
        raise ValueError("Q and q must be finite, got NaN or inf.")
    return System(indptr=indptr, indices=indices[:end], values=values[:end], diagonal=diagonal, b=b)


def warn_unless_solved(solution: SystemSolution, tol: float, *, stacklevel: int) -> None:
    """Warn that a solver stopped early, with what it reached."""
    if not solution.success and tol > 0.0:
        warnings.warn(
            f"not converged: {solution.message}; relative residual {solution.residual:.2e} after "
            f"{solution.n_iter} iterations of {solution.solver!r}.",
            ConvergenceWarning,
            stacklevel=stacklevel + 1,
        )


def solve_system(
    system: System, solver: str, tol: float, max_iter: int, verbose: bool
) -> SystemSolution:
    """Eliminate what hangs on trees, then iterate on the core; ``system.b`` is left as it was."""
    if solver not in SOLVERS:
        raise ValueError(f"solver must be one of {', '.join(SOLVERS)}, got {solver!r}.")
    n, k = system.b.shape
    vertex, parent = np.empty(n, dtype=np.int32), np.empty(n, dtype=np.int32)
    factor, part = np.empty(n), np.empty((n, k))
    core, diagonal, b = np.arange(n, dtype=np.int32), system.diagonal, system.b
    count = 0
    if n and np.diff(system.indptr).min() < 2:
        record = np.empty((n, 3 + k), dtype=np.int64)
        real = record.view(np.float64)
        bits = system.values.view(np.int64)
        open_records(system.indptr, system.indices, bits, diagonal, b, record, real)
        count = eliminate_leaves(record, real, vertex, parent, factor, part)
        core = np.flatnonzero(record[:, 0] >= 0).astype(np.int32)
        if 0 < count < n:
            diagonal, b = real[:, 2].copy(), real[:, 3:].copy()
        del record, real
    if solver == "forest" and 0 <= count < n:
        raise ValueError(
            f"solver='forest' needs a graph without cycles, got {n - count} vertices on cycles "
            "or between them; use solver='auto'."
        )
    x = np.zeros((n, k))
    status, steps, done = SystemStatus.EXACT, 0, "forest"
    if count < 0:
        status, count = SystemStatus.BROKEN_DOWN, 0
    elif count < n:
        rows = _Core(system, core, diagonal, b, solver)
        if verbose:
            logger.info("%d of %d vertices eliminated, %s next", count, n, rows.solver)
        status, steps, done = rows.solve(x, tol, max_iter, verbose)
    restore_leaves(vertex[:count], parent[:count], factor, part, x)
    residual = kernels.relative_residual(
        system.indptr, system.indices, system.values, system.diagonal, system.b, x
    )
    return SystemSolution(
        x=x, status=status, solver=done, n_iter=steps, residual=residual, n_eliminated=count
    )


class _Core:
    """What is left of a system once trees are gone, renumbered and split at the diagonal."""

    def __init__(self, system: System, core: NDArray[np.int32], diagonal, b, solver: str) -> None:
        self.stretched = _is_stretched(system, core)
        if solver == "auto":
            large = len(core) >= LARGE
            solver = "multigrid" if self.stretched and large else "sweep"
        self.solver = solver
        self.order = _layout(system, core, solver)
        m = len(core)
        rank = np.full(len(diagonal), -1, dtype=np.int32)
        rank[self.order] = np.arange(m, dtype=np.int32)
        self.indptr, self.middle = np.empty(m + 1, dtype=np.int32), np.empty(m, dtype=np.int32)
        indices, values = np.empty_like(system.indices), np.empty_like(system.values)
        end = kernels.split_rows(
            system.indptr, system.indices, system.values, self.order, rank,
            self.indptr, self.middle, indices, values,
        )  # fmt: skip
        self.has_positive, end = end < 0, abs(end)
        self.indices, self.values = indices[:end], values[:end]
        self.diagonal, self.b = diagonal[self.order], b[self.order]

    def solve(self, x, tol: float, max_iter: int, verbose: bool):
        """Fill the core's rows of ``x``; returns status, most iterations, what was done."""
        worst, most, done = SystemStatus.CONVERGED, 0, self.solver
        run = {"multigrid": self._cycles, "pyamg": self._pyamg}.get(self.solver, self._sweeps)
        call = run(tol, max_iter)
        for c in range(x.shape[1]):
            part = np.zeros(len(self.order))
            status, steps, done = call(np.ascontiguousarray(self.b[:, c]), part)
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
        work, drops = np.empty((3, len(pivot))), np.empty(max_iter)

        def call(b, x):
            sweep_forwards(*rows, pivot, b)
            outcome = swept_gradients(
                *rows, self.diagonal, pivot, x, b, work, tol, SWEEP_WINDOW, drops, max_iter
            )
            return _STATUS[outcome[0]], outcome[1], self.solver

        return call

    def _cycles(self, tol, max_iter):
        rows = self.indptr, self.indices, self.values, self.diagonal
        hierarchy = None
        if not self.has_positive:
            hierarchy = build_hierarchy(self.indptr, self.middle, *rows[1:])
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
        off = sp.csr_array((self.values, self.indices, self.indptr), shape=(len(self.b),) * 2)
        matrix = sp.csr_array(off + sp.diags_array(self.diagonal))
        levels = pyamg.smoothed_aggregation_solver(sp.csr_matrix(matrix))

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
    """In which order the core's vertices lie in memory."""
    n = len(system.diagonal)
    if solver == "forest-sweep":
        return _forest_layout(system, core)
    sample = np.linspace(0, len(system.indices) - 1, min(len(system.indices), 20_000), dtype=int)
    tails = np.searchsorted(system.indptr, sample, side="right") - 1
    span = np.abs(tails - system.indices[sample]).mean()
    if n < LARGE or span < FAR * n:
        return core
    order = np.empty(n, dtype=np.int32)
    breadth_first(system.indptr, system.indices, order)
    inside = np.zeros(n, dtype=np.bool_)
    inside[core] = True
    return order[inside[order]]


def _forest_layout(system: System, core: NDArray[np.int32]) -> NDArray[np.int32]:
    """Forest after forest, each leaves first: a factorisation then fills nothing inside one."""
    n = len(system.diagonal)
    shape = (n, n)
    graph = CSRGraph.from_scipy(sp.csr_array((system.values, system.indices, system.indptr), shape))
    label = first_fit_forests(graph)
    outside = np.ones(n, dtype=np.bool_)
    outside[core] = False
    label[outside] = -1
    vertex, parent = np.empty(n, dtype=np.int32), np.empty(n, dtype=np.int32)
    carried, node = np.empty(n, dtype=np.int64), np.empty((n, 3), dtype=np.int64)
    pieces = []
    for forest in range(label.max() + 1):
        count = peel(
            graph.indptr, graph.indices, system.values.view(np.int64), label == forest,
            node, vertex, parent, carried,
        )  # fmt: skip
        pieces.append(vertex[:count].copy())
    return np.concatenate(pieces)
