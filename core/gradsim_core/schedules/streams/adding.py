"""The error of a stream: terms are added to it in one pass, which sums up what the block below needs.

That is the square of the error, and its product with z of the block. z is what the stream has gained, (x' - of_x x) /
of_z, so it is stored only where this difference would lose digits.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gradsim_core import jit
from gradsim_core.lanes import LANES, convert, fma, load, maximum, select, splat, store
from gradsim_core.scaling import per_lane
from gradsim_core.schedules.side_by_side import rows

from .numbers import (
    ERROR_ALONG,
    ERROR_EXPONENT,
    ERROR_SQUARE,
    INVERSE_OF_Z,
    OF_X,
    SQUARE,
    item,
    keep,
    level,
    level_of,
    limit,
    number,
    unit_at,
)


class Terms(NamedTuple):
    """What is added to the error: of_p (p - mean_p) + of_q q + of_x (x - mean) - shift, in units of 2^exponent.

    x is the stream.
    """

    p: np.ndarray
    at: int  # where p begins
    mean_p: np.ndarray  # in the precision of the run, as `mean`
    q: np.ndarray
    of_p: np.ndarray  # float64, as all factors, and the shift
    of_q: np.ndarray
    of_x: np.ndarray
    mean: np.ndarray
    shift: np.ndarray
    exponent: np.ndarray


class Normals(NamedTuple):
    """Where z of a layer is: (p - of_q q) scale, p and q read from their places on."""

    p: np.ndarray
    at: int
    q: np.ndarray
    at_q: int
    of_q: np.ndarray
    scale: np.ndarray


def size_of(affine, g, x):
    """The level of an `Affine`, at most, from those of g and of x - mean."""
    none = -per_lane.FAR
    top = maximum(select(g > none, level(affine.of_g, g), none), select(x > none, level(affine.of_x, x), none))
    return select(top > none, top + affine.exponent + 1.0, none)


def keep_error(work, square, along, exponent):
    """Keep the square of the error of the stream, its product with z below, and its exponent."""
    keep(work, 0, ERROR_SQUARE, convert(square, 1.0))
    keep(work, 0, ERROR_ALONG, convert(along, 1.0))
    keep(work, 0, ERROR_EXPONENT, exponent)


def normals_at(work, layer, size):
    """The `Normals` of the block below a layer of the stream, whose vectors have `size` numbers."""
    like, below = load(work.error, 0), (layer - 1) * size
    if work.stored[layer]:
        return Normals(work.z, below, work.z, below, splat(like, 0.0), splat(like, 1.0))
    of_q, scale = convert(item(work, layer, OF_X), like), convert(item(work, layer, INVERSE_OF_Z), like)
    below = below if work.form.skip else layer * size  # not read again for nothing: of_q is 0
    return Normals(work.stream, layer * size, work.stream, below, of_q, scale)


def z_at(normals, i):
    """z of a neuron, without its scale."""
    return fma(load(normals.q, normals.at_q + i), -normals.of_q, load(normals.p, normals.at + i))


@jit.inlined
def error_at(work, terms, start, i, factors):
    """The error of a neuron after the terms are added."""
    own, of_p, of_q, of_x, shift = factors
    rest = fma(load(work.stream, start + i) - terms.mean, of_x, fma(load(work.error, i), own, -shift))
    return fma(load(terms.q, i), of_q, fma(load(terms.p, terms.at + i) - terms.mean_p, of_p, rest))


def add_to_error(cell, layer, work, skip, terms, size):
    """Add `Terms` of the level `size` to the error of the stream, or begin it with them."""
    own, like = item(work, 0, ERROR_EXPONENT), load(work.error, 0)
    old = level_of(item(work, 0, ERROR_SQUARE), own) if skip else splat(own, -per_lane.FAR)
    unit = unit_at(maximum(size, old), limit(like))
    k, one = terms.exponent - unit, splat(own, 1.0 if skip else 0.0)
    factors = (
        number(own - unit, one, like),
        number(k, terms.of_p, like),
        number(k, terms.of_q, like),
        number(k, terms.of_x, like),
        number(k, terms.shift, like),
    )
    start, stop = layer * rows(cell.width) * LANES, cell.width * LANES
    z = normals_at(work, layer, rows(cell.width) * LANES)
    even = odd = along = along_odd = splat(like, 0.0)
    for i in range(0, stop - LANES, 2 * LANES):
        d, e = error_at(work, terms, start, i, factors), error_at(work, terms, start, i + LANES, factors)
        store(work.error, i, d)
        store(work.error, i + LANES, e)
        even, odd = fma(d, d, even), fma(e, e, odd)
        along, along_odd = fma(z_at(z, i), d, along), fma(z_at(z, i + LANES), e, along_odd)
    if cell.width % 2 == 1:
        d = error_at(work, terms, start, stop - LANES, factors)
        store(work.error, stop - LANES, d)
        even, along = fma(d, d, even), fma(z_at(z, stop - LANES), d, along)
    keep_error(work, even + odd, (along + along_odd) * z.scale, unit)


def add_affine(cell, layer, work, skip, affine, vector, size):
    """Add an `Affine` of a vector, its array and where it begins, and of the stream to the error of the stream."""
    p, at = vector
    zero = splat(affine.of_g, 0.0)
    terms = Terms(p, at, affine.mean_g, work.error, affine.of_g, zero, affine.of_x, affine.mean, zero, affine.exponent)
    add_to_error(cell, layer, work, skip, terms, size_of(affine, size, level_of(item(work, layer, SQUARE), 0.0)))


jit.register_leaves(__name__, inline=True)
