"""Layers with independent weights: drawn once, stored, used forward and transposed backward.

A layer lies in a slot of the stored weights, in strips of 16 columns, a strip in tiles of 16 rows, a tile by columns;
the last strip is narrower where the width asks for it. The random words of one counter make four columns of a tile.
Both passes read and write a strip in sequence, so that it can be refilled for the next network right after it was last
read. Rows are padded to a multiple of 16, columns to a multiple of 4; x and delta are zero there.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gradsim_core import jit
from gradsim_core.lanes import LANES, column_sums, fma, load, partial_sums, prefetch, splat, store, store_four
from gradsim_core.rng.draws import AHEAD, Counter, load_drawn, load_eight
from gradsim_core.rng.philox import fill_words, stream

QUARTER = 4 * LANES  # numbers of one counter


class Strip(NamedTuple):
    """A strip of the weights of a layer, and which slot is used next."""

    slot: int  # where the layer lies
    index: int  # of the strip in the layer
    direction: int  # 1 or -1: the next layer lies in slot + direction


def layer_size(width):
    """Numbers that are stored of one layer."""
    return -(-width // 4) * -(-width // LANES) * QUARTER


def strips(width):
    """How many strips a layer has."""
    return -(-width // LANES)


def quarters(width, strip):
    """Counters that make a tile of strip number `strip`: 4, but for the last strip."""
    return min(AHEAD, -(-width // 4) - AHEAD * strip)


def position(width, block, column):
    """Where 16 rows of a column lie in a layer."""
    strip, blocks = column // LANES, -(-width // LANES)
    tile = strip * blocks * AHEAD + block * quarters(width, strip)
    return tile * QUARTER + column % LANES * LANES


def strip_start(width, slot, strip):
    """Where strip number `strip` of a slot begins."""
    return slot * layer_size(width) + strip * -(-width // LANES) * AHEAD * QUARTER


def forward(draw, source, strip, scale, work):
    """Draw a strip of W, and add its part of W x to h; meanwhile the strip that is read next is fetched to the cache.

    Parameters
    ----------
    draw : callable
        The block of the weight law.
    source : Source
        Cell, network and layer of the weights.
    strip : Strip
    scale : float
        Standard deviation of an entry.
    work : NamedTuple
        The schedule's arrays: `weights`, `words`, `x` and `h` are used.
    """
    width = source.cell.width
    count, first = quarters(width, strip.index), strip_start(width, strip.slot, strip.index)
    if strip.index + 1 == strips(width):
        ahead = strip_start(width, strip.slot + strip.direction, 0) - first
    else:
        ahead = strip_start(width, strip.slot, strip.index + 1) - first
    if count == AHEAD:  # a constant, which saves 5 % of the time
        fill_strip(draw, source, strip, AHEAD, ahead, scale, work)
    else:
        fill_last_strip(draw, source, strip, count, ahead, scale, work)


def fill_strip(draw, source, strip, count, ahead, scale, work):
    """A strip of `count` quarters, otherwise as `forward`; prefetches what lies `ahead` numbers on."""
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
    """A strip of fewer than four quarters. Apart, since its code in the loop over strips would slow the others down."""
    fill_strip(draw, source, strip, count, ahead, scale, work)


def use(columns, work, k, ahead, j, total):
    """Store four columns from k on, and add them times x[j], x[j+1], .. to total."""
    w0, w1, w2, w3 = columns
    store_four(work.weights, k, w0, w1, w2, w3)
    for i in range(k, k + QUARTER, LANES):
        prefetch(work.weights, i + ahead)
    x = work.x
    return fma(w3, x[j + 3], fma(w2, x[j + 2], fma(w1, x[j + 1], fma(w0, x[j], total))))


def backward(cell, strip, work):
    """The part of y = W^T delta that belongs to a strip."""
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
    """Four columns times delta, four partial sums of each."""
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
    """The stored weights of a layer as a (width, width) array, W[row, column]."""
    blocks, start = -(-width // LANES), (layer - 1) * layer_size(width)
    columns = [[weights[start + position(width, block, j) :][:LANES] for block in range(blocks)] for j in range(width)]
    return np.ascontiguousarray(np.array(columns).reshape(width, blocks * LANES).T[:width])


jit.register_leaves(__name__, inline=True)
