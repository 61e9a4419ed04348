r"""Losses of linear models, chosen by an integer tag so that no kernel is compiled per loss.

With z = a'x the model's score of a sample and y its target::

    SQUARES        (z - y)^2 / 2                          curvature <= 1
    LOGISTIC       log(1 + exp(-y z)),  y = -1 or 1       curvature <= 1/4
    HUBER          quadratic within delta, then linear    curvature <= 1
    SQUARED_HINGE  max(0, 1 - y z)^2 / 2                  curvature <= 1
    POISSON        exp(z) - y z                           no bound: line search only
    MULTINOMIAL    log(sum_c exp(z_c)) - z_y              Boehning: (I - 11'/k) / 2
    CUSTOM         three compiled functions of the user
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numba
import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba.extending import intrinsic

from graphs._jit import kernel

SQUARES, LOGISTIC, HUBER, SQUARED_HINGE, POISSON, MULTINOMIAL, CUSTOM, NO_LOSS = range(8)

CURVATURE_BOUND = {
    SQUARES: 1.0,
    LOGISTIC: 0.25,
    HUBER: 1.0,
    SQUARED_HINGE: 1.0,
    POISSON: np.inf,
    MULTINOMIAL: 0.5,
}


class Loss(NamedTuple):
    """A loss as kernels see it: a tag, its parameter, and the user's functions' addresses."""

    tag: int
    parameter: float  # Huber's delta, in units of y
    value: int = 0  # addresses of numba.cfunc float64(float64 z, float64 y), for CUSTOM
    slope: int = 0
    curvature: int = 0


@intrinsic
def _call(typing_context, address, z, y):
    """Call the compiled function at an address; an address keeps the kernels' signature one."""

    def codegen(context, builder, signature, arguments):
        double = ir.DoubleType()
        pointer = ir.FunctionType(double, [double, double]).as_pointer()
        return builder.call(builder.inttoptr(arguments[0], pointer), arguments[1:])

    return numba.types.float64(numba.types.int64, numba.types.float64, numba.types.float64), codegen


@kernel
def loss_value(f, z, y):
    """Value of a scalar loss at score z for target y."""
    loss, parameter = f.tag, f.parameter
    if loss == CUSTOM:
        return _call(f.value, z, y)
    if loss == SQUARES:
        return 0.5 * (z - y) * (z - y)
    if loss == LOGISTIC:
        m = y * z
        return math.log1p(math.exp(-m)) if m > 0.0 else math.log1p(math.exp(m)) - m
    if loss == HUBER:
        r = abs(z - y)
        return 0.5 * r * r if r <= parameter else parameter * (r - 0.5 * parameter)
    if loss == SQUARED_HINGE:
        slack = max(0.0, 1.0 - y * z)
        return 0.5 * slack * slack
    return math.exp(z) - y * z


@kernel
def loss_slope(f, z, y):
    """Return the derivative of a scalar loss in z."""
    loss, parameter = f.tag, f.parameter
    if loss == CUSTOM:
        return _call(f.slope, z, y)
    if loss == SQUARES:
        return z - y
    if loss == LOGISTIC:
        m = y * z
        if m > 0.0:
            e = math.exp(-m)
            return -y * e / (1.0 + e)
        return -y / (1.0 + math.exp(m))
    if loss == HUBER:
        return min(parameter, max(-parameter, z - y))
    if loss == SQUARED_HINGE:
        return -y * max(0.0, 1.0 - y * z)
    return math.exp(z) - y


@kernel
def loss_curvature(f, z, y):
    """Second derivative of a scalar loss in z, a generalised one where it has kinks."""
    loss, parameter = f.tag, f.parameter
    if loss == CUSTOM:
        return _call(f.curvature, z, y)
    if loss == SQUARES:
        return 1.0
    if loss == LOGISTIC:
        e = math.exp(-abs(z))
        return e / ((1.0 + e) * (1.0 + e))
    if loss == HUBER:
        return 1.0 if abs(z - y) <= parameter else 0.0
    if loss == SQUARED_HINGE:
        return 1.0 if y * z < 1.0 else 0.0
    return math.exp(z)


@kernel
def softmax_row(z, label, out):
    """Probabilities minus the label's indicator, into ``out``; returns the row's loss."""
    top = z[0]
    for c in range(1, len(z)):
        top = max(top, z[c])
    total = 0.0
    for c in range(len(z)):
        out[c] = math.exp(z[c] - top)
        total += out[c]
    for c in range(len(z)):
        out[c] /= total
    out[label] -= 1.0
    return math.log(total) + top - z[label]
