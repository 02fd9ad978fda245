"""The exact finite-width laws of relu and linear networks: Hanin and Nica (2018), arXiv:1812.05994.

Without biases and with Gaussian weights of width n, each layer multiplies |x|^2, and backwards |delta|^2, by an
independent factor: sigma_w^2 chi2_n / n (linear), (sigma_w^2 / n) chi2_K with K ~ Binomial(n, 1/2) (relu), where K = 0
kills the network. Forward the law is exact in every layer; backward the independent symmetric signs of the readout make
it so.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import special, stats


class Law(NamedTuple):
    """Mean and variance of the ln of one factor that is not zero, its fourth central moment, and the chance of zero."""

    mean: float
    variance: float
    fourth: float
    dead: float


def factor(activation, n, sigma_w=1.0):
    """Law of the ln of one layer's factor, given that it is not zero."""
    k = np.arange(1, n + 1) if activation == "relu" else np.array([n])
    weight = stats.binom.pmf(k, n, 0.5) if activation == "relu" else np.ones(1)
    weight = weight / weight.sum()
    # ln chi2_k: mean psi(k/2) + ln 2, cumulants psi^(1), psi^(2), psi^(3) of k/2.
    means = special.digamma(k / 2) + np.log(2 * sigma_w**2 / n)
    second, third, fourth = (special.polygamma(order, k / 2) for order in (1, 2, 3))
    mean = weight @ means
    d = means - mean
    moment_4 = fourth + 3 * second**2 + 4 * d * third + 6 * d**2 * second + d**4
    return Law(mean, weight @ (second + d**2), weight @ moment_4, 2.0**-n if activation == "relu" else 0.0)


class Finding(NamedTuple):
    """A figure as measured, as expected, and by how many standard errors it is off."""

    what: str
    measured: float
    expected: float
    z: float


def moments(what, sample, mean, variance, fourth):
    """Mean and variance of a sample, with exact standard errors."""
    size = len(sample)
    centred = (sample - mean) ** 2
    return [
        Finding(f"{what}: mean", sample.mean(), mean, (sample.mean() - mean) / np.sqrt(variance / size)),
        Finding(
            f"{what}: var",
            centred.mean(),
            variance,
            (centred.mean() - variance) / np.sqrt((fourth - variance**2) / size),
        ),
    ]


def sum_of(steps, law):
    """Mean, variance and fourth central moment of the sum of independent factors' ln."""
    variance = steps * law.variance
    return steps * law.mean, variance, steps * (law.fourth - 3 * law.variance**2) + 3 * variance**2


def findings(one, networks, planted=1.0):
    """Every figure of a cell, forward and backward, a step and all; the dead; and the p-value of their number."""
    p, activation = one.params, one.machine.activation.name
    values, status = one.block(networks)
    alive = status == 0
    _, _, log_q, log_gain = values[:, alive]
    law = factor(activation, p.width, p.sigma_w * planted)
    steps = p.depth - 1
    found = []
    # Only networks that live through all layers are kept: their factors keep their law, being independent.
    for what, sample, count in (
        ("forward, a layer", log_q[:, 2] - log_q[:, 1], 1),
        ("forward, in all", log_q[:, -1] - log_q[:, 0], steps),
        ("backward, a layer", log_gain[:, 1] - log_gain[:, 2], 1),
        ("backward, in all", log_gain[:, 0], steps),
    ):
        found += moments(what, sample, *sum_of(count, law))
    chance = 1 - (1 - law.dead) ** p.depth
    dead = int((~alive).sum())
    p_value = stats.binomtest(dead, networks, chance).pvalue if chance else float(dead == 0)
    return found, Finding("dead", dead / networks, chance, stats.norm.isf(p_value / 2)), p_value


def report(one, networks, found, dead, p_value):
    """Print the figures, to be quoted."""
    p = one.params
    print(
        f"\n{one.machine.activation.name}, n = {p.width}, L = {p.depth}, sigma_w = {p.sigma_w:.4f}, {networks} networks"
    )
    for entry in found:
        print(f"  {entry.what:24s} {entry.measured:+.6f}  exact {entry.expected:+.6f}  z {entry.z:+.2f}")
    print(f"  {dead.what:24s} {dead.measured:.6f}  exact {dead.expected:.6f}  p {p_value:.3f}")
