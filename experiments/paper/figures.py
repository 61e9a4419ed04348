"""``python -m experiments fig4`` ... ``fig13``, or ``all``: runs, pictures and claims.

Runs that are there already are kept (``--fresh`` makes them anew), so a run cut short goes on where
it stopped. Writes CSV, PNG and PDF to ``output/paper``.
"""

from __future__ import annotations

import argparse
import csv
import shutil
import time
from pathlib import Path

from experiments.paper.claims import CLAIMS, Claim, Panels
from experiments.paper.drawing import draw
from experiments.paper.optima import check_zero_optimum
from experiments.paper.runs import load, run_all
from experiments.paper.settings import FIGURES, Figure
from experiments.paper.summary import add_seconds, summary

DOCS = Path(__file__).parent.parent.parent / "docs"


def read_panels(figure: Figure, output: Path) -> Panels:
    """All curves of a figure."""
    return {
        (data, size): {
            label: load(setting, output) for label, setting in figure.settings(data, size).items()
        }
        for data, size in figure.panels()
    }


def write_csv(panels, file: Path) -> None:
    """Every curve, one iteration a row."""
    with file.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["data", "block_size", "curve", "iteration", "gap", "time_s", "n_active"])
        for (data, size), curves in panels.items():
            for label, curve in curves.items():
                columns = zip(curve.gap, curve.time_s, curve.n_active, strict=True)
                for k, (gap, time_s, active) in enumerate(columns):
                    writer.writerow([data, size, label, k, f"{gap:.8g}", f"{time_s:.6g}", active])


def claims_table(name: str, claims: list[Claim]) -> str:
    """Markdown table of what was claimed and what was measured."""
    rows = [f"### Figure {FIGURES[name].number}: {FIGURES[name].title}", ""]
    rows += ["| claim | measured | holds |", "| --- | --- | --- |"]
    for claim, measured, holds in claims:
        text = claim.replace("|b|", "b")
        rows.append(f"| {text} | {measured.replace('|b|', 'b')} | {'yes' if holds else 'no'} |")
    return "\n".join([*rows, ""])


def make_figure(name: str, output: Path, jobs: int) -> tuple[str, Panels]:
    """Make a figure's missing runs, draw it twice, check its claims; the table and the curves."""
    figure, began = FIGURES[name], time.perf_counter()
    settings = [
        setting
        for data, size in figure.panels()
        for setting in figure.settings(data, size).values()
    ]
    for data in set(figure.data) & {"A", "B", "C"}:
        check_zero_optimum(data)
    starts = time.perf_counter()
    run_all(settings, output, jobs)
    add_seconds(name, time.perf_counter() - starts, output)
    panels = read_panels(figure, output)
    write_csv(panels, output / f"{name}.csv")
    draw(figure, panels, output / name)
    draw(figure, panels, output / f"{name}_time", against_time=True)
    table = claims_table(name, CLAIMS[name](panels))
    (output / f"{name}_claims.md").write_text(table)
    print(table)
    print(f"{output / name}.png, _time.png, .pdf, .csv in {time.perf_counter() - began:.0f} s\n")
    return table, panels


def publish(names: list[str], tables: str, runs: str, output: Path) -> None:
    """Copy what ``experiments/README.md`` shows into the repository; tables, when all are there."""
    for name in names:
        for picture in (f"{name}.png", f"{name}_time.png"):
            shutil.copy(output / picture, DOCS / "images" / "figures" / picture)
    if names == list(FIGURES):
        (DOCS / "results" / "paper_claims.md").write_text(f"# Claims of the paper\n\n{tables}")
        (DOCS / "results" / "paper_runs.md").write_text(runs)


def main(name: str, arguments: list[str]) -> None:
    """Make one figure, or all."""
    parser = argparse.ArgumentParser(prog=f"python -m experiments {name}", description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("output/paper"))
    parser.add_argument("--jobs", type=int, default=2, help="processes beside each other")
    parser.add_argument("--publish", action="store_true", help="copy pictures and claims to docs")
    parser.add_argument("--fresh", action="store_true", help="forget the runs that are there")
    options = parser.parse_args(arguments)
    if options.fresh:
        shutil.rmtree(options.output / "runs", ignore_errors=True)
        (options.output / "seconds.json").unlink(missing_ok=True)
    options.output.mkdir(parents=True, exist_ok=True)
    names = list(FIGURES) if name == "all" else [name]
    made = {one: make_figure(one, options.output, options.jobs) for one in names}
    tables = "\n".join(table for table, _ in made.values())
    (options.output / f"{name}_claims.md").write_text(tables)
    runs = summary({one: panels for one, (_, panels) in made.items()}, options.output)
    (options.output / f"{name}_runs.md").write_text(runs)
    print(runs)
    if options.publish:
        publish(names, tables, runs, options.output)
