"""Occupancy grids: motions against shapely, distances against a full recompute, the change log."""

import threading

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from problems.worlds import FootprintGrid, OccupancyGrid
from problems.worlds.floorplan import warehouse
from problems.worlds.grid import REACH_CELLS

pytestmark = pytest.mark.kernel


def random_cells(seed, shape, density):
    return np.where(np.random.default_rng(seed).random(shape) < density, 100, 0).astype(np.int8)


def inflated(grid):
    """Which cells the robot's centre must not enter, by brute force over all pairs of cells."""
    hard = grid.values >= 65
    rows, cols = np.nonzero(hard | (grid.values < 0))
    own_rows, own_cols = np.indices(grid.shape)
    away = np.full(grid.shape, np.inf)
    for row, col in zip(rows, cols, strict=True):
        away = np.minimum(away, np.hypot(own_rows - row, own_cols - col))
    return away * grid.resolution <= grid.robot_radius * (1 + 1e-9), away * grid.resolution


def obstacles(grid):
    rows, cols = np.nonzero(inflated(grid)[0])
    x, y = grid.bounds[:, 0]
    side = grid.resolution
    return shapely.union_all(
        shapely.box(x + cols * side, y + rows * side, x + (cols + 1) * side, y + (rows + 1) * side)
    )


@given(
    st.integers(0, 10_000),
    st.sampled_from([0.03, 0.15, 0.4]),
    st.sampled_from([0.0, 0.3, 0.9]),
    st.integers(2, 30),
    st.integers(2, 60),
)
def test_motion_is_free_exactly_where_shapely_sees_no_contact(seed, density, radius, rows, cols):
    rng = np.random.default_rng(seed)
    cells = random_cells(seed, (rows, cols), density)
    grid = OccupancyGrid.from_array(cells, 0.25, origin=(-3.0, 7.0), robot_radius=radius)
    low, high = grid.bounds.T
    starts, ends = rng.uniform(low, high, (60, 2)), rng.uniform(low, high, (60, 2))
    ends[:10, 0] = starts[:10, 0]  # along the axes too
    ends[10:20, 1] = starts[10:20, 1]
    area = obstacles(grid)
    for start, end, free in zip(starts, ends, grid.is_motion_free(starts, ends), strict=True):
        line = shapely.LineString([start, end])
        away = line.distance(area) if not area.is_empty else np.inf
        inside = line.intersection(area.buffer(-1e-9)) if not area.is_empty else line.boundary
        if away > 1e-9:
            assert free
        elif inside.length > 1e-7:
            assert not free


def test_motion_through_the_corner_of_blocked_cells_is_blocked():
    grid = OccupancyGrid.from_array([[0, 100], [100, 0]], 1.0)
    assert not grid.is_motion_free([(0.5, 0.5)], [(1.5, 1.5)])[0]
    one = OccupancyGrid.from_array([[0, 100], [0, 0]], 1.0)
    assert not one.is_motion_free([(0.5, 0.5)], [(1.5, 1.5)])[0]
    assert one.is_motion_free([(0.5, 0.5)], [(0.5, 1.5)])[0]


def test_thin_wall_is_never_tunnelled():
    cells = np.zeros((200, 200), dtype=np.int8)
    cells[:, 120] = 100
    grid = OccupancyGrid.from_array(cells, 0.05)
    rng = np.random.default_rng(0)
    starts = rng.uniform((0, 0), (5.9, 10), (500, 2))
    ends = rng.uniform((6.1, 0), (10, 10), (500, 2))
    assert not grid.is_motion_free(starts, ends).any()


def test_points_are_free_within_bounds_and_outside_inflated_cells():
    grid = OccupancyGrid.from_array(random_cells(3, (30, 40), 0.02), 0.1, robot_radius=0.25)
    blocked, _ = inflated(grid)
    rows, cols = np.indices(grid.shape).reshape(2, -1)
    centers = grid.center_of(np.column_stack([rows, cols]))
    np.testing.assert_array_equal(grid.is_free(centers), ~blocked.ravel())
    assert not grid.is_free([(-0.01, 1.0), (4.01, 1.0), (1.0, 3.01)]).any()
    np.testing.assert_array_equal(grid.cell_of(centers), np.column_stack([rows, cols]))


windows = st.lists(
    st.tuples(
        st.integers(0, 25),
        st.integers(0, 35),
        st.integers(1, 6),
        st.integers(1, 6),
        st.sampled_from([0, 100, -1, 30]),
    ),
    min_size=1,
    max_size=8,
)


@given(windows, st.booleans(), st.sampled_from([0.0, 0.22]), st.booleans())
def test_window_updates_equal_a_grid_built_anew(changes, unknown_is_free, radius, hold):
    settings = {"resolution": 0.1, "robot_radius": radius, "unknown_is_free": unknown_is_free}
    cells = random_cells(1, (30, 40), 0.01)
    grid = OccupancyGrid.from_array(cells, **settings)
    held = []
    for row, col, height, width, value in changes:
        height, width = min(height, 30 - row), min(width, 40 - col)
        before, revision = grid.arrays(), grid.revision
        copy = before.blocked.copy()
        window = np.full((height, width), value, dtype=np.int8)
        grid.update_window(row, col, window)
        cells[row : row + height, col : col + width] = value
        fresh = OccupancyGrid.from_array(cells, **settings).arrays()
        now = grid.arrays()
        np.testing.assert_array_equal(now.blocked, fresh.blocked)
        np.testing.assert_array_equal(now.clearance, fresh.clearance)
        np.testing.assert_array_equal(before.blocked, copy)  # a snapshot never changes
        turned = np.argwhere(now.blocked != copy)
        log = grid.changes_since(revision)
        assert log.revision == grid.revision and log.complete
        for boxes, value_now in ((log.blocked_boxes, 1), (log.freed_boxes, 0)):
            centers = grid.center_of(turned[now.blocked[tuple(turned.T)] == value_now])
            covered = np.zeros(len(centers), dtype=bool)
            for box in boxes:
                covered |= ((centers > box[:, 0]) & (centers < box[:, 1])).all(axis=1)
                assert ((centers > box[:, 0]) & (centers < box[:, 1])).all(axis=1).any()
            assert covered.all()
        if hold:
            held.append((before, copy))
    for snapshot, copy in held:
        np.testing.assert_array_equal(snapshot.blocked, copy)


def test_clearance_is_the_distance_beyond_the_radius_cut_off_at_the_reach():
    grid = OccupancyGrid.from_array(random_cells(5, (40, 50), 0.004), 0.1, robot_radius=0.2)
    _, away = inflated(grid)
    reach = 0.2 + REACH_CELLS * 0.1
    np.testing.assert_allclose(
        grid.arrays().clearance, np.minimum(away, reach) - 0.2, rtol=1e-6, atol=1e-6
    )


def test_update_that_turns_nothing_is_no_change():
    grid = OccupancyGrid.from_array(np.zeros((5, 5), np.int8), 1.0)
    grid.update_window(1, 1, [[10, 20], [0, 64]])
    assert grid.revision == 0
    assert grid.values[2, 2] == 64
    grid.update_window(1, 1, [[100]])
    assert grid.revision == 1 and len(grid.changes_since(1).blocked_boxes) == 0


def test_log_says_when_it_no_longer_reaches_back():
    grid = OccupancyGrid.from_array(np.zeros((3, 3), np.int8), 1.0)
    for k in range(1100):
        grid.update_window(1, 1, [[100 * (k % 2 == 0)]])
    assert not grid.changes_since(0).complete
    assert grid.changes_since(1000).complete
    with pytest.raises(ValueError, match="revision must be between 0 and 1100, got 1101"):
        grid.changes_since(1101)


def test_snapshots_taken_while_another_thread_writes_are_whole():
    grid = OccupancyGrid.from_array(np.zeros((60, 60), np.int8), 0.1)
    stop = threading.Event()

    def write():
        k = 0
        while not stop.is_set():
            k += 1
            grid.update_window(0, 0, np.full((60, 60), 100 * (k % 2), np.int8))

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(300):
            assert len(np.unique(grid.arrays().blocked)) == 1
    finally:
        stop.set()
        writer.join()


def test_memory_of_many_held_and_dropped_snapshots_stays_small():
    grid = OccupancyGrid.from_array(np.zeros((50, 50), np.int8), 0.1)
    for k in range(300):
        snapshot = grid.arrays()
        grid.update_window(k % 40, k % 37, [[100 * (k % 2)]])
        del snapshot
    assert len(grid._store._spare) <= 2 and len(grid._store._windows) <= 4


def test_bool_cells_and_unknown_cells_are_read():
    cells = np.array([[True, False], [False, False]])
    np.testing.assert_array_equal(OccupancyGrid.from_array(cells, 1.0).values, 100 * cells)
    unknown = np.full((2, 2), -1)
    assert not OccupancyGrid.from_array(unknown, 1.0).is_free([(0.5, 0.5)])[0]
    assert OccupancyGrid.from_array(unknown, 1.0, unknown_is_free=True).is_free([(0.5, 0.5)])[0]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: OccupancyGrid.from_array([0, 1], 1.0), r"values must be a table.*shape \(2,\)"),
        (lambda: OccupancyGrid.from_array([[0.5]], 1.0), "values must be a table.*float64"),
        (lambda: OccupancyGrid.from_array([[0, 101]], 1.0), "got 101 at row 0, column 1"),
        (lambda: OccupancyGrid.from_array(np.empty((0, 3), int), 1.0), "at least one cell"),
        (lambda: OccupancyGrid.from_array([[0]], 0.0), "resolution must be finite and positive"),
        (lambda: OccupancyGrid.from_array([[0]], 1.0, origin=(0, np.nan)), "origin must be two"),
        (
            lambda: OccupancyGrid.from_array([[0], [0, 0]], 1.0),
            "values must be a table of integers",
        ),
        (lambda: OccupancyGrid.from_array([[0]], 1.0, robot_radius=np.nan), "robot_radius must"),
        (lambda: OccupancyGrid.from_array([[0]], 1.0, robot_radius=-1), "robot_radius must"),
    ],
)
def test_bad_grids_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(
    ("row", "col", "values"),
    [(-1, 0, [[0]]), (0, 4, [[0, 0]]), (3, 0, [[0], [0]]), (0, 0, np.empty((0, 0), int))],
)
def test_window_outside_the_grid_is_refused_and_changes_nothing(row, col, values):
    grid = OccupancyGrid.from_array(np.zeros((4, 5), np.int8), 1.0)
    with pytest.raises(ValueError, match="window must lie within 4 rows and 5 columns"):
        grid.update_window(row, col, values)
    with pytest.raises(ValueError, match="got 120"):
        grid.update_window(0, 0, [[100, 120]])
    assert grid.revision == 0 and not grid.values.any()


@pytest.mark.parametrize("seed", range(4))
def test_warehouse_is_connected_and_every_door_can_be_closed(seed):
    plan = warehouse(seed)
    from scipy import ndimage

    parts, _ = ndimage.label(plan.to_grid(robot_radius=0.25).arrays().blocked == 0)
    grid = plan.to_grid(robot_radius=0.25)
    (start_row, start_col), (goal_row, goal_col) = grid.cell_of([plan.start, plan.goal])
    assert parts[start_row, start_col] == parts[goal_row, goal_col] > 0
    assert 0.05 < (plan.values == 100).mean() < 0.5
    for row, col, height, width in plan.doors:
        assert not plan.values[row : row + height, col : col + width].any()
    np.testing.assert_array_equal(warehouse(seed).values, plan.values)
    assert (warehouse(seed + 1).values != plan.values).any()


def test_warehouse_keeps_start_and_goal_clear_of_furniture():
    for seed in range(60):  # seed 5 put a desk on the goal once
        plan = warehouse(seed, resolution=0.2)
        assert plan.to_grid(robot_radius=0.4).is_free([plan.start, plan.goal]).all(), seed


def test_warehouse_refuses_sizes_that_hold_nothing():
    with pytest.raises(ValueError, match="width must be at least 16 m, got 3"):
        warehouse(0, width=3)
    with pytest.raises(ValueError, match="resolution must be finite and positive"):
        warehouse(0, resolution=0)
    with pytest.raises(ValueError, match=r"resolution must be at most 0\.5 m, got 5"):
        warehouse(0, resolution=5.0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"unknown_is_free": "yes"}, "unknown_is_free must be True or False, got 'yes'"),
        ({"origin": (1e17, 0.0)}, "resolution must tell cells apart .*got 1.0 with origin"),
        ({"resolution": 1e300}, "resolution must tell cells apart .*got 1e.300"),
        ({"resolution": 1e-320}, "resolution must tell cells apart .*got 1e-320"),
    ],
)
def test_flags_and_places_without_meaning_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        OccupancyGrid.from_array(np.zeros((2, 3), np.int8), **{"resolution": 1.0, **settings})


def test_a_footprint_needs_a_grid_and_a_message_a_time():
    outline = [(-0.4, -0.1), (0.4, -0.1), (0.4, 0.1)]
    with pytest.raises(ValueError, match="grid must be an OccupancyGrid, got None"):
        FootprintGrid(None, outline)
    cells = OccupancyGrid.from_array(np.zeros((2, 3), np.int8), 1.0)
    with pytest.raises(ValueError, match="unknown_is_free must be True or False, got 1"):
        FootprintGrid(cells, outline, unknown_is_free=1)
    with pytest.raises(ValueError, match="stamp must be a finite time in seconds, got nan"):
        cells.to_msg(stamp=np.nan)
    with pytest.raises(ValueError, match="stamp must be a number, got 'now'"):
        cells.to_msg(stamp="now")


def test_a_footprint_larger_than_the_grid_blocks_it_all_at_once():
    cells = np.zeros((4, 6), np.int8)
    cells[0, 0] = 100
    grid = OccupancyGrid.from_array(cells, 1.0)
    huge = FootprintGrid(grid, [(-1e6, -1e6), (1e6, -1e6), (1e6, 1e6), (-1e6, 1e6)])
    assert not huge.is_free(grid.center_of(np.argwhere(cells >= 0))).any()
    huge.update_window(0, 0, [[0]])
    assert huge.is_free(grid.center_of(np.argwhere(cells >= 0))).all()
