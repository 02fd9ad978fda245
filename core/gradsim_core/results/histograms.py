"""Merging sparse histograms: columns, bins and counts, sorted by column, then by bin. Counts are exact.

Many histograms of the same columns overlap. They are added up in a dense window per column, one addition an entry, in a
fraction of the time that merging sorted lists takes. Histograms far wider than their number of entries are merged pair
by pair.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gradsim_core import jit

Histogram = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Column, bin and count of every entry."""

_SPARSE = 8  # a window this many times as wide as there are entries is not worth filling
_NONE = -(2**31)


def merge_histograms(histograms: Sequence[Histogram]) -> Histogram:
    """One histogram of all."""
    histograms = [histogram for histogram in histograms if len(histogram[0])] or list(histograms[:1])
    if len(histograms) == 1:
        return histograms[0]
    columns, entries = 1 + max(int(column[-1]) for column, _, _ in histograms), sum(len(h[0]) for h in histograms)
    low, high = np.full(columns, -_NONE, np.int64), np.full(columns, _NONE, np.int64)
    for column, bins, _ in histograms:
        jit.compiled(widen)(column, bins, low, high)
    widths = np.where(low <= high, high - low + 1, 0)
    if widths.sum() > _SPARSE * entries:
        return _pair_by_pair(histograms)
    base = np.cumsum(widths) - widths - low
    window = np.zeros(widths.sum(), np.int64)
    for column, bins, counts in histograms:
        jit.compiled(add_dense)(column, bins, counts, base, window)
    found = np.flatnonzero(window)
    column = np.repeat(np.arange(columns), widths)[found]
    return column, (found - base[column]).astype(np.int32), window[found]


def widen(column, bins, low, high):
    """Extend the range low .. high of every column to a histogram's bins."""
    for i in range(len(column)):
        c, b = column[i], bins[i]
        low[c], high[c] = min(low[c], b), max(high[c], b)


def add_dense(column, bins, counts, base, window):
    """Add a histogram to the windows of its columns: bin b of column c is at base[c] + b."""
    for i in range(len(column)):
        window[np.uint64(base[column[i]] + bins[i])] += counts[i]  # unsigned: no check for negative indices


def add_histograms(first, second, columns, bins, counts):
    """Merge two sorted sparse histograms (column, bin, count) into arrays large enough for both; returns the size."""
    i = j = size = 0
    while i < len(first[0]) and j < len(second[0]):
        key_first, key_second = (first[0][i] << 32) + first[1][i], (second[0][j] << 32) + second[1][j]
        # Arithmetic instead of branches, which the processor cannot predict.
        take_first, take_second = int(key_first <= key_second), int(key_second <= key_first)
        columns[size], bins[size] = (first[0][i], first[1][i]) if take_first else (second[0][j], second[1][j])
        counts[size] = first[2][i] * take_first + second[2][j] * take_second
        i, j, size = i + take_first, j + take_second, size + 1
    for rest, start in ((first, i), (second, j)):
        for k in range(start, len(rest[0])):
            columns[size], bins[size], counts[size] = rest[0][k], rest[1][k], rest[2][k]
            size += 1
    return size


def _pair_by_pair(histograms):
    """One histogram of a list of them."""
    while len(histograms) > 1:
        pairs = zip(histograms[::2], histograms[1::2], strict=False)
        histograms = [_add(*pair) for pair in pairs] + histograms[len(histograms) & ~1 :]
    return histograms[0]


def _add(first, second):
    capacity = len(first[0]) + len(second[0])
    out = tuple(np.empty(capacity, part.dtype) for part in first)
    size = jit.compiled(add_histograms)(first, second, *out)
    return tuple(part[:size].copy() for part in out)


jit.register_leaves(__name__, inline=False)
