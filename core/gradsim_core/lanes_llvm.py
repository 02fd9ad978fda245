"""The primitives of `lanes` as LLVM vectors: one Numba type, and one lowering for each primitive.

Locals of this type live in vector registers; LLVM splits them for narrower machines (AVX2, SSE, NEON) without
changing a bit, because no operation here may be reassociated or contracted.
"""

from __future__ import annotations

import itertools
import operator

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.extending import models, register_model
from numba.core.imputils import lower_builtin
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.np.arrayobj import make_array

from . import lanes
from .lanes import LANES


class Lanes(types.Type):
    """A vector of numbers: kind "float", "int", "uint" or "mask", bits of each, and how many (16, or a half of 8)."""

    def __init__(self, kind: str, bits: int, count: int = LANES):
        self.kind, self.bits, self.count = kind, bits, count
        super().__init__(name=f"Lanes({kind}{bits}x{count})")

    @property
    def element(self):
        """The LLVM type of one lane."""
        if self.kind == "float":
            return ir.FloatType() if self.bits == 32 else ir.DoubleType()
        return ir.IntType(1 if self.kind == "mask" else self.bits)

    @property
    def llvm(self):
        """The LLVM type of the vector."""
        return ir.VectorType(self.element, self.count)

    def like(self, kind: str) -> Lanes:
        """The vector of another kind with the same lanes and bits."""
        return Lanes(kind, self.bits, self.count)


@register_model(Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, dmm, fe_type):
        super().__init__(dmm, fe_type, fe_type.llvm)


def _shuffle(builder, a, b, indices):
    mask = ir.Constant(ir.VectorType(ir.IntType(32), len(indices)), list(indices))
    return builder.shuffle_vector(a, b, mask)


def _splat(builder, lanes_type: Lanes, scalar):
    """A scalar (of any Numba number type, already an LLVM value) in every lane."""
    if isinstance(lanes_type.element, (ir.FloatType, ir.DoubleType)):
        if isinstance(scalar.type, ir.IntType):
            scalar = builder.sitofp(scalar, lanes_type.element)
        elif isinstance(scalar.type, ir.DoubleType) and lanes_type.bits == 32:
            scalar = builder.fptrunc(scalar, lanes_type.element)
        elif isinstance(scalar.type, ir.FloatType) and lanes_type.bits == 64:
            scalar = builder.fpext(scalar, lanes_type.element)
    elif scalar.type.width > lanes_type.element.width:
        scalar = builder.trunc(scalar, lanes_type.element)
    elif scalar.type.width < lanes_type.element.width:
        scalar = builder.sext(scalar, lanes_type.element)
    first = builder.insert_element(ir.Constant(lanes_type.llvm, ir.Undefined), scalar, ir.Constant(ir.IntType(32), 0))
    return _shuffle(builder, first, first, [0] * lanes_type.count)


def _first_lanes(args, kinds):
    return next((a for a in args if isinstance(a, Lanes) and a.kind in kinds), None)


def _primitive(function, arity: int, result, build, kinds=("float", "int", "uint")):
    """Type and lower one operation whose operands are vectors of one type, or scalars to be splatted."""

    def generic(self, args, kws):
        main = _first_lanes(args, kinds)
        if main is None or kws or len(args) != arity:
            return None
        return signature(result(main), *(types.unliteral(a) for a in args))

    infer_global(function)(type("Template", (AbstractTemplate,), {"generic": generic}))

    def lower(context, builder, sig, args):
        main = _first_lanes(sig.args, kinds)
        operands = [
            v if isinstance(t, Lanes) else _splat(builder, main, v) for t, v in zip(sig.args, args, strict=True)
        ]
        return build(builder, main, *operands)

    for pattern in itertools.product((Lanes, types.Number), repeat=arity):
        if Lanes in pattern:
            lower_builtin(function, *pattern)(lower)


def _same(main):
    return main


def _mask(main):
    return main.like("mask")


def _intrinsic(name: str):
    """A body that calls LLVM's intrinsic of this name on the vector type."""

    def build(builder, main, *values):
        fn_type = ir.FunctionType(main.llvm, [main.llvm] * len(values))
        suffix = f"v{main.count}{'f' if main.kind == 'float' else 'i'}{main.bits}"
        fn = cgutils.get_or_insert_function(builder.module, fn_type, f"llvm.{name}.{suffix}")
        return builder.call(fn, values)

    return build


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
    _primitive(_function, 2, _same, _build)
for _function, _name in {operator.and_: "and_", operator.or_: "or_", operator.xor: "xor"}.items():
    _primitive(_function, 2, _same, _integer(_name), kinds=("int", "uint", "mask"))
for _function, _name in {
    operator.lt: "<",
    operator.le: "<=",
    operator.gt: ">",
    operator.ge: ">=",
    operator.eq: "==",
    operator.ne: "!=",
}.items():
    _primitive(_function, 2, _mask, _comparison(_name))
_primitive(operator.neg, 1, _same, lambda builder, main, a: builder.fneg(a) if main.kind == "float" else builder.neg(a))
_primitive(operator.invert, 1, _same, lambda builder, main, a: builder.not_(a), kinds=("mask", "int", "uint"))
_primitive(lanes.fma, 3, _same, _intrinsic("fma"))
_primitive(lanes.sqrt, 1, _same, _intrinsic("sqrt"))
_primitive(lanes.absolute, 1, _same, _intrinsic("fabs"))
_primitive(lanes.copysign, 2, _same, _intrinsic("copysign"))
_primitive(lanes.rint, 1, _same, _intrinsic("rint"))
_primitive(lanes.splat, 2, _same, lambda builder, main, like, value: value)


def _cast(function, arity: int, result, build, kinds):
    """A primitive of one vector whose other arguments only choose the type."""

    def generic(self, args, kws):
        if kws or len(args) != arity or not isinstance(args[0], Lanes) or args[0].kind not in kinds:
            return None
        return signature(result(*args), *(types.unliteral(a) for a in args))

    infer_global(function)(type("Template", (AbstractTemplate,), {"generic": generic}))
    lower_builtin(function, Lanes, *[types.Any] * (arity - 1))(
        lambda context, builder, sig, args: build(builder, sig, args[0])
    )


_cast(lanes.float_bits, 1, lambda x: x.like("int"), lambda b, sig, x: b.bitcast(x, sig.return_type.llvm), ("float",))
_cast(lanes.bits_float, 1, lambda x: x.like("float"), lambda b, sig, x: b.bitcast(x, sig.return_type.llvm), ("int",))
_cast(lanes.to_int, 1, lambda x: x.like("int"), lambda b, sig, x: b.fptosi(x, sig.return_type.llvm), ("float",))


def _convert(builder, sig, x):
    source, target = sig.args[0].bits, sig.return_type.bits
    if source == target:
        return x
    return (builder.fpext if target > source else builder.fptrunc)(x, sig.return_type.llvm)


def _float_like(x, like) -> Lanes:
    return Lanes("float", like.bits if isinstance(like, Lanes) else like.bitwidth)


_cast(lanes.to_float, 2, _float_like, lambda b, sig, i: b.sitofp(i, sig.return_type.llvm), ("int",))
_cast(lanes.convert, 2, _float_like, _convert, ("float",))


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
        main = _first_lanes(args[1:], ("float", "int", "uint"))
        if main is None or not isinstance(args[0], Lanes) or args[0].kind != "mask":
            return None
        return signature(main, *(types.unliteral(a) for a in args))


def _lower_select(context, builder, sig, args):
    main = sig.return_type
    a, b = (
        v if isinstance(t, Lanes) else _splat(builder, main, v) for t, v in zip(sig.args[1:], args[1:], strict=True)
    )
    return builder.select(args[0], a, b)


for _pattern in ((Lanes, Lanes), (Lanes, types.Number), (types.Number, Lanes)):
    lower_builtin(lanes.select, Lanes, *_pattern)(_lower_select)


@infer_global(lanes.horner)
class _Horner(AbstractTemplate):
    def generic(self, args, kws):
        return signature(args[0], *args) if isinstance(args[0], Lanes) else None


@lower_builtin(lanes.horner, Lanes, types.UniTuple)
def _lower_horner(context, builder, sig, args):
    main, fused = sig.args[0], _intrinsic("fma")
    coefficients = [_splat(builder, main, c) for c in cgutils.unpack_tuple(builder, args[1])]
    value = coefficients[-1]
    for c in coefficients[-2::-1]:
        value = fused(builder, main, value, args[0], c)
    return value


@infer_global(lanes.lane_words)
class _LaneWords(AbstractTemplate):
    def generic(self, args, kws):
        return signature(Lanes("uint", 64, LANES // 2), types.intp)


@lower_builtin(lanes.lane_words, types.intp)
def _lower_lane_words(context, builder, sig, args):
    even, odd = (ir.Constant(sig.return_type.llvm, [int(word) for word in lanes.lane_words(half)]) for half in (0, 1))
    return builder.select(builder.icmp_signed("==", args[0], args[0].type(0)), even, odd)


@infer_global(lanes.pack_words)
class _PackWords(AbstractTemplate):
    def generic(self, args, kws):
        return signature(Lanes("int", 32), *args) if isinstance(args[0], Lanes) else None


@lower_builtin(lanes.pack_words, Lanes, Lanes)
def _lower_pack_words(context, builder, sig, args):
    half = args[0].type
    low = builder.and_(args[0], ir.Constant(half, [0xFFFFFFFF] * (LANES // 2)))
    high = builder.shl(args[1], ir.Constant(half, [32] * (LANES // 2)))
    return builder.bitcast(builder.or_(low, high), sig.return_type.llvm)


def _halves(builder, x, combine):
    width = LANES
    while width > 1:
        width //= 2
        x = combine(_shuffle(builder, x, x, range(width)), _shuffle(builder, x, x, range(width, 2 * width)))
    return builder.extract_element(x, ir.Constant(ir.IntType(32), 0))


def _scalar(main):
    return {32: types.float32, 64: types.float64}[main.bits]


_cast(lanes.lane_sum, 1, _scalar, lambda b, sig, x: _halves(b, x, b.fadd), ("float",))
_cast(
    lanes.lane_max, 1, _scalar,
    lambda b, sig, x: _halves(b, x, lambda a, c: b.select(b.fcmp_ordered(">", a, c), a, c)), ("float",),
)  # fmt: skip


def _element_type(array) -> Lanes | None:
    dtype = array.dtype
    if isinstance(dtype, types.Float):
        return Lanes("float", dtype.bitwidth)
    return Lanes("int" if dtype.signed else "uint", dtype.bitwidth) if isinstance(dtype, types.Integer) else None


@infer_global(lanes.load)
class _Load(AbstractTemplate):
    def generic(self, args, kws):
        return signature(_element_type(args[0]), args[0], types.intp) if isinstance(args[0], types.Array) else None


@infer_global(lanes.store)
class _Store(AbstractTemplate):
    def generic(self, args, kws):
        if isinstance(args[0], types.Array) and args[2] == _element_type(args[0]):
            return signature(types.none, args[0], types.intp, args[2])
        return None


def _pointer(context, builder, array_type, array, index, lanes_type):
    base = make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(base, [index]), lanes_type.llvm.as_pointer())


@lower_builtin(lanes.load, types.Array, types.intp)
def _lower_load(context, builder, sig, args):
    pointer = _pointer(context, builder, sig.args[0], args[0], args[1], sig.return_type)
    return builder.load(pointer, align=sig.return_type.bits // 8)


@lower_builtin(lanes.store, types.Array, types.intp, Lanes)
def _lower_store(context, builder, sig, args):
    pointer = _pointer(context, builder, sig.args[0], args[0], args[1], sig.args[2])
    builder.store(args[2], pointer, align=sig.args[2].bits // 8)
    return context.get_dummy_value()
