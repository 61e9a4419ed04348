"""Least squares with many targets and row penalties on a small Gram matrix: the compiled parts.

Names, for k features and t targets: ``G`` (k, k) the Gram matrix, ``H = Q - G W`` (k, t) the
negative gradient, ``W`` (k, t) the coefficients, ``weight`` (k,) the factors of
the rows' norms.
"""

import math

import numpy as np

from bcd._group_columns_kernels import correlate_group
from graphs._jit import kernel


@kernel
def sweep_rows(G, H, W, weight, n_sweeps):
    """Sweep with exact row updates; rows at zero are looked at in the first sweep only.

    H, W : (k, t), changed in place
    """
    k, t = W.shape
    for sweep in range(n_sweeps):
        for j in range(k):
            curvature = G[j, j]
            if curvature <= 0.0:
                continue
            resting, squares = True, 0.0
            for c in range(t):
                resting = resting and W[j, c] == 0.0
                value = H[j, c] + curvature * W[j, c]
                squares += value * value
            if sweep > 0 and resting:
                continue
            norm = math.sqrt(squares)
            kept = (1.0 - weight[j] / norm) / curvature if norm > weight[j] else 0.0
            if kept == 0.0 and resting:
                continue
            for c in range(t):
                old = W[j, c]
                new = kept * (H[j, c] + curvature * old)
                W[j, c] = new
                delta = new - old
                for i in range(k):
                    H[i, c] -= delta * G[j, i]


@kernel
def sweep_columns_of_tasks(C, R, W, weight, lengths, n_sweeps):
    """Do the same by the residual of columns; rows at zero are looked at in the first sweep only.

    C : (at least k, n) the columns as rows;  R : (t, n), W : (k, t), changed in place
    lengths : (k,) of the columns
    """
    k, t = W.shape
    n = R.shape[1]
    pull = np.empty(t)
    for sweep in range(n_sweeps):
        for j in range(k):
            curvature = lengths[j] ** 2
            if curvature <= 0.0:
                continue
            resting = True
            for c in range(t):
                resting = resting and W[j, c] == 0.0
            if sweep > 0 and resting:
                continue
            correlate_group(R, 0, t, C[j], pull)
            squares = 0.0
            for c in range(t):
                pull[c] += curvature * W[j, c]
                squares += pull[c] * pull[c]
            norm = math.sqrt(squares)
            kept = (1.0 - weight[j] / norm) / curvature if norm > weight[j] else 0.0
            if kept == 0.0 and resting:
                continue
            column = C[j]
            for c in range(t):
                new = kept * pull[c]
                delta = new - W[j, c]
                W[j, c] = new
                residual = R[c]
                for i in range(n):
                    residual[i] -= delta * column[i]


@kernel
def row_norms(A, out):
    """Set ``out[j]`` to the length of row j."""
    k, t = A.shape
    for j in range(k):
        total = 0.0
        for c in range(t):
            total += A[j, c] * A[j, c]
        out[j] = math.sqrt(total)
