"""A block backward: the part of the stream's error along the stream, and its length across it (see `schedule`)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gradsim_core import jit
from gradsim_core.lanes import absolute, convert, fma, maximum, select, sqrt
from gradsim_core.parameters import SUM_DELTA, SUM_X
from gradsim_core.rng.chi_squares import chi_square_pair
from gradsim_core.rng.normals import normal_pair
from gradsim_core.rng.philox import RADIAL_STREAM, random_words
from gradsim_core.scaling.per_lane import scaled
from gradsim_core.schedules.radial import Backward, error_of
from gradsim_core.schedules.radial_slopes import sides_at
from gradsim_core.schedules.side_by_side import record
from gradsim_core.schedules.streams.blocks import sum_of
from gradsim_core.schedules.streams.inner import of_width
from gradsim_core.schedules.streams.numbers import inverse, level, unit_at

from .forward import LIMIT
from .numbers import (
    ACROSS,
    AFTER,
    ALONG,
    BEFORE,
    BIAS_SHARE,
    COSINE,
    COUNT,
    IN_PLANE,
    INNER,
    INNER_EXPONENT,
    NEGATIVE,
    NORMALS,
    OF_BIAS,
    OUTPUT,
    OUTSIDE_NEGATIVE,
    OUTSIDE_POSITIVE,
    POSITIVE,
    REST,
    SEEN,
    SEEN_EXPONENT,
    SHARE,
    SINE,
    SPREAD,
    SPREAD_REST,
    TURN,
    TURN_REST,
    item,
    source,
)


class Error(NamedTuple):
    """An error: its component along a vector, and its square across it, in units of 2^exponent and 4^exponent."""

    along: np.ndarray
    across: np.ndarray
    exponent: np.ndarray


class InPlane(NamedTuple):
    """The error of the stream after a block: along x, across it in the plane of x and x', and its square outside."""

    of_x: np.ndarray
    of_branch: np.ndarray
    outside: np.ndarray
    exponent: np.ndarray


def through_norm(work, layer, place, error):
    """The error of x, from that of rms(x): both as an `Error` beside x."""
    factor, floor = item(work, layer, place), item(work, layer, place + 2)
    exponent = error.exponent - item(work, layer, place + 1)
    return Error(error.along * factor * floor, error.across * factor * factor, exponent)


def read_out(cell, group, layer, work, like):
    """Draw the error of the last stream, of a random readout."""
    a, b, _, _ = random_words(cell.key, group, 0, RADIAL_STREAM, NORMALS)
    along, _ = normal_pair(a, b, like)
    across, _ = chi_square_pair(source(cell, group, 0), REST, like + (cell.width - 1.0), like)
    along, across = convert(along, 1.0) / cell.width**0.5, convert(across, 1.0) / cell.width
    error = Error(along, across, along * 0.0)
    return through_norm(work, layer + 1, BEFORE, error) if work.form.before else error


def turn(work, layer, error):
    """The error after a block, which is known beside x', beside x: across x' it has any direction."""
    normal, rest = item(work, layer, TURN), item(work, layer, TURN_REST)
    share = inverse(fma(normal, normal, rest))
    turned, outside = sqrt(error.across * share) * normal, error.across * share * rest
    cosine, sine = item(work, layer, COSINE), item(work, layer, SINE)
    of_x = error.along * cosine - turned * sine
    return InPlane(of_x, error.along * sine + turned * cosine, outside, error.exponent)


def branch_error(work, layer, error):
    """The error e of V f: e . V f in units of tau, and |e|^2, as an `Error`."""
    along, across, alpha = item(work, layer, ALONG), item(work, layer, ACROSS), work.alpha
    exponent = error.exponent + alpha.power
    product = fma(along, error.of_x, across * error.of_branch)
    square = fma(error.of_x, error.of_x, fma(error.of_branch, error.of_branch, error.outside))
    if work.form.output:
        size = fma(along, along, across * across)
        other = fma(along, error.of_branch, -(across * error.of_x))
        factor, floor = item(work, layer, OUTPUT), item(work, layer, OUTPUT + 2)
        product = product * floor
        square = (fma(other, other, product * product) * inverse(size) + error.outside) * factor * factor
        product, exponent = product * factor, exponent - item(work, layer, OUTPUT + 1)
    return Error(product * alpha.value, square * alpha.value * alpha.value, exponent)


@jit.inlined
def inner_error(matrix, sides, cell, layer, work, error):
    """u = phi'(h) V^T e: |u|^2 and z' . u, where W y = v share z', as an `Error`."""
    positive, negative = item(work, layer, POSITIVE), item(work, layer, NEGATIVE)
    sides, weight = sides_at(sides, of_width(cell, work.form.inner), item(work, layer, COUNT)), work.weight
    across = error.across * weight.value * weight.value
    outside = sides.above * sides.above * item(work, layer, OUTSIDE_POSITIVE)
    in_plane = positive * 0.0
    if sides.both:
        outside = fma(sides.below * sides.below, item(work, layer, OUTSIDE_NEGATIVE), outside)
        in_plane = select((positive > 0.0) & (negative > 0.0), item(work, layer, IN_PLANE), 0.0)
    y = Backward(error.along * weight.value, across, error.exponent, in_plane)
    u = error_of(matrix, sides, positive, negative, y, in_plane, across * outside)
    along = u.along
    if cell.sigma_b > 0.0:
        fresh = item(work, layer, BIAS_SHARE) * sqrt(u.square) * item(work, layer, OF_BIAS)
        along = fma(item(work, layer, SHARE), along, fresh)
    return Error(along, u.square, error.exponent + weight.power + sides.exponent)


def add(cell, layer, work, error, other):
    """The error of the stream before a block, beside x: that after it, and what comes through the branch."""
    size = maximum(absolute(other.along), sqrt(other.across))
    length = sqrt(fma(error.of_branch, error.of_branch, error.outside))
    own = maximum(absolute(error.of_x), length)
    unit = unit_at(maximum(level(own, error.exponent), level(size, other.exponent)), LIMIT)
    old, new = error.exponent - unit, other.exponent - unit
    along = scaled(old, error.of_x) + scaled(new, other.along)
    if cell.width == 1:
        return Error(along, along * 0.0, unit)
    deviation = scaled(new, sqrt(other.across))
    beside = fma(deviation, item(work, layer, SPREAD), scaled(old, length))
    across = fma(beside, beside, deviation * deviation * item(work, layer, SPREAD_REST))
    return Error(along, across, unit)


@jit.inlined
def run_block_backward(matrix, sides, cell, layer, work, error):
    """Run a block backward, from the `Error` of the stream after it, beside it, to that before it; records sums."""
    form, delta, unit = work.form, fma(error.along, error.along, error.across), error.exponent
    record(work, SUM_DELTA, layer, delta, unit)
    if form.after:
        error = through_norm(work, layer, AFTER, error)
    after = turn(work, layer, error)
    e = branch_error(work, layer, after)
    u = inner_error(matrix, sides, cell, layer, work, e)
    of_last, last = e.across * item(work, layer, INNER), e.exponent + item(work, layer, INNER_EXPONENT)
    of_first, first = u.across * item(work, layer, SEEN), u.exponent + item(work, layer, SEEN_EXPONENT)
    gradient, exponent = sum_of(of_last, last, of_first, first)
    record(work, SUM_X, layer, select(delta == 0.0, delta, gradient / delta), exponent - unit)
    weight = work.first_weight
    y = Error(u.along * weight.value, u.across * weight.value * weight.value, u.exponent + weight.power)
    if form.before:
        y = through_norm(work, layer, BEFORE, y)
    return add(cell, layer, work, after, y)


jit.register_leaves(__name__, inline=True)
