"""Pairwise objectives edge by edge: value, gradient and curvatures of differences along edges."""

from __future__ import annotations

import math
from typing import NamedTuple

from numpy.typing import NDArray

from graphs._jit import kernel
from problems.losses import LOGISTIC, Loss, loss_curvature, loss_slope, loss_value

EPSILON = 2.0**-52


class PairwiseArrays(NamedTuple):
    """A pairwise problem as kernels see it; the graph's slots come in opposite pairs."""

    indptr: NDArray  # (n + 1,) int64
    indices: NDArray  # (m,) int32
    weights: NDArray  # (m,) float64, at least 0
    edge: Loss
    node: Loss
    trust: NDArray  # (n,) float64, the weight of each vertex's own term
    target: NDArray  # (n,) float64, finite
    l2: float


@kernel
def edge_value(f, d):
    """Value of an edge's loss at difference d; the logistic one is ``2 log(cosh(d / 2))``."""
    if f.tag == LOGISTIC:
        if abs(d) < 1.0:  # relative precision where differences are small
            return math.log1p(math.sinh(0.5 * d) ** 2)
        return abs(d) + 2.0 * math.log1p(math.exp(-abs(d))) - 2.0 * math.log(2.0)
    return loss_value(f, d, 0.0)


@kernel
def edge_slope(f, d):
    """Return the derivative of an edge's loss, odd in d."""
    if f.tag == LOGISTIC:
        return math.tanh(0.5 * d)
    return loss_slope(f, d, 0.0)


@kernel
def edge_curvature(f, d, mix):
    """Second derivative of an edge's loss, mixed with that of the parabola above it.

    The parabola touches the loss at d and -d, so its curvature is ``slope / d``.
    mix : float from 0 (the second derivative) to 1 (the parabola's)
    """
    own = loss_curvature(f, d, 0.0)
    if f.tag == LOGISTIC:
        own *= 2.0
    if mix == 0.0 or abs(d) < 1e-8:
        return own
    return own + mix * (edge_slope(f, d) / d - own)


@kernel
def node_curvature(f, z, y, mix):
    """Second derivative of a vertex's loss, mixed with that of the parabola above it."""
    own = loss_curvature(f, z, y)
    r = z if f.tag == LOGISTIC else z - y
    if mix == 0.0 or abs(r) < 1e-8:
        return own
    above = math.tanh(0.5 * z) / (2.0 * z) if f.tag == LOGISTIC else loss_slope(f, z, y) / r
    return own + mix * (above - own)


@kernel
def pairwise_gradient(p, x, out):
    """Write the gradient at x; returns the value and two bounds on rounding errors.

    The first is that of the gradient's entries, the second that of the value.

    x, out : (n,) float64; out is overwritten
    """
    value, noise, blur = 0.0, 0.0, 0.0
    for v in range(len(x)):
        out[v] = p.l2 * x[v]
        value += 0.5 * p.l2 * x[v] * x[v]
        if p.trust[v] > 0.0:
            value += p.trust[v] * loss_value(p.node, x[v], p.target[v])
            out[v] += p.trust[v] * loss_slope(p.node, x[v], p.target[v])
    for v in range(len(x)):
        size = p.l2 * abs(x[v])
        if p.trust[v] > 0.0:
            largest = abs(x[v]) + abs(p.target[v])
            bend = node_curvature(p.node, x[v], p.target[v], 1.0)
            size += p.trust[v] * bend * largest
            slope = loss_slope(p.node, x[v], p.target[v])
            blur += p.trust[v] * abs(slope) * largest
        for s in range(p.indptr[v], p.indptr[v + 1]):
            u, w = p.indices[s], p.weights[s]
            d = x[v] - x[u]
            size += w * edge_curvature(p.edge, d, 1.0) * (abs(x[v]) + abs(x[u]))
            if u > v:
                value += w * edge_value(p.edge, d)
                slope = w * edge_slope(p.edge, d)
                out[v] += slope
                out[u] -= slope
                blur += abs(slope) * (abs(x[v]) + abs(x[u]))
        noise = max(noise, size)
    blur += 8.0 * math.sqrt(len(x)) * value  # of a sum's many terms, typically
    return value, EPSILON * noise, EPSILON * blur


@kernel
def pairwise_curvature(p, x, mix, diagonal, link):
    """Write the Hessian at x, or with mix > 0 a matrix between it and that of parabolas above.

    x, diagonal : (n,) float64;  link : (m,) float64, the entry of each slot's edge, at most 0
    diagonal and link are overwritten
    """
    for v in range(len(x)):
        diagonal[v] = p.l2
        if p.trust[v] > 0.0:
            diagonal[v] += p.trust[v] * node_curvature(p.node, x[v], p.target[v], mix)
        for s in range(p.indptr[v], p.indptr[v + 1]):
            bend = p.weights[s] * edge_curvature(p.edge, x[v] - x[p.indices[s]], mix)
            link[s] = -bend
            diagonal[v] += bend
