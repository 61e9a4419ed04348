"""FMT*: the Fast Marching Tree, planned from nothing after each change."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from planning._anew import PlanAnew
from planning._fmt_star_kernels import grow_tree, open_linked


class FMTStar(PlanAnew):
    """Grow a Fast Marching Tree anew whenever the world changed.

    Parameters
    ----------
    world : World
        What can be hit.
    roadmap : Roadmap or int, optional
        Where the robot may turn, or the number of vertices to sample.
    n_samples : int, optional
        Number of vertices to sample, instead of a ``roadmap``.
    seed : int or numpy.random.Generator, optional
        Where samples come from, when no ``roadmap`` is given.
    escape : float, default=0
        How far, metres, the first leg may run through an obstacle when the start lies in one.
    approximate : bool, default=False
        When the goal is cut off, lead to the reachable place nearest to it.

    Notes
    -----
    One motion is tested for each vertex that a step of the front meets: the one to its best open
    neighbour. If that is blocked the vertex waits, so costs may be above the shortest on the
    roadmap; they converge to the optimum as samples grow [1]_. The tree is rooted at the goal and
    grown to the end, so that it answers for any start. One that a ``time_limit`` cuts short is
    gone on with by the next call, unless the world has changed by then.

    References
    ----------
    .. [1] Janson, Schmerling, Clark, Pavone (2015), "Fast marching tree: a fast marching sampling-
       based method for optimal motion planning in many dimensions", algorithm 1.

    Examples
    --------
    >>> from problems.worlds import DiscWorld
    >>> world = DiscWorld(bounds=((0, 10), (0, 10)))
    >>> planner = FMTStar(world, 500, seed=0)
    >>> planner.set_goal((9, 9))
    >>> planner.plan((1, 1)).solved
    True
    """

    def _search(self) -> Iterator[tuple[int, int]]:
        n = len(self._cost)
        state, fresh = np.empty(n, np.uint8), np.empty(n, np.int32)
        roads, arrays, heap, cost, parent = (
            self._roads,
            self._arrays,
            self._heap,
            self._cost,
            self._parent,
        )
        open_linked(roads, arrays, self._goal_link, heap, state, cost, parent)
        yield 0, 0
        while heap.size[0] > 0:
            yield grow_tree(roads, arrays, heap, state, fresh, cost, parent, self._budget)
