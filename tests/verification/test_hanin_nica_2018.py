"""Hanin and Nica (2018), arXiv:1812.05994: ln of products of random matrices, against exact finite-width laws."""

from __future__ import annotations

import numpy as np
import pytest

from tests.core.conftest import Cell
from tests.core.exact_laws import factor, findings, report

pytestmark = pytest.mark.verify
NETWORKS = 200_000


def run(activation, width, dtype, planted=1.0, law="gaussian", networks=NETWORKS):
    sigma_w = np.sqrt(2) if activation == "relu" else 1.0
    one = Cell(activation, law, dtype, sigma_w=sigma_w, depth=8, width=width, key=1000 + width)
    result = findings(one, networks, planted)
    report(one, networks, *result)
    return result


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("width", [8, 16, 64])
@pytest.mark.parametrize("activation", ["relu", "linear"])
def test_mean_and_variance_per_layer(activation, width, dtype):
    found, dead, p_value = run(activation, width, dtype)
    assert all(abs(entry.z) < 4 for entry in found), found
    assert p_value > 1e-4, dead


@pytest.mark.parametrize("width", [8, 16, 64])
@pytest.mark.parametrize("activation", ["relu", "linear"])
def test_one_percent_is_caught(activation, width):
    """sigma_w off by 1 % in the expectation: the backward mean alone tells."""
    found, _, _ = run(activation, width, "float32", planted=1.01)
    assert max(abs(entry.z) for entry in found if "backward" in entry.what) > 6


@pytest.mark.parametrize("width", [8, 16])
def test_another_law_is_told_apart(width):
    """The law is Gaussian's own: rademacher weights of the same variance miss it."""
    found, _, _ = run("linear", width, "float32", law="rademacher")
    assert max(abs(entry.z) for entry in found) > 6


def test_deep_and_narrow():
    """n = 16, L = 200, beyond the range of float32 in some networks: depth / width = 12.5."""
    n, depth, networks = 16, 200, 20_000
    one = Cell("linear", "gaussian", "float32", sigma_w=1.0, depth=depth, width=n, key=5)
    found, dead, p_value = findings(one, networks)
    report(one, networks, found, dead, p_value)
    assert all(abs(entry.z) < 4 for entry in found), found
    assert found[-2].expected == pytest.approx((depth - 1) * factor("linear", n).mean)
