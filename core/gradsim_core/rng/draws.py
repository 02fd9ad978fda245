"""Numbers of a law in bulk: first the random words of a few counters, then the numbers that they make.

The integer and the floating-point part each fit the registers of AVX2 (15 % less time than both at once), and in each
two counters go abreast, so that the processor finds work while one chain of operations waits.
"""

from __future__ import annotations

from typing import NamedTuple

from gradsim_core import jit
from gradsim_core.elementary import by_precision
from gradsim_core.lanes import LANES, halves, join, load_four, store_four
from gradsim_core.parameters import Params

from .philox import fill_words, fill_words_of_two

AHEAD = 4  # counters


class Counter(NamedTuple):
    """Whose random words a law makes numbers from: those of `index`, and of index + step where there are two."""

    cell: Params
    network: int
    layer: int
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
    cell, network, layer, index, step = counter
    z0, z1, z2, z3 = load_drawn(draw, words, k, counter, scale)
    z4, z5, z6, z7 = load_drawn(draw, words, k + 4 * LANES, Counter(cell, network, layer, index + step, 0), scale)
    return z0, z1, z2, z3, z4, z5, z6, z7


# Of two counters: 10 % less time abreast in float32, where they fit the registers.
load_eight = by_precision(_eight_32, _eight_64)


def fill_drawn(draw, cell, network, layer, role, count, scale, words, out, start):
    """Numbers of the counters 0 .. count - 1 from `start` on, 64 of each."""
    for first in range(0, count, AHEAD):
        some = min(AHEAD, count - first)
        fill_words(cell.key, network, layer, role, first, some, 1, words)
        for n in range(0, some - 1, 2):
            k, counter = n * 4 * LANES, Counter(cell, network, layer, first + n, 1)
            z0, z1, z2, z3, z4, z5, z6, z7 = load_eight(draw, words, k, counter, scale)
            k += start + first * 4 * LANES
            store_four(out, k, z0, z1, z2, z3)
            store_four(out, k + 4 * LANES, z4, z5, z6, z7)
        if some % 2 == 1:
            k, counter = (some - 1) * 4 * LANES, Counter(cell, network, layer, first + some - 1, 0)
            z0, z1, z2, z3 = load_drawn(draw, words, k, counter, scale)
            store_four(out, start + first * 4 * LANES + k, z0, z1, z2, z3)


def fill_two(draw, cell, network, one, other, first, count, scale, words, out):
    """Numbers of the counters first .. first + count - 1 of one stream, then of the other; no law with masks.

    The counters of the two go abreast, and their words are converted in one loop.
    """
    fill_words_of_two(cell.key, network, one, other, first, count, words)
    for k in range(0, 2 * count * 4 * LANES, 8 * LANES):
        z0, z1, z2, z3, z4, z5, z6, z7 = load_eight(draw, words, k, Counter(cell, network, 0, 0, 0), scale)
        store_four(out, k, z0, z1, z2, z3)
        store_four(out, k + 4 * LANES, z4, z5, z6, z7)


jit.register_leaves(__name__, inline=True)
