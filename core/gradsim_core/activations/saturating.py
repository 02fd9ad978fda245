"""Activations bounded on both sides: tanh, sigmoid, erf, softsign."""

from __future__ import annotations

from gradsim_core import jit
from gradsim_core.elementary import (
    erf,
    exp,
    exp_minus_square,
    log1p,
    log_logistic,
    logistic,
    tanh,
    tanh_derivative,
)
from gradsim_core.lanes import absolute

from .table import define

_TWO_OVER_SQRT_PI = 1.1283791670955126


def tanh_activation(h, alpha):
    return tanh(h)


def tanh_slope(h, alpha):
    return tanh_derivative(h)


def log_tanh_derivative(h, alpha):
    size = absolute(h)
    return 1.3862943611198906 - 2.0 * size - 2.0 * log1p(exp(size * -2.0))


define(
    "tanh",
    tanh_activation,
    tanh_slope,
    slope_zero=(1, 1),
    slope_inf=(0, 0),
    log_dphi=log_tanh_derivative,
    formula="tanh h",
    reference="LeCun et al. 1998",
)


def sigmoid(h, alpha):
    return logistic(h)


def sigmoid_derivative(h, alpha):
    e = exp(-absolute(h))
    return e / ((e + 1.0) * (e + 1.0))


def log_sigmoid(h, alpha):
    return log_logistic(h)


def log_sigmoid_derivative(h, alpha):
    size = absolute(h)
    return -size - 2.0 * log1p(exp(-size))


define(
    "sigmoid",
    sigmoid,
    sigmoid_derivative,
    slope_zero=(0.25, 0.25),
    slope_inf=(0, 0),
    log_phi=log_sigmoid,
    log_dphi=log_sigmoid_derivative,
    formula="1/(1 + e^-h)",
    reference="Rumelhart et al. 1986",
)


def erf_activation(h, alpha):
    return erf(h)


def erf_derivative(h, alpha):
    return _TWO_OVER_SQRT_PI * exp_minus_square(absolute(h), 1.0)


def log_erf_derivative(h, alpha):
    return 0.1207822376352452 - h * h


define(
    "erf",
    erf_activation,
    erf_derivative,
    slope_zero=(_TWO_OVER_SQRT_PI, _TWO_OVER_SQRT_PI),
    slope_inf=(0, 0),
    log_dphi=log_erf_derivative,
    formula="erf h",
    reference="Williams 1997",
)


def softsign(h, alpha):
    return h / (absolute(h) + 1.0)


def softsign_derivative(h, alpha):
    d = 1.0 / (absolute(h) + 1.0)
    return d * d


def log_softsign_derivative(h, alpha):
    return -2.0 * log1p(absolute(h))


define(
    "softsign",
    softsign,
    softsign_derivative,
    kinks=(0.0,),
    slope_zero=(1, 1),
    slope_inf=(0, 0),
    log_dphi=log_softsign_derivative,
    formula="h/(1 + |h|)",
    reference="Glorot and Bengio 2010",
)


jit.register_leaves(__name__, inline=True)
