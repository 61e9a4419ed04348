"""Multi-task elastic nets along a sequence of penalties."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bcd.design import CHUNK
from bcd.estimators.group import weighted_design
from bcd.estimators.multitask import MultiTaskElasticNet


class TaskPath:
    """Many targets that share their features, solved for one penalty after another.

    Parameters
    ----------
    X : {ndarray, csc_array} of shape (n_samples, n_features)
    Y : ndarray of shape (n_samples, n_targets)
    l1_ratio : float
    fit_intercept : bool
    weights : ndarray of shape (n_samples,) or None
        Of sum n_samples.
    tol, max_iter
        See :class:`bcd.MultiTaskElasticNet`.
    """

    def __init__(self, X, Y, l1_ratio: float, *, fit_intercept: bool, weights, tol, max_iter):
        self.design, root = weighted_design(X, weights, fit_intercept)
        self.targets = Y if root is None else root[:, None] * Y
        self.model = MultiTaskElasticNet(
            l1_ratio=l1_ratio,
            fit_intercept=fit_intercept,
            warm_start=True,
            tol=tol,
            max_iter=max_iter,
        )

    def largest_alpha(self) -> float:
        """Return the least penalty at which all coefficients are zero."""
        Y, u = self.targets, self.design.u
        if len(u):
            Y = Y - np.outer(u, u @ Y / (u @ u))
        largest = 0.0
        for start in range(0, self.design.shape[1], CHUNK):
            pull = self.design.matrix[:, start : start + CHUNK].T @ Y
            largest = max(largest, float(np.sqrt((pull**2).sum(axis=1)).max()))
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
