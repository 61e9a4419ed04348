"""FMTx against RRTx as the FMTx paper compares them: over n, the number of obstacles and C.

``python -m experiments fmtx_vs_rrtx`` moves discs and times both, tick by tick and interleaved, on
the same samples; D* Lite and starting over stand beside them. It writes ``output/fmtx_vs_rrtx/``:
CSV, Markdown and box plots.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from experiments.replanning_report import table, versions
from planning import DStarLite, FMTx, Roadmap, RRTx, Scratch
from planning.roadmap import connection_radius
from problems.worlds import DiscWorld

SIDE = 100.0  # metres
PLANNERS: dict[str, Callable] = {
    "FMTx": FMTx,
    "FMTx, faithful": lambda world, roadmap: FMTx(world, roadmap, faithful=True, focus=False),
    "RRTx": RRTx,
    "D* Lite": DStarLite,
    "scratch": Scratch,
}
COLORS = ("#c8102e", "#e58b97", "#3b6ea5", "#4b9b6e", "#8a8a8a")
BASE: dict[str, Any] = {"n": 5000, "m": 10, "C": 1.5}
SWEEPS: dict[str, tuple] = {"n": (1000, 5000, 10_000), "m": (5, 10, 20), "C": (1.0, 1.5, 2.0)}


def scene(m: int, n_ticks: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Places, (n_ticks, m, 2) metres, and radii, (m,), of discs that drift and turn back."""
    rng = np.random.default_rng(seed)
    radius = rng.uniform(3.0, 7.0, m)
    place, speed = rng.uniform(15.0, 85.0, (m, 2)), rng.normal(0.0, 0.6, (m, 2))
    places = [place]
    for _ in range(n_ticks - 1):
        speed = np.where((place + speed < 12.0) | (place + speed > 88.0), -speed, speed)
        place = place + speed
        places.append(place)
    return np.array(places), radius


def cell(n: int, m: int, C: float, n_ticks: int, seed: int) -> list[dict]:
    """Rows, one a planner and tick; tick 0 is the first plan."""
    world = DiscWorld(((0.0, SIDE), (0.0, SIDE)))
    places, radii = scene(m, n_ticks, seed)
    discs = [world.add(place, radius) for place, radius in zip(places[0], radii, strict=True)]
    points = np.random.default_rng(seed).uniform(0.0, SIDE, (n, 2))
    roadmap = Roadmap.from_points(points, C * connection_radius(n, 2, SIDE**2))
    start, goal = (4.0, 4.0), (96.0, 96.0)
    planners = {name: make(world, roadmap) for name, make in PLANNERS.items()}
    rows = []
    for tick in range(n_ticks):
        if tick:
            for disc, place in zip(discs, places[tick], strict=True):
                world.move(disc, place)
        costs = {}
        for name, planner in planners.items():
            began = time.perf_counter()
            if tick == 0:
                planner.set_goal(goal)
                path = planner.plan(start)
            else:
                planner.update()
                path = planner.path(start)
            spent = time.perf_counter() - began
            costs[name] = path.cost
            rows.append({"n": n, "m": m, "C": C, "planner": name, "tick": tick, "ms": 1e3 * spent})
        for row, name in zip(rows[-len(planners) :], planners, strict=True):
            best = costs["scratch"]
            row["above"] = costs[name] / best - 1.0 if np.isfinite(best) else 0.0
    return rows


def summary(rows: list[dict]) -> list[list[str]]:
    """One line a planner: first plan, median and 95 per cent of updates, the worst cost."""
    lines = []
    for name in PLANNERS:
        mine = [row for row in rows if row["planner"] == name]
        updates = [row["ms"] for row in mine if row["tick"]]
        lines.append(
            [
                name,
                f"{mine[0]['ms']:.1f}",
                f"{np.median(updates):.2f}",
                f"{np.percentile(updates, 95):.2f}",
                f"{100.0 * max(row['above'] for row in mine):.2f}",
            ]
        )
    return lines


def draw(results: dict, file: Path) -> None:
    """Box plots of the update times, one panel a sweep."""
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(1, 3, figsize=(13, 4.2), sharey=True, layout="constrained")
    for ax, (knob, values) in zip(panels, SWEEPS.items(), strict=True):
        for k, (name, color) in enumerate(zip(PLANNERS, COLORS, strict=True)):
            times = [
                [row["ms"] for row in results[knob, v] if row["planner"] == name and row["tick"]]
                for v in values
            ]
            boxes = ax.boxplot(
                times,
                positions=np.arange(len(values)) + 0.16 * (k - 2),
                widths=0.13,
                patch_artist=True,
                flierprops={"markersize": 2},
                medianprops={"color": "black"},
            )
            for box in boxes["boxes"]:
                box.set_facecolor(color)
            ax.bar(0, 0, color=color, label=name)
        ax.set(yscale="log", xticks=range(len(values)), xticklabels=values)
        ax.set_xlabel({"n": "samples n", "m": "discs", "C": "radius factor C"}[knob])
        ax.grid(axis="y", alpha=0.3)
    panels[0].set_ylabel("update (ms)")
    panels[1].legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=5, frameon=False)
    figure.savefig(file, dpi=100)
    plt.close(figure)


def main(arguments: list[str]) -> None:
    """Race, print and write tables, CSV and box plots."""
    parser = argparse.ArgumentParser(prog="python -m experiments fmtx_vs_rrtx", description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("output/fmtx_vs_rrtx"))
    parser.add_argument("--quick", action="store_true", help="10 ticks, no more than 5000 samples")
    options = parser.parse_args(arguments)
    options.output.mkdir(parents=True, exist_ok=True)
    n_ticks = 10 if options.quick else 60
    cell(200, 3, 1.5, 3, 0)  # compiles
    header = ("planner", "first plan (ms)", "update, median (ms)", "p95 (ms)", "cost above (%)")
    text = ["# FMTx against RRTx", "", f"{versions()}.", ""]
    text += [f"{n_ticks} ticks, all discs moving; cost above the shortest on the roadmap, worst."]
    results: dict = {}
    for knob, values in SWEEPS.items():
        for value in values:
            settings = {**BASE, knob: value}
            if options.quick:
                settings["n"] = min(settings["n"], 5000)
            rows = cell(settings["n"], settings["m"], settings["C"], n_ticks, 1)
            results[knob, value] = rows
            title = f"n = {settings['n']}, {settings['m']} discs, C = {settings['C']}"
            found = ["", f"## {title}", "", *table(header, summary(rows))]
            print("\n".join(found), flush=True)
            text += found
    text += ["", "![Update times](../images/fmtx_vs_rrtx.png)", ""]
    rows = [{"sweep": knob, **row} for (knob, _), found in results.items() for row in found]
    csv = [",".join(rows[0]), *(",".join(map(str, row.values())) for row in rows)]
    (options.output / "fmtx_vs_rrtx.csv").write_text("\n".join([*csv, ""]), encoding="utf-8")
    (options.output / "fmtx_vs_rrtx.md").write_text("\n".join(text), encoding="utf-8")
    draw(results, options.output / "fmtx_vs_rrtx.png")
