"""The working set: its columns, their Gram matrix where one was needed, and how it is solved."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bcd.active_set import GramProblem
from bcd.apart import may_be_apart, sweep_apart
from bcd.design import Design
from bcd.residual import APART, ResidualProblem, residual_pays, ridge_share
from bcd.separable import Separable
from bcd.whole import WholeProblem

INNER_TOL = 0.3  # of tol, to which the block is solved in the end
BLOCK_SHARE = 0.1  # of the gap at hand, to which it is before: solving further would not pay
FIRST_EASY = 1000  # zeros that the first working set takes where sweeps do
SHARPER = 0.05  # times the tolerance of sweeps that were not enough
STATION_SHARE = 0.03  # the same where the penalty is eased
DRIFT = 1e-10  # of b'b: tolerances below which a residual kept up by sweeps is computed anew


@dataclass(slots=True)
class Memory:
    """What a run can take over from one on the same data and target with other penalties."""

    x: NDArray[np.float64] | None = None
    problem: GramProblem = field(default_factory=GramProblem)
    block: NDArray[np.int32] = field(default_factory=lambda: np.empty(0, dtype=np.int32))
    books: tuple[NDArray, NDArray] | None = None  # at x: the residual r and A' r
    correlation: NDArray | None = None  # A' b
    whole: WholeProblem | None = None  # where there are so few features that all are the set
    n_penalties: int = 1  # that are to be solved for, which share the cost of a Gram matrix


class WorkingSet:
    """Columns that may be nonzero, solved by their Gram matrix or by their residual.

    Parameters
    ----------
    design : Design
    b : ndarray of shape (n_samples,)
        Target, orthogonal to ``design.u``.
    x : ndarray of shape (n_features,)
        The solution, changed in place by ``solve``.
    penalty : Separable
        Of all features.
    memory : Memory
        What is left of a run with other penalties, and ``A' b`` where it is known.
    boxed : bool
        Whether any feature has a finite bound other than 0.
    alone : bool, default=True
        Whether no other penalties follow, for which a Gram matrix would be kept.

    Attributes
    ----------
    columns : ndarray of shape (k,), int32
        The Gram matrix ``problem`` knows the first of them, all after it was solved by.
    inside : ndarray of shape (n_features,), bool
    books : tuple of ndarray, or None
        Residual at ``x`` and the columns' products with it, where the last ``solve`` left them.
    """

    books: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None

    def __init__(
        self, design: Design, b, x, penalty: Separable, memory: Memory, boxed: bool, alone=True
    ):
        self.design, self.b, self.correlation = design, b, memory.correlation
        self.x, self.penalty = x, penalty
        self.energy = float(b @ b)
        self.ridge = ridge_share(design, penalty.l2)
        self.n_penalties = memory.n_penalties
        self.problem, self.columns = memory.problem, memory.block
        self.inside = np.zeros(len(x), dtype=np.bool_)
        self.inside[self.columns] = True
        self.by_residual = bool(penalty.l1.all() and not boxed)  # its gap is known
        self.apart = alone and self.by_residual and may_be_apart(design)
        self.sharpness = 1.0  # of the sweeps' tolerance
        self._refresh()

    @property
    def easy(self) -> bool:
        """Whether many columns at once cost little more than few: no Gram matrix is needed."""
        ridge = self.ridge if self.by_residual else 0.0
        return self.apart or ridge * min(FIRST_EASY, *self.design.shape) >= APART

    def __len__(self) -> int:
        return len(self.columns)

    def support(self) -> NDArray[np.int32]:
        """Return the columns that are not at zero, ascending."""
        return np.sort(self.columns[self.x[self.columns] != 0.0])

    def _refresh(self) -> None:
        known = self.columns[: self.problem.size]
        self.problem.change_penalty(self.x[known], self.penalty.take(known))
        self.stale = False

    def keep(self, *which: NDArray[np.int32]) -> None:
        """Forget the columns that are not listed, all of them at zero."""
        self.inside[:] = False
        for columns in which:
            self.inside[columns] = True
        kept = self.inside[self.columns]
        self.problem.keep(kept[: self.problem.size])
        self.columns = self.columns[kept]
        self.inside[:] = False
        self.inside[self.columns] = True

    def take(self, new: NDArray[np.int32]) -> None:
        """Append columns."""
        self.columns = np.concatenate([self.columns, new])
        self.inside[new] = True

    def solve(self, r: NDArray, n_free: int, *, tol: float, ease: float, gap: float) -> bool:
        """Solve with ``ease`` times the l1 weights; ``x`` is changed.

        Parameters
        ----------
        r : ndarray of shape (n_samples,)
            Residual at ``x``.
        n_free : int
            About how many columns will be free.
        tol, gap : float
            The gap asked for, and below what the block need not be solved for now.

        Returns
        -------
        bool
            Whether the block was solved to the end, as far as it could be.
        """
        if self.apart:
            return self._sweep(r, INNER_TOL * tol, ease, more=gap > 0.0)
        n_free = min(n_free, len(self.b), len(self))
        sizes = (n_free, self.ridge, self.n_penalties)
        if self.by_residual and residual_pays(self.design, self.columns, *sizes):
            enough = max(INNER_TOL * tol, gap * (STATION_SHARE if ease > 1.0 else BLOCK_SHARE))
            part, penalty = self.x[self.columns], self.penalty.take(self.columns)
            penalty = penalty._replace(l1=ease * penalty.l1)
            block = ResidualProblem(self.design, self.columns)
            self.by_residual = block.solve(self.b, r, part, penalty, enough)
            self.x[self.columns] = part
            self.stale = True
            kept = self.by_residual and tol > DRIFT * self.energy
            self.books = block.books if kept else None
            return self.by_residual and ease == 1.0 and enough <= INNER_TOL * tol
        self.books = None
        if self.stale:
            self._refresh()
        if self.problem.size < len(self):
            self._extend_gram()
        self.problem.solve(INNER_TOL * tol, ease, self.energy)
        self.x[self.columns] = self.problem.x[: len(self)]
        return ease == 1.0

    def _sweep(self, r: NDArray, tol: float, ease: float, *, more: bool) -> bool:
        """Solve by sweeps; give them up where they are slow.

        more : whether there are new columns; where not, the last sweeps ended too early
        """
        self.sharpness *= 1.0 if more else SHARPER
        part, penalty = self.x[self.columns], self.penalty.take(self.columns)
        penalty = penalty._replace(l1=ease * penalty.l1)
        pull = np.zeros(len(self)) if self.correlation is None else self.correlation[self.columns]
        block = ResidualProblem(self.design, self.columns)
        sharp = self.sharpness >= SHARPER  # sweeps that were not enough twice never will be
        self.apart = sharp and sweep_apart(block, r, part, penalty, pull, self.sharpness * tol)
        self.x[self.columns] = part
        self.stale, self.books = True, None
        self.keep(self.support())
        return False

    def _extend_gram(self) -> None:
        known, new = np.split(self.columns, [self.problem.size])
        linear = (
            self.design.correlate(self.b, new)
            if self.correlation is None
            else self.correlation[new]
        )
        nothing = np.empty((0, len(new)))
        self.problem.grow(
            self.design.gram(known, new) if len(known) else nothing,
            self.design.gram(new, new),
            linear,
            self.x[new],
            self.penalty.take(new),
        )
