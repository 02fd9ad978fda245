"""Long random chains of sigmoid neurons: how the product of their factors falls, and what theory expects."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special, stats

from gradsim.lessons.experiments.single_neurons import width
from gradsim.lessons.lesson import Settings

Array = NDArray[np.float64]

SIGMAS = (1.0, 2.0, 4.0, 10.0)
LONGEST, SETTLED = 30, 10
"""Layers of a long chain, and the layer beyond which the distribution of the activations no longer changes."""


def decay(chains: int, settings: Settings) -> pd.DataFrame:
    """Measure the factors |w s'(z)| of long random chains: ln of their product up to each layer.

    Returns
    -------
    DataFrame
        A row per (sigma_w, layer): quantiles 5 %, 50 %, 95 %, mean and standard error of ln(product), the share of
        factors that reach 1, and the shares of |w| < 1 and of |w| >= 4, of so many chains.
    """
    rows = []
    for sigma in SIGMAS:
        rng = np.random.default_rng([settings.seed, int(sigma)])
        a, logarithm = special.expit(rng.normal(size=chains)), np.zeros(chains)
        for layer in range(1, LONGEST + 1):
            w = sigma * rng.normal(size=chains)
            z = w * a + rng.normal(size=chains)
            a = special.expit(z)
            # ln s'(z) = ln s(z) + ln s(-z): neither underflows.
            factor = np.log(np.abs(w)) + special.log_expit(z) + special.log_expit(-z)
            logarithm = logarithm + factor
            low, middle, high = np.quantile(logarithm, [0.05, 0.5, 0.95])
            rows.append({
                "sigma_w": sigma, "layer": layer, "chains": chains, "low": low, "median": middle, "high": high,
                "mean": logarithm.mean(), "se": logarithm.std() / chains**0.5, "reached_1": (factor >= 0).mean(),
                "small_w": (np.abs(w) < 1).mean(), "large_w": (np.abs(w) >= 4).mean(),
            })  # fmt: skip
        settings.report(0.8 / len(SIGMAS))
    return pd.DataFrame(rows)


@cache
def law(sigma: float, cells: int = 400) -> tuple[Array, Array]:
    """Return the distribution of the activations of a layer far from the input: a grid on (0, 1), and probabilities.

    z = w a + b is N(0, sigma^2 a^2 + 1) given a = s(z) of the layer below; the distribution of a is iterated to its
    fixed point.
    """
    edges, a = special.logit(np.linspace(0, 1, cells + 1)), (np.arange(cells) + 0.5) / cells
    transition = np.diff(stats.norm.cdf(edges[:, None] / np.sqrt(sigma**2 * a**2 + 1)), axis=0)
    share = np.full(cells, 1 / cells)
    for _ in range(60):
        share = transition @ share
    return a, share


@cache
def expected_rate(sigma: float) -> float:
    """Return E ln|w s'(z)| of a layer far from the input: E ln|w| = ln sigma - (gamma + ln 2)/2, and E ln s'(z)."""
    a, share = law(sigma)
    x = np.linspace(-9, 9, 601)
    z = np.sqrt(sigma**2 * a**2 + 1)[:, None] * x
    log_slope = (special.log_expit(z) + special.log_expit(-z)) @ (stats.norm.pdf(x) * (x[1] - x[0]))
    return float(np.log(sigma) - (np.euler_gamma + np.log(2)) / 2 + log_slope @ share)


@cache
def expected_reach(sigma: float, points: int = 2000) -> float:
    """Return P(|w s'(w a + b)| >= 1) of a layer far from the input.

    It needs |w| >= 4 and |w a + b| <= z0(w); twice the integral over w > 0.
    """
    a, share = law(sigma)
    w = np.linspace(4, 4 + 8 * sigma, points)
    z0 = w * width(w) / 2
    inside = stats.norm.cdf(z0 - np.outer(a, w)) - stats.norm.cdf(-z0 - np.outer(a, w))
    return float(2 * np.trapezoid(share @ inside * stats.norm.pdf(w, scale=sigma), w))


def rate(table: pd.DataFrame, sigma: float) -> tuple[float, float]:
    """Return the measured change of ln(product) per layer beyond layer SETTLED, and its standard error."""
    chosen = table[(table["sigma_w"] == sigma) & (table["layer"] >= SETTLED)].sort_values("layer")
    means, errors = chosen["mean"].to_numpy(np.float64), chosen["se"].to_numpy(np.float64)
    return float((means[-1] - means[0]) / (len(means) - 1)), float(errors[-1] / (len(means) - 1))
