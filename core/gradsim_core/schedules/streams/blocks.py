"""A block of a stream, forward and backward (see `schedule`)."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from gradsim_core import jit
from gradsim_core.lanes import LANES, convert, fma, load, maximum, select, splat, sqrt, store
from gradsim_core.parameters import SUM_DELTA, SUM_X
from gradsim_core.rng.draws import Source
from gradsim_core.rng.philox import STREAM_BACKWARD, STREAM_INPUT, STREAM_READOUT
from gradsim_core.scaling.per_lane import scaled
from gradsim_core.schedules.side_by_side import dot, fill, record, rows

from .adding import keep_error
from .again import evaluate_again
from .branches import branch
from .errors import leave
from .inner import run_inner, run_inner_backward
from .narrow import Scaled, leave_narrow, product_of_seen, settled
from .norms import is_few, sum_up
from .numbers import (
    BIAS_SHARE,
    ERROR_ALONG,
    ERROR_EXPONENT,
    ERROR_SQUARE,
    EXPONENT,
    OUT_ALONG,
    OUT_FACTOR,
    OUT_INVERSE,
    OUT_MEAN,
    OUT_UNIT,
    POST_ALONG,
    POST_INVERSE,
    POST_UNIT,
    SEEN,
    SEEN_EXPONENT,
    SHARE,
    SQUARE,
    TOTAL,
    Combination,
    Factor,
    Seen,
    along_weights,
    item,
    keep,
    near_one,
    number,
    transpose,
)
from .sites import Site, enter


def site_at(form, depth, layer):
    """The `Site` of the stream at a layer, which counts from 0, the input, to the depth, where it is read out."""
    inside = form.skip or layer > 0
    activates = inside and not form.two and (layer < depth or not form.skip)
    return Site(form.before and inside, activates, form.after and not form.skip and layer > 0)


def standardise_stream_backward(cell, layer, work):
    """Replace the error of the stream after a norm by that before it."""
    start, width = layer * rows(cell.width) * LANES, cell.width
    inverse, unit = item(work, layer, POST_INVERSE), item(work, layer, POST_UNIT)
    like = splat(load(work.error, 0), 0.0)
    product, left, k = convert(dot(work.error, 0, work.stream, start, width), 1.0), splat(like, 1.0), unit * 0.0
    of_x = number(k, product * scaled(item(work, layer, EXPONENT) * 2.0, splat(unit, 1.0 / width)), like)
    if is_few(work.form, width):
        part = near_one(item(work, layer, POST_ALONG))
        of_x, left, k = convert(-product * part.value, like), like, part.power
    mean = sum_up(work.error, 0, width) / width if work.form.centred else like
    scale, square, along, z = convert(inverse, like), like, like, (layer - 1) * rows(width) * LANES
    for i in range(0, width * LANES, LANES):
        d = fma(load(work.stream, start + i), -of_x, (load(work.error, i) - mean) * left) * scale
        store(work.error, i, d)
        square, along = fma(d, d, square), fma(load(work.z, z + i), d, along)
    keep_error(work, square, along, item(work, 0, ERROR_EXPONENT) - unit + k)


class Error(NamedTuple):
    """The error e of the product of a matrix: |e|^2, z . e, in units of 4^exponent and 2^exponent."""

    square: np.ndarray
    along: np.ndarray
    exponent: np.ndarray


def branch_error(cell, layer, work):
    """The `Error` of the product of the last matrix of a block, from the error of the stream."""
    start, alpha = (layer - 1) * rows(cell.width) * LANES, work.alpha
    exponent = item(work, 0, ERROR_EXPONENT) + alpha.power
    along = item(work, 0, ERROR_ALONG)
    if not work.form.output:
        return Error(item(work, 0, ERROR_SQUARE) * alpha.value * alpha.value, along * alpha.value, exponent)
    mean, scale = item(work, layer, OUT_MEAN), item(work, layer, OUT_FACTOR)
    like = splat(load(work.error, 0), 0.0)
    total = sum_up(work.error, 0, cell.width) if work.form.centred else like
    along, average, left, k = fma(-mean, convert(total, 1.0), along), total / cell.width, splat(like, 1.0), along * 0.0
    of_z, mean = convert(along * scale * scale / cell.width, like), convert(mean, like)
    if is_few(work.form, cell.width):
        part = near_one(item(work, layer, OUT_ALONG))
        of_z, left, k = convert(-along * part.value, like), like, part.power
    square = product = like
    for i in range(0, cell.width * LANES, LANES):
        z = load(work.z, start + i)
        e = fma(z - mean, -of_z, (load(work.error, i) - average) * left)
        square, product = fma(e, e, square), fma(z, e, product)
    factor = item(work, layer, OUT_INVERSE) * alpha.value
    unit = item(work, layer, OUT_UNIT)
    return Error(convert(square, 1.0) * factor * factor, convert(product, 1.0) * factor, exponent - unit + k)


def seen_at(work, layer):
    """What the first matrix above a layer of the stream meets."""
    return Seen(item(work, layer, SEEN), item(work, layer, SEEN_EXPONENT))


def sum_of(a, i, b, j):
    """a 4^i + b 4^j, and the exponent of the sum."""
    i, j = select(a == 0.0, j, i), select(b == 0.0, i, j)
    top = maximum(i, j)
    return scaled((i - top) * 2.0, a) + scaled((j - top) * 2.0, b), top


def run_forward(neuron, cell, group, work):
    """Run all blocks forward; returns 0, or NaN where something is not finite."""
    form, like = work.form, splat(load(work.error, 0), 0.0)
    fill(cell, group, 0, STREAM_INPUT, work.words, work.stream, 0)
    square = convert(dot(work.stream, 0, work.stream, 0, cell.width), 1.0)
    broken = square * 0.0
    keep(work, 0, SQUARE, square)
    keep(work, 0, EXPONENT, broken)
    keep(work, 0, TOTAL, convert(sum_up(work.stream, 0, cell.width), 1.0))
    for layer in range(1, cell.depth + 1):
        seen = enter(neuron, cell, layer - 1, work, site_at(form, cell.depth, layer - 1))
        if form.two:
            seen = run_inner(neuron, cell, group, layer, work, seen)
            broken = broken + branch(cell, group, layer, work, seen, Factor(0.0, 0.0))
        else:
            broken = broken + branch(cell, group, layer, work, seen, work.bias)
    seen = enter(neuron, cell, cell.depth, work, site_at(form, cell.depth, cell.depth))
    return convert(fma(seen.square, 0.0, broken), like)


def run_block_backward(neuron, cell, group, layer, work):
    """Run a block backward, from the error of the stream after it to that before it; records its sums."""
    form, delta, unit = work.form, item(work, 0, ERROR_SQUARE), item(work, 0, ERROR_EXPONENT)
    record(work, SUM_DELTA, layer, delta, unit)
    if form.after and form.skip:
        standardise_stream_backward(cell, layer, work)
    error, seen, weight = branch_error(cell, layer, work), seen_at(work, layer - 1), work.weight
    gradient, exponent = error.square * seen.square, error.exponent + seen.exponent
    if form.two:
        (square, along, of_inner), gradient, exponent = run_inner_backward(neuron, cell, group, layer, work, error)
        error, weight = Error(square, along, of_inner), work.first_weight
        gradient, exponent = sum_of(gradient, exponent, square * seen.square, of_inner + seen.exponent)
    record(work, SUM_X, layer, select(delta == 0.0, delta, gradient / delta), exponent - unit)
    if layer > 1:
        site, length = site_at(form, cell.depth, layer - 1), sqrt(error.square)
        source = Source(cell, group, layer, STREAM_BACKWARD)
        if form.narrow:
            across = Scaled(length * weight.value, error.exponent + weight.power)
            leave_narrow(neuron, source, work, site, across, product_of_seen(cell, group, layer, work))
            return
        products = evaluate_again(neuron, layer - 1, work, site, source)
        shares = item(work, layer, SHARE), item(work, layer, BIAS_SHARE)
        along = error.along if form.two else along_weights(cell, group, layer, length, error.along, shares)
        y = transpose(length, along, sqrt(seen.square), products.inner, weight, error.exponent)
        leave(neuron, source, work, site, y, products, form.skip)


def read_out(neuron, cell, group, work, broken):
    """Start the error of the stream, from a random readout."""
    site, layer = site_at(work.form, cell.depth, cell.depth), cell.depth
    source = Source(cell, group, 0, STREAM_READOUT)
    products = evaluate_again(neuron, layer, work, site, source)
    zero = item(work, layer, SQUARE) * 0.0
    for i in range(0, rows(cell.width) * LANES, LANES):
        store(work.error, i, splat(load(work.error, i), 0.0))
    y = Combination(splat(zero, 1.0 / math.sqrt(cell.width)) + convert(broken, 1.0), zero, splat(zero, 0.0))
    if work.form.narrow:
        along = settled(y.of_g * products.inner, item(work, layer, SEEN_EXPONENT))
        leave_narrow(neuron, source, work, site, Scaled(y.of_g, zero), along)
    else:
        leave(neuron, source, work, site, y, products, False)


jit.register_leaves(__name__, inline=True)
