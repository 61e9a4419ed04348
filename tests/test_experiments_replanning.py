import csv

import numpy as np
import pytest

from experiments import replanning_race, replanning_scenarios
from experiments.replanning import publish
from experiments.replanning_planners import OURS
from experiments.replanning_race import race
from experiments.replanning_report import COLUMNS, draw, rows_of, scenario_lines, write_csv
from experiments.replanning_scenarios import doors, moving_discs
from experiments.replanning_tails import tails
from experiments.replanning_targets import beside, race_targets
from experiments.replanning_variants import queues

N_TICKS = 5


@pytest.fixture
def drawn(monkeypatch, tmp_path):
    """Make the shared data absent: worlds are drawn."""
    monkeypatch.setattr(replanning_scenarios, "SHARED", tmp_path / "absent")


def test_race_on_drawn_discs_finds_the_exact_planners_exact(drawn, tmp_path):
    scenario = moving_discs("discs_n300_m4_robot", N_TICKS)
    assert "absent" in scenario.purpose
    records = race(scenario, [*OURS])
    assert [record.name for record in records] == ["Scratch", *OURS]
    for record in records:
        assert len(record.seconds) == N_TICKS - 1 and record.first_s > 0.0
        assert record.n_below == record.n_lost == 0
        if "published" not in record.name:
            assert record.worst_vertex < 1e-9 and np.abs(record.excess()).max() < 1e-9
    rows = rows_of(records)
    assert all(len(row) == len(COLUMNS) for row in rows)
    assert all("WRONG" not in cell for row in rows for cell in row)
    assert any("| FMTx |" in line for line in scenario_lines(scenario, records))
    write_csv(tmp_path / "race.csv", scenario, records)
    with (tmp_path / "race.csv").open(encoding="utf-8") as stream:
        lines = list(csv.reader(stream))
    assert len(lines) == 1 + len(records) * N_TICKS
    draw(scenario, records, tmp_path / "race.png")
    assert (tmp_path / "race.png").stat().st_size > 10_000


def test_race_on_doors_sends_all_the_same_windows(drawn):
    scenario = doors(N_TICKS, 300)
    first, second = scenario.make_world(), scenario.make_world()
    for tick in range(1, N_TICKS):
        before = first.values
        scenario.change(first, tick)
        scenario.change(second, tick)
        np.testing.assert_array_equal(first.values, second.values)
        assert (first.values != before).any()
    for record in race(scenario, ["FMTx"]):
        assert record.n_below == record.n_lost == 0 and record.worst_vertex < 1e-9


def test_the_report_holds_the_races_against_the_targets(drawn, tmp_path):
    scenario = moving_discs("discs_n300_m4", N_TICKS)
    write_csv(tmp_path / "small.csv", scenario, race(scenario, ["FMTx", "FMTx whole tree"]))
    lines = race_targets([tmp_path / "small.csv"])
    assert [line.split(" | ")[1] for line in lines[-2:]] == ["FMTx", "FMTx whole tree"]
    output, docs = tmp_path / "output", tmp_path / "docs"
    output.mkdir()
    (output / "replanning_small.png").write_bytes(b"picture")
    (output / "replanning.md").write_text("report")
    publish(output, docs)
    assert (docs / "results" / "replanning.md").read_text() == "report"
    assert (docs / "images" / "replanning_small.png").is_file()


def test_a_peer_is_held_against_on_the_ticks_it_answered():
    own = np.array([[0.001, 1, 1, 1], [0.004, 1, 1, 2], [9.0, 1, 1, 3], [0.002, 1, 1, 4]])
    peer = np.array([[0.002, 0, 0, 2], [0.008, 0, 0, 4]])
    assert beside(own, peer) == ("median 0.600; mean 0.600; tick by tick 0.707; faster on 1 of 2")


def test_tails_tell_ticks_with_work_from_those_without(tmp_path):
    file = tmp_path / "race.csv"
    rows = [("FMTx", 0, 9.0, 0, 0)]  # the first plan does not count
    rows += [("FMTx", k, 0.001, 0, 0) for k in range(1, 4)]
    rows += [("FMTx", 4, 0.010, 10, 0), ("FMTx", 5, 0.030, 20, 320), ("Scratch", 5, 1.0, 1, 1)]
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["planner", "tick", "seconds", "expanded", "checks"])
        writer.writerows(rows)
    (line,) = tails([file])[6:]
    cells = line.strip("| ").split(" | ")
    assert cells[:3] == ["race", "FMTx", "1.000"] and float(cells[3]) == pytest.approx(29.2)
    assert cells[5:7] == ["2 of 5", "20.000"]  # the median of 10 and 30 ms
    assert cells[10:12] == ["1000.0", "1000.0"]  # 10 ms for 10, 30 ms for 20 + 320 / 32
    assert cells[-1] == "60.0%"


def test_every_queue_finds_the_same_costs(drawn):
    lines = queues(quick=True)  # raises where one does not
    assert sum("arity" in line for line in lines) == 4


def test_a_wrong_cost_is_noticed():
    record = replanning_race.Record("someone")
    right = replanning_race.Answer(cost=2.0, settled=np.array([0.0, 1.0, 2.0]))
    wrong = replanning_race.Answer(cost=np.inf, settled=np.array([0.0, 0.9, 2.2]))
    replanning_race.note(record, 1, 0.1, wrong, right)
    assert record.n_below == 1 and record.n_lost == 1
    assert record.worst_vertex == pytest.approx(0.1)


def test_a_wrong_yardstick_stops_the_race(drawn, monkeypatch):
    scenario = moving_discs("discs_n200_m2", 2)
    planner = next(replanning_race.entries(scenario, []))
    planner.answer(scenario.starts[0])
    answer = planner.report()
    record = replanning_race.Record("Scratch")
    replanning_race.audit(scenario, planner, record, answer)
    answer.settled[5] += 0.1
    with pytest.raises(RuntimeError, match="disagrees with scipy"):
        replanning_race.audit(scenario, planner, record, answer)
