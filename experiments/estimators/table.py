"""The table of estimators and features, in Markdown: each cell is tried or says why it is not."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from experiments.estimators import company, inputs, running
from experiments.estimators.models import MODELS, Model
from experiments.estimators.reasons import why_not

PAGE = Path(__file__).parents[2] / "docs" / "estimators.md"
FEATURES: dict[str, dict[str, Callable[[Model], None]]] = {
    "Input": {
        "dense, C and F order": inputs.dense_c_and_f,
        "sparse matrices and arrays": inputs.sparse,
        "explicit zeros": inputs.explicit_zeros,
        "32-bit and 64-bit indices": inputs.indices_of_both_widths,
        "float32 kept": inputs.float32_kept,
        "memory map without a copy": inputs.memory_map_without_a_copy,
        "sample weights are repeats": inputs.weights_are_repeats,
    },
    "Model": {
        "intercept not penalised": running.intercept_is_not_penalised,
        "`penalty_factor`": running.penalty_factor,
        "`bounds`": running.bounds,
        "signs": running.signs,
        "no penalty": running.without_penalty,
        "`l1_ratio=0`": running.without_l1,
        "`dual_gap_`, `n_iter_`": running.certificate,
    },
    "Run": {
        "`warm_start`": running.warm_start,
        "progress bar": running.progress_bar,
        "`callback`": running.callback,
        "warning with gap and tolerance": running.warning_names_gap_and_tolerance,
        "deterministic": running.deterministic,
    },
    "Company": {
        "feature names": company.feature_names,
        "`set_output`": company.set_output,
        "metadata routing": company.metadata_routing,
        "pickle": company.pickling,
        "clone": company.cloning,
        "threads": company.threads,
        "processes": company.processes,
    },
}
HEAD = """# Which estimator has which feature

Written by `python -m experiments estimators --publish`, which tries every cell on small data
(`experiments/estimators`); `tests/test_bcd_estimators.py` tries them again and holds this page to
the code. Where there is no such thing, a number leads to the reason.
"""


def cells() -> list[tuple[str, Model]]:
    """Return every feature with every model that should have it."""
    return [
        (feature, model)
        for part in FEATURES.values()
        for feature in part
        for model in MODELS
        if why_not(feature, model.name) is None
    ]


def check(feature: str, model: Model) -> None:
    """Try a cell; raises where the estimator lacks the feature."""
    next(part[feature] for part in FEATURES.values() if feature in part)(model)


def page(failed: frozenset = frozenset()) -> str:
    """Return the page; ``failed`` holds the cells (feature, name) that do not hold."""
    reasons: list[str] = []
    lines = [HEAD]
    for title, part in FEATURES.items():
        lines += [f"## {title}", "", "| estimator | " + " | ".join(part) + " |"]
        lines.append("| --- |" + " --- |" * len(part))
        for model in MODELS:
            row = []
            for feature in part:
                reason = why_not(feature, model.name)
                if reason is not None and reason not in reasons:
                    reasons.append(reason)
                word = "**no**" if (feature, model.name) in failed else "yes"
                row.append(word if reason is None else f"({reasons.index(reason) + 1})")
            lines.append(f"| {model.name} | " + " | ".join(row) + " |")
        lines.append("")
    lines += ["## What each column means", ""]
    for part in FEATURES.values():
        lines += [f"* {feature}: {_first_line(call)}" for feature, call in part.items()]
    lines += ["", "## Why not", ""]
    lines += [f"{k}. {reason}" for k, reason in enumerate(reasons, 1)]
    return "\n".join([*lines, ""])


def _first_line(call) -> str:
    sentence = call.__doc__.strip().splitlines()[0]
    return sentence[0].lower() + sentence[1:]


def main(arguments: list[str]) -> None:
    """Try all cells and write the page."""
    parser = argparse.ArgumentParser(prog="python -m experiments estimators")
    parser.add_argument("--publish", action="store_true", help=f"write {PAGE.name} in docs")
    parser.add_argument("--output", type=Path, default=Path("output/estimators"))
    options = parser.parse_args(arguments)
    failed: set[tuple[str, str]] = set()
    for feature, model in cells():
        try:
            check(feature, model)
        except Exception as error:
            print(f"{model.name}: {feature}: {type(error).__name__}: {str(error)[:300]}")
            failed.add((feature, model.name))
    found = page(frozenset(failed))
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / PAGE.name).write_text(found)
    if options.publish and not failed:
        PAGE.write_text(found)
    print(f"{len(cells()) - len(failed)} of {len(cells())} cells hold")
