"""The exact law of ln gain against closed forms, direct sums and simulation."""

from __future__ import annotations

import math
from functools import partial

import mpmath as mp
import numpy as np
import pytest
from scipy.stats import binom, chi2, norm

import gradsim as gs
from gradsim import theory
from gradsim.theory.finite_width.roots import annealed_sigma_w, log_factor_mean

X = np.linspace(-7.0, 4.0, 23)  # standard deviations from the mean


@pytest.mark.parametrize(("width", "depth"), [(1, 2), (1, 3), (4, 4), (3, 6), (8, 5)])
def test_linear_is_a_product_of_chi_squares(width, depth):
    """Its density is a Meijer G function; total variation on a grid, and relative error in the tails."""
    law, terms, half = theory.gain_law("linear", depth, width, 1.0), depth - 1, mp.mpf(width) / 2
    x = law.mean + law.std * X
    with mp.workdps(25):
        expected = [
            float(mp.meijerg([[], []], [[half] * terms, []], mp.e ** mp.mpf(v) * half**terms) / mp.gamma(half) ** terms)
            for v in x
        ]
    np.testing.assert_allclose(law.pdf(x), expected, rtol=1e-11, atol=1e-30)
    assert 0.5 * np.abs(law.pdf(x) - expected).sum() * (x[1] - x[0]) < 1e-14


@pytest.mark.parametrize("width", [1, 2, 5, 16, 100])
def test_two_layers_of_relu_are_a_mixture(width):
    law = theory.gain_law("relu", 2, width, 1.3)
    x = law.mean + law.std * np.linspace(-5.0, 5.0, 21)
    active = np.arange(1, width + 1)
    shares = binom.pmf(active, width, 0.5) / (1 - 0.5**width)
    level = width * np.exp(x[:, None]) / 1.3**2
    np.testing.assert_allclose(law.sf(x), chi2.sf(level, active) @ shares, rtol=1e-10, atol=1e-30)
    np.testing.assert_allclose(law.cdf(x), chi2.cdf(level, active) @ shares, rtol=1e-10, atol=1e-15)


def test_small_tails_keep_their_digits():
    """Against the ratio of 60-digit integrals: the right tail to 1e-15 and far beyond."""
    law = theory.gain_law("relu", 3, 4, 1.0)
    with mp.workdps(40):
        shares = [mp.binomial(4, k) / 15 for k in range(1, 5)]

        def integrand(t, x):
            s = 3 + mp.mpc(0, t)
            moment = sum(p * mp.gamma(s + mp.mpf(k) / 2) / mp.gamma(mp.mpf(k) / 2) for k, p in enumerate(shares, 1))
            return mp.re((moment / 2**s) ** 2 * mp.e ** (-s * x) / s)

        for x in (3.0, 6.0):
            expected = mp.quad(partial(integrand, x=x), mp.linspace(0, 60, 31)) / mp.pi
            assert float(law.sf(x)) == pytest.approx(float(expected), rel=1e-10)
    assert float(law.sf(6.0)) < 1e-15


@pytest.mark.parametrize("name", ["linear", "relu", "leaky_relu(0.2)", "leaky_relu(3)", "leaky_relu(1e-6)"])
@pytest.mark.parametrize(("width", "depth"), [(1, 2), (4, 8), (64, 32), (5000, 4)])
def test_the_law_agrees_with_itself(name, width, depth):
    law = theory.gain_law(name, depth, width, 1.3)
    mean = (depth - 1) * (log_factor_mean(name, width) + 2 * math.log(1.3))
    assert law.mean == pytest.approx(mean, abs=1e-9 * depth * max(1.0, law.std))
    p = np.array([1e-6, 0.001, 0.05, 0.3, 0.5, 0.7, 0.95, 0.999, 1 - 1e-6])
    x = law.ppf(p)
    assert (np.diff(x) > 0).all()
    np.testing.assert_allclose(law.cdf(x), p, rtol=1e-9)
    np.testing.assert_allclose(law.isf(1 - p), x, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(law.cdf(x) + law.sf(x), 1.0, rtol=1e-12)
    steps = law.mean + law.std * np.linspace(-0.5, 0.5, 11)
    change = np.diff(law.cdf(np.stack([steps - 1e-4 * law.std, steps + 1e-4 * law.std])), axis=0)[0]
    np.testing.assert_allclose(law.pdf(steps), change / (2e-4 * law.std), rtol=1e-4, atol=1e-9 / law.std)


def test_wide_networks_are_nearly_normal():
    law = theory.gain_law("relu", 5, 2**16, 1.4)
    assert law.std == pytest.approx(math.sqrt(4 * 5 / 2**16), rel=1e-3)
    np.testing.assert_allclose(law.cdf(law.mean + law.std * X), norm.cdf(X), rtol=0.4, atol=2e-3)


def test_infinite_arguments():
    law = theory.gain_law("relu", 4, 8, 1.0)
    assert law.cdf([-np.inf, np.inf]).tolist() == [0.0, 1.0]
    assert law.sf([-np.inf, np.inf]).tolist() == [1.0, 0.0]
    assert law.ppf([0.0, 1.0]).tolist() == [-np.inf, np.inf]
    assert np.isnan(law.cdf(np.nan))
    assert law.rvs(3, seed=4).tolist() == law.rvs(3, seed=4).tolist()


def test_roots_of_the_moments():
    """Gurbuzbalaban and Hu 2020 (arXiv:2005.11878): sigma_w^2 at s = 0.5, 1, 1.5; their first order for wide ones."""
    for width, values in ((16, (2.27006, 2.16918, 2.07994)), (64, (2.06055, 2.03982, 2.01965))):
        found = [theory.moment_sigma_w("relu", s, width) ** 2 for s in (0.5, 1.0, 1.5)]
        assert found == pytest.approx(values, abs=1e-5)
    for name in ("relu", "linear", "leaky_relu(0.3)"):
        assert theory.moment_sigma_w(name, 2.0 - 1e-12, 16) == pytest.approx(annealed_sigma_w(name), rel=1e-11)
        assert theory.moment_sigma_w(name, 2.0, 16) == annealed_sigma_w(name)
        assert theory.moment_sigma_w(name, 1e-7, 256) == pytest.approx(theory.quenched_sigma_w(name, 256), rel=1e-6)
    assert theory.moment_sigma_w("relu", 1.0, 10_000) ** 2 == pytest.approx(2 + 5 / 20_000, abs=1e-7)


def test_how_far_published_formulas_are_off():
    """Sussillo and Abbott 2014 (arXiv:1412.6558); Gurbuzbalaban and Hu 2020 (arXiv:2005.11878) at s = 0.5."""
    for width, fit, first_order in ((8, 0.0150, -0.0347), (16, 0.00004, -0.0079), (64, -0.00057, -0.00047)):
        published = math.sqrt(2) * math.exp(1.2 / (max(width, 6) - 2.4))
        assert published / theory.quenched_sigma_w("relu", width) - 1 == pytest.approx(fit, abs=6e-5)
        root = math.sqrt(2 + 5 * 1.5 / (2 * width))
        assert root / theory.moment_sigma_w("relu", 0.5, width) - 1 == pytest.approx(first_order, abs=6e-5)


@pytest.mark.parametrize(("name", "width", "depth"), [("relu", 4, 8), ("linear", 6, 5), ("leaky_relu(0.2)", 5, 12)])
def test_quantiles_of_simulated_networks(name, width, depth):
    """100,000 networks: the share below each exact quantile, within 4.4 standard errors (1e-5 each)."""
    count, law = 100_000, theory.gain_law(name, depth, width, 1.4)
    cell = {"activation": name, "sigma_w": 1.4, "depth": depth, "width": width, "networks": count, "seed": 8}
    ensemble = gs.simulate(**cell, method="conditional")
    dead = np.isneginf(ensemble.log_delta[:, 0])
    gain = ensemble.log_gain[~dead, 0]
    p = np.array([0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999])
    for planted, bound in ((0.0, 0.0), (0.02 * 2 * (depth - 1), 4.4)):  # sigma_w off by 2 % is caught
        z = (np.mean(gain[:, None] + planted < law.ppf(p), axis=0) - p) / np.sqrt(p * (1 - p) / len(gain))
        assert np.abs(z).max() > bound if planted else np.abs(z).max() < 4.4
    share = dead.mean() - law.dead_fraction
    assert abs(share) <= 4.4 * math.sqrt(law.dead_fraction * (1 - law.dead_fraction) / count)
