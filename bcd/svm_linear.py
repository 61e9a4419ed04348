"""Linear support vector machines: sweeps over the dual's box, then Newton steps on what is free.

Primal: ``1/2 ||w||^2 + sum_i cost_i max(0, 1 - y_i x_i'w)``, or the squares of the slacks. Dual:
``sum_i a_i - 1/2 ||sum_i a_i y_i x_i||^2`` over ``0 <= a_i <= cost_i``; with squares
``a_i^2 / (4 cost_i)`` is taken off and there is no upper bound. Exact updates of one dual variable
at a time, those left out that sit firmly at a bound (Hsieh, Chang, Lin, Keerthi & Sundararajan,
2008), soon tell which samples are free, that is between their bounds; how fast the gap falls tells
when it is cheaper to go on by Newton's method (Nutini, Laradji & Schmidt, 2022, section 6:
identification and superlinear steps): conjugate gradients on the free variables where these are
many, else ``bcd.svm_newton``.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bcd._svm_face_kernels import face_step
from bcd._svm_kernels import LOST, dual_epochs, total_excess
from bcd.result import Status
from bcd.svm_newton import SMALL_SYSTEM, Subproblem
from bcd.svm_problem import LinearSVMProblem
from bcd.working_set import Progress

LOOK_BACK = 3  # sweeps over which progress is judged
PATIENCE = 10  # certificates without a smaller gap
SLOW = 50  # sweeps without a smaller estimate, after which only Newton steps can help
NEAR_TOL = 0.3  # times tol: what the sweeps' own estimate of the gap must reach
ROUND_SHARE = 0.1  # of the gap: what a round of Newton steps is asked for
NEAREST, AT_LEAST = 3, 1000  # samples of a round: multiple of the free ones, and no fewer
NEWTON_STEPS = 8.0  # to a gap ten times smaller
# Nanoseconds: of a sweep, of a Newton step, and what is multiplied by the cube of its unknowns
SWEEP_COST, NEWTON_COST, FACTOR_COST = 1e4, 6e4, 0.05
AT_ONCE = 25.0  # sweeps' cost, up to which Newton steps are taken from the start
FEW_GRAMS = 2.0  # made in such a run, the later ones by what changed
# Every THINNED-th sample is solved for first, if these are so many times the features, to a gap of
# that share of all costs, or so many steps
THINNED, THIN_ROWS, THIN_SHARE, THIN_STEPS = 10, 10, 0.02, 10
TINY = (
    1e4  # nanoseconds of a sweep, below which Newton steps to the last digit cost next to nothing
)
POLISH_STEPS = 5
FACE_STEPS, FACE_SHARE, FACE_GAIN = 50, 0.03, 3.0


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


class _Run:
    """Where a solver is, and the best that it has seen.

    alpha, w : the dual variables, and the sum that they make, kept up to date
    margins : of all samples, at the last certificate;  best : the smallest gap's point
    """

    def __init__(self, problem: LinearSVMProblem, alpha: NDArray, seed: int, watched: bool):
        self.problem, self.alpha = problem, alpha
        self.n_iter, self.n_stalled, self.n_slow = 0, 0, 0
        self.active, self.n_active = problem.everyone.copy(), len(alpha)
        self.limits = np.array([np.inf, -np.inf])
        self.seed = np.array([88172645463325252 + seed], dtype=np.uint64)
        self.estimate = 0.0  # of the gap, by the last sweep
        self.watched = watched
        self.sweeps: list[tuple[float, float]] = []
        self.factor = 0.0  # length of the proximal steps, 0 while there are none
        self.lowest = np.inf  # estimate of the gap
        self.buffer = np.empty(0)
        self.gap = np.inf
        self.guess: NDArray | None = None  # where the first round of Newton steps starts
        at_zero = float(problem.cost.sum())
        if alpha.any():
            self.w = problem.combine(alpha)
            self.certify(self.w)
        if not self.gap < at_zero:  # a start that is worse than none
            self.alpha, self.gap = np.zeros(len(alpha)), np.inf
            self.w, self.margins = np.zeros(problem.X.shape[1] + 1), np.zeros(len(alpha))
            self._keep(self.w, at_zero)

    def _keep(self, w, gap: float) -> None:
        self.n_stalled = 0 if gap <= 0.9 * self.gap else self.n_stalled + 1
        if gap < self.gap:
            self.gap, self.best_w, self.best_alpha = gap, w.copy(), self.alpha.copy()
            self.objective = self.problem.objective(w, self.margins)

    def certify(self, w: NDArray) -> None:
        """Compute the gap between w and the dual variables afresh; keep both if it is smaller."""
        problem = self.problem
        combined = problem.combine(self.alpha)
        self.margins = problem.margins(w)
        off = w - combined
        excess = total_excess(self.margins, self.alpha, problem.cost, problem.ridge)
        self._keep(w, 0.5 * float(off @ off) + excess)
        self.w = combined

    def result(self, status: Status) -> SVMResult:
        """Hand over the best that was seen."""
        return SVMResult(
            self.best_w, self.best_alpha, self.objective, self.gap, self.n_iter, status
        )

    def advance(self, tol: float, max_iter: int) -> None:
        """Take a round of Newton steps, or sweep: once if watched, else until one is to judge."""
        if self.factor > 0.0:
            self._newton_round(tol, max_iter)
            return
        problem = self.problem
        n_most = 1 if self.watched else LOOK_BACK - len(self.sweeps) % LOOK_BACK
        record = np.empty((4, min(n_most, max(max_iter - self.n_iter, 1))))
        arrays = (*problem.arrays, problem.y, problem.squares, problem.bias, problem.cost)
        n_taken, self.n_active = dual_epochs(
            *arrays, problem.upper, problem.ridge, self.active, self.n_active, self.alpha, self.w,
            self.limits, self.seed, NEAR_TOL * tol, record,
        )  # fmt: skip
        self.n_iter += n_taken
        for _, estimate, _, n_active in record.T[:n_taken].tolist():
            if estimate < 0.9 * self.lowest:
                self.lowest, self.n_slow = estimate, 0
            else:
                self.n_slow += 1
            self.sweeps.append((estimate, SWEEP_COST + n_active * problem.row_cost))
        violation, self.estimate = record[:2, n_taken - 1].tolist()
        if self.n_slow > SLOW:
            self._start_newton()
        elif self.estimate <= NEAR_TOL * tol or violation <= 10.0 * LOST:
            self.certify(self.w)
            self._choose_active()
            self.sweeps.clear()
            self.lowest, self.n_slow = np.inf, 0
        else:
            self._judge(tol)

    def _choose_active(self) -> None:
        """Make those samples active that are free, or not firmly at their bounds."""
        slope = 1.0 - self.margins - self.problem.ridge * self.alpha
        low, high = self.alpha <= 0.0, self.alpha >= self.problem.upper
        firm = (low & (slope < self.limits[1])) | (high & (slope > self.limits[0]))
        chosen = np.flatnonzero(~firm)
        self.n_active = len(chosen)
        self.active = np.concatenate([chosen, np.flatnonzero(firm)]).astype(np.int32)

    def _judge(self, tol: float) -> None:
        """Go over to Newton steps, or take one on the free variables, where that is cheaper."""
        estimate = self.sweeps[-1][0]
        if len(self.sweeps) % LOOK_BACK != 0:
            return
        problem = self.problem
        members = self.active[: self.n_active]
        values = self.alpha[members]
        free = members[(values > 0.0) & (values < problem.upper[members])]
        rows, n_features = float(len(free)), problem.X.shape[1]
        size = min(rows, n_features)
        newton = NEWTON_COST + self.n_active * problem.row_cost + FACTOR_COST * size**3
        if rows < n_features:
            newton += 0.5 * rows**2 * problem.row_cost
        else:
            newton += 0.5 * rows * problem.n_entries**2
        if size <= SMALL_SYSTEM and self._slower(np.log(10.0), NEWTON_STEPS * newton):
            self._start_newton()
            return
        face = 2.0 * FACE_STEPS * rows * problem.row_cost
        if 0 < 2 * rows < n_features and self._slower(FACE_GAIN, face):
            self._face_step(free, estimate, tol)

    def _start_newton(self) -> None:
        self.factor = float(np.mean(self.problem.cost))  # the hinge is smooth over slacks of one

    def newton_at_once(self) -> None:
        """Take no sweeps: Newton steps from where a part of many samples would have w."""
        self._start_newton()
        problem = self.problem
        n, p = problem.X.shape
        if n >= THINNED * THIN_ROWS * p and not self.alpha.any():
            rows = problem.everyone[::THINNED]
            cost = THINNED * problem.cost[rows]
            thin = LinearSVMProblem(problem.X[rows], problem.y[rows], cost, problem.bias, True)
            part = Subproblem(thin, thin.everyone, np.zeros(len(rows)), self.w)
            part.solve(1.0, THIN_SHARE * float(cost.sum()), THIN_STEPS)
            self.guess = part.w

    def _slower(self, gain: float, cost: float) -> bool:
        """Tell whether sweeps of late gained less than ``gain`` (a logarithm) at that cost.

        Judged over half that cost, so that no more than that is lost by waiting.
        """
        spent = 0.0
        for estimate, own in reversed(self.sweeps[:-1]):
            spent += own
            if spent >= 0.5 * cost:
                gained = np.log(estimate / self.sweeps[-1][0])
                return gained / spent < gain / cost
        return False

    def _face_step(self, free: NDArray, estimate: float, tol: float) -> None:
        problem = self.problem
        if len(self.buffer) == 0:
            self.buffer = np.empty(len(self.w))
        share = min(max(0.1 * tol / estimate, 1e-4), FACE_SHARE)
        arrays = (*problem.arrays, problem.y, problem.squares, problem.bias, problem.upper)
        n_steps = face_step(
            *arrays, problem.ridge, free, self.alpha, self.w, share, FACE_STEPS,
            np.empty((5, len(free))), self.buffer,
        )  # fmt: skip
        self.n_iter += n_steps
        self.sweeps.clear()

    def polish(self) -> None:
        """Take Newton steps over all samples for as long as they help."""
        problem = self.problem
        part = Subproblem(problem, problem.everyone, self.alpha, self.w)
        n_steps, _ = part.solve(1.0, 0.0, POLISH_STEPS)
        self.n_iter += n_steps
        self.alpha = part.alpha
        self.certify(part.w)

    def _newton_round(self, tol: float, max_iter: int) -> None:
        """Solve for the samples that are not firmly at their bounds, the others staying there."""
        problem = self.problem
        if self.n_active < len(self.active):
            rows = np.sort(self.active[: self.n_active])
            gap = min(self.gap, self.estimate)
        else:
            rows, gap = problem.everyone, self.gap
        part = Subproblem(problem, rows, self.alpha, self.w)
        aim = max(NEAR_TOL * tol, ROUND_SHARE * gap)
        if self.guess is not None:
            part.w, self.guess = self.guess, None
        if problem.squared and rows is problem.everyone:
            aim = 0.9 * tol  # the problem itself: nothing is gained by looking at it in between
        n_steps, self.factor = part.solve(self.factor, aim, max_iter - self.n_iter)
        self.n_iter += n_steps
        self.alpha[rows] = part.alpha
        self.certify(part.w)
        slope = 1.0 - self.margins - problem.ridge * self.alpha
        low, high = self.alpha <= 0.0, self.alpha >= problem.upper
        settled = (low & (slope <= 0.0)) | (high & (slope >= 0.0))
        distance = np.where(settled, np.abs(slope), 0.0)
        wanted = max(NEAREST * int(np.count_nonzero(~settled)), AT_LEAST)
        if wanted < 0.7 * len(distance):
            near = distance <= np.partition(distance, wanted)[wanted]
            chosen = np.flatnonzero(near)
            self.n_active = len(chosen)
            self.active[: self.n_active] = chosen
        else:
            self.n_active = len(self.active)


def _newton_pays_at_once(problem: LinearSVMProblem) -> bool:
    """Tell whether a smooth loss is minimised sooner by Newton steps than by sweeps."""
    n, p = problem.X.shape
    if not problem.squared or min(n, p) > SMALL_SYSTEM:
        return False
    sweep = SWEEP_COST + n * problem.row_cost
    step = NEWTON_COST + n * problem.row_cost + FACTOR_COST * min(n, p) ** 3
    grams = FEW_GRAMS if n >= p else NEWTON_STEPS
    return NEWTON_STEPS * step + grams * problem.gram_cost() <= AT_ONCE * sweep


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
        Called with a :class:`Progress` after each sweep or round of Newton steps; a true answer
        stops the run.
    """
    started = time.perf_counter()
    start = np.zeros(len(problem.y)) if alpha is None else np.clip(alpha, 0.0, problem.upper)
    run = _Run(problem, start, seed, watched=callback is not None)
    if _newton_pays_at_once(problem):
        run.newton_at_once()
    while run.gap > tol:
        run.advance(tol, max_iter)
        if callback is not None:
            run.certify(run.w)
            progress = Progress(run.n_iter, run.objective, run.gap, run.best_w)
            if callback(progress) and run.gap > tol:
                return run.result(Status.STOPPED)
        if run.gap > tol and run.n_stalled >= PATIENCE:
            return run.result(Status.STALLED)
        if run.gap > tol and run.n_iter >= max_iter:
            run.certify(run.w)
            return run.result(Status.CONVERGED if run.gap <= tol else Status.MAX_ITER)
        if run.gap > tol and time.perf_counter() - started >= time_limit:
            run.certify(run.w)
            return run.result(Status.CONVERGED if run.gap <= tol else Status.TIME_LIMIT)
    if run.n_iter and problem.squared and len(problem.y) * problem.row_cost <= TINY:
        run.polish()
    return run.result(Status.CONVERGED)
