"""A block forward: the length of the stream, and the angle by which the branch turns it (see `schedule`)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gradsim_core import jit
from gradsim_core.lanes import convert, maximum, select, sqrt
from gradsim_core.parameters import SUM_H
from gradsim_core.rng.chi_squares import chi_square_pair
from gradsim_core.scaling.per_lane import scaled
from gradsim_core.schedules.radial_slopes import sides_at
from gradsim_core.schedules.side_by_side import record
from gradsim_core.schedules.streams.inner import of_width
from gradsim_core.schedules.streams.norms import norm_from
from gradsim_core.schedules.streams.numbers import Seen, inverse, level, multiply, unit_at

from .numbers import (
    ACROSS,
    AFTER,
    ALONG,
    BEFORE,
    BIAS_SHARE,
    COSINE,
    COUNT,
    INNER,
    INNER_EXPONENT,
    LENGTHS,
    NEGATIVE,
    OUTPUT,
    POSITIVE,
    SEEN,
    SEEN_EXPONENT,
    SHARE,
    SINE,
    draw_block,
    keep,
    source,
)

LIMIT = 100.0
"""log2 of lengths that have no exponent: the products of four such squares are in the range of float64."""


class Length(NamedTuple):
    """The length of a vector, in units of 2^exponent."""

    value: np.ndarray
    exponent: np.ndarray


def standardise(cell, layer, work, place, x):
    """The `Length` of rms(x), from that of x; keeps the norm as one of BEFORE, OUTPUT and AFTER."""
    norm = norm_from(x.value * 0.0, x.value * x.value / cell.width, x.exponent, work.form.epsilon)
    keep(work, layer, place, norm.inverse)
    keep(work, layer, place + 1, norm.unit)
    keep(work, layer, place + 2, norm.floor)
    return Length(x.value * norm.inverse, x.exponent - norm.unit)


def draw_input(cell, group, work, like):
    """Draw the length of the input."""
    square, _ = chi_square_pair(source(cell, group, 0), LENGTHS, like + cell.width, like)
    length = sqrt(convert(square, 1.0))
    return Length(length, length * 0.0)


def run_inner(sides, cell, layer, work, x, numbers):
    """The `Length` of f = phi(W y + b), y the stream or its norm."""
    y = standardise(cell, layer, work, BEFORE, x) if work.form.before else x
    seen = Seen(y.value * y.value, y.exponent)
    keep(work, layer, SEEN, seen.square)
    keep(work, layer, SEEN_EXPONENT, seen.exponent)
    h = multiply(seen, work.first_weight, work.bias)
    keep(work, layer, SHARE, h.share)
    keep(work, layer, BIAS_SHARE, h.bias_share)
    keep(work, layer, COUNT, numbers.count)
    keep(work, layer, POSITIVE, numbers.positive)
    keep(work, layer, NEGATIVE, numbers.negative)
    sides = sides_at(sides, of_width(cell, work.form.inner), numbers.count)
    of_f = sides.above * sides.above * numbers.positive + sides.below * sides.below * numbers.negative
    f = Length(sqrt(of_f) * h.v, h.exponent + sides.exponent)
    keep(work, layer, INNER, f.value * f.value)
    keep(work, layer, INNER_EXPONENT, f.exponent)
    return f


@jit.inlined
def run_block_forward(sides, cell, group, layer, work, x, like):
    """Draw a block and add its branch; takes and returns the `Length` of the stream."""
    form, numbers = work.form, draw_block(sides, cell, group, layer, work, like)
    f = run_inner(sides, cell, layer, work, x, numbers)
    tau = Length(f.value * work.weight.value, f.exponent + work.weight.power)
    across = sqrt(numbers.across)
    if form.output:
        size = sqrt(numbers.along * numbers.along + numbers.across)
        branch = standardise(cell, layer, work, OUTPUT, Length(tau.value * size, tau.exponent))
        tau = Length(branch.value * inverse(size), branch.exponent)
    scale, exponent = tau.value * work.alpha.value, tau.exponent + work.alpha.power
    unit = unit_at(maximum(level(x.value, x.exponent), level(scale, exponent)), LIMIT)
    scale = scaled(exponent - unit, scale)
    beside, over = scaled(x.exponent - unit, x.value) + scale * numbers.along, scale * across
    length = sqrt(beside * beside + over * over)
    factor = inverse(length)
    keep(work, layer, ALONG, numbers.along)
    keep(work, layer, ACROSS, across)
    keep(work, layer, COSINE, select(length > 0.0, beside * factor, 1.0))
    keep(work, layer, SINE, over * factor)
    found = Length(length, unit)
    if form.after:
        found = standardise(cell, layer, work, AFTER, found)
    record(work, SUM_H, layer, found.value * found.value, found.exponent)
    return found


jit.register_leaves(__name__, inline=True)
