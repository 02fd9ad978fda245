"""Where a branch leaves the stream: norms and the activation, forward, and backward onto the error of the stream.

The vector x of a stream, with an exponent, becomes what a matrix meets: x, norm(x), phi(x), phi(norm(x)) or
norm(phi(x)). Norms have the form (x - mean) inverse, and their backward pass is a combination of vectors with a few
numbers per network, so that each takes one pass over the neurons and a few sums.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gradsim_core import jit
from gradsim_core.lanes import (
    LANES,
    absolute,
    anywhere,
    convert,
    fma,
    halves,
    join,
    load,
    load_four,
    maximum,
    select,
    splat,
    sqrt,
    store,
    store_four,
)
from gradsim_core.operations.standardise import EPSILON
from gradsim_core.scaling import per_lane
from gradsim_core.scaling.per_lane import is_extreme, scaled
from gradsim_core.scaling.per_vector import dphi_tail

from .side_by_side import dot, fill, rows
from .stream_numbers import (
    ERROR_ALONG,
    ERROR_EXPONENT,
    ERROR_SQUARE,
    EXPONENT,
    FLOOR,
    INVERSE,
    MEAN,
    SEEN,
    SEEN_EXPONENT,
    SQUARE,
    TOTAL,
    UNIT,
    Combination,
    Seen,
    item,
    keep,
    level,
    limit,
    number,
    unit_at,
)


class Site(NamedTuple):
    """What happens to the stream where a matrix meets it: a norm, the activation, a norm."""

    before: bool
    activates: bool
    after: bool


class Norm(NamedTuple):
    """A norm y = (x - mean) inverse: y is in units of 2^(exponent of x - unit); floor is epsilon's share in the variance."""

    mean: np.ndarray
    inverse: np.ndarray
    unit: np.ndarray
    floor: np.ndarray


class Activated(NamedTuple):
    """Arrays of one layer, (rows, 16), flat, under the names that `per_lane` uses."""

    h: np.ndarray
    x: np.ndarray
    slope: np.ndarray
    g: np.ndarray


def sum_up(array, start, width):
    """Sum over neurons, one per lane; four sums hide the latency. What is beyond the width is zero."""
    a = load(array, start)
    b, c, d = load(array, start + LANES), load(array, start + 2 * LANES), load(array, start + 3 * LANES)
    for k in range(start + 4 * LANES, start + rows(width) * LANES, 4 * LANES):
        a, b = a + load(array, k), b + load(array, k + LANES)
        c, d = c + load(array, k + 2 * LANES), d + load(array, k + 3 * LANES)
    return (a + b) + (c + d)


def dot_of_four(a, i, b, j, width):
    """As `side_by_side.dot`, with four sums: the order of `slopes_of_stream`."""
    p = q = r = s = splat(load(a, i), 0.0)
    for k in range(0, rows(width) * LANES, 4 * LANES):
        (t, u, v, w), (c, d, e, f) = load_four(a, i + k), load_four(b, j + k)
        p, q, r, s = fma(t, c, p), fma(u, d, q), fma(v, e, r), fma(w, f, s)
    return (p + q) + (r + s)


def norm_of(array, start, width, centred, moments, exponent):
    """The `Norm` of a vector in units of 2^exponent, as of `operations.standardise`, from its sum and its square."""
    total, square = moments
    mean, variance = total * 0.0, square / width
    if centred:
        mean = total / width
        m = convert(mean, 1.0)
        variance = fma(-m, m, variance)
        if anywhere(variance * (16.0 * width) < square):  # digits have cancelled
            variance = variance_of(array, start, width, mean)
    return norm_from(mean, variance, exponent)


@jit.outlined
def variance_of(array, start, width, mean):
    """The variance over neurons, in float64, from deviations."""
    square = splat(mean, 0.0)
    for k in range(start, start + width * LANES, LANES):
        d = load(array, k) - mean
        square = fma(d, d, square)
    return convert(square, 1.0) / width


def norm_from(mean, variance, exponent):
    """The `Norm` of a vector of that mean and variance."""
    # Below this, epsilon outweighs the variance.
    unit = maximum(exponent, -40.0)
    epsilon = scaled(unit * -2.0, splat(unit, EPSILON))
    total = variance + epsilon
    inverse = select(total > 0.0, 1.0 / sqrt(total), 0.0)
    return Norm(mean, inverse, unit, epsilon * inverse * inverse)


def keep_norm(work, layer, norm):
    """Keep a norm of the stream at a layer."""
    keep(work, layer, MEAN, convert(norm.mean, 1.0))
    keep(work, layer, INVERSE, norm.inverse)
    keep(work, layer, UNIT, norm.unit)
    keep(work, layer, FLOOR, norm.floor)


def kept_norm(work, layer):
    """What `keep_norm` kept."""
    mean = convert(item(work, layer, MEAN), load(work.error, 0))
    return Norm(mean, item(work, layer, INVERSE), item(work, layer, UNIT), item(work, layer, FLOOR))


@jit.outlined
def enter(neuron, cell, layer, work, site):
    """Compute what the matrix above a layer of the stream meets; keeps its `Seen`, which is returned."""
    start, exponent = layer * rows(cell.width) * LANES, item(work, layer, EXPONENT)
    square, zero = item(work, layer, SQUARE), splat(load(work.error, 0), 0.0)
    mean, scale = zero, splat(exponent, 1.0)
    if site.before:
        moments = convert(item(work, layer, TOTAL), zero), square
        norm = norm_of(work.stream, start, cell.width, work.centred, moments, exponent)
        keep_norm(work, layer, norm)
        square, exponent = (splat(exponent, 1.0) - norm.floor) * cell.width, exponent - norm.unit
        mean, scale = norm.mean, norm.inverse
    if site.activates:
        far = anywhere((exponent != 0.0) | (per_lane.placed(level(sqrt(square), 0.0), limit(zero)) != 0.0))
        found = zero
        if not far:
            found = activate_stream(neuron, work, layer, cell.width, (mean, convert(scale, zero)), site.after)
            far = is_extreme(found, neuron.has_tails[0])
        work.far[layer] = far
        if far:
            found, exponent = activate_far(neuron, work, layer, cell.width, (mean, scale), (square, exponent))
        square = convert(found, 1.0)
    if site.after:
        at = place(work, layer, cell.width)
        moments = sum_up(work.activated.x, at, cell.width) if work.centred else zero, square
        norm = norm_of(work.activated.x, at, cell.width, work.centred, moments, exponent)
        keep_norm(work, layer, norm)
        square, exponent = (splat(exponent, 1.0) - norm.floor) * cell.width, exponent - norm.unit
    keep(work, layer, SEEN, square)
    keep(work, layer, SEEN_EXPONENT, exponent)
    return Seen(square, exponent)


@jit.inlined
def joined(array, i, mean, scale):
    """(x - mean) scale of four neurons as one vector, so that the processor overlaps their four chains of operations."""
    a, b, c, d = load_four(array, i)
    return join(join((a - mean) * scale, (b - mean) * scale), join((c - mean) * scale, (d - mean) * scale))


@jit.inlined
def quarters(values):
    """The four neurons that are one vector, in pairs."""
    first, second = halves(values)
    return halves(first), halves(second)


@jit.inlined
def store_joined(array, i, values):
    """Write four neurons that are one vector."""
    (a, b), (c, d) = quarters(values)
    store_four(array, i, a, b, c, d)


def place(work, layer, width):
    """Where a layer begins in `activated.x` and `activated.slope`."""
    return layer * rows(width) * LANES if work.remembers else 0


def clear_padding(array, start, width):
    """Write zeros beyond the width."""
    for i in range(start + width * LANES, start + rows(width) * LANES, LANES):
        store(array, i, splat(load(array, i), 0.0))


def activate_stream(neuron, work, layer, width, norm, stored):
    """Compute a = phi((x - mean) scale), and phi' if it is remembered; returns |a|^2. `stored`: whether a is needed."""
    (mean, scale), stored = norm, stored or work.remembers
    at, start, full = place(work, layer, width), layer * rows(width) * LANES, width // 4 * 4 * LANES
    x = work.activated.x
    a = b = c = d = splat(mean, 0.0)
    for i in range(0, full, 4 * LANES):
        h = joined(work.stream, start + i, mean, scale)
        (p, q), (r, s) = quarters(neuron.phi(h, neuron.alpha))
        if stored:
            store_four(x, at + i, p, q, r, s)
        if work.remembers:
            store_joined(work.activated.slope, at + i, neuron.dphi(h, neuron.alpha))
        a, b, c, d = fma(p, p, a), fma(q, q, b), fma(r, r, c), fma(s, s, d)
    if width % 4 != 0:
        h = joined(work.stream, start + full, mean, scale)
        store_joined(x, at + full, neuron.phi(h, neuron.alpha))
        store_joined(work.activated.slope, at + full, neuron.dphi(h, neuron.alpha))
        clear_padding(x, at, width)
        clear_padding(work.activated.slope, at, width)
        p, q, r, s = load_four(x, at + full)
        a, b, c, d = fma(p, p, a), fma(q, q, b), fma(r, r, c), fma(s, s, d)
    return (a + b) + (c + d)


@jit.outlined
def activate_far(neuron, work, layer, width, norm, seen):
    """As `activate_stream` and `slopes_of_stream`, in any range; returns |a|^2 and the exponent of a."""
    (mean, scale), (square, exponent), start = norm, seen, layer * rows(width) * LANES
    shift = per_lane.placed(level(sqrt(square), exponent), limit(mean))
    factor = number(exponent - shift, scale, mean)
    for i in range(0, width * LANES, LANES):
        store(work.activated.h, i, (load(work.stream, start + i) - mean) * factor)
    at = place(work, layer, width)
    found = per_lane.activate_any_range(neuron, width, work.activated, at, shift)
    clear_padding(work.activated.x, at, width)
    clear_padding(work.activated.slope, at, width)
    return found


def slopes_of_stream(neuron, work, start, width, mean, scale):
    """Compute a = phi((x - mean) scale) and phi' again; returns a . g."""
    x, slope, g = work.activated.x, work.activated.slope, work.activated.g
    a = b = c = d = splat(mean, 0.0)
    for i in range(0, width * LANES, 4 * LANES):
        h = joined(work.stream, start + i, mean, scale)
        (p, q), (r, s) = quarters(neuron.phi(h, neuron.alpha))
        store_four(x, i, p, q, r, s)
        store_joined(slope, i, neuron.dphi(h, neuron.alpha))
        e, f, u, v = load_four(g, i)  # zero beyond the width
        a, b, c, d = fma(p, e, a), fma(q, f, b), fma(r, u, c), fma(s, v, d)
    clear_padding(x, 0, width)
    clear_padding(slope, 0, width)
    return (a + b) + (c + d)


@jit.outlined
def evaluate_again(neuron, cell, layer, work, site, source):
    """Draw g from a source; compute a and phi' of a layer again where there is an activation.

    Returns
    -------
    inner, total : float64 vectors
        x . g of what the matrix above meets, and where that is a norm the sum of g, else 0.
    """
    start, width, g = layer * rows(cell.width) * LANES, cell.width, work.activated.g
    inner = total = splat(load(work.error, 0), 0.0)
    norm = kept_norm(work, layer)
    if not site.activates:
        draw_g(source, work)
        inner = dot(work.stream, start, g, 0, width)
    elif work.far[layer]:
        evaluate_far(neuron, cell, layer, work, site)
        draw_g(source, work)
        inner = dot(work.activated.x, place(work, layer, width), g, 0, width)
    elif work.remembers:
        draw_g(source, work)
        inner = dot_of_four(work.activated.x, start, g, 0, width)
    else:
        draw_g(source, work)
        mean, scale = (norm.mean, convert(norm.inverse, total)) if site.before else (total, splat(total, 1.0))
        inner = slopes_of_stream(neuron, work, start, width, mean, scale)
    of_x = convert(inner, 1.0)
    if site.after or (site.before and not site.activates):
        if work.centred:
            total = sum_up(g, 0, width)
        of_x = fma(convert(norm.mean, 1.0), -convert(total, 1.0), of_x) * norm.inverse
    return of_x, convert(total, 1.0)


def draw_g(source, work):
    """Draw g at a layer of the stream."""
    cell, group, layer, role = source
    fill(cell, group, layer, role, work.words, work.activated.g, 0)


@jit.outlined
def evaluate_far(neuron, cell, layer, work, site):
    """Compute a and phi' of a layer again, in any range; overwrites g."""
    zero = splat(load(work.error, 0), 0.0)
    square, exponent = item(work, layer, SQUARE), item(work, layer, EXPONENT)
    mean, scale = zero, splat(exponent, 1.0)
    if site.before:
        norm = kept_norm(work, layer)
        mean, scale, exponent = norm.mean, norm.inverse, exponent - norm.unit
        square = (splat(exponent, 1.0) - norm.floor) * cell.width
    activate_far(neuron, work, layer, cell.width, (mean, scale), (square, exponent))


class Affine(NamedTuple):
    """of_g (g - mean_g) + of_x (x - mean), in units of 2^exponent; all but the means in float64."""

    of_g: np.ndarray
    mean_g: np.ndarray
    of_x: np.ndarray
    mean: np.ndarray
    exponent: np.ndarray


def through_norm(cell, work, norm, y, exponent, products):
    """The error of x, where y = of_g g + of_x n is that of n = norm(x), and n is in units of 2^exponent."""
    inner, total = products
    # The formulas are those of the true values of n.
    share = scaled(exponent * 2.0, splat(inner, 1.0 / cell.width))
    of_n = (y.of_x * norm.floor - y.of_g * inner * share) * norm.inverse
    mean_g = convert(total, norm.mean) / cell.width if work.centred else norm.mean * 0.0
    return Affine(y.of_g * norm.inverse, mean_g, of_n * norm.inverse, norm.mean, y.exponent - norm.unit)


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
