"""Independent answers for planners: scipy's Dijkstra and a fine-resolution audit in plain numpy."""

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra


def free_edges(world, roadmap):
    """Return tails, heads and lengths of the motions that are free now, each direction once."""
    graph = roadmap.graph
    tails, heads = graph.tails(), graph.indices
    swap = tails > heads  # one direction asked, so that both slots agree to the last bit
    p, q = np.where(swap, heads, tails), np.where(swap, tails, heads)
    free = world.is_motion_free(roadmap.points[p], roadmap.points[q])
    return tails[free], heads[free], graph.weights[free]


def dijkstra_costs(world, roadmap, goal, reach=None):
    """Return the cost of every vertex to ``goal``, which joins what it sees within ``reach``."""
    tails, heads, lengths = free_edges(world, roadmap)
    n = roadmap.n_vertices
    gaps = np.linalg.norm(roadmap.points - goal, axis=1)
    if gaps.min() == 0.0:
        seen, links = np.array([int(np.argmin(gaps))]), np.array([1.0])
    else:
        radius = reach or roadmap.radius
        span = np.linalg.norm(np.diff(world.bounds, axis=1))
        while True:
            seen = np.flatnonzero(gaps <= radius)
            ends = roadmap.points[seen]
            seen = seen[world.is_motion_free(np.repeat(goal[None], len(seen), axis=0), ends)]
            if len(seen) or radius > span:
                break
            radius *= 2.0
        links = gaps[seen] + 1.0
    # the goal is vertex n; its edges are made 1 longer, since scipy drops edges of length zero
    matrix = csr_array(
        (
            np.concatenate((np.maximum(lengths, 1e-300), links)),
            (np.concatenate((tails, np.full(len(seen), n))), np.concatenate((heads, seen))),
        ),
        shape=(n + 1, n + 1),
    )
    return dijkstra(matrix, indices=n)[:n] - 1.0


def assert_costs(actual, expected, *, settled_only=False):
    """Check costs to 1e-9, and that exactly the unreachable are unreached."""
    finite = np.isfinite(actual)
    if not settled_only:
        np.testing.assert_array_equal(finite, np.isfinite(expected))
    np.testing.assert_allclose(actual[finite], expected[finite], rtol=1e-9, atol=1e-9)


def assert_path_is_free(path, discs, bounds, resolution=0.01):
    """Walk a path in steps of ``resolution`` metres and check each point against (k, d+1) discs."""
    points = [path.waypoints]
    for p, q in zip(path.waypoints[:-1], path.waypoints[1:], strict=True):
        steps = max(2, int(np.ceil(np.linalg.norm(q - p) / resolution)))
        points.append(p + np.linspace(0.0, 1.0, steps)[:, None] * (q - p))
    fine = np.concatenate(points)
    assert (fine >= bounds[:, 0] - 1e-9).all() and (fine <= bounds[:, 1] + 1e-9).all()
    for disc in discs:
        gap = np.linalg.norm(fine - disc[:-1], axis=1) - disc[-1]
        assert gap.min() > -1e-9


def assert_path_is_consistent(path, start, goal):
    """Check that a path joins start and goal and that its cost is its length."""
    assert path.solved
    np.testing.assert_array_equal(path.waypoints[0], start)
    np.testing.assert_array_equal(path.waypoints[-1], goal)
    legs = np.linalg.norm(np.diff(path.waypoints, axis=0), axis=1)
    assert abs(legs.sum() - path.cost) <= 1e-9 * max(1.0, path.cost)
