"""Networks of few neurons with norms and without branches: what comes back along a vector is carried as a number.

The product v . dC/dv of a vector v is the same on both sides of a matrix, (W x) . e = x . (W^T e), and on both sides of
an activation that is a line on each side of 0; a norm multiplies it by epsilon / (variance + epsilon), about 1e-5. In a
layer with one live neuron it is all of the gradient that comes back: what is orthogonal to the vector is 0. As a
difference of numbers near 1 this would be rounding. So the product has an exponent of its own and is carried from layer
to layer, and what is orthogonal is found without cancellation (`across`).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gradsim_core import jit
from gradsim_core.lanes import LANES, absolute, convert, fma, load, maximum, minimum, select, splat, sqrt
from gradsim_core.scaling.per_lane import scaled
from gradsim_core.scaling.per_vector import reach
from gradsim_core.schedules.side_by_side import rows

from .across import remove_along
from .again import evaluate_apart
from .errors import return_through_slopes
from .norms import Affine, kept_norm
from .numbers import (
    BIAS_SHARE,
    ERROR_EXPONENT,
    ERROR_SQUARE,
    EXPONENT,
    INVERSE_OF_Z,
    PRODUCT,
    PRODUCT_EXPONENT,
    SEEN,
    SEEN_EXPONENT,
    SHARE,
    SQUARE,
    along_weights,
    inverse,
    item,
    keep,
    level,
)
from .sites import place


class Scaled(NamedTuple):
    """A number per network, in units of 2^exponent."""

    value: np.ndarray
    exponent: np.ndarray


def settled(value, exponent):
    """The `Scaled` number with a value near 1."""
    top = level(value, exponent)
    top = select(value == 0.0, 0.0, top)
    return Scaled(scaled(exponent - top, value), top)


def sum_of_two(a, b):
    """The sum of two `Scaled` numbers."""
    top = maximum(level(a.value, a.exponent), level(b.value, b.exponent))
    return settled(scaled(a.exponent - top, a.value) + scaled(b.exponent - top, b.value), top)


def product_of_seen(cell, group, layer, work):
    """x . (W^T e), `Scaled`, where e is the error of h = W x + b = v z, from h . e."""
    found, exponent = Scaled(item(work, 0, PRODUCT), item(work, 0, PRODUCT_EXPONENT)), item(work, layer, EXPONENT)
    if cell.sigma_b == 0.0:
        return found
    of_error, v = item(work, 0, ERROR_EXPONENT), inverse(item(work, layer, INVERSE_OF_Z))
    along = scaled(found.exponent - exponent - of_error, found.value) * inverse(v)
    shares = item(work, layer, SHARE), item(work, layer, BIAS_SHARE)
    along = along_weights(cell, group, layer, sqrt(item(work, 0, ERROR_SQUARE)), along, shares)
    return settled(v * shares[0] * along, exponent + of_error)


def leave_narrow(neuron, source, work, site, across, along):
    """Replace the error of the stream at a layer by that at the layer below it.

    Parameters
    ----------
    neuron : Neuron
    source : Source
        Of g; its layer is that above.
    work : StreamWork
        Changes `error`; keeps its square, its product with the stream, and exponents; overwrites `activated`.
    site : Site
    across : Scaled
        The factor of g, without its part along what the matrix above meets, in the error of that.
    along : Scaled
        The inner product of what the matrix meets with its error.
    """
    cell, layer = source.cell, source.layer - 1 if source.layer > 0 else source.cell.depth
    norm, none = kept_norm(work, layer), splat(load(work.error, 0), 0.0)
    evaluate_apart(neuron, source, work, layer, site)
    remove_along(work, layer, cell.width, site)
    square, of_a, mean = item(work, layer, SEEN), item(work, layer, SEEN_EXPONENT), none
    if site.after:
        across = Scaled(across.value * norm.inverse, across.exponent - norm.unit)
        along, mean = settled(along.value * norm.floor, along.exponent), norm.mean
        of_a, square = of_a + norm.unit, square * inverse(norm.inverse * norm.inverse)
    live, of_g, of_x, size_g, size_x = change_of_product(neuron, work, layer, cell.width, (site, mean, of_a))
    alive = live > 0.0
    exponent = select(alive, across.exponent, along.exponent - of_a)
    across = select(alive, across.value, across.value * 0.0)
    part = scaled(along.exponent - of_a - exponent, along.value) * inverse(square)
    affine = Affine(across, none, part, mean, exponent)
    carried = sum_of_two(along, settled(fma(of_g, across, of_x * part), exponent + of_a))
    terms = fma(size_g, absolute(across), size_x * absolute(part))
    terms = sum_of_two(Scaled(absolute(along.value), along.exponent), settled(terms, exponent + of_a))
    product, length, k = return_through_slopes(neuron, source, work, site, affine, square, False)
    along = more_precise(carried, terms, *as_of_h(cell, work, layer, site, product, length, k))
    if site.before:
        along = settled(along.value * norm.floor, along.exponent)
    keep(work, 0, PRODUCT, along.value)
    keep(work, 0, PRODUCT_EXPONENT, along.exponent)


def as_of_h(cell, work, layer, site, product, length, exponent):
    """What `return_through_slopes` returns of the stream as h . e and |h| |e|, h being what the activation is of."""
    exponent = exponent + item(work, layer, EXPONENT)
    if not site.before:
        return settled(product, exponent), settled(length * sqrt(item(work, layer, SQUARE)), exponent)
    norm = kept_norm(work, layer)
    size = length * sqrt(norm.share * cell.width)
    return settled(product * norm.inverse, exponent - norm.unit), settled(size, exponent - norm.unit)


def more_precise(a, terms_a, b, terms_b):
    """Of two sums for one number the one whose terms are smaller, so that less of it is rounding."""
    top = maximum(level(terms_a.value, terms_a.exponent), level(terms_b.value, terms_b.exponent))
    first = scaled(terms_a.exponent - top, terms_a.value) <= scaled(terms_b.exponent - top, terms_b.value)
    return Scaled(select(first, a.value, b.value), select(first, a.exponent, b.exponent))


@jit.outlined
def change_of_product(neuron, work, layer, width, place_of_a):
    """What an activation adds to the product of a vector and its error: the sum of (h phi' - phi) e.

    e is a combination of g and a - mean; `place_of_a`: the site, the mean and the exponent of a.

    Returns
    -------
    live : vector
        1 where some phi' g is not 0, else 0.
    of_g, of_x, size_g, size_x : float64 vectors
        The sums for g and a - mean in the place of e, and those of the sizes of their terms before they cancel.
    """
    (site, mean, of_a), arrays, norm = place_of_a, work.activated, kept_norm(work, layer)
    at, start, zero = place(work, layer, width), layer * rows(width) * LANES, splat(norm.mean, 0.0)
    center, scale, exponent = zero, splat(zero, 1.0), item(work, layer, EXPONENT) - of_a
    if site.before:
        center, scale, exponent = norm.mean, convert(norm.inverse, zero), exponent - norm.unit
    live, of_g, of_x, size_g, size_x, bound = zero, zero, zero, zero, zero, 2.0 ** reach(arrays.x)
    for i in range(0, width * LANES, LANES):
        a, g, slope = load(arrays.x, at + i), load(arrays.g, i), load(arrays.slope, at + i)
        live = select(slope * g != 0.0, splat(live, 1.0), live)
        h = scaled(exponent, (load(work.stream, start + i) - center) * scale)
        linear = maximum(-bound, minimum(bound, h)) * slope
        c, b = linear - a, a - mean
        # A difference of 0 is exact where phi is a line through 0; any other is rounded as its terms are.
        size = select(c == 0.0, 0.0, absolute(linear) + absolute(a))
        of_g, size_g = fma(c, g, of_g), fma(size, absolute(g), size_g)
        of_x, size_x = fma(c, b, of_x), fma(size, absolute(b), size_x)
    return live, convert(of_g, 1.0), convert(of_x, 1.0), convert(size_g, 1.0), convert(size_x, 1.0)


jit.register_leaves(__name__, inline=False)
