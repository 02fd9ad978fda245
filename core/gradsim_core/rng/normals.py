"""Standard normals from random words by the Box-Muller method, arranged for vectors.

A pair of words gives a pair of normals r cos a and r sin a, with r^2 = -2 ln u. Of the first word, 31 bits make u (an
odd multiple of 2^-32, so |z| <= 6.66) and the last bit is the sign of the cosine; the second word is the angle a, in
(-pi/2, pi/2). Read as a signed number, the first word gives u below 1/2 and u - 1 above, each with the full
relative accuracy of a float. So ln u is accurate also where u is near 1.

The angle is t pi/2 with t an odd multiple of 2^-24, which is exact in float32 and float64. With w = 1 - t^2 the sine
is t S(w) and the cosine is w C(w), with polynomials S and C. One fma serves both, both keep their relative accuracy
near their zeros, and no normal is zero.

Both precisions make their normals from the same words, so a float32 network is the rounded float64 network.
"""

from __future__ import annotations

from gradsim_core import jit
from gradsim_core.elementary import by_precision, log_64
from gradsim_core.elementary import coefficients as c
from gradsim_core.lanes import (
    LANES,
    bits_float,
    float_bits,
    fma,
    halves,
    horner,
    join,
    load,
    select,
    sqrt,
    store,
    to_float,
)

from .philox import random_words

_WORD = 2.0**32
_SQRT_HALF, _MANTISSA, _EXPONENT_31, _EXPONENT_32 = 0x3F3504F3, 0x7FFFFF, 31 << 23, 32 << 23  # as bits of a float32
_MINUS_2_LN2 = -1.3862943611198906


def _radius_32(word, like):
    v = to_float(word | 1, like)  # 2^32 u below 1/2, 2^32 (u - 1) above; | 1: never 0, whose exponent bits mean nothing
    bits = float_bits(select(word < 0, v + _WORD, v)) - (_SQRT_HALF + _EXPONENT_32)
    k = bits >> 23  # so that u = (1 + f) 2^k with 1 + f in [sqrt(1/2), sqrt(2))
    f = select(bits < 0, bits_float((bits & _MANTISSA) + _SQRT_HALF) - 1.0, bits_float(float_bits(v) - _EXPONENT_32))
    return sqrt(fma(to_float(k, like), _MINUS_2_LN2, f * horner(f, c.RADIUS_32)))


def _radius_64(word, like):
    u = to_float(word | 1, like) * (1.0 / _WORD)
    return sqrt(log_64(select(u < 0.0, u + 1.0, u)) * -2.0)


def _flip_32(word, r):
    return bits_float(float_bits(r) ^ (word << 31))


def _flip_64(word, r):
    return select((word & 1) == 1, -r, r)


def _sin_cos_32(angle):
    t = bits_float(float_bits(angle) - _EXPONENT_31)  # angle / 2^31 by its bits: the multiplier is the busiest unit
    w = fma(t, -t, 1.0)
    return t * horner(w, c.SINE_32), w * horner(w, c.COSINE_32)


def _sin_cos_64(angle):
    t = angle * (2.0 / _WORD)
    w = fma(t, -t, 1.0)
    return t * horner(w, c.SINE_64), w * horner(w, c.COSINE_64)


radius = by_precision(_radius_32, _radius_64)
flip = by_precision(_flip_32, _flip_64)
sin_cos = by_precision(_sin_cos_32, _sin_cos_64)


def pair(r, word_radius, word_angle):
    """r cos a and r sin a; the last bit of `word_radius` is the sign of the cosine."""
    sine, cosine = sin_cos(to_float(word_angle & -256 | 128, r))
    return flip(word_radius, r) * cosine, r * sine


def normal_pair(word_radius, word_angle, like):
    """Two vectors of standard normals from two vectors of int32 words, in the precision of `like`."""
    return pair(radius(word_radius, like), word_radius, word_angle)


def scaled_pair(word_radius, word_angle, scale):
    """As `normal_pair`, with standard deviation `scale`."""
    return pair(radius(word_radius, scale) * scale, word_radius, word_angle)


def four_normals(a, b, c, d, like):
    """Four vectors of standard normals from the four vectors of words of a counter, in the precision of `like`.

    Two pairs are made at a time, for the reason that `draws` gives.
    """
    cosines, sines = normal_pair(join(a, c), join(b, d), like)
    z0, z2 = halves(cosines)
    z1, z3 = halves(sines)
    return z0, z1, z2, z3


def four_scaled(a, b, c, d, scale):
    """As `four_normals`, with standard deviation `scale`."""
    cosines, sines = scaled_pair(join(a, c), join(b, d), scale)
    z0, z2 = halves(cosines)
    z1, z3 = halves(sines)
    return z0, z1, z2, z3


def fill_normals(cell, network, layer, role, scale, live, out):
    """Draw the numbers of one layer and role of a network: normals of standard deviation `scale`, zero in the padding.

    Parameters
    ----------
    cell : Params
    network, layer, role : int
        As in `draws.Source`.
    scale : float
        In the precision of `out`.
    live : float array (padded,)
        1 up to the width, 0 beyond.
    out : float array (padded,)
        Receives the numbers.
    """
    for i in range(0, len(live), 4 * LANES):
        a, b, c, d = random_words(cell.key, network, layer, role, i // (4 * LANES))
        z0, z1, z2, z3 = four_scaled(a, b, c, d, scale)
        store(out, i, z0 * load(live, i))
        if i + LANES < len(live):
            store(out, i + LANES, z1 * load(live, i + LANES))
        if i + 2 * LANES < len(live):
            store(out, i + 2 * LANES, z2 * load(live, i + 2 * LANES))
        if i + 3 * LANES < len(live):
            store(out, i + 3 * LANES, z3 * load(live, i + 3 * LANES))


jit.register_leaves(__name__, inline=True)
