"""Where a thread stands in a launch, and its part of an array, for kernels of the PTX target."""

from __future__ import annotations

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic
from numba.np.arrayobj import make_array, populate_array

from gradsim_core.lanes.ptx import call

_WORD, _LONG = ir.IntType(32), ir.IntType(64)


def _special_register(name: str):
    @intrinsic
    def read(typing_context):
        def build(context, builder, sig, args):
            return builder.zext(call(builder, f"llvm.nvvm.read.ptx.sreg.{name}", _WORD), _LONG)

        return types.int64(), build

    return read


thread_index = _special_register("tid.x")
block_index = _special_register("ctaid.x")
block_size = _special_register("ntid.x")


def _part(typing_context, array, start, count):
    def build(context, builder, sig, args):
        kind = sig.args[0]
        whole, view = make_array(kind)(context, builder, args[0]), make_array(kind)(context, builder)
        size = context.get_constant(types.intp, context.get_abi_sizeof(context.get_data_type(kind.dtype)))
        data = builder.gep(whole.data, [args[1]])
        populate_array(view, data=data, shape=[args[2]], strides=[size], itemsize=size, meminfo=None)
        return view._getvalue()

    return array(array, types.intp, types.intp), build


part = intrinsic(_part)
"""``part(array, start, count)``: so many elements of a one-dimensional array.

A slice would check its ends and take branches in which threads part.
"""
