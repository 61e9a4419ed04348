"""The free motions that join vertices to goals, renewed as the world changes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from planning._join_kernels import join_goals
from planning._roads import Roads
from problems.worlds.arrays import WorldArrays


class GoalLinks:
    """Which vertices have a motion to a goal; its length and goal are kept by the planner.

    Parameters
    ----------
    length : ndarray of shape (n,)
        Metres, inf where no goal is seen; written to.
    goal_of : ndarray of shape (n,), int32
        Which goal; written to.
    """

    def __init__(self, length: NDArray[np.float64], goal_of: NDArray[np.int32]) -> None:
        self._length, self._goal_of = length, goal_of
        self._linked = np.empty(len(length), np.int32)
        self._n_linked = 0

    def forget(self) -> None:
        """Let no vertex have one."""
        self._length[:] = np.inf
        self._goal_of[:] = -1
        self._n_linked = 0

    def renew(
        self, roads: Roads, arrays: WorldArrays | None, goals: NDArray[np.float64], radius: float
    ) -> NDArray[np.int32]:
        """Look for them anew; return the vertices that had or have one, each once."""
        had = self._linked[: self._n_linked].copy()
        self._n_linked = join_goals(
            roads,
            arrays,
            goals,
            radius,
            self._length,
            self._goal_of,
            self._linked,
            self._n_linked,
            np.empty_like(self._linked),
            np.empty(len(self._linked)),
        )
        return np.union1d(had, self._linked[: self._n_linked]).astype(np.int32)
