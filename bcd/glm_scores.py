"""The scores of a generalised linear model, and what its losses say of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bcd._score_kernels import evaluate_losses, scaled_distance
from problems.losses import LOGISTIC, POISSON

Vector = NDArray[np.float64]
HALVINGS = 40
ROUNDING = 4e-16  # relative errors of the objective that a line search must overlook


class Scores:
    """Scores of all samples and what the losses say of them.

    Attributes
    ----------
    z, slope, curvature : ndarray of shape (n_samples,)
    value : float
        Weighted sum of the losses.
    """

    def __init__(self, tag: int, parameter: float, y: Vector, weight: Vector, intercept: bool):
        self.tag, self.parameter, self.weight = tag, parameter, weight
        self.y = y if y.flags.writeable else y.copy()  # one signature of the kernels for both
        self.intercept = intercept
        n = len(y)
        self.z, self.slope, self.curvature = np.zeros(n), np.empty(n), np.empty(n)
        self._slope, self._curvature = np.empty(n), np.empty(n)
        self.value = np.inf
        self.started_at: float | None = None  # where z is that intercept, and nothing else

    def start(self) -> float:
        """Move to zero coefficients and the best intercept, if one is fitted; return the losses."""
        guess = self._best_alone() if self.intercept else 0.0
        self.set(np.full(len(self.y), guess))
        self.started_at = guess + self.center() if self.intercept else 0.0
        return self.value

    def _best_alone(self) -> float:
        """Return the intercept that is best without coefficients, where a formula gives it."""
        total = float(self.weight.sum())
        if self.tag == POISSON:
            mean = float(self.weight @ self.y) / total
            return float(np.log(mean)) if mean > 0.0 else 0.0
        if self.tag == LOGISTIC:
            positive = float(self.weight[self.y > 0.0].sum())
            if 0.0 < positive < total:
                return float(np.log(positive / (total - positive)))
        return 0.0

    def set(self, z: Vector) -> float:
        """Move to scores ``z``."""
        self.z, self.started_at = z, None
        self.value = self._evaluate(z, self.slope, self.curvature)
        return self.value

    def try_out(self, z: Vector) -> float:
        """Return the value at ``z``; :meth:`accept` moves there."""
        self._z = z
        self._value = self._evaluate(z, self._slope, self._curvature)
        return self._value

    def accept(self) -> None:
        """Move to the scores last tried."""
        self.z, self.value, self.started_at = self._z, self._value, None
        self.slope, self._slope = self._slope, self.slope
        self.curvature, self._curvature = self._curvature, self.curvature

    def _evaluate(self, z, slope, curvature) -> float:
        return evaluate_losses(self.tag, self.parameter, z, self.y, self.weight, slope, curvature)

    def distance_to(self, scale: float) -> float:
        """Return :func:`dual_distance` of ``scale * slope``, for the logistic loss."""
        if scale == 1.0:
            return 0.0
        return scaled_distance(scale, self.weight, self.slope, self.curvature)

    def center(self) -> float:
        """Minimise over the intercept alone until rounding stops it; return its change."""
        moved = 0.0
        size = float(np.abs(self.slope).sum())
        total = float(self.slope.sum())
        for _ in range(HALVINGS):
            if abs(total) <= 1e-15 * size:
                break
            curvature = float(self.curvature.sum())
            step = -total / curvature if curvature > 0.0 else -np.sign(total)
            step = min(max(step, -5.0), 5.0)
            while self.try_out(self.z + step) > self.value * (1.0 + ROUNDING):
                step *= 0.5
                if abs(step) < 1e-16:
                    return moved
            if abs(self._slope.sum()) >= abs(total) and abs(total) <= 1e-6 * size:  # rounding only
                break
            self.accept()
            moved += step
            total = float(self.slope.sum())
        return moved
