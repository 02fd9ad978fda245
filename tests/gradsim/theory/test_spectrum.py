"""The spectrum of Jacobians at infinite width: closed forms, integrals of the density, and wide networks."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from scipy.special import digamma

import gradsim as gs
from gradsim.errors import SweepError
from gradsim.theory import jacobian_density, jacobian_spectrum, lyapunov_exponents
from gradsim.theory.infinite_width.finite_depth import trajectory

SQRT2 = 2**0.5


@pytest.mark.parametrize("depth", [1, 4, 32, 1000])
def test_variances_and_edges_of_the_paper(depth):
    """L, 2 L, 0, L; and (L + 1)^(L + 1) / L^L (arXiv:1711.04735)."""
    for activation, sigma_w, law, variance in (
        ("linear", 1.0, "gaussian", depth), ("relu", SQRT2, "uniform", 2 * depth),
        ("linear", 1.0, "orthogonal", 0), ("relu", SQRT2, "orthogonal", depth),
    ):  # fmt: skip
        found = jacobian_spectrum(activation, depth, sigma_w, law=law)
        assert found.mean == pytest.approx(1.0, abs=1e-12 * depth)
        assert found.variance == pytest.approx(variance, rel=1e-11, abs=1e-11)
    edge = (depth + 1) * math.log(depth + 1) - depth * math.log(depth)
    assert jacobian_spectrum("linear", depth, 1.0).log_edge == pytest.approx(edge, abs=1e-10)
    assert jacobian_spectrum("linear", depth, 0.5).log_edge == pytest.approx(edge - depth * math.log(4), abs=1e-9)
    assert jacobian_spectrum("linear", depth, 1.0, law="orthogonal").log_edge == pytest.approx(0.0, abs=1e-9)
    last = jacobian_spectrum("relu", depth, SQRT2, output="preactivation")
    assert last.variance / last.mean**2 == pytest.approx(2 * depth - 1)


def test_edges_of_relu_networks():
    """lambda z / (1 + 2 z)^L is 1 + z with independent entries, and (1 + z)^(1 - L) with orthogonal matrices."""
    z = np.geomspace(1e-3, 10, 200_001)
    for law, power in (("gaussian", 1), ("orthogonal", -5)):
        exact = np.log((1 + z) ** power * (1 + 2 * z) ** 6 / z).min()
        assert jacobian_spectrum("relu", 6, SQRT2, law=law).log_edge == pytest.approx(exact, abs=1e-8)


def test_means_are_those_of_the_trajectory():
    for activation, sigma_w, sigma_b in (("tanh", 1.5, 0.2), ("gelu", 1.9, 0.1), ("erf", 1.1, 0.0), ("sin", 1.3, 0.1)):
        log_chi = trajectory(activation, 12, sigma_w, sigma_b).log_chi
        assert jacobian_spectrum(activation, 12, sigma_w, sigma_b).log_mean == pytest.approx(log_chi.sum(), rel=1e-9)


def test_variance_of_erf_in_closed_form():
    """E d^2k of erf at q is (4 / pi)^k / sqrt(1 + 4 k q)."""
    sigma_w = 1.2
    q = sigma_w**2
    second, fourth = (4 / np.pi) / np.sqrt(1 + 4 * q), (4 / np.pi) ** 2 / np.sqrt(1 + 8 * q)
    found = jacobian_spectrum("erf", 1, sigma_w)
    assert found.relative_variance == pytest.approx(fourth / second**2, rel=1e-10)
    assert jacobian_spectrum("erf", 1, sigma_w, law="orthogonal").log_edge == pytest.approx(
        np.log(sigma_w**2 * 4 / np.pi), abs=1e-3
    )


def test_unbounded_slopes_have_no_edge():
    assert jacobian_spectrum("relu2", 3, 0.5).log_edge == np.inf
    assert np.isfinite(jacobian_spectrum("sin", 3, 0.5).log_edge)


@pytest.mark.parametrize(
    ("activation", "depth", "sigma_w", "law", "share"),
    [("linear", 3, 1.0, "gaussian", 1.0), ("relu", 4, SQRT2, "gaussian", 0.5), ("relu", 4, SQRT2, "orthogonal", 0.5),
     ("leaky_relu(0.3)", 3, 1.2, "gaussian", 1.0), ("tanh", 2, 1.1, "orthogonal", 1.0)],
)  # fmt: skip
def test_the_density_has_the_moments(activation, depth, sigma_w, law, share):
    """Its integral is the share of values that are not 0, and its moments are those of the S-transform."""
    spectrum = jacobian_spectrum(activation, depth, sigma_w, law=law)
    u = np.linspace(0.0, 1.0, 400) ** 2  # denser at the edge, where it is a root
    x = spectrum.log_edge - (45.0 if activation != "tanh" else 10.0) * u[::-1]
    density = jacobian_density(x, activation, depth, sigma_w, law=law)
    assert np.isfinite(density).all()
    assert np.trapezoid(density, x) == pytest.approx(share, rel=0.015)
    mean = np.trapezoid(density * np.exp(x), x)
    assert mean == pytest.approx(spectrum.mean, rel=0.01)
    variance = np.trapezoid(density * np.exp(2 * x), x) - mean**2
    assert variance == pytest.approx(spectrum.variance, rel=0.03)
    beyond = jacobian_density(spectrum.log_edge + np.array([0.02, 1.0]), activation, depth, sigma_w, law=law)
    assert (beyond < 1e-2).all()


def test_marchenko_pastur():
    """One linear layer: density sqrt(4 / x - 1) / (2 pi) of x = s^2."""
    x = np.linspace(0.1, 3.9, 30)
    found = jacobian_density(np.log(x), "linear", 1, 1.0) / x
    np.testing.assert_allclose(found, np.sqrt(4 / x - 1) / (2 * np.pi), rtol=1e-3)


def shares(edges, depth):
    """Shares of singular values between edges of ln s^2, and above them."""
    edges = np.append(edges, jacobian_spectrum("relu", depth, SQRT2).log_edge)
    spans = [np.linspace(low, high, 200) for low, high in pairwise(edges)]
    return np.array([np.trapezoid(jacobian_density(x, "relu", depth, SQRT2), x) for x in spans])


def test_wide_networks_have_this_spectrum():
    """Fifths of the values that are not 0 of networks of width 256; a depth that is 1 off is caught."""
    found = gs.jacobian("relu", width=256, depth=3, sigma_w=SQRT2, networks=5, seed=5)
    values = 2 * found.log_singular_values[np.isfinite(found.log_singular_values)]
    edges = np.quantile(values, [0.2, 0.4, 0.6, 0.8])
    expected = 0.2 * len(values) / found.log_singular_values.size
    assert np.abs(shares(edges, 3) - expected).max() < 0.01
    assert np.abs(shares(edges, 4) - expected).max() > 0.015


@pytest.mark.parametrize("width", [1, 2, 7])
def test_lyapunov_exponents(width):
    """Their sum is E ln |det W|: half the sum of E ln chi^2_k, k = 1 .. N."""
    found = lyapunov_exponents(width, 1.3)
    exact = 0.5 * sum(math.log(2) + digamma(k / 2) for k in range(1, width + 1)) + width * math.log(1.3 / width**0.5)
    assert found.sum() == pytest.approx(exact, abs=1e-12)
    assert (np.diff(found) < 0).all()


def test_bad_input_is_refused():
    for given in ({"depth": 0}, {"depth": 5000}, {"sigma_w": -1}, {"law": "gausian"}, {"output": "x"}):
        with pytest.raises(SweepError, match=next(iter(given))):
            jacobian_spectrum(**{"activation": "tanh", "depth": 3, "sigma_w": 1.0, **given})
    with pytest.raises(SweepError, match="width"):
        lyapunov_exponents(0)


def test_arrays_give_a_frame():
    frame = jacobian_spectrum("relu", [2, 4], SQRT2)
    assert list(frame["relative_variance"]) == pytest.approx([4.0, 8.0])
