"""Standard normals from random words: Box-Muller, arranged for the vector unit.

A pair of words gives a pair of normals r cos, r sin with r^2 = -2 ln u. Of the first word, 31 bits make u (an odd
multiple of 2^-32, so |z| <= 6.66) and the last bit the sign of the cosine; the second word is an angle in
[-pi/2, pi/2). Read as a signed number, the first word gives u itself below 1/2 and u - 1 above, each with the full
relative accuracy of a float: -ln u is then accurate also where u is near 1.

Both precisions make their normals from the same words, so a float32 network is the rounded float64 one.
"""

from __future__ import annotations

from . import coefficients as c
from .elementary import by_precision, log_64, log_from_parts_32
from .lanes import LANES, bits_float, float_bits, fma, horner, load, select, sqrt, store, to_float
from .philox import random_words

_UNIT = 2.0**-32


def _radius_32(word, like):
    u = to_float(word | 1, like) * _UNIT
    whole = select(u < 0.0, u + 1.0, u)
    bits = float_bits(whole)
    k = (bits - 0x3F3504F3) >> 23
    f = select(whole >= 0.70710677, u, bits_float(bits - (k << 23)) - 1.0)
    r = sqrt(log_from_parts_32(f, to_float(k, like)) * -2.0)
    return bits_float(float_bits(r) ^ (word << 31)), r


def _radius_64(word, like):
    u = to_float(word | 1, like) * _UNIT
    r = sqrt(log_64(select(u < 0.0, u + 1.0, u)) * -2.0)
    return select((word & 1) == 1, -r, r), r


def _sinpi_cospi_32(t):
    z = t * t
    return t * horner(z, c.SINPI_32), fma(z, -4.0, 1.0) * horner(z, c.COSPI_32)


def _sinpi_cospi_64(t):
    z = t * t
    return t * horner(z, c.SINPI_64), fma(z, -4.0, 1.0) * horner(z, c.COSPI_64)


radius = by_precision(_radius_32, _radius_64)
sinpi_cospi = by_precision(_sinpi_cospi_32, _sinpi_cospi_64)


def normal_pair(word_radius, word_angle, like):
    """Two vectors of 16 normals from two vectors of 16 words, in the precision of `like`."""
    signed_radius, positive_radius = radius(word_radius, like)
    sine, cosine = sinpi_cospi(to_float(word_angle, like) * _UNIT)
    return signed_radius * cosine, positive_radius * sine


def four_normals(words, index, like):
    """Four vectors of normals from the words that `fill_words` stored of one counter."""
    k = index * 4 * LANES
    z0, z1 = normal_pair(load(words, k), load(words, k + LANES), like)
    z2, z3 = normal_pair(load(words, k + 2 * LANES), load(words, k + 3 * LANES), like)
    return z0, z1, z2, z3


def fill_normals(cell, network, layer, role, scale, live, out):
    """out = scale z with fresh standard normals z, zero in the padding."""
    for i in range(0, len(live), 4 * LANES):
        a, b, c, d = random_words(cell.key, network, layer, role, i // (4 * LANES))
        z0, z1 = normal_pair(a, b, scale)
        z2, z3 = normal_pair(c, d, scale)
        store(out, i, z0 * scale * load(live, i))
        if i + LANES < len(live):
            store(out, i + LANES, z1 * scale * load(live, i + LANES))
        if i + 2 * LANES < len(live):
            store(out, i + 2 * LANES, z2 * scale * load(live, i + 2 * LANES))
        if i + 3 * LANES < len(live):
            store(out, i + 3 * LANES, z3 * scale * load(live, i + 3 * LANES))
