"""What one value adds to the statistics of its column, and the bin of the histogram it is in: for CPU and GPU."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from gradsim_core import jit
from gradsim_core.lanes import absolute, float_bits, rint, select, splat

FIXED_POINT = 2.0**20
BINS_PER_LN = 16 / math.log(2)
# Larger logarithms (of numbers beyond 10^+-29,000,000) do not fit the sums, and count as non-finite here.
LARGEST = 2.0**26
MOST_AT_ONCE = 4096  # values: the sum of so many products of 25-bit numbers fits 64 bits


class Tally(NamedTuple):
    """Sums of sixteen columns (on a GPU: of one column in sixteen networks), as vectors; f = round(v 2^20).

    With |f| = high 2^25 + low, the last three are the sums of high^2, high low and low^2.
    """

    live: Any
    dead: Any
    minimum: Any
    maximum: Any
    total: Any
    high_high: Any
    high_low: Any
    low_low: Any


def empty_tally(like):
    """The sums of no values."""
    zero = splat(like, 0.0)
    none = float_bits(zero)
    return Tally(zero, zero, splat(zero, np.inf), splat(zero, -np.inf), none, none, none, none)


def fits(v):
    """Whether a value is live and finite."""
    return absolute(v) < LARGEST


def add_value(v, tally):
    """A tally with one more value of each column."""
    live, dead, low, high, total, high_high, high_low, low_low = tally
    here = fits(v)
    live, dead = live + select(here, splat(v, 1.0), 0.0), dead + select(v == -np.inf, splat(v, 1.0), 0.0)
    low, high = select(here & (v < low), v, low), select(here & (v > high), v, high)
    fixed = nearest(select(here, v, 0.0) * FIXED_POINT)
    size = select(fixed < 0, -fixed, fixed)
    upper, lower = (size >> 25) & 0x1FFFFFF, size & 0x1FFFFFF
    high_high, high_low, low_low = high_high + upper * upper, high_low + upper * lower, low_low + lower * lower
    return Tally(live, dead, low, high, total + fixed, high_high, high_low, low_low)


def bin_of(v):
    """floor(v 16 / ln 2)."""
    scaled = v * BINS_PER_LN
    down = rint(scaled)
    return nearest(select(down > scaled, down - 1.0, down))


def square_sum(high_high, high_low, low_low):
    """The sum of f^2 from the products of the parts of f, as high 2^50 + low; (high, low)."""
    cross = high_low + high_low
    low = low_low + ((cross & 0x1FFFFFF) << 25)
    return high_high + (cross >> 25) + (low >> 50), low & ((1 << 50) - 1)


def nearest(x):
    """The nearest integer, ties to even, for |x| < 2^51: the last bits of x + 1.5 2^52."""
    return float_bits(x + 1.5 * 2.0**52) - 0x4338000000000000


jit.register_leaves(__name__, inline=True)
