"""Duality gaps, screening and greedy scores of separable penalties, one pass over the features.

Names: ``c = A' r`` (k,); ``x, l1, l2, lower, upper, squares`` (k,) as in ``bcd.separable``, squares
being the squared lengths of the columns; ``pull = c - l2 x``.
"""

import math

import numpy as np

from graphs._jit import inner_kernel, lean_kernel, sum_kernel

UNPENALISED = 1e100
PENALTY, RIDGE, BOUND, FENCHEL = range(4)  # entries of what ``survey`` finds


@inner_kernel
def conjugate(c, l1, l2, lower, upper):
    """Largest ``c u - l1 |u| - l2 u^2 / 2`` over ``lower <= u <= upper``; may be infinite."""
    excess = abs(c) - l1
    if l2 > 0.0:
        u = math.copysign(max(excess, 0.0) / l2, c)
        u = min(max(u, lower), upper)
        return c * u - l1 * abs(u) - 0.5 * l2 * u * u
    best = 0.0 if lower <= 0.0 <= upper else -np.inf
    if upper < np.inf:
        best = max(best, c * upper - l1 * abs(upper))
    elif excess > 0.0 and c > 0.0:
        return np.inf
    if lower > -np.inf:
        best = max(best, c * lower - l1 * abs(lower))
    elif excess > 0.0 and c < 0.0:
        return np.inf
    return best


@lean_kernel
def bounded(lower, upper):
    """Tell whether there are finite bounds other than 0."""
    for j in range(len(lower)):
        low, high = lower[j], upper[j]
        if (low != 0.0 and low > -np.inf) or (high != 0.0 and high < np.inf):
            return True
    return False


@lean_kernel
def survey(c, x, l1, l2, lower, upper, squares, noise, boxed, found):
    """Sum up what a duality gap needs.

    noise : times a column's length, below which a pull on an unpenalised coordinate is a rounding
        error
    boxed : whether there are finite bounds other than 0
    found : (4,) overwritten: sum of l1 |x|; sum of l2 x^2; the largest multiple of the residual
        that is dual feasible; the sum of Fenchel-Young gaps at the residual itself
    """
    penalty, ridge, bound, fenchel = 0.0, 0.0, np.inf, 0.0
    for j in range(len(c)):
        u, weight = x[j], l1[j]
        size = abs(c[j])
        if u == 0.0 and size < weight and size * bound <= weight and not boxed:
            continue  # as most features
        pull = c[j] - l2[j] * u
        if u != 0.0:
            penalty += weight * abs(u)
            ridge += l2[j] * u * u
        if (pull > 0.0 and upper[j] == np.inf) or (pull < 0.0 and lower[j] == -np.inf):
            size = abs(pull)
            unpenalised = noise * math.sqrt(squares[j]) if weight == 0.0 else 0.0
            if size * bound > weight and size > unpenalised:
                bound = weight / size
        if u != 0.0 or abs(c[j]) > weight or lower[j] > 0.0 or upper[j] < 0.0:
            cost = weight * abs(u) + 0.5 * l2[j] * u * u - c[j] * u
            fenchel += max(cost + conjugate(c[j], weight, l2[j], lower[j], upper[j]), 0.0)
    found[PENALTY], found[RIDGE], found[BOUND], found[FENCHEL] = penalty, ridge, bound, fenchel


@lean_kernel
def scaled_conjugates(scale, c, x, l1, l2, lower, upper):
    """Sum of the penalties' conjugates at ``scale * pull``, and its derivative in ``scale``.

    The l2 terms count as rows below A, so only l1 and the bounds have conjugates here.
    """
    total, slope = 0.0, 0.0
    for j in range(len(c)):
        pull = c[j] - l2[j] * x[j]
        value = scale * pull
        best, at = (0.0, 0.0) if lower[j] <= 0.0 <= upper[j] else (-np.inf, 0.0)
        if upper[j] < np.inf and value * upper[j] - l1[j] * abs(upper[j]) > best:
            best, at = value * upper[j] - l1[j] * abs(upper[j]), upper[j]
        if lower[j] > -np.inf and value * lower[j] - l1[j] * abs(lower[j]) > best:
            best, at = value * lower[j] - l1[j] * abs(lower[j]), lower[j]
        total += best
        slope += pull * at
    return total, slope


@lean_kernel
def keep_active(scale, radius, c, x, l1, l2, lower, upper, squares, in_block, columns):
    """Drop the columns that the gap-safe sphere proves to be zero; return how many stay.

    columns : (k,) int32, the features in question; those that stay are moved to its front, and c
        likewise; those in the block always stay
    """
    kept = 0
    for k in range(len(columns)):
        j = np.uint64(columns[k])
        pull = scale * (c[k] - l2[j] * x[j])
        reach = radius * math.sqrt(squares[j] + l2[j])
        high = upper[j] > 0.0 and pull + reach >= l1[j]
        low = lower[j] < 0.0 and reach - pull >= l1[j]
        if high or low or x[j] != 0.0 or lower[j] > 0.0 or upper[j] < 0.0 or in_block[j]:
            columns[kept], c[kept] = columns[k], c[k]
            kept += 1
    return kept


@lean_kernel
def violating_zeros(c, x, l1, lower, upper, squares, in_block, columns, place, ratio):
    """List the features at zero that violate their optimality condition, and warm ones outside.

    place : (k,) int32, ratio : (k,) overwritten: where in ``columns`` each stands; the multiple of
        its penalty at which it stops violating, infinite where it is not zero; beyond UNPENALISED
        where there is no l1 penalty, in the order of what an exact update would gain
    Returns how many there are.
    """
    n = 0
    for k in range(len(columns)):
        j = np.uint64(columns[k])
        pull = c[k]
        if x[j] != 0.0:
            if not in_block[j]:
                place[n], ratio[n] = k, np.inf
                n += 1
            continue
        if abs(pull) > l1[j] and (upper[j] > 0.0 if pull > 0.0 else lower[j] < 0.0):
            weight = l1[j] if l1[j] > 0.0 else math.sqrt(squares[j]) / UNPENALISED**2
            place[n], ratio[n] = k, abs(pull) / weight
            n += 1
    return n


@sum_kernel
def gap_between(share, b, r, other_r, c, other_c, x, other_x, support, columns, l1, l2):
    """Objective and duality gap at ``(1 - share) x + share other_x``, all penalties alike.

    b, r, other_r : (n,);  c, other_c : (k,) ``A[:, columns]' r`` and the same of other_r
    x, other_x : (p,), zero outside ``support`` (s,);  l1, l2 : float, l1 above 0
    """
    keep, length, inner = 1.0 - share, 0.0, 0.0
    for i in range(len(r)):
        left = keep * r[i] + share * other_r[i]
        length += left * left
        inner += b[i] * left
    a0, a1, a2, a3, k = 0.0, 0.0, 0.0, 0.0, len(c)
    for j in range(0, k - k % 4, 4):  # four maxima at a time do not wait for each other
        a0 = max(a0, abs(keep * c[j] + share * other_c[j]))
        a1 = max(a1, abs(keep * c[j + 1] + share * other_c[j + 1]))
        a2 = max(a2, abs(keep * c[j + 2] + share * other_c[j + 2]))
        a3 = max(a3, abs(keep * c[j + 3] + share * other_c[j + 3]))
    for j in range(k - k % 4, k):
        a0 = max(a0, abs(keep * c[j] + share * other_c[j]))
    largest, size, ridge = max(max(a0, a1), max(a2, a3)), 0.0, 0.0
    if l2 > 0.0:
        largest = 0.0
        for j in range(k):
            value = keep * x[columns[j]] + share * other_x[columns[j]]
            largest = max(largest, abs(keep * c[j] + share * other_c[j] - l2 * value))
    for a in range(len(support)):
        value = keep * x[support[a]] + share * other_x[support[a]]
        size += abs(value)
        ridge += value * value
    length += l2 * ridge
    scale = max(inner / length, 0.0) if length > 0.0 else 0.0
    if scale * largest > l1:
        scale = l1 / largest
    objective = 0.5 * length + l1 * size
    return objective, max(objective - scale * inner + 0.5 * scale * scale * length, 0.0)
