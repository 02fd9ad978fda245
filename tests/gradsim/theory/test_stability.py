"""All fixed points of q: against iteration of the map, and published half-stable points."""

from __future__ import annotations

import math

import pytest

from gradsim import theory

POINTS = [
    ("tanh", 1.5, 0.0), ("tanh", 0.9, 0.0), ("tanh", 1.0, 0.0), ("relu", 1.5, 0.1), ("relu", 1.2, 0.5),
    ("gelu", 1.42, 0.1), ("gelu", 1.5, 0.0), ("silu", 1.43, 0.3), ("relu2", 0.5, 0.0), ("sin", 3.0, 0.1),
    ("softplus", 1.3, 0.0), ("sigmoid", 1.0, 1.0),
]  # fmt: skip


def follow(name, q, sigma_w, sigma_b):
    """q after many layers, or 0 or infinity where it goes there."""
    for _ in range(1000):
        if not 1e-30 < q < 1e30:
            break
        q = theory.q_map(name, q, sigma_w, sigma_b)
    return 0.0 if q < 1e-3 and sigma_b == 0.0 else math.inf if q > 1e6 else q


@pytest.mark.parametrize(("name", "sigma_w", "sigma_b"), POINTS)
def test_stability_is_that_of_the_iterated_map(name, sigma_w, sigma_b):
    found = theory.fixed_points(name, sigma_w, sigma_b)
    assert found["reached"].sum() == 1
    reached = found.loc[found["reached"], "q"].item()
    assert reached == pytest.approx(theory.mean_field(name, sigma_w, sigma_b).q_star, rel=1e-12)
    for point in found.itertuples():
        if 0.0 < point.q < math.inf:
            assert theory.q_map(name, point.q, sigma_w, sigma_b) == pytest.approx(point.q, rel=1e-12)
            near = [follow(name, point.q * factor, sigma_w, sigma_b) for factor in (0.99, 1.01)]
            stays = [q == pytest.approx(point.q, rel=1e-3) for q in near]
            assert point.stability == ("stable" if all(stays) else "unstable")
            assert (point.slope < 1.0) == all(stays)
    ends = {follow(name, q, sigma_w, sigma_b) for q in (1e-3, 0.5, 1e3)}
    for q in ends:
        assert any(q == pytest.approx(known, rel=1e-3) for known in found.loc[found["stability"] == "stable", "q"])


def test_relu_on_its_edge_keeps_every_q():
    found = theory.fixed_points("relu", math.sqrt(2.0))
    assert found["stability"].tolist() == ["neutral"]
    assert found["q"].item() == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("name", "bias", "weight", "q"),
    [
        ("gelu", 0.17292239, 1.98305826, (3 + math.sqrt(17)) / 2),
        ("silu", 0.55514317, 1.98800468, 14.32017362),
    ],
)
def test_half_stable_points(name, bias, weight, q):
    """Roberts, Yaida and Hanin 2021 (arXiv:2106.10165), section 5.3.3; the weight variances recomputed."""
    point = theory.half_stable_points(name).iloc[0]
    assert point["sigma_b"] ** 2 == pytest.approx(bias, abs=1e-8)
    assert point["sigma_w"] ** 2 == pytest.approx(weight, abs=1e-8)
    assert point["q"] == pytest.approx(q, rel=1e-8)
    around = theory.fixed_points(name, point["sigma_w"], point["sigma_b"])
    half = around[around["stability"] == "half-stable"]
    assert half["q"].item() == pytest.approx(q, rel=1e-5)
    assert half["slope"].item() == pytest.approx(1.0, abs=1e-7)


@pytest.mark.parametrize("name", ["tanh", "relu", "elu", "softplus"])
def test_others_have_none(name):
    assert theory.half_stable_points(name).empty
