"""The generator against published answers, and its counters against overlap."""

from __future__ import annotations

import numpy as np
import pytest

from gradsim_core import jit
from gradsim_core.lanes import store
from gradsim_core.rng.philox import philox, random_words, scalar_words

# Random123's kat_vectors: philox4x32, 10 rounds (counter, key, words).
KNOWN = [
    ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
]


def words(text):
    return [np.uint64(int(word, 16)) for word in text.split()]


def philox_words(a, b, c, d, key):
    return philox(a, b, c, d, key)


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize(("counter", "key", "answer"), KNOWN)
def test_known_answers(counter, key, answer, compiled):
    low, high = words(key)
    function = jit.compiled(philox_words) if compiled else philox
    assert list(function(*words(counter), low | high << np.uint64(32))) == words(answer)


KEY = np.uint64(0x299F31D0A4093822)


def lanes_of(network, layer, role, index):
    out = np.zeros(64, np.int32)
    jit.compiled(store_words)(KEY, network, layer, role, index, out)
    return out


def store_words(key, network, layer, role, index, out):
    a, b, c, d = random_words(key, network, layer, role, index)
    store(out, 0, a)
    store(out, 16, b)
    store(out, 32, c)
    store(out, 48, d)


COUNTERS = [(0, 0, 0, 0), (1, 2, 3, 4), (2**48 - 1, 2**20 - 1, 15, 2**48 - 1), (2**32, 7, 2, 2**32 + 5)]


@pytest.mark.parametrize("counter", COUNTERS)
def test_scalar_words_are_those_of_the_first_lane(counter):
    vectors = lanes_of(*counter).view(np.uint32).reshape(4, 16)
    words = jit.compiled(scalar_words)(KEY, *counter)
    assert [int(word) for word in words] == vectors[:, 0].tolist()


@pytest.mark.parametrize("counter", COUNTERS)
def test_lanes_are_plain_philox_of_the_packed_counter(counter):
    """Each lane is philox of the four words that the module documents, computed here in Python integers."""
    network, layer, role, index = counter
    vectors = lanes_of(*counter)
    for lane in (0, 1, 7, 8, 15):
        packed = (
            layer << 12 | role << 4 | lane,
            index & 0xFFFFFFFF,
            network & 0xFFFFFFFF,
            index >> 32 << 16 | network >> 32,
        )
        expected = philox(*(np.uint64(word) for word in packed), KEY)
        assert [int(vectors[lane + 16 * k]) & 0xFFFFFFFF for k in range(4)] == [int(word) for word in expected]


def test_interpreter_and_compiled_agree():
    for counter in COUNTERS:
        interpreted = np.concatenate(random_words(KEY, *counter))
        np.testing.assert_array_equal(interpreted, lanes_of(*counter))


def test_counters_do_not_overlap():
    """All (network, layer, role, index) near the edges of their fields give different words."""
    seen = set()
    values = [
        (n, la, r, i)
        for n in (0, 1, 2**32, 2**48 - 1)
        for la in (0, 1, 2**20 - 1)
        for r in (0, 15)
        for i in (0, 2**32, 2**48 - 1)
    ]
    for value in values:
        seen.add(lanes_of(*value).tobytes())
    assert len(seen) == len(values)
