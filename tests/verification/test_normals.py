"""The normals themselves: their law to six sigma, and no trace of one in its neighbours.

False alarms: each statistic alarms below p = 1e-7, and there are about 150 of them. Power: 1e7 draws see a standard
deviation that is 0.5 % wrong, a correlation of 0.002, and one number in a hundred repeated.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from gradsim_core import jit
from gradsim_core.lanes import LANES
from gradsim_core.laws import standard
from gradsim_core.parameters import Params
from gradsim_core.rng.draws import AHEAD, Source, fill_drawn
from gradsim_core.rng.philox import GROUP_FORWARD, ROLE_WEIGHT

pytestmark = pytest.mark.verify
CELL = Params(np.uint64(0x243F6A8885A308D3), 1, 1, 1.0, 0.0, 0.0, 0.0)
LOWEST = 1e-7
SHAPE = (64, 40, 64, 4, LANES)  # networks, layers, counters, words, lanes: 1e7 normals
DTYPES = ("float32", "float64")


def draw(networks, layers, counters, role, words, out):
    size = counters * 4 * LANES
    for k in range(networks * layers):
        network, layer = k // layers, k % layers + 1
        fill_drawn(standard, Source(CELL, network, layer, role), counters, out[0], words, out, k * size)


def count_beyond(draws, words, z, counts):
    """How many of the draws lie beyond 3, 4, 5 and 6 sigma."""
    for network in range(draws // len(z)):
        fill_drawn(standard, Source(CELL, network, 1, ROLE_WEIGHT), len(z) // (4 * LANES), z[0], words, z, 0)
        for value in z:
            for k in range(4):
                counts[k] += abs(value) > 3 + k


def words():
    return np.empty(AHEAD * 4 * LANES, np.int32)


def normals(dtype, role=ROLE_WEIGHT):
    out = np.empty(np.prod(SHAPE), dtype)
    jit.compiled(draw)(*SHAPE[:3], role, words(), out)
    return out.reshape(SHAPE)


@pytest.fixture(scope="module")
def z():
    return normals("float32")


@pytest.mark.parametrize("dtype", DTYPES)
def test_law(dtype):
    found = stats.kstest(normals(dtype).ravel(), "norm")
    print(f"{dtype}: D = {found.statistic:.2e}, p = {found.pvalue:.3f}")
    assert found.pvalue > LOWEST


def test_a_wrong_law_is_caught(z):
    assert stats.kstest(1.005 * z.ravel(), "norm").pvalue < LOWEST


@pytest.mark.parametrize("dtype", DTYPES)
def test_tails(dtype):
    draws, counts = 2**30, np.zeros(4, np.int64)
    jit.compiled(count_beyond)(draws, words(), np.zeros(2**16, dtype), counts)
    for sigma, count in zip((3, 4, 5, 6), counts, strict=True):
        chance = 2 * stats.norm.sf(sigma)
        p_value = stats.binomtest(int(count), draws, chance).pvalue
        print(f"{dtype}: beyond {sigma} sigma {count}, expected {draws * chance:.1f}, p = {p_value:.3f}")
        assert p_value > LOWEST


def neighbours(z, axis, distance):
    a, b = np.moveaxis(z, axis, 0)[:-distance], np.moveaxis(z, axis, 0)[distance:]
    return a.ravel(), b.ravel()


def p_values_of_dependence(a, b):
    """Correlations of z, z^2 and the sign, and the counts of pairs in 32 x 32 equally likely squares."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    for f, g in itertools.product((lambda x: x, lambda x: (x * x - 1) / np.sqrt(2), np.sign), repeat=2):
        yield 2 * stats.norm.sf(abs(np.dot(f(a), g(b))) / np.sqrt(len(a)))
    edges = stats.norm.ppf(np.arange(1, 32) / 32)
    cells = np.searchsorted(edges, a) * 32 + np.searchsorted(edges, b)
    yield stats.chisquare(np.bincount(cells, minlength=1024)).pvalue


@pytest.mark.parametrize("distance", [1, 2])
@pytest.mark.parametrize("axis", range(5), ids=["network", "layer", "counter", "word", "lane"])
def test_neighbours_are_independent(z, axis, distance):
    lowest = min(p_values_of_dependence(*neighbours(z, axis, distance)))
    print(f"lowest of 10 p-values {lowest:.4f}")
    assert lowest > LOWEST


def test_streams_are_independent(z):
    assert min(p_values_of_dependence(z.ravel(), normals("float32", GROUP_FORWARD).ravel())) > LOWEST


def test_a_repeated_number_in_a_hundred_is_caught(z):
    planted = z.copy()
    planted[:, 1::2, ::64] = z[:, ::2, ::64]  # one of 64 in every other layer
    assert min(p_values_of_dependence(*neighbours(planted, 1, 1))) < 1e-20
