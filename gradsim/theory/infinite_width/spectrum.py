"""Squared singular values of the Jacobian of infinitely wide networks: their mean, variance, edge and density.

J = D_L W_L ... D_1 W_1, and at infinite width the matrices D_l and W_l are free. So the S-transform of J J^T is the product
of those of the W_l W_l^T, 1 / (1 + z) for independent entries and 1 for orthogonal matrices (of variance 1), and of the
D_l^2, whose elements are phi'(sqrt(q_l) z)^2 (Pennington, Schoenholz and Ganguli 2017 and 2018, arXiv:1711.04735 and
1802.09979). With M(t) = E[t d^2 / (1 - t d^2)], S(M(t)) = t (1 + M(t)) / M(t). A point lambda of the spectrum of J J^T
and its moment function z belong together by

    lambda = (1 + z) / (z S(z)),    G(lambda) = (1 + z) / lambda.

The upper edge is the least lambda over z > 0. With Gaussian linear networks it is (L + 1)^(L + 1) / L^L.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from gradsim.errors import SweepError
from gradsim.sweep.activations import check_law
from gradsim.theory.averages.functions import Array, ignoring_floating_point_errors
from gradsim.theory.averages.moments import moments
from gradsim.theory.errors import check_count, check_sigma_b, check_sigma_w
from gradsim.theory.infinite_width.finite_depth import trajectory
from gradsim.theory.memory import current
from gradsim_core.activations import Activation
from gradsim_core.laws import resolve_law

Complex = NDArray[np.complex128]

DEEPEST = 2**12
"""Most layers: each has a law of slopes of its own."""
_EXTREME = 150.0  # |ln q| beyond which phi' is that of the asymptote
_SAME = 1e-9  # ln q of layers that are taken as alike
_LOG_Z = np.linspace(-18.0, 36.0, 217)
_SIMILAR = 1e-3  # ln q of layers that are taken as alike for the density, which takes a thousand times as long
_ANGLES = 0.5 * np.pi * np.geomspace(1.0, 1e-5, 30)[1:]  # of lambda, on the way to the real axis
_NEGLIGIBLE = 1e-18  # weight of a node
_STEP = 0.25  # of ln lambda, on the way down the imaginary axis


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


class _Slopes(NamedTuple):
    """The law of d^2 in one or several layers that are alike: values in units of `scale`, their largest, and shares.

    M is a function of w = t / (1 - t), with which no digits are lost as t nears 1.
    """

    squares: Array
    weights: Array
    scale: float
    layers: int

    def moment(self, w: Any) -> tuple[Any, Any]:
        """M and its derivative with respect to w (points,)."""
        part = 1.0 / (1.0 + w[:, None] * (1.0 - self.squares))
        return w * (part @ (self.squares * self.weights)), (part * part) @ (self.squares * self.weights)

    def inverse(self, z: Array) -> Array:
        """w with M = z > 0: Newton's method in logarithms, where M has a slope between 0 and 1."""
        w = z / (self.squares @ self.weights)
        for _ in range(100):
            value, rate = self.moment(w)
            step = np.log(value / z) * value / (rate * w)
            w = w * np.exp(-np.clip(step, -20.0, 20.0))
            if (np.abs(step) <= 1e-13).all():
                break
        return np.asarray(w, np.float64)


class _Stack(NamedTuple):
    """All layers: laws of slopes, how many matrices have independent entries, and ln of the scale of lambda."""

    slopes: tuple[_Slopes, ...]
    independent: int
    log_scale: float
    bounded: bool

    def log_lambda(self, log_z: Array) -> Array:
        """ln lambda at z > 0."""
        z = np.exp(log_z)
        ratio = np.log1p(z) - log_z  # ln((1 + z) / z)
        total = ratio + self.independent * np.log1p(z)
        for each in self.slopes:
            total = total - each.layers * (ratio + _log_t(each.inverse(z)))
        return total + self.log_scale

    def edge(self) -> float:
        """ln of the upper edge: the first minimum of ln lambda."""
        if not self.bounded:
            return np.inf
        scan = self.log_lambda(_LOG_Z)
        rising = np.flatnonzero(np.diff(scan) > 0.0)
        k = int(rising[0]) if rising.size else len(scan) - 1
        if k in (0, len(scan) - 1):
            return float(scan[k])
        found = minimize_scalar(
            lambda x: float(self.log_lambda(np.array([x]))[0]), bounds=(_LOG_Z[k - 1], _LOG_Z[k + 1]),
            method="bounded", options={"xatol": 1e-9},
        )  # fmt: skip
        return float(found.fun)


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
    networks with independent entries; 0 and L with orthogonal matrices (arXiv:1711.04735, section 2.5).

    Examples
    --------
    >>> jacobian_spectrum("relu", depth=8, sigma_w=2**0.5).variance
    16.0
    >>> round(jacobian_spectrum("linear", depth=4, sigma_w=1.0).log_edge, 6)  # ln(5^5 / 4^4)
    2.502012
    """
    stack = _stack(activation, depth, sigma_w, sigma_b, law, output)
    log_mean, variance = stack.log_scale, float(stack.independent)
    for each in stack.slopes:
        mean = float(each.squares @ each.weights)
        if mean == 0.0:
            return JacobianSpectrum(-np.inf, np.nan, -np.inf)
        log_mean += each.layers * np.log(mean)
        variance += each.layers * float(np.square(each.squares / mean - 1.0) @ each.weights)
    return JacobianSpectrum(float(log_mean), variance if stack.bounded or variance < 1e12 else np.inf, stack.edge())


@ignoring_floating_point_errors
def jacobian_density(
    log_square: Any,
    activation: str | Activation,
    depth: int,
    sigma_w: float,
    sigma_b: float = 0.0,
    law: str = "gaussian",
    output: str = "activation",
) -> Array:
    """Return the density of ln s^2 at infinite width, without the part at s = 0.

    Parameters
    ----------
    log_square
        Values of ln s^2 (points,).
    activation, depth, sigma_w, sigma_b, law, output
        As in `jacobian_spectrum`.

    Returns
    -------
    float64 array (points,)
        Density in ln s^2: its integral is the share of singular values that are not 0. NaN where it was not found.

    Notes
    -----
    The equation for z is solved by Newton's method down the imaginary axis, and from there along circles to the real one. Isolated values
    (a linear orthogonal network has one, sigma_w^(2 L)) show as narrow peaks.
    """
    stack = _stack(activation, depth, sigma_w, sigma_b, law, output, _SIMILAR)
    log_x = np.asarray(log_square, np.float64) - stack.log_scale
    z, roots = _along_imaginary_axis(stack, log_x)
    for angle in _ANGLES:
        z, roots = _newton(stack, log_x + 1j * angle, z, roots)
    residual = _residual(stack, log_x + 1j * angle, z, roots)[0]
    density = -np.imag((1.0 + z) * np.exp(-1j * angle)) / np.pi
    return np.where(np.abs(residual) < 1e-6, np.maximum(density, 0.0), np.nan)


def _along_imaginary_axis(stack: _Stack, log_x: Array) -> tuple[Complex, list[Complex]]:
    """z at lambda = i x, and w of every law of slopes: from large x down, where z is the mean of lambda over lambda."""
    means = [float(each.squares @ each.weights) for each in stack.slopes]
    log_mean = sum(each.layers * np.log(mean) for each, mean in zip(stack.slopes, means, strict=True))
    top = max(float(log_x.max()), stack.edge() - stack.log_scale) + 8.0
    z = np.exp(np.array([log_mean - top - 0.5j * np.pi]))
    roots: list[Complex] = [z / mean for mean in means]
    found = np.empty((1 + len(roots), len(log_x)), np.complex128)
    place = top
    for k in np.argsort(-log_x):
        steps = int(np.ceil((place - log_x[k]) / _STEP))
        for level in np.linspace(place, log_x[k], max(steps, 1) + 1)[1:]:
            z, roots = _newton(stack, np.array([level + 0.5j * np.pi]), z, roots)
        place = float(log_x[k])
        found[:, k] = [z[0], *(w[0] for w in roots)]
    return found[0], list(found[1:])


def _log_t(w: Any) -> Any:
    """ln t = ln(w / (1 + w))."""
    return np.log(w) - np.log1p(w)


def _newton(stack: _Stack, target: Complex, z: Complex, roots: list[Complex]) -> tuple[Complex, list[Complex]]:
    """Solve for z at ln lambda = target, and for the w of every law of slopes at z, from values near by."""
    for _ in range(12):
        residual, slope, defects = _residual(stack, target, z, roots)
        step = residual / slope
        step = step * np.minimum(1.0, 0.5 * np.abs(z) / np.maximum(np.abs(step), 1e-300))
        z = z - step
        roots = [w - (defect + step) / rate for w, (defect, rate) in zip(roots, defects, strict=True)]
        if (np.abs(residual) < 1e-9).all():
            break
    return z, roots


def _residual(
    stack: _Stack, target: Complex, z: Complex, roots: list[Complex]
) -> tuple[Complex, Complex, list[tuple[Complex, Complex]]]:
    """ln lambda - target along M(t) = z, its derivative, and of every law of slopes M(t) - z and M'(t)."""
    ratio, ratio_slope = np.log((1.0 + z) / z), 1.0 / (1.0 + z) - 1.0 / z
    total, slope = ratio + stack.independent * np.log1p(z), ratio_slope + stack.independent / (1.0 + z)
    defects = []
    for each, w in zip(stack.slopes, roots, strict=True):
        value, rate = each.moment(w)
        defects.append((value - z, rate))
        gradient = 1.0 / (rate * w * (1.0 + w))  # of ln t, with respect to z
        at_z = _log_t(w) - (value - z) * gradient  # at the root, to first order
        total = total - each.layers * (ratio + at_z)
        slope = slope - each.layers * (ratio_slope + gradient)
    difference = total - target
    turns = np.round(np.imag(difference) / (2.0 * np.pi))
    return difference - 2j * np.pi * turns, slope, defects


def _stack(
    activation: str | Activation, depth: int, sigma_w: float, sigma_b: float, law: str, output: str, same: float = _SAME
) -> _Stack:
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
    return _Stack(tuple(slopes), depth if independent else 0, float(log_scale), bounded)


def _slopes(activation: Activation, q: float, layers: int) -> tuple[_Slopes, bool]:
    """The law of d^2 at one q, and whether phi' is bounded."""
    if activation.homogeneous:
        squares, weights = activation.derivative([-1.0, 1.0]) ** 2, np.array([0.5, 0.5])
        return _Slopes(squares / squares.max(), weights, float(squares.max()), layers), True
    table = moments(activation)
    h, weights = table.grid(q)
    h, weights = h[weights > _NEGLIGIBLE], weights[weights > _NEGLIGIBLE]
    squares = table.activation.derivative(h) ** 2
    largest = float(squares.max())
    beyond = table.activation.derivative(np.sqrt(q) * np.array([-1e6, -1e4, -100.0, 100.0, 1e4, 1e6])) ** 2
    bounded = bool(np.isfinite(largest) and not (beyond > 1.01 * largest).any())
    return _Slopes(squares / (largest or 1.0), weights / weights.sum(), largest or 1.0, layers), bounded


def check_output(output: object) -> None:
    """Raise SweepError unless it is one of the two ends of J."""
    if output not in ("activation", "preactivation"):
        raise SweepError("output", output, "activation or preactivation", "Leave it out for the activation")
