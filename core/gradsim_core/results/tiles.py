"""Sums of a tile: sixteen neighbouring columns, which are layers of one quantity.

The last tile of a quantity may overlap the one before it, or reach beyond the last layer: see `place_of`.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from gradsim_core import jit
from gradsim_core.lanes import LANES, absolute, anywhere, float_bits, fma, load, select, splat, store

from .tally import FIXED_POINT, Tally, add_value, bin_of, empty_tally, fits, square_sum

FLOATS, INTEGERS = 4 * LANES, 3 * LANES  # of a tile
NO_BIN = -(2**40)
_USUAL = 32.0  # of smaller values, the square of round(v 2^20) is at most 2^50: a float64 has it exactly
_ROUND, _ROUND_BITS = 1.5 * 2.0**52, 0x4338000000000000  # a number so large that its last bit counts units


class Part(NamedTuple):
    """Networks start .. stop - 1 of flat values (quantities, count, depth); if depth < 16 room for one more vector."""

    values: np.ndarray
    count: int
    depth: int
    start: int
    stop: int


class Totals(NamedTuple):
    """Sums of all parts so far.

    Attributes
    ----------
    networks : int64 (quantities,)
        Networks that count.
    floats : float64 (tiles, 4, 16), flat
        Of each column: how many are live, how many dead, minimum and maximum.
    integers : int64 (tiles, 3, 16), flat
        Total, square_high and square_low, as in `Sums`.
    """

    networks: np.ndarray
    floats: np.ndarray
    integers: np.ndarray


class Scratch(NamedTuple):
    """Arrays of one tile: skip (networks,), bins (networks, 16), floats (4, 16), integers (4, 16), base (16,)."""

    skip: np.ndarray
    bins: np.ndarray
    floats: np.ndarray
    integers: np.ndarray
    base: np.ndarray


def place_of(tile, depth):
    """Quantity and first layer of a tile, and the range of its lanes that count, as lanes of earlier tiles do not."""
    of_quantity = (depth + LANES - 1) // LANES
    begin = tile % of_quantity * LANES
    start = max(min(begin, depth - LANES), 0)
    return tile // of_quantity, start, begin - start, min(LANES, depth - start)


def note_skipped(part, relative, last_delta, skip):
    """Write which networks a quantity leaves out; returns how many."""
    skipped = 0
    for n in range(part.stop - part.start):
        at = (last_delta * part.count + part.start + n + 1) * part.depth - 1
        skip[n] = relative and part.values[at] == -math.inf
        skipped += skip[n]
    return skipped


def sum_tile(part, offset, scratch):
    """Sum a tile, whose first value is at `offset`, over all networks not skipped, and index every value's bin.

    Writes scratch.floats and scratch.integers, the fields of `Tally`, and scratch.bins, where bin b of lane i is
    b + scratch.base[i]. Returns whether every value has a bin.
    """
    tally, usual = empty_tally(load(part.values, offset)), 0
    for n in range(part.stop - part.start):
        v = load(part.values, offset + n * part.depth)
        if scratch.skip[n]:
            store(scratch.bins, n * LANES, splat(tally.total, NO_BIN))
        elif anywhere(~(absolute(v) < _USUAL)):
            tally = add_value(v, tally)
            bins = bin_of(select(fits(v), v, 0.0)) + load(scratch.base, 0)
            store(scratch.bins, n * LANES, select(fits(v), bins, NO_BIN))
        else:
            tally = add_usual(v, tally)
            store(scratch.bins, n * LANES, bin_of(v) + load(scratch.base, 0))
            usual += 1
    store(scratch.floats, 0, tally.live + usual)
    for k, field in enumerate(tally[1:4]):
        store(scratch.floats, (k + 1) * LANES, field)
    for k, field in enumerate(tally[4:]):
        store(scratch.integers, k * LANES, field)
    return usual == part.stop - part.start


@jit.inlined
def add_usual(v, tally):
    """`add_value` of values below _USUAL, in half the instructions; the caller counts them as live."""
    live, dead, low, high, total, high_high, high_low, low_low = tally
    low, high = select(v < low, v, low), select(v > high, v, high)
    rounded = fma(v, FIXED_POINT, splat(v, _ROUND))
    fixed = rounded - _ROUND
    square = float_bits(fma(fixed, fixed, splat(v, _ROUND))) - _ROUND_BITS
    return Tally(
        live, dead, low, high, total + (float_bits(rounded) - _ROUND_BITS), high_high, high_low, low_low + square
    )


def add_totals(tile, totals, scratch):
    """Add what `sum_tile` wrote to the totals."""
    floats, i, k = scratch.floats, tile * FLOATS, tile * INTEGERS
    for field in range(0, 2 * LANES, LANES):
        store(totals.floats, i + field, load(totals.floats, i + field) + load(floats, field))
    low, high = load(totals.floats, i + 2 * LANES), load(totals.floats, i + 3 * LANES)
    smallest, greatest = load(floats, 2 * LANES), load(floats, 3 * LANES)
    store(totals.floats, i + 2 * LANES, select(smallest < low, smallest, low))
    store(totals.floats, i + 3 * LANES, select(greatest > high, greatest, high))
    fields = scratch.integers
    store(totals.integers, k, load(totals.integers, k) + load(fields, 0))
    high, low = square_sum(load(fields, LANES), load(fields, 2 * LANES), load(fields, 3 * LANES))
    low = low + load(totals.integers, k + 2 * LANES)
    store(totals.integers, k + LANES, load(totals.integers, k + LANES) + high + (low >> 50))
    store(totals.integers, k + 2 * LANES, low & ((1 << 50) - 1))


jit.register_leaves(__name__, inline=False)
