"""Costs of outputs as an axis: what is refused, what is left out, and what theory says of them."""

from __future__ import annotations

import numpy as np
import pytest

import gradsim as gs
from gradsim.errors import SweepError

BASE = {"activation": "gelu", "sigma_w": 1.5, "depth": 4, "width": 64, "networks": 200, "seed": 1, "inputs": 4,
        "method": "conditional"}  # fmt: skip


def test_outputs_are_left_out_where_there_are_none():
    made = gs.Sweep(**BASE, cost=["readout", "softmax"])
    assert [(cell.cost, cell.outputs) for cell in made.cells()] == [("readout", 10), ("softmax", 10)]
    assert "outputs" not in made.to_toml()
    assert type(made).from_stored_text(made.to_toml().encode(), "text") == made


@pytest.mark.parametrize(("told", "changes"), [
    ("outputs = 5 .* Add cost", {"outputs": 5}),
    ("outputs = 5 .* left out", {"outputs": 5, "cost": "shared"}),
    ("outputs = 0 ", {"outputs": 0, "cost": "softmax"}),
    ("cost = 'softmx' .* The nearest is softmax", {"cost": "softmx"}),
    ("outputs = .* Make two sweeps", {"cost": ["readout", "softmax"], "outputs": [5, 10]}),
    ("method = 'radial'", {"cost": "softmax", "inputs": 1, "method": "radial"}),
])  # fmt: skip
def test_refused(told, changes):
    with pytest.raises(SweepError, match=told):
        gs.Sweep(**BASE | changes)


def test_gains_of_a_softmax_over_many_classes_are_those_of_readouts(tmp_path):
    """With many classes the errors of outputs are nearly independent of them, so the mean field holds for both."""
    sweep = gs.Sweep(**BASE | {"width": 256}, cost=["readout", "softmax"], outputs=1000)
    frame = gs.run(sweep, tmp_path / "run", progress="none").growth()
    np.testing.assert_allclose(frame["theory"], gs.theory.trajectory("gelu", 4, 1.5).log_gain[0], rtol=1e-9)
    assert ((frame["median_log_gain"] - frame["theory"]).abs() < 0.1).all()


def test_the_mean_field_of_attention_is_of_readouts(tmp_path):
    sweep = gs.Sweep(**BASE | {"networks": 2, "width": 16}, architecture="transformer", cost=["readout", "softmax"])
    frame = gs.run(sweep, tmp_path / "run", progress="none").growth()
    assert frame["theory"].isna().tolist() == [False, True]
    assert "independent readouts" in frame["theory_reason"].iloc[1]
