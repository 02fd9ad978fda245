"""Back-propagation with explicit weights through narrow networks, sixteen side by side.

A row of fewer than sixteen weights leaves a vector half empty, and summing its lanes costs as much as the products.
Here a vector holds the same weight of sixteen networks instead: nothing is padded, every sum adds whole vectors, and
the weights of a layer are drawn in the order W_11, W_12, .., with at most three numbers unused at the end.

Vectors have one exponent per network, as in `conditional`. Rescaling by powers of two is exact, and in the ordinary
range exponents are 0: the bits are then those of plain back-propagation.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from gradsim_core import jit
from gradsim_core.lanes import (
    LANES,
    absolute,
    aligned,
    anywhere,
    convert,
    fma,
    load,
    maximum,
    rint,
    select,
    splat,
    store,
)
from gradsim_core.parameters import SUM_DELTA, SUM_H, SUM_X, Neuron, Weights
from gradsim_core.rng.draws import AHEAD, Source, fill_drawn
from gradsim_core.rng.philox import NARROW_BIAS, NARROW_INPUT, NARROW_READOUT, NARROW_WEIGHT
from gradsim_core.scaling import per_lane
from gradsim_core.scaling.per_lane import exponent_of, is_extreme, rescue, scaled, sums_of_squares
from gradsim_core.scaling.per_vector import dphi_tail, no_tail, reach

from .side_by_side import Forward, activate_lanes, deliver, fill, record, rows

WIDEST, MOST_WEIGHTS = 28, 2**24
"""The largest width, and the most stored weights of sixteen networks, at which this is faster than `explicit`."""


class Scales(NamedTuple):
    """Standard deviations, in the precision of the run: of the weights drawn, of biases, of the readout."""

    weight: float  # in units of 2^exponent, which is 0 if the deviation is between 2^-40 and 2^40
    bias: float
    readout: float
    exponent: float


class NarrowWork(NamedTuple):
    """Arrays of one thread, flat, in the precision of the run unless said otherwise; layer 0 is the input."""

    words: np.ndarray  # scratch for the random words of a few counters, int32
    weights: np.ndarray  # (depth, layer_size(N), 16)
    z: np.ndarray  # (depth + 1, rows, 16) preactivations, as phi was evaluated at them
    x: np.ndarray  # (depth + 1, rows, 16) activations
    slope: np.ndarray  # (depth + 1, rows, 16) phi'(h)
    g: np.ndarray  # (rows, 16) forward: biases; backward: y = W^T delta
    h: np.ndarray  # (rows, 16) forward: preactivations of one layer; backward: delta
    sums: np.ndarray  # (3, depth, 16), float64
    exponents: np.ndarray  # (3, depth, 16), float64
    scales: Scales


def layer_size(width):
    """How many weights of one layer of one network are stored: rounded up to whole counters of 4."""
    return -(-(width * width) // 4) * 4


def multiply(weights, first, x, start, width, h):
    """Write h = W x; W begins at weights[first], x at x[start]."""
    for i in range(width):
        row = first + i * width * LANES
        total = load(weights, row) * load(x, start)
        for j in range(LANES, width * LANES, LANES):
            total = fma(load(weights, row + j), load(x, start + j), total)
        store(h, i * LANES, total)


def multiply_transposed(weights, first, delta, width, y):
    """Write y = W^T delta; W begins at weights[first]."""
    for j in range(width):
        column = first + j * LANES
        total = load(weights, column) * load(delta, 0)
        for i in range(1, width):
            total = fma(load(weights, column + i * width * LANES), load(delta, i * LANES), total)
        store(y, j * LANES, total)


def shift_of(cell, h, exponent, exponent_b):
    """The shift of h 2^exponent + b (see `per_lane.placed`); 0 in the ordinary range."""
    size = absolute(load(h, 0))
    for i in range(LANES, cell.width * LANES, LANES):
        size = maximum(size, absolute(load(h, i)))
    exponent_h = select(size > 0.0, exponent_of(size) + exponent, -per_lane.FAR)
    return per_lane.placed(maximum(exponent_h, exponent_b), float(reach(h)))


def preactivate(cell, group, layer, work, exponent):
    """Turn W x in units of 2^exponent, in work.h, into h in units of 2^shift; returns shift and |h|^2 in float64."""
    exponent_b = -per_lane.FAR
    if cell.sigma_b > 0.0:
        exponent_b = float(math.frexp(cell.sigma_b)[1])
        fill(cell, group, layer, NARROW_BIAS, work.words, work.g, 0)
    shift = shift_of(cell, work.h, exponent, exponent_b)
    ordinary = not anywhere((exponent != 0.0) | (shift != 0.0))
    square = splat(load(work.sums, 0), 0.0)
    for i in range(0, cell.width * LANES, LANES):
        h = load(work.h, i)
        if not ordinary:
            h = scaled(exponent - shift, h)
        if cell.sigma_b > 0.0:
            b = load(work.g, i) * work.scales.bias
            h = h + (b if ordinary else scaled(-shift, b))
        store(work.h, i, h)
        h = convert(h, 1.0)
        square = fma(h, h, square)
    return shift, square


def multiply_by_slope(work, start, width):
    """Write delta = phi'(h) y into work.h, with y in work.g; returns |delta|^2."""
    square = splat(load(work.h, 0), 0.0)
    for i in range(0, width * LANES, LANES):
        delta = load(work.slope, start + i) * load(work.g, i)
        store(work.h, i, delta)
        square = fma(delta, delta, square)
    return square


def settle(delta, square, exponent):
    """Bring |delta|^2 back near 1 where it has left 2^-40 .. 2^40; returns it and the new exponent of delta."""
    k = rint(exponent_of(square) * 0.5)
    k = select((square > 0.0) & (absolute(k) > 20.0), k, 0.0)
    if anywhere(k != 0.0):
        for i in range(0, len(delta), LANES):
            store(delta, i, scaled(-k, load(delta, i)))
    return scaled(k * -2.0, square), exponent + k


@jit.inlined
def forward_layer(neuron, draw, source, work, state):
    """Draw W of a layer and compute x from x of the layer below; takes and returns the `Forward` state."""
    cell, group, layer, _ = source
    size, width = rows(cell.width) * LANES, cell.width
    start, weights = layer * size, (layer - 1) * layer_size(width) * LANES
    record(work, SUM_X, layer, state.square, state.exponent)
    fill_drawn(draw, source, layer_size(width) // 4, work.scales.weight, work.words, work.weights, weights)
    multiply(work.weights, weights, work.x, start - size, width, work.h)
    shift, square_h = preactivate(cell, group, layer, work, state.exponent + work.scales.exponent)
    square, _ = activate_lanes(neuron, work.h, 0, splat(state.square, 1.0), work, start, width)
    record(work, SUM_H, layer, square_h, shift)
    exponent = splat(shift, 0.0)
    if anywhere(shift != 0.0) or is_extreme(square, neuron.has_tails[0]):
        square, exponent = per_lane.activate_any_range(neuron, width, work, start, shift)
    for i in range(0, width * LANES, LANES):
        store(work.z, start + i, load(work.h, i))
    return Forward(square, exponent, fma(convert(square_h, state.broken), 0.0, state.broken))


@jit.inlined
def backward_layer(neuron, cell, layer, work, exponent, broken):
    """Replace y in work.g, dC/dx of this layer, by that of the layer below; takes and returns the exponent of y."""
    width, start = cell.width, layer * rows(cell.width) * LANES
    delta = work.h[: width * LANES]
    square = multiply_by_slope(work, start, width)
    if is_extreme(square, neuron.has_tails[1]):
        z, slope = work.z[start : start + len(delta)], work.slope[start : start + len(delta)]
        square, k = rescue(dphi_tail(neuron), z, slope, work.g, delta, square, splat(exponent, 0.0))
        exponent = exponent + k
    square, exponent = settle(delta, square, exponent)
    record(work, SUM_DELTA, layer, square + broken, exponent)
    if layer > 1:
        multiply_transposed(work.weights, (layer - 1) * layer_size(width) * LANES, delta, width, work.g)
        exponent = exponent + work.scales.exponent
    return exponent


def build(phi, dphi, log_phi, log_dphi, law):
    """The block kernel of an activation and a weight law, to be compiled or interpreted (see `table.Schedule`)."""
    draw, has_tails = law.draw, (log_phi is not no_tail, log_dphi is not no_tail)

    def run_block(cell, slopes, first, work, sums, exponents):
        """Run networks first .. first + count - 1; writes sums and exponents, both (3, count, depth)."""
        neuron = Neuron(phi, dphi, log_phi, log_dphi, has_tails, slopes, cell.alpha)
        size, zero = rows(cell.width) * LANES, splat(load(work.sums, 0), 0.0)
        for group in range(first // LANES, (first + sums.shape[1] - 1) // LANES + 1):
            fill(cell, group, 0, NARROW_INPUT, work.words, work.x, 0)
            square = sums_of_squares(work.x[:size])
            state = Forward(square, zero, splat(square, 0.0))
            for layer in range(1, cell.depth + 1):
                state = forward_layer(neuron, draw, Source(cell, group, layer, NARROW_WEIGHT), work, state)
            fill(cell, group, 0, NARROW_READOUT, work.words, work.g, 0)
            for i in range(0, size, LANES):
                store(work.g, i, load(work.g, i) * work.scales.readout)
            exponent = zero
            for layer in range(cell.depth, 0, -1):
                exponent = backward_layer(neuron, cell, layer, work, exponent, state.broken)
            deliver(work, group, first, sums, exponents)

    return run_block


def allocate(cell, dtype, law):
    """Arrays of one thread for a cell."""
    size = rows(cell.width) * LANES
    empty = lambda n: aligned(n, dtype)  # noqa: E731
    double = lambda n: aligned(n * cell.depth * LANES, np.float64)  # noqa: E731
    z, x, slope = (empty((cell.depth + 1) * size) for _ in range(3))
    deviation = law.deviation(cell)
    deviation, exponent = (deviation, 0) if 2.0**-40 < deviation < 2.0**40 else math.frexp(deviation)
    scales = Scales(*np.array([deviation, cell.sigma_b, 1.0 / math.sqrt(cell.width), exponent], dtype))
    words, weights = aligned(AHEAD * 4 * LANES, np.int32), empty(cell.depth * layer_size(cell.width) * LANES)
    return NarrowWork(words, weights, z, x, slope, empty(size), empty(size), double(3), double(3), scales)


def applies(law, depth, width):
    """Whether networks are narrow enough to gain, and sixteen of them fit in memory.

    Laws with zeros are excluded because their networks are checked one by one, the orthogonal law because its
    reflections are drawn row by row.
    """
    fits = width <= WIDEST and depth * width**2 * LANES <= MOST_WEIGHTS
    return fits and law.draw is not None and not law.has_zeros


def memory(law, depth, width):
    """Numbers in a thread's arrays: weights and vectors of sixteen networks."""
    return LANES * depth * (width**2 + 3 * width)


def read_back(cell, network, work, law, call):
    """`Weights` of a network of the group that ran last; `call` compiles or interprets a function."""
    vectors = np.zeros((cell.depth + 2, cell.width), work.x.dtype)
    call(draw_vectors)(cell, network, work, vectors)
    layers = work.weights.reshape(cell.depth, layer_size(cell.width), LANES)[:, : cell.width**2, network % LANES]
    W = np.ldexp(layers.reshape(cell.depth, cell.width, cell.width), int(work.scales.exponent))
    return Weights(vectors[0], W, vectors[1:-1], vectors[-1])


def draw_vectors(cell, network, work, out):
    """Draw input, biases of layers 1 .. L and readout of one network into the rows of `out` (L + 2, N)."""
    group, lane = network // LANES, network % LANES
    for row in range(len(out)):
        if row == 0:
            fill(cell, group, 0, NARROW_INPUT, work.words, work.g, 0)
            scale = work.scales.bias * 0 + 1
        elif row <= cell.depth:
            fill(cell, group, row, NARROW_BIAS, work.words, work.g, 0)
            scale = work.scales.bias
        else:
            fill(cell, group, 0, NARROW_READOUT, work.words, work.g, 0)
            scale = work.scales.readout
        for i in range(cell.width):
            out[row, i] = work.g[i * LANES + lane] * scale


jit.register_leaves(__name__, inline=False)
