"""What a solver costs beside its running time: first fits in fresh processes, and peak memory."""

from __future__ import annotations

import contextlib
import importlib.util
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from experiments.fresh import answers, command, environment
from experiments.race import OURS
from experiments.race_data import REAL
from experiments.race_report import versions

MODULES = {OURS: "bcd", "scikit-learn": "sklearn", "celer": "celer", "skglm": "skglm"}
SAME = "fit_intercept=False, tol=1e-6"
LOGISTIC = f"LogisticRegression(C=C, l1_ratio=1.0, {SAME}"


def _regressions(name: str) -> dict[str, tuple[str, str]]:
    """Return what each solver imports and fits where all name the model alike."""
    fit = f"{name}(alpha=alpha, {SAME}"
    sources = {OURS: "bcd", "scikit-learn": "sklearn.linear_model"}
    sources |= {"celer": "celer", "skglm": "skglm"}
    longer = {"scikit-learn": ", max_iter=10**6"}
    return {
        solver: (f"from {source} import {name}", f"{fit}{longer.get(solver, '')})")
        for solver, source in sources.items()
    }


# model: solver: what is imported from where, and what is fitted to X and y
FITS = {
    "Lasso": _regressions("Lasso"),
    "ElasticNet": _regressions("ElasticNet"),
    "LogisticRegression, l1": {
        OURS: ("from bcd import LogisticRegression", f"{LOGISTIC})"),
        "scikit-learn": (
            "from sklearn.linear_model import LogisticRegression",
            f"{LOGISTIC}, solver='liblinear', max_iter=10**6)",
        ),
        "celer": (
            "from celer import LogisticRegression",
            f"LogisticRegression(C=C, {SAME})",
        ),
        "skglm": (
            "from skglm import SparseLogisticRegression",
            f"SparseLogisticRegression(1.0 / C / len(y), {SAME})",
        ),
    },
    "LinearSVC": {
        OURS: ("from bcd import LinearSVC", f"LinearSVC(loss='hinge', {SAME})"),
        "scikit-learn": (
            "from sklearn.svm import LinearSVC",
            f"LinearSVC(loss='hinge', {SAME}, max_iter=10**6)",
        ),
        "skglm": ("from skglm import LinearSVC", f"LinearSVC({SAME})"),
    },
}
PENALTIES = """
def penalties(X, y):
    largest = float(abs(X.T @ y).max())
    return largest / len(y) / {fraction}, 2.0 * {fraction} / largest  # alpha and C
"""
DENSE = """
import time, numpy as np
{penalties}
rng = np.random.default_rng(0)
X = np.asfortranarray(rng.standard_normal((200, 300)))
y = np.sign(X[:, 0] + rng.standard_normal(200))
alpha, C = penalties(X, y)
import sklearn.linear_model, sklearn.svm
start = time.process_time()
{load}
{fit}.fit(X, y)
print(time.process_time() - start)
"""
# a small fit first: compiled code and libraries are not what is asked for
LARGE = """
import numpy as np, scipy.sparse as sp
from experiments.fresh import answers, command, environment
from experiments.race_data import real
{penalties}

def memory(field):
    with open("/proc/self/status") as stream:
        return next(int(line.split()[1]) for line in stream if line.startswith(field)) / 1024

{load}
X = sp.random(200, 300, 0.1, format="{form}", random_state=np.random.default_rng(0))
y = np.sign(X @ np.ones(300) - 15.0)
alpha, C = penalties(X, y)
{fit}.fit(X, y)
X, y = real("{data}")
X = sp.{form}_matrix(X)
alpha, C = penalties(X, y)
before = memory("VmRSS")
with open("/proc/self/clear_refs", "w") as stream:
    stream.write("5")  # the peak counts from here
print((X.data.nbytes + X.indices.nbytes + X.indptr.nbytes) / 2**20, before, flush=True)
{fit}.fit(X, y)
print(memory("VmHWM"))
"""
DATA = "news20_bigrams"
FRACTION = 20
PATIENCE = 4.0  # seconds, after which a first fit is not repeated
ROWS = "LinearSVC"  # is given rows, others columns


def installed(model: str) -> dict[str, tuple[str, str]]:
    """Return the solvers of a model that can be asked: import and constructor."""
    return {
        name: fit for name, fit in FITS[model].items() if importlib.util.find_spec(MODULES[name])
    }


def first_fit(fit: tuple[str, str], folder: Path, cache: str = "compiled") -> float:
    """Seconds of the import and the first fit in a fresh process that has scikit-learn loaded."""
    code = DENSE.format(penalties=PENALTIES.format(fraction=FRACTION), load=fit[0], fit=fit[1])
    (seconds,) = answers(code, environment(folder, cache))
    return seconds


def first_fits(folder: Path, repeats: int) -> list[str]:
    """Rows of first fits in fresh processes, with compiled code at hand and without."""
    rows = ["| model | solver | first fit, s | over scikit-learn, s | nothing compiled, s |"]
    rows.append("| --- " * 5 + "|")
    for model in FITS:
        medians = {}
        for name, fit in installed(model).items():
            first_fit(fit, folder)  # fills the caches
            started = time.perf_counter()
            times: list[float] = []
            while len(times) < repeats and time.perf_counter() - started < PATIENCE:
                times.append(first_fit(fit, folder))
            medians[name] = statistics.median(times)
        for name, median in medians.items():
            cold = "-"
            if name == OURS:
                cold = f"{first_fit(FITS[model][name], folder, model):.1f}"
            over = f"{median - medians['scikit-learn']:.2f}"
            rows.append(f"| {model} | {name} | {median:.3f} | {over} | {cold} |")
    return rows


def peak(fit: tuple[str, str], form: str, folder: Path, limit_s: float) -> tuple[list[float], bool]:
    """Return MB of X, of the process before and at its peak, and whether the fit ended."""
    code = LARGE.format(
        penalties=PENALTIES.format(fraction=FRACTION),
        load=fit[0],
        fit=fit[1],
        form=form,
        data=DATA,
    )
    with subprocess.Popen(
        command(code), stdout=subprocess.PIPE, text=True, env=environment(folder)
    ) as asked:
        assert asked.stdout is not None
        found = [float(word) for word in asked.stdout.readline().split()]
        with contextlib.suppress(subprocess.TimeoutExpired):
            asked.wait(limit_s)
        ended = asked.poll() is not None
        if not ended:
            status = Path(f"/proc/{asked.pid}/status").read_text()
            asked.kill()
            kilobytes = status.partition("VmHWM:")[2].split()[0]
            return [*found, int(kilobytes) / 1024], ended
        return [*found, float(asked.stdout.read())], ended


def peaks(folder: Path, limit_s: float) -> list[str]:
    """Rows of the memory that a fit takes beyond the data."""
    rows = ["| model | solver | X, MB | beyond it at the peak, MB | of X |", "| --- " * 5 + "|"]
    for model in FITS:
        for name, fit in installed(model).items():
            form = "csr" if model == ROWS else "csc"
            (size, before, highest), ended = peak(fit, form, folder, limit_s)
            beyond, mark = highest - before, "" if ended else "> "
            share = f"{mark}{beyond / size:.1f}"
            rows.append(f"| {model} | {name} | {size:.0f} | {mark}{beyond:.0f} | {share} |")
    return rows


def write_footprint(folder: Path, repeats: int = 5, limit_s: float = 8.0) -> None:
    """Measure and write ``linear_models_footprint.md``."""
    lines = [
        "# Sparse linear models: first fits and memory",
        "",
        "Written by `python -m experiments linear_models --footprint --publish`.",
        "",
        f"Importing the solver and its first fit, on dense 200 x 300 at lambda_max/{FRACTION} "
        f"(SVM: C=1), in a fresh process that has loaded scikit-learn: medians of up to {repeats} "
        "processes, in seconds of the processor, so that others' work does not count. southwell's "
        "compiled code comes from numba's cache on disk, but in the last column, which is of one "
        "process; skglm compiles in each process, the others at their installation.",
        "",
    ]
    with tempfile.TemporaryDirectory() as place:
        lines += first_fits(Path(place), repeats)
        if (REAL / f"{DATA}.npz").is_file():
            lines += [
                "",
                f"Peak memory of a fit on {DATA} (18847 x 763385, columns; SVM: rows) at "
                f"lambda_max/{FRACTION}, SVM: C=1, beyond that of the process with X loaded and a "
                f"small fit done. `>`: stopped after {limit_s:g} s.",
                "",
                *peaks(Path(place), limit_s),
            ]
    lines += ["", f"{versions()}.", ""]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "linear_models_footprint.md").write_text("\n".join(lines))
    print("\n".join(lines), flush=True)
