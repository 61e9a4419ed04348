"""A Cholesky factor kept up to date while coordinates enter and leave: G[S, S] = R' R.

Loops over a part of a row count in unsigned integers: an index that may count from the end keeps
them from being run eight abreast.

Names: ``R`` (capacity, capacity) float64, upper triangular in its leading s x s part, rows
contiguous; ``G`` (m, m) float64 symmetric; ``support`` (capacity,) int64, S in the order of R.
"""

import numpy as np

from graphs._jit import inner_kernel, inner_sum_kernel, lean_kernel

DEPENDENT = 1e-11  # of a column's squared length: less is left when it lies in the others' span


@inner_sum_kernel
def dot(a, b, start, stop):
    """Inner product of ``a[start:stop]`` and ``b[start:stop]``."""
    total = 0.0
    for i in range(np.uint64(start), np.uint64(stop)):
        total += a[i] * b[i]
    return total


@inner_kernel
def add_multiple(weight, source, target, start, stop):
    """Add ``weight * source[start:stop]`` to ``target[start:stop]``."""
    for i in range(np.uint64(start), np.uint64(stop)):
        target[i] += weight * source[i]


@inner_kernel
def solve_forward(R, s, rhs):
    """Solve R' z = rhs in place."""
    for c in range(s):
        rhs[c] /= R[c, c]
        add_multiple(-rhs[c], R[c], rhs, c + 1, s)


@inner_kernel
def solve_backward(R, s, rhs):
    """Solve R v = rhs in place."""
    for c in range(s - 1, -1, -1):
        rhs[c] = (rhs[c] - dot(R[c], rhs, c + 1, s)) / R[c, c]


@inner_kernel
def project_column(G, R, support, s, j, z):
    """Set z = R'^-1 G[S, j]; return what of column j lies outside the span, 0 when nothing does."""
    row = G[j]
    for a in range(s):
        z[a] = row[support[a]]
    solve_forward(R, s, z)
    outside = row[j] - dot(z, z, 0, s)
    return outside if outside > DEPENDENT * row[j] else 0.0


@inner_kernel
def append_column(R, support, s, j, z, outside):
    """Add coordinate j, whose projection ``project_column`` has found, at the end."""
    for a in range(s):
        R[a, s] = z[a]
    R[s, s] = np.sqrt(outside)
    support[s] = j


@inner_kernel
def remove_column(R, support, s, k, y):
    """Take the k-th coordinate out and rotate R back to triangular form.

    y : (at least s,) rotated alongside, so that a solution of R' y = rhs stays one without rhs[k]
    """
    for c in range(k):
        row = R[c]
        for i in range(k, s - 1):
            row[i] = row[i + 1]
    for c in range(k, s - 1):
        upper, lower = R[c], R[c + 1]
        length = np.hypot(upper[c + 1], lower[c + 1])
        cosine, sine = upper[c + 1] / length, lower[c + 1] / length
        for i in range(c, s - 1):
            a, b = upper[i + 1], lower[i + 1]
            upper[i] = cosine * a + sine * b
            lower[i + 1] = cosine * b - sine * a
        above, below = y[c], y[c + 1]
        y[c], y[c + 1] = cosine * above + sine * below, cosine * below - sine * above
        support[c] = support[c + 1]


@inner_kernel
def subtract_rows(G, support, s, weight, out, m):
    """Subtract ``sum_a weight[a] G[support[a], :m]`` from ``out``, four rows at a time."""
    whole = s - s % 4
    for a in range(0, whole, 4):
        g0, g1, g2, g3 = G[support[a]], G[support[a + 1]], G[support[a + 2]], G[support[a + 3]]
        w0, w1, w2, w3 = weight[a], weight[a + 1], weight[a + 2], weight[a + 3]
        for i in range(m):
            out[i] -= w0 * g0[i] + w1 * g1[i] + w2 * g2[i] + w3 * g3[i]
    for a in range(whole, s):
        add_multiple(-weight[a], G[support[a]], out, 0, m)


@lean_kernel
def gather(G, support, scale, out):
    """Copy ``G[support][:, support]``, scaled from both sides, into ``out`` of shape (s, s)."""
    for a in range(len(support)):
        row = G[support[a]]
        for b in range(len(support)):
            out[a, b] = scale[a] * scale[b] * row[support[b]]
