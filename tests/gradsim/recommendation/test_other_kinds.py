"""Networks without branches that are not plain ones of one input: norms, convolutions, time steps."""

from __future__ import annotations

from math import isnan, log, sqrt

import numpy as np
import pytest

import gradsim as gs
from gradsim.errors import SweepError
from gradsim.recommendation.samples import Networks
from gradsim_core.architectures import Network

DECADE = log(100.0)


def test_a_norm_that_divides_sigma_w_out_is_not_given_the_boundary_without_it():
    """In mean field a layer has the gain E phi'(z)^2 / E phi(z)^2, and the first, whose input is N(0, I), E phi'^2."""
    z, weight = np.polynomial.hermite_e.hermegauss(80)
    slopes, values = (float(weight @ y**2 / weight.sum()) for y in (1.0 - np.tanh(z) ** 2, np.tanh(z)))
    expected = (31 * log(slopes) - 30 * log(values)) / DECADE
    found = gs.recommend("tanh", depth=32, width=1024, normalisation="layer")
    assert isnan(found.sigma_w)
    assert "at every sigma_w" in found.reason
    assert found.sample.decades == pytest.approx(expected, abs=0.06)  # 32 / 1024 in ln
    assert found.alternative.level
    assert found.alternative.networks.sigma_b == 0.1


def test_a_norm_after_which_relu_is_level():
    found = gs.recommend("relu", depth=16, width=128, normalisation="layer")
    assert found.sigma_w == 1.0
    assert "every other value" in found.advice[0]
    assert found.std == pytest.approx(1 / sqrt(128))


@pytest.mark.parametrize(("activation", "width", "told"), [("relu", 8, True), ("relu", 24, False), ("tanh", 8, False)])
def test_gradients_lost_to_rounding_are_told(activation, width, told):
    """One of eight relu neurons is live alone in 3 % of layers, where a norm leaves nothing else of the gradient."""
    found = gs.recommend(activation, depth=8, width=width, normalisation="rms")
    assert any("lost to rounding" in each for each in found.advice) == told


def test_a_boundary_with_a_norm_and_biases():
    """Median of 2,000 networks of another seed within 0.1 decades; 20 % more sigma_w lies beyond."""
    found = gs.recommend("tanh", depth=32, width=64, sigma_b=0.5, normalisation="layer")
    assert found.expected.sigma_w == pytest.approx(
        gs.theory.stream_boundary("plain", "tanh", 32, 0.5, normalisation="layer")
    )
    options = {"normalisation": "layer", "method": "conditional", "seed": 5, "networks": 2000}
    gains = [
        np.median(gs.simulate("tanh", factor * found.sigma_w, 0.5, 32, 64, **options).log_gain[:, 0]) / DECADE
        for factor in (1.0, 1.2)
    ]
    assert abs(gains[0]) < 0.1 < abs(gains[1])


def test_a_convolution_counts_its_taps():
    found = gs.recommend("relu", depth=8, width=64, architecture="convolution", taps=5)
    assert found.sigma_w == pytest.approx(sqrt(2.0), rel=0.02)
    assert found.std == pytest.approx(found.sigma_w / sqrt(5 * 64))
    assert "nn.Conv2d" in found.snippet()
    assert found.snippet("keras") is None
    assert found.presets().set_index("preset").loc["PyTorch default", "sigma_b"] == pytest.approx(1 / sqrt(3 * 5 * 64))
    assert "orthogonal" not in set(found.presets()["preset"])


def test_a_recurrent_network_with_inputs():
    found = gs.recommend("relu", depth=12, width=128, architecture="recurrent", sigma_u=0.3)
    assert found.expected.sigma_w == pytest.approx(sqrt(2.0), rel=1e-6)
    assert found.sigma_w == pytest.approx(sqrt(2.0), rel=0.05)
    assert found.level
    assert "weight_hh" in found.snippet()
    assert f"{found.sigma_w:.6g} / weight.shape[1]" in found.snippet()


def test_wide_ones_are_simulated_narrower():
    small, large = (
        Networks("relu", "gaussian", 0.0, 64, width, network=Network("convolution", inputs=8)) for width in (64, 4096)
    )
    assert small.drawn_width == 64
    assert large.drawn_width < 4096
    assert Networks("relu", "gaussian", 0.0, 64, 2**15).drawn_width == 2**15


def test_a_norm_that_makes_up_for_any_sigma_w_leaves_a_nearly_linear_network():
    found = gs.recommend("tanh", depth=16, width=64, normalisation="layer", placement="post")
    assert found.sigma_w < 0.4
    assert any("nearly linear" in sentence for sentence in found.advice)


@pytest.mark.parametrize("given", [{"sigma_w": 1.0}, {"quantities": "all", "inputs": 2}, {"layers": [4, 3, 2]}])
def test_keys_that_are_none_of_a_network_are_refused(given):
    with pytest.raises(SweepError) as caught:
        gs.recommend("tanh", depth=2, width=4, **given)
    assert caught.value.field == next(iter(given))
