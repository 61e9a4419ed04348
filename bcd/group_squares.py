"""Least squares with group penalties: the books between the data and the small Gram problem."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bcd._group_kernels import excess_norms
from bcd.design import Design, correlate_target, grown_gram, nonzero_columns, project_out
from bcd.group_columns import GroupColumnsProblem
from bcd.group_duality import certify_groups, groups_that_may_be_active
from bcd.group_gram import GroupGramProblem
from bcd.group_loop import Look
from bcd.group_structure import Groups, find_free, start_groups
from bcd.projected import ProjectedDesign

CROWDED = 4.0  # samples per column of the working set, below which the columns are kept


class SquaredGroups:
    """``1/2 ||b - A x||^2 + sum_j l1_j |x_j| + sum_g weight_g ||x_g||`` for the group loop.

    Parameters
    ----------
    design : Design
        ``A``, of shape (n_samples, n_features).
    target : ndarray of shape (n_samples,)
        ``b``; its part along ``design.u`` does not count.
    groups : Groups
    l1 : ndarray of shape (n_features,)
        Not negative, in the features' own order.
    weight : ndarray of shape (n_groups,)
        Not negative. Features with neither ``weight`` nor ``l1`` are projected out; there may be
        none with ``positive``.
    positive : bool, default=False
    x0 : ndarray of shape (n_features,), default=None
    """

    def __init__(self, design: Design, target, groups: Groups, l1, weight, *, positive, x0=None):
        free = find_free(groups, l1, weight, positive=positive)
        self.kept = np.arange(len(groups))  # groups that are penalised, of those given
        self.target = self.b = project_out(design.u, target)
        if len(free):
            design = ProjectedDesign(design, free)
            self.b = design.project(self.target)
            penalised = np.ones(design.shape[1], dtype=np.bool_)
            penalised[free] = False
            groups, self.kept = groups.keep(penalised)
        self.design, self.groups, self.positive = design, groups, positive
        self.sizes = groups.sizes
        self.l1, self.weight = np.ascontiguousarray(l1[groups.members]), weight[self.kept]
        usable = np.zeros(design.shape[1], dtype=np.bool_)
        usable[nonzero_columns(design)] = True
        self.x, self.squares = start_groups(groups, design.squares, usable, x0, positive=positive)
        self.everything = np.flatnonzero(self.squares > 0.0)
        self.plain = not positive and not self.l1.any()
        self.small: GroupGramProblem | GroupColumnsProblem = GroupGramProblem(
            float(self.b @ self.b), 0.0, positive
        )
        self.block = np.empty(0, dtype=np.int64)  # places in groups.members
        self.order = np.empty(0, dtype=np.int64)  # groups as the working set took them in
        self.inside = np.zeros(len(groups), dtype=np.bool_)

    def set_penalty(self, l1, weight) -> None:
        """Change the penalty; solution, working set and Gram matrix stay.

        Parameters
        ----------
        l1 : ndarray of shape (n_features,)
        weight : ndarray of shape (n_groups,)
            Zero where it was.
        """
        self.l1 = np.ascontiguousarray(l1[self.groups.members])
        self.weight = weight[self.kept]
        self.small.l1[: self.small.size] = self.l1[self.block]
        self.small.weight = self.weight[self.order]

    def residual(self) -> NDArray[np.float64]:
        """Return ``b - A x``, computed anew."""
        support = np.flatnonzero(self.x)
        if len(support) == 0:
            return self.b
        product = self.design.product(self.groups.members[support], self.x[support])
        return project_out(self.design.u, self.b - product)

    def look(self, candidates: NDArray[np.int64]) -> Look:
        """Certify the present solution; all groups but the candidates must be zero for good."""
        places, ptr = self.groups.places(candidates)
        l1, weight = self.l1[places], self.weight[candidates]
        r, columns = self.residual(), self.groups.members[places]
        if r is self.b:
            c = correlate_target(self.design, r, columns)
        else:
            c = self.design.correlate(r, columns)
        x = self.x[places]
        certificate = certify_groups(self.b, r, c, x, l1, weight, ptr, 0.0, self.positive)
        excess = np.empty(len(candidates))
        excess_norms(c, l1, ptr, self.positive, excess)
        squares = self.squares[candidates]
        gain = np.maximum(excess - weight, 0.0) ** 2 / (2.0 * squares)
        alive = groups_that_may_be_active(
            certificate.scale * c,
            np.sqrt(2.0 * certificate.gap),
            l1,
            weight,
            ptr,
            np.sqrt(squares),
            self.positive,
        )
        return Look(certificate.objective, certificate.gap, gain, alive)

    def active(self) -> NDArray[np.int64]:
        """Return the groups that are not zero, ascending."""
        support = np.flatnonzero(self.x)
        return np.unique(np.searchsorted(self.groups.ptr, support, side="right") - 1)

    def admit(self, chosen: NDArray[np.int64]) -> None:
        """Add groups to the working set."""
        places, ptr = self.groups.places(chosen)
        new = self.groups.members[places]
        if isinstance(self.small, GroupColumnsProblem):
            penalty = self.l1[places], self.x[places], self.weight[chosen], ptr
            self.small.grow(self.design.gathered(new), *penalty)
        elif self._gram_pays(len(self.block) + len(places)):
            old = self.groups.members[self.block]
            self.small.grow(
                *grown_gram(self.design, old, new),
                self.design.correlate(self.b, new),
                self.l1[places],
                self.x[places],
                self.weight[chosen],
                ptr,
            )
        self.block = np.concatenate([self.block, places])
        self.order = np.concatenate([self.order, chosen])
        self.inside[chosen] = True
        if self.small.size < len(self.block):
            self._keep_columns()

    def _gram_pays(self, size: int) -> bool:
        n_samples, n_features = self.design.shape
        return CROWDED * size <= n_samples or 2 * n_features <= n_samples

    def _keep_columns(self) -> None:
        self.small = GroupColumnsProblem(self.b, self.plain, self.positive)
        ptr = np.concatenate([[0], np.cumsum(self.sizes[self.order])])
        self.small.grow(
            self.design.gathered(self.groups.members[self.block]),
            self.l1[self.block],
            self.x[self.block],
            self.weight[self.order],
            ptr,
        )

    def solve(self, tol: float) -> None:
        """Solve on the working set until its own duality gap is at most ``tol``."""
        self.small.solve(tol)
        self.x[self.block] = self.small.solution()

    def solution(self) -> NDArray[np.float64]:
        """Return the present solution in the caller's order."""
        x = np.zeros(self.design.shape[1])
        x[self.groups.members] = self.x
        if isinstance(self.design, ProjectedDesign):
            return self.design.free_coefficients(self.target, x)
        return x
