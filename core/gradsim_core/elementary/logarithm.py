"""log and log1p."""

from __future__ import annotations

from gradsim_core import jit
from gradsim_core.lanes import bits_float, float_bits, fma, horner, to_float

from . import coefficients as c
from .precision import by_precision

LN2 = 0.6931471805599453

# ln 2 in parts short enough that a multiple of each cancels exactly in one fma.
LN2_32 = (0.693145751953125, 1.4286068203094172e-06)
LN2_64 = (0.6931471803691238, 1.9082149292705877e-10)


def log_32(x):
    """ln x of positive normal float32."""
    bits = float_bits(x)
    k = (bits - 0x3F3504F3) >> 23  # so that the mantissa lies in [sqrt(1/2), sqrt(2))
    f = bits_float(bits - (k << 23)) - 1.0
    return log_from_parts_32(f, to_float(k, x))


def log_from_parts_32(f, k):
    """ln((1 + f) 2^k), float32."""
    tail = fma(horner(f, c.LOG1P_32), f * f, k * LN2_32[1])
    return fma(k, LN2_32[0], f + tail)


def log_scaled(x, exponent):
    """ln(x 2^exponent) of positive normal float64, with the exponent as a float: one rounding for all scalings of x."""
    bits = float_bits(x)
    k = (bits - 0x3FE6A09E667F3BCD) >> 52
    f = bits_float(bits - (k << 52)) - 1.0
    k = to_float(k, x) + exponent
    s = f / (f + 2.0)
    z = s * s
    square = 0.5 * f * f
    return k * LN2_64[0] - ((square - fma(s, square + z * horner(z, c.ATANH_64), k * LN2_64[1])) - f)


def log_64(x):
    """ln x of positive normal float64."""
    return log_scaled(x, 0.0)


log = by_precision(log_32, log_64)


def log1p(x):
    """ln(1 + x) for x >= 0, with the rounding of 1 + x put back."""
    u = x + 1.0
    return log(u) + (x - (u - 1.0)) / u


jit.register_leaves(__name__, inline=True)
