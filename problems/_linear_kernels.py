"""What changes when x changes: scores, slopes, gradients and Hessian blocks, in compiled code.

Symbols: ``z = A x`` scores (n_samples, k), ``slope`` the loss's derivative in z, k the number of
scores a sample (1 but for the multinomial loss). Coordinate ``i`` of x belongs to column ``i // k``
of A and to score ``i % k``. A quadratic has no scores: its gradient ``Q x - q`` is kept itself.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from graphs._jit import inner_kernel, inner_sum_kernel, kernel
from problems._lane_kernels import lane_gradient
from problems.losses import (
    MULTINOMIAL,
    SQUARES,
    Loss,
    loss_slope,
    loss_value,
    softmax_row,
)

DENSE, SPARSE, QUADRATIC, SPARSE_QUADRATIC = range(4)


class ProblemArrays(NamedTuple):
    """A problem as kernels see it; arrays that its kind does not use are empty."""

    kind: int
    loss: Loss
    n_scores: int  # k
    columns: NDArray  # (p, n) A' of a dense A, or (p, p) a dense Q; C order
    col_ptr: NDArray[np.int64]  # (p + 1,) compressed columns of A, or rows of a sparse Q
    col_index: NDArray[np.int32]
    col_value: NDArray
    row_ptr: NDArray[np.int64]  # (n + 1,) compressed rows of A
    row_index: NDArray[np.int32]
    row_value: NDArray
    lane_ptr: NDArray[
        np.int64
    ]  # columns side by side, see ``_lane_kernels``; empty if not asked for
    lane_index: NDArray[np.int32]
    lane_value: NDArray
    lane_column: NDArray[np.int32]
    target: NDArray[np.float64]  # (n,) y, or (p,) q
    constant: float  # added to the objective of a quadratic
    l1: float
    l2: float
    lower: NDArray[np.float64]  # (n_coordinates,)
    upper: NDArray[np.float64]
    group_weight: NDArray[np.float64]  # (n_blocks,) when blocks are penalised groups, else empty


@inner_sum_kernel
def fast_dot(a, b):
    """Dot product of two contiguous vectors, summed in any order but NaN kept."""
    total = 0.0
    for i in range(len(a)):
        total += a[i] * b[i]
    return total


@inner_kernel
def sparse_dot(index, value, dense):
    """Dot product of a compressed column with a dense vector, four sums side by side."""
    n = len(index)
    s0 = s1 = s2 = s3 = 0.0
    stop = n - n % 4
    for e in range(0, stop, 4):
        s0 += value[e] * dense[index[e]]
        s1 += value[e + 1] * dense[index[e + 1]]
        s2 += value[e + 2] * dense[index[e + 2]]
        s3 += value[e + 3] * dense[index[e + 3]]
    for e in range(stop, n):
        s0 += value[e] * dense[index[e]]
    return (s0 + s1) + (s2 + s3)


@inner_kernel
def compute_scores(problem, x, z):
    """Z = A x from scratch; z is (n * k,), overwritten."""
    k = problem.n_scores
    z[:] = 0.0
    for i in range(len(x)):
        if x[i] != 0.0:
            add_column(problem, i // k, i % k, x[i], z)


@inner_kernel
def add_column(problem, j, c, step, z):
    """Add ``step`` times column j of A to score c of every sample."""
    k = problem.n_scores
    if problem.kind == DENSE:
        column = problem.columns[j]
        if k == 1:
            for r in range(len(column)):
                z[r] += step * column[r]
        else:
            for r in range(len(column)):
                z[r * k + c] += step * column[r]
    else:
        for e in range(problem.col_ptr[j], problem.col_ptr[j + 1]):
            z[problem.col_index[e] * k + c] += step * problem.col_value[e]


@inner_kernel
def row_slope(problem, r, z, slope):
    """Refresh the slopes of sample r and return its loss."""
    y = problem.target[r]
    if problem.loss.tag == MULTINOMIAL:
        k = problem.n_scores
        return softmax_row(z[r * k : (r + 1) * k], int(y), slope[r * k : (r + 1) * k])
    slope[r] = loss_slope(problem.loss, z[r], y)
    return loss_value(problem.loss, z[r], y)


@kernel
def all_slopes(problem, z, slope):
    """Refresh every slope and return the total loss."""
    total = 0.0
    loss, target = problem.loss, problem.target  # a call a sample would copy the whole problem
    if loss.tag == MULTINOMIAL:
        for r in range(len(target)):
            total += row_slope(problem, r, z, slope)
    elif loss.tag == SQUARES:
        for r in range(len(target)):
            slope[r] = z[r] - target[r]
            total += 0.5 * slope[r] * slope[r]
    else:
        for r in range(len(target)):
            slope[r] = loss_slope(loss, z[r], target[r])
            total += loss_value(loss, z[r], target[r])
    return total


@inner_kernel
def coordinate_gradient(problem, i, slope):
    """Return the derivative of the loss in coordinate i, from the slopes."""
    k = problem.n_scores
    j, c = i // k, i % k
    if problem.kind == DENSE:
        if k == 1:
            return fast_dot(problem.columns[j], slope)
        total = 0.0
        column = problem.columns[j]
        for r in range(len(column)):
            total += column[r] * slope[r * k + c]
        return total
    begin, end = problem.col_ptr[j], problem.col_ptr[j + 1]
    if k == 1:
        return sparse_dot(problem.col_index[begin:end], problem.col_value[begin:end], slope)
    total = 0.0
    for e in range(begin, end):
        total += problem.col_value[e] * slope[problem.col_index[e] * k + c]
    return total


@kernel
def full_gradient(problem, slope, gradient):
    """Gradient of the loss, from the slopes, in one pass over A; overwritten."""
    k = problem.n_scores
    if k == 1:  # arrays are taken out of the problem: a call a column would copy all of it
        if problem.kind == DENSE:
            columns = problem.columns
            for i in range(len(gradient)):
                gradient[i] = fast_dot(columns[i], slope)
            return
        if len(problem.lane_column):
            lane_gradient(
                problem.lane_ptr,
                problem.lane_index,
                problem.lane_value,
                problem.lane_column,
                slope,
                gradient,
            )
            return
        pointer, index, value = problem.col_ptr, problem.col_index, problem.col_value
        for i in range(len(gradient)):
            begin, end = pointer[i], pointer[i + 1]
            gradient[i] = sparse_dot(index[begin:end], value[begin:end], slope)
        return
    gradient[:] = 0.0
    for j in range(len(gradient) // k):
        out = gradient[j * k : (j + 1) * k]
        if problem.kind == DENSE:
            for r in range(len(problem.target)):
                a = problem.columns[j, r]
                for c in range(k):
                    out[c] += a * slope[r * k + c]
        else:
            for e in range(problem.col_ptr[j], problem.col_ptr[j + 1]):
                a = problem.col_value[e]
                start = problem.col_index[e] * k
                for c in range(k):
                    out[c] += a * slope[start + c]


@inner_kernel
def quadratic_gradient(problem, x, gradient):
    """Gradient Q x - q and value of a quadratic from scratch."""
    for i in range(len(x)):
        gradient[i] = -problem.target[i]
    for i in range(len(x)):
        if x[i] != 0.0:
            add_quadratic_row(problem, i, x[i], gradient)
    total = problem.constant
    for i in range(len(x)):
        total += 0.5 * x[i] * (gradient[i] - problem.target[i])
    return total


@inner_kernel
def add_quadratic_row(problem, i, step, gradient):
    """Add ``step`` times column i of Q (symmetric) to the gradient."""
    if problem.kind == QUADRATIC:
        row = problem.columns[i]
        for j in range(len(row)):
            gradient[j] += step * row[j]
    else:
        for e in range(problem.col_ptr[i], problem.col_ptr[i + 1]):
            gradient[problem.col_index[e]] += step * problem.col_value[e]
