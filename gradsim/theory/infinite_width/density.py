"""The density of the squared singular values of Jacobians at infinite width."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradsim.theory.averages.functions import Array, ignoring_floating_point_errors
from gradsim.theory.infinite_width.free_product import Stack, log_t
from gradsim.theory.infinite_width.spectrum import stack_of
from gradsim_core.activations import Activation

Complex = NDArray[np.complex128]

_SIMILAR = 1e-3  # ln q of layers that are taken as alike: time grows with the number of laws of slopes
_ANGLES = 0.5 * np.pi * np.geomspace(1.0, 1e-5, 30)[1:]  # of lambda, on the way to the real axis
_STEP = 0.25  # of ln lambda, on the way down the imaginary axis


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
    The equation for z is solved by Newton's method down the imaginary axis, and from there along circles to the real
    one. Isolated values (a linear orthogonal network has one, sigma_w^(2 L)) show as narrow peaks.
    """
    stack = stack_of(activation, depth, sigma_w, sigma_b, law, output, _SIMILAR)
    log_x = np.asarray(log_square, np.float64) - stack.log_scale
    z, roots = _along_imaginary_axis(stack, log_x)
    for angle in _ANGLES:
        z, roots = _newton(stack, log_x + 1j * angle, z, roots)
    residual = _residual(stack, log_x + 1j * angle, z, roots)[0]
    density = -np.imag((1.0 + z) * np.exp(-1j * angle)) / np.pi
    return np.where(np.abs(residual) < 1e-6, np.maximum(density, 0.0), np.nan)


def _along_imaginary_axis(stack: Stack, log_x: Array) -> tuple[Complex, list[Complex]]:
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


def _newton(stack: Stack, target: Complex, z: Complex, roots: list[Complex]) -> tuple[Complex, list[Complex]]:
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
    stack: Stack, target: Complex, z: Complex, roots: list[Complex]
) -> tuple[Complex, Complex, list[tuple[Complex, Complex]]]:
    """ln lambda - target along M(t) = z, its derivative, and of every law of slopes M(t) - z and M'(t)."""
    ratio, ratio_slope = np.log((1.0 + z) / z), 1.0 / (1.0 + z) - 1.0 / z
    total, slope = ratio + stack.independent * np.log1p(z), ratio_slope + stack.independent / (1.0 + z)
    defects = []
    for each, w in zip(stack.slopes, roots, strict=True):
        value, rate = each.moment(w)
        defects.append((value - z, rate))
        gradient = 1.0 / (rate * w * (1.0 + w))  # of ln t, with respect to z
        at_z = log_t(w) - (value - z) * gradient  # at the root, to first order
        total = total - each.layers * (ratio + at_z)
        slope = slope - each.layers * (ratio_slope + gradient)
    difference = total - target
    turns = np.round(np.imag(difference) / (2.0 * np.pi))
    return difference - 2j * np.pi * turns, slope, defects
