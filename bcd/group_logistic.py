"""Logistic regression with group penalties for the group loop: proximal Newton on a working set.

``sum_i s_i log(1 + exp(-y_i (a_i' x + c))) + sum_j l1_j |x_j| + sum_g weight_g ||x_g||``. Each step
models the losses by their second-order expansion, a least-squares problem on a small Gram matrix
(:mod:`bcd.group_gram`), and is followed by a line search. Features without any penalty make up the
last group, which the working set holds from the start; like an intercept they are eliminated from
the models, and dual points are orthogonal to them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

from bcd._group_kernels import dual_norms, excess_norms, penalty_of_groups
from bcd._score_kernels import dual_distance
from bcd.design import Design, nonzero_columns
from bcd.duality import ROUNDING as ROUNDING_OF_FREE
from bcd.glm import SMOOTHNESS, DualCertificate
from bcd.glm_block import make_block
from bcd.glm_scores import HALVINGS, ROUNDING, Scores
from bcd.group_duality import groups_that_may_be_active
from bcd.group_gram import GroupGramProblem, definite_factor, solve_definite
from bcd.group_loop import Look
from bcd.group_structure import Groups, find_free, start_groups

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
        Not negative. There may be no features with neither ``weight`` nor ``l1`` with ``positive``.
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
        unpenalised = find_free(groups, l1, weight, positive=positive)
        usable = np.zeros(design.shape[1], dtype=np.bool_)
        usable[nonzero_columns(design)] = True
        free = unpenalised[usable[unpenalised]].astype(np.int32)
        self.n_free = len(free)
        if len(unpenalised):
            penalised = np.ones(design.shape[1], dtype=np.bool_)
            penalised[unpenalised] = False
            groups, kept = groups.keep(penalised)
            weight = weight[kept]
        if len(free):
            groups, weight = groups.with_last(free), np.append(weight, 0.0)
        self.noise = ROUNDING_OF_FREE * np.sqrt(design.squares[free])
        self.design, self.scores, self.groups, self.positive = design, scores, groups, positive
        self.sizes = groups.sizes
        self.l1, self.weight = np.ascontiguousarray(l1[groups.members]), weight
        self.x, self.squares = start_groups(groups, design.squares, usable, x0, positive=positive)
        self.everything = np.flatnonzero(self.squares > 0.0)
        self.inside = np.zeros(len(groups), dtype=np.bool_)
        self.block = make_block(design)
        self.places = np.empty(0, dtype=np.int64)  # in groups.members, as the block holds them
        self.order = np.empty(0, dtype=np.int64)  # groups as the block took them in
        self.ptr = np.zeros(1, dtype=np.int64)
        self.shift = intercept0  # for centred columns
        if scores.intercept:
            self.shift += float(design.means[groups.members] @ self.x)
        if self.n_free:
            self.admit(np.array([len(groups) - 1]))

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
        dual = self._free_dual()
        c = -design.correlate(dual, members[places])
        if scores.intercept:  # what rounding left of the sum is multiplied by means
            c += design.means[members[places]] * float(dual.sum())
        free = slice(len(c) - self.n_free, len(c))
        if self.n_free:  # a dense block's columns are centred as they are stored
            c[free] = -self.block.correlate(dual)[: self.n_free]
        found = self._certify(dual, free, c, self.x[places], l1, weight, ptr)
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

    def _free_dual(self) -> NDArray[np.float64]:
        """Return the slopes after one Newton step on what is free, orthogonal to its columns."""
        scores, block, n_free = self.scores, self.block, self.n_free
        dual, h = scores.slope, scores.curvature
        if n_free == 0:
            return dual
        free = np.arange(n_free)
        G, border, total = block.gram(h, free), block.correlate(h)[free], float(h.sum())
        if scores.intercept:
            G -= np.outer(border, border / total)
        for _ in range(2):  # the second takes out what rounding left
            gradient = block.correlate(dual)[free]
            if scores.intercept:
                gradient -= border * (float(dual.sum()) / total)
            step = np.zeros(block.size)
            step[free] = solve_definite(G, -gradient)
            change = block.product(step)
            if scores.intercept:
                change -= (float(dual.sum()) + h @ change) / total
            dual = dual + h * change
        return dual

    def _certify(self, dual, free: slice, c, x, l1, weight, ptr) -> DualCertificate:
        """Bound how far ``x`` is from the minimum; the dual point is scaled.

        Parameters
        ----------
        dual : ndarray of shape (n_samples,)
            The slopes, made orthogonal to what is free.
        free : slice
            Where in ``c`` the free features are; their pulls must be rounding errors, and are set
            to zero.
        c : ndarray of shape (k,)
            ``-A' dual``.
        """
        scores = self.scores
        orthogonal = (np.abs(c[free]) <= self.noise * np.linalg.norm(dual)).all()
        c[free] = 0.0
        norms = np.empty(len(weight))
        dual_norms(c, l1, weight, ptr, self.positive, norms)
        scale = 1.0 / max(float(norms.max(initial=0.0)), 1.0)
        penalty = penalty_of_groups(x, l1, weight, ptr)
        gap, objective = penalty - scale * float(c @ x), float(scores.value + penalty)
        if scale < 1.0 or dual is not scores.slope:
            losses = scores.tag, scores.parameter, scores.z, scores.y, scores.weight
            gap += dual_distance(*losses, scale * dual)
        if self.n_free and not (orthogonal and gap <= objective):
            gap, scale = objective, 0.0  # losses are not negative
        return DualCertificate(objective, max(float(gap), 0.0), scale)

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
            dual = self._free_dual()
            pull = -gradient if dual is scores.slope else -block.correlate(dual)
            gap = self._certify(dual, slice(self.n_free), pull, x, *penalty).gap
            if scores.intercept and not self.n_free:
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
        new = self._minimise_model(G, reduced, x, penalty, tol)
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

    def _minimise_model(self, G, gradient, x, penalty, tol: float) -> NDArray[np.float64]:
        """Minimise ``1/2 s' G s + gradient' s`` plus the penalty at ``x + s``; return ``x + s``.

        What is free is minimised over first, whatever the rest is.
        """
        n_free, (l1, weight, ptr) = self.n_free, penalty
        if n_free == 0:
            return self._minimise_penalised(G, gradient, x, penalty, tol)
        scale, factor = definite_factor(G[:n_free, :n_free])
        rhs = np.column_stack([G[:n_free, n_free:], gradient[:n_free]])
        solved = scale[:, None] * lapack.dpotrs(factor, scale[:, None] * rhs, lower=0)[0]
        across, alone = solved[:, :-1], solved[:, -1]
        new = x.copy()
        if len(x) > n_free:
            rest = G[n_free:, n_free:] - G[n_free:, :n_free] @ across
            pull = gradient[n_free:] - G[n_free:, :n_free] @ alone
            parts = l1[n_free:], weight[1:], ptr[1:] - n_free
            start = x[n_free:]
            new[n_free:] = self._minimise_penalised(0.5 * (rest + rest.T), pull, start, parts, tol)
        new[:n_free] -= alone + across @ (new[n_free:] - x[n_free:])
        return new

    def _minimise_penalised(self, G, gradient, x, penalty, tol: float) -> NDArray[np.float64]:
        away = solve_definite(G, -gradient)  # to the model's minimum without a penalty
        squares = float((x + away) @ (G @ (x + away)))
        model = GroupGramProblem(squares, 0.0, self.positive, capacity=len(x))
        l1, weight, ptr = penalty
        model.grow(np.empty((0, len(x))), G, G @ x - gradient, l1, x, weight, ptr)
        model.solve(tol)
        return model.x[: model.size].copy()

    def solution(self) -> NDArray[np.float64]:
        """Return the present solution in the caller's order."""
        x = np.zeros(self.design.shape[1])
        x[self.groups.members] = self.x
        return x

    def intercept(self) -> float:
        """Return ``c`` for the columns as they are."""
        if not self.scores.intercept:
            return 0.0
        return self.shift - float(self.design.means[self.groups.members] @ self.x)
