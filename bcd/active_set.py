"""Least squares with separable penalties on a small Gram matrix, solved to the last bits.

Minimise ``1/2 x'Gx - q'x`` plus the penalties of ``bcd.separable``. Where the solution's support
and signs are known, what is left is a linear system; the method finds them by following a piecewise
linear path (``bcd._path_kernels``) with a Cholesky factor that is up- and downdated at each change,
hence it ends after finitely many (Nutini, Laradji & Schmidt, 2022, section 6: active-set
identification, finite termination).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

from bcd._active_set_kernels import compress, descend, largest_pull, refresh, small_gap
from bcd._factor_kernels import DEPENDENT, gather
from bcd._path_kernels import (
    ARRIVED,
    follow_path,
    free_coordinates,
    join_support,
    largest_error,
)
from bcd.separable import Separable

FLOOR = 1e-13  # relative, of errors that are left to rounding
MAX_PATHS = 8
SWEEPS = 5  # of coordinate descent at a time
REFACTOR = 12  # a factor of s columns of which more than s / REFACTOR changed is made anew
FEW_COLUMNS = 32  # are joined one by one
IN_CACHE = 400  # columns up to which a factor stays in the processor's cache
LARGE = 100_000  # entries that one change of the free set touches, above which paths are dear
FEW, MANY = 3, 6  # rounds of sweeps before a dear path; where the tolerance is loose
LOOSE = 1e-5  # relative to b'b
STATION = 1e-4  # relative to b'b, of a dear problem that is only a station


class GramProblem:
    """The small problem, growing by columns while its working set grows.

    Attributes
    ----------
    G : ndarray of shape (capacity, capacity), float64
        The leading ``size`` x ``size`` part is in use; ``l2`` is added to its diagonal.
    q, h, x : ndarray of shape (capacity,), float64
        Linear term, negative gradient ``q - G x`` of the smooth part, solution.
    n_changes : int
        Of the free set, over all paths followed so far.
    """

    def __init__(self, capacity: int = 64):
        self.size, self.n_support, self.n_changes = 0, 0, 0
        self.G = np.empty((capacity, capacity))
        self.factor = np.empty((capacity, capacity))
        self.support = np.empty(capacity, dtype=np.int64)
        self._vectors = np.empty((7, capacity))
        self._name_vectors()

    def _name_vectors(self) -> None:
        self.q, self.h, self.x, self.l1, self.l2, self.lower, self.upper = self._vectors

    def grow(
        self, old_new: NDArray, new_new: NDArray, q: NDArray, x: NDArray, penalty: Separable
    ) -> None:
        """Append columns.

        Parameters
        ----------
        old_new : ndarray of shape (size, k)
        new_new : ndarray of shape (k, k)
        q, x : ndarray of shape (k,)
        penalty : Separable
        """
        size, grown = self.size, self.size + len(q)
        if grown > len(self.q):
            capacity = max(grown, 2 * len(self.q))
            self.G = _enlarged(self.G, (size, size), capacity)
            self.factor = _enlarged(self.factor, (self.n_support, self.n_support), capacity)
            self.support = _enlarged(self.support, (self.n_support,), capacity)
            self._vectors, old = np.empty((7, capacity)), self._vectors
            self._vectors[:, :size] = old[:, :size]
            self._name_vectors()
        self.G[:size, size:grown] = old_new
        self.G[size:grown, :size] = old_new.T
        self.G[size:grown, size:grown] = new_new
        self.G[range(size, grown), range(size, grown)] += penalty.l2
        self.q[size:grown], self.l1[size:grown], self.x[size:grown] = q, penalty.l1, x
        self.l2[size:grown] = penalty.l2
        self.lower[size:grown], self.upper[size:grown] = penalty.lower, penalty.upper
        self.size = grown
        refresh(self.G, self.q, self.x[:grown], self.h[:grown])

    def change_penalty(self, x: NDArray, penalty: Separable) -> None:
        """Go on from ``x`` (size,) with other penalties of the same columns."""
        k = self.size
        if (penalty.l2 != self.l2[:k]).any():
            self.G[range(k), range(k)] += penalty.l2 - self.l2[:k]
            self.n_support = 0
        self.x[:k], self.l1[:k], self.l2[:k] = x, penalty.l1, penalty.l2
        self.lower[:k], self.upper[:k] = penalty.lower, penalty.upper
        refresh(self.G, self.q, self.x[:k], self.h[:k])

    def keep(self, which: NDArray[np.bool_]) -> None:
        """Forget the columns outside a boolean mask of shape (size,), all of them at zero."""
        kept, size = np.flatnonzero(which), self.size
        place = np.cumsum(which) - 1
        self.support[: self.n_support] = place[self.support[: self.n_support]]
        self.size = len(kept)
        compress(self.G, kept)
        self._vectors[:, : self.size] = self._vectors[:, :size][:, kept]

    def solve(self, tol: float, scale: float = 1.0, energy: float = np.inf) -> None:
        """Solve with ``scale`` times the l1 weights.

        Sweeps come first: they are cheap, and enough where the tolerance is loose. Then the path is
        followed to the very solution, but for a large problem to a loose tolerance that is only a
        station on the way (``scale > 1``).

        Parameters
        ----------
        tol : float
            On the duality gap of the small problem, in units of the objective.
        scale : float, default=1.0
        energy : float, default=inf
            ``b'b`` of the least-squares problem behind, without which no gap is known.
        """
        k = self.size
        x, h, bounds = self.x[:k], self.h[:k], (self.lower[:k], self.upper[:k])
        l1 = scale * self.l1[:k]
        long = k * np.count_nonzero(x) > LARGE
        loose = long and tol > LOOSE * energy
        enough = tol if scale == 1.0 else max(tol, STATION * energy)
        for _ in range(1 if not long else MANY if loose else FEW):
            descend(self.G, h, x, l1, *bounds, SWEEPS, 0.0)
            if long and small_gap(energy, self.q, h, x, l1, *bounds) <= enough:
                return
        if scale == 1.0 or not loose:
            self._follow(h, x, l1, *bounds)

    def _refactor(self, x, l1, lower, upper) -> None:
        """Factor anew by LAPACK where much has changed; dependent columns are left out."""
        free = free_coordinates(x, l1, lower, upper)
        known = self.support[: self.n_support]
        if np.count_nonzero(free) < FEW_COLUMNS:
            return
        changed = len(known) + np.count_nonzero(free) - 2 * np.count_nonzero(free[known])
        if changed * (REFACTOR if len(known) < IN_CACHE else 4 * REFACTOR) < len(known):
            return
        support = np.flatnonzero(free)
        # nearly one length, in falling order: pivots are not left to rounding
        lengths = np.sqrt(self.G.diagonal()[support]) * np.linspace(1.0, 1.01, len(support))
        block = np.empty((len(support), len(support)))
        gather(self.G, support, 1.0 / lengths, block)
        factor, info = lapack.dpotrf(block.T, lower=1, clean=0, overwrite_a=1)
        if info != 0 or factor.diagonal().min(initial=1.0) ** 2 <= DEPENDENT:
            gather(self.G, support, 1.0 / lengths, block)
            factor, pivots, rank, _ = lapack.dpstrf(block.T, tol=10.0 * DEPENDENT, lower=1)
            order = pivots[:rank] - 1
            support, lengths, factor = support[order], lengths[order], factor[:rank, :rank]
        s = self.n_support = len(support)
        self.support[:s] = support
        np.multiply(factor.T, lengths, out=self.factor[:s, :s])

    def _follow(self, h, x, l1, lower, upper) -> None:
        counts, best = np.zeros(2, dtype=np.int64), np.inf
        floor = FLOOR * largest_pull(self.G, self.q, x)
        for _ in range(MAX_PATHS):
            self._refactor(x, l1, lower, upper)
            size = join_support(
                self.G, x, l1, lower, upper, self.support, self.n_support, self.factor
            )
            limit = 20 * len(x) + 100
            status = follow_path(
                self.G, h, x, l1, lower, upper, self.support, size, self.factor, limit, counts
            )
            self.n_support = int(counts[0])
            self.n_changes += int(counts[1])
            refresh(self.G, self.q, x, h)
            reached = largest_error(self.G, h, x, l1, lower, upper)
            # on the right face one more path is one step of iterative refinement
            if reached <= floor or (status == ARRIVED and reached > 0.5 * best):
                return
            best = min(best, reached)
            if status != ARRIVED:
                descend(self.G, h, x, l1, lower, upper, SWEEPS, 0.0)


def _enlarged(array: NDArray, used: tuple[int, ...], capacity: int) -> NDArray:
    grown = np.empty((capacity,) * array.ndim, dtype=array.dtype)
    part = tuple(slice(0, n) for n in used)
    grown[part] = array[part]
    return grown
