"""Philox4x32-10, a counter-based generator: random words are a pure function of (key, counter).

Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC 2011),
doi:10.1145/2063384.2063405. A test compares it with the known answers published by the authors.

The counter packs (network, layer, role, index) injectively into four words::

    word 0   layer (20 bits) | role (8 bits) | lane (4 bits)
    word 1   index, low 32 bits
    word 2   network, low 32 bits
    word 3   index, high 16 bits | network, high 16 bits

Within a layer only word 1 changes, and it is the same in every lane. So the first round and half of the next two are
scalar or constant, and the compiler moves them out of the loop.

Words are held as 64-bit numbers between rounds, because their products need 64 bits; even and odd lanes are separate
vectors until the last round packs them. Two counters are interleaved: each round waits for its products, and the
processor looks only a limited way ahead for other work (21 % less time than one after the other, with AVX-512 and with
AVX2).
"""

from __future__ import annotations

import numpy as np

from gradsim_core import jit
from gradsim_core.lanes import LANES, halves, join, lane_words, pack_high, pack_low, store_four

# What a random number is for. Each role has a stream of its own, so no two numbers of a network share a counter.
ROLE_INPUT, ROLE_READOUT, ROLE_WEIGHT, ROLE_BIAS, ROLE_MASK = range(5)
# Roles of a group: sixteen networks share a counter. Words 2 and 3 hold network // 16, and the lane is network % 16.
# The conditional method has roles of its own, so that with one seed its networks are independent of explicit ones.
GROUP_INPUT, GROUP_READOUT, GROUP_FORWARD, GROUP_BACKWARD, GROUP_BIAS, NARROW_WEIGHT = range(5, 11)
# The order of the samples of an epoch in training.
ROLE_ORDER = 11
# Input, readout and biases of a group of narrow explicit networks.
NARROW_INPUT, NARROW_READOUT, NARROW_BIAS = range(12, 15)
# All numbers of a group of the radial method; the index says what a number is for (see `schedules.radial`).
GROUP_RADIAL = 15
# Normals of a lazy matrix: the products with its basis, and the part of the backward pass across it.
LAZY_FORWARD, LAZY_BACKWARD = 16, 17
# Inputs, readout, biases and explicit weights of a network that a tape describes.
TAPE_INPUT, TAPE_READOUT, TAPE_BIAS, TAPE_WEIGHT = range(18, 22)
# Roles of a group of networks with a stream (see `schedules.streams`): ends and biases; normals of the matrix that ends
# a block, forward and backward; and of the first one of two.
STREAM_INPUT, STREAM_READOUT, STREAM_BIAS, STREAM_FORWARD, STREAM_BACKWARD = range(22, 27)
STREAM_INNER_FORWARD, STREAM_INNER_BACKWARD = 27, 28
# All numbers of a group of residual networks of the radial method; the index says what a number is for (see
# `schedules.radial_streams`).
RADIAL_STREAM = 80
# Training steps: input, target, readout, biases, matrices drawn as a whole, and products of lazy ones. The conditional
# method takes these; the explicit one those that are EXPLICIT_STEPS higher.
STEPS_INPUT, STEPS_TARGET, STEPS_READOUT, STEPS_BIAS, STEPS_WEIGHT, STEPS_FORWARD, STEPS_BACKWARD = range(64, 71)
EXPLICIT_STEPS = 8
# Token ids of a network whose inputs are tokens, and the rows of its embedding by the conditional method.
TAPE_TOKEN, TAPE_EMBEDDING = 96, 97

MAX_NETWORKS, MAX_DEPTH, MAX_INDEX = 2**48, 2**20 - 2, 2**48

_MULTIPLIER_0, _MULTIPLIER_1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_WEYL_0, _WEYL_1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
_LOW, _SHIFT = np.uint64(0xFFFFFFFF), np.uint64(32)


def round_keys(key, n):
    """The two 32-bit words of the key in round n, each in a uint64."""
    return ((key & _LOW) + _WEYL_0 * np.uint64(n)) & _LOW, ((key >> _SHIFT) + _WEYL_1 * np.uint64(n)) & _LOW


def philox_round(word_0, word_1, word_2, word_3, key, n):
    """Round n. Every word is a 32-bit number in a uint64, a scalar or a vector."""
    key_0, key_1 = round_keys(key, n)
    product_0 = word_0 * _MULTIPLIER_0
    product_1 = word_2 * _MULTIPLIER_1
    return (
        (product_1 >> _SHIFT) ^ word_1 ^ key_0,
        product_1 & _LOW,
        (product_0 >> _SHIFT) ^ word_3 ^ key_1,
        product_0 & _LOW,
    )


def first_rounds(word_0, word_1, word_2, word_3, key):
    """Rounds 0 to 2, written out: words turn from scalars into vectors, and a loop could not change their types."""
    a, b, c, d = philox_round(word_0, word_1, word_2, word_3, key, 0)
    e, f, g, h = philox_round(a, b, c, d, key, 1)
    return philox_round(e, f, g, h, key, 2)


def middle_rounds(word_0, word_1, word_2, word_3, key):
    """Rounds 3 to 8."""
    word_0, word_1, word_2, word_3 = philox_round(word_0, word_1, word_2, word_3, key, 3)
    word_0, word_1, word_2, word_3 = philox_round(word_0, word_1, word_2, word_3, key, 4)
    word_0, word_1, word_2, word_3 = philox_round(word_0, word_1, word_2, word_3, key, 5)
    word_0, word_1, word_2, word_3 = philox_round(word_0, word_1, word_2, word_3, key, 6)
    word_0, word_1, word_2, word_3 = philox_round(word_0, word_1, word_2, word_3, key, 7)
    return philox_round(word_0, word_1, word_2, word_3, key, 8)


def last_round(word_0, word_1, word_2, word_3, key):
    """Round 9, from words of even lanes followed by odd ones, to int32 words in lane order.

    Packing before the final xors halves their number.
    """
    key_0, key_1 = round_keys(key, 9)
    even_0, odd_0 = halves(word_0 * _MULTIPLIER_0)
    even_1, odd_1 = halves(word_2 * _MULTIPLIER_1)
    even_b, odd_b = halves(word_1)
    even_d, odd_d = halves(word_3)
    return (
        pack_high(even_1, odd_1) ^ pack_low(even_b, odd_b) ^ np.int32(np.uint32(key_0)),
        pack_low(even_1, odd_1),
        pack_high(even_0, odd_0) ^ pack_low(even_d, odd_d) ^ np.int32(np.uint32(key_1)),
        pack_low(even_0, odd_0),
    )


def philox(word_0, word_1, word_2, word_3, key):
    """Ten rounds of Philox4x32 on a counter of four words, under a 64-bit key."""
    a, b, c, d = first_rounds(word_0, word_1, word_2, word_3, key)
    a, b, c, d = middle_rounds(a, b, c, d, key)
    return philox_round(a, b, c, d, key, 9)


def stream(layer, role):
    """Word 0 of the counters of one layer and role, without the lane, as uint64."""
    return np.uint64(layer << 12 | role << 4)


def start(key, network, stream, index):
    """The words of sixteen lanes after rounds 0 to 2: even lanes, followed by odd ones."""
    word_1, word_2 = np.uint64(index & 0xFFFFFFFF), np.uint64(network & 0xFFFFFFFF)
    word_3 = np.uint64(index >> 32) << np.uint64(16) | np.uint64(network >> 32)
    return first_rounds(join(lane_words(0), lane_words(1)) | stream, word_1, word_2, word_3, key)


def random_words(key, network, layer, role, index):
    """The random words of one counter.

    Parameters
    ----------
    key : uint64
    network : int, < MAX_NETWORKS
        Network, or group where the role is a `GROUP_` or `NARROW_` role.
    layer : int, <= MAX_DEPTH + 1
    role : int, < 256
    index : int, < MAX_INDEX

    Returns
    -------
    tuple of four int32 vectors of 16 lanes
    """
    return words_of_stream(key, network, stream(layer, role), index)


def words_of_stream(key, network, stream, index):
    """As `random_words`, given `stream(layer, role)`."""
    a, b, c, d = start(key, network, stream, index)
    a, b, c, d = middle_rounds(a, b, c, d, key)
    return last_round(a, b, c, d, key)


def scalar_words(key, network, layer, role, index):
    """The four words of lane 0 of one counter, each in a uint64; arguments are those of `random_words`."""
    word_1, word_2 = np.uint64(index & 0xFFFFFFFF), np.uint64(network & 0xFFFFFFFF)
    word_3 = np.uint64(index >> 32) << np.uint64(16) | np.uint64(network >> 32)
    return philox(stream(layer, role), word_1, word_2, word_3, key)


def two_counters(key, network, stream, index, second_stream, second_index):
    """The words of two counters of one network: four int32 vectors of the first, then four of the second."""
    a, b, c, d = start(key, network, stream, index)
    e, f, g, h = start(key, network, second_stream, second_index)
    a, b, c, d = middle_rounds(join(a, e), join(b, f), join(c, g), join(d, h), key)
    (a, e), (b, f), (c, g), (d, h) = halves(a), halves(b), halves(c), halves(d)
    a, b, c, d = last_round(a, b, c, d, key)
    e, f, g, h = last_round(e, f, g, h, key)
    return a, b, c, d, e, f, g, h


def fill_words(key, network, stream, first, count, step, words):
    """Write the words of the `count` counters first, first + step, .. of a stream: 64 int32 each, from words[0] on."""
    for i in range(0, count - 1, 2):
        index, k = first + i * step, i * 4 * LANES
        a, b, c, d, e, f, g, h = two_counters(key, network, stream, index, stream, index + step)
        store_four(words, k, a, b, c, d)
        store_four(words, k + 4 * LANES, e, f, g, h)
    if count % 2 == 1:
        a, b, c, d = words_of_stream(key, network, stream, first + (count - 1) * step)
        store_four(words, (count - 1) * 4 * LANES, a, b, c, d)


def fill_words_of_two(key, network, stream, second_stream, first, count, words):
    """Write the words of the counters first .. first + count - 1 of one stream, then those of a second stream."""
    for i in range(count):
        a, b, c, d, e, f, g, h = two_counters(key, network, stream, first + i, second_stream, first + i)
        store_four(words, i * 4 * LANES, a, b, c, d)
        store_four(words, (count + i) * 4 * LANES, e, f, g, h)


jit.register_leaves(__name__, inline=True)
