"""Dense histograms that persist from part to part: a window of bins for each column, chosen from the values so far."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from gradsim_core import jit
from gradsim_core.lanes import LANES, anywhere, load, select, store

from .tally import BINS_PER_LN, bin_of
from .tiles import FLOATS, NO_BIN

WIDEST = 4096
"""Most bins between the extremes of a column: beyond, its values are sorted instead."""

FITS, TOO_WIDE, NO_ROOM = 0, 1, 2

_AT_ONCE = 512  # bins that are indexed, then counted, while they are in the fastest cache


class Windows(NamedTuple):
    """Dense histograms of all parts so far: a window of bins for each column, equally wide in a tile.

    Attributes
    ----------
    counts : int32 array
        The windows. Element 0 counts the values without a bin.
    used : int64 (1,)
        How many elements of `counts` are in use.
    start, width : int64 (tiles,)
        Where the windows of a tile begin, and the bins of each; 0 if there are none yet.
    low : int64 (tiles, 16), flat
        The first bin of each window.
    """

    counts: np.ndarray
    used: np.ndarray
    start: np.ndarray
    width: np.ndarray
    low: np.ndarray


def fit_windows(tile, totals, windows, scratch):
    """Make the windows of a tile hold the values that `sum_tile` has just seen; returns FITS, TOO_WIDE or NO_ROOM."""
    width, inside = windows.width[tile], True
    if all_inside(load(windows.low, tile * LANES), width, scratch.floats):
        return FITS
    for lane in range(LANES):
        if scratch.floats[lane]:
            low, high = bins_between(scratch.floats[2 * LANES + lane], scratch.floats[3 * LANES + lane])
            if totals.floats[tile * FLOATS + lane] == 0.0:  # the first values of the column
                windows.low[tile * LANES + lane] = centred(low, high, width)
            first = windows.low[tile * LANES + lane]
            inside = inside and first <= low and high < first + width
    return FITS if inside else widen_windows(tile, totals, windows, scratch)


def all_inside(first, width, floats):
    """Whether all sixteen columns are live and inside their windows, as usual."""
    low, high = load(floats, 2 * LANES), load(floats, 3 * LANES)
    if anywhere(low > high):
        return False
    return not anywhere((bin_of(low) < first) | (bin_of(high) >= first + width))


def widen_windows(tile, totals, windows, scratch):
    """Move the windows of a tile to wider ones, which hold the values of this part, too, and some more."""
    counts, start, width = windows.counts, windows.start[tile], windows.width[tile]
    needed = 0
    for lane in range(LANES):
        low, high = range_of(tile, lane, totals, windows, scratch)
        needed = max(needed, high - low + 1)
    if needed > WIDEST:
        return TOO_WIDE
    wider, begin = needed + needed // 4 + 8, windows.used[0]
    if begin + LANES * wider > len(counts):
        return NO_ROOM
    for lane in range(LANES):
        low, high = range_of(tile, lane, totals, windows, scratch)
        before, after = windows.low[tile * LANES + lane], centred(low, high, wider)
        windows.low[tile * LANES + lane] = after
        for k in range(width):
            i = start + lane * width + k
            if counts[i]:
                counts[begin + lane * wider + before + k - after], counts[i] = counts[i], 0
    windows.start[tile], windows.width[tile], windows.used[0] = begin, wider, begin + LANES * wider
    return FITS


def range_of(tile, lane, totals, windows, scratch):
    """Lowest and highest bin that a column needs: of its window, and of this part; (0, -1) if none.

    Values that were sorted count for nothing here, so that one far value makes no other part be sorted.
    """
    low, high, at = 0, -1, tile * LANES + lane
    if scratch.floats[lane]:
        low, high = bins_between(scratch.floats[2 * LANES + lane], scratch.floats[3 * LANES + lane])
    if windows.width[tile] == 0 or totals.floats[tile * FLOATS + lane] == 0.0:
        return low, high
    first, last = windows.low[at], windows.low[at] + windows.width[tile] - 1
    return (min(low, first), max(high, last)) if low <= high else (first, last)


def bins_between(smallest, greatest):
    """The bins of the extremes of a column."""
    return math.floor(smallest * BINS_PER_LN), math.floor(greatest * BINS_PER_LN)


def centred(low, high, width):
    """The first bin of a window with bins low .. high in its middle."""
    return low - (width - (high - low + 1)) // 2


def count_tile(tile, networks, ready, windows, scratch):
    """Count a tile, and leave indices into windows.counts in scratch.bins; `ready` if they are that for old windows."""
    bins, counts, base = scratch.bins, windows.counts, load(scratch.base, 0)
    write_base(tile, windows, scratch.base)
    shift = load(scratch.base, 0) - base
    ready = ready and not anywhere(shift != 0)
    # Counting is a loop of its own: parts of what has just been stored as a vector are slow to read.
    for start in range(0, networks * LANES, _AT_ONCE):
        stop = min(start + _AT_ONCE, networks * LANES)
        if not ready:
            for n in range(start, stop, LANES):
                b = load(bins, n)
                store(bins, n, select(b == NO_BIN, 0, b + shift))
        for n in range(start, stop):
            counts[np.uint64(bins[n])] += 1  # unsigned: Numba need not check for negative indices


def write_base(tile, windows, base):
    """Write what turns the bins of each lane into indices into windows.counts."""
    for lane in range(LANES):
        base[lane] = windows.start[tile] + lane * windows.width[tile] - windows.low[tile * LANES + lane]


def occupied(tile, lane, totals, windows):
    """The part of a window between the extremes of its column: where it starts, its first bin, and its width."""
    at, width = tile * FLOATS + lane, windows.width[tile]
    start, first = windows.start[tile] + lane * width, windows.low[tile * LANES + lane]
    if totals.floats[at] == 0.0:
        return start, first, 0
    low, high = bins_between(totals.floats[at + 2 * LANES], totals.floats[at + 3 * LANES])
    low, high = max(low, first), min(high, first + width - 1)  # values beyond the window were sorted
    return start + low - first, low, high - low + 1


jit.register_leaves(__name__, inline=False)
