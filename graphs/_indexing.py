"""Indices that count from the start: numba's test of each for counting from the end left out.

Numba looks at every signed index ``i`` of an array, and where it is negative takes ``i + size``, as
Python does. In loops over sparse rows, whose indices come out of memory, that takes longer than the
product. An unsigned index is taken as it is; so here every integer index of a compiled kernel is
handed on as an unsigned one. Constants keep their meaning: ``a[-1]`` is the last entry.
"""

from numba.core import types
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import FunctionPass, register_pass
from numba.core.ir import Assign, Expr, SetItem
from numba.core.typed_passes import NopythonRewrites
from numba.core.types.containers import UniTuple


@register_pass(mutates_CFG=False, analysis_only=False)
class CountFromStart(FunctionPass):
    """Type the integer indices of array entries, read or written, as unsigned."""

    _name = "count_from_start"

    def __init__(self):
        FunctionPass.__init__(self)

    def run_pass(self, state) -> bool:
        """Change the signatures of what reads or writes entries, to which values are cast."""
        changed = False
        for block in state.func_ir.blocks.values():
            for statement in block.body:
                access = statement.value if isinstance(statement, Assign) else statement
                reads = isinstance(access, Expr) and access.op == "getitem"
                if not reads and not isinstance(access, SetItem):
                    continue
                array, index, *rest = state.calltypes[access].args
                unsigned = _unsigned(index, state.typemap[access.index.name])
                if isinstance(array, types.Array) and unsigned is not None:
                    signature = state.calltypes.pop(access)
                    arguments = (array, unsigned, *rest)
                    state.calltypes[access] = signature.replace(args=arguments)
                    changed = True
        return changed


def _unsigned(kind, given):
    """Return the unsigned twin of an index's type; None where it has none or is a constant."""
    if isinstance(given, types.Literal):
        return None
    if kind == types.intp:
        return types.uintp
    if isinstance(kind, UniTuple) and kind.dtype == types.intp:
        if any(isinstance(part, types.Literal) and part.literal_value < 0 for part in given):
            return None
        return UniTuple(types.uintp, kind.count)
    return None


class KernelCompiler(CompilerBase):
    """Numba's own compiler with ``CountFromStart`` behind its typing."""

    def define_pipelines(self):
        """Return the one pipeline: a kernel either compiles without Python objects or not."""
        passes = DefaultPassBuilder.define_nopython_pipeline(self.state)
        passes.add_pass_after(CountFromStart, NopythonRewrites)
        passes.finalize()
        return [passes]
