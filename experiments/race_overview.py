"""The page over all families of the races: how each stands at each level, and the worst cells."""

from __future__ import annotations

import json
from pathlib import Path

from experiments.race import LEVELS, Outcome
from experiments.race_report import BOUNDS, Standing, levels_of, milliseconds, standing, versions

LISTED = 15  # cells in which we are furthest behind
PROFILED = 0.25  # share of the cells in which a solver must run to be drawn
BESIDE = {
    "linear_models_footprint": "First fits in a fresh process and peak memory",
    "linear_models_passes": "Times in passes over the data",
}


def publish_overview(output: Path, docs: Path, purposes: dict[str, str]) -> None:
    """Write ``results/linear_models.md`` from the cells kept in ``output``, family by family."""
    families = {
        name: _read(output / f"{name}.jsonl")
        for name in purposes
        if (output / f"{name}.jsonl").is_file()
    }
    head = "".join(
        f" mean at {level:.0e} | with `>` | worst | slower by a tenth |" for level in LEVELS
    )
    lines = [
        "# Sparse linear models: all races",
        "",
        "Written by `python -m experiments linear_models --publish`. Ratio = time of the best peer "
        f"of a cell / ours, at the same independently computed duality gap; geometric means. "
        f"{BOUNDS}.",
        "",
        f"| family | cells |{head} only we arrive, at {LEVELS[-1]:.0e} |",
        "| --- | --- |" + " --- | --- | --- | --- |" * len(LEVELS) + " --- |",
    ]
    everything: list[Outcome] = []
    for name, outcomes in families.items():
        title = f"[{purposes[name]}](linear_models_{name}.md)"
        lines.append(_row(title, outcomes))
        everything += outcomes
    lines += [
        _row("**all**", everything),
        "",
        *_profile(everything, docs),
        "",
        "Cells furthest behind the best peer:",
        "",
    ]
    lines += ["| family | data | setting | gap | ours, ms | best peer, ms | ratio |"]
    lines += ["| --- | --- | --- | --- | --- | --- | --- |"]
    behind = [
        (not row.missed, row.ratio, outcome, level, row)
        for outcome in everything
        for level, row in zip(LEVELS, levels_of(outcome), strict=True)
        if row.ratio is not None and (row.missed or row.ratio < 1.0)
    ]
    for *_, outcome, level, row in sorted(behind, key=lambda entry: entry[:2])[:LISTED]:
        cell = f"{outcome.family} | {outcome.data} | {outcome.setting} | {level:.0e}"
        times = f"{milliseconds(row.ours)} | {milliseconds(row.other)}"
        lines.append(f"| {cell} | {times} | {row.shown_ratio} |")
    for name, what in BESIDE.items():
        if (docs / "results" / f"{name}.md").is_file():
            lines += ["", f"{what}: [here]({name}.md)."]
    lines += ["", f"{versions()}.", ""]
    (docs / "results" / "linear_models.md").write_text("\n".join(lines))


def _profile(everything: list[Outcome], docs: Path) -> list[str]:
    from experiments.race_drawing import draw_profile

    file = docs / "images" / "linear_models_profile.png"
    draw_profile(everything, file, PROFILED)
    return [
        "Solvers that run in a quarter of the cells or more; others stand in the families' pages."
        "\n\n![Share of all cells below the gap within a multiple of the best time]"
        f"(../images/{file.name})"
    ]


def _read(record: Path) -> list[Outcome]:
    return [Outcome.from_record(json.loads(line)) for line in record.read_text().splitlines()]


def _row(title: str, outcomes: list[Outcome]) -> str:
    levels = [standing(outcomes, k) for k in range(len(LEVELS))]
    entries = "".join(_entries(found) for found in levels)
    return f"| {title} | {len(outcomes)} |{entries} {levels[-1].n_alone} |"


def _entries(found: Standing) -> str:
    if not found.n_cells:
        return " - | - | - | - |"
    worst = f"{found.worst:.2f} ({found.worst_cell})"
    return f" {found.mean:.2f} | {found.bounded:.2f} | {worst} | {found.n_lost} |"
