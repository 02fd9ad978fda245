"""The error of a stream: what comes back through the site of a branch is added to it.

Where nothing is far from 1, one pass does it (`terms_through_slopes`). Else u = phi'(h) y is computed first.
"""

from __future__ import annotations

from gradsim_core import jit
from gradsim_core.lanes import LANES, anywhere, convert, fma, load, maximum, splat, sqrt, store
from gradsim_core.scaling import per_lane
from gradsim_core.scaling.per_lane import is_extreme
from gradsim_core.scaling.per_vector import dphi_tail
from gradsim_core.schedules.side_by_side import rows

from .across import remove_along
from .adding import Terms, add_affine, add_to_error, size_of
from .again import Products, draw_g, evaluate_apart, evaluate_far, in_one_pass
from .norms import Affine, kept_norm, through_norm
from .numbers import (
    ERROR_EXPONENT,
    ERROR_SQUARE,
    EXPONENT,
    SEEN,
    SEEN_EXPONENT,
    SQUARE,
    Combination,
    item,
    level_of,
    limit,
    number,
    unit_at,
)
from .sites import place
from .sums import leave_by_sums


@jit.outlined
def leave(neuron, source, work, site, y, products, skip):
    """Add to the error of the stream at a layer what comes through its site.

    Parameters
    ----------
    neuron : Neuron
    source : Source
        Of g; its layer is that above.
    work : StreamWork
        Keeps the square of the error and its exponent; changes `error`, unless sums suffice (see `sums`); overwrites
        `activated`.
    site : Site
    y : Combination
        The error of what the matrix above meets, a combination of it and of g.
    products : Products
    skip : bool
        Whether the error of the stream remains, or starts here.
    """
    (cell, _, layer, _), zero = source, splat(y.of_g, 0.0)
    layer = layer - 1 if layer > 0 else cell.depth
    none = splat(load(work.error, 0), 0.0)
    affine, norm, arrays = Affine(y.of_g, none, y.of_x, none, y.exponent), kept_norm(work, layer), work.activated
    if not site.activates:
        if site.before:
            affine = through_norm(cell, work, norm, y, item(work, layer, SEEN_EXPONENT), products)
        add_affine(cell, layer, work, skip, affine, (arrays.g, 0), level_of(zero + float(cell.width), 0.0))
        return
    if not skip and in_one_pass(work, layer):
        if leave_by_sums(neuron, cell, layer, work, site, y, products):
            return
        evaluate_apart(neuron, source, work, layer, site)
    elif in_one_pass(work, layer):
        terms, size = terms_through_slopes(cell, layer, work, site, y, products)
        own = level_of(item(work, 0, ERROR_SQUARE), item(work, 0, ERROR_EXPONENT))
        # The size is a bound: slopes of 0 may leave only the error of the stream, which must not vanish beside it.
        if not anywhere((own > -per_lane.FAR) & (size > own + limit(none))):
            add_to_error(cell, layer, work, skip, terms, size)
            return
        evaluate_apart(neuron, source, work, layer, site)
    square = item(work, layer, SEEN)
    if site.after:
        affine = through_norm(cell, work, norm, y, item(work, layer, SEEN_EXPONENT), products)
        square = square / (norm.inverse * norm.inverse)
    return_through_slopes(neuron, source, work, site, affine, square, skip)


@jit.outlined
def return_through_slopes(neuron, source, work, site, error, square, skip):
    """Add to the error of the stream what comes back through phi' from the `Affine` error e of a.

    |a - error.mean|^2 is bounded by `square`. Returns u . (x - m), |u| and their exponent, where u = phi' e, and m is
    the mean of the stream x if a norm comes before the activation, else 0.
    """
    cell, layer = source.cell, source.layer - 1 if source.layer > 0 else source.cell.depth
    arrays, norm = work.activated, kept_norm(work, layer)
    zero, none = splat(error.of_g, 0.0), splat(norm.mean, 0.0)
    mean = norm.mean if site.before else none
    sums, exponent = multiply_by_slopes(cell, layer, work, mean, error, level_of(square, 0.0))
    if is_extreme(sums[2], neuron.has_tails[1]):
        sums, exponent = multiply_any_range(neuron, source, layer, work, site, error, (sums[2], exponent))
    total, product, square = convert(sums[0], 1.0), convert(sums[1], 1.0), convert(sums[2], 1.0)
    affine = Affine(splat(zero, 1.0), none, zero, norm.mean, exponent)
    if site.before:
        affine = through_norm_of_sums(cell, layer, work, exponent, product, total)
    u = arrays.x, place(work, layer, cell.width)
    add_affine(cell, layer, work, skip, affine, u, level_of(square, 0.0))
    return product, sqrt(square), exponent


def through_norm_of_sums(cell, layer, work, exponent, product, total):
    """The error of x as an `Affine` of the error u of norm(x), from u . (x - mean) and the sum of u."""
    norm, one = kept_norm(work, layer), splat(exponent, 1.0)
    products = Products(product * norm.inverse, total, (norm.mean, norm.mean, norm.mean, norm.mean))
    y = Combination(one, exponent * 0.0, exponent)
    return through_norm(cell, work, norm, y, item(work, layer, EXPONENT) - norm.unit, products)


def terms_through_slopes(cell, layer, work, site, y, products):
    """The `Terms` that come through phi' and perhaps a norm, from the sums of `again`, and their level at most."""
    arrays, zero, none = work.activated, splat(y.of_g, 0.0), splat(load(work.error, 0), 0.0)
    root, length = level_of(zero + float(cell.width), 0.0), level_of(item(work, layer, SEEN), 0.0)
    size = size_of(Affine(y.of_g, none, y.of_x, none, y.exponent), root, length)
    terms = Terms(arrays.g, 0, none, arrays.h, y.of_g, y.of_x, zero, none, zero, y.exponent)
    if site.before:
        u_x, v_x, total_u, total_v, _, _, _, _, _ = products.sums
        product = fma(convert(u_x, 1.0), y.of_g, convert(v_x, 1.0) * y.of_x)
        total = fma(convert(total_u, 1.0), y.of_g, convert(total_v, 1.0) * y.of_x)
        of_u = through_norm_of_sums(cell, layer, work, y.exponent, product, total)
        shift = of_u.of_g * convert(of_u.mean_g, 1.0)
        factors = y.of_g * of_u.of_g, y.of_x * of_u.of_g
        terms = Terms(arrays.g, 0, none, arrays.h, *factors, of_u.of_x, of_u.mean, shift, of_u.exponent)
        own = Affine(factors[0], none, factors[1], none, of_u.exponent)
        rest = Affine(of_u.of_x, none, zero, none, of_u.exponent)
        size = maximum(size_of(own, root, length), size_of(rest, level_of(item(work, layer, SQUARE), 0.0), root))
    return terms, size


def multiply_by_slopes(cell, layer, work, mean, error, length):
    """Compute u = phi'(h) y in the place of a; returns the sums of u, u (x - mean) and u^2, and the exponent of u.

    `mean` is that of x; `length` is the level of |a - mean|, at most.
    """
    arrays, start, at = work.activated, layer * rows(cell.width) * LANES, place(work, layer, cell.width)
    like, root = load(arrays.x, 0), level_of(splat(length, float(cell.width)), 0.0)
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
    if work.form.narrow:
        remove_along(work, layer, width, site)
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


jit.register_leaves(__name__, inline=True)
