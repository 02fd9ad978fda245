"""Work arrays of many groups: each group of sixteen threads has a slot, its part of every array.

A slot is what a thread of the CPU has, so any schedule's `work` serves. There are as many slots as groups in flight.
"""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from numba.core import types
from numba.extending import intrinsic
from numba.np.arrayobj import make_array, populate_array

Work = TypeVar("Work")


class PerSlot:
    """An array of which each slot has one: one after the other, or along a new first axis if it has several axes."""

    def __init__(self, part: np.ndarray, slots: int) -> None:
        self.part, self.slots = part, slots


def arrays(work: Work, slots: int) -> Work:
    """The work arrays of a CPU's thread, so many times; what is no array stays as it is."""
    made = [PerSlot(field, slots) if isinstance(field, np.ndarray) else field for field in work]  # type: ignore[attr-defined]
    return type(work)(*made)


def bytes_of(work: Any) -> int:
    """Bytes of one slot of what `arrays` returned."""
    return sum(field.part.nbytes for field in work if isinstance(field, PerSlot))


@intrinsic
def own(typing_context, work, slot, slots):
    """``own(work, slot, slots)``: the work of one slot.

    Not slices, which would check their ends and take branches in which the threads part.
    """

    def build(context, builder, sig, args):
        kind, (value, number, count) = sig.args[0], args
        fields = []
        for i, of in enumerate(kind.types):
            field = builder.extract_value(value, i)
            if isinstance(of, types.Array):
                length = builder.udiv(make_array(of)(context, builder, field).nitems, count)
                field = _view(context, builder, of, field, builder.mul(length, number), length)
            fields.append(field)
        return context.make_tuple(builder, kind, fields)

    return work(work, types.intp, types.intp), build


@intrinsic
def part(typing_context, array, start, count):
    """``part(array, start, count)``: so many elements of a one-dimensional array."""

    def build(context, builder, sig, args):
        return _view(context, builder, sig.args[0], *args)

    return array(array, types.intp, types.intp), build


def _view(context, builder, kind, value, start, count):
    whole, view = make_array(kind)(context, builder, value), make_array(kind)(context, builder)
    size = context.get_constant(types.intp, context.get_abi_sizeof(context.get_data_type(kind.dtype)))
    data = builder.gep(whole.data, [start])
    populate_array(view, data=data, shape=[count], strides=[size], itemsize=size, meminfo=None)
    return view._getvalue()
