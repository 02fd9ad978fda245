"""Squared singular values of the Jacobian of infinitely wide networks: their mean, variance and upper edge.

J = D_L W_L ... D_1 W_1, and at infinite width the matrices D_l and W_l are free. So the S-transform of J J^T is the
product of those of the W_l W_l^T, 1 / (1 + z) for independent entries and 1 for orthogonal matrices (of variance 1),
and of the D_l^2, whose elements are phi'(sqrt(q_l) z)^2 (Pennington, Schoenholz and Ganguli 2017 and 2018,
arXiv:1711.04735 and 1802.09979). A point lambda of the spectrum of J J^T and its moment function z belong together by

    lambda = (1 + z) / (z S(z)),    G(lambda) = (1 + z) / lambda.

The upper edge is the least lambda over z > 0. With Gaussian linear networks it is (L + 1)^(L + 1) / L^L.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gradsim.activations import check_law
from gradsim.errors import SweepError
from gradsim.theory.averages.functions import ignoring_floating_point_errors
from gradsim.theory.averages.moments import moments
from gradsim.theory.errors import check_count, check_sigma_b, check_sigma_w
from gradsim.theory.infinite_width.finite_depth import trajectory
from gradsim.theory.infinite_width.free_product import Slopes, Stack
from gradsim.theory.memory import current
from gradsim_core.activations import Activation
from gradsim_core.laws import resolve_law

DEEPEST = 2**12
"""Most layers: each has a law of slopes of its own."""
_EXTREME = 150.0  # |ln q| beyond which phi' is that of the asymptote
_SAME = 1e-9  # ln q of layers that are taken as alike
_NEGLIGIBLE = 1e-18  # weight of a node, and its share of the mean


class JacobianSpectrum(NamedTuple):
    """Squared singular values s^2 of J at infinite width.

    Attributes
    ----------
    log_mean
        ln E s^2, the sum of ln chi over the layers: L ln chi_1 at the fixed point of q.
    relative_variance
        Var s^2 / (E s^2)^2: at a critical sigma_w the variance itself. Each layer adds Var d^2 / (E d^2)^2, and 1 if
        the entries of its matrix are independent.
    log_edge
        ln of the largest s^2; inf if phi' is unbounded.
    """

    log_mean: float
    relative_variance: float
    log_edge: float

    @property
    def mean(self) -> float:
        """E s^2; inf beyond float64."""
        with np.errstate(over="ignore", under="ignore"):
            return float(np.exp(np.float64(self.log_mean)))

    @property
    def variance(self) -> float:
        """Var s^2; inf beyond float64."""
        with np.errstate(over="ignore", under="ignore"):
            return self.relative_variance * float(np.exp(np.float64(2.0 * self.log_mean)))


@ignoring_floating_point_errors
def jacobian_spectrum(
    activation: str | Activation,
    depth: int,
    sigma_w: float,
    sigma_b: float = 0.0,
    law: str = "gaussian",
    output: str = "activation",
) -> JacobianSpectrum:
    """Return the mean, variance and upper edge of the squared singular values of the Jacobian.

    Parameters
    ----------
    activation
        A name, or a user's own activation.
    depth
        Number of layers L, to 4096.
    sigma_w, sigma_b
        Standard deviations. q starts from the default input, q_1 = sigma_w^2 + sigma_b^2.
    law
        Weight law: "orthogonal", or any of independent entries, which are all alike at infinite width.
    output : {"activation", "preactivation"}
        Whether J ends with the slopes of the last layer, or with its weights.

    Raises
    ------
    SweepError
        For an argument that is not valid.

    Notes
    -----
    At the fixed point of q and chi_1 = 1 the variance is L (E d^4 / (E d^2)^2 - 1 + 1): L for linear and 2 L for relu
    networks with independent entries; 0 and L with orthogonal matrices (arXiv:1711.04735).

    Examples
    --------
    >>> round(jacobian_spectrum("relu", depth=8, sigma_w=2**0.5).variance, 6)
    16.0
    >>> round(jacobian_spectrum("linear", depth=4, sigma_w=1.0).log_edge, 6)  # ln(5^5 / 4^4)
    2.502012
    """
    stack = stack_of(activation, depth, sigma_w, sigma_b, law, output)
    log_mean, variance = stack.log_scale, float(stack.independent)
    for each in stack.slopes:
        mean = float(each.squares @ each.weights)
        if mean == 0.0:
            return JacobianSpectrum(-np.inf, np.nan, -np.inf)
        log_mean += each.layers * np.log(mean)
        variance += each.layers * float(np.square(each.squares / mean - 1.0) @ each.weights)
    return JacobianSpectrum(float(log_mean), variance if stack.bounded or variance < 1e12 else np.inf, stack.edge())


def stack_of(
    activation: str | Activation, depth: int, sigma_w: float, sigma_b: float, law: str, output: str, same: float = _SAME
) -> Stack:
    """Return the laws of all layers; those whose ln q differs by less than `same` are taken as alike."""
    depth = check_count("depth", depth, DEEPEST)
    sigma_w, sigma_b = check_sigma_w(sigma_w), check_sigma_b(sigma_b)
    check_output(output)
    independent = resolve_law(check_law("law", law)).draw is not None
    log_q = trajectory(activation, depth, sigma_w, sigma_b).log_q[: depth - (output == "preactivation")]
    found = current(activation)
    log_q = np.clip(log_q, -_EXTREME, _EXTREME) if not found.homogeneous else np.zeros(len(log_q))
    slopes, log_scale, bounded = [], 2.0 * depth * np.log(sigma_w), True
    level, layers = np.unique(np.round(log_q / same), return_inverse=True, return_counts=True)[1:]
    for k, count in enumerate(layers):
        each, fine = _slopes(found, float(np.exp(log_q[level == k].mean())), int(count))
        bounded &= fine
        log_scale += each.layers * np.log(each.scale)
        slopes.append(each)
    return Stack(tuple(slopes), depth if independent else 0, float(log_scale), bounded)


def _slopes(activation: Activation, q: float, layers: int) -> tuple[Slopes, bool]:
    """The law of d^2 at one q, and whether phi' is bounded."""
    if activation.homogeneous:
        squares, weights = activation.derivative([-1.0, 1.0]) ** 2, np.array([0.5, 0.5])
        return Slopes(squares / squares.max(), weights, float(squares.max()), layers), True
    table = moments(activation)
    h, weights = table.grid(q)
    squares = table.activation.derivative(h) ** 2
    matters = (weights > _NEGLIGIBLE) | (weights * squares > _NEGLIGIBLE * (weights @ squares))
    h, weights, squares = h[matters], weights[matters], squares[matters]
    largest = float(squares.max())
    beyond = table.activation.derivative(np.sqrt(q) * np.array([-1e6, -1e4, -100.0, 100.0, 1e4, 1e6])) ** 2
    bounded = bool(np.isfinite(largest) and not (beyond > 1.01 * largest).any())
    return Slopes(squares / (largest or 1.0), weights / weights.sum(), largest or 1.0, layers), bounded


def check_output(output: object) -> None:
    """Raise SweepError unless it is one of the two ends of J."""
    if output not in ("activation", "preactivation"):
        raise SweepError("output", output, "activation or preactivation", "Leave it out for the activation")
