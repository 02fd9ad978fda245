"""Explicit weights on GPUs: sixteen threads a network, a thread every sixteenth row; no weight is stored.

It is `schedules.explicit` with independent entries, in the same order of operations, so that its numbers have the same
bits. Weights are drawn from their counters in the forward pass, and once more in the backward pass. A network that
leaves the ordinary range is marked, for the CPU to run.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from gradsim_core import jit
from gradsim_core.lanes import LANES, column_sums, fma, load, partial_sums, splat, store, synchronise
from gradsim_core.parameters import SUM_DELTA, SUM_H, SUM_X, Neuron
from gradsim_core.rng.draws import Counter, Source
from gradsim_core.rng.normals import fill_normals
from gradsim_core.rng.philox import ROLE_INPUT, ROLE_READOUT, ROLE_WEIGHT, random_words
from gradsim_core.scaling import per_element
from gradsim_core.scaling.per_vector import largest, no_tail, settle, sum_of_squares, tiny
from gradsim_core.schedules.along_neurons import activate_ordinary, is_ordinary, preactivate
from gradsim_core.schedules.explicit import Scales

from .slots import arrays, own
from .threads import slot_of_thread


class FastWork(NamedTuple):
    """Arrays of a network, those of `explicit.ExplicitWork` without the weights."""

    h: np.ndarray
    slope: np.ndarray
    x: np.ndarray
    b: np.ndarray
    delta: np.ndarray
    y: np.ndarray
    live: np.ndarray
    scales: Scales


class Out(NamedTuple):
    """Where the sums and exponents of a network go: those of sixteen networks side by side, (3, depth, 16)."""

    sums: np.ndarray
    exponents: np.ndarray
    first: int  # index of the network's first number
    depth: int


def record(out, kind, layer, square, exponent):
    """Store a sum of squares and its exponent; `kind` is SUM_H, SUM_X or SUM_DELTA."""
    i = out.first + (kind * out.depth + layer - 1) * LANES
    out.sums[i], out.exponents[i] = square, exponent


def quarter_of(draw, source, scale, quarter, block, blocks):
    """Sixteen rows of four columns of W, drawn from their counter (see `laws.dense`)."""
    index = quarter * blocks + block
    a, b, c, d = random_words(source.cell.key, source.network, source.layer, source.role, index)
    return draw(a, b, c, d, Counter(source, index, 0), scale)


def multiply(draw, source, work, start):
    """Write h = W x from work.h[start] on."""
    width, x = source.cell.width, work.x
    blocks = len(work.live) // LANES
    for block in range(blocks):
        total = splat(load(work.h, start), 0.0)
        for quarter in range(-(-width // 4)):
            w0, w1, w2, w3 = quarter_of(draw, source, work.scales.weight, quarter, block, blocks)
            j = 4 * quarter
            total = fma(w3, x[j + 3], fma(w2, x[j + 2], fma(w1, x[j + 1], fma(w0, x[j], total))))
        store(work.h, start + block * LANES, total)


def partial_products(draw, source, work, quarter):
    """Inner products of four columns with delta, as a vector of four partial sums of each; zero beyond the width."""
    y0 = y1 = y2 = y3 = splat(load(work.delta, 0), 0.0)
    if 4 * quarter < source.cell.width:
        blocks = len(work.live) // LANES
        for block in range(blocks):
            d = load(work.delta, block * LANES)
            w0, w1, w2, w3 = quarter_of(draw, source, work.scales.weight, quarter, block, blocks)
            y0, y1, y2, y3 = fma(w0, d, y0), fma(w1, d, y1), fma(w2, d, y2), fma(w3, d, y3)
    return partial_sums(y0, y1, y2, y3)


def multiply_transposed(draw, source, work):
    """Write y = W^T delta."""
    for first in range(0, len(work.live) // 4, 4):
        p = partial_products(draw, source, work, first)
        q = partial_products(draw, source, work, first + 1)
        r = partial_products(draw, source, work, first + 2)
        s = partial_products(draw, source, work, first + 3)
        store(work.y, 4 * first, column_sums(p, q, r, s))


def activate(neuron, work, start):
    """As `along_neurons.activate` for h as it is; returns also whether x is not so small that it needs logarithms."""
    padded = len(work.live)
    square = activate_ordinary(neuron, work, start)
    if is_ordinary(square, padded):
        return 0, square, True
    size = largest(work.x, 0, padded)
    exponent = settle(work.x, 0, padded, 0, size)
    return exponent, sum_of_squares(work.x, 0, padded), size >= tiny(work.x)


def multiply_by_slope(work, start, exponent):
    """As `along_neurons.multiply_by_slope`; returns also whether delta is not so small that it needs logarithms."""
    padded = len(work.live)
    for i in range(0, padded, LANES):
        y = load(work.y, i) * load(work.live, i)
        store(work.y, i, y)
        store(work.delta, i, load(work.slope, start + i) * y)
    square = sum_of_squares(work.delta, 0, padded)
    if is_ordinary(square, padded):
        return exponent, square, True
    exponent = settle(work.y, 0, padded, exponent, largest(work.y, 0, padded))
    for i in range(0, padded, LANES):
        store(work.delta, i, load(work.slope, start + i) * load(work.y, i))
    size = largest(work.delta, 0, padded)
    exponent = settle(work.delta, 0, padded, exponent, size)
    return exponent, sum_of_squares(work.delta, 0, padded), size >= tiny(work.delta)


def run_forward(neuron, draw, cell, network, work, out, has_zeros):
    """Run the forward pass; returns whether all stayed in the ordinary range."""
    padded = len(work.live)
    fill_normals(cell, network, 0, ROLE_INPUT, work.live[0], work.live, work.x)
    exponent, square = 0, sum_of_squares(work.x, 0, padded)
    for layer in range(1, cell.depth + 1):
        start = (layer - 1) * padded
        record(out, SUM_X, layer, square, exponent)
        synchronise()  # threads read x of all rows
        multiply(draw, Source(cell, network, layer, ROLE_WEIGHT), work, start)
        synchronise()  # before they write it, for the next layer or the next network
        shift, square = preactivate(cell, network, layer, work, start, exponent)
        record(out, SUM_H, layer, square, shift)
        if shift != 0 or not square < np.inf:
            return False
        exponent, square, ordinary = activate(neuron, work, start)
        if not ordinary or (has_zeros and per_element.is_lost_forward(neuron, cell, work, start)):
            return False
    return True


def run_backward(neuron, draw, cell, network, work, out, has_zeros):
    """Run the backward pass; returns whether all stayed in the ordinary range."""
    padded, exponent = len(work.live), 0
    fill_normals(cell, network, 0, ROLE_READOUT, work.scales.readout, work.live, work.y)
    for layer in range(cell.depth, 0, -1):
        start = (layer - 1) * padded
        exponent, square, ordinary = multiply_by_slope(work, start, exponent)
        record(out, SUM_DELTA, layer, square, exponent)
        if not ordinary or (has_zeros and per_element.is_lost_backward(neuron, work, start)):
            return False
        if layer > 1:
            multiply_transposed(draw, Source(cell, network, layer, ROLE_WEIGHT), work)
    return True


def build(phi, dphi, log_phi, log_dphi, law) -> Callable[..., None]:
    """The kernel of an activation and a weight law: takes what `Schedule.build` takes.

    Returns
    -------
    function
        Of (cell, slopes, work of all slots, launch); writes the sums, exponents and `failed` of every network.
    """
    draw, has_zeros = law.draw, law.has_zeros
    has_tails = log_phi is not no_tail, log_dphi is not no_tail

    def kernel(cell, slopes, work, launch):
        neuron = Neuron(phi, dphi, log_phi, log_dphi, has_tails, slopes, cell.alpha)
        first, slots, sums, exponents, failed = launch
        slot = slot_of_thread()
        mine = own(work, slot, slots)
        for n in range(slot, len(failed), slots):
            out = Out(sums, exponents, n // LANES * 3 * cell.depth * LANES + n % LANES, cell.depth)
            ordinary = run_forward(neuron, draw, cell, first + n, mine, out, has_zeros)
            if ordinary:
                ordinary = run_backward(neuron, draw, cell, first + n, mine, out, has_zeros)
            failed[n] = 0 if ordinary else 1

    return kernel


def work_of(work, slots: int) -> FastWork:
    """The arrays of all slots, for the cell and the precision of an `ExplicitWork`."""
    scratch = (np.zeros_like(a) for a in (work.h, work.slope, work.x, work.b, work.delta, work.y))
    return arrays(FastWork(*scratch, work.live, work.scales), slots)


jit.register_leaves(__name__, inline=True)
