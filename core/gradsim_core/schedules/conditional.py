"""The exact conditional sampler: back-propagation through random weights that are never drawn, in O(N) per layer.

A network uses W only in h' = W x and y = W^T delta. For normal entries of variance s^2 = sigma_w^2 / N, h' is normal
with variance s^2 |x|^2, and h' is independent of what W does to vectors orthogonal to x, so that

    y = x (h' . delta) / |x|^2 + s |delta| P g,    g standard normal, P the projector orthogonal to x.

For a Haar matrix times sigma_w, h' = sigma_w |x| u with u uniform on the sphere, and
y = x (h' . delta) / |x|^2 + sigma_w |delta - u (u . delta)| P g / |P g|. `core/README.md` derives both.

With normal weights, a normal bias is drawn together with h': h = v z with v^2 = s^2 |x|^2 + sigma_b^2. Given h, h' is
v (r^2 z + r t z') with r = s |x| / v, t = sigma_b / v and z' standard normal and independent of z. Only z' . delta is
needed, which is one normal number.

Sixteen networks run side by side, one per lane, so every sum over neurons adds whole vectors. With normal weights a
layer takes one pass (`one_pass`). Where that is not enough, and with Haar matrices, its vectors are stored in arrays
[layer][neuron][lane]. Only lengths and inner products pass from layer to layer, so one exponent per network keeps them
in range (`per_lane`).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from gradsim_core import jit
from gradsim_core.lanes import LANES, aligned, anywhere, fma, load, maximum, rint, select, splat, sqrt, store
from gradsim_core.parameters import SUM_DELTA, SUM_H, SUM_X, Neuron
from gradsim_core.rng.philox import GROUP_FORWARD, GROUP_INPUT
from gradsim_core.scaling import per_lane
from gradsim_core.scaling.per_lane import exponent_of, is_extreme, is_far, scaled
from gradsim_core.scaling.per_vector import dphi_tail, no_tail, reach

from .one_pass import (
    FEW,
    INVERSE_NORM,
    KEPT,
    SCALE,
    X_G,
    Combination,
    draw_and_sum,
    keep,
    kept,
    products_from_sums,
)
from .sampled_matrix import Matrix, fill_backward, inverse, sampler_of, widen
from .side_by_side import Forward, activate_lanes, deliver, dot, fill, record, rows


class Scales(NamedTuple):
    """Standard deviations: s (sigma_w for Haar matrices) of the weights, sigma_b of the biases, and of the readout."""

    weight: float  # s = weight 2^weight_exponent, 1/2 <= weight < 1
    weight_exponent: float
    bias: float  # likewise sigma_b
    bias_exponent: float
    readout: float  # 1 / sqrt(N)
    plain_weight: float  # s itself; 0 if s or sigma_b is far from 1
    plain_bias: float  # sigma_b itself


class ConditionalWork(NamedTuple):
    """Arrays of one thread, flat, in the precision of the run unless said otherwise."""

    words: np.ndarray  # scratch for the random words of a few counters, int32
    z: np.ndarray  # (depth, rows, 16) z, or u of a Haar matrix; h is SCALE z, plus the bias of a Haar matrix
    x: np.ndarray  # (depth, rows, 16) activations
    slope: np.ndarray  # (depth, rows, 16) phi'(h)
    g: np.ndarray  # (rows, 16) normals of the backward pass, then delta where it is needed
    h: np.ndarray  # (rows, 16) preactivations where they are needed
    few: np.ndarray  # scratch of `draw_and_sum`: z, g, x and phi'(h) of a few neurons
    stored: np.ndarray  # (depth,) bool: whether z, x and slope of a layer are stored
    layers: np.ndarray  # (depth, KEPT, 16) what `keep` keeps for the backward pass
    shifts: np.ndarray  # (depth, 16) exponents of h, float64
    sums: np.ndarray  # (3, depth, 16), float64
    exponents: np.ndarray  # (3, depth, 16), float64
    scales: Scales  # float64


class Backward(NamedTuple):
    """What the backward pass hands from layer to layer: y = W^T delta of the layer above, in units of 2^exponent."""

    y: Combination
    exponent: np.ndarray


def bring_in_reach(work, layer, square, exponent):
    """Choose the shift of h = W x + b and store it in work.shifts.

    Takes |x|^2 as square 4^exponent. Returns the shift and the standard deviations of W x and b in units of 2^shift.
    """
    # The usual case: everything is near 1, and every exponent is 0.
    if work.scales.plain_weight > 0.0 and not (anywhere(exponent != 0.0) or is_far(square)):
        shift = splat(exponent, 0.0)
        store(work.shifts, (layer - 1) * LANES, shift)
        return shift, sqrt(square) * work.scales.plain_weight, splat(square, work.scales.plain_bias)
    size = sqrt(select(square < np.inf, square, np.nan)) * work.scales.weight
    exponent_h = select(size > 0.0, exponent_of(size) + exponent + work.scales.weight_exponent, -per_lane.FAR)
    shift = per_lane.placed(maximum(exponent_h, work.scales.bias_exponent), reach(work.z) - 20.0)
    store(work.shifts, (layer - 1) * LANES, shift)
    scale_b = scaled(work.scales.bias_exponent - shift, splat(size, work.scales.bias))
    return shift, scaled(exponent + work.scales.weight_exponent - shift, size), scale_b


def products_from_vectors(work, start, y, width):
    """|delta|^2 and z . delta of delta = phi'(h) y, from the stored vectors; work.slope is zero beyond the width."""
    of_g, of_x = y
    even_square = odd_square = even_along = odd_along = splat(of_g, 0.0)
    for i in range(0, rows(width) * LANES, 2 * LANES):
        k = start + i
        delta = load(work.slope, k) * fma(load(work.x, k), of_x, load(work.g, i) * of_g)
        even_square, even_along = fma(delta, delta, even_square), fma(load(work.z, k), delta, even_along)
        k, g = k + LANES, load(work.g, i + LANES)
        delta = load(work.slope, k) * fma(load(work.x, k), of_x, g * of_g)
        odd_square, odd_along = fma(delta, delta, odd_square), fma(load(work.z, k), delta, odd_along)
    return even_square + odd_square, even_along + odd_along


def products_any_range(neuron, cell, layer, work, y, square, along):
    """|delta|^2, z . delta and their exponent in any range, with h in work.h.

    `square` and `along` are the results of `products_from_vectors`, which remain where phi' y is in range.
    """
    size, start = cell.width * LANES, (layer - 1) * rows(cell.width) * LANES
    h, slope, vector = work.h[:size], work.slope[start : start + size], work.g[:size]
    per_lane.true_values(h, load(work.shifts, (layer - 1) * LANES))
    for i in range(0, size, LANES):
        store(vector, i, fma(load(work.x, start + i), y.of_x, load(vector, i) * y.of_g))
    zero = splat(load(work.shifts, 0), 0.0)
    rescued, exponent = per_lane.rescue(dphi_tail(neuron), h, slope, vector, vector, square, zero)
    return rescued, select(rescued != square, dot(work.z, start, work.g, 0, cell.width), along), exponent


@jit.inlined
def forward_layer(neuron, matrix, cell, group, layer, work, state):
    """Sample h of a layer and compute its x; takes and returns the `Forward` state."""
    start = (layer - 1) * rows(cell.width) * LANES
    record(work, SUM_X, layer, state.square, state.exponent)
    shift, scale, scale_b = bring_in_reach(work, layer, state.square, state.exponent)
    square = square_h = splat(scale, 0.0)
    stored = matrix.orthogonal or anywhere(shift != 0.0)
    if not stored:
        v = widen(cell, layer, work, scale, scale_b)
        square, square_h = draw_and_sum(neuron, cell, group, layer, work, v)
        stored = is_extreme(square, neuron.has_tails[0])
    if stored:
        v = matrix.draw(cell, group, layer, work, start, scale, scale_b)
        values, offset = (work.h, 0) if matrix.orthogonal else (work.z, start)
        square, square_h = activate_lanes(neuron, values, offset, v, work, start, cell.width)
    record(work, SUM_H, layer, square_h, shift)
    exponent = splat(shift, 0.0)
    if stored and (anywhere(shift != 0.0) or is_extreme(square, neuron.has_tails[0])):
        matrix.preactivations(cell, group, layer, work, start)
        square, exponent = per_lane.activate_any_range(neuron, cell.width, work, start, shift)
    keep(work, layer, INVERSE_NORM, inverse(sqrt(square)))
    work.stored[layer - 1] = stored
    return Forward(square, exponent, fma(square_h, 0.0, state.broken))


@jit.inlined
def delta_products(neuron, matrix, cell, group, layer, work, state):
    """|delta|^2, z . delta and their exponent at a layer: from the kept sums where those suffice, else from vectors."""
    start, stored = (layer - 1) * rows(cell.width) * LANES, work.stored[layer - 1]
    y, exponent = state
    square = along = splat(y.of_g, 0.0)
    if not stored:
        square, along, accurate = products_from_sums(work, layer, y)
        stored = not accurate or is_extreme(square, neuron.has_tails[1])
        if stored:
            fill(cell, group, layer, GROUP_FORWARD, work.words, work.z, start)
            activate_lanes(neuron, work.z, start, kept(work, layer, SCALE), work, start, cell.width)
            fill_backward(cell, group, layer, work)
    if stored:
        square, along = products_from_vectors(work, start, y, cell.width)
        if is_extreme(square, neuron.has_tails[1]):
            matrix.preactivations(cell, group, layer, work, start)
            square, along, k = products_any_range(neuron, cell, layer, work, y, square, along)
            exponent = exponent + k
    if is_far(square):
        k = rint(exponent_of(square) * 0.5)
        square, along, exponent = scaled(k * -2.0, square), scaled(-k, along), exponent + k
    return square, along, exponent


@jit.inlined
def combine_below(matrix, cell, group, layer, work, square, along):
    """The `Combination` y at the layer below, given |delta|^2 and z . delta of this layer."""
    inner = kept(work, layer - 1, X_G)
    if work.stored[layer - 2]:
        fill_backward(cell, group, layer - 1, work)
        inner = dot(work.x, (layer - 2) * rows(cell.width) * LANES, work.g, 0, cell.width)
    y = matrix.combine(cell, group, layer, work, square, along, inner)
    return Combination(y.of_g * work.scales.weight, y.of_x * work.scales.weight)


def build(phi, dphi, log_phi, log_dphi, law):
    """The block kernel of an activation and a weight law, to be compiled or interpreted (see `table.Schedule`)."""
    orthogonal, draw, preactivations, combine = sampler_of(law)
    has_tails = log_phi is not no_tail, log_dphi is not no_tail

    def run_block(cell, slopes, first, work, sums, exponents):
        """Run networks first .. first + count - 1; writes sums and exponents, both (3, count, depth)."""
        neuron = Neuron(phi, dphi, log_phi, log_dphi, has_tails, slopes, cell.alpha)
        matrix = Matrix(orthogonal, draw, preactivations, combine)
        for group in range(first // LANES, (first + sums.shape[1] - 1) // LANES + 1):
            fill(cell, group, 0, GROUP_INPUT, work.words, work.g, 0)
            square, exponent = dot(work.g, 0, work.g, 0, cell.width), splat(load(work.shifts, 0), 0.0)
            state, zero = Forward(square, exponent, splat(square, 0.0)), splat(square, 0.0)
            for layer in range(1, cell.depth + 1):
                state = forward_layer(neuron, matrix, cell, group, layer, work, state)
            if work.stored[cell.depth - 1]:
                fill_backward(cell, group, cell.depth, work)
            above = Backward(Combination(splat(zero, work.scales.readout), zero), exponent)
            for layer in range(cell.depth, 0, -1):
                square, along, exponent = delta_products(neuron, matrix, cell, group, layer, work, above)
                square = square + state.broken
                record(work, SUM_DELTA, layer, square, exponent)
                if layer > 1:
                    y = combine_below(matrix, cell, group, layer, work, square, along)
                    above = Backward(y, exponent + work.scales.weight_exponent)
            deliver(work, group, first, sums, exponents)

    return run_block


def applies(law, depth, width):
    """Whether the law is invariant under rotations, so that its matrices can be sampled conditionally."""
    return law.conditional


def memory(law, depth, width):
    """Numbers in a thread's arrays: vectors of sixteen networks."""
    return LANES * depth * 3 * width


def allocate(cell, dtype, law):
    """Arrays of one thread for a cell."""
    deviation = law.deviation(cell)
    size = rows(cell.width) * LANES
    empty = lambda n: aligned(n, dtype)  # noqa: E731
    double = lambda n: aligned(n * cell.depth * LANES, np.float64)  # noqa: E731
    scale_b = math.frexp(cell.sigma_b) if cell.sigma_b > 0.0 else (0.0, -per_lane.FAR)
    ordinary = 2.0**-10 <= deviation <= 2.0**10 and cell.sigma_b <= 2.0**10
    readout = 1.0 / math.sqrt(cell.width)
    scales = Scales(*map(float, (*math.frexp(deviation), *scale_b, readout, deviation * ordinary, cell.sigma_b)))
    z, x, slope = (empty(cell.depth * size) for _ in range(3))
    few, layers = empty(4 * FEW * 4 * LANES), empty(cell.depth * KEPT * LANES)
    words = aligned(2 * FEW * 4 * LANES, np.int32)
    stored = np.zeros(cell.depth, np.bool_)
    return ConditionalWork(
        words, z, x, slope, empty(size), empty(size), few, stored, layers, double(1), double(3), double(3), scales
    )


jit.register_leaves(__name__, inline=False)
