"""Statistics of a block that merge exactly: integer sums, counts and histograms, whatever the order of merging.

Values are natural logarithms. A live finite value v adds round(v 2^20) to an int64 and its square to a pair of int64,
and counts in a histogram with 16 bins to an octave of the plain value e^v.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from . import jit
from .quantities import QUANTITIES

FIXED_POINT = 2.0**20
BINS_PER_LN = 16 / math.log(2)
GAIN = QUANTITIES.index("log_gain")
# Larger logarithms (of numbers beyond 10^+-29,000,000) do not fit the sums: they count as non-finite here.
LARGEST = 2.0**26
_NO_BIN = np.int32(-(2**31))


class Sums(NamedTuple):
    """Sums over networks; the first nine are (4, depth), quantity by layer.

    The sum of squares is square_high 2^50 + square_low, both sums in units of 2^-20 and 2^-40. The histogram is
    sparse and sorted: column = quantity * depth + layer - 1, bin = floor(v 16 / ln 2), count.
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


def sum_columns(values, integers, minimum, maximum, bins):
    """Counts and fixed-point sums (6, 4, depth), extremes (4, depth) and the bin of every value (4, depth, count)."""
    for q in range(values.shape[0]):
        for n in range(values.shape[1]):
            undefined = q == GAIN and values[0, n, -1] == -math.inf
            for i in range(values.shape[2]):
                v = values[q, n, i]
                bins[q, i, n] = _NO_BIN
                if undefined:
                    continue
                integers[0, q, i] += 1
                if v == -math.inf:
                    integers[1, q, i] += 1
                elif not abs(v) < LARGEST:
                    integers[2, q, i] += 1
                else:
                    minimum[q, i] = min(minimum[q, i], v)
                    maximum[q, i] = max(maximum[q, i], v)
                    bins[q, i, n] = math.floor(v * BINS_PER_LN)
                    fixed = int(np.rint(v * FIXED_POINT))
                    integers[3, q, i] += fixed
                    high, low = abs(fixed) >> 25, abs(fixed) & 0x1FFFFFF
                    cross = 2 * high * low
                    square_low = integers[5, q, i] + low * low + ((cross & 0x1FFFFFF) << 25)
                    integers[4, q, i] += high * high + (cross >> 25) + (square_low >> 50)
                    integers[5, q, i] = square_low & ((1 << 50) - 1)


def count_bins(bins, column, column_out, bin_out, count_out, size):
    """Append the histogram of one column's bins to the sparse output, from position `size`; returns the new size."""
    ordered = np.sort(bins)
    previous = _NO_BIN
    for b in ordered:
        if b == _NO_BIN:
            continue
        if b != previous:
            column_out[size], bin_out[size], count_out[size] = column, b, 0
            previous = b
            size += 1
        count_out[size - 1] += 1
    return size


def count_columns(bins, window, column_out, bin_out, count_out):
    """Sparse histograms of all columns of `bins` (columns, count); `window` is scratch. Returns their total size."""
    size = 0
    for column in range(bins.shape[0]):
        low, high = np.int64(2**31), np.int64(-(2**31))
        for b in bins[column]:
            if b != _NO_BIN:
                low, high = min(low, np.int64(b)), max(high, np.int64(b))
        if high < low:
            continue
        if high - low >= len(window):  # a few networks spread over thousands of octaves
            size = count_bins(bins[column], column, column_out, bin_out, count_out, size)
            continue
        window[: high - low + 1] = 0
        for b in bins[column]:
            if b != _NO_BIN:
                window[b - low] += 1
        for k in range(high - low + 1):
            if window[k]:
                column_out[size], bin_out[size], count_out[size] = column, low + k, window[k]
                size += 1
    return size


def reduce(values: np.ndarray) -> Sums:
    """Sums of a block's values (4, count, depth), as `Simulator.block` returns them."""
    quantities, count, depth = values.shape
    integers = np.zeros((6, quantities, depth), np.int64)
    minimum, maximum = np.full((quantities, depth), np.inf), np.full((quantities, depth), -np.inf)
    bins = np.empty((quantities, depth, count), np.int32)
    jit.compiled(sum_columns)(values, integers, minimum, maximum, bins)
    columns, found, counts = np.empty(bins.size, np.int64), np.empty(bins.size, np.int32), np.empty(bins.size, np.int64)
    window = np.empty(4096, np.int64)
    size = jit.compiled(count_columns)(bins.reshape(-1, count), window, columns, found, counts)
    return Sums(*integers, minimum, maximum, columns[:size].copy(), found[:size].copy(), counts[:size].copy())


def merge(*parts: Sums) -> Sums:
    """The sums of all the networks of the parts together; exact, so the order does not matter."""
    if len(parts) == 1:
        return parts[0]
    networks, dead, nonfinite, total, high, low = (np.sum([part[k] for part in parts], axis=0) for k in range(6))
    minimum, maximum = np.min([p.minimum for p in parts], axis=0), np.max([p.maximum for p in parts], axis=0)
    reach = max(0.0, *(float(np.abs(x[np.isfinite(x)]).max(initial=0.0)) for x in (minimum, maximum)))
    if reach * FIXED_POINT * float(networks.max(initial=0)) >= 2.0**62:
        raise OverflowError(
            f"the sum of {networks.max()} logarithms as large as {reach:g} exceeds 64 bits: use smaller shards."
        )
    columns, bins, counts = (np.concatenate([part[k] for part in parts]) for k in (8, 9, 10))
    keys, where = np.unique((columns << 32) + bins.astype(np.int64) + 2**31, return_inverse=True)
    merged = np.zeros(len(keys), np.int64)
    np.add.at(merged, where, counts)
    found = ((keys & 0xFFFFFFFF) - 2**31).astype(np.int32)
    return Sums(
        networks,
        dead,
        nonfinite,
        total,
        high + (low >> 50),
        low & ((1 << 50) - 1),
        minimum,
        maximum,
        keys >> 32,
        found,
        merged,
    )
