"""Statistics of many networks on a GPU: the `Sums` of `results.statistics`, with the same integers.

A column is a quantity and a layer. A block of threads has a column and a part of the networks: `sum_kernel` adds them
up, and `count_kernel` counts them once the range of each column is known.
"""

from __future__ import annotations

import math

from gradsim_core import jit
from gradsim_core.lanes import LANES, float_bits, load, select
from gradsim_core.results.tally import add_value, bin_of, empty_tally, fits, nearest, square_sum

from .shared_memory import WINDOW, add_at, count_at, lower_at, raise_at, shared_window, synchronise_block
from .threads import block_index, block_size, thread_index

FIELDS = 8  # those of `Sums` that are arrays: three counts, the total, two parts of the squares, and the extremes


def in_order(bits):
    """The bits of a float64 as an integer that is ordered as the floats are; its own inverse."""
    return select(bits < 0, bits ^ 0x7FFFFFFFFFFFFFFF, bits)


def value_at(values, counted, row, columns, column, group):
    """A column's value in sixteen networks, NaN where the network is not counted; and 1 where it is, else 0."""
    here = load(counted, (row * (len(counted) // (2 * LANES)) + group) * LANES)
    return select(here > 0.0, load(values, (group * columns + column) * LANES), math.nan), here


def sum_kernel(values, counted, rows, chunks, totals):
    """Add the sums of all columns to `totals`.

    Parameters
    ----------
    values : float64 array (groups, quantities, layers, 16), flat
    counted : float64 array (2, groups, 16), flat
        1 for the networks that count, else 0: of all, and of those of a relative quantity.
    rows : int64 array (columns,)
        For each column the row of `counted` that applies.
    chunks : int
        Into how many parts the networks are divided; as many blocks run as parts and columns. A thread must not have
        more than `MOST_AT_ONCE` groups.
    totals : int64 array (8, columns), flat
        The fields of `Sums`; extremes as `in_order`.
    """
    columns = len(rows)
    column, chunk = block_index() % columns, block_index() // columns
    slot, slots, groups = thread_index() // LANES, block_size() // LANES, len(counted) // (2 * LANES)
    networks = load(counted, 0) * 0.0
    tally = empty_tally(networks)
    for group in range(chunk * slots + slot, groups, chunks * slots):
        v, here = value_at(values, counted, rows[column], columns, column, group)
        tally, networks = add_value(v, tally), networks + here
    high, low = square_sum(tally.high_high, tally.high_low, tally.low_low)
    add_at(totals, column, nearest(networks))
    add_at(totals, columns + column, nearest(tally.dead))
    add_at(totals, 2 * columns + column, nearest(networks - tally.dead - tally.live))
    add_at(totals, 3 * columns + column, tally.total)
    add_at(totals, 4 * columns + column, high)
    add_at(totals, 5 * columns + column, low)
    lower_at(totals, 6 * columns + column, in_order(float_bits(tally.minimum)))
    raise_at(totals, 7 * columns + column, in_order(float_bits(tally.maximum)))


def count_kernel(values, counted, rows, chunks, windows, counts):
    """Count the values of all columns by bin; the first four parameters are those of `sum_kernel`.

    Parameters
    ----------
    windows : int64 array (3, columns), flat
        Lowest bin of a column, number of bins, and where they begin in `counts`.
    counts : int32 array
        Has one more element than all bins, which means nothing afterwards.
    """
    columns, window = len(rows), shared_window()
    column, chunk = block_index() % columns, block_index() // columns
    slot, slots, groups = thread_index() // LANES, block_size() // LANES, len(counted) // (2 * LANES)
    lowest, width, start = windows[column], windows[columns + column], windows[2 * columns + column]
    if width <= WINDOW:
        for i in range(thread_index(), width, block_size()):
            window[i] = 0
        synchronise_block()
    for group in range(chunk * slots + slot, groups, chunks * slots):
        v, _ = value_at(values, counted, rows[column], columns, column, group)
        here = fits(v)
        index = bin_of(select(here, v, 0.0)) - lowest
        if width <= WINDOW:
            count_at(window, select(here, index, WINDOW))
        else:  # so wide that threads rarely meet at a bin
            count_at(counts, select(here, index + start, len(counts) - 1))
    if width <= WINDOW:
        synchronise_block()
        for i in range(thread_index(), width, block_size()):
            if window[i] != 0:
                add_at(counts, start + i, window[i])


jit.register_leaves(__name__, inline=True)
