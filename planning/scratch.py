"""Starting over after every change: the yardstick for planners that repair."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from planning._anew import PlanAnew
from planning._scratch_kernels import begin_dijkstra, blocked_lengths, dijkstra


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
    The whole tree is always computed. One that a ``time_limit`` cuts short is gone on with by the
    next call, unless the world has changed by then.
    """

    _length: NDArray[np.float64] | None = None  # (m,), metres, inf where blocked; kept for reuse

    def _search(self) -> Iterator[tuple[int, int]]:
        if self._length is None:
            self._length = np.empty(len(self._roads.length))
        first, n = 0, len(self._cost)
        while first < n:
            last = min(first + self._budget, n)
            yield 0, blocked_lengths(self._roads, self._arrays, self._length, first, last)
            first = last
        begin_dijkstra(self._goal_link, self._heap, self._cost, self._parent)
        while self._heap.size[0] > 0:
            yield (
                dijkstra(
                    self._roads, self._length, self._heap, self._cost, self._parent, self._budget
                ),
                0,
            )

    def _settled_cost(self) -> NDArray[np.float64]:
        heap = self._heap
        if not self._timed_out or heap.size[0] == 0:
            return self._cost
        return np.where(self._cost <= heap.key[heap.order[0]], self._cost, np.inf)
