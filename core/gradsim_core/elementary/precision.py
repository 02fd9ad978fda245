"""One name for a float32 and a float64 body, and powers of two in both."""

from __future__ import annotations

import numpy as np

from gradsim_core import jit
from gradsim_core.lanes import bits_float


def by_precision(single, double):
    """One name for a float32 and a float64 body, chosen by the type of the last argument."""

    def function(*arguments):
        return (single if np.asarray(arguments[-1]).dtype == np.float32 else double)(*arguments)

    def choose(types):
        bits = getattr(types[-1], "bits", None) or types[-1].bitwidth
        return single if bits == 32 else double

    function.choose = choose
    function.__module__, function.__doc__ = single.__module__, single.__doc__
    function.__name__ = function.__qualname__ = single.__name__.removesuffix("_32")
    return function


def _power_of_two_32(k, like):
    return bits_float((k + 127) << 23)


def _power_of_two_64(k, like):
    return bits_float((k + 1023) << 52)


power_of_two = by_precision(_power_of_two_32, _power_of_two_64)


def scale(x, k):
    """x 2^k for |k| <= 252 (float32) or 2044 (float64), rounding once if the result is subnormal."""
    half = k >> 1
    return x * power_of_two(half, x) * power_of_two(k - half, x)


jit.register_leaves(__name__, inline=True)
