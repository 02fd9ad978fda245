"""Range-safe steps for sixteen networks side by side, one per lane, each with its own power of two.

The regimes are those of `per_vector`; a step comes here only when one of the sixteen networks has left the ordinary
range, so nothing here is on the fast path but the few operations on one number per network.
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

FAR = 2.0**60  # an exponent beyond all others: of a network whose activations are all zero


def _exponent_32(x):
    return convert(to_float((float_bits(x) >> 23) - 126, x), 1.0)


def _exponent_64(x):
    return to_float((float_bits(x) >> 52) - 1022, x)


def _scaled_32(k, x):
    return scale(x, to_int(convert(maximum(-252.0, minimum(252.0, k)), x)))


def _scaled_64(k, x):
    return scale(x, to_int(maximum(-2044.0, minimum(2044.0, k))))


exponent_of = by_precision(_exponent_32, _exponent_64)
scaled = by_precision(_scaled_32, _scaled_64)


def _extreme_32(square):
    return (square < 2.0**-100) | (square > 2.0**100)


def _extreme_64(square):
    return (square < 2.0**-996) | (square > 2.0**996)


extreme = by_precision(_extreme_32, _extreme_64)


def is_extreme(square, has_tail):
    """Whether in some lane a sum of squares is so small or large that it, or the next one, may have lost something."""
    lost = extreme(square)
    return anywhere(lost if has_tail else lost & (square > 0.0))


def is_far(square):
    """Whether in some lane a sum of squares has left 2^-20 .. 2^20, so that a power of two had better be set aside."""
    return anywhere((square < 2.0**-20) | (square > 2.0**20))


def placed(exponent, limit):
    """What remains of an exponent when h is brought as near to its true size as the limit allows."""
    shift = select(exponent > limit, exponent - limit, select(exponent < -limit, exponent + limit, 0.0))
    return select(exponent > -FAR, shift, 0.0)


def true_values(h, shift):
    """h 2^shift, or the nearest value within reach, in place: phi' there is the same."""
    bound, up = 2.0 ** reach(h), maximum(shift, 0.0)
    for i in range(0, len(h), LANES):
        store(h, i, maximum(-bound, minimum(bound, scaled(up, load(h, i)))))


def linear_at_infinity(slopes, h):
    """Where the slope at infinity leaves anything of a layer (1, else 0); NaN slopes count."""
    below, above = slopes.infinity
    left = splat(load(h, 0), 0.0)
    for i in range(0, len(h), LANES):
        v = load(h, i)
        left = select(select(v < 0.0, v * below, v * above) != 0.0, splat(v, 1.0), left)
    return left


def activate_any_range(neuron, width, work, start, shift):
    """x = phi(h) and phi'(h) in any range, from h 2^shift in work.h; returns |x|^2 and the exponent of x."""
    size, slopes, alpha = width * LANES, neuron.slopes, neuron.alpha
    h, x, slope = work.h[:size], work.x[start : start + size], work.slope[start : start + size]
    (below_0, above_0), (below, above) = slopes.zero, slopes.infinity
    high = select(shift > 0.0, convert(linear_at_infinity(slopes, h), 1.0), 0.0) > 0.0
    low = (shift < 0.0) if slopes.through_zero else (shift != shift)
    unit = select(high | low, shift, 0.0)
    shrink, bound, up = scaled(-unit, splat(load(x, 0), 1.0)), 2.0 ** reach(x), maximum(shift, 0.0)
    certain = select(low, splat(shift, known(slopes.zero)), select(high, splat(shift, known(slopes.infinity)), 1.0))
    certain = convert(certain, load(x, 0))
    for i in range(0, size, LANES):
        v = load(h, i)
        near = maximum(-bound, minimum(bound, scaled(up, v)))
        value, linear = neuron.phi(near, alpha), select(v < 0.0, v * below, v * above)
        # Where the slope at infinity is zero, phi is a bounded constant: small beside the rest, but not nothing.
        value = select(high, select(linear == 0.0, value * shrink, linear), value)
        store(x, i, select(low, select(v < 0.0, v * below_0, v * above_0), value))
        store(slope, i, neuron.dphi(near, alpha) * certain)
        store(h, i, near)
        store(work.g, i, splat(v, 1.0))
    return rescue(phi_tail(neuron), h, x, work.g, x, sums_of_squares(x), unit)


def sums_of_squares(v):
    """Sum over neurons, one a lane."""
    total = splat(load(v, 0), 0.0)
    for i in range(0, len(v), LANES):
        total = fma(load(v, i), load(v, i), total)
    return total


def rescue(tail, h, values, factor, out, square, unit):
    """out = values factor where its sum of squares is extreme: scaled, or by logarithms (see `per_vector.rescue`).

    `values` are phi or dphi at h, and `tail` is its `Tail`. Returns the sum of squares and the exponent of out, given
    those of before.
    """
    bound = tiny(values)
    top, largest = splat(unit, -np.inf), splat(load(out, 0), 0.0)
    for i in range(0, len(h), LANES):
        size, _ = log_product(tail, load(h, i), load(values, i), load(factor, i), bound)
        top, largest = maximum(top, size), maximum(largest, absolute(load(values, i) * load(factor, i)))
    mended = (absolute(top) < np.inf) & extreme(square)
    near = largest >= bound
    top = select(mended, top, 0.0)
    k = rint(maximum(top, -4.0 * LOG_LIMIT) / LN2)
    shift = select(top > -LOG_LIMIT, k * LN2, top)
    for i in range(0, len(h), LANES):
        size, signed = log_product(tail, load(h, i), load(values, i), load(factor, i), bound)
        value = convert(copysign(exp(size - shift), signed), out[0])
        value = select(near, scaled(-k, load(values, i) * load(factor, i)), value)
        store(out, i, select(mended, value, load(out, i)))
    return select(mended, sums_of_squares(out), square), unit + k


jit.register_leaves(__name__, inline=False)
