"""What is written about a race: every run as CSV, ratios to the best peer as Markdown, pictures."""

from __future__ import annotations

import csv
import dataclasses
import importlib.metadata
import os
import platform
from pathlib import Path

import numpy as np

from experiments.race import LEVELS, OURS, Cell, Outcome, first_calls, race

PACKAGES = (
    "southwell numpy scipy numba scikit-learn celer skglm adelie blitzl1 cyanure snapml glum"
).split()
MANY = 8  # panels of a picture at most


def versions() -> str:
    """Say what ran: packages, interpreter, machine."""
    found = []
    for name in PACKAGES:
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    return f"{', '.join(found)}; Python {platform.python_version()}; {os.cpu_count()} cores"


def milliseconds(seconds: float | None) -> str:
    """Three digits, or a dash where nobody got there."""
    return "-" if seconds is None else f"{1e3 * seconds:.3g}"


class Report:
    """Runs cells, prints a line each, and writes the files at the end."""

    def __init__(self, family: str, purpose: str, output: Path, threads: str):
        self.family, self.purpose, self.output, self.threads = family, purpose, output, threads
        self.outcomes: list[Outcome] = []
        self.first: dict[str, float] = {}

    def warm(self, cells: list[Cell], solvers: list[str] | None) -> None:
        """Compile everything on tiny problems, and note how long the first calls took."""
        self.first = first_calls([_only(cell, solvers) for cell in cells])
        first = ", ".join(f"{name} {seconds:.2f}" for name, seconds in self.first.items())
        print(f"== {self.family}: {self.purpose}; first calls (s): {first}")

    def run(self, cell: Cell, data, settings, solvers, budget_s: float | None) -> None:
        """Race a cell, unless it was not asked for."""
        if (data and cell.data not in data) or (settings and cell.setting not in settings):
            return
        cell = _only(cell, solvers)
        if budget_s is not None:
            cell = dataclasses.replace(cell, budget_s=budget_s)
        outcome = race(cell)
        self.outcomes.append(outcome)
        print("  ".join([f"{cell.data:<30} {cell.setting:<6}", *map(_short, _levels(outcome))]))
        if outcome.remarks:
            print(" " * 38 + "; ".join(f"{k}: {v}" for k, v in outcome.remarks.items()))

    def write(self) -> None:
        """Write CSV, Markdown and pictures, and print the summary."""
        if not self.outcomes:
            return
        self.output.mkdir(parents=True, exist_ok=True)
        self._write_csv(self.output / f"{self.family}.csv")
        summary = self.summary()
        lines = [f"# Race: {self.purpose}", "", *self.table(), "", *summary, ""]
        (self.output / f"{self.family}.md").write_text("\n".join(lines))
        print("\n".join(summary))
        from experiments.race_drawing import draw_profile, draw_time_against_gap

        draw_profile(self.outcomes, self.output / f"{self.family}_profile.png")
        draw_time_against_gap(self.outcomes[:MANY], self.output / f"{self.family}_gap.png")

    def _write_csv(self, file: Path) -> None:
        with file.open("w", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow("family data setting solver tol gap time_s repeats".split())
            for outcome in self.outcomes:
                cell = outcome.cell
                for run in outcome.runs:
                    row = (run.solver, run.tol, run.gap, run.time_s, len(run.times_s))
                    writer.writerow((cell.family, cell.data, cell.setting, *row))

    def table(self) -> list[str]:
        """Rows of ours / best peer / ratio at each level."""
        head = "".join(f" {level:.0e} ours | best peer | ratio |" for level in LEVELS)
        lines = [f"| data | setting |{head}", "| --- | --- |" + " --- | --- | --- |" * len(LEVELS)]
        for outcome in self.outcomes:
            entries = []
            for ours, other, name, ratio in _levels(outcome):
                best = f"{milliseconds(other)} {name}" if name else "-"
                entries.append(f" {milliseconds(ours)} | {best} | {_ratio(ratio)} |")
            lines.append(f"| {outcome.cell.data} | {outcome.cell.setting} |{''.join(entries)}")
        return lines

    def summary(self) -> list[str]:
        """Geometric means, the worst cells, and what ran."""
        lines = ["Milliseconds; ratio = best peer / ours; `-`: not reached within the budget.", ""]
        for k, level in enumerate(LEVELS):
            rows = [(_levels(outcome)[k], outcome.cell) for outcome in self.outcomes]
            ratios = [(row[3], cell) for row, cell in rows if row[3] is not None]
            alone = sum(row[0] is not None and row[1] is None for row, _ in rows)
            missed = sum(row[0] is None for row, _ in rows)
            line = f"* Gap {level:.0e}: "
            if ratios:
                mean = np.exp(np.mean([np.log(ratio) for ratio, _ in ratios]))
                worst, cell = min(ratios, key=lambda pair: pair[0])
                lost = sum(ratio < 1.0 for ratio, _ in ratios)
                line += (
                    f"geometric mean {mean:.2f} over {len(ratios)} cells; worst {worst:.2f} "
                    f"({cell.data} {cell.setting}); slower than the best peer in {lost}; "
                )
            lines.append(line + f"only we arrived in {alone}; we did not arrive in {missed}.")
        lines += [
            "",
            f"First calls (s): {', '.join(f'{k} {v:.2f}' for k, v in self.first.items())}.",
        ]
        return [*lines, f"BLAS threads: {self.threads}. {versions()}."]


def _only(cell: Cell, solvers: list[str] | None) -> Cell:
    if not solvers:
        return cell
    kept = {name: solver for name, solver in cell.solvers.items() if name in solvers}
    return dataclasses.replace(cell, solvers=kept)


def _levels(outcome: Outcome) -> list[tuple]:
    rows = []
    for level in LEVELS:
        ours, best = outcome.best(OURS, level), outcome.best_peer(level)
        other, name = best if best else (None, "")
        rows.append((ours, other, name, other / ours if ours and other else None))
    return rows


def _ratio(ratio: float | None) -> str:
    return "-" if ratio is None else f"{ratio:.2f}"


def _short(row: tuple) -> str:
    ours, other, name, ratio = row
    return f"{milliseconds(ours):>6} | {milliseconds(other):>6} {name:<12.12} {_ratio(ratio):>6}"
