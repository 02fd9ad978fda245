"""Gaussian averages of activations, the gains made of them, and constants of weight laws."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from gradsim.theory import gaussian_mean
from gradsim.theory.averages.moments import moments
from gradsim.validation import formulas
from gradsim_core.activations import resolve_activation


def mean_square(activation: str, q: float = 1.0) -> float:
    """E phi(h)^2 for h ~ N(0, q)."""
    return float(np.exp(moments(resolve_activation(activation)).log_moments(math.log(q))[0]))


def mean_square_slope(activation: str, q: float = 1.0) -> float:
    """E phi'(h)^2 for h ~ N(0, q)."""
    return float(np.exp(moments(resolve_activation(activation)).log_moments(math.log(q))[1]))


def mean(activation: str, q: float = 1.0) -> float:
    """E phi(h) for h ~ N(0, q)."""
    phi = resolve_activation(activation)
    return float(gaussian_mean(lambda h: float(phi(h)), q, phi.kinks))


def standardising_gain(activation: str, q: float = 1.0) -> float:
    """1 / standard deviation of phi(h), for h ~ N(0, q)."""
    return float((mean_square(activation, q) - mean(activation, q) ** 2) ** -0.5)


def forward_gain(activation: str, q: float = 1.0) -> float:
    """1 / root mean square of phi(h), for h ~ N(0, q): sigma_w that keeps a mean square of 1 if q = 1."""
    return float(mean_square(activation, q) ** -0.5)


def variance_slope(activation: str, sigma_w: float, q: float = 1.0) -> float:
    """Slope of the map of q at q."""
    return sigma_w**2 * float(moments(resolve_activation(activation)).slope_of_map(q))


def mean_to_variance_slope(activation: str, sigma_w: float, q: float = 1.0) -> float:
    """Slope of E phi(sigma_w h) with respect to q, for h ~ N(0, q): E[phi(h) (h^2 / q - 1)] / (2 q)."""
    phi = resolve_activation(activation)
    return gaussian_mean(lambda h: float(phi(sigma_w * h)) * (h * h / q - 1.0) / (2.0 * q), q, phi.kinks)


def gated_forward(activation: str, q: float = 1.0) -> float:
    """E (phi(g) u)^2 of a gated unit with independent g ~ N(0, q) and u ~ N(0, 1): E phi(g)^2."""
    return mean_square(activation, q)


def gated_backward(activation: str, q: float = 1.0) -> float:
    """Mean square of the gradient of phi(g) u with respect to (g, u): E phi'(g)^2 + E phi(g)^2."""
    return mean_square_slope(activation, q) + mean_square(activation, q)


def gated_gain(activation: str, q: float = 1.0) -> float:
    """1 / standard deviation of phi(g) u."""
    return float(gated_forward(activation, q) ** -0.5)


def selu_alpha() -> float:
    """alpha of the scaled exponential unit whose fixed point is mean 0 and variance 1: its mean is 0 for any lambda."""
    return 1.0 / math.sqrt(2.0 * math.pi) / (0.5 - math.exp(0.5) * _below(-1.0))


def selu_scale() -> float:
    """lambda of the scaled exponential unit whose fixed point is mean 0 and variance 1, given its alpha."""
    negative = 0.5 - 2.0 * math.exp(0.5) * _below(-1.0) + math.exp(2.0) * _below(-2.0)  # E[(e^h - 1)^2; h < 0]
    return 1.0 / math.sqrt(0.5 + selu_alpha() ** 2 * negative)


def _below(z: float) -> float:
    """Distribution function of the standard normal."""
    return 0.5 * math.erfc(-z / math.sqrt(2.0))


def truncated_normal_std(cut: float) -> float:
    """Standard deviation of a standard normal cut at +-cut."""
    density = math.exp(-0.5 * cut * cut) / math.sqrt(2.0 * math.pi)
    return math.sqrt(1.0 - 2.0 * cut * density / math.erf(cut / math.sqrt(2.0)))


def arithmetic(formula: str) -> float:
    """The value of a formula that the source writes out."""
    return formulas.evaluate(formula)


ROWS: dict[str, Callable[..., float]] = {
    function.__name__: function
    for function in (
        mean_square, mean_square_slope, mean, standardising_gain, forward_gain, variance_slope, mean_to_variance_slope,
        gated_forward, gated_backward, gated_gain, selu_alpha, selu_scale, truncated_normal_std, arithmetic,
    )
}  # fmt: skip
