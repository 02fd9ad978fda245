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


@pytest.mark.parametrize("method", ["conditional", pytest.param("explicit", marks=pytest.mark.verify)])
def test_weight_gradients_of_rows_that_leave_the_range_one_by_one(method):
    """One layer: |dC/dW|^2 is the sum of |delta^l|^2 |x|^2 and more; it is at most (sum of |delta| |x|)^2 in any unit.

    In wide networks rows are nearly orthogonal, so ln |dC/dW| is ln |delta| + ln |x| - ln(inputs) / 2 to a few tenths,
    also in the layers where some rows have an exponent and others have none.
    """
    network = Network(inputs=4)
    delta, gradient, q, _ = run("relu", network, sigma_w=1.0, depth=60, width=64, networks=50, method=method)
    x = 0.5 * (q[:, :-1] + np.log(64 * 4 / 2))  # half of the neurons are live
    difference = gradient[:, 1:] - delta[:, 1:] - x
    assert np.abs(difference).max() < 3.0, np.abs(difference).max()


def test_a_dead_row_beside_tiny_ones_is_no_loss():
    """relu of width 8: in many networks an input dies while the others go on far below the range of floats."""
    simulator = Simulator(
        resolve_activation("relu"), resolve_law("gaussian"), "float32", "conditional", network=Network(inputs=2)
    )
    values, status = simulator.block(simulator.params(1, 512, 8, 0.5), 0, 200)
    assert set(status.tolist()) <= {0, 1}
    assert not np.isnan(values).any()


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
