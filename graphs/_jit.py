"""The one door to numba: every compiled function of the project goes through ``kernel``."""

import functools
import warnings
from collections.abc import Callable
from typing import TypeVar

import numba

F = TypeVar("F", bound=Callable)

OPTIONS = {"nogil": True, "error_model": "numpy"}


# Without reference counts functions of many arrays compile in half the time, and are called faster.
LEAN_OPTIONS = {"_nrt": False, "no_cfunc_wrapper": True}
# Only kernels call these: they need no wrapper for Python either.
INNER_OPTIONS = LEAN_OPTIONS | {"no_cpython_wrapper": True}


def lean_kernel(function: F) -> F:
    """Compile a kernel that allocates nothing, nor calls what does; see ``kernel``.

    Expressions of whole arrays allocate: such a kernel writes its loops out.
    """
    return _compile(function, OPTIONS | LEAN_OPTIONS)


def inner_kernel(function: F) -> F:
    """Compile a kernel that only kernels call and that allocates nothing; see ``lean_kernel``."""
    return _compile(function, OPTIONS | INNER_OPTIONS)


def kernel(function: F) -> F:
    """Compile a serial kernel over plain arrays: GIL released, cached on disk, numpy's division.

    Where no cache folder is writable (a read-only installation without a home), numba refuses to
    decorate at all; kernels are then compiled anew in each process instead of failing the import.
    """
    return _compile(function, OPTIONS)


def sum_kernel(function: F) -> F:
    """Compile a kernel whose sums may be taken in any order; NaN and infinity keep their meaning.

    What it calls is compiled with the same licence (numba hands the caller's options down), so it
    must call nothing whose order of operations matters.
    """
    return _compile(function, OPTIONS | {"fastmath": {"reassoc", "contract", "arcp", "nsz"}})


def _compile(function: F, options: dict) -> F:
    try:
        return numba.njit(cache=True, **options)(function)
    except RuntimeError as error:
        if "no locator available" not in str(error):
            raise
        _warn_uncached()
        return numba.njit(**options)(function)


@functools.cache  # once a process, not once a kernel
def _warn_uncached() -> None:
    warnings.warn(
        "compiled code cannot be cached: no writable cache folder, so every process compiles anew; "
        "set NUMBA_CACHE_DIR to a writable folder.",
        RuntimeWarning,
        stacklevel=5,
    )
