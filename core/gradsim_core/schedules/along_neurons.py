"""Steps of a layer of one network, where a vector holds sixteen neurons: from W x to h, from h to x, from y to delta.

`work` is an `explicit.ExplicitWork`. `start` is where a layer begins in `work.h` and `work.slope`. Sums of squares are
in float64: sixteen partial sums, then a fixed tree.
"""

from __future__ import annotations

import math

from gradsim_core import jit
from gradsim_core.lanes import LANES, convert, fma, lane_sum, load, select, splat, store
from gradsim_core.rng.normals import fill_normals
from gradsim_core.rng.philox import ROLE_BIAS
from gradsim_core.scaling.per_vector import (
    add_constants,
    bring_in_reach,
    dphi_tail,
    known,
    largest,
    linear_part,
    phi_tail,
    rescue,
    saturate,
    settle,
    sum_of_squares,
    tiny,
)  # fmt: skip


def preactivate(cell, network, layer, work, start, exponent):
    """Turn W x, in work.h, into h = W x + b, within reach of the activation.

    Parameters
    ----------
    cell : Params
    network, layer : int
    work : ExplicitWork
        `h` is changed in place; biases are drawn into `b`.
    start : int
    exponent : int
        Exponent of W x.

    Returns
    -------
    shift : int
        Exponent of h; 0 in the ordinary range.
    square : float
        |h|^2 in units of 4^shift.
    """
    if cell.sigma_b > 0.0:
        fill_normals(cell, network, layer, ROLE_BIAS, work.scales.bias, work.live, work.b)
    shrink_h, shrink_b = 1.0, 1.0
    if exponent != 0 and cell.sigma_b > 0.0:  # to one exponent: the smaller of the two is scaled down, never up
        shrink_h, shrink_b = (
            math.ldexp(1.0, max(min(exponent, 0), -1074)),
            math.ldexp(1.0, max(min(-exponent, 0), -1074)),
        )
        exponent = max(exponent, 0)
    sums = splat(convert(load(work.live, 0), 1.0), 0.0)
    for i in range(0, len(work.live), LANES):
        h = load(work.h, start + i) * (load(work.live, i) * shrink_h) + load(work.b, i) * shrink_b
        store(work.h, start + i, h)
        h = convert(h, 1.0)
        sums = fma(h, h, sums)
    square = lane_sum(sums)
    if exponent == 0 and 2.0**-60 <= square <= 2.0**60:
        return 0, square
    stop = start + len(work.live)
    return bring_in_reach(work.h, start, stop, exponent), sum_of_squares(work.h, start, stop)


def activate(neuron, work, start, shift):
    """Compute x = phi(h), in work.x, and phi'(h), in work.slope, for h in units of 2^shift.

    Returns
    -------
    exponent : int
        Exponent of x.
    square : float
        |x|^2 in units of 4^exponent.
    """
    if shift == 0:
        square = activate_ordinary(neuron, work, start)
        if is_ordinary(square, len(work.live)):
            return 0, square
    exponent = activate_any_range(neuron, work, start, shift)
    return exponent, sum_of_squares(work.x, 0, len(work.live))


def activate_ordinary(neuron, work, start):
    """Compute x = phi(h) and phi'(h), zero in the padding, as they are; returns |x|^2."""
    sums = splat(convert(load(work.live, 0), 1.0), 0.0)
    for i in range(0, len(work.live), LANES):
        h, live = load(work.h, start + i), load(work.live, i) > 0.0
        x = select(live, neuron.phi(h, neuron.alpha), 0.0)
        store(work.x, i, x)
        store(work.slope, start + i, select(live, neuron.dphi(h, neuron.alpha), 0.0))
        x = convert(x, 1.0)
        sums = fma(x, x, sums)
    return lane_sum(sums)


def is_ordinary(square, size):
    """Whether the largest of `size` numbers is certainly in 2^-20 .. 2^20, given the sum of their squares."""
    return size * 2.0**-40 <= square <= 2.0**40


@jit.outlined
def activate_any_range(neuron, work, start, shift):
    """As `activate`, if h, in units of 2^shift, or x may have left the ordinary range; returns the exponent of x."""
    padded, stop, exponent, slopes = len(work.live), start + len(work.live), 0, neuron.slopes
    near_zero = shift < 0 and slopes.through_zero
    far = shift > 0 and linear_part(slopes.infinity, work.h, start, stop, work.x)
    if near_zero:
        linear_part(slopes.zero, work.h, start, stop, work.x)
    if far:
        add_constants(neuron, work.h, start, stop, work.x, shift)
    if shift != 0 and not near_zero:
        saturate(work.h, start, stop, shift)
    if near_zero or far:
        exponent, one_or_nan = shift, known(slopes.zero) if near_zero else known(slopes.infinity)
        for i in range(0, padded, LANES):
            slope = neuron.dphi(load(work.h, start + i), neuron.alpha) * one_or_nan
            store(work.slope, start + i, select(load(work.live, i) > 0.0, slope, 0.0))
    else:
        activate_ordinary(neuron, work, start)
        if largest(work.x, 0, padded) < tiny(work.x):
            exponent = rescue(phi_tail(neuron), work.h[start:stop], work.x, work.live, work.x)
    return settle(work.x, 0, padded, exponent, largest(work.x, 0, padded))


def multiply_by_slope(neuron, work, start, exponent):
    """Compute delta = phi'(h) y, in work.delta, for y, in work.y, in units of 2^exponent; y becomes 0 in the padding.

    Returns
    -------
    exponent : int
        Exponent of delta.
    square : float
        |delta|^2 in units of 4^exponent.
    """
    sums = splat(convert(load(work.live, 0), 1.0), 0.0)
    for i in range(0, len(work.live), LANES):
        y = load(work.y, i) * load(work.live, i)
        delta = load(work.slope, start + i) * y
        store(work.y, i, y)
        store(work.delta, i, delta)
        delta = convert(delta, 1.0)
        sums = fma(delta, delta, sums)
    square = lane_sum(sums)
    if is_ordinary(square, len(work.live)):
        return exponent, square
    exponent = multiply_any_range(neuron, work, start, exponent)
    return exponent, sum_of_squares(work.delta, 0, len(work.live))


@jit.outlined
def multiply_any_range(neuron, work, start, exponent):
    """As `multiply_by_slope`, if delta may have left the ordinary range; returns its exponent."""
    padded = len(work.live)
    h, slope = work.h[start : start + padded], work.slope[start : start + padded]
    exponent = settle(work.y, 0, padded, exponent, largest(work.y, 0, padded))
    for i in range(0, padded, LANES):
        store(work.delta, i, load(slope, i) * load(work.y, i))
    size = largest(work.delta, 0, padded)
    if size < tiny(work.delta):
        exponent += rescue(dphi_tail(neuron), h, slope, work.y, work.delta)
        exponent, size = max(exponent, -(2**60)), largest(work.delta, 0, padded)
    return settle(work.delta, 0, padded, exponent, size)


jit.register_leaves(__name__, inline=True)
