"""The last matrix of a block, its norm and the sum, forward (see `schedule`)."""

from __future__ import annotations

from gradsim_core import jit
from gradsim_core.lanes import LANES, anywhere, convert, fma, load, load_four, maximum, splat, store, store_four
from gradsim_core.laws import standard
from gradsim_core.parameters import SUM_H
from gradsim_core.rng.draws import Source, fill_from
from gradsim_core.rng.philox import STREAM_FORWARD
from gradsim_core.scaling.per_lane import scaled
from gradsim_core.schedules.one_pass import FEW
from gradsim_core.schedules.side_by_side import dot, fill, record, rows

from .norms import norm_from, norm_of, sum_up
from .numbers import (
    BIAS_SHARE,
    EXPONENT,
    INVERSE_OF_Z,
    OF_X,
    OUT_ALONG,
    OUT_FACTOR,
    OUT_INVERSE,
    OUT_MEAN,
    OUT_UNIT,
    POST_ALONG,
    POST_INVERSE,
    POST_UNIT,
    SHARE,
    SQUARE,
    TOTAL,
    inverse,
    item,
    keep,
    level,
    level_of,
    limit,
    multiply,
    number,
    unit_at,
)
from .sites import clear_padding


def branch(cell, group, layer, work, seen, bias):
    """Compute the stream after a block from the `Seen` of its last matrix; returns 0, or NaN if it is not finite."""
    size, form = rows(cell.width) * LANES, work.form
    start, like = (layer - 1) * size, splat(load(work.error, 0), 0.0)
    source = Source(cell, group, layer, STREAM_FORWARD)
    stored = form.output or (form.after and form.skip)
    if stored:
        fill(cell, group, layer, STREAM_FORWARD, work.words, work.z, start)
    product = multiply(seen, work.weight, bias)
    keep(work, layer, SHARE, product.share)
    keep(work, layer, BIAS_SHARE, product.bias_share)
    scale, mean, exponent = product.v, like, product.exponent
    if form.output:
        mean, scale, exponent = standardise_branch(cell, layer, work, start, product)
    scale, exponent = scale * work.alpha.value, exponent + work.alpha.power
    below = item(work, layer - 1, EXPONENT)
    old = level_of(item(work, layer - 1, SQUARE), below) if form.skip else level(scale * 0.0, below)
    unit = unit_at(maximum(level(scale, exponent), old), limit(like))
    of_x = number(below - unit, splat(scale, 1.0 if form.skip else 0.0), like)
    of_z = number(exponent - unit, scale, like)
    if stored:
        square, total = add_branch(work, start, cell.width, of_x, of_z, mean)
    else:
        square, total = draw_branch(source, work, start, of_x, of_z)
        stored = is_lost(item(work, layer - 1, SQUARE), cell.width, convert(of_x, 1.0), convert(of_z, 1.0))
        if stored:
            fill(cell, group, layer, STREAM_FORWARD, work.words, work.z, start)
    keep_inverse(work, layer, stored, of_x, of_z)
    if form.after and form.skip:
        square, unit = standardise_stream(cell, layer, work, (total, square), unit)
    keep(work, layer, SQUARE, square)
    keep(work, layer, TOTAL, convert(total, 1.0))
    keep(work, layer, EXPONENT, unit)
    record(work, SUM_H, layer, square, unit)
    return fma(square, 0.0, seen.square * 0.0)


def is_lost(square, width, of_x, of_z):
    """Whether z = (x' - of_x x) / of_z would lose more than eight bits in any network, |x|^2 being `square`."""
    return anywhere(square * (of_x * of_x) > 2.0**16 * width * (of_z * of_z))


def keep_inverse(work, layer, stored, of_x, of_z):
    """Keep how z of a layer is found again: as stored, or from the stream."""
    work.stored[layer] = stored
    if not stored:
        keep(work, layer, OF_X, convert(of_x, 1.0))
        keep(work, layer, INVERSE_OF_Z, convert(inverse(of_z), 1.0))


def draw_branch(source, work, start, of_x, of_z):
    """Draw z and write x' = of_x x + of_z z behind x, which begins at `start`; returns as `add_branch`."""
    width = source.cell.width
    size, counters = rows(width) * LANES, rows(width) // 4
    a = b = c = d = splat(of_x, 0.0)
    even = odd = splat(of_x, 0.0)
    for first in range(0, counters, FEW):
        count = min(FEW, counters - first)
        fill_from(standard, source, first, count, work.few[0], work.words, work.few, 0)
        clear_padding(work.few, 0, min(count * 4, width - first * 4))
        place = start + first * 4 * LANES
        for i in range(0, count * 4 * LANES, 4 * LANES):
            k = place + i
            p, q, r, s = load_four(work.few, i)
            t, u, v, w = load_four(work.stream, k)
            p, q, r, s = fma(p, of_z, t * of_x), fma(q, of_z, u * of_x), fma(r, of_z, v * of_x), fma(s, of_z, w * of_x)
            store_four(work.stream, size + k, p, q, r, s)
            a, b, c, d = fma(p, p, a), fma(q, q, b), fma(r, r, c), fma(s, s, d)
            even, odd = even + (p + r), odd + (q + s)
    return convert((a + b) + (c + d), 1.0), even + odd


def add_branch(work, start, width, of_x, of_z, mean):
    """Write x' = of_x x + of_z (z - mean) behind x, which begins at `start`; returns |x'|^2 in float64, and its sum."""
    size = rows(width) * LANES
    even = odd = total = total_odd = splat(of_x, 0.0)
    stop = start + width * LANES
    for k in range(start, stop - LANES, 2 * LANES):
        a = fma(load(work.z, k) - mean, of_z, load(work.stream, k) * of_x)
        b = fma(load(work.z, k + LANES) - mean, of_z, load(work.stream, k + LANES) * of_x)
        store(work.stream, size + k, a)
        store(work.stream, size + k + LANES, b)
        even, odd = fma(a, a, even), fma(b, b, odd)
        total, total_odd = total + a, total_odd + b
    if width % 2 == 1:
        k = stop - LANES
        a = fma(load(work.z, k) - mean, of_z, load(work.stream, k) * of_x)
        store(work.stream, size + k, a)
        even, total = fma(a, a, even), total + a
    return convert(even + odd, 1.0), total + total_odd


def standardise_branch(cell, layer, work, start, product):
    """The norm of a branch v z: the mean of z, and the factor of z - mean with its exponent."""
    moments = sum_up(work.z, start, cell.width), convert(dot(work.z, start, work.z, start, cell.width), 1.0)
    ones = norm_of(work.z, start, cell.width, work.form, moments, product.exponent * 0.0)
    variance = ones.share * inverse_square(ones.inverse)
    norm = norm_from(ones.mean, variance * product.v * product.v, product.exponent, work.form.epsilon)
    scale, exponent = product.v * norm.inverse, product.exponent - norm.unit
    keep(work, layer, OUT_MEAN, convert(norm.mean, 1.0))
    keep(work, layer, OUT_FACTOR, scaled(exponent, scale))
    keep(work, layer, OUT_INVERSE, norm.inverse)
    keep(work, layer, OUT_UNIT, norm.unit)
    keep(work, layer, OUT_ALONG, norm.floor * inverse(variance * cell.width))
    return norm.mean, scale, exponent


def inverse_square(v):
    """1 / v^2."""
    return 1.0 / (v * v)


def standardise_stream(cell, layer, work, moments, exponent):
    """Replace the stream by its norm; returns |x|^2 and its exponent."""
    start = layer * rows(cell.width) * LANES
    norm = norm_of(work.stream, start, cell.width, work.form, moments, exponent)
    scale = convert(norm.inverse, norm.mean)
    for i in range(start, start + cell.width * LANES, LANES):
        store(work.stream, i, (load(work.stream, i) - norm.mean) * scale)
    keep(work, layer, POST_INVERSE, norm.inverse)
    keep(work, layer, POST_UNIT, norm.unit)
    keep(work, layer, POST_ALONG, norm.floor * inverse(norm.share * cell.width))
    return norm.share * cell.width, exponent - norm.unit


jit.register_leaves(__name__, inline=True)
