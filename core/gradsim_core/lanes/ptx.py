"""The primitives of `lanes` on a GPU: a thread is a lane, sixteen neighbouring threads are a vector.

A variable of type `Lanes` is one number in each thread, or two where two vectors are joined. What works lane by lane is
built by the same functions as on the CPU; only float arithmetic is not: it carries its rounding in every instruction,
so that no compiler behind us may contract a product and a sum. What works across lanes is in `ptx_warp`.
"""

from __future__ import annotations

import itertools
import math
import operator

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.datamodel import models
from numba.core.imputils import Registry

from gradsim_core import lanes

from . import LANES, llvm
from .vector_type import CASTS, PRIMITIVES, Lanes, Primitive, element, first_lanes

registry = Registry("ptx")
"""The bodies that the PTX target installs."""

_ACROSS = (lanes.partial_sums, lanes.column_sums, lanes.lane_sum, lanes.lane_max, lanes.anywhere, lanes.lane_count)


class Lane:
    """One lane of a vector: what the functions that build code ask of a vector's type."""

    def __init__(self, lanes_type: Lanes):
        self.kind, self.bits = lanes_type.kind, lanes_type.bits
        self.element = self.llvm = lanes_type.element
        self.suffix = f"{'f' if self.kind == 'float' else 'i'}{self.bits}"


class LanesModel(models.PrimitiveModel):
    """How a thread holds its lanes of a vector: a number, or an array of them."""

    def __init__(self, dmm, fe_type):
        super().__init__(dmm, fe_type, storage(fe_type))


def per_thread(lanes_type: Lanes) -> int:
    """How many lanes of the vector a thread holds; of half a vector too it is one, the same as of the whole."""
    return max(lanes_type.count // LANES, 1)


def storage(lanes_type: Lanes):
    """The LLVM type of what a thread holds of the vector."""
    count = per_thread(lanes_type)
    return lanes_type.element if count == 1 else ir.ArrayType(lanes_type.element, count)


def unpack(builder, lanes_type: Lanes, value) -> list:
    """The lanes that a thread holds, as a list."""
    count = per_thread(lanes_type)
    return [value] if count == 1 else [builder.extract_value(value, i) for i in range(count)]


def pack(builder, lanes_type: Lanes, elements: list):
    """The inverse of `unpack`."""
    if len(elements) == 1:
        return elements[0]
    value = ir.Constant(storage(lanes_type), ir.Undefined)
    for i, one in enumerate(elements):
        value = builder.insert_value(value, one, i)
    return value


def call(builder, name: str, result, *arguments):
    """A call of an LLVM intrinsic."""
    fn_type = ir.FunctionType(result, [a.type for a in arguments])
    return builder.call(cgutils.get_or_insert_function(builder.module, fn_type, name), arguments)


def _rounded(name: str):
    """For `build`: the operation with its rounding, to nearest."""

    def build(builder, main, *values):
        letter = {32: "f", 64: "d"}[main.bits]
        return call(builder, f"llvm.nvvm.{name}.rn.{letter}", main.element, *values)

    return build


def add(builder, main, x, y):
    """x + y."""
    return _rounded("add")(builder, main, x, y) if main.kind == "float" else builder.add(x, y)


def _subtract(builder, main, x, y):
    return _rounded("add")(builder, main, x, builder.fneg(y)) if main.kind == "float" else builder.sub(x, y)


def _multiply(builder, main, x, y):
    return _rounded("mul")(builder, main, x, y) if main.kind == "float" else builder.mul(x, y)


_WITH_ROUNDING = {
    operator.add: add,
    operator.sub: _subtract,
    operator.mul: _multiply,
    lanes.fma: _rounded("fma"),
    lanes.sqrt: _rounded("sqrt"),
}


def _lower_primitive(function, row: Primitive):
    def lower(context, builder, sig, args):
        main = first_lanes(sig.args, row.kinds)
        lane, count = Lane(main), per_thread(main)
        columns = [
            unpack(builder, t, v) if isinstance(t, Lanes) else [element(builder, main, v)] * count
            for t, v in zip(sig.args, args, strict=True)
        ]
        return pack(builder, sig.return_type, [row.build(builder, lane, *each) for each in zip(*columns, strict=True)])

    for pattern in itertools.product((Lanes, types.Number), repeat=row.arity):
        if Lanes in pattern:
            registry.lower(function, *pattern)(lower)


class _LaneSignature:
    """A signature of vectors as one of lanes."""

    def __init__(self, sig):
        self.return_type = Lane(sig.return_type)
        self.args = [Lane(a) if isinstance(a, Lanes) else a for a in sig.args]


def _lower_cast(function, row: Primitive):
    def lower(context, builder, sig, args):
        lane = _LaneSignature(sig)
        elements = [row.build(builder, lane, one) for one in unpack(builder, sig.args[0], args[0])]
        return pack(builder, sig.return_type, elements)

    registry.lower(function, Lanes, *[types.Any] * (row.arity - 1))(lower)


for _function, _row in PRIMITIVES.items():
    if _function not in _ACROSS:
        _lower_primitive(_function, _row._replace(build=_WITH_ROUNDING.get(_function, _row.build)))
for _function, _row in CASTS.items():
    if _function not in _ACROSS:
        _lower_cast(_function, _row)


def _lower_select(context, builder, sig, args):
    main = sig.return_type
    conditions = unpack(builder, sig.args[0], args[0])
    x, y = (
        unpack(builder, main, v) if isinstance(t, Lanes) else [element(builder, main, v)] * per_thread(main)
        for t, v in zip(sig.args[1:], args[1:], strict=True)
    )
    return pack(builder, main, [builder.select(*each) for each in zip(conditions, x, y, strict=True)])


for _pattern in ((Lanes, Lanes), (Lanes, types.Number), (types.Number, Lanes)):
    registry.lower(lanes.select, Lanes, *_pattern)(_lower_select)


@registry.lower(lanes.horner, Lanes, types.UniTuple)
def _lower_horner(context, builder, sig, args):
    main, fused = sig.args[0], _rounded("fma")
    coefficients = [element(builder, main, c) for c in cgutils.unpack_tuple(builder, args[1])]
    values = []
    for x in unpack(builder, main, args[0]):
        value = coefficients[-1]
        for c in coefficients[-2::-1]:
            value = fused(builder, Lane(main), value, x, c)
        values.append(value)
    return pack(builder, main, values)


@registry.lower(lanes.join, Lanes, Lanes)
def _lower_join(context, builder, sig, args):
    if sig.args[0].count < LANES:  # even and odd lanes: a thread has its own in both
        return args[0]
    elements = [one for t, v in zip(sig.args, args, strict=True) for one in unpack(builder, t, v)]
    return pack(builder, sig.return_type, elements)


@registry.lower(lanes.halves, Lanes)
def _lower_halves(context, builder, sig, args):
    half = sig.return_type.dtype
    elements = unpack(builder, sig.args[0], args[0])
    if len(elements) == 1:
        return context.make_tuple(builder, sig.return_type, elements * 2)
    middle = len(elements) // 2
    parts = [pack(builder, half, part) for part in (elements[:middle], elements[middle:])]
    return context.make_tuple(builder, sig.return_type, parts)


@registry.lower(lanes.lane_count, Lanes)
def _lower_lane_count(context, builder, sig, args):
    return ir.Constant(ir.IntType(64), per_thread(sig.args[0]))


@registry.lower(lanes.lane_get, Lanes, types.intp)
def _lower_lane_get(context, builder, sig, args):
    first, *others = unpack(builder, sig.args[0], args[0])
    for i, one in enumerate(others, 1):
        first = builder.select(builder.icmp_signed("==", args[1], args[1].type(i)), one, first)
    return first


@registry.lower(lanes.lane_set, Lanes, types.intp, types.Float)
def _lower_lane_set(context, builder, sig, args):
    elements = [
        builder.select(builder.icmp_signed("==", args[1], args[1].type(i)), args[2], one)
        for i, one in enumerate(unpack(builder, sig.args[0], args[0]))
    ]
    return pack(builder, sig.args[0], elements)


# The few functions of plain numbers that the CPU takes from libm: exact, so that any correct body gives the same bits.


def _lower_ldexp(context, builder, sig, args):
    k = context.cast(builder, args[1], sig.args[1], types.int32)
    return call(builder, f"llvm.ldexp.f{sig.args[0].bitwidth}.i32", args[0].type, args[0], k)


def _lower_frexp(context, builder, sig, args):
    pair = ir.LiteralStructType([args[0].type, ir.IntType(32)])
    found = call(builder, f"llvm.frexp.f{sig.args[0].bitwidth}.i32", pair, args[0])
    exponent = context.cast(builder, builder.extract_value(found, 1), types.int32, sig.return_type.types[1])
    return context.make_tuple(builder, sig.return_type, [builder.extract_value(found, 0), exponent])


def _lower_floor(context, builder, sig, args):
    value = call(builder, f"llvm.floor.f{sig.args[0].bitwidth}", args[0].type, args[0])
    return builder.fptosi(value, ir.IntType(sig.return_type.bitwidth))


registry.lower(math.ldexp, types.Float, types.Integer)(_lower_ldexp)
for _float in (types.float32, types.float64):
    registry.lower(math.ldexp, _float, types.intc)(_lower_ldexp)
    registry.lower(math.frexp, _float)(_lower_frexp)
    registry.lower(math.floor, _float)(_lower_floor)

assert llvm  # imported so that PRIMITIVES and CASTS are complete
