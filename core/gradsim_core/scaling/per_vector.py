"""Vectors of any size in float32 or float64: each vector has one exponent, a power of two that is set aside.

An array v with the exponent e stands for the vector v 2^e. Rescaling by powers of two is exact, so the results have
the bits of plain back-propagation wherever that stays in range, and they stay correct beyond. An activation has three
regimes:

* the largest |h| is between 2^-R and 2^R (R is the reach): phi and phi' are evaluated as they are;
* the largest |h| is smaller or larger: phi(h) = slope h exactly in floating point, with the one-sided slopes at 0 or
  at infinity, applied to the scaled vector;
* all values so deep in a tail that they underflow without being zero: exp(ln|phi| - k ln 2), and k is added to e. In
  the backward pass the products phi'(h) y decide this and are computed so, because y may be zero where phi' is largest.

All arrays are one-dimensional, padded with zeros to a multiple of 16; `live` is 1 up to the width and 0 beyond. The
elements from `start` to `stop` - 1 are one layer.
"""

from __future__ import annotations

import math

import numpy as np

from gradsim_core import jit
from gradsim_core.elementary import LN2, exp, log
from gradsim_core.lanes import (
    LANES,
    absolute,
    convert,
    copysign,
    fma,
    lane_max,
    lane_sum,
    load,
    maximum,
    minimum,
    select,
    splat,
    store,
)
from gradsim_core.parameters import Tail

# A natural logarithm beyond this becomes NaN and counts as non-finite. (ln|gelu(-2^30)| is already -2^59.)
LOG_LIMIT = 2.0**50


def reach(values):
    """R for the precision of an array: 50 in float32, 450 in float64, so that N h^2 with |h| <= 2^R cannot overflow."""
    return 50 if values.itemsize == 4 else 450


def largest(values, start, stop):
    """max |v| over v = values[start:stop]; NaN elements may be ignored."""
    size = absolute(load(values, start))
    for i in range(start + LANES, stop, LANES):
        size = maximum(size, absolute(load(values, i)))
    return lane_max(size)


def sum_of_squares(values, start, stop):
    """Sum of v^2 over v = values[start:stop], in float64: sixteen partial sums, then a fixed tree.

    In float64 no square of a float32 is subnormal.
    """
    v = convert(load(values, start), 1.0)
    total = v * v
    for i in range(start + LANES, stop, LANES):
        v = convert(load(values, i), 1.0)
        total = fma(v, v, total)
    return lane_sum(total)


@jit.outlined
def rescale(values, start, stop, k):
    """Multiply values[start:stop] by 2^k in place, in two steps, because 2^k itself may overflow."""
    half = k // 2
    first, second = math.ldexp(1.0, half), math.ldexp(1.0, k - half)
    for i in range(start, stop, LANES):
        store(values, i, load(values, i) * first * second)


def settle(values, start, stop, exponent, size):
    """Bring a vector back near 1 if its largest element has left 2^-20 .. 2^20.

    Parameters
    ----------
    values : float array
        values[start:stop] is rescaled in place by a power of two.
    start, stop : int
    exponent : int
        Exponent of the vector.
    size : float
        max |v|, from `largest`.

    Returns
    -------
    int
        The new exponent; 0 for a zero vector.
    """
    size = float(size)
    if 2.0**-20 <= size <= 2.0**20 or not size < math.inf:
        return exponent
    if size == 0.0:
        return 0
    k = math.frexp(size)[1]
    rescale(values, start, stop, -k)
    return exponent + k


def tiny(values):
    """The bound below which a vector is handled by logarithms; squares of smaller numbers would be subnormal.

    The bound is so high that no result depends on whether the processor flushes subnormals to zero.
    """
    return 2.0**-62 if values.itemsize == 4 else 2.0**-510


def log_size(x):
    """ln x of float64 x >= 0: -inf for 0 and subnormals, NaN for infinity and NaN."""
    return select((x >= 2.0**-1022) & (x < math.inf), log(x), x - math.inf)


def log_product(tail, h, v, u, bound):
    """ln |v u| in float64, and a number with the sign of v u.

    v is phi or phi' at h, and `tail` is its `Tail`. If |v| is below `bound` and below bound |h|, v lies in the tail and
    ln |v| is tail.log(h); where tail.log gives -inf there is no tail, and ln |v| is taken of v itself.
    """
    h, v, u = convert(h, 1.0), convert(v, 1.0), convert(u, 1.0)
    size, logarithm = absolute(v), tail.log(h, tail.alpha)
    deep = (size < bound * minimum(1.0, absolute(h))) & (logarithm > -math.inf)
    negative = select(deep, select(h < 0.0, splat(h, tail.sign), 1.0), v)
    return select(deep, logarithm, log_size(size)) + log_size(absolute(u)), copysign(splat(u, 1.0), negative) * u


@jit.outlined
def rescue(tail, h, values, factor, out):
    """Compute out = values factor 2^-k by logarithms, for a layer where the product has underflowed; returns k.

    If all products are zero in theory, or one is not finite, `out` is unchanged and k is 0. If the largest logarithm is
    below -LOG_LIMIT, k only marks the vector as too small: its logarithm becomes NaN, but quantities that do not depend
    on it are correct.

    Parameters
    ----------
    tail : Tail
        Of phi or phi'.
    h, values, factor, out : float arrays (padded,)
        `values` are phi or phi' at h.
    """
    bound = tiny(values)
    top = splat(convert(load(h, 0), 1.0), -np.inf)
    for i in range(0, len(h), LANES):
        size, _ = log_product(tail, load(h, i), load(values, i), load(factor, i), bound)
        top = maximum(top, size)
    peak = float(lane_max(top))
    if not abs(peak) < math.inf:
        return 0
    k = math.floor(max(peak, -4.0 * LOG_LIMIT) / LN2)
    shift = k * LN2 if peak > -LOG_LIMIT else peak
    for i in range(0, len(h), LANES):
        size, signed = log_product(tail, load(h, i), load(values, i), load(factor, i), bound)
        store(out, i, convert(copysign(exp(size - shift), signed), out[0]))
    return k


def phi_tail(neuron):
    """The `Tail` of phi."""
    return Tail(neuron.log_phi, neuron.slopes.tail_sign, neuron.alpha)


def dphi_tail(neuron):
    """The `Tail` of phi'."""
    return Tail(neuron.log_dphi, neuron.slopes.tail_sign, neuron.alpha)


def no_tail(h, alpha):
    """The `Tail.log` of an activation without a tail: -inf, since whatever underflows is zero in theory."""
    return splat(h, -np.inf)


def bring_in_reach(h, start, stop, exponent):
    """Rescale h, in units of 2^exponent, so that as much of the exponent as the reach allows goes into h itself.

    Parameters
    ----------
    h : float array
        h[start:stop] is rescaled in place.
    start, stop, exponent : int

    Returns
    -------
    int
        The shift: the exponent that remains, 0 in the ordinary range, where h then holds the true values.
    """
    limit = reach(h)
    size = float(largest(h, start, stop))
    if not 0.0 < size < math.inf:
        return 0
    exponent_h = exponent + math.frexp(size)[1]
    shift = exponent_h - limit if exponent_h > limit else (exponent_h + limit if exponent_h < -limit else 0)
    if exponent != shift:
        rescale(h, start, stop, exponent - shift)
    return shift


@jit.outlined
def linear_part(slopes, h, start, stop, x):
    """Write x = slope h, with slopes (below, above) 0, in a regime where phi is linear; True if some x is not zero."""
    below, above = slopes
    for i in range(start, stop, LANES):
        v = load(h, i)
        store(x, i - start, select(v < 0.0, v * below, v * above))
    return largest(x, 0, stop - start) != 0.0


def known(slopes):
    """1 if phi is linear beyond its reach (both slopes exist), else NaN, since phi' is not known there either."""
    below, above = slopes
    return 1.0 + 0.0 * (below + above)


@jit.outlined
def add_constants(neuron, h, start, stop, x, shift):
    """Write x = phi(h), in units of 2^shift, where the slope at infinity is zero and phi(h) is a bounded constant.

    Such elements are small compared with the others, but not zero.
    """
    below, above = neuron.slopes.infinity
    bound, shrink = math.ldexp(1.0, reach(h)), math.ldexp(1.0, -min(shift, 1074))
    for i in range(start, stop, LANES):
        v = load(h, i)
        constant = neuron.phi(select(v < 0.0, splat(v, -bound), bound), neuron.alpha) * shrink
        flat = select(v < 0.0, splat(v, below), above) == 0.0
        store(x, i - start, select(flat & (v != 0.0), constant, load(x, i - start)))


@jit.outlined
def saturate(h, start, stop, shift):
    """Replace h by h 2^shift or the nearest value within reach, where phi' is the same, and phi if it is bounded."""
    bound = math.ldexp(1.0, reach(h))
    grow = math.ldexp(1.0, max(min(shift, 2 * reach(h)), -1074))
    for i in range(start, stop, LANES):
        store(h, i, maximum(-bound, minimum(bound, load(h, i) * grow)))


jit.register_leaves(__name__, inline=True)
