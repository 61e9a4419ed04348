"""What is written about the replanning race: a CSV of all ticks, tables and pictures."""

from __future__ import annotations

import csv
import importlib.metadata
import os
import platform
from pathlib import Path

import numpy as np

from experiments.replanning_race import Record
from experiments.replanning_scenarios import Scenario

PACKAGES = ("numpy", "scipy", "numba", "ompl", "pathplanning")
COLUMNS = (
    "planner",
    "first plan, ms",
    "median",
    "p95",
    "p99",
    "max",
    "times faster than Scratch",
    "expanded / changed",
    "motions asked a tick",
    "path above Dijkstra's, worst",
    "vertex above, worst",
    "paths lost",
)


def versions() -> str:
    """Say what ran."""
    found = []
    for name in PACKAGES:
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    return f"{', '.join(found)}; Python {platform.python_version()}; {os.cpu_count()} shared cores"


def table(header: tuple[str, ...], rows: list[list[str]]) -> list[str]:
    """Return the lines of a Markdown table."""
    lines = ["| " + " | ".join(header) + " |", "|" + " --- |" * len(header)]
    return [*lines, *("| " + " | ".join(row) + " |" for row in rows)]


def _share(value: float) -> str:
    return "exact" if abs(value) < 1e-9 else f"{100.0 * value:+.2f}%"


def rows_of(records: list[Record]) -> list[list[str]]:
    """Return a row for each planner, in the order of ``COLUMNS``."""
    base = np.median(records[0].seconds)
    rows = []
    for record in records:
        times = 1e3 * np.array(record.seconds)
        expanded, changed = record.totals()
        checks = [answer.n_checks for answer in record.answers]
        excess = record.excess()
        own = record.answers and any(answer.n_checks for answer in record.answers)
        rows.append(
            [
                record.name,
                f"{1e3 * record.first_s:.2f}",
                f"{np.median(times):.3f}",
                *(f"{np.percentile(times, share):.2f}" for share in (95, 99)),
                f"{times.max():.2f}",
                f"{1e3 * base / np.median(times):.1f}",
                f"{expanded / changed:.2f}" if changed else "-",
                f"{np.mean(checks):.0f}" if own else "-",
                _share(float(excess.max())) if len(excess) else "-",
                _share(record.worst_vertex) + (" WRONG" if record.n_below else "") if own else "-",
                str(record.n_lost),
            ]
        )
    return rows


def scenario_lines(scenario: Scenario, records: list[Record]) -> list[str]:
    """Return the Markdown of one scenario."""
    title = f"### {scenario.name}: {scenario.purpose}"
    note = (
        f"{scenario.roadmap.n_vertices} vertices, {scenario.roadmap.n_edges} motions, "
        f"{scenario.n_ticks - 1} ticks."
    )
    if any(record.own_roads for record in records):
        note += (
            " RRTx has longer motions beside the roadmap's, so it may lie below; its costs are "
            "held against Dijkstra on its own motions."
        )
    return [title, "", note, "", *table(COLUMNS, rows_of(records))]


def write_csv(file: Path, scenario: Scenario, records: list[Record]) -> None:
    """Write every tick of every planner."""
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(
            "scenario planner tick seconds expanded changed checks cost_m shortest_m".split()
        )
        for record in records:
            writer.writerow([scenario.name, record.name, 0, f"{record.first_s:.6f}"])
            for tick, seconds, answer, shortest in zip(
                record.ticks, record.seconds, record.answers, record.shortest, strict=True
            ):
                writer.writerow(
                    [
                        scenario.name,
                        record.name,
                        tick,
                        f"{seconds:.6f}",
                        answer.n_expanded,
                        answer.n_changed,
                        answer.n_checks,
                        f"{answer.cost:.6f}",
                        f"{shortest:.6f}",
                    ]
                )


def draw(scenario: Scenario, records: list[Record], file: Path) -> None:
    """Draw update times by tick and spread, expansions against changes, and path costs."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, ((by_tick, spread), (work, costs)) = plt.subplots(
        2, 2, figsize=(11, 7.5), layout="constrained"
    )
    colors = plt.get_cmap("tab20")
    for k, record in enumerate(records):
        color, times = colors((2 * k + k // 10) % 20), 1e3 * np.array(record.seconds)
        by_tick.plot(record.ticks, times, color=color, linewidth=1.0, label=record.name)
        expanded = np.array([answer.n_expanded for answer in record.answers])
        changed = np.array([answer.n_changed for answer in record.answers])
        if expanded.any():
            work.plot(changed + 0.5, expanded + 0.5, ".", color=color, markersize=4)
        costs.plot(record.ticks, [a.cost for a in record.answers], color=color, linewidth=1.0)
    by_tick.set(xlabel="tick", ylabel="update, ms", yscale="log", title="update time")
    spread.boxplot(
        [1e3 * np.array(record.seconds) for record in records],
        orientation="horizontal",
        tick_labels=[record.name for record in records],
        whis=(1, 99),
        showfliers=False,
    )
    spread.set(xscale="log", xlabel="update, ms", title="quartiles, 1st and 99th percentile")
    spread.invert_yaxis()
    low, high = 0.5, max(work.get_xlim()[1], 2.0)
    work.plot([low, high], [low, high], "k:", linewidth=0.8, label="one for one")
    work.set(
        xscale="log",
        yscale="log",
        xlabel="vertices whose cost changed (+ 1/2)",
        ylabel="expanded (+ 1/2)",
        title="work against change",
    )
    work.legend()
    costs.set(xlabel="tick", ylabel="metres", title="length of the robot's path")
    figure.suptitle(f"{scenario.name}: {scenario.purpose}")
    figure.legend(*by_tick.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=80)
    plt.close(figure)
