"""What stands beside the race: digits against scikit-learn, forests, first calls; the page itself.

Every figure of the page is measured by the command that writes it.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import statistics
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from bcd import LabelPropagation, solve_graph_system
from experiments.label_propagation_cells import CELLS
from experiments.label_propagation_peers import LEVELS, OURS
from graphs import CSRGraph
from graphs.coloring import greedy_coloring
from graphs.elimination import eliminate, factor_forest, solve_factored
from graphs.forest import first_fit_forests, greedy_forest, random_forest


def clocked(call, repeats: int = 5) -> float:
    """Return the median of milliseconds over ``repeats`` calls, after one that does not count."""
    call()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times)


def digits_rows() -> list[str]:
    """Accuracy and time beside scikit-learn on its digits, 90 of 1797 labelled."""
    from sklearn.datasets import load_digits
    from sklearn.semi_supervised import LabelPropagation as Theirs
    from sklearn.semi_supervised import LabelSpreading

    models = {
        OURS: LabelPropagation(),
        "scikit-learn LabelPropagation, knn": Theirs("knn", n_neighbors=10),
        "scikit-learn LabelPropagation, rbf": Theirs(gamma=0.01),
        "scikit-learn LabelSpreading, knn": LabelSpreading("knn", n_neighbors=10),
        "scikit-learn LabelSpreading, rbf": LabelSpreading(gamma=0.01),
    }
    images, digits = load_digits(return_X_y=True)
    return _beside("digits", images, digits, 90, models, 5)


def moons_rows(n: int) -> list[str]:
    """Accuracy and time beside scikit-learn on n points of two moons, 100 labelled."""
    from sklearn.datasets import make_moons
    from sklearn.semi_supervised import LabelPropagation as Theirs
    from sklearn.semi_supervised import LabelSpreading

    models = {
        OURS: LabelPropagation(),
        "scikit-learn LabelPropagation, knn": Theirs("knn", n_neighbors=10),
        "scikit-learn LabelSpreading, knn": LabelSpreading("knn", n_neighbors=10),
    }
    points, classes = make_moons(n, noise=0.15, random_state=0)
    return _beside("two moons", points, classes, 100, models, 1)


def _beside(name: str, X, y, n_labelled: int, models: dict, repeats: int) -> list[str]:
    partial = np.full(len(y), -1)
    chosen = np.random.default_rng(0).choice(len(y), n_labelled, replace=False)
    partial[chosen] = y[chosen]
    hidden = partial == -1
    rows = [
        f"| {name}, {n_labelled} of {len(y)} labelled | fit, ms | predict_proba of 300, ms | "
        "accuracy | converged |",
        "| --- | --- | --- | --- | --- |",
    ]
    for title, model in models.items():
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            fit = clocked(lambda model=model: model.fit(X, partial), repeats)
        asked = clocked(lambda model=model: model.predict_proba(X[:300]), repeats)
        accuracy = (model.transduction_[hidden] == y[hidden]).mean()
        answer = "no" if any("converge" in str(w.message) for w in caught) else "yes"
        rows.append(f"| {title} | {fit:.1f} | {asked:.1f} | {accuracy:.4f} | {answer} |")
    return rows


def random_graph(n: int, n_edges: int) -> CSRGraph:
    """Return a graph of about ``n_edges`` random edges, those drawn twice left out."""
    rng = np.random.default_rng(0)
    tails, heads = rng.integers(n, size=n_edges), rng.integers(n, size=n_edges)
    kept = tails != heads
    ends = tails[kept].astype(np.int32), heads[kept].astype(np.int32)
    half = sp.csr_array((np.ones(len(ends[0])), ends), shape=(n, n))
    both = sp.csr_array(half + half.T)
    both.data[:] = 1.0
    return CSRGraph.from_scipy(both)


def forest_rows(system, n: int, n_edges: int) -> list[str]:
    """Nanoseconds a vertex of an exact solve on a tree's Qx = q, and seconds of the partitions."""
    Q, q = system
    tree = CSRGraph.from_scipy(sp.csr_array(Q - sp.diags_array(Q.diagonal())))
    walk = eliminate(tree)
    inner = walk.slot >= 0
    diagonal, link = Q.diagonal()[walk.order], np.zeros(len(q))
    link[inner] = tree.weights[walk.slot[inner]]
    pivot, factor, x = np.empty(len(q)), np.empty(len(q)), np.empty((len(q), 1))

    def solve():
        factor_forest(walk.parent, diagonal, link, pivot, factor)
        x[:, 0] = q[walk.order]
        solve_factored(walk.parent, pivot, factor, x)

    def again():
        x[:, 0] = q[walk.order]
        solve_factored(walk.parent, pivot, factor, x)

    each = 1e6 / len(q)
    rows = [f"| forest of {len(q)} vertices | ns a vertex |", "| --- | --- |"]
    for name, call in {
        "`solve_graph_system` from the matrix as it is: reading, elimination, residual": lambda: (
            solve_graph_system(Q, q)
        ),
        "`factor_forest` and `solve_factored`, laid out before": solve,
        "`solve_factored` alone, one more right-hand side": again,
        "`graphs.eliminate`, the layout": lambda: eliminate(tree),
    }.items():
        rows.append(f"| {name} | {each * clocked(call):.1f} |")
    graph, rng = random_graph(n, n_edges), np.random.default_rng(0)
    rows += ["", f"| graph of {n} vertices, {graph.n_edges} edges | s |", "| --- | --- |"]
    score = rng.random(n)
    for name, call in {
        "`first_fit_forests`, given order": lambda: first_fit_forests(graph),
        "`first_fit_forests`, Lipschitz order": lambda: first_fit_forests(graph, "lipschitz"),
        "`first_fit_forests`, random order": lambda: first_fit_forests(graph, "random"),
        "`greedy_forest`": lambda: greedy_forest(graph, score),
        "`random_forest`": lambda: random_forest(graph, rng),
        "`greedy_coloring`": lambda: greedy_coloring(graph),
    }.items():
        rows.append(f"| {name} | {clocked(call, 1) / 1e3:.2f} |")
    return rows


FIRST = """
import time
start = time.perf_counter()
from bcd import solve_graph_system
from problems.datasets import dataset_e
problem = dataset_e()
middle = time.perf_counter()
solve_graph_system(problem.Q, problem.q, tol=1e-6)
print(middle - start, time.perf_counter() - middle)
"""


def first_call() -> str:
    """Say how long the first solve takes in a new process, compiled code cached."""
    done = subprocess.run([sys.executable, "-c", FIRST], capture_output=True, text=True, check=True)
    imports, first = (float(word) for word in done.stdout.split())
    return (
        f"First solve in a new process, compiled code cached: {first:.2f} s (two moons; imports "
        f"before it {imports:.1f} s)."
    )


def race_rows(rows: list[tuple]) -> list[str]:
    """One line a graph and solver, graphs in the order of the race; the best times are bold."""
    table = [
        "| graph, unknowns | solver | ms to 1e-3 | 1e-6 | 1e-9 | peak MB |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    keys = list(dict.fromkeys((row[0], row[1], row[2]) for row in rows))
    for name, n, solver in sorted(keys, key=lambda key: list(CELLS).index(key[0])):
        own = {float(row[3]): row for row in rows if row[0] == name and row[2] == solver}
        cells = []
        for level in LEVELS:
            best = min(times_of(rows, name, level).values(), default=np.inf)
            shown = own[level][4]
            text = f"{float(shown):.3g}" if shown != "" else "-"
            cells.append(f"**{text}**" if shown != "" and float(shown) == best else text)
        peak = max((float(row[5]) for row in own.values() if row[5] != ""), default=0.0)
        table.append(f"| {name}, {n} | {solver} | {' | '.join(cells)} | {peak:.0f} |")
    return table


def times_of(rows: list[tuple], name: str, level: float) -> dict[str, float]:
    """Milliseconds of each solver that reached a level on a graph."""
    return {
        row[2]: float(row[4])
        for row in rows
        if row[0] == name and float(row[3]) == level and row[4] != ""
    }


def ratio_rows(rows: list[tuple]) -> list[str]:
    """How many times faster than the best peer of each cell; below one where a peer wins."""
    table = ["| graph | 1e-3 | 1e-6 | 1e-9 |", "| --- | --- | --- | --- |"]
    every = []
    for name in [name for name in CELLS if any(row[0] == name for row in rows)]:
        shown = []
        for level in LEVELS:
            times = times_of(rows, name, level)
            peers = [(ms, solver) for solver, ms in times.items() if solver != OURS]
            if OURS not in times or not peers:
                shown.append("-")
                continue
            ratio = min(peers)[0] / times[OURS]
            every.append(ratio)
            shown.append(f"{ratio:.2f} ({min(peers)[1]})")
        table.append(f"| {name} | {' | '.join(shown)} |")
    if every:
        mean, faster = np.exp(np.mean(np.log(every))), sum(ratio >= 1.0 for ratio in every)
        twice = sum(ratio >= 2.0 for ratio in every)
        table += [
            "",
            f"At least as fast as the best peer in {faster} of {len(every)} cells, twice as fast "
            f"in {twice}; geometric mean {mean:.2f}.",
        ]
    return table


def draw(rows: list[tuple], file: Path) -> None:
    """Draw the time to 1e-6 of each solver, a line a graph."""
    import matplotlib.pyplot as plt

    names = [name for name in CELLS if any(row[0] == name for row in rows)]
    solvers = list(dict.fromkeys(row[2] for row in rows))
    page, axis = plt.subplots(figsize=(7.2, 0.5 * len(names) + 1.4), layout="constrained")
    markers = "osD^vPX*"
    for solver, marker in zip(solvers, markers, strict=False):
        points = [
            (times_of(rows, name, 1e-6)[solver], place)
            for place, name in enumerate(names)
            if solver in times_of(rows, name, 1e-6)
        ]
        if points:
            style = {"color": "#c8102e", "zorder": 5} if solver == OURS else {"alpha": 0.7}
            axis.plot(*zip(*points, strict=True), marker, linestyle="", label=solver, **style)
    axis.set_xscale("log")
    axis.set_yticks(range(len(names)), names)
    axis.invert_yaxis()
    axis.set_xlabel("ms to a relative suboptimality of 1e-6")
    axis.grid(alpha=0.3)
    page.legend(fontsize=8, loc="outside upper center", ncols=4, frameon=False)
    page.savefig(file, dpi=110)
    plt.close(page)


def machine() -> str:
    """Versions and cores."""
    found = []
    for package in (
        "numpy", "scipy", "numba", "scikit-learn", "scikit-sparse", "pypardiso", "pyamg",
        "scikit-network",
    ):  # fmt: skip
        try:
            found.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            found.append(f"{package} missing")
    threads = os.environ.get("OMP_NUM_THREADS", "default")
    return (
        f"{', '.join(found)}; Python {platform.python_version()}; {os.cpu_count()} cores, "
        f"OMP_NUM_THREADS {threads}."
    )


INTRODUCTION = """# Label propagation raced

Time to a relative suboptimality (energy norm of the error, squared, relative to the solution's) of
1e-3, 1e-6 and 1e-9 on the same reduced system `Qx = q`, set-up included, each solver in a process
of its own; the best tolerance a level counts, medians of at least five where they fit the budget of
{budget:.0f} s a solver, `-` where they do not. Peak memory is above what the process held before.
Written by `{command}`.
"""


def page(rows: list[tuple], extra: list[str], command: str, budget: float, image: str) -> str:
    """Put the whole page together."""
    parts = [INTRODUCTION.format(command=command, budget=budget), *race_rows(rows), ""]
    parts += ["## How many times faster than the best peer", "", *ratio_rows(rows), ""]
    parts += [f"![Time to 1e-6]({image})", "", *extra, "", machine(), ""]
    return "\n".join(parts)
