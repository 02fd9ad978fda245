"""Layers with independent weights: drawn once, stored, used forward and transposed backward.

The weights of a layer fill one slot. A slot is divided into strips of 16 columns, a strip into tiles of 16 rows, and a
tile is stored column by column; if the width is not a multiple of 16, the last strip has fewer columns. One counter
makes four columns of a tile, a quarter. Both passes go through a strip from beginning to end, so that the strip can be
refilled for the next network right after its last use. Rows are padded to a multiple of 16 and columns to a multiple
of 4; x and delta are zero there.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gradsim_core import jit
from gradsim_core.lanes import LANES, column_sums, fma, load, partial_sums, prefetch, splat, store, store_four
from gradsim_core.rng.draws import AHEAD, Counter, load_drawn, load_eight
from gradsim_core.rng.philox import fill_words, stream

QUARTER = 4 * LANES  # weights made from one counter


class Strip(NamedTuple):
    """One strip of the weights of a layer, and the direction to the slot that is used next."""

    slot: int  # slot of the layer, counted from 0
    index: int  # number of the strip in the layer, counted from 0
    direction: int  # 1 or -1: the next layer is in slot + direction


def layer_size(width):
    """How many weights of a layer are stored, with padding: the size of a slot."""
    return -(-width // 4) * -(-width // LANES) * QUARTER


def strips(width):
    """Number of strips of a layer."""
    return -(-width // LANES)


def quarters(width, strip):
    """Number of quarters of a tile in strip number `strip`: 4, or fewer in the last strip."""
    return min(AHEAD, -(-width // 4) - AHEAD * strip)


def position(width, block, column):
    """Index within a slot of rows 16 block .. 16 block + 15 of a column."""
    strip, blocks = column // LANES, -(-width // LANES)
    tile = strip * blocks * AHEAD + block * quarters(width, strip)
    return tile * QUARTER + column % LANES * LANES


def strip_start(width, slot, strip):
    """Index of the first weight of strip number `strip` of a slot."""
    return slot * layer_size(width) + strip * -(-width // LANES) * AHEAD * QUARTER


def forward(draw, source, strip, scale, work):
    """Draw a strip of W and add its part of W x to h. Meanwhile, prefetch the strip that is read next.

    Parameters
    ----------
    draw : callable
        `WeightLaw.draw`.
    source : Source
        Cell, network, layer and role of the weights.
    strip : Strip
    scale : float
        Standard deviation of an entry, in the precision of the weights.
    work : ExplicitWork
        Reads `x`, writes `weights` and `h` at the strip's slot, and uses `words` as scratch. The first strip sets h,
        later ones add to it.
    """
    width = source.cell.width
    count, first = quarters(width, strip.index), strip_start(width, strip.slot, strip.index)
    if strip.index + 1 == strips(width):
        ahead = strip_start(width, strip.slot + strip.direction, 0) - first
    else:
        ahead = strip_start(width, strip.slot, strip.index + 1) - first
    if count == AHEAD:  # a compile-time constant saves 5 % of the time
        fill_strip(draw, source, strip, AHEAD, ahead, scale, work)
    else:
        fill_last_strip(draw, source, strip, count, ahead, scale, work)


def fill_strip(draw, source, strip, count, ahead, scale, work):
    """As `forward`, for a strip whose tiles have `count` quarters; prefetches what is stored `ahead` numbers later."""
    cell, network, layer, role = source
    blocks, k = -(-cell.width // LANES), strip_start(cell.width, strip.slot, strip.index)
    for block in range(blocks):
        row, first = (strip.slot * blocks + block) * LANES, strip.index * AHEAD * blocks + block
        fill_words(cell.key, network, stream(layer, role), first, count, blocks, work.words)
        total = load(work.h, row) if strip.index > 0 else splat(load(work.h, row), 0.0)
        for q in range(0, count - 1, 2):
            counter, column = Counter(source, first + q * blocks, blocks), strip.index * LANES + 4 * q
            w0, w1, w2, w3, w4, w5, w6, w7 = load_eight(draw, work.words, q * QUARTER, counter, scale)
            total = use((w0, w1, w2, w3), work, k, ahead, column, total)
            total = use((w4, w5, w6, w7), work, k + QUARTER, ahead, column + 4, total)
            k += 2 * QUARTER
        if count % 2 == 1:
            q = count - 1
            columns = load_drawn(draw, work.words, q * QUARTER, Counter(source, first + q * blocks, 0), scale)
            total = use(columns, work, k, ahead, strip.index * LANES + 4 * q, total)
            k += QUARTER
        store(work.h, row, total)


@jit.outlined
def fill_last_strip(draw, source, strip, count, ahead, scale, work):
    """`fill_strip` for fewer than four quarters, not inlined: its code in the loop over strips would slow that loop."""
    fill_strip(draw, source, strip, count, ahead, scale, work)


def use(columns, work, k, ahead, j, total):
    """Store four columns of 16 rows from k on; returns total + columns times x[j], .., x[j + 3]."""
    w0, w1, w2, w3 = columns
    store_four(work.weights, k, w0, w1, w2, w3)
    for i in range(k, k + QUARTER, LANES):
        prefetch(work.weights, i + ahead)
    x = work.x
    return fma(w3, x[j + 3], fma(w2, x[j + 2], fma(w1, x[j + 1], fma(w0, x[j], total))))


def backward(cell, strip, work):
    """Compute y = W^T delta for the columns of a strip.

    Parameters
    ----------
    cell : Params
    strip : Strip
    work : ExplicitWork
        Reads `weights` and `delta`, writes 16 numbers of `y`.
    """
    blocks, count = -(-cell.width // LANES), quarters(cell.width, strip.index)
    tile, step = strip_start(cell.width, strip.slot, strip.index), count * QUARTER
    q = r = s = splat(load(work.delta, 0), 0.0)
    p = multiply_transposed(work.weights, tile, step, blocks, work.delta)
    if count > 1:
        q = multiply_transposed(work.weights, tile + QUARTER, step, blocks, work.delta)
    if count > 2:
        r = multiply_transposed(work.weights, tile + 2 * QUARTER, step, blocks, work.delta)
    if count > 3:
        s = multiply_transposed(work.weights, tile + 3 * QUARTER, step, blocks, work.delta)
    store(work.y, strip.index * LANES, column_sums(p, q, r, s))


def multiply_transposed(weights, tile, step, blocks, delta):
    """Inner products of four columns with delta, as a vector of four partial sums of each."""
    y0 = y1 = y2 = y3 = splat(load(delta, 0), 0.0)
    for block in range(blocks):
        d = load(delta, LANES * block)
        y0 = fma(load(weights, tile), d, y0)
        y1 = fma(load(weights, tile + LANES), d, y1)
        y2 = fma(load(weights, tile + 2 * LANES), d, y2)
        y3 = fma(load(weights, tile + 3 * LANES), d, y3)
        tile += step
    return partial_sums(y0, y1, y2, y3)


def matrix(weights, layer, width):
    """The stored weights of a layer (in slot layer - 1) as an array (width, width), W[row, column]."""
    blocks, start = -(-width // LANES), (layer - 1) * layer_size(width)
    columns = [[weights[start + position(width, block, j) :][:LANES] for block in range(blocks)] for j in range(width)]
    return np.ascontiguousarray(np.array(columns).reshape(width, blocks * LANES).T[:width])


jit.register_leaves(__name__, inline=True)
