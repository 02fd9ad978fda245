"""Elementary functions from polynomials: log, exp, expm1, log1p, sin, cos, tanh, logistic, erf, normal tail.

NumPy's and libm's versions change bytes with the processor, so nothing that is stored may use them. Each function
has one body for float32 and one for float64 where the polynomials differ, chosen by `by_precision`. NaN in gives
NaN out.

Largest error over every float32 number, in ulp: log 0.96, exp 0.99, expm1 1.44, log1p 1.39, sin and cos 1.99 (to
|x| = 1000), tanh 3.0, 1 / cosh^2 5.91, logistic 2.41, erf 2.77, erfcx 5.59, the normal tail 6.06. `make verify`
measures them; the quick tests sample both precisions.
"""

from __future__ import annotations

import numpy as np

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
    to_float,
    to_int,
)

from . import coefficients as c

LN2 = 0.6931471805599453
SQRT_HALF = 0.7071067811865476
INV_SQRT_2PI = 0.3989422804014327

# Added to a number, it leaves the nearest integer in the last bits.
_ROUND_32, _ROUND_64 = 1.5 * 2.0**23, 1.5 * 2.0**52
# ln 2 and pi in parts short enough that a multiple of each cancels exactly in one fma.
_LN2_32 = (0.693145751953125, 1.4286068203094172e-06)
_LN2_64 = (0.6931471803691238, 1.9082149292705877e-10)
_PI_32 = (3.1415927410125732, -8.742277657347586e-08, -3.430089543442821e-15)
_PI_64 = (3.141592653589793, 1.2246467991473532e-16, -2.9947698097183397e-33)


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


def _power_of_two_32(k):
    return bits_float((k + 127) << 23)


def _power_of_two_64(k):
    return bits_float((k + 1023) << 52)


power_of_two = by_precision(_power_of_two_32, _power_of_two_64)


def scale_32(x, k):
    """x 2^k for |k| <= 252, rounding once if the result is subnormal."""
    half = k >> 1
    return x * _power_of_two_32(half) * _power_of_two_32(k - half)


def scale_64(x, k):
    """x 2^k for |k| <= 2044, rounding once if the result is subnormal."""
    half = k >> 1
    return x * _power_of_two_64(half) * _power_of_two_64(k - half)


def log_32(x):
    """ln x of positive normal float32."""
    bits = float_bits(x)
    k = (bits - 0x3F3504F3) >> 23  # so that the mantissa lies in [sqrt(1/2), sqrt(2))
    f = bits_float(bits - (k << 23)) - 1.0
    return log_from_parts_32(f, to_float(k, x))


def log_from_parts_32(f, k):
    """ln((1 + f) 2^k), float32."""
    tail = fma(horner(f, c.LOG1P_32), f * f, k * _LN2_32[1])
    return fma(k, _LN2_32[0], f + tail)


def log_scaled(x, exponent):
    """ln(x 2^exponent) of positive normal float64, with the exponent as a float: one rounding for all scalings of x."""
    bits = float_bits(x)
    k = (bits - 0x3FE6A09E667F3BCD) >> 52
    f = bits_float(bits - (k << 52)) - 1.0
    k = to_float(k, x) + exponent
    s = f / (f + 2.0)
    z = s * s
    square = 0.5 * f * f
    return k * _LN2_64[0] - ((square - fma(s, square + z * horner(z, c.ATANH_64), k * _LN2_64[1])) - f)


def log_64(x):
    """ln x of positive normal float64."""
    return log_scaled(x, 0.0)


log = by_precision(log_32, log_64)


def exp_32(x):
    """e^x; below the smallest subnormal 0, above the range inf."""
    clamped = maximum(minimum(x, 89.0), -104.0)
    k = rint(clamped * (1 / LN2))
    r = fma(k, -_LN2_32[1], fma(k, -_LN2_32[0], clamped))
    y = scale_32(fma(horner(r, c.EXPM1_32), r * r, r) + 1.0, to_int(k))
    return select(x == x, y, x)


def exp_64(x):
    """e^x; below the smallest subnormal 0, above the range inf."""
    clamped = maximum(minimum(x, 710.0), -746.0)
    k = rint(clamped * (1 / LN2))
    r = fma(k, -_LN2_64[1], fma(k, -_LN2_64[0], clamped))
    y = scale_64(fma(horner(r, c.EXPM1_64), r * r, r) + 1.0, to_int(k))
    return select(x == x, y, x)


exp = by_precision(exp_32, exp_64)


def expm1_32(x):
    """e^x - 1 for x <= 88, exact to a few ulp however small x is."""
    clamped = maximum(minimum(x, 88.0), -20.0)
    k = rint(clamped * (1 / LN2))
    r = fma(k, -_LN2_32[1], fma(k, -_LN2_32[0], clamped))
    two_k = _power_of_two_32(to_int(k))
    y = fma(two_k, fma(horner(r, c.EXPM1_32), r * r, r), two_k - 1.0)
    return select(x == x, y, x)


def expm1_64(x):
    """e^x - 1 for x <= 709, exact to a few ulp however small x is."""
    clamped = maximum(minimum(x, 709.0), -40.0)
    k = rint(clamped * (1 / LN2))
    r = fma(k, -_LN2_64[1], fma(k, -_LN2_64[0], clamped))
    two_k = _power_of_two_64(to_int(k))
    y = fma(two_k, fma(horner(r, c.EXPM1_64), r * r, r), two_k - 1.0)
    return select(x == x, y, x)


expm1 = by_precision(expm1_32, expm1_64)


def _decay_32(x):
    clamped = maximum(-87.0, x)
    shifted = fma(clamped, 1 / LN2, _ROUND_32)
    k, two_k = shifted - _ROUND_32, bits_float((float_bits(shifted) << 23) + (127 << 23))
    r = fma(k, -_LN2_32[1], fma(k, -_LN2_32[0], clamped))
    p = fma(horner(r, c.EXPM1_32), r * r, r)
    return fma(two_k, p, two_k), fma(two_k, p, two_k - 1.0)


def _decay_64(x):
    clamped = maximum(-708.0, x)
    shifted = fma(clamped, 1 / LN2, _ROUND_64)
    k, two_k = shifted - _ROUND_64, bits_float((float_bits(shifted) << 52) + (1023 << 52))
    r = fma(k, -_LN2_64[1], fma(k, -_LN2_64[0], clamped))
    p = fma(horner(r, c.EXPM1_64), r * r, r)
    return fma(two_k, p, two_k), fma(two_k, p, two_k - 1.0)


# e^x and e^x - 1 for x <= 0, from one polynomial; they stay above the subnormals.
decay = by_precision(_decay_32, _decay_64)


def log1p(x):
    """ln(1 + x) for x >= 0, with the rounding of 1 + x put back."""
    u = x + 1.0
    return log(u) + (x - (u - 1.0)) / u


def _alternate_32(y, n):
    return bits_float(float_bits(y) ^ ((to_int(n) & 1) << 31))


def _alternate_64(y, n):
    return bits_float(float_bits(y) ^ ((to_int(n) & 1) << 63))


def _sin_at_32(x, n, shift):
    # Beyond 2^24 the float is coarser than the half period it has to be placed in: NaN rather than noise.
    m = n + shift
    r = fma(m, -_PI_32[2], fma(m, -_PI_32[1], fma(m, -_PI_32[0], x)))
    z = r * r
    return select(absolute(x) <= 16777216.0, _alternate_32(fma(horner(z, c.SIN_32), z * r, r), n), x * np.nan)


def _sin_at_64(x, n, shift):
    m = n + shift
    r = fma(m, -_PI_64[2], fma(m, -_PI_64[1], fma(m, -_PI_64[0], x)))
    z = r * r
    return select(absolute(x) <= 2.0**52, _alternate_64(fma(horner(z, c.SIN_64), z * r, r), n), x * np.nan)


def _nearest_32(x):
    return rint(maximum(minimum(x, 16777216.0), -16777216.0))


def _nearest_64(x):
    return rint(maximum(minimum(x, 2.0**52), -(2.0**52)))


def sin_32(x):
    """sin x for |x| <= 2^24, NaN beyond."""
    return _sin_at_32(x, _nearest_32(x * (1 / np.pi)), 0.0)


def sin_64(x):
    """sin x for |x| <= 2^52, NaN beyond."""
    return _sin_at_64(x, _nearest_64(x * (1 / np.pi)), 0.0)


def cos_32(x):
    """cos x for |x| <= 2^24, NaN beyond."""
    return -_sin_at_32(x, _nearest_32(fma(x, 1 / np.pi, -0.5)), 0.5)


def cos_64(x):
    """cos x for |x| <= 2^52, NaN beyond."""
    return -_sin_at_64(x, _nearest_64(fma(x, 1 / np.pi, -0.5)), 0.5)


sin = by_precision(sin_32, sin_64)
cos = by_precision(cos_32, cos_64)


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


def _erfcx_polynomial_32(t):
    return horner(t, c.ERFCX_32)


def _erfcx_polynomial_64(t):
    return horner(t, c.ERFCX_64)


def _erf_polynomial_32(z):
    return horner(z, c.ERF_32)


def _erf_polynomial_64(z):
    return horner(z, c.ERF_64)


erfcx_polynomial = by_precision(_erfcx_polynomial_32, _erfcx_polynomial_64)
erf_polynomial = by_precision(_erf_polynomial_32, _erf_polynomial_64)


def erfcx(x):
    """exp(x^2) erfc(x) for x >= 0.

    (1 + 2x) erfcx(x) is smooth in (x - k)/(x + k) on the whole half line: Shepherd and Laframboise (1981),
    doi:10.1090/S0025-5718-1981-0595058-X.
    """
    t = 1.0 - 5.0 / (x + 2.5)
    return erfcx_polynomial(t) / fma(x, 2.0, 1.0)


def exp_minus_square(x, factor):
    """exp(-factor x^2) for x >= 0 and a power of two `factor`.

    The rounding of x^2 is put back, which the exponential would magnify by x^2.
    """
    bounded = minimum(1e4, x)
    square = bounded * bounded
    return exp(square * -factor) * (1.0 - factor * fma(bounded, bounded, -square))


def erf(x):
    """Error function."""
    size = absolute(x)
    outside = 1.0 - exp_minus_square(size, 1.0) * erfcx(size)
    near = minimum(1.0, size)
    return copysign(select(size > 1.0, outside, near * erf_polynomial(near * near)), x)


def normal_tail(x):
    """P(z > |x|) for a standard normal z, with full relative accuracy."""
    size = absolute(x)
    return 0.5 * exp_minus_square(size, 0.5) * erfcx(size * SQRT_HALF)


def mills_ratio(x):
    """P(z > |x|) / density(|x|) for a standard normal z: never underflows before 1/|x| does."""
    return 1.2533141373155003 * erfcx(absolute(x) * SQRT_HALF)


jit.register_leaves(__name__, inline=True)
