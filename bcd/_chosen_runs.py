"""Runs whose choice of block is a computation of its own: mi, gsq by thresholding, forests.

Python chooses the block here; the step and the books are the engine's kernels, or, for forests, the
message passing of ``graphs.elimination``.
"""

from __future__ import annotations

import abc

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from bcd import _setup, _state
from bcd._engine_kernels import run_chunk
from bcd._run import Run
from graphs.elimination import Elimination, eliminate, solve_forest
from graphs.forest import greedy_forest, random_forest
from problems._hessian_kernels import all_curvatures
from problems._linear_kernels import QUADRATIC
from problems.losses import LOGISTIC, MULTINOMIAL

MAX_THRESHOLDINGS = 10
BOOKS = ("x", "z", "slope", "gradient", "totals", "counters", "estimate")


class ChosenRun(Run, abc.ABC):
    """A run whose block is chosen by :meth:`choose` before each compiled iteration."""

    @abc.abstractmethod
    def choose(self) -> bool:
        """Put the next block at the head of ``work.pool``; False when all is optimal."""

    def update(self, iteration: int) -> tuple[float, int, int, int]:
        """Update the block at the head of the pool; objective, size, active count, outcome."""
        self.state.counters[_state.CURSOR] = 0
        objective, size, active = np.empty(1), np.empty(1, np.int32), np.empty(1, np.int32)
        rules = self.rules._replace(selection=_state.CYCLIC, heap=False)
        _, outcome = run_chunk(
            self.arrays,
            rules,
            self.state,
            self.work,
            self.rng,
            iteration,
            1,
            objective,
            size,
            active,
        )
        return float(objective[0]), int(size[0]), int(active[0]), outcome

    def run(self, n_iter: int, objective, sizes, active) -> tuple[int, int]:
        """Make up to ``n_iter`` iterations, as the kernel ``run_chunk`` does."""
        for t in range(n_iter):
            if not self.choose():
                return t, _state.OPTIMAL
            before = self.state.x.copy()
            objective[t], sizes[t], active[t], outcome = self.update(self.n_iter + t)
            if outcome != _state.RUNNING:
                return t + 1, outcome
            if not self.blind and np.array_equal(before, self.state.x):
                return t + 1, _state.STALLED
        return n_iter, _state.RUNNING

    @property
    def blind(self) -> bool:
        """Whether a step that changes nothing is no reason to stop."""
        return self.rules.selection <= _state.LIPSCHITZ


class TrialRun(ChosenRun):
    """``mi``: try the update of every fixed block, keep the one that decreases F most."""

    def choose(self) -> bool:
        """Try all blocks; the books are put back after each."""
        saved = [getattr(self.state, name).copy() for name in BOOKS]
        best, least = -1, self.objective
        for b in range(len(self.rules.block_ptr) - 1):
            self.work.pool[0] = b
            value = self.update(self.n_iter)[0]
            if value < least:
                best, least = b, value
            for name, book in zip(BOOKS, saved, strict=True):
                getattr(self.state, name)[:] = book
        self.work.pool[0] = best
        return best >= 0


class ThresholdingRun(ChosenRun):
    """``gsq`` for variable blocks: approximate the best block by iterative hard thresholding.

    ``min g'd + d'Hd / 2`` over steps d with k entries is NP-hard; from the gsd block,
    ``d <- keep_k(d - (g + H d) / (s L))`` coordinate by coordinate, with d solved on its support
    each time, as long as the model decreases. The scale s starts at 1 and is doubled up to k, where
    ``s L`` bounds H on the block, whenever a step does not.
    """

    def prepare(self) -> None:
        """Square the design once where the Hessian's diagonal is wanted at every point."""
        newton = self.rules.update == _state.NEWTON and self.arrays.kind < QUADRATIC
        self.curved = newton and self.problem.loss in (LOGISTIC, MULTINOMIAL)
        if newton:
            A = self.problem.A
            self.squares = A.multiply(A) if scipy.sparse.issparse(A) else A * A

    def look(self) -> None:
        """Set the model at x: weights of the loss's Hessian in the scores, and the diagonal L.

        H is the bound, and L its diagonal L_i, but for Newton updates, where H is the true Hessian.
        Where its curvature is nowhere zero, L is its diagonal too: the bound of the logistic loss
        is above it by any factor once samples are told apart.
        """
        problem, self.diagonal = self.problem, self.rules.lipschitz
        if self.arrays.kind >= QUADRATIC:
            return
        shape = (problem.n_samples, problem.n_scores)
        if self.rules.update != _state.NEWTON:
            self.weights = np.full((problem.n_samples, 1), float(problem.curvature_bound))
            return
        if problem.loss == MULTINOMIAL:
            self.weights = self.state.slope.reshape(shape).copy()
            self.weights[np.arange(shape[0]), problem.y.astype(np.int64)] += 1.0
            second = self.weights * (1.0 - self.weights)
        else:
            self.weights = second = np.empty(shape)
            all_curvatures(self.arrays.loss, self.state.z, problem.y, second.ravel())
        if self.curved:
            self.diagonal = _setup.floored(np.asarray(self.squares.T @ second).ravel())

    def hessian_times(self, d: NDArray) -> NDArray[np.float64]:
        """``H d`` with the model's H."""
        problem = self.problem
        if self.arrays.kind >= QUADRATIC:
            matrix = getattr(problem, "Q", self.arrays.columns)
            return np.asarray(matrix @ d)
        moved = np.asarray(problem.scores(d)).reshape(problem.n_samples, problem.n_scores)
        if problem.loss == MULTINOMIAL and self.rules.update == _state.NEWTON:
            mean = (self.weights * moved).sum(axis=1, keepdims=True)
            moved = self.weights * (moved - mean)
        elif problem.loss == MULTINOMIAL:
            moved = self.weights * (moved - moved.mean(axis=1, keepdims=True))
        else:
            moved = self.weights * moved
        return np.asarray(problem.A.T @ moved).ravel()

    def solve_on(self, support: NDArray, g: NDArray) -> tuple[NDArray, float]:
        """Minimiser of the model on a support, and the model's value there."""
        H = self.model_block(support)
        try:
            d = -np.linalg.solve(H, g[support])
        except np.linalg.LinAlgError:
            d = -np.linalg.lstsq(H, g[support], rcond=None)[0]
        return d, 0.5 * float(g[support] @ d)

    def model_block(self, support: NDArray) -> NDArray[np.float64]:
        """Block of the model's Hessian, with a ridge that rounding needs."""
        if self.rules.update == _state.NEWTON and self.arrays.kind < QUADRATIC:
            H = self.problem.hessian_block(self.state.x, support)
        else:
            H = self.problem.bound_block(support)
        ridge = self.problem.penalty.l2 + 1e-13 * np.trace(H)
        return H + ridge * np.eye(len(support))

    def choose(self) -> bool:
        """Refine the gsd block."""
        k, l2 = self.rules.block_size, self.problem.penalty.l2
        g = self.state.gradient + l2 * self.state.x
        if not g.any():
            return False
        self.look()
        L = self.diagonal
        first = L if self.curved else self.rules.diagonal
        support = np.argpartition(-(g * g) / (first + l2), k - 1)[:k]
        step, value = self.solve_on(support, g)
        scale = 1.0
        for _ in range(MAX_THRESHOLDINGS):
            d = np.zeros(len(g))
            d[support] = step
            candidate = d - (g + self.hessian_times(d) + l2 * d) / (scale * (L + l2))
            trial = np.argpartition(-(candidate * candidate) * (L + l2), k - 1)[:k]
            if np.array_equal(np.sort(trial), np.sort(support)):
                break
            trial_step, trial_value = self.solve_on(trial, g)
            if trial_value < value:
                support, step, value = trial, trial_step, trial_value
            elif scale < k:
                scale *= 2.0
            else:
                break
        self.work.pool[:k] = support
        rest = np.ones(len(g), bool)
        rest[support] = False
        self.work.pool[k:] = np.flatnonzero(rest)
        return True


class ForestRun(ChosenRun):
    """Message passing: the block induces a forest, on which the quadratic is minimised exactly."""

    def prepare(self) -> None:
        """Eliminate the fixed blocks once."""
        self.Q, self.graph = self.problem.Q, self.problem.graph
        self.diagonal = self.Q.diagonal() + self.problem.penalty.l2
        pointer, index = self.rules.block_ptr, self.rules.block_index
        self.plans = [
            self.plan(index[pointer[b] : pointer[b + 1]]) for b in range(len(pointer) - 1)
        ]
        self.queue: list[int] = []

    def plan(self, block: NDArray) -> Elimination:
        """Elimination of one block."""
        member = np.zeros(self.problem.n_coordinates, dtype=np.bool_)
        member[block] = True
        return eliminate(self.graph, member)

    def total_gradient(self) -> NDArray[np.float64]:
        """Gradient with the l2 term."""
        return self.state.gradient + self.problem.penalty.l2 * self.state.x

    def scores(self) -> NDArray[np.float64]:
        """Score of each fixed block: gs, gsl, gsd, or gsq by message passing."""
        g, rules = self.total_gradient(), self.rules
        if rules.selection == _state.GSQ:
            return np.array([-g[p.order] @ self.step(p, g) for p in self.plans])
        square = g * g
        if rules.selection == _state.GSD:
            square = square / (rules.diagonal + self.problem.penalty.l2)
        score = np.add.reduceat(square[rules.block_index], rules.block_ptr[:-1])
        bound = rules.block_lipschitz + self.problem.penalty.l2
        return score / bound if rules.selection == _state.GSL else score

    def next_plan(self) -> Elimination | None:
        """Elimination of the next block; None when all is optimal."""
        selection, g = self.rules.selection, self.total_gradient()
        if selection in (_state.GREEDY_FOREST, _state.RANDOM_FOREST):
            if selection == _state.RANDOM_FOREST:
                return eliminate(self.graph, random_forest(self.graph, self.rng))
            return eliminate(self.graph, greedy_forest(self.graph, np.abs(g))) if g.any() else None
        n_blocks = len(self.plans)
        if selection > _state.LIPSCHITZ:
            score = self.scores()
            return self.plans[int(np.argmax(score))] if score.max() > 0.0 else None
        if selection == _state.RANDOM:
            return self.plans[int(self.rng.integers(n_blocks))]
        if selection == _state.LIPSCHITZ:
            weight = self.rules.block_lipschitz
            return self.plans[int(self.rng.choice(n_blocks, p=weight / weight.sum()))]
        if not self.queue:
            order = np.arange(n_blocks)
            if selection == _state.SHUFFLED:
                order = self.rng.permutation(n_blocks)
            self.queue = [int(b) for b in order[::-1]]
        return self.plans[self.queue.pop()]

    def step(self, plan: Elimination, g: NDArray) -> NDArray[np.float64]:
        """Solve ``Q_bb d = -g_b`` on a forest block, leaves to root and back."""
        rhs = -g[plan.order][:, None]
        link = np.where(plan.slot >= 0, self.graph.weights[plan.slot], 0.0)
        solve_forest(plan.parent, self.diagonal[plan.order], link, rhs, rhs)
        return rhs[:, 0]

    def choose(self) -> bool:
        """Choose the forest."""
        chosen = self.next_plan()
        if chosen is None:
            return False
        self.current = chosen
        return True

    def update(self, iteration: int) -> tuple[float, int, int, int]:
        """Minimise over the forest and bring gradient and value up to date."""
        plan, state, l2 = self.current, self.state, self.problem.penalty.l2
        d = np.zeros(len(state.x))
        d[plan.order] = self.step(plan, self.total_gradient())
        change = np.asarray(self.Q @ d)
        state.totals[_state.LOSS] += d @ state.gradient + 0.5 * (d @ change)
        state.totals[_state.PENALTY] += l2 * (d @ state.x + 0.5 * (d @ d))
        state.x[:] += d
        state.gradient[:] += change
        return self.objective, len(plan.order), int(state.counters[_state.N_ACTIVE]), 0

    @property
    def blind(self) -> bool:
        """A fixed or random forest may be solved already."""
        return self.rules.selection <= _state.LIPSCHITZ or (
            self.rules.selection == _state.RANDOM_FOREST
        )
