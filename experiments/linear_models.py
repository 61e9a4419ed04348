"""``python -m experiments linear_models``: the races of sparse linear models against their peers.

Every solver must bring an independently computed duality gap, divided by the objective at zero,
below 1e-3, 1e-6 and 1e-9; its best time for each counts. Writes ``FAMILY.csv`` (every run),
``FAMILY.md`` (ratios to the best peer) and two pictures (time against gap, performance profile) to
``output/linear_models``; with ``--publish`` page and pictures go to ``docs`` as well, and a page
over all families raced so far. Cells are kept as they are raced: ``--resume`` goes on with the
others.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from pathlib import Path

# family: module with cells(quick, ...) and small_cells(...), their further arguments, purpose
FAMILIES: dict[str, tuple[str, dict, str]] = {
    "lasso": ("experiments.race_lasso", {"kind": "lasso"}, "l1 least squares"),
    "enet": ("experiments.race_lasso", {"kind": "enet"}, "elastic net, l1_ratio 0.5"),
    "group": ("experiments.race_groups", {"kind": "group"}, "group Lasso, groups of ten"),
    "multitask": ("experiments.race_groups", {"kind": "multitask"}, "multi-task Lasso"),
    "svm": ("experiments.race_svm", {"loss": "hinge"}, "linear SVM, hinge"),
    "svm2": ("experiments.race_svm", {"loss": "squared_hinge"}, "linear SVM, squared hinge"),
    "svc": ("experiments.race_svc", {}, "kernel SVM against libsvm"),
    "nnls": ("experiments.race_squares", {"kind": "nnls"}, "nonnegative least squares"),
    "path": ("experiments.race_squares", {"kind": "path"}, "Lasso paths of 100 penalties"),
    "cv": ("experiments.race_squares", {"kind": "cv"}, "5-fold LassoCV"),
    "enet_path": ("experiments.race_squares", {"kind": "enet_path"}, "elastic net paths"),
    "enet_cv": ("experiments.race_squares", {"kind": "enet_cv"}, "5-fold ElasticNetCV"),
    "positive": ("experiments.race_lasso", {"kind": "positive"}, "nonnegative Lasso"),
    "logistic_l1": ("experiments.race_logistic", {"kind": "l1"}, "l1 logistic regression"),
    "logistic_l2": ("experiments.race_logistic", {"kind": "l2"}, "l2 logistic regression"),
    "multinomial_l2": (
        "experiments.race_logistic",
        {"kind": "multinomial"},
        "l2 multinomial logistic regression",
    ),
}
DOCS = Path(__file__).parent.parent / "docs"
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


def main(arguments: list[str]) -> None:
    """Race the families that were named, all of them when none was."""
    parser = argparse.ArgumentParser(prog="python -m experiments linear_models")
    parser.add_argument("--family", nargs="*", choices=sorted(FAMILIES), default=list(FAMILIES))
    parser.add_argument("--quick", action="store_true", help="small data only, under a minute")
    parser.add_argument("--data", nargs="*", help="only these data sets")
    parser.add_argument("--setting", nargs="*", help="only these settings, for example /20")
    parser.add_argument("--solver", nargs="*", help="only these solvers")
    parser.add_argument("--budget", type=float, help="seconds a solver may use up in a cell")
    parser.add_argument("--resume", action="store_true", help="keep cells raced before")
    parser.add_argument("--publish", action="store_true", help="write to docs/results too")
    parser.add_argument("--footprint", action="store_true", help="first fits and memory instead")
    parser.add_argument("--passes", action="store_true", help="kept times in passes over the data")
    parser.add_argument("--threads", default="1", help="BLAS threads: a number, or 'default'")
    parser.add_argument("--output", type=Path, default=Path("output/linear_models"))
    options = parser.parse_args(arguments)
    if options.threads != "default" and os.environ.get(THREADS[0]) != options.threads:
        # BLAS reads these when it is loaded, so the process starts anew
        environment = {**os.environ, **dict.fromkeys(THREADS, options.threads)}
        command = [sys.executable, "-m", "experiments", "linear_models", *arguments]
        sys.stdout.flush()
        os.execve(sys.executable, command, environment)
    if options.footprint:
        from experiments.race_footprint import write_footprint

        write_footprint(DOCS / "results" if options.publish else options.output)
        return
    if options.passes:
        from experiments.race_passes import write_passes

        write_passes(options.output, DOCS / "results" if options.publish else options.output)
        return
    from experiments.race_overview import publish_overview
    from experiments.race_report import Report

    for family in options.family:
        module, extra, purpose = FAMILIES[family]
        races = importlib.import_module(module)
        report = Report(family, purpose, options.output, options.threads)
        if options.resume:
            report.resume()
        else:
            report.record.unlink(missing_ok=True)
        report.warm(races.small_cells(**extra), options.solver)
        for cell in races.cells(options.quick, **extra):
            report.run(cell, options.data, options.setting, options.solver, options.budget)
        report.write()
        if options.publish:
            report.publish(DOCS)
            publish_overview(options.output, DOCS, {k: v[2] for k, v in FAMILIES.items()})
