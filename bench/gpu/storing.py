"""Explicit networks with weights stored in the GPU's memory, for comparison with `gradsim_core.cuda.kernels.explicit`.

The forward pass stores what it draws, the backward pass reads it: a third of the arithmetic less, and 8 bytes of memory
traffic a weight. The order of operations is the same, so the bits are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from gradsim_core import jit
from gradsim_core.cuda.kernels.explicit import Out, activate, multiply_by_slope, quarter_of, record, work_of
from gradsim_core.cuda.kernels.slots import PerSlot, own
from gradsim_core.cuda.kernels.threads import slot_of_thread
from gradsim_core.lanes import LANES, column_sums, fma, load, partial_sums, splat, store, synchronise
from gradsim_core.laws import dense
from gradsim_core.parameters import SUM_DELTA, SUM_H, SUM_X, Neuron
from gradsim_core.rng.draws import Source
from gradsim_core.rng.normals import fill_normals
from gradsim_core.rng.philox import ROLE_INPUT, ROLE_READOUT, ROLE_WEIGHT
from gradsim_core.scaling.per_vector import no_tail, sum_of_squares
from gradsim_core.schedules.along_neurons import preactivate
from gradsim_core.schedules.explicit import Scales


class StoredWork(NamedTuple):
    """The fields of `explicit.FastWork`, and the weights of all layers: of each quarter 4 columns of 16 rows."""

    h: np.ndarray
    slope: np.ndarray
    x: np.ndarray
    b: np.ndarray
    delta: np.ndarray
    y: np.ndarray
    live: np.ndarray
    weights: np.ndarray
    scales: Scales


def multiply_and_store(draw, source, work, start):
    """As `explicit.multiply`."""
    width, x, blocks = source.cell.width, work.x, len(work.live) // LANES
    layer = (source.layer - 1) * blocks * -(-width // 4)
    for block in range(blocks):
        total = splat(load(work.h, start), 0.0)
        for quarter in range(-(-width // 4)):
            w0, w1, w2, w3 = quarter_of(draw, source, work.scales.weight, quarter, block, blocks)
            j, k = 4 * quarter, (layer + quarter * blocks + block) * 4 * LANES
            store(work.weights, k, w0)
            store(work.weights, k + LANES, w1)
            store(work.weights, k + 2 * LANES, w2)
            store(work.weights, k + 3 * LANES, w3)
            total = fma(w3, x[j + 3], fma(w2, x[j + 2], fma(w1, x[j + 1], fma(w0, x[j], total))))
        store(work.h, start + block * LANES, total)


def products_of_stored(source, work, quarter):
    """As `explicit.partial_products`."""
    y0 = y1 = y2 = y3 = splat(load(work.delta, 0), 0.0)
    if 4 * quarter < source.cell.width:
        blocks = len(work.live) // LANES
        layer = (source.layer - 1) * blocks * -(-source.cell.width // 4)
        for block in range(blocks):
            d, k = load(work.delta, block * LANES), (layer + quarter * blocks + block) * 4 * LANES
            y0 = fma(load(work.weights, k), d, y0)
            y1 = fma(load(work.weights, k + LANES), d, y1)
            y2 = fma(load(work.weights, k + 2 * LANES), d, y2)
            y3 = fma(load(work.weights, k + 3 * LANES), d, y3)
    return partial_sums(y0, y1, y2, y3)


def multiply_transposed_stored(source, work):
    """As `explicit.multiply_transposed`."""
    for first in range(0, len(work.live) // 4, 4):
        p = products_of_stored(source, work, first)
        q = products_of_stored(source, work, first + 1)
        r = products_of_stored(source, work, first + 2)
        s = products_of_stored(source, work, first + 3)
        store(work.y, 4 * first, column_sums(p, q, r, s))


def forward_storing(neuron, draw, cell, network, work, out):
    """As `explicit.run_forward` for laws without zeros."""
    padded, exponent = len(work.live), 0
    fill_normals(cell, network, 0, ROLE_INPUT, work.live[0], work.live, work.x)
    square = sum_of_squares(work.x, 0, padded)
    for layer in range(1, cell.depth + 1):
        start = (layer - 1) * padded
        record(out, SUM_X, layer, square, exponent)
        synchronise()
        multiply_and_store(draw, Source(cell, network, layer, ROLE_WEIGHT), work, start)
        synchronise()
        shift, square = preactivate(cell, network, layer, work, start, exponent)
        record(out, SUM_H, layer, square, shift)
        if shift != 0 or not square < np.inf:
            return False
        exponent, square, ordinary = activate(neuron, work, start)
        if not ordinary:
            return False
    return True


def backward_stored(cell, network, work, out):
    """As `explicit.run_backward` for laws without zeros."""
    padded, exponent = len(work.live), 0
    fill_normals(cell, network, 0, ROLE_READOUT, work.scales.readout, work.live, work.y)
    for layer in range(cell.depth, 0, -1):
        exponent, square, ordinary = multiply_by_slope(work, (layer - 1) * padded, exponent)
        record(out, SUM_DELTA, layer, square, exponent)
        if not ordinary:
            return False
        if layer > 1:
            multiply_transposed_stored(Source(cell, network, layer, ROLE_WEIGHT), work)
    return True


def build(phi, dphi, log_phi, log_dphi, law) -> Callable[..., None]:
    """As `explicit.build`, for laws without zeros."""
    draw, has_tails = law.draw, (log_phi is not no_tail, log_dphi is not no_tail)

    def kernel(cell, slopes, work, launch):
        neuron = Neuron(phi, dphi, log_phi, log_dphi, has_tails, slopes, cell.alpha)
        first, slots, sums, exponents, failed = launch
        slot = slot_of_thread()
        mine = own(work, slot, slots)
        for n in range(slot, len(failed), slots):
            out = Out(sums, exponents, n // LANES * 3 * cell.depth * LANES + n % LANES, cell.depth)
            ordinary = forward_storing(neuron, draw, cell, first + n, mine, out)
            if ordinary:
                ordinary = backward_stored(cell, first + n, mine, out)
            failed[n] = 0 if ordinary else 1

    return kernel


def stored_work_of(cell, work, slots: int) -> StoredWork:
    """As `explicit.work_of`."""
    *arrays, live, scales = work_of(work, slots)
    weights = PerSlot(np.zeros(cell.depth * dense.layer_size(cell.width), work.h.dtype), slots)
    return StoredWork(*arrays, live, weights, scales)


jit.register_leaves(__name__, inline=True)
