"""Cheap coordinate sweeps on  1/2 x'Gx - q'x + sum_j l1_j |x_j|,  lower <= x <= upper.

Names: ``G`` (m, m) float64 C-ordered and symmetric, of which the leading k x k part is in use;
``h = q - G x`` (k,) the negative gradient; ``l1, lower, upper`` (k,) the penalties.
"""

import numpy as np

from bcd._factor_kernels import add_multiple
from graphs._jit import inner_kernel, lean_kernel


@inner_kernel
def soft_threshold(z, l1):
    """Minimise 1/2 (x - z)^2 + l1 |x|."""
    if z > l1:
        return z - l1
    return z + l1 if z < -l1 else 0.0


@lean_kernel
def descend(G, h, x, l1, lower, upper, n_sweeps, tol):
    """Sweep cyclically with exact coordinate updates; zeros are looked at in the first sweep only.

    h, x : (k,) float64, changed in place
    Returns the largest decrease-scaled step |delta| sqrt(G_jj) of the last sweep.
    """
    k = len(x)
    largest = 0.0
    for sweep in range(n_sweeps):
        largest = 0.0
        for j in range(k):
            curvature = G[j, j]
            if curvature <= 0.0 or (sweep > 0 and x[j] == 0.0):
                continue
            old = x[j]
            new = soft_threshold(h[j] + curvature * old, l1[j]) / curvature
            new = min(max(new, lower[j]), upper[j])
            if new != old:
                x[j] = new
                add_multiple(old - new, G[j], h, 0, k)
                largest = max(largest, abs(new - old) * np.sqrt(curvature))
        if largest <= tol:
            break
    return largest


@lean_kernel
def compress(G, kept):
    """Move ``G[kept][:, kept]``, kept (k,) int64 ascending, to the leading part in place."""
    for a in range(len(kept)):
        source, target = G[kept[a]], G[a]
        for b in range(len(kept)):
            target[b] = source[kept[b]]


@lean_kernel
def refresh(G, q, x, h):
    """Compute ``h = q - G x`` (k,) anew, free of the rounding errors that updates pile up."""
    k = len(x)
    for j in range(k):
        h[j] = q[j]
    for j in range(k):
        if x[j] != 0.0:
            add_multiple(-x[j], G[j], h, 0, k)


@lean_kernel
def small_gap(energy, q, h, x, l1, lower, upper):
    """Duality gap of the small problem; infinite where a bound other than 0 is finite.

    energy : b'b of the least-squares problem whose ``q = A'b`` and ``G = A'A + diag(l2)`` are
    """
    penalty, fitted, rest, limit = 0.0, 0.0, 0.0, np.inf
    for j in range(len(x)):
        if x[j] != 0.0:
            penalty += l1[j] * abs(x[j])
            fitted += q[j] * x[j]
            rest += h[j] * x[j]
        if (lower[j] != 0.0 and lower[j] > -np.inf) or (upper[j] != 0.0 and upper[j] < np.inf):
            return np.inf
        if (h[j] > 0.0 and upper[j] == np.inf) or (h[j] < 0.0 and lower[j] == -np.inf):
            limit = min(limit, l1[j] / abs(h[j]))
    length, inner = energy - fitted - rest, energy - fitted
    scale = min(max(inner / length, 0.0), limit) if length > 0.0 else 0.0
    return 0.5 * length + penalty - scale * inner + 0.5 * scale * scale * length


@lean_kernel
def largest_pull(G, q, x):
    """Largest ``|q_j| / sqrt(G_jj)``, what the errors of the whole problem are measured by."""
    largest = 0.0
    for j in range(len(x)):
        if G[j, j] > 0.0:
            largest = max(largest, abs(q[j]) / np.sqrt(G[j, j]))
    return largest
