"""How many of N fair coins show heads: Binomial(N, 1/2), one number per network of a group, from two words.

Up to 56 coins their bits are counted. Beyond, the alias method takes one look at a table: its 2^k rows are equally
likely, and each holds two counts and a limit. The second word names the row, and the first one, held against the limit,
chooses the count. Source: Walker (ACM TOMS 3, 1977), doi:10.1145/355744.355749. Chances are whole multiples of
2^-(32 + k), computed with whole numbers alone; k is at least 6. The lowest 8 bits of the second word are left.
"""

from __future__ import annotations

from functools import cache
from itertools import accumulate, pairwise
from math import isqrt
from typing import NamedTuple

import numpy as np

from gradsim_core import jit
from gradsim_core.lanes import LANES, load, splat, store, synchronise, to_float

SPARE = 8
"""Lowest bits of the second word that are left for another use."""

COUNTED = 64 - SPARE
"""Most coins whose bits are counted."""

_FINE = 160  # bits of the terms that are summed for a chance


class Coins(NamedTuple):
    """The law of a count, and the scratch in which it is drawn.

    Attributes
    ----------
    number : int
        N.
    rows : int64 array (2^k,)
        Limit 2^32 + other, both below 2^32: the count is that of the row while the first word is below the limit, else
        that of row `other`.
    shift : int
        32 - k.
    least : int
        The count of row 0; row i has i more.
    words, counts : int32 arrays (32,), (16,)
        Scratch.
    """

    number: int
    rows: np.ndarray
    shift: int
    least: int
    words: np.ndarray
    counts: np.ndarray


def fair_coins(number: int) -> Coins:
    """The law of the count of N coins, with scratch of its own."""
    scratch = np.zeros(2 * LANES, np.int32), np.zeros(LANES, np.int32)
    if number <= COUNTED:
        return Coins(number, np.zeros(1, np.int64), 0, 0, *scratch)
    return Coins(number, *_table(number), *scratch)


def chances(number: int) -> tuple[int, int, list[int]]:
    """The smallest count that has a chance, k, and the chances of it and those above it, in units of 2^-(32 + k).

    Terms follow from the middle upwards, C(N, j + 1) = C(N, j) (N - j) / (j + 1), until they vanish beside 2^160 times
    as large a one, and so do all roundings; those below the middle are the same.
    """
    middle = -(-number // 2)
    upper = [1 << _FINE]
    while upper[-1] and middle + len(upper) <= number:
        j = middle + len(upper) - 1
        upper.append(upper[-1] * (number - j) // (j + 1))
    lower = upper[1 - number % 2 :]
    sums = list(accumulate(lower[::-1] + upper))
    for k in range(isqrt(number).bit_length(), 32 - SPARE):  # it takes about 7 sqrt N rows
        reached = [0, *((each << 32 + k) // sums[-1] for each in sums)]
        found = [after - before for before, after in pairwise(reached)]
        first = next(i for i, chance in enumerate(found) if chance)
        found = found[first : reached.index(1 << 32 + k)]
        if len(found) <= 1 << k:
            return middle - len(lower) + first, k, found
    raise AssertionError(number)


@cache
def _table(number: int) -> tuple[np.ndarray, int, int]:
    """The rows, the shift that turns a word into its row, and the smallest count."""
    least, k, left = chances(number)
    rows, size = 1 << k, 1 << 32
    left += [0] * (rows - len(left))
    limits, others = [size] * rows, list(range(rows))
    small, large = ([i for i in range(rows) if (left[i] < size) == is_small] for is_small in (True, False))
    while small:
        row = small.pop()
        limits[row], others[row] = left[row], large[-1]
        left[large[-1]] -= size - left[row]
        if left[large[-1]] < size:
            small.append(large.pop())
    # A full row has no other: any limit leads to its own count.
    packed = [
        (limit << 32 | other) if limit < size else row
        for row, (limit, other) in enumerate(zip(limits, others, strict=True))
    ]
    return np.array(packed, np.uint64).view(np.int64), 32 - k, least


def count_bits(word):
    """How many bits of each lane of an int32 vector are set."""
    pairs = word - (word >> 1 & 0x55555555)
    fours = (pairs & 0x33333333) + (pairs >> 2 & 0x33333333)
    return (fours + (fours >> 4) & 0x0F0F0F0F) * 0x01010101 >> 24 & 0xFF


def lowest_bits(count):
    """An int32 with the `count` lowest bits set; none below 0, all above 31."""
    return np.int32((1 << max(count, 0)) - 1) if count < 32 else np.int32(-1)


@jit.inlined
def heads(coins, word, second, like):
    """The count of sixteen networks from two random words, in the precision of `like`: whole numbers from 0 to N."""
    if coins.number > COUNTED:
        return look_up(coins, word, second, like)
    count = count_bits(word & lowest_bits(coins.number))
    if coins.number > 32:
        count = count + count_bits(second >> SPARE & lowest_bits(coins.number - 32))
    return to_float(count, like)


def look_up(coins, word, second, like):
    """The counts in the table at two words."""
    store(coins.words, 0, word)
    store(coins.words, LANES, second)
    synchronise()
    for lane in range(LANES):
        row = np.uint32(coins.words[LANES + lane]) >> np.uint32(coins.shift)  # unsigned: no check for negative indices
        packed = np.uint64(coins.rows[row])
        limit, other = np.uint32(packed >> np.uint64(32)), np.uint32(packed & np.uint64(0xFFFFFFFF))
        coins.counts[lane] = np.int32(row if np.uint32(coins.words[lane]) < limit else other)
    synchronise()
    return to_float(load(coins.counts, 0), like) + splat(like, coins.least)


jit.register_leaves(__name__, inline=False)
