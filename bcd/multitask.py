"""Least squares with many targets that share their features, for the group loop.

``1/2 ||B - A W||^2 + sum_j weight_j ||W_j||_2 + l2_j/2 ||W_j||^2`` over W of shape (n_features,
n_targets); each row of W is a group. Rows without any penalty are projected out.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from bcd.design import CHUNK, Design, nonzero_columns
from bcd.group_loop import Look
from bcd.multitask_columns import TaskColumnsProblem
from bcd.multitask_duality import certify_rows
from bcd.multitask_gram import MultiTaskGramProblem, lengths
from bcd.projected import ProjectedDesign, without_free

Vector = NDArray[np.float64]
FEW_COLUMNS = 300  # of which a Gram matrix and its factors stay in the processor's cache


class MultiTaskRows:
    """The books between the data and the small Gram problem.

    Parameters
    ----------
    design : Design
    targets : ndarray of shape (n_samples, n_targets)
        Their parts along ``design.u`` do not count.
    weight, l2 : ndarray of shape (n_features,)
        Not negative; some weight above zero, and where one is zero so is the ``l2``.
    W0 : ndarray of shape (n_features, n_targets), default=None
    """

    def __init__(self, design: Design, targets, weight: Vector, l2: Vector, W0=None):
        design = without_free(design, np.flatnonzero(weight == 0.0).astype(np.int32))
        self.design, self.weight, self.l2 = design, weight, l2
        self.targets, self.B = targets, self._centered(targets)
        n_features = design.shape[1]
        self.W = np.zeros((n_features, targets.shape[1]))
        self.sizes = np.full(n_features, 1)
        self.everything = nonzero_columns(design).astype(np.int64)
        if W0 is not None:
            self.W[self.everything] = W0[self.everything]
        self.total = float(np.vdot(self.B, self.B))
        self.lengths = np.sqrt(design.squares + l2)
        # the small problem's features are of length about one; powers of two cost no digits
        exponent = np.frexp(np.where(self.lengths > 0.0, self.lengths, 1.0))[1]
        self.unit = np.ldexp(1.0, exponent)
        self.small: MultiTaskGramProblem | TaskColumnsProblem = MultiTaskGramProblem(
            self.total, targets.shape[1]
        )
        self.block = np.empty(0, dtype=np.int32)
        self.inside = np.zeros(n_features, dtype=np.bool_)

    def _centered(self, R: NDArray) -> NDArray:
        u = self.design.u
        R = R - np.outer(u, u @ R / (u @ u)) if len(u) else R
        return self.design.project(R) if isinstance(self.design, ProjectedDesign) else R

    def correlate(self, R: NDArray, columns: NDArray) -> NDArray[np.float64]:
        """Return ``A[:, columns]' R``, a chunk of columns at a time."""
        matrix, u = self.design.matrix, self.design.u
        whole = len(columns) == matrix.shape[1]
        if sp.issparse(matrix):
            out = (matrix if whole else matrix[:, columns]).T @ R
        else:
            out = np.empty((len(columns), R.shape[1]))
            for start in range(0, len(columns), CHUNK):
                chosen = columns[start : start + CHUNK]
                part = matrix[:, start : start + CHUNK] if whole else matrix[:, chosen]
                out[start : start + CHUNK] = part.T.astype(np.float64, copy=False) @ R
        if len(u):  # what rounding left of R along u is else multiplied by the means
            out = out - np.outer(self.design.means[columns], u @ R)
        return out

    def residual(self) -> NDArray[np.float64]:
        """Return ``B - A W``, computed anew."""
        support = self.active()
        product = np.zeros_like(self.B)
        matrix = self.design.matrix
        for start in range(0, len(support), CHUNK):
            chosen = support[start : start + CHUNK]
            product += matrix[:, chosen].astype(np.float64, copy=False) @ self.W[chosen]
        return self._centered(self.B - product)

    def look(self, candidates: NDArray[np.int64]) -> Look:
        """Certify the present solution; all rows but the candidates must be zero for good."""
        R = self.residual()
        W, weight, l2 = self.W[candidates], self.weight[candidates], self.l2[candidates]
        C = self.correlate(R, candidates)
        ridge = float(l2 @ (W**2).sum(axis=1))
        squares, inner = float(np.vdot(R, R)) + ridge, float(np.vdot(self.B, R))
        penalty = float(weight @ lengths(W))
        norms = lengths(C - l2[:, None] * W)
        sizes = self.lengths[candidates]
        found = certify_rows(self.total, inner, squares, penalty, norms, weight, sizes)
        gain = np.maximum(norms - weight, 0.0) ** 2 / (2.0 * sizes**2)
        alive = found.scale * norms + np.sqrt(2.0 * found.scaled_gap) * sizes >= weight
        return Look(0.5 * squares + penalty, found.gap, gain, alive)

    def active(self) -> NDArray[np.int64]:
        """Return the features that are not zero, ascending."""
        return np.flatnonzero(self.W.any(axis=1))

    def admit(self, chosen: NDArray[np.int64]) -> None:
        """Add features to the working set."""
        new, unit = chosen.astype(np.int32), self.unit[chosen]
        own = self.W[chosen] * unit[:, None], self.weight[chosen] / unit
        size = len(self.block) + len(new)
        if isinstance(self.small, TaskColumnsProblem):
            self.small.grow(self.design.gathered(new) / unit[:, None], *own)
        elif self.l2.any() or size <= max(len(self.B), FEW_COLUMNS):
            diagonal = self.design.gram(new, new)
            diagonal[np.diag_indices_from(diagonal)] += self.l2[chosen]
            self.small.grow(
                self.design.gram(self.block, new) / np.outer(self.unit[self.block], unit),
                diagonal / np.outer(unit, unit),
                self.correlate(self.B, chosen) / unit[:, None],
                *own,
            )
        self.block = np.concatenate([self.block, new])
        self.inside[chosen] = True
        if self.small.size < len(self.block):
            self._keep_columns()

    def _keep_columns(self) -> None:
        unit = self.unit[self.block]
        self.small = TaskColumnsProblem(self.B)
        columns = self.design.gathered(self.block) / unit[:, None]
        own = self.W[self.block] * unit[:, None], self.weight[self.block] / unit
        self.small.grow(columns, *own)

    def solve(self, tol: float) -> None:
        """Solve on the working set until its own duality gap is at most ``tol``."""
        self.small.solve(tol)
        self.W[self.block] = self.small.x / self.unit[self.block][:, None]

    def solution(self) -> NDArray[np.float64]:
        """Return the present solution, of shape (n_features, n_targets)."""
        if isinstance(self.design, ProjectedDesign):
            return self.design.free_coefficients(self.targets, self.W)
        return self.W.copy()
