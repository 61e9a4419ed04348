"""What an iteration costs: the paper's own in numpy, the engine's, a scan and a heap.

``python -m experiments rule_costs`` writes ``output/rule_costs/rule_costs.csv`` and ``.md``; with
``--publish`` the table is copied to ``docs/results``. An iteration's time is the slope between a
short and a long run, so that what is done once (L_i, row sums, copies of A) is told apart: it is in
the column of the start. Medians of runs that take turns; BLAS in one thread for all.
"""

from __future__ import annotations

import argparse
import csv
import shutil
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

DOCS = Path(__file__).parent.parent / "docs" / "results"
YARDSTICK = """# Time of an iteration

The yardstick is the paper's own iteration in numpy. Each time it computes the whole gradient
`A.T @ (A @ x - y)`, divides its squares by the diagonal D of gsl for variable blocks, sorts all
scores (`argsort`), forms `A_b.T @ A_b` of the best b columns, and moves the block by
`-H_b^-1 g_b`. It is run on the dense array that the paper's recipe makes, zeros and all, and on the
same A in `scipy.sparse`. The engine makes the same iterations: the objectives reached agree.
What it does otherwise: A is walked with columns side by side, the best b scores are kept in one
scan (or in an indexed heap), and H_b is formed by rows.

Ratios are to the first and, on A, to the second method of the same problem.

"""
ITERATIONS = 100
SHORT = 0.2  # of a run's iterations, in the run that its start is told apart with
Runs = dict[str, Callable[[int], float]]  # iterations to the objective reached
Row = tuple[str, str, float, float, float]


def numpy_iterations(A, y, size: int, n_iter: int) -> float:
    """Make the paper's iterations with gsl and variable blocks; the objective reached.

    Each computes the gradient in full, sorts all scores and forms ``A_b'A_b``.
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


def interleaved(runs: Runs, n_iter: int, repeats: int) -> dict[str, tuple[float, float, float]]:
    """Seconds an iteration, seconds of the start and objective reached, by run.

    Both seconds are from medians of a short and a long run; the first call of each is left out.
    """
    lengths = (max(round(SHORT * n_iter), 1), n_iter)
    reached = {name: run(n_iter) for name, run in runs.items()}
    times: dict[tuple[str, int], list[float]] = {}
    for _ in range(repeats):
        for name, run in runs.items():
            for length in lengths:
                began = time.perf_counter()
                run(length)
                times.setdefault((name, length), []).append(time.perf_counter() - began)
    rows = {}
    for name in runs:
        short, long = (statistics.median(times[name, length]) for length in lengths)
        cost = (long - short) / (lengths[1] - lengths[0])
        rows[name] = (cost, short - lengths[0] * cost, reached[name])
    return rows


def numpy_run(problem, size: int) -> Callable[[int], float]:
    """Return the paper's iterations on a problem, as a function of their number."""
    return lambda n_iter: numpy_iterations(problem.A, problem.y, size, n_iter)


def engine_run(problem, size: int, **rules) -> Callable[[int], float]:
    """Return the engine's iterations on a problem, as a function of their number."""
    return lambda n_iter: engine_iterations(problem, size, n_iter, **rules)


def measure(repeats: int, quick: bool) -> list[Row]:
    """Rows of (problem, method, microseconds an iteration, of the start, objective reached)."""
    n_features, size = (2000, 20) if quick else (10_000, 50)
    problem = dataset_a(1000, n_features)
    given_dense = LeastSquares(problem.A.toarray(), problem.y)
    rng = np.random.default_rng(0)
    full = LeastSquares(rng.standard_normal((1000, n_features)), problem.y)
    shape = f"1000 x {n_features}, |b| = {size}"
    runs: Runs = {
        "paper's iteration, numpy, dense A": numpy_run(given_dense, size),
        "paper's iteration, scipy.sparse A": numpy_run(problem, size),
        "engine, top-k scan": engine_run(problem, size, heap=False),
        "engine, heap": engine_run(problem, size, heap=True),
        "engine, A given dense": engine_run(given_dense, size),
    }
    cases = [(f"A, {shape}", ITERATIONS, runs)]
    runs = {
        "paper's iteration, numpy": numpy_run(full, size),
        "engine": engine_run(full, size),
    }
    cases.append((f"no zeros, {shape}", ITERATIONS // 2, runs))
    for side in (50,) if quick else (50, 300):
        lattice = dataset_d(side, n_labelled=side)
        for block in (1, 5):
            runs = {
                "engine, top-k scan": engine_run(lattice, block, heap=False, selection="gs"),
                "engine, heap": engine_run(lattice, block, heap=True, selection="gs"),
            }
            name = f"lattice {side} x {side}, |b| = {block}"
            cases.append((name, 20 * ITERATIONS, runs))
    return [
        (name, method, 1e6 * cost, 1e6 * start, reached)
        for name, n_iter, runs in cases
        for method, (cost, start, reached) in interleaved(runs, n_iter, repeats).items()
    ]


def table(rows: list[Row], repeats: int) -> list[str]:
    """Lines of the table, with ratios to the first two methods of each problem."""
    lines = ["| problem | method | µs an iteration | ratios | ms to start | objective |"]
    lines += ["| --- | --- | --- | --- | --- | --- |"]
    for name, method, cost, start, reached in rows:
        costs = [row[2] for row in rows if row[0] == name]
        yardsticks = costs[:2] if name.startswith("A,") else costs[:1]
        ratios = ", ".join(f"{yardstick / cost:.1f}" for yardstick in yardsticks)
        lines.append(
            f"| {name.replace('|b|', 'b')} | {method} | {cost:.1f} | {ratios} "
            f"| {max(start, 0.0) / 1e3:.1f} | {reached:.6g} |"
        )
    return [*lines, "", f"Medians of {repeats}, BLAS in one thread; {versions()}.", ""]


def main(arguments: list[str]) -> None:
    """Measure, print and write the table."""
    parser = argparse.ArgumentParser(prog="python -m experiments rule_costs", description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("output/rule_costs"))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--publish", action="store_true", help="copy the table to docs/results")
    parser.add_argument("--quick", action="store_true", help="smaller problems")
    options = parser.parse_args(arguments)
    with threadpool_limits(1):
        rows = measure(options.repeats, options.quick)
    options.output.mkdir(parents=True, exist_ok=True)
    with (options.output / "rule_costs.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["problem", "method", "us_per_iteration", "us_start", "objective"])
        writer.writerows(rows)
    text = YARDSTICK + "\n".join(table(rows, options.repeats))
    (options.output / "rule_costs.md").write_text(text)
    print(text)
    if options.publish:
        shutil.copy(options.output / "rule_costs.md", DOCS / "rule_costs.md")
