"""A quick form of the finite-width laws; `tests/verification/test_hanin_nica_2018.py` has the full one."""

from __future__ import annotations

import numpy as np
import pytest

from tests.core.exact_laws import factor, findings, report


def test_published_numbers():
    """relu at sigma_w^2 = 2: mean and variance of ln per layer."""
    for n, mean, variance in ((16, -0.176397, 0.419593), (64, -0.040109, 0.082997), (1024, -0.002445, 0.004901)):
        law = factor("relu", n, np.sqrt(2))
        assert law.mean == pytest.approx(mean, abs=1e-6)
        assert law.variance == pytest.approx(variance, abs=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("width", [8, 16])
@pytest.mark.parametrize("activation", ["relu", "linear"])
def test_exact_laws(cell, activation, width, dtype):
    sigma_w = np.sqrt(2) if activation == "relu" else 1.0
    one = cell(activation, "gaussian", dtype, sigma_w=sigma_w, depth=8, width=width, key=width)
    found, dead, p_value = findings(one, 10_000)
    report(one, 10_000, found, dead, p_value)
    # 4.5 standard errors: right code fails one of these 64 figures with a chance of 4e-4, and the key is fixed.
    assert all(abs(entry.z) < 4.5 for entry in found), found
    assert p_value > 1e-4, dead


def test_a_wrong_sigma_w_is_caught(cell):
    """3 % here; 1 % with the networks of the full form."""
    one = cell("linear", sigma_w=1.0, depth=8, width=16, key=16)
    found, _, _ = findings(one, 10_000, planted=1.03)
    assert max(abs(entry.z) for entry in found) > 4.5
