"""Hessian blocks of a linear model's losses, or their constant bounds, in compiled code.

Symbols as in ``_linear_kernels``: ``z = A x`` scores, ``slope`` the derivative of the loss in z,
k scores a sample; coordinate ``i`` belongs to column ``i // k`` of A and to score ``i % k``.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from graphs._jit import inner_kernel, kernel
from problems._linear_kernels import DENSE, QUADRATIC, SPARSE_QUADRATIC, fast_dot
from problems.losses import MULTINOMIAL, loss_curvature


class HessianWork(NamedTuple):
    """Scratch of :func:`hessian_block`; all zeros between calls but for ``link`` to ``entry``.

    The entries of a sparse block are chained by row: entry q > 0 is ``entry[q - 1]`` of place
    ``place[q - 1]`` in the block, ``link[q - 1]`` the entry before it in its row, 0 where none is.
    """

    dense: NDArray[np.float64]  # (max(2 n_samples, n_coordinates),)
    head: NDArray[np.int32]  # (n_samples,) last entry of each row
    link: NDArray[np.int32]  # (entries of the block,)
    place: NDArray[np.int32]
    entry: NDArray[np.float64]


def make_hessian_work(n_samples: int, n_coordinates: int, n_entries: int) -> HessianWork:
    """Scratch for blocks of at most ``n_entries`` entries of a sparse A."""
    return HessianWork(
        dense=np.zeros(max(2 * n_samples, n_coordinates)),
        head=np.zeros(n_samples, np.int32),
        link=np.zeros(n_entries, np.int32),
        place=np.zeros(n_entries, np.int32),
        entry=np.zeros(n_entries),
    )


@kernel
def all_curvatures(loss, z, target, out):
    """Second derivative of a scalar loss at every score; ``out`` (n_samples,) is overwritten."""
    for r in range(len(z)):
        out[r] = loss_curvature(loss, z[r], target[r])


@inner_kernel
def class_weight(bound, k, label, r, c, d, slope):
    """Second derivative of sample r's multinomial loss in its scores c and d, or its bound."""
    same = 1.0 if c == d else 0.0
    if bound:
        return 0.5 * (same - 1.0 / k)
    probability_c = slope[r * k + c] + (1.0 if c == label else 0.0)
    probability_d = slope[r * k + d] + (1.0 if d == label else 0.0)
    return probability_c * (same - probability_d)


@inner_kernel
def dense_hessian(problem, bound, block, z, slope, curvature, scratch, H):
    """Fill the lower half of the block of a dense A: one dot product of columns a pair."""
    m, k, n = len(block), problem.n_scores, len(problem.target)
    columns, loss, target = problem.columns, problem.loss, problem.target
    weight, weighted = scratch[:n], scratch[n : 2 * n]
    if loss.tag != MULTINOMIAL:
        for r in range(n):
            weight[r] = curvature if bound else loss_curvature(loss, z[r], target[r])
    for a in range(m):
        left, c = columns[block[a] // k], block[a] % k
        if loss.tag != MULTINOMIAL:
            for r in range(n):
                weighted[r] = weight[r] * left[r]
        for b in range(a + 1):
            d = block[b] % k
            if loss.tag == MULTINOMIAL:
                for r in range(n):
                    share = class_weight(bound, k, int(target[r]), r, c, d, slope)
                    weighted[r] = share * left[r]
            H[a, b] = fast_dot(columns[block[b] // k], weighted)
    for r in range(2 * n):
        scratch[r] = 0.0


@inner_kernel
def sparse_hessian(problem, bound, block, z, slope, curvature, work, H):
    """Fill the lower half of the block of a sparse A: one product for each pair in a row.

    Each entry of the block meets those of its row that came before it, chained by row.
    """
    m, k = len(block), problem.n_scores
    pointer, index, value = problem.col_ptr, problem.col_index, problem.col_value
    loss, target = problem.loss, problem.target
    weight, head, link, place, entry = work.dense, work.head, work.link, work.place, work.entry
    q = 0
    for a in range(m):
        for b in range(a + 1):
            H[a, b] = 0.0
        j, c = block[a] // k, block[a] % k
        for e in range(pointer[j], pointer[j + 1]):
            r = index[e]
            if head[r] == 0 and loss.tag != MULTINOMIAL:
                weight[r] = curvature if bound else loss_curvature(loss, z[r], target[r])
            link[q], place[q], entry[q] = head[r], a, value[e]
            q += 1
            head[r] = q
            other = q
            if loss.tag == MULTINOMIAL:
                while other > 0:
                    b = place[other - 1]
                    d = block[b] % k
                    share = class_weight(bound, k, int(target[r]), r, c, d, slope)
                    H[a, b] += share * value[e] * entry[other - 1]
                    other = link[other - 1]
            else:
                weighted = weight[r] * value[e]
                while other > 0:
                    H[a, place[other - 1]] += weighted * entry[other - 1]
                    other = link[other - 1]
    for a in range(m):
        j = block[a] // k
        for e in range(pointer[j], pointer[j + 1]):
            head[index[e]] = 0
            weight[index[e]] = 0.0


@kernel
def hessian_block(problem, bound, block, z, slope, curvature, work, H):
    """Hessian of the loss on a block, or its constant bound, into ``H[:m, :m]``.

    bound : whether the loss's curvature bound ``curvature`` takes the place of its curvature
    work : HessianWork
    """
    m = len(block)
    if problem.kind == QUADRATIC:
        for a in range(m):
            for b in range(m):
                H[a, b] = problem.columns[block[a], block[b]]
        return
    if problem.kind == SPARSE_QUADRATIC:
        pointer, index, value = problem.col_ptr, problem.col_index, problem.col_value
        scratch = work.dense
        for a in range(m):
            begin, end = pointer[block[a]], pointer[block[a] + 1]
            for e in range(begin, end):
                scratch[index[e]] = value[e]
            for b in range(m):
                H[a, b] = scratch[block[b]]
            for e in range(begin, end):
                scratch[index[e]] = 0.0
        return
    if problem.kind == DENSE:
        dense_hessian(problem, bound, block, z, slope, curvature, work.dense, H)
    else:
        sparse_hessian(problem, bound, block, z, slope, curvature, work, H)
    for a in range(m):
        for b in range(a):
            H[b, a] = H[a, b]
