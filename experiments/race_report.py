"""What is written about a race: every run as CSV, ratios to the best peer as Markdown, pictures."""

from __future__ import annotations

import csv
import dataclasses
import importlib.metadata
import json
import os
import platform
from pathlib import Path
from typing import NamedTuple

import numpy as np

from experiments.race import LEVELS, OURS, Cell, Outcome, first_calls, race

PACKAGES = (
    "southwell numpy scipy numba scikit-learn celer skglm adelie blitzl1 cyanure snapml glum"
).split()
MANY = 12  # panels of a picture at most
TOLERATED = 1.1  # times the best peer's time
BOUNDS = (
    "`<`: only the peer arrived, and the time that we had stands for ours; `>`: only we arrived, "
    "and the longest run in vain of the peer that gave up first stands for its time"
)


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
    """Runs cells, prints a line each, keeps each at once, and writes the files at the end."""

    def __init__(self, family: str, purpose: str, output: Path, threads: str):
        self.family, self.purpose, self.output, self.threads = family, purpose, output, threads
        self.outcomes: list[Outcome] = []
        self.first: dict[str, float] = {}
        self.kept: dict[tuple[str, str], Outcome] = {}

    @property
    def record(self) -> Path:
        """Where each cell is kept as soon as it has been raced, a line of JSON each."""
        return self.output / f"{self.family}.jsonl"

    def resume(self) -> None:
        """Take the cells that an earlier call kept; they are not raced again."""
        if self.record.is_file():
            for line in self.record.read_text().splitlines():
                outcome = Outcome.from_record(json.loads(line))
                self.kept[outcome.data, outcome.setting] = outcome

    def warm(self, cells: list[Cell], solvers: list[str] | None) -> None:
        """Compile everything on tiny problems, and note how long the first calls took."""
        self.first = first_calls([_only(cell, solvers) for cell in cells])
        first = ", ".join(f"{name} {seconds:.2f}" for name, seconds in self.first.items())
        print(f"== {self.family}: {self.purpose}; first calls (s): {first}", flush=True)

    def run(self, cell: Cell, data, settings, solvers, budget_s: float | None) -> None:
        """Race a cell, unless it was not asked for or was raced before."""
        if (data and cell.data not in data) or (settings and cell.setting not in settings):
            return
        if (cell.data, cell.setting) in self.kept:
            self.outcomes.append(self.kept[cell.data, cell.setting])
            return
        cell = _only(cell, solvers)
        if budget_s is not None:
            cell = dataclasses.replace(cell, budget_s=min(budget_s, cell.budget_s))
        outcome = race(cell)
        self.outcomes.append(outcome)
        self.output.mkdir(parents=True, exist_ok=True)
        with self.record.open("a") as stream:
            stream.write(json.dumps(outcome.as_record()) + "\n")
        row = map(_short, levels_of(outcome))
        print("  ".join([f"{cell.data:<30} {cell.setting:<6}", *row]), flush=True)
        if outcome.remarks:
            remarks = "; ".join(f"{k}: {v}" for k, v in outcome.remarks.items())
            print(" " * 38 + remarks, flush=True)

    def write(self) -> None:
        """Write CSV, Markdown and pictures, and print the summary."""
        if not self.outcomes:
            return
        self.output.mkdir(parents=True, exist_ok=True)
        self._write_csv(self.output / f"{self.family}.csv")
        self._write_page(self.output, self.output, self.family)
        print("\n".join(self.summary()), flush=True)

    def publish(self, docs: Path) -> None:
        """Write the page and its pictures into the documentation."""
        if self.outcomes:
            self._write_page(docs / "results", docs / "images", f"linear_models_{self.family}")

    def _write_page(self, folder: Path, images: Path, name: str) -> None:
        from experiments.race_drawing import draw_profile, draw_time_against_gap

        profile, gaps = images / f"{name}_profile.png", images / f"{name}_gap.png"
        draw_profile(self.outcomes, profile)
        draw_time_against_gap(_spread(self.outcomes, MANY), gaps)
        shown = [os.path.relpath(file, folder) for file in (profile, gaps)]
        lines = [
            f"# Race: {self.purpose}",
            "",
            f"Written by `python -m experiments linear_models --family {self.family}`.",
            "",
            *self.summary(),
            "",
            f"![Share of cells below the gap within a multiple of the best time]({shown[0]})",
            "",
            *self.table(),
            "",
            f"![Proven gap against time]({shown[1]})",
            "",
        ]
        (folder / f"{name}.md").write_text("\n".join(lines))

    def _write_csv(self, file: Path) -> None:
        with file.open("w", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow("family data setting solver tol gap time_s repeats".split())
            for outcome in self.outcomes:
                for run in outcome.runs:
                    row = (run.solver, run.tol, run.gap, run.time_s, len(run.times_s))
                    writer.writerow((outcome.family, outcome.data, outcome.setting, *row))

    def table(self) -> list[str]:
        """Rows of ours / best peer / ratio at each level."""
        head = "".join(f" {level:.0e} ours | best peer | ratio |" for level in LEVELS)
        lines = [f"| data | setting |{head}", "| --- | --- |" + " --- | --- | --- |" * len(LEVELS)]
        for outcome in self.outcomes:
            entries = []
            for row in levels_of(outcome):
                best = f"{milliseconds(row.other)} {row.name}" if row.name else "-"
                entries.append(f" {milliseconds(row.ours)} | {best} | {row.shown_ratio} |")
            lines.append(f"| {outcome.data} | {outcome.setting} |{''.join(entries)}")
        return lines

    def summary(self) -> list[str]:
        """Geometric means, the worst cells, and what ran."""
        lines = [
            "Milliseconds; ratio = best peer / ours; `-`: not reached within the budget; "
            f"{BOUNDS}. Solvers take turns; runs below 20 ms are timed five in a row.",
            "",
        ]
        for k, level in enumerate(LEVELS):
            found = standing(self.outcomes, k)
            line = f"* Gap {level:.0e}: "
            if found.n_cells:
                line += (
                    f"geometric mean {found.mean:.2f} over {found.n_cells} cells "
                    f"({found.bounded:.2f} over {found.n_bounded} with those where `>`); worst "
                    f"{found.worst:.2f} ({found.worst_cell}); slower than the best peer in "
                    f"{found.n_slower}, by more than a tenth in {found.n_lost}; "
                )
            lines.append(
                line + f"only we arrived in {found.n_alone}; only peers in {found.n_missed}."
            )
        lines += [
            "",
            f"First calls (s): {', '.join(f'{k} {v:.2f}' for k, v in self.first.items())}.",
        ]
        return [*lines, f"BLAS threads: {self.threads}. {versions()}."]


@dataclasses.dataclass(frozen=True)
class Standing:
    """How a family stands at one level: ratios of the best peer's time to ours.

    ``mean`` is that of the ``n_cells`` in which a peer arrived, ``bounded`` that of the
    ``n_bounded`` which are these and those where a lower bound is known.
    """

    n_cells: int
    mean: float
    n_bounded: int
    bounded: float
    worst: float
    worst_cell: str
    n_slower: int
    n_lost: int
    n_alone: int
    n_missed: int


def standing(outcomes: list[Outcome], level: int) -> Standing:
    """Sum a family up at the level of that number."""
    rows = [(levels_of(outcome)[level], outcome) for outcome in outcomes]
    ratios = [(row.ratio, outcome) for row, outcome in rows if row.ratio is not None]
    bounds = [row.at_least for row, _ in rows if row.at_least is not None]
    worst, where = min(ratios, key=lambda pair: pair[0], default=(np.nan, None))
    return Standing(
        n_cells=len(ratios),
        mean=_geometric_mean([ratio for ratio, _ in ratios]),
        n_bounded=len(ratios) + len(bounds),
        bounded=_geometric_mean([ratio for ratio, _ in ratios] + bounds),
        worst=worst,
        worst_cell=f"{where.data} {where.setting}".strip() if where else "",
        n_slower=sum(row.missed or row.ratio < 1.0 for row, _ in rows if row.ratio),
        n_lost=sum(row.missed or row.ratio < 1.0 / TOLERATED for row, _ in rows if row.ratio),
        n_alone=sum(row.ours is not None and row.other is None for row, _ in rows),
        n_missed=sum(row.missed for row, _ in rows),
    )


def _geometric_mean(ratios: list[float]) -> float:
    return float(np.exp(np.mean(np.log(ratios)))) if ratios else np.nan


def _spread(outcomes: list[Outcome], many: int) -> list[Outcome]:
    """Return at most so many, evenly from first to last."""
    places = np.linspace(0, len(outcomes) - 1, min(many, len(outcomes))).round().astype(int)
    return [outcomes[k] for k in places]


def _only(cell: Cell, solvers: list[str] | None) -> Cell:
    if not solvers:
        return cell
    kept = {name: solver for name, solver in cell.solvers.items() if name in solvers}
    return dataclasses.replace(cell, solvers=kept)


class Row(NamedTuple):
    """A cell at one level.

    The ratio is an upper bound where a peer arrived and we did not; where only we arrived there is
    none, and ``at_least`` is a lower bound of it, if one is known.
    """

    ours: float | None
    other: float | None
    name: str
    ratio: float | None
    at_least: float | None = None

    @property
    def missed(self) -> bool:
        """Whether a peer arrived and we did not."""
        return self.ours is None and self.other is not None

    @property
    def shown_ratio(self) -> str:
        """Two decimals, marked where it is only known to be less or more."""
        if self.ratio is None:
            return "-" if self.at_least is None else f">{self.at_least:.2f}"
        return f"{'<' if self.missed else ''}{self.ratio:.2f}"


def levels_of(outcome: Outcome) -> list[Row]:
    """Return our time, the best peer's, its name and the ratio, level by level.

    Where a peer arrived and we did not, the time that we had stands for ours; where only we
    arrived, the least that a peer needs stands for its time.
    """
    rows = []
    for level in LEVELS:
        ours, best = outcome.best(OURS, level), outcome.best_peer(level)
        other, name = best if best else (None, "")
        ratio, at_least = None, None
        if other is not None and ours is not None:
            ratio = other / ours
        elif other is not None:
            spent = outcome.at_least(OURS, level)
            ratio = min(other / spent, 1.0) if spent > 0.0 else 1.0
        elif ours is not None and (needed := outcome.peers_need(level)) is not None:
            at_least = needed / ours
        rows.append(Row(ours, other, name, ratio, at_least))
    return rows


def _short(row: Row) -> str:
    ours, other = milliseconds(row.ours), milliseconds(row.other)
    return f"{ours:>6} | {other:>6} {row.name:<12.12} {row.shown_ratio:>6}"
