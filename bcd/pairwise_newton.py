"""Newton's method on pairwise objectives, each step solved by message passing on forests."""

from __future__ import annotations

import time
import warnings

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.exceptions import ConvergenceWarning

from bcd._checks import check_limits, known
from bcd.graph_core import with_diagonal
from bcd.graph_system import solve_system
from bcd.result import History, Result, Status
from graphs.elimination import OK, Elimination, eliminate, solve_forest
from graphs.forest import first_fit_forests, greedy_forest
from problems._pairwise_kernels import pairwise_curvature, pairwise_gradient
from problems.losses import LOGISTIC, SQUARES
from problems.pairwise import PairwiseProblem

BLOCKS = ("auto", "all", "forest", "greedy-forest")
ROUNDING = 16.0  # times the bound on a sum's last digit: a gradient below it is zero
DECREASE = 1e-4  # Armijo's share of the decrease that the slope promises
FLATTER = 0.9  # share of the slope that may be left where values cannot tell any more
HALVINGS = 30
LEAST_MIX, LESS, MORE = 1e-12, 0.01, 10.0
SYSTEM_TOL, SYSTEM_STEPS = 1e-12, 2000


def solve_pairwise(
    problem: PairwiseProblem,
    x0: ArrayLike | None = None,
    *,
    tol: float = 1e-8,
    max_iter: int = 1000,
    blocks: str = "auto",
) -> Result:
    """Minimise a pairwise objective by Newton steps, exact and linear in time on forests.

    Parameters
    ----------
    problem : PairwiseProblem
    x0 : array_like of shape (n,), default=None
        Where to start; the data when None (zeros for logistic vertices).
    tol : float, default=1e-8
        Largest entry of the gradient at which to stop, in units of the objective per unit of x.
        A gradient that is nothing but rounding errors is accepted, too.
    max_iter : int, default=1000
        Newton steps, or block updates, at most.
    blocks : {"auto", "all", "forest", "greedy-forest"}, default="auto"
        What a step moves: all vertices; the forest of largest gradient in a fixed partition; or
        a maximal forest grown greedily by the gradient's size. "auto" is "all". Where the graph is
        a forest, all three are one elimination of everything a step.

    Returns
    -------
    Result
        ``gap`` is the gradient's largest entry; ``extra["solver"]`` says how steps were solved.

    Raises
    ------
    TypeError
        If ``problem`` is not a PairwiseProblem.
    ValueError
        If another argument is out of range.

    Warns
    -----
    ConvergenceWarning
        If the tolerance was not reached.

    Notes
    -----
    A step costs O(vertices + edges) on forests. Curvatures lie between the second derivative and
    that of the parabola which touches a loss from above; the share of the latter grows when a line
    search has to shorten a step and shrinks otherwise. So every system is positive definite, also
    where Huber's losses are linear, every step descends, and the end is Newton's [1]_. Steps on all
    vertices of a graph with cycles go to :func:`bcd.solve_graph_system`'s solvers.

    References
    ----------
    .. [1] Nutini, Laradji, Schmidt (2022), "Let's Make Block Coordinate Descent Converge Faster",
       sections 3.3 (Newton updates of blocks) and 5 (message passing).

    Examples
    --------
    >>> from graphs import CSRGraph
    >>> from problems import PairwiseProblem
    >>> path = CSRGraph.from_edges(3, [0, 1], [1, 2])
    >>> result = solve_pairwise(PairwiseProblem(path, [0.0, 4.0, 8.0]))
    >>> result.x.round(6), result.n_iter, result.extra["solver"]
    (array([2., 4., 6.]), 1, 'forest')
    """
    if not isinstance(problem, PairwiseProblem):
        raise TypeError(f"problem must be a PairwiseProblem, got {type(problem).__name__}.")
    check_limits(tol, max_iter, None, None, 1)
    known("blocks", blocks, BLOCKS)
    result = run_newton(problem, _start(problem, x0), float(tol), int(max_iter), blocks)
    warn_unless_solved(result, stacklevel=2)
    return result


def warn_unless_solved(result: Result, *, stacklevel: int) -> None:
    """Warn that a run stopped early, with what it reached."""
    if not result.success:
        warnings.warn(
            f"not converged: {result.message}; largest entry of the gradient {result.gap:.2e} "
            f"after {result.n_iter} steps.",
            ConvergenceWarning,
            stacklevel=stacklevel + 1,
        )


def _start(problem: PairwiseProblem, x0: ArrayLike | None) -> NDArray[np.float64]:
    n, p = problem.n_coordinates, problem.arrays()
    if x0 is None:
        if p.node.tag == LOGISTIC or not p.trust.any():
            return np.zeros(n)
        return np.where(p.trust > 0.0, p.target, np.average(p.target, weights=p.trust))
    x = np.array(x0, dtype=np.float64)
    if x.shape != (n,):
        raise ValueError(f"x0 must have shape ({n},), got {x.shape}.")
    if not np.isfinite(x).all():
        raise ValueError("x0 must be finite, got NaN or inf.")
    return x


def run_newton(
    problem: PairwiseProblem, x: NDArray[np.float64], tol: float, max_iter: int, blocks: str
) -> Result:
    """Minimise from ``x``, which is changed in place; arguments are taken as checked."""
    begin, p = time.perf_counter(), problem.arrays()
    steps = _Steps(problem, blocks)
    gradient = np.empty_like(x)
    value, noise, blur = pairwise_gradient(p, x, gradient)
    rows = [(value, 0.0, 0)]
    is_quadratic = p.edge.tag == SQUARES and p.node.tag == SQUARES
    mix = 0.0 if is_quadratic else 1.0
    status, n_iter = Status.MAX_ITER, 0
    while True:
        gap = float(abs(gradient).max())
        if gap <= max(tol, ROUNDING * noise):
            status = Status.CONVERGED
            break
        if not np.isfinite(value):  # data of 1e300, say
            status = Status.STALLED
            break
        if n_iter == max_iter:
            break
        moved, direction = steps.direction(x, gradient, mix)
        step, trial = 0.0, gradient
        if direction is not None:
            step, trial, value, noise, blur = _search(
                p, x, moved, direction, gradient, value, noise, blur
            )
        if step == 0.0:
            if is_quadratic or mix == 1.0:
                status = Status.STALLED
                break
            mix = min(1.0, MORE * mix)
            continue
        x[moved] += step * direction
        gradient = trial
        if not is_quadratic:
            mix = max(LEAST_MIX, LESS * mix) if step == 1.0 else min(1.0, MORE * mix)
        n_iter += 1
        rows.append((value, time.perf_counter() - begin, len(moved)))
    objective, seconds, sizes = zip(*rows, strict=True)
    return Result(
        x=x,
        fun=float(value),
        gap=gap,
        n_iter=n_iter,
        status=status,
        history=History(
            objective=np.array(objective),
            time_s=np.array(seconds),
            block_size=np.array(sizes, dtype=np.int32),
            n_active=np.full(len(rows), len(x), dtype=np.int32),
        ),
        active_set=np.arange(len(x)),
        extra={"solver": steps.solver},
    )


@np.errstate(over="ignore", invalid="ignore")  # of steps that are too long
def _search(p, x, moved, direction, gradient, value, noise, blur):
    """Halve the step until it descends; returns it and all about the new point, or a step of 0.

    Near the end, where values agree to their last digits, slopes tell (a convex function's slope
    along a line grows from below zero to above).
    """
    slope, trial = float(gradient[moved] @ direction), np.empty_like(x)
    step = 1.0
    for _ in range(HALVINGS if slope < 0.0 else 0):
        point = x.copy()
        point[moved] += step * direction
        reached, *errors = pairwise_gradient(p, point, trial)
        left = float(trial[moved] @ direction)
        if reached <= value + DECREASE * step * slope and reached < value:
            return step, trial, reached, *errors
        if reached <= value + blur and abs(left) <= FLATTER * -slope:
            return step, trial, reached, *errors
        step *= 0.5
    return 0.0, gradient, value, noise, blur


class _Steps:
    """Newton directions on all vertices, or on one forest of them at a time."""

    def __init__(self, problem: PairwiseProblem, blocks: str) -> None:
        self.graph, self.arrays = problem.graph, problem.arrays()
        n = problem.n_coordinates
        self.diagonal, self.link = np.empty(n), np.empty(self.graph.n_slots)
        self.solver = "all" if blocks == "auto" else blocks
        self.forests: list[Elimination] = []
        if blocks != "forest" and self.graph.n_edges >= n:
            return  # there is a cycle, and no need for a partition
        self.label = first_fit_forests(self.graph)
        n_forests = int(self.label.max()) + 1
        if n_forests == 1 or blocks == "forest":
            self.solver = "forest"
            self.forests = [eliminate(self.graph, self.label == b) for b in range(n_forests)]

    def direction(self, x, gradient, mix: float):
        """Return which vertices to move and by how much; None where a system is not definite."""
        pairwise_curvature(self.arrays, x, mix, self.diagonal, self.link)
        if self.solver == "all":
            return np.arange(len(x)), self._whole(gradient)
        if self.solver == "greedy-forest":
            forest = eliminate(self.graph, greedy_forest(self.graph, abs(gradient)))
        else:
            sizes = np.bincount(self.label, weights=abs(gradient))
            forest = self.forests[int(np.argmax(sizes))]
        return forest.order, self._on_forest(forest, gradient)

    def _on_forest(self, forest: Elimination, gradient) -> NDArray[np.float64] | None:
        inner = forest.slot >= 0
        link = np.zeros(len(forest.order))
        link[inner] = self.link[forest.slot[inner]]
        rhs = -gradient[forest.order][:, None]
        status = solve_forest(forest.parent, self.diagonal[forest.order], link, rhs, rhs)
        return rhs[:, 0] if status == OK and np.isfinite(rhs).all() else None

    def _whole(self, gradient) -> NDArray[np.float64] | None:
        indptr, indices = self.graph.indptr.astype(np.uint32), self.graph.indices.view(np.uint32)
        system = with_diagonal(indptr, indices, self.link, self.diagonal, -gradient[:, None])
        found = solve_system(system, "auto", SYSTEM_TOL, SYSTEM_STEPS, False).x[:, 0]
        return found if np.isfinite(found).all() else None
