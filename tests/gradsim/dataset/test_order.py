"""The order in which rows are merged: that of a sort by each column, whether or not a row fits one number."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gradsim.dataset.merging import _order

SPANS = st.sampled_from([1, 3, 2**16, 2**31 - 1])


@given(st.integers(0, 60), st.lists(SPANS, min_size=1, max_size=4), st.integers(0, 2**32))
def test_as_by_each_column(rows, spans, seed):
    rng = np.random.default_rng(seed)
    columns = [rng.integers(-span, span, rows).astype(np.int32) for span in spans]
    np.testing.assert_array_equal(_order(columns), np.lexsort(columns[::-1]))


def test_a_row_that_does_not_fit_one_number():
    """Four columns of 32 bits, of which the last decides."""
    wide = np.array([2**31 - 1, -(2**31), 2**31 - 1], np.int32)
    last = np.array([5, 0, 4], np.int32)
    assert _order([wide, wide, wide, last]).tolist() == [1, 2, 0]
