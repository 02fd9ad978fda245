"""A launch of a kernel, and where a thread stands in it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from gradsim_core import jit
from gradsim_core.lanes import LANES
from gradsim_core.lanes.ptx import call


class Launch(NamedTuple):
    """What a launch computes.

    Attributes
    ----------
    first
        Number of the first group of sixteen networks, or of the first network where each has sixteen threads.
    slots
        How many are in flight.
    sums, exponents
        Flat; of each group (3, depth, 16).
    failed
        Of each group, or network: 1 where the sums are worth nothing.
    """

    first: int
    slots: int
    sums: np.ndarray
    exponents: np.ndarray
    failed: np.ndarray


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


def slot_of_thread():
    """The slot of a thread: sixteen neighbouring threads have one."""
    return (block_index() * block_size() + thread_index()) // LANES


jit.register_leaves(__name__, inline=True)
