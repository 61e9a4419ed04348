"""Compiled passes of multinomial regression: scores Z, probabilities P, both (n, K).

The Hessian in the scores of a sample of weight w is ``w (diag(p) - p p')``; coordinates are (k, K),
one row a feature of the working block, which is compressed by columns (``ptr, index, value``).
"""

import math

import numpy as np

from graphs._jit import kernel


@kernel
def softmax_losses(Z, label, weight, P):
    """Fill the probabilities and return the weighted sum of ``log sum exp(z) - z_label``."""
    total = 0.0
    for i in range(len(Z)):
        top = Z[i].max()
        mass = 0.0
        for c in range(Z.shape[1]):
            P[i, c] = math.exp(Z[i, c] - top)
            mass += P[i, c]
        for c in range(Z.shape[1]):
            P[i, c] /= mass
        total += weight[i] * (math.log(mass) + top - Z[i, label[i]])
    return total


@kernel
def softmax_distance(P, V, weight):
    """Weighted relative entropy of the dual probabilities V and P; infinite where V is none."""
    total = 0.0
    for i in range(len(P)):
        own = 0.0
        for c in range(P.shape[1]):
            v = V[i, c]
            if v < -1e-15:
                return np.inf
            if v > 0.0:
                if P[i, c] <= 0.0:
                    return np.inf
                own += v * math.log1p((v - P[i, c]) / P[i, c])
        total += weight[i] * max(own, 0.0)
    return total


@kernel
def multiply_many(ptr, index, value, M, out):
    """Set ``out[k]`` to the combination of the rows of M that compressed vector k gives."""
    out[:] = 0.0
    for k in range(len(ptr) - 1):
        for e in range(ptr[k], ptr[k + 1]):
            a = value[e]
            row = M[index[e]]
            for c in range(M.shape[1]):
                out[k, c] += a * row[c]


@kernel
def apply_curvature(P, weight, D, out):
    """Set ``out = w (p * d - p (p'd))`` for each sample."""
    for i in range(len(P)):
        mean = 0.0
        for c in range(P.shape[1]):
            mean += P[i, c] * D[i, c]
        for c in range(P.shape[1]):
            out[i, c] = weight[i] * P[i, c] * (D[i, c] - mean)


@kernel
def softmax_diagonal(ptr, index, value, P, weight, out):
    """Diagonal of the Hessian in the block's coordinates, (k, K)."""
    out[:] = 0.0
    for k in range(len(ptr) - 1):
        for e in range(ptr[k], ptr[k + 1]):
            i = index[e]
            scale = weight[i] * value[e] * value[e]
            for c in range(P.shape[1]):
                out[k, c] += scale * P[i, c] * (1.0 - P[i, c])


@kernel
def sweep_softmax(
    ptr, index, value, P, weight, D, mean, diagonal, gradient, l1, l2, X, U, n_sweeps, tol
):
    """Descend on the quadratic model plus ``l1 |u|`` by exact coordinate updates.

    D, mean : (n, K) and (n,) ``W (U - X)`` and ``p'd``, kept up to date;  U : (k, K) changed
    gradient : (k, K) of the smooth part at X;  l1, l2 : (k,)
    Returns the sum over coordinates of what the last full sweep's updates gained, doubled.
    """
    k, n_classes = U.shape
    gained = 0.0
    for sweep in range(n_sweeps):
        whole = sweep % 3 == 0
        moved = 0.0
        for j in range(k):
            for c in range(n_classes):
                if diagonal[j, c] <= 0.0 or (U[j, c] == 0.0 and not whole):
                    continue
                g = gradient[j, c] + l2[j] * (U[j, c] - X[j, c])
                for e in range(ptr[j], ptr[j + 1]):
                    i = index[e]
                    g += value[e] * weight[i] * P[i, c] * (D[i, c] - mean[i])
                target = diagonal[j, c] * U[j, c] - g
                new = 0.0
                if target > l1[j]:
                    new = (target - l1[j]) / diagonal[j, c]
                elif target < -l1[j]:
                    new = (target + l1[j]) / diagonal[j, c]
                step = new - U[j, c]
                if step != 0.0:
                    U[j, c] = new
                    for e in range(ptr[j], ptr[j + 1]):
                        i = index[e]
                        D[i, c] += step * value[e]
                        mean[i] += step * value[e] * P[i, c]
                    moved += step * step * diagonal[j, c]
        if whole:
            gained = moved
        if moved <= tol and whole:
            break
    return gained
