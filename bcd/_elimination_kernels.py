"""Exact elimination of the trees that hang on a system, values and all in one pass.

A vertex is one record of a table, so that taking a leaf touches two places in memory, its own and
its parent's. Both are asked for ahead, as the queue tells which come next. Fields of a record:

0       neighbours left in the upper half (-1 when taken), their exclusive or in the lower
1       exclusive or of the bits of the links that are left
2       diagonal
3, ...  right-hand sides
"""

from __future__ import annotations

import numpy as np

from graphs._jit import kernel, prefetch

ONE_LEFT = 1 << 32
NUMBER = ONE_LEFT - 1
AHEAD = 24  # steps by which memory is asked for


@kernel
def open_records(indptr, middle, indices, bits, diagonal, b, record, real):
    """Fill the table: record (n, 3 + k) int64, overwritten, and the same memory as float64.

    Rows hold their diagonal at ``middle``, which the exclusive ors leave out by taking it twice.
    """
    for v in range(len(diagonal)):
        around, links = np.int64(v), bits[middle[v]]
        for s in range(indptr[v], indptr[v + 1]):
            around ^= np.int64(indices[s])
            links ^= bits[s]
        degree = np.int64(indptr[v + 1]) - np.int64(indptr[v]) - 1
        record[v, 0] = (degree << 32) | around
        record[v, 1] = links
        real[v, 2] = diagonal[v]
        for c in range(b.shape[1]):
            real[v, 3 + c] = b[v, c]


@kernel
def eliminate_leaves(record, real, vertex, parent, factor, part):
    """Take leaves, in the order in which they become leaves, until none is left.

    vertex, parent : (n,) int32, overwritten: who was taken, and the neighbour left to it, which is
        taken later (-1 at roots)
    factor : (n,) float64, part : (n, k) float64, overwritten: x[vertex] = part - factor x[parent]
    Returns how many were taken, or -1 where a pivot is not above zero.
    """
    n, tail, head = len(record), 0, 0
    for v in range(n):
        if record[v, 0] < 2 * ONE_LEFT:
            vertex[tail] = v
            tail += 1
    while head < tail:
        if head + AHEAD < tail:
            prefetch(record, np.int64(vertex[head + AHEAD]))
            prefetch(record, record[vertex[head + AHEAD // 2], 0] & NUMBER)
        v = vertex[head]
        word, pivot = record[v, 0], real[v, 2]
        if not pivot > 0.0:
            return -1
        inverse = 1.0 / pivot
        for c in range(part.shape[1]):
            part[head, c] = real[v, 3 + c] * inverse
        record[v, 0] = -ONE_LEFT
        if word < ONE_LEFT:
            parent[head], factor[head] = -1, 0.0
        else:
            p, link = word & NUMBER, real[v, 1]
            share = link * inverse
            parent[head], factor[head] = p, share
            left = (record[p, 0] - ONE_LEFT) ^ np.int64(v)
            record[p, 0] = left
            record[p, 1] ^= record[v, 1]
            real[p, 2] -= share * link
            for c in range(part.shape[1]):
                real[p, 3 + c] -= share * real[v, 3 + c]
            if tail < n:  # without a branch on what memory has yet to bring
                vertex[tail] = p
                tail += (left >> 32) == 1
        head += 1
    return tail


@kernel
def restore_leaves(vertex, parent, factor, part, x):
    """Fill the rows of x that ``eliminate_leaves`` took, roots first."""
    for i in range(len(vertex) - 1, -1, -1):
        v, p = vertex[i], max(parent[i], 0)
        if i >= AHEAD:
            prefetch(x, np.int64(vertex[i - AHEAD]))
            prefetch(x, np.int64(max(parent[i - AHEAD], 0)))
        for c in range(x.shape[1]):
            x[v, c] = part[i, c] - factor[i] * x[p, c]
