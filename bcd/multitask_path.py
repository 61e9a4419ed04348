"""Multi-task elastic nets along a sequence of penalties."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bcd.estimators._validation import penalty_factors
from bcd.estimators.group import weighted_design
from bcd.estimators.multitask import MultiTaskElasticNet
from bcd.multitask import MultiTaskRows
from bcd.multitask_gram import lengths


class TaskPath:
    """Many targets that share their features, solved for one penalty after another.

    Parameters
    ----------
    X : {ndarray, csc_array} of shape (n_samples, n_features)
    Y : ndarray of shape (n_samples, n_targets)
    l1_ratio : float
    fit_intercept : bool
    penalty_factor : ndarray of shape (n_features,) or None
    weights : ndarray of shape (n_samples,) or None
        Of sum n_samples.
    tol, max_iter
        See :class:`bcd.MultiTaskElasticNet`.
    """

    def __init__(
        self, X, Y, l1_ratio: float, *, fit_intercept: bool, penalty_factor, weights, tol, max_iter
    ):
        self.design, root = weighted_design(X, weights, fit_intercept)
        self.targets = Y if root is None else root[:, None] * Y
        self.model = MultiTaskElasticNet(
            l1_ratio=l1_ratio,
            fit_intercept=fit_intercept,
            penalty_factor=penalty_factor,
            warm_start=True,
            tol=tol,
            max_iter=max_iter,
        )

    def largest_alpha(self) -> float:
        """Return the least penalty at which all penalised coefficients are zero."""
        factor = penalty_factors(self.model.penalty_factor, self.design.shape[1])
        rows = MultiTaskRows(self.design, self.targets, factor, np.zeros(len(factor)))
        pull = lengths(rows.correlate(rows.B, rows.everything))
        largest = float((pull / factor[rows.everything]).max(initial=0.0))
        return largest / (self.design.shape[0] * self.model.l1_ratio)

    def follow(self, alphas) -> tuple[NDArray, NDArray, list[int]]:
        """Solve for each penalty in turn, each from the solution before.

        Returns
        -------
        coefs : ndarray of shape (n_targets, n_features, n_alphas)
        dual_gaps : ndarray of shape (n_alphas,)
        n_iters : list of int
        """
        shape = (self.targets.shape[1], self.design.shape[1], len(alphas))
        coefs, gaps, n_iters = np.empty(shape), np.empty(len(alphas)), []
        for k, alpha in enumerate(alphas):
            self.model.alpha = alpha
            W, gap, n_iter = self.model._solve(self.design, self.targets)
            self.model.coef_ = coefs[:, :, k] = W.T
            gaps[k] = gap / self.design.shape[0]
            n_iters.append(n_iter)
        return coefs, gaps, n_iters
