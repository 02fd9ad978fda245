"""Maps of a layer and Gaussian means against closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gradsim import theory
from gradsim.theory.averages.hermite import series
from gradsim.theory.averages.moments import moments
from gradsim.theory.averages.pairs import pair_average
from gradsim.theory.infinite_width import correlation
from gradsim.theory.infinite_width.correlation import fixed_correlation
from gradsim_core.activations import ACTIVATIONS, resolve_activation

MEANS = [
    (lambda h: max(h, 0.0) ** 2, 3e8, 1.5e8),
    (lambda h: max(h - 1.0, 0.0), 1.0, math.exp(-0.5) / math.sqrt(2 * math.pi) - 0.5 * math.erfc(math.sqrt(0.5))),
    (lambda h: h > 1.0, 1.0, 0.5 * math.erfc(math.sqrt(0.5))),
    (lambda h: math.exp(5 * h), 1.0, math.exp(12.5)),
    (math.exp, 100.0, math.exp(50.0)),
    (lambda h: h * h, 1e-300, 1e-300),
    (lambda h: abs(h) ** 0.5, 1.0, 2**0.25 * math.gamma(0.75) / math.sqrt(math.pi)),
    (lambda h: 7.0, 0.0, 7.0),
]


@pytest.mark.parametrize(("function", "q", "mean"), MEANS)
def test_gaussian_means_to_twelve_digits(function, q, mean):
    assert theory.gaussian_mean(function, q) == pytest.approx(mean, rel=1e-12)


def test_odd_functions_have_mean_zero():
    assert abs(theory.gaussian_mean(lambda h: h**3)) < 1e-14
    assert abs(theory.gaussian_mean(lambda h: math.sin(10 * h), 2.0)) < 1e-14


def test_a_named_kink_saves_work():
    calls = {True: 0, False: 0}

    def step(named):
        def function(h):
            calls[named] += 1
            return h > 0.3

        return function

    for named in calls:
        found = theory.gaussian_mean(step(named), kinks=[0.3] if named else [])
        assert found == pytest.approx(0.5 * math.erfc(0.3 / math.sqrt(2)), rel=1e-13)
    assert calls[True] < calls[False]


@pytest.mark.parametrize("c", [-1.0, -0.7, 0.0, 0.3, 0.99, 1.0])
def test_the_correlation_of_relu(c):
    """Cho and Saul 2009, the arc-cosine kernel of order 1."""
    angle = math.acos(c)
    expected = (math.sin(angle) + (math.pi - angle) * c) / math.pi
    assert theory.c_map("relu", c, 2**0.5) == pytest.approx(expected, abs=1e-13)


@pytest.mark.parametrize("q", [0.3, 2.0, 40.0])
@pytest.mark.parametrize("c", [-0.8, 0.5])
def test_the_correlation_of_erf(q, c):
    """Williams 1997."""
    expected = math.asin(2 * c * q / (1 + 2 * q)) / math.asin(2 * q / (1 + 2 * q))
    assert theory.c_map("erf", c, 1.3, q=q) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("c", [-0.999, -0.5, 0.5])
def test_a_wide_wave_has_the_correlation_of_a_narrow_one(c):
    """sin: E[sin u1 sin u2] = (e^(-q (1 - c)) - e^(-q (1 + c))) / 2."""
    for q in (3.0, 1e3, 1e6):
        table = moments(resolve_activation("sin"))
        expected = 0.5 * (math.exp(-q * (1 - c)) - math.exp(-q * (1 + c)))
        assert pair_average(table, table.activation, q, c) == pytest.approx(expected, abs=1e-13)


def test_maps_stay_at_their_fixed_points():
    for name, sigma_w, sigma_b in (("tanh", 2.0, 0.1), ("sigmoid", 3.0, 1.0), ("selu", 1.2, 0.3)):
        field = theory.mean_field(name, sigma_w, sigma_b)
        assert theory.q_map(name, field.q_star, sigma_w, sigma_b) == pytest.approx(field.q_star, rel=1e-13)
        assert theory.c_map(name, field.c_star, sigma_w, sigma_b) == pytest.approx(field.c_star, abs=1e-13)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_the_series_agrees_with_averages_over_two_variables(name, monkeypatch):
    table = moments(resolve_activation(name))
    cut = series(table, 1.7, 256)
    for c in (0.2, 0.8):
        average, slope = cut.average(c)
        lost, slope_lost = cut.error(c)
        expected = pair_average(table, table.activation, 1.7, c)
        expected_slope = 1.7 * pair_average(table, table.activation.derivative, 1.7, c)
        assert -1e-12 * expected <= expected - average <= lost + 1e-12 * expected
        assert -1e-11 <= expected_slope - slope <= slope_lost + 1e-11
    if name == "relu2":  # q has no finite fixed point
        return
    for sigma_w, sigma_b in ((1.6, 0.1), (4.0, 0.5)):
        field = theory.mean_field(name, sigma_w, sigma_b)
        if field.chi_1 > 1.01 and 0.0 < field.q_star < np.inf:
            monkeypatch.setattr(correlation, "_by_series", lambda *arguments: (0.0, None))
            slow = fixed_correlation(table, field.q_star, sigma_w, sigma_b, field.chi_1)
            monkeypatch.undo()
            assert field.c_star == pytest.approx(slow[0], abs=1e-12)
            assert theory.chi_c(name, sigma_w, sigma_b) == pytest.approx(slow[1], abs=1e-11)
