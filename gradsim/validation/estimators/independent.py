"""Second routes to disputed numbers: activations written again, SciPy's adaptive quadrature, plain sums.

Nothing here uses gradsim's activations, quadrature or laws, so an error of theirs cannot hide in both routes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from itertools import pairwise

import numpy as np
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.special import digamma, expit, polygamma
from scipy.stats import binom

from gradsim.errors import SweepError, suggestion

Function = Callable[[float], float]

_SELU = 1.0507009873554805, 1.6732632423543772

_ACTIVATIONS: dict[str, Function] = {
    "celu": lambda h: h if h > 0.0 else math.expm1(h),
    "elu": lambda h: h if h > 0.0 else math.expm1(h),
    "gelu": lambda h: 0.5 * h * math.erfc(-h / math.sqrt(2.0)),
    "gelu_tanh": lambda h: 0.5 * h * (1.0 + math.tanh(math.sqrt(2.0 / math.pi) * (h + 0.044715 * h**3))),
    "leaky_relu(0.01)": lambda h: h if h > 0.0 else 0.01 * h,
    "relu": lambda h: max(h, 0.0),
    "relu6": lambda h: min(max(h, 0.0), 6.0),
    "selu": lambda h: _SELU[0] * (h if h > 0.0 else _SELU[1] * math.expm1(h)),
    "sigmoid": lambda h: float(expit(h)),
    "silu": lambda h: h * float(expit(h)),
    "softsign": lambda h: h / (1.0 + abs(h)),
    "softplus": lambda h: max(h, 0.0) + math.log1p(math.exp(-abs(h))),
    "tanh": math.tanh,
}  # fmt: skip

_SLOPES: dict[str, Function] = {
    "selu": lambda h: _SELU[0] * (1.0 if h > 0.0 else _SELU[1] * math.exp(h)),
    "silu": lambda h: float(expit(h)) * (1.0 + h * (1.0 - float(expit(h)))),
    "tanh": lambda h: math.cosh(h) ** -2,
}


def quad_mean_square(activation: str, q: float = 1.0) -> float:
    """E phi(h)^2 for h ~ N(0, q)."""
    phi = _known(activation)
    return _average(lambda h: phi(h) ** 2, q)


def quad_standardising_gain(activation: str, q: float = 1.0) -> float:
    """1 / standard deviation of phi(h), for h ~ N(0, q)."""
    return float((quad_mean_square(activation, q) - _average(_known(activation), q) ** 2) ** -0.5)


def quad_forward_gain(activation: str, q: float = 1.0) -> float:
    """1 / root mean square of phi(h), for h ~ N(0, q)."""
    return float(quad_mean_square(activation, q) ** -0.5)


def quad_half_stable_bias_variance(activation: str) -> float:
    """sigma_b^2 at which the map of q is tangent to the line and chi_1 = 1.

    There the slope of E phi^2 equals E phi'^2; by Stein's lemma it is E[phi^2 (z^2 - 1)] / (2 q).
    """
    phi, slope = _known(activation), _known(activation, _SLOPES)

    def excess(q: float) -> float:
        return _average(lambda h: phi(h) ** 2 * (h * h / q - 1.0) / (2.0 * q) - slope(h) ** 2, q)

    q = float(brentq(excess, 2.0, 50.0, xtol=1e-12))
    return float(q - quad_mean_square(activation, q) / _average(lambda h: slope(h) ** 2, q))


def quad_chi_1(activation: str, sigma_w: float) -> float:
    """chi_1 at the fixed point of q without biases."""
    slope = _known(activation, _SLOPES)
    q = brentq(lambda q: sigma_w**2 * quad_mean_square(activation, q) / q - 1.0, 1e-2, 1e2, xtol=1e-13)
    return sigma_w**2 * _average(lambda h: slope(h) ** 2, float(q))


def sum_quenched_sigma_w(activation: str, width: int) -> float:
    """sigma_w at which E ln S = 0: a sum over the number of active neurons for relu, one digamma for linear."""
    return math.exp(-0.5 * _log_factor(activation, width)[0])


def sum_log_factor_variance(activation: str, width: int) -> float:
    """Var ln S, as a sum over the number of active neurons for relu."""
    return _log_factor(activation, width)[1]


def _log_factor(activation: str, width: int) -> tuple[float, float]:
    """Mean and variance of ln(chi2_K / n), K being the number of active neurons, at least 1."""
    active = np.arange(1, width + 1) if activation == "relu" else np.array([width])
    share = binom.pmf(active, width, 0.5)
    share /= share.sum()
    means = digamma(0.5 * active) + math.log(2.0 / width)
    mean = float(share @ means)
    return mean, float(share @ (polygamma(1, 0.5 * active) + (means - mean) ** 2))


def _known(activation: str, table: Mapping[str, Function] = _ACTIVATIONS) -> Function:
    if activation not in table:
        allowed = f"one of {', '.join(table)} for this second route"
        raise SweepError("activation", activation, allowed, suggestion(activation, table))
    return table[activation]


def _average(function: Function, q: float) -> float:
    """E f(h), h ~ N(0, q), by adaptive quadrature between the kinks that any of the activations has."""
    deviation = math.sqrt(q)
    edges = sorted({-12.0 * deviation, *(h for h in (0.0, 6.0) if h < 12.0 * deviation), 12.0 * deviation})

    def weighted(h: float) -> float:
        return function(h) * math.exp(-0.5 * h * h / q) / math.sqrt(2.0 * math.pi * q)

    parts = (quad(weighted, *part, epsabs=1e-13, epsrel=1e-12, limit=200)[0] for part in pairwise(edges))
    return float(sum(parts))


ROWS = {
    function.__name__: function
    for function in (
        quad_mean_square, quad_standardising_gain, quad_forward_gain, quad_half_stable_bias_variance, quad_chi_1,
        sum_quenched_sigma_w, sum_log_factor_variance,
    )
}  # fmt: skip
