"""The protocol of a race: who is first below each level of an independently computed gap.

A *family* of races is a module with two functions::

    cells(quick) -> iterator of Cell  # the cells of the table, one after the other
    small_cells() -> list of Cell     # tiny problems on which everybody compiles, before the clock

and a line in ``experiments.linear_models.FAMILIES``. A :class:`Cell` is one problem: its solvers,
each a function of a tolerance that returns its coefficients, and the gap that judges them, written
in plain numpy apart from every solver. Each solver is run with ever tighter tolerance; its fastest
run below a level counts. Solvers take turns, each in a process of its own forked after compiling,
so that one which will not stop can be ended when its budget is used up; so is one whose last run
took ``HOPELESS`` times as long as another's below the last level.
"""

from __future__ import annotations

import gc
import importlib
import multiprocessing
import statistics
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

OURS = "southwell"
LEVELS = (1e-3, 1e-6, 1e-9)
LADDER = (0.1, 0.03, 0.01, 3e-3, *(10.0**-k for k in range(3, 14)))
SHORT_S = 0.02  # runs below this are repeated in ten turns, the others in REPEATS
IN_A_ROW = 5  # in each turn: after its wait a process finds the caches full of others' data
LONG_S = 0.3  # runs above this are not followed by each smaller tolerance
REPEATS = 5
REPEATS_S = 1.0  # seconds after which a run is not repeated any more
CLOSE = 3.0  # times the fastest below a level: slower runs there are not timed again, nor are
HOPELESS = 10.0  # short ones that were this much slower: others' work delays them by as much
LATE, BEHIND = "out of time", "ended"
STOPPED = (LATE, BEHIND)  # how the remarks on solvers begin that would have gone on

Solver = Callable[[float], NDArray]


@dataclass(frozen=True)
class Cell:
    """One problem of a race.

    Attributes
    ----------
    family, data, setting : str
        What is solved, on what, and how hard it is penalised (``"/20"``).
    gap : callable
        From what a solver returned to its duality gap divided by the objective at zero.
    solvers : dict of str to callable
        ``solvers[name](tol)`` solves from scratch to about that relative gap; validation counts.
    budget_s : float
        Seconds that each solver may use up before its last run is cut.
    """

    family: str
    data: str
    setting: str
    gap: Callable[[NDArray], float]
    solvers: dict[str, Solver]
    budget_s: float = 3.0


@dataclass
class Run:
    """One solver's run at one tolerance."""

    solver: str
    tol: float
    gap: float
    times_s: list[float] = field(default_factory=list)

    @property
    def time_s(self) -> float:
        """Median of the timed repeats."""
        return statistics.median(self.times_s)


@dataclass
class Outcome:
    """All runs of a cell by its solvers' names, why solvers were ended early, and in what run."""

    family: str
    data: str
    setting: str
    names: list[str]
    runs: list[Run]
    remarks: dict[str, str]
    budget_s: float = 0.0
    cut_s: dict[str, float] = field(default_factory=dict)

    def as_record(self) -> dict:
        """Return plain lists and numbers, from which :meth:`from_record` makes it again."""
        return asdict(self)

    @classmethod
    def from_record(cls, record: dict) -> Outcome:
        """Make an outcome from what ``as_record`` returned."""
        return cls(**(record | {"runs": [Run(**run) for run in record["runs"]]}))

    def best(self, solver: str, level: float) -> float | None:
        """Best time of a solver below a level of the gap, None when it never got there."""
        times = [run.time_s for run in self.runs if run.solver == solver and run.gap <= level]
        return min(times, default=None)

    def at_least(self, solver: str, level: float) -> float:
        """Seconds that a solver which never got below a level was given, or took, in vain."""
        missed = [run.time_s for run in self.runs if run.solver == solver and run.gap > level]
        return max([self.budget_s, *missed])

    def peers_need(self, level: float) -> float | None:
        """Seconds that every peer needs at least where none got below a level, as far as known.

        The longest run that missed the level, or was cut by the budget, is the least that a solver
        needs; one that failed or came to the end of the tolerances without arriving never will.
        """
        needs = []
        for name in self.names:
            ended = self.remarks.get(name, "")
            if name == OURS or not ended.startswith(STOPPED):
                continue
            vain = [run.time_s for run in self.runs if run.solver == name and run.gap > level]
            needs.append(max([self.cut_s.get(name, 0.0), *vain]))
        return min(needs, default=None)

    def best_peer(self, level: float) -> tuple[float, str] | None:
        """Time and name of the fastest other solver, None when nobody got there."""
        times = [
            (found, name)
            for name in self.names
            if name != OURS and (found := self.best(name, level)) is not None
        ]
        return min(times, default=None)


def peer(name: str) -> ModuleType | None:
    """Import a competitor, or None where it is not installed (or does not load)."""
    try:
        return importlib.import_module(name)
    except Exception:  # a peer that is broken by its own dependencies is as good as missing
        return None


def blitz() -> ModuleType | None:
    """Import blitzl1, taught the way in which numpy 2 names the types of pointers."""
    module = peer("blitzl1")
    if module is not None:
        module._blitzl1.data_as = _pointer_to
    return module


def _pointer_to(array: NDArray, pointer):
    array = np.ascontiguousarray(array.ravel(order="K"), dtype=pointer._type_)
    return array, array.ctypes.data_as(pointer)


def _serve(solver: Solver, connection) -> None:
    gc.freeze()  # what was loaded before the fork need not be looked through again
    gc.disable()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        while True:
            tol, n_times = connection.recv()
            try:
                times = []
                for _ in range(n_times):
                    started = time.perf_counter()
                    coef = solver(tol)
                    times.append(time.perf_counter() - started)
                elapsed = statistics.median(times)
                connection.send((elapsed, np.asarray(coef, dtype=np.float64)))
            except Exception as error:  # a peer's failure is a result, told in the table
                connection.send((0.0, f"{type(error).__name__}: {str(error)[:80]}"))
            gc.collect()


class Runner:
    """A solver in a process of its own, which ends with its budget."""

    def __init__(self, solver: Solver, budget_s: float):
        context = multiprocessing.get_context("fork")
        self.connection, other = context.Pipe()
        self.process = context.Process(target=_serve, args=(solver, other), daemon=True)
        self.process.start()
        other.close()
        self.left_s = budget_s
        self.remark = ""
        self.cut_s = 0.0

    def run(self, tol: float, n_times: int = 1) -> tuple[float, NDArray] | None:
        """Seconds (the median of so many runs in a row) and coefficients.

        None, and a remark, when it failed or ran out of time.
        """
        started = time.perf_counter()
        try:
            self.connection.send((tol, n_times))
            answered = self.connection.poll(max(self.left_s, 0.05))
            elapsed, answer = self.connection.recv() if answered else (0.0, LATE)
        except (EOFError, OSError):
            elapsed, answer = 0.0, "died"
        spent_s = time.perf_counter() - started
        self.left_s -= spent_s
        if isinstance(answer, str):
            self.cut_s = spent_s / n_times if answer == LATE else 0.0
            self.remark = f"{answer} at tol {tol:.0e}"
            self.close()
            return None
        return elapsed, answer

    def close(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.join()
        self.left_s = 0.0


def race(cell: Cell) -> Outcome:
    """Scout every solver's tolerances, then time the decisive ones again, taking turns."""
    runners = {name: Runner(solver, cell.budget_s) for name, solver in cell.solvers.items()}
    runs: list[Run] = []
    try:
        racing, aims = dict(runners), dict.fromkeys(runners, np.inf)
        usual = dict.fromkeys(runners, 0.0)  # seconds of the last run
        for runner in runners.values():
            runner.run(0.5)  # memory is touched and caches are filled
        for tol in LADDER:
            for name, runner in list(racing.items()):
                if tol > aims[name]:
                    continue
                answer = runner.run(tol) if runner.left_s > 0.0 else None
                if answer is not None and runner.left_s > 0.0:
                    # a run that loads compiled code can take ten times as long
                    if answer[0] < SHORT_S:
                        answer = runner.run(tol, IN_A_ROW) or answer
                    elif CLOSE * usual[name] < answer[0] < LONG_S:
                        answer = runner.run(tol) or answer
                if answer is not None:
                    usual[name] = answer[0]
                    runs.append(Run(name, tol, float(cell.gap(answer[1])), [answer[0]]))
                    aims[name] = _aim(runs[-1])
                if answer is None or runs[-1].gap <= LEVELS[-1]:
                    del racing[name]
                elif _hopeless(runs):
                    runner.remark = f"{BEHIND} at tol {tol:.0e}, {HOPELESS:g} times slower"
                    del racing[name]
        _time_again(runs, runners, cell.budget_s)
    finally:
        for runner in runners.values():
            runner.close()
    remarks = {name: runner.remark for name, runner in runners.items() if runner.remark}
    cut_s = {name: runner.cut_s for name, runner in runners.items() if runner.cut_s}
    names = (cell.family, cell.data, cell.setting, list(runners))
    return Outcome(*names, runs, remarks, cell.budget_s, cut_s)


def _aim(run: Run) -> float:
    """Return the tolerance to go on with: after a long run the next level is aimed at directly."""
    missed = [level for level in LEVELS if run.gap > level]
    if run.time_s < LONG_S or not missed:
        return np.inf
    return min(3.0 * run.tol * missed[0] / run.gap, 0.5 * run.tol)


def _hopeless(runs: list[Run]) -> bool:
    """Whether the last run's solver can be the fastest nowhere any more."""
    last = runs[-1]
    below = [run.time_s for run in runs if run.gap <= LEVELS[-1]]
    return last.time_s > max(HOPELESS * min(below, default=np.inf), SHORT_S)


def _time_again(runs: list[Run], runners: dict[str, Runner], budget_s: float) -> None:
    chosen: list[Run] = []
    for level in LEVELS:
        below = sorted((run for run in runs if run.gap <= level), key=lambda run: run.times_s[0])
        for name in runners:
            own = [run for run in below if run.solver == name][:2]
            chosen += [
                run
                for run in own
                if run.times_s[0] <= _close(run) * below[0].times_s[0] and run not in chosen
            ]
    for runner in runners.values():
        runner.left_s = budget_s if runner.process.is_alive() else 0.0
    scouted = {id(run): run.times_s.pop() for run in chosen}
    for turn in range(2 * REPEATS):
        for run in chosen:
            runner, first_s = runners[run.solver], scouted[id(run)]
            wanted = first_s < SHORT_S or (turn < REPEATS and turn * first_s < REPEATS_S)
            if wanted and runner.left_s > first_s:
                answer = runner.run(run.tol, IN_A_ROW if first_s < SHORT_S else 1)
                if answer is not None:
                    run.times_s.append(answer[0])
    for run in chosen:
        if not run.times_s:
            run.times_s.append(scouted[id(run)])


def _close(run: Run) -> float:
    return CLOSE if run.times_s[0] >= SHORT_S else HOPELESS


def first_calls(cells: list[Cell]) -> dict[str, float]:
    """Run everybody once on tiny problems, so that all is compiled; seconds of the first calls."""
    spent: dict[str, float] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for cell in cells:
            for name, solver in cell.solvers.items():
                started = time.perf_counter()
                try:
                    solver(1e-4)
                except Exception:
                    continue
                spent[name] = spent.get(name, 0.0) + time.perf_counter() - started
    return spent
