"""Activations that grow on one side or both: linear, relu, leaky_relu, abs, softplus, elu, selu, celu."""

from __future__ import annotations

from gradsim_core import jit
from gradsim_core.elementary import exp, expm1, log, log1p, logistic
from gradsim_core.lanes import absolute, maximum, minimum, select, splat

from .table import MODERATE, define, positive

_SELU_SCALE, _SELU_ALPHA = 1.0507009873554805, 1.6732632423543772


def linear(h, alpha):
    return h


def linear_derivative(h, alpha):
    return splat(h, 1.0)


define(
    "linear",
    linear,
    linear_derivative,
    slope_zero=(1, 1),
    slope_inf=(1, 1),
    homogeneous=True,
    formula="h",
    reference="Saxe et al. 2014, arXiv:1312.6120",
)


def relu(h, alpha):
    return select(h <= 0.0, 0.0, h)


def relu_derivative(h, alpha):
    return select(h > 0.0, splat(h, 1.0), 0.0)


define(
    "relu",
    relu,
    relu_derivative,
    kinks=(0.0,),
    slope_zero=(0, 1),
    slope_inf=(0, 1),
    homogeneous=True,
    formula="max(h, 0)",
    reference="Nair and Hinton 2010",
)


def leaky_relu(h, alpha):
    return select(h > 0.0, h, h * alpha)


def leaky_relu_derivative(h, alpha):
    return select(h > 0.0, splat(h, 1.0), splat(h, alpha))


define(
    "leaky_relu",
    leaky_relu,
    leaky_relu_derivative,
    alpha=0.01,
    parameter="slope",
    kinks=(0.0,),
    slope_zero=lambda slope: (slope, 1.0),
    slope_inf=lambda slope: (slope, 1.0),
    homogeneous=True,
    formula="h if h > 0 else slope h",
    reference="Maas et al. 2013",
)


def absolute_value(h, alpha):
    return absolute(h)


def absolute_value_derivative(h, alpha):
    return select(h > 0.0, splat(h, 1.0), -1.0)


define(
    "abs",
    absolute_value,
    absolute_value_derivative,
    kinks=(0.0,),
    slope_zero=(-1, 1),
    slope_inf=(-1, 1),
    homogeneous=True,
    formula="|h|",
    reference="Jarrett et al. 2009, doi:10.1109/ICCV.2009.5459469",
)


def softplus(h, alpha):
    return maximum(0.0, h) + log1p(exp(-absolute(h)))


def softplus_derivative(h, alpha):
    return logistic(h)


def log_softplus_tail(h, alpha):
    # Called only where e^h is far below one ulp of 1: ln ln(1 + e^h) = h - e^h / 2.
    return h


define(
    "softplus",
    softplus,
    softplus_derivative,
    slope_zero=(0.5, 0.5),
    slope_inf=(0, 1),
    log_phi=log_softplus_tail,
    log_dphi=log_softplus_tail,
    formula="ln(1 + e^h)",
    reference="Dugas et al. 2001",
)


def elu(h, alpha):
    return select(h > 0.0, h, expm1(minimum(0.0, h)) * alpha)


def elu_derivative(h, alpha):
    return select(h > 0.0, splat(h, 1.0), exp(minimum(0.0, h)) * alpha)


def log_elu_derivative(h, alpha):
    return h + log(splat(h, alpha))


define(
    "elu",
    elu,
    elu_derivative,
    alpha=1.0,
    parameter="alpha",
    accepts=positive,
    allowed="a number > 0",
    kinks=(0.0,),
    slope_zero=lambda alpha: (alpha, 1.0),
    slope_inf=(0, 1),
    log_dphi=log_elu_derivative,
    formula="h if h > 0 else alpha (e^h - 1)",
    reference="Clevert et al. 2016, arXiv:1511.07289",
)


def selu(h, alpha):
    return elu(h, _SELU_ALPHA) * _SELU_SCALE


def selu_derivative(h, alpha):
    return elu_derivative(h, _SELU_ALPHA) * _SELU_SCALE


def log_selu_derivative(h, alpha):
    return h + 0.5642333055432538


define(
    "selu",
    selu,
    selu_derivative,
    kinks=(0.0,),
    slope_zero=(_SELU_SCALE * _SELU_ALPHA, _SELU_SCALE),
    slope_inf=(0, _SELU_SCALE),
    log_dphi=log_selu_derivative,
    formula="1.0507 elu(h; 1.67326)",
    reference="Klambauer et al. 2017, arXiv:1706.02515",
)


def celu(h, alpha):
    return select(h > 0.0, h, expm1(minimum(0.0, h) / alpha) * alpha)


def celu_derivative(h, alpha):
    return select(h > 0.0, splat(h, 1.0), exp(minimum(0.0, h) / alpha))


def log_celu_derivative(h, alpha):
    return minimum(0.0, h) / alpha


define(
    "celu",
    celu,
    celu_derivative,
    alpha=1.0,
    parameter="alpha",
    **MODERATE,
    kinks=(0.0,),
    slope_zero=(1, 1),
    slope_inf=(0, 1),
    log_dphi=log_celu_derivative,
    formula="h if h > 0 else alpha (e^(h/alpha) - 1)",
    reference="Barron 2017, arXiv:1704.07483",
)


jit.register_leaves(__name__, inline=True)
