"""Chi-squares: their law, the chance of acceptance, and that no lane depends on another."""

from __future__ import annotations

import numpy as np
import pytest
from mpmath import mp
from scipy import stats

from gradsim_core import jit
from gradsim_core.lanes import LANES, load, store
from gradsim_core.parameters import Params
from gradsim_core.rng import chi_squares
from gradsim_core.rng.chi_squares import chi_square_pair
from gradsim_core.rng.draws import Source
from gradsim_core.rng.philox import GROUP_RADIAL

CELL = Params(np.uint64(99), 1, 1, 1.0, 0.0)
DEGREES = [1, 2, 3, 4, 7, 31, 128, 10_000, 500_000]


def fill(cell, groups, first, second, out):
    k, m = load(first, 0), load(second, 0)
    for group in range(groups):
        x, y = chi_square_pair(Source(cell, group, 2, GROUP_RADIAL), 1, k, m)
        store(out, 2 * group * LANES, x)
        store(out, (2 * group + 1) * LANES, y)


def sample(first, second, groups=12_500, dtype=np.float32, interpret=False):
    """Pairs (2, 16 groups) with these degrees of freedom, one each or one for every lane."""
    out = np.zeros(2 * groups * LANES, dtype)
    degrees = [np.broadcast_to(np.asarray(k, dtype), LANES).copy() for k in (first, second)]
    (fill if interpret else jit.compile_kernel(fill, disk_cache=False))(CELL, groups, *degrees, out)
    return out.reshape(groups, 2, LANES).transpose(1, 0, 2).reshape(2, -1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("k", DEGREES)
def test_law(k, dtype):
    """200,000 each: the one of a pair has k degrees, the other k + 1. Right code fails once in 50,000 runs of all."""
    x, y = sample(k, k + 1, dtype=dtype)
    for found, degrees in ((x, k), (y, k + 1)):
        assert stats.kstest(found, stats.chi2(degrees).cdf).pvalue > 1e-6 / 2
    assert abs(stats.spearmanr(x, y).statistic) < 5 / np.sqrt(len(x))


def test_none_below_one_degree():
    x, y = sample(0, -1, groups=2)
    assert not x.any()
    assert not y.any()


def accept_all(monkeypatch):
    monkeypatch.setattr(chi_squares, "rejects", lambda d, *_: d < 0.0)


def one_more(monkeypatch):
    original = chi_squares.propose
    monkeypatch.setattr(chi_squares, "propose", lambda k, z: original(k + 1.0, z))


@pytest.mark.parametrize(("k", "error"), [(2, accept_all), (128, one_more)])
def test_planted_errors_fail_the_law(monkeypatch, k, error):
    error(monkeypatch)
    x, _ = sample(k, k, groups=1_000, interpret=True)
    assert stats.kstest(x, stats.chi2(k).cdf).pvalue < 1e-9


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_acceptance(dtype):
    """What is taken without a logarithm would be taken with it, and that rule is Marsaglia and Tsang's."""
    for k in (2, 3, 8, 64, 1_000, 1_000_000):
        d = k / 2 - 1 / 3
        z = np.linspace(-6.5, 6.5, 2**10 * LANES).astype(dtype)
        t = (z / np.sqrt(dtype(d)) / dtype(3)).astype(dtype)[::512]
        chances = [-np.expm1(float(log_ratio(d, float(each)))) for each in t]  # of rejection
        for at, other, chance, of_other in zip(t, t[::-1], chances, chances[::-1], strict=True):
            both = chance + of_other - chance * of_other
            for level, rejected in ((both - 1e-9 - 1e-6 * both, True), (both + 1e-9 + 1e-6 * both, False)):
                if 2.0**-30 < level < 1 - 2.0**-30:
                    assert rejects(d, at, other, level) == rejected, (k, at, level)
            if abs(at) <= 0.5:
                assert chance <= float(chi_squares.bound_of(dtype(d), abs(at)))


def rejects(d, t, other, level):
    """Whether both proposals are rejected at this u, which comes as its first bits and those of a word."""
    bits = chi_squares._BITS
    u, word = divmod(int(level * 2.0 ** (bits + 32)), 2**32)
    words = np.full(LANES, u, np.int32), np.full(LANES, word, np.uint32).view(np.int32)
    with np.errstate(all="ignore"):
        return bool(chi_squares.rejects(*(np.full(LANES, each, np.float64) for each in (d, t, d, other)), *words)[0])


def log_ratio(d, t):
    """z^2 / 2 + d - d v + d ln v with v = (1 + t)^3, in 60 digits; -inf where there is no v."""
    with mp.workdps(60):
        t, d = mp.mpf(t), mp.mpf(d)
        return -mp.inf if t <= -1 else 9 * d * t**2 / 2 + d * (1 - (1 + t) ** 3 + 3 * mp.log1p(t))


def test_lanes_are_independent_of_their_neighbours():
    """A lane that accepts at once keeps its values while others, with two degrees of freedom, draw again."""
    degrees = np.where(np.arange(LANES) % 2, 2, 40)
    alone, mixed = sample(40, 40, groups=2_000)[0], sample(degrees, degrees, groups=2_000)[0]
    alone, mixed = alone.reshape(-1, LANES), mixed.reshape(-1, LANES)
    np.testing.assert_array_equal(alone[:, ::2], mixed[:, ::2])


def test_compiled_and_interpreted_agree():
    degrees = np.arange(LANES) * 3
    for dtype, tolerance in ((np.float32, 2e-6), (np.float64, 1e-14)):
        compiled, plain = (sample(degrees, degrees + 1, 50, dtype, interpret) for interpret in (False, True))
        np.testing.assert_allclose(compiled, plain, rtol=tolerance)
