"""Passes over the columns of a design matrix A, dense or compressed by columns.

Names: ``r`` the residual (n,), ``c = A' r`` the correlations, ``u`` (n,) the direction that an
intercept spans (ones, or the square roots of the sample weights; empty without an intercept). All
sums are taken in float64 whatever the matrix holds.
"""

import numba
import numpy as np

from graphs._jit import kernel

# The sum over a column may be taken in any order, NaN and infinity keep their meaning.
_dot_product = numba.njit(
    cache=True, nogil=True, error_model="numpy", fastmath={"reassoc", "contract", "arcp", "nsz"}
)


@_dot_product
def _dot(a, b):
    total = 0.0
    for i in range(len(a)):
        total += np.float64(a[i]) * b[i]
    return total


@kernel
def correlate_columns(matrix, r, columns, out):
    """Set ``out[k] = matrix[:, columns[k]]' r`` on a Fortran-ordered matrix of shape (n, p).

    columns : (k,) int32;  out : (k,) float64, overwritten
    """
    for k in range(len(columns)):
        out[k] = _dot(matrix[:, columns[k]], r)


@_dot_product
def correlate_rows(matrix, r, columns, out):
    """Do the same on a C-ordered matrix, a row at a time so that memory is walked forwards."""
    out[:] = 0.0
    n = matrix.shape[0]
    whole = len(columns) == matrix.shape[1]
    for k in range(len(columns)):
        whole = whole and columns[k] == k
    for i in range(n):
        weight = r[i]
        if weight == 0.0:
            continue
        row = matrix[i]
        if whole:
            for k in range(len(columns)):
                out[k] += weight * row[k]
        else:
            for k in range(len(columns)):
                out[k] += weight * row[columns[k]]


@kernel
def correlate_sparse(data, indices, indptr, r, columns, out):
    """Do the same on a matrix in compressed sparse column form."""
    for k in range(len(columns)):
        total = 0.0
        for slot in range(indptr[columns[k]], indptr[columns[k] + 1]):
            total += data[slot] * r[indices[slot]]
        out[k] = total


@kernel
def centered_squares_dense(matrix, u, means, out):
    """Squared length of each column after its part along ``u`` is taken out, in two passes.

    matrix : (n, p);  u : (n,), or (0,) for no centring
    means, out : (p,) float64, overwritten; means[j] = u'a_j / u'u
    """
    n, p = matrix.shape
    total = (u * u).sum() if len(u) else 1.0
    means[:] = 0.0
    out[:] = 0.0
    if len(u):
        for i in range(n):
            for j in range(p):
                means[j] += u[i] * matrix[i, j]
        for j in range(p):
            means[j] /= total
    for i in range(n):
        shift = u[i] if len(u) else 0.0
        for j in range(p):
            value = matrix[i, j] - means[j] * shift
            out[j] += value * value


@kernel
def centered_squares_columns(matrix, u, means, out):
    """Do the same on a Fortran-ordered matrix, a column at a time."""
    n, p = matrix.shape
    total = (u * u).sum() if len(u) else 1.0
    for j in range(p):
        column = matrix[:, j]
        mean = _dot(column, u) / total if len(u) else 0.0
        square = 0.0
        for i in range(n):
            value = column[i] - (mean * u[i] if len(u) else 0.0)
            square += value * value
        means[j] = mean
        out[j] = square


@kernel
def centered_squares_sparse(data, indices, indptr, u, means, out):
    """Do the same on a matrix in compressed sparse column form, never densified."""
    p = len(indptr) - 1
    total = (u * u).sum() if len(u) else 1.0
    for j in range(p):
        mean = 0.0
        if len(u):
            for slot in range(indptr[j], indptr[j + 1]):
                mean += data[slot] * u[indices[slot]]
            mean /= total
        square = 0.0
        rest = total
        for slot in range(indptr[j], indptr[j + 1]):
            shift = u[indices[slot]] if len(u) else 0.0
            value = data[slot] - mean * shift
            square += value * value
            rest -= shift * shift
        means[j] = mean
        out[j] = square + (mean * mean * max(rest, 0.0) if len(u) else 0.0)
