"""Studies beside the race: degree of the roadmap, large roadmaps, a known map, memory."""

from __future__ import annotations

import importlib
import time
from pathlib import Path

import numpy as np

from experiments.replanning_planners import Answer, BitStar, Entry
from experiments.replanning_report import table
from experiments.replanning_scenarios import Scenario, drawn_discs, moving_discs, window
from planning import FMTx, Roadmap, Scratch
from planning.smoothing import smooth

LIMIT_S = 0.005
BEST_KNOWN = 72.2  # metres, of the warehouse, by informed RRT* in 3 s


def _drive(
    scenario: Scenario, factory, time_limit: float | None = None
) -> tuple[float, list[float], list[float]]:
    """Return seconds of the first plan and of each update, and the length of each path."""
    entry = Entry("", scenario, factory, time_limit)
    began = time.perf_counter()
    entry.answer(scenario.starts[0])
    first = time.perf_counter() - began
    seconds, costs = [], [entry.report().cost]
    for tick in range(1, scenario.n_ticks):
        scenario.change(entry.world, tick)
        began = time.perf_counter()
        entry.answer(scenario.starts[tick])
        seconds.append(time.perf_counter() - began)
        costs.append(entry.report().cost)
    return first, seconds, costs


def connection(quick: bool) -> list[str]:
    """Hold cost and time against the degree of the roadmap."""
    n_ticks, name = (12, "discs_n1000_m10") if quick else (101, "discs_n10000_m10")
    base = moving_discs(name, n_ticks)
    points, radius = base.roadmap.points, base.roadmap.radius
    n = len(points)
    roadmaps = {
        f"C = {c}": Roadmap.from_points(points, radius * c / 1.5) for c in (1.0, 1.2, 1.5, 2.0)
    }
    for factor in (0.6, 0.8, 1.0, 1.2):
        k = int(np.ceil(factor * np.e * 1.5 * np.log(n)))
        roadmaps[f"{k} nearest"] = Roadmap.from_points(points, n_neighbors=k)
    drives = []
    for roadmap in roadmaps.values():
        scenario = moving_discs(name, n_ticks, roadmap=roadmap)
        drives.append((_drive(scenario, FMTx), _drive(scenario, Scratch)))
    best = np.array(drives[list(roadmaps).index("C = 2.0")][0][2])
    rows = []
    for (label, roadmap), (ours, anew) in zip(roadmaps.items(), drives, strict=True):
        first, seconds, costs = ours
        both = np.isfinite(costs) & np.isfinite(best)
        excess = np.array(costs)[both] / best[both] - 1.0
        rows.append(
            [
                label,
                f"{2 * roadmap.n_edges / n:.1f}",
                f"{1e3 * first:.2f}",
                f"{1e3 * np.median(seconds):.3f}",
                f"{1e3 * np.percentile(seconds, 95):.3f}",
                f"{1e3 * np.median(anew[1]):.2f}",
                f"{100 * excess.mean():+.2f}%",
                f"{100 * excess.max():+.2f}%",
            ]
        )
    header = (
        "connection",
        "degree",
        "FMTx first plan, ms",
        "update, median",
        "p95",
        "Scratch, median",
        "path above C = 2.0's, mean",
        "worst",
    )
    return [f"### Degree of the roadmap ({name})", "", *table(header, rows)]


def large(quick: bool) -> list[str]:
    """Time updates of large roadmaps."""
    rows = []
    for n in (2000,) if quick else (20_000, 50_000, 100_000):
        data = drawn_discs(f"discs_n{n}_m20", 12 if quick else 41)
        roadmap = Roadmap.from_points(data["points"], radius=float(data["rn_C1.0"]))
        scenario = moving_discs(f"discs_n{n}_m20", len(data["pos"]), roadmap=roadmap)
        for label, factory in (
            ("FMTx", FMTx),
            ("FMTx whole tree", lambda world, roads: FMTx(world, roads, focus=False)),
            ("Scratch", Scratch),
        ):
            first, seconds, _ = _drive(scenario, factory)
            times = 1e3 * np.array(seconds)
            shares = [f"{np.percentile(times, share):.2f}" for share in (50, 95, 100)]
            rows.append([str(n), label, f"{1e3 * first:.1f}", *shares])
        first, seconds, _ = _drive(scenario, FMTx, LIMIT_S)
        times = 1e3 * np.array(seconds)
        shares = [f"{np.percentile(times, share):.2f}" for share in (50, 95, 100)]
        limit = f"{1e3 * LIMIT_S:g} ms"
        rows.append([str(n), f"FMTx, time_limit {limit}", f"{1e3 * first:.1f}", *shares])
    header = ("samples", "planner", "first plan, ms", "update, median", "p95", "max")
    return ["### Large roadmaps (20 discs move, C = 1.0)", "", *table(header, rows)]


def warehouse_map(quick: bool) -> list[str]:
    """Say how short a path is had in how much time, on one map."""
    rows, claims, best = [], [], BEST_KNOWN
    for n_samples in (1000,) if quick else (1000, 3000, 5000, 10_000):
        scenario = window(2, n_samples)
        for focus in (True, False):
            times = []
            for _ in range(3 if quick else 7):
                world = scenario.make_world()
                planner = FMTx(world, scenario.roadmap, focus=focus)
                planner.set_goal(scenario.goal)
                began = time.perf_counter()
                planner.plan(scenario.starts[0])
                times.append(time.perf_counter() - began)
            path = planner.path(scenario.starts[0])
            label = f"FMTx, {n_samples} samples" + ("" if focus else ", whole tree")
            found = f"{path.cost:.2f}" if path.solved else f"none: {path.message}"
            rows.append([label, f"{1e3 * np.median(times):.1f}", found])
            if not path.solved:
                continue
            pulls = []
            for _ in range(3 if quick else 7):
                began = time.perf_counter()
                shorter = smooth(path, world)
                pulls.append(time.perf_counter() - began)
            spent = 1e3 * (np.median(times) + np.median(pulls))
            best = shorter.cost
            rows.append([f"{label}, smoothed", f"{spent:.1f}", f"{shorter.cost:.2f}"])
            if shorter.cost <= 1.01 * BEST_KNOWN and spent <= 50.0:
                claims.append(f"{label}, smoothed")
    try:
        importlib.import_module("ompl")
    except ImportError:
        rows.append(["OMPL is not installed", "-", "-"])
    else:
        for share in (1.05, 1.02, 1.01):
            peer = BitStar(scenario)
            times, costs = [], []
            for _ in range(3):
                peer.prepare(Answer(cost=best * share / 1.01))
                began = time.perf_counter()
                peer.answer(scenario.starts[0])
                times.append(time.perf_counter() - began)
                costs.append(peer.report().cost)
            label = f"OMPL BIT*, asked for {best * share:.1f} m, stopped at 250 ms"
            rows.append([label, f"{1e3 * np.median(times):.1f}", f"{np.median(costs):.2f}"])
    said = f"Within 1% of {BEST_KNOWN} m, the best anyone found, after 50 ms: "
    header = ("planner", "ms", "path, m")
    purpose = scenario.purpose.split(", ")[-1]
    title = f"### {purpose}: one plan from nothing, the roadmap given"
    return [title, "", *table(header, rows), "", said + ("; ".join(claims) or "nobody") + "."]


def _resident_kib() -> int:
    status = Path("/proc/self/status")
    if not status.is_file():
        return 0
    for line in status.read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1])
    return 0


def memory(quick: bool) -> list[str]:
    """Watch resident memory over many updates."""
    rows = []
    n_updates = 1000 if quick else 10_000
    for scenario in (moving_discs("discs_n1000_m10", 151), window(151, 1000)):
        entry = Entry("", scenario, FMTx)
        entry.answer(scenario.starts[0])
        counts = []
        for k in range(n_updates + 1):
            if k % (n_updates // 5) == 0:
                counts.append(_resident_kib())
            scenario.change(entry.world, 1 + k % (scenario.n_ticks - 1))
            entry.answer(scenario.starts[0])
        rows.append([scenario.name, *(f"{count / 1024.0:.1f}" for count in counts)])
    header = ("scenario", *(f"after {k * n_updates // 5}" for k in range(6)))
    return [f"### Resident memory, MiB, over {n_updates} updates", "", *table(header, rows)]
