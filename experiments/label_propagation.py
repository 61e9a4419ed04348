"""Label propagation on graphs, raced: time to a relative suboptimality, and peak memory.

``python -m experiments label_propagation [--quick] [--cells NAME ...] [--publish]`` writes
``output/label_propagation/label_propagation.csv`` after every cell and ``.md`` and ``.png`` at the
end; rows of cells that are not run again are kept, so that a long race can be run cell by cell.
Graphs that are slow to build are kept in ``output/label_propagation/cells``. Each solver runs in a
process of its own on the same reduced system, with ever tighter tolerance; its best time a level
counts. Set ``OMP_NUM_THREADS=1`` to keep threads out of it.
"""

from __future__ import annotations

import argparse
import csv
import multiprocessing
import resource
import shutil
import statistics
import time
import warnings
from pathlib import Path

import numpy as np

from bcd import solve_graph_system
from experiments import label_propagation_tables as tables
from experiments.label_propagation_cells import CELLS, SMALL, make_cell, tree
from experiments.label_propagation_peers import LEVELS, SOLVERS

BUDGET_S = 10.0
REPEATS = 5
HEADER = ("graph", "unknowns", "solver", "level", "ms", "peak_mb")
DOCS = Path(__file__).parent.parent / "docs"


def _serve(solver: str, Q, q, connection) -> None:
    warnings.simplefilter("ignore")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begin = time.perf_counter()
    for call in SOLVERS[solver](Q, q):
        times: list[float] = []
        while len(times) < REPEATS:
            start = time.perf_counter()
            x = call()
            times.append(time.perf_counter() - start)
            if time.perf_counter() - begin > BUDGET_S / 2:
                break
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        connection.send((statistics.median(times), memory / 1024, x))
        if sum(times) / len(times) > BUDGET_S - (time.perf_counter() - begin):
            break
    connection.send(None)


def run(solver: str, Q, q, best: np.ndarray) -> dict[float, tuple[float, float]]:
    """Return milliseconds and peak megabytes above the start for each level reached in time."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_serve, args=(solver, Q, q, theirs), daemon=True)
    process.start()
    theirs.close()
    reached: dict[float, tuple[float, float]] = {}
    scale = float(best @ (Q @ best))
    deadline = time.perf_counter() + BUDGET_S
    try:
        while ours.poll(max(deadline - time.perf_counter(), 0.0)):
            answer = ours.recv()
            if answer is None:
                break
            seconds, megabytes, x = answer
            off = float((x - best) @ (Q @ (x - best))) / scale
            for level in LEVELS:
                if off <= level and 1e3 * seconds < reached.get(level, (np.inf, 0.0))[0]:
                    reached[level] = (1e3 * seconds, megabytes)
            if min(LEVELS) in reached:
                break  # tighter ones only take longer
    except EOFError:
        print(f"{solver}: left out, it is not installed or it died")
    ours.close()  # what still waits to be read is not waited for
    process.kill()
    process.join()
    return reached


def main(arguments: list[str]) -> None:
    """Race, print and write."""
    parser = argparse.ArgumentParser(prog="python -m experiments label_propagation")
    parser.add_argument("--output", type=Path, default=Path("output/label_propagation"))
    parser.add_argument("--quick", action="store_true", help="small cells and graphs only")
    parser.add_argument("--cells", nargs="*", choices=list(CELLS), default=None)
    parser.add_argument("--publish", action="store_true", help="copy the page into docs/results")
    options = parser.parse_args(arguments)
    names = (SMALL if options.quick else list(CELLS)) if options.cells is None else options.cells
    options.output.mkdir(parents=True, exist_ok=True)
    file, kept = options.output / "label_propagation.csv", options.output / "cells"
    rows = [row for row in _read(file) if row[0] not in names]
    warm_up()
    for name in names:
        Q, q = make_cell(name, kept)
        best = solve_graph_system(Q, q, tol=1e-15).x
        off = np.linalg.norm(q - Q @ best) / np.linalg.norm(q)
        print(f"{name}: reference with a relative residual of {off:.1e}", flush=True)
        for solver in SOLVERS:
            reached = run(solver, Q, q, best)
            pairs = [reached.get(level, ("", "")) for level in LEVELS]
            rows += [
                (name, len(q), solver, level, *pair)
                for level, pair in zip(LEVELS, pairs, strict=True)
            ]
        with file.open("w", newline="") as opened:
            writer = csv.writer(opened)
            writer.writerow(HEADER)
            writer.writerows(rows)
        lines = tables.race_rows(rows)
        print("\n".join(line for line in lines if line.startswith(f"| {name}")), flush=True)
    size, n_edges = (20_000, 200_000) if options.quick else (1_000_000, 10_000_000)
    forest = tree(size) if options.quick else make_cell("random tree 1e6", kept)
    extra = ["## Beside scikit-learn's estimators", "", *tables.digits_rows(), ""]
    extra += [*tables.moons_rows(2000 if options.quick else 100_000), "", "## Forests", ""]
    extra += [*tables.forest_rows(forest, size, n_edges), "", tables.first_call()]
    command = " ".join(["OMP_NUM_THREADS=1 python -m experiments label_propagation", *arguments])
    text = tables.page(rows, extra, command, BUDGET_S, "../images/label_propagation.png")
    (options.output / "label_propagation.md").write_text(text)
    tables.draw(rows, options.output / "label_propagation.png")
    print("\n".join([*tables.ratio_rows(rows), "", *extra]))
    if options.publish:
        shutil.copy(options.output / "label_propagation.md", DOCS / "results")
        shutil.copy(options.output / "label_propagation.png", DOCS / "images")


def _read(file: Path) -> list[tuple]:
    if not file.exists():
        return []
    with file.open(newline="") as opened:
        return [tuple(row) for row in csv.reader(opened)][1:]


def warm_up() -> None:
    """Compile every kernel of the race before any clock runs."""
    for solver in ("sweep", "multigrid", "auto"):
        solve_graph_system(*make_cell("two moons"), solver=solver, tol=1e-6)
    solve_graph_system(*tree(1000))
    tables.forest_rows(tree(1000), 100, 300)
