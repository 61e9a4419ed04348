"""The one door to numba: every compiled function of the project goes through ``kernel``."""

import functools
import warnings
from collections.abc import Callable
from typing import TypeVar

import numba
from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import cgutils, types
from numba.core.caching import FunctionCache
from numba.core.runtime import rtsys
from numba.core.types.misc import unliteral
from numba.extending import intrinsic

from graphs._indexing import KernelCompiler

F = TypeVar("F", bound=Callable)

OPTIONS = {"nogil": True, "error_model": "numpy", "pipeline_class": KernelCompiler}


# Without reference counts functions of many arrays compile in half the time, and are called faster.
LEAN_OPTIONS = {"_nrt": False, "no_cfunc_wrapper": True}
# Only kernels call these: they need no wrapper for Python either.
INNER_OPTIONS = LEAN_OPTIONS | {"no_cpython_wrapper": True}
# Handing over many arrays takes longer than what a loop over a short row does with them.
INLINE_OPTIONS = INNER_OPTIONS | {"forceinline": True}
NARROW = (types.int8, types.int16, types.int32)
ANY_ORDER = {"fastmath": {"reassoc", "contract", "arcp", "nsz"}}


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
    return _compile(function, OPTIONS | ANY_ORDER)


def inner_sum_kernel(function: F) -> F:
    """Compile an ``inner_kernel`` whose sums may be taken in any order; see ``sum_kernel``."""
    return _compile(function, OPTIONS | INNER_OPTIONS | ANY_ORDER)


def inline_kernel(function: F) -> F:
    """Compile an ``inner_kernel`` into those that call it: for short ones in hot loops."""
    return _compile(function, OPTIONS | INLINE_OPTIONS)


def inline_sum_kernel(function: F) -> F:
    """Compile an ``inline_kernel`` whose sums may be taken in any order; see ``sum_kernel``."""
    return _compile(function, OPTIONS | INLINE_OPTIONS | ANY_ORDER)


def _compile(function: F, options: dict) -> F:
    dispatcher = numba.njit(**options)(function)
    if numba.config.DISABLE_JIT:  # plain Python, for debuggers and coverage
        return dispatcher
    try:
        dispatcher._cache = _Cache(function)
    except RuntimeError as error:
        if "no locator available" not in str(error):
            raise
        _warn_uncached()
    return _few_signatures(dispatcher)


class _Cache(FunctionCache):
    """Loads compiled code without making numba ready to compile, which takes a fifth of a second.

    Numba prepares its contexts before it loads as before it compiles, though what was compiled asks
    for its runtime alone. It prepares them again itself when there is something to compile.
    """

    def load_overload(self, sig, target_context):
        rtsys.initialize(target_context)
        with self._guard_against_spurious_io_errors():
            return self._load_overload(sig, target_context)


def _few_signatures(dispatcher):
    """Let kernels hand on any integer as an int64, a constant too: each would compile a copy."""
    typed = dispatcher.get_call_template

    def widened(kinds, named):
        return typed([_widen(kind) for kind in kinds], named)

    dispatcher.get_call_template = widened
    return dispatcher


def _widen(kind):
    kind = unliteral(kind)
    return types.int64 if kind in NARROW else kind


@functools.cache  # once a process, not once a kernel
def _warn_uncached() -> None:
    warnings.warn(
        "compiled code cannot be cached: no writable cache folder, so every process compiles anew; "
        "set NUMBA_CACHE_DIR to a writable folder.",
        RuntimeWarning,
        stacklevel=5,
    )


@intrinsic
def prefetch(typing_context, array, i):
    """Fetch the line of ``array[i]``, or of a row's first entry, some steps before it is needed.

    A walk that jumps through memory otherwise waits at each jump. ``i`` is an int64 within bounds.
    """

    def generate(context, builder, signature, arguments):
        kind = signature.args[0]
        source = context.make_array(kind)(context, builder, arguments[0])
        zero = ir.Constant(arguments[1].type, 0)
        place = [arguments[1]] + [zero] * (kind.ndim - 1)
        address = cgutils.get_item_pointer(context, builder, kind, source, place)
        address = builder.bitcast(address, ir.IntType(8).as_pointer())
        word = ir.IntType(32)
        called = ir.FunctionType(ir.VoidType(), [address.type, word, word, word])
        function = cgutils.get_or_insert_function(builder.module, called, "llvm.prefetch.p0")
        to_read, keep, data = ir.Constant(word, 0), ir.Constant(word, 3), ir.Constant(word, 1)
        builder.call(function, [address, to_read, keep, data])
        return context.get_dummy_value()

    return types.void(array, types.intp), generate


@intrinsic
def larger(typing_context, a, b):
    """Return the larger of two float64, neither of them NaN: loops that use it run eight abreast.

    ``max`` must say which of two it returns where one is NaN, which ties compilers to one at a
    time. With NaN the answer is either; so its callers stop at values that are not finite.
    """

    def generate(context, builder, signature, arguments):
        licence = ("nnan", "nsz")
        above = builder.fcmp_ordered(">", *arguments, flags=licence)
        return builder.select(above, *arguments, flags=licence)

    return types.float64(types.float64, types.float64), generate
