"""Least squares with many targets and row penalties on a small Gram matrix: the compiled parts.

Names, for k features and t targets: ``G`` (k, k) the Gram matrix, ``H = Q - G W`` (k, t) the
negative gradient, ``W`` (k, t) the coefficients, ``weight`` (k,) the factors of
the rows' norms.
"""

import math

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
def row_norms(A, out):
    """Set ``out[j]`` to the length of row j."""
    k, t = A.shape
    for j in range(k):
        total = 0.0
        for c in range(t):
            total += A[j, c] * A[j, c]
        out[j] = math.sqrt(total)
