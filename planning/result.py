"""What planners hand back: a path with its status, and the account of an update."""

from __future__ import annotations

import enum
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planning.messages import path_message


class PathStatus(enum.Enum):
    """How a query for a path ended; the value is the sentence for the user."""

    SOLVED = "a shortest collision-free path on the roadmap was found"
    NO_PATH = "no collision-free path on the roadmap leads from the start to the goal"
    START_OCCUPIED = "the start lies inside an obstacle"
    GOAL_OCCUPIED = "every goal lies inside an obstacle"
    OUT_OF_BOUNDS = "the start, or every goal, lies outside the world's bounds"
    TIMEOUT = "time_limit ran out first; the path, if there is one, is free but may be longer"
    NOT_PLANNED = "nothing is planned yet; call set_goal and plan first"
    APPROXIMATE = "the goal is cut off; the path leads to the reachable place nearest to it"


class UpdateStatus(enum.Enum):
    """How a repair ended; the value is the sentence for the user."""

    UNCHANGED = "nothing has changed since the last update, so nothing was done"
    REPAIRED = "the tree is repaired"
    TIMEOUT = "time_limit ran out first; the next update goes on from here"
    NOT_PLANNED = "nothing is planned yet; call set_goal and plan first"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Path:
    """A path from a start to the goal.

    Attributes
    ----------
    status : PathStatus
    cost : float
        Length in metres; inf when there is no path.
    waypoints : ndarray of shape (k, d)
        From the start to the goal, metres; empty when there is no path.
    message : str
        A hint where the status alone would leave the user helpless.
    """

    status: PathStatus
    cost: float
    waypoints: NDArray[np.float64]
    message: str = ""

    @property
    def solved(self) -> bool:
        """Whether the planner found the path it promises; never True for an approximate one.

        A shortest one on the roadmap from ``FMTx``, ``DStarLite`` and ``Scratch``; it may be longer
        from ``FMTStar`` and with ``faithful`` or ``hysteresis``. ``RRTx`` has a graph of its own:
        longer by up to ``epsilon`` a motion, or shorter through motions the roadmap lacks.
        """
        return self.status is PathStatus.SOLVED

    def to_ros(self, *, frame_id: str = "map", stamp: float = 0.0) -> dict:
        """Return the path as a dictionary with the fields of ``nav_msgs/Path``.

        Parameters
        ----------
        frame_id : str, default="map"
        stamp : float, default=0
            Time, seconds.

        Returns
        -------
        dict
            Each pose looks along the path; without a path there are no poses.

        Raises
        ------
        ValueError
            If the path is not in two or three dimensions.
        """
        return path_message(self.waypoints, frame_id, stamp)


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """The account of one repair.

    Attributes
    ----------
    status : UpdateStatus
    n_orphaned : int
        Vertices cut off the tree because a motion towards the goal became blocked.
    n_expanded : int
        Vertices taken from the queue and expanded.
    n_changed : int
        Vertices whose cost to the goal is another one now.
    n_collision_checks : int
        Edges tested against the world.
    elapsed_s : float
        Time taken, seconds.
    """

    status: UpdateStatus
    n_orphaned: int = 0
    n_expanded: int = 0
    n_changed: int = 0
    n_collision_checks: int = 0
    elapsed_s: float = 0.0
