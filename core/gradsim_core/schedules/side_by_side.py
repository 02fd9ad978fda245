"""Steps for a group, sixteen networks side by side with one per lane, which `narrow` and `conditional` share.

Sums over neurons add whole vectors, never lanes of one vector, and no width needs padding to whole vectors. Arrays are
flat, [layer][neuron][lane], with `rows(width)` neurons per layer. Networks 16 k .. 16 k + 15 are group k; the group's
number is the network of its random counters.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gradsim_core import jit
from gradsim_core.lanes import LANES, anywhere, convert, fma, load, splat, store, synchronise, transpose
from gradsim_core.laws import standard
from gradsim_core.rng.draws import Source, fill_drawn


class Forward(NamedTuple):
    """What the forward pass hands from layer to layer: vectors with one number per network."""

    square: np.ndarray  # |x|^2 in units of 4^exponent
    exponent: np.ndarray  # of x
    broken: np.ndarray  # NaN once some h was not finite, else 0


def rows(width):
    """How many neurons of a layer are stored: the width, rounded up to whole counters of 4."""
    return -(-width // 4) * 4


def fill(cell, group, layer, role, words, out, start):
    """Draw standard normals for all neurons of a layer of a group; zero beyond the width.

    Parameters
    ----------
    cell : Params
    group, layer, role : int
        As in `draws.Source`.
    words : int32 array
        Scratch.
    out : float array
        Receives (rows, 16) numbers from index `start` on.
    start : int
    """
    fill_drawn(standard, Source(cell, group, layer, role), rows(cell.width) // 4, out[0], words, out, start)
    for i in range(start + cell.width * LANES, start + rows(cell.width) * LANES, LANES):
        store(out, i, load(out, i) * 0.0)


def dot(a, i, b, j, width):
    """Inner products over neurons, one per lane, of vectors that begin at a[i] and b[j]; two sums hide the latency."""
    even = load(a, i) * load(b, j)
    odd = load(a, i + LANES) * load(b, j + LANES)
    for k in range(2 * LANES, rows(width) * LANES, 2 * LANES):
        even = fma(load(a, i + k), load(b, j + k), even)
        odd = fma(load(a, i + k + LANES), load(b, j + k + LANES), odd)
    return even + odd


def record(work, kind, layer, square, exponent):
    """Store the sums of squares of a layer, in units of 4^exponent; `kind` is SUM_H, SUM_X or SUM_DELTA."""
    i = kind * (len(work.sums) // 3) + (layer - 1) * LANES
    store(work.sums, i, convert(square, 1.0))
    store(work.exponents, i, exponent)


def activate_lanes(neuron, values, offset, scale, work, start, width):
    """Compute x = phi(h) and phi'(h) for h = scale * values.

    Parameters
    ----------
    neuron : Neuron
    values : float array
        Read from index `offset` on.
    offset : int
    scale : vector
        One factor per network.
    work : NarrowWork or ConditionalWork
        Writes `x` and `slope` from `start` on.
    start, width : int

    Returns
    -------
    square_x, square_h : vectors
        |x|^2 and |h|^2.
    """
    square_x = square_v = splat(scale, 0.0)
    for i in range(0, width * LANES, LANES):
        value = load(values, offset + i)
        h = value * scale
        x = neuron.phi(h, neuron.alpha)
        store(work.x, start + i, x)
        store(work.slope, start + i, neuron.dphi(h, neuron.alpha))
        square_x, square_v = fma(x, x, square_x), fma(value, value, square_v)
    return square_x, square_v * (scale * scale)


def deliver(work, group, first, sums, exponents):
    """Copy the sums and exponents of a group to those of a block, (3, count, depth), whose first network is `first`."""
    depth, begin = sums.shape[2], group * LANES - first
    for kind in range(3):
        start = kind * depth * LANES
        copy_networks(work.sums, start, sums, kind, begin)
        if any_nonzero(work.exponents, start, start + depth * LANES):
            copy_networks(work.exponents, start, exponents, kind, begin)
        else:
            exponents[kind, max(begin, 0) : begin + LANES, :] = 0.0


def copy_networks(source, start, target, kind, begin):
    """Copy numbers of a group, [layer][lane], to target[kind, begin:], [network][layer], as far as that reaches."""
    count, depth = target.shape[1], target.shape[2]
    synchronise()
    if depth >= LANES and 0 <= begin <= count - LANES:
        for layer in range(0, depth, LANES):
            begin_layer = min(layer, depth - LANES)  # the last tile may overlap the one before
            place = (kind * count + begin) * depth + begin_layer
            transpose(source, start + begin_layer * LANES, target, place, depth)
    else:
        for n in range(max(begin, 0), min(begin + LANES, count)):
            for layer in range(depth):
                target[kind, n, layer] = source[start + layer * LANES + n - begin]
    synchronise()  # before the next group's are written


def any_nonzero(values, start, stop):
    """Whether any of values[start : stop] is not 0, or NaN; whole vectors."""
    found = False
    for i in range(start, stop, LANES):
        found = found or anywhere(load(values, i) != 0.0)
    return found


jit.register_leaves(__name__, inline=False)
