"""What a solver costs beside its running time: first fits in fresh processes, and peak memory."""

from __future__ import annotations

import importlib.util
import os
import statistics
import subprocess
import sys
from pathlib import Path

from experiments.race_data import REAL
from experiments.race_report import versions

FITS = {
    "southwell": "from bcd import Lasso; Lasso(alpha, fit_intercept=False, tol=1e-6).fit(X, y)",
    "scikit-learn": "from sklearn.linear_model import Lasso; "
    "Lasso(alpha, fit_intercept=False, tol=1e-6, max_iter=10**6).fit(X, y)",
    "celer": "from celer import Lasso; Lasso(alpha, fit_intercept=False, tol=1e-6).fit(X, y)",
    "skglm": "from skglm import Lasso; Lasso(alpha, fit_intercept=False, tol=1e-6).fit(X, y)",
}
MODULES = {"southwell": "bcd", "scikit-learn": "sklearn", "celer": "celer", "skglm": "skglm"}
SMALL = """
import time, numpy as np
rng = np.random.default_rng(0)
X = np.asfortranarray(rng.standard_normal((200, 300))); y = X[:, 0] + rng.standard_normal(200)
alpha = 0.1
start = time.perf_counter()
import sklearn.linear_model
imported = time.perf_counter()
{fit}
print(imported - start, time.perf_counter() - start)
"""
LARGE = """
import numpy as np
from experiments.race_data import real
X, y = real("{data}")
y = y - y.mean()
alpha = float(abs(X.T @ y).max()) / len(y) / {fraction}

def memory(field):
    with open("/proc/self/status") as stream:
        return next(int(line.split()[1]) for line in stream if line.startswith(field)) / 1024

import sklearn.linear_model
{load}
before = memory("VmRSS")
with open("/proc/self/clear_refs", "w") as stream:
    stream.write("5")  # the peak counts from here
{fit}
print(before, memory("VmHWM"))
"""
DATA = "news20_bigrams"
FRACTIONS = (20, 100)


def _ask(code: str, limit_s: float) -> list[float] | None:
    try:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", code],
            capture_output=True,
            text=True,
            check=True,
            timeout=limit_s,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
    except (subprocess.TimeoutExpired, subprocess.CalledProcessError):
        return None
    return [float(word) for word in done.stdout.split()]


def installed() -> list[str]:
    """Return the solvers that can be asked."""
    return [name for name, module in MODULES.items() if importlib.util.find_spec(module)]


def first_fits(repeats: int) -> list[str]:
    """Rows of first fits in fresh processes whose compiled code is cached on disk."""
    rows = ["| solver | importing scikit-learn, s | and the first fit, s |", "| --- | --- | --- |"]
    for name in installed():
        code = SMALL.format(fit=FITS[name])
        _ask(code, 120.0)  # fills the cache
        asked = [answer for _ in range(repeats) if (answer := _ask(code, 60.0)) is not None]
        if asked:
            imported, total = (statistics.median(column) for column in zip(*asked, strict=True))
            rows.append(f"| {name} | {imported:.2f} | {total:.2f} |")
    return rows


def peaks(limit_s: float) -> list[str]:
    """Rows of the memory that a fit takes beyond the data."""
    rows = ["| solver | lambda_max / | data, MB | beyond it at the peak, MB |", "| --- " * 4 + "|"]
    for fraction in FRACTIONS:
        for name in installed():
            load, _, _ = FITS[name].partition(";")
            settings = {"data": DATA, "fraction": fraction, "load": load, "fit": FITS[name]}
            answer = _ask(LARGE.format(**settings), limit_s)
            if answer is None:
                rows.append(f"| {name} | {fraction} | - | not within {limit_s:g} s |")
            else:
                before, peak = answer
                rows.append(f"| {name} | {fraction} | {before:.0f} | {peak - before:.0f} |")
    return rows


def write_footprint(folder: Path, repeats: int = 3, limit_s: float = 15.0) -> None:
    """Measure and write ``linear_models_footprint.md``."""
    lines = ["# Sparse linear models: first fits and memory", ""]
    lines += ["Written by `python -m experiments linear_models --footprint`.", ""]
    lines += [f"Lasso on 200 x 300, medians of {repeats} fresh processes:", ""]
    lines += first_fits(repeats)
    if (REAL / f"{DATA}.npz").is_file():
        lines += ["", f"Lasso on {DATA}, tol 1e-6, resident memory of the process:", ""]
        lines += peaks(limit_s)
    lines += ["", f"{versions()}.", ""]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "linear_models_footprint.md").write_text("\n".join(lines))
    print("\n".join(lines), flush=True)
