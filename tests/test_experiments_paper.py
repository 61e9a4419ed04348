"""The paper's experiments: what is read back is what was run, and gaps are the right ones."""

import numpy as np
import pytest

from experiments.paper import optima, runs, summary
from experiments.paper.claims import CLAIMS
from experiments.paper.drawing import draw
from experiments.paper.settings import FIGURES, Figure, Setting
from graphs import eliminate
from problems import datasets


@pytest.fixture
def small(monkeypatch):
    """Data sets small enough for a test."""
    monkeypatch.setitem(optima.DATA, "A-l1nn", lambda: datasets.dataset_a_l1nn(60, 80, alpha=200.0))
    monkeypatch.setitem(optima.DATA, "D", lambda: datasets.dataset_d(side=8, n_labelled=5))
    monkeypatch.setattr(runs, "SIDE", 8)
    monkeypatch.setattr(runs, "ITERATIONS", 30)
    for cached in (optima.problem, optima.optimum, optima.distance):
        cached.cache_clear()
    yield
    for cached in (optima.problem, optima.optimum, optima.distance):
        cached.cache_clear()


@pytest.mark.parametrize("data", ["A-l1nn", "D"])
def test_gap_by_the_point_is_the_difference_of_objectives(small, data):
    problem, rng = optima.problem(data), np.random.default_rng(0)
    least = problem.value(optima.optimum(data))
    for _ in range(5):
        x = np.abs(rng.normal(size=problem.n_coordinates))
        np.testing.assert_allclose(optima.distance(data)(x), problem.value(x) - least, rtol=1e-9)


@pytest.mark.parametrize("data", ["A", "B"])
def test_zero_optimum_needs_independent_rows(monkeypatch, data):
    monkeypatch.setitem(optima.DATA, data, lambda: datasets.dataset_a(20, 60))
    optima.problem.cache_clear()
    optima.check_zero_optimum(data)
    monkeypatch.setitem(optima.DATA, data, lambda: datasets.dataset_a(60, 20))
    optima.problem.cache_clear()
    with pytest.raises(ValueError, match="dependent rows"):
        optima.check_zero_optimum(data)
    optima.problem.cache_clear()


def test_runs_are_kept_resumed_and_drawn(small, tmp_path):
    figure = Figure(
        "0",
        "a test",
        {
            "TMP, VB": ("variable", "gs-q", "two-metric"),
            "PG, FB": ("sorted", "random", "prox-gradient"),
        },
        ("A-l1nn",),
        (5,),
    )
    settings = figure.settings("A-l1nn", 5)
    runs.run_all(list(settings.values()), tmp_path, jobs=1)
    curves = {label: runs.load(setting, tmp_path) for label, setting in settings.items()}
    curve = curves["TMP, VB"]
    assert curve.gap[0] > curve.gap[-1] >= 0.0
    assert len(curve.gap) == len(curve.time_s) == len(curve.n_active)
    assert curve.first_below(curve.gap[3]) <= 3 and curve.first_below(-1.0) == -1
    file = runs.file_of(settings["TMP, VB"], tmp_path)
    written = file.stat().st_mtime_ns
    runs.run_all(list(settings.values()), tmp_path, jobs=1)
    assert file.stat().st_mtime_ns == written
    draw(figure, {("A-l1nn", 5): curves}, tmp_path / "picture")
    assert (tmp_path / "picture.png").stat().st_size > 5000


def test_combs_are_two_trees_that_share_the_lattice(small):
    combs = runs.rules(Setting("D", 0, "combs", "gs", "message-passing"))["partition"]
    graph = optima.problem("D").graph
    assert np.array_equal(np.sort(np.concatenate(combs)), np.arange(graph.n_vertices))
    # eliminating a block that holds a cycle is refused
    for comb in combs:
        member = np.zeros(graph.n_vertices, dtype=bool)
        member[comb] = True
        assert len(eliminate(graph, member).order) == len(comb)


def test_settings_have_files_of_their_own_and_figures_claims():
    settings = {
        setting
        for figure in FIGURES.values()
        for data, size in figure.panels()
        for setting in figure.settings(data, size).values()
    }
    assert len({setting.key for setting in settings}) == len(settings)
    assert CLAIMS.keys() == FIGURES.keys()


def test_summary_tells_seconds_and_iterations_to_the_gap(tmp_path):
    zeros = np.zeros(4)
    fast = runs.Curve(np.array([1.0, 1e-9, 0.0, 0.0]), zeros, zeros.astype(int), -1)
    slow = runs.Curve(np.array([1.0, 0.5, 1e-3, 1e-8]), zeros, zeros.astype(int), -1)
    never = runs.Curve(np.array([1.0, 0.5, 0.5, 0.5]), zeros, zeros.astype(int), -1)
    summary_of = {"fig5": {("A", 5): {"a": slow, "b": fast, "c": never}, ("C", 5): {"c": never}}}
    for seconds in (1.5, 2.5):  # a run cut short goes on where it stopped
        summary.add_seconds("fig5", seconds, tmp_path)
    text = summary.summary(summary_of, tmp_path)
    assert "| 5 | 4 |" in text and "| all | 4 |" in text
    assert "| 5 | A | 5 | b 1, a 3 |" in text and "| 5 | C | 5 | none |" in text
