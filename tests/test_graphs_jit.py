"""The kernel decorator, with and without a place to cache."""

import os
import subprocess
import sys

import numpy as np
import pytest

from graphs._jit import kernel

UNWRITABLE = """
import warnings
from numba.core import caching
caching.CacheImpl._locator_classes = []
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    from graphs._jit import kernel
    @kernel
    def double(x):
        return 2 * x
    @kernel
    def halve(x):
        return x / 2
assert double(21) == 42 and halve(84) == 42
assert [str(w.message)[:34] for w in caught] == ["compiled code cannot be cached: no"], caught
"""


def test_kernel_compiles_without_a_cache_where_no_folder_is_writable():
    done = subprocess.run(
        [sys.executable, "-c", UNWRITABLE],
        capture_output=True,
        text=True,
        env=os.environ,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_kernels_run_as_plain_python_where_the_compiler_is_off():
    code = "from graphs.heap import *; h = make_heap(3); heap_push(h, 2, 0.5); print(heap_pop(h))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
        check=False,
    )
    assert done.stdout.strip() == "2", done.stderr


def test_kernel_divides_as_numpy_does():
    @kernel
    def divide(a, b):
        return a / b

    assert divide(1.0, 0.0) == float("inf")


def test_kernel_lets_other_decoration_errors_through(monkeypatch):
    import numba

    def broken(**_):
        raise RuntimeError("something else")

    monkeypatch.setattr(numba, "njit", broken)
    with pytest.raises(RuntimeError, match="something else"):
        kernel(lambda x: x)


def test_kernels_hand_on_integers_without_compiling_a_copy_for_each_kind():
    @kernel
    def twice(n):
        return 2 * n

    @kernel
    def calls(ids):
        total = twice(3) + twice(-1)  # constants
        for i in ids:
            total += twice(i)  # int32
        return total + twice(len(ids))

    assert calls(np.array([5, -6], np.int32)) == 2 * (3 - 1 + 5 - 6 + 2)
    assert len(twice.signatures) == 1


KERNELS = """
import numpy as np
from graphs._jit import inner_kernel, kernel

@inner_kernel
def square(x):
    return x * x

@kernel
def squares(values):
    out = np.empty_like(values)
    for i in range(len(values)):
        out[i] = square(values[i])
    return out

@kernel
def norm(values):
    return np.sqrt(np.sum(squares(values)))
"""
CALL = """
import sys
import numpy as np
import few_kernels
values = np.array([3.0, 4.0])
assert few_kernels.squares(values).tolist() == [9.0, 16.0]
if sys.argv[1] == "some":
    few_kernels.norm._cache.flush()
assert few_kernels.norm(values) == 5.0
called = few_kernels.squares, few_kernels.norm
compiled = sum(sum(kernel.stats.cache_misses.values()) for kernel in called)
assert compiled == {"none": 0, "some": 1, "all": 2}[sys.argv[1]], compiled
prepared = "numba.typed.dictimpl" in sys.modules  # among what numba imports to compile
assert prepared == bool(compiled), prepared
"""


def test_loading_compiled_code_does_not_prepare_to_compile(tmp_path):
    (tmp_path / "few_kernels.py").write_text(KERNELS)
    paths = [str(tmp_path), *sys.path]
    environment = {
        **os.environ,
        "NUMBA_CACHE_DIR": str(tmp_path / "cache"),
        "PYTHONPATH": os.pathsep.join(paths),
    }
    for compiled in ("all", "none", "some", "none"):
        done = subprocess.run(
            [sys.executable, "-c", CALL, compiled],
            capture_output=True,
            text=True,
            env=environment,
            check=False,
        )
        assert done.returncode == 0, (compiled, done.stderr)
