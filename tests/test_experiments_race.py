"""The protocol of the races: levels, budgets, missing peers, files that are written."""

import json
import time

import numpy as np
import pytest

from experiments import linear_models, race_passes
from experiments.race import LEVELS, OURS, Cell, Outcome, Run, peer, race
from experiments.race_overview import publish_overview
from experiments.race_report import Report, levels_of, standing


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


def test_a_cell_that_was_kept_is_not_raced_again(tmp_path):
    calls = []

    def counted(tol):
        calls.append(tol)
        return np.array([tol])

    cell = Cell("toy", "toy", "/1", lambda coef: float(coef[0]), {OURS: counted}, budget_s=0.5)
    first = Report("toy", "a toy", tmp_path, "1")
    first.run(cell, None, None, None, None)
    again = Report("toy", "a toy", tmp_path, "1")
    again.resume()
    calls.clear()
    again.run(cell, None, None, None, None)
    assert not calls and again.outcomes == first.outcomes


def test_one_that_is_ten_times_slower_is_ended():
    def slow(tol):
        time.sleep(0.1)
        return np.array([1e-2])

    solvers = {OURS: lambda tol: np.array([1e-10]), "slow": slow}
    ended = race(Cell("toy", "toy", "/1", lambda coef: float(coef[0]), solvers, budget_s=5.0))
    assert "10 times slower" in ended.remarks["slow"]
    assert sum(run.solver == "slow" for run in ended.runs) == 1


def test_a_run_much_longer_than_the_one_before_is_judged_by_another():
    loaded = []

    def lazy(tol):
        if tol < 1e-2 and not loaded:  # as compiled code is, when it is first needed
            loaded.append(tol)
            time.sleep(0.1)
        return np.array([tol])

    solvers = {OURS: lazy}
    outcome = race(Cell("toy", "toy", "/1", lambda coef: float(coef[0]), solvers, budget_s=5.0))
    assert max(run.time_s for run in outcome.runs) < 0.05


def test_the_overview_lists_families_and_the_cells_behind(tmp_path):
    for folder in ("results", "images"):
        (tmp_path / folder).mkdir()
    times = {OURS: 2.0, "other": 1.0}
    runs = [Run(name, 1e-9, 1e-10, [seconds]) for name, seconds in times.items()]
    record = json.dumps(Outcome("toy", "data", "/5", list(times), runs, {}).as_record())
    (tmp_path / "toy.jsonl").write_text(record + "\n")
    publish_overview(tmp_path, tmp_path, {"toy": "a toy", "absent": "not raced"})
    page = (tmp_path / "results" / "linear_models.md").read_text()
    assert "[a toy](linear_models_toy.md) | 1 | 0.50 | 0.50 | 0.50 (data /5) | 1 |" in page
    assert "| toy | data | /5 | 1e-09 | 2e+03 | 1e+03 | 0.50 |" in page and "absent" not in page
    assert "(../images/linear_models_profile.png)" in page
    assert (tmp_path / "images" / "linear_models_profile.png").stat().st_size > 1000


def test_passes_are_counted_from_the_cells_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(race_passes, "FAMILIES", ("toy",))
    monkeypatch.setattr(race_passes, "_pass_s", {"digits": 0.5}.get)
    runs = [Run(OURS, 1e-9, 0.0, [2.0]), Run("other", 1e-9, 0.0, [20.0])]
    lost = [Run(OURS, 1e-9, 0.0, [2.0]), Run("other", 1e-9, 1e-7, [50.0])]
    records = [Outcome("toy", "digits", "/5", [OURS, "other"], part, {}) for part in (runs, lost)]
    lines = [json.dumps(outcome.as_record()) for outcome in records]
    (tmp_path / "toy.jsonl").write_text("\n".join(lines) + "\n")
    race_passes.write_passes(tmp_path, tmp_path)
    page = (tmp_path / "linear_models_passes.md").read_text()
    assert "| toy | 1e-09 | 1 | 4 | 40 | 4 | 100% |" in page  # a fifth of 40 passes is 8
    assert "| toy | 1e-06 | 2 | 4 | 70 | 4 | 50% |" in page
    assert "| digits | 500 |" in page


def test_a_cell_in_which_only_a_peer_arrives_counts_against_us(tmp_path):
    (tmp_path / "results").mkdir()
    (tmp_path / "images").mkdir()
    ours, other = Run(OURS, 1e-4, 1e-4, [0.5]), Run("other", 1e-9, 1e-10, [0.2])
    lost = Outcome("toy", "lost", "/5", [OURS, "other"], [ours, other], {}, budget_s=2.0)
    won = Outcome("toy", "won", "/5", [OURS, "other"], [Run(OURS, 1e-9, 0.0, [0.02]), other], {})
    slow = Outcome("toy", "slow", "/5", [OURS, "other"], [Run(OURS, 1e-9, 0.0, [40.0]), other], {})
    rows = levels_of(lost)
    assert [row.shown_ratio for row in rows] == ["0.40", "<0.10", "<0.10"]
    found = standing([lost, won], 2)
    assert found.n_cells == 2 and found.mean == pytest.approx(1.0)  # of 0.1 and 10
    assert (found.worst_cell, found.n_lost, found.n_missed) == ("lost /5", 1, 1)
    lines = [json.dumps(outcome.as_record()) for outcome in (slow, lost)]
    (tmp_path / "toy.jsonl").write_text("\n".join(lines) + "\n")
    publish_overview(tmp_path, tmp_path, {"toy": "a toy"})
    page = (tmp_path / "results" / "linear_models.md").read_text()
    first = page.partition("furthest behind")[2].splitlines()[4]
    assert first == "| toy | lost | /5 | 1e-06 | - | 200 | <0.10 |"  # although 0.01 is further


def test_where_only_we_arrive_the_ratio_has_a_lower_bound(outcome):
    names = [OURS, "cut", "behind", "finished", "broken"]
    times = {"cut": 0.3, "behind": 0.5, "finished": 0.01}
    runs = [Run(name, 1e-5, 1e-4, [seconds]) for name, seconds in times.items()]
    remarks = {
        "cut": "out of time at tol 1e-08",
        "behind": "ended at tol 1e-08, 10 times slower",
        "broken": "ValueError: no at tol 1e-08",
    }
    runs.append(Run(OURS, 1e-9, 0.0, [0.1]))
    alone = Outcome("toy", "alone", "/5", names, runs, remarks, 2.0, {"cut": 0.7})
    assert [row.shown_ratio for row in levels_of(alone)] == ["0.10", ">5.00", ">5.00"]
    drawn = Run("other", 1e-9, 0.0, [0.02])
    both = Outcome("toy", "both", "/5", [OURS, "other"], [runs[-1], drawn], {})
    found = standing([alone, both], 2)
    assert (found.n_cells, found.n_bounded, found.n_alone) == (1, 2, 1)
    assert found.mean == pytest.approx(0.2) and found.bounded == pytest.approx(1.0)  # of 0.2 and 5
    assert 0.0 < outcome.cut_s["late"] < 0.6 and outcome.peers_need(1e-9) == outcome.cut_s["late"]


def test_a_budget_shorter_than_the_peers_time_is_no_win():
    other = Run("other", 1e-9, 1e-10, [9.0])
    outcome = Outcome("toy", "toy", "/5", [OURS, "other"], [other], {}, budget_s=2.0)
    assert all(row.missed and row.ratio == 1.0 for row in levels_of(outcome))
    assert standing([outcome], 0).n_lost == 1


def test_long_runs_are_followed_by_one_that_aims_at_the_next_level():
    def long(tol):
        time.sleep(0.31)
        return np.array([tol])

    solvers = {OURS: long}
    outcome = race(Cell("toy", "toy", "/1", lambda coef: float(coef[0]), solvers, budget_s=9.0))
    assert [run.tol for run in outcome.runs] == [0.1, 3e-3, 1e-3, 1e-6, 1e-9]
