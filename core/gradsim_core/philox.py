"""Philox4x32-10, a counter-based generator: random words are a pure function of (key, counter).

Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC 2011),
doi:10.1145/2063384.2063405. Checked against the known answers published with it.

The counter packs (network, layer, role, index) injectively into four words::

    word 0   layer (20 bits) | 0 (4 bits) | role (4 bits) | lane (4 bits)
    word 1   index, low 32 bits
    word 2   network, low 32 bits
    word 3   index, high 16 bits | network, high 16 bits

so that inside a layer only word 1 moves, and it is the same in every lane: round 1 and half of round 2
are then scalar or constant, and leave the loop.
"""

from __future__ import annotations

import numpy as np

from .lanes import LANES, lane_words, pack_words, store

# What a random number is for: one stream per role, so that no two numbers of a network share a counter.
ROLE_INPUT, ROLE_READOUT, ROLE_WEIGHT, ROLE_BIAS, ROLE_MASK = range(5)
# The same where sixteen networks share a counter: word 2 and 3 then hold network // 16, the lane network % 16.
GROUP_INPUT, GROUP_READOUT, GROUP_FORWARD, GROUP_BACKWARD, GROUP_BIAS, GROUP_WEIGHT = range(5, 11)

MAX_NETWORKS, MAX_DEPTH, MAX_INDEX = 2**48, 2**20 - 2, 2**48

_MULTIPLIER_0, _MULTIPLIER_1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_WEYL_0, _WEYL_1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
_LOW, _SHIFT = np.uint64(0xFFFFFFFF), np.uint64(32)


def philox_round(word_0, word_1, word_2, word_3, key_0, key_1):
    """One round. Every word is a 32-bit number in a uint64, alone or in lanes."""
    product_0 = word_0 * _MULTIPLIER_0
    product_1 = word_2 * _MULTIPLIER_1
    return (
        (product_1 >> _SHIFT) ^ word_1 ^ key_0,
        product_1 & _LOW,
        (product_0 >> _SHIFT) ^ word_3 ^ key_1,
        product_0 & _LOW,
    )


def philox(word_0, word_1, word_2, word_3, key):
    """Ten rounds of Philox4x32 on a counter of four words, under a 64-bit key."""
    key_0, key_1 = key & _LOW, key >> _SHIFT
    # Written out, not looped: lanes and scalars mix, so the types of the words change in the first rounds.
    a, b, c, d = philox_round(word_0, word_1, word_2, word_3, key_0, key_1)
    key_0, key_1 = (key_0 + _WEYL_0) & _LOW, (key_1 + _WEYL_1) & _LOW
    e, f, g, h = philox_round(a, b, c, d, key_0, key_1)
    key_0, key_1 = (key_0 + _WEYL_0) & _LOW, (key_1 + _WEYL_1) & _LOW
    w0, w1, w2, w3 = philox_round(e, f, g, h, key_0, key_1)
    key_0, key_1 = (key_0 + _WEYL_0) & _LOW, (key_1 + _WEYL_1) & _LOW
    w0, w1, w2, w3 = philox_round(w0, w1, w2, w3, key_0, key_1)
    key_0, key_1 = (key_0 + _WEYL_0) & _LOW, (key_1 + _WEYL_1) & _LOW
    w0, w1, w2, w3 = philox_round(w0, w1, w2, w3, key_0, key_1)
    key_0, key_1 = (key_0 + _WEYL_0) & _LOW, (key_1 + _WEYL_1) & _LOW
    w0, w1, w2, w3 = philox_round(w0, w1, w2, w3, key_0, key_1)
    key_0, key_1 = (key_0 + _WEYL_0) & _LOW, (key_1 + _WEYL_1) & _LOW
    w0, w1, w2, w3 = philox_round(w0, w1, w2, w3, key_0, key_1)
    key_0, key_1 = (key_0 + _WEYL_0) & _LOW, (key_1 + _WEYL_1) & _LOW
    w0, w1, w2, w3 = philox_round(w0, w1, w2, w3, key_0, key_1)
    key_0, key_1 = (key_0 + _WEYL_0) & _LOW, (key_1 + _WEYL_1) & _LOW
    w0, w1, w2, w3 = philox_round(w0, w1, w2, w3, key_0, key_1)
    key_0, key_1 = (key_0 + _WEYL_0) & _LOW, (key_1 + _WEYL_1) & _LOW
    return philox_round(w0, w1, w2, w3, key_0, key_1)


def random_words(key, network, layer, role, index):
    """Four vectors of 16 int32 words for one (network, layer, role, index).

    Even and odd lanes one after the other: the state of eight fits the registers of AVX2, that of sixteen does not.
    """
    stream = np.uint64(layer << 12 | role << 4)
    word_1, word_2 = np.uint64(index & 0xFFFFFFFF), np.uint64(network & 0xFFFFFFFF)
    word_3 = np.uint64(index >> 32) << np.uint64(16) | np.uint64(network >> 32)
    a, b, c, d = philox(lane_words(0) | stream, word_1, word_2, word_3, key)
    e, f, g, h = philox(lane_words(1) | stream, word_1, word_2, word_3, key)
    return pack_words(a, e), pack_words(b, f), pack_words(c, g), pack_words(d, h)


def fill_words(key, network, layer, role, first, last, words):
    """The words of the counters first .. last - 1, 64 each."""
    for index in range(first, last):
        a, b, c, d = random_words(key, network, layer, role, index)
        k = (index - first) * 4 * LANES
        store(words, k, a)
        store(words, k + LANES, b)
        store(words, k + 2 * LANES, c)
        store(words, k + 3 * LANES, d)
