"""Averages over two vectors and over softmax weights, against closed forms, other quadrature and samples."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gradsim import theory
from gradsim.theory.architectures import ordered, sampled
from gradsim.theory.architectures.kernels import averages_of_two, variance
from gradsim.theory.architectures.softmax import weights_of
from gradsim.theory.averages.moments import moments
from gradsim.theory.averages.pairs import pair_average
from gradsim_core.activations import resolve_activation

PI = math.pi


def table_of(name):
    return moments(resolve_activation(name))


def both(name, q, share):
    """E[phi(u)^2] - E[phi(u) phi(u')] and E[phi'(u) phi'(u')] for a correlation of 1 - share."""
    log_d = math.log(q * share)
    square, slope = (float(part) for part in table_of(name).log_moments(math.log(q)))
    return np.exp(averages_of_two(table_of(name), math.log(q), log_d, square, slope))


@pytest.mark.parametrize("share", [1.0, 0.7, 0.1, 1e-3, 1e-9])
def test_relu(share):
    """E[relu' relu'] = 1/4 + asin(c) / (2 pi) (Kedia et al. 2024, arXiv:2403.09635); Cho and Saul 2009."""
    difference, slope = both("relu", 2.0, share)
    angle = math.acos(1.0 - share)
    if share > 1e-6:
        assert difference == pytest.approx(1.0 - (math.sin(angle) + (PI - angle) * math.cos(angle)) / PI, rel=1e-9)
        assert slope == pytest.approx(0.25 + math.asin(1.0 - share) / (2 * PI), rel=1e-12)
    assert difference == pytest.approx(share, rel=1.2 * math.sqrt(share)) if share < 0.01 else difference < share
    assert both("leaky_relu(0.2)", 2.0, share)[0] > 0.0


def test_variance_of_relu():
    """s^2 (pi - 1) / (2 pi): Kedia et al. 2024."""
    assert variance(table_of("relu"), 3.0) == pytest.approx(3.0 * (PI - 1) / (2 * PI), rel=1e-13)


@pytest.mark.parametrize("name", ["tanh", "gelu", "hard_tanh", "selu", "sigmoid", "softplus"])
@pytest.mark.parametrize("q", [0.2, 1.0, 30.0])
@pytest.mark.parametrize("share", [1.0, 0.6, 0.05, 1e-4])
def test_other_activations(name, q, share):
    table = table_of(name)
    difference, slope = both(name, q, share)
    square = math.exp(float(table.log_moments(math.log(q))[0]))
    apart, of_slopes = (pair_average(table, f, q, 1.0 - share) for f in (table.activation, table.activation.derivative))
    assert square - difference == pytest.approx(apart, rel=1e-11, abs=1e-15)
    assert slope == pytest.approx(of_slopes, rel=1e-8)


@pytest.mark.parametrize("name", ["tanh", "hard_tanh"])
def test_close_vectors_keep_their_distance(name):
    """d times E[phi'^2], also where the difference of two averages is lost to rounding."""
    slope = math.exp(float(table_of(name).log_moments(0.0)[1]))
    for share in (1e-9, 1e-12, 1e-30):
        assert both(name, 1.0, share)[0] == pytest.approx(share * slope, rel=1e-4 if name == "hard_tanh" else 5 * share)


@pytest.mark.parametrize(
    ("tokens", "tau", "c"), [(2, 1.0, 0.5), (8, 1.7, 0.0), (8, 1.7, 0.3), (4, 4.0, 0.6), (64, 0.5, 0.9)]
)
def test_softmax_weights_against_samples(tokens, tau, c):
    """4.5 standard errors of 40,000 pairs of rows: 7e-6 a value, of 20."""
    rng = np.random.default_rng(7)
    shared, *own = rng.standard_normal((3, 40_000, tokens))
    a, b = (np.exp(tau * (math.sqrt(c) * shared + math.sqrt(1.0 - c) * each)) for each in own)
    a, b = a / a.sum(1, keepdims=True), b / b.sum(1, keepdims=True)
    samples = []
    for first, second in ((a, a), (a, b)):
        s = (first * second).sum(1)
        samples += [s, s - (first**2 * second).sum(1) - (first * second**2).sum(1) + s**2]
    same, same_slope, other, other_slope = samples
    for found, sample in zip(weights_of(tokens, tau, c), (same, other, same_slope, other_slope), strict=True):
        assert abs(sample.mean() - found) < 4.5 * sample.std() / 200.0
        assert abs(sample.mean() - 1.1 * found) > 4.5 * sample.std() / 200.0  # an error of a tenth is seen


def test_softmax_weights_in_limits():
    assert weights_of(8, 0.0, 0.5) == pytest.approx((1 / 8, 1 / 8, 7 / 64, 7 / 64), rel=1e-6)
    same, other, same_slope, other_slope = weights_of(6, 2.0, 1.0)
    assert (other, other_slope) == pytest.approx((same, same_slope), rel=1e-6)
    assert weights_of(6, 2.0, 0.0).other == pytest.approx(1 / 6, rel=1e-6)
    assert weights_of(10**6, 0.7, 0.4)[:2] == pytest.approx(
        (1e-6 * math.exp(0.49), 1e-6 * math.exp(0.4 * 0.49)), rel=1e-4
    )


@pytest.mark.parametrize("activation", ["relu", "gelu", "tanh"])
@pytest.mark.parametrize("scores", ["1/d", "1/sqrt(d)"])
@pytest.mark.parametrize(
    "options",
    [
        {"normalisation": "layer"},
        {"normalisation": "rms", "placement": "post", "input_correlation": 0.3},
        {"normalisation": "layer", "gated": True},
        {"normalisation": "dyt", "input_correlation": 0.6},
    ],
)
def test_without_a_mask_all_pairs_of_tokens_are_alike(activation, scores, options, monkeypatch):
    """The covariance of T tokens, each pair on its own, gives what two numbers give."""

    def follow(causal):
        return theory.stream("transformer", activation, 3, 1.2, inputs=5, scores=scores, causal=causal, **options)

    alike, masked = follow(causal=False), follow(causal=True)
    monkeypatch.setattr(ordered, "_causal", lambda count: np.ones((count, count)) / count)
    monkeypatch.setattr(sampled.np, "tril", lambda array: array)
    pairs = follow(causal=True)
    error = 1e-11 if scores == "1/d" else 2e-3  # of the sample of scores
    for found, right in zip(pairs[:2], alike[:2], strict=True):
        np.testing.assert_allclose(found, right, rtol=0, atol=error)
    assert np.abs(pairs.log_chi - masked.log_chi).max() > 2 * error


def test_another_sample_of_scores(monkeypatch):
    found = []
    for seed in (1, 2, 3):
        monkeypatch.setattr(sampled, "_SEED", seed)
        stream = theory.stream("transformer", "relu", 8, 1.2, inputs=8, causal=True, scores="1/sqrt(d)",
                               normalisation="layer")  # fmt: skip
        found.append(stream.log_gain[0])
    assert 0.0 < np.std(found) < 1e-3
