"""Layers with independent weights: drawn once, stored, used forward and transposed backward.

A layer is stored in tiles of 4 columns by 16 rows, in the order [group of columns][block of rows][column][row]: the
random words of one counter make one tile, and both passes read the tiles in sequence. Rows are padded to a multiple
of 16, columns to a multiple of 4; x and delta are zero there.
"""

from __future__ import annotations

import numpy as np

from .draws import Counter, load_drawn
from .lanes import LANES, fma, four_sums, load, splat, store
from .philox import ROLE_WEIGHT, fill_words

TILE = 4 * LANES
AHEAD = 4  # tiles


def storage(width):
    """Numbers that one layer needs."""
    return -(-width // 4) * -(-width // LANES) * TILE


def position(block, column, blocks):
    """Where 16 rows of a column lie in a layer."""
    return ((column // 4 * blocks + block) * 4 + column % 4) * LANES


def forward(draw, cell, network, layer, scale, work, start):
    """Draw W of a layer, and set work.h[start:] = W work.x; `scale` is the standard deviation of an entry.

    A few tiles at a time, first all their random words, then the weights: the integer and the floating-point part each
    fit the registers of AVX2, which took 15 % off the time.
    """
    blocks, groups = -(-cell.width // LANES), -(-cell.width // 4)
    group, block = 0, 0
    for first in range(0, blocks * groups, AHEAD):
        last = min(first + AHEAD, blocks * groups)
        fill_words(cell.key, network, layer, ROLE_WEIGHT, first, last - first, 1, work.words)
        for index in range(first, last):
            multiply_tile(draw, cell, network, layer, index, scale, work, start + LANES * block, group, index - first)
            block += 1
            if block == blocks:
                group, block = group + 1, 0


def multiply_tile(draw, cell, network, layer, index, scale, work, row, group, ahead):
    """Weights of one tile from its words, stored, and their part of W x."""
    k = ahead * TILE
    w0, w1, w2, w3 = load_drawn(draw, work.words, k, Counter(cell, network, layer, index, 0), scale)
    tile = (layer - 1) * storage(cell.width) + index * TILE
    store(work.weights, tile, w0)
    store(work.weights, tile + LANES, w1)
    store(work.weights, tile + 2 * LANES, w2)
    store(work.weights, tile + 3 * LANES, w3)
    x = 4 * group
    total = w0 * work.x[x] if group == 0 else fma(w0, work.x[x], load(work.h, row))
    total = fma(w2, work.x[x + 2], fma(w1, work.x[x + 1], total))
    store(work.h, row, fma(w3, work.x[x + 3], total))


def backward(cell, layer, weights, delta, y):
    """y = W^T delta with the weights that `forward` stored."""
    blocks, groups = -(-cell.width // LANES), -(-cell.width // 4)
    tile = (layer - 1) * blocks * groups * TILE
    for group in range(groups):
        y0 = y1 = y2 = y3 = splat(load(delta, 0), 0.0)
        for block in range(blocks):
            d = load(delta, LANES * block)
            y0 = fma(load(weights, tile), d, y0)
            y1 = fma(load(weights, tile + LANES), d, y1)
            y2 = fma(load(weights, tile + 2 * LANES), d, y2)
            y3 = fma(load(weights, tile + 3 * LANES), d, y3)
            tile += TILE
        y[4 * group], y[4 * group + 1], y[4 * group + 2], y[4 * group + 3] = four_sums(y0, y1, y2, y3)


def matrix(weights, layer, width):
    """The stored weights of a layer as a (width, width) array, W[row, column]."""
    blocks, groups = -(-width // LANES), -(-width // 4)
    tiles = weights[(layer - 1) * storage(width) : layer * storage(width)].reshape(groups, blocks, 4, LANES)
    return np.ascontiguousarray(tiles.transpose(1, 3, 0, 2).reshape(blocks * LANES, groups * 4)[:width, :width])
