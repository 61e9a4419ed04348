"""One run a file: resumable, in parallel over settings.

A run is made twice where its gap is computed by the point: once for the clock, undisturbed, and
once with a look at every iterate. Both make the same iterations, because they have the same seed.
"""

from __future__ import annotations

import csv
import warnings
from dataclasses import dataclass
from pathlib import Path

import joblib
import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from bcd import minimize
from experiments.paper.optima import BY_POINT, distance, problem
from experiments.paper.settings import ITERATIONS, Setting
from graphs import first_fit_forests, greedy_coloring, lattice_combs

SEED = 0
SIDE = 50  # of the lattice of data set D
LIMIT_S = 120.0  # of one run


@dataclass(frozen=True)
class Curve:
    """What a run left behind."""

    gap: NDArray[np.float64]  # (n_iter + 1,) F(x_k) - F*
    time_s: NDArray[np.float64]
    n_active: NDArray[np.int64]
    identified_at: int  # -1 where nothing is penalised

    def first_below(self, level: float) -> int:
        """Return the first iteration with a gap of at most ``level``, or -1."""
        below = np.flatnonzero(self.gap <= level)
        return int(below[0]) if len(below) else -1

    def at(self, iteration: int) -> float:
        """Gap at an iteration; of a run that ended before, its last."""
        return float(self.gap[min(iteration, len(self.gap) - 1)])


def rules(setting: Setting) -> dict:
    """Arguments of ``minimize``; forests and colours in a given order are the user's blocks."""
    instance = problem(setting.data)
    partition: str | list[NDArray] = setting.partition
    if setting.partition.startswith(("trees", "red-black")):
        graph, order = instance.graph, None
        if setting.partition.endswith("lipschitz"):
            order = np.argsort(-instance.coordinate_lipschitz(), kind="stable")
        trees = setting.partition.startswith("trees")
        label = first_fit_forests(graph, order) if trees else greedy_coloring(graph, order)
        partition = [np.flatnonzero(label == b) for b in range(label.max() + 1)]
    elif setting.partition == "combs":
        label = lattice_combs(SIDE, SIDE)[instance.vertices]
        partition = [np.flatnonzero(label == b) for b in (0, 1)]
    size: int | None = setting.size
    if not size:  # general blocks of n^(1/3) beside forests
        size = round(instance.n_coordinates ** (1 / 3))
    return {
        "partition": partition,
        "selection": setting.selection,
        "update": setting.update,
        "block_size": size,
        "random_state": SEED,
        "tol": 0.0,
    }


def file_of(setting: Setting, output: Path) -> Path:
    """Where the run is kept."""
    return output / "runs" / f"{setting.key}.csv"


def run(setting: Setting, output: Path) -> None:
    """Make the run, unless its file is there."""
    file = file_of(setting, output)
    if file.exists():
        return
    instance, arguments = problem(setting.data), rules(setting)
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        minimize(instance, max_iter=1, **arguments)  # compiled before the clock starts
        result = minimize(instance, max_iter=ITERATIONS, time_limit=LIMIT_S, **arguments)
        gap, time_s = result.history.objective, result.history.time_s
        if setting.data in BY_POINT:
            gap = _gaps_by_point(setting, arguments, result.n_iter)
    bounded = instance.penalty.is_bounded
    identified = result.identified_at if bounded else -1
    kept = len(gap)  # watched at every step, a run that reached the last bit may end sooner
    rows = zip(gap, time_s[:kept], result.history.n_active[:kept], strict=True)
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_suffix(".partial")
    with partial.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["iteration", "gap", "time_s", "n_active", "identified_at"])
        writer.writerows(
            (k, f"{g:.17g}", f"{t:.6g}", a, identified) for k, (g, t, a) in enumerate(rows)
        )
    partial.replace(file)  # a run cut short leaves no file that looks whole


def _gaps_by_point(setting: Setting, arguments: dict, n_iter: int) -> NDArray[np.float64]:
    instance, excess = problem(setting.data), distance(setting.data)
    start = np.clip(
        np.zeros(instance.n_coordinates), *instance.penalty.bounds(instance.n_coordinates)
    )
    gaps = [excess(start)]

    def look(progress) -> bool:
        gaps.append(excess(progress.x))
        return False

    if n_iter:
        minimize(instance, max_iter=n_iter, callback=look, **arguments)
    return np.array(gaps[: n_iter + 1])


def run_all(settings: list[Setting], output: Path, jobs: int) -> None:
    """Make all runs that are missing."""
    missing = [s for s in dict.fromkeys(settings) if not file_of(s, output).exists()]
    missing.sort(key=lambda s: (s.data, s.size))  # a process then keeps its data set
    work = joblib.Parallel(n_jobs=jobs, return_as="generator_unordered")(
        joblib.delayed(run)(setting, output) for setting in missing
    )
    list(tqdm(work, total=len(missing), desc="runs", disable=not missing))


def load(setting: Setting, output: Path) -> Curve:
    """Read a run back."""
    table = np.loadtxt(file_of(setting, output), delimiter=",", skiprows=1, ndmin=2)
    return Curve(table[:, 1], table[:, 2], table[:, 3].astype(np.int64), int(table[0, 4]))
