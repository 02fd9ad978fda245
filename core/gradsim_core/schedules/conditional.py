"""The exact conditional sampler: back-propagation through random weights that are never drawn, O(N) a layer.

W is seen only through h' = W x and y = W^T delta. For normal entries of variance s^2 = sigma_w^2 / N, h' is normal of
variance s^2 |x|^2, and given h' the rest of W is what it was orthogonal to x, so that

    y = x (h' . delta) / |x|^2 + s |delta| P g,    g standard normal, P the projector orthogonal to x.

For a Haar matrix times sigma_w, h' = sigma_w |x| u with u uniform on the sphere, and
y = x (h' . delta) / |x|^2 + sigma_w |delta - u (u . delta)| P g / |P g|. `core/README.md` derives both.

A normal bias joins h' before it is drawn: h = v z with v^2 = s^2 |x|^2 + sigma_b^2, and given h the part h' is
v (r^2 z + r t z') with r = s |x| / v, t = sigma_b / v and fresh z', of which only z' . delta is needed: one normal.

Sixteen networks run side by side, one per lane, so that every sum over neurons is vertical. With normal weights a layer
takes one pass (`at_once`). Where that is not enough, and with Haar matrices, its vectors are kept in arrays
[layer][neuron][lane]. Only lengths and inner products pass from layer to layer, so that the powers of two that keep
them in range are one number per network (`lanewise`).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from gradsim_core import jit
from gradsim_core.lanes import LANES, aligned, anywhere, fma, load, maximum, rint, select, splat, sqrt, store
from gradsim_core.parameters import SUM_DELTA, SUM_H, SUM_X
from gradsim_core.rng.normals import normal_pair
from gradsim_core.rng.philox import GROUP_BIAS, GROUP_FORWARD, GROUP_INPUT, random_words
from gradsim_core.scaling import per_lane
from gradsim_core.scaling.per_lane import exponent_of, is_extreme, is_far, scaled
from gradsim_core.scaling.per_vector import no_tail, reach

from .one_pass import (
    BIAS_SHARE,
    FEW,
    INVERSE_NORM,
    KEPT,
    SCALE,
    SHARE,
    X_G,
    activate_at_once,
    backward_stream,
    differentiate_at_once,
    keep,
    kept,
)
from .side_by_side import activate, deliver, dot, fill, record, rows


class Work(NamedTuple):
    """Arrays of one thread, flat, in the precision of the run unless said otherwise."""

    words: np.ndarray  # random words of a few counters, int32
    z: np.ndarray  # (depth, rows, 16) standard normals, or u; h = scale z without a bias or with normal weights
    x: np.ndarray  # (depth, rows, 16) activations
    slope: np.ndarray  # (depth, rows, 16) phi'(h)
    g: np.ndarray  # (rows, 16) normals of the backward pass, then delta where it is needed
    h: np.ndarray  # (rows, 16) preactivations where they are needed
    few: np.ndarray  # z, g, x and slope of a few neurons
    whole: np.ndarray  # (depth,) whether z, x and slope of a layer are in memory
    layers: np.ndarray  # (depth, KEPT, 16)
    shifts: np.ndarray  # (depth, 16) exponent of h, float64
    sums: np.ndarray  # (3, depth, 16), float64
    exponents: np.ndarray  # (3, depth, 16), float64
    scalars: np.ndarray  # s and sigma_b, each in [1/2, 1) and an exponent, 1 / sqrt(N), s (0 if far), sigma_b; float64


def inverse(v):
    """1 / v, and 0 for 0."""
    return select(v == 0.0, 0.0, 1.0 / v)


def place(work, layer, square, unit):
    """The exponent of h = W x + b where |x|^2 = square 4^unit, which is kept, and in its units the scales of both."""
    if work.scalars[5] > 0.0 and not (anywhere(unit != 0.0) or is_far(square)):  # as most are: nothing to set aside
        shift = splat(unit, 0.0)
        store(work.shifts, (layer - 1) * LANES, shift)
        return shift, sqrt(square) * work.scalars[5], splat(square, work.scalars[6])
    size = sqrt(select(square < np.inf, square, np.nan)) * work.scalars[0]
    exponent = select(size > 0.0, exponent_of(size) + unit + work.scalars[1], -per_lane.FAR)
    shift = per_lane.placed(maximum(exponent, work.scalars[3]), reach(work.z) - 20.0)
    store(work.shifts, (layer - 1) * LANES, shift)
    scale_b = scaled(work.scalars[3] - shift, splat(size, work.scalars[2]))
    return shift, scaled(unit + work.scalars[1] - shift, size), scale_b


def widen(cell, layer, work, scale, scale_b):
    """v, so that h = v z: normal biases only widen the scale, see above."""
    v = scale
    if cell.sigma_b > 0.0:
        v = sqrt(fma(scale, scale, scale_b * scale_b))
        keep(work, layer, SHARE, scale * inverse(v))
        keep(work, layer, BIAS_SHARE, scale_b * inverse(v))
    keep(work, layer, SCALE, v)
    return v


def draw_gaussian(cell, group, layer, work, start, scale, scale_b):
    """z, so that h = v z; returns v."""
    fill(cell, group, layer, GROUP_FORWARD, work.words, work.z, start)
    return widen(cell, layer, work, scale, scale_b)


def draw_orthogonal(cell, group, layer, work, start, scale, scale_b):
    """u into work.z and h into work.h; returns the scale of work.h, 1."""
    fill(cell, group, layer, GROUP_FORWARD, work.words, work.z, start)
    unit = inverse(sqrt(dot(work.z, start, work.z, start, cell.width)))
    for i in range(start, start + cell.width * LANES, LANES):
        store(work.z, i, load(work.z, i) * unit)
    keep(work, layer, SCALE, scale)
    keep(work, layer, BIAS_SHARE, scale_b)
    preactivations_orthogonal(cell, group, layer, work, start)
    return splat(scale, 1.0)


def preactivations_gaussian(cell, group, layer, work, start):
    """h into work.h, in units of the layer's power of two."""
    scale = kept(work, layer, SCALE)
    for i in range(0, cell.width * LANES, LANES):
        store(work.h, i, load(work.z, start + i) * scale)


def preactivations_orthogonal(cell, group, layer, work, start):
    """h into work.h, in units of the layer's power of two."""
    if cell.sigma_b == 0.0:
        preactivations_gaussian(cell, group, layer, work, start)
        return
    fill(cell, group, layer, GROUP_BIAS, work.words, work.h, 0)
    scale, scale_b = kept(work, layer, SCALE), kept(work, layer, BIAS_SHARE)
    for i in range(0, cell.width * LANES, LANES):
        store(work.h, i, fma(load(work.h, i), scale_b, load(work.z, start + i) * scale))


def fill_backward(cell, group, layer, work):
    """The g of y at a layer into work.g; at the last layer y is the readout."""
    role, of = backward_stream(cell, layer)
    fill(cell, group, of, role, work.words, work.g, 0)


def combine_gaussian(cell, group, layer, work, square, along, inverse_norm, inner, start):
    """Coefficients (of_g, of_x) in y / s = of_g g + of_x x, given |delta|^2, `along` = z . delta, `inner` = x . g."""
    length = sqrt(square)
    if cell.sigma_b > 0.0:
        a, b, _, _ = random_words(cell.key, group, layer, GROUP_BIAS, 0)
        fresh, _ = normal_pair(a, b, length)
        along = fma(kept(work, layer, SHARE), along, kept(work, layer, BIAS_SHARE) * length * fresh)
    return length, fma(length, -(inner * inverse_norm), along) * inverse_norm


def combine_orthogonal(cell, group, layer, work, square, along, inverse_norm, inner, start):
    """The same with y / sigma_w; where x is the only direction there is, none of g."""
    inner = inner * inverse_norm
    projected = splat(square, 0.0)
    for i in range(0, cell.width * LANES, LANES):
        rest = fma(load(work.x, start + i), -(inner * inverse_norm), load(work.g, i))
        projected = fma(rest, rest, projected)
    along = select(inverse_norm > 0.0, along, 0.0)
    across = fma(along, -along, square)
    length = sqrt(select(across > 0.0, across, 0.0)) * inverse(sqrt(projected))
    if cell.width == 1:
        length = select(inverse_norm > 0.0, 0.0, length)
    return length, fma(length, -inner, along) * inverse_norm


def differentiate(work, start, of_g, of_x, width):
    """|delta|^2 and z . delta for delta = phi'(h) y, y = of_g g + of_x x; phi' is zero beyond the width."""
    even_square = odd_square = even_along = odd_along = splat(of_g, 0.0)
    for i in range(0, rows(width) * LANES, 2 * LANES):
        k = start + i
        y = fma(load(work.x, k), of_x, load(work.g, i) * of_g)
        delta = load(work.slope, k) * y
        even_square, even_along = fma(delta, delta, even_square), fma(load(work.z, k), delta, even_along)
        y = fma(load(work.x, k + LANES), of_x, load(work.g, i + LANES) * of_g)
        delta = load(work.slope, k + LANES) * y
        odd_square, odd_along = fma(delta, delta, odd_square), fma(load(work.z, k + LANES), delta, odd_along)
    return even_square + odd_square, even_along + odd_along


def differentiate_extreme(log_dphi, slopes, cell, work, layer, start, of_g, of_x, square, along):
    """The same by logarithms in the lanes where phi' y has left the range, and the exponent; h is in work.h."""
    size = cell.width * LANES
    h, slope, y = work.h[:size], work.slope[start : start + size], work.g[:size]
    per_lane.true_values(h, load(work.shifts, (layer - 1) * LANES))
    for i in range(0, size, LANES):
        store(y, i, fma(load(work.x, start + i), of_x, load(y, i) * of_g))
    none = splat(load(work.shifts, 0), 0.0)
    mended, unit = per_lane.rescue(log_dphi, slopes.tail_sign, cell.alpha, h, slope, y, y, square, none)
    return mended, select(mended != square, dot(work.z, start, work.g, 0, cell.width), along), unit


def build(phi, dphi, log_phi, log_dphi, law):
    """The block kernel of an activation and a weight law, to be compiled or interpreted."""
    orthogonal = law.draw is None
    draw = draw_orthogonal if orthogonal else draw_gaussian
    combine = combine_orthogonal if orthogonal else combine_gaussian
    preactivations = preactivations_orthogonal if orthogonal else preactivations_gaussian
    phi_has_tail, dphi_has_tail = log_phi is not no_tail, log_dphi is not no_tail

    def run_block(cell, slopes, first, work, sums, exponents):
        """Networks first .. first + count - 1 into sums and exponents, both (3, count, depth)."""
        size = rows(cell.width) * LANES
        for group in range(first // LANES, (first + sums.shape[1] - 1) // LANES + 1):
            fill(cell, group, 0, GROUP_INPUT, work.words, work.g, 0)
            square, unit = dot(work.g, 0, work.g, 0, cell.width), splat(load(work.shifts, 0), 0.0)
            zero = broken = splat(square, 0.0)
            for layer in range(1, cell.depth + 1):
                start = (layer - 1) * size
                record(work, SUM_X, layer, square, unit)
                shift, scale, scale_b = place(work, layer, square, unit)
                whole = orthogonal or anywhere(shift != 0.0)
                if not whole:
                    v = widen(cell, layer, work, scale, scale_b)
                    square, square_h = activate_at_once(phi, dphi, cell, group, layer, work, v)
                    whole = is_extreme(square, phi_has_tail)
                if whole:
                    v = draw(cell, group, layer, work, start, scale, scale_b)
                    source, offset = (work.h, 0) if orthogonal else (work.z, start)
                    square, square_h = activate(phi, dphi, cell.alpha, source, offset, v, work, start, cell.width)
                record(work, SUM_H, layer, square_h, shift)
                broken, unit = fma(square_h, 0.0, broken), splat(shift, 0.0)
                if whole and (anywhere(shift != 0.0) or is_extreme(square, phi_has_tail)):
                    preactivations(cell, group, layer, work, start)
                    square, unit = per_lane.activate(phi, dphi, log_phi, slopes, cell, work, start, shift)
                keep(work, layer, INVERSE_NORM, inverse(sqrt(square)))
                work.whole[layer - 1] = whole
            if work.whole[cell.depth - 1]:
                fill_backward(cell, group, cell.depth, work)
            of_g, of_x, unit = splat(zero, work.scalars[4]), zero, splat(unit, 0.0)
            for layer in range(cell.depth, 0, -1):
                start, whole = (layer - 1) * size, work.whole[layer - 1]
                if not whole:
                    square, along, sure = differentiate_at_once(work, layer, of_g, of_x)
                    whole = not sure or is_extreme(square, dphi_has_tail)
                    if whole:
                        fill(cell, group, layer, GROUP_FORWARD, work.words, work.z, start)
                        v = kept(work, layer, SCALE)
                        activate(phi, dphi, cell.alpha, work.z, start, v, work, start, cell.width)
                        fill_backward(cell, group, layer, work)
                if whole:
                    square, along = differentiate(work, start, of_g, of_x, cell.width)
                    if is_extreme(square, dphi_has_tail):
                        preactivations(cell, group, layer, work, start)
                        square, along, k = differentiate_extreme(
                            log_dphi, slopes, cell, work, layer, start, of_g, of_x, square, along
                        )
                        unit = unit + k
                if is_far(square):
                    k = rint(exponent_of(square) * 0.5)
                    square, along, unit = scaled(k * -2.0, square), scaled(-k, along), unit + k
                square = square + broken
                record(work, SUM_DELTA, layer, square, unit)
                if layer > 1:
                    below, inverse_norm = start - size, kept(work, layer - 1, INVERSE_NORM)
                    inner = kept(work, layer - 1, X_G)
                    if work.whole[layer - 2]:
                        fill_backward(cell, group, layer - 1, work)
                        inner = dot(work.x, below, work.g, 0, cell.width)
                    of_g, of_x = combine(cell, group, layer, work, square, along, inverse_norm, inner, below)
                    of_g, of_x, unit = of_g * work.scalars[0], of_x * work.scalars[0], unit + work.scalars[1]
            deliver(work, group, first, sums, exponents)

    return run_block


def allocate(cell, dtype, law):
    """Work for a cell."""
    spread = law.deviation(cell)
    size = rows(cell.width) * LANES
    empty = lambda n: aligned(n, dtype)  # noqa: E731
    double = lambda n: aligned(n * cell.depth * LANES, np.float64)  # noqa: E731
    scale_b = math.frexp(cell.sigma_b) if cell.sigma_b > 0.0 else (0.0, -per_lane.FAR)
    ordinary = 2.0**-10 <= spread <= 2.0**10 and cell.sigma_b <= 2.0**10
    scalars = np.array([*math.frexp(spread), *scale_b, 1.0 / math.sqrt(cell.width), spread * ordinary, cell.sigma_b])
    z, x, slope = (empty(cell.depth * size) for _ in range(3))
    few, layers = empty(4 * FEW * 4 * LANES), empty(cell.depth * KEPT * LANES)
    words = aligned(2 * FEW * 4 * LANES, np.int32)
    whole = np.zeros(cell.depth, np.bool_)
    return Work(
        words, z, x, slope, empty(size), empty(size), few, whole, layers, double(1), double(3), double(3), scalars
    )


jit.register_leaves(__name__, inline=False)
