"""The conditional sampler's usual case in the registers of one thread a network: no vector is stored.

It is `schedules.conditional` with independent normal entries, in the same order of operations, so that its numbers have
the same bits. A layer's neurons are drawn four at a time and summed at once; a layer whose sums cancelled is drawn once
more. A group that leaves the ordinary range is marked, and `whole` runs it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from gradsim_core import jit
from gradsim_core.lanes import LANES, anywhere, fma, halves, join, load, rint, splat, sqrt
from gradsim_core.parameters import SUM_DELTA, SUM_H, SUM_X, Neuron
from gradsim_core.rng.normals import four_normals
from gradsim_core.rng.philox import GROUP_FORWARD, GROUP_INPUT, random_words, stream, two_counters
from gradsim_core.scaling.per_lane import exponent_of, is_extreme, is_far, scaled
from gradsim_core.scaling.per_vector import no_tail
from gradsim_core.schedules.conditional import Backward, Scales, bring_in_reach
from gradsim_core.schedules.one_pass import (
    INVERSE_NORM,
    KEPT,
    SCALE,
    X_G,
    Combination,
    add_products,
    backward_source,
    keep,
    keep_sums,
    kept,
    products_from_sums,
)
from gradsim_core.schedules.sampled_matrix import combine_gaussian, inverse, widen
from gradsim_core.schedules.side_by_side import Forward, record, rows

from .slots import arrays, own, part
from .threads import slot_of_thread


class FastWork(NamedTuple):
    """What a group keeps between the passes; the fields are those of `conditional.ConditionalWork`."""

    z: np.ndarray  # no number, in the precision of the run
    layers: np.ndarray
    shifts: np.ndarray
    sums: np.ndarray
    exponents: np.ndarray
    scales: Scales


class Four(NamedTuple):
    """Four neurons of a layer: z, g, x = phi(h) and phi'(h), each as four vectors."""

    z: tuple
    g: tuple
    x: tuple
    slope: tuple


def four_neurons(neuron, cell, group, layer, scale, index):
    """Draw the neurons 4 index .. 4 index + 3 of a layer, for h = scale z."""
    source = backward_source(cell, group, layer)
    streams = stream(layer, GROUP_FORWARD), stream(source.layer, source.role)
    a, b, c, d, e, f, g, h = two_counters(cell.key, group, streams[0], index, streams[1], index)
    z, g = four_normals(a, b, c, d, scale), four_normals(e, f, g, h, scale)
    h = join(join(z[0] * scale, z[1] * scale), join(z[2] * scale, z[3] * scale))
    (x, y), (d, e) = halves(neuron.phi(h, neuron.alpha)), halves(neuron.dphi(h, neuron.alpha))
    (x0, x1), (x2, x3), (d0, d1), (d2, d3) = halves(x), halves(y), halves(d), halves(e)
    return Four(z, g, (x0, x1, x2, x3), (d0, d1, d2, d3))


def draw_and_sum_at_once(neuron, cell, group, layer, work, scale):
    """As `one_pass.draw_and_sum`, without scratch."""
    zero = splat(scale, 0.0)
    sums = zero, zero, zero, zero, zero, zero, zero, zero
    for index in range(rows(cell.width) // 4):
        z, g, x, slope = four_neurons(neuron, cell, group, layer, scale, index)
        live = cell.width - 4 * index
        sums = add_products(z[0], g[0], x[0], slope[0], sums)
        if live > 1:
            sums = add_products(z[1], g[1], x[1], slope[1], sums)
        if live > 2:
            sums = add_products(z[2], g[2], x[2], slope[2], sums)
        if live > 3:
            sums = add_products(z[3], g[3], x[3], slope[3], sums)
    return keep_sums(work, layer, sums, scale)


def add_delta(z, g, x, slope, y, square, along):
    """|delta|^2 and z . delta with one more neuron added."""
    delta = slope * fma(x, y.of_x, g * y.of_g)
    return fma(delta, delta, square), fma(z, delta, along)


def products_drawn_again(neuron, cell, group, layer, work, y):
    """As `conditional.products_from_vectors`, from neurons that are drawn once more."""
    scale = kept(work, layer, SCALE)
    even_square = odd_square = even_along = odd_along = splat(y.of_g, 0.0)
    for index in range(rows(cell.width) // 4):
        z, g, x, slope = four_neurons(neuron, cell, group, layer, scale, index)
        live = cell.width - 4 * index
        even_square, even_along = add_delta(z[0], g[0], x[0], slope[0], y, even_square, even_along)
        if live > 1:
            odd_square, odd_along = add_delta(z[1], g[1], x[1], slope[1], y, odd_square, odd_along)
        if live > 2:
            even_square, even_along = add_delta(z[2], g[2], x[2], slope[2], y, even_square, even_along)
        if live > 3:
            odd_square, odd_along = add_delta(z[3], g[3], x[3], slope[3], y, odd_square, odd_along)
    return even_square + odd_square, even_along + odd_along


def square_of_input(cell, group, like):
    """|x|^2 of the input, even and odd neurons apart as in `side_by_side.dot`."""
    even = odd = splat(like, 0.0)
    for index in range(rows(cell.width) // 4):
        a, b, c, d = random_words(cell.key, group, 0, GROUP_INPUT, index)
        z0, z1, z2, z3 = four_normals(a, b, c, d, like)
        live = cell.width - 4 * index
        even = fma(z0, z0, even)
        if live > 1:
            odd = fma(z1, z1, odd)
        if live > 2:
            even = fma(z2, z2, even)
        if live > 3:
            odd = fma(z3, z3, odd)
    return even + odd


def forward_fast(neuron, cell, group, layer, work, state):
    """As `conditional.forward_layer`; returns the state, and whether all stayed in the ordinary range."""
    record(work, SUM_X, layer, state.square, state.exponent)
    shift, scale, scale_b = bring_in_reach(work, layer, state.square, state.exponent)
    v = widen(cell, layer, work, scale, scale_b)
    square, square_h = draw_and_sum_at_once(neuron, cell, group, layer, work, v)
    record(work, SUM_H, layer, square_h, shift)
    keep(work, layer, INVERSE_NORM, inverse(sqrt(square)))
    ordinary = not (anywhere(shift != 0.0) or is_extreme(square, neuron.has_tails[0]))
    return Forward(square, splat(shift, 0.0), fma(square_h, 0.0, state.broken)), ordinary


def products_fast(neuron, cell, group, layer, work, state):
    """As `conditional.delta_products`; returns also whether all stayed in the ordinary range."""
    y, exponent = state
    square, along, accurate = products_from_sums(work, layer, y)
    if not accurate or is_extreme(square, neuron.has_tails[1]):
        square, along = products_drawn_again(neuron, cell, group, layer, work, y)
    ordinary = not is_extreme(square, neuron.has_tails[1])
    if is_far(square):
        k = rint(exponent_of(square) * 0.5)
        square, along, exponent = scaled(k * -2.0, square), scaled(-k, along), exponent + k
    return square, along, exponent, ordinary


def run_group(neuron, cell, group, work):
    """Run sixteen networks; returns whether all stayed in the ordinary range, else the sums are worth nothing."""
    unit = splat(load(work.shifts, 0), 0.0)
    square = square_of_input(cell, group, load(work.z, 0))
    zero = splat(square, 0.0)
    state = Forward(square, unit, zero)
    for layer in range(1, cell.depth + 1):
        state, ordinary = forward_fast(neuron, cell, group, layer, work, state)
        if not ordinary:
            return False
    above = Backward(Combination(splat(zero, work.scales.readout), zero), unit)
    for layer in range(cell.depth, 0, -1):
        square, along, exponent, ordinary = products_fast(neuron, cell, group, layer, work, above)
        if not ordinary:
            return False
        square = square + state.broken
        record(work, SUM_DELTA, layer, square, exponent)
        if layer > 1:
            y = combine_gaussian(cell, group, layer, work, square, along, kept(work, layer - 1, X_G))
            of_g, of_x = y.of_g * work.scales.weight, y.of_x * work.scales.weight
            above = Backward(Combination(of_g, of_x), exponent + work.scales.weight_exponent)
    return True


def build(phi, dphi, log_phi, log_dphi, law) -> Callable[..., None]:
    """The kernel of an activation: takes what `Schedule.build` takes.

    Returns
    -------
    function
        Of (cell, slopes, work of all slots, launch); writes the sums, exponents and `failed` of every group.
    """
    has_tails = log_phi is not no_tail, log_dphi is not no_tail

    def kernel(cell, slopes, work, launch):
        neuron = Neuron(phi, dphi, log_phi, log_dphi, has_tails, slopes, cell.alpha)
        first, slots, sums, exponents, failed = launch
        slot = slot_of_thread()
        z, layers, shifts, _, _, scales = own(work, slot, slots)
        size = 3 * cell.depth * LANES
        for group in range(slot, len(failed), slots):
            own_sums, own_exponents = part(sums, group * size, size), part(exponents, group * size, size)
            mine = FastWork(z, layers, shifts, own_sums, own_exponents, scales)
            failed[group] = 0 if run_group(neuron, cell, first + group, mine) else 1

    return kernel


def work_of(work, slots: int) -> FastWork:
    """The arrays of all slots, for the cell and the precision of a `ConditionalWork`."""
    depth = len(work.stored)
    z, layers = np.zeros(LANES, work.z.dtype), np.zeros(depth * KEPT * LANES, work.z.dtype)
    shifts, none = np.zeros(depth * LANES), np.zeros(0)
    return arrays(FastWork(z, layers, shifts, none, none, work.scales), slots)


jit.register_leaves(__name__, inline=True)
