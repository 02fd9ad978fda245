"""The slopes of an activation that is a line on each side of 0, in units in which their squares are in range."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gradsim_core import jit
from gradsim_core.lanes import convert, maximum, minimum, select, splat
from gradsim_core.scaling.per_lane import exponent_of, scaled


class Sides(NamedTuple):
    """The slopes of phi above and below 0."""

    above: np.ndarray  # in units of 2^exponent
    below: np.ndarray
    exponent: np.ndarray  # float64
    both: bool  # whether neither is 0
    far_apart: bool  # whether the square of one may vanish beside that of the other
    slopes: tuple[float, float]  # above and below, as they are


def sides_of(slopes, like):
    """The `Sides` of phi, from the slopes at 0; in units of the larger one."""
    below, above = slopes.zero
    if above == 0.0:  # h and -h have one law
        below, above = above, below
    ratio = abs(below / above)
    far_apart = ratio > 2.0**20 or 0.0 < ratio < 2.0**-20
    largest = splat(convert(like, 1.0), max(abs(below), abs(above)))
    return in_units_of(largest, (above, below), far_apart, like)


def in_units_of(size, slopes, far_apart, like):
    """The `Sides` of slopes above and below, in units of a power of two near `size`: exponent 0 for a size of 1.

    A slope that is larger than `size` belongs to no element, and is bounded so that its square times 0 is 0.
    """
    exponent, zero = exponent_of(size) - 1.0, size * 0.0
    above = convert(bounded(scaled(-exponent, zero + slopes[0])), like)
    below = convert(bounded(scaled(-exponent, zero + slopes[1])), like)
    return Sides(above, below, exponent, slopes[1] != 0.0, far_apart, slopes)


def bounded(v):
    """v, or -2 or 2 where it is beyond."""
    return maximum(-2.0, minimum(2.0, v))


def sides_at(sides, cell, count):
    """The `Sides` where `count` elements of h are positive: in units of the larger slope of those that occur."""
    if not sides.far_apart:
        return sides
    above, below = sides.slopes
    positive = convert(count, 1.0)
    size = select(positive > 0.0, splat(positive, max(abs(above), abs(below))), abs(below))
    size = select(positive < cell.width, size, abs(above))
    return in_units_of(size, sides.slopes, True, count)


jit.register_leaves(__name__, inline=False)
