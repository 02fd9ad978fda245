"""A user's own pair in compiled kernels: scalar functions run lane by lane, and Numba's refusals in a sentence."""

from __future__ import annotations

import re
from types import FunctionType
from typing import Any

from gradsim_core import jit
from gradsim_core.lanes import lane_count, lane_get, lane_set

from .differences import by_differences
from .table import Activation

_REMEDY = (
    "Write it for one number, with operators, conditions, functions of the math module, and functions of your own "
    "marked @numba.njit"
)


def check_compiles(activation: Activation) -> None:
    """Compile both functions of a user's pair by themselves.

    Raises
    ------
    TypeError
        If Numba cannot, or the result is not a number: says which function, why, and what to write.
    """
    for name in ("phi", "dphi"):
        reason = _refusal(getattr(activation, name))
        if reason:
            raise TypeError(f"{name} of activation {activation.name!r}: {reason}. {_REMEDY}")


@jit.once
def _refusal(function: Any) -> str | None:
    from numba.core import errors, types

    argument = types.float64
    try:
        compiled = compilable(function, "checked")
        if compiled._can_compile:  # else the user has given its types
            compiled.compile((argument,))
        result = types.unliteral(list(compiled.overloads.values())[-1].signature.return_type)
    except (errors.NumbaError, TypeError, NotImplementedError, KeyError, RuntimeError) as error:
        return f"Numba cannot compile it: {shortened(error)}"
    if isinstance(result, types.Integer | types.Float | types.Boolean):
        return None
    return f"for a number it returns {result}, but must return a real number"


def shortened(error: Exception) -> str:
    """The reason in an error of Numba, without the places and the candidates that it lists."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", str(error))
    lines = [line.strip() for line in text.splitlines()]
    reasons = [line for line in lines if line and not line.startswith(("Failed in", "File ", "During", "<source"))]
    if not reasons:
        return type(error).__name__
    reason = " ".join(reasons[:2]).replace(">>> ", "") if reasons[0].endswith(":") else reasons[0]
    return reason[:200].rstrip(".: ")


def by_lane(function: Any, name: str | None) -> Any:
    """A vector function (h, alpha) that applies a user's scalar function of h lane by lane, in float64.

    Parameters
    ----------
    function : callable
        Of one number.
    name : str or None
        Tells the function from all others, also those of other processes; None for the interpreter.
    """
    scalar = function if name is None else compilable(function, name)

    def apply(h: Any, alpha: Any) -> Any:
        out = h
        for i in range(lane_count(h)):
            out = lane_set(out, i, float(scalar(float(lane_get(h, i)))))
        return out

    return apply if name is None else jit.make_closure_compilable(apply, name, inline=True)


def compilable(function: Any, name: str) -> Any:
    """A Numba function with the name; one that the user compiled stays as it is."""
    if hasattr(function, "py_func"):
        return function
    phi = getattr(function, "differences_of", None)
    if phi is not None:
        function = by_differences(compilable(phi, f"{name}_differences"))
    plain = function if isinstance(function, FunctionType) else lambda h: function(h)  # a NumPy ufunc
    copy = FunctionType(plain.__code__, plain.__globals__, plain.__name__, plain.__defaults__, plain.__closure__)
    copy.__kwdefaults__ = plain.__kwdefaults__
    copy.__qualname__ = f"{plain.__qualname__}_{name}"
    return jit.compile_scalar(copy)
