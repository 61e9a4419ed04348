"""What the least-squares estimators share: bounds, designs, one solve."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bcd.design import Design, make_design, project_out
from bcd.estimators._base import warn_unless_solved
from bcd.least_squares import solve_smooth
from bcd.progress import ProgressBar
from bcd.result import Result
from bcd.whole import whole_problem
from bcd.working_set import Memory, solve_working_sets
from problems.linear import check_real

NONNEGATIVE = (0.0, np.inf)


def read_bounds(bounds, n_features: int, positive: bool):
    """Return bounds as arrays of shape (n_features,), or None where there are none."""
    if bounds is None:
        return NONNEGATIVE if positive else None
    if not isinstance(bounds, tuple | list) or len(bounds) != 2:
        raise ValueError(f"bounds must be a pair (lower, upper), got {bounds!r}.")
    pair = []
    for name, given, none in zip(("lower", "upper"), bounds, (-np.inf, np.inf), strict=True):
        part = none if given is None else given
        check_real(f"bounds: {name}", part)
        array = np.asarray(part, dtype=np.float64)
        if array.shape not in ((), (n_features,)):
            raise ValueError(
                f"bounds: {name} must be a number or of shape ({n_features},), got {array.shape}."
            )
        if np.isnan(array).any():
            raise ValueError(f"bounds: {name} must not be NaN.")
        pair.append(np.broadcast_to(array, (n_features,)))
    lower, upper = np.maximum(pair[0], 0.0) if positive else pair[0], pair[1]
    crossing = np.flatnonzero((lower > upper) | (lower == np.inf) | (upper == -np.inf))
    if len(crossing):
        j = crossing[0]
        raise ValueError(
            f"bounds must not cross, got lower {lower[j]} and upper {upper[j]} at feature {j}."
        )
    return lower, upper


def weighted_design(
    X, weights: NDArray | None, fit_intercept: bool, y: NDArray | None = None
) -> Design:
    """Wrap X, its rows weighted and its columns centred on the way, never in a copy.

    With a target y of shape (n_samples,) dense columns are correlated with it on the same pass.
    """
    root = None if weights is None else np.sqrt(weights)
    u = np.empty(0)
    if fit_intercept:
        u = np.ones(X.shape[0]) if root is None else root
    return make_design(X, u, root, y if y is None or root is None else root * y)


def solve_quietly(
    design: Design,
    target: NDArray,
    alpha: float,
    l1_ratio: float,
    *,
    tol: float,
    max_iter: int,
    n_samples: float,
    penalty_factor: NDArray | None = None,
    bounds=None,
    start: NDArray | None = None,
    memory: Memory | None = None,
    callback=None,
    verbose=False,
    name: str = "ElasticNet",
) -> Result:
    """Minimise scikit-learn's objective times ``n_samples``.

    Parameters
    ----------
    target : ndarray of shape (n_samples,)
        Weighted like the rows of the design.
    n_samples : float
        The sum of the sample weights.
    """
    n_features = design.shape[1]
    b = project_out(design.u, target)
    absolute_tol = tol * float(b @ b)
    l1, l2 = n_samples * alpha * l1_ratio, n_samples * alpha * (1.0 - l1_ratio)
    result = None
    if l1 == 0.0 and bounds is None and (l2 == 0.0 or penalty_factor is None):
        result = solve_smooth(design, b, l2, tol=absolute_tol)
    elif (
        penalty_factor is None
        and (bounds is None or bounds is NONNEGATIVE)
        and callback is None
        and not verbose
    ):
        result = _solve_whole(design, b, l1, l2, bounds is not None, absolute_tol, start, memory)
    if result is None:
        bar = ProgressBar(name, absolute_tol) if verbose else None

        def report(progress):
            if bar is not None:
                bar(progress)
            return callback(progress) if callback is not None else None

        result = solve_working_sets(
            design,
            b,
            np.full(n_features, l1) if penalty_factor is None else l1 * penalty_factor,
            l2 if penalty_factor is None else l2 * penalty_factor,
            bounds=bounds,
            x0=start,
            tol=absolute_tol,
            max_iter=max_iter,
            callback=report if verbose or callback is not None else None,
            memory=memory,
        )
        if bar is not None:
            bar.close()
    return result


def solve(
    design: Design,
    target: NDArray,
    alpha: float,
    l1_ratio: float,
    *,
    tol: float,
    n_samples: float,
    **settings: Any,
) -> Result:
    """Solve as ``solve_quietly`` does; warn where ``tol`` is not met."""
    result = solve_quietly(
        design, target, alpha, l1_ratio, tol=tol, n_samples=n_samples, **settings
    )
    b = project_out(design.u, target)
    warn_unless_solved(result, tol * float(b @ b), n_samples)
    return result


def _solve_whole(design, b, l1, l2, positive, tol, start, memory) -> Result | None:
    """Solve at once where the features are few; None where they are not, or it failed."""
    whole = memory.whole if memory is not None else None
    whole = whole_problem(design, b) if whole is None else whole
    if whole is None:
        return None
    if memory is not None and memory.x is not None:
        start = memory.x
    result = whole.solve(l1, l2, positive=positive, tol=tol, x=start)
    if memory is not None and result is not None:
        memory.whole, memory.x = whole, result.x
    return result
