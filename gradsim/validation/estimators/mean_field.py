"""Numbers of the mean field: fixed points, critical points, boundaries, and maps that are iterated."""

from __future__ import annotations

import math

from gradsim import theory
from gradsim.theory import MeanField, NoCriticalPoint


def _at(activation: str, sigma_w: float, sigma_b: float) -> MeanField:
    found: MeanField = theory.mean_field(activation, sigma_w, sigma_b)
    return found


def q_star(activation: str, sigma_w: float, sigma_b: float = 0.0) -> float:
    """Fixed point of the mean square preactivation."""
    return _at(activation, sigma_w, sigma_b).q_star


def c_star(activation: str, sigma_w: float, sigma_b: float = 0.0) -> float:
    """Stable fixed point of the correlation of two inputs."""
    return _at(activation, sigma_w, sigma_b).c_star


def xi_q(activation: str, sigma_w: float, sigma_b: float = 0.0) -> float:
    """Depth scale of q, in layers."""
    return _at(activation, sigma_w, sigma_b).xi_q


def xi_c(activation: str, sigma_w: float, sigma_b: float = 0.0) -> float:
    """Depth scale of the correlation, in layers."""
    return _at(activation, sigma_w, sigma_b).xi_c


def xi_grad(activation: str, sigma_w: float, sigma_b: float = 0.0) -> float:
    """Depth scale of the squared gradient, in layers; negative where it grows."""
    return _at(activation, sigma_w, sigma_b).xi_grad


def chi_1(activation: str, sigma_w: float, sigma_b: float = 0.0) -> float:
    """Factor of the mean square of delta per layer, at the fixed point."""
    return float(theory.chi_1(activation, sigma_w, sigma_b))


def jacobian_variance(activation: str, sigma_w: float, depth: int, law: str) -> float:
    """Variance of the squared singular values of the Jacobian at infinite width."""
    return float(theory.jacobian_spectrum(activation, depth, sigma_w, law=law).variance)


def jacobian_edge(activation: str, sigma_w: float, depth: int, law: str) -> float:
    """Largest squared singular value of the Jacobian at infinite width."""
    return math.exp(theory.jacobian_spectrum(activation, depth, sigma_w, law=law).log_edge)


def critical_sigma_w(activation: str, sigma_b: float = 0.0) -> float:
    """sigma_w at which chi_1 = 1."""
    return float(theory.critical_sigma_w(activation, sigma_b))


def critical_variance(activation: str, sigma_b: float = 0.0) -> float:
    """sigma_w^2 at which chi_1 = 1."""
    return critical_sigma_w(activation, sigma_b) ** 2


def critical_of_rescaled(activation: str, factor: float, stretch: float, sigma_b: float = 0.0) -> float:
    """sigma_w at which chi_1 = 1 for the activation factor * phi(stretch * h).

    The stretched preactivations are those of phi with sigma_w * factor * stretch and sigma_b * stretch.
    """
    return float(theory.critical_sigma_w(activation, sigma_b * stretch)) / (factor * stretch)


def boundary(activation: str, depth: int, sigma_b: float = 0.0) -> float:
    """sigma_w at which the gain over so many layers is 1, from the default input."""
    return float(theory.boundary(activation, depth, sigma_b))


def half_stable_q(activation: str) -> float:
    """q at the half-stable critical point."""
    return _half_stable(activation, "q")


def half_stable_weight_variance(activation: str) -> float:
    """sigma_w^2 at the half-stable critical point."""
    return _half_stable(activation, "sigma_w") ** 2


def half_stable_bias_variance(activation: str) -> float:
    """sigma_b^2 at the half-stable critical point."""
    return _half_stable(activation, "sigma_b") ** 2


def _half_stable(activation: str, column: str) -> float:
    points = theory.half_stable_points(activation)
    if len(points) == 0:
        raise NoCriticalPoint(f"{activation} has no half-stable point.")
    return float(points[column].iloc[0])


def correlation(activation: str, layers: int, c: float, sigma_w: float, sigma_b: float = 0.0) -> float:
    """Correlation of two inputs after so many layers of the map at q_star, starting from c."""
    q = _at(activation, sigma_w, sigma_b).q_star
    for _ in range(layers):
        c = float(theory.c_map(activation, c, sigma_w, sigma_b, q if 0.0 < q < math.inf else 1.0))
    return c


def decorrelation(activation: str, layers: int, c: float, sigma_w: float, power: float, sigma_b: float = 0.0) -> float:
    """(1 - c) * layers^power after so many layers: a constant where 1 - c falls as a power of the depth."""
    return (1.0 - correlation(activation, layers, c, sigma_w, sigma_b)) * math.pow(layers, power)


def relaxation(activation: str, layers: int, sigma_w: float) -> float:
    """q * layers after so many layers from the default input, without biases: a constant where q falls as 1 / depth."""
    return math.exp(theory.trajectory(activation, layers, sigma_w).log_q[-1]) * layers


ROWS = {
    function.__name__: function
    for function in (
        jacobian_variance, jacobian_edge, q_star, c_star, xi_q, xi_c, xi_grad, chi_1, critical_sigma_w,
        critical_variance, critical_of_rescaled, boundary, half_stable_q, half_stable_weight_variance,
        half_stable_bias_variance, correlation, decorrelation, relaxation,
    )
}  # fmt: skip
