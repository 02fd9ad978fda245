"""Critical points against a scan of sigma_w that is 100 times finer than the one they are searched with."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gradsim import theory
from gradsim.theory.averages.moments import moments
from gradsim.theory.infinite_width.finite_depth import HIGHEST, LOWEST
from gradsim.theory.infinite_width.fixed_point import _q_star
from gradsim_core.activations import ACTIVATIONS, Activation, resolve_activation

FINE = np.geomspace(LOWEST, HIGHEST, 9601)


def scanned(name: str, sigma_b: float, grid: np.ndarray = FINE) -> float | None:
    """First upward crossing of chi_1 = 1, by scan and bisection; None if chi_1 jumps, or q is infinite, there."""
    largest = moments(resolve_activation(name)).log_moments(np.linspace(-83.0, 83.0, 2000))[1].max()
    start = np.searchsorted(grid, math.exp(-0.5 * largest)) - 2  # chi_1 < 1 below it, whatever q
    below = None
    for sigma_w in grid[max(0, start) :].tolist():
        if theory.chi_1(name, sigma_w, sigma_b) < 1.0:
            below = sigma_w
        elif below is not None:
            break
    else:
        return None
    above = sigma_w
    while above / below > 1.0 + 1e-12:
        middle = math.sqrt(below * above)
        below, above = (middle, above) if theory.chi_1(name, middle, sigma_b) < 1.0 else (below, middle)
    rise = theory.chi_1(name, above, sigma_b) - theory.chi_1(name, below, sigma_b)
    return None if rise > 1e-5 or passes_through_infinity(name, above, sigma_b) else above


def passes_through_infinity(name: str, sigma_w: float, sigma_b: float) -> bool:
    """Whether q is infinite from here on, and chi_1 / sigma_w^2 depends on q before."""
    with np.errstate(divide="ignore"):
        q = _q_star(
            resolve_activation(name), sigma_w * (1 + 1e-9), sigma_b
        )  # without the correlation, which takes long
    return q == math.inf and abs(theory.chi_1(name, 0.9 * sigma_w, sigma_b) / 0.81 - 1.0) > 1e-9


def found(name: str | Activation, sigma_b: float) -> float | None:
    try:
        return theory.critical_sigma_w(name, sigma_b)
    except theory.NoCriticalPoint:
        return None


@pytest.mark.parametrize(
    ("name", "sigma_b", "expected"),
    [
        ("gelu", 0.5, 1.399868216406),
        ("silu", 1.0, 1.402512417979),
        ("gelu", 3.0, None),
        ("silu", 2.4, None),
        ("mish", 0.45, None),
        ("gelu_tanh", 1.7, None),
    ],
)
def test_a_crossing_just_below_the_divergence_of_q(name: str, sigma_b: float, expected: float | None) -> None:
    """chi_1 rises over 1 and falls back to 1 as q runs to infinity at sqrt(2), within 2 % of sigma_w."""
    root = theory.critical_sigma_w(name, sigma_b)
    assert root < math.sqrt(2) * 0.9999
    assert _q_star(resolve_activation(name), root, sigma_b) < math.inf
    assert theory.chi_1(name, root * (1 - 1e-6), sigma_b) < 1.0 < theory.chi_1(name, root * (1 + 1e-6), sigma_b)
    if expected is not None:
        assert root == pytest.approx(expected, abs=1e-11)


def test_a_crossing_of_a_users_own_activation_just_below_the_divergence_of_q() -> None:
    own = Activation("bent", lambda h: h / (1 + math.exp(-3 * h)), lambda h: _slope(h))
    root = theory.critical_sigma_w(own, 0.3)
    assert theory.chi_1(own, root * (1 - 1e-6), 0.3) < 1.0 < theory.chi_1(own, root * (1 + 1e-6), 0.3)
    assert root < math.sqrt(2) * 0.9999


def _slope(h: float) -> float:
    logistic = 0.5 * (1 + math.tanh(1.5 * h))
    return logistic + 3 * h * logistic * (1 - logistic)


def same(name: str, sigma_b: float, grid: np.ndarray = FINE) -> None:
    root, expected = found(name, sigma_b), scanned(name, sigma_b, grid)
    assert (root is None) == (expected is None), (name, sigma_b, root, expected)
    if root is not None:
        assert root == pytest.approx(expected, rel=1e-6), (name, sigma_b)


@pytest.mark.parametrize("name", ["gelu", "silu", "tanh", "snake", "hard_swish"])
def test_against_a_finer_scan(name: str) -> None:
    for sigma_b in (0.2, 0.8):
        same(name, sigma_b, FINE[::5])


@pytest.mark.verify
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_against_a_finer_scan_at_every_bias(name: str) -> None:
    for sigma_b in np.arange(31) / 10:
        same(name, float(sigma_b))
