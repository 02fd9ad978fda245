"""Statistics of a block that merge exactly: integer sums, counts and histograms, independent of the order of merging.

Values are natural logarithms. A live finite value v adds round(v 2^20) to an int64 and the square of that to a pair of
int64, and counts in a histogram with 16 bins per octave of e^v.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from gradsim_core import jit
from gradsim_core.lanes import LANES, load, select, splat, store

from .histograms import merge_histograms
from .quantities import QUANTITIES
from .tally import BINS_PER_LN, FIXED_POINT, MOST_AT_ONCE, add_value, bin_of, empty_tally, fits, square_sum

_NO_BIN = -(2**31)
_AT_ONCE = 512  # bins that are indexed, then counted, while they are in the fastest cache


class Sums(NamedTuple):
    """Sums over networks. The first eight fields are arrays (quantities, depth), in the order of the values.

    Attributes
    ----------
    networks, dead, nonfinite
        Counts, int64: of all networks (of a relative quantity those with delta^L != 0), of those with -inf, and of
        those with NaN or a logarithm beyond 2^26.
    total
        Sum of round(v 2^20), int64.
    square_high, square_low
        The sum of squares of round(v 2^20) is square_high 2^50 + square_low, int64.
    minimum, maximum
        Of live finite values, float64; inf and -inf if there are none.
    hist_column, hist_bin, hist_count
        Sparse histograms, sorted: column = quantity * depth + layer - 1, bin = floor(v 16 / ln 2), count.
    """

    networks: np.ndarray
    dead: np.ndarray
    nonfinite: np.ndarray
    total: np.ndarray
    square_high: np.ndarray
    square_low: np.ndarray
    minimum: np.ndarray
    maximum: np.ndarray
    hist_column: np.ndarray
    hist_bin: np.ndarray
    hist_count: np.ndarray


def sum_tile(values, offset, depth, skip, floats, integers, bins):
    """Sum sixteen neighbouring columns (a tile) over all networks not in `skip`, and find the bin of every value.

    Writes floats (4, 16) and integers (4, 16), the fields of `Tally`, and bins (networks, 16).
    """
    tally = empty_tally(load(values, offset))
    for n in range(len(skip)):
        if skip[n]:
            store(bins, n * LANES, splat(tally.total, _NO_BIN))
            continue
        v = load(values, offset + n * depth)
        tally = add_value(v, tally)
        store(bins, n * LANES, select(fits(v), bin_of(select(fits(v), v, 0.0)), _NO_BIN))
    for k, part in enumerate(tally[:4]):
        store(floats, k * LANES, part)
    for k, part in enumerate(tally[4:]):
        store(integers, k * LANES, part)


def count_tile(bins, low, high, base, window):
    """Count a tile's columns into window (16, width), each from its lowest bin; returns the width, 0 if it is too wide.

    Unless it is too wide, `bins` are replaced by indices into the window; values without a bin get the index beyond it.
    """
    width = np.max(high - low) + 1
    size = LANES * width
    if not 0 < size < len(window):
        return 0
    window[: size + 1] = 0
    for lane in range(LANES):
        base[lane] = lane * width - low[lane]
    # Counting is a loop of its own: parts of what has just been stored as a vector are slow to read.
    for start in range(0, len(bins), _AT_ONCE):
        stop = min(start + _AT_ONCE, len(bins))
        for n in range(start, stop, LANES):
            b = load(bins, n)
            store(bins, n, select(b == _NO_BIN, size, b + load(base, 0)))
        for n in range(start, stop):
            window[np.uint64(bins[n])] += 1  # unsigned: Numba need not check for negative indices
    return width


def count_sorted(bins, column, out, size):
    """Append the histogram of one column, of any width, to the sparse `out`; returns its new size."""
    previous = _NO_BIN
    for b in np.sort(bins):
        if b != _NO_BIN:
            if b != previous:
                out[0, size], out[1, size], out[2, size] = column, b, 0
                previous = b
                size += 1
            out[2, size - 1] += 1
    return size


class TileHistogram(NamedTuple):
    """The histograms of a tile's columns, as `count_tile` leaves them; the width is 0 if they are too wide."""

    bins: np.ndarray
    window: np.ndarray
    width: int
    low: np.ndarray
    high: np.ndarray


def emit_tile(histogram, lanes, column, out, size):
    """Append the histograms of the lanes in `lanes` to `out`, (3, size): column, bin, count; returns the new size."""
    bins, window, width, low, high = histogram
    for lane in range(*lanes):
        if width == 0:
            size = count_sorted(bins[lane::LANES], column + lane, out, size)
            continue
        for k in range(high[lane] - low[lane] + 1):
            if window[lane * width + k]:
                out[0, size], out[1, size], out[2, size] = column + lane, low[lane] + k, window[lane * width + k]
                size += 1
    return size


def combine(networks, floats, parts, integers, extremes, low, high):
    """Write a tile's sums, integers (6, 16) and extremes (2, 16), as in `Sums`, and each lane's extreme bins."""
    for lane in range(LANES):
        live, dead = int(floats[lane]), int(floats[LANES + lane])
        products = parts[LANES + lane], parts[2 * LANES + lane], parts[3 * LANES + lane]
        integers[0, lane], integers[1, lane], integers[2, lane] = networks, dead, networks - dead - live
        integers[3, lane] = parts[lane]
        integers[4, lane], integers[5, lane] = square_sum(*products)
        smallest, greatest = floats[2 * LANES + lane], floats[3 * LANES + lane]
        extremes[0, lane], extremes[1, lane] = smallest, greatest
        low[lane] = math.floor(smallest * BINS_PER_LN) if live else 0
        high[lane] = math.floor(greatest * BINS_PER_LN) if live else -1


def sum_columns(flat, skip, integers, extremes, out):
    """Sum all columns of values (quantities, count, depth), flat, sixteen at a time; returns the histograms' size.

    Writes integers (6, quantities, depth) and extremes (2, quantities, depth) as in `Sums`, and histograms to `out`.
    The last tile of a row may overlap the one before it.
    """
    quantities, count = skip.shape
    depth = integers.shape[2]
    floats, parts = np.empty(4 * LANES), np.empty(4 * LANES, np.int64)
    tile, ends = np.empty((6, LANES), np.int64), np.empty((2, LANES))
    low, high, base = np.empty(LANES, np.int64), np.empty(LANES, np.int64), np.empty(LANES, np.int64)
    bins, window = np.empty(count * LANES, np.int64), np.empty(LANES * 4096, np.int32)
    size = 0
    for q in range(quantities):
        networks = count - np.sum(skip[q])
        for begin in range(0, depth, LANES):
            start = max(min(begin, depth - LANES), 0)
            lanes = begin - start, min(LANES, depth - start)
            sum_tile(flat, q * count * depth + start, depth, skip[q], floats, parts, bins)
            combine(networks, floats, parts, tile, ends, low, high)
            integers[:, q, begin : start + lanes[1]] = tile[:, lanes[0] : lanes[1]]
            extremes[:, q, begin : start + lanes[1]] = ends[:, lanes[0] : lanes[1]]
            width = count_tile(bins, low, high, base, window)
            histogram = TileHistogram(bins, window, width, low, high)
            size = emit_tile(histogram, lanes, q * depth + start, out, size)
    return size


def reduce(values: np.ndarray) -> Sums:
    """The `Sums` of a block's values, float64 (quantities, count, depth), as `Simulator.block` returns them."""
    quantities, count, depth = values.shape
    if count > MOST_AT_ONCE:
        return merge(*(reduce(values[:, i : i + MOST_AT_ONCE]) for i in range(0, count, MOST_AT_ONCE)))
    skip = np.zeros((quantities, count), np.bool_)
    relative = [row.relative for row in QUANTITIES.values()]
    relative += [False] * (quantities - len(relative))  # of several inputs
    skip[relative] = values[list(QUANTITIES).index("log_delta"), :, -1] == -np.inf
    flat = np.ascontiguousarray(values).reshape(-1)
    if depth < LANES:
        flat = np.append(flat, np.zeros(LANES))  # a tile reads beyond the last layer, into the next network
    integers, extremes = np.empty((6, quantities, depth), np.int64), np.empty((2, quantities, depth))
    out = np.empty((3, values.size), np.int64)
    size = jit.compiled(sum_columns)(flat, skip, integers, extremes, out)
    histogram = out[0, :size].copy(), out[1, :size].astype(np.int32), out[2, :size].copy()
    fields: list[np.ndarray] = [*integers, *extremes, *histogram]
    return Sums._make(fields)


def merge(*parts: Sums) -> Sums:
    """The `Sums` of all networks of the parts together; exact, so the order does not matter.

    Raises
    ------
    OverflowError
        If a sum could exceed 64 bits.
    """
    if len(parts) == 1:
        return parts[0]
    networks, dead, nonfinite, total, high, low = (np.sum([part[k] for part in parts], axis=0) for k in range(6))
    minimum, maximum = np.min([p.minimum for p in parts], axis=0), np.max([p.maximum for p in parts], axis=0)
    greatest = max(0.0, *(float(np.abs(x[np.isfinite(x)]).max(initial=0.0)) for x in (minimum, maximum)))
    if greatest * FIXED_POINT * float(networks.max(initial=0)) >= 2.0**62:
        raise OverflowError(
            f"the sum of {networks.max()} logarithms as large as {greatest:g} exceeds 64 bits: use smaller shards."
        )
    columns, bins, counts = merge_histograms([part[8:] for part in parts])
    return Sums(
        networks,
        dead,
        nonfinite,
        total,
        high + (low >> 50),
        low & ((1 << 50) - 1),
        minimum,
        maximum,
        columns,
        bins,
        counts,
    )


jit.register_leaves(__name__, inline=False)
