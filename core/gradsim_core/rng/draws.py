"""Random numbers of a law in bulk: first the random words of a few counters, then the numbers made from them.

In two loops the integer part and the floating-point part each fit the registers of AVX2 (15 % less time than one loop
for both). Each part interleaves two counters, so that the processor has work while one chain of operations waits.
"""

from __future__ import annotations

from typing import NamedTuple

from gradsim_core import jit
from gradsim_core.elementary import by_precision
from gradsim_core.lanes import LANES, halves, join, load_four, store_four
from gradsim_core.parameters import Params

from .philox import fill_words, fill_words_of_two, stream

AHEAD = 4
"""How many counters' words are drawn before numbers are made from them, where weights are drawn."""


class Source(NamedTuple):
    """Where random numbers come from: one role in one layer of a network, or of a group of sixteen networks.

    Attributes
    ----------
    cell
        Its `key` is the key of the random numbers.
    network
        Number of the network, or of the group where the role is a `GROUP_` or `NARROW_` role of `philox`.
    layer
        Layer, counted from 1; 0 for input and readout.
    role
        What the numbers are for, a `ROLE_` or `GROUP_` constant of `philox`.
    """

    cell: Params
    network: int
    layer: int
    role: int


class Counter(NamedTuple):
    """One counter of a source, or two that are processed together: `index`, and index + step if there are two."""

    source: Source
    index: int
    step: int


def load_drawn(draw, words, k, counter, scale):
    """Four vectors of numbers, made by the law's function `draw` from the four vectors of words at words[k:]."""
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


# As `load_drawn`, for the words of two counters at words[k:]: eight vectors. In float32 both fit the registers, and
# making them together takes 10 % less time; in float64 they do not fit.
load_eight = by_precision(_eight_32, _eight_64)


def fill_drawn(draw, source, count, scale, words, out, start):
    """Draw 64 numbers from each of the counters 0 .. count - 1 of a source; parameters as of `fill_from`."""
    fill_from(draw, source, 0, count, scale, words, out, start)


def fill_from(draw, source, begin, count, scale, words, out, start):
    """Draw 64 numbers from each of the counters begin .. begin + count - 1 of a source.

    Parameters
    ----------
    draw : callable
        `WeightLaw.draw`: makes four vectors of numbers from four vectors of words, a counter and a scale.
    source : Source
    begin, count : int
        The first counter, and how many there are.
    scale : float
        Standard deviation, in the precision of `out`; the law `standard` uses only its precision.
    words : int32 array
        Scratch for the words of one or more counters, 64 each: as many are drawn before numbers are made from them.
    out : float array
        Receives the 64 count numbers from index `start` on.
    start : int
    """
    cell, network, layer, role = source
    ahead = len(words) // (4 * LANES)
    for first in range(0, count, ahead):
        drawn = min(ahead, count - first)
        fill_words(cell.key, network, stream(layer, role), begin + first, drawn, 1, words)
        for n in range(0, drawn - 1, 2):
            k = n * 4 * LANES
            z0, z1, z2, z3, z4, z5, z6, z7 = load_eight(draw, words, k, Counter(source, begin + first + n, 1), scale)
            k += start + first * 4 * LANES
            store_four(out, k, z0, z1, z2, z3)
            store_four(out, k + 4 * LANES, z4, z5, z6, z7)
        if drawn % 2 == 1:
            k = (drawn - 1) * 4 * LANES
            z0, z1, z2, z3 = load_drawn(draw, words, k, Counter(source, begin + first + drawn - 1, 0), scale)
            store_four(out, start + first * 4 * LANES + k, z0, z1, z2, z3)


def fill_two(draw, sources, first, count, scale, words, out):
    """Draw the numbers of the counters first .. first + count - 1 of one source, then those of a second source.

    Both sources belong to one network or group. Their counters are interleaved, and their words are converted in one
    loop. The law may not use masks, because `draw` gets the same `Counter` for all of them.

    Parameters
    ----------
    draw : callable
        As in `fill_drawn`.
    sources : tuple of two Source
    first, count : int
    scale : float
        As in `fill_drawn`.
    words : int32 array (128 count,)
        Scratch.
    out : float array (128 count,)
    """
    source, second = sources
    streams = stream(source.layer, source.role), stream(second.layer, second.role)
    fill_words_of_two(source.cell.key, source.network, streams[0], streams[1], first, count, words)
    for k in range(0, 2 * count * 4 * LANES, 8 * LANES):
        z0, z1, z2, z3, z4, z5, z6, z7 = load_eight(draw, words, k, Counter(source, 0, 0), scale)
        store_four(out, k, z0, z1, z2, z3)
        store_four(out, k + 4 * LANES, z4, z5, z6, z7)


jit.register_leaves(__name__, inline=True)
