"""Weights, biases, input and readout: each against its exact law.

The chance that right code fails anywhere in this file is below 1e-6, and the draws are fixed by their keys. What the
checks can see is shown with planted errors: 1 % of the variance, 0.01 between neighbours, a cut at 2.02.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from scipy import stats

from tests.core.conftest import Cell
from tests.core.statistical import ALARM, assert_count, assert_law, assert_mean, z_limit, z_mean

WIDTH, DEPTH, NETWORKS = 96, 32, 4
SIGMA_W, SIGMA_B = 1.7, 0.6
CUT_STD = stats.truncnorm.std(-2, 2)
EXACT = {
    "gaussian": stats.norm,
    "uniform": stats.uniform(-np.sqrt(3), 2 * np.sqrt(3)),
    "truncated_normal": stats.truncnorm(-2, 2, scale=1 / CUT_STD),
}
FOURTH = {"gaussian": 3.0, "uniform": 1.8, "truncated_normal": EXACT["truncated_normal"].moment(4), "rademacher": 1.0}


@cache
def drawn(law, dtype="float32"):
    """Networks of one cell: (NETWORKS, DEPTH, WIDTH, WIDTH) weights in units of sigma_w / sqrt(WIDTH), and the rest."""
    one = Cell("tanh", law, dtype, sigma_w=SIGMA_W, sigma_b=SIGMA_B, depth=DEPTH, width=WIDTH)
    networks = [one.weights(n) for n in range(NETWORKS)]
    weights = np.array([network.W for network in networks], np.float64) * np.sqrt(WIDTH) / SIGMA_W
    return weights, networks


def check_moments(w, fourth):
    assert_mean(w, 0, "mean")
    assert_mean(w**2, 1, "variance")
    assert_mean(w**3, 0, "skewness")
    assert_mean(w**4, fourth, "kurtosis")


def check_independence(w):
    """Neighbours in the row, the column, the layer and the network, as they are and squared."""
    squares = w * w - 1
    for axis in range(4):
        for values in (w, squares):
            ahead = np.moveaxis(values, axis, 0)
            assert_mean((ahead[1:] * ahead[:-1]).ravel(), 0, ("neighbours", axis))
    for lag in (2, 4, 8, 16, 32, 64):  # one word, one vector, one tile of the generator further
        assert_mean((w[..., lag:] * w[..., :-lag]).ravel(), 0, ("columns", lag))
        assert_mean((w[:, :, lag:] * w[:, :, :-lag]).ravel(), 0, ("rows", lag))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("law", EXACT)
def test_continuous_laws(law, dtype):
    w, _ = drawn(law, dtype)
    check_moments(w.ravel(), FOURTH[law])
    check_independence(w)
    assert_law(w.ravel(), EXACT[law].cdf, law)


def test_bounds():
    for law, bound in (("uniform", np.sqrt(3)), ("truncated_normal", 2 / CUT_STD), ("gaussian", 6.67)):
        largest = np.abs(drawn(law)[0]).max()
        assert largest <= bound * (1 + 1e-6)
        assert largest > bound * (0.999 if law != "gaussian" else 0.7)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_rademacher(dtype):
    w, _ = drawn("rademacher", dtype)
    np.testing.assert_array_equal(np.unique(np.abs(w)), np.abs(w).max())
    assert np.abs(w).max() == pytest.approx(1, rel=1e-6)
    assert_count((w > 0).sum(), w.size, 0.5)
    check_independence_of_signs(w)


def check_independence_of_signs(w):
    for axis in range(4):
        ahead = np.moveaxis(w, axis, 0)
        assert_mean((ahead[1:] * ahead[:-1]).ravel(), 0, axis)


@pytest.mark.parametrize("density", [0.1, 0.5, 0.25, 1.0])
def test_sparse(density):
    """Kept with exactly this probability, independently, and normal where kept, of the stated total variance."""
    w, _ = drawn(f"sparse({density})")
    kept = w != 0
    assert_count(kept.sum(), kept.size, density)
    assert_law(w[kept], stats.norm(scale=density**-0.5).cdf)
    check_moments(w.ravel(), 3 / density)
    for axis in range(4):
        ahead = np.moveaxis(kept - density, axis, 0)
        if density < 1:
            assert_mean((ahead[1:] * ahead[:-1]).ravel(), 0, axis)


def test_the_mask_is_not_the_weight():
    """The weights that sparse keeps are those of the Gaussian law at the same key: the mask has its own stream."""
    w, _ = drawn("sparse(0.25)")
    gaussian, _ = drawn("gaussian")
    kept = w != 0
    np.testing.assert_allclose(w[kept], 2 * gaussian[kept], rtol=1e-6)
    assert_mean(np.abs(gaussian[kept]), np.sqrt(2 / np.pi))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_orthogonal(dtype):
    w, _ = drawn("orthogonal", dtype)
    w = w / np.sqrt(WIDTH)
    identity = w @ np.swapaxes(w, -1, -2)
    assert np.abs(identity - np.eye(WIDTH)).max() < {"float32": 2e-5, "float64": 1e-13}[dtype]
    # One coordinate of a uniform point on the sphere: its square is Beta(1/2, (N - 1)/2). One entry per matrix row
    # and column block keeps the sample nearly independent.
    diagonal = np.diagonal(w, axis1=-2, axis2=-1).ravel()
    assert_mean(diagonal**2, 1 / WIDTH)
    for row, column in ((0, 0), (0, WIDTH - 1), (WIDTH - 1, 0), (WIDTH - 1, WIDTH - 1), (WIDTH // 2, 3)):
        entry = w[:, :, row, column].ravel()
        assert_law(entry**2, stats.beta(0.5, (WIDTH - 1) / 2).cdf, (row, column))
        assert_count((entry > 0).sum(), entry.size, 0.5, (row, column))


@pytest.mark.parametrize("width", [1, 2, 3, 5])
def test_haar_at_small_width(width):
    """Traces of powers (the eigenvalues), determinants and entries of many small matrices."""
    one = Cell("tanh", "orthogonal", "float64", sigma_w=1.0, depth=4000, width=width)
    w = one.weights(0).W
    assert_count((np.linalg.det(w) > 0).sum(), len(w), 0.5, "half are rotations")
    trace = np.trace(w, axis1=1, axis2=2)
    assert_mean(trace, 0)
    if width == 1:
        return
    assert_mean(trace**2, 1)
    assert_mean(np.trace(w @ w, axis1=1, axis2=2), 1)
    # E tr^4 of O(N) is 3 from N = 3 on (Diaconis and Shahshahani 1994), and in the plane too: (6 + 0)/2.
    assert_mean(trace**4, 3)
    for i in range(width):
        for j in range(width):
            assert_law(w[:, i, j] ** 2, stats.beta(0.5, (width - 1) / 2).cdf, (i, j))
    # A Haar matrix stays one when turned: rows in any fixed direction are uniform too.
    turn = np.linalg.qr(np.vander(np.arange(1.0, width + 1)))[0]
    assert_law((turn @ w @ turn)[:, 0, -1] ** 2, stats.beta(0.5, (width - 1) / 2).cdf, "turned")


def test_biases_input_and_readout():
    _, networks = drawn("gaussian")
    biases = np.array([network.b for network in networks], np.float64)
    assert_law(biases.ravel(), stats.norm(scale=SIGMA_B).cdf)
    assert_mean(biases.ravel() ** 2, SIGMA_B**2)
    for values in (biases[:, 1:] * biases[:, :-1], biases[1:] * biases[:-1], biases[..., 1:] * biases[..., :-1]):
        assert_mean(values.ravel(), 0, "neighbours")
    one = Cell("tanh", "gaussian", "float32", sigma_w=1.0, depth=1, width=WIDTH)
    many = [one.weights(n) for n in range(400)]
    x0, v = (np.array([getattr(network, name) for network in many], np.float64) for name in ("x0", "v"))
    for values, spread in ((x0, 1.0), (v, WIDTH**-0.5)):
        assert_law(values.ravel(), stats.norm(scale=spread).cdf)
        assert_mean(values.ravel() ** 2, spread**2)
        assert_mean((values[1:] * values[:-1]).ravel(), 0)
    assert_mean((x0 * v).ravel(), 0, "input and readout")
    weights = np.array([network.W[0, 0] for network in many], np.float64)
    assert_mean((x0 * weights).ravel(), 0, "input and weights")


def test_biases_are_normal_under_every_law():
    for law in ("uniform", "rademacher", "orthogonal", "sparse(0.5)"):
        biases = np.array([network.b for network in drawn(law)[1]])
        assert_law(biases.ravel(), stats.norm(scale=SIGMA_B).cdf, law)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_normals(dtype):
    """1.2 million: the whole law, and the tails by exact binomial tests."""
    z = drawn("gaussian", dtype)[0].ravel()
    assert_law(z, stats.norm.cdf)
    for level in (3, 4, 5):
        assert_count((np.abs(z) > level).sum(), z.size, 2 * stats.norm.sf(level), level)


@pytest.mark.parametrize("law", EXACT)
def test_planted_errors_are_caught(law):
    """What the same checks make of 1 % more variance, of a shift by 0.01, and of neighbours correlated by 0.01."""
    w, _ = drawn(law)
    assert abs(z_mean((w * 1.005).ravel() ** 2, 1)) > z_limit()
    assert abs(z_mean(w.ravel() + 0.01, 0)) > z_limit()
    mixed = w[..., 1:] + 0.01 * w[..., :-1]
    assert abs(z_mean((mixed[..., 1:] * mixed[..., :-1]).ravel(), 0)) > z_limit()
    assert stats.kstest(w.ravel() * 1.02, EXACT[law].cdf).pvalue < ALARM
    other = {"gaussian": "truncated_normal", "truncated_normal": "uniform", "uniform": "gaussian"}[law]
    assert stats.kstest(w.ravel(), EXACT[other].cdf).pvalue < ALARM
