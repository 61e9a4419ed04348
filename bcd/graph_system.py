"""Systems ``Qx = q`` of graph quadratics: the solver that fits the graph, and an account of it.

Trees that hang on the graph are eliminated exactly first, in linear time; a forest is then done.
The core that is left goes to conjugate gradients, preconditioned by triangular sweeps (expanders
and small systems) or by cycles over aggregates (large stretched graphs: lattices, roads, meshes).
"""

from __future__ import annotations

import logging
import warnings
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray
from sklearn.exceptions import ConvergenceWarning

from bcd import _system_kernels as kernels
from bcd._checks import check_limits, known
from bcd._elimination_kernels import eliminate_leaves, open_records, restore_leaves
from bcd.estimators._validation import check_flag
from bcd.graph_core import Core, System, SystemStatus, with_diagonal

SOLVERS = ("auto", "forest", "sweep", "forest-sweep", "multigrid", "pyamg")

logger = logging.getLogger("southwell")


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
    TypeError
        If Q is not sparse, or numbers are not real.
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
    check_solver(solver, tol, max_iter, verbose)
    try:
        given = np.asarray(q)
    except ValueError:  # ragged
        raise TypeError("q must hold real numbers, got lists of differing lengths.") from None
    for name, kind in (("Q", Q.dtype), ("q", given.dtype)):
        if kind.kind not in "fiub":
            raise TypeError(f"{name} must hold real numbers, got dtype {kind}.")
    if Q.shape[0] == 0:
        raise ValueError("Q must not be empty, got no rows.")
    rhs = given.astype(np.float64, copy=False)
    if rhs.ndim not in (1, 2) or rhs.shape[0] != Q.shape[0]:
        raise ValueError(f"q must have {Q.shape[0]} rows, got shape {rhs.shape}.")
    matrix = sp.csr_array(Q, dtype=np.float64)
    if not matrix.has_canonical_format:
        matrix = matrix.copy()
        matrix.sum_duplicates()
    system = _read(matrix, np.ascontiguousarray(rhs.reshape(matrix.shape[0], -1)))
    solution = solve_system(system, solver, tol, max_iter, verbose)
    warn_unless_solved(solution, tol, stacklevel=2)
    if rhs.ndim == 1:
        return SystemSolution(
            **{f: getattr(solution, f) for f in SystemSolution.__slots__ if f != "x"},
            x=solution.x[:, 0].copy(),
        )
    return solution


def _read(matrix, b: NDArray[np.float64]) -> System:
    """Take a canonical matrix's rows as they are, or copy them without stored zeros."""
    n = matrix.shape[0]
    indptr = matrix.indptr.astype(np.int32, copy=False).view(np.uint32)
    indices = matrix.indices.astype(np.int32, copy=False).view(np.uint32)
    values = np.ascontiguousarray(matrix.data)
    middle, diagonal = np.empty(n, dtype=np.uint32), np.empty(n)
    finite, fits, positive = kernels.find_diagonal(
        indptr, indices, values, values.view(np.int64), middle, diagonal
    )
    if not (finite and np.isfinite(b).all()):
        raise ValueError("Q and q must be finite, got NaN or inf.")
    if not fits:
        return with_diagonal(indptr, indices, values, diagonal, b)
    return System(
        indptr=indptr, middle=middle, indices=indices, values=values, diagonal=diagonal, b=b,
        has_positive=positive,
    )  # fmt: skip


def check_solver(solver, tol, max_iter, verbose) -> None:
    """Raise when the name of a solver, or when it is to stop or speak, is malformed."""
    known("solver", solver, SOLVERS)
    check_limits(tol, max_iter, None, None, 1)
    check_flag("verbose", verbose)


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
    n, k = system.b.shape
    vertex, parent = np.empty(n, dtype=np.int32), np.empty(n, dtype=np.int32)
    factor, part = np.empty(n), np.empty((n, k))
    core, diagonal, b = np.arange(n, dtype=np.int32), system.diagonal, system.b
    count = 0
    if n and np.diff(system.indptr).min() < 3:  # a leaf's row holds its link and the diagonal
        record = np.empty((n, 3 + k), dtype=np.int64)
        real = record.view(np.float64)
        bits = system.values.view(np.int64)
        open_records(system.indptr, system.middle, system.indices, bits, diagonal, b, record, real)
        count = eliminate_leaves(record, real, vertex, parent, factor, part)
        if 0 < count < n:
            core = np.flatnonzero(record[:, 0] >= 0).astype(np.int32)
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
        rows = Core(system, core, diagonal, b, solver)
        if verbose:
            logger.info("%d of %d vertices eliminated, %s next", count, n, rows.solver)
        status, steps, done = rows.solve(x, tol, max_iter, verbose)
    restore_leaves(vertex[:count], parent[:count], factor, part, x)
    residual = kernels.relative_residual(system.indptr, system.indices, system.values, system.b, x)
    return SystemSolution(
        x=x, status=status, solver=done, n_iter=steps, residual=residual, n_eliminated=count
    )
