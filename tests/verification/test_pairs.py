"""Laws of two inputs: the map of correlations, how fast inputs converge, and the neural tangent kernel."""

from __future__ import annotations

import numpy as np
import pytest

import gradsim as gs

pytestmark = pytest.mark.verify


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_inputs_converge_at_the_rate_of_mean_field_to_the_hundredth_power_of_e(dtype):
    """ln|h_1 - h_2| falls by -ln(chi_1)/2 a layer, 0.2551, less the spread of single networks, of order 1/width."""
    expected = 0.5 * np.log(gs.theory.mean_field("tanh", 0.9, 0.3).chi_1)
    assert expected == pytest.approx(-0.2551, abs=5e-5)
    rates = []
    for width in (400, 1600):
        found = gs.simulate(
            "tanh", 0.9, 0.3, depth=400, width=width, networks=40, method="conditional", dtype=dtype, inputs=2,
            input_correlation=0.9, differences=True, quantities=["log_distance"],
        )  # fmt: skip
        each = (found.log_distance[:, -1] - found.log_distance[:, 30]) / 369
        error = each.std() / np.sqrt(len(each))
        assert found.log_distance[:, -1].mean() - 0.5 * np.log(width) < -100.0
        assert abs(each.mean() - expected) < 4 * error + 0.8 / width
        rates.append(each.mean())
    assert rates[0] < rates[1]


@pytest.mark.parametrize("name", ["relu", "tanh"])
def test_correlations_follow_their_map(name):
    """The mean cosine of h at width 4,096 is that of infinite width, layer by layer."""
    width, c = 4096, 0.3
    found = gs.simulate(
        name, 1.3, 0.0, depth=6, width=width, networks=60, method="conditional", inputs=2, input_correlation=c,
        quantities=["log_decorrelation", "log_distance"],
    )  # fmt: skip
    cosine = 1.0 - np.exp(found.log_decorrelation)
    q = np.exp(found.log_q)
    expected, of_q = [c], [1.3**2]
    for _ in range(5):
        expected.append(gs.theory.c_map(name, expected[-1], 1.3, 0.0, of_q[-1]))
        of_q.append(float(gs.theory.q_map(name, of_q[-1], 1.3, 0.0)))
    error = cosine.std(0) / np.sqrt(60)
    assert (np.abs(cosine.mean(0) - expected) < 4 * error + 3 / width).all()
    np.testing.assert_allclose(q.mean(0), of_q, rtol=0.02)


def test_the_kernel_of_linear_networks():
    """E Theta_aa of layers 1 to l is l N sigma_w^(2 (L - 1)) E|v|^2 at every width: all layers have a like share."""
    width, depth = 12, 5
    found = gs.simulate(
        "linear", 0.9, depth=depth, width=width, networks=40_000, method="conditional", inputs=3, cost="shared",
        quantities=["log_ntk"],
    )  # fmt: skip
    kernel = np.exp(found.log_ntk)
    expected = width * 0.9 ** (2 * (depth - 1)) * np.arange(1, depth + 1)
    error = kernel.std(0) / np.sqrt(len(kernel))
    assert (np.abs(kernel.mean(0) - expected) < 4.5 * error).all()
    assert (error < 0.02 * expected).all()
