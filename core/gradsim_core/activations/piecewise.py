"""Activations made of a few polynomials: hard_tanh, relu6, hard_sigmoid, hard_swish, relu2."""

from __future__ import annotations

import math

from gradsim_core import jit
from gradsim_core.elementary import log
from gradsim_core.lanes import absolute, maximum, minimum, select, splat

from .table import define


def hard_tanh(h, alpha):
    return maximum(-1.0, minimum(1.0, h))


def hard_tanh_derivative(h, alpha):
    return select(absolute(h) < 1.0, splat(h, 1.0), 0.0)


define(
    "hard_tanh",
    hard_tanh,
    hard_tanh_derivative,
    kinks=(-1.0, 1.0),
    slope_zero=(1, 1),
    slope_inf=(0, 0),
    formula="min(max(h, -1), 1)",
    reference="Collobert 2004",
)


def relu6(h, alpha):
    return minimum(6.0, maximum(0.0, h))


def relu6_derivative(h, alpha):
    return select((h > 0.0) & (h < 6.0), splat(h, 1.0), 0.0)


define(
    "relu6",
    relu6,
    relu6_derivative,
    kinks=(0.0, 6.0),
    slope_zero=(0, 1),
    slope_inf=(0, 0),
    formula="min(max(h, 0), 6)",
    reference="Krizhevsky 2010",
)


def hard_sigmoid(h, alpha):
    return relu6(h + 3.0, alpha) / 6.0


def hard_sigmoid_derivative(h, alpha):
    return select(absolute(h) < 3.0, splat(h, 1 / 6), 0.0)


define(
    "hard_sigmoid",
    hard_sigmoid,
    hard_sigmoid_derivative,
    kinks=(-3.0, 3.0),
    slope_zero=(1 / 6, 1 / 6),
    slope_inf=(0, 0),
    formula="relu6(h + 3)/6",
    reference="Howard et al. 2019, arXiv:1905.02244",
)


def hard_swish(h, alpha):
    return h * hard_sigmoid(h, alpha)


def hard_swish_derivative(h, alpha):
    return select(absolute(h) < 3.0, h / 3.0 + 0.5, select(h > 0.0, splat(h, 1.0), 0.0))


define(
    "hard_swish",
    hard_swish,
    hard_swish_derivative,
    kinks=(-3.0, 3.0),
    slope_zero=(0.5, 0.5),
    slope_inf=(0, 1),
    formula="h relu6(h + 3)/6",
    reference="Howard et al. 2019, arXiv:1905.02244",
)


def relu2(h, alpha):
    r = maximum(0.0, h)
    return r * r


def relu2_derivative(h, alpha):
    return 2.0 * maximum(0.0, h)


def log_relu2(h, alpha):
    return select(h > 0.0, 2.0 * log(h), -math.inf)


def log_relu2_derivative(h, alpha):
    return select(h > 0.0, log(2.0 * h), -math.inf)


# Linear neither at 0 nor at infinity: no slopes. A layer beyond the reach of `per_vector` is NaN; the size of h is
# squared in every layer, so that it would leave what a logarithm can say a few layers later.
define(
    "relu2",
    relu2,
    relu2_derivative,
    kinks=(0.0,),
    log_phi=log_relu2,
    log_dphi=log_relu2_derivative,
    formula="max(h, 0)^2",
    reference="So et al. 2021, arXiv:2109.08668",
)


jit.register_leaves(__name__, inline=True)
