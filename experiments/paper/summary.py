"""What the figures took, and how many iterations their rules need to a gap of 1e-8."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from experiments.paper.claims import SOLVED, Panels
from experiments.paper.settings import FIGURES, ITERATIONS
from experiments.race_report import versions

COUNTED = ("fig5", "fig6", "fig7", "fig11", "fig12")


def add_seconds(name: str, seconds: float, output: Path) -> None:
    """Add what a figure's missing runs took to what they took before."""
    file = output / "seconds.json"
    spent = json.loads(file.read_text()) if file.exists() else {}
    spent[name] = spent.get(name, 0.0) + seconds
    file.write_text(json.dumps(spent, indent=1))


def reached(panels: Panels) -> Iterable[tuple[str, int, str]]:
    """Yield data set, block size and the rules that reach a gap of 1e-8, the fastest first."""
    for (data, size), curves in panels.items():
        counts = {label: curve.first_below(SOLVED) for label, curve in curves.items()}
        solved = sorted((count, label) for label, count in counts.items() if count >= 0)
        yield data, size, ", ".join(f"{label} {count}" for count, label in solved) or "none"


def summary(panels: dict[str, Panels], output: Path) -> str:
    """Markdown: seconds by figure, and iterations to 1e-8 by panel."""
    spent = json.loads((output / "seconds.json").read_text())
    lines = [
        "# Runs of the paper's figures",
        "",
        "| figure | seconds of its runs |",
        "| --- | --- |",
    ]
    lines += [f"| {FIGURES[name].number} | {spent.get(name, 0.0):.0f} |" for name in panels]
    lines += [
        f"| all | {sum(spent.get(name, 0.0) for name in panels):.0f} |",
        "",
        "A run that two figures share is counted where it is made first. " + versions() + ".",
        "",
        f"Iterations to F - F* <= {SOLVED:g}, within {ITERATIONS}; others do not get there.",
        "",
        "| figure | data | b | iterations |",
        "| --- | --- | --- | --- |",
    ]
    for name in COUNTED:
        if name in panels:
            lines += [
                f"| {FIGURES[name].number} | {data} | {size or 'forests'} | {rules} |"
                for data, size, rules in reached(panels[name])
            ]
    return "\n".join([*lines, ""])
