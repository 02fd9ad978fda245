"""Sums beyond 64 bits: exact, whatever the numbers, and refused where they do not fit the stored columns."""

from __future__ import annotations

import random

import numpy as np
import pytest

from gradsim.dataset import wide

SHIFT = 50


@pytest.fixture
def pairs() -> tuple[np.ndarray, np.ndarray, list[int]]:
    rng, ends = random.Random(1), [0, 1, -1, 2**62, -(2**63), 2**63 - 1]
    high = [*ends, *(rng.randrange(-(2**63), 2**63) for _ in range(500))]
    low = [rng.choice([0, 2**SHIFT - 1, rng.randrange(2**SHIFT)]) for _ in high]
    return np.array(high), np.array(low), [h * 2**SHIFT + k for h, k in zip(high, low, strict=True)]


def test_there_and_back(pairs) -> None:
    high, low, numbers = pairs
    limbs = wide.of_pairs(high, low, SHIFT)
    assert wide.to_ints(limbs).tolist() == numbers
    assert [part.tolist() for part in wide.to_pairs(limbs, SHIFT)] == [high.tolist(), low.tolist()]
    assert wide.to_int64(wide.of_int64(high)).tolist() == high.tolist()
    for k, word in enumerate(wide.words(limbs)):
        assert word.tolist() == [number >> 64 * k & (2**64 - 1) for number in numbers]


def test_sums(pairs) -> None:
    high, low, numbers = pairs
    total = wide.of_pairs(high, low, SHIFT).sum(axis=0)[None]
    assert wide.to_ints(wide.carried(total)).tolist() == [sum(numbers)]


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 2**64, 2**96, -(2**100)])
def test_what_does_not_fit(number: int) -> None:
    for value, store in ((number, wide.to_int64), (number << SHIFT, lambda limbs: wide.to_pairs(limbs, SHIFT))):
        limbs = np.array(
            [[value & 2**32 - 1, value >> 32 & 2**32 - 1, value >> 64 & 2**32 - 1, value >> 96 & 2**62 - 1]]
        )
        if value < 0:
            limbs[0, 3] = value >> 96
        if abs(value) < 2**157:
            with pytest.raises(OverflowError, match="64 bits"):
                store(limbs)
