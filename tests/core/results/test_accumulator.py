"""Values added part by part against all of them in one block, and against Python integers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradsim_core.lanes import LANES
from gradsim_core.results import statistics
from gradsim_core.results.tally import MOST_AT_ONCE
from tests.core.results.test_statistics import assert_same, blocks, expected, found


def accumulated(values, *cuts):
    """The sums of the parts between the cuts."""
    sums = statistics.accumulator(values.shape[0], values.shape[2])
    for part in np.split(values, cuts, axis=1):
        sums.add(part)
    return sums.sums()


def check(values, *cuts):
    """Parts give the sums that are documented, to the byte those of the whole block and of parts that are merged."""
    sums = accumulated(values, *cuts)
    assert dict(found(sums, values.shape[2])) == dict(expected(values))
    assert_same(sums, statistics.reduce(values))
    parts = [part for part in np.split(values, cuts, axis=1) if part.shape[1]]
    assert_same(sums, statistics.merge(*map(statistics.reduce, parts)))
    return sums


def ordinary(count, depth, seed=5):
    return np.random.default_rng(seed).normal(0.0, 0.6, (4, count, depth))


@settings(max_examples=100, deadline=None)
@given(blocks(), st.data())
def test_parts_in_any_sizes(values, data):
    cuts = sorted(data.draw(st.lists(st.integers(0, values.shape[1]), max_size=4)))
    check(values, *cuts)


@pytest.mark.parametrize("depth", [1, 3, 15, 16, 17, 24, 40, 64])
def test_depths(depth):
    check(ordinary(100, depth), 1, 16, 48)


@pytest.mark.parametrize("far", [40.0, -150.0, 1e4, -(2.0**26 - 1), 2.0**26, math.inf, -math.inf, math.nan])
@pytest.mark.parametrize("depth", [3, 24])
def test_a_later_part_far_outside_the_windows(far, depth):
    values = ordinary(96, depth)
    values[:, 48:64] += far
    values[2, 70, depth // 2] = -far
    check(values, 16, 48, 64)


def test_columns_that_come_to_life_later():
    """No window can be chosen from the first parts, whose values are dead or not finite."""
    values = ordinary(96, 24)
    values[:, :32] = -math.inf
    values[1, 32:40], values[2, :80, 5] = math.nan, -math.inf
    check(values, 16, 32, 40, 60)


def test_relative_quantities_of_networks_with_dead_last_layers():
    values = ordinary(96, 20)
    values[0, 10:30, -1] = values[0, 70:, -1] = -math.inf
    values[3, 70:] = -math.inf
    sums = check(values, 16, 48)
    np.testing.assert_array_equal(sums.networks, np.repeat([[96], [96], [96], [50]], 20, axis=1))


def test_large_logarithms_have_exact_squares():
    """On both sides of the limit up to which a square is rounded to no integer in float64."""
    values = ordinary(64, 16) + np.array([31.9, -32.0, 1000.0, 6e7])[:, np.newaxis, np.newaxis]
    check(values, 16)
    values[:] = np.nextafter(32.0, 0.0)
    check(values, 16)


def test_more_networks_than_products_fit_one_sum():
    values = np.tile(ordinary(11, 2) * 30.0, (1, 800, 1))
    assert values.shape[1] > 2 * MOST_AT_ONCE
    check(values, 16)
    check(values, MOST_AT_ONCE + 16)


def test_windows_outgrow_their_array(monkeypatch):
    """With room for few bins at first, and parts each wider than the last."""
    monkeypatch.setattr(statistics, "_BINS", 2)
    values = ordinary(200, 33) * np.geomspace(1.0, 100.0, 200)[:, np.newaxis]
    sums = statistics.Accumulator(4, 33)
    for part in np.split(values, range(16, 200, 16), axis=1):
        sums.add(part)
    assert len(sums._windows.counts) > 4 * 3 * LANES * 2 + 1
    assert_same(sums.sums(), statistics.reduce(values))


def test_one_far_network_lets_the_others_be_counted():
    """Of the parts after it none is sorted, whether windows were there before it or not."""
    for at in (3, 40):
        values = ordinary(96, 16)
        values[:, at] -= 400.0
        sums = statistics.accumulator(4, 16)
        for part in np.split(values, (16, 32, 48), axis=1):
            sums.add(part)
        assert [len(held) for held in sums._sorted] == [4 * (at < 16), 0, 4 * (at > 16), 0]
        assert_same(sums.sums(), statistics.reduce(values))


def test_a_new_table_of_quantities_takes_new_arrays(monkeypatch):
    """Which quantities are relative is part of what an idle accumulator has to share."""
    values = ordinary(20, 20)
    values[0, 0, -1] = -math.inf
    statistics.reduce(values)
    rows = statistics.QUANTITIES
    monkeypatch.setitem(rows, "log_q", rows["log_q"]._replace(relative=True))
    np.testing.assert_array_equal(statistics.reduce(values).networks[:, 0], [20, 20, 19, 19])


@pytest.mark.parametrize("far", [0.0, 1e4])
def test_whole_blocks_are_counted_a_few_columns_at_a_time(monkeypatch, far):
    """Tiles by themselves, in several turns, and some of them sorted in between."""
    monkeypatch.setattr(statistics, "TOGETHER", 1)
    monkeypatch.setattr(statistics, "_AT_ONCE", 16)
    values = ordinary(100, 40)
    values[1, 30:70, 20:] += far
    values[3, 99, 0] -= far
    check(values, 16, 48)


def test_arrays_are_reused_and_results_kept():
    """Blocks one after the other on one thread leave each other's results alone; another shape takes new arrays."""
    first, second = ordinary(50, 20), ordinary(50, 20, seed=6) + 3.0
    sums = accumulated(first, 16)
    kept = [array.copy() for array in sums]
    idle = statistics.accumulator(4, 20)
    idle.add(second)
    assert statistics.accumulator(4, 20) is not idle  # while that one is in use
    other = idle.sums()
    assert statistics.accumulator(4, 20) is idle
    assert_same(sums, type(sums)(*kept))
    assert_same(other, statistics.reduce(second))
    assert statistics.accumulator(4, 21) is not idle


def test_an_abandoned_block_leaves_nothing():
    values = ordinary(50, 20)
    statistics.accumulator(4, 20).add(values)  # its sums are never asked for
    check(values, 16)


def test_too_large_a_sum_is_refused():
    sums = statistics.accumulator(4, 1)
    for _ in range(2**7):
        sums.add(np.full((4, 2**10, 1), 2.0**26 - 1))
    with pytest.raises(OverflowError, match="smaller shards"):
        sums.sums()


def test_planted_error_is_caught():
    """A window that is one bin off between two parts is seen."""
    values = ordinary(96, 20)
    values[:, 48:] += 40.0
    sums = accumulated(values, 48)
    wrong = statistics.accumulator(4, 20)
    wrong.add(values[:, :48])
    wrong._windows.low[0] += 1
    wrong.add(values[:, 48:])
    assert dict(found(wrong.sums(), 20)) != dict(found(sums, 20))
