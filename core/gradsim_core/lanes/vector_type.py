"""The Numba type of vectors in compiled kernels, and the functions that give a primitive its LLVM body."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.extending import models, register_model
from numba.core.imputils import lower_builtin
from numba.core.typing.templates import AbstractTemplate, infer_global, signature

from . import LANES


class Lanes(types.Type):
    """The Numba type of a vector.

    Parameters
    ----------
    kind : {"float", "int", "uint", "mask"}
    bits : int
        Size of a lane; of a mask, that of the lanes it was compared from.
    count : int
        Number of lanes: 16, 8 for one of two halves, 32 for two joined vectors.
    """

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

    @property
    def suffix(self) -> str:
        """What LLVM's intrinsics on the vector are called."""
        return f"v{self.count}{'f' if self.kind == 'float' else 'i'}{self.bits}"

    def like(self, kind: str) -> Lanes:
        """The type of another kind with the same bits and count."""
        return Lanes(kind, self.bits, self.count)

    def wide(self, factor: float) -> Lanes:
        """The type of the same lanes with `factor` times as many."""
        return Lanes(self.kind, self.bits, int(factor * self.count))


@register_model(Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, dmm, fe_type):
        super().__init__(dmm, fe_type, fe_type.llvm)


def align_stack(builder):
    """Align the stack of the function being built to 64 bytes, so that spilled vectors do not straddle cache lines.

    Otherwise their alignment depends on the caller's stack pointer, and a kernel takes 1.0 or 1.3 times as long by
    chance.
    """
    builder.function.attributes.alignstack = 64
    builder.function.attributes.add("nounwind")  # which is true; llvmlite omits alignstack if it is the only attribute


def shuffle(builder, a, b, indices):
    """A vector of the lanes of a, then b, at constant indices."""
    order = ir.Constant(ir.VectorType(ir.IntType(32), len(indices)), list(indices))
    return builder.shuffle_vector(a, b, order)


def element(builder, lanes_type: Lanes, scalar):
    """An LLVM scalar of any Numba number type, converted to the type of one lane."""
    wanted = lanes_type.element
    if isinstance(wanted, (ir.FloatType, ir.DoubleType)):
        if isinstance(scalar.type, ir.IntType):
            return builder.sitofp(scalar, wanted)
        if isinstance(scalar.type, ir.DoubleType) and lanes_type.bits == 32:
            return builder.fptrunc(scalar, wanted)
        if isinstance(scalar.type, ir.FloatType) and lanes_type.bits == 64:
            return builder.fpext(scalar, wanted)
        return scalar
    if scalar.type.width > wanted.width:
        return builder.trunc(scalar, wanted)
    return builder.sext(scalar, wanted) if scalar.type.width < wanted.width else scalar


def splat(builder, lanes_type: Lanes, scalar):
    """An LLVM scalar of any Numba number type, converted to the type's element, in every lane."""
    scalar = element(builder, lanes_type, scalar)
    first = builder.insert_element(ir.Constant(lanes_type.llvm, ir.Undefined), scalar, ir.Constant(ir.IntType(32), 0))
    return shuffle(builder, first, first, [0] * lanes_type.count)


def first_lanes(args, kinds):
    """The type of the first vector of one of the `kinds` among the arguments, or None."""
    return next((a for a in args if isinstance(a, Lanes) and a.kind in kinds), None)


class Primitive(NamedTuple):
    """How an operation lane by lane is built; targets without vectors build it on one lane of each thread."""

    arity: int
    build: Callable[..., Any]
    kinds: tuple[str, ...]


PRIMITIVES: dict[Any, Primitive] = {}
"""Of operands of one type: ``build(builder, type of the operands, one value per operand)``."""

CASTS: dict[Any, Primitive] = {}
"""Of one vector: ``build(builder, signature, value)``."""


def primitive(function, arity: int, result, build, kinds=("float", "int", "uint")):
    """Register an operation whose operands are vectors of one type, or scalars, which are splatted.

    Parameters
    ----------
    function : callable
        The primitive, or an operator.
    arity : int
    result : callable
        Type of the operands -> type of the result.
    build : callable
        (builder, type of the operands, one LLVM value per operand) -> LLVM value.
    kinds : tuple of str
        Kinds of `Lanes` that it takes.
    """

    def generic(self, args, kws):
        main = first_lanes(args, kinds)
        if main is None or kws or len(args) != arity:
            return None
        return signature(result(main), *(types.unliteral(a) for a in args))

    infer_global(function)(type("Template", (AbstractTemplate,), {"generic": generic}))
    PRIMITIVES[function] = Primitive(arity, build, kinds)

    def lower(context, builder, sig, args):
        align_stack(builder)
        main = first_lanes(sig.args, kinds)
        operands = [v if isinstance(t, Lanes) else splat(builder, main, v) for t, v in zip(sig.args, args, strict=True)]
        return build(builder, main, *operands)

    for pattern in itertools.product((Lanes, types.Number), repeat=arity):
        if Lanes in pattern:
            lower_builtin(function, *pattern)(lower)


def same(main):
    """For `result`: the operands' type."""
    return main


def mask(main):
    """For `result`: a mask."""
    return main.like("mask")


def intrinsic(name: str):
    """For `build`: a call of the LLVM intrinsic with this name on the vector type."""

    def build(builder, main, *values):
        fn_type = ir.FunctionType(main.llvm, [main.llvm] * len(values))
        fn = cgutils.get_or_insert_function(builder.module, fn_type, f"llvm.{name}.{main.suffix}")
        return builder.call(fn, values)

    return build


def cast(function, arity: int, result, build, kinds):
    """Register a primitive of one vector, whose other arguments only choose the result's type; see `primitive`."""

    def generic(self, args, kws):
        if kws or len(args) != arity or not isinstance(args[0], Lanes) or args[0].kind not in kinds:
            return None
        return signature(result(*args), *(types.unliteral(a) for a in args))

    infer_global(function)(type("Template", (AbstractTemplate,), {"generic": generic}))
    CASTS[function] = Primitive(arity, build, kinds)
    lower_builtin(function, Lanes, *[types.Any] * (arity - 1))(
        lambda context, builder, sig, args: build(builder, sig, args[0])
    )
