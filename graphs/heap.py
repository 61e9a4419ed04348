"""One indexed priority queue for the whole house: a 4-ary min-heap over vertex ids.

A max-heap is the same heap over negated keys. Keys stay readable after a vertex has left.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from graphs._jit import inner_kernel, lean_kernel

ARITY = 4
ABSENT = -1


class IndexedHeap(NamedTuple):
    """The arrays of a heap; they travel into kernels together.

    Attributes
    ----------
    order : ndarray of shape (n,), int32
        ``order[:size[0]]`` are the queued vertices in heap order.
    position : ndarray of shape (n,), int32
        Where each vertex stands in ``order``; -1 when it is not queued.
    key : ndarray of shape (n,), float64
        Never NaN for a queued vertex.
    size : ndarray of shape (1,), int64
    """

    order: NDArray[np.int32]
    position: NDArray[np.int32]
    key: NDArray[np.float64]
    size: NDArray[np.int64]


def make_heap(n: int) -> IndexedHeap:
    """Return an empty heap over the vertices ``0 .. n - 1``.

    Raises
    ------
    ValueError
        If ``n`` is no integer or below zero.

    Examples
    --------
    >>> heap = make_heap(3)
    >>> heap_push(heap, 2, 0.5); heap_push(heap, 0, 0.1)
    >>> heap_pop(heap), heap_peek(heap)
    (0, 2)
    """
    if not isinstance(n, int | np.integer) or isinstance(n, bool) or n < 0:
        raise ValueError(f"n must be an integer of at least 0, got {n!r}.")
    return IndexedHeap(
        order=np.empty(n, dtype=np.int32),
        position=np.full(n, ABSENT, dtype=np.int32),
        key=np.full(n, np.inf),
        size=np.zeros(1, dtype=np.int64),
    )


@inner_kernel
def _sift_up(heap, place):
    v = heap.order[place]
    key = heap.key[v]
    while place > 0:
        above = (place - 1) // ARITY
        u = heap.order[above]
        if heap.key[u] <= key:
            break
        heap.order[place] = u
        heap.position[u] = place
        place = above
    heap.order[place] = v
    heap.position[v] = place


@inner_kernel
def _sift_down(heap, place):
    n = heap.size[0]
    v = heap.order[place]
    key = heap.key[v]
    while True:
        first = ARITY * place + 1
        if first >= n:
            break
        least = first
        least_key = heap.key[heap.order[first]]
        for child in range(first + 1, min(first + ARITY, n)):
            child_key = heap.key[heap.order[child]]
            if child_key < least_key:
                least, least_key = child, child_key
        if least_key >= key:
            break
        u = heap.order[least]
        heap.order[place] = u
        heap.position[u] = place
        place = least
    heap.order[place] = v
    heap.position[v] = place


@lean_kernel
def heap_push(heap, v, key):
    """Queue a vertex that is not queued."""
    place = heap.size[0]
    heap.size[0] = place + 1
    heap.order[place] = v
    heap.key[v] = key
    _sift_up(heap, place)


@lean_kernel
def heap_update(heap, v, key):
    """Give a queued vertex a new key, smaller or larger."""
    smaller = key < heap.key[v]
    heap.key[v] = key
    if smaller:
        _sift_up(heap, heap.position[v])
    else:
        _sift_down(heap, heap.position[v])


@lean_kernel
def heap_push_or_update(heap, v, key):
    """Queue a vertex, or give it a new key when it is queued."""
    if heap.position[v] >= 0:
        heap_update(heap, v, key)
    else:
        heap_push(heap, v, key)


@lean_kernel
def heap_remove(heap, v):
    """Take a queued vertex out, from wherever it stands; nothing happens when it is not queued."""
    place = heap.position[v]
    if place < 0:
        return
    heap.position[v] = ABSENT
    last = heap.size[0] - 1
    heap.size[0] = last
    if place == last:
        return
    u = heap.order[last]
    heap.order[place] = u
    heap.position[u] = place
    # the vertex that fills the hole comes from another branch, so it may have to go either way
    _sift_up(heap, place)
    _sift_down(heap, heap.position[u])


@lean_kernel
def heap_peek(heap):
    """Return a queued vertex with the smallest key, or -1 when the heap is empty."""
    if heap.size[0] == 0:
        return ABSENT
    return heap.order[0]


@lean_kernel
def heap_pop(heap):
    """Take out and return a queued vertex with the smallest key, or -1 when the heap is empty."""
    if heap.size[0] == 0:
        return ABSENT
    v = heap.order[0]
    heap.position[v] = ABSENT
    last = heap.size[0] - 1
    heap.size[0] = last
    if last > 0:
        u = heap.order[last]
        heap.order[0] = u
        heap.position[u] = 0
        _sift_down(heap, 0)
    return v


@lean_kernel
def heap_rebuild(heap):
    """Restore the order in O(size) after keys of queued vertices were changed in place."""
    n = heap.size[0]
    for place in range(n):
        heap.position[heap.order[place]] = place
    for place in range((n - 2) // ARITY, -1, -1):
        _sift_down(heap, place)


@lean_kernel
def heap_clear(heap):
    """Take all vertices out, in O(size)."""
    for place in range(heap.size[0]):
        heap.position[heap.order[place]] = ABSENT
    heap.size[0] = 0
