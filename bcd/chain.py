"""Message passing on a chain of vectors: a block-tridiagonal system in one sweep and back."""

from __future__ import annotations

import numpy as np

from graphs._jit import kernel


@kernel
def solve_chain(diagonal, link, rhs, out):
    """Solve A x = rhs in O(n d^3) for a symmetric positive definite block-tridiagonal A.

    diagonal : (n, d, d) float64, A's blocks on the diagonal, overwritten
    link : (n - 1, d, d) float64, the block in row i and column i + 1
    rhs : (n, d) float64, overwritten;  out : (n, d) float64, overwritten
    Each vertex tells the next one its block of the Schur complement and of the right-hand side;
    the way back substitutes.

    Examples
    --------
    >>> diagonal = np.array([[[2.0]], [[2.0]]]); link = np.array([[[-1.0]]])
    >>> out = np.empty((2, 1)); solve_chain(diagonal, link, np.array([[1.0], [0.0]]), out)
    >>> out.ravel().round(3)
    array([0.667, 0.333])
    """
    n, d = rhs.shape
    for i in range(n):
        eliminate_block(diagonal[i])
        if i + 1 == n:
            break
        for column in range(d):
            told = link[i, :, column].copy()
            substitute_block(diagonal[i], told)
            for row in range(d):
                for k in range(d):
                    diagonal[i + 1, row, column] -= link[i, k, row] * told[k]
        told = rhs[i].copy()
        substitute_block(diagonal[i], told)
        for row in range(d):
            for k in range(d):
                rhs[i + 1, row] -= link[i, k, row] * told[k]
    for i in range(n - 1, -1, -1):
        out[i] = rhs[i]
        if i + 1 < n:
            for row in range(d):
                for k in range(d):
                    out[i, row] -= link[i, row, k] * out[i + 1, k]
        substitute_block(diagonal[i], out[i])


@kernel
def eliminate_block(block):
    """Overwrite the lower triangle of a definite ``block`` (d, d) by its Cholesky factor."""
    d = block.shape[0]
    for j in range(d):
        for k in range(j):
            block[j, j] -= block[j, k] * block[j, k]
        block[j, j] = np.sqrt(block[j, j])
        for i in range(j + 1, d):
            for k in range(j):
                block[i, j] -= block[i, k] * block[j, k]
            block[i, j] /= block[j, j]


@kernel
def substitute_block(factor, vector):
    """Overwrite ``vector`` (d,) by the solution of the system whose Cholesky factor is given."""
    d = vector.shape[0]
    for i in range(d):
        for k in range(i):
            vector[i] -= factor[i, k] * vector[k]
        vector[i] /= factor[i, i]
    for i in range(d - 1, -1, -1):
        for k in range(i + 1, d):
            vector[i] -= factor[k, i] * vector[k]
        vector[i] /= factor[i, i]
