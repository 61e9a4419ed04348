"""One run of the engine: the books, the clock, the tolerance and the history."""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

from bcd import _setup, _state
from bcd._engine_kernels import run_chunk
from bcd._motion_kernels import refresh
from bcd.result import History, Result, Status, ask
from bcd.working_set import Progress
from problems._linear_kernels import full_gradient

CHUNK_S = 0.05  # how long Python stays away
NARROWED = 0.9  # factor of a gap that is smaller by more than rounding
REFRESH = 512  # iterations after which the books are rebuilt, against the drift of rounding


class Run:
    """One run: the books, the clock and the history."""

    def __init__(self, problem, arrays, rules, x, rng, started: float) -> None:
        self.problem, self.arrays, self.rules, self.rng = problem, arrays, rules, rng
        n_estimates = len(x) if rules.variable else len(rules.block_ptr) - 1
        self.state = _setup.make_state(arrays, x, n_estimates)
        self.work = _setup.make_work(arrays, rules, len(x))
        self.started, self.n_iter = started, 0
        self.status, self.gap, self.gap_kind = Status.MAX_ITER, np.inf, "subgradient"
        refresh(arrays, rules, self.state)
        self.since_refresh = 0
        self.least, self.idle = (np.inf, np.inf), 0
        self.prepare()
        self.rows: list[tuple[NDArray, ...]] = [
            (
                np.array([self.objective]),
                np.array([self.elapsed]),
                np.zeros(1, np.int32),
                np.array([self.state.counters[_state.N_ACTIVE]], np.int32),
            )
        ]

    def prepare(self) -> None:
        """Do what must be done once before the first iteration."""

    @property
    def elapsed(self) -> float:
        return time.perf_counter() - self.started

    @property
    def objective(self) -> float:
        return float(self.state.totals.sum())

    def gradient(self) -> NDArray[np.float64]:
        """Gradient of the smooth part at x, kept or computed."""
        if self.rules.full:
            return self.state.gradient
        full_gradient(self.arrays, self.state.slope, self.state.gradient)
        return self.state.gradient

    def measure(self) -> float:
        """Set and return the gap: of duality where the problem knows one."""
        gradient = self.gradient()
        duality = self.problem.duality_gap(self.state.x, gradient)
        if duality is not None:
            self.gap, self.gap_kind = duality, "duality"
        else:
            self.gap = self.subgradient_norm(self.state.x, gradient)
        return self.gap

    def subgradient_norm(self, x, gradient) -> float:
        """Largest entry of the minimum-norm subgradient (its length, for penalised groups)."""
        a = self.arrays
        if len(a.group_weight):
            return self.problem.penalty.group_violation(x, gradient)
        return float(np.abs(_subgradient(gradient, x, a.l1, a.l2, a.lower, a.upper)).max())

    def threshold(self, tol: float) -> float:
        """Gap at which the run has converged."""
        zero = np.clip(np.zeros(len(self.state.x)), self.arrays.lower, self.arrays.upper)
        if self.problem.duality_gap(self.state.x, self.gradient()) is not None:
            return tol * self.problem.value(zero)
        return tol * float(np.abs(self.problem.gradient(zero)).max())

    def drive(self, tol, max_iter, time_limit, callback, callback_every, verbose) -> None:
        """Run chunks until something says stop."""
        limit, chunk = self.threshold(tol), 16
        longest = _setup.iterations_between_looks(self.arrays, self.rules)
        bar = _progress_bar(max_iter) if verbose else None
        while True:
            if bar is not None:
                bar.set_postfix_str(f"objective {self.objective:.8g}", refresh=False)
                bar.update(self.n_iter - bar.n)
            if self.measure() <= limit:
                self.status = Status.CONVERGED
                return
            if self.n_iter >= max_iter:
                return
            remaining = np.inf if time_limit is None else time_limit - self.elapsed
            if remaining <= 0.0:
                self.status = Status.TIME_LIMIT
                return
            n_iter = callback_every if callback is not None else chunk
            if self.rules.patience:
                self.watch()
                if self.idle >= self.rules.patience:
                    self.finish(_state.STALLED, limit)
                    return
            begun = self.elapsed
            outcome = self.advance(min(n_iter, max_iter - self.n_iter))
            spent = max(self.elapsed - begun, 1e-6)
            chunk = min(4 * chunk, longest)  # not by the clock, so that runs can be repeated
            if remaining < np.inf:
                chunk = int(np.clip(n_iter * min(CHUNK_S, remaining) / spent, 1, chunk))
            if callback is not None and self.call(callback):
                self.status = Status.STOPPED
                return
            if outcome != _state.RUNNING:
                self.finish(outcome, limit)
                return

    def watch(self) -> None:
        """Count the iterations since the objective or the gap last fell by more than rounding."""
        objective, (least_objective, least_gap) = self.rows[-1][0], self.least
        reached = float(objective.min())
        lowered = reached < least_objective - _state.LOWERED * abs(reached)
        narrowed = self.gap < NARROWED * least_gap
        self.idle = 0 if lowered or narrowed else self.idle + len(objective)
        self.least = (
            reached if lowered else least_objective,
            self.gap if narrowed else least_gap,
        )

    def finish(self, outcome: int, limit: float) -> None:
        """Name the reason for which the kernel came back early."""
        if outcome == _state.NOT_FINITE:
            raise FloatingPointError(
                f"the objective is not finite after {self.n_iter} block updates; scale the data "
                "or use an update with a line search."
            )
        refresh(self.arrays, self.rules, self.state)
        if self.measure() <= limit:
            self.status = Status.CONVERGED
        else:
            self.status = Status.OPTIMAL if outcome == _state.OPTIMAL else Status.STALLED

    def advance(self, n_iter: int) -> int:
        """Run one compiled chunk and enter it into the history."""
        objective = np.empty(n_iter)
        sizes, active = np.empty(n_iter, np.int32), np.empty(n_iter, np.int32)
        begun = self.elapsed
        done, outcome = self.run(n_iter, objective, sizes, active)
        ended = self.elapsed
        times = begun + (ended - begun) * np.arange(1, done + 1) / max(done, 1)
        self.rows.append((objective[:done], times, sizes[:done], active[:done]))
        self.n_iter += done
        self.since_refresh += done
        if self.since_refresh >= REFRESH:
            self.since_refresh = 0
            refresh(self.arrays, self.rules, self.state)
        return outcome

    def run(self, n_iter: int, objective, sizes, active) -> tuple[int, int]:
        """Make up to ``n_iter`` iterations; returns how many, and the kernel's outcome."""
        return run_chunk(
            self.arrays,
            self.rules,
            self.state,
            self.work,
            self.rng,
            self.n_iter,
            n_iter,
            objective,
            sizes,
            active,
        )

    def call(self, callback) -> bool:
        """Ask the callback; should it raise, the result so far travels with its exception."""
        progress = Progress(self.n_iter, self.objective, self.gap, self.state.x)
        return ask(callback, progress, lambda: self.result(Status.STOPPED))

    def result(self, status: Status | None = None) -> Result:
        """Hand over what was reached."""
        x = self.state.x
        objective, times, sizes, active = (
            np.concatenate(column) for column in zip(*self.rows, strict=True)
        )
        a = self.arrays
        kink = a.l1 if not len(a.group_weight) else 1.0
        free = (x > a.lower) & (x < a.upper) & ((x != 0.0) | (kink == 0.0))
        return Result(
            x=x.copy(),
            fun=self.objective,
            gap=float(self.gap),
            n_iter=self.n_iter,
            status=status or self.status,
            history=History(objective=objective, time_s=times, block_size=sizes, n_active=active),
            active_set=np.flatnonzero(free),
            identified_at=int(self.state.counters[_state.LAST_CHANGE]),
            gap_kind=self.gap_kind,
        )


def _progress_bar(max_iter: int):
    """Bar on the standard error, redrawn at most ten times a second."""
    from tqdm import tqdm

    return tqdm(total=max_iter, desc="minimize", unit=" updates")


def _subgradient(gradient, x, l1, l2, lower, upper) -> NDArray[np.float64]:
    """Minimum-norm subgradient of every coordinate."""
    slope = gradient + l2 * x
    right = np.where(x < upper, slope + np.where(x >= 0.0, l1, -l1), np.inf)
    left = np.where(x > lower, slope + np.where(x > 0.0, l1, -l1), -np.inf)
    return np.where(right < 0.0, right, np.where(left > 0.0, left, 0.0))
