"""exp, expm1, and what is made of them: tanh, the logistic function, exp(-x^2)."""

from __future__ import annotations

from gradsim_core import jit
from gradsim_core.lanes import (
    absolute,
    bits_float,
    copysign,
    float_bits,
    fma,
    horner,
    maximum,
    minimum,
    rint,
    select,
    to_int,
)

from . import coefficients as c
from .logarithm import LN2, LN2_32, LN2_64, log1p
from .precision import by_precision, power_of_two, scale

# Added to a number, it leaves the nearest integer in the last bits.
_ROUND_32, _ROUND_64 = 1.5 * 2.0**23, 1.5 * 2.0**52


def _expm1_rest_32(k, x):
    r = fma(k, -LN2_32[1], fma(k, -LN2_32[0], x))
    return fma(horner(r, c.EXPM1_32), r * r, r)


def _expm1_rest_64(k, x):
    r = fma(k, -LN2_64[1], fma(k, -LN2_64[0], x))
    return fma(horner(r, c.EXPM1_64), r * r, r)


# e^(x - k ln 2) - 1 where k is the integer nearest to x / ln 2.
_expm1_rest = by_precision(_expm1_rest_32, _expm1_rest_64)


def _exp_range_32(x):
    return maximum(minimum(x, 89.0), -104.0)


def _exp_range_64(x):
    return maximum(minimum(x, 710.0), -746.0)


_exp_range = by_precision(_exp_range_32, _exp_range_64)


def exp(x):
    """e^x; below the smallest subnormal 0, above the range inf."""
    clamped = _exp_range(x)
    k = rint(clamped * (1 / LN2))
    y = scale(_expm1_rest(k, clamped) + 1.0, to_int(k))
    return select(x == x, y, x)


def _expm1_range_32(x):
    return maximum(minimum(x, 88.0), -20.0)


def _expm1_range_64(x):
    return maximum(minimum(x, 709.0), -40.0)


_expm1_range = by_precision(_expm1_range_32, _expm1_range_64)


def expm1(x):
    """e^x - 1 for x <= 88 (float32) or 709 (float64), exact to a few ulp however small x is."""
    clamped = _expm1_range(x)
    k = rint(clamped * (1 / LN2))
    two_k = power_of_two(to_int(k), x)
    y = fma(two_k, _expm1_rest(k, clamped), two_k - 1.0)
    return select(x == x, y, x)


def _decay_range_32(x):
    return maximum(-87.0, x)


def _decay_range_64(x):
    return maximum(-708.0, x)


def _nearest_power_32(x):
    shifted = fma(x, 1 / LN2, _ROUND_32)
    return shifted - _ROUND_32, bits_float((float_bits(shifted) << 23) + (127 << 23))


def _nearest_power_64(x):
    shifted = fma(x, 1 / LN2, _ROUND_64)
    return shifted - _ROUND_64, bits_float((float_bits(shifted) << 52) + (1023 << 52))


_decay_range = by_precision(_decay_range_32, _decay_range_64)
_nearest_power = by_precision(_nearest_power_32, _nearest_power_64)


def decay(x):
    """e^x and e^x - 1 for x <= 0, from one polynomial; they stay above the subnormals."""
    clamped = _decay_range(x)
    k, two_k = _nearest_power(clamped)
    p = _expm1_rest(k, clamped)
    return fma(two_k, p, two_k), fma(two_k, p, two_k - 1.0)


def tanh(x):
    """tanh x through e^-2|x| - 1, so that small x keep their relative accuracy."""
    _, t = decay(absolute(x) * -2.0)
    return copysign(t * (1.0 / (t + 2.0)), x)


def tanh_derivative(x):
    """1 / cosh^2 x, of full relative accuracy until it is subnormal; what it shares with tanh is computed once."""
    e, t = decay(absolute(x) * -2.0)
    half = 2.0 * (1.0 / (t + 2.0))
    return e * half * half


def logistic(x):
    """1 / (1 + e^-x), with full relative accuracy in both tails."""
    e = exp(-absolute(x))
    return select(x < 0.0, e, 1.0) / (e + 1.0)


def log_logistic(h):
    """ln of the logistic function, for h of any size."""
    return minimum(0.0, h) - log1p(exp(-absolute(h)))


def exp_minus_square(x, factor):
    """exp(-factor x^2) for x >= 0 and a power of two `factor`.

    The rounding of x^2 is put back, which the exponential would magnify by x^2.
    """
    bounded = minimum(1e4, x)
    square = bounded * bounded
    return exp(square * -factor) * (1.0 - factor * fma(bounded, bounded, -square))


jit.register_leaves(__name__, inline=True)
