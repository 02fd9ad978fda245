"""Networks of any size: no number of theirs leaves the range of floats, and none becomes zero or infinite for that."""

from __future__ import annotations

import numpy as np
import pytest

from gradsim_core.activations import resolve_activation
from gradsim_core.architectures import Network
from gradsim_core.laws import resolve_law
from gradsim_core.simulator import Simulator
from tests.core.architectures.kinds import name_of

Q, DELTA, GRADIENT, GAIN = 2, 0, 1, 3
LN2 = np.log(2.0)


def run(name, network, *, sigma_w, sigma_b=0.0, depth=40, width=16, networks=20, dtype="float32", method="conditional"):
    simulator = Simulator(resolve_activation(name), resolve_law("gaussian"), dtype, method, network=network)
    values, status = simulator.block(simulator.params(9, depth, width, sigma_w, sigma_b), 0, networks)
    assert (status == 0).all()
    return values


@pytest.mark.parametrize("method", ["conditional", pytest.param("explicit", marks=pytest.mark.verify)])
@pytest.mark.parametrize("k", [-60, -7, 50])
def test_scales_of_linear_regimes_pass_through(k, method):
    """relu: with 2^k sigma_w every layer multiplies by 2^k more, exactly, for all inputs of a network."""
    network = Network(inputs=3)
    usual = run("relu", network, sigma_w=1.4, method=method)
    scaled = run("relu", network, sigma_w=1.4 * 2.0**k, method=method)
    layers = np.arange(1, 41)
    np.testing.assert_allclose(scaled[Q], usual[Q] + 2 * k * LN2 * layers, rtol=0, atol=2e-4)
    np.testing.assert_allclose(scaled[DELTA], usual[DELTA] + k * LN2 * (40 - layers), rtol=0, atol=1e-4)
    np.testing.assert_allclose(scaled[GRADIENT], usual[GRADIENT] + k * LN2 * 39, rtol=0, atol=2e-4)


@pytest.mark.verify  # two kernels
def test_small_numbers_are_in_the_linear_regime_of_tanh():
    network = Network(inputs=3)
    small, line = (run(name, network, sigma_w=1e-20, dtype="float64") for name in ("tanh", "linear"))
    np.testing.assert_allclose(small[:, :, 2:], line[:, :, 2:], rtol=0, atol=1e-6)


MANY = [
    Network("residual", inputs=2),
    Network("residual2", inputs=4, normalisation="rms", placement="output"),
    Network("residual2", inputs=6, normalisation="batch"),
    Network("transformer", inputs=4, heads=2, normalisation="layer", scores="1/d", branch_scale="1/L"),
    Network(inputs=4, normalisation="layer", placement="post"),
]


@pytest.mark.parametrize("network", [Network("residual2", inputs=2), *(
    pytest.param(network, marks=pytest.mark.verify) for network in MANY  # each has a kernel of its own
)], ids=name_of)  # fmt: skip
@pytest.mark.parametrize("sigma_w", [1e-12, 8.0])
def test_float32_has_the_numbers_of_float64(network, sigma_w):
    """Beyond the range of float32, and at 300 blocks beyond that of float64, where only exponents are left.

    Rounding is amplified where a layer nearly dies, and stays in the layers below: so much
    in one layer of twenty, elsewhere a part in 500 of the logarithm.
    """
    short, exact = (
        run("relu", network, sigma_w=sigma_w, dtype=dtype, depth=300, width=64, networks=3)
        for dtype in ("float32", "float64")
    )
    assert np.isfinite(exact).all()
    for found, right in ((short[Q], exact[Q]), (short[GAIN], exact[GAIN])):
        assert np.mean(np.abs(found - right) < 0.1 * LN2 + np.abs(right) / 500) > 0.95
