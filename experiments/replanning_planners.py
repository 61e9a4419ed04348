"""Who takes part in the race: the planners of the house and, where installed, their peers."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import planning
from experiments.replanning_scenarios import Scenario
from planning import FMTx, Scratch
from planning._scratch_kernels import blocked_lengths
from problems.worlds.kernels import motion_is_free

OURS: dict[str, Callable] = {
    "FMTx": FMTx,
    "FMTx lazy": lambda world, roadmap: FMTx(world, roadmap, collision="lazy"),
    "FMTx proactive": lambda world, roadmap: FMTx(world, roadmap, collision="proactive"),
    "FMTx whole tree": lambda world, roadmap: FMTx(world, roadmap, focus=False),
    "FMTx as published": lambda world, roadmap: FMTx(world, roadmap, faithful=True, focus=False),
}
RIVALS = ("FMTStar", "RRTx", "DStarLite")  # of ``planning``, as far as they are there
PEER_EVERY = 5  # ticks between two answers of a peer
BIT_WITHIN = 1.01  # of the shortest path on the roadmap
BIT_LIMIT_S = 0.25


@dataclass(slots=True)
class Answer:
    """What a planner did at a tick."""

    cost: float  # of the robot's path, metres; inf if there is none
    settled: NDArray[np.float64] | None = None  # costs of vertices, metres, inf where not known
    n_expanded: int = 0
    n_changed: int = 0
    n_checks: int = 0


class Entry:
    """One planner in its own world; ``answer`` is what is timed.

    Parameters
    ----------
    name : str
    scenario : Scenario
    factory : callable
        Makes the planner from a world and a roadmap.
    time_limit : float, optional
        For every answer, seconds.
    """

    every = 1  # ticks between two answers

    def __init__(
        self, name: str, scenario: Scenario, factory: Callable, time_limit: float | None = None
    ):
        self.time_limit = time_limit
        self.name, self.world = name, scenario.make_world()
        self.planner = factory(self.world, scenario.roadmap)
        self.planner.set_goal(scenario.goal)
        self.start: NDArray[np.float64] | None = None

    def prepare(self, reference: Answer) -> None:
        """Get ready outside the clock."""

    def answer(self, start: NDArray[np.float64]) -> None:
        """Repair the plan for a robot at ``start``."""
        if self.start is not None and np.array_equal(start, self.start):
            self.planner.update(self.time_limit)
        else:
            self.planner.plan(start, self.time_limit)
        self.start = start

    def report(self) -> Answer:
        """Say what came out, outside the clock."""
        update, path = self.planner.last_update, self.planner.path(self.start)
        return Answer(
            cost=path.cost if path.solved else np.inf,
            settled=self.planner.cost_to_goal,
            n_expanded=update.n_expanded,
            n_changed=update.n_changed,
            n_checks=update.n_collision_checks,
        )


class BitStar:
    """OMPL's BIT* from scratch, until its path is within 1% of the roadmap's shortest.

    Its motion test is one call of the compiled test for the whole motion.
    """

    name = "OMPL BIT*"
    every = PEER_EVERY

    def __init__(self, scenario: Scenario):
        base: Any
        geometric: Any
        util: Any
        base, geometric, util = (
            importlib.import_module(f"ompl.{part}") for part in ("base", "geometric", "util")
        )
        util.setLogLevel(util.LogLevel.LOG_NONE)
        self.base, self.geometric = base, geometric
        self.world, self.goal = scenario.make_world(), scenario.goal
        self.space = base.RealVectorStateSpace(2)
        bounds = base.RealVectorBounds(2)
        for axis, (low, high) in enumerate(self.world.bounds):
            bounds.setLow(axis, float(low))
            bounds.setHigh(axis, float(high))
        self.space.setBounds(bounds)
        self.wanted, self.cost = np.inf, np.inf

    def prepare(self, reference: Answer) -> None:
        """Learn how short a path is asked for."""
        self.wanted = reference.cost

    def answer(self, start: NDArray[np.float64]) -> None:
        """Plan from nothing."""
        base: Any = self.base
        arrays, p, q = self.world.arrays(), np.empty(2), np.empty(2)

        class Validator(base.MotionValidator):
            def checkMotion(self, first, last, *_):
                p[0], p[1], q[0], q[1] = first[0], first[1], last[0], last[1]
                return bool(motion_is_free(arrays, p, q))

        def is_valid(state):
            p[0], p[1] = state[0], state[1]
            return bool(motion_is_free(arrays, p, p))

        setup = self.geometric.SimpleSetup(self.space)
        information = setup.getSpaceInformation()
        setup.setStateValidityChecker(is_valid)
        information.setMotionValidator(Validator(information))
        ends = [self.space.allocState() for _ in range(2)]
        for state, point in zip(ends, (start, self.goal), strict=True):
            state[0], state[1] = float(point[0]), float(point[1])
        setup.setStartAndGoalStates(*ends)
        objective = base.PathLengthOptimizationObjective(information)
        objective.setCostThreshold(base.Cost(BIT_WITHIN * min(self.wanted, 1e12)))
        setup.setOptimizationObjective(objective)
        setup.setPlanner(self.geometric.BITstar(information))
        solved = setup.solve(BIT_LIMIT_S) if np.isfinite(self.wanted) else False
        self.cost = setup.getSolutionPath().length() if solved else np.inf

    def report(self) -> Answer:
        """Say how long the path is."""
        return Answer(cost=self.cost)


class NativeDStarLite:
    """The native D* Lite of ``pathplanning`` on the roadmap, from and to its nearest vertices.

    It is told which motions turned; finding them is not counted, telling it is.
    """

    name = "pathplanning D* Lite"
    every = PEER_EVERY

    def __init__(self, scenario: Scenario):
        search = importlib.import_module("pathplanning.planners.search.dstar_lite")
        native = importlib.import_module("pathplanning.native.graph")
        self.make, self.world = search.DStarLitePlanner, scenario.make_world()
        roads = self.roads = scenario.roads
        self.lengths = np.empty(len(roads.indices))
        blocked_lengths(roads, self.world.arrays(), self.lengths, 0, len(roads.points))
        self.tails = np.repeat(np.arange(len(roads.points)), np.diff(roads.indptr))
        self.goal = self._nearest(scenario.goal)
        self.labels = labels = [tuple(point) for point in roads.points.tolist()]
        self.graph = native.NativeGraph.from_csr(
            roads.indptr.astype(np.uint64),
            roads.indices.astype(np.uint64),
            self.lengths.copy(),
            node_labels=labels,
            heuristic=math.dist,
        )
        self.session: Any = None
        self.cost = np.inf
        self.changed: list = []

    def _nearest(self, point) -> int:
        return int(np.argmin(np.linalg.norm(self.roads.points - point, axis=1)))

    def prepare(self, reference: Answer) -> None:
        """Find the motions that turned since."""
        before = self.lengths.copy()
        blocked_lengths(self.roads, self.world.arrays(), self.lengths, 0, len(self.roads.points))
        turned = np.flatnonzero(before != self.lengths)
        labels, heads = self.labels, self.roads.indices
        self.changed = [
            (labels[self.tails[s]], labels[heads[s]], float(self.lengths[s])) for s in turned
        ]

    def answer(self, start: NDArray[np.float64]) -> None:
        """Tell what turned, and plan."""
        place = self.labels[self._nearest(start)]
        if self.session is None:
            self.session = self.make(self.graph, place, self.labels[self.goal])
        elif place != self.session.start:
            self.session.move_start(place)
        if self.changed:
            self.session.update_edges(self.changed)
        result = self.session.plan()
        self.cost = result.stats["path_cost"] if result.success else np.inf

    def report(self) -> Answer:
        """Say how long the path between the two vertices is."""
        return Answer(cost=self.cost)


def entries(scenario: Scenario, names: list[str] | None) -> Iterator:
    """Yield those who take part, the yardstick first."""
    found: dict[str, Callable] = {"Scratch": Scratch, **OURS}
    found |= {name: getattr(planning, name) for name in RIVALS if hasattr(planning, name)}
    for name, factory in found.items():
        if name == "Scratch" or names is None or name in names:
            yield Entry(name, scenario, factory)
    for module, peer in (("ompl", BitStar), ("pathplanning", NativeDStarLite)):
        if names is not None and peer.name not in names:
            continue
        try:
            importlib.import_module(module)
        except ImportError:
            print(f"  {peer.name} is not installed (pip install '.[peers]'), skipped")
            continue
        yield peer(scenario)
