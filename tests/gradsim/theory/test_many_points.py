"""chi_1 at many points at once is chi_1 at each."""

from __future__ import annotations

import math

import numpy as np
import pytest

import gradsim as gs
from gradsim import theory
from gradsim.errors import SweepError
from gradsim.theory.infinite_width import many_points
from gradsim_core.activations import ACTIVATIONS

SIGMA_W = np.array([1e-30, 1e-3, 0.4, 0.9, 1.0, 1.0, 1.0, 1.2, 2**0.5, 2**0.5, 1.7, 2.5, 3.9, 50.0, 1e30])
SIGMA_B = np.array([0.0, 1e3, 0.0, 0.3, 0.0, 1e-9, 0.5, 0.0, 0.0, 0.2, 1.1, 0.0, 0.7, 1e30, 0.0])


@pytest.mark.parametrize("activation", [*ACTIVATIONS, "leaky_relu(0.2)"])
def test_table_of_activations(activation: str) -> None:
    expected = [theory.chi_1(activation, *point) for point in zip(SIGMA_W.tolist(), SIGMA_B.tolist(), strict=True)]
    np.testing.assert_allclose(many_points.chi_1(activation, SIGMA_W, SIGMA_B), expected, rtol=1e-12)


def test_own_activation_and_many_blocks(monkeypatch) -> None:
    monkeypatch.setattr(many_points, "_AT_ONCE", 4)
    monkeypatch.setattr(many_points, "_BLOCK", 3)
    cube = gs.Activation("cube", lambda h: h + 0.01 * h**3, lambda h: 1 + 0.03 * h**2)
    expected = [theory.chi_1(cube, *point) for point in zip(SIGMA_W.tolist(), SIGMA_B.tolist(), strict=True)]
    np.testing.assert_allclose(many_points.chi_1(cube, SIGMA_W, SIGMA_B), expected, rtol=1e-12)
    assert many_points.chi_1(cube, np.empty(0), np.empty(0)).size == 0
    with pytest.raises(ValueError, match="unknown"):
        many_points.chi_1("unknown", SIGMA_W, SIGMA_B)


def test_what_a_single_point_refuses_is_nan():
    """sinh, whose averages outgrow the quadrature from q = e^2 on: E[cosh(5 z)^2] = 2.6e21 is not what it gives."""
    points = [(1e-3, 3.0), (1e-6, 3.0), (1e-9, 4.0), (1e-12, 5.0), (1e-30, 8.0), (0.05, 1.0), (0.01, 2.0)]
    pair, expected = gs.Activation("sinh", math.sinh, math.cosh), []
    for sigma_w, sigma_b in points:
        try:
            expected.append(theory.chi_1(pair, sigma_w, sigma_b))
        except SweepError:
            expected.append(math.nan)
    assert np.isnan(expected[1:5]).all()
    np.testing.assert_allclose(many_points.chi_1(pair, *np.array(points).T), expected, rtol=1e-12)
