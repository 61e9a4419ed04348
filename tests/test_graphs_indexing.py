"""Indices of compiled kernels: counted from the start only, but for constants."""

import numba
import numpy as np
import pytest

from graphs._indexing import KernelCompiler
from graphs._jit import kernel


def _checked(function):
    return numba.njit(pipeline_class=KernelCompiler, boundscheck=True)(function)


def _read(a, i):
    return a[i]


def _write(a, i):
    a[i] = 7.0


def _add(a, i):
    a[i] += 1.0


def _corner(m, i, j):
    return m[i, j]


@pytest.mark.parametrize("function", [_read, _write, _add])
@pytest.mark.parametrize("kind", [np.int64, np.int32, np.int8])
def test_a_computed_index_does_not_count_from_the_end(function, kind):
    a = np.arange(4.0)
    compiled = _checked(function)
    compiled(a, kind(3))
    for i in (-1, -4, 4):
        with pytest.raises(IndexError, match="out of bounds"):
            compiled(a, kind(i))


@pytest.mark.parametrize("place", [(-1, 0), (0, -1), (3, 0), (0, 2)])
def test_no_index_of_several_counts_from_the_end(place):
    m = np.arange(6.0).reshape(3, 2)
    compiled = _checked(_corner)
    assert compiled(m, 2, 1) == 5.0
    with pytest.raises(IndexError, match="out of bounds"):
        compiled(m, *place)


def test_constants_and_slices_keep_their_meaning():
    @kernel
    def ends(a, m, i):
        m[i, -1] += 10.0
        a[-2] += 1.0
        return a[-1], m[-1, i], m[i, -1], a[-i:].sum(), a[np.array([-1, 0])].sum()

    m = np.arange(6.0).reshape(3, 2)
    assert ends(np.arange(4.0), m, 1) == (3.0, 5.0, 13.0, 3.0, 3.0)


def test_rows_views_and_records_of_arrays_are_read_as_before():
    @kernel
    def gather(matrix, pairs, rows, out):
        for k in range(len(rows)):
            row = matrix[rows[k]]
            for j in range(len(row)):
                out[k] += row[j] * pairs[0][rows[k]] * pairs[1][k]

    rng = np.random.default_rng(0)
    matrix, first, second = rng.random((4, 3)), rng.random(4), rng.random(2)
    rows, out = np.array([3, 1], np.int32), np.zeros(2)
    gather(matrix, (first, second), rows, out)
    np.testing.assert_allclose(out, matrix[rows].sum(axis=1) * first[rows] * second)


def test_entries_of_sparse_rows_are_read_without_a_test_of_their_sign():
    def combine(value, index, x):
        total = 0.0
        for slot in range(len(value)):
            total += value[slot] * x[index[slot]]
        return total

    arguments = (np.ones(3), np.array([0, 2, 1], np.int32), np.ones(3))

    def tests_of_sign(options):
        compiled = numba.njit(**options)(combine)
        assert compiled(*arguments) == 3.0
        (code,) = compiled.inspect_llvm().values()
        return code.count("icmp slt i32") + code.count("icmp slt i64")

    plain, ours = tests_of_sign({}), tests_of_sign({"pipeline_class": KernelCompiler})
    assert ours < plain
