"""Label propagation on graphs, raced: time to a relative suboptimality, and peak memory.

``python -m experiments label_propagation [--quick] [--cells NAME ...]`` writes
``output/label_propagation/label_propagation.csv`` and ``.md`` after every cell; rows of cells that
are not run again are kept, so that a long race can be run cell by cell. Each solver runs in a
process of its own on the same reduced system, with ever tighter tolerance; its best time a level
counts. Set ``OMP_NUM_THREADS=1`` to keep threads out of it.
"""

from __future__ import annotations

import argparse
import csv
import importlib.metadata
import multiprocessing
import os
import platform
import resource
import statistics
import time
import warnings
from pathlib import Path

import numpy as np

from bcd import LabelPropagation, solve_graph_system
from experiments.label_propagation_cells import CELLS, SMALL, make_cell, tree

LEVELS = (1e-3, 1e-6, 1e-9)
BUDGET_S = 25.0
TOLERANCES = (1e-1, 3e-2, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)


def southwell(Q, q):
    """Ours, at each level's own tolerance and at looser ones."""
    for tol in (1e-1, 1e-2, *LEVELS):
        yield lambda tol=tol: solve_graph_system(Q, q, tol=tol).x


def jacobi_cg(Q, q):
    """Scipy's conjugate gradients under the diagonal."""
    import scipy.sparse as sp
    from scipy.sparse.linalg import cg

    for tol in TOLERANCES:
        yield lambda tol=tol: cg(Q, q, rtol=tol, M=sp.diags_array(1.0 / Q.diagonal()))[0]


def spsolve(Q, q):
    """Scipy's SuperLU."""
    from scipy.sparse import csc_matrix
    from scipy.sparse.linalg import spsolve

    yield lambda: spsolve(csc_matrix(Q), q)


def cholmod(Q, q):
    """CHOLMOD through scikit-sparse."""
    from scipy.sparse import csc_matrix
    from sksparse.cholmod import cholesky

    yield lambda: cholesky(csc_matrix(Q))(q)


def pyamg(Q, q):
    """Ruge-Stueben multigrid under conjugate gradients, the set-up included."""
    from pyamg import ruge_stuben_solver
    from scipy.sparse import csr_matrix

    for tol in (1e-1, 1e-2, 1e-4):
        yield lambda tol=tol: ruge_stuben_solver(csr_matrix(Q)).solve(q, tol=tol, accel="cg")


def pardiso(Q, q):
    """Intel's PARDISO through pypardiso, its factor not kept between calls."""
    from pypardiso import PyPardisoSolver
    from scipy.sparse import csr_matrix

    def solve():
        solver = PyPardisoSolver()
        x = solver.solve(csr_matrix(Q), q)
        solver.free_memory(everything=True)
        return x

    yield solve


SOLVERS = {f.__name__: f for f in (southwell, jacobi_cg, cholmod, pardiso, pyamg, spsolve)}


def _serve(solver: str, Q, q, repeats: int, connection) -> None:
    warnings.simplefilter("ignore")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begin = time.perf_counter()
    for call in SOLVERS[solver](Q, q):
        times = []
        for _ in range(repeats):
            start = time.perf_counter()
            x = call()
            times.append(time.perf_counter() - start)
            if time.perf_counter() - begin > BUDGET_S / 2:
                break
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        connection.send((statistics.median(times), memory / 1024, x))
    connection.send(None)


def run(solver: str, Q, q, best: np.ndarray, repeats: int) -> dict[float, tuple[float, float]]:
    """Return milliseconds and peak megabytes above the start for each level reached in time."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_serve, args=(solver, Q, q, repeats, theirs))
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
    except EOFError:
        print(f"{solver}: left out, it is not installed or it died")
    process.terminate()
    process.join()
    return reached


def digits_rows(repeats: int = 3) -> list[str]:
    """Accuracy and time beside scikit-learn on its digits, 5 of 100 labelled."""
    from sklearn.datasets import load_digits
    from sklearn.semi_supervised import LabelSpreading

    X, y = load_digits(return_X_y=True)
    partial = np.full(len(y), -1)
    chosen = np.random.default_rng(0).choice(len(y), 90, replace=False)
    partial[chosen] = y[chosen]
    hidden = partial == -1
    rows = ["| digits, 90 of 1797 labelled | ms | accuracy |", "| --- | --- | --- |"]
    models = {
        "southwell": LabelPropagation(),
        "LabelSpreading, knn": LabelSpreading(kernel="knn", n_neighbors=10),
        "LabelSpreading, rbf": LabelSpreading(kernel="rbf", gamma=0.01),
    }
    for name, model in models.items():
        model.fit(X, partial)
        times = []
        for _ in range(repeats):
            start = time.perf_counter()
            model.fit(X, partial)
            times.append(1e3 * (time.perf_counter() - start))
        accuracy = (model.transduction_[hidden] == y[hidden]).mean()
        rows.append(f"| {name} | {statistics.median(times):.1f} | {accuracy:.4f} |")
    return rows


def main(arguments: list[str]) -> None:
    """Race, print and write."""
    parser = argparse.ArgumentParser(prog="python -m experiments label_propagation")
    parser.add_argument("--output", type=Path, default=Path("output/label_propagation"))
    parser.add_argument("--quick", action="store_true", help="small cells only")
    parser.add_argument("--cells", nargs="*", choices=list(CELLS), default=None)
    options = parser.parse_args(arguments)
    names = options.cells or (SMALL if options.quick else list(CELLS))
    options.output.mkdir(parents=True, exist_ok=True)
    file = options.output / "label_propagation.csv"
    rows = [row for row in _read(file) if row[0] not in names]
    warm_up()
    for name in names:
        Q, q = make_cell(name)
        best = solve_graph_system(Q, q, tol=1e-15).x
        off = np.linalg.norm(q - Q @ best) / np.linalg.norm(q)
        print(f"{name}: reference with a relative residual of {off:.1e}", flush=True)
        for solver in SOLVERS:
            reached = run(solver, Q, q, best, 5 if len(q) < 200_000 else 1)
            pairs = [reached.get(level, ("", "")) for level in LEVELS]
            rows += [
                (name, len(q), solver, level, *pair)
                for level, pair in zip(LEVELS, pairs, strict=True)
            ]
        with file.open("w", newline="") as opened:
            writer = csv.writer(opened)
            writer.writerow(HEADER)
            writer.writerows(rows)
        table = [*report(rows), "", *digits_rows(), "", _machine()]
        (options.output / "label_propagation.md").write_text("\n".join([*table, ""]))
        print("\n".join(line for line in table if line.startswith(f"| {name}")), flush=True)
    print("\n".join(table[-6:]))


HEADER = ("graph", "unknowns", "solver", "level", "ms", "peak_mb")


def _read(file: Path) -> list[tuple]:
    if not file.exists():
        return []
    with file.open(newline="") as opened:
        return [tuple(row) for row in csv.reader(opened)][1:]


def report(rows: list[tuple]) -> list[str]:
    """One line a graph and solver, graphs in the order of the race."""
    table = ["| graph | solver | ms to 1e-3 / 1e-6 / 1e-9 | peak MB |", "| --- | --- | --- | --- |"]
    keys = list(dict.fromkeys((row[0], row[1], row[2]) for row in rows))
    for name, n, solver in sorted(keys, key=lambda key: list(CELLS).index(key[0])):
        own = [row for row in rows if row[0] == name and row[2] == solver]
        times = " / ".join(f"{float(row[4]):.3g}" if row[4] != "" else "-" for row in own)
        peak = max((float(row[5]) for row in own if row[5] != ""), default=0.0)
        table.append(f"| {name}, {n} | {solver} | {times} | {peak:.0f} |")
    return table


def _machine() -> str:
    versions = ", ".join(
        f"{package} {importlib.metadata.version(package)}"
        for package in ("numpy", "scipy", "numba")
    )
    return f"{versions}; Python {platform.python_version()}; {os.cpu_count()} cores"


def warm_up() -> None:
    """Compile every kernel of the race before any clock runs."""
    for solver in ("sweep", "multigrid", "auto"):
        solve_graph_system(*make_cell("two moons"), solver=solver, tol=1e-6)
    solve_graph_system(*tree(1000))
