"""sin and cos."""

from __future__ import annotations

import numpy as np

from gradsim_core import jit
from gradsim_core.lanes import absolute, bits_float, float_bits, fma, horner, maximum, minimum, rint, select, to_int

from . import coefficients as c
from .precision import by_precision

# pi in parts short enough that a multiple of each cancels exactly in one fma.
_PI_32 = (3.1415927410125732, -8.742277657347586e-08, -3.430089543442821e-15)
_PI_64 = (3.141592653589793, 1.2246467991473532e-16, -2.9947698097183397e-33)
# Beyond it the float is coarser than the half period it has to be placed in: NaN rather than noise.
_FAR_32, _FAR_64 = 2.0**24, 2.0**52


def _sin_rest_32(m, x):
    r = fma(m, -_PI_32[2], fma(m, -_PI_32[1], fma(m, -_PI_32[0], x)))
    z = r * r
    return fma(horner(z, c.SIN_32), z * r, r)


def _sin_rest_64(m, x):
    r = fma(m, -_PI_64[2], fma(m, -_PI_64[1], fma(m, -_PI_64[0], x)))
    z = r * r
    return fma(horner(z, c.SIN_64), z * r, r)


def _alternate_32(y, n):
    return bits_float(float_bits(y) ^ ((to_int(n) & 1) << 31))


def _alternate_64(y, n):
    return bits_float(float_bits(y) ^ ((to_int(n) & 1) << 63))


def _nearest_32(x):
    return rint(maximum(minimum(x, _FAR_32), -_FAR_32))


def _nearest_64(x):
    return rint(maximum(minimum(x, _FAR_64), -_FAR_64))


def _is_near_32(x):
    return absolute(x) <= _FAR_32


def _is_near_64(x):
    return absolute(x) <= _FAR_64


_sin_rest = by_precision(_sin_rest_32, _sin_rest_64)  # sin(x - m pi)
_alternate = by_precision(_alternate_32, _alternate_64)  # (-1)^n y
_nearest = by_precision(_nearest_32, _nearest_64)
_is_near = by_precision(_is_near_32, _is_near_64)


def _sin_at(x, n, shift):
    return select(_is_near(x), _alternate(_sin_rest(n + shift, x), n), x * np.nan)


def sin(x):
    """sin x for |x| <= 2^24 (float32) or 2^52 (float64), NaN beyond."""
    return _sin_at(x, _nearest(x * (1 / np.pi)), 0.0)


def cos(x):
    """cos x for |x| <= 2^24 (float32) or 2^52 (float64), NaN beyond."""
    return -_sin_at(x, _nearest(fma(x, 1 / np.pi, -0.5)), 0.5)


jit.register_leaves(__name__, inline=True)
