"""Numbers of a law in bulk: first the random words of a few counters, then the numbers that they make.

The integer and the floating-point part each fit the registers of AVX2 (15 % less time than both at once), and in each
two counters are interleaved, so that the processor finds work while one chain of operations waits.
"""

from __future__ import annotations

from typing import NamedTuple

from gradsim_core import jit
from gradsim_core.elementary import by_precision
from gradsim_core.lanes import LANES, halves, join, load_four, store_four
from gradsim_core.parameters import Params

from .philox import fill_words, fill_words_of_two, stream

AHEAD = 4
"""Counters whose words are drawn before numbers are made of them."""


class Source(NamedTuple):
    """Where random numbers come from: one role in one layer of a network, or of a group of sixteen networks."""

    cell: Params
    network: int
    layer: int
    role: int


class Counter(NamedTuple):
    """The random words that a law makes numbers from: those of `index`, and of index + step where there are two."""

    source: Source
    index: int
    step: int


def load_drawn(draw, words, k, counter, scale):
    """Four vectors of numbers from the words of a counter that `fill_words` stored from k on."""
    a, b, c, d = load_four(words, k)
    return draw(a, b, c, d, counter, scale)


def _eight_32(draw, words, k, counter, scale):
    a, b, c, d = load_four(words, k)
    e, f, g, h = load_four(words, k + 4 * LANES)
    z0, z1, z2, z3 = draw(join(a, e), join(b, f), join(c, g), join(d, h), counter, scale)
    (z0, z4), (z1, z5), (z2, z6), (z3, z7) = halves(z0), halves(z1), halves(z2), halves(z3)
    return z0, z1, z2, z3, z4, z5, z6, z7


def _eight_64(draw, words, k, counter, scale):
    source, index, step = counter
    z0, z1, z2, z3 = load_drawn(draw, words, k, counter, scale)
    z4, z5, z6, z7 = load_drawn(draw, words, k + 4 * LANES, Counter(source, index + step, 0), scale)
    return z0, z1, z2, z3, z4, z5, z6, z7


# Of two counters: 10 % less time together in float32, where they fit the registers.
load_eight = by_precision(_eight_32, _eight_64)


def fill_drawn(draw, source, count, scale, words, out, start):
    """Numbers of the counters 0 .. count - 1 of a source into `out` from `start` on, 64 of each counter.

    Parameters
    ----------
    draw : callable
        The law's block.
    source : Source
    count : int
    scale : float
        Standard deviation, in the precision of `out`.
    words : int32 array (64 AHEAD,)
        Scratch.
    out : float array
    start : int
    """
    cell, network, layer, role = source
    for first in range(0, count, AHEAD):
        some = min(AHEAD, count - first)
        fill_words(cell.key, network, stream(layer, role), first, some, 1, words)
        for n in range(0, some - 1, 2):
            k = n * 4 * LANES
            z0, z1, z2, z3, z4, z5, z6, z7 = load_eight(draw, words, k, Counter(source, first + n, 1), scale)
            k += start + first * 4 * LANES
            store_four(out, k, z0, z1, z2, z3)
            store_four(out, k + 4 * LANES, z4, z5, z6, z7)
        if some % 2 == 1:
            k = (some - 1) * 4 * LANES
            z0, z1, z2, z3 = load_drawn(draw, words, k, Counter(source, first + some - 1, 0), scale)
            store_four(out, start + first * 4 * LANES + k, z0, z1, z2, z3)


def fill_two(draw, sources, first, count, scale, words, out):
    """Numbers of the counters first .. first + count - 1 of one source, then of another; not for laws with masks.

    The counters of the two sources, of one network, are interleaved, and their words are converted in one loop.
    """
    source, other = sources
    streams = stream(source.layer, source.role), stream(other.layer, other.role)
    fill_words_of_two(source.cell.key, source.network, streams[0], streams[1], first, count, words)
    for k in range(0, 2 * count * 4 * LANES, 8 * LANES):
        z0, z1, z2, z3, z4, z5, z6, z7 = load_eight(draw, words, k, Counter(source, 0, 0), scale)
        store_four(out, k, z0, z1, z2, z3)
        store_four(out, k + 4 * LANES, z4, z5, z6, z7)


jit.register_leaves(__name__, inline=True)
