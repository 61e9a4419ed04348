"""Quadratic models of a working block with their l1 terms and bounds, minimised by their Gram.

Minimise ``g' d + d' G d / 2 + sum_j l1_j |u_j + d_j|`` over ``lower <= u + d <= upper``. Names:
``G`` (k, k); ``g`` the model's gradient at ``u``, both (k,) and kept up to date in place;
``support`` (k,) int64 the ``s`` coordinates that a Newton step moves; ``scale`` (k,) the square
roots of their curvatures, inverted.
"""

import math

import numpy as np

from bcd._factor_kernels import add_multiple, dot
from bcd._glm_block_kernels import squared_violation, sweep_gram
from graphs._jit import inner_kernel, kernel

N_SWEEPS = 7
RIDGE = 1e-13  # relative; only where the support's columns are linearly dependent


@kernel
def sweep_and_pick(G, g, u, l1, lower, upper, tol, support):
    """Sweep; list the coordinates for a Newton step: neither kept at zero by l1, nor at a bound.

    Returns their number, -1 where the sum of squared violations is at most ``tol``.
    """
    sweep_gram(G, g, u, l1, lower, upper, N_SWEEPS, tol)
    diagonal = np.empty(len(u))
    for j in range(len(u)):
        diagonal[j] = G[j, j]
    if squared_violation(diagonal, g, u, l1, lower, upper) <= tol:
        return -1
    s = 0
    for j in range(len(u)):
        if diagonal[j] > 0.0 and (u[j] != 0.0 or l1[j] == 0.0):
            slope = g[j] + l1[j] * np.sign(u[j])
            if not ((u[j] <= lower[j] and slope >= 0.0) or (u[j] >= upper[j] and slope <= 0.0)):
                support[s] = j
                s += 1
    return s


@kernel
def gather_system(G, g, u, l1, support, s, scale, matrix, rhs):
    """Set ``matrix`` (s, s) and ``rhs`` (at least s,) to the Newton step's, of unit diagonal."""
    for a in range(s):
        j = support[a]
        scale[a] = 1.0 / math.sqrt(max(G[j, j], 1e-300))
        rhs[a] = -scale[a] * (g[j] + l1[j] * np.sign(u[j]))
    for a in range(s):
        row, own = G[support[a]], scale[a]
        for b in range(s):
            matrix[a, b] = own * scale[b] * row[support[b]]


@inner_kernel
def _factor(matrix, s, ridge, L):
    """Factor ``matrix + ridge I = L L'``; return the least pivot, not above zero where it fails."""
    least = np.inf
    for a in range(s):
        row = L[a]
        for b in range(a):
            row[b] = (matrix[a, b] - dot(row, L[b], 0, b)) / L[b, b]
        pivot = matrix[a, a] + ridge - dot(row, row, 0, a)
        if not pivot > 0.0:
            return pivot
        least = min(least, pivot)
        row[a] = math.sqrt(pivot)
    return least


@kernel
def solve_scaled(matrix, s, scale, L, rhs):
    """Solve in place with a unit-diagonal matrix that should be positive definite, then unscale.

    Where it is singular to working precision a ridge as small as will do is added.
    L : (at least s, at least s) scratch
    """
    ridge = 0.0
    while True:
        if _factor(matrix, s, ridge, L) > 0.1 * max(ridge, RIDGE):
            for a in range(s):
                rhs[a] = (rhs[a] - dot(L[a], rhs, 0, a)) / L[a, a]
            for a in range(s - 1, -1, -1):
                rhs[a] /= L[a, a]
                add_multiple(-rhs[a], L[a], rhs, 0, a)
            break
        ridge = max(RIDGE * s, 10.0 * ridge)
        if not ridge < 1e6:
            break
    for a in range(s):
        rhs[a] *= scale[a]


@kernel
def keep_inside(u, lower, upper, support, s, direction):
    """Drop the coordinates at a bound that the step would push out; return how many are left."""
    left = 0
    for a in range(s):
        j, d = support[a], direction[a]
        if not ((u[j] <= lower[j] and d < 0.0) or (u[j] >= upper[j] and d > 0.0)):
            support[left] = j
            left += 1
    return left


@inner_kernel
def _end(u, target, l1, lower, upper):
    """Where a step towards ``target`` has to end: at zero where its sign would change."""
    if u != 0.0 and l1 > 0.0 and u * target <= 0.0:
        target = 0.0
    return min(max(target, lower), upper)


@kernel
def move_support(G, g, u, l1, lower, upper, support, s, direction):
    """Take the step, or what of it descends within signs and bounds; return whether it was whole.

    What would leave its side stops at the end, if that descends; else all stop with the first one.
    """
    change, ahead, whole = np.zeros(len(u)), 0.0, True
    for a in range(s):
        j = support[a]
        end = _end(u[j], u[j] + direction[a], l1[j], lower[j], upper[j])
        whole = whole and end == u[j] + direction[a]
        add_multiple(end - u[j], G[j], change, 0, len(u))
        ahead += (end - u[j]) * g[j] + l1[j] * (abs(end) - abs(u[j]))
    curved, first, least = 0.0, -1, np.inf
    for a in range(s):
        j = support[a]
        end = _end(u[j], u[j] + direction[a], l1[j], lower[j], upper[j])
        curved += (end - u[j]) * change[j]
        if end != u[j] + direction[a] and (end - u[j]) / direction[a] < least:
            first, least = a, (end - u[j]) / direction[a]
    if not whole and ahead + 0.5 * curved >= 0.0:
        change[:] = 0.0
        for a in range(s):
            j = support[a]
            new = u[j] + least * direction[a]
            if a == first:
                new = _end(u[j], u[j] + direction[a], l1[j], lower[j], upper[j])
            add_multiple(new - u[j], G[j], change, 0, len(u))
            u[j] = new
    else:
        for a in range(s):
            j = support[a]
            u[j] = _end(u[j], u[j] + direction[a], l1[j], lower[j], upper[j])
    for j in range(len(u)):
        g[j] += change[j]
    return whole


@kernel
def descend_model(G, g, u, l1, lower, upper, tol, n_steps, n_whole, largest, support):
    """Sweep and take Newton steps until the squared violations are at most ``tol`` in sum.

    n_steps, n_whole : Newton steps at most, and those not cut short by a sign or bound
    Returns 0 when done, or the size of a support above ``largest``, for which a library's
    factorisation pays; that step has not been taken.
    """
    k = min(len(u), largest)
    scale, rhs = np.empty(k), np.empty(k)
    matrix, L = np.empty((k, k)), np.empty((k, k))
    done = 0
    for _ in range(n_steps):
        s = sweep_and_pick(G, g, u, l1, lower, upper, tol, support)
        if s > largest:
            return s
        while s > 0:
            gather_system(G, g, u, l1, support, s, scale, matrix, rhs)
            solve_scaled(matrix, s, scale, L, rhs)
            left = keep_inside(u, lower, upper, support, s, rhs)
            if left == s:
                break
            s = left
        if s <= 0:
            break
        done += move_support(G, g, u, l1, lower, upper, support, s, rhs)
        if done == n_whole:
            break
    return 0
