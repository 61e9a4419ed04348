"""What an iteration costs: the paper's own in numpy, the engine's, a scan and a heap.

``python -m experiments rule_costs`` writes ``output/rule_costs/rule_costs.csv`` and ``.md``. The
paper's iteration computes the full gradient, sorts it and solves the block, in plain numpy. Medians
of runs that take turns; BLAS in one thread for all.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import scipy.sparse
from threadpoolctl import threadpool_limits

from bcd import minimize
from experiments.race_report import versions
from problems import LeastSquares
from problems.datasets import dataset_a, dataset_d

ITERATIONS = 100
Runs = dict[str, Callable[[], float]]


def numpy_iterations(A, y, size: int, n_iter: int) -> float:
    """Make the paper's iterations with gsl, variable blocks, matrix update; the objective reached.

    Each computes the gradient in full, sorts all scores and solves with ``A_b'A_b``.
    """
    x = np.zeros(A.shape[1])
    diagonal = np.asarray(abs(A).T @ (abs(A) @ np.ones(A.shape[1])))
    for _ in range(n_iter):
        gradient = A.T @ (A @ x - y)
        block = np.argsort(-(gradient**2) / diagonal)[:size]
        part = A[:, block]
        gram = part.T @ part
        if scipy.sparse.issparse(gram):
            gram = gram.toarray()
        x[block] -= np.linalg.solve(gram, gradient[block])
    residual = A @ x - y
    return 0.5 * float(residual @ residual)


def engine_iterations(problem, size: int, n_iter: int, **rules) -> float:
    """Make the same iterations with the engine."""
    rules = {"selection": "gsl", "update": "matrix"} | rules
    return minimize(problem, block_size=size, tol=0.0, max_iter=n_iter, **rules).fun


def interleaved(runs: Runs, repeats: int) -> dict[str, tuple[float, float]]:
    """Median seconds of each run and what it reached; the first call of each is left out."""
    reached = {name: run() for name, run in runs.items()}
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(repeats):
        for name, run in runs.items():
            began = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - began)
    return {name: (statistics.median(times[name]), reached[name]) for name in runs}


def scan_and_heap(problem, size: int, n_iter: int) -> Runs:
    """Return the same run with scores scanned and with scores in the indexed heap."""

    def with_heap(heap: bool) -> Callable[[], float]:
        return lambda: engine_iterations(problem, size, n_iter, heap=heap, selection="gs")

    return {"engine, top-k scan": with_heap(False), "engine, heap": with_heap(True)}


def measure(repeats: int, quick: bool) -> list[tuple[str, str, float, float]]:
    """Rows of (problem, method, microseconds an iteration, objective reached)."""
    rows = []
    n_features, size = (2000, 20) if quick else (10_000, 50)
    problem = dataset_a(1000, n_features)
    A = problem.A
    dense = LeastSquares(A.toarray(), problem.y)
    few = max(ITERATIONS // 5, 1)
    cases: list[tuple[str, int, Runs]] = [
        (
            f"A, 1000 x {n_features} sparse, |b| = {size}",
            few,
            {
                "the paper's iteration in numpy": lambda: numpy_iterations(A, problem.y, size, few),
                "engine, top-k scan": lambda: engine_iterations(problem, size, few, heap=False),
                "engine, heap": lambda: engine_iterations(problem, size, few, heap=True),
            },
        ),
        (
            f"A, 1000 x {n_features} dense, |b| = {size}",
            few,
            {
                "the paper's iteration in numpy": lambda: numpy_iterations(
                    dense.A, dense.y, size, few
                ),
                "engine, top-k scan": lambda: engine_iterations(dense, size, few),
            },
        ),
    ]
    for side in (50,) if quick else (50, 300):
        lattice = dataset_d(side, n_labelled=side)
        for block in (1, 5):
            name = f"lattice {side} x {side}, |b| = {block}"
            cases.append((name, 20 * ITERATIONS, scan_and_heap(lattice, block, 20 * ITERATIONS)))
    for name, n_iter, runs in cases:
        for method, (seconds, reached) in interleaved(runs, repeats).items():
            rows.append((name, method, 1e6 * seconds / n_iter, reached))
    return rows


def main(arguments: list[str]) -> None:
    """Measure, print and write the table."""
    parser = argparse.ArgumentParser(prog="python -m experiments rule_costs", description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("output/rule_costs"))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="smaller problems")
    options = parser.parse_args(arguments)
    with threadpool_limits(1):
        rows = measure(options.repeats, options.quick)
    options.output.mkdir(parents=True, exist_ok=True)
    with (options.output / "rule_costs.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["problem", "method", "microseconds_per_iteration", "objective"])
        writer.writerows(rows)
    table = ["| problem | method | µs an iteration | ratio to the first | objective reached |"]
    table += ["| --- | --- | --- | --- | --- |"]
    first: dict[str, float] = {}
    for name, method, cost, reached in rows:
        first.setdefault(name, cost)
        shown = name.replace("|b|", "b")
        table.append(
            f"| {shown} | {method} | {cost:.1f} | {first[name] / cost:.1f} | {reached:.6g} |"
        )
    table += ["", f"Medians of {options.repeats}, BLAS in one thread; {versions()}.", ""]
    (options.output / "rule_costs.md").write_text("\n".join(table))
    print("\n".join(table))
