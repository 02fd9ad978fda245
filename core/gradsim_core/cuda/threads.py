"""Where a thread stands in a launch, for kernels of the PTX target."""

from __future__ import annotations

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

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
