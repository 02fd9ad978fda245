"""Functions of plain numbers for the PTX target: what a user's own activation may call, without a library behind it.

A number in a vector of float64 is one double in each thread, so the text of a vector function serves a plain number.
Sums, products and quotients of plain numbers need nothing here: LLVM writes them with their rounding, to nearest.
"""

from __future__ import annotations

import itertools
import math
import operator

import numpy as np
from numba.core import errors, types
from numba.core.imputils import Registry
from numba.core.typing import signature

from gradsim_core.lanes.ptx import call
from gradsim_core.lanes.vector_type import Lanes

from . import powers, real_functions, remainders

registry = Registry("ptx scalars")
"""The bodies that the PTX target installs."""

VECTOR = Lanes("float", 64)

# What users write, in `math` and in NumPy, and the function of a vector that computes it.
REAL = {
    real_functions.acos: (math.acos, np.arccos),
    real_functions.acosh: (math.acosh, np.arccosh),
    real_functions.asin: (math.asin, np.arcsin),
    real_functions.asinh: (math.asinh, np.arcsinh),
    real_functions.atan: (math.atan, np.arctan),
    real_functions.atanh: (math.atanh, np.arctanh),
    real_functions.cos: (math.cos, np.cos),
    real_functions.cosh: (math.cosh, np.cosh),
    real_functions.erf: (math.erf,),
    real_functions.erfc: (math.erfc,),
    real_functions.exp: (math.exp, np.exp),
    real_functions.expm1: (math.expm1, np.expm1),
    real_functions.log: (math.log, np.log),
    real_functions.log1p: (math.log1p, np.log1p),
    real_functions.sin: (math.sin, np.sin),
    real_functions.sinh: (math.sinh, np.sinh),
    real_functions.tan: (math.tan, np.tan),
    real_functions.tanh: (math.tanh, np.tanh),
    powers.exp2: (math.exp2, np.exp2),
    powers.log2: (math.log2, np.log2),
    powers.log10: (math.log10, np.log10),
    real_functions.atan2: (math.atan2, np.arctan2),
    real_functions.hypot: (math.hypot, np.hypot),
    powers.power: (operator.pow, operator.ipow, pow, np.power),
}
REMAINDERS = {
    remainders.fmod: (np.fmod,),
    remainders.modulo: (operator.mod, operator.imod, np.remainder),
    remainders.floor_divide: (operator.floordiv, operator.ifloordiv, np.floor_divide),
    remainders.divide: (divmod, np.divmod),
}
ROUNDED = {
    "llvm.ceil": (math.ceil, np.ceil),
    "llvm.floor": (np.floor,),
    "llvm.trunc": (math.trunc, np.trunc),
    "llvm.fabs": (math.fabs, np.fabs, np.absolute),
    "llvm.nvvm.sqrt.rn": (math.sqrt, np.sqrt),
}
ABSENT = (math.gamma, math.lgamma, math.nextafter, np.nextafter, np.logaddexp, np.logaddexp2, np.cbrt, np.spacing)
_TWO = {real_functions.atan2, real_functions.hypot, powers.power, *REMAINDERS}
_FLOATS = (types.float32, types.float64)


def allowed() -> list[str]:
    """The functions of module `math` that GPUs have, by name."""
    tables = (*REAL.values(), *REMAINDERS.values(), *ROUNDED.values())
    exact = "copysign", "degrees", "floor", "frexp", "isfinite", "isinf", "isnan", "ldexp", "pow", "radians"
    found = {each.__name__ for names in tables for each in names if getattr(math, each.__name__, None) is each}
    return sorted(found.union(exact))


def _register(name, arity: int, lower) -> None:
    """Give a function of so many plain numbers its body, more specific than what Numba has for all targets."""
    if isinstance(name, np.ufunc):
        kinds = (types.Float, types.Integer, types.Boolean)
        patterns = [each for each in itertools.product(kinds, repeat=arity) if types.Float in each or arity == 1]
    else:
        patterns = [(kind,) * arity for kind in (*_FLOATS, types.int64, types.uint64)]
        if not getattr(name, "__module__", "").startswith("math"):
            patterns = patterns[:2]  # operators of integers stay what they are
    for pattern in patterns:
        registry.lower(name, *pattern)(lower)


def _computed(function, kind):
    """The body that computes in float64 by the text of a function."""

    def lower(context, builder, sig, args):
        result = types.UniTuple(types.float64, 2) if isinstance(sig.return_type, types.BaseTuple) else types.float64
        values = [context.cast(builder, v, t, types.float64) for v, t in zip(args, sig.args, strict=True)]
        inner = signature(kind if kind is VECTOR else result, *[kind] * len(values))
        value = context.compile_internal(builder, function, inner, values)
        return context.cast(builder, value, result, sig.return_type)

    return lower


def _rounded(name: str):
    """The body that is one instruction."""

    def lower(context, builder, sig, args):
        kind = sig.args[0] if sig.args[0] in _FLOATS else types.float64
        value = context.cast(builder, args[0], sig.args[0], kind)
        suffix = {32: "f", 64: "d"}[kind.bitwidth] if "nvvm" in name else f"f{kind.bitwidth}"
        return context.cast(builder, call(builder, f"{name}.{suffix}", value.type, value), kind, sig.return_type)

    return lower


def _absent(name):
    """The body that refuses a function."""
    module = "numpy" if isinstance(name, np.ufunc) else "math"

    def lower(context, builder, sig, args):
        raise errors.NumbaNotImplementedError(f"'{module}.{name.__name__}' is not available on GPUs")

    return lower


for _table, _kind in ((REAL, VECTOR), (REMAINDERS, types.float64)):
    for _function, _names in _table.items():
        for _name in _names:
            _register(_name, 2 if _function in _TWO else 1, _computed(_function, _kind))
for _instruction, _names in ROUNDED.items():
    for _name in _names:
        _register(_name, 1, _rounded(_instruction))
for _name in ABSENT:
    _register(_name, 2 if "nextafter" in _name.__name__ or "logaddexp" in _name.__name__ else 1, _absent(_name))
