import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from problems.worlds import DiscWorld

BOUNDS = ((0.0, 10.0), (0.0, 10.0))


@pytest.fixture
def world():
    return DiscWorld(BOUNDS)


def brute_force_motion_is_free(discs, p, q, n=4001):
    t = np.linspace(0.0, 1.0, n)[:, None]
    fine = p + t * (q - p)
    gaps = [np.linalg.norm(fine - disc[:-1], axis=1).min() - disc[-1] for disc in discs]
    return min(gaps, default=np.inf)


@pytest.mark.kernel
@given(st.integers(0, 10**6), st.integers(1, 4))
def test_motion_checks_agree_with_fine_sampling(seed, dimension):
    rng = np.random.default_rng(seed)
    world = DiscWorld([(0.0, 10.0)] * dimension)
    for _ in range(3):
        world.add(rng.uniform(0, 10, dimension), rng.uniform(0.1, 3.0))
    discs = world.arrays().discs
    p, q = rng.uniform(0, 10, (2, 20, dimension))
    free = world.is_motion_free(p, q)
    for k in range(20):
        gap = brute_force_motion_is_free(discs, p[k], q[k])
        if abs(gap) > 0.01:
            assert free[k] == (gap > 0.0)


def test_motion_does_not_tunnel_through_a_tiny_disc(world):
    world.add((5.0, 5.0), 1e-6)
    assert not world.is_motion_free([(0, 0)], [(10, 10)])[0]


def test_points_out_of_bounds_are_not_free(world):
    np.testing.assert_array_equal(world.is_free([(5, 5), (11, 5), (0, 0)]), [True, False, True])


def test_robot_radius_grows_every_disc():
    world = DiscWorld(BOUNDS, robot_radius=1.0)
    k = world.add((5.0, 5.0), 1.0)
    assert not world.is_free([(6.9, 5.0)])[0]
    world.move(k, (2.0, 5.0))
    assert world.changes_since(1).freed_discs[0, 2] == 2.0
    assert world.discs[k][1] == 1.0


def test_changes_are_net(world):
    a = world.add((1, 1), 1)
    b = world.add((5, 5), 1)
    revision = world.revision
    world.move(a, (2, 2))
    world.move(a, (3, 3))
    c = world.add((8, 8), 2)
    world.remove(b)
    changes = world.changes_since(revision)
    assert changes.revision == world.revision and changes.complete and changes.n_moved == 1
    np.testing.assert_array_equal(changes.blocked_discs, [(3, 3, 1), (8, 8, 2)])
    np.testing.assert_array_equal(changes.freed_discs, [(1, 1, 1), (5, 5, 1)])
    world.move(a, (1, 1))
    world.remove(c)
    changes = world.changes_since(revision)
    assert changes.n_moved == 0
    assert len(changes.blocked_discs) == 0
    np.testing.assert_array_equal(changes.freed_discs, [(5, 5, 1)])


def test_move_to_the_same_place_is_no_change(world):
    k = world.add((1, 1), 1)
    revision = world.revision
    world.move(k, (1, 1))
    world.advance(1.0)
    assert world.revision == revision


def test_log_stays_short_and_says_when_it_forgot(world):
    k = world.add((1, 1), 1)
    revision = world.revision
    for i in range(9000):
        world.move(k, (1 + i % 7, 1))
    assert not world.changes_since(revision).complete
    assert world.changes_since(world.revision - 10).complete
    assert world.changes_since(world.revision - 2000).complete
    assert len(world._log) <= 4096


def test_advance_moves_discs_by_their_velocity(world):
    a = world.add((1, 1), 1, velocity=(1, 0.5))
    b = world.add((5, 5), 1)
    world.advance(2.0)
    np.testing.assert_array_equal(world.discs[a][0], (3, 2))
    np.testing.assert_array_equal(world.discs[b][0], (5, 5))
    world.set_velocity(b, (0, 1))
    world.advance(1.0)
    np.testing.assert_array_equal(world.discs[b][0], (5, 6))


def test_snapshot_is_not_reached_by_later_changes(world):
    k = world.add((1, 1), 1)
    before = world.arrays()
    world.move(k, (9, 9))
    np.testing.assert_array_equal(before.discs, [(1, 1, 1)])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda w: w.add((1, np.nan), 1), "center must be finite"),
        (lambda w: w.add((1, 2, 3), 1), "center must be 2 coordinates"),
        (lambda w: w.add((1, 2), -1), "radius must be finite and positive, got -1"),
        (lambda w: w.add((1, 2), 0), "radius must be finite and positive, got 0"),
        (lambda w: w.add((1, 2), 1, velocity=(np.inf, 0)), "velocity must be finite"),
        (lambda w: w.move(7, (1, 2)), "disc must be the id of a present disc, got 7"),
        (lambda w: w.remove(-1), "disc must be the id of a present disc, got -1"),
        (lambda w: w.advance(-1.0), "dt must be finite and non-negative"),
        (lambda w: w.changes_since(5), "revision must be between 0 and 0, got 5"),
        (lambda w: w.is_free([(1, 2, 3)]), r"points must be of shape \(k, 2\)"),
        (lambda w: w.is_motion_free([(1, np.nan)], [(1, 1)]), "starts must be finite"),
        (lambda w: w.is_motion_free([(1, 1)], [(1, 1), (2, 2)]), "ends must be as many as starts"),
        (lambda w: DiscWorld(((0, 1), (5, 2))), "bounds must be finite with lowest < highest"),
        (lambda w: DiscWorld((0, 1)), "bounds must be pairs"),
        (lambda w: DiscWorld(BOUNDS, robot_radius=-1), "robot_radius must be finite"),
    ],
)
def test_bad_input_is_refused_and_changes_nothing(world, call, message):
    with pytest.raises(ValueError, match=message):
        call(world)
    assert world.revision == 0 and len(world) == 0


def test_removed_disc_is_gone_for_good(world):
    k = world.add((1, 1), 1)
    world.remove(k)
    assert len(world) == 0
    assert world.add((2, 2), 1) != k
    with pytest.raises(ValueError, match="present disc"):
        world.move(k, (1, 1))


def test_a_step_that_overflows_is_refused_and_moves_nothing():
    world = DiscWorld(((0, 10), (0, 10)))
    near = world.add((1, 1), 0.5, velocity=(1, 0))
    world.add((2, 2), 0.5, velocity=(1e50, 0))
    revision = world.revision
    with pytest.raises(ValueError, match=r"dt must leave every disc within 1e.60 metres"):
        world.advance(1e300)
    assert world.revision == revision
    np.testing.assert_array_equal(world.discs[near][0], [1, 1])
