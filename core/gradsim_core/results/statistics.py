"""Statistics of a block that merge exactly: integer sums, counts and histograms, independent of the order of merging.

Values are natural logarithms. A live finite value v adds round(v 2^20) to an int64 and the square of that to a pair of
int64, and counts in a histogram with 16 bins per octave of e^v.
"""

from __future__ import annotations

import threading

import numpy as np

from gradsim_core import jit
from gradsim_core.lanes import LANES

from . import parts
from .histograms import Histogram, merge_histograms
from .quantities import QUANTITIES
from .sums import Sums, check_total, merge
from .tally import BINS_PER_LN, FIXED_POINT, MOST_AT_ONCE
from .tiles import Part, Scratch, Totals, place_of
from .windows import WIDEST, Windows

__all__ = ["BINS_PER_LN", "FIXED_POINT", "TOGETHER", "Accumulator", "Sums", "accumulator", "merge", "reduce"]

_BINS = 16  # of a window, for which there is room at first
_AT_ONCE = min(512, MOST_AT_ONCE)  # networks, whose bins of a tile, and values of a quantity, stay in the cache
TOGETHER = 8
"""Tiles of a whole block whose windows are filled at a time, so that these stay in the cache."""
_thread = threading.local()


class Accumulator:
    """Adds up the values of parts of a block; from `accumulator`, which reuses its arrays from block to block."""

    def __init__(self, quantities: int, depth: int) -> None:
        self.shape = quantities, depth
        count = quantities * -(-depth // LANES)
        self.relative, self._last_delta = _relative(quantities), list(QUANTITIES).index("log_delta")
        self._is_relative = np.array(self.relative)
        self._totals = Totals(
            np.zeros(quantities, np.int64), np.empty(4 * LANES * count), np.zeros(3 * LANES * count, np.int64)
        )
        counts, used = np.zeros(1 + count * LANES * _BINS, np.int32), np.zeros(1, np.int64)
        integers = [np.zeros(size, np.int64) for size in (count, count, count * LANES)]
        self._windows = Windows(counts, used, *integers)
        self._scratch = _scratch(0)
        self._counted: list[Histogram] = []
        self._sorted: list[list[Histogram]] = []
        places = [place_of(tile, depth) for tile in range(count)]
        lanes = [(tile, lane) for tile, (_, _, begin, end) in enumerate(places) for lane in range(begin, end)]
        self._tile_of, self._lane_of = np.array(lanes).T
        self.clear()

    def clear(self) -> None:
        """Forget all values."""
        self._totals.networks[:] = 0
        self._totals.floats.reshape(-1, 4, LANES)[:] = np.array([0.0, 0.0, np.inf, -np.inf])[:, np.newaxis]
        self._totals.integers[:] = 0
        self._clear_windows()
        self._counted, self._sorted = [], []

    def _clear_windows(self) -> None:
        self._windows.counts[: self._windows.used[0]] = 0
        self._windows.used[0] = 1
        self._windows.width[:] = 0

    def add(self, values: np.ndarray, *, whole: bool = False) -> None:
        """Add networks: float64 (quantities, count, depth), as `Simulator.block` returns them.

        With `whole` no other part follows, and a few columns are counted at a time: their windows stay in the cache.
        """
        _, count, depth = values.shape
        flat = np.ascontiguousarray(values).reshape(-1)
        if depth < LANES:
            flat = np.append(flat, np.zeros(LANES))  # a tile reads beyond the last layer, into the next network
        tiles = len(self._windows.width)
        together = TOGETHER if whole else tiles
        found = [Part(flat, count, depth, start, min(start + _AT_ONCE, count)) for start in range(0, count, _AT_ONCE)]
        apart: list[list[Histogram]] = [[] for _ in found]  # of tiles too wide for windows, in the order of columns
        self._sorted += apart
        for first in range(0, tiles, together):
            stop = min(first + together, tiles)
            for part, held in zip(found, apart, strict=True):
                self._add(part, first, stop, held)
            if whole:
                self._take_windows(first, stop)

    def _take_windows(self, first: int, stop: int) -> None:
        """Turn the windows of tiles first .. stop - 1, which are all in use, into a sparse histogram."""
        self._counted.append(jit.compiled(parts.sparse)(first, stop, self.shape[1], self._totals, self._windows))
        self._clear_windows()

    def _add(self, part: Part, tile: int, stop: int, apart: list[Histogram]) -> None:
        if len(self._scratch.skip) < part.stop - part.start:
            self._scratch = _scratch(part.stop - part.start)
        while tile < stop:
            held = self._totals, self._windows, self._scratch
            tile = jit.compiled(parts.add_part)(part, self._is_relative, self._last_delta, *held, tile, stop)
            if tile < 0:
                apart.append(jit.compiled(parts.sort_tile)(-1 - tile, part, self._scratch))
                tile = -tile
            elif tile < stop:
                self._make_room()

    def _make_room(self) -> None:
        """Move the windows to a larger array, one after the other: those that were widened have left gaps."""
        counts, used, starts, widths, _ = self._windows
        sizes = LANES * widths
        wider, at = np.zeros(2 * int(sizes.sum()) + 4 * LANES * WIDEST, np.int32), 1
        for tile in np.flatnonzero(sizes):
            wider[at : at + sizes[tile]] = counts[starts[tile] : starts[tile] + sizes[tile]]
            starts[tile], at = at, at + sizes[tile]
        used[0], self._windows = at, self._windows._replace(counts=wider)

    def sums(self) -> Sums:
        """Return the `Sums` of all values, and give the arrays back for this thread's next block.

        Raises
        ------
        OverflowError
            As of `merge`.
        """
        floats = self._totals.floats.reshape(-1, 4, LANES)[self._tile_of, :, self._lane_of]
        integers = self._totals.integers.reshape(-1, 3, LANES)[self._tile_of, :, self._lane_of]
        live, dead, minimum, maximum = (field.copy().reshape(self.shape) for field in floats.T)
        total, high, low = (field.copy().reshape(self.shape) for field in integers.T)
        networks = np.repeat(self._totals.networks, self.shape[1]).reshape(self.shape)
        dead = dead.astype(np.int64)
        if not self._counted:
            self._take_windows(0, len(self._windows.width))
        histograms = [_joined(held) for held in (self._counted, *self._sorted) if held]
        self.clear()
        _thread.idle = self
        check_total(networks, minimum, maximum)
        return Sums(
            networks, dead, networks - dead - live.astype(np.int64), total, high, low, minimum, maximum,
            *merge_histograms(histograms),
        )  # fmt: skip


def _relative(quantities: int) -> list[bool]:
    """Which of so many quantities are relative to the last layer; those of several inputs are not."""
    found = [row.relative for row in QUANTITIES.values()]
    return found + [False] * (quantities - len(found))


def _joined(histograms: list[Histogram]) -> Histogram:
    """One histogram of others whose columns follow each other."""
    if len(histograms) == 1:
        return histograms[0]
    columns, bins, counts = (np.concatenate(field) for field in zip(*histograms, strict=True))
    return columns, bins, counts


def _scratch(networks: int) -> Scratch:
    of_tile = np.empty(4 * LANES), np.empty(4 * LANES, np.int64), np.empty(LANES, np.int64)
    return Scratch(np.empty(networks, np.bool_), np.empty(networks * LANES, np.int64), *of_tile)


def accumulator(quantities: int, depth: int) -> Accumulator:
    """Return an empty accumulator of values (quantities, any number of networks, depth).

    It has the arrays of this thread's last one of that shape: new pages cost as much time as the numbers in them.
    """
    idle, _thread.idle = getattr(_thread, "idle", None), None
    if idle is None or idle.shape != (quantities, depth) or idle.relative != _relative(quantities):
        return Accumulator(quantities, depth)
    return idle


def reduce(values: np.ndarray) -> Sums:
    """The `Sums` of a block's values, float64 (quantities, count, depth), as `Simulator.block` returns them."""
    quantities, _, depth = values.shape
    found = accumulator(quantities, depth)
    found.add(values, whole=True)
    return found.sums()
