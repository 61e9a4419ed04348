"""The composable engine: any partition, selection and update that go together, on any problem.

Whole iterations run in compiled chunks; Python looks up between chunks only, for the callback, the
clock, the tolerance and the history.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike
from sklearn.exceptions import ConvergenceWarning

from bcd import _checks, _setup, _state
from bcd._chosen_runs import ForestRun, ThresholdingRun, TrialRun
from bcd._run import Run
from bcd.result import Result, Status
from bcd.selection import BLIND, SELECTIONS
from bcd.update import UPDATES
from bcd.working_set import Progress
from problems.losses import SQUARES

MAX_GRAM = 5000  # columns; the Gram matrix then takes 200 MB
GRAM_ADVANTAGE = 20  # multiply-adds of a matrix product are this much cheaper than the kernels'


def minimize(
    problem,
    x0: ArrayLike | Result | None = None,
    *,
    partition: str | Sequence[ArrayLike] = "variable",
    selection: str = "gsl",
    update: str | None = None,
    block_size: int | str | None = None,
    tol: float = 1e-6,
    max_iter: int = 10_000,
    time_limit: float | None = None,
    callback: Callable[[Progress], bool | None] | None = None,
    callback_every: int = 1,
    random_state: int | np.random.Generator | None = None,
    verbose: bool = False,
    gram: bool | None = None,
    heap: bool | None = None,
    diagonal: str | None = None,
) -> Result:
    """Minimise ``f(x) + penalty(x)`` by block coordinate descent.

    Parameters
    ----------
    problem : LeastSquares, Logistic, ..., GraphQuadratic
        What to minimise; see ``problems``.
    x0 : array_like of shape (n_coordinates,) or Result, default=None
        Where to start; the point of the bounds nearest to zero when None. Never changed.
    partition : str or sequence of array_like of int, default="variable"
        See ``bcd.partition``, or the user's own blocks.
    selection : str, default="gsl"
        See ``bcd.selection``.
    update : str, default=None
        See ``bcd.update``. When None, "matrix" on smooth problems and "prox-newton" on others
        ("prox-gradient" with penalised groups).
    block_size : int, default=None
        Coordinates in a block; ``min(50, n_coordinates)`` when None. "auto" with
        ``partition="variable", selection="gs-q", update="exact"`` runs the certified working-set
        solver, which chooses it as it goes.
    tol : float, default=1e-6
        Relative: the run stops when the gap is at most ``tol`` times the objective at zero (or,
        where no duality gap is known, the minimum-norm subgradient's largest entry is at most
        ``tol`` times the largest entry of the gradient at zero).
    max_iter : int, default=10_000
        Block updates.
    time_limit : float, default=None
        Seconds, looked at about every 50 ms.
    callback : callable, default=None
        Called with a ``Progress`` (``n_iter``, ``objective``, ``gap``, ``x``: do not change it);
        a true answer stops the run. Of an exception that it raises, ``error.result`` is the
        ``Result`` so far.
    callback_every : int, default=1
        Block updates between two calls.
    random_state : int or Generator, default=None
        Of random partitions and selections; runs with the same seed are the same.
    verbose : bool, default=False
        Whether a progress bar with the objective is shown on the standard error.
    gram : bool, default=None
        Whether dense least squares keeps its gradient by columns of A'A; by cost when None.
    heap : bool, default=None
        Whether greedy selection keeps its scores in an indexed heap; by cost when None. Sparse
        problems only.
    diagonal : {"row-sums", "lipschitz"}, default=None
        The diagonal D with D_b >= H_b that "gsd" divides by, and "gsl" for variable blocks, whose
        L_b would be dear: row sums of ``|H_b|`` (of ``|H|`` for variable blocks) or ``|b| L_i``.
        When None, as in [1]_: "lipschitz" for "gsd" and "gsq" with variable blocks, else
        "row-sums".

    Returns
    -------
    Result

    Raises
    ------
    ValueError
        If a rule is unknown, the three do not go together, a partition misses or repeats a
        coordinate, ``block_size`` is out of range, ``x0`` is malformed or out of bounds, or the
        data are too large or too small to be squared.
    TypeError
        If an argument is of the wrong kind.

    Warns
    -----
    ConvergenceWarning
        If ``tol`` was not reached (and is above 0).

    Notes
    -----
    An iteration costs what changes: O(n |b|) for blind rules on a dense A, one pass over A for
    greedy ones (O(p |b|) with ``gram``), and only the touched gradients on sparse problems. Memory:
    A (not copied when Fortran-ordered or CSC; a sparse A, or a dense one of which less than an
    eighth is not zero, keeps a row-wise copy and, for greedy rules whose steps touch most rows, one
    with eight columns side by side), a few vectors, and for matrix updates of fixed blocks one
    factor a block, ``n_coordinates * block_size`` numbers.

    References
    ----------
    .. [1] Nutini, Laradji, Schmidt, "Let's make block coordinate descent converge faster", JMLR 23
       (2022).

    Examples
    --------
    >>> import numpy as np
    >>> from problems import LeastSquares
    >>> A = np.array([[2.0, 0.0], [0.0, 1.0]])
    >>> result = minimize(LeastSquares(A, [2.0, 3.0]), block_size=1)
    >>> result.x, result.success
    (array([1., 3.]), True)
    """
    started = time.perf_counter()
    if isinstance(problem, type) or not hasattr(problem, "arrays"):
        raise TypeError(
            f"problem must be one of the package problems, got {type(problem).__name__}."
        )
    if isinstance(partition, np.ndarray):
        partition = list(partition)
    if update is None:
        smooth, grouped = problem.penalty.is_smooth, problem.penalty.is_grouped
        bounded = np.isfinite(getattr(problem, "curvature_bound", 1.0))
        update = "prox-gradient" if grouped else "prox-newton"
        if smooth:
            update = "matrix" if bounded else "newton"
    _checks.check_rules(problem, partition, selection, update)
    _checks.check_diagonal(diagonal)
    _checks.check_books(problem, selection, gram, heap)
    _checks.check_limits(tol, max_iter, time_limit, callback, callback_every)
    x = _checks.check_start(problem, x0)
    if block_size == "auto":
        return _working_sets(
            problem, x, (partition, selection, update), tol, max_iter, time_limit, callback
        )
    n = problem.n_coordinates
    size = min(50, n) if block_size is None else _checks.check_block_size(block_size, n)
    rng = _checks.make_generator(random_state)
    bounded = np.isfinite(getattr(problem, "curvature_bound", 1.0))
    lipschitz = problem.coordinate_lipschitz() if bounded else None
    if lipschitz is not None:
        _checks.check_curvatures(problem, lipschitz)
    variable = isinstance(partition, str) and partition == "variable"
    blocks = None if variable else _setup.make_blocks(problem, partition, size, lipschitz, rng)
    if gram is None:
        gram = _gram_pays(problem, max_iter)
    arrays = problem.arrays(gram=True) if gram else problem.arrays()
    arrays = _setup.with_lanes(problem, arrays, selection not in BLIND, size, int(max_iter))
    if problem.penalty.is_grouped:
        weights = np.asarray(problem.penalty.group_weight, dtype=np.float64)
        arrays = arrays._replace(group_weight=np.broadcast_to(weights, (len(blocks or ()),)).copy())
    tags = (SELECTIONS[selection], UPDATES[update])
    rules = _setup.make_rules(
        problem,
        arrays,
        selection,
        update,
        blocks,
        size,
        tags,
        lipschitz,
        heap=heap,
        diagonal=diagonal,
    )
    run = _run_class(rules)(problem, arrays, rules, x, rng, started)
    run.drive(tol, int(max_iter), time_limit, callback, int(callback_every), verbose)
    if run.status in (Status.MAX_ITER, Status.TIME_LIMIT, Status.STALLED) and tol > 0.0:
        warnings.warn(
            f"minimize stopped with a {run.gap_kind} gap of {run.gap:.3g}: {run.status.value}.",
            ConvergenceWarning,
            stacklevel=2,
        )
    return run.result()


def _run_class(rules) -> type[Run]:
    """Who chooses the blocks: the compiled loop, or Python where the choice is a computation."""
    if rules.update == _state.MESSAGE_PASSING:
        return ForestRun
    if rules.selection == _state.MI:
        return TrialRun
    if rules.variable and rules.selection == _state.GSQ:
        return ThresholdingRun
    return Run


def _gram_pays(problem, max_iter: int) -> bool:
    """Whether forming A'A once is cheaper than passes over A: dense, tall, and a run of length."""
    if getattr(problem, "loss", None) != SQUARES or problem.is_sparse:
        return False
    n, p = problem.n_samples, problem.n_features
    return p <= min(n, MAX_GRAM) and max_iter * GRAM_ADVANTAGE > p


def _working_sets(problem, x, rules, tol, max_iter, time_limit, callback) -> Result:
    """Run the certified working-set solver, the engine of the estimators."""
    from bcd.design import make_design
    from bcd.working_set import solve_working_sets

    if rules != ("variable", "gs-q", "exact"):
        raise ValueError(
            "block_size='auto' needs partition='variable', selection='gs-q', update='exact', got "
            f"{rules}; give block_size a number."
        )
    penalty = problem.penalty
    lower, upper = np.asarray(penalty.lower), np.asarray(penalty.upper)
    nonnegative, free = bool(np.all(lower == 0.0)), bool(np.all(np.isneginf(lower)))
    if not (nonnegative or free) or np.any(np.isfinite(upper)) or not hasattr(problem, "A"):
        raise ValueError(
            "block_size='auto' solves least squares with l1, l2 and x >= 0 only; give block_size "
            "a number."
        )
    return solve_working_sets(
        make_design(problem.A, np.empty(0)),
        problem.y,
        np.full(problem.n_features, penalty.l1),
        penalty.l2,
        positive=nonnegative,
        x0=x,
        tol=tol * problem.value(np.zeros(problem.n_coordinates)),
        max_iter=max_iter,
        time_limit=np.inf if time_limit is None else time_limit,
        callback=callback,
    )
