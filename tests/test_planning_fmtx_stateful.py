"""FMTx under whatever may happen to it, in any order, held against Dijkstra after every step."""

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from planning_oracles import assert_costs, assert_path_is_free, dijkstra_costs

import planning.fmtx
from planning import FMTx, Roadmap, Scratch, UpdateStatus
from problems.worlds import DiscWorld

SIDE = 10.0
VARIANTS = [
    {},
    {"focus": False},
    {"collision": "lazy"},
    {"collision": "lazy", "focus": False},
    {"collision": "proactive", "hysteresis": 0.2, "approximate": True, "escape": 0.3},
]
place = st.tuples(st.floats(0, SIDE), st.floats(0, SIDE)).map(np.array)
size = st.floats(0.2, 2.0)


class Planning(RuleBasedStateMachine):
    @initialize(seed=st.integers(0, 2**20))
    def begin(self, seed):
        rng = np.random.default_rng(seed)
        self.budget = planning.fmtx._BUDGET
        planning.fmtx._BUDGET = 5
        self.world = DiscWorld(((0, SIDE), (0, SIDE)))
        for _ in range(3):
            self.world.add(rng.uniform(0, SIDE, 2), rng.uniform(0.5, 1.5))
        points = rng.uniform(0, SIDE, (90, 2))
        roadmap = Roadmap.from_points(points, radius=1.9)
        self.planners = [FMTx(self.world, roadmap, seed=seed, **v) for v in VARIANTS]
        self.goal, self.start = points[0], rng.uniform(0, SIDE, 2)
        self.n_densified = 0
        for planner in self.planners:
            planner.set_goal(self.goal)
            planner.plan(self.start)
        self.limited = False

    def teardown(self):
        if hasattr(self, "budget"):
            planning.fmtx._BUDGET = self.budget

    @rule(center=place, radius=size)
    def add(self, center, radius):
        self.world.add(center, radius)

    @precondition(lambda self: len(self.world))
    @rule(data=st.data(), center=place)
    def move(self, data, center):
        self.world.move(data.draw(st.sampled_from(sorted(self.world.discs))), center)

    @precondition(lambda self: len(self.world))
    @rule(data=st.data(), step=st.tuples(st.floats(-0.5, 0.5), st.floats(-0.5, 0.5)))
    def nudge(self, data, step):
        k = data.draw(st.sampled_from(sorted(self.world.discs)))
        self.world.move(k, self.world.discs[k][0] + step)

    @precondition(lambda self: len(self.world))
    @rule(data=st.data())
    def remove(self, data):
        self.world.remove(data.draw(st.sampled_from(sorted(self.world.discs))))

    @precondition(lambda self: self.n_densified < 3)
    @rule(n=st.integers(1, 30))
    def densify(self, n):
        self.n_densified += 1
        for planner in self.planners:
            planner.update()
            before = planner.cost_to_goal
            planner.densify(n)
            after = planner.cost_to_goal[: len(before)]
            settled = np.isfinite(before)
            assert planner._focused or np.isfinite(after[settled]).all()
            both = settled & np.isfinite(after)
            assert (after[both] <= before[both] + 1e-9).all()

    @rule(goal=place, start=place)
    def change_goal(self, goal, start):
        self.goal, self.start = goal, start
        for planner in self.planners:
            planner.set_goal(goal)
            planner.plan(self.start)

    @rule(start=place)
    def move_robot(self, start):
        self.start = start
        for planner in self.planners:
            planner.plan(start)

    @rule(step=st.tuples(st.floats(-0.5, 0.5), st.floats(-0.5, 0.5)))
    def drive(self, step):
        self.move_robot(np.clip(self.start + step, 0.0, SIDE))

    @rule()
    def update(self):
        for planner in self.planners:
            assert planner.update().status is not UpdateStatus.TIMEOUT
            assert planner.update().status is UpdateStatus.UNCHANGED

    @rule()
    def update_in_no_time(self):
        for planner in self.planners:
            planner.update(time_limit=1e-9)

    @invariant()
    def costs_are_those_of_dijkstra(self):
        if not hasattr(self, "planners"):
            return
        seen = [p for p in self.planners if p._revision == self.world.revision]
        for planner in seen:
            expected = dijkstra_costs(self.world, planner.roadmap, self.goal, reach=planner._radius)
            part = planner._focused or planner._timed_out
            assert_costs(planner.cost_to_goal, expected, settled_only=part)
            path = planner.path(self.start)
            if path.waypoints.size and not planner._escape:
                assert_path_is_free(path, self.world.arrays().discs, self.world.bounds, 0.1)
            if planner._radius == planner.roadmap.radius and not planner._timed_out:
                self.compare(planner, path)

    def compare(self, planner, path):
        options = {"escape": planner._escape, "approximate": planner._approximate}
        anew = Scratch(self.world, planner.roadmap, **options)
        anew.set_goal(self.goal)
        expected = anew.plan(self.start)
        assert path.status is expected.status
        if not path.solved or planner._hysteresis == 0.0:
            assert path.cost == pytest.approx(expected.cost, rel=1e-9, abs=1e-9)
        else:
            most = 1.0 + planner._hysteresis
            assert path.cost <= most * expected.cost * (1.0 + 1e-9) + 1e-9


Planning.TestCase.settings = settings(max_examples=25, stateful_step_count=15)
TestPlanning = pytest.mark.kernel(Planning.TestCase)
