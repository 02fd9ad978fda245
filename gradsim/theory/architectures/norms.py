"""The table of norms at infinite width: what each makes of a Gaussian vector, of phi of one, and of their errors.

A norm divides by a root r of a mean square; errors are divided by the same r. `layer` takes the variance over neurons:
the same as `rms` for a Gaussian vector, which has mean 0, but not for phi of one, of which E[phi]^2 is subtracted.
`batch` takes the variance over inputs, of which there are infinitely many: independent ones, with independent readouts.
`dyt` and `derf` are activations: tanh(x) of Zhu et al. 2025 (arXiv:2503.10622), and erf(x / 2).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from gradsim.theory.architectures.alike import Alike
from gradsim.theory.architectures.composed import composed
from gradsim.theory.architectures.kernels import log, variance
from gradsim.theory.architectures.steps import Covariance, Pull, Step, chain, elementwise, identity
from gradsim.theory.averages.functions import Array
from gradsim.theory.averages.moments import Moments, moments
from gradsim.theory.averages.pairs import inner_average
from gradsim.theory.averages.quadrature import gaussian_density, gaussian_grid
from gradsim.theory.errors import NoMeanField
from gradsim_core.activations import Activation, resolve_activation
from gradsim_core.activations.table import Row

_WIDEST = 1e6  # of the means of neurons, in standard deviations over inputs
_CHUNK = 256  # outer nodes at a time: bounds the memory


class Norm(NamedTuple):
    """A norm.

    Attributes
    ----------
    apply
        The norm, of a Gaussian vector.
    before
        phi(norm(h)), for a Gaussian vector h and the table of phi.
    after
        norm(phi(h)).
    inputs
        How many inputs it looks at.
    dividing
        Whether it divides by a number, so that a Gaussian vector stays one.
    """

    apply: Step
    before: Callable[[Moments], Step]
    after: Callable[[Moments], Step]
    inputs: float = 1.0
    dividing: bool = True


def _none(log_epsilon: float) -> Norm:
    return Norm(identity, elementwise, elementwise)


def _divided(x: Covariance, log_r2: Array | float) -> tuple[Covariance, Pull]:
    return x.scaled(-log_r2), lambda errors: errors - x.between(log_r2)


def _rms(log_epsilon: float) -> Norm:
    def apply(x: Covariance) -> tuple[Covariance, Pull]:
        return _divided(x, np.logaddexp(x.log_q, log_epsilon))

    return Norm(apply, lambda table: chain(apply, elementwise(table)), lambda table: chain(elementwise(table), apply))


def _layer(log_epsilon: float) -> Norm:
    def after(table: Moments) -> Step:
        def step(x: Alike) -> tuple[Alike, Pull]:
            y, pull = elementwise(table)(x)
            spread = log(variance(table, math.exp(x.log_q)))
            y, divide = _divided(Alike(spread, spread, x.vectors), float(np.logaddexp(spread, log_epsilon)))
            return y, lambda errors: pull(divide(errors))

        return step

    return _rms(log_epsilon)._replace(after=after)


def _batch(log_epsilon: float) -> Norm:
    def apply(x: Alike) -> tuple[Alike, Pull]:
        centred = Alike(x.log_d, x.log_d, x.vectors)  # the mean over inputs is what they have in common
        return _divided(centred, float(np.logaddexp(x.log_d, log_epsilon)))

    def after(table: Moments) -> Step:
        def step(x: Alike) -> tuple[Alike, Pull]:
            log_q, log_slope = _over_neurons(table, x, math.exp(log_epsilon))
            return Alike(log_q, log_q, x.vectors), lambda errors: x.weighted(errors, np.array([log_slope, -np.inf]))

        return step

    return Norm(apply, lambda table: chain(apply, elementwise(table)), after, inputs=math.inf)


def _over_neurons(table: Moments, x: Alike, epsilon: float) -> tuple[float, float]:
    """ln of the mean squares of norm(phi(h)) and of its slope, over neurons and inputs.

    A neuron's h has over the inputs a mean m ~ N(0, q - d), which differs between neurons, and the variance d.
    """
    f, df = table.activation, table.activation.derivative
    spread, common = math.exp(0.5 * x.log_d), math.exp(0.5 * float(x.products()[1]))
    if not common <= _WIDEST * spread:
        raise NoMeanField("Biases are so large beside the weights that batch norm after an activation is not computed.")
    m, weights = np.zeros(1), np.ones(1)
    if common > 1e-8 * spread:
        scales = spread * 2.0 ** np.arange(-1.0, max(1.0, math.log2(14.0 * common / spread)) + 1.0)
        around = np.append(table.kinks, 0.0)[:, None] + np.concatenate([-scales[::-1], scales])
        m, weights = gaussian_grid(np.append(table.edges, around), table.panel, common, common)
        weights = weights * gaussian_density(m, common)
    parts = np.array_split(m, len(m) // _CHUNK + 1)
    mean, square, slope = (
        np.concatenate([inner_average(table, g, part, spread) for part in parts])
        for g in (f, lambda h: f(h) ** 2, lambda h: df(h) ** 2)
    )
    variances = np.maximum(square - mean**2, 0.0)
    log_q, log_slope = np.log(
        [weights @ (variances / (variances + epsilon)), weights @ (slope / (variances + epsilon))]
    )
    return float(log_q), float(log_slope)


def _elementwise(activation: Activation) -> Callable[[float], Norm]:
    """An activation in place of a norm."""

    def norm(log_epsilon: float) -> Norm:
        return Norm(
            elementwise(moments(activation)),
            lambda table: elementwise(moments(composed(table.activation.activation, activation))),
            lambda table: elementwise(moments(composed(activation, table.activation.activation))),
            dividing=False,
        )

    return norm


_ERF = resolve_activation("erf")
DERF: Activation = Row("derf", lambda h, _: _ERF(0.5 * h), lambda h, _: 0.5 * _ERF.derivative(0.5 * h))

NORMS: dict[str, Callable[[float], Norm]] = {
    "none": _none, "layer": _layer, "rms": _rms, "batch": _batch, "dyt": _elementwise(resolve_activation("tanh")),
    "derf": _elementwise(DERF),
}  # fmt: skip
"""Each takes ln of the epsilon that is added to a mean square."""
