"""Kernels that add a part of a block to its sums and histograms, and that write these as sparse ones."""

from __future__ import annotations

import numpy as np

from gradsim_core import jit
from gradsim_core.lanes import LANES

from .tiles import NO_BIN, add_totals, note_skipped, place_of, sum_tile
from .windows import NO_ROOM, TOO_WIDE, count_tile, fit_windows, occupied, write_base


def add_part(part, relative, last_delta, totals, windows, scratch, first, stop):
    """Add tiles first .. stop - 1 of a part to the sums and histograms; returns `stop` if all are done.

    Else it returns the number of a tile for whose windows there is no room in windows.counts, and which has to be added
    again; or -1 - number of a tile whose values lie too far apart: its bins are in scratch.bins, not counted.

    Parameters
    ----------
    part : Part
    relative : bool (quantities,)
        Whether a quantity leaves out networks whose value `last_delta` of the last layer is -inf.
    last_delta : int
        Index of log_delta among the quantities.
    totals, windows, scratch : Totals, Windows, Scratch
    first, stop : int
    """
    known = -1
    for tile in range(first, stop):
        quantity, layer, begin, _ = place_of(tile, part.depth)
        if quantity != known:
            skipped, known = note_skipped(part, relative[quantity], last_delta, scratch.skip), quantity
        write_base(tile, windows, scratch.base)
        ready = sum_tile(part, (quantity * part.count + part.start) * part.depth + layer, scratch)
        fitting = fit_windows(tile, totals, windows, scratch)
        if fitting == NO_ROOM:
            return tile
        if layer + begin == 0:
            totals.networks[quantity] += part.stop - part.start - skipped
        add_totals(tile, totals, scratch)
        if fitting == TOO_WIDE:
            return -1 - tile
        count_tile(tile, part.stop - part.start, ready, windows, scratch)
    return stop


def sort_tile(tile, part, scratch):
    """The sparse histogram (column, bin, count) of a tile whose values lie too far apart for windows."""
    quantity, layer, begin, end = place_of(tile, part.depth)
    networks = part.stop - part.start
    columns, found = np.empty(networks * LANES, np.int64), np.empty(networks * LANES, np.int32)
    counts, size = np.empty(networks * LANES, np.int64), 0
    for lane in range(begin, end):
        previous = NO_BIN
        for index in np.sort(scratch.bins[lane : networks * LANES : LANES]):
            if index == NO_BIN:
                continue
            b = index - scratch.base[lane]
            if b != previous:
                columns[size], found[size], counts[size] = quantity * part.depth + layer + lane, b, 0
                previous = b
                size += 1
            counts[size - 1] += 1
    return columns[:size].copy(), found[:size].copy(), counts[:size].copy()


def sparse(first, stop, depth, totals, windows):
    """The windows of tiles first .. stop - 1 as one sparse histogram (column, bin, count)."""
    size = bins = 0
    for tile in range(first, stop):
        _, _, begin, end = place_of(tile, depth)
        width, start = windows.width[tile], windows.start[tile]
        for i in range(start + begin * width, start + end * width):
            size += windows.counts[i] != 0
        bins += (end - begin) * width
    mostly_empty = size < bins // 8
    columns, found, counts = np.empty(size + 1, np.int64), np.empty(size + 1, np.int32), np.empty(size + 1, np.int64)
    size = 0
    for tile in range(first, stop):
        quantity, layer, begin, end = place_of(tile, depth)
        for lane in range(begin, end):
            start, low, width = occupied(tile, lane, totals, windows)
            for k in range(width):
                # Empty bins are overwritten by the next: where they are not rare, a branch could not be predicted.
                count = windows.counts[start + k]
                if mostly_empty and count == 0:
                    continue
                columns[size], found[size], counts[size] = quantity * depth + layer + lane, low + k, count
                size += count != 0
    return columns[:size], found[:size], counts[:size]


jit.register_leaves(__name__, inline=False)
