"""What starting costs: import time of each package, first call with a cold and a warm cache.

``python -m experiments startup`` writes ``output/startup/startup.csv`` and ``.md``. Every figure is
the median over fresh processes; scikit-learn's own import stands beside them.
"""

import argparse
import os
import platform
import statistics
import tempfile
from importlib import metadata
from pathlib import Path

from experiments.fresh import answers, environment

DOCS = Path(__file__).parent.parent / "docs"
IMPORTS = ("numpy", "sklearn.linear_model", "numba", "graphs", "problems", "bcd", "planning")
FIRST_CALLS = {
    "Lasso().fit on 50 x 20": (
        "import numpy as np; from bcd import Lasso; rng = np.random.default_rng(0); "
        "X = rng.standard_normal((50, 20)); y = X[:, 0] + rng.standard_normal(50)",
        "Lasso(alpha=0.1).fit(X, y)",
    ),
    "minimize, greedy blocks of 5": (
        "import numpy as np; from bcd import minimize; from problems import LeastSquares; "
        "rng = np.random.default_rng(0); A = rng.standard_normal((50, 20)); y = A.sum(axis=1)",
        "minimize(LeastSquares(A, y), partition='variable', selection='gsl', update='matrix', "
        "block_size=5, tol=1e-6)",
    ),
    "FMTx first plan and update, 500 samples": (
        "from problems.worlds import DiscWorld; from planning import FMTx; "
        "world = DiscWorld(bounds=((0, 10), (0, 10))); world.add((5.0, 5.0), 1.0)",
        "p = FMTx(world, n_samples=500, seed=0); p.set_goal((9, 9)); p.plan((1, 1)); "
        "world.add((3.0, 3.0), 0.5); p.update()",
    ),
    "planning.warm_up()": ("from planning import warm_up", "warm_up()"),
}


def seconds(setup: str, statement: str, folder: Path, cache: str) -> float:
    """Time ``statement`` after ``setup`` in a fresh process with compiled code in ``cache``."""
    clock = "time.process_time()"
    code = f"import time; {setup}; start = {clock}; {statement}; print({clock} - start)"
    (found,) = answers(code, environment(folder, cache))
    return found


def measure(repeats: int) -> list[tuple[str, str, float]]:
    """Rows of (what, cache, seconds); with an empty cache each runs once, and fills it."""
    rows = []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for name in IMPORTS:
            asked = ("pass", f"import {name}", folder, "imports")
            seconds(*asked)  # writes bytecode
            times = [seconds(*asked) for _ in range(repeats)]
            rows.append((f"import {name}", "warm", statistics.median(times)))
        for number, (name, (setup, statement)) in enumerate(FIRST_CALLS.items()):
            asked = (setup, statement, folder, f"call{number}")
            rows.append((name, "cold", seconds(*asked)))
            times = [seconds(*asked) for _ in range(repeats)]
            rows.append((name, "warm", statistics.median(times)))
    return rows


def main(arguments: list[str]) -> None:
    """Measure, print and write the table."""
    parser = argparse.ArgumentParser(prog="python -m experiments startup", description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("output/startup"))
    parser.add_argument("--publish", action="store_true", help="write to docs/results too")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args(arguments)
    rows = measure(options.repeats)
    options.output.mkdir(parents=True, exist_ok=True)
    csv = "\n".join(["what,cache,seconds", *(f'"{a}",{b},{s:.4f}' for a, b, s in rows)])
    (options.output / "startup.csv").write_text(csv + "\n")
    libraries = [f"{name} {metadata.version(name)}" for name in ("numpy", "numba", "scikit-learn")]
    machine = f"Python {platform.python_version()}, {', '.join(libraries)}, {os.cpu_count()} cores"
    machine += f"; medians of {options.repeats} processes (cold: one)"
    table = ["# Starting", "", f"{machine}.", ""]
    table += [
        "Written by `python -m experiments startup --publish`. Cold: nothing was compiled before, "
        "as after installation; warm: compiled code is loaded from numba's cache. First calls are "
        "timed after the imports. Seconds of the processor, so that others' work does not count.",
        "",
    ]
    table += ["| what | cache | seconds |", "| --- | --- | --- |"]
    table += [f"| {what} | {cache} | {value:.3f} |" for what, cache, value in rows]
    for folder in (options.output, *([DOCS / "results"] if options.publish else [])):
        (folder / "startup.md").write_text("\n".join([*table, ""]))
    print("\n".join(table))
