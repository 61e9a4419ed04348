"""Refusals: which rules go together, by name, with the reason and what to take instead."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse

from bcd.partition import PARTITIONS
from bcd.result import Result
from bcd.selection import BLIND, FORESTS, SELECTIONS
from bcd.update import NEEDS_BOUND, PROXIMAL, SMOOTH_ONLY, UPDATES
from problems.linear import check_real
from problems.losses import SQUARES

LARGEST_FLOAT = sys.float_info.max  # integers may be larger, and no float then
TINY = 1e-280  # squared data below it have lost digits


def listed(names) -> str:
    """Names in quotes, separated by commas."""
    return ", ".join(repr(name) for name in names)


def known(argument: str, value, names) -> None:
    """Raise ValueError when a rule's name is not known, with the known ones listed."""
    if not isinstance(value, str) or value not in names:
        raise ValueError(f"{argument} must be one of {listed(names)}, got {value!r}.")


def is_quadratic(problem) -> bool:
    """Whether the smooth part's Hessian is constant."""
    return getattr(problem, "loss", SQUARES) == SQUARES


def check_rules(problem, partition, selection: str, update: str) -> None:
    """Raise ValueError when the three rules do not go together on this problem."""
    if isinstance(partition, str):
        known("partition", partition, PARTITIONS)
    elif not isinstance(partition, Sequence | np.ndarray):
        raise TypeError(
            f"partition must be one of {listed(PARTITIONS)} or a sequence of index arrays, got "
            f"{type(partition).__name__}."
        )
    known("selection", selection, SELECTIONS)
    known("update", update, UPDATES)
    variable = isinstance(partition, str) and partition == "variable"
    if update == "message-passing" and selection in ("mi", "gs-r", "gs-q"):
        raise ValueError(
            f"selection={selection!r} has no form for message passing; use 'gs', 'gsl', 'gsd', "
            "'gsq', a blind rule, 'greedy-forest' or 'random-forest'."
        )
    penalty, name = problem.penalty, type(problem).__name__
    if partition == "groups" and not penalty.is_grouped:
        raise ValueError("partition='groups' needs a penalty with groups, such as GroupL2.")
    if penalty.is_grouped:
        _check_groups(partition, selection, update)
    if update in SMOOTH_ONLY and not penalty.is_smooth:
        raise ValueError(
            f"update={update!r} needs a smooth objective, but the penalty has an l1 term, bounds "
            f"or groups; use one of {listed(PROXIMAL)}."
        )
    if selection == "gsq" and not penalty.is_smooth:
        raise ValueError(
            "selection='gsq' needs a smooth objective, but the penalty has an l1 term, bounds or "
            "groups; use 'gs-q', its proximal form."
        )
    if update == "exact" and not is_quadratic(problem):
        raise ValueError(
            f"update='exact' has no closed form for {name}; use 'newton' or 'prox-newton', "
            "which approach the block's minimiser."
        )
    if selection == "mi" and variable:
        raise ValueError(
            "selection='mi' tries every block, and a variable block is one of too many; use a "
            "fixed partition, or 'gsq'."
        )
    if not np.isfinite(getattr(problem, "curvature_bound", 1.0)):
        wants_bound = update in NEEDS_BOUND or selection in ("lipschitz", "gsl", "gsd", "gsq")
        wants_bound |= selection in ("gs-r", "gs-q") or partition in ("sorted", "averaged")
        if wants_bound:
            raise ValueError(
                f"{name} has no bound on its curvature, which partition={partition!r}, "
                f"selection={selection!r} with update={update!r} needs; use selection='gs' or a "
                "blind one, and update='backtracking', 'newton' or 'prox-newton'."
            )
    _check_graph(problem, partition, selection, update, variable)


def _check_groups(partition, selection: str, update: str) -> None:
    if not (isinstance(partition, str) and partition == "groups"):
        raise ValueError(
            "a penalty with groups is separable over its groups only; use partition='groups'."
        )
    if update not in ("prox-gradient", "backtracking"):
        raise ValueError(
            f"update={update!r} cannot move a penalised group; use 'prox-gradient' or "
            "'backtracking'."
        )
    if selection not in (*BLIND, "gs", "gs-s", "gsl", "gs-r", "gs-q"):
        raise ValueError(
            f"selection={selection!r} has no form for penalised groups; use 'gs-s', 'gsl', "
            "'gs-r', 'gs-q' or a blind rule."
        )


def _check_graph(problem, partition, selection: str, update: str, variable: bool) -> None:
    has_graph = hasattr(type(problem), "graph")  # the graph itself is built when it is needed
    name = type(problem).__name__
    if isinstance(partition, str) and partition in ("forest", "colors") and not has_graph:
        raise ValueError(
            f"partition={partition!r} needs a problem on a graph, such as GraphQuadratic, got "
            f"{name}; use 'order', 'sorted', 'averaged' or 'random'."
        )
    if selection in FORESTS and not has_graph:
        raise ValueError(
            f"selection={selection!r} needs a problem on a graph, such as GraphQuadratic, got "
            f"{name}; use 'gs', 'gsl' or 'gsd'."
        )
    if selection in FORESTS and not (variable and update == "message-passing"):
        raise ValueError(
            f"selection={selection!r} grows its own blocks and solves them by message passing; "
            "use it with partition='variable' and update='message-passing'."
        )
    if update != "message-passing":
        return
    if not has_graph:
        raise ValueError(
            f"update='message-passing' needs a problem on a graph, such as GraphQuadratic, got "
            f"{name}; use 'matrix' or 'exact'."
        )
    if not problem.penalty.is_smooth:
        raise ValueError("update='message-passing' needs no l1 term and no bounds; use 'exact'.")
    if variable and selection not in FORESTS:
        raise ValueError(
            "update='message-passing' needs blocks that are forests; with partition='variable' "
            "use selection='greedy-forest' or 'random-forest', else partition='forest' or "
            "'colors'."
        )


def check_books(problem, selection: str, gram, heap) -> None:
    """Raise when the books that are asked for do not go with the problem or the selection."""
    for name, value in (("gram", gram), ("heap", heap)):
        if value is not None and not isinstance(value, bool | np.bool_):
            raise TypeError(f"{name} must be True, False or None, got {value!r}.")
    if gram and getattr(problem, "loss", None) != SQUARES:
        raise ValueError(
            f"gram=True needs least squares, whose Hessian is A'A, got {type(problem).__name__}; "
            "leave gram out."
        )
    if heap and (selection in (*BLIND, *FORESTS, "mi") or gram or not problem.is_walked_sparse):
        raise ValueError(
            "heap=True needs a sparse problem and a greedy selection, got "
            f"selection={selection!r} on {type(problem).__name__}; leave heap out."
        )


def check_curvatures(problem, lipschitz) -> None:
    """Raise ValueError when squares of the data overflow, or vanish though the data do not."""
    if not np.isfinite(lipschitz).all():
        i = int(np.flatnonzero(~np.isfinite(lipschitz))[0])
        raise ValueError(
            f"the curvature of coordinate {i} must be finite, got {lipschitz[i]}: its data are too "
            "large to be squared; scale the data."
        )
    if lipschitz.max() < TINY and np.any(problem.gradient(np.zeros(problem.n_coordinates))):
        raise ValueError(
            f"the curvature must be above {TINY:g} at some coordinate, got {lipschitz.max():.3g}: "
            "the data are too small to be squared; scale the data."
        )


def make_generator(random_state) -> np.random.Generator:
    """Return the generator that a seed stands for."""
    try:
        return np.random.default_rng(random_state)
    except (TypeError, ValueError):
        raise ValueError(
            "random_state must be None, an integer of at least 0 or a numpy Generator, got "
            f"{random_state!r}."
        ) from None


def check_diagonal(diagonal) -> None:
    """Raise ValueError when the diagonal of gsd and gsl is not known."""
    if diagonal is not None:
        known("diagonal", diagonal, ("row-sums", "lipschitz"))


def check_block_size(block_size, n: int) -> int:
    """Return the block size as an int between 1 and n."""
    if isinstance(block_size, bool) or not isinstance(block_size, int | np.integer):
        raise TypeError(f"block_size must be an integer, got {block_size!r}.")
    if not 1 <= block_size <= n:
        raise ValueError(f"block_size must be between 1 and n_coordinates={n}, got {block_size}.")
    return int(block_size)


def check_start(problem, x0, name: str = "x0") -> NDArray[np.float64]:
    """Return a fresh starting point: x0, a result's x, or the point of the bounds nearest to 0."""
    n = problem.n_coordinates
    lower, upper = problem.penalty.bounds(n)
    if x0 is None:
        return np.clip(np.zeros(n), lower, upper)
    given = x0.x if isinstance(x0, Result) else x0
    check_real(name, given)
    if issparse(given):
        raise TypeError(f"{name} must be a dense array, got {type(given).__name__}.")
    x = np.array(given, dtype=np.float64)
    if x.shape != (n,):
        raise ValueError(f"{name} must have shape ({n},), got {x.shape}.")
    if not np.isfinite(x).all():
        raise ValueError(f"{name} must be finite, got NaN or inf.")
    outside = np.flatnonzero((x < lower) | (x > upper))
    if len(outside):
        i = outside[0]
        raise ValueError(
            f"{name} must lie within the bounds, got {x[i]} outside [{lower[i]}, {upper[i]}] at "
            f"coordinate {i}."
        )
    return x


def check_limits(tol, max_iter, time_limit, callback, callback_every) -> None:
    """Raise when a stopping rule is malformed."""
    if callback is not None and not callable(callback):
        raise TypeError(f"callback must be callable, got {type(callback).__name__}.")
    number = isinstance(tol, int | float | np.number) and not isinstance(tol, bool)
    if not (number and 0.0 <= tol <= LARGEST_FLOAT):
        raise ValueError(f"tol must be a finite number, at least 0, got {tol}.")
    for name, value in (("max_iter", max_iter), ("callback_every", callback_every)):
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
            raise ValueError(f"{name} must be an integer, at least 1, got {value!r}.")
    if time_limit is not None:
        number = isinstance(time_limit, int | float | np.number)
        if not (number and (0.0 < time_limit <= LARGEST_FLOAT or time_limit == np.inf)):
            raise ValueError(f"time_limit must be above 0 seconds, got {time_limit}.")
