"""Range-safe steps for a group: sixteen networks side by side, one per lane, each with its own exponent.

The regimes are those of `per_vector`. A step comes here only if one of the sixteen networks has left the ordinary
range; only the few operations on one number per network are on the fast path. Exponents are vectors of float64 with
integer values.
"""

from __future__ import annotations

import numpy as np

from gradsim_core import jit
from gradsim_core.elementary import LN2, by_precision, exp, scale
from gradsim_core.lanes import (
    LANES,
    absolute,
    anywhere,
    convert,
    copysign,
    float_bits,
    fma,
    load,
    maximum,
    minimum,
    rint,
    select,
    splat,
    store,
    to_float,
    to_int,
)

from .per_vector import LOG_LIMIT, known, log_product, phi_tail, reach, tiny

FAR = 2.0**60  # beyond every exponent: -FAR is the exponent of a zero vector


def _exponent_32(x):
    return convert(to_float((float_bits(x) >> 23) - 126, x), 1.0)


def _exponent_64(x):
    return to_float((float_bits(x) >> 52) - 1022, x)


def _scaled_32(k, x):
    return scale(x, to_int(convert(maximum(-252.0, minimum(252.0, k)), x)))


def _scaled_64(k, x):
    return scale(x, to_int(maximum(-2044.0, minimum(2044.0, k))))


# Lane by lane: e with x = f 2^e, 1/2 <= f < 1, of a positive normal x, in float64.
exponent_of = by_precision(_exponent_32, _exponent_64)
# Lane by lane: x 2^k, called as scaled(k, x) with float64 k of integer value.
scaled = by_precision(_scaled_32, _scaled_64)


def _extreme_32(square):
    return (square < 2.0**-100) | (square > 2.0**100)


def _extreme_64(square):
    return (square < 2.0**-996) | (square > 2.0**996)


# Lane by lane: whether a sum of squares is so small or large that it, or the next one, may have lost digits.
extreme = by_precision(_extreme_32, _extreme_64)


def is_extreme(square, has_tail):
    """Whether a sum of squares is `extreme` in some lane; without a tail, zero is exact and does not count."""
    lanes = extreme(square)
    return anywhere(lanes if has_tail else lanes & (square > 0.0))


def is_far(square):
    """Whether a sum of squares has left 2^-20 .. 2^20 in some lane, so that its exponent should be updated."""
    return anywhere((square < 2.0**-20) | (square > 2.0**20))


def placed(exponent, limit):
    """The shift of h: what remains of its `exponent` after up to 2^limit, or 2^-limit, has gone into h itself."""
    shift = select(exponent > limit, exponent - limit, select(exponent < -limit, exponent + limit, 0.0))
    return select(exponent > -FAR, shift, 0.0)


def true_values(h, shift):
    """Replace h by h 2^shift or the nearest value within reach, where phi' is the same; one shift per lane."""
    bound, up = 2.0 ** reach(h), maximum(shift, 0.0)
    for i in range(0, len(h), LANES):
        store(h, i, maximum(-bound, minimum(bound, scaled(up, load(h, i)))))


def linear_at_infinity(slopes, h):
    """1 in lanes where some slope h, with the slopes at infinity, is not zero or is NaN; else 0."""
    below, above = slopes.infinity
    nonzero = splat(load(h, 0), 0.0)
    for i in range(0, len(h), LANES):
        v = load(h, i)
        nonzero = select(select(v < 0.0, v * below, v * above) != 0.0, splat(v, 1.0), nonzero)
    return nonzero


def activate_any_range(neuron, width, work, start, shift):
    """Compute x = phi(h) and phi'(h) of a layer in any range.

    Parameters
    ----------
    neuron : Neuron
    width : int
    work : NarrowWork or ConditionalWork
        Reads `h`, in units of 2^shift, and replaces it by values within reach; writes `x` and `slope` from `start` on;
        overwrites `g`.
    start : int
        Index of the layer in `x` and `slope`.
    shift : float64 vector

    Returns
    -------
    square : vector
        |x|^2 in units of 4^exponent.
    exponent : float64 vector
        Exponent of x.
    """
    size, slopes, alpha = width * LANES, neuron.slopes, neuron.alpha
    h, x, slope = work.h[:size], work.x[start : start + size], work.slope[start : start + size]
    (below_0, above_0), (below, above) = slopes.zero, slopes.infinity
    high = select(shift > 0.0, convert(linear_at_infinity(slopes, h), 1.0), 0.0) > 0.0
    low = (shift < 0.0) if slopes.through_zero else (shift != shift)
    exponent = select(high | low, shift, 0.0)
    shrink, bound, up = scaled(-exponent, splat(load(x, 0), 1.0)), 2.0 ** reach(x), maximum(shift, 0.0)
    one_or_nan = select(low, splat(shift, known(slopes.zero)), select(high, splat(shift, known(slopes.infinity)), 1.0))
    one_or_nan = convert(one_or_nan, load(x, 0))
    for i in range(0, size, LANES):
        v = load(h, i)
        within = maximum(-bound, minimum(bound, scaled(up, v)))
        value, linear = neuron.phi(within, alpha), select(v < 0.0, v * below, v * above)
        # Where the slope at infinity is zero, phi is a bounded constant: small compared with the rest, but not zero.
        value = select(high, select(linear == 0.0, value * shrink, linear), value)
        store(x, i, select(low, select(v < 0.0, v * below_0, v * above_0), value))
        store(slope, i, neuron.dphi(within, alpha) * one_or_nan)
        store(h, i, within)
        store(work.g, i, splat(v, 1.0))
    return rescue(phi_tail(neuron), h, x, work.g, x, sums_of_squares(x), exponent)


def sums_of_squares(v):
    """Sums of squares over neurons, one per lane, of an array (neurons, 16), flat; in its precision."""
    total = splat(load(v, 0), 0.0)
    for i in range(0, len(v), LANES):
        total = fma(load(v, i), load(v, i), total)
    return total


def rescue(tail, h, values, factor, out, square, exponent):
    """Compute out = values factor 2^-k in lanes where its sum of squares is extreme; others stay as they are.

    If the largest product is in range it is rescaled, else computed by logarithms (see `per_vector.rescue`).

    Parameters
    ----------
    tail : Tail
        Of phi or phi'.
    h, values, factor, out : float arrays (neurons, 16), flat
        `values` are phi or phi' at h; `out` may be one of the others.
    square, exponent : vectors
        Sum of squares of values factor, and the exponent of these products.

    Returns
    -------
    square, exponent : vectors
        The same after scaling by 2^-k: k is added to the exponent.
    """
    bound = tiny(values)
    top, largest = splat(exponent, -np.inf), splat(load(out, 0), 0.0)
    for i in range(0, len(h), LANES):
        size, _ = log_product(tail, load(h, i), load(values, i), load(factor, i), bound)
        top, largest = maximum(top, size), maximum(largest, absolute(load(values, i) * load(factor, i)))
    rescued = (absolute(top) < np.inf) & extreme(square)
    in_range = largest >= bound
    top = select(rescued, top, 0.0)
    k = rint(maximum(top, -4.0 * LOG_LIMIT) / LN2)
    shift = select(top > -LOG_LIMIT, k * LN2, top)
    for i in range(0, len(h), LANES):
        size, signed = log_product(tail, load(h, i), load(values, i), load(factor, i), bound)
        value = convert(copysign(exp(size - shift), signed), out[0])
        value = select(in_range, scaled(-k, load(values, i) * load(factor, i)), value)
        store(out, i, select(rescued, value, load(out, i)))
    return select(rescued, sums_of_squares(out), square), exponent + k


jit.register_leaves(__name__, inline=False)
