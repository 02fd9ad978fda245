"""Exact laws at finite width: linear, relu, leaky_relu and abs with zero bias and Gaussian weights.

Each layer multiplies |delta|^2 by an independent factor S = (sigma_w^2 / n) (chi2_K + a^2 chi2_(n-K)), K ~
Binomial(n, 1/2) (Hanin & Nica 2018, arXiv:1812.05994). E S is the mean-field value at every width, E ln S lies
below: the annealed and the quenched boundary differ, and neither depends on the depth.
"""

from __future__ import annotations

import numpy as np
from scipy.special import digamma

from gradsim.theory.averages.functions import ignoring_floating_point_errors
from gradsim.theory.errors import NoCriticalPoint, check_count, check_moment
from gradsim.theory.finite_width.factor_law import factor_law
from gradsim.theory.memory import current
from gradsim_core.activations import Activation

WIDEST = 2**20  # neurons: the most of a sweep

_LN2 = float(np.log(2.0))


@ignoring_floating_point_errors
def log_factor_mean(activation: str | Activation, width: int) -> float:
    """Return E ln S at sigma_w = 1: the mean of the logarithm of one layer's factor of |delta|^2, over live layers.

    Parameters
    ----------
    activation
        linear, relu, leaky_relu or abs.
    width
        Number of neurons in each layer, from 1 to 2^20.

    Raises
    ------
    NoCriticalPoint
        For an activation without an exact law.
    SweepError
        For an argument that is not valid.
    """
    width = check_count("width", width, WIDEST)
    slope = negative_slope(current(activation))
    if slope == 0.0:
        from scipy.stats import binom  # importing it takes half a second

        live = np.arange(1, width + 1)
        weights = binom.pmf(live, width, 0.5)
        mean_log = float(weights @ digamma(live / 2) / weights.sum()) + _LN2
    elif slope == 1.0:
        mean_log = float(digamma(width / 2)) + _LN2
    else:
        mean_log = _mixture_log_mean(slope, width)
    return mean_log - float(np.log(width))


def quenched_sigma_w(activation: str | Activation, width: int) -> float:
    """Return sigma_w at which the mean of the log gain over live networks is 0, at every depth > 1.

    The law holds for Gaussian weights and zero bias. The fit of Sussillo and Abbott 2014 (arXiv:1412.6558) for relu,
    sqrt(2) exp(1.2 / (max(width, 6) - 2.4)), is off by 1.5 % at width 8, by 0.004 % at 16 and by -0.06 % at 64.

    Parameters
    ----------
    activation
        linear, relu, leaky_relu or abs.
    width
        Number of neurons in each layer, from 1 to 2^20.

    Raises
    ------
    NoCriticalPoint
        For an activation without an exact law.

    Examples
    --------
    >>> round(quenched_sigma_w("relu", width=16), 6), round(quenched_sigma_w("relu", width=64), 6)
    (1.544611, 1.442861)
    """
    return float(np.exp(-0.5 * log_factor_mean(activation, width)))


def annealed_sigma_w(activation: str | Activation) -> float:
    """Return sigma_w at which the mean gain is 1: sqrt(2 / (1 + a^2)) at every width, a being the slope at h < 0.

    Raises
    ------
    NoCriticalPoint
        For an activation without an exact law.
    """
    return float(np.sqrt(2.0) / np.hypot(1.0, negative_slope(current(activation))))


def moment_sigma_w(activation: str | Activation, s: float, width: int) -> float:
    """Return sigma_w at which E|delta^1|^s = E|delta^L|^s, dead networks counted as 0; at every depth > 1.

    s = 2 is the annealed boundary. As s falls towards 0 it tends to the quenched one, until dead networks count. In
    closed form; Gurbuzbalaban and Hu 2020 (arXiv:2005.11878) give it to first order in 1/width: for relu sigma_w^2 =
    2 + 5 (2 - s) / (2 width). For s = 0.5 that is off by -0.8 % at width 16 and by -0.05 % at 64.

    Parameters
    ----------
    activation
        linear, relu, leaky_relu or abs.
    s
        The moment, 0 < s <= 2.
    width
        Number of neurons in each layer, from 1 to 2^20.

    Raises
    ------
    NoCriticalPoint
        For an activation without an exact law.
    SweepError
        For an argument that is not valid.

    Examples
    --------
    >>> round(16 * (moment_sigma_w("relu", s=1.0, width=16) / 4) ** 2, 5)
    2.16918
    """
    slope, s = negative_slope(current(activation)), check_moment(s)
    width = check_count("width", width, WIDEST)
    if s == 2.0:
        return annealed_sigma_w(activation)
    log_live = float(np.log(-np.expm1(-width * _LN2))) if slope == 0.0 else 0.0
    return float(np.exp(-(factor_law(slope, width).level(0.5 * s) + log_live) / s))


def negative_slope(activation: Activation) -> float:
    """Return |phi'| at h < 0 of an activation that has an exact law."""
    if activation.built_in and activation.homogeneous:  # rows of the table have a slope of 1 at h > 0
        return abs(float(activation.slope_zero[0]))
    raise NoCriticalPoint(
        f"No exact finite-width law is known for {activation.name}: only for linear, relu, leaky_relu and abs."
    )


def _mixture_log_mean(slope: float, width: int) -> float:
    """E ln(chi2_K + a^2 chi2_(n-K)) = integral of (e^-t - M(t)^n) / t, M the Laplace transform of one neuron's term.

    In u = ln t the integrand is analytic and vanishes at both ends: the trapezoidal rule converges exponentially.
    """
    log_squared = 2.0 * np.log(slope)
    start, stop = -45.0 - max(0.0, log_squared), 90.0 + abs(log_squared)
    u, step = np.linspace(start, stop, int((stop - start) * 20) + 1, retstep=True)
    positive = -0.5 * np.logaddexp(0.0, _LN2 + u)
    negative = -0.5 * np.logaddexp(0.0, _LN2 + u + log_squared)
    one_neuron = np.logaddexp(positive, negative) - _LN2
    return float(step * np.sum(np.exp(-np.exp(u)) - np.exp(width * one_neuron)))
