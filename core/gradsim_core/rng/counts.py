"""How many of N fair coins show heads: Binomial(N, 1/2), exactly, one number per network of a group.

Up to 256 coins the random bits of one or two counters are counted. Beyond, the distribution function is inverted: its
values, whole multiples of 2^-62, are computed with whole numbers alone, and a guide tells where the search begins. At
256 coins counting takes two thirds of the time of that.
"""

from __future__ import annotations

from functools import cache
from itertools import accumulate
from typing import NamedTuple

import numpy as np

from gradsim_core import jit
from gradsim_core.lanes import LANES, load, splat, store_four, synchronise, to_float

from .philox import random_words

COUNTED = 256
"""Most coins whose bits are counted."""

_BITS_OF_COUNTER = 128
_BITS, _FINE = 62, 160  # of a value of the distribution function; of the terms that are summed for it


class Coins(NamedTuple):
    """The law of a count, and the scratch in which it is drawn.

    Attributes
    ----------
    number : int
        N.
    steps : int64 array
        2^62 P(count <= least + i), increasing to 2^62.
    guide : int32 array (2^k,)
        For each value of the k highest bits of a number below 2^62, the first step above the smallest such number.
    shift : int
        62 - k.
    least : int
        The smallest count of the table.
    words, counts : int32 arrays (64,), (16,)
        Scratch.
    """

    number: int
    steps: np.ndarray
    guide: np.ndarray
    shift: int
    least: int
    words: np.ndarray
    counts: np.ndarray


def fair_coins(number: int) -> Coins:
    """The law of the count of N coins, with scratch of its own."""
    words, counts = np.zeros(4 * LANES, np.int32), np.zeros(LANES, np.int32)
    if number <= COUNTED:
        return Coins(number, np.zeros(1, np.int64), np.zeros(1, np.int32), 0, 0, words, counts)
    least, steps, guide, shift = _table(number)
    return Coins(number, steps, guide, shift, least, words, counts)


@cache
def _table(number: int) -> tuple[int, np.ndarray, np.ndarray, int]:
    """The smallest count, the steps, the guide and its shift.

    Terms follow from the middle upwards, C(N, k + 1) = C(N, k) (N - k) / (k + 1), until they vanish beside 2^160 times
    as large a one, and so do all roundings; those below the middle are the same.
    """
    middle = -(-number // 2)
    upper = [1 << _FINE]
    while upper[-1] and middle + len(upper) <= number:
        k = middle + len(upper) - 1
        upper.append(upper[-1] * (number - k) // (k + 1))
    lower = upper[1 - number % 2 :]
    sums = list(accumulate(lower[::-1] + upper))
    steps = np.array([(reached << _BITS) // sums[-1] for reached in sums], np.int64)
    first, last = np.searchsorted(steps, [1, 1 << _BITS])
    steps = steps[first : last + 1]
    bits = (4 * len(steps)).bit_length()
    shift = _BITS - bits
    guide = np.searchsorted(steps, np.arange(1 << bits) << shift, side="right").astype(np.int32)
    return middle - len(lower) + int(first), steps, guide, shift


def count_bits(word):
    """How many bits of each lane of an int32 vector are set."""
    pairs = word - (word >> 1 & 0x55555555)
    fours = (pairs & 0x33333333) + (pairs >> 2 & 0x33333333)
    return (fours + (fours >> 4) & 0x0F0F0F0F) * 0x01010101 >> 24 & 0xFF


def lowest_bits(count):
    """An int32 with the `count` lowest bits set; none below 0, all above 31."""
    return np.int32((1 << max(count, 0)) - 1) if count < 32 else np.int32(-1)


@jit.inlined
def heads(coins, words, source, index, like):
    """The count of sixteen networks, in the precision of `like`: whole numbers from 0 to N.

    Parameters
    ----------
    coins : Coins
    words : tuple of four int32 vectors
        The words of counter `index` of `source`.
    source : Source
    index : int
        More coins than the bits of one counter take those of counter index + 2^32, too.
    like : vector
    """
    number = coins.number
    if number > COUNTED:
        return invert(coins, words, like)
    count = count_lowest(words, number)
    if number > _BITS_OF_COUNTER:
        cell, group, layer, role = source
        words = random_words(cell.key, group, layer, role, index + (1 << 32))
        count = count + count_lowest(words, number - _BITS_OF_COUNTER)
    return to_float(count, like)


@jit.inlined
def count_lowest(words, number):
    """How many of the first `number` bits of four words are set."""
    a, b, c, d = words
    count = count_bits(a & lowest_bits(number))
    if number > 32:
        count = count + count_bits(b & lowest_bits(number - 32))
    if number > 64:
        count = count + count_bits(c & lowest_bits(number - 64)) + count_bits(d & lowest_bits(number - 96))
    return count


def invert(coins, words, like):
    """The counts at which the distribution function exceeds numbers below 2^62, made of the first two words."""
    a, b, c, d = words
    store_four(coins.words, 0, a, b, c, d)
    synchronise()
    for lane in range(LANES):
        u = (np.int64(coins.words[lane]) & 0x3FFFFFFF) << 32 | np.int64(coins.words[LANES + lane]) & 0xFFFFFFFF
        i = coins.guide[u >> coins.shift]
        while u >= coins.steps[i]:
            i += 1
        coins.counts[lane] = i
    synchronise()
    return to_float(load(coins.counts, 0), like) + splat(like, coins.least)


jit.register_leaves(__name__, inline=False)
