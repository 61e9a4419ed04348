"""Losses of scores, all samples at once: value, slope and curvature, and how far a dual point is.

Names: ``z`` (n,) scores, ``y`` (n,) targets (-1 or 1 for the logistic loss), ``weight`` (n,) sample
weights, ``slope`` and ``curvature`` (n,) the weighted loss's derivatives in z. The loss is a tag of
``problems.losses`` with its ``parameter``.
"""

import math

import numpy as np

from graphs._jit import kernel, sum_kernel
from problems.losses import HUBER, LOGISTIC, POISSON, SQUARED_HINGE

CHUNK = 512  # samples whose exponentials are taken together, in registers and first-level cache
LOG2E = 1.4426950408889634
LN2_HIGH = 6.93147180369123816490e-01
LN2_LOW = 1.90821492927058770002e-10
OUTLYING = 1e-3  # share of Huber's secant curvature that outliers keep, so that no step is endless
SATISFIED = 1e-6  # share of the squared hinge's curvature that it keeps where it is zero
ROUNDER = 6755399441055744.0  # 1.5 * 2^52: adding it leaves the nearest integer in the low bits


@kernel  # its order of operations is what makes it right, so no sum_kernel may call it
def exp_not_positive(x, shifted, out):
    """Set ``out = exp(x)`` for x <= 0 to the last bits, in loops that the compiler vectorises.

    x, shifted, out : (m,) float64; ``shifted`` is scratch
    """
    m = len(x)
    for i in range(m):
        shifted[i] = max(x[i], -708.0) * LOG2E + ROUNDER
    for i in range(m):
        k = shifted[i] - ROUNDER
        r = (max(x[i], -708.0) - k * LN2_HIGH) - k * LN2_LOW
        p = 1.6059043836821613e-10
        p = p * r + 2.08767569878681e-09
        p = p * r + 2.505210838544172e-08
        p = p * r + 2.755731922398589e-07
        p = p * r + 2.7557319223985893e-06
        p = p * r + 2.48015873015873e-05
        p = p * r + 1.984126984126984e-04
        p = p * r + 1.388888888888889e-03
        p = p * r + 8.333333333333333e-03
        p = p * r + 4.1666666666666664e-02
        p = p * r + 1.6666666666666666e-01
        p = p * r + 0.5
        p = p * r + 1.0
        out[i] = p * r + 1.0
    bits = shifted.view(np.int64)
    for i in range(m):
        bits[i] = (bits[i] << 52) + (1023 << 52)
    for i in range(m):
        out[i] *= shifted[i]


@kernel
def log_one_plus(e):
    """Return log(1 + e) for 0 <= e <= 1, as 2 atanh(e / (2 + e)) by its series."""
    s = e / (2.0 + e)
    q = s * s
    p = 1.0 / 31.0
    p = p * q + 1.0 / 29.0
    p = p * q + 1.0 / 27.0
    p = p * q + 1.0 / 25.0
    p = p * q + 1.0 / 23.0
    p = p * q + 1.0 / 21.0
    p = p * q + 1.0 / 19.0
    p = p * q + 1.0 / 17.0
    p = p * q + 1.0 / 15.0
    p = p * q + 1.0 / 13.0
    p = p * q + 1.0 / 11.0
    p = p * q + 1.0 / 9.0
    p = p * q + 1.0 / 7.0
    p = p * q + 1.0 / 5.0
    p = p * q + 1.0 / 3.0
    p = p * q + 1.0
    return 2.0 * s * p


@sum_kernel
def _sum(values):
    total = 0.0
    for i in range(len(values)):
        total += values[i]
    return total


@kernel
def logistic_losses(z, y, weight, slope, curvature):
    """Fill slopes and curvatures of the logistic loss and return its weighted sum."""
    # loops over few arrays each: of many, the compiler cannot tell that they do not overlap
    x, shifted, e, margin = np.empty(CHUNK), np.empty(CHUNK), np.empty(CHUNK), np.empty(CHUNK)
    total = 0.0
    for start in range(0, len(z), CHUNK):
        m = min(CHUNK, len(z) - start)
        for i in range(m):
            margin[i] = y[start + i] * z[start + i]
            x[i] = -abs(margin[i])
        exp_not_positive(x[:m], shifted[:m], e[:m])
        for i in range(m):
            x[i] = log_one_plus(e[i]) + max(-margin[i], 0.0)
        for i in range(m):
            p = 1.0 / (1.0 + e[i])
            small = e[i] * p  # the less likely label's probability
            shifted[i] = small * p
            e[i] = small if margin[i] > 0.0 else p
        for i in range(m):
            x[i] *= weight[start + i]
        for i in range(m):
            slope[start + i] = -weight[start + i] * y[start + i] * e[i]
        for i in range(m):
            curvature[start + i] = weight[start + i] * shifted[i]
        total += _sum(x[:m])
    return total


@kernel
def evaluate_losses(tag, parameter, z, y, weight, slope, curvature):
    """Fill slopes and curvatures at ``z`` and return the weighted sum of the losses.

    The value is infinite or NaN where a Poisson score overflows.
    """
    if tag == LOGISTIC:
        return logistic_losses(z, y, weight, slope, curvature)
    total = 0.0
    if tag == POISSON:
        for i in range(len(z)):
            mean = math.exp(z[i])
            total += weight[i] * (mean - y[i] * z[i])
            slope[i] = weight[i] * (mean - y[i])
            curvature[i] = weight[i] * mean
        return total
    if tag == SQUARED_HINGE:
        for i in range(len(z)):
            slack = max(1.0 - y[i] * z[i], 0.0)
            total += weight[i] * 0.5 * slack * slack
            slope[i] = -weight[i] * y[i] * slack
            curvature[i] = weight[i] if slack > 0.0 else weight[i] * SATISFIED
        return total
    for i in range(len(z)):  # HUBER
        r = z[i] - y[i]
        inside = abs(r) <= parameter
        if inside:
            total += weight[i] * 0.5 * r * r
            slope[i] = weight[i] * r
        else:
            total += weight[i] * parameter * (abs(r) - 0.5 * parameter)
            slope[i] = weight[i] * math.copysign(parameter, r)
        curvature[i] = weight[i] if inside else weight[i] * OUTLYING * parameter / abs(r)
    return total


@kernel
def scaled_distance(scale, weight, slope, curvature):
    """Return :func:`dual_distance` of the logistic loss at ``scale * slope``, scale from 0 to 1.

    With p the less wanted label's probability the relative entropy of ``scale p`` and p is
    ``scale p log(scale) + (1 - scale p) log(1 + (1 - scale) p / (1 - p))``.
    """
    term, ratio = np.empty(CHUNK), np.empty(CHUNK)
    log_scale = math.log(scale) if scale > 0.0 else 0.0
    total = 0.0
    for start in range(0, len(weight), CHUNK):
        m = min(CHUNK, len(weight) - start)
        for i in range(m):  # loops without sums, which the compiler vectorises
            s, h = weight[start + i], curvature[start + i]
            p = abs(slope[start + i]) / max(s, 1e-300)
            ratio[i] = (1.0 - scale) * p * abs(slope[start + i]) / max(h, 1e-300)
            log = log_one_plus(min(ratio[i], 1.0))
            term[i] = max(s * (scale * p * log_scale + (1.0 - scale * p) * log), 0.0)
        largest = 0.0
        for i in range(m):
            largest = max(largest, ratio[i])
        if largest > 1.0:
            for i in range(m):
                if ratio[i] > 1.0:
                    s = weight[start + i]
                    p = abs(slope[start + i]) / s
                    log = (1.0 - scale * p) * math.log1p(ratio[i])
                    term[i] = max(s * (scale * p * log_scale + log), 0.0)
        total += _sum(term[:m])
    return total


@kernel
def dual_distance(tag, parameter, z, y, weight, dual):
    """Sum of ``loss(z) + conjugate(dual) - z dual``: zero where the dual point is the slope.

    dual : (n,) a dual point, in units of the weighted slope; infinite where it is not feasible
    """
    total = 0.0
    for i in range(len(z)):
        if weight[i] == 0.0:
            continue
        v = dual[i] / weight[i]
        if tag == LOGISTIC:
            # relative entropy of the dual probability u of the other label and the model's q
            u = -y[i] * v
            if not -1e-15 <= u <= 1.0 + 1e-15:
                return np.inf
            u = min(max(u, 0.0), 1.0)
            margin = y[i] * z[i]
            e = math.exp(-abs(margin))
            q = e / (1.0 + e) if margin > 0.0 else 1.0 / (1.0 + e)
            rest = 1.0 / (1.0 + e) if margin > 0.0 else e / (1.0 + e)
            left = u * math.log1p((u - q) / q) if u > 0.0 and q > 0.0 else 0.0
            right = (1.0 - u) * math.log1p((q - u) / rest) if u < 1.0 and rest > 0.0 else 0.0
            total += weight[i] * max(left + right, 0.0)
        elif tag == POISSON:
            mean = math.exp(z[i])
            u = v + y[i]
            if u < 0.0:
                return np.inf
            term = u * math.log1p((u - mean) / mean) if u > 0.0 and mean > 0.0 else 0.0
            total += weight[i] * max(term - u + mean, 0.0)
        elif tag == SQUARED_HINGE:
            u, slack = -y[i] * v, 1.0 - y[i] * z[i]
            if u < 0.0:
                return np.inf
            away = u - slack if slack > 0.0 else u
            total += weight[i] * (0.5 * away * away - (0.0 if slack > 0.0 else u * slack))
        elif tag == HUBER:
            if abs(v) > parameter * (1.0 + 1e-15):
                return np.inf
            r = z[i] - y[i]
            loss = 0.5 * r * r if abs(r) <= parameter else parameter * (abs(r) - 0.5 * parameter)
            if abs(r) <= parameter:
                total += weight[i] * 0.5 * (v - r) ** 2
            else:
                total += weight[i] * max(loss + 0.5 * v * v - v * r, 0.0)
    return total
