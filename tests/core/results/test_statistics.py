"""Sums of a block against Python integers, and merging in any order."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradsim_core.results import statistics, tally
from gradsim_core.results.quantities import QUANTITIES

LOGARITHMS = st.one_of(
    st.floats(-100, 100),
    st.floats(-(2.0**27), 2.0**27),
    st.sampled_from([-math.inf, math.nan, math.inf, 0.0, -0.0, 2.0**26, -(2.0**26), 1e300]),
)


@st.composite
def blocks(draw):
    """(4, count, depth) as a simulator could return it, and worse."""
    count, depth = draw(st.integers(1, 12)), draw(st.integers(1, 3))
    size = 4 * count * depth
    return np.array(draw(st.lists(LOGARITHMS, min_size=size, max_size=size))).reshape(4, count, depth)


def expected(values):
    """What the documentation says, for every (quantity, layer), in Python integers."""
    for q in range(4):
        for layer in range(values.shape[2]):
            undefined = (values[0, :, -1] == -math.inf) & (list(QUANTITIES)[q] == "log_gain")
            column = [float(v) for v, skip in zip(values[q, :, layer], undefined, strict=True) if not skip]
            live = [v for v in column if abs(v) < tally.LARGEST]
            fixed = [round(v * 2**20) for v in live]  # ties to even, as the kernel does
            dead = column.count(-math.inf)
            bins = Counter(math.floor(v * tally.BINS_PER_LN) for v in live)
            yield (q, layer), {
                "networks": len(column), "dead": dead, "nonfinite": len(column) - dead - len(live),
                "total": sum(fixed), "square": sum(v * v for v in fixed),
                "minimum": min(live, default=math.inf), "maximum": max(live, default=-math.inf), "bins": bins,
            }  # fmt: skip


def found(sums, depth):
    for q in range(4):
        for layer in range(depth):
            here = sums.hist_column == q * depth + layer
            yield (q, layer), {
                **{name: int(getattr(sums, name)[q, layer]) for name in ("networks", "dead", "nonfinite", "total")},
                "square": int(sums.square_high[q, layer]) * 2**50 + int(sums.square_low[q, layer]),
                "minimum": float(sums.minimum[q, layer]), "maximum": float(sums.maximum[q, layer]),
                "bins": Counter(dict(zip(sums.hist_bin[here].tolist(), sums.hist_count[here].tolist(), strict=True))),
            }  # fmt: skip


def assert_same(a, b):
    for name, x, y in zip(a._fields, a, b, strict=True):
        assert x.dtype == y.dtype, name
        np.testing.assert_array_equal(x, y, err_msg=name)


@settings(max_examples=150, deadline=None)
@given(blocks())
def test_sums_are_exact(values):
    sums = statistics.reduce(values)
    assert dict(found(sums, values.shape[2])) == dict(expected(values))
    assert (sums.square_low >= 0).all()
    assert (sums.square_low < 2**50).all()
    keys = sums.hist_column * 2**33 + sums.hist_bin
    assert (np.diff(keys) > 0).all()


@settings(max_examples=100, deadline=None)
@given(blocks(), st.randoms(use_true_random=False))
def test_merging_in_any_way(values, random):
    """However a block is cut, and in whatever order the pieces are merged, the sums have the same bytes."""
    whole = statistics.reduce(values)
    cuts = sorted(random.sample(range(values.shape[1] + 1), random.randint(0, min(4, values.shape[1]))))
    pieces = [statistics.reduce(piece) for piece in np.split(values, cuts, axis=1) if piece.shape[1]]
    random.shuffle(pieces)
    assert_same(statistics.merge(*pieces), whole)
    while len(pieces) > 1:
        a, b = pieces.pop(random.randrange(len(pieces))), pieces.pop()
        pieces.append(statistics.merge(a, b))
    assert_same(pieces[0], whole)


def test_log_gain_counts_only_networks_whose_last_delta_lives():
    values = np.zeros((4, 3, 2))
    values[0, 1] = -math.inf  # dead in both layers
    values[0, 2, 0] = values[3, 2, 0] = -math.inf  # dead in layer 1 only
    values[3, 1] = -math.inf
    sums = statistics.reduce(values)
    np.testing.assert_array_equal(sums.networks, [[3, 3], [3, 3], [3, 3], [2, 2]])
    np.testing.assert_array_equal(sums.dead, [[2, 1], [0, 0], [0, 0], [1, 0]])


def test_histogram_of_a_wide_spread():
    """A column too wide for the counting window is sorted instead, to the same end."""
    rng = np.random.default_rng(3)
    values = rng.normal(0, 1, (4, 500, 2)) * np.array([1.0, 1e3, 1e5, 1e7])[:, np.newaxis, np.newaxis]
    sums = statistics.reduce(values)
    assert dict(found(sums, 2)) == dict(expected(values))
    assert sums.hist_count.sum() == (sums.networks - sums.dead - sums.nonfinite).sum()


def test_too_large_a_sum_is_refused():
    """2^17 networks at the largest logarithm need more than 64 bits: an error, never a wrong sum."""
    part = statistics.reduce(np.full((4, 2**10, 1), 2.0**26 - 1))
    with pytest.raises(OverflowError, match="smaller shards"):
        statistics.merge(*[part] * 2**7)


def test_planted_error_is_caught():
    """A sum that is one unit off is seen."""
    values = np.random.default_rng(1).normal(size=(4, 50, 2))
    sums = statistics.reduce(values)
    sums.total[0, 0] += 1
    assert dict(found(sums, 2)) != dict(expected(values))
