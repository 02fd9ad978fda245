"""The primitives of `lanes` on LLVM vectors, one lowering each; importing this module registers them with Numba.

Local variables of type `Lanes` stay in vector registers. LLVM splits them for narrower machines (AVX2, SSE, NEON)
without changing a bit, because it may not reassociate or contract any operation here.
"""

from __future__ import annotations

import operator

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.imputils import lower_builtin
from numba.core.typing.templates import AbstractTemplate, infer_global, signature

from gradsim_core import lanes

from . import LANES
from .vector_type import Lanes, cast, first_lanes, intrinsic, mask, primitive, same, shuffle, splat


def _arithmetic(float_op: str, int_op: str):
    return lambda builder, main, a, b: getattr(builder, float_op if main.kind == "float" else int_op)(a, b)


def _integer(op: str):
    return lambda builder, main, a, b: getattr(builder, op)(a, b)


def _shift_right(builder, main, a, n):
    return builder.lshr(a, n) if main.kind == "uint" else builder.ashr(a, n)


def _comparison(op: str):
    def build(builder, main, a, b):
        if main.kind == "float":
            return builder.fcmp_ordered(op, a, b) if op != "!=" else builder.fcmp_unordered(op, a, b)
        return (builder.icmp_unsigned if main.kind == "uint" else builder.icmp_signed)(op, a, b)

    return build


for _function, _build in {
    operator.add: _arithmetic("fadd", "add"),
    operator.sub: _arithmetic("fsub", "sub"),
    operator.mul: _arithmetic("fmul", "mul"),
    operator.truediv: _integer("fdiv"),
    operator.lshift: _integer("shl"),
    operator.rshift: _shift_right,
}.items():
    primitive(_function, 2, same, _build)
for _function, _name in {operator.and_: "and_", operator.or_: "or_", operator.xor: "xor"}.items():
    primitive(_function, 2, same, _integer(_name), kinds=("int", "uint", "mask"))
for _function, _name in {
    operator.lt: "<",
    operator.le: "<=",
    operator.gt: ">",
    operator.ge: ">=",
    operator.eq: "==",
    operator.ne: "!=",
}.items():
    primitive(_function, 2, mask, _comparison(_name))
primitive(operator.neg, 1, same, lambda builder, main, a: builder.fneg(a) if main.kind == "float" else builder.neg(a))
primitive(operator.invert, 1, same, lambda builder, main, a: builder.not_(a), kinds=("mask", "int", "uint"))
primitive(lanes.fma, 3, same, intrinsic("fma"))
primitive(lanes.sqrt, 1, same, intrinsic("sqrt"))
primitive(lanes.absolute, 1, same, intrinsic("fabs"))
primitive(lanes.copysign, 2, same, intrinsic("copysign"))
primitive(lanes.rint, 1, same, intrinsic("rint"))
primitive(lanes.splat, 2, same, lambda builder, main, like, value: value)


cast(lanes.float_bits, 1, lambda x: x.like("int"), lambda b, sig, x: b.bitcast(x, sig.return_type.llvm), ("float",))
cast(lanes.bits_float, 1, lambda x: x.like("float"), lambda b, sig, x: b.bitcast(x, sig.return_type.llvm), ("int",))
cast(lanes.to_int, 1, lambda x: x.like("int"), lambda b, sig, x: b.fptosi(x, sig.return_type.llvm), ("float",))


def _convert(builder, sig, x):
    source, target = sig.args[0].bits, sig.return_type.bits
    if source == target:
        return x
    return (builder.fpext if target > source else builder.fptrunc)(x, sig.return_type.llvm)


def _float_like(x, like) -> Lanes:
    return Lanes("float", like.bits if isinstance(like, Lanes) else like.bitwidth, x.count)


cast(lanes.to_float, 2, _float_like, lambda b, sig, i: b.sitofp(i, sig.return_type.llvm), ("int",))
cast(lanes.convert, 2, _float_like, _convert, ("float",))


def _lane_count(builder, sig, x):
    return ir.Constant(ir.IntType(64), sig.args[0].count)


cast(lanes.lane_count, 1, lambda x: types.intp, _lane_count, ("float",))


@infer_global(lanes.lane_get)
class _LaneGet(AbstractTemplate):
    def generic(self, args, kws):
        return signature(_scalar(args[0]), args[0], types.intp) if isinstance(args[0], Lanes) else None


@lower_builtin(lanes.lane_get, Lanes, types.intp)
def _lower_lane_get(context, builder, sig, args):
    return builder.extract_element(*args)


@infer_global(lanes.lane_set)
class _LaneSet(AbstractTemplate):
    def generic(self, args, kws):
        return signature(args[0], args[0], types.intp, _scalar(args[0])) if isinstance(args[0], Lanes) else None


@lower_builtin(lanes.lane_set, Lanes, types.intp, types.Float)
def _lower_lane_set(context, builder, sig, args):
    return builder.insert_element(args[0], args[2], args[1])


@infer_global(lanes.select)
class _Select(AbstractTemplate):
    def generic(self, args, kws):
        main = first_lanes(args[1:], ("float", "int", "uint"))
        if main is None or not isinstance(args[0], Lanes) or args[0].kind != "mask":
            return None
        return signature(main, *(types.unliteral(a) for a in args))


def _lower_select(context, builder, sig, args):
    main = sig.return_type
    a, b = (v if isinstance(t, Lanes) else splat(builder, main, v) for t, v in zip(sig.args[1:], args[1:], strict=True))
    return builder.select(args[0], a, b)


for _pattern in ((Lanes, Lanes), (Lanes, types.Number), (types.Number, Lanes)):
    lower_builtin(lanes.select, Lanes, *_pattern)(_lower_select)


@infer_global(lanes.horner)
class _Horner(AbstractTemplate):
    def generic(self, args, kws):
        return signature(args[0], *args) if isinstance(args[0], Lanes) else None


@lower_builtin(lanes.horner, Lanes, types.UniTuple)
def _lower_horner(context, builder, sig, args):
    main, fused = sig.args[0], intrinsic("fma")
    coefficients = [splat(builder, main, c) for c in cgutils.unpack_tuple(builder, args[1])]
    value = coefficients[-1]
    for c in coefficients[-2::-1]:
        value = fused(builder, main, value, args[0], c)
    return value


@infer_global(lanes.join)
class _Join(AbstractTemplate):
    def generic(self, args, kws):
        return signature(args[0].wide(2), *args) if isinstance(args[0], Lanes) else None


@lower_builtin(lanes.join, Lanes, Lanes)
def _lower_join(context, builder, sig, args):
    return shuffle(builder, *args, range(sig.return_type.count))


@infer_global(lanes.halves)
class _Halves(AbstractTemplate):
    def generic(self, args, kws):
        return signature(types.UniTuple(args[0].wide(0.5), 2), *args) if isinstance(args[0], Lanes) else None


@lower_builtin(lanes.halves, Lanes)
def _lower_halves(context, builder, sig, args):
    (x,), count = args, sig.return_type.dtype.count
    parts = [shuffle(builder, x, x, range(i, i + count)) for i in (0, count)]
    return context.make_tuple(builder, sig.return_type, parts)


@infer_global(lanes.lane_words)
class _LaneWords(AbstractTemplate):
    def generic(self, args, kws):
        return signature(Lanes("uint", 64, LANES // 2), types.intp)


@lower_builtin(lanes.lane_words, types.intp)
def _lower_lane_words(context, builder, sig, args):
    even, odd = (ir.Constant(sig.return_type.llvm, [int(word) for word in lanes.lane_words(half)]) for half in (0, 1))
    return builder.select(builder.icmp_signed("==", args[0], args[0].type(0)), even, odd)


def _register_pack(function, word):
    @infer_global(function)
    class _Pack(AbstractTemplate):
        def generic(self, args, kws):
            return signature(Lanes("int", 32, 2 * args[0].count), *args) if isinstance(args[0], Lanes) else None

    @lower_builtin(function, Lanes, Lanes)
    def _lower(context, builder, sig, args):
        # One shuffle of 32-bit words. Masks and shifts of 64-bit words would be more work, and LLVM would repeat the
        # multiplications.
        result = sig.return_type
        even, odd = (builder.bitcast(v, result.llvm) for v in args)
        return shuffle(builder, even, odd, [i + word + (i % 2) * (result.count - 1) for i in range(result.count)])


_register_pack(lanes.pack_low, 0)
_register_pack(lanes.pack_high, 1)


def _halves(builder, x, combine):
    width = LANES
    while width > 1:
        width //= 2
        x = combine(shuffle(builder, x, x, range(width)), shuffle(builder, x, x, range(width, 2 * width)))
    return builder.extract_element(x, ir.Constant(ir.IntType(32), 0))


def _anywhere(builder, sig, condition):
    bits = builder.bitcast(condition, ir.IntType(sig.args[0].count))
    return builder.icmp_unsigned("!=", bits, bits.type(0))


cast(lanes.anywhere, 1, lambda x: types.boolean, _anywhere, ("mask",))


def _scalar(main):
    return {32: types.float32, 64: types.float64}[main.bits]


cast(lanes.lane_sum, 1, _scalar, lambda b, sig, x: _halves(b, x, b.fadd), ("float",))
cast(
    lanes.lane_max, 1, _scalar,
    lambda b, sig, x: _halves(b, x, lambda a, c: b.select(b.fcmp_ordered(">", a, c), a, c)), ("float",),
)  # fmt: skip


def _fold(builder, x, y, size):
    """Split x, then y, into parts of `size` lanes; add the two halves of each part."""
    half = size // 2
    low = [i + j for i in range(0, 2 * LANES, size) for j in range(half)]
    return builder.fadd(shuffle(builder, x, y, low), shuffle(builder, x, y, [i + half for i in low]))


def _fold_four(size):
    def build(builder, main, a, b, c, d):
        return _fold(builder, _fold(builder, a, b, size), _fold(builder, c, d, size), size // 2)

    return build


primitive(lanes.partial_sums, 4, same, _fold_four(LANES), ("float",))
primitive(lanes.column_sums, 4, same, _fold_four(LANES // 4), ("float",))
