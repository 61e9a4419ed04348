"""Coordinate Newton steps on the logistic losses themselves, over sparse columns.

Names: ``data, indices, indptr`` a matrix in compressed sparse column form; ``state`` (n, 4) of each
sample, side by side in memory: slope, curvature, ``exp(-y z)`` (the odds of the label that it has
not), and ``weight * y``.
"""

import math

import numpy as np

from bcd._penalty_kernels import feasible_scale, fenchel_gap
from graphs._jit import inner_kernel, kernel

FARTHEST = 1.0  # that a step may move any score, whose curvature changes at most e-fold by it
SMALLEST, LARGEST = 1e-300, 1e300  # odds; what they stop short of is found when z is made anew
UNKNOWN, ONE_VALUE, MANY_VALUES = 0, 1, 2  # of a column


@inner_kernel
def _settle(state, i, odds):
    odds = min(max(odds, SMALLEST), LARGEST)
    p = 1.0 / (1.0 + odds)
    share = odds * p
    state[i, 0] = -state[i, 3] * share
    state[i, 1] = abs(state[i, 3]) * share * p
    state[i, 2] = odds


@kernel
def start_sweeps(z, y, weight, state):
    """Fill ``state`` for scores ``z``."""
    for i in range(len(z)):
        state[i, 3] = weight[i] * y[i]
        _settle(state, i, math.exp(min(max(-y[i] * z[i], -600.0), 600.0)))


@kernel
def shift_all(state):
    """Take a Newton step in the intercept; return it."""
    total, curvature = 0.0, 0.0
    for i in range(len(state)):
        total += state[i, 0]
        curvature += state[i, 1]
    if not curvature > 0.0:
        return 0.0
    step = min(max(-total / curvature, -FARTHEST), FARTHEST)
    up, down = math.exp(step), math.exp(-step)
    for i in range(len(state)):
        _settle(state, i, state[i, 2] * (down if state[i, 3] > 0.0 else up))
    return step


@inner_kernel
def _pull_of_column(data, indices, first, last, kind, state):
    """Return gradient and curvature along a column, its largest size, and what it holds."""
    g, h, largest = 0.0, 0.0, 0.0
    if first == last:
        return g, h, largest, MANY_VALUES
    v = data[first]
    if kind == ONE_VALUE:
        for e in range(first, last):
            i = indices[e]
            g += state[i, 0]
            h += state[i, 1]
        return v * g, v * v * h, abs(v), kind
    changes = 0
    for e in range(first, last):
        i = indices[e]
        changes += data[e] != v
        v = np.float64(data[e])
        g += v * state[i, 0]
        h += v * v * state[i, 1]
        largest = max(largest, abs(v))
    return g, h, largest, MANY_VALUES if changes else ONE_VALUE


@inner_kernel
def _move_column(data, indices, first, last, kind, step, state):
    v = np.float64(data[first])
    up = math.exp(step * v)
    down = 1.0 / up
    if kind == ONE_VALUE:
        for e in range(first, last):
            i = indices[e]
            _settle(state, i, state[i, 2] * (down if state[i, 3] > 0.0 else up))
        return
    for e in range(first, last):
        if data[e] != v:
            v = np.float64(data[e])
            up = math.exp(step * v)
            down = 1.0 / up
        i = indices[e]
        _settle(state, i, state[i, 2] * (down if state[i, 3] > 0.0 else up))


@kernel
def sweep_logistic(data, indices, indptr, kinds, columns, state, x, gradient, l1, l2, lower, upper):
    """Step in each of some columns to the minimum of its own quadratic model, in a box.

    No score moves by more than FARTHEST in a step, so that each step descends.

    kinds : (p,) int8, what is known of the columns' values, kept up to date
    columns : (k,) int32, in the order of the steps;  x : (p,), moved, as ``state`` is
    gradient : (p,) overwritten for these columns: of the losses, as the step found it
    Returns twice the decrease that the models promise.
    """
    promised = 0.0
    for j in columns:
        first, last = indptr[j], indptr[j + 1]
        g, h, largest, kinds[j] = _pull_of_column(data, indices, first, last, kinds[j], state)
        gradient[j] = g
        g += l2[j] * x[j]
        h += l2[j]
        if not h > 0.0:
            continue
        target, new = h * x[j] - g, 0.0
        if target > l1[j]:
            new = (target - l1[j]) / h
        elif target < -l1[j]:
            new = (target + l1[j]) / h
        step = min(max(new, lower[j]), upper[j]) - x[j]
        if largest * abs(step) > FARTHEST:
            step = math.copysign(FARTHEST / largest, step)
        if step == 0.0:
            continue
        promised += step * step * h
        x[j] += step
        if first < last:
            _move_column(data, indices, first, last, kinds[j], step, state)
    return promised


@kernel
def gap_of_sweep(columns, gradient, x, l1, l2, lower, upper, state, intercept):
    """Estimate the duality gap on some columns from the pulls that a sweep found.

    The arrays have an entry a feature; every one of the columns has a penalty.
    """
    k = len(columns)
    pull, at, own = np.empty(k), np.empty(k), np.empty((4, k))
    for a in range(k):
        j = columns[a]
        pull[a], at[a] = -gradient[j], x[j]
        own[0, a], own[1, a], own[2, a], own[3, a] = l1[j], l2[j], lower[j], upper[j]
    scale = feasible_scale(pull, own[0], own[1], own[2], own[3])
    gap = fenchel_gap(scale, pull, at, own[0], own[1], own[2], own[3], np.zeros(k))
    if scale < 1.0:
        far = 0.0
        for i in range(len(state)):
            size = abs(state[i, 0])
            far += min(size * size / max(state[i, 1], 1e-300), size)
        gap += 0.5 * (1.0 - scale) ** 2 * far
    if intercept:
        total, curvature = 0.0, 0.0
        for i in range(len(state)):
            total += state[i, 0]
            curvature += state[i, 1]
        gap += total * total / max(curvature, 1e-300)
    return gap
