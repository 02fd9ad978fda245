"""Layers with independent weights: drawn once, stored, used forward and transposed backward.

A layer is stored in tiles of 4 columns by 16 rows, in the order [group of columns][block of rows][column][row]: the
random words of one counter make one tile, and both passes read the tiles in sequence. Rows are padded to a multiple
of 16, columns to a multiple of 4; x and delta are zero there.
"""

from __future__ import annotations

import numpy as np

from .lanes import LANES, fma, lane_sum, load, splat, store

TILE = 4 * LANES


def storage(width):
    """Numbers that one layer needs."""
    return -(-width // 4) * -(-width // LANES) * TILE


def forward(draw, cell, network, layer, scale, weights, x, h, start):
    """Draw W of a layer, and set h[start:] = W x; `scale` is the standard deviation of an entry."""
    blocks, groups = -(-cell.width // LANES), -(-cell.width // 4)
    tile = (layer - 1) * blocks * groups * TILE
    for group in range(groups):
        x0, x1, x2, x3 = x[4 * group], x[4 * group + 1], x[4 * group + 2], x[4 * group + 3]
        for block in range(blocks):
            w0, w1, w2, w3 = draw(cell.key, network, layer, group * blocks + block, cell.law_parameter, scale)
            store(weights, tile, w0)
            store(weights, tile + LANES, w1)
            store(weights, tile + 2 * LANES, w2)
            store(weights, tile + 3 * LANES, w3)
            tile += TILE
            i = start + LANES * block
            total = fma(w1, x1, w0 * x0) if group == 0 else fma(w1, x1, fma(w0, x0, load(h, i)))
            store(h, i, fma(w3, x3, fma(w2, x2, total)))


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
        y[4 * group], y[4 * group + 1] = lane_sum(y0), lane_sum(y1)
        y[4 * group + 2], y[4 * group + 3] = lane_sum(y2), lane_sum(y3)


def matrix(weights, layer, width):
    """The stored weights of a layer as a (width, width) array, W[row, column]."""
    blocks, groups = -(-width // LANES), -(-width // 4)
    tiles = weights[(layer - 1) * storage(width) : layer * storage(width)].reshape(groups, blocks, 4, LANES)
    return np.ascontiguousarray(tiles.transpose(1, 3, 0, 2).reshape(blocks * LANES, groups * 4)[:width, :width])
