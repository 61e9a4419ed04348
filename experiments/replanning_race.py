"""The race: every planner answers every tick, in turn; costs are held against Dijkstra's."""

from __future__ import annotations

import gc
import time
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from experiments.replanning_planners import Answer, entries
from experiments.replanning_scenarios import Scenario
from graphs import CSRGraph
from problems.worlds.arrays import World

AUDIT_EVERY = 25  # ticks between two checks of the yardstick itself by scipy's Dijkstra
TOLERANCE = 1e-9


@dataclass(slots=True)
class Record:
    """What one planner did in one scenario; lists go with the ticks it answered."""

    name: str
    first_s: float = np.nan
    ticks: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    shortest: list[float] = field(default_factory=list)  # Dijkstra's path, metres
    worst_vertex: float = 0.0  # largest share by which a settled cost was above Dijkstra's
    own_roads: bool = False  # it has motions that the roadmap has not
    n_below: int = 0  # settled costs below Dijkstra's on the planner's motions: wrong
    n_lost: int = 0  # ticks on which Dijkstra had a path and the planner none

    def totals(self) -> tuple[int, int]:
        """Return vertices expanded and changed over all ticks."""
        return sum(a.n_expanded for a in self.answers), sum(a.n_changed for a in self.answers)

    def excess(self) -> NDArray[np.float64]:
        """Return by what share paths were longer than Dijkstra's, where both exist."""
        mine = np.array([answer.cost for answer in self.answers])
        best = np.array(self.shortest)
        both = np.isfinite(mine) & np.isfinite(best) & (best > 0.0)
        return mine[both] / best[both] - 1.0


def race(scenario: Scenario, names: list[str] | None = None) -> list[Record]:
    """Let all planners answer all ticks.

    At each tick the yardstick (Scratch: Dijkstra from nothing) answers first, then the others in
    a drawn order, each in its own copy of the world. The clock runs from the changed
    world to the repaired plan. Costs are held against the yardstick's; those of a planner that has
    motions of its own (RRTx), against scipy's Dijkstra on these, every 25 ticks.

    Raises
    ------
    RuntimeError
        If the yardstick is not what scipy's Dijkstra says.
    """
    taking_part = list(entries(scenario, names))
    records = [Record(entry.name) for entry in taking_part]
    draw = np.random.default_rng(0)
    gc.collect()
    gc.disable()
    try:
        for tick in range(scenario.n_ticks):
            # drawn, not rotated: who comes after whom decides what the caches hold
            order = [0, *(1 + draw.permutation(len(records) - 1))]
            reference: Answer | None = None
            for k in order:
                entry, record = taking_part[k], records[k]
                if tick:
                    scenario.change(entry.world, tick)
                if tick % entry.every:
                    continue
                if reference is not None:
                    entry.prepare(reference)
                began = time.perf_counter()
                entry.answer(scenario.starts[tick])
                spent = time.perf_counter() - began
                answer = entry.report()
                if reference is None:
                    reference = answer
                if tick % AUDIT_EVERY == 0:
                    audit(scenario, entry, record, answer)
                note(record, tick, spent, answer, reference)
    finally:
        gc.enable()
    return records


def note(record: Record, tick: int, spent: float, answer: Answer, reference: Answer) -> None:
    """Enter an answer into the record; the yardstick's own is always right."""
    if answer.settled is not None and reference.settled is not None:
        known = np.isfinite(answer.settled) & np.isfinite(reference.settled)
        mine, best = answer.settled[known], reference.settled[known]
        if not record.own_roads:
            record.n_below += int((answer.settled < reference.settled - TOLERANCE).sum())
        if len(mine):
            share = float(((mine - best) / np.maximum(best, TOLERANCE)).max())
            record.worst_vertex = max(record.worst_vertex, share)
    record.n_lost += int(np.isfinite(reference.cost) and not np.isfinite(answer.cost))
    if tick == 0:
        record.first_s = spent
        return
    record.ticks.append(tick)
    record.seconds.append(spent)
    record.answers.append(
        Answer(
            cost=answer.cost,
            n_expanded=answer.n_expanded,
            n_changed=answer.n_changed,
            n_checks=answer.n_checks,
        )
    )
    record.shortest.append(reference.cost)


def audit(scenario: Scenario, entry, record: Record, answer: Answer) -> None:
    """Hold the yardstick against scipy's Dijkstra, and whoever has motions of its own too."""
    graph = getattr(getattr(entry, "planner", None), "graph", None)
    record.own_roads = graph is not None
    if answer.settled is None or not (record.own_roads or record.name == "Scratch"):
        return
    costs = scipy_costs(scenario, entry.world, scenario.roadmap.graph if graph is None else graph)
    if costs is None:
        return
    if record.own_roads:
        record.n_below += int((answer.settled < costs - TOLERANCE).sum())
    elif not np.allclose(answer.settled, costs, rtol=TOLERANCE, atol=TOLERANCE):
        raise RuntimeError(f"{scenario.name}: the yardstick disagrees with scipy's Dijkstra")


def scipy_costs(scenario: Scenario, world: World, graph: CSRGraph) -> NDArray[np.float64] | None:
    """Return each vertex's cost on the motions of ``graph``, all of them asked for one by one.

    None where the goal is covered, or joins from farther away than the radius.
    """
    points = scenario.roadmap.points
    tails, heads = graph.tails(), graph.indices
    low, high = np.minimum(tails, heads), np.maximum(tails, heads)
    free = world.is_motion_free(points[low], points[high])
    goal = np.linalg.norm(points - scenario.goal, axis=1)
    near = np.flatnonzero(goal <= scenario.roadmap.radius)
    seen = near[world.is_motion_free(np.repeat([scenario.goal], len(near), 0), points[near])]
    if goal.min() == 0.0:
        seen = np.array([int(goal.argmin())])
    if len(seen) == 0:
        return None
    n = len(points)
    ends = np.concatenate((tails[free], np.full(len(seen), n)))
    others = np.concatenate((heads[free], seen))
    lengths = np.concatenate((graph.weights[free], goal[seen] + 1.0))  # scipy drops zeros
    matrix = csr_array((lengths, (ends, others)), shape=(n + 1, n + 1))
    return dijkstra(matrix, indices=n)[:n] - 1.0
