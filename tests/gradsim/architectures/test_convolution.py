"""Convolutions: one matrix for all positions, each of which sees its neighbours."""

from __future__ import annotations

import numpy as np
import pytest

import gradsim as gs
from gradsim import theory
from gradsim.errors import SweepError

CONVOLUTION = {"architecture": "convolution", "method": "conditional"}


def test_the_gain_of_wide_networks_is_that_of_plain_ones(tmp_path):
    """Xiao et al. 2018 (arXiv:1806.05393): the sum over positions follows the mean field of dense networks."""
    sweep = gs.Sweep(activation="gelu", sigma_w=1.5, sigma_b=0.3, depth=10, width=128, inputs=6, taps=[1, 3],
                     networks=200, seed=1, **CONVOLUTION)  # fmt: skip
    frame = gs.run(sweep, tmp_path / "run", progress="none").growth()
    expected = theory.trajectory("gelu", 10, 1.5, 0.3).log_gain[0]
    np.testing.assert_allclose(frame["theory"], expected, rtol=1e-9)
    assert (np.abs(frame["median_log_gain"] - expected) < 0.3).all()


def test_one_tap_is_a_plain_network_of_many_inputs():
    kinds = [CONVOLUTION | {"taps": 1, "cost": "softmax"}, {"method": "conditional", "cost": "softmax"}]  # one kernel
    first, second = (gs.simulate("gelu", 1.4, depth=3, width=16, networks=20, inputs=4, **kind) for kind in kinds)
    q = [ens.log_q.mean() for ens in (first, second)]
    assert abs(q[0] - q[1]) < 0.5
    assert not np.array_equal(first.log_q, second.log_q)  # keys of their own


def test_fan_in_of_presets_counts_the_taps(tmp_path):
    """olmo2 has the standard deviation 0.02 at any fan_in; biases of pytorch_linear are 1 / sqrt(3 fan_in)."""
    base = CONVOLUTION | {"activation": "relu", "depth": 3, "width": 64, "networks": 100, "seed": 1, "inputs": 4}
    sweep = gs.Sweep(**base, preset="olmo2", taps=[1, 5])
    frame = gs.run(sweep, tmp_path / "run", progress="none").growth()
    expected = [2 * np.log(taps * 64 * 0.02**2 / 2) for taps in (1, 5)]
    np.testing.assert_allclose(frame["theory"], expected, rtol=1e-9)
    assert (np.abs(frame["median_log_gain"] - expected) < 0.3).all()
    cell = gs.Sweep(**base | {"method": "explicit"}, preset="pytorch_linear", taps=9).cells()[0]
    assert cell.sigma_b == pytest.approx(1 / (3 * 9 * 64) ** 0.5)


@pytest.mark.parametrize(("told", "changes"), [
    ("taps = 5 .* unless the architecture is convolution", {"architecture": "plain", "taps": 5}),
    ("taps = 0 ", {"taps": 0}),
    ("placement = 'output' .* without branches", {"placement": "output", "normalisation": "layer"}),
])  # fmt: skip
def test_refused(told, changes):
    with pytest.raises(SweepError, match=told):
        gs.Sweep(**{"activation": "relu", "sigma_w": 1.0, "depth": 5, "width": 8, "networks": 1, "seed": 1}
                 | CONVOLUTION | changes)  # fmt: skip
