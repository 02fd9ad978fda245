"""Numbers of one network each, in float64, and the matrices of a stream in terms of them (see `schedule`).

A number comes with an exponent: it is in units of 2^exponent. Exponents are 0 as long as vectors are within the reach
of the kernels. Sums over neurons have the precision of the run; what is made of them is float64, so that products of
a few such numbers cannot overflow.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from gradsim_core import jit
from gradsim_core.elementary import by_precision
from gradsim_core.lanes import LANES, absolute, convert, fma, load, maximum, rint, select, splat, sqrt, store
from gradsim_core.rng.normals import normal_pair
from gradsim_core.rng.philox import STREAM_BIAS, random_words
from gradsim_core.scaling import per_lane
from gradsim_core.scaling.per_lane import exponent_of, scaled

# What is kept of a layer, one number per network, for the backward pass. Of the stream x: its exponent, |x|^2 and sum;
# of the norm where it enters a branch: mean, 1 / deviation, exponent, and the shares of epsilon and of the variance; of
# what the first matrix of the block above meets: |.|^2 and exponent; of the last matrix of the block: the shares of
# weights and bias in h; of the norm of the branch: the mean of z, the factor of z, 1 / deviation, exponent; of the norm
# after the sum: 1 / deviation, exponent; of the first of two matrices: v with h = v z, shift and shares, with |.|^2 and
# exponent of what the second one meets; of x' = of_x x + of_z z, where z is not stored: of_x and 1 / of_z; of norms of
# the branch and after the sum: epsilon's share divided by |z - mean|^2 and by |x|^2. At layer 0 also, of the error of
# the stream: |delta|^2, z . delta with z of the block below, and its exponent; in narrow networks x . delta, and its
# exponent.
(
    EXPONENT, SQUARE, TOTAL, MEAN, INVERSE, UNIT, FLOOR, OF_VARIANCE, SEEN, SEEN_EXPONENT, SHARE, BIAS_SHARE,
    OUT_MEAN, OUT_FACTOR, OUT_INVERSE, OUT_UNIT, POST_INVERSE, POST_UNIT,
    INNER_SCALE, INNER_SHIFT, INNER_SHARE, INNER_BIAS_SHARE, INNER, INNER_EXPONENT,
    ERROR_SQUARE, ERROR_ALONG, ERROR_EXPONENT, OF_X, INVERSE_OF_Z, OUT_ALONG, POST_ALONG, PRODUCT, PRODUCT_EXPONENT,
    ITEMS,
) = range(34)  # fmt: skip

_ORDINARY = 20  # octaves: a factor beyond 2^+-20 is one near 1, times a power of two


class Factor(NamedTuple):
    """A positive or negative number, as value 2^power; 0 has the power -FAR."""

    value: float
    power: float


def factor(x):
    """The `Factor` of a float."""
    x = float(x)
    if x == 0.0:
        return Factor(0.0, -per_lane.FAR)
    k = math.frexp(x)[1]
    return Factor(x, 0.0) if abs(k) <= _ORDINARY else Factor(math.ldexp(x, -k), float(k))


def near_one(v):
    """A vector of numbers from 0 on as a `Factor` whose values are near 1, or 0."""
    k = select(v > 0.0, exponent_of(v), 0.0)
    return Factor(scaled(-k, v), k)


class Seen(NamedTuple):
    """A vector that a matrix meets, by its |.|^2 in units of 4^exponent."""

    square: np.ndarray
    exponent: np.ndarray


class Combination(NamedTuple):
    """y = of_g g + of_x x in units of 2^exponent."""

    of_g: np.ndarray
    of_x: np.ndarray
    exponent: np.ndarray


def item(work, layer, name):
    """A number that was kept of a layer."""
    return load(work.numbers, (layer * ITEMS + name) * LANES)


def keep(work, layer, name, value):
    """Keep a number of a layer."""
    store(work.numbers, (layer * ITEMS + name) * LANES, value)


def _limit_32(like):
    return 30.0


def _limit_64(like):
    return 100.0


limit = by_precision(_limit_32, _limit_64)
"""log2 of the sizes of vectors that have no exponent: 20 below the reach, and so small that products of squares of them
are in the range of float64."""


def level(size, exponent):
    """The exponent of a positive number; -FAR of 0."""
    size = absolute(size)
    return select(size > 0.0, exponent_of(size) + exponent, -per_lane.FAR)


def level_of(square, exponent):
    """The `level` of a length, from its square."""
    return select(square > 0.0, rint(exponent_of(square) * 0.5 + 0.25) + exponent, -per_lane.FAR)


def unit_at(top, bound):
    """The exponent to be set aside of vectors whose size is 2^top: 0 within 2^bound."""
    return select((top > bound) | (top < -bound), select(top > -per_lane.FAR, top, 0.0), 0.0)


def number(k, x, like):
    """x 2^k, x and k in float64, in the precision of a vector of the run."""
    return convert(scaled(k, x), like)


def inverse(v):
    """1 / v, or 0 where v is 0."""
    return select(v == 0.0, 0.0, 1.0 / v)


class Product(NamedTuple):
    """h = W x + b = v z: v in units of 2^exponent, and the shares of W x and of b in it."""

    v: np.ndarray
    exponent: np.ndarray
    share: np.ndarray
    bias_share: np.ndarray


def multiply(seen, weight, bias):
    """The `Product` of a matrix of deviation `weight` and a bias of deviation `bias`, two `Factor`s."""
    scale = sqrt(seen.square) * weight.value
    exponent, one = seen.exponent + weight.power, splat(scale, 1.0)
    if bias.value == 0.0:
        return Product(scale, exponent, one, splat(scale, 0.0))
    own = splat(exponent, bias.power)
    both = select(exponent == own, exponent, maximum(level(scale, exponent), level(one * bias.value, own)))
    scale, scale_b = scaled(exponent - both, scale), scaled(own - both, one * bias.value)
    v = sqrt(fma(scale, scale, scale_b * scale_b))
    return Product(v, both, scale * inverse(v), scale_b * inverse(v))


def along_weights(cell, group, matrix, length, along, shares):
    """z' . e, where h = W x + b = v z and W x = v share z', from z . e = along and |e| = length."""
    share, bias_share = shares
    if cell.sigma_b == 0.0:
        return along
    a, b, _, _ = random_words(cell.key, group, matrix, STREAM_BIAS, 0)
    fresh, _ = normal_pair(a, b, length)
    return fma(share, along, bias_share * length * fresh)


def transpose(length, along, norm, inner, weight, exponent):
    """W^T e as a `Combination` of a fresh g and of x, from |e|, z' . e, |x| and x . g; e in units of 2^exponent."""
    of_x = fma(length, -(inner * inverse(norm)), along) * inverse(norm)
    return Combination(length * weight.value, of_x * weight.value, exponent + weight.power)


jit.register_leaves(__name__, inline=True)
