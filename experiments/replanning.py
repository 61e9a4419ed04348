"""The replanning race: planners that repair their plan against planners that start over.

``python -m experiments replanning`` races all planners on moving discs and on maps, studies
memory, the degree of the roadmap, the warehouse, large roadmaps, other queues and edge books, and
writes ``output/replanning/``. With ``--only`` it runs some parts and puts them together with those
that are there; with ``--publish`` the whole goes to ``docs/results`` and ``docs/images``. Without
the shared data it draws worlds of the same kind.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

from experiments import replanning_scenarios as scenarios
from experiments import replanning_studies as studies
from experiments.replanning_race import race
from experiments.replanning_report import draw, scenario_lines, versions, write_csv
from experiments.replanning_tails import slow_ticks, tails
from experiments.replanning_targets import promises, race_targets
from experiments.replanning_variants import variants
from planning import warm_up

RACES: dict[str, Callable] = {
    **{name: partial(scenarios.moving_discs, name) for name in scenarios.DISCS},
    "window": scenarios.window,
    "people": scenarios.people,
    "doors": scenarios.doors,
    "disclosure": scenarios.disclosure,
}
STUDIES: dict[str, Callable] = {
    "connection": studies.connection,
    "large": studies.large,
    "warehouse": studies.warehouse_map,
    "memory": studies.memory,
    "promises": promises,
    "variants": variants,
}
DOCS = Path(__file__).parent.parent / "docs"


def main(arguments: list[str]) -> None:
    """Race, print and write tables, CSV and pictures."""
    parser = argparse.ArgumentParser(prog="python -m experiments replanning", description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("output/replanning"))
    parser.add_argument("--quick", action="store_true", help="a few ticks of each")
    parser.add_argument("--only", nargs="*", choices=[*RACES, *STUDIES], help="parts to run")
    parser.add_argument("--planners", nargs="*", help="names as in the table; all if left out")
    parser.add_argument("--publish", action="store_true", help="write to docs/ as well")
    parser.add_argument("--ticks", type=int, help="ticks of each race")
    options = parser.parse_args(arguments)
    if not scenarios.SHARED.is_dir():
        print(f"{scenarios.SHARED} is absent: worlds are drawn instead")
    ticks = options.ticks or (12 if options.quick else 151)
    n_samples = 4000 if options.quick else 10_000
    wanted = options.only or [*RACES, *STUDIES]
    options.output.mkdir(parents=True, exist_ok=True)
    warm_up(everything=True)
    for name, make in RACES.items():
        if name not in wanted:
            continue
        scenario = make(ticks) if name in scenarios.DISCS else make(ticks, n_samples)
        print(f"== {name}: {scenario.purpose}", flush=True)
        records = race(scenario, options.planners)
        found = scenario_lines(scenario, records)
        print("\n".join(found[3:]), flush=True)
        picture = f"replanning_{name}.png"
        draw(scenario, records, options.output / picture)
        write_csv(options.output / f"{name}.csv", scenario, records)
        _write(options.output / f"{name}.md", [*found, "", f"![{name}](../images/{picture})"])
    for name, study in STUDIES.items():
        if name in wanted:
            print(f"== {name}", flush=True)
            found = study(options.quick)
            print("\n".join(found), flush=True)
            _write(options.output / f"{name}.md", found)
    assemble(options.output)
    if options.publish:
        publish(options.output, DOCS)


def publish(output: Path, docs: Path) -> None:
    """Copy the report and its pictures to where the site shows them."""
    for folder in ("results", "images"):
        (docs / folder).mkdir(parents=True, exist_ok=True)
    shutil.copy(output / "replanning.md", docs / "results")
    for picture in output.glob("replanning_*.png"):
        shutil.copy(picture, docs / "images")


def assemble(output: Path) -> None:
    """Put the parts together, those of earlier runs among them."""
    lines = ["# Replanning", "", f"{versions()}.", ""]
    lines += [
        "Written by `python -m experiments replanning`. Times are milliseconds an update, from the "
        "changed world to the repaired plan; all planners answer in turn, so ratios hold where "
        "the machine is busy.",
        "",
    ]
    for name in (*RACES, *STUDIES):
        part = output / f"{name}.md"
        if part.is_file():
            lines += [part.read_text(encoding="utf-8")]
    raced = [output / f"{name}.csv" for name in RACES if (output / f"{name}.csv").is_file()]
    if raced:
        lines += [*race_targets(raced), "", *tails(raced), "", *slow_ticks(raced)]
    _write(output / "replanning.md", lines)


def _write(file: Path, lines: list[str]) -> None:
    file.write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")
