"""One pass over a layer of the conditional sampler: it sums the inner products that both passes need, stores no vector.

delta = phi'(h) y with y = of_g g + of_x x, so |delta|^2 and z . delta are polynomials in of_g and of_x. If g is drawn
together with z, the forward pass knows their coefficients, which are inner products of z, phi' x and phi' g. The
backward step of a layer is then a few operations on one number per network.

|delta|^2 loses digits where its terms nearly cancel. `products_from_sums` detects this, and the vectors of the layer
are then drawn again from their counters.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gradsim_core import jit
from gradsim_core.lanes import LANES, anywhere, fma, halves, join, load, load_four, splat, store, store_four
from gradsim_core.laws import standard
from gradsim_core.rng.draws import Source, fill_two
from gradsim_core.rng.philox import GROUP_BACKWARD, GROUP_FORWARD, GROUP_READOUT

from .side_by_side import rows

# What is kept of a layer for the backward pass: v with h = v z, then r, t (see `conditional`), 1 / |x|, and inner
# products (D is phi').
SCALE, SHARE, BIAS_SHARE, INVERSE_NORM, X_G, Z_DX, Z_DG, DX_DX, DX_DG, DG_DG, KEPT = range(11)
FEW = 16  # how many counters' numbers are made at a time
CANCELLED = 2.0**-4  # |delta|^2 below this fraction of its positive terms is computed again from the vectors


class Combination(NamedTuple):
    """y = of_g g + of_x x: vectors with one coefficient per network."""

    of_g: np.ndarray
    of_x: np.ndarray


def kept(work, layer, item):
    """What `keep` stored as `item` of a layer: one number per network."""
    return load(work.layers, ((layer - 1) * KEPT + item) * LANES)


def keep(work, layer, item, value):
    """Store one number per network in work.layers, for the backward pass; `item` is SCALE, X_G, .."""
    store(work.layers, ((layer - 1) * KEPT + item) * LANES, value)


def backward_source(cell, group, layer):
    """The `Source` of g at a layer; at the last layer g is the readout."""
    if layer < cell.depth:
        return Source(cell, group, layer + 1, GROUP_BACKWARD)
    return Source(cell, group, 0, GROUP_READOUT)


def draw_and_sum(neuron, cell, group, layer, work, scale):
    """Draw z and g of a layer, compute x and phi'(h) for h = scale z, and keep the inner products.

    Parameters
    ----------
    neuron : Neuron
    cell : Params
    group, layer : int
    work : ConditionalWork
        Writes `layers`; uses `words` and `few` as scratch.
    scale : vector
        v, one number per network.

    Returns
    -------
    square_x, square_h : vectors
        |x|^2 and |h|^2.
    """
    sources = Source(cell, group, layer, GROUP_FORWARD), backward_source(cell, group, layer)
    return keep_sums(work, layer, sums_of(neuron, sources, cell.width, work, scale), scale)


def sums_of(neuron, sources, width, work, scale):
    """The inner products of a layer that `keep_sums` takes, with z from the first of two sources and g from the second.

    Drawing, activating and summing are separate loops over a few neurons, since one loop would not fit the registers.
    """
    counters = rows(width) // 4
    zero = splat(scale, 0.0)
    sums = zero, zero, zero, zero, zero, zero, zero, zero
    for first in range(0, counters, FEW):
        count = min(FEW, counters - first)
        half = count * 4 * LANES
        fill_two(standard, sources, first, count, work.few[0], work.words, work.few)
        live = min(count * 4, width - first * 4) * LANES
        for i in range(0, live, 4 * LANES):
            z = load_four(work.few, i)
            h = join(join(z[0] * scale, z[1] * scale), join(z[2] * scale, z[3] * scale))
            (x, y), (d, e) = halves(neuron.phi(h, neuron.alpha)), halves(neuron.dphi(h, neuron.alpha))
            (x0, x1), (x2, x3), (d0, d1), (d2, d3) = halves(x), halves(y), halves(d), halves(e)
            store_four(work.few, 2 * half + i, x0, x1, x2, x3)
            store_four(work.few, 3 * half + i, d0, d1, d2, d3)
        for i in range(0, live, LANES):
            z, g = load(work.few, i), load(work.few, half + i)
            sums = add_products(z, g, load(work.few, 2 * half + i), load(work.few, 3 * half + i), sums)
    return sums


def keep_sums(work, layer, sums, scale):
    """Keep a layer's inner products for the backward pass; returns |x|^2 and |h|^2, where h = scale z."""
    square_x, square_z, x_g, z_dx, z_dg, dx_dx, dx_dg, dg_dg = sums
    keep(work, layer, X_G, x_g)
    keep(work, layer, Z_DX, z_dx)
    keep(work, layer, Z_DG, z_dg)
    keep(work, layer, DX_DX, dx_dx)
    keep(work, layer, DX_DG, dx_dg)
    keep(work, layer, DG_DG, dg_dg)
    return square_x, square_z * (scale * scale)


def add_products(z, g, x, slope, sums):
    """The inner products, one per lane, with one more neuron added."""
    square_x, square_z, x_g, z_dx, z_dg, dx_dx, dx_dg, dg_dg = sums
    dx, dg = slope * x, slope * g
    return (
        fma(x, x, square_x),
        fma(z, z, square_z),
        fma(x, g, x_g),
        fma(z, dx, z_dx),
        fma(z, dg, z_dg),
        fma(dx, dx, dx_dx),
        fma(dx, dg, dx_dg),
        fma(dg, dg, dg_dg),
    )


def products_from_sums(work, layer, y):
    """|delta|^2 and z . delta of delta = phi'(h) y from the kept inner products, and whether no digits cancelled."""
    of_g, of_x = y
    of_dx_dx, of_dg_dg = kept(work, layer, DX_DX) * of_x * of_x, kept(work, layer, DG_DG) * of_g * of_g
    total = of_dx_dx + of_dg_dg
    square = fma(kept(work, layer, DX_DG) * of_x, of_g * 2.0, total)
    along = fma(kept(work, layer, Z_DX), of_x, kept(work, layer, Z_DG) * of_g)
    return square, along, not anywhere(square < total * CANCELLED)


jit.register_leaves(__name__, inline=True)
