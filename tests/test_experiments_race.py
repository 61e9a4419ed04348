"""The protocol of the races: levels, budgets, missing peers, files that are written."""

import time

import numpy as np
import pytest

from experiments import linear_models
from experiments.race import LEVELS, OURS, Cell, peer, race
from experiments.race_report import Report


def approach(tol):
    """Return a 'coefficient' whose gap is its own value."""
    return np.array([tol])


def late(tol):
    if tol < 1e-2:
        time.sleep(60.0)
    return np.array([tol])


def broken(tol):
    raise NotImplementedError("cannot")


@pytest.fixture(scope="module")
def outcome():
    solvers = {OURS: approach, "late": late, "broken": broken}
    return race(Cell("toy", "toy", "/1", lambda coef: float(coef[0]), solvers, budget_s=0.5))


def test_the_fastest_run_below_a_level_counts(outcome):
    for level in LEVELS:
        runs = [run for run in outcome.runs if run.solver == OURS and run.gap <= level]
        assert outcome.best(OURS, level) == min(run.time_s for run in runs)
        assert outcome.best("late", level) is None and outcome.best_peer(level) is None


def test_one_that_does_not_stop_is_ended_and_failures_are_told(outcome):
    assert "out of time" in outcome.remarks["late"]
    assert "NotImplementedError: cannot" in outcome.remarks["broken"]


def test_a_missing_peer_is_none():
    assert peer("no_such_solver") is None


def test_every_family_names_a_module_that_keeps_the_contract():
    for module, extra, _ in linear_models.FAMILIES.values():
        races = pytest.importorskip(module)
        for cell in races.small_cells(**extra):
            coef = cell.solvers[OURS](1e-6)
            assert cell.gap(coef) <= 1e-6
            assert cell.gap(np.zeros_like(coef)) > 1e-3


def test_the_report_writes_table_runs_and_pictures(outcome, tmp_path, capsys):
    report = Report("toy", "a toy", tmp_path, "1")
    report.outcomes.append(outcome)
    report.write()
    assert "geometric mean" not in capsys.readouterr().out  # nobody else arrived
    assert (tmp_path / "toy.csv").read_text().startswith("family,data,setting,solver,tol,gap")
    assert "| toy | /1 |" in (tmp_path / "toy.md").read_text()
    for name in ("toy_gap.png", "toy_profile.png"):
        assert (tmp_path / name).stat().st_size > 1000
