"""`Sums` of networks, which merge exactly: integers, independent of the order of merging."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .histograms import merge_histograms
from .tally import FIXED_POINT


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
    check_total(networks, minimum, maximum)
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


def check_total(networks: np.ndarray, minimum: np.ndarray, maximum: np.ndarray) -> None:
    """Raise OverflowError if a sum of so many logarithms between the extremes could exceed 64 bits."""
    greatest = max(0.0, *(float(np.abs(x[np.isfinite(x)]).max(initial=0.0)) for x in (minimum, maximum)))
    if greatest * FIXED_POINT * float(networks.max(initial=0)) >= 2.0**62:
        raise OverflowError(
            f"the sum of {networks.max()} logarithms as large as {greatest:g} exceeds 64 bits: use smaller shards."
        )
