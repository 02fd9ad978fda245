"""Remainders and quotients of plain floats on a GPU, exact as on the CPU; LLVM would compute x - trunc(x / y) y."""

from __future__ import annotations

import math

import numpy as np

from gradsim_core import jit


def fmod(x, y):
    """The remainder of x / y with the sign of x, by subtraction of y times powers of two, which rounds nothing."""
    if not abs(x) < math.inf or not abs(y) > 0.0:
        return math.nan
    rest, divisor = abs(x), abs(y)
    while rest >= divisor:
        shift = math.frexp(rest)[1] - math.frexp(divisor)[1]
        multiple = math.ldexp(divisor, shift)
        if multiple > rest:
            multiple = math.ldexp(divisor, shift - 1)
        rest -= multiple
    return math.copysign(rest, x)


def divide(x, y):
    """Python's divmod of floats, by the same steps (`float_divmod` in CPython); where y is 0, inf or NaN."""
    rest = fmod(x, y)
    if y == 0.0:
        return x / y, rest
    quotient = (x - rest) / y
    if rest == 0.0:
        rest = math.copysign(0.0, y)
    elif (y < 0.0) != (rest < 0.0):
        rest += y
        quotient -= 1.0
    if quotient < 0.0 or quotient > 0.0:
        floor = np.floor(quotient)
        return (floor + 1.0 if quotient - floor > 0.5 else floor), rest
    return quotient * quotient * x / y, rest


def modulo(x, y):
    """Python's x % y."""
    return divide(x, y)[1]


def floor_divide(x, y):
    """Python's x // y."""
    return divide(x, y)[0]


jit.register_leaves(__name__, inline=True)
