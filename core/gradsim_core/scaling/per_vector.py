"""Numbers of any size in float32: vectors with a common power of two kept aside.

A vector v stands for v 2^e with an integer e. Rescaling by powers of two is exact, so that wherever plain
back-propagation stays in range the results here have the same bits; beyond it they stay right. Three regimes of an
activation:

* |h| between 2^-R and 2^R: phi and dphi as they are;
* all smaller, or the largest larger: phi(h) = slope h exactly in floating point, with the one-sided slopes at 0 or
  at infinity, applied to the scaled vector;
* all so deep in a tail that they underflow without being zero: exp(ln|phi| - k ln 2), and k goes to e. In the backward
  pass this is decided, and done, for the products phi'(h) y: where phi' is largest, y may be zero.

All arrays are one-dimensional, padded with zeros to a multiple of 16; `live` is 1 up to the width and 0 beyond.
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

# A logarithm beyond this is not represented: the value becomes NaN and is counted. (ln gelu(-2^30) is already -2^59.)
LOG_LIMIT = 2.0**50


def reach(values):
    """R for the precision of an array: 50 for float32, 450 for float64 (so that N h^2 cannot overflow)."""
    return 50 if values.itemsize == 4 else 450


def largest(values, start, stop):
    """max |v|."""
    size = absolute(load(values, start))
    for i in range(start + LANES, stop, LANES):
        size = maximum(size, absolute(load(values, i)))
    return lane_max(size)


def sum_of_squares(values, start, stop):
    """Sum of v^2: sixteen partial sums, then a fixed tree; in float64, so that no square of a float32 is subnormal."""
    v = convert(load(values, start), 1.0)
    total = v * v
    for i in range(start + LANES, stop, LANES):
        v = convert(load(values, i), 1.0)
        total = fma(v, v, total)
    return lane_sum(total)


@jit.outlined
def rescale(values, start, stop, k):
    """v 2^k in place, in two steps so that the factor itself cannot overflow."""
    half = k // 2
    first, second = math.ldexp(1.0, half), math.ldexp(1.0, k - half)
    for i in range(start, stop, LANES):
        store(values, i, load(values, i) * first * second)


def settle(values, start, stop, exponent, size):
    """Bring size = max |v| back near 1 where it has left 2^-20 .. 2^20, and return the new exponent."""
    size = float(size)
    if 2.0**-20 <= size <= 2.0**20 or not size < math.inf:
        return exponent
    if size == 0.0:
        return 0
    k = math.frexp(size)[1]
    rescale(values, start, stop, -k)
    return exponent + k


def tiny(values):
    """Where a vector has left the range: the square of anything smaller would be subnormal.

    Tails are taken over so early that no result depends on whether the processor flushes subnormals to zero.
    """
    return 2.0**-62 if values.itemsize == 4 else 2.0**-510


def log_size(x):
    """ln x of float64 x >= 0: -inf at 0 and for subnormals, NaN for what is not finite."""
    return select((x >= 2.0**-1022) & (x < math.inf), log(x), x - math.inf)


def log_product(tail, h, v, u, bound):
    """ln |v u| in float64, and a number with its sign, where v is a value of phi or dphi at h, and `tail` its `Tail`.

    A v below `bound`, also beside h, lies in the tail: then ln |v| is tail.log(h), unless that knows no tail (-inf).
    """
    h, v, u = convert(h, 1.0), convert(v, 1.0), convert(u, 1.0)
    size, logarithm = absolute(v), tail.log(h, tail.alpha)
    deep = (size < bound * minimum(1.0, absolute(h))) & (logarithm > -math.inf)
    negative = select(deep, select(h < 0.0, splat(h, tail.sign), 1.0), v)
    return select(deep, logarithm, log_size(size)) + log_size(absolute(u)), copysign(splat(u, 1.0), negative) * u


@jit.outlined
def rescue(tail, h, values, factor, out):
    """out = values factor 2^-k for a layer where this product has underflowed; returns k.

    `values` are phi or dphi at h, and `tail` is its `Tail`. Leaves `out` alone if the products are zero in theory too.
    Below -LOG_LIMIT, k only says so much: the logarithm of such a vector is not represented, what does not depend on it
    is.
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
    """The tail of phi."""
    return Tail(neuron.log_phi, neuron.slopes.tail_sign, neuron.alpha)


def dphi_tail(neuron):
    """The tail of phi'."""
    return Tail(neuron.log_dphi, neuron.slopes.tail_sign, neuron.alpha)


def no_tail(h, alpha):
    """The logarithm of an activation whose small values are zero in theory."""
    return splat(h, -np.inf)


def bring_in_reach(h, start, stop, exponent):
    """Bring the preactivation h 2^e into the reach of the activation; returns the exponent s that remains.

    s = 0 in the ordinary range, where h then holds the true values.
    """
    limit = reach(h)
    size = float(largest(h, start, stop))
    if not 0.0 < size < math.inf:
        return 0
    true = exponent + math.frexp(size)[1]
    shift = true - limit if true > limit else (true + limit if true < -limit else 0)
    if exponent != shift:
        rescale(h, start, stop, exponent - shift)
    return shift


@jit.outlined
def linear_part(slopes, h, start, stop, x):
    """x = slope h in a regime where phi is linear; true if anything is left of it."""
    below, above = slopes
    for i in range(start, stop, LANES):
        v = load(h, i)
        store(x, i - start, select(v < 0.0, v * below, v * above))
    return largest(x, 0, stop - start) != 0.0


def known(slopes):
    """1, or NaN where there is no linear regime: then phi' beyond the reach of the activation is not known either."""
    below, above = slopes
    return 1.0 + 0.0 * (below + above)


@jit.outlined
def add_constants(neuron, h, start, stop, x, shift):
    """Where the slope at infinity is zero, phi(h) is a bounded constant: small beside the rest, but not nothing."""
    below, above = neuron.slopes.infinity
    bound, unit = math.ldexp(1.0, reach(h)), math.ldexp(1.0, -min(shift, 1074))
    for i in range(start, stop, LANES):
        v = load(h, i)
        constant = neuron.phi(select(v < 0.0, splat(v, -bound), bound), neuron.alpha) * unit
        flat = select(v < 0.0, splat(v, below), above) == 0.0
        store(x, i - start, select(flat & (v != 0.0), constant, load(x, i - start)))


@jit.outlined
def saturate(h, start, stop, shift):
    """Replace h 2^shift by the nearest value within reach: phi' there, and phi where it is bounded, are the same."""
    bound = math.ldexp(1.0, reach(h))
    grow = math.ldexp(1.0, max(min(shift, 2 * reach(h)), -1074))
    for i in range(start, stop, LANES):
        store(h, i, maximum(-bound, minimum(bound, load(h, i) * grow)))


jit.register_leaves(__name__, inline=True)
