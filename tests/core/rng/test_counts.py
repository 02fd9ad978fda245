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

EDGES = [1, 5, 31, 32, 33, 55, 56]
LARGE = [57, 58, 256, 1000, 2**20]


def source(group=0):
    return Source(Params(np.uint64(12345), 1, 1, 1.0, 0.0), group, 3, GROUP_RADIAL)


@pytest.mark.parametrize("number", EDGES)
def test_bits_are_counted(number):
    """All bits of the first word, then those of the second one above its lowest eight."""
    cell, group, layer, role = source()
    first, second, _, _ = random_words(cell.key, group, layer, role, 0)
    found = counts.heads(counts.fair_coins(number), first, second, np.ones(LANES, np.float32))
    for lane in range(LANES):
        text = f"{int(second[lane]) & 0xFFFFFFFF:032b}"[:24] + f"{int(first[lane]) & 0xFFFFFFFF:032b}"
        assert found[lane] == text[::-1][:number].count("1")


@pytest.mark.parametrize("number", LARGE[:4])
def test_chances_are_the_law(number):
    """Within two units of 2^-(32 + k), and 1 in all; what is left out on either side has less than a unit."""
    least, k, found = counts.chances(number)
    exact = [(math.comb(number, n) << 32 + k) / 2**number for n in range(number + 1)]
    assert sum(found) == 1 << 32 + k
    assert max(abs(a - b) for a, b in zip(found, exact[least : least + len(found)], strict=True)) < 2
    assert sum(exact[:least]) < 2
    assert sum(exact[least + len(found) :]) < 2


@pytest.mark.parametrize("number", LARGE)
def test_rows_have_the_chances(number):
    """Of 2^32 numbers of each row those below the limit lead to the row, the others elsewhere: exactly."""
    coins, (least, k, chances) = counts.fair_coins(number), counts.chances(number)
    limits, others = coins.rows.view(np.uint64) >> np.uint64(32), coins.rows.view(np.uint64) & np.uint64(2**32 - 1)
    found = limits.astype(np.int64)
    np.add.at(found, others.astype(np.int64), 2**32 - limits.astype(np.int64))
    assert found.tolist() == chances + [0] * (2**k - len(chances))
    assert (coins.least, coins.shift) == (least, 32 - k)


@pytest.mark.parametrize("number", LARGE)
def test_words_lead_to_the_row(number):
    """At both sides of every limit, and at random words."""
    coins, rng = counts.fair_coins(number), np.random.default_rng(1)
    rows = np.arange(len(coins.rows))
    limits, others = coins.rows.view(np.uint64) >> np.uint64(32), coins.rows.view(np.uint64) & np.uint64(2**32 - 1)
    for first in (limits, limits - np.uint64(1), limits * np.uint64(0), rng.integers(0, 2**32, len(rows), np.uint64)):
        first = first & np.uint64(2**32 - 1)
        second = (rows << coins.shift) + rng.integers(0, 1 << coins.shift, len(rows))
        wanted = coins.least + np.where(first < limits, rows, others.astype(int))
        words = [each.astype(np.uint32).view(np.int32) for each in (first, second)]
        for i in range(0, len(rows), LANES):
            assert (
                counts.heads(coins, *(word[i : i + LANES] for word in words), np.ones(LANES)).tolist()
                == wanted[i : i + LANES].tolist()
            )


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
            first, second, _, _ = random_words(cell.key, group, layer, role, 0)
            store(out, group * LANES, counts.heads(coins, first, second, like))

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
