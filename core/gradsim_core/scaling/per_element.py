"""Vectors whose elements differ by more than the range of a float: each element is a sign and a natural logarithm.

Weights without zeros mix all elements of a vector in every layer. An element that is tiny compared with the largest
stays negligible, and one exponent per vector is enough (`per_vector`). Weights with zeros need not mix: a tiny element
may be all that remains in the next layer, if the others meet only zero weights. The kernel checks for elements that
are lost in this way, and runs a network that had one again here, in float64 and with the weights already drawn: many
times slower, and correct at any size.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from gradsim_core import jit
from gradsim_core.elementary import LN2, exp
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
from gradsim_core.laws import dense
from gradsim_core.parameters import SUM_DELTA, SUM_H, SUM_X
from gradsim_core.rng.normals import fill_normals
from gradsim_core.rng.philox import ROLE_BIAS, ROLE_INPUT, ROLE_READOUT

from .per_vector import LOG_LIMIT, dphi_tail, known, largest, log_product, log_size, phi_tail, reach

_TINY = 2.0**-510  # `tiny` of float64: smaller values of phi or phi' lie in a tail
_RANGE = 450 * LN2  # ln of the largest |h| within reach, in float64


class Signed(NamedTuple):
    """A float64 vector with elements sign[i] e^log[i]; zero where log[i] is -inf."""

    sign: np.ndarray
    log: np.ndarray


def workspace_size(depth, padded):
    """Length of `ExplicitWork.signed`, the float64 scratch of `run_again`."""
    return 2 * (depth + 2) * padded


def vector(numbers, first, size):
    """A view of elements first .. first + size - 1: signs in the first half of `numbers`, logarithms in the second."""
    half = len(numbers) // 2
    return Signed(numbers[first : first + size], numbers[half + first : half + first + size])


def smallest_ratio(values):
    """Elements below this fraction of the largest count as lost; above it, products stay in range."""
    return 2.0 ** (-0.8 * reach(values))


def is_lost(tail, h, values, factor, out):
    """Whether some element of out = values factor is tiny compared with the largest, but not zero in theory.

    `values` are phi or phi' at h. The logarithm of their `tail` distinguishes an underflow from an exact zero.
    """
    bound = largest(out, 0, len(out)) * smallest_ratio(out)
    lost = splat(load(out, 0), 0.0)
    for i in range(0, len(out), LANES):
        logarithm = tail.log(convert(load(h, i), 1.0), tail.alpha)
        alive = (load(factor, i) != 0.0) & ((load(values, i) != 0.0) | (logarithm > -math.inf))
        lost = select((absolute(load(out, i)) < bound) & alive, splat(lost, 1.0), lost)
    return lane_max(lost) > 0.0


@jit.inlined  # a call would pass the whole neuron on, in every layer
def is_lost_forward(neuron, cell, work, start):
    """Whether x = phi(h) of a layer has lost an element, or h a bias that is tiny compared with other elements.

    Parameters
    ----------
    neuron : Neuron
    cell : Params
    work : ExplicitWork
        Reads `h` from `start` on, and `x`; overwrites `y`.
    start : int
        Index of the layer in `h`.
    """
    stop = start + len(work.live)
    for i in range(0, len(work.live), LANES):
        h = load(work.h, start + i)
        store(work.y, i, select(load(work.live, i) > 0.0, neuron.phi(h, neuron.alpha), 0.0))
        if cell.sigma_b > 0.0 and lane_sum(select((h == 0.0) & (load(work.live, i) > 0.0), splat(h, 1.0), 0.0)) > 0.0:
            return True
    return is_lost(phi_tail(neuron), work.h[start:stop], work.y, work.live, work.x)


@jit.inlined
def is_lost_backward(neuron, work, start):
    """Whether delta = phi'(h) y of the layer at `start` has lost an element."""
    stop = start + len(work.live)
    return is_lost(dphi_tail(neuron), work.h[start:stop], work.slope[start:stop], work.y, work.delta)


def put(v, i, value, log_scale, live):
    """Write the sixteen elements value e^log_scale to v from i on, zero where not live."""
    store(v.sign, i, copysign(splat(value, 1.0), value))
    store(v.log, i, select(live > 0.0, log_size(absolute(value)) + log_scale, -math.inf))


def from_floats(values, v):
    """Write an array of floats to v."""
    for i in range(0, len(values), LANES):
        value = convert(load(values, i), 1.0)
        put(v, i, value, splat(value, 0.0), splat(value, 1.0))


def multiply(cell, layer, work, x, start, h):
    """Write h = W x from h[start] on. Each row is summed in units of its largest x_j whose weight is not zero."""
    first, blocks = (layer - 1) * dense.layer_size(cell.width), len(work.live) // LANES
    for block in range(blocks):
        top = splat(load(x.log, 0), -math.inf)
        for j in range(cell.width):
            w = load(work.weights, first + dense.position(cell.width, block, j))
            top = maximum(top, select(w != 0.0, splat(top, x.log[j]), -math.inf))
        total = splat(top, 0.0)
        for j in range(cell.width):
            w = convert(load(work.weights, first + dense.position(cell.width, block, j)), 1.0)
            met = (w != 0.0) & (top > -math.inf)
            total = fma(w, select(met, exp(x.log[j] - top) * x.sign[j], 0.0), total)
        put(h, start + LANES * block, total, top, load(work.live, LANES * block))


def multiply_transposed(cell, layer, work, delta, y):
    """Write y = W^T delta; each column is summed as in `multiply`."""
    first, blocks = (layer - 1) * dense.layer_size(cell.width), len(work.live) // LANES
    for j in range(cell.width):
        top = splat(load(delta.log, 0), -math.inf)
        for block in range(blocks):
            w = load(work.weights, first + dense.position(cell.width, block, j))
            top = maximum(top, select(w != 0.0, load(delta.log, LANES * block), -math.inf))
        y.log[j] = lane_max(top)
        total = splat(top, 0.0)
        for block in range(blocks):
            w = convert(load(work.weights, first + dense.position(cell.width, block, j)), 1.0)
            d = exp(load(delta.log, LANES * block) - y.log[j]) * load(delta.sign, LANES * block)
            total = fma(w, select((w != 0.0) & (load(delta.log, LANES * block) > -math.inf), d, 0.0), total)
        y.sign[j] = lane_sum(total)
    for i in range(0, len(work.live), LANES):
        put(y, i, load(y.sign, i), load(y.log, i), load(work.live, i))


def add_bias(values, start, h):
    """Add the biases `values` to h, from h[start] on."""
    for i in range(0, len(values), LANES):
        b, size = convert(load(values, i), 1.0), load(h.log, start + i)
        log_b = log_size(absolute(b))
        top = maximum(size, log_b)
        total = exp(size - top) * load(h.sign, start + i) + copysign(exp(log_b - top), b)
        put(h, start + i, select(top > -math.inf, total, 0.0), top, splat(b, 1.0))


def preactivation(h, i):
    """Sixteen elements of h as floats, clamped to a range beyond which phi is linear or constant."""
    size = load(h.log, i)
    value = exp(maximum(-_RANGE, minimum(_RANGE, size))) * load(h.sign, i)
    return select(size == -math.inf, 0.0, value)


def activate_elements(neuron, live, h, start, x):
    """Write x = phi(h) of the layer that begins at h[start]."""
    slopes, tail = neuron.slopes, phi_tail(neuron)
    below_0, above_0 = slopes.zero
    below, above = slopes.infinity
    smallest = -_RANGE if slopes.through_zero else -math.inf
    for i in range(0, len(live), LANES):
        sign, size = load(h.sign, start + i), load(h.log, start + i)
        v, one = preactivation(h, start + i), splat(sign, 1.0)
        log_x, sign_x = log_product(tail, v, neuron.phi(v, neuron.alpha), one, _TINY)
        at_zero = select(sign < 0.0, splat(one, below_0), above_0)
        slope = select(size > 0.0, select(sign < 0.0, splat(one, below), above), at_zero)
        linear = (size > _RANGE) & (slope != 0.0) | (size < smallest) & (size > -math.inf)
        log_x = select(linear, size + log_size(absolute(slope)), log_x)
        store(x.log, i, select(load(live, i) > 0.0, log_x, -math.inf))
        store(x.sign, i, select(linear, copysign(one, slope) * sign, sign_x))


def multiply_elements_by_slope(neuron, h, start, y):
    """Replace y by delta = phi'(h) y, for the layer that begins at h[start]."""
    tail, slopes = dphi_tail(neuron), neuron.slopes
    smallest = -_RANGE if slopes.through_zero else -math.inf
    for i in range(0, len(y.log), LANES):
        v, size = preactivation(h, start + i), load(h.log, start + i)
        one_or_nan = select(size > _RANGE, splat(size, known(slopes.infinity)), 1.0)
        one_or_nan = select((size < smallest) & (size > -math.inf), splat(size, known(slopes.zero)), one_or_nan)
        slope = neuron.dphi(v, neuron.alpha) * one_or_nan
        size, sign = log_product(tail, v, slope, load(y.sign, i), _TINY)
        store(y.log, i, select(load(y.log, i) > -math.inf, size + load(y.log, i), -math.inf))
        store(y.sign, i, sign)


def scaled_sum_of_squares(v, start, stop):
    """Sum of squares of v[start:stop] in units of 4^k, and k; below -LOG_LIMIT, k only marks v as too small."""
    top = load(v.log, start)
    for i in range(start + LANES, stop, LANES):
        top = maximum(top, load(v.log, i))
    peak = lane_max(top)
    k = math.floor(max(peak, -4.0 * LOG_LIMIT) / LN2) if abs(peak) < math.inf else 0.0
    log_scale = peak if -math.inf < peak < -LOG_LIMIT else k * LN2
    total = splat(top, 0.0)
    for i in range(start, stop, LANES):
        total = total + exp((load(v.log, i) - log_scale) * 2.0)
    return lane_sum(total), float(k)


def run_again(neuron, cell, network, work, sums, exponents):
    """Run a network again, element by element, with the weights that are in memory.

    Parameters
    ----------
    neuron : Neuron
    cell : Params
    network : int
    work : ExplicitWork
        Reads `weights`, layer l in slot l - 1; overwrites `signed`, `x` and `y`.
    sums, exponents : float64 arrays (3, depth)
        Receive the sums of squares of h^l, x^(l-1), delta^l, in units of 4^exponent, and their exponents.
    """
    padded = len(work.live)
    x, y = vector(work.signed, 0, padded), vector(work.signed, padded, padded)
    h = vector(work.signed, 2 * padded, cell.depth * padded)
    fill_normals(cell, network, 0, ROLE_INPUT, work.live[0], work.live, work.x)
    from_floats(work.x, x)
    for layer in range(1, cell.depth + 1):
        start = (layer - 1) * padded
        sums[SUM_X, layer - 1], exponents[SUM_X, layer - 1] = scaled_sum_of_squares(x, 0, padded)
        multiply(cell, layer, work, x, start, h)
        if cell.sigma_b > 0.0:
            fill_normals(cell, network, layer, ROLE_BIAS, work.scales.bias, work.live, work.y)
            add_bias(work.y, start, h)
        sums[SUM_H, layer - 1], exponents[SUM_H, layer - 1] = scaled_sum_of_squares(h, start, start + padded)
        activate_elements(neuron, work.live, h, start, x)
    fill_normals(cell, network, 0, ROLE_READOUT, work.scales.readout, work.live, work.y)
    from_floats(work.y, y)
    for layer in range(cell.depth, 0, -1):
        multiply_elements_by_slope(neuron, h, (layer - 1) * padded, y)
        sums[SUM_DELTA, layer - 1], exponents[SUM_DELTA, layer - 1] = scaled_sum_of_squares(y, 0, padded)
        if layer > 1:
            for i in range(0, padded, LANES):
                store(x.log, i, load(y.log, i))
                store(x.sign, i, load(y.sign, i))
            multiply_transposed(cell, layer, work, x, y)


jit.register_leaves(__name__, inline=False)
