"""``python -m experiments sklearn_tests``: scikit-learn's own tests with our classes in place.

The installed scikit-learn's test modules run unchanged, but that the names which they import
(``Lasso``, ``lasso_path``, ...) are ours. Tests of behaviour should pass; each that does not is
listed with the reason. Writes ``output/sklearn_tests/sklearn_tests.md``.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import sklearn

import bcd

PRIVATE = "tests a private function or the inner loop of scikit-learn"
SWEEPS = "counts scikit-learn's sweeps, sets their number or expects their failure to converge"
GRAM = "hands over a Gram matrix and expects it to be used or refused"
MULTITASK = "of the multitask classes, which this module does not replace"
NAMES = "expects scikit-learn's wording of an error or its parameter list"
SOLVERS = "of one of scikit-learn's solvers: its random numbers, its refusals, its float64"
LAST_DIGITS = "compares a gap of rounding errors to seven digits"
LEGACY = "asks for use_legacy_attributes=True, which is refused: attributes are arrays here"
TOLERANCE = "compares dense and sparse to more digits than the tolerance asks for"
CALLBACKS = "of scikit-learn's experimental callbacks"
CERTIFIED = "expects a warning or a result of a run cut short, where ours is solved by then"


@dataclass(frozen=True)
class Module:
    """A test module of scikit-learn, what stands in for its names, why some tests do not apply."""

    path: str
    classes: tuple[str, ...]
    reasons: tuple[tuple[str, str], ...]  # regular expression of test names, reason


MODULES = (
    Module(
        "sklearn.linear_model.tests.test_coordinate_descent",
        ("Lasso", "ElasticNet", "LassoCV", "ElasticNetCV", "lasso_path", "enet_path"),
        (
            (r"enet_coordinate_descent|cython|_alpha_grid|dual_gap_formulation|gram_mode", PRIVATE),
            (r"set_order|check_input|same_output_sparse_dense|readonly_data_joblib", PRIVATE),
            (r"max_iter|convergence|n_iter|overrided_gram|zero_iter", SWEEPS),
            (r"precompute|gram|Xy|uniform_targets", GRAM),
            (r"[Mm]ulti_?[Tt]ask|multioutput", MULTITASK),
            (r"lasso_dual_gap", LAST_DIGITS),
            (r"l1_ratio|alphas_validation|nonfinite|deprecated_n_alphas|check_input", NAMES),
            (r"random_descent|selection|path_parameters|path_unknown|parameter|warning", NAMES),
        ),
    ),
    Module(
        "sklearn.linear_model.tests.test_sparse_coordinate_descent",
        ("Lasso", "ElasticNet", "LassoCV", "ElasticNetCV"),
        (
            (r"max_iter|convergence|n_iter", SWEEPS),
            (r"sparse_enet_coordinate_descent", CERTIFIED),
            (r"same_output_sparse_dense_lasso_and_enet_cv", TOLERANCE),
            (r"precompute|gram", GRAM),
            (r"[Mm]ulti_?[Tt]ask", MULTITASK),
        ),
    ),
    Module(
        "sklearn.linear_model.tests.test_logistic",
        ("LogisticRegression", "LogisticRegressionCV"),
        (
            (r"callback", CALLBACKS),
            (r"attribute_shapes|no_refit|on_folds|logistic_cv(?!_)", LEGACY),
            (r"cv_scores_differ|cv_iris|layout_elasticnet", LEGACY),
            (r"scoring_path|default_scorer|predict_proba_multinomial|multinomial_score", PRIVATE),
            (r"max_iter|n_iter|warm_start", SWEEPS),
            (r"liblinear|large_sparse|dtype_match|newton_cholesky|consistency_path", SOLVERS),
            (r"warns|deprecated|incompatible|non_elasticnet|penalty_none|legacy", NAMES),
            (r"metadata_routing|multi_class|check_solver|err_helpful", NAMES),
        ),
    ),
)

PLUGIN = """
import importlib
import bcd


def pytest_collection_modifyitems(items):
    for name, classes in {modules!r}:
        module = importlib.import_module(name)
        for one in classes:
            setattr(module, one, getattr(bcd, one))


def pytest_configure(config):
    for name, classes in {modules!r}:
        parent = importlib.import_module("sklearn.linear_model")
        for one in classes:
            setattr(parent, one, getattr(bcd, one))
"""


def run(module: Module) -> dict[str, str]:
    """Run a module; outcome (passed, failed, error) by the test's name."""
    replaced = [(module.path, [name for name in module.classes if hasattr(bcd, name)])]
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "ours_in_place.py").write_text(PLUGIN.format(modules=replaced))
        path = os.pathsep.join([folder, str(Path(__file__).parent.parent)])
        command = [sys.executable, "-m", "pytest", "-p", "ours_in_place", "--pyargs", "-q", "-rA"]
        command += ["--tb=line", "-p", "no:cacheprovider", "-c", os.devnull, "-x", "--maxfail=1000"]
        done = subprocess.run(
            [*command, module.path],
            capture_output=True,
            text=True,
            cwd=folder,
            env={**os.environ, "PYTHONPATH": path},
        )
    found = {}
    for line in done.stdout.splitlines():
        match = re.match(r"(PASSED|FAILED|ERROR) \S*::(.*?)(?: - .*)?$", line)
        if match:
            found[match.group(2)] = match.group(1).lower()
    if not found:
        raise RuntimeError(f"no test ran:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return found


def reason(test: str, module: Module) -> str:
    """Why a test does not apply, or that it is unexplained."""
    for pattern, why in module.reasons:
        if re.search(pattern, test):
            return why
    return "UNEXPLAINED"


def main(arguments: list[str]) -> None:
    """Run, print and write the counts and what does not pass."""
    parser = argparse.ArgumentParser(prog="python -m experiments sklearn_tests")
    parser.add_argument("--output", type=Path, default=Path("output/sklearn_tests"))
    options = parser.parse_args(arguments)
    lines = [f"# scikit-learn {sklearn.__version__}'s own tests with our classes in place"]
    for module in MODULES:
        found = run(module)
        passed = sum(outcome == "passed" for outcome in found.values())
        lines += ["", f"## {module.path}", "", f"{passed} of {len(found)} pass. The others:", ""]
        lines += ["| test | cases | reason |", "| --- | --- | --- |"]
        left = Counter(
            re.sub(r"\[.*", "", test) for test, outcome in found.items() if outcome != "passed"
        )
        lines += [f"| {test} | {n} | {reason(test, module)} |" for test, n in sorted(left.items())]
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "sklearn_tests.md").write_text("\n".join([*lines, ""]))
    print("\n".join(lines))
