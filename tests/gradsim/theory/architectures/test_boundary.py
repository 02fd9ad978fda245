"""sigma_w at which the gradient of an architecture keeps its size, or why there is none."""

from __future__ import annotations

import math

import pytest

from gradsim import theory
from gradsim.theory import stream, stream_boundary


@pytest.mark.parametrize(
    ("architecture", "sigma_b", "options"),
    [
        ("plain", 0.5, {"normalisation": "layer"}),
        ("plain", 0.5, {"normalisation": "rms", "placement": "post"}),
        ("plain", 0.0, {"normalisation": "dyt"}),
        ("residual", 0.5, {"normalisation": "layer", "placement": "post", "branch_scale": "1/sqrt(L)"}),
    ],
)
def test_gradients_vanish_below_and_explode_above(architecture, sigma_b, options):
    root = stream_boundary(architecture, "tanh", 32, sigma_b, **options)
    gains = [
        stream(architecture, "tanh", 32, root * factor, sigma_b, **options).log_gain[0] for factor in (0.98, 1.0, 1.02)
    ]
    assert gains[0] < 0.0 < gains[2]
    assert gains[1] == pytest.approx(0.0, abs=1e-9)


def test_closed_forms():
    """Layer norm, q = 1: sigma_w^2 E phi'^2 = sigma_w^2 E phi^2 + sigma_b^2; the first layer's mean square differs."""
    backward, forward = (theory.gains("tanh", 8)[1] ** -2, theory.gains("tanh", 8)[0] ** -2)
    root = stream_boundary("residual", "tanh", 400, 0.5, normalisation="layer", placement="post", epsilon=0.0)
    assert root == pytest.approx(0.5 / math.sqrt(backward - forward), rel=1e-9)
    assert stream_boundary("plain", "tanh", 64) == theory.boundary("tanh", 64)


@pytest.mark.parametrize(
    ("architecture", "options", "told"),
    [
        ("residual", {}, "at every sigma_w, unless"),
        ("transformer", {"normalisation": "layer"}, "at every sigma_w, unless"),
        ("plain", {"normalisation": "layer"}, "does not depend on sigma_w"),
        ("plain", {"normalisation": "batch"}, "ln gain is 5.05"),
        ("residual2", {"normalisation": "rms", "placement": "post"}, "does not depend on sigma_w"),
    ],
)
def test_none(architecture, options, told):
    with pytest.raises(theory.NoCriticalPoint, match=told):
        stream_boundary(architecture, "relu", 17, **options)


def test_arrays():
    found = stream_boundary("plain", "tanh", [1, 16, 32], sigma_b=0.1, normalisation="layer")
    assert found["reason"].notna().tolist() == [True, False, False]
    assert found["normalisation"].tolist() == 3 * ["layer"]
