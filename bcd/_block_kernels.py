"""Small dense problems on one block: factorise, solve, largest eigenvalue, penalised quadratic."""

import math

import numpy as np

from graphs._jit import inner_kernel, kernel
from problems.penalties import minimum_norm_subgradient, penalty_value, prox

JITTER = 1e-13  # relative ridge under pivots that rounding has made non-positive
MAX_SWEEPS = 200


@kernel
def factorize(H, m, factor):
    """Cholesky factor of ``H[:m, :m]``; pivots lost to rounding are lifted to a tiny ridge."""
    for i in range(m):
        for j in range(i + 1):
            total = H[i, j]
            for k in range(j):
                total -= factor[i, k] * factor[j, k]
            if i == j:
                floor = JITTER * max(H[i, i], 1e-290)
                factor[i, i] = math.sqrt(max(total, floor))
            else:
                factor[i, j] = total / factor[j, j]


@inner_kernel
def solve_factored(factor, m, rhs, out):
    """Solve with a Cholesky factor; returns ``rhs' H^-1 rhs``."""
    energy = 0.0
    for i in range(m):
        total = rhs[i]
        for k in range(i):
            total -= factor[i, k] * out[k]
        out[i] = total / factor[i, i]
        energy += out[i] * out[i]
    for i in range(m - 1, -1, -1):
        total = out[i]
        for k in range(i + 1, m):
            total -= factor[k, i] * out[k]
        out[i] = total / factor[i, i]
    return energy


@inner_kernel
def largest_eigenvalue(H, m, start, v, w):
    """Power iteration from ``start``: L with ``start' H start <= L |start|^2`` at the least.

    Rayleigh quotients of a positive semidefinite H only grow along the iteration; the residual's
    length is added at the end, so that the value is not below the eigenvalue it approaches.
    """
    norm = 0.0
    for i in range(m):
        norm += start[i] * start[i]
    norm = math.sqrt(norm)
    for i in range(m):
        v[i] = start[i] / norm if norm > 0.0 else 1.0 / math.sqrt(m)
    value = residual = 0.0
    for _ in range(100):
        value = length = 0.0
        for i in range(m):
            total = 0.0
            for j in range(m):
                total += H[i, j] * v[j]
            w[i] = total
            value += total * v[i]
            length += total * total
        residual = math.sqrt(max(0.0, length - value * value))
        if residual <= 1e-3 * value or length == 0.0:
            break
        length = math.sqrt(length)
        for i in range(m):
            v[i] = w[i] / length
    return value + residual


@inner_kernel
def block_kkt(H, m, g, d, u, Hd, l1, l2, lower, upper):
    """Largest minimum-norm subgradient of the penalised block quadratic at u + d."""
    worst = 0.0
    for i in range(m):
        s = minimum_norm_subgradient(g[i] + Hd[i], u[i] + d[i], l1, l2, lower[i], upper[i])
        worst = max(worst, abs(s))
    return worst


@inner_kernel
def coordinate_sweep(H, m, g, u, l1, l2, lower, upper, d, Hd):
    """Minimise over each coordinate of the block in turn; returns the largest scaled move."""
    largest = 0.0
    for i in range(m):
        curvature = H[i, i]
        if not curvature > 0.0:
            continue
        old = u[i] + d[i]
        slope = g[i] + Hd[i]
        new = prox(old - slope / curvature, 1.0 / curvature, l1, l2, lower[i], upper[i])
        move = new - old
        if move != 0.0:
            d[i] = new - u[i]
            for j in range(m):
                Hd[j] += H[i, j] * move
            largest = max(largest, abs(move) * curvature)
    return largest


@inner_kernel
def free_newton(H, m, g, u, l1, l2, lower, upper, d, Hd, factor, sub, vectors, index):
    """Newton step on the coordinates that are free at u + d, cut at the first sign change.

    The coordinate that is met first lands exactly on its bound or zero. Returns whether the full
    step was taken.
    """
    n_free = 0
    for i in range(m):
        value = u[i] + d[i]
        if value > lower[i] and value < upper[i] and (value != 0.0 or l1 == 0.0):
            index[n_free] = i
            n_free += 1
    if n_free == 0:
        return True
    rhs, move = vectors[4], vectors[5]
    for a in range(n_free):
        i = index[a]
        value = u[i] + d[i]
        sign = 1.0 if value > 0.0 else -1.0
        rhs[a] = -(g[i] + Hd[i] + l2 * value + (l1 * sign if l1 > 0.0 else 0.0))
        for b in range(n_free):
            sub[a, b] = H[i, index[b]]
        sub[a, a] += l2
    factorize(sub, n_free, factor)
    solve_factored(factor, n_free, rhs, move)
    length, hit, target = 1.0, -1, 0.0
    for a in range(n_free):
        i = index[a]
        value = u[i] + d[i]
        least, most = lower[i], upper[i]
        if l1 > 0.0:
            if value > 0.0:
                least = max(least, 0.0)
            else:
                most = min(most, 0.0)
        if value + move[a] < least:
            fraction = (least - value) / move[a]
            if fraction < length:
                length, hit, target = fraction, a, least
        elif value + move[a] > most:
            fraction = (most - value) / move[a]
            if fraction < length:
                length, hit, target = fraction, a, most
    for a in range(n_free):
        i = index[a]
        d[i] = (target - u[i]) if a == hit else d[i] + length * move[a]
    for j in range(m):
        total = 0.0
        for i in range(m):
            total += H[j, i] * d[i]
        Hd[j] = total
    return hit < 0


@inner_kernel
def solve_block_quadratic(H, m, g, u, l1, l2, lower, upper, d, factor, sub, vectors, index):
    """Minimise ``g'd + d'Hd / 2 + penalty(u + d)`` over a block, to the last bits.

    Coordinate sweeps find the signs, Newton steps on the free coordinates finish; ``d`` is
    overwritten with the step. ``vectors`` is (6, m) scratch, ``sub`` and ``factor`` (m, m).
    """
    Hd, scale = vectors[3], 1e-300
    for i in range(m):
        d[i] = 0.0
        Hd[i] = 0.0
        scale = max(scale, abs(g[i]))
    previous = np.inf
    for sweep in range(MAX_SWEEPS):
        coordinate_sweep(H, m, g, u, l1, l2, lower, upper, d, Hd)
        if sweep % 2 == 1:
            continue
        for _ in range(m + 1):
            if free_newton(H, m, g, u, l1, l2, lower, upper, d, Hd, factor, sub, vectors, index):
                break
        worst = block_kkt(H, m, g, d, u, Hd, l1, l2, lower, upper)
        if worst <= 1e-14 * scale or (worst >= previous and worst <= 1e-10 * scale):
            return
        previous = worst


@inner_kernel
def penalty_change(u, d, m, l1, l2):
    """Return ``penalty(u + d) - penalty(u)`` of a block, bounds left aside."""
    total = 0.0
    for i in range(m):
        total += penalty_value(u[i] + d[i], l1, l2) - penalty_value(u[i], l1, l2)
    return total
