"""Quadratics ``1/2 x'Qx - q'x`` of a symmetric positive definite Q, dense or sparse.

On a sparse Q the gradient ``Qx - q`` is kept up to date by touched entries only, and Q's pattern is
a graph, on whose forests blocks are solved exactly in linear time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np
import scipy.sparse
import scipy.sparse.csgraph
import scipy.sparse.linalg
from numpy.typing import ArrayLike, NDArray

from graphs import CSRGraph
from graphs.coloring import greedy_coloring
from graphs.forest import first_fit_forests
from problems._lane_kernels import LANES
from problems._linear_kernels import QUADRATIC, SPARSE_QUADRATIC, ProblemArrays
from problems.linear import check_real
from problems.losses import NO_LOSS, Loss
from problems.penalties import Penalty

MAX_ELIMINATED = 20_000  # unknowns up to which a Q that no row sum vouches for is factored once


class Quadratic:
    """``1/2 x'Qx - q'x + constant + penalty(x)``.

    Parameters
    ----------
    Q : {ndarray, sparse array} of shape (n, n)
        Symmetric, positive definite.
    q : array_like of shape (n,)
    penalty : Penalty, default=None
    constant : float, default=0
    vertices : ndarray of shape (n,), default=None
        Which vertices of a larger graph the unknowns are, where there is one.

    Raises
    ------
    TypeError
        If Q, q or the constant are not real numbers.
    ValueError
        If Q is not square, not finite, not symmetric or not positive definite as far as a look at
        its diagonal, its eigenvalues (dense) or its row sums, components and pivots (sparse, the
        last up to 20000 unknowns) can tell.

    Examples
    --------
    >>> import numpy as np
    >>> Quadratic(np.diag([2.0, 4.0]), [2.0, 4.0]).value(np.ones(2))
    -3.0
    """

    curvature_bound = 1.0

    def __init__(
        self,
        Q,
        q: ArrayLike,
        penalty: Penalty | None = None,
        *,
        constant: float = 0.0,
        vertices: NDArray[np.int64] | None = None,
    ) -> None:
        self.is_sparse = scipy.sparse.issparse(Q)
        for name, numbers in (("Q", Q), ("q", q), ("constant", constant)):
            check_real(name, numbers)
        if self.is_sparse:
            matrix = scipy.sparse.csr_array(Q, dtype=np.float64, copy=True)
            matrix.sum_duplicates()
            values = matrix.data
        else:
            matrix = np.array(Q, dtype=np.float64, order="C")
            values = matrix
        if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or matrix.shape[0] == 0:
            raise ValueError(f"Q must be square and not empty, got shape {matrix.shape}.")
        if not np.isfinite(values).all():
            raise ValueError("Q must be finite, got NaN or inf.")
        self.Q, self.n_coordinates = matrix, matrix.shape[0]
        self.q = np.array(q, dtype=np.float64)
        if self.q.shape != (self.n_coordinates,):
            raise ValueError(f"q must have shape ({self.n_coordinates},), got {self.q.shape}.")
        if not np.isfinite(self.q).all():
            raise ValueError("q must be finite, got NaN or inf.")
        if not np.isfinite(constant):
            raise ValueError(f"constant must be a finite number, got {constant}.")
        if penalty is not None and not isinstance(penalty, Penalty):
            raise TypeError(
                f"penalty must be None or a problems.Penalty, got {type(penalty).__name__}."
            )
        self.penalty, self.constant = penalty or Penalty(), float(constant)
        self.vertices = vertices
        self._check_definite()

    def _check_definite(self) -> None:
        Q = self.Q
        difference = abs(Q - Q.T)
        scale = abs(Q).max()
        if difference.max() > 1e-10 * scale:
            rows, columns = difference.nonzero()
            dense = np.asarray(difference[rows, columns]).ravel()
            worst = int(np.argmax(dense))
            raise ValueError(
                "Q must be symmetric, got Q[i, j] != Q[j, i] at "
                f"i={rows[worst]}, j={columns[worst]}."
            )
        diagonal = Q.diagonal()
        if not np.all(diagonal > 0.0):
            vertex = int(np.argmin(diagonal))
            raise ValueError(
                f"Q must be positive definite, got diagonal {diagonal[vertex]} at vertex {vertex}."
            )
        if self.is_sparse:
            self._check_grounded(diagonal)
        elif np.linalg.eigvalsh(Q)[0] <= 1e-14 * scale:
            raise ValueError("Q must be positive definite, got a smallest eigenvalue of 0 or less.")

    def _check_grounded(self, diagonal: NDArray) -> None:
        """Refuse a component whose rows all sum to zero; else what is not diagonally dominant."""
        off = self.Q - scipy.sparse.diags_array(diagonal)
        slack = 1.0 - np.asarray(abs(off).sum(axis=1)).ravel() / diagonal
        n_components, component = scipy.sparse.csgraph.connected_components(self.Q, directed=False)
        grounded = np.bincount(component, weights=slack > 1e-12, minlength=n_components) > 0
        if np.any(slack < -1e-12) or (off.nnz and off.max() > 0.0 and not grounded.all()):
            self._check_pivots(diagonal)
        elif not grounded.all():
            vertices = np.flatnonzero(component == np.flatnonzero(~grounded)[0])
            raise ValueError(
                f"Q must be positive definite, got a component of {len(vertices)} vertices "
                f"(vertex {vertices[0]} among them) that is not grounded; label one of them."
            )

    def _check_pivots(self, diagonal: NDArray) -> None:
        """Refuse what symmetric elimination finds not to be definite, where that is cheap."""
        if self.n_coordinates > MAX_ELIMINATED:
            return
        try:
            factor = scipy.sparse.linalg.splu(
                scipy.sparse.csc_array(self.Q),
                permc_spec="MMD_AT_PLUS_A",
                diag_pivot_thresh=0.0,
                options={"SymmetricMode": True},
            )
        except RuntimeError:  # exactly singular
            raise ValueError("Q must be positive definite, got a singular matrix.") from None
        order = np.argsort(factor.perm_c)
        pivots = factor.U.diagonal() / diagonal[order]
        least = int(np.argmin(pivots))
        if pivots[least] <= 1e-14 or not np.array_equal(factor.perm_r, factor.perm_c):
            raise ValueError(
                f"Q must be positive definite, got a pivot of {pivots[least]:.3g} times the "
                f"diagonal at vertex {order[least]} when eliminated."
            )

    @property
    def is_walked_sparse(self) -> bool:
        """Whether kernels see a compressed Q."""
        return bool(self.is_sparse)

    @cached_property
    def graph(self) -> CSRGraph:
        """The pattern of Q: an edge where ``Q[i, j]`` is not zero, weighted by it."""
        off = scipy.sparse.csr_array(self.Q) - scipy.sparse.diags_array(self.Q.diagonal())
        off = scipy.sparse.csr_array(off)
        off.eliminate_zeros()
        return CSRGraph.from_scipy(off)

    def arrays(self, *, gram: bool = False) -> ProblemArrays:
        """Return the problem as kernels see it; ``gram`` is ignored."""
        n, values, pointers = self.n_coordinates, np.empty(0), np.zeros(1, np.int64)
        lower, upper = self.penalty.bounds(n)
        Q = self.Q
        return ProblemArrays(
            kind=SPARSE_QUADRATIC if self.is_sparse else QUADRATIC,
            loss=Loss(tag=NO_LOSS, parameter=0.0),
            n_scores=1,
            columns=np.empty((0, 0)) if self.is_sparse else Q,
            col_ptr=Q.indptr.astype(np.int64) if self.is_sparse else pointers,
            col_index=Q.indices.astype(np.int32) if self.is_sparse else np.empty(0, np.int32),
            col_value=Q.data if self.is_sparse else values,
            row_ptr=pointers,
            row_index=np.empty(0, np.int32),
            row_value=values,
            lane_ptr=pointers,
            lane_index=np.empty((0, LANES), np.int32),
            lane_value=np.empty((0, LANES)),
            lane_column=np.empty(0, np.int32),
            target=self.q,
            constant=self.constant,
            l1=self.penalty.l1,
            l2=self.penalty.l2,
            lower=lower,
            upper=upper,
            group_weight=np.empty(0),
        )

    def smooth_value(self, x: NDArray) -> float:
        """Quadratic at ``x``, penalty left out."""
        return float(0.5 * x @ (self.Q @ x) - self.q @ x) + self.constant

    def value(self, x: NDArray) -> float:
        """Objective at ``x``."""
        x = np.asarray(x, dtype=np.float64)
        return self.smooth_value(x) + self.penalty.value(x)

    def gradient(self, x: NDArray) -> NDArray[np.float64]:
        """``Qx - q``."""
        return np.asarray(self.Q @ x - self.q)

    def block_gradient(self, x: NDArray, block: ArrayLike) -> NDArray[np.float64]:
        """Gradient on a block of coordinates."""
        rows = np.asarray(block)
        return np.asarray(self.Q[rows] @ x - self.q[rows])

    def bound_block(self, block: ArrayLike) -> NDArray[np.float64]:
        """``Q_bb``, which is its own bound."""
        rows = np.asarray(block)
        part = self.Q[rows][:, rows]
        return part.toarray() if self.is_sparse else np.ascontiguousarray(part)

    def hessian_block(self, x: NDArray, block: ArrayLike) -> NDArray[np.float64]:
        """``Q_bb``, whatever ``x``."""
        return self.bound_block(block)

    def bound_blocks(self, blocks: Sequence[NDArray]) -> Iterator[NDArray[np.float64]]:
        """``Q_bb`` of each block in turn."""
        for block in blocks:
            yield self.bound_block(block)

    def coordinate_lipschitz(self) -> NDArray[np.float64]:
        """L_i: the diagonal of Q."""
        return np.asarray(self.Q.diagonal())

    def block_lipschitz(self, block: ArrayLike) -> float:
        """L_b: the largest eigenvalue of ``Q_bb``."""
        return float(np.linalg.eigvalsh(self.bound_block(block))[-1])

    def row_sums(self) -> NDArray[np.float64]:
        """Row sums of |Q|: the diagonal D of the gsd rule for variable blocks."""
        return np.asarray(abs(self.Q).sum(axis=1)).ravel()

    def blocks(self, partition: str) -> list[NDArray[np.int32]]:
        """Blocks that induce forests ("forest") or have no edges ("colors")."""
        label = first_fit_forests(self.graph) if partition == "forest" else None
        if label is None:
            label = greedy_coloring(self.graph)
        return [np.flatnonzero(label == b).astype(np.int32) for b in range(label.max() + 1)]

    def duality_gap(self, x: NDArray, gradient: NDArray | None = None) -> float | None:
        """Return None: no dual point is at hand."""
        return None


GraphQuadratic = Quadratic  # a sparse Q's pattern is a graph
