"""The error of a stream: what comes back through the site of a branch is added to it.

One pass adds, and sums up what the block below needs: the square of the error, and its product with z.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gradsim_core import jit
from gradsim_core.lanes import (
    LANES,
    absolute,
    convert,
    fma,
    load,
    maximum,
    splat,
    sqrt,
    store,
)
from gradsim_core.scaling import per_lane
from gradsim_core.scaling.per_lane import is_extreme
from gradsim_core.scaling.per_vector import dphi_tail
from gradsim_core.schedules.side_by_side import rows

from .norms import Affine, kept_norm, through_norm
from .numbers import (
    ERROR_ALONG,
    ERROR_EXPONENT,
    ERROR_SQUARE,
    EXPONENT,
    SEEN,
    SEEN_EXPONENT,
    SQUARE,
    Combination,
    item,
    keep,
    level,
    limit,
    number,
    unit_at,
)
from .sites import draw_g, evaluate_far, place


@jit.outlined
def leave(neuron, source, work, site, y, products, skip):
    """Add to the error of the stream at a layer what comes through its site.

    Parameters
    ----------
    neuron : Neuron
    source : Source
        Of g; its layer is that above.
    work : StreamWork
        Reads `activated`; changes `error`, and keeps its square and exponent.
    site : Site
    y : Combination
        The error of what the matrix above meets, a combination of it and of g.
    products : tuple of two vectors
        From `products_with_g`.
    skip : bool
        Whether the error of the stream remains, or starts here.
    """
    (cell, _, layer, _), zero = source, splat(y.of_g, 0.0)
    layer = layer - 1 if layer > 0 else cell.depth
    none = splat(load(work.error, 0), 0.0)
    error = Affine(y.of_g, none, y.of_x, none, y.exponent)
    norm = kept_norm(work, layer)
    if site.after or (site.before and not site.activates):
        error = through_norm(cell, work, norm, y, item(work, layer, SEEN_EXPONENT), products)
    if not site.activates:
        add_error(cell, layer, work, skip, (work.activated.g, 0), error, zero + float(cell.width) ** 0.5)
        return
    length = sqrt(item(work, layer, SEEN))
    if site.after:
        length = length / norm.inverse
    if not site.before:
        square = add_through_slopes(cell, layer, work, skip, error, length)
        if skip or not is_extreme(square, neuron.has_tails[1]):
            return
    sums, exponent = multiply_by_slopes(cell, layer, work, norm.mean, error, length)
    if is_extreme(sums[2], neuron.has_tails[1]):
        sums, exponent = multiply_any_range(neuron, source, layer, work, site, error, (sums[2], exponent))
    total, product, square = sums
    error = Affine(splat(zero, 1.0), none, zero, norm.mean, exponent)
    if site.before:
        y = Combination(splat(zero, 1.0), zero, exponent)
        products = convert(product, 1.0) * norm.inverse, convert(total, 1.0)
        error = through_norm(cell, work, norm, y, item(work, layer, EXPONENT) - norm.unit, products)
    add_error(
        cell, layer, work, skip, (work.activated.x, place(work, layer, cell.width)), error, sqrt(convert(square, 1.0))
    )


def size_of(error, g, x):
    """The level of an `Affine`, at most, where |g| and |x - mean| are known."""
    return level(absolute(error.of_g) * g + absolute(error.of_x) * x, error.exponent)


def multiply_by_slopes(cell, layer, work, mean, error, length):
    """Compute u = phi'(h) y in the place of a; returns the sums of u, u (x - mean) and u^2, and the exponent of u.

    `mean` is that of x; `length` is |a - mean| at most.
    """
    arrays, start, at = work.activated, layer * rows(cell.width) * LANES, place(work, layer, cell.width)
    like, root = load(arrays.x, 0), splat(length, float(cell.width) ** 0.5)
    unit = unit_at(size_of(error, root, length), limit(like))
    of_g, of_x = number(error.exponent - unit, error.of_g, like), number(error.exponent - unit, error.of_x, like)
    total = product = square = more = product_2 = square_2 = splat(like, 0.0)
    for i in range(0, rows(cell.width) * LANES, 2 * LANES):
        j, k, m = i + LANES, at + i, at + i + LANES
        y = fma(load(arrays.x, k) - error.mean, of_x, (load(arrays.g, i) - error.mean_g) * of_g)
        v = fma(load(arrays.x, m) - error.mean, of_x, (load(arrays.g, j) - error.mean_g) * of_g)
        y, v = load(arrays.slope, k) * y, load(arrays.slope, m) * v
        store(arrays.x, k, y)
        store(arrays.x, m, v)
        total, more = total + y, more + v
        square, square_2 = fma(y, y, square), fma(v, v, square_2)
        product = fma(y, load(work.stream, start + i) - mean, product)
        product_2 = fma(v, load(work.stream, start + j) - mean, product_2)
    return (total + more, product + product_2, square + square_2), unit


@jit.outlined
def multiply_any_range(neuron, source, layer, work, site, error, found):
    """As `multiply_by_slopes`, which found a square and an exponent; by logarithms where products are out of range."""
    (square, exponent), cell, arrays, width = found, source.cell, work.activated, source.cell.width
    start, at, norm = layer * rows(width) * LANES, place(work, layer, width), kept_norm(work, layer)
    like = load(arrays.x, at)
    mean = norm.mean if site.before else splat(like, 0.0)
    if work.far[layer]:
        evaluate_far(neuron, cell, layer, work, site)
    else:
        scale = convert(norm.inverse, like) if site.before else splat(like, 1.0)
        for i in range(0, width * LANES, LANES):
            h = (load(work.stream, start + i) - mean) * scale
            store(arrays.h, i, h)
            store(arrays.x, at + i, neuron.phi(h, neuron.alpha))
            store(arrays.slope, at + i, neuron.dphi(h, neuron.alpha))
    draw_g(source, work)
    of_g, of_x = (
        number(error.exponent - exponent, error.of_g, like),
        number(error.exponent - exponent, error.of_x, like),
    )
    for i in range(0, width * LANES, LANES):
        y = (load(arrays.g, i) - error.mean_g) * of_g
        store(arrays.g, i, fma(load(arrays.x, at + i) - error.mean, of_x, y))
    tail, zero, size = dphi_tail(neuron), splat(exponent, 0.0), width * LANES
    h, slope, y, u = arrays.h[:size], arrays.slope[at : at + size], arrays.g[:size], arrays.x[at : at + size]
    for i in range(0, size, LANES):
        store(u, i, load(slope, i) * load(y, i))
    square, k = per_lane.rescue(tail, h, slope, y, u, square, zero)
    total = product = splat(like, 0.0)
    for i in range(0, size, LANES):
        v = load(u, i)
        total, product = total + v, fma(v, load(work.stream, start + i) - mean, product)
    return (total, product, square), exponent + k


class Unit(NamedTuple):
    """How an error in units of its own is added to that of the stream."""

    of_own: np.ndarray  # factor of the stream's error
    shift: np.ndarray  # log2 of that of the other
    exponent: np.ndarray  # of the sum


def unit_of(work, skip, size, exponent):
    """The `Unit` where an error of the level `size`, in units of 2^exponent, is added to that of the stream."""
    own = item(work, 0, ERROR_EXPONENT)
    old = level(sqrt(item(work, 0, ERROR_SQUARE)), own) if skip else splat(own, -per_lane.FAR)
    like = load(work.error, 0)
    unit = unit_at(maximum(size, old), limit(like))
    return Unit(number(own - unit, splat(own, 1.0 if skip else 0.0), like), exponent - unit, unit)


def keep_error(work, square, along, exponent):
    """Keep the square of the error of the stream, its product with z below, and its exponent."""
    keep(work, 0, ERROR_SQUARE, convert(square, 1.0))
    keep(work, 0, ERROR_ALONG, convert(along, 1.0))
    keep(work, 0, ERROR_EXPONENT, exponent)


def add_through_slopes(cell, layer, work, skip, error, length):
    """Add phi'(h) y to the error of the stream, y an `Affine` of g and a; returns the square of the sum."""
    arrays, size, at = work.activated, rows(cell.width) * LANES, place(work, layer, cell.width)
    like, z = load(arrays.x, 0), (layer - 1) * size
    unit = unit_of(work, skip, size_of(error, splat(length, float(cell.width) ** 0.5), length), error.exponent)
    of_g, of_x = number(unit.shift, error.of_g, like), number(unit.shift, error.of_x, like)
    even = odd = along = along_odd = splat(like, 0.0)
    for i in range(0, size, 2 * LANES):
        k, m = at + i, at + i + LANES
        y = fma(load(arrays.x, k) - error.mean, of_x, (load(arrays.g, i) - error.mean_g) * of_g)
        v = fma(load(arrays.x, m) - error.mean, of_x, (load(arrays.g, i + LANES) - error.mean_g) * of_g)
        d = fma(load(arrays.slope, k), y, load(work.error, i) * unit.of_own)
        e = fma(load(arrays.slope, m), v, load(work.error, i + LANES) * unit.of_own)
        store(work.error, i, d)
        store(work.error, i + LANES, e)
        even, odd = fma(d, d, even), fma(e, e, odd)
        along, along_odd = fma(load(work.z, z + i), d, along), fma(load(work.z, z + i + LANES), e, along_odd)
    keep_error(work, even + odd, along + along_odd, unit.exponent)
    return even + odd


def add_error(cell, layer, work, skip, place_of, error, length):
    """Add an `Affine` of a vector of that length and of the stream to the error of the stream.

    `place_of` is the array of the vector, and where it begins.
    """
    vector, at = place_of
    start, like = layer * rows(cell.width) * LANES, splat(load(work.error, 0), 0.0)
    z, stop = (layer - 1) * rows(cell.width) * LANES, cell.width * LANES
    size = size_of(error, length, sqrt(item(work, layer, SQUARE)))
    unit = unit_of(work, skip, size, error.exponent)
    of_vector, of_x = number(unit.shift, error.of_g, like), number(unit.shift, error.of_x, like)
    even = odd = along = along_odd = like
    for i in range(0, stop - LANES, 2 * LANES):
        k = i + LANES
        d = fma(load(vector, at + i) - error.mean_g, of_vector, (load(work.stream, start + i) - error.mean) * of_x)
        e = fma(load(vector, at + k) - error.mean_g, of_vector, (load(work.stream, start + k) - error.mean) * of_x)
        d, e = fma(load(work.error, i), unit.of_own, d), fma(load(work.error, k), unit.of_own, e)
        store(work.error, i, d)
        store(work.error, k, e)
        even, odd = fma(d, d, even), fma(e, e, odd)
        along, along_odd = fma(load(work.z, z + i), d, along), fma(load(work.z, z + k), e, along_odd)
    if cell.width % 2 == 1:
        i = stop - LANES
        d = fma(load(vector, at + i) - error.mean_g, of_vector, (load(work.stream, start + i) - error.mean) * of_x)
        d = fma(load(work.error, i), unit.of_own, d)
        store(work.error, i, d)
        even, along = fma(d, d, even), fma(load(work.z, z + i), d, along)
    keep_error(work, even + odd, along + along_odd, unit.exponent)


jit.register_leaves(__name__, inline=True)
