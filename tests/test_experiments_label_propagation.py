"""The label propagation race: its cells, its peers' systems and its tables."""

import numpy as np
import pytest

from bcd import propagate_labels, solve_graph_system
from experiments import label_propagation_cells as cells
from experiments.label_propagation_peers import _surrounded, jacobi_cg, southwell
from experiments.label_propagation_tables import race_rows, ratio_rows


def test_the_graph_around_a_system_has_its_solution_as_harmonic_function():
    Q, q = cells.tree(300)
    whole, sides = _surrounded(Q, q)
    labels = np.full(whole.shape[0], np.nan)
    for vertex, side in sides.items():
        labels[vertex] = 2.0 * side - 1.0
    found = propagate_labels(whole, labels, tol=1e-18)[: len(q)]
    np.testing.assert_allclose(found, solve_graph_system(Q, q).x, atol=1e-8)


def test_solvers_of_the_race_agree_at_their_tightest():
    Q, q = cells.make_cell("two moons")
    (*_, ours), (*_, theirs) = southwell(Q, q), jacobi_cg(Q, q)
    np.testing.assert_allclose(ours(), theirs(), atol=1e-3)


def test_cells_are_kept_on_disk_and_read_back(tmp_path, monkeypatch):
    Q, q = cells.make_cell("lattice 50", tmp_path)
    monkeypatch.setitem(cells.CELLS, "lattice 50", lambda: pytest.fail("built twice"))
    again, right = cells.make_cell("lattice 50", tmp_path)
    assert abs(again - Q).max() == 0.0 and again.indices.dtype == np.int32
    np.testing.assert_array_equal(right, q)


def test_tables_name_the_best_peer_and_where_it_wins():
    rows = [
        ("two moons", 10, solver, level, ms, 1.0)
        for solver, times in {
            "southwell": (1.0, 2.0, 3.0),
            "cholmod": (4.0, 4.0, 4.0),
            "pyamg": (3.0, 1.0, ""),
        }.items()
        for level, ms in zip((1e-3, 1e-6, 1e-9), times, strict=True)
    ]
    assert "| two moons | 3.00 (pyamg) | 0.50 (pyamg) | 1.33 (cholmod) |" in ratio_rows(rows)
    assert any("2 of 3 cells, twice as fast in 1" in line for line in ratio_rows(rows))
    assert "| two moons, 10 | pyamg | 3 | **1** | - | 1 |" in race_rows(rows)
