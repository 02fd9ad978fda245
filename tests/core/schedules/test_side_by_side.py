"""Groups of networks side by side: how their numbers come to the arrays of a block."""

from __future__ import annotations

import numpy as np
import pytest

from gradsim_core import jit
from gradsim_core.lanes import LANES
from gradsim_core.schedules.side_by_side import copy_networks

KINDS, COUNT = 3, 40


def copy(source, start, target, kind, begin):
    """A kernel of one group."""
    copy_networks(source, start, target, kind, begin)


@pytest.mark.parametrize("interpret", [False, True])
@pytest.mark.parametrize("depth", [1, 15, 16, 17, 50])
def test_networks_come_to_their_rows(depth, interpret):
    """Of groups within a block, and of those that begin before it or end behind it; nothing else is written."""
    group = np.arange(depth * LANES, dtype=float).reshape(depth, LANES) + 1.0
    source = np.concatenate([np.full(7, -1.0), group.ravel()])
    run = copy_networks if interpret else jit.compile_kernel(copy, disk_cache=False)
    for begin in (-15, -3, 0, 5, COUNT - LANES, COUNT - 2):
        target, wanted = (np.zeros((KINDS, COUNT, depth)) for _ in range(2))
        run(source, 7, target, 1, begin)
        inside = range(max(begin, 0), min(begin + LANES, COUNT))
        for n in inside:
            wanted[1, n] = group[:, n - begin]
        np.testing.assert_array_equal(target, wanted)
