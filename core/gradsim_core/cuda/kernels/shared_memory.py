"""What threads of a block do together: they count in shared memory, wait for each other, and add to common numbers.

Only integers are added, so the order does not matter.
"""

from __future__ import annotations

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic
from numba.np.arrayobj import make_array, populate_array

from gradsim_core.lanes.ptx import call
from gradsim_core.lanes.vector_type import Lanes

WINDOW = 4096
"""Most bins of a histogram that a block counts in shared memory."""

_SHARED = 3  # LLVM's number of the address space
_WORD = ir.IntType(32)


@intrinsic
def shared_window(typing_context):
    """``shared_window()``: the block's array of WINDOW + 1 int32, uninitialised."""
    kind = types.int32[::1]

    def build(context, builder, sig, args):
        words = ir.ArrayType(_WORD, WINDOW + 1)
        window = cgutils.add_global_variable(builder.module, words, "window", addrspace=_SHARED)
        window.linkage, window.initializer = "internal", ir.Constant(words, ir.Undefined)
        data = builder.addrspacecast(builder.bitcast(window, _WORD.as_pointer(_SHARED)), _WORD.as_pointer())
        view, number = make_array(kind)(context, builder), lambda n: context.get_constant(types.intp, n)
        shape, size = [number(WINDOW + 1)], number(4)
        populate_array(view, data=data, shape=shape, strides=[size], itemsize=size, meminfo=None)
        return view._getvalue()

    return kind(), build


@intrinsic
def synchronise_block(typing_context):
    """``synchronise_block()``: wait until all threads of the block are here, and see what they have written."""

    def build(context, builder, sig, args):
        call(builder, "llvm.nvvm.barrier0", ir.VoidType())
        return context.get_dummy_value()

    return types.none(), build


def _atomic(operation: str):
    @intrinsic
    def change(typing_context, array, index, value):
        def build(context, builder, sig, args):
            data = make_array(sig.args[0])(context, builder, args[0]).data
            builder.atomic_rmw(operation, builder.gep(data, [args[1]]), args[2], "monotonic")
            return context.get_dummy_value()

        if isinstance(value, Lanes):
            return types.none(array, types.intp, value), build
        return types.none(array, types.intp, array.dtype), build

    return change


add_at = _atomic("add")
"""``add_at(array, i, value)``: add an integer to array[i], or each lane its own."""
lower_at = _atomic("min")
"""``lower_at(array, i, value)``: the same with the smaller of both."""
raise_at = _atomic("max")
"""``raise_at(array, i, value)``: the same with the greater of both."""


@intrinsic
def count_at(typing_context, array, indices):
    """``count_at(array, indices)``: add 1 at each lane's own index."""

    def build(context, builder, sig, args):
        data = make_array(sig.args[0])(context, builder, args[0]).data
        one = context.get_constant(sig.args[0].dtype, 1)
        builder.atomic_rmw("add", builder.gep(data, [args[1]]), one, "monotonic")
        return context.get_dummy_value()

    return types.none(array, indices), build
