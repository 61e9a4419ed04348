"""Linear models with losses other than squares, and a user's own."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from problems.linear import LinearModel
from problems.losses import (
    CUSTOM,
    HUBER,
    LOGISTIC,
    MULTINOMIAL,
    POISSON,
    SQUARED_HINGE,
    Loss,
)
from problems.penalties import Penalty


class Logistic(LinearModel):
    """``sum_r log(1 + exp(-y_r a_r'x)) + penalty(x)``, y in {-1, 1}."""

    loss = LOGISTIC

    def _check_target(self) -> None:
        _check_signs(self.y)


class SquaredHinge(LinearModel):
    """``sum_r max(0, 1 - y_r a_r'x)^2 / 2 + penalty(x)``, y in {-1, 1}."""

    loss = SQUARED_HINGE

    def _check_target(self) -> None:
        _check_signs(self.y)


class Huber(LinearModel):
    """``sum_r huber(a_r'x - y_r) + penalty(x)``: quadratic within ``delta``, linear outside.

    Parameters
    ----------
    A, y, penalty
        As in :class:`LinearModel`.
    delta : float, default=1.0
        Above zero, in units of y.
    """

    loss = HUBER

    def __init__(self, A, y, penalty: Penalty | None = None, *, delta: float = 1.0) -> None:
        if not (isinstance(delta, int | float | np.number) and np.isfinite(delta) and delta > 0.0):
            raise ValueError(f"delta must be a finite number above 0, got {delta!r}.")
        self.delta = float(delta)
        super().__init__(A, y, penalty)

    @property
    def parameter(self) -> float:
        """Huber's delta."""
        return self.delta


class Poisson(LinearModel):
    """``sum_r exp(a_r'x) - y_r a_r'x + penalty(x)``, y >= 0; its curvature has no bound."""

    loss = POISSON

    def _check_target(self) -> None:
        if np.any(self.y < 0.0):
            raise ValueError(f"y must be at least 0 for counts, got {self.y.min()}.")


class Multinomial(LinearModel):
    """``sum_r log(sum_c exp(z_rc)) - z_r,y_r + penalty(x)`` with ``Z = A X``, X of shape (p, k).

    ``x`` is X flattened row by row: coordinate ``j * n_classes + c``.

    Parameters
    ----------
    A, penalty
        As in :class:`LinearModel`.
    y : array_like of shape (n_samples,), int
        Class of each sample, in ``0 .. n_classes - 1``.
    n_classes : int, default=None
        ``max(y) + 1`` when None.
    """

    loss = MULTINOMIAL

    def __init__(self, A, y, penalty: Penalty | None = None, *, n_classes=None) -> None:
        self._n_classes = n_classes
        super().__init__(A, y, penalty)

    def _check_target(self) -> None:
        n_classes = self._n_classes
        if n_classes is None:
            n_classes = max(int(self.y.max()), 0) + 1
        if isinstance(n_classes, bool) or not isinstance(n_classes, int | np.integer):
            raise TypeError(f"n_classes must be an integer, got {n_classes!r}.")
        self.n_scores = int(n_classes)
        valid = (self.y >= 0) & (self.y < self.n_scores) & (self.y == np.floor(self.y))
        if not valid.all():
            raise ValueError(
                f"y must be class ids in 0..{self.n_scores - 1}, got {self.y[~valid][0]}."
            )
        if self.n_scores < 2:
            raise ValueError(f"n_classes must be at least 2, got {self.n_scores}.")

    def _class_factor(self) -> float:
        return 1.0 - 1.0 / self.n_scores


class CustomLoss(LinearModel):
    """A linear model with the user's own loss: three functions compiled by ``numba.cfunc``.

    Parameters
    ----------
    A, y, penalty
        As in :class:`LinearModel`.
    value, slope, curvature : numba.cfunc of signature ``float64(float64 z, float64 y)``
        The loss at score z for target y, and its first and second derivative in z.
    curvature_bound : float, default=inf
        Largest second derivative; with inf only updates with a line search can run.
    """

    loss = CUSTOM

    def __init__(
        self, A, y, penalty=None, *, value, slope, curvature, curvature_bound=np.inf
    ) -> None:
        for name, function in (("value", value), ("slope", slope), ("curvature", curvature)):
            if not isinstance(getattr(function, "address", None), int):
                raise TypeError(
                    f"{name} must be compiled with numba.cfunc('float64(float64, float64)'), "
                    f"got {type(function).__name__}."
                )
        if not (isinstance(curvature_bound, int | float | np.number) and curvature_bound > 0.0):
            raise ValueError(f"curvature_bound must be above 0, got {curvature_bound}.")
        self._functions = (value, slope, curvature)
        self._bound = float(curvature_bound)
        super().__init__(A, y, penalty)

    @property
    def curvature_bound(self) -> float:
        """Largest second derivative, as given by the user."""
        return self._bound

    def kernel_loss(self) -> Loss:
        """Return the loss as kernels see it: the addresses of the user's functions."""
        value, slope, curvature = (int(function.address) for function in self._functions)
        return Loss(tag=CUSTOM, parameter=0.0, value=value, slope=slope, curvature=curvature)


def _check_signs(y: NDArray) -> None:
    wrong = np.abs(y) != 1.0
    if wrong.any():
        raise ValueError(f"y must be -1 or 1, got {y[wrong][0]}.")
