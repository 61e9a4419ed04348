"""What a solver hands back: one frozen record, whose status is the sentence the user reads."""

from __future__ import annotations

import contextlib
import enum
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


class Status(enum.Enum):
    """Why a run ended; the value is the sentence that the user reads."""

    CONVERGED = "the optimality gap fell below tol"
    OPTIMAL = "no coordinate violates its optimality condition any more"
    MAX_ITER = "max_iter was reached first; increase it or scale the features"
    TIME_LIMIT = "time_limit was reached first"
    STOPPED = "the callback asked to stop"
    STALLED = "no step from here decreases the objective in floating point"

    @property
    def solved(self) -> bool:
        """Whether the tolerance was met."""
        return self in (Status.CONVERGED, Status.OPTIMAL)


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """The run, iteration by iteration; entry 0 is the starting point.

    ``pandas.DataFrame(history.as_dict())`` gives a table.

    Attributes
    ----------
    objective : ndarray of shape (n_iter + 1,), float64
    time_s : ndarray of shape (n_iter + 1,), float64
        Seconds since the start; the clock is read between compiled chunks and interpolated inside.
    block_size : ndarray of shape (n_iter + 1,), int32
    n_active : ndarray of shape (n_iter + 1,), int32
        Coordinates that are free: not zero where an l1 term is present, not at a bound.
    """

    objective: NDArray[np.float64]
    time_s: NDArray[np.float64]
    block_size: NDArray[np.int32]
    n_active: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.objective)

    def as_dict(self) -> dict[str, NDArray]:
        """Return the columns by name, ready for ``pandas.DataFrame``."""
        return {
            "objective": self.objective,
            "time_s": self.time_s,
            "block_size": self.block_size,
            "n_active": self.n_active,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The outcome of a run, in the manner of ``scipy.optimize.OptimizeResult``.

    Attributes
    ----------
    x : ndarray of shape (n_coordinates,), float64
    fun : float
        Objective at ``x``, penalty included.
    gap : float
        Upper bound on ``fun - optimum`` where a duality gap is known, else the largest entry of
        the minimum-norm subgradient; which of the two is told by ``gap_kind``.
    n_iter : int
        Block updates performed.
    status : Status
    history : History
    active_set : ndarray of shape (n_active,), int64
        Free coordinates at ``x``, ascending.
    identified_at : int
        The iteration at which the active set last changed; 0 when it never did.
    gap_kind : str
        ``"duality"`` or ``"subgradient"``.
    """

    x: NDArray[np.float64]
    fun: float
    gap: float
    n_iter: int
    status: Status
    history: History
    active_set: NDArray[np.int64]
    identified_at: int = 0
    gap_kind: str = "subgradient"
    extra: dict = field(default_factory=dict)

    @property
    def message(self) -> str:
        """The status as a sentence."""
        return self.status.value

    @property
    def success(self) -> bool:
        """Whether the tolerance was met."""
        return self.status.solved

    @property
    def nit(self) -> int:
        """Scipy's name of ``n_iter``."""
        return self.n_iter


def ask(callback: Callable, progress, result: Callable[[], Result]) -> bool:
    """Ask a callback whether to stop; should it raise, ``error.result`` is the result so far."""
    try:
        return bool(callback(progress))
    except BaseException as error:
        with contextlib.suppress(AttributeError):
            error.result = result()  # type: ignore[attr-defined]
        raise
