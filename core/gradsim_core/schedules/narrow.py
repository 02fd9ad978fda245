"""Back-propagation with real weights through narrow networks, sixteen side by side.

A row of fewer than sixteen weights leaves a vector half empty, and sums across its lanes cost as much as the products.
So here a vector holds the same weight of sixteen networks: nothing is padded, every sum is vertical, and the weights of
a layer are drawn in the order W_11, W_12, .., with no number left unused but up to three at the end.

Vectors carry one power of two per network, as in `conditional`. Scaling by it is exact, and in the ordinary range it is
left alone: the bits are then those of plain back-propagation.
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
from gradsim_core.parameters import SUM_DELTA, SUM_H, SUM_X
from gradsim_core.rng.draws import AHEAD, fill_drawn
from gradsim_core.rng.philox import GROUP_BIAS, GROUP_INPUT, GROUP_READOUT, GROUP_WEIGHT
from gradsim_core.scaling import per_lane
from gradsim_core.scaling.per_lane import exponent_of, is_extreme, rescue, scaled, sum_of_squares
from gradsim_core.scaling.per_vector import no_tail, reach

from .side_by_side import activate, deliver, fill, record, rows


class Work(NamedTuple):
    """Arrays of one thread, flat, in the precision of the run unless said otherwise; layer 0 is the input."""

    words: np.ndarray  # random words of a few counters, int32
    weights: np.ndarray  # (depth, storage(N), 16)
    z: np.ndarray  # (depth + 1, rows, 16) preactivations, as the activation took them
    x: np.ndarray  # (depth + 1, rows, 16) activations
    slope: np.ndarray  # (depth + 1, rows, 16) phi'(h)
    g: np.ndarray  # (rows, 16) W^T delta; going forward the bias
    h: np.ndarray  # (rows, 16) preactivations on their way; going backward delta
    sums: np.ndarray  # (3, depth, 16), float64
    exponents: np.ndarray  # (3, depth, 16), float64
    scalars: np.ndarray  # standard deviations of draws, biases, readout; exponent of the first, unless ordinary: 0


def storage(width):
    """Numbers that one layer of one network needs: whole counters."""
    return -(-(width * width) // 4) * 4


def multiply(weights, first, x, start, width, h):
    """h = W x."""
    for i in range(width):
        row = first + i * width * LANES
        total = load(weights, row) * load(x, start)
        for j in range(LANES, width * LANES, LANES):
            total = fma(load(weights, row + j), load(x, start + j), total)
        store(h, i * LANES, total)


def multiply_transposed(weights, first, delta, width, y):
    """y = W^T delta."""
    for j in range(width):
        column = first + j * LANES
        total = load(weights, column) * load(delta, 0)
        for i in range(1, width):
            total = fma(load(weights, column + i * width * LANES), load(delta, i * LANES), total)
        store(y, j * LANES, total)


def shift_of(cell, h, unit, exponent_b):
    """The exponent that h 2^unit + b keeps when it is brought in reach of the activation; 0 in the ordinary range."""
    size = absolute(load(h, 0))
    for i in range(LANES, cell.width * LANES, LANES):
        size = maximum(size, absolute(load(h, i)))
    exponent = select(size > 0.0, exponent_of(size) + unit, -per_lane.FAR)
    return per_lane.placed(maximum(exponent, exponent_b), float(reach(h)))


def preactivate(cell, group, layer, work, unit):
    """W x in units of 2^unit, in work.h, becomes h in units of 2^shift; returns the shift and |h|^2, in float64."""
    exponent_b = -per_lane.FAR
    if cell.sigma_b > 0.0:
        exponent_b = float(math.frexp(cell.sigma_b)[1])
        fill(cell, group, layer, GROUP_BIAS, work.words, work.g, 0)
    shift = shift_of(cell, work.h, unit, exponent_b)
    ordinary = not anywhere((unit != 0.0) | (shift != 0.0))
    square = splat(load(work.sums, 0), 0.0)
    for i in range(0, cell.width * LANES, LANES):
        h = load(work.h, i)
        if not ordinary:
            h = scaled(unit - shift, h)
        if cell.sigma_b > 0.0:
            b = load(work.g, i) * work.scalars[1]
            h = h + (b if ordinary else scaled(-shift, b))
        store(work.h, i, h)
        h = convert(h, 1.0)
        square = fma(h, h, square)
    return shift, square


def differentiate(work, start, width):
    """delta = phi'(h) y, y being in work.g, into work.h; returns |delta|^2."""
    square = splat(load(work.h, 0), 0.0)
    for i in range(0, width * LANES, LANES):
        delta = load(work.slope, start + i) * load(work.g, i)
        store(work.h, i, delta)
        square = fma(delta, delta, square)
    return square


def settle(delta, square, unit):
    """Bring |delta|^2 back near 1 where it has left 2^-40 .. 2^40; returns it, and the new exponent of delta."""
    k = rint(exponent_of(square) * 0.5)
    k = select((square > 0.0) & (absolute(k) > 20.0), k, 0.0)
    if anywhere(k != 0.0):
        for i in range(0, len(delta), LANES):
            store(delta, i, scaled(-k, load(delta, i)))
    return scaled(k * -2.0, square), unit + k


def build(phi, dphi, log_phi, log_dphi, law):
    """The block kernel of an activation and a weight law, to be compiled or interpreted."""
    draw = law.draw
    phi_has_tail, dphi_has_tail = log_phi is not no_tail, log_dphi is not no_tail

    def run_block(cell, slopes, first, work, sums, exponents):
        """Networks first .. first + count - 1 into sums and exponents, both (3, count, depth)."""
        width, size, layer_size = cell.width, rows(cell.width) * LANES, storage(cell.width) * LANES
        delta, counters = work.h[: width * LANES], storage(width) // 4
        for group in range(first // LANES, (first + sums.shape[1] - 1) // LANES + 1):
            fill(cell, group, 0, GROUP_INPUT, work.words, work.x, 0)
            square, unit = sum_of_squares(work.x[:size]), splat(load(work.sums, 0), 0.0)
            none, one = splat(unit, 0.0), splat(square, 1.0)
            broken = splat(square, 0.0)
            for layer in range(1, cell.depth + 1):
                start = layer * size
                record(work, SUM_X, layer, square, unit)
                w, scale = (layer - 1) * layer_size, work.scalars[0]
                fill_drawn(draw, cell, group, layer, GROUP_WEIGHT, counters, scale, work.words, work.weights, w)
                multiply(work.weights, w, work.x, start - size, width, work.h)
                shift, square_h = preactivate(cell, group, layer, work, unit + work.scalars[3])
                square, _ = activate(phi, dphi, cell.alpha, work.h, 0, one, work, start, width)
                record(work, SUM_H, layer, square_h, shift)
                broken, unit = fma(convert(square_h, broken), 0.0, broken), none
                if anywhere(shift != 0.0) or is_extreme(square, phi_has_tail):
                    square, unit = per_lane.activate(phi, dphi, log_phi, slopes, cell, work, start, shift)
                for i in range(0, width * LANES, LANES):
                    store(work.z, start + i, load(work.h, i))
            fill(cell, group, 0, GROUP_READOUT, work.words, work.g, 0)
            for i in range(0, size, LANES):
                store(work.g, i, load(work.g, i) * work.scalars[2])
            unit = none
            for layer in range(cell.depth, 0, -1):
                start = layer * size
                square = differentiate(work, start, width)
                if is_extreme(square, dphi_has_tail):
                    z, slope = work.z[start : start + len(delta)], work.slope[start : start + len(delta)]
                    square, k = rescue(log_dphi, slopes.tail_sign, cell.alpha, z, slope, work.g, delta, square, none)
                    unit = unit + k
                square, unit = settle(delta, square, unit)
                record(work, SUM_DELTA, layer, square + broken, unit)
                if layer > 1:
                    multiply_transposed(work.weights, (layer - 1) * layer_size, delta, width, work.g)
                    unit = unit + work.scalars[3]
            deliver(work, group, first, sums, exponents)

    return run_block


def allocate(cell, dtype, law):
    """Work for a cell."""
    size = rows(cell.width) * LANES
    empty = lambda n: aligned(n, dtype)  # noqa: E731
    double = lambda n: aligned(n * cell.depth * LANES, np.float64)  # noqa: E731
    z, x, slope = (empty((cell.depth + 1) * size) for _ in range(3))
    spread = law.deviation(cell)
    spread, exponent = (spread, 0) if 2.0**-40 < spread < 2.0**40 else math.frexp(spread)
    scalars = np.array([spread, cell.sigma_b, 1.0 / math.sqrt(cell.width), exponent], dtype)
    words, weights = aligned(AHEAD * 4 * LANES, np.int32), empty(cell.depth * storage(cell.width) * LANES)
    return Work(words, weights, z, x, slope, empty(size), empty(size), double(3), double(3), scalars)


def matrices(cell, network, work, law):
    """W (L, N, N) of a network of the last group that ran."""
    layers = work.weights.reshape(cell.depth, storage(cell.width), LANES)[:, : cell.width**2, network % LANES]
    return np.ldexp(layers.reshape(cell.depth, cell.width, cell.width), int(work.scalars[3]))


def draw_vectors(cell, network, work, out):
    """Input, biases of layers 1 .. L and readout of one network, as rows of `out` (L + 2, N)."""
    group, lane = network // LANES, network % LANES
    for row in range(len(out)):
        if row == 0:
            fill(cell, group, 0, GROUP_INPUT, work.words, work.g, 0)
            scale = work.scalars[1] * 0 + 1
        elif row <= cell.depth:
            fill(cell, group, row, GROUP_BIAS, work.words, work.g, 0)
            scale = work.scalars[1]
        else:
            fill(cell, group, 0, GROUP_READOUT, work.words, work.g, 0)
            scale = work.scalars[2]
        for i in range(cell.width):
            out[row, i] = work.g[i * LANES + lane] * scale


jit.register_leaves(__name__, inline=False)
