"""The activations: one block each, and the table that everything else iterates.

A block is phi, its derivative dphi, and a row of `ACTIVATIONS`. Both take (h, alpha), where alpha is the activation's
parameter or unused, and are written over `lanes` and `elementary`, so that the kernels, the interpreter and the theory
read the same text. dphi is a formula in the preactivation: 1 - tanh(h)^2 would be exactly 0 from |h| = 19 on.

Where phi or dphi falls below the smallest float without being zero in theory, the row also has ln|phi| or ln|dphi|,
for which the range-safe path falls back when a whole layer has sunk that low.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .elementary import (
    INV_SQRT_2PI,
    cos,
    erf,
    exp,
    exp_minus_square,
    expm1,
    log,
    log1p,
    logistic,
    mills_ratio,
    normal_tail,
    sin,
    tanh,
)  # fmt: skip
from .lanes import absolute, maximum, minimum, select, splat
from .names import parse

Function = Callable[..., Any]
_TWO_OVER_SQRT_PI = 1.1283791670955126
_SQRT_2_OVER_PI = 0.7978845608028654
_SELU_SCALE, _SELU_ALPHA = 1.0507009873554805, 1.6732632423543772


def linear(h, alpha):
    return h


def linear_derivative(h, alpha):
    return splat(h, 1.0)


def relu(h, alpha):
    return select(h <= 0.0, 0.0, h)


def relu_derivative(h, alpha):
    return select(h > 0.0, splat(h, 1.0), 0.0)


def leaky_relu(h, alpha):
    return select(h > 0.0, h, h * alpha)


def leaky_relu_derivative(h, alpha):
    return select(h > 0.0, splat(h, 1.0), splat(h, alpha))


def tanh_activation(h, alpha):
    return tanh(h)


def tanh_derivative(h, alpha):
    e = exp(absolute(h) * -2.0)
    return 4.0 * e / ((e + 1.0) * (e + 1.0))


def log_tanh_derivative(h, alpha):
    size = absolute(h)
    return 1.3862943611198906 - 2.0 * size - 2.0 * log1p(exp(size * -2.0))


def sigmoid(h, alpha):
    return logistic(h)


def sigmoid_derivative(h, alpha):
    e = exp(-absolute(h))
    return e / ((e + 1.0) * (e + 1.0))


def log_logistic(h):
    return minimum(0.0, h) - log1p(exp(-absolute(h)))


def log_sigmoid(h, alpha):
    return log_logistic(h)


def log_sigmoid_derivative(h, alpha):
    size = absolute(h)
    return -size - 2.0 * log1p(exp(-size))


def erf_activation(h, alpha):
    return erf(h)


def erf_derivative(h, alpha):
    return _TWO_OVER_SQRT_PI * exp_minus_square(absolute(h), 1.0)


def log_erf_derivative(h, alpha):
    return 0.1207822376352452 - h * h


def hard_tanh(h, alpha):
    return maximum(-1.0, minimum(1.0, h))


def hard_tanh_derivative(h, alpha):
    return select(absolute(h) < 1.0, splat(h, 1.0), 0.0)


def softplus(h, alpha):
    return maximum(0.0, h) + log1p(exp(-absolute(h)))


def softplus_derivative(h, alpha):
    return logistic(h)


def log_softplus_tail(h, alpha):
    # Called only where e^h is far below one ulp of 1: ln ln(1 + e^h) = h - e^h / 2.
    return h


def softsign(h, alpha):
    return h / (absolute(h) + 1.0)


def softsign_derivative(h, alpha):
    d = 1.0 / (absolute(h) + 1.0)
    return d * d


def log_softsign_derivative(h, alpha):
    return -2.0 * log1p(absolute(h))


def elu(h, alpha):
    return select(h > 0.0, h, expm1(minimum(0.0, h)) * alpha)


def elu_derivative(h, alpha):
    return select(h > 0.0, splat(h, 1.0), exp(minimum(0.0, h)) * alpha)


def log_elu_derivative(h, alpha):
    return h + log(splat(h, alpha))


def selu(h, alpha):
    return elu(h, _SELU_ALPHA) * _SELU_SCALE


def selu_derivative(h, alpha):
    return elu_derivative(h, _SELU_ALPHA) * _SELU_SCALE


def log_selu_derivative(h, alpha):
    return h + 0.5642333055432538


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


def silu(h, alpha):
    return h * logistic(h)


def silu_derivative(h, alpha):
    return logistic(h) * (h * logistic(-h) + 1.0)


def log_silu_tail(h, alpha):
    return log(absolute(h)) + log_logistic(h)


def log_silu_derivative_tail(h, alpha):
    return log_logistic(h) + log(absolute(h * logistic(-h) + 1.0))


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


def sin_activation(h, alpha):
    return sin(h)


def sin_derivative(h, alpha):
    return cos(h)


@dataclass(frozen=True)
class Activation:
    """An activation phi and its derivative.

    ``Activation("mine", phi, dphi)`` makes a user's own pair from scalar functions ``phi(h)`` and ``dphi(h)`` that
    Numba can compile; it is accepted wherever a name is. The other fields are for the table.

    Parameters
    ----------
    name : str
        Name, with the parameter in brackets where there is one: ``"leaky_relu(0.2)"``.
    phi, dphi : callable
        The function and its derivative; the table's own take (h, alpha).
    alpha : float, optional
        Value of the parameter. `parameter` names it, `allowed` says which values it takes.
    kinks : tuple of float
        Where dphi jumps: quadrature is split there.
    slope_zero, slope_inf : pair of float, or None
        One-sided slopes at 0-, 0+ and at -inf, +inf; None where they do not exist.
    log_phi, log_dphi : callable, optional
        ln|phi|, ln|dphi| in the tails where they underflow. `tail_sign`: their sign at negative h.
    formula, reference : str
        For the documentation.
    """

    name: str
    phi: Function
    dphi: Function
    alpha: float = 0.0
    parameter: str | None = None
    allowed: str = ""
    kinks: tuple[float, ...] = ()
    slope_zero: tuple[float, float] | None = None
    slope_inf: tuple[float, float] | None = None
    log_phi: Function | None = None
    log_dphi: Function | None = None
    tail_sign: float = 1.0
    formula: str = ""
    reference: str = ""

    @property
    def built_in(self) -> bool:
        """Whether this is a row of the table, and not a user's own pair."""
        row = ACTIVATIONS.get(self.name.split("(")[0])
        return row is not None and self.phi is row.phi and self.dphi is row.dphi

    def __call__(self, h: Any) -> np.ndarray:
        """phi at an array of preactivations, in float64."""
        return self._evaluate(self.phi, h)

    def derivative(self, h: Any) -> np.ndarray:
        """dphi at an array of preactivations, in float64."""
        return self._evaluate(self.dphi, h)

    def _evaluate(self, function: Function, h: Any) -> np.ndarray:
        h = np.asarray(h, np.float64)
        if not self.built_in:
            return np.array([float(function(float(value))) for value in h.ravel()]).reshape(h.shape)
        with np.errstate(all="ignore"):
            return np.asarray(function(h, self.alpha), np.float64)


_HG = "Hendrycks and Gimpel 2016, arXiv:1606.08415"
ACTIVATIONS: dict[str, Activation] = {
    row.name: row
    for row in (
        Activation("linear", linear, linear_derivative, slope_zero=(1, 1), slope_inf=(1, 1), formula="h",
                   reference="Saxe et al. 2014, arXiv:1312.6120"),
        Activation("relu", relu, relu_derivative, kinks=(0.0,), slope_zero=(0, 1), slope_inf=(0, 1),
                   formula="max(h, 0)", reference="Nair and Hinton 2010"),
        Activation("leaky_relu", leaky_relu, leaky_relu_derivative, 0.01, "slope", "any finite number", (0.0,),
                   formula="h if h > 0 else slope h", reference="Maas et al. 2013"),
        Activation("tanh", tanh_activation, tanh_derivative, slope_zero=(1, 1), slope_inf=(0, 0),
                   log_dphi=log_tanh_derivative, formula="tanh h", reference="LeCun et al. 1998"),
        Activation("sigmoid", sigmoid, sigmoid_derivative, slope_zero=(0.25, 0.25), slope_inf=(0, 0),
                   log_phi=log_sigmoid, log_dphi=log_sigmoid_derivative,
                   formula="1/(1 + e^-h)", reference="Rumelhart et al. 1986"),
        Activation("erf", erf_activation, erf_derivative, slope_zero=(_TWO_OVER_SQRT_PI, _TWO_OVER_SQRT_PI),
                   slope_inf=(0, 0), log_dphi=log_erf_derivative, formula="erf h", reference="Williams 1997"),
        Activation("hard_tanh", hard_tanh, hard_tanh_derivative, kinks=(-1.0, 1.0), slope_zero=(1, 1), slope_inf=(0, 0),
                   formula="min(max(h, -1), 1)", reference="Collobert 2004"),
        Activation("softplus", softplus, softplus_derivative, slope_zero=(0.5, 0.5), slope_inf=(0, 1),
                   log_phi=log_softplus_tail, log_dphi=log_softplus_tail, formula="ln(1 + e^h)",
                   reference="Dugas et al. 2001"),
        Activation("softsign", softsign, softsign_derivative, kinks=(0.0,), slope_zero=(1, 1), slope_inf=(0, 0),
                   log_dphi=log_softsign_derivative, formula="h/(1 + |h|)", reference="Glorot and Bengio 2010"),
        Activation("elu", elu, elu_derivative, 1.0, "alpha", "a number > 0", (0.0,), slope_inf=(0, 1),
                   log_dphi=log_elu_derivative, formula="h if h > 0 else alpha (e^h - 1)",
                   reference="Clevert et al. 2016, arXiv:1511.07289"),
        Activation("selu", selu, selu_derivative, kinks=(0.0,), slope_zero=(_SELU_SCALE * _SELU_ALPHA, _SELU_SCALE),
                   slope_inf=(0, _SELU_SCALE), log_dphi=log_selu_derivative, formula="1.0507 elu(h; 1.67326)",
                   reference="Klambauer et al. 2017, arXiv:1706.02515"),
        Activation("gelu", gelu, gelu_derivative, slope_zero=(0.5, 0.5), slope_inf=(0, 1), log_phi=log_gelu_tail,
                   log_dphi=log_gelu_derivative_tail, tail_sign=-1.0, formula="h P(z < h)", reference=_HG),
        Activation("gelu_tanh", gelu_tanh, gelu_tanh_derivative, slope_zero=(0.5, 0.5), slope_inf=(0, 1),
                   log_phi=log_gelu_tanh_tail, log_dphi=log_gelu_tanh_derivative_tail, tail_sign=-1.0,
                   formula="h (1 + tanh(sqrt(2/pi) (h + 0.044715 h^3)))/2", reference=_HG),
        Activation("silu", silu, silu_derivative, slope_zero=(0.5, 0.5), slope_inf=(0, 1), log_phi=log_silu_tail,
                   log_dphi=log_silu_derivative_tail, tail_sign=-1.0, formula="h/(1 + e^-h)",
                   reference="Ramachandran et al. 2017, arXiv:1710.05941"),
        Activation("mish", mish, mish_derivative, slope_zero=(0.6, 0.6), slope_inf=(0, 1), log_phi=log_mish_tail,
                   log_dphi=log_mish_derivative_tail, tail_sign=-1.0, formula="h tanh(ln(1 + e^h))",
                   reference="Misra 2019, arXiv:1908.08681"),
        Activation("sin", sin_activation, sin_derivative, slope_zero=(1, 1), formula="sin h",
                   reference="Sitzmann et al. 2020, arXiv:2006.09661"),
    )
}  # fmt: skip


def resolve_activation(activation: str | Activation) -> Activation:
    """The activation of a name such as ``"tanh"`` or ``"leaky_relu(0.2)"``; a user's own pair passes through.

    Raises
    ------
    ValueError
        Unknown name or parameter: says what was got, the nearest name and what is allowed.
    """
    if isinstance(activation, Activation) and not activation.built_in:
        return activation
    name, parameter = parse(getattr(activation, "name", activation), ACTIVATIONS, "activation")
    row = ACTIVATIONS[name]
    if row.parameter is None:
        if parameter is not None:
            raise ValueError(f"activation {name!r} takes no parameter, got {activation!r}.")
        return row
    alpha = row.alpha if parameter is None else parameter
    if name == "elu" and not alpha > 0:
        raise ValueError(f"activation {activation!r}: {row.parameter} must be {row.allowed}.")
    slopes = (alpha, 1.0)
    return replace(
        row,
        name=f"{name}({alpha:.12g})" if alpha != row.alpha else name,
        alpha=alpha,
        slope_zero=slopes,
        slope_inf=slopes if name == "leaky_relu" else row.slope_inf,
    )
