"""Sixteen networks side by side, one per lane: what every kernel that runs them so shares.

Every sum over neurons is then vertical, and no width needs padding to whole vectors. Arrays are flat,
[layer][neuron][lane]; networks 16 k .. 16 k + 15 are group k, whose number stands in the counters of its random words.
"""

from __future__ import annotations

from gradsim_core import jit
from gradsim_core.lanes import LANES, convert, fma, load, splat, store
from gradsim_core.laws import standard
from gradsim_core.rng.draws import Source, fill_drawn


def rows(width):
    """Neurons of a layer as stored: whole counters."""
    return -(-width // 4) * 4


def fill(cell, group, layer, role, words, out, start):
    """Standard normals for all neurons of a layer, each for sixteen networks; zero beyond the width."""
    fill_drawn(standard, Source(cell, group, layer, role), rows(cell.width) // 4, out[0], words, out, start)
    for i in range(start + cell.width * LANES, start + rows(cell.width) * LANES, LANES):
        store(out, i, load(out, i) * 0.0)


def dot(a, i, b, j, width):
    """Inner products over neurons, one a lane. Two sums, to hide latency."""
    even = load(a, i) * load(b, j)
    odd = load(a, i + LANES) * load(b, j + LANES)
    for k in range(2 * LANES, rows(width) * LANES, 2 * LANES):
        even = fma(load(a, i + k), load(b, j + k), even)
        odd = fma(load(a, i + k + LANES), load(b, j + k + LANES), odd)
    return even + odd


def record(work, which, layer, total, exponent):
    """Keep a sum of squares 4^exponent."""
    i = which * (len(work.sums) // 3) + (layer - 1) * LANES
    store(work.sums, i, convert(total, 1.0))
    store(work.exponents, i, exponent)


def activate_lanes(neuron, values, offset, scale, work, start, width):
    """x = phi(h) and phi'(h) at `start` for h = scale values, which lie at `offset`; returns |x|^2 and |h|^2."""
    square_x = square = splat(scale, 0.0)
    for i in range(0, width * LANES, LANES):
        value = load(values, offset + i)
        h = value * scale
        x = neuron.phi(h, neuron.alpha)
        store(work.x, start + i, x)
        store(work.slope, start + i, neuron.dphi(h, neuron.alpha))
        square_x, square = fma(x, x, square_x), fma(value, value, square)
    return square_x, square * (scale * scale)


def deliver(work, group, first, sums, exponents):
    """The group's sums and exponents to the networks first .. of a block."""
    depth = sums.shape[2]
    for lane in range(LANES):
        n = group * LANES + lane - first
        if 0 <= n < sums.shape[1]:
            for which in range(3):
                for layer in range(depth):
                    sums[which, n, layer] = work.sums[(which * depth + layer) * LANES + lane]
                    exponents[which, n, layer] = work.exponents[(which * depth + layer) * LANES + lane]


jit.register_leaves(__name__, inline=False)
