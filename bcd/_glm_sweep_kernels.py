"""Coordinate Newton steps on the logistic losses themselves, over a sparse working block.

Names: ``ptr, index, value`` the block's columns; ``odds`` (n,) of the label that a sample has not,
``exp(-y z)``; ``state`` (n, 2) each sample's slope and curvature, side by side in memory.
"""

import math

from graphs._jit import inner_kernel, kernel

FARTHEST = 1.0  # that a step may move any score, whose curvature changes at most e-fold by it


@inner_kernel
def _settle(y, weight, odds, state, i):
    p = 1.0 / (1.0 + odds[i])
    share = odds[i] * p
    state[i, 0] = -weight[i] * y[i] * share
    state[i, 1] = weight[i] * share * p


@kernel
def _shift_all(y, weight, odds, state):
    """Take a Newton step in the intercept; return it."""
    total, curvature = 0.0, 0.0
    for i in range(len(odds)):
        total += state[i, 0]
        curvature += state[i, 1]
    if not curvature > 0.0:
        return 0.0
    step = min(max(-total / curvature, -FARTHEST), FARTHEST)
    up, down = math.exp(step), math.exp(-step)
    for i in range(len(odds)):
        odds[i] *= down if y[i] > 0.0 else up
        _settle(y, weight, odds, state, i)
    return step


@kernel
def sweep_logistic(
    ptr,
    index,
    value,
    y,
    weight,
    odds,
    state,
    x,
    l1,
    l2,
    lower,
    upper,
    intercept,
    n_sweeps,
):
    """Step in each coordinate to the minimum of its own quadratic model, by turns, in a box.

    odds, x : at the start; kept up to date, as ``state`` is, which is filled first
    intercept : whether one is fitted
    Returns its change.
    """
    moved = 0.0
    for i in range(len(odds)):
        _settle(y, weight, odds, state, i)
    for _ in range(n_sweeps):
        if intercept:
            moved += _shift_all(y, weight, odds, state)
        for j in range(len(x)):
            g, h, largest = l2[j] * x[j], l2[j], 0.0
            for e in range(ptr[j], ptr[j + 1]):
                v = value[e]
                g += v * state[index[e], 0]
                h += v * v * state[index[e], 1]
                largest = max(largest, abs(v))
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
            x[j] += step
            last, up, down = 0.0, 1.0, 1.0
            for e in range(ptr[j], ptr[j + 1]):
                if value[e] != last:
                    last = value[e]
                    up = math.exp(step * last)
                    down = 1.0 / up
                i = index[e]
                odds[i] *= down if y[i] > 0.0 else up
                _settle(y, weight, odds, state, i)
    return moved
