"""Logistic regression with group penalties for the group loop: proximal Newton on a working set.

``sum_i s_i log(1 + exp(-y_i (a_i' x + c))) + sum_j l1_j |x_j| + sum_g weight_g ||x_g||``. Each step
models the losses by their second-order expansion, a least-squares problem on a small Gram matrix
(:mod:`bcd.group_gram`), and is followed by a line search.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bcd._group_kernels import dual_norms, excess_norms, penalty_of_groups
from bcd._score_kernels import dual_distance
from bcd.design import Design, nonzero_columns
from bcd.glm import SMOOTHNESS, DualCertificate
from bcd.glm_block import make_block
from bcd.glm_newton import HALVINGS, ROUNDING, Scores
from bcd.group_duality import groups_that_may_be_active
from bcd.group_gram import GroupGramProblem, solve_definite
from bcd.group_loop import Look
from bcd.group_structure import Groups

MAX_ROUNDS = 100
PATIENCE = 5  # Newton steps without a smaller gap
MODEL_SHARE = 0.05  # of the gap at hand, to which a model is solved


class LogisticGroups:
    """The books between the data and the models.

    Parameters
    ----------
    design : Design
        ``A``, of shape (n_samples, n_features), centred if an intercept is fitted.
    scores : Scores
        The losses, and whether an intercept is fitted.
    groups : Groups
    l1 : ndarray of shape (n_features,)
        Not negative, in the features' own order.
    weight : ndarray of shape (n_groups,)
        Not negative; no group may have neither ``weight`` nor ``l1``.
    positive : bool, default=False
    x0 : ndarray of shape (n_features,), default=None
    intercept0 : float, default=0.0
        For the columns as they are, not centred.
    """

    def __init__(
        self,
        design: Design,
        scores: Scores,
        groups: Groups,
        l1,
        weight,
        *,
        positive: bool = False,
        x0=None,
        intercept0: float = 0.0,
    ):
        self.design, self.scores, self.groups, self.positive = design, scores, groups, positive
        self.sizes = groups.sizes
        self.l1, self.weight = np.ascontiguousarray(l1[groups.members]), weight
        self.x = np.zeros(len(groups.members))  # in the order of groups.members
        usable = np.zeros(len(self.x), dtype=np.bool_)
        usable[nonzero_columns(design)] = True
        usable = usable[groups.members]
        if x0 is not None:
            start = np.where(usable, x0[groups.members], 0.0)
            self.x[:] = np.maximum(start, 0.0) if positive else start
        squares = np.where(usable, design.squares[groups.members], 0.0)
        self.squares = np.add.reduceat(squares, groups.ptr[:-1])
        self.everything = np.flatnonzero(self.squares > 0.0)
        self.inside = np.zeros(len(groups), dtype=np.bool_)
        self.block = make_block(design)
        self.places = np.empty(0, dtype=np.int64)  # in groups.members, as the block holds them
        self.order = np.empty(0, dtype=np.int64)  # groups as the block took them in
        self.ptr = np.zeros(1, dtype=np.int64)
        self.shift = intercept0  # for centred columns
        if scores.intercept:
            self.shift += float(design.means[groups.members] @ self.x)

    def look(self, candidates: NDArray[np.int64]) -> Look:
        """Certify the present solution; all groups but the candidates must be zero for good."""
        scores, design, members = self.scores, self.design, self.groups.members
        support = np.flatnonzero(self.x)
        z = design.product(members[support], self.x[support])
        scores.set(z + self.shift)
        if scores.intercept:
            self.shift += scores.center()
        places, ptr = self.groups.places(candidates)
        l1, weight = self.l1[places], self.weight[candidates]
        c = -design.correlate(scores.slope, members[places])
        found = self._certify(c, self.x[places], l1, weight, ptr)
        excess = np.empty(len(candidates))
        excess_norms(c, l1, ptr, self.positive, excess)
        squares = self.squares[candidates]
        curvature = float(scores.curvature.mean())
        gain = np.maximum(excess - weight, 0.0) ** 2 / (2.0 * curvature * squares)
        radius = np.sqrt(2.0 * SMOOTHNESS[scores.tag] * float(scores.weight.max()) * found.gap)
        sizes = np.sqrt(squares)
        alive = groups_that_may_be_active(
            found.scale * c, radius, l1, weight, ptr, sizes, self.positive
        )
        return Look(found.objective, found.gap, gain, alive)

    def _certify(self, c, x, l1, weight, ptr) -> DualCertificate:
        """Bound how far ``x`` is from the minimum; the dual point is the slopes, scaled."""
        scores = self.scores
        norms = np.empty(len(weight))
        dual_norms(c, l1, weight, ptr, self.positive, norms)
        scale = 1.0 / max(float(norms.max(initial=0.0)), 1.0)
        penalty = penalty_of_groups(x, l1, weight, ptr)
        gap = penalty - scale * float(c @ x)
        if scale < 1.0:
            losses = scores.tag, scores.parameter, scores.z, scores.y, scores.weight
            gap += dual_distance(*losses, scale * scores.slope)
        return DualCertificate(float(scores.value + penalty), max(float(gap), 0.0), scale)

    def active(self) -> NDArray[np.int64]:
        """Return the groups that are not zero, ascending."""
        support = np.flatnonzero(self.x)
        return np.unique(np.searchsorted(self.groups.ptr, support, side="right") - 1)

    def admit(self, chosen: NDArray[np.int64]) -> None:
        """Add groups to the working set."""
        places, ptr = self.groups.places(chosen)
        self.block.append(self.groups.members[places])
        self.places = np.concatenate([self.places, places])
        self.order = np.concatenate([self.order, chosen])
        self.ptr = np.concatenate([self.ptr, self.ptr[-1] + ptr[1:]])
        self.inside[chosen] = True

    def solve(self, tol: float) -> None:
        """Take Newton steps on the working set until its own duality gap is at most ``tol``."""
        scores, block = self.scores, self.block
        penalty = self.l1[self.places], self.weight[self.order], self.ptr
        x, best, stalled = self.x[self.places], np.inf, 0
        for _ in range(MAX_ROUNDS):
            gradient = block.correlate(scores.slope)
            gap = self._certify(-gradient, x, *penalty).gap
            if scores.intercept:
                total = float(scores.slope.sum())
                gap += total * total / max(float(scores.curvature.sum()), 1e-300)
            stalled = stalled + 1 if gap > 0.9 * best else 0
            best = min(best, gap)
            if gap <= tol or stalled >= PATIENCE:
                break
            moved = self._newton_step(x, gradient, penalty, max(MODEL_SHARE * gap, 0.3 * tol))
            if moved is None:
                break
            x = moved
        self.x[self.places] = x

    def _newton_step(self, x, gradient, penalty, tol: float):
        """Minimise a model and search along the line; return x there, None if nothing descends."""
        scores, block = self.scores, self.block
        G, h = block.nearly_gram(scores.curvature, np.arange(block.size))
        slope, total = float(scores.slope.sum()), float(h.sum())
        reduced = gradient
        if scores.intercept:
            border = block.correlate(h)
            G -= np.outer(border, border / total)
            reduced = gradient - border * (slope / total)
        away = solve_definite(G, -reduced)  # to the model's minimum without a penalty
        model = GroupGramProblem(
            float((x + away) @ (G @ (x + away))), 0.0, self.positive, capacity=block.size
        )
        model.grow(np.empty((0, len(x))), G, G @ x - reduced, penalty[0], x, *penalty[1:])
        model.solve(tol)
        new = model.x[: model.size].copy()
        change = block.product(new - x)
        step = 0.0
        if scores.intercept:
            step = -(slope + float(h @ change)) / total
            change += step
        before = scores.value + penalty_of_groups(x, *penalty)
        drop = float(gradient @ (new - x)) + step * slope
        drop += penalty_of_groups(new, *penalty) - penalty_of_groups(x, *penalty)
        slack, length = ROUNDING * len(x) ** 0.5 * abs(before), 1.0
        for _ in range(HALVINGS):
            trial = new if length == 1.0 else x + length * (new - x)
            after = scores.try_out(scores.z + length * change) + penalty_of_groups(trial, *penalty)
            if after <= before + 1e-4 * length * drop + slack:
                scores.accept()
                if not block.centered:  # and the shift is that of centred columns
                    step += float(self.design.means[block.columns] @ (new - x))
                self.shift += length * step
                return trial
            length *= 0.5
        return None

    def solution(self) -> NDArray[np.float64]:
        """Return the present solution in the caller's order."""
        x = np.empty(len(self.x))
        x[self.groups.members] = self.x
        return x

    def intercept(self) -> float:
        """Return ``c`` for the columns as they are."""
        if not self.scores.intercept:
            return 0.0
        return self.shift - float(self.design.means[self.groups.members] @ self.x)
