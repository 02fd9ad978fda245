"""How to add a schedule: one row, through which cells, blocks, memory, weights and numbers follow."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import gradsim as gs
from gradsim.simulation.blocks import blocks, thread_bytes
from gradsim_core.architectures import ARCHITECTURES, choose_schedule
from gradsim_core.laws import resolve_law
from gradsim_core.schedules import explicit
from gradsim_core.schedules.table import Schedule

WIDTH = 33
CELL = {"activation": "tanh", "sigma_w": 1.4, "depth": 4, "width": WIDTH, "seed": 5}


@pytest.fixture
def allocated(monkeypatch):
    """The widths for which the new schedule was asked for a thread's arrays."""
    widths = []

    def allocate(cell, dtype, law):
        widths.append(cell.width)
        return explicit.allocate(cell, dtype, law)

    row = Schedule(
        name="four_at_a_time", method="explicit", device="cpu", group_size=4,
        applies=lambda law, depth, width: width == WIDTH and law.name == "gaussian",
        build=explicit.build, allocate=allocate, memory=lambda law, depth, width: 10**6, read_back=explicit.read_back,
    )  # fmt: skip
    plain = ARCHITECTURES["plain"]
    monkeypatch.setitem(ARCHITECTURES, "plain", replace(plain, schedules=(row, *plain.schedules)))
    return widths


def test_a_schedule_is_one_row(monkeypatch, allocated, tmp_path):
    sweep = gs.Sweep(**CELL | {"width": [WIDTH, 40]}, networks=50)
    run = gs.run(sweep, tmp_path / "with", progress="none")
    ensemble, weights = gs.simulate(**CELL, networks=10), gs.weights(3, **CELL)
    assert set(allocated) == {WIDTH}
    narrow, wide = sweep.cells()
    assert [first % 4 for first, _ in blocks(sweep, narrow, 2, 10**5, keep=True)][1:] == [0] * 24
    kept = sweep.replace(record="networks")  # in blocks of one size
    assert thread_bytes(kept, narrow, 0) - 4 * 10**6 == thread_bytes(kept, wide, 0) - 4 * 4 * (40**2 + 3 * 40)
    monkeypatch.undo()
    assert run.verify().digest == gs.run(sweep, tmp_path / "without", progress="none").verify().digest
    np.testing.assert_array_equal(ensemble.log_gain, gs.simulate(**CELL, networks=10).log_gain)
    np.testing.assert_array_equal(weights.W, gs.weights(3, **CELL).W)


def test_what_no_schedule_runs_is_refused(allocated):
    for device, method in (("cpu", "guessing"), ("abacus", "explicit")):
        with pytest.raises(ValueError, match=f"no schedule runs plain networks .* {method} method on '{device}'"):
            choose_schedule(method, resolve_law("gaussian"), 4, WIDTH, device=device)
