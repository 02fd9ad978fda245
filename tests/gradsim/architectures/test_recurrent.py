"""Recurrent networks: one matrix at all time steps."""

from __future__ import annotations

import numpy as np
import pytest

import gradsim as gs
from gradsim import theory
from gradsim.errors import SweepError

RECURRENT = {"architecture": "recurrent", "method": "conditional"}


def test_a_matrix_met_twice():
    """E|W^2 x|^2 / |x|^2 = 1 + 2 / N^2 (a fresh matrix gives 1); with 4.5 standard errors and two numbers."""
    ens = gs.simulate("linear", 1.0, depth=2, width=8, networks=400_000, **RECURRENT)
    square = np.exp(ens.log_q[:, 1].astype(np.float64))
    error = square.std() / np.sqrt(len(square))
    assert abs(square.mean() - (1 + 2 / 64)) < 4.5 * error < abs(square.mean() - 1.0)


def test_the_gain_of_wide_networks_is_that_of_plain_ones(tmp_path):
    sweep = gs.Sweep(activation="gelu", sigma_w=1.2, sigma_b=0.3, sigma_u=[0.0, 0.4], depth=10, width=256, networks=200,
                     seed=1, **RECURRENT)  # fmt: skip
    frame = gs.run(sweep, tmp_path / "run", progress="none").growth()
    expected = [theory.trajectory("gelu", 10, 1.2, sigma_b).log_gain[0] for sigma_b in (0.3, 0.5)]
    np.testing.assert_allclose(frame["theory"], expected, rtol=1e-9)
    assert (np.abs(frame["median_log_gain"] - expected) < 0.25).all()
    assert np.abs(expected[0] - expected[1]) > 0.5


@pytest.mark.parametrize(("told", "changes"), [
    ("sigma_u = 0.5 .* unless the architecture is recurrent", {"architecture": "plain", "sigma_u": 0.5}),
    ("sigma_u = -1 ", {"sigma_u": -1}),
    ("input_correlation = 0.5 .* independent", {"sigma_u": 1.0, "inputs": 2, "input_correlation": 0.5}),
    ("placement = 'output' .* without branches", {"placement": "output", "normalisation": "layer"}),
])  # fmt: skip
def test_refused(told, changes):
    with pytest.raises(SweepError, match=told):
        gs.Sweep(**{"activation": "relu", "sigma_w": 1.0, "depth": 5, "width": 8, "networks": 1, "seed": 1}
                 | RECURRENT | changes)  # fmt: skip
