import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from problems.worlds import (
    BoxWorld,
    DiscWorld,
    FootprintGrid,
    ForecastDiscWorld,
    OccupancyGrid,
    PolygonWorld,
    Union,
)

BOUNDS = ((0.0, 20.0), (0.0, 20.0))
NEAR = 1e-7  # metres: closer calls are rounding's


def motions(rng, count=200, dimension=2):
    starts = rng.uniform(0, 20, (count, dimension))
    ends = starts + rng.normal(0, 4, (count, dimension))
    starts[:20] = ends[:20]  # points
    return np.clip(starts, 0, 20), np.clip(ends, 0, 20)


def assert_as_shapely(world, shapes, radius, rng):
    starts, ends = motions(rng)
    lines = shapely.linestrings(np.stack([starts, ends], axis=1))
    lines = np.where((starts == ends).all(axis=1), shapely.points(starts), lines)
    gap = shapely.distance(lines[:, None], np.array(shapes)[None]).min(axis=1) - radius
    clear = np.abs(gap) > NEAR if radius else np.ones(len(gap), bool)
    free = world.is_motion_free(starts, ends)
    np.testing.assert_array_equal(free[clear], gap[clear] > 0)
    points = world.is_free(starts)
    np.testing.assert_array_equal(points, world.is_motion_free(starts, starts))


def star(rng, n_corners):
    angles = np.sort(rng.uniform(0, 2 * np.pi, n_corners))
    radii = rng.uniform(0.5, 4.0, n_corners)
    corners = rng.uniform(3, 17, 2) + radii[:, None] * np.column_stack(
        [np.cos(angles), np.sin(angles)]
    )
    shape = shapely.Polygon(corners)
    return shape if shape.is_valid else shape.convex_hull


@pytest.mark.kernel
@settings(max_examples=25)
@given(seed=st.integers(0, 10**6), radius=st.sampled_from([0.0, 0.4, 2.0]))
def test_turned_boxes_agree_with_shapely(seed, radius):
    rng = np.random.default_rng(seed)
    world, shapes = BoxWorld(BOUNDS, robot_radius=radius), []
    for _ in range(4):
        center, size, angle = rng.uniform(0, 20, 2), rng.uniform(0.1, 5, 2), rng.uniform(-4, 4)
        world.add(center, size, angle=angle)
        upright = shapely.box(*(center - size / 2), *(center + size / 2))
        shapes.append(shapely.affinity.rotate(upright, angle, use_radians=True))
    assert_as_shapely(world, shapes, radius, rng)


@pytest.mark.kernel
@settings(max_examples=25)
@given(seed=st.integers(0, 10**6), radius=st.sampled_from([0.0, 0.4, 2.0]))
def test_polygons_with_holes_and_lines_agree_with_shapely(seed, radius):
    rng = np.random.default_rng(seed)
    shapes = [star(rng, 9), star(rng, 4), shapely.Point(rng.uniform(0, 20, 2)).buffer(3.0)]
    shapes[2] = shapes[2].difference(shapes[2].centroid.buffer(2.0))
    shapes.append(shapely.LineString(rng.uniform(0, 20, (4, 2))))
    shapes.append(shapely.Point(rng.uniform(0, 20, 2)))
    shapes.append(shapely.MultiPolygon([shapely.box(0, 0, 1, 1), shapely.box(18, 18, 19, 20)]))
    world = PolygonWorld(BOUNDS, robot_radius=radius)
    for shape in shapes:
        world.add(shape)
    assert_as_shapely(world, shapes, radius, rng)


@settings(max_examples=15)
@given(seed=st.integers(0, 10**6), convex=st.booleans(), radius=st.sampled_from([0.0, 0.5]))
def test_footprints_are_carried_along_every_motion(seed, convex, radius):
    rng = np.random.default_rng(seed)
    outline = [(-1, -0.5), (1.5, -0.5), (1.5, 0.2), (0, 0.2), (0, 1), (-1, 1)]
    footprint = shapely.Polygon(outline)
    footprint = footprint.convex_hull if convex else footprint
    obstacles = [star(rng, 7), shapely.LineString(rng.uniform(0, 20, (3, 2)))]
    world = PolygonWorld(BOUNDS, footprint=footprint, robot_radius=radius)
    for obstacle in obstacles:
        world.add(obstacle)
    starts, ends = motions(rng, 60)
    free = world.is_motion_free(starts, ends)
    for k, (p, q) in enumerate(zip(starts, ends, strict=True)):
        places = p + np.linspace(0, 1, 60)[:, None] * (q - p)
        robots = [shapely.affinity.translate(footprint, *place) for place in places]
        gap = shapely.distance(np.array(robots)[:, None], np.array(obstacles)[None]).min()
        if free[k]:
            assert gap > radius - NEAR
        elif np.array_equal(p, q):
            assert gap < radius + NEAR
        else:
            step = np.linalg.norm(q - p) / 59
            assert gap < radius + step + NEAR


@pytest.mark.kernel
@pytest.mark.parametrize("dimension", [2, 3, 6])
def test_boxes_and_balls_in_any_dimension_agree_with_a_fine_walk(dimension):
    rng = np.random.default_rng(dimension)
    bounds = [(0, 20)] * dimension
    boxes, balls = BoxWorld(bounds, robot_radius=0.7), DiscWorld(bounds, robot_radius=0.7)
    center, size = rng.uniform(5, 15, dimension), rng.uniform(4, 12, dimension)
    boxes.add(center, size)
    balls.add(center, size[0] / 2)
    starts, ends = motions(rng, 300, dimension)
    ends = starts + 2 * (center + rng.normal(0, 3, starts.shape) - starts)
    starts, ends = np.clip(starts, 0, 20), np.clip(ends, 0, 20)
    places = starts[:, None] + np.linspace(0, 1, 2001)[:, None] * (ends - starts)[:, None]
    outside = np.maximum(np.abs(places - center) - size / 2, 0)
    to_box = np.linalg.norm(outside, axis=2).min(axis=1)
    to_ball = np.linalg.norm(places - center, axis=2).min(axis=1) - size[0] / 2
    for world, gap in ((boxes, to_box), (balls, to_ball)):
        sure = np.abs(gap - 0.7) > 2e-3
        free = world.is_motion_free(starts, ends)
        np.testing.assert_array_equal(free[sure], gap[sure] > 0.7)
        assert 0 < free.sum() < len(free)


def test_nothing_tunnels_through_thin_shapes():
    boxes, polygons = BoxWorld(BOUNDS), PolygonWorld(BOUNDS)
    boxes.add((10, 10), (1e-9, 5))
    polygons.add(shapely.LineString([(10, 8), (10, 12)]))
    for world in (boxes, polygons):
        assert not world.is_motion_free([(0, 10)], [(20, 10.3)])[0]
        assert world.is_motion_free([(0, 13)], [(20, 13)])[0]


def test_changes_name_exact_boxes_and_nothing_twice():
    world = BoxWorld(BOUNDS, robot_radius=0.5)
    k = world.add((5, 5), (2, 4))
    changes = world.changes_since(0)
    np.testing.assert_allclose(changes.blocked_boxes, [[[3.5, 6.5], [2.5, 7.5]]])
    assert len(changes.freed_boxes) == 0 and changes.complete
    mark = world.revision
    world.move(k, (10, 5))
    world.move(k, (12, 5), angle=np.pi / 2)
    changes = world.changes_since(mark)
    np.testing.assert_allclose(changes.blocked_boxes, [[[9.5, 14.5], [3.5, 6.5]]])
    np.testing.assert_allclose(changes.freed_boxes, [[[3.5, 6.5], [2.5, 7.5]]])
    world.move(k, (5, 5), angle=0.0)
    changes = world.changes_since(mark)
    assert len(changes.blocked_boxes) == len(changes.freed_boxes) == 0
    revision = world.revision
    world.move(k, (5, 5))
    assert world.revision == revision  # nothing moved
    world.remove(k)
    assert len(world.changes_since(mark).freed_boxes) == 1
    assert len(world) == 0


def test_snapshots_do_not_change():
    world = PolygonWorld(BOUNDS)
    k = world.add(shapely.box(1, 1, 2, 2))
    before = world.arrays()
    edges = before.shapes.edges.copy()
    world.move(k, shapely.box(3, 3, 4, 4))
    np.testing.assert_array_equal(before.shapes.edges, edges)
    assert world.arrays() is not before


def union_of_all(radius=0.3):
    cells = np.zeros((40, 50), np.int8)
    cells[10:14, 5:30] = 100
    parts = {
        "discs": DiscWorld(BOUNDS, robot_radius=radius),
        "more": DiscWorld(BOUNDS, robot_radius=radius),
        "boxes": BoxWorld(BOUNDS, robot_radius=radius),
        "polygons": PolygonWorld(BOUNDS, robot_radius=radius),
        "grid": OccupancyGrid.from_array(cells, 0.5, robot_radius=radius),
    }
    parts["discs"].add((4, 12), 1.5)
    parts["more"].add((14, 3), 1.0)
    parts["boxes"].add((15, 15), (4, 1), angle=0.5)
    parts["polygons"].add([(8, 16), (11, 16), (9, 19)])
    return Union(*parts.values()), parts


def test_union_is_free_where_all_its_worlds_are():
    world, parts = union_of_all()
    assert world.bounds.tolist() == [[0, 20], [0, 20]]
    starts, ends = motions(np.random.default_rng(0), 500)
    expected = np.all([part.is_motion_free(starts, ends) for part in parts.values()], axis=0)
    np.testing.assert_array_equal(world.is_motion_free(starts, ends), expected)
    assert 0 < expected.sum() < 500


def test_union_tells_the_changes_of_each_world():
    world, parts = union_of_all()
    mark = world.revision
    parts["more"].add((1, 1), 0.5)
    parts["discs"].move(0, (5, 12))
    parts["boxes"].move(0, (15, 14))
    parts["grid"].update_window(0, 0, [[100]])
    changes = world.changes_since(mark)
    assert changes.complete and changes.revision == world.revision == mark + 4
    assert changes.n_moved == 1
    np.testing.assert_allclose(changes.blocked_discs, [[5, 12, 1.8], [1, 1, 0.8]])
    np.testing.assert_allclose(changes.freed_discs, [[4, 12, 1.8]])
    assert len(changes.freed_boxes) == 1 and len(changes.blocked_boxes) == 2
    unread = Union(*parts.values())
    assert not unread.changes_since(1).complete
    assert world.arrays() is world.arrays()


def test_forecasts_cover_what_discs_sweep_and_little_more():
    world = ForecastDiscWorld(BOUNDS, horizon=3.0, robot_radius=0.2)
    k = world.add((4, 10), 0.5, velocity=(2, 1))
    still = world.add((15, 3), 1.0)
    sweep = shapely.LineString([(4, 10), (10, 13)])
    starts, ends = motions(np.random.default_rng(1), 400)
    lines = shapely.linestrings(np.stack([starts, ends], axis=1))
    gap = shapely.distance(lines, sweep)
    other = shapely.distance(lines, shapely.Point(15, 3)) > 1.2
    free = world.is_motion_free(starts, ends)
    assert not free[gap <= 0.7].any()
    assert free[(gap > 0.7 + 0.04 * 0.5) & other].all()
    mark = world.revision
    world.advance(1.0)
    assert world.revision == mark + 1  # all discs at once
    np.testing.assert_allclose(world.discs[k][0], [6, 11])
    assert not world.is_free([(12, 14)])[0]
    assert world.changes_since(mark).complete
    world.set_velocity(k, (0, 0))
    assert len(world.arrays().discs) == 2
    world.remove(k)
    world.remove(still)
    assert len(world.arrays().discs) == 0


def test_footprint_grid_blocks_where_the_outline_can_touch():
    rng = np.random.default_rng(3)
    cells = np.where(rng.random((40, 40)) < 0.03, 100, 0).astype(np.int8)
    outline = shapely.Polygon([(-0.31, -0.12), (0.22, -0.12), (0.22, 0.17)])
    grid = FootprintGrid(OccupancyGrid.from_array(cells, 0.1), outline)
    rows, cols = np.nonzero(cells)
    occupied = shapely.union_all(
        shapely.box(cols / 10, rows / 10, (cols + 1) / 10, (rows + 1) / 10)
    )
    points = rng.uniform(0, 4, (400, 2))
    robots = np.array([shapely.affinity.translate(outline, *point) for point in points])
    hits = shapely.intersects(robots, occupied)
    free = grid.is_free(points)
    assert not (free & hits).any()
    assert free.sum() > 0.5 * (~hits).sum()  # at most a cell more than need be
    changed = grid.values
    changed[5:8, 20:26] = 100
    grid.update_window(5, 20, changed[5:8, 20:26])
    fresh = FootprintGrid(OccupancyGrid.from_array(changed, 0.1), outline)
    np.testing.assert_array_equal(grid.arrays().blocked, fresh.arrays().blocked)
    np.testing.assert_array_equal(grid.arrays().clearance, fresh.arrays().clearance)


def test_bad_input_is_refused_by_name():
    boxes, polygons = BoxWorld(BOUNDS), PolygonWorld(BOUNDS)
    k = boxes.add((1, 1), (1, 1))
    bowtie = [(0, 0), (1, 1), (1, 0), (0, 1)]
    for call, message in [
        (lambda: BoxWorld(((0, 1), (3, 2))), "bounds must be finite with lowest < highest"),
        (lambda: BoxWorld(BOUNDS, robot_radius=-1), "robot_radius must be finite and non-negative"),
        (lambda: boxes.add((np.nan, 0), (1, 1)), "center must be finite"),
        (lambda: boxes.add((0, 0, 0), (1, 1)), "center must be 2 coordinates"),
        (lambda: boxes.add((0, 0), (1, 0)), "size must be positive"),
        (lambda: boxes.add((0, 0), (1, 1), angle=np.inf), "angle must be finite"),
        (lambda: BoxWorld([(0, 1)] * 3).add((0,) * 3, (1,) * 3, angle=1), "angle must be 0 in 3"),
        (lambda: boxes.move(7, (0, 0)), "box must be the id of a present box, got 7"),
        (lambda: boxes.remove(k + 1), "box must be the id of a present box"),
        (lambda: boxes.changes_since(5), "revision must be between 0 and 1, got 5"),
        (lambda: boxes.is_free([(1, 2, 3)]), r"points must be of shape \(k, 2\)"),
        (lambda: PolygonWorld([(0, 1)] * 3), "bounds must be two pairs, got 3"),
        (lambda: polygons.add(bowtie), r"polygon must be valid, got: Self-intersection\[0.5 0.5\]"),
        (lambda: polygons.add([(0, 0), (1, 1)]), "polygon must be a shapely geometry or at least"),
        (lambda: polygons.add([(0, 0), (1, 1), (np.nan, 2)]), "polygon must be finite"),
        (lambda: polygons.add(shapely.Polygon()), "polygon must not be empty"),
        (lambda: polygons.add(shapely.box(0, 0, 1, 1), radius=-2), "radius must be finite and non"),
        (lambda: polygons.move(3, bowtie), "polygon must be the id of a present polygon, got 3"),
        (lambda: polygons.remove(0), "polygon must be the id"),
        (lambda: PolygonWorld(BOUNDS, footprint=bowtie), "footprint must be valid, got: Self"),
        (
            lambda: PolygonWorld(BOUNDS, footprint=shapely.Point(0, 0)),
            "footprint must be one polygon without holes",
        ),
        (
            lambda: polygons.add(
                shapely.GeometryCollection([shapely.Point(0, 0), shapely.box(0, 0, 1, 1)])
            ),
            "polygon must be made of areas, of lines or of points only",
        ),
        (lambda: Union(), "worlds must be at least one"),
        (lambda: Union(boxes, BoxWorld([(0, 1)] * 3)), r"worlds must have one dimension, got \[2"),
        (lambda: Union(boxes, BoxWorld(((30, 40), (0, 1)))), "worlds must have room in common"),
        (
            lambda: Union(*[OccupancyGrid.from_array([[0]], 1.0)] * 2),
            "worlds must hold at most one occupancy grid",
        ),
        (lambda: Union(boxes).changes_since(9), "revision must be between 0 and 1"),
        (lambda: ForecastDiscWorld(BOUNDS, -1.0), "horizon must be finite and non-negative"),
    ]:
        with pytest.raises(ValueError, match=message):
            call()
    assert len(boxes) == 1 and len(polygons) == 0
