"""Sparse symmetric systems as the graph solvers store them: rows split at the diagonal."""

from __future__ import annotations

import numpy as np

from graphs._jit import kernel, prefetch

AHEAD = 48  # slots by which memory is asked for


@kernel
def ground(indptr, indices, weights, given, labels, rank, out_ptr, out_index, out_value, out_d, b):
    """Write the Laplacian of the vertices that are not given, and what those given pull with.

    given : (n,) bool;  labels : (n, k) float64, read where given
    rank : (n,) int32, new numbers of the unknowns, -1 elsewhere
    out_ptr : (m + 1,) int32, out_index, out_value : (nnz,) int32 and float64, off the diagonal
    out_d : (m,) float64, the diagonal;  b : (m, k) float64;  all overwritten
    Returns the number of entries off the diagonal.
    """
    end = 0
    for v in range(len(rank)):
        i = rank[v]
        if i < 0:
            continue
        out_ptr[i], out_d[i] = end, 0.0
        for c in range(b.shape[1]):
            b[i, c] = 0.0
        for s in range(indptr[v], indptr[v + 1]):
            u, w = indices[s], weights[s]
            if u == v or w == 0.0:
                continue
            out_d[i] += w
            if given[u]:
                for c in range(b.shape[1]):
                    b[i, c] += w * labels[u, c]
            else:
                out_index[end], out_value[end] = rank[u], -w
                end += 1
    out_ptr[len(out_d)] = end
    return end


@kernel
def reach(indptr, indices, weights, reached, queue):
    """Mark what edges of positive weight connect to the vertices that are marked already.

    reached : (n,) bool, changed in place;  queue : (n,) int32, overwritten
    """
    tail = 0
    for v in range(len(reached)):
        if reached[v]:
            queue[tail] = v
            tail += 1
    head = 0
    while head < tail:
        v = queue[head]
        head += 1
        for s in range(indptr[v], indptr[v + 1]):
            u = indices[s]
            if not reached[u] and weights[s] != 0.0:
                reached[u] = True
                queue[tail] = u
                tail += 1


@kernel
def split_rows(indptr, indices, values, order, rank, out_ptr, middle, out_index, out_value):
    """Copy off-diagonal entries in a new order: each row first what is left of the diagonal.

    order : (m,) int32, the old number of each new one;  rank : (n,) int32, the other way round,
        -1 where a vertex is left out
    out_ptr : (m + 1,) int32, middle : (m,) int32, out_index, out_value : (nnz,) int32 and float64,
        overwritten
    Returns the number of entries, negative where one of them is above zero.
    """
    end, positive = 0, False
    for i in range(len(order)):
        v = order[i]
        out_ptr[i] = end
        begin, stop = indptr[v], indptr[v + 1]
        for s in range(begin, stop):
            j = rank[indices[s]]
            if 0 <= j < i:
                out_index[end], out_value[end] = j, values[s]
                end += 1
        middle[i] = end
        for s in range(begin, stop):
            j = rank[indices[s]]
            if j > i:
                out_index[end], out_value[end] = j, values[s]
                positive = positive or values[s] > 0.0
                end += 1
    out_ptr[len(order)] = end
    return -end if positive else end


@kernel
def ball_depth(indptr, indices, start, size, queue, seen):
    """Count the steps from ``start`` until ``size`` vertices (or all there are) are met.

    queue : (n,) int32, overwritten;  seen : (n,) bool, all False on entry
    """
    queue[0] = start
    seen[start] = True
    head, tail, depth = 0, 1, 0
    while head < tail and tail < size:
        depth += 1
        for k in range(head, tail):
            v = queue[k]
            for s in range(indptr[v], indptr[v + 1]):
                u = indices[s]
                if not seen[u]:
                    seen[u] = True
                    queue[tail] = u
                    tail += 1
            head += 1
    return depth


@kernel
def relative_residual(indptr, indices, values, diagonal, b, x):
    """Largest ratio over the columns of the norms of b - A x and of b."""
    n, k = x.shape
    last, worst = len(indices) - 1, 0.0
    for c in range(k):
        squares, whole = 0.0, 0.0
        for i in range(n):
            rest = b[i, c] - diagonal[i] * x[i, c]
            for s in range(indptr[i], indptr[i + 1]):
                prefetch(x, np.int64(indices[min(s + AHEAD, last)]))
                rest -= values[s] * x[indices[s], c]
            squares += rest * rest
            whole += b[i, c] * b[i, c]
        if whole > 0.0:
            worst = max(worst, (squares / whole) ** 0.5)
    return worst
