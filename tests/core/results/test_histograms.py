"""Merging sparse histograms: equal to counting with a dictionary, whether they are merged densely or pair by pair."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradsim_core.results import histograms

ENTRY = st.tuples(st.integers(0, 3), st.one_of(st.integers(-20, 20), st.integers(-(2**30), 2**30)))
HISTOGRAMS = st.lists(st.dictionaries(ENTRY, st.integers(1, 2**40), max_size=12), min_size=1, max_size=6)


def sparse(counts):
    rows = sorted((*entry, count) for entry, count in counts.items())
    column, bins, count = map(np.ascontiguousarray, np.array(rows, np.int64).reshape(-1, 3).T)
    return column, bins.astype(np.int32), count


@settings(deadline=None)  # the first example compiles
@given(HISTOGRAMS)
def test_counts_are_added(parts):
    column, bins, count = histograms.merge_histograms([sparse(part) for part in parts])
    expected = sum(map(Counter, parts), Counter())
    assert list(zip(column.tolist(), bins.tolist(), count.tolist(), strict=True)) == [
        (*entry, expected[entry]) for entry in sorted(expected)
    ]
    assert (column.dtype, bins.dtype, count.dtype) == (np.int64, np.int32, np.int64)


@pytest.mark.parametrize(("distance", "pairs"), [(10, False), (10**6, True)])
def test_both_ways_run(monkeypatch, distance, pairs):
    """Bins far apart are merged pair by pair, neighbours in a window."""
    used, original = [], histograms._pair_by_pair
    monkeypatch.setattr(histograms, "_pair_by_pair", lambda parts: used.append(1) or original(parts))
    parts = [{(0, 0): 1, (0, distance): 2}, {(0, 5): 3}]
    _, bins, count = histograms.merge_histograms([sparse(part) for part in parts])
    assert (bins.tolist(), count.tolist()) == ([0, 5, distance], [1, 3, 2])
    assert bool(used) == pairs
