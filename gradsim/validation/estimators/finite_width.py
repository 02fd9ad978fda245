"""Exact numbers at finite width: relu, leaky_relu, abs and linear without biases, Gaussian weights."""

from __future__ import annotations

import math

from gradsim import theory


def quenched_sigma_w(activation: str, width: int) -> float:
    """sigma_w at which the mean of ln gain is 0."""
    return float(theory.quenched_sigma_w(activation, width))


def log_factor_mean(activation: str, width: int, sigma_w: float) -> float:
    """E ln S, S being the factor of |delta|^2 of one layer."""
    return float(theory.log_factor_mean(activation, width)) + 2.0 * math.log(sigma_w)


def log_factor_variance(activation: str, width: int) -> float:
    """Var ln S."""
    return theory.gain_law(activation, depth=2, width=width, sigma_w=1.0).std ** 2


def moment_variance(activation: str, s: float, width: int) -> float:
    """n sigma^2 = sigma_w^2 at which E |delta|^s is the same in every layer."""
    return float(theory.moment_sigma_w(activation, s, width)) ** 2


def dead_fraction(activation: str, depth: int, width: int) -> float:
    """Probability that some layer has no active neuron."""
    return float(theory.gain_law(activation, depth, width, sigma_w=1.0).dead_fraction)


def lyapunov_exponent(k: int, width: int) -> float:
    """k-th Lyapunov exponent of products of Gaussian matrices with entries of variance 1 / width.

    Half of ln(2 / n) + digamma((n - k + 1) / 2), Newman 1986 (doi:10.1007/BF01464284); the first by gradsim's own law.
    """
    if k == 1:
        return 0.5 * log_factor_mean("linear", width, 1.0)
    return float(theory.lyapunov_exponents(width)[k - 1])


ROWS = {
    function.__name__: function
    for function in (
        quenched_sigma_w, log_factor_mean, log_factor_variance, moment_variance, dead_fraction,
        lyapunov_exponent,
    )
}  # fmt: skip
