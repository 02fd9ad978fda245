"""Layers with a Haar-distributed orthogonal matrix, represented by N - 1 Householder reflections and random signs.

W = sigma_w H_0 H_1 ... H_(N-2) D, where H_j reflects the coordinates j .. N-1 along a Gaussian vector g there and D is
diagonal with independent random signs: Stewart (1980), doi:10.1137/0717034. Both passes cost O(N^2) and need no QR
factorisation.

H_j is stored as w_j = u sqrt(2)/|u| with u = g + sign(g_j) |g| e_j, so that H_j x = x - w_j (w_j . x).
A layer stores the rows w_0 .. w_(N-2) and the diagonal of sigma_w D, each padded to a multiple of 16.
"""

from __future__ import annotations

import math

import numpy as np

from gradsim_core import jit
from gradsim_core.lanes import LANES, fma, lane_sum, load, select, splat, store, to_float
from gradsim_core.rng.normals import four_normals
from gradsim_core.rng.philox import ROLE_MASK, random_words


def layer_size(width):
    """How many numbers of a layer are stored, with padding: the size of a slot."""
    return width * -(-width // LANES) * LANES


def draw_normals(source, j, like, out, offset):
    """Write row j of standard normals from out[offset] on, zero outside the coordinates j .. N-1."""
    cell, network, layer, role = source
    blocks = -(-cell.width // LANES)
    quads = -(-blocks // 4)
    for quad in range(quads):
        a, b, c, d = random_words(cell.key, network, layer, role, j * quads + quad)
        z0, z1, z2, z3 = four_normals(a, b, c, d, like)
        i = offset + 4 * LANES * quad
        store(out, i, z0)
        if 4 * quad + 1 < blocks:
            store(out, i + LANES, z1)
        if 4 * quad + 2 < blocks:
            store(out, i + 2 * LANES, z2)
        if 4 * quad + 3 < blocks:
            store(out, i + 3 * LANES, z3)
    out[offset : offset + j] = 0.0
    out[offset + cell.width : offset + blocks * LANES] = 0.0


def dot(a, i, b, j, length):
    """Inner product of a[i : i + length] and b[j : j + length]: sixteen partial sums, then a fixed tree."""
    total = load(a, i) * load(b, j)
    for k in range(LANES, length, LANES):
        total = fma(load(a, i + k), load(b, j + k), total)
    return lane_sum(total)


def reflect(weights, row, x, start, length):
    """Replace x by x - w (w . x), where w is the row that begins at weights[row] and x begins at x[start]."""
    factor = -dot(weights, row, x, start, length)
    for k in range(0, length, LANES):
        store(x, start + k, fma(load(weights, row + k), factor, load(x, start + k)))


def strips(width):
    """Number of strips of a layer: 1, since reflections do not divide into columns."""
    return 1


def forward(draw, source, strip, scale, work):
    """Draw W of a layer and set h = W x. Parameters as in `dense.forward`; `draw` is not used, `scale` is sigma_w."""
    cell, network, layer, _ = source
    weights, h = work.weights, work.h
    length = -(-cell.width // LANES) * LANES
    first, start = strip.slot * cell.width * length, strip.slot * length
    signs = first + (cell.width - 1) * length
    for k in range(0, length, LANES):
        words, _, _, _ = random_words(cell.key, network, layer, ROLE_MASK, k // LANES)
        store(weights, signs + k, select(words < 0, splat(to_float(words, scale), -scale), scale))
        store(h, start + k, load(weights, signs + k) * load(work.x, k))
    for j in range(cell.width - 2, -1, -1):
        row = first + j * length
        draw_normals(source, j, scale, weights, row)
        norm = math.sqrt(dot(weights, row, weights, row, length))
        weights[row + j] += math.copysign(norm, weights[row + j])
        factor = math.sqrt(2.0 / dot(weights, row, weights, row, length))
        for k in range(0, length, LANES):
            store(weights, row + k, load(weights, row + k) * factor)
        reflect(weights, row, h, start, length)


def backward(cell, strip, work):
    """Compute y = W^T delta with the reflections that `forward` stored. Parameters as in `dense.backward`."""
    weights, delta, y = work.weights, work.delta, work.y
    length = -(-cell.width // LANES) * LANES
    first = strip.slot * cell.width * length
    signs = first + (cell.width - 1) * length
    for k in range(0, length, LANES):
        store(y, k, load(delta, k))
    for j in range(cell.width - 1):
        reflect(weights, first + j * length, y, 0, length)
    for k in range(0, length, LANES):
        store(y, k, load(y, k) * load(weights, signs + k))


def matrix(weights, layer, width):
    """The weights of a layer (in slot layer - 1) as an array (width, width), W[row, column]."""
    length = -(-width // LANES) * LANES
    rows = weights[(layer - 1) * width * length : layer * width * length].reshape(width, length)[:, :width]
    product = np.diag(rows[-1])
    for w in rows[-2::-1]:
        product -= np.outer(w, w @ product)
    return product


jit.register_leaves(__name__, inline=False)
