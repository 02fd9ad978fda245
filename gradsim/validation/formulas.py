"""Numbers as a source gives them: decimals with their digits, or formulas of numbers."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

from scipy.special import digamma

_CONSTANTS = {"pi": math.pi}
_FUNCTIONS: dict[str, Callable[..., float]] = {
    "sqrt": math.sqrt, "exp": math.exp, "ln": math.log, "max": max, "digamma": lambda x: float(digamma(x)),
}  # fmt: skip
_OPERATORS: dict[type, Callable[[float, float], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}  # fmt: skip
ALLOWED = (
    "a number, or a formula of numbers in quotes with + - * / **, pi, sqrt, exp, ln, digamma and max, with a real, "
    "finite value"
)


def evaluate(text: str | float) -> float:
    """Return the value of a decimal or a formula, such as ``"sqrt(2) * exp(1.2 / 5.6)"``.

    Raises
    ------
    ValueError
        If it is neither, or has no real, finite value.

    Examples
    --------
    >>> evaluate("9 * pi**2 / 2")
    44.41321980490211
    """
    try:
        value = _value(ast.parse(str(text).strip(), mode="eval").body)
        if isinstance(value, complex) or not math.isfinite(value):
            raise ValueError(f"{text} has no real, finite value")
    except (ArithmeticError, TypeError, SyntaxError, RecursionError, MemoryError) as error:
        raise ValueError(f"{text}: {error}") from None
    return value


def last_place(text: str) -> float | None:
    """Return one unit in the last decimal that is printed: 0.001 for "1.234"; None for a formula.

    Examples
    --------
    >>> last_place("2.01e-5"), last_place("1 / 3")
    (1e-07, None)
    """
    try:
        exponent = Decimal(text.strip()).as_tuple().exponent
    except InvalidOperation:
        return None
    return 10.0**exponent if isinstance(exponent, int) else None


def significant_digits(text: str) -> int:
    """Return the number of significant digits of a decimal: leading zeros do not count."""
    return len(Decimal(text.strip()).as_tuple().digits)


def _value(node: ast.AST) -> float:
    """Everything becomes a float first, so that no power of integers can grow without bound."""
    match node:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            return float(number)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand)
        case ast.BinOp(left=left, op=kind, right=right) if type(kind) in _OPERATORS:
            value: float = _OPERATORS[type(kind)](_value(left), _value(right))
            return value
        case ast.Name(id=name) if name in _CONSTANTS:
            return _CONSTANTS[name]
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if name in _FUNCTIONS:
            return _FUNCTIONS[name](*map(_value, arguments))
    raise ValueError(f"{ast.unparse(node)} is no number and no formula of numbers")
