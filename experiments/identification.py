"""When the active set is found: the theory's bound beside what greedy and random selection need.

``python -m experiments identification`` writes ``output/identification/identification.csv``,
``.md`` and ``.png``. Least squares with l1 and with x >= 0, more samples than unknowns (the bound
needs strong convexity), proximal gradient updates of variable blocks, five seeds.
"""

from __future__ import annotations

import argparse
import csv
import statistics
from pathlib import Path

import numpy as np

from bcd import active_set_complexity, minimize
from problems import L1, LeastSquares, NonNegative, Penalty

N_SAMPLES, N_FEATURES, MAX_ITER = 400, 100, 20_000


def problem(penalty: Penalty, seed: int) -> LeastSquares:
    """Return a well-posed regression of which a tenth of the features matter."""
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((N_SAMPLES, N_FEATURES)) + 0.2
    w = np.where(rng.random(N_FEATURES) < 0.1, rng.standard_normal(N_FEATURES), 0.0)
    return LeastSquares(A, A @ w + rng.standard_normal(N_SAMPLES), penalty)


def measure(seeds: range) -> list[tuple]:
    """Rows of (penalty, block size, seed, margin, bound, greedy, random)."""
    rows = []
    for name, penalty in (("l1", L1(60.0)), ("nonnegative with l1", NonNegative(60.0))):
        for seed in seeds:
            instance = problem(penalty, seed)
            best = minimize(instance, selection="gs-q", update="prox-newton", tol=1e-15).x
            for size in (1, 5, 20):
                bound = active_set_complexity(instance, best, block_size=size)
                found = [
                    minimize(
                        instance,
                        selection=selection,
                        update="prox-gradient",
                        block_size=size,
                        tol=0.0,
                        max_iter=MAX_ITER,
                        random_state=seed,
                    ).identified_at
                    for selection in ("gs-q", "random")
                ]
                rows.append((name, size, seed, bound.margin, bound.iterations, *found))
    return rows


def draw(rows: list[tuple], file: Path) -> None:
    """Draw the bound and what was measured against the block size, every seed a point."""
    import matplotlib.pyplot as plt

    names = list(dict.fromkeys(row[0] for row in rows))
    page, axes = plt.subplots(1, len(names), figsize=(7.2, 3.4), layout="constrained", sharey=True)
    columns = (("the paper's bound", 4, "_"), ("greedy (gs-q)", 5, "o"), ("random", 6, "x"))
    for axis, name in zip(axes, names, strict=True):
        for place, (label, column, marker) in enumerate(columns):
            points = [(row[1] * (0.9 + 0.1 * place), row[column]) for row in rows if row[0] == name]
            axis.loglog(*zip(*points, strict=True), marker, label=label, markersize=6)
        sizes = sorted({row[1] for row in rows})
        axis.set_xticks(sizes, [str(size) for size in sizes])
        axis.minorticks_off()
        axis.set_title(name, fontsize=10)
        axis.set_xlabel("block size")
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("iterations to the active set")
    axes[0].legend(fontsize=8)
    page.savefig(file, dpi=110)
    plt.close(page)


def main(arguments: list[str]) -> None:
    """Measure, print and write the table."""
    parser = argparse.ArgumentParser(
        prog="python -m experiments identification", description=__doc__
    )
    parser.add_argument("--output", type=Path, default=Path("output/identification"))
    options = parser.parse_args(arguments)
    rows = measure(range(5))
    options.output.mkdir(parents=True, exist_ok=True)
    with (options.output / "identification.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["penalty", "block_size", "seed", "margin", "bound", "greedy", "random"])
        writer.writerows(rows)
    table = ["| penalty | block size | bound | greedy (gs-q) | random |"]
    table += ["| --- | --- | --- | --- | --- |"]
    for name, size in dict.fromkeys((row[0], row[1]) for row in rows):
        columns = zip(*[row[4:] for row in rows if row[:2] == (name, size)], strict=True)
        bound, greedy, random = (statistics.median(column) for column in columns)
        table.append(f"| {name} | {size} | {bound:.0f} | {greedy:.0f} | {random:.0f} |")
    table += ["", "Iterations until the active set stood still, medians of five seeds.", ""]
    table += ["![The bound, greedy and random selection](../images/identification.png)", ""]
    (options.output / "identification.md").write_text("\n".join(table))
    draw(rows, options.output / "identification.png")
    print("\n".join(table))
