"""Every activation's averages, fixed points and critical points against plain quadrature of its NumPy form."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gradsim import theory
from gradsim.theory.averages.moments import moments
from gradsim.theory.averages.pairs import pair_average
from gradsim_core.activations import resolve_activation
from tests import naive

NODES, WEIGHTS = np.polynomial.legendre.leggauss(40)
SCALED = ("sin(30)", "snake(20)", "celu(0.05)", "celu(40)")
QUICK = ("tanh", "relu6", "hard_swish", "hard_sigmoid", "relu2", *SCALED)
ROWS = [pytest.param(name, marks=[] if name in QUICK else pytest.mark.verify) for name in (*naive.PHI, *SCALED)]


def pair_of(name: str):
    """phi and phi' in NumPy; rows that only change the scale of h from those of scale 1."""
    if name in naive.PHI:
        return naive.PHI[name]
    family, scale = name[:-1].split("(")
    length = float(scale) if family == "celu" else 1 / float(scale)
    phi, dphi = naive.PHI[family]
    size = 1.0 if family == "sin" else length
    return lambda h: size * phi(h / length), lambda h: size / length * dphi(h / length)


def averages(name: str, q: float) -> tuple[float, float]:
    """E[phi(sqrt(q) z)^2] and E[phi'(sqrt(q) z)^2] by 40 nodes on each of many panels between the kinks."""
    deviation = math.sqrt(q)
    scales = np.concatenate([np.geomspace(1e-3, 13.0 * deviation, 300), np.linspace(0.0, 13.0 * deviation, 900)])
    edges = np.unique(np.concatenate([scales, -scales, resolve_activation(name).kinks]))
    edges = edges[np.abs(edges) <= 13.0 * deviation]
    half, middle = np.diff(edges) / 2, (edges[1:] + edges[:-1]) / 2
    h = (middle[:, None] + half[:, None] * NODES).ravel()
    density = np.exp(-0.5 * h * h / q) / math.sqrt(2 * math.pi * q) * (half[:, None] * WEIGHTS).ravel()
    with np.errstate(over="ignore"):
        phi, dphi = (function(h) for function in pair_of(name))
    return float(density @ phi**2), float(density @ dphi**2)


@pytest.mark.parametrize("name", ROWS)
def test_averages(name: str) -> None:
    table = moments(resolve_activation(name))
    for q in (1e-3, 0.3, 1.0, 4.0, 37.0, 900.0):
        found = [float(np.exp(logarithm)) for logarithm in table.log_moments(math.log(q))]
        assert found == pytest.approx(averages(name, q), rel=1e-10)


@pytest.mark.parametrize("name", ROWS)
def test_fixed_points(name: str) -> None:
    for sigma_w, sigma_b in ((0.6, 0.1), (1.2, 0.3), (2.5, 0.5)):
        found = theory.mean_field(name, sigma_w, sigma_b)
        if found.q_star == math.inf:
            continue
        forward, backward = averages(name, found.q_star)
        assert sigma_w**2 * forward + sigma_b**2 == pytest.approx(found.q_star, rel=1e-10)
        assert sigma_w**2 * backward == pytest.approx(found.chi_1, rel=1e-10)


CRITICAL = {
    "celu": 1.0,
    "celu(0.5)": 1.0,
    "relu6": math.sqrt(2),
    "sin": 1.0,
    "sin(2)": 0.5,
    "sin(30)": 1 / 30,
}


@pytest.mark.parametrize("name", CRITICAL)
def test_critical_sigma_w_without_a_bias(name: str) -> None:
    assert theory.critical_sigma_w(name) == pytest.approx(CRITICAL[name], rel=1e-10)


@pytest.mark.parametrize("name", ROWS)
def test_critical_sigma_w_with_a_bias(name: str) -> None:
    """chi_1 = 1 at the fixed point of plain quadrature, or a reason."""
    try:
        root = theory.critical_sigma_w(name, 0.3)
    except theory.NoCriticalPoint as none:
        assert name.startswith(("gelu", "silu", "mish", "hard_swish", "relu2", "softplus", "snake"))
        reason = none.reason
    else:
        reason = ""
    if reason:
        assert "infin" in reason or "jumps" in reason
        return
    q_star = theory.mean_field(name, root, 0.3).q_star
    if q_star < math.inf:
        assert root**2 * averages(name, q_star)[0] + 0.09 == pytest.approx(q_star, rel=1e-10)
        assert root**2 * averages(name, q_star)[1] == pytest.approx(1.0, rel=1e-9)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("relu2", "q runs to infinity at sigma_w = 0.903602, where chi_1 jumps from 0 to inf"),  # (2/3)^(1/4)
        ("hard_swish", "q runs to infinity at sigma_w = 1.56718"),
        ("snake", "q jumps from 0 to 0.4349 at sigma_w = 0.848381"),
    ],
)
def test_no_critical_point_has_a_reason(name: str, reason: str) -> None:
    with pytest.raises(theory.NoCriticalPoint, match=reason):
        theory.critical_sigma_w(name)


def test_relu2_is_followed_at_any_size() -> None:
    """q' = 3/2 sigma_w^2 q^2 and chi = 2 sigma_w^2 q, until their logarithms leave float64."""
    for sigma_w in (0.01, 0.9, 3.0):
        path = theory.trajectory("relu2", 60, sigma_w)
        log_q = 2 * math.log(sigma_w)
        for layer in range(60):
            assert path.log_q[layer] == pytest.approx(log_q, rel=1e-9)
            assert path.log_chi[layer] == pytest.approx(math.log(2 * sigma_w**2) + log_q, rel=1e-9)
            log_q = math.log(1.5 * sigma_w**2) + 2 * log_q
    assert theory.boundary("relu2", 100) == pytest.approx((2 / 3) ** 0.25, rel=1e-6)
    for sigma_w, limit in ((0.5, 0.0), (2.0, math.inf)):
        field = theory.mean_field("relu2", sigma_w)
        assert (field.q_star, field.chi_1) == (limit, limit)


@pytest.mark.parametrize("scale", [0.3, 1.0, 30.0])
@pytest.mark.parametrize("correlation", [0.0, 0.2, 0.99, 0.99999])
def test_waves_in_pairs(scale: float, correlation: float) -> None:
    """Closed forms, also where a Gaussian holds many periods."""
    for q in (0.01, 1.3, 60.0):
        beside, between = math.exp(-(scale**2) * q * (1 - correlation)), math.exp(-(scale**2) * q * (1 + correlation))
        table = moments(resolve_activation(f"sin({scale})"))
        assert pair_average(table, table.activation, q, correlation) == pytest.approx((beside - between) / 2, abs=1e-12)
        table = moments(resolve_activation(f"snake({scale})"))
        k = 2 * scale
        cosines = math.exp(-(k**2) * q * (1 - correlation)) / 2 + math.exp(-(k**2) * q * (1 + correlation)) / 2
        wave = (1 - 2 * math.exp(-(k**2) * q / 2) + cosines) / k**2
        assert pair_average(table, table.activation, q, correlation) == pytest.approx(correlation * q + wave, rel=1e-11)


def test_wide_waves_keep_their_line() -> None:
    forward, backward = moments(resolve_activation("snake")).log_moments(np.log([1e6, 1e30, 1e200, 1e300]))
    np.testing.assert_allclose(forward, np.log([1e6 + 0.375, 1e30, 1e200, 1e300]), rtol=1e-15)
    np.testing.assert_allclose(np.exp(backward), 1.5, rtol=1e-12)
    forward, backward = moments(resolve_activation("sin")).log_moments([20.0, 100.0, 1e4, np.inf])
    np.testing.assert_allclose(np.exp([forward, backward]), 0.5, rtol=1e-12)
