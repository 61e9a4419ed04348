"""How many passes over the data the solvers of the races took, from the cells kept of them."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np

from experiments.race import LEVELS, Outcome
from experiments.race_data import load
from experiments.race_report import levels_of, versions

FAMILIES = ("lasso", "enet", "positive", "logistic_l1", "logistic_l2")
REPEATS = 9
FIFTH, FEW = 5.0, 10.0  # a fifth of the best peer's time, and so many passes


def write_passes(kept: Path, results: Path) -> None:
    """Write the table of passes, ours and the best peer's, from the cells in ``kept``."""
    pass_s: dict[str, float] = {}
    lines = [
        "# Sparse linear models: passes over the data",
        "",
        "Written by `python -m experiments linear_models --passes --publish` from the cells kept "
        "of the races. A pass is `X.T @ r` by numpy or scipy on the data of the cell, in one "
        f"thread, the fastest of {REPEATS}; cells in which a peer arrived too. The last column is "
        "the share of the cells in which a fifth of the best peer's time would be less than "
        f"{FEW:g} passes, checks of the input and the certificate included.",
        "",
        "| family | gap | cells | ours, median | best peer, median | ours, 9 in 10 below | "
        f"a fifth is below {FEW:g} passes |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    everything: dict[float, list[tuple[float, float]]] = {level: [] for level in LEVELS}
    for family in FAMILIES:
        found: dict[float, list[tuple[float, float]]] = {level: [] for level in LEVELS}
        for line in (kept / f"{family}.jsonl").read_text().splitlines():
            outcome = Outcome.from_record(json.loads(line))
            if outcome.data not in pass_s:
                pass_s[outcome.data] = _pass_s(outcome.data)
            unit = pass_s[outcome.data]
            for level, row in zip(LEVELS, levels_of(outcome), strict=True):
                if row.ours is not None and row.other is not None:
                    found[level].append((row.ours / unit, row.other / unit))
        for level in LEVELS:
            lines.append(_row(family, level, found[level]))
            everything[level] += found[level]
    lines += [_row("**all**", level, everything[level]) for level in LEVELS]
    lines += ["", "| data | a pass, ms |", "| --- | --- |"]
    lines += [f"| {data} | {1e3 * unit:.3g} |" for data, unit in pass_s.items()]
    lines += ["", f"{versions()}.", ""]
    (results / "linear_models_passes.md").write_text("\n".join(lines))


def _pass_s(data: str) -> float:
    X, y = load(data)
    times = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        X.T @ y
        times.append(time.perf_counter() - started)
    return min(times)


def _row(family: str, level: float, found: list[tuple[float, float]]) -> str:
    if not found:
        return f"| {family} | {level:.0e} | 0 | - | - | - | - |"
    ours, other = np.array(found).T
    share = float(np.mean(other / FIFTH < FEW))
    return (
        f"| {family} | {level:.0e} | {len(found)} | {np.median(ours):.0f} | "
        f"{np.median(other):.0f} | {np.quantile(ours, 0.9):.0f} | {share:.0%} |"
    )
