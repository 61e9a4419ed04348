"""Compiled passes of multinomial regression: scores Z, probabilities P, both (K, n), K classes.

The Hessian in the scores of a sample of weight w is ``w (diag(p) - p p')``; coordinates are (K, k),
one column a feature of the working block, whose columns are compressed (``ptr, index, value``).
"""

import math

import numpy as np

from bcd._score_kernels import CHUNK, exp_not_positive
from graphs._jit import kernel


@kernel
def softmax_losses(Z, label, weight, P):
    """Fill the probabilities and return the weighted sum of ``log sum exp(z) - z_label``."""
    n_classes, n = Z.shape
    top, mass, x, shifted = np.empty(CHUNK), np.empty(CHUNK), np.empty(CHUNK), np.empty(CHUNK)
    total = 0.0
    for start in range(0, n, CHUNK):
        m = min(CHUNK, n - start)
        top[:m] = Z[0, start : start + m]
        for c in range(1, n_classes):
            for i in range(m):
                top[i] = max(top[i], Z[c, start + i])
        mass[:m] = 0.0
        for c in range(n_classes):
            own = P[c, start : start + m]
            for i in range(m):
                x[i] = Z[c, start + i] - top[i]
            exp_not_positive(x[:m], shifted[:m], own)
            for i in range(m):
                mass[i] += own[i]
        for i in range(m):
            z = Z[label[start + i], start + i]
            total += weight[start + i] * (math.log(mass[i]) + (top[i] - z))
            mass[i] = 1.0 / mass[i]
        for c in range(n_classes):
            for i in range(m):
                P[c, start + i] *= mass[i]
    return total


@kernel
def softmax_distance(P, V, weight):
    """Weighted relative entropy of the dual probabilities V and P; infinite where V is none."""
    total = 0.0
    for i in range(P.shape[1]):
        own = 0.0
        for c in range(P.shape[0]):
            v = V[c, i]
            if v < -1e-15:
                return np.inf
            if v > 0.0:
                if P[c, i] <= 0.0:
                    return np.inf
                own += v * math.log1p((v - P[c, i]) / P[c, i])
        total += weight[i] * max(own, 0.0)
    return total


@kernel
def apply_curvature(P, weight, D, out):
    """Set ``out = w (p * d - p (p'd))`` for each sample."""
    n_classes, n = P.shape
    mean = np.empty(CHUNK)
    for start in range(0, n, CHUNK):
        m = min(CHUNK, n - start)
        mean[:m] = 0.0
        for c in range(n_classes):
            for i in range(m):
                mean[i] += P[c, start + i] * D[c, start + i]
        for c in range(n_classes):
            for i in range(m):
                s = start + i
                out[c, s] = weight[s] * P[c, s] * (D[c, s] - mean[i])


@kernel
def sweep_softmax(
    ptr,
    index,
    value,
    P,
    weight,
    D,
    mean,
    diagonal,
    gradient,
    l1,
    l2,
    X,
    U,
    lower,
    upper,
    n_sweeps,
    tol,
):
    """Descend on the quadratic model plus ``l1 |u|`` between bounds by exact coordinate updates.

    D, mean : (K, n) and (n,) ``(U - X) W'`` and ``p'd``, kept up to date;  U : (K, k) changed
    gradient : (K, k) of the smooth part at X;  l1, l2, lower, upper : (k,)
    Returns the sum over coordinates of what the last full sweep's updates gained, doubled.
    """
    n_classes, k = U.shape
    gained = 0.0
    for sweep in range(n_sweeps):
        whole = sweep % 3 == 0
        moved = 0.0
        for j in range(k):
            for c in range(n_classes):
                if diagonal[c, j] <= 0.0 or (U[c, j] == 0.0 and not whole):
                    continue
                g = gradient[c, j] + l2[j] * (U[c, j] - X[c, j])
                for e in range(ptr[j], ptr[j + 1]):
                    i = index[e]
                    g += value[e] * weight[i] * P[c, i] * (D[c, i] - mean[i])
                target = diagonal[c, j] * U[c, j] - g
                new = 0.0
                if target > l1[j]:
                    new = (target - l1[j]) / diagonal[c, j]
                elif target < -l1[j]:
                    new = (target + l1[j]) / diagonal[c, j]
                new = min(max(new, lower[j]), upper[j])
                step = new - U[c, j]
                if step != 0.0:
                    U[c, j] = new
                    for e in range(ptr[j], ptr[j + 1]):
                        i = index[e]
                        D[c, i] += step * value[e]
                        mean[i] += step * value[e] * P[c, i]
                    moved += step * step * diagonal[c, j]
        if whole:
            gained = moved
        if moved <= tol and whole:
            break
    return gained
