"""Worlds that change tick by tick, the same for every planner: discs, people, doors, a sensor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.demo_planning import Crowd, advance, advance_many, far_apart, stamp
from planning import FMTx, Roadmap
from planning._roads import Roads
from problems.worlds import DiscWorld, OccupancyGrid
from problems.worlds.arrays import World
from problems.worlds.floorplan import warehouse
from problems.worlds.grid import UNKNOWN

SHARED = Path(__file__).parent.parent.parent / "shared" / "data"
ROBOT_RADIUS = 0.25  # metres
SIDE = 100.0  # of the squares with discs, metres
DISCS = ("discs_n10000_m1", "discs_n10000_m10", "discs_n10000_m20", "discs_n10000_m20_robot")
Window = tuple[int, int, NDArray[np.int8]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What changes at each tick; every planner gets a world of its own and the same changes.

    Attributes
    ----------
    name, purpose : str
    make_world : callable
        Returns the world as it is before the first tick.
    roadmap : Roadmap
    goal : ndarray of shape (d,)
    starts : ndarray of shape (n_ticks, d)
        Where the robot is at each tick.
    change : callable
        ``change(world, tick)`` brings a world from one tick to the next.
    """

    name: str
    purpose: str
    make_world: Callable[[], World]
    roadmap: Roadmap
    goal: NDArray[np.float64]
    starts: NDArray[np.float64]
    change: Callable[[World, int], None]

    @property
    def n_ticks(self) -> int:
        """Number of ticks, the first plan among them."""
        return len(self.starts)

    @property
    def roads(self) -> Roads:
        """The roadmap's arrays."""
        return self.roadmap.roads


def moving_discs(name: str, n_ticks: int, *, factor: str = "1.5", roadmap=None) -> Scenario:
    """Move discs through a square: those of the shared data or, without it, drawn likewise."""
    file = SHARED / "replanning" / f"{name}.npz"
    if file.is_file():
        data, purpose = dict(np.load(file)), "discs that move, shared data"
    else:
        data, purpose = drawn_discs(name), "discs that move, drawn (the shared data is absent)"
    low, high = float(data["lo"]), float(data["hi"])
    places, radii = data["pos"], data["rad"]
    if roadmap is None:
        roadmap = Roadmap.from_points(data["points"], radius=float(data[f"rn_C{factor}"]))

    def make_world() -> DiscWorld:
        world = DiscWorld(((low, high), (low, high)))
        for center, radius in zip(places[0], radii, strict=True):
            world.add(center, radius)
        return world

    def change(world: World, tick: int) -> None:
        assert isinstance(world, DiscWorld)
        for disc, center in enumerate(places[tick]):
            world.move(disc, center)

    n_ticks = min(n_ticks, len(places))
    return Scenario(
        name=name,
        purpose=purpose,
        make_world=make_world,
        roadmap=roadmap,
        goal=data["root"],
        starts=data["robot"][:n_ticks],
        change=change,
    )


def drawn_discs(name: str, n_ticks: int = 150) -> dict:
    """Draw what the shared file ``discs_n<samples>_m<discs>[_robot]`` would hold."""
    _, samples, discs, *robot = name.split("_")
    n, m = int(samples[1:]), int(discs[1:])
    rng = np.random.default_rng(n + m)
    low, high = -SIDE / 2.0, SIDE / 2.0
    root, first = np.full(2, low + 3.0), np.full(2, high - 3.0)
    radii = np.full(m, 3.0) if m == 1 else rng.uniform(2.0, 6.0, m)
    center, step = rng.uniform(low + 15, high - 15, (m, 2)), rng.normal(0.0, 0.5, (m, 2))
    places = np.empty((n_ticks, m, 2))
    for tick in range(n_ticks):
        places[tick] = center
        step = np.where((center + step < low) | (center + step > high), -step, step)
        center = center + step
    along = np.linspace(0.0, 0.9, n_ticks)[:, None] if robot else np.zeros((n_ticks, 1))
    radius = 2.0 * np.sqrt(1.5 * np.log(n) / n / np.pi) * SIDE / 1.4142
    return {
        "points": np.vstack((root, rng.uniform(low, high, (n, 2)), first)),
        "root": root,
        "robot": first + along * (root - first),
        "lo": low,
        "hi": high,
        "rad": radii,
        "pos": places,
        **{f"rn_C{c}": radius * float(c) / 1.5 for c in ("1.0", "1.5", "2.0")},
    }


class Recorder:
    """Takes the windows that ``stamp`` sends to a grid, to send them to others again."""

    def __init__(self, grid: OccupancyGrid):
        self.grid = grid
        self.resolution, self.shape = grid.resolution, grid.shape
        self.cell_of, self.center_of = grid.cell_of, grid.center_of
        self.windows: list[Window] = []

    def update_window(self, row: int, col: int, values: NDArray[np.int8]) -> None:
        """Send a window on, and note it."""
        self.windows.append((row, col, values.copy()))
        self.grid.update_window(row, col, values)


def _send(ticks: list[list[Window]]) -> Callable[[World, int], None]:
    def change(world: World, tick: int) -> None:
        assert isinstance(world, OccupancyGrid)
        for row, col, values in ticks[tick]:
            world.update_window(row, col, values)

    return change


def _large_map() -> tuple[Callable[[], OccupancyGrid], str]:
    file = SHARED / "maps" / "warehouse.yaml"
    if file.is_file():
        return lambda: OccupancyGrid.from_ros(file, robot_radius=ROBOT_RADIUS), "Nav2's warehouse"
    return lambda: warehouse(0).to_grid(robot_radius=ROBOT_RADIUS), "a drawn warehouse"


def _ends(grid: OccupancyGrid, roadmap: Roadmap) -> tuple[NDArray, NDArray]:
    if (SHARED / "maps" / "warehouse.yaml").is_file():
        return np.array((-13.5, 23.5)), np.array((13.5, -21.5))
    return far_apart(grid, roadmap)


def people(n_ticks: int, n_samples: int, *, n_people: int = 20, seed: int = 0) -> Scenario:
    """Let people walk through a warehouse while the robot drives along its path."""
    make_world, where = _large_map()
    grid, rng = make_world(), np.random.default_rng(seed)
    roadmap = Roadmap.sample(grid, n_samples, seed)
    start, goal = _ends(grid, roadmap)
    planner = FMTx(grid, roadmap)
    planner.set_goal(goal)
    path = planner.plan(start)
    crowd = Crowd(grid, advance_many(path, 0.5), n_people, rng)
    recorder: Any = Recorder(grid)
    still = grid.values
    stamp(recorder, still, crowd.places, crowd.places)
    ticks, starts, robot = [recorder.windows], [start], start
    step = 0.9 * path.cost / n_ticks
    for _ in range(1, n_ticks):
        recorder.windows = []
        before = crowd.places.copy()
        crowd.walk(robot)
        stamp(recorder, still, crowd.places, before)
        path = planner.plan(robot)
        robot = advance(path, step) if path.solved else robot
        ticks.append(recorder.windows)
        starts.append(robot)
    return Scenario(
        name="people",
        purpose=f"{len(crowd.places)} people walk and the robot drives, {where}",
        make_world=make_world,
        roadmap=roadmap,
        goal=goal,
        starts=np.array(starts),
        change=_send(ticks),
    )


def doors(n_ticks: int, n_samples: int, *, seed: int = 0) -> Scenario:
    """Open or close one door of a drawn warehouse at each tick; the robot waits outside."""
    plan = warehouse(seed)
    rng = np.random.default_rng(seed)
    roadmap = Roadmap.sample(plan.to_grid(robot_radius=ROBOT_RADIUS), n_samples, seed)
    closed = np.zeros(len(plan.doors), bool)
    ticks: list[list[Window]] = [[]]
    for _ in range(1, n_ticks):
        k = int(rng.integers(len(plan.doors)))
        closed[k] = not closed[k]
        row, col, height, width = plan.doors[k]
        value = 100 if closed[k] else 0
        ticks.append([(int(row), int(col), np.full((height, width), value, np.int8))])
    return Scenario(
        name="doors",
        purpose="doors of a drawn warehouse open and close",
        make_world=lambda: plan.to_grid(robot_radius=ROBOT_RADIUS),
        roadmap=roadmap,
        goal=np.array(plan.goal),
        starts=np.repeat([plan.start], n_ticks, axis=0),
        change=_send(ticks),
    )


def window(n_ticks: int, n_samples: int, *, seed: int = 0) -> Scenario:
    """Let a box of a metre's side appear somewhere at one tick and be gone at the next."""
    make_world, where = _large_map()
    grid, rng = make_world(), np.random.default_rng(seed)
    roadmap = Roadmap.sample(grid, n_samples, seed)
    start, goal = _ends(grid, roadmap)
    side, cells = round(1.0 / grid.resolution), grid.values
    ticks: list[list[Window]] = [[]]
    while len(ticks) < n_ticks:
        place = roadmap.points[rng.integers(roadmap.n_vertices)]
        if min(np.linalg.norm(place - start), np.linalg.norm(place - goal)) < 2.0:
            continue
        row, col = np.clip(grid.cell_of([place])[0] - side // 2, 0, np.array(grid.shape) - side)
        box = np.full((side, side), 100, np.int8)
        ticks.append([(int(row), int(col), box)])
        ticks.append([(int(row), int(col), cells[row : row + side, col : col + side])])
    return Scenario(
        name="window",
        purpose=f"a 1 m window changes, {where}",
        make_world=make_world,
        roadmap=roadmap,
        goal=goal,
        starts=np.repeat([start], n_ticks, axis=0),
        change=_send(ticks[:n_ticks]),
    )


def disclosure(n_ticks: int, n_samples: int, *, sight: float = 4.0, seed: int = 0) -> Scenario:
    """Drive into a map that is not known; a sensor shows a window of it at each tick."""
    make_known, where = _large_map()
    known = make_known()
    cells = known.values
    blank = np.where(cells == UNKNOWN, UNKNOWN, 0).astype(np.int8)

    def make_world() -> OccupancyGrid:
        return OccupancyGrid.from_array(
            blank, known.resolution, origin=known.origin, yaw=known.yaw, robot_radius=ROBOT_RADIUS
        )

    grid = make_world()
    roadmap = Roadmap.sample(grid, n_samples, seed)
    whole = Roadmap.sample(known, n_samples, seed)
    start, goal = _ends(known, whole)
    guide = FMTx(known, whole)
    guide.set_goal(goal)
    step = 0.9 * guide.plan(start).cost / n_ticks  # underway at every tick
    planner = FMTx(grid, roadmap)
    planner.set_goal(goal)
    reach = round(sight / grid.resolution)
    ticks, starts, robot = [], [], start
    for _ in range(n_ticks):
        row, col = grid.cell_of([robot])[0]
        rows = slice(max(row - reach, 0), min(row + reach, grid.shape[0]))
        cols = slice(max(col - reach, 0), min(col + reach, grid.shape[1]))
        seen = cells[rows, cols]
        ticks.append([(int(rows.start), int(cols.start), seen)])
        grid.update_window(rows.start, cols.start, seen)
        path = planner.plan(robot)
        starts.append(robot)
        robot = advance(path, step) if path.solved else robot
    return Scenario(
        name="disclosure",
        purpose=f"a sensor shows {2 * sight:g} m windows of a map unknown before, {where}",
        make_world=make_world,
        roadmap=roadmap,
        goal=goal,
        starts=np.array(starts),
        change=_send(ticks),
    )
