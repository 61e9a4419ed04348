"""How many iterations the theory grants until the zeros (or bounds) of the solution are found."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse.linalg
from numpy.typing import ArrayLike, NDArray

from bcd._checks import check_block_size, check_start
from problems.losses import SQUARES

DENSE = 3000  # unknowns up to which extreme eigenvalues come from a dense decomposition


@dataclass(frozen=True, slots=True, kw_only=True)
class ActiveSetComplexity:
    """The bound and what it is made of.

    Attributes
    ----------
    margin : float
        By how much the optimality conditions of the held coordinates hold strictly, in units of
        the gradient; 0 where one holds with equality, and the active set may never settle.
    radius : float
        Distance from ``x_star`` within which every update puts held coordinates where they belong.
    rate : float
        Factor by which ``F - F*`` shrinks at least in each iteration.
    iterations : float
        Bound on the iterations until that radius is reached; inf where ``rate`` is 1.
    """

    margin: float
    radius: float
    rate: float
    iterations: float


def active_set_complexity(
    problem, x_star: ArrayLike, *, x0: ArrayLike | None = None, block_size: int = 1
) -> ActiveSetComplexity:
    """Bound the iterations until proximal block updates have identified the active set.

    For greedy (gs-q) or uniformly random blocks of ``block_size`` coordinates with proximal
    gradient updates. Within ``margin / (2 L)`` of the solution the proximal step of a held
    coordinate ends exactly on its bound (or on zero); strong convexity turns the linear rate of the
    objective into a number of iterations after which the iterates stay that close.

    Parameters
    ----------
    problem : LinearModel or Quadratic
        With an l1 term or bounds; no groups.
    x_star : array_like of shape (n_coordinates,)
        The solution, to working precision.
    x0 : array_like of shape (n_coordinates,), default=None
        Where the iteration starts; as in :func:`bcd.minimize`.
    block_size : int, default=1

    Returns
    -------
    ActiveSetComplexity

    Raises
    ------
    ValueError
        If the penalty has groups or holds nothing, or ``x_star`` is malformed, out of bounds or not
        stationary.

    Notes
    -----
    ``rate = 1 - mu / (n_blocks L)``, which random blocks reach in expectation and greedy ones,
    whose model decrease is at least the average, always. ``mu`` counts the curvature that holds
    everywhere: the smallest eigenvalue of a quadratic, and the l2 term.

    References
    ----------
    .. [1] Nutini, Laradji, Schmidt, "Let's make block coordinate descent converge faster", JMLR 23
       (2022), section 5.2.
    .. [2] Nutini, Schmidt, Hare, "Active-set complexity of proximal gradient", Optimization
       Letters 13 (2019).

    Examples
    --------
    >>> import numpy as np
    >>> from problems import L1, Quadratic
    >>> problem = Quadratic(np.diag([1.0, 2.0]), [3.0, 0.5], L1(1.0))
    >>> bound = active_set_complexity(problem, [2.0, 0.0])
    >>> bound.margin, bound.radius
    (0.5, 0.125)
    """
    penalty = problem.penalty
    if penalty.is_grouped or not (penalty.l1 > 0.0 or penalty.is_bounded):
        raise ValueError(
            "penalty must have an l1 term or bounds, and no groups, for coordinates to be held, "
            f"got {penalty}."
        )
    n = problem.n_coordinates
    size = check_block_size(block_size, n)
    best, start = check_start(problem, x_star, "x_star"), check_start(problem, x0)
    margin = _margin(problem, best)
    smallest, largest = _extreme_curvatures(problem)
    mu, L = smallest + penalty.l2, largest + penalty.l2
    radius = margin / (2.0 * L)
    rate = 1.0 - mu / (np.ceil(n / size) * L)
    gap = max(problem.value(start) - problem.value(best), 0.0)
    iterations = np.inf
    if gap <= 0.5 * mu * radius**2:
        iterations = 0.0
    elif mu > 0.0 and radius > 0.0:
        iterations = float(np.ceil(np.log(2.0 * gap / (mu * radius**2)) / -np.log1p(rate - 1.0)))
    return ActiveSetComplexity(
        margin=margin, radius=radius, rate=float(rate), iterations=iterations
    )


def _margin(problem, best: NDArray) -> float:
    """Least distance of ``-grad`` of a held coordinate from the ends of its subdifferential."""
    penalty, gradient = problem.penalty, problem.gradient(best)
    lower, upper = penalty.bounds(len(best))
    slope = gradient + penalty.l2 * best
    right = np.where(best < upper, slope + np.where(best >= 0.0, penalty.l1, -penalty.l1), np.inf)
    left = np.where(best > lower, slope + np.where(best > 0.0, penalty.l1, -penalty.l1), -np.inf)
    violation = np.maximum(np.maximum(-right, left), 0.0).max()
    if violation > 1e-6 * max(np.abs(gradient).max(), penalty.l1):
        raise ValueError(
            f"x_star must be stationary, got a subgradient of length {violation:.3g} at least."
        )
    held = (best <= lower) | (best >= upper) | ((best == 0.0) & (penalty.l1 > 0.0))
    if not held.any():
        return np.inf
    return float(np.maximum(np.minimum(right[held], -left[held]), 0.0).min())


def _extreme_curvatures(problem) -> tuple[float, float]:
    """Smallest eigenvalue of the Hessian that holds everywhere, and largest of its bound."""
    n = problem.n_coordinates
    matrix = getattr(problem, "Q", None)
    if matrix is None and n > problem.n_samples * problem.n_scores and n > DENSE:
        _, singular, _ = scipy.sparse.linalg.svds(problem.A, k=1)
        return 0.0, float(problem.curvature_bound * singular[0] ** 2)
    values = np.linalg.eigvalsh(problem.bound_block(np.arange(n)))
    quadratic = matrix is not None or problem.loss == SQUARES
    rounding = n * np.finfo(float).eps * values[-1]
    smallest = float(values[0]) if quadratic and values[0] > rounding else 0.0
    return smallest, float(values[-1])
