"""The demo's second half: a robot drives while people walk and a door shuts."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from experiments.demo_drawing import draw_drive, draw_tree
from planning import FMTx, Roadmap, Scratch
from planning.result import Path as RobotPath
from problems.worlds import OccupancyGrid
from problems.worlds.floorplan import warehouse
from problems.worlds.maps import write_ros

ROBOT_RADIUS = 0.25  # metres
PERSON_RADIUS = 0.3
PERSON_STEP = 0.22  # metres a tick
FLOOR_A_PERSON = 6.0  # square metres at least, so that a small room is not blocked
DOOR_SHUTS_AT = 30  # tick


@dataclass(slots=True)
class Tick:
    """What happened in one tick."""

    robot: np.ndarray  # (2,) metres
    people: np.ndarray  # (k, 2) metres
    path: RobotPath
    fmtx_s: float
    scratch_s: float
    door_shut: bool


@dataclass(slots=True)
class Drive:
    """A drive from start to goal: the world as it was drawn, and all ticks."""

    grid: OccupancyGrid
    still: np.ndarray  # (rows, cols) cells without people and with the door open
    door: np.ndarray | None  # window that is shut: row, column, height, width
    goal: np.ndarray
    ticks: list[Tick] = field(default_factory=list)


class Crowd:
    """People who walk straight ahead and turn where the way ends or the robot stands."""

    def __init__(self, grid: OccupancyGrid, near: np.ndarray, n_people: int, rng):
        self.rng = rng
        self.still = grid.values
        self.walkable = OccupancyGrid.from_array(
            self.still,
            grid.resolution,
            origin=grid.origin,
            yaw=grid.yaw,
            robot_radius=PERSON_RADIUS,
        )
        floor = np.count_nonzero(self.still == 0) * grid.resolution**2
        n_people = min(n_people, int(floor / FLOOR_A_PERSON))
        spread = near[rng.integers(len(near), size=20 * n_people)]
        spread = spread + rng.normal(0.0, 2.0, spread.shape)
        free = self.walkable.is_free(spread)
        # nobody starts where the robot does or ends, as far as the map has room for that
        room = np.linalg.norm(near[-1] - near[0])
        far = np.linalg.norm(spread - near[0], axis=1) > min(4.0, 0.3 * room)
        far &= np.linalg.norm(spread - near[-1], axis=1) > min(2.5, 0.2 * room)
        self.places = spread[free & far][:n_people]
        angles = rng.uniform(0.0, 2.0 * np.pi, len(self.places))
        self.headings = np.column_stack([np.cos(angles), np.sin(angles)])

    def walk(self, robot: np.ndarray) -> None:
        """Move everybody by one step."""
        for k, place in enumerate(self.places):
            for _ in range(8):
                target = place + PERSON_STEP * self.headings[k]
                apart = np.linalg.norm(target - robot) > 1.2
                if apart and self.walkable.is_motion_free([place], [target])[0]:
                    self.places[k] = target
                    break
                angle = self.rng.uniform(0.0, 2.0 * np.pi)
                self.headings[k] = np.cos(angle), np.sin(angle)


def stamp(grid: OccupancyGrid, still: np.ndarray, places: np.ndarray, before: np.ndarray) -> None:
    """Send the costmap windows of the people who moved: their old place and their new one."""
    reach = int(np.ceil(PERSON_RADIUS / grid.resolution)) + 1
    new, old = grid.cell_of(places), grid.cell_of(before)
    for here, there in zip(new, old, strict=True):
        low = np.maximum(np.minimum(here, there) - reach, 0)
        high = np.minimum(np.maximum(here, there) + reach + 1, grid.shape)
        window = still[low[0] : high[0], low[1] : high[1]].copy()
        rows, cols = np.indices(window.shape)
        centers = grid.center_of(np.column_stack([rows.ravel() + low[0], cols.ravel() + low[1]]))
        for place in places:
            hit = np.linalg.norm(centers - place, axis=1) <= PERSON_RADIUS
            window[hit.reshape(window.shape)] = 100
        grid.update_window(int(low[0]), int(low[1]), window)


def advance(path: RobotPath, step: float) -> np.ndarray:
    """Return the point ``step`` metres along the path."""
    lengths = np.linalg.norm(np.diff(path.waypoints, axis=0), axis=1)
    along = np.concatenate([[0.0], np.cumsum(lengths)])
    return np.array([np.interp(step, along, axis) for axis in path.waypoints.T])


def warm_up() -> None:
    """Compile what the drive needs on a scrap of a grid, so that no tick pays for it."""
    scrap = OccupancyGrid.from_array(np.zeros((20, 20), np.int8), 0.05)
    center = scrap.bounds.mean(axis=1)
    scrap.is_motion_free([center], [0.9 * center])
    roadmap = Roadmap.sample(scrap, 50, 0)
    for planner in (FMTx(scrap, roadmap), Scratch(scrap, roadmap)):
        planner.set_goal(center)
        planner.plan(0.7 * center)
        scrap.update_window(5, 5, [[100, 100]])
        planner.plan(0.6 * center)
        scrap.update_window(5, 5, [[0, 0]])
        planner.plan(0.5 * center)


def far_apart(grid: OccupancyGrid, roadmap: Roadmap) -> tuple[np.ndarray, np.ndarray]:
    """Find two joined places far from each other: the ends of the longest of some paths."""
    scout = FMTx(grid, roadmap, focus=False)
    start = roadmap.points[0]
    for _ in range(3):
        scout.set_goal(start)
        scout.plan(start)
        cost = np.where(np.isfinite(scout.cost_to_goal), scout.cost_to_goal, -1.0)
        start, goal = roadmap.points[int(cost.argmax())], start
    return start, goal


def crossed_door(plan_doors: np.ndarray, grid: OccupancyGrid, path: RobotPath):
    """Return the last door that the path goes through, or None."""
    dense = advance_many(path, 0.05)
    cells = grid.cell_of(dense)
    for row, col, height, width in plan_doors[::-1]:
        inside = (cells >= (row, col)).all(axis=1) & (cells < (row + height, col + width)).all(
            axis=1
        )
        if inside.any():
            return np.array([row, col, height, width])
    return None


def advance_many(path: RobotPath, spacing: float) -> np.ndarray:
    """Return points along the path, ``spacing`` metres apart."""
    steps = np.arange(0.0, path.cost + spacing, spacing)
    return np.array([advance(path, step) for step in steps])


def drive(
    grid: OccupancyGrid,
    start,
    goal,
    roadmap: Roadmap,
    *,
    doors: np.ndarray,
    n_ticks: int,
    n_people: int,
    seed: int,
) -> Drive:
    """Drive from ``start`` to ``goal``; each tick the world changes and both planners answer it."""
    rng = np.random.default_rng(seed)
    planner, anew = FMTx(grid, roadmap), Scratch(grid, roadmap)
    for one in (planner, anew):
        one.set_goal(goal)
        path = one.plan(start)
    if not path.solved:
        raise SystemExit(f"no way from {start} to {goal} on this map: {path.message}")
    step = 1.15 * path.cost / n_ticks
    record = Drive(grid, grid.values, crossed_door(doors, grid, path), np.asarray(goal))
    crowd = Crowd(grid, advance_many(path, 0.5), n_people, rng)
    still, robot, shut = record.still.copy(), np.asarray(start, dtype=float), False
    stamp(grid, still, crowd.places, crowd.places)
    for tick in range(n_ticks):
        before = crowd.places.copy()
        crowd.walk(robot)
        if record.door is not None and tick == DOOR_SHUTS_AT:
            row, col, height, width = record.door
            still[row : row + height, col : col + width] = 100
            grid.update_window(row, col, np.full((height, width), 100, np.int8))
            shut = True
        stamp(grid, still, crowd.places, before)
        times = []
        for one in (anew, planner):
            began = time.perf_counter()
            path = one.plan(robot)
            times.append(time.perf_counter() - began)
        record.ticks.append(Tick(robot.copy(), crowd.places.copy(), path, times[1], times[0], shut))
        if path.solved:
            robot = advance(path, step)
    return record


def report(record: Drive) -> None:
    """Print what the drive cost, and how each path ended."""
    fmtx = np.array([tick.fmtx_s for tick in record.ticks]) * 1e3
    scratch = np.array([tick.scratch_s for tick in record.ticks]) * 1e3
    statuses = [tick.path.status.name for tick in record.ticks]
    counts = ", ".join(f"{name} {statuses.count(name)}" for name in sorted(set(statuses)))
    arrived = np.linalg.norm(record.ticks[-1].robot - record.goal) < 1.0
    print(f"{len(record.ticks)} ticks, {len(record.ticks[0].people)} people; paths: {counts}")
    print(f"the robot {'arrived' if arrived else 'has not arrived yet'}")
    print(f"{'':>22} {'median (ms)':>12} {'p95 (ms)':>10} {'max (ms)':>10}")
    for name, times in (("FMTx, repaired", fmtx), ("scratch, anew", scratch)):
        print(
            f"{name:>22} {np.median(times):12.2f} {np.percentile(times, 95):10.2f} "
            f"{times.max():10.2f}"
        )
    if len(record.ticks[0].people):  # else nothing changed
        share = np.median(scratch) / np.median(fmtx)
        print(f"repairing takes 1/{share:.1f} of starting over (median)")


def run(
    output: Path,
    map_file: Path | None = None,
    *,
    n_samples: int = 6000,
    n_ticks: int = 100,
    n_people: int = 12,
    seed: int = 0,
) -> list[Path]:
    """Drive through a generated warehouse, or the user's own map, and draw it.

    Returns
    -------
    list of Path
        The files written.
    """
    written = []
    doors = np.empty((0, 4), dtype=np.int64)
    if map_file is None:
        plan = warehouse(seed)
        written.append(write_ros(output / "warehouse.yaml", plan.to_ros()))
        map_file, doors = written[0], plan.doors
    grid = OccupancyGrid.from_ros(map_file, robot_radius=ROBOT_RADIUS)
    print(f"{map_file}: {grid}")
    began = time.perf_counter()
    roadmap = Roadmap.sample(grid, n_samples, seed)
    print(f"{roadmap} in {time.perf_counter() - began:.2f} s")
    if len(doors):
        start, goal = np.array(plan.start), np.array(plan.goal)
    else:
        start, goal = far_apart(grid, roadmap)
    warm_up()
    whole = FMTx(grid, roadmap, focus=False)
    whole.set_goal(goal)
    picture = output / "tree.png"
    draw_tree(whole, whole.plan(start), picture)
    record = drive(
        grid,
        start,
        goal,
        roadmap,
        doors=doors,
        n_ticks=n_ticks,
        n_people=n_people,
        seed=seed,
    )
    report(record)
    animation = output / "drive.gif"
    draw_drive(record, animation)
    return [*written, picture, animation]
