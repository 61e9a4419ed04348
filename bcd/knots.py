"""Paths by knots: solutions at some penalties, and what lies between them by interpolation.

The solution of least squares with an l1 penalty is piecewise linear in the penalty (Efron, Hastie,
Johnstone & Tibshirani, 2004), and so are the residual ``r`` and ``c = A' r``: between two solutions
a third costs no pass over ``A``, nor does its duality gap. Where that gap is within the tolerance
the interpolated point is the answer; else it is where the next solution starts from. How many
penalties lie between two knots is found on the way.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bcd._certificate_kernels import gap_between
from bcd.block_solver import Memory
from bcd.design import Design, nonzero_columns, project_out
from bcd.duality import certify
from bcd.estimators._base import warn_unless_solved
from bcd.estimators._least_squares import NONNEGATIVE, solve_quietly
from bcd.separable import Separable, separable
from bcd.whole import whole_problem

KNOT_SHARE = 0.3  # of tol, to which knots are solved, so that something is left between them
EXACT_SHARE = 1e-3  # the same where a squared penalty bends the path, and working sets are not
# solved to the end: only between solutions much more precise than tol is much left
NEEDED = 4  # neighbours in a row without which it would not do: no such precision any more
TIGHT = 1e-8  # relative tolerances below which knots are solved to tol itself
AMPLE = 0.3  # of tol: gaps between two knots below which the next two may be further apart
FINE = 1e-8  # of tol, where features are few: the last digits cost little, and errors of folds,
# which choose the penalty by differences between neighbours, need them
TRIALS = 2  # neighbours are looked at once in so many whether the one between was needed


class Knot(NamedTuple):
    """A solution: its place in the grid, ``x``, and where they are known ``r`` and ``c = A' r``."""

    place: int
    x: NDArray[np.float64]
    books: tuple[NDArray[np.float64], NDArray[np.float64]] | None


class Span(NamedTuple):
    """Two knots, and where either of them is not zero."""

    left: Knot
    right: Knot
    support: NDArray[np.intp]

    @classmethod
    def of(cls, left: Knot, right: Knot) -> Span:
        """Make it of two knots, left first."""
        return cls(left, right, np.flatnonzero((left.x != 0.0) | (right.x != 0.0)))


class Point(NamedTuple):
    """A point between two knots, ``share`` of the way, and its certificate."""

    share: float
    objective: float
    gap: float


class Path(NamedTuple):
    """Solutions along a grid of penalties."""

    x: NDArray[np.float64]  # (n_alphas, n_features)
    gap: NDArray[np.float64]  # (n_alphas,) in units of the objective times n_samples
    n_iter: NDArray[np.int64]  # (n_alphas,) block updates; 0 where a neighbour or two were enough


def follow_alphas(
    design: Design, target: NDArray, alphas, l1_ratio: float, *, tol: float, **settings: Any
) -> Path:
    """Solve for each alpha of a descending grid to a gap of ``tol`` times the squared target.

    Parameters
    ----------
    settings
        As ``bcd.estimators._least_squares.solve`` takes them.
    """
    grid = np.asarray(alphas, dtype=np.float64)
    return (
        _whole(design, target, grid, l1_ratio, tol, **settings)
        or _Path(design, target, grid, l1_ratio, tol, settings).follow()
    )


def _whole(
    design, target, alphas, l1_ratio, tol, *, n_samples, penalty_factor=None, bounds=None, **_: Any
) -> Path | None:
    """Follow the path in one compiled call where the features are few; None where that fails."""
    alike = penalty_factor is None and (bounds is None or bounds is NONNEGATIVE)
    if not alike or l1_ratio * alphas[-1] == 0.0:
        return None
    b = project_out(design.u, target)
    problem, limit = whole_problem(design, b), tol * float(b @ b)
    if problem is None:
        return None
    l1, l2 = (n_samples * share * alphas for share in (l1_ratio, 1.0 - l1_ratio))
    fine = FINE * limit
    path = Path(*problem.follow(l1, l2, positive=bounds is not None, tol=fine))
    return path if (path.gap <= limit).all() else None


class _Path:
    def __init__(self, design, target, alphas, l1_ratio: float, tol: float, settings: dict):
        self.design, self.target, self.alphas, self.l1_ratio = design, target, alphas, l1_ratio
        self.tol, self.settings, self.memory = tol, settings, Memory(n_penalties=len(alphas))
        self.b = project_out(design.u, target)
        self.limit = tol * float(self.b @ self.b)
        self.columns = nonzero_columns(design)
        self.squares = design.squares[self.columns]
        factor, bounds = settings.get("penalty_factor"), settings.get("bounds")
        self.n_needed = 0 if l1_ratio < 1.0 else NEEDED  # in a row
        self.alike = factor is None and bounds is None and l1_ratio > 0.0
        factor = np.ones(design.shape[1]) if factor is None else factor
        self.unit = separable(factor, factor, bounds=bounds).take(self.columns)
        self.path = Path(
            np.empty((len(alphas), design.shape[1])),
            np.full(len(alphas), np.nan),
            np.zeros(len(alphas), dtype=np.int64),
        )

    def follow(self) -> Path:
        before: Knot | None = None
        last, stride = len(self.alphas) - 1, 1
        here = self._solve(0)
        while here.place < last:
            there = self._solve(min(here.place + stride, last))
            worst = self._fill(Span.of(here, there))
            if stride == 1:  # had the knot between been left out, would it have been missed?
                worst = np.inf
                if before is not None and here.place % TRIALS == 0:
                    point = self._look(Span.of(before, there), here.place)
                    worst = AMPLE * point.gap if point is not None else np.inf
                    needed = worst > AMPLE * self.limit
                    if self.n_needed < NEEDED:
                        self.n_needed = self.n_needed + 1 if needed else 0
            if worst <= AMPLE * self.limit:
                stride *= 2
            elif worst > self.limit:
                stride = max(1, stride // 2)
            before, here = here, there
        return self.path

    def _solve(self, place: int) -> Knot:
        """Solve at one penalty, from where the memory stands."""
        share = EXACT_SHARE if self.n_needed < NEEDED else KNOT_SHARE
        share = share if self.tol > TIGHT else 1.0
        result = solve_quietly(
            self.design,
            self.target,
            float(self.alphas[place]),
            self.l1_ratio,
            tol=share * self.tol,
            memory=self.memory,
            **self.settings,
        )
        if not result.gap <= self.limit:
            warn_unless_solved(result, self.limit, self.settings["n_samples"])
        self.path.x[place], self.path.gap[place] = result.x, result.gap
        self.path.n_iter[place] = result.n_iter
        return Knot(place, result.x, self.memory.books if self.memory.x is result.x else None)

    def _fill(self, span: Span) -> float:
        """Answer what lies between two knots; return the worst gap, infinite after a solution."""
        worst, start, end = 0.0, span.left.place + 1, span.right.place
        middle = (start + end) // 2
        for place in sorted(range(start, end), key=lambda k: k != middle):
            if not np.isnan(self.path.gap[place]):
                continue
            point = self._look(span, place)
            if point is None or point.gap > self.limit:
                if point is not None:
                    x, r, c = self._mix(span, point.share)
                    self.memory.x, self.memory.books = x, (r, c)
                knot = self._solve(place)
                self._fill(Span.of(span.left, knot))
                self._fill(Span.of(knot, span.right))
                self.memory.x, self.memory.books = span.right.x, span.right.books
                return np.inf
            worst = max(worst, point.gap)
            self._interpolate(span, point, place)
        return worst

    def _look(self, span: Span, place: int) -> Point | None:
        """Certify an interpolated point; None where the books of a knot are not known."""
        left, right, support = span
        if left.books is None or right.books is None:
            return None
        start, alpha, end = self.alphas[[left.place, place, right.place]].tolist()
        share = (start - alpha) / (start - end) if start > end else 0.0
        scale = self.settings["n_samples"] * alpha
        l1, l2 = scale * self.l1_ratio, scale * (1.0 - self.l1_ratio)
        if self.alike and l1 > 0.0:
            (r, c), (other_r, other_c) = left.books, right.books
            books = (r, other_r, c, other_c, left.x, right.x)
            return Point(share, *gap_between(share, self.b, *books, support, self.columns, l1, l2))
        penalty = Separable(l1 * self.unit.l1, l2 * self.unit.l2, self.unit.lower, self.unit.upper)
        x, r, c = self._mix(span, share)
        found = certify(self.b, r, c, x[self.columns], penalty, self.squares)
        return Point(share, found.objective, found.gap)

    def _mix(self, span: Span, share: float) -> Iterator[NDArray[np.float64]]:
        ends = ((knot.x, *(knot.books or ())) for knot in (span.left, span.right))
        for one, other in zip(*ends, strict=True):
            yield (1.0 - share) * one + share * other

    def _interpolate(self, span: Span, point: Point, place: int) -> None:
        x, support = self.path.x[place], span.support
        x[:] = 0.0
        x[support] = (1.0 - point.share) * span.left.x[support]
        x[support] += point.share * span.right.x[support]
        self.path.gap[place] = point.gap
