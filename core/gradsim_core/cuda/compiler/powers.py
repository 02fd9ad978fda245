"""Powers and logarithms to other bases on a GPU, from ln x in two numbers; in float64 and for every argument.

Largest error in ulp: exp2 1.1, log2 0.6, log10 0.6, power 1.4. `test_own` measures.
"""

from __future__ import annotations

import math

from gradsim_core import jit
from gradsim_core.elementary import coefficients as c
from gradsim_core.elementary.exponential import _expm1_rest_64
from gradsim_core.elementary.logarithm import LN2_64
from gradsim_core.elementary.precision import scale
from gradsim_core.lanes import (
    absolute,
    bits_float,
    float_bits,
    fma,
    horner,
    maximum,
    minimum,
    rint,
    select,
    splat,
    to_float,
    to_int,
)

_SMALLEST_NORMAL = 2.2250738585072014e-308
_LN2 = (0.6931471805599453, 2.3190468138462996e-17)
_PER_LN2 = (1.4426950408889634, 2.0355273740931033e-17)
_PER_LN10 = (0.4342944819032518, 1.098319650216765e-17)
_TWO_THIRDS = (0.6666666666666666, 3.700743415417188e-17)


def _product(a, b):
    """a b and the rounding error of it."""
    p = a * b
    return p, fma(a, b, -p)


def _times(a, rest, factor):
    """(a + rest) times a constant of two numbers."""
    high, low = _product(a, splat(a, factor[0]))
    return high, low + fma(a, factor[1], rest * factor[0])


def log_in_two(x):
    """ln x of positive finite x in two numbers, to about 2^-68 of it.

    ln m = 2 atanh s with s = (m - 1) / (m + 1): s, s^2 and the first two terms of the series are kept in two numbers.
    """
    tiny = x < _SMALLEST_NORMAL
    bits = float_bits(select(tiny, x * 2.0**54, x))
    k = (bits - 0x3FE6A09E667F3BCD) >> 52
    f = bits_float(bits - (k << 52)) - 1.0
    k = to_float(k, x) - select(tiny, splat(x, 54.0), 0.0)
    u = f + 2.0
    s = f / u
    s_low = (fma(-s, u, f) - s * (f - (u - 2.0))) / u
    z, z_low = _product(s, s)
    z_low = fma(s + s, s_low, z_low)
    series = z * horner(z, c.ATANH_64[1:])
    cubic, cubic_low = _times(z, z_low, _TWO_THIRDS)
    cubic_low = fma(z, series, cubic_low)
    term, term_low = _product(s, cubic)
    term_low = term_low + fma(s, cubic_low, s_low * cubic)
    whole = k * LN2_64[0]
    high = whole + (s + s)
    low = (whole - high) + (s + s)
    total = high + term
    rest = ((high - total) + term) + (low + fma(k, LN2_64[1], term_low + (s_low + s_low)))
    result = total + rest
    return result, (total - result) + rest


def exp_of_two(high, low):
    """e^(high + low) for |low| <= 2^-40 |high|."""
    clamped = maximum(minimum(high, 710.0), -746.0)
    k = rint(clamped * _PER_LN2[0])
    p = _expm1_rest_64(k, clamped)
    p = p + select(clamped == high, low, 0.0) * (p + 1.0)
    y = scale(p + 1.0, to_int(k))
    return select(high == high, y, high)


def exp2(x):
    """2^x."""
    bounded = maximum(minimum(x, 1100.0), -1200.0)
    k = rint(bounded)
    high, low = _product(bounded - k, splat(x, _LN2[0]))
    p = _expm1_rest_64(splat(x, 0.0), high)
    y = scale(p + fma(low, p + 1.0, 1.0), to_int(k))
    return select(x == x, y, x)


def _log_to_base(x, factor):
    high, low = _times(*log_in_two(select(x > 0.0, select(x < math.inf, x, 1.0), 1.0)), factor)
    y = select(x < math.inf, high + low, x)
    return select(x > 0.0, y, select(x == 0.0, splat(x, -math.inf), x * math.nan))


def log2(x):
    """The logarithm to base 2; -inf at 0, NaN below."""
    return _log_to_base(x, _PER_LN2)


def log10(x):
    """The logarithm to base 10; -inf at 0, NaN below."""
    return _log_to_base(x, _PER_LN10)


def power(x, y):
    """x^y, with the limits that C's pow has."""
    size = absolute(x)
    inside = select(size > 0.0, select(size < math.inf, size, 2.0), 2.0)
    log_high, log_low = log_in_two(inside)
    exponent = maximum(minimum(y, 1e300), -1e300)
    high, low = _product(log_high, exponent)
    low = select(absolute(high) < 1000.0, fma(log_low, exponent, low), 0.0)
    finite = exp_of_two(high, low)
    of_zero = select(y > 0.0, splat(x, 0.0), math.inf)
    of_infinity = select(y > 0.0, splat(x, math.inf), 0.0)
    result = select(size == 0.0, of_zero, select(size == math.inf, of_infinity, finite))
    result = select(size == 1.0, splat(x, 1.0), result)
    whole = rint(y) == y
    half = y * 0.5
    odd = whole & (rint(half) != half)
    negative = float_bits(x) < 0
    result = select(negative & odd, -result, result)
    result = select((x < 0.0) & (size < math.inf) & ~whole, splat(x, math.nan), result)
    result = select(x == x, select(y == y, result, y), x)
    return select(y == 0.0, splat(x, 1.0), select(x == 1.0, splat(x, 1.0), result))


jit.register_leaves(__name__, inline=True)
