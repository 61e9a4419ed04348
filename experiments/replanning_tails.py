"""How long the slow ticks of a race take, and what they spend it on."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from experiments.replanning_report import table

BUDGET_S = 0.05  # an occupancy grid comes twenty times a second
MOTIONS_A_VERTEX = 32  # motions asked about take about as long as one vertex expanded


def ticks_of(file: Path, planner: str) -> NDArray[np.float64]:
    """Return seconds, vertices expanded and motions asked of each tick, the first plan left out."""
    with file.open(newline="", encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if row["planner"] == planner]
    names = ("seconds", "expanded", "checks")
    return np.array([[float(row[name]) for name in names] for row in rows[1:]]).reshape(-1, 3)


def tails(files: list[Path], planners: tuple[str, ...] = ("FMTx", "FMTx whole tree")) -> list[str]:
    """Hold the 99th percentile against the median of all ticks, of those with work, and a budget.

    A tick has work if a vertex was expanded or a motion asked about.
    """
    header = (
        "race",
        "planner",
        "all ticks: median, ms",
        "p99",
        "p99 / median",
        "ticks with work",
        "their median",
        "p99",
        "p99 / median",
        "their work, p99 / median",
        "microseconds a unit of work: median tick with work",
        "slowest 1%",
        f"p99, share of {1e3 * BUDGET_S:.0f} ms",
        "longest, share",
    )
    rows = []
    for file in files:
        for planner in planners:
            ticks = ticks_of(file, planner)
            if len(ticks) == 0:
                continue
            seconds, work = ticks[:, 0], ticks[:, 1] + ticks[:, 2] / MOTIONS_A_VERTEX
            busy = work > 0.0
            if not busy.any():
                continue
            spent, done = seconds[busy], work[busy]
            slowest = spent >= np.percentile(spent, 99)
            rows.append(
                [
                    file.stem,
                    planner,
                    *_tail(seconds),
                    f"{busy.sum()} of {len(ticks)}",
                    *_tail(spent),
                    f"{np.percentile(done, 99) / np.median(done):.1f}",
                    f"{1e6 * np.median(spent / done):.1f}",
                    f"{1e6 * spent[slowest].sum() / done[slowest].sum():.1f}",
                    f"{np.percentile(seconds, 99) / BUDGET_S:.1%}",
                    f"{seconds.max() / BUDGET_S:.1%}",
                ]
            )
    note = (
        "An update costs what the change asks for. How much that is varies from tick to tick: many "
        "ask for nothing, and the median tick may be one of these. A unit of work is a vertex "
        f"expanded or {MOTIONS_A_VERTEX} motions asked about; where the work varies as much as the "
        "time, and a unit is no dearer in the slowest ticks, the tail is that of the changes. "
        "What a robot needs is the last two columns: the tail against the time between two ticks."
    )
    return ["### Tails", "", note, "", *table(header, rows)]


def _tail(seconds: NDArray[np.float64]) -> list[str]:
    middle, high = np.median(seconds), np.percentile(seconds, 99)
    return [f"{1e3 * middle:.3f}", f"{1e3 * high:.2f}", f"{high / middle:.1f}"]


def slow_ticks(files: list[Path], planner: str = "FMTx") -> list[str]:
    """Say what the slow ticks of a planner are, from the CSV of each race."""
    header = (
        "race",
        "p99 / median",
        "median tick: ms",
        "expanded",
        "motions asked",
        "slowest 5%: ms",
        "expanded",
        "motions asked",
        f"rank correlation of time with expanded + asked / {MOTIONS_A_VERTEX}",
    )
    rows = []
    for file in files:
        ticks = ticks_of(file, planner)
        if len(ticks) == 0:
            continue
        order = np.argsort(ticks[:, 0])
        middle = ticks[order[int(0.4 * len(ticks)) : int(0.6 * len(ticks)) + 1]].mean(axis=0)
        slow = ticks[order[-max(len(ticks) // 20, 1) :]].mean(axis=0)
        work = ticks[:, 1] + ticks[:, 2] / MOTIONS_A_VERTEX
        ranks = np.argsort(np.argsort(np.stack((ticks[:, 0], work)), axis=1), axis=1)
        rows.append(
            [
                file.stem,
                f"{np.percentile(ticks[:, 0], 99) / np.median(ticks[:, 0]):.1f}",
                f"{1e3 * middle[0]:.2f}",
                f"{middle[1]:.0f}",
                f"{middle[2]:.0f}",
                f"{1e3 * slow[0]:.2f}",
                f"{slow[1]:.0f}",
                f"{slow[2]:.0f}",
                f"{float(np.asarray(np.corrcoef(ranks))[0, 1]):.2f}",
            ]
        )
    note = (
        "Where the slowest ticks did more work than the median one, that is what they cost; where "
        "the work is alike, or the correlation low, it is the machine that was busy."
    )
    return [f"### Slow ticks of {planner}", "", note, "", *table(header, rows)]
