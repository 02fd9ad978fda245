"""Blocks whose statistics are wanted run in parts: their sums are those of all networks, however many parts."""

from __future__ import annotations

import numpy as np
import pytest

import gradsim as gs
from gradsim.simulation import blocks
from gradsim.simulation.processors import Cpu
from gradsim_core.results.statistics import reduce

CELLS = {
    "radial": {"activation": "relu", "method": "radial", "depth": 40, "width": 20},
    "dying": {"activation": "relu", "method": "conditional", "depth": 24, "width": 3},
    "shallow": {"activation": "tanh", "method": "explicit", "depth": 5, "width": 30},
    "growing": {"activation": "tanh", "method": "conditional", "depth": 70, "width": 6, "sigma_w": 9.0},
}


def prepared(name):
    sweep = gs.Sweep(**{"sigma_w": 1.6} | CELLS[name], networks=10**6, seed=3)
    return sweep, sweep.cells()[0]


def assert_same(a, b):
    for name, x, y in zip(a._fields, a, b, strict=True):
        assert x.dtype == y.dtype, name
        np.testing.assert_array_equal(x, y, err_msg=name)


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize(("first", "count"), [(0, 300), (7, 9), (13, 200), (2**40 + 16, 161)])
def test_parts(name, first, count, monkeypatch):
    monkeypatch.setattr(blocks, "PART_LAYERS", 1)
    monkeypatch.setattr(blocks, "BLOCK_LAYERS", 1)
    monkeypatch.setattr(blocks, "PART_NETWORKS", 48)
    runner = Cpu().prepare(*prepared(name))
    kept, block = (runner.run(first, count, keep=keep) for keep in (True, False))
    assert block.values is None
    assert_same(block.sums, reduce(kept.networks()[0]))
    assert_same(block.sums, kept.sums)


def test_a_network_left_out_is_seen():
    runner = Cpu().prepare(*prepared("radial"))
    sums, less = (runner.run(0, count, keep=False).sums for count in (100, 99))
    assert (sums.total != less.total).any()


def test_a_stop_between_parts(monkeypatch):
    """It is asked for before every part, and the block after it begins anew."""
    monkeypatch.setattr(blocks, "PART_LAYERS", 1)
    monkeypatch.setattr(blocks, "BLOCK_LAYERS", 1)
    monkeypatch.setattr(blocks, "PART_NETWORKS", 16)
    runner, asked = Cpu().prepare(*prepared("radial")), []

    def check_stop():
        asked.append(True)
        if len(asked) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        runner.run(0, 100, keep=False, check_stop=check_stop)
    assert len(asked) == 3
    assert_same(runner.run(0, 100, keep=False).sums, runner.run(0, 100, keep=True).sums)


@pytest.mark.parametrize("depth", [1, 64, 1000, 2**18, 10**6])
def test_sizes(depth):
    """Blocks of kept networks are smaller; none is empty, and parts are whole groups of sixteen."""
    sweep = gs.Sweep(activation="relu", method="radial", depth=depth, width=4, sigma_w=1.0, networks=10**6, seed=1)
    cell = sweep.cells()[0]
    most, kept = (next(blocks.blocks(sweep, cell, 0, 10**6, keep=keep))[1] for keep in (False, True))
    assert 1 <= kept <= most <= 2**14
    assert kept <= 2**12
    assert most * depth <= max(2**22, 16 * depth)
    assert blocks._part_size(depth) % 16 == 0
    assert blocks._part_size(depth) >= 64
