"""Proximal point steps of small problems, each solved by Newton's method on its dual.

A step minimises the objective plus ``sum_g ||x_g - now_g||^2 / (2 sigma_g)``, which lets many
groups in and out at once. The dual is smooth where the primal is not: its smooth part is a
quadratic of the dual point, the rest an envelope of the penalty at ``now + sigma pull`` (Zhang,
Zhang, Sun & Toh, 2020).
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

MAX_NEWTON = 30  # in one proximal step
FIRST_SIGMA, SIGMA_GROWS = 10.0, 10.0  # in units of one over the curvature
PROXIMAL_SHARE = 0.1  # a proximal problem is solved to this share of the step that it makes
NOISE = 1e-26  # squared, relative
SUFFICIENT = 1e-4  # of the decrease that the slope promises

Vector = NDArray[np.float64]


class ProximalProblem(ABC):
    """A small problem that takes proximal point steps.

    Attributes
    ----------
    squares : float
        The objective at zero, twice.
    sigma : float
        Of the next step.
    """

    def __init__(self, squares: float):
        self.squares, self.sigma = squares, FIRST_SIGMA

    @abstractmethod
    def _objective(self) -> float: ...

    @abstractmethod
    def _present(self) -> NDArray:
        """Return the present coefficients, which no later step changes."""

    @abstractmethod
    def _place(self, x: NDArray) -> None:
        """Move to other coefficients, the books computed anew."""

    @abstractmethod
    def _curvature(self) -> Vector:
        """Return the mean eigenvalue of each group."""

    @abstractmethod
    def _proximal_point(self, center, pull, sigma) -> tuple[NDArray, Vector, float]:
        """Return the proximal point at ``center + sigma pull``, lengths before, and envelope."""

    @abstractmethod
    def _squared_distance(self, x, center, sigma) -> float: ...

    @abstractmethod
    def _dual_start(self) -> tuple[NDArray, NDArray]:
        """Return the dual point that belongs to the present coefficients, and its pull."""

    @abstractmethod
    def _dual_value(self, point, pull) -> float:
        """Return the smooth part of the dual, to be minimised."""

    @abstractmethod
    def _dual_newton(
        self, point, pull, x, norms, sigma, enough: float
    ) -> tuple[NDArray, NDArray, NDArray] | None:
        """Return the dual's slope, its Newton step, and what the step does to the pull.

        None where the squared length of the slope is at most ``enough``.
        """

    def _proximal_step(self) -> None:
        """Move to about the minimum of the objective plus the squared distance from here."""
        center, curvature = self._present(), self._curvature()
        sigma = self.sigma / np.where(curvature > 0.0, curvature, 1.0)
        point, pull = self._dual_start()
        x, norms, envelope = self._proximal_point(center, pull, sigma)
        for n_newton in range(MAX_NEWTON):  # noqa: B007
            moved = self._squared_distance(x, center, sigma)
            enough = max(PROXIMAL_SHARE**2 * moved, NOISE * self.squares)
            found = self._dual_newton(point, pull, x, norms, sigma, enough)
            if found is None:
                break
            slope, step, change = found
            descent = float(np.vdot(slope, step))
            value = self._dual_value(point, pull) + envelope
            t = 1.0
            while t > 1e-6:
                trial, trial_pull = point + t * step, pull + t * change
                x, norms, envelope = self._proximal_point(center, trial_pull, sigma)
                reached = self._dual_value(trial, trial_pull) + envelope
                if reached <= value + SUFFICIENT * t * descent:
                    break
                t *= 0.5
            else:
                break  # only rounding is left
            point, pull = trial, trial_pull
        before = self._objective()
        self._place(x)
        if self._objective() > before:  # a step so long that rounding took over
            self._place(center)
            self.sigma = FIRST_SIGMA
        elif n_newton <= MAX_NEWTON // 3:
            self.sigma *= SIGMA_GROWS
