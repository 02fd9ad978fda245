"""The exact law of the gain against 10^8 simulated networks (Hanin and Nica 2018, arXiv:1812.05994)."""

from __future__ import annotations

import math

import numpy as np
import pytest

import gradsim as gs
from gradsim import theory

P = np.array([0.001, 0.003, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.997, 0.999])
AT_ONCE = 500_000


@pytest.mark.verify
@pytest.mark.parametrize(
    ("name", "width", "depth", "count"), [("relu", 16, 8, 10**8), ("leaky_relu(0.2)", 4, 6, 10**7)]
)
def test_quantiles(name, width, depth, count):
    """Each within 4 standard errors: one false alarm in 1,200. A sigma_w off by 0.1 % would be 27 of them away."""
    law, below, live, dead = theory.gain_law(name, depth, width, 1.45), np.zeros(len(P)), 0, 0
    quantiles, off = law.ppf(P), np.zeros(len(P))
    for seed in range(count // AT_ONCE):
        cell = {"activation": name, "sigma_w": 1.45, "depth": depth, "width": width, "networks": AT_ONCE, "seed": seed}
        ensemble = gs.simulate(**cell, method="conditional")
        alive = ensemble.status == 0
        gain = np.sort(ensemble.log_gain[alive, 0])
        below += np.searchsorted(gain, quantiles)
        off += np.searchsorted(gain, quantiles + 2 * (depth - 1) * 1e-3)
        live, dead = live + len(gain), dead + AT_ONCE - len(gain)
    se = np.sqrt(P * (1 - P) / live)
    z, planted = (below / live - P) / se, (off / live - P) / se
    print(name, "largest z", np.abs(z).max(), "with sigma_w off by 0.1 %", np.abs(planted).max())
    assert np.abs(z).max() < 4
    assert np.abs(planted).max() > 4
    share = law.dead_fraction
    assert abs(dead / count - share) <= 4 * math.sqrt(share * (1 - share) / count)
