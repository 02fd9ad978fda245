"""Counts of fair coins: the bits that are counted, the table beside whole numbers, and the law."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from gradsim_core import jit
from gradsim_core.lanes import LANES, load, store
from gradsim_core.parameters import Params
from gradsim_core.rng import counts
from gradsim_core.rng.draws import Source
from gradsim_core.rng.philox import GROUP_RADIAL, random_words

EDGES = [1, 5, 31, 32, 33, 64, 65, 127, 128, 129, 255, 256]
LARGE = [257, 258, 1000, 2**20]


def source(group=0):
    return Source(Params(np.uint64(12345), 1, 1, 1.0, 0.0), group, 3, GROUP_RADIAL)


def counted(coins, group, like):
    cell, group, layer, role = source(group)
    return counts.heads(coins, random_words(cell.key, group, layer, role, 0), source(group), 0, like)


@pytest.mark.parametrize("number", EDGES)
def test_bits_are_counted(number):
    """All bits of a network's words, the first word first, up to the number of coins."""
    cell, group, layer, role = source()
    words = [word for index in (0, 1 << 32) for word in random_words(cell.key, group, layer, role, index)]
    found = counted(counts.fair_coins(number), 0, np.ones(LANES, np.float32))
    for lane in range(LANES):
        text = "".join(f"{int(word[lane]) & 0xFFFFFFFF:032b}"[::-1] for word in words)
        assert found[lane] == text[:number].count("1")


@pytest.mark.parametrize("number", LARGE[:3])
def test_steps_are_the_distribution_function(number):
    """Whole multiples of 2^-62, within one of the exact value, and 1 at the end."""
    coins, total = counts.fair_coins(number), 2**number
    reached, exact = 0, []
    for k in range(number + 1):
        reached += math.comb(number, k)
        exact.append((reached << 62) // total)
    held = exact[coins.least : coins.least + len(coins.steps)]
    assert np.abs(np.array(held) - coins.steps).max() <= 1
    assert coins.steps[-1] == 2**62
    assert coins.least == 0 or exact[coins.least - 1] == 0


@pytest.mark.parametrize("number", LARGE)
def test_the_guide_leads_to_the_count(number):
    coins, rng = counts.fair_coins(number), np.random.default_rng(1)
    numbers = [0, 1, 2**62 - 1, 2**62 - 2, *coins.steps[:-1].tolist(), *(coins.steps[:-1] - 1).tolist()]
    numbers = [n for n in numbers if n >= 0] + rng.integers(0, 2**62, 1000).tolist()
    for i in range(0, len(numbers) - LANES, LANES):
        u = np.array(numbers[i : i + LANES], np.int64)
        high, low = (u >> 32).astype(np.int32), (u & 0xFFFFFFFF).astype(np.uint32).view(np.int32)
        found = counts.invert(coins, (high, low, low, low), np.ones(LANES))
        assert found.tolist() == (coins.least + np.searchsorted(coins.steps, u, side="right")).tolist()


@pytest.mark.parametrize("number", EDGES + LARGE)
def test_law(number):
    """400,000 counts: chi-square over the counts that are expected 20 times, at 1e-5; one coin more is told apart."""
    found = sample(counts.fair_coins(number), 25_000)
    assert chi_square(found, number) > 1e-5
    if 1 < number <= 1000:
        assert chi_square(found, number + 1) < 1e-9


def sample(coins, groups):
    def fill(coins, source, groups, out):
        like = load(out, 0)
        cell, _, layer, role = source
        for group in range(groups):
            words = random_words(cell.key, group, layer, role, 0)
            store(out, group * LANES, counts.heads(coins, words, Source(cell, group, layer, role), 0, like))

    out = np.zeros(groups * LANES, np.float32)
    jit.compile_kernel(fill, disk_cache=False)(coins, source(), groups, out)
    return out


def chi_square(found, number):
    k = np.arange(number + 1)
    expected = stats.binom.pmf(k, number, 0.5) * len(found)
    often = expected > 20
    seen = np.bincount(found.astype(int), minlength=number + 1)
    rest = [expected[~often].sum()] if expected[~often].sum() > 20 else []
    observed = np.array([*seen[often], *([seen[~often].sum()] if rest else [])], float)
    wanted = np.array([*expected[often], *rest])
    return stats.chisquare(observed, wanted * observed.sum() / wanted.sum()).pvalue
