"""Starting over after every change: the yardstick for planners that repair."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from planning._anew import PlanAnew
from planning._scratch_kernels import blocked_lengths, dijkstra


class Scratch(PlanAnew):
    """Test every edge of the roadmap and run Dijkstra anew after each change.

    What one writes without an incremental planner, in compiled code over the same arrays.

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
    The whole tree is always computed, so ``time_limit`` is checked but not used.
    """

    _length: NDArray[np.float64] | None = None  # (m,), metres, inf where blocked; kept for reuse

    def _search(self) -> tuple[int, int]:
        if self._length is None:
            self._length = np.empty(len(self._roads.length))
        checks = blocked_lengths(self._roads, self._arrays, self._length)
        expanded = dijkstra(
            self._roads, self._length, self._goal_link, self._heap, self._cost, self._parent
        )
        return expanded, checks
