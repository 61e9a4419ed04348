"""Linear models: sum of losses of ``A x`` plus a separable penalty.

Every problem answers, in plain numpy, what the engine's kernels are held against: value, gradient,
block gradient, Hessian block, its constant bound H_b, and the Lipschitz constants L_i and L_b.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import ClassVar

import numpy as np
import scipy.sparse
from numpy.typing import ArrayLike, NDArray

from problems._hessian_kernels import HessianWork, hessian_block, make_hessian_work
from problems._lane_kernels import LANES, make_lanes
from problems._linear_kernels import (
    DENSE,
    QUADRATIC,
    SPARSE,
    ProblemArrays,
    all_slopes,
    full_gradient,
)
from problems.losses import (
    CURVATURE_BOUND,
    SQUARES,
    Loss,
)
from problems.penalties import Penalty

FEW_ENTRIES = 1 / 8  # a dense A with fewer entries that are not zero is walked compressed


def check_real(name: str, numbers) -> None:
    """Raise TypeError unless an array, sparse or not, or what makes one holds real numbers."""
    try:
        dtype = numbers.dtype if hasattr(numbers, "dtype") else np.asarray(numbers).dtype
    except ValueError:  # ragged
        raise TypeError(f"{name} must be real numbers, got lists of differing lengths.") from None
    if dtype.kind not in "fiub":
        raise TypeError(f"{name} must be real numbers, got dtype {dtype}.")


def checked_design(A):
    """Return A as a float matrix the kernels can read: (p, n) C order when dense, CSC when sparse.

    Raises
    ------
    TypeError
        If A is complex or not numeric.
    ValueError
        If A is not two-dimensional, is empty or holds NaN or inf.
    """
    sparse = scipy.sparse.issparse(A)
    check_real("A", A)
    matrix = A if sparse else np.asarray(A)
    if matrix.ndim != 2:
        raise ValueError(f"A must be two-dimensional, got shape {matrix.shape}.")
    if 0 in matrix.shape:
        raise ValueError(f"A must have at least one row and one column, got shape {matrix.shape}.")
    dtype = np.float32 if matrix.dtype == np.float32 else np.float64
    if sparse:
        matrix = scipy.sparse.csc_array(matrix, dtype=dtype)
        if not matrix.has_canonical_format:
            matrix = matrix.copy()
            matrix.sum_duplicates()
        values = matrix.data
    else:
        matrix = np.asarray(matrix, dtype=dtype)
        values = matrix
    if not np.isfinite(values).all():
        raise ValueError("A must be finite, got NaN or inf.")
    return matrix if sparse else np.ascontiguousarray(matrix.T)


class LinearModel:
    """``sum_r loss(a_r'x, y_r) + penalty(x)``: the parent of all linear models.

    Parameters
    ----------
    A : {ndarray, sparse array} of shape (n_samples, n_features), float32 or float64
        Kept as it is when Fortran-ordered or CSC, else copied once.
    y : array_like of shape (n_samples,)
        Finite targets.
    penalty : Penalty, default=None

    Raises
    ------
    ValueError
        If A or y is empty, of the wrong shape, or holds NaN or inf, if lengths differ, or if a
        target is not one that the loss knows.
    """

    loss: ClassVar[int]
    n_scores = 1

    def __init__(self, A, y: ArrayLike, penalty: Penalty | None = None) -> None:
        self._design = checked_design(A)
        self.is_sparse = scipy.sparse.issparse(self._design)
        self.n_samples = self._design.shape[0 if self.is_sparse else 1]
        self.n_features = self._design.shape[1 if self.is_sparse else 0]
        check_real("y", y)
        target = np.asarray(y)
        if target.ndim != 1:
            raise ValueError(f"y must be one-dimensional, got shape {target.shape}.")
        if len(target) != self.n_samples:
            raise ValueError(
                f"A and y must have the same length, got {self.n_samples} and {len(target)}."
            )
        target = np.ascontiguousarray(target, dtype=np.float64)
        if not np.isfinite(target).all():
            raise ValueError("y must be finite, got NaN or inf.")
        self.y = target.copy()
        if penalty is not None and not isinstance(penalty, Penalty):
            raise TypeError(
                f"penalty must be None or a problems.Penalty, got {type(penalty).__name__}."
            )
        self.penalty = penalty or Penalty()
        self._check_target()

    def _check_target(self) -> None:
        """Raise ValueError when a target is not one that the loss knows."""

    @property
    def n_coordinates(self) -> int:
        """Number of unknowns, ``n_features`` times the scores of a sample."""
        return self.n_features * self.n_scores

    @property
    def is_walked_sparse(self) -> bool:
        """Whether kernels see a compressed design."""
        return scipy.sparse.issparse(self._columns)

    @property
    def A(self):
        """The design matrix, (n_samples, n_features)."""
        return self._design if self.is_sparse else self._design.T

    @property
    def parameter(self) -> float:
        """The loss's parameter, 0 where it has none."""
        return 0.0

    @property
    def curvature_bound(self) -> float:
        """Largest second derivative of the loss in a score; inf where there is none."""
        return CURVATURE_BOUND[self.loss]

    def kernel_loss(self) -> Loss:
        """Return the loss as kernels see it."""
        return Loss(tag=self.loss, parameter=float(self.parameter))

    @cached_property
    def _columns(self):
        """The design as kernels walk it: compressed also where a dense A is nearly empty."""
        if self.is_sparse or np.count_nonzero(self._design) > FEW_ENTRIES * self._design.size:
            return self._design
        return scipy.sparse.csc_array(self._design.T)

    @cached_property
    def _rows(self) -> scipy.sparse.csr_array:
        """Compressed rows of a design that is walked compressed."""
        return scipy.sparse.csr_array(self._columns)

    @cached_property
    def lanes(self) -> tuple[NDArray, NDArray, NDArray, NDArray]:
        """Columns side by side for fast passes over a compressed design, see ``_lane_kernels``."""
        columns = self._columns
        return make_lanes(columns.indptr, columns.indices, columns.data)

    def arrays(self, *, gram: bool = False) -> ProblemArrays:
        """Return the problem as kernels see it; with ``gram`` as the dense quadratic A'A.

        ``gram`` is for least squares only: memory n_features^2, n_samples no longer matters.
        """
        dtype = self._design.dtype
        values, pointers = np.empty(0, dtype), np.zeros(1, np.int64)
        lower, upper = self.penalty.bounds(self.n_coordinates)
        compressed = self.is_walked_sparse
        arrays = ProblemArrays(
            kind=SPARSE if compressed else DENSE,
            loss=self.kernel_loss(),
            n_scores=self.n_scores,
            columns=np.empty((0, 0), dtype) if compressed else self._design,
            col_ptr=pointers,
            col_index=np.empty(0, np.int32),
            col_value=values,
            row_ptr=pointers,
            row_index=np.empty(0, np.int32),
            row_value=values,
            lane_ptr=pointers,
            lane_index=np.empty((0, LANES), np.int32),
            lane_value=np.empty((0, LANES), dtype),
            lane_column=np.empty(0, np.int32),
            target=self.y,
            constant=0.0,
            l1=self.penalty.l1,
            l2=self.penalty.l2,
            lower=lower,
            upper=upper,
            group_weight=np.empty(0),
        )
        if gram:
            columns = self.A.T @ self.A
            dense = columns.toarray() if self.is_sparse else columns
            return arrays._replace(
                kind=QUADRATIC,
                columns=np.ascontiguousarray(dense),
                target=np.ascontiguousarray(self.A.T @ self.y, dtype=np.float64),
                constant=0.5 * float(self.y @ self.y),
            )
        if not compressed:
            return arrays
        rows, columns = self._rows, self._columns
        return arrays._replace(
            col_ptr=columns.indptr.astype(np.int64),
            col_index=columns.indices.astype(np.int32, copy=False),
            col_value=columns.data,
            row_ptr=rows.indptr.astype(np.int64),
            row_index=rows.indices.astype(np.int32, copy=False),
            row_value=rows.data,
        )

    def scores(self, x: NDArray) -> NDArray[np.float64]:
        """Return ``A x`` as a flat array of shape (n_samples * n_scores,)."""
        X = np.asarray(x, dtype=np.float64).reshape(self.n_features, self.n_scores)
        return np.ascontiguousarray(self.A @ X).ravel()

    def smooth_value(self, x: NDArray) -> float:
        """Sum of the losses at ``x``."""
        z = self.scores(x)
        return float(all_slopes(self.arrays(), z, np.empty_like(z)))

    def value(self, x: NDArray) -> float:
        """Objective at ``x``; inf outside the bounds."""
        return self.smooth_value(x) + self.penalty.value(np.asarray(x, dtype=np.float64))

    def gradient(self, x: NDArray) -> NDArray[np.float64]:
        """Gradient of the losses at ``x``, the penalty left out."""
        arrays, z = self.arrays(), self.scores(x)
        slope, gradient = np.empty_like(z), np.empty(self.n_coordinates)
        all_slopes(arrays, z, slope)
        full_gradient(arrays, slope, gradient)
        return gradient

    def block_gradient(self, x: NDArray, block: ArrayLike) -> NDArray[np.float64]:
        """Gradient of the losses on a block of coordinates."""
        return self.gradient(x)[np.asarray(block)]

    def hessian_block(self, x: NDArray, block: ArrayLike) -> NDArray[np.float64]:
        """Hessian of the losses on a block, (|b|, |b|)."""
        return self._block(x, block, bound=False)

    def bound_block(self, block: ArrayLike) -> NDArray[np.float64]:
        """H_b: a constant matrix that no Hessian block exceeds.

        Raises
        ------
        ValueError
            If the loss's curvature has no bound.
        """
        if not np.isfinite(self.curvature_bound):
            raise ValueError(
                f"{type(self).__name__} has no bound on its curvature; use a line search."
            )
        return self._block(np.zeros(self.n_coordinates), block, bound=True)

    def _block(self, x: NDArray, block: ArrayLike, bound: bool) -> NDArray[np.float64]:
        arrays, z = self.arrays(), self.scores(x)
        slope = np.empty_like(z)
        all_slopes(arrays, z, slope)
        indices = np.ascontiguousarray(block, dtype=np.int32)
        H = np.empty((len(indices), len(indices)))
        work = self.hessian_work([indices])
        hessian_block(arrays, bound, indices, z, slope, self.curvature_bound, work, H)
        return H

    def hessian_work(self, blocks: Sequence[NDArray]) -> HessianWork:
        """Scratch that is large enough for the Hessian of any of the blocks."""
        n_entries = 0
        if self.is_walked_sparse:
            length = np.repeat(np.diff(self._columns.indptr), self.n_scores)
            n_entries = max(int(length[block].sum()) for block in blocks)
        return make_hessian_work(self.n_samples, self.n_coordinates, n_entries)

    def coordinate_lipschitz(self) -> NDArray[np.float64]:
        """L_i of every coordinate: the diagonal of the Hessian's bound.

        Raises
        ------
        ValueError
            If the loss's curvature has no bound.
        """
        if not np.isfinite(self.curvature_bound):
            raise ValueError(
                f"{type(self).__name__} has no bound on its curvature; use a line search."
            )
        return self.curvature_bound * self._class_factor() * self.squared_norms()

    def squared_norms(self) -> NDArray[np.float64]:
        """Squared length of the column of A that each coordinate multiplies."""
        if self.is_sparse:
            squares = self._design.multiply(self._design).sum(axis=0)
            norms = np.asarray(squares, dtype=np.float64).ravel()
        else:
            norms = np.einsum("ij,ij->i", self._design, self._design, dtype=np.float64)
        return np.repeat(norms, self.n_scores)

    def _class_factor(self) -> float:
        return 1.0

    def bound_blocks(self, blocks: Sequence[NDArray]) -> Iterator[NDArray[np.float64]]:
        """H_b of each block in turn, the matrices of the kernel prepared once."""
        arrays = self.arrays()
        flat = np.zeros(self.n_samples * self.n_scores)
        work = self.hessian_work(blocks)
        for block in blocks:
            H = np.empty((len(block), len(block)))
            hessian_block(arrays, True, block, flat, flat, self.curvature_bound, work, H)
            yield H

    def row_sums(self) -> NDArray[np.float64]:
        """Bound on the row sums of |H|: the diagonal D of the gsd rule for variable blocks.

        ``|A|' |A| 1`` times the curvature, one pass over A; exact where A has no sign changes.
        """
        A = abs(self._design) if self.is_sparse else np.abs(self._design).T
        sums = np.asarray(A.T @ (A @ np.ones(self.n_features)), dtype=np.float64)
        factor = 2.0 * self._class_factor() if self.n_scores > 1 else 1.0
        return self.curvature_bound * factor * np.repeat(sums, self.n_scores)

    def block_lipschitz(self, block: ArrayLike) -> float:
        """L_b: the largest eigenvalue of H_b."""
        return float(np.linalg.eigvalsh(self.bound_block(block))[-1])

    def duality_gap(self, x: NDArray, gradient: NDArray | None = None) -> float | None:
        """Bound on the distance from the optimal objective, None where no bound is known."""
        return None


class LeastSquares(LinearModel):
    """``1/2 |A x - y|^2 + penalty(x)``.

    Examples
    --------
    >>> import numpy as np
    >>> problem = LeastSquares(np.eye(2), [1.0, 2.0])
    >>> problem.value(np.zeros(2)), problem.gradient(np.zeros(2))
    (2.5, array([-1., -2.]))
    """

    loss = SQUARES

    def duality_gap(self, x: NDArray, gradient: NDArray | None = None) -> float | None:
        """Gap to the dual point made of the scaled residual; needs an l1 or l2 term.

        The dual of the elastic net on ``x >= 0`` or on all of space; None with other bounds.
        """
        penalty = self.penalty
        lower, upper = np.asarray(penalty.lower), np.asarray(penalty.upper)
        nonnegative = bool(np.all(lower == 0.0))
        whole = bool(np.all(np.isneginf(lower)))
        if penalty.is_grouped or not (nonnegative or whole) or np.any(np.isfinite(upper)):
            return None
        if penalty.l1 == 0.0 and penalty.l2 == 0.0:
            return None
        x = np.asarray(x, dtype=np.float64)
        residual = self.y - self.scores(x)
        correlation = -(self.gradient(x) if gradient is None else gradient)
        norm, inner = residual @ residual, residual @ self.y
        primal = 0.5 * norm + penalty.value(x)
        if penalty.l2 > 0.0:  # every residual is feasible; the conjugate is a squared excess
            pull = correlation if nonnegative else np.abs(correlation)
            excess = np.maximum(pull - penalty.l1, 0.0)
            return float(primal - inner + 0.5 * norm + 0.5 * (excess @ excess) / penalty.l2)
        largest = float(correlation.max() if nonnegative else np.abs(correlation).max())
        limit = penalty.l1 / largest if largest > 0.0 else np.inf
        scale = min(limit, max(0.0, inner / norm)) if norm > 0.0 else 1.0
        return float(primal - scale * inner + 0.5 * scale**2 * norm)
