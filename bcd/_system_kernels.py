"""Sparse symmetric systems as the graph solvers store them: rows split at the diagonal.

Pointers and indices are unsigned: numba then spares the question whether an index counts from the
end, which takes a third off every pass (kNN graph of 1e5 points: 1.0 instead of 1.7 ms).
"""

from __future__ import annotations

import numpy as np

from graphs._jit import kernel, prefetch

FAR_AHEAD, ROWS_AHEAD = 16, 8  # rows by which memory is asked for
LINE = 8  # values in a line of memory
INFINITE = 0x7FF0000000000000  # exponent of infinity and NaN


@kernel
def find_diagonal(indptr, indices, values, bits, middle, diagonal):
    """Look a matrix over: columns ascend within rows, nothing is stored twice.

    bits : (m,) int64, those of ``values``
    middle : (n,) uint32, slot of each diagonal entry;  diagonal : (n,) float64;  both overwritten
    Returns whether all is finite, whether rows can serve as they are (each with its diagonal, no
    zeros stored), and whether an entry off the diagonal is above zero.
    """
    wild, fits, positive = False, True, False
    for v in range(len(diagonal)):
        low, above = np.int64(indptr[v]), np.int64(0)
        for s in range(indptr[v], indptr[v + 1]):
            wild |= (bits[s] & INFINITE) == INFINITE
            fits &= values[s] != 0.0
            above += values[s] > 0.0
            low += indices[s] < v
        middle[v], diagonal[v] = low, 0.0
        if low < indptr[v + 1] and indices[low] == v:
            diagonal[v] = values[low]
            positive |= bool(above > (values[low] > 0.0))
        else:
            fits = False
            positive |= bool(above > 0)
    return not wild, fits, positive


@kernel
def insert_diagonal(indptr, indices, values, diagonal, out_ptr, middle, out_index, out_value):
    """Copy rows with another diagonal, stored zeros left out; columns ascend within rows.

    out_ptr : (n + 1,) uint32, middle : (n,) uint32, out_index, out_value : (m + n,) uint32 and
        float64; overwritten
    Returns the number of entries, and whether one off the diagonal is above zero.
    """
    end, positive = 0, False
    for v in range(len(diagonal)):
        out_ptr[v] = end
        for side in range(2):
            for s in range(indptr[v], indptr[v + 1]):
                u = indices[s]
                if values[s] != 0.0 and ((u > v) if side else (u < v)):
                    out_index[end], out_value[end] = u, values[s]
                    positive |= values[s] > 0.0
                    end += 1
            if side == 0:
                middle[v] = end
                out_index[end], out_value[end] = v, diagonal[v]
                end += 1
    out_ptr[len(diagonal)] = end
    return end, positive


@kernel
def ground(
    indptr, indices, weights, given, labels, rank, out_ptr, middle, out_index, out_value, out_d, b
):
    """Write the Laplacian of the vertices that are not given, and what those given pull with.

    given : (n,) bool;  labels : (n, k) float64, read where given
    rank : (n,) int32, new numbers of the unknowns, ascending, -1 elsewhere
    out_ptr : (m + 1,) uint32, middle : (m,) uint32, out_index, out_value : (nnz + m,) uint32 and
        float64, rows with their diagonal at ``middle``
    out_d : (m,) float64, the diagonal;  b : (m, k) float64;  all overwritten
    Returns the number of entries.
    """
    end = 0
    for v in range(len(rank)):
        i = rank[v]
        if i < 0:
            continue
        out_ptr[i], total, ahead = end, 0.0, True
        for c in range(b.shape[1]):
            b[i, c] = 0.0
        for s in range(indptr[v], indptr[v + 1]):
            u, w = indices[s], weights[s]
            if u == v or w == 0.0:
                continue
            total += w
            if given[u]:
                for c in range(b.shape[1]):
                    b[i, c] += w * labels[u, c]
                continue
            if ahead and u > v:
                middle[i], ahead = end, False
                end += 1
            out_index[end], out_value[end] = rank[u], -w
            end += 1
        if ahead:
            middle[i] = end
            end += 1
        out_index[middle[i]], out_value[middle[i]], out_d[i] = i, total, total
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
def arrange_rows(
    indptr, indices, values, diagonal, order, rank, out_ptr, middle, out_index, out_value
):
    """Copy rows in a new order, each with what is before its diagonal, the diagonal, and the rest.

    diagonal : (n,) float64, what to put on the diagonal
    order : (m,) int32, the old number of each new one;  rank : (n,) int32, the other way round,
        -1 where a vertex is left out
    out_ptr : (m + 1,) uint32, middle : (m,) uint32, out_index, out_value : (nnz + 1,) uint32 and
        float64, overwritten; one slot to spare, as entries are written before they are known to
        belong (a branch that cannot be foreseen costs more)
    Returns the number of entries.
    """
    m, end = len(order), np.int64(0)
    for i in range(m):
        if i + FAR_AHEAD < m:
            prefetch(indptr, np.int64(order[i + FAR_AHEAD]))
            first = np.int64(indptr[order[i + ROWS_AHEAD]])
            prefetch(indices, first)
            prefetch(values, first)
            prefetch(values, min(first + LINE, np.int64(len(values) - 1)))
        v = order[i]
        out_ptr[i] = end
        for s in range(indptr[v], indptr[v + 1]):
            j = rank[indices[s]]
            out_index[end], out_value[end] = j, values[s]
            end += (j >= 0) & (j < i)
        middle[i] = end
        out_index[end], out_value[end] = i, diagonal[v]
        end += 1
        for s in range(indptr[v], indptr[v + 1]):
            j = rank[indices[s]]
            out_index[end], out_value[end] = j, values[s]
            end += j > i
    out_ptr[m] = end
    return end


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
def relative_residual(indptr, indices, values, b, x):
    """Largest ratio over the columns of the norms of b - A x and of b; rows hold the diagonal."""
    n, k = x.shape
    worst = 0.0
    for c in range(k):
        squares, whole = 0.0, 0.0
        for i in range(n):
            rest = b[i, c]
            for s in range(indptr[i], indptr[i + 1]):
                rest -= values[s] * x[indices[s], c]
            squares += rest * rest
            whole += b[i, c] * b[i, c]
        if whole > 0.0:
            worst = max(worst, (squares / whole) ** 0.5)
    return worst
