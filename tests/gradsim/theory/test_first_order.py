"""The first correction in 1/width against exact laws and simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest

import gradsim as gs
from gradsim import theory
from gradsim.theory.errors import NoCriticalPoint

CASES = [
    ("tanh", 1.5, 0.0, 8),
    ("tanh", 1.0, 0.3, 8),
    ("gelu", 1.5, 0.5, 6),
    ("sin", 1.5, 0.2, 5),
    ("selu", 1.0, 0.0, 8),
]


@pytest.mark.parametrize("name", ["linear", "relu", "leaky_relu(0.2)"])
def test_the_exact_laws(name):
    """Mean and variance at widths 1,024 and 2,048; their difference removes the next order."""
    found = theory.width_correction(name, 5, 1.4).iloc[0]
    mean, variance = [], []
    for width in (1024, 2048):
        law = theory.gain_law(name, 5, width, 1.4)
        mean.append((law.mean - found["log_gain"]) * width)
        variance.append(law.std**2 * width)
    assert found["mean"] == pytest.approx(2 * mean[1] - mean[0], rel=1e-4)
    assert found["variance"] == pytest.approx(2 * variance[1] - variance[0], rel=1e-4)


@pytest.mark.parametrize(("name", "sigma_w", "sigma_b", "depth"), CASES)
def test_simulation(name, sigma_w, sigma_b, depth):
    """40,000 networks of width 256: means of two layers within 4.4 standard errors and a tenth of the correction.

    Left out, or of the wrong sign, the correction would be 10 to 30 standard errors away.
    """
    count, width = 40_000, 256
    theirs = theory.width_correction(name, depth, sigma_w, sigma_b)
    ensemble = gs.simulate(
        activation=name, sigma_w=sigma_w, sigma_b=sigma_b, depth=depth, width=width, networks=count, seed=3,
        method="conditional",
    )  # fmt: skip
    for layer in (0, depth // 2):
        gain, row = ensemble.log_gain[:, layer], theirs.iloc[layer]
        se = gain.std() / math.sqrt(count)
        shift = gain.mean() - row["log_gain"]
        assert abs(shift - row["mean"] / width) < 4.4 * se + 0.1 * abs(row["mean"]) / width
        assert abs(shift) > 8 * se
        assert gain.var() * width == pytest.approx(row["variance"], rel=0.05)
    log_q = ensemble.log_q[:, -1]
    assert log_q.var() * width == pytest.approx(theirs["log_q_variance"].iloc[-1] + 2, rel=0.08)  # 2: of |h|^2 given q


def test_a_line_beyond_the_table_keeps_its_averages():
    for log_scale in (-60.0, 60.0):
        found = theory.width_correction("relu", 4, math.exp(log_scale)).iloc[0]
        assert (found["mean"], found["variance"]) == pytest.approx((-7.5, 15.0))
    assert np.isfinite(theory.width_correction("tanh", 300, 0.5).to_numpy()).all()
    assert np.isfinite(theory.width_correction("sin", 3, 1e6).to_numpy()).all()


def test_the_typical_boundary_of_wide_networks():
    """tanh, depth 8, width 128: mean ln gain of 40,000 networks at the boundary to first order."""
    sigma_w = theory.typical_sigma_w("tanh", 8, 0.1, 128)
    assert sigma_w > theory.boundary("tanh", 8, 0.1)
    cell = {"activation": "tanh", "sigma_b": 0.1, "depth": 8, "width": 128, "networks": 40_000, "seed": 5}
    gain = gs.simulate(**cell, sigma_w=sigma_w, method="conditional").log_gain[:, 0]
    assert abs(gain.mean()) < 4.4 * gain.std() / 200 + 0.005
    assert theory.typical_sigma_w("relu", 8, 0.0, 16) == theory.quenched_sigma_w("relu", 16)
    with pytest.raises(NoCriticalPoint, match="too small for the first correction"):
        theory.typical_sigma_w("gelu", 64, 0.0, 64)
