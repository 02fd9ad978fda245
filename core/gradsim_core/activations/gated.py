"""Activations that are h times a gate between 0 and 1: gelu, gelu_tanh, silu, mish."""

from __future__ import annotations

from gradsim_core import jit
from gradsim_core.elementary import (
    INV_SQRT_2PI,
    exp,
    exp_minus_square,
    log,
    log_logistic,
    logistic,
    mills_ratio,
    normal_tail,
)
from gradsim_core.lanes import absolute, maximum, minimum, select

from .table import define

_SQRT_2_OVER_PI = 0.7978845608028654
_GELU_SOURCE = "Hendrycks and Gimpel 2016, arXiv:1606.08415"


def normal_cdf(h):
    tail = normal_tail(h)
    return select(h < 0.0, tail, 1.0 - tail)


def gelu(h, alpha):
    return h * normal_cdf(h)


def gelu_derivative(h, alpha):
    return normal_cdf(h) + h * (INV_SQRT_2PI * exp_minus_square(absolute(h), 0.5))


def log_gelu_tail(h, alpha):
    return log(absolute(h) * mills_ratio(h) * INV_SQRT_2PI) - 0.5 * h * h


def log_gelu_derivative_tail(h, alpha):
    return log(absolute(h + mills_ratio(h)) * INV_SQRT_2PI) - 0.5 * h * h


define(
    "gelu",
    gelu,
    gelu_derivative,
    slope_zero=(0.5, 0.5),
    slope_inf=(0, 1),
    log_phi=log_gelu_tail,
    log_dphi=log_gelu_derivative_tail,
    tail_sign=-1.0,
    formula="h P(z < h)",
    reference=_GELU_SOURCE,
)


def _gelu_tanh_argument(h):
    return (2.0 * _SQRT_2_OVER_PI) * (h + 0.044715 * h * h * h)


def gelu_tanh(h, alpha):
    return h * logistic(_gelu_tanh_argument(h))


def gelu_tanh_derivative(h, alpha):
    # Beyond |h| = 50 the derivative is 0 or 1 in every float, and h^2 would overflow.
    h = maximum(-50.0, minimum(50.0, h))
    y = _gelu_tanh_argument(h)
    slope = (2.0 * _SQRT_2_OVER_PI) * (3 * 0.044715 * h * h + 1.0)
    return logistic(y) * (h * slope * logistic(-y) + 1.0)


def log_gelu_tanh_tail(h, alpha):
    h = maximum(-1e6, h)  # where ln is beyond what is represented, and h^3 not yet
    return log(absolute(h)) + log_logistic(_gelu_tanh_argument(h))


def log_gelu_tanh_derivative_tail(h, alpha):
    h = maximum(-1e6, h)
    y = _gelu_tanh_argument(h)
    slope = (2.0 * _SQRT_2_OVER_PI) * (3 * 0.044715 * h * h + 1.0)
    return log_logistic(y) + log(absolute(h * slope * logistic(-y) + 1.0))


define(
    "gelu_tanh",
    gelu_tanh,
    gelu_tanh_derivative,
    slope_zero=(0.5, 0.5),
    slope_inf=(0, 1),
    log_phi=log_gelu_tanh_tail,
    log_dphi=log_gelu_tanh_derivative_tail,
    tail_sign=-1.0,
    formula="h (1 + tanh(sqrt(2/pi) (h + 0.044715 h^3)))/2",
    reference=_GELU_SOURCE,
)


def silu(h, alpha):
    return h * logistic(h)


def silu_derivative(h, alpha):
    return logistic(h) * (h * logistic(-h) + 1.0)


def log_silu_tail(h, alpha):
    return log(absolute(h)) + log_logistic(h)


def log_silu_derivative_tail(h, alpha):
    return log_logistic(h) + log(absolute(h * logistic(-h) + 1.0))


define(
    "silu",
    silu,
    silu_derivative,
    slope_zero=(0.5, 0.5),
    slope_inf=(0, 1),
    log_phi=log_silu_tail,
    log_dphi=log_silu_derivative_tail,
    tail_sign=-1.0,
    formula="h/(1 + e^-h)",
    reference="Ramachandran et al. 2017, arXiv:1710.05941",
)


def _mish_parts(h):
    """w = e^-|h|, and numerator and denominator of tanh(softplus(h)) as polynomials in w."""
    w = exp(-absolute(h))
    numerator = select(h < 0.0, w * (w + 2.0), 2.0 * w + 1.0)
    denominator = select(h < 0.0, w * (w + 2.0) + 2.0, 2.0 * w * (w + 1.0) + 1.0)
    return w, numerator, denominator


def mish(h, alpha):
    _, numerator, denominator = _mish_parts(h)
    return h * (numerator / denominator)


def mish_derivative(h, alpha):
    w, numerator, denominator = _mish_parts(h)
    root = 2.0 * (w + 1.0) / denominator
    sech_squared = root * root * select(h < 0.0, 1.0, w * w)
    return numerator / denominator + h * logistic(h) * sech_squared


def log_mish_tail(h, alpha):
    w, _, denominator = _mish_parts(h)
    return h + log(absolute(h) * (w + 2.0) / denominator)


def log_mish_derivative_tail(h, alpha):
    w, _, denominator = _mish_parts(h)
    return h + log(absolute((w + 2.0) / denominator + h * 4.0 * (w + 1.0) / (denominator * denominator)))


define(
    "mish",
    mish,
    mish_derivative,
    slope_zero=(0.6, 0.6),
    slope_inf=(0, 1),
    log_phi=log_mish_tail,
    log_dphi=log_mish_derivative_tail,
    tail_sign=-1.0,
    formula="h tanh(ln(1 + e^h))",
    reference="Misra 2019, arXiv:1908.08681",
)


jit.register_leaves(__name__, inline=True)
