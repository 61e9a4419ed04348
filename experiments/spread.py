"""How much a claim's value depends on the draw: the paper's random data are not ours.

``python -m experiments spread`` repeats, on data drawn with twenty (five) other seeds, the runs of
those claims whose value is read off a plot and differs here; ``--publish`` copies the table to
``docs/results``. Figure 6, D: where the hundred labels lie decides. Figure 8, A: what "random"
blocks reach, with fixed blocks of each partition and with variable blocks.
"""

from __future__ import annotations

import argparse
import csv
import shutil
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import joblib
import numpy as np
import scipy.sparse.linalg
from threadpoolctl import threadpool_limits

from bcd import minimize
from experiments.paper.settings import ITERATIONS
from graphs import lattice_combs
from problems.datasets import dataset_a, dataset_d

DOCS = Path(__file__).parent.parent / "docs" / "results"
SIDE = 50
Row = tuple[str, str, int, float]  # claim, method, seed, F - F* at iteration 500

TEXT = """# What claims depend on

`F - F*` after {iterations} iterations on data made anew with other seeds, beside the value that is
read off the paper's plot.

| claim | method | the paper | least | median | largest | draws within ten times the paper's |
| --- | --- | --- | --- | --- | --- | --- |
"""
PAPER = {"figure 6, D": 1e-5, "figure 8, A, 100 a block": 1e5}


def forests(seed: int) -> list[Row]:
    """Greedy forest and the two combs on data set D with other labels."""
    problem = dataset_d(SIDE, random_state=seed)
    factor = scipy.sparse.linalg.splu(problem.Q.tocsc())
    best = factor.solve(problem.q)
    best += factor.solve(-problem.gradient(best))
    label = lattice_combs(SIDE, SIDE)[problem.vertices]
    combs = [np.flatnonzero(label == b) for b in (0, 1)]
    rules: dict[str, dict] = {
        "greedy forest": {"partition": "variable", "selection": "greedy-forest"},
        "two combs": {"partition": combs, "selection": "gs"},
    }
    rows = []
    for name, rule in rules.items():
        x = minimize(problem, update="message-passing", tol=0.0, max_iter=ITERATIONS, **rule).x
        gap = 0.5 * float((x - best) @ (problem.Q @ (x - best)))
        rows.append(("figure 6, D", name, seed, gap))
    return rows


def random_blocks(seed: int) -> list[Row]:
    """Random selection with gradient updates on data set A, 100 coordinates a block; F* is 0."""
    problem = dataset_a(random_state=seed)
    rows = []
    for partition in ("sorted", "averaged", "order", "random", "variable"):
        result = minimize(
            problem,
            partition=partition,
            selection="random",
            update="gradient",
            block_size=100,
            tol=0.0,
            max_iter=ITERATIONS,
            random_state=seed,
        )
        rows.append(("figure 8, A, 100 a block", f"random, {partition}", seed, result.fun))
    return rows


def quietly(measure: Callable[[int], list[Row]], seed: int) -> list[Row]:
    """Measure in one thread of BLAS; that a run with ``tol=0`` does not converge is no news."""
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return measure(seed)


def lines(rows: list[Row]) -> Iterator[str]:
    """Lines of the table."""
    for claim, method in dict.fromkeys(row[:2] for row in rows):
        gaps = np.array([row[3] for row in rows if row[:2] == (claim, method)])
        paper = PAPER[claim]
        near = np.count_nonzero((gaps <= 10.0 * paper) & (gaps >= 0.1 * paper))
        yield (
            f"| {claim} | {method} | {paper:.0e} | {gaps.min():.1e} | {np.median(gaps):.1e} "
            f"| {gaps.max():.1e} | {near} of {len(gaps)} |"
        )


def main(arguments: list[str]) -> None:
    """Measure, print and write the table."""
    parser = argparse.ArgumentParser(prog="python -m experiments spread", description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("output/spread"))
    parser.add_argument("--jobs", type=int, default=2, help="processes beside each other")
    parser.add_argument("--publish", action="store_true", help="copy the table to docs/results")
    options = parser.parse_args(arguments)
    work = [(forests, seed) for seed in range(20)] + [(random_blocks, seed) for seed in range(5)]
    parts = joblib.Parallel(n_jobs=options.jobs)(joblib.delayed(quietly)(*one) for one in work)
    rows = [row for part in parts for row in part]
    options.output.mkdir(parents=True, exist_ok=True)
    with (options.output / "spread.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["claim", "method", "seed", "gap"])
        writer.writerows(rows)
    text = TEXT.format(iterations=ITERATIONS) + "\n".join(lines(rows)) + "\n"
    (options.output / "claim_spread.md").write_text(text)
    print(text)
    if options.publish:
        shutil.copy(options.output / "claim_spread.md", DOCS / "claim_spread.md")
