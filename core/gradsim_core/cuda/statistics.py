"""`Sums` of a block whose quantities are on a GPU: two kernels of `reduction`, and what they leave as arrays."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gradsim_core.lanes import LANES
from gradsim_core.results.quantities import QUANTITIES
from gradsim_core.results.statistics import Sums
from gradsim_core.results.tally import BINS_PER_LN

from .arguments import parameters, types_of
from .interface import DeviceArray, Stream
from .kernels.reduction import FIELDS, in_order
from .texts import common_text

MOST_BINS = 2**24
"""Of all columns together: 64 MB. Wider histograms are counted on the CPU."""

_THREADS = 256  # of a thread block
_MOST_THREADS = 2**13  # of a column: each adds less than 2^50
_GROUPS_PER_THREAD = 16  # enough that what a block adds at its end costs little; below MOST_AT_ONCE


class _Columns(NamedTuple):
    """What both kernels take first, and the text and the blocks of a launch."""

    stream: Stream
    values: DeviceArray
    counted: DeviceArray
    rows: DeviceArray
    chunks: int

    def launch(self, name: str, *more: DeviceArray) -> None:
        """Run a kernel, a block for each column and chunk."""
        arguments = self.values, self.counted, self.rows, self.chunks, *more
        text = common_text(name, types_of(arguments), self.stream.facts.capability)
        self.stream.launch(text, self.rows.shape[0] * self.chunks, _THREADS, parameters(arguments))


def sums(stream: Stream, values: DeviceArray, counted: DeviceArray, depth: int) -> Sums | None:
    """Return the sums of the networks that are counted, as `results.statistics.reduce` does; None if too wide.

    Parameters
    ----------
    stream : Stream
    values : float64 (groups, quantities, depth, 16), flat
    counted : float64 (2, groups, 16), flat
        1 for networks that count, in all quantities and in relative ones, else 0.
    depth : int
    """
    rows = np.repeat(np.array([int(row.relative) for row in QUANTITIES.values()]), depth)
    groups = counted.shape[0] // (2 * LANES)
    chunks = max(1, -(-groups // (_GROUPS_PER_THREAD * _THREADS // LANES)))
    assert chunks * _THREADS <= _MOST_THREADS, "the sum of their squares would exceed 64 bits"
    columns = _Columns(stream, values, counted, stream.upload(rows), chunks)
    fields = _totals(columns, len(rows))
    lowest, widths = _ranges(fields)
    if widths.sum() > MOST_BINS:
        return None
    arrays = (field.reshape(len(QUANTITIES), depth) for field in fields)
    return Sums(*arrays, *_histograms(columns, lowest, widths))


def _totals(columns: _Columns, count: int) -> list[np.ndarray]:
    """The first eight fields of `Sums`, flat."""
    start = np.zeros((FIELDS, count), np.int64)
    start[6:] = in_order(np.array([[np.inf], [-np.inf]]).view(np.int64))
    totals = columns.stream.upload(start.reshape(-1))
    columns.launch("sum", totals)
    *counts, total, high, low, minimum, maximum = columns.stream.read(totals).reshape(FIELDS, count)
    high, low = high + (low >> 50), low & ((1 << 50) - 1)
    return [*counts, total, high, low, *(in_order(each).view(np.float64) for each in (minimum, maximum))]


def _ranges(fields: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """The lowest bin of each column, and how many there are."""
    networks, dead, nonfinite, *_, minimum, maximum = fields
    live = networks > dead + nonfinite
    low, high = (np.floor(np.where(live, each, 0.0) * BINS_PER_LN).astype(np.int64) for each in (minimum, maximum))
    return low, np.where(live, high - low + 1, 0)


def _histograms(columns: _Columns, lowest: np.ndarray, widths: np.ndarray) -> tuple[np.ndarray, ...]:
    """The sparse histograms of `Sums`."""
    starts, stream = np.cumsum(widths) - widths, columns.stream
    counts = stream.zeros((int(widths.sum()) + 1,), np.int32)
    columns.launch("count", stream.upload(np.concatenate([lowest, widths, starts])), counts)
    found = stream.read(counts)[:-1]
    places = np.flatnonzero(found)
    column = np.searchsorted(starts, places, side="right") - 1
    bins = (lowest[column] + places - starts[column]).astype(np.int32)
    return column, bins, found[places].astype(np.int64)
