"""Functions of module `math` for a user's own activation on a GPU, in float64 and for every argument.

`elementary` has what the core needs where it needs it; here the rest of the range is added, and the functions that the
core does not use. Zeros keep their sign. NaN in gives NaN out.

Largest error in ulp over arguments of all sizes (sin, cos, tan: |x| <= 1000): acos 1.6, acosh 2.4, asin 1.9, asinh 1.9,
atan 0.8, atan2 1.4, atanh 2.3, cos 1.9, cosh 2.0, erf 1.5, erfc 3.3, exp 1.0, expm1 1.9, hypot 1.0, log 0.8, log1p 1.5,
sin 1.8, sinh 2.3, tan 3.2, tanh 3.0. Up to |x| = 2^52 sin and cos are off by at most 5.4 2^-53. `test_own` measures.
"""

from __future__ import annotations

import math

from gradsim_core import elementary, jit
from gradsim_core.elementary.logarithm import log_scaled
from gradsim_core.lanes import absolute, copysign, fma, horner, maximum, minimum, select, splat
from gradsim_core.lanes import sqrt as square_root

_SMALLEST_NORMAL = 2.2250738585072014e-308
_LN2 = 0.6931471805599453
_PI = (3.141592653589793, 1.2246467991473532e-16)
_FLAT = 2.0**28
"""From here on x^2 + 1 = x^2."""

# FreeBSD's s_atan.c: atan of 1/2, 1, 3/2 and infinity in two parts, and a polynomial in x^2.
_ATAN_AT = (0.4636476090008061, 0.7853981633974483, 0.982793723247329, 1.5707963267948966)
_ATAN_REST = (2.2698777452961687e-17, 3.061616997868383e-17, 1.3903311031230998e-17, 6.123233995736766e-17)
_ATAN = (
    0.3333333333333293,
    -0.19999999999876483,
    0.14285714272503466,
    -0.11111110405462356,
    0.09090887133436507,
    -0.0769187620504483,
    0.06661073137387531,
    -0.058335701337905735,
    0.049768779946159324,
    -0.036531572744216916,
    0.016285820115365782,
)


def exp(x):
    """e^x."""
    return elementary.exp(x)


def expm1(x):
    """e^x - 1."""
    y = select(x > 709.0, elementary.exp(x), elementary.expm1(x))
    return select(x == 0.0, x, y)


def log(x):
    """ln x; -inf at 0, NaN below."""
    tiny = x < _SMALLEST_NORMAL
    zero = splat(x, 0.0)
    y = log_scaled(select(tiny, x * 2.0**54, x), select(tiny, zero - 54.0, zero))
    y = select(x < math.inf, y, x)
    return select(x > 0.0, y, select(x == 0.0, zero - math.inf, x * math.nan))


def log1p(x):
    """ln(1 + x); -inf at -1, NaN below."""
    y = select(x < math.inf, elementary.log1p(x), x)
    outside = select(x == -1.0, splat(x, -math.inf), x * math.nan)
    return select(x > -1.0, select(x == 0.0, x, y), outside)


def sin(x):
    """sin x for |x| <= 2^52, NaN beyond."""
    return select(x == 0.0, x, elementary.sin(x))


def cos(x):
    """cos x for |x| <= 2^52, NaN beyond."""
    return elementary.cos(x)


def tan(x):
    """tan x for |x| <= 2^52, NaN beyond."""
    return sin(x) / cos(x)


def tanh(x):
    """tanh x."""
    return elementary.tanh(x)


def sinh(x):
    """(e^x - e^-x) / 2."""
    size = absolute(x)
    t = elementary.expm1(minimum(709.0, size))
    half = elementary.exp(size * 0.5)
    return copysign(select(size > 709.0, (half * 0.5) * half, 0.5 * (t + t / (t + 1.0))), x)


def cosh(x):
    """(e^x + e^-x) / 2."""
    size = absolute(x)
    e, half = elementary.exp(minimum(709.0, size)), elementary.exp(size * 0.5)
    return select(size > 709.0, (half * 0.5) * half, 0.5 * e + 0.5 / e)


def asinh(x):
    """The inverse of sinh."""
    size = absolute(x)
    bounded = minimum(_FLAT, size)
    square = bounded * bounded
    y = log1p(bounded + square / (1.0 + square_root(square + 1.0)))
    return copysign(select(size > _FLAT, log(size) + _LN2, y), x)


def acosh(x):
    """The inverse of cosh for x >= 1, NaN below."""
    t = minimum(_FLAT, x) - 1.0
    y = select(x > _FLAT, log(x) + _LN2, log1p(t + square_root(t * (t + 2.0))))
    return select(x >= 1.0, y, x * math.nan)


def atanh(x):
    """The inverse of tanh for |x| <= 1, NaN beyond."""
    size = absolute(x)
    return copysign(0.5 * log1p(2.0 * size / (1.0 - size)), x)


def erf(x):
    """Error function."""
    return elementary.erf(x)


def erfc(x):
    """1 - erf x, with full relative accuracy in the tail."""
    size = absolute(x)
    tail = elementary.exp_minus_square(size, 1.0) * elementary.erfcx(size)
    return select(x > 0.5, tail, select(x < -0.5, 2.0 - tail, 1.0 - elementary.erf(x)))


def _atan_part(x, y, low, numerator, denominator, k):
    """y, or where |x| >= low the value from the argument (numerator / denominator) and atan(c)."""
    t = numerator / denominator
    z = t * t
    rest = t * _atan_sum(z)
    return select(x >= low, _ATAN_AT[k] - ((rest - _ATAN_REST[k]) - t), y)


def _atan_sum(z):
    return horner(z, _ATAN) * z


def atan(x):
    """The inverse of tan."""
    size = absolute(x)
    y = size - size * _atan_sum(size * size)
    y = _atan_part(size, y, 0.4375, fma(size, 2.0, -1.0), size + 2.0, 0)
    y = _atan_part(size, y, 0.6875, size - 1.0, size + 1.0, 1)
    y = _atan_part(size, y, 1.1875, size - 1.5, fma(size, 1.5, 1.0), 2)
    y = _atan_part(size, y, 2.4375, splat(size, -1.0), size, 3)
    return copysign(select(x == x, y, x), x)


def asin(x):
    """The inverse of sin for |x| <= 1, NaN beyond."""
    return atan(x / square_root((1.0 - x) * (x + 1.0)))


def acos(x):
    """The inverse of cos for |x| <= 1, NaN beyond."""
    return 2.0 * atan(square_root((1.0 - x) / (x + 1.0)))


def atan2(y, x):
    """The angle of the point (x, y)."""
    height, breadth = absolute(y), absolute(x)
    ratio = select(height == breadth, splat(x, 1.0), height / breadth)
    angle = atan(select(height == 0.0, height, ratio))
    angle = select(copysign(splat(x, 1.0), x) < 0.0, _PI[0] - (angle - _PI[1]), angle)
    return copysign(select(x == x, select(y == y, angle, y), x), y)


def hypot(x, y):
    """sqrt(x^2 + y^2) without overflow or underflow between."""
    big, small = maximum(absolute(x), absolute(y)), minimum(absolute(x), absolute(y))
    factor = select(big > 2.0**500, splat(big, 2.0**-600), select(big < 2.0**-450, splat(big, 2.0**700), 1.0))
    a, b = big * factor, small * factor
    length = square_root(fma(a, a, b * b)) / factor
    length = select(x == x, select(y == y, length, y), x)
    return select((absolute(x) == math.inf) | (absolute(y) == math.inf), splat(big, math.inf), length)


jit.register_leaves(__name__, inline=True)
