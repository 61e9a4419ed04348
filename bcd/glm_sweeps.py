"""Coordinate sweeps on the losses themselves, for tall sparse data of few values.

Where columns hold few values (indicators, counts) their entries share exponentials: a step in a
column then costs a multiplication and a division an entry, and a sweep little more than a pass. On
tall data sweeps alone reach most accuracies before a Gram matrix, much dearer, would have paid; on
wide data it matters more which features enter. Columns come in the order of their pulls; those that
stay at zero far below their l1 weight are looked at now and then only.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bcd._glm_sweep_kernels import gap_of_sweep, shift_all, start_sweeps, sweep_logistic
from bcd.design import Design, SparseDesign
from bcd.glm_newton import NOISE
from bcd.glm_scores import Scores
from bcd.separable import Separable
from problems.losses import LOGISTIC

Vector = NDArray[np.float64]
TALL = 20.0  # samples a feature
SAMPLES, SAMPLE = 8, 128  # runs of entries that are looked at, and their length
NEW_VALUES = 0.1  # share of them that may differ from the one before
NEAR = 0.9  # of its l1 weight: zeros with a smaller slope wait
WHOLE_EVERY = 8  # sweeps, for those that wait
RATE_OVER = 4  # sweeps, from which their rate is judged
NEWTON = 12.0  # sweeps that Newton steps to the end cost
ENOUGH = 0.6  # of tol, for a gap that is guessed
MOST = 200  # sweeps at a time


class Sweeps:
    """Sweeps over all columns of a design.

    Attributes
    ----------
    open : bool
        Whether they still lead faster than Newton steps.
    """

    def __init__(self, scores: Scores, design: SparseDesign, penalty: Separable):
        self.scores, self.design, self.penalty = scores, design, penalty
        self.open = True
        self.state = np.empty((len(scores.y), 4))
        self.kinds = np.zeros(design.shape[1], dtype=np.int8)

    def run(
        self, x: Vector, shift: float, c: Vector, columns: NDArray[np.int32], tol: float
    ) -> tuple[Vector, float]:
        """Sweep until the gap is about ``tol``, or sweeps get slow; scores move along.

        Parameters
        ----------
        x : ndarray of shape (n_features,)
        shift : float
            The intercept of centred columns.
        c : ndarray of shape (k,)
            Pulls of the columns.
        columns : ndarray of shape (k,), int32
            That may be other than zero.
        tol : float

        Returns
        -------
        x : ndarray of shape (n_features,)
        shift : float
        """
        scores, penalty = self.scores, self.penalty
        start_sweeps(scores.z, scores.y, scores.weight, self.state)
        new, gradient = x.copy(), np.zeros(len(x))
        order = np.argsort(-np.abs(c) / np.maximum(penalty.l1[columns], 1e-300), kind="stable")
        columns, gradient[columns] = columns[order], -c
        moved = self._sweep_on(new, gradient, columns, tol)
        means = self.design.means
        if scores.intercept:  # the shift is that of centred columns
            moved += float(means @ (new - x))
        support = np.flatnonzero(new).astype(np.int32)
        z = self.design.product(support, new[support]) + (shift + moved)
        if not scores.try_out(z) + penalty.value(new) < scores.value + penalty.value(x):
            self.open = False
            return x, shift
        scores.accept()
        if scores.intercept:
            moved += scores.center()
        return new, shift + moved

    def _sweep_on(self, x: Vector, gradient: Vector, columns, tol: float) -> float:
        """Sweep; close when Newton steps would be faster; return the intercept's change."""
        parts, state, intercept = self.design.parts, self.state, self.scores.intercept
        tol = max(tol, NOISE * self.scores.value)
        moved, promises = 0.0, []
        for n in range(MOST):
            chosen = columns
            if n % WHOLE_EVERY != 1:
                near = np.abs(gradient[columns]) >= NEAR * self.penalty.l1[columns]
                chosen = columns[near | (x[columns] != 0.0)]
            if intercept:
                moved += shift_all(state)
            sweep = (*parts, self.kinds, chosen, state, x, gradient)
            promises.append(sweep_logistic(*sweep, *self.penalty))
            if promises[-1] == 0.0:
                break
            if n < RATE_OVER and promises[-1] > tol:
                continue
            # the gap, here that before the sweep, falls as the root of what a sweep gains
            gap = gap_of_sweep(chosen, gradient, x, *self.penalty, state, intercept)
            if n and gap * min(np.sqrt(promises[-1] / promises[-2]), 1.0) <= ENOUGH * tol:
                return moved
            if n >= RATE_OVER:
                rate = 0.5 * np.log(promises[-1 - RATE_OVER] / promises[-1]) / RATE_OVER
                if np.log(gap / tol) > NEWTON * rate:
                    break
        self.open = False
        return moved


def make_sweeps(scores: Scores, design: Design, penalty: Separable) -> Sweeps | None:
    """Return sweeps over a design, None where they would not pay."""
    if scores.tag != LOGISTIC or not isinstance(design, SparseDesign):
        return None
    penalised = (penalty.l1 > 0.0) | (penalty.l2 > 0.0)
    if design.shape[0] < TALL * design.shape[1] or not penalised.all():
        return None
    return Sweeps(scores, design, penalty) if _few_values(design.parts[0]) else None


def _few_values(data) -> bool:
    """Tell whether values mostly repeat the one before, by looking at some."""
    starts = np.linspace(0, max(len(data) - SAMPLE, 0), SAMPLES).astype(np.int64)
    runs = [data[start : start + SAMPLE] for start in starts]
    changes = sum(np.count_nonzero(run[1:] != run[:-1]) for run in runs)
    return bool(changes <= NEW_VALUES * sum(len(run) for run in runs))
