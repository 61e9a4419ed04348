"""A small least-squares problem solved at once: all features in one block, one compiled call.

Names as in ``bcd._path_kernels`` and ``bcd._certificate_kernels``; ``A`` (p, n) holds the centred
columns, a row each; ``G = A A'``, ``q = A b``.
"""

import math

import numpy as np

from bcd._active_set_kernels import descend, largest_pull, refresh
from bcd._certificate_kernels import BOUND, FENCHEL, PENALTY, RIDGE, survey
from bcd._factor_kernels import add_multiple, dot
from bcd._path_kernels import ARRIVED, follow_path, join_support, largest_error
from graphs._jit import kernel


@kernel
def certify_unbounded(b, r, c, x, l1, l2, lower, upper, squares, noise, found):
    """Objective and duality gap as ``bcd.duality.certify`` finds them, no finite bounds but 0."""
    survey(c, x, l1, l2, lower, upper, squares, noise, False, found)
    length = dot(r, r, 0, len(r)) + found[RIDGE]
    inner = dot(b, r, 0, len(r))
    objective = 0.5 * length + found[PENALTY]
    scale = max(inner / length, 0.0) if length > 0.0 else 0.0
    scale = min(scale, found[BOUND])
    gap = max(objective - scale * inner + 0.5 * scale * scale * length, 0.0)
    return objective, min(gap, found[FENCHEL])


@kernel
def _leftover(A, b, x, r, c):
    """Set ``r = b - A' x`` and ``c = A r``."""
    r[:] = b
    for j in range(len(x)):
        if x[j] != 0.0:
            add_multiple(-x[j], A[j], r, 0, len(r))
    for j in range(len(x)):
        c[j] = dot(A[j], r, 0, len(r))


@kernel
def _solve_from(
    A, b, G, q, squares, l1, l2, lower, upper, noise, tol, constants, sweeps, x, r, c, support, s,
    R, trace,
):  # fmt: skip
    """Do as ``solve_whole`` from a point whose ``r`` and ``c = A r`` are known, and leave them so.

    noise : as ``survey`` takes it;  sweeps : whether to start with coordinate descent
    support, s, R : a support, its size and the factor of it, kept
    Returns the size of the support.
    """
    p, (n_sweeps, n_paths, floor, _) = len(q), constants
    found, h = np.empty(4), np.empty(p)
    trace[0] = certify_unbounded(b, r, c, x, l1, l2, lower, upper, squares, noise, found)
    trace[1] = trace[0]
    if trace[0, 1] <= tol:
        return s
    refresh(G, q, x, h)
    counts, best = np.zeros(2, dtype=np.int64), np.inf
    enough = floor * largest_pull(G, q, x)
    if sweeps:
        descend(G, h, x, l1, lower, upper, n_sweeps, 0.0)
    for _ in range(n_paths):
        s = join_support(G, x, l1, lower, upper, support, s, R)
        limit = 20 * p + 100
        status = follow_path(G, h, x, l1, lower, upper, support, s, R, limit, counts)
        s = counts[0]
        refresh(G, q, x, h)
        reached = largest_error(G, h, x, l1, lower, upper)
        if reached <= enough or (status == ARRIVED and reached > 0.5 * best):
            break
        best = min(best, reached)
        if status != ARRIVED:
            descend(G, h, x, l1, lower, upper, n_sweeps, 0.0)
    _leftover(A, b, x, r, c)
    trace[1] = certify_unbounded(b, r, c, x, l1, l2, lower, upper, squares, noise, found)
    return s


@kernel
def _noise(b, rounding):
    return rounding * math.sqrt(dot(b, b, 0, len(b)))


@kernel
def solve_whole(A, b, G, q, squares, l1, l2, lower, upper, tol, constants, x, trace):
    """Go from x to the solution: sweeps, then paths, then the certificate.

    G : (p, p) with l2 on its diagonal
    tol : on the gap; where x is within, it stays
    constants : the sweeps, paths and floor of ``bcd.active_set``, the rounding of ``bcd.duality``
    x : (p,) within the bounds, overwritten
    trace : (2, 2) overwritten: objective and gap at the start and at the end
    """
    p = len(q)
    r, c, noise = np.empty(len(b)), np.empty(p), _noise(b, constants[3])
    support, R = np.empty(p, dtype=np.int64), np.empty((p, p))
    _leftover(A, b, x, r, c)
    _solve_from(
        A, b, G, q, squares, l1, l2, lower, upper, noise, tol, constants, True, x, r, c, support, 0,
        R, trace,
    )  # fmt: skip


@kernel
def follow_whole(A, b, G, q, squares, l1, l2, lower, upper, tol, constants, path, trace):
    """Solve for each penalty of a path in turn, each from the one before.

    G : (p, p) without l2;  l1, l2 : (n_alphas,), alike for all features
    lower, upper : (p,) with 0 between them
    path : (n_alphas, p) overwritten with the solutions
    trace : (n_alphas, 2) overwritten with each one's gap, and whether the one before was not enough
    """
    p = len(q)
    x, r, c, s = np.zeros(p), b.copy(), q.copy(), 0
    noise, ends = _noise(b, constants[3]), np.empty((2, 2))
    support, R = np.empty(p, dtype=np.int64), np.empty((p, p))
    H, weights, shrink = G.copy(), np.empty(p), np.zeros(p)
    for k in range(len(l1)):
        if k == 0 or l2[k] != l2[k - 1]:
            s = 0
            for j in range(p):
                shrink[j], H[j, j] = l2[k], G[j, j] + l2[k]
        weights[:] = l1[k]
        s = _solve_from(
            A, b, H, q, squares, weights, shrink, lower, upper, noise, tol, constants, False,
            x, r, c, support, s, R, ends,
        )  # fmt: skip
        path[k], trace[k, 0] = x, ends[1, 1]
        trace[k, 1] = 0.0 if ends[0, 1] <= tol else 1.0
