"""Asymptotic optimality, shown: cost against the number of samples, beside the true optimum.

``python -m experiments optimality`` plans among polygons for 1e3 to 1e5 samples, moves one of them,
repairs, and compares both costs with the shortest path of all, from a visibility graph around the
polygons (shapely and networkx). It writes ``output/optimality/``: CSV, Markdown and a plot.
"""

from __future__ import annotations

import argparse
import itertools
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from experiments.replanning_report import table, versions
from planning import FMTx, Roadmap
from planning.smoothing import smooth
from problems.worlds import PolygonWorld

BOUNDS = ((0.0, 100.0), (0.0, 100.0))  # metres
START, GOAL = (4.0, 4.0), (96.0, 96.0)
SIZES = (1000, 3000, 10_000, 30_000, 100_000)


def polygons() -> list:
    """Obstacles in the way: a wall, a hook, triangles; none touches the bounds."""
    import shapely

    return [
        shapely.Polygon([(18, 8), (24, 6), (46, 40), (41, 44)]),
        shapely.Polygon([(52, 50), (88, 62), (84, 70), (58, 60), (50, 84), (42, 82)]),
        shapely.Polygon([(60, 18), (82, 26), (66, 42)]),
        shapely.Polygon([(10, 50), (30, 56), (24, 76), (12, 70)]),
        shapely.Polygon([(70, 78), (84, 80), (78, 92)]),
    ]


def shortest(obstacles: list, start=START, goal=GOAL) -> float:
    """Length of the shortest path among polygons, metres: Dijkstra on the visibility graph."""
    import networkx
    import shapely

    corners = np.concatenate(
        [
            np.array([start, goal]),
            *(shapely.get_coordinates(one.exterior)[:-1] for one in obstacles),
        ]
    )
    solid = shapely.union_all(obstacles)
    pairs = np.array(list(itertools.combinations(range(len(corners)), 2)))
    lines = shapely.linestrings(corners[pairs])
    # a line may run along a border and touch corners, but not through the inside
    free = ~shapely.relate_pattern(lines, solid, "T********")
    graph = networkx.Graph()
    lengths = shapely.length(lines)
    for (u, v), length in zip(pairs[free], lengths[free], strict=True):
        graph.add_edge(int(u), int(v), weight=float(length))
    return float(networkx.dijkstra_path_length(graph, 0, 1))


def excess(n_samples: int, seed: int) -> list[dict]:
    """Rows for before and after a change: how much longer than the optimum, in per cent."""
    import shapely

    obstacles = polygons()
    world = PolygonWorld(BOUNDS)
    ids = [world.add(one) for one in obstacles]
    planner = FMTx(world, Roadmap.sample(world, n_samples, seed))
    planner.set_goal(GOAL)
    rows = []
    for phase in ("before", "after"):
        if phase == "after":
            obstacles[0] = shapely.affinity.translate(obstacles[0], 10.0, -4.0)
            world.move(ids[0], obstacles[0])
        began = time.perf_counter()
        path = planner.plan(START)
        spent = time.perf_counter() - began
        best = shortest(obstacles)
        smoothed = smooth(path, world) if path.solved else path
        rows.append(
            {
                "n": n_samples,
                "seed": seed,
                "phase": phase,
                "optimum": best,
                "cost": path.cost,
                "excess_percent": 100.0 * (path.cost / best - 1.0),
                "smoothed_percent": 100.0 * (smoothed.cost / best - 1.0),
                "ms": 1e3 * spent,
            }
        )
    return rows


def rate(rows: list[dict], phase: str) -> float:
    """Exponent of n in the mean excess, fitted by least squares in the logarithms."""
    sizes = sorted({row["n"] for row in rows})
    means = [mean(rows, n, phase, "excess_percent") for n in sizes]
    return float(np.polyfit(np.log(sizes), np.log(means), 1)[0])


def mean(rows: list[dict], n: int, phase: str, field: str) -> float:
    """Mean of a field over the seeds."""
    return float(np.mean([row[field] for row in rows if row["n"] == n and row["phase"] == phase]))


def draw(rows: list[dict], file: Path) -> None:
    """Excess against the number of samples, both axes logarithmic, with the fitted lines."""
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots(figsize=(6.4, 4.2), layout="constrained")
    sizes: NDArray = np.array(sorted({row["n"] for row in rows}))
    for phase, color in (("before", "#3b6ea5"), ("after", "#c8102e")):
        found = [row for row in rows if row["phase"] == phase]
        ax.scatter(
            [row["n"] for row in found],
            [row["excess_percent"] for row in found],
            14,
            color,
            alpha=0.4,
        )
        means = [mean(rows, n, phase, "excess_percent") for n in sizes]
        slope = rate(rows, phase)
        line = np.exp(np.mean(np.log(means)) + slope * (np.log(sizes) - np.mean(np.log(sizes))))
        ax.plot(sizes, line, color=color, label=f"{phase} the change: n^{slope:.2f}")
    ax.set(xscale="log", yscale="log", xlabel="samples n", ylabel="above the optimum (%)")
    ax.grid(alpha=0.3, which="both")
    ax.legend(frameon=False)
    figure.savefig(file, dpi=110)
    plt.close(figure)


def main(arguments: list[str]) -> None:
    """Measure, print and write table, CSV and plot."""
    parser = argparse.ArgumentParser(prog="python -m experiments optimality", description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("output/optimality"))
    parser.add_argument("--quick", action="store_true", help="up to 10000 samples, two seeds")
    options = parser.parse_args(arguments)
    options.output.mkdir(parents=True, exist_ok=True)
    sizes, seeds = (SIZES[:3], range(2)) if options.quick else (SIZES, range(5))
    rows = [row for n in sizes for seed in seeds for row in excess(n, seed)]
    header = ("samples", "world", "optimum (m)", "cost (m)", "above (%)", "smoothed, above (%)")
    cells = [
        [
            f"{n}",
            f"{phase} the change",
            *(f"{mean(rows, n, phase, field):.2f}" for field in ("optimum", "cost")),
            *(
                f"{mean(rows, n, phase, field):.3f}"
                for field in ("excess_percent", "smoothed_percent")
            ),
        ]
        for n in sizes
        for phase in ("before", "after")
    ]
    claims = [
        f"Fitted rate {phase} the change: n^{rate(rows, phase):.2f}"
        for phase in ("before", "after")
    ]
    converging = all(
        mean(rows, sizes[-1], phase, "excess_percent")
        < 0.5 * mean(rows, sizes[0], phase, "excess_percent")
        for phase in ("before", "after")
    )
    claims.append(f"Claim: the excess falls by more than half, repaired or not: {converging}")
    text = ["# Asymptotic optimality", "", f"{versions()}; means of {len(seeds)} seeds.", ""]
    text += [*table(header, cells), "", *(f"* {claim}" for claim in claims), ""]
    text += ["![Excess against samples](../images/optimality.png)", ""]
    print("\n".join(text))
    names = list(rows[0])
    csv = [",".join(names), *(",".join(str(row[name]) for name in names) for row in rows)]
    (options.output / "optimality.csv").write_text("\n".join([*csv, ""]), encoding="utf-8")
    (options.output / "optimality.md").write_text("\n".join(text), encoding="utf-8")
    draw(rows, options.output / "optimality.png")
