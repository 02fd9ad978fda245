"""The vector type of compiled kernels, and how a primitive is given its LLVM body."""

from __future__ import annotations

import itertools

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.extending import models, register_model
from numba.core.imputils import lower_builtin
from numba.core.typing.templates import AbstractTemplate, infer_global, signature

from . import LANES


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

    def wide(self, factor: float) -> Lanes:
        """The vector of the same numbers with more or fewer lanes."""
        return Lanes(self.kind, self.bits, int(factor * self.count))


@register_model(Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, dmm, fe_type):
        super().__init__(dmm, fe_type, fe_type.llvm)


def align_stack(builder):
    """Let the function being built keep vectors that leave the registers on cache lines.

    Otherwise they lie wherever the caller's stack pointer left them, and kernels take 1.0 or 1.3 times as long by luck.
    """
    builder.function.attributes.alignstack = 64
    builder.function.attributes.add("nounwind")  # true, and llvmlite prints no alignstack alone


def shuffle(builder, a, b, indices):
    """The lanes of a and b at constant indices."""
    order = ir.Constant(ir.VectorType(ir.IntType(32), len(indices)), list(indices))
    return builder.shuffle_vector(a, b, order)


def splat(builder, lanes_type: Lanes, scalar):
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
    return shuffle(builder, first, first, [0] * lanes_type.count)


def first_lanes(args, kinds):
    """The first vector among the arguments, or None."""
    return next((a for a in args if isinstance(a, Lanes) and a.kind in kinds), None)


def primitive(function, arity: int, result, build, kinds=("float", "int", "uint")):
    """Type and lower one operation whose operands are vectors of one type, or scalars to be splatted."""

    def generic(self, args, kws):
        main = first_lanes(args, kinds)
        if main is None or kws or len(args) != arity:
            return None
        return signature(result(main), *(types.unliteral(a) for a in args))

    infer_global(function)(type("Template", (AbstractTemplate,), {"generic": generic}))

    def lower(context, builder, sig, args):
        align_stack(builder)
        main = first_lanes(sig.args, kinds)
        operands = [v if isinstance(t, Lanes) else splat(builder, main, v) for t, v in zip(sig.args, args, strict=True)]
        return build(builder, main, *operands)

    for pattern in itertools.product((Lanes, types.Number), repeat=arity):
        if Lanes in pattern:
            lower_builtin(function, *pattern)(lower)


def same(main):
    """The result has the operands' type."""
    return main


def mask(main):
    """The result is a mask."""
    return main.like("mask")


def intrinsic(name: str):
    """A body that calls LLVM's intrinsic of this name on the vector type."""

    def build(builder, main, *values):
        fn_type = ir.FunctionType(main.llvm, [main.llvm] * len(values))
        suffix = f"v{main.count}{'f' if main.kind == 'float' else 'i'}{main.bits}"
        fn = cgutils.get_or_insert_function(builder.module, fn_type, f"llvm.{name}.{suffix}")
        return builder.call(fn, values)

    return build


def cast(function, arity: int, result, build, kinds):
    """A primitive of one vector whose other arguments only choose the type."""

    def generic(self, args, kws):
        if kws or len(args) != arity or not isinstance(args[0], Lanes) or args[0].kind not in kinds:
            return None
        return signature(result(*args), *(types.unliteral(a) for a in args))

    infer_global(function)(type("Template", (AbstractTemplate,), {"generic": generic}))
    lower_builtin(function, Lanes, *[types.Any] * (arity - 1))(
        lambda context, builder, sig, args: build(builder, sig, args[0])
    )
