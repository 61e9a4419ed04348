"""What was promised of replanning, held against what was measured."""

from __future__ import annotations

import csv
import threading
import time
from pathlib import Path

import numpy as np

from experiments.replanning_report import table
from experiments.replanning_scenarios import drawn_discs, moving_discs
from planning import FMTx, Roadmap

LIMIT_S = 0.005
_COLUMNS = ("seconds", "expanded", "changed", "tick")


def _ticks(file: Path) -> dict[str, np.ndarray]:
    """Seconds, vertices expanded and changed, and number of each tick; the first plan is row 0."""
    found: dict[str, list[list[float]]] = {}
    with file.open(newline="", encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            numbers = [float(row[name] or 0) for name in _COLUMNS]
            found.setdefault(row["planner"], []).append(numbers)
    return {planner: np.array(rows) for planner, rows in found.items()}


def race_targets(files: list[Path]) -> list[str]:
    """Hold the races' figures against the targets; a ratio is met at or below its target."""
    rows = []
    for file in files:
        ticks = _ticks(file)
        if not {"Scratch", "FMTx", "FMTx whole tree"} <= ticks.keys():
            continue
        median = {planner: np.median(rows[1:, 0]) for planner, rows in ticks.items()}
        local = file.stem in ("discs_n10000_m1", "window")
        most = 1 / 50 if local else 1 / 5
        for planner in ("FMTx", "FMTx whole tree"):
            own = ticks[planner]
            first = own[0, 0] / ticks["Scratch"][0, 0]
            share = median[planner] / median["Scratch"]
            tail = np.percentile(own[1:, 0], 99) / median[planner]
            work = own[1:, 1].sum() / max(own[1:, 2].sum(), 1.0)
            reached = np.median(ticks["Scratch"][1:, 1])
            changed = np.median(own[1:, 2]) / max(reached, 1.0)
            peer = "-"
            if "OMPL BIT*" in median and planner == "FMTx":
                peer = beside(own[1:], ticks["OMPL BIT*"][1:])
            rows.append(
                [
                    file.stem,
                    planner,
                    _met(first, 1.0),
                    f"{_met(share, most)} (1/{1 / most:.0f})",
                    f"{changed:.1%}",
                    _met(tail, 3.0),
                    _met(work, 1.2),
                    peer,
                ]
            )
    header = (
        "race",
        "planner",
        "first plan / Scratch's (1)",
        "update / Scratch's, median",
        "vertices changed, median tick",
        "p99 / median (3)",
        "expanded / changed (1.2)",
        "update / BIT*'s from scratch (1)",
    )
    note = (
        "Each ratio with its target in brackets; * where it is missed. Vertices changed: those "
        "whose cost became another one, of those that Scratch reaches. Each has to be reached "
        "again through its motions, so whoever repairs the whole tree does about that share of "
        "Scratch's search at least. With focus only what can matter to the robot is repaired. "
        "BIT* is held against on the ticks at which it was asked. Where the straight line is free "
        "it answers at once, else it takes many times as long, so that a median says which of both "
        "was more frequent; tick by tick the ratio is the geometric mean."
    )
    return ["### Targets of the races", "", note, "", *table(header, rows)]


def beside(own: np.ndarray, peer: np.ndarray) -> str:
    """Hold a planner against a peer on the ticks that both answered; rows as in ``_ticks``."""
    mine = own[np.isin(own[:, 3], peer[:, 3]), 0]
    theirs = peer[np.isin(peer[:, 3], own[:, 3]), 0]
    ratios = {
        "median": np.median(mine) / np.median(theirs),
        "mean": mine.mean() / theirs.mean(),
        "tick by tick": np.exp(np.log(mine / theirs).mean()),
    }
    said = "; ".join(f"{name} {_met(ratio, 1.0)}" for name, ratio in ratios.items())
    return f"{said}; faster on {(mine < theirs).sum()} of {len(mine)}"


def _met(value: float, most: float) -> str:
    return f"{value:.3f}" + ("" if value <= most else " *")


def promises(quick: bool) -> list[str]:
    """Time what is promised beside the races: no change, large roadmaps, limits, threads."""
    rows = []
    scenario = moving_discs("discs_n10000_m20", 12)
    world = scenario.make_world()
    planner = FMTx(world, scenario.roadmap)
    planner.set_goal(scenario.goal)
    planner.plan(scenario.starts[0])
    idle = []
    for _ in range(1000):
        began = time.perf_counter()
        planner.update()
        idle.append(time.perf_counter() - began)
    rows.append(["update when nothing moved, microseconds", f"{1e6 * np.median(idle):.1f}", "20"])
    n = 2000 if quick else 100_000
    data = drawn_discs(f"discs_n{n}_m20", 12 if quick else 41)
    roadmap = Roadmap.from_points(data["points"], radius=float(data["rn_C1.0"]))
    large = moving_discs(f"discs_n{n}_m20", len(data["pos"]), roadmap=roadmap)
    for label, limit, most in (
        (f"{n} samples, 20 discs move, median update, ms", None, "50"),
        (f"{n} samples, time_limit {1e3 * LIMIT_S:g} ms, longest update, ms", LIMIT_S, "8"),
    ):
        world = large.make_world()
        planner = FMTx(world, roadmap)
        planner.set_goal(large.goal)
        planner.plan(large.starts[0], limit)
        seconds = []
        for tick in range(1, large.n_ticks):
            large.change(world, tick)
            began = time.perf_counter()
            planner.update(limit)
            seconds.append(time.perf_counter() - began)
        value = np.median(seconds) if limit is None else max(seconds)
        rows.append([label, f"{1e3 * value:.1f}", most])
    alone, together = _two_planners(20 if quick else 150)
    rows.append(
        ["two planners in two threads / one after the other", f"{together / alone:.2f}", "1"]
    )
    return ["### Promises beside the races", "", *table(("what", "measured", "target"), rows)]


def _two_planners(n_ticks: int) -> tuple[float, float]:
    """Return seconds that two whole drives take one after the other, and in two threads."""
    scenario = moving_discs("discs_n10000_m20", n_ticks)

    def drive() -> None:
        world = scenario.make_world()
        planner = FMTx(world, scenario.roadmap, focus=False)
        planner.set_goal(scenario.goal)
        planner.plan(scenario.starts[0])
        for tick in range(1, scenario.n_ticks):
            scenario.change(world, tick)
            planner.update()

    began = time.perf_counter()
    drive()
    drive()
    alone = time.perf_counter() - began
    threads = [threading.Thread(target=drive) for _ in range(2)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return alone, time.perf_counter() - began
