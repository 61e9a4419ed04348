"""The indexed heap against a plain dictionary, its order checked after every operation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphs.heap import (
    ARITY,
    heap_clear,
    heap_peek,
    heap_pop,
    heap_push,
    heap_push_or_update,
    heap_rebuild,
    heap_remove,
    heap_update,
    make_heap,
)

pytestmark = pytest.mark.kernel

N = 24
KEYS = st.one_of(st.integers(0, 6).map(float), st.floats(allow_nan=False))
OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from(["push", "set", "set", "remove", "remove", "pop", "rebuild", "clear"]),
        st.integers(0, N - 1),
        KEYS,
    ),
    max_size=120,
)


def assert_in_order(heap, expected):
    size = int(heap.size[0])
    queued = heap.order[:size]
    assert sorted(queued.tolist()) == sorted(expected)
    for place, v in enumerate(queued):
        assert heap.position[v] == place
        assert heap.key[v] == expected[v]
        if place:
            assert heap.key[queued[(place - 1) // ARITY]] <= heap.key[v]
    absent = np.setdiff1d(np.arange(N), queued)
    assert (heap.position[absent] == -1).all()


@given(OPERATIONS)
def test_heap_agrees_with_a_dictionary_after_every_operation(operations):
    heap, expected = make_heap(N), {}
    for name, v, key in operations:
        if name == "push":
            if v not in expected:
                heap_push(heap, v, key)
                expected[v] = key
            else:
                heap_update(heap, v, key)
                expected[v] = key
        elif name == "set":
            heap_push_or_update(heap, v, key)
            expected[v] = key
        elif name == "remove":
            heap_remove(heap, v)
            expected.pop(v, None)
        elif name == "pop":
            popped = heap_pop(heap)
            assert (popped == -1) == (not expected)
            if expected:
                assert expected.pop(popped) == min([*expected.values(), heap.key[popped]])
        elif name == "rebuild":
            for u in expected:
                expected[u] = heap.key[u] = -heap.key[u] + (u * 7) % 5
            heap_rebuild(heap)
        else:
            heap_clear(heap)
            expected.clear()
        assert_in_order(heap, expected)
        least = heap_peek(heap)
        assert (least == -1) if not expected else (expected[least] == min(expected.values()))


def test_remove_moves_the_filling_vertex_up_where_its_branch_had_larger_keys():
    heap = make_heap(N)
    for v, key in enumerate([0, 10, 1, 1, 1, 11, 12, 13, 14, 2]):  # the last sits below vertex 2
        heap_push(heap, v, float(key))
    heap_remove(heap, 5)  # vertex 9 (key 2) must not stay below vertex 1 (key 10)
    assert_in_order(heap, {v: heap.key[v] for v in (0, 1, 2, 3, 4, 6, 7, 8, 9)})
    assert heap_pop(heap) == 0
    assert [heap.key[heap_pop(heap)] for _ in range(8)] == [1, 1, 1, 2, 10, 12, 13, 14]


@pytest.mark.parametrize("seed", range(20))
def test_every_vertex_of_a_full_heap_can_be_removed_in_any_order(seed):
    rng = np.random.default_rng(seed)
    heap, expected = make_heap(N), {}
    for v in range(N):
        expected[v] = float(rng.integers(40))
        heap_push(heap, v, expected[v])
    for v in rng.permutation(N):  # those inside leave a hole that is filled from below
        heap_remove(heap, v)
        del expected[v]
        assert_in_order(heap, expected)


@pytest.mark.parametrize("n", [-1, 2.5, "a", None, True])
def test_a_heap_needs_a_number_of_vertices(n):
    with pytest.raises(ValueError, match="n must be an integer of at least 0, got"):
        make_heap(n)
