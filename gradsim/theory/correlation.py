"""The correlation of two inputs: Gaussian averages of two variables, and the fixed point c_star."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from gradsim.theory.functions import Array
from gradsim.theory.hermite import FEWEST, MOST, series
from gradsim.theory.moments import Moments
from gradsim.theory.quadrature import gaussian_density, nodes_and_weights

_CHUNK = 256  # outer nodes at a time: bounds the memory
_REACH = 12.0  # standard deviations
_NEWTON_STEPS = 100
_ZERO = 1e-12
_NOISE = 1e-14  # rounding error of an average over two variables
_LOST = 1e-13  # error of c_star, and of chi_c, that the terms left out may make
_ENOUGH = 14.0  # c^MOST below exp(-14): more terms are worth their time


def fixed_correlation(
    table: Moments, q_star: float, sigma_w: float, sigma_b: float, chi_1: float
) -> tuple[float, float]:
    """Return c_star, and chi_c = sigma_w^2 E[phi'(u1) phi'(u2)] at c_star.

    The map of the correlation is a power series with non-negative coefficients. So it is convex on [0, 1], has the
    fixed point 1 with slope chi_1, and a second one below 1 exactly if chi_1 > 1; Newton's method from 0 rises to that
    one without overshoot.
    """
    if chi_1 <= 1.0 + 1e-12:
        return 1.0, chi_1
    c, chi_c = (0.0, None) if q_star > table.wide else _by_series(table, q_star, sigma_w, sigma_b)
    if chi_c is not None:
        return (c if c > _ZERO else 0.0), chi_c
    act, derivative = table.activation, table.activation.derivative
    for _ in range(_NEWTON_STEPS):
        image = (sigma_w**2 * pair_average(table, act, q_star, c) + sigma_b**2) / q_star
        slope = sigma_w**2 * pair_average(table, derivative, q_star, c)
        step = (image - c) / (1.0 - slope)
        if slope >= 1.0 or c + step >= 1.0:  # the two fixed points have merged to rounding
            return 1.0, chi_1
        c += step
        if abs(step) < max(1e-13, _NOISE / (1.0 - slope)):
            break
    return (c if c > _ZERO else 0.0), slope


def _by_series(table: Moments, q_star: float, sigma_w: float, sigma_b: float) -> tuple[float, float | None]:
    """The fixed point of the series with as many terms as it needs, and chi_c; None with a lower bound if too many.

    A series of positive terms that is cut off lies below the map, and so does its fixed point.
    """
    c, terms = 0.0, FEWEST
    while True:
        cut = series(table, q_star, terms)
        for _ in range(_NEWTON_STEPS):
            average, slope = cut.average(c)
            image, slope = (sigma_w**2 * average + sigma_b**2) / q_star, sigma_w**2 / q_star * slope
            step = (image - c) / (1.0 - slope)
            if slope >= 1.0 or c + step >= 1.0:
                return c, None
            c += step
            if abs(step) < 1e-14:
                break
        lost, slope_lost = (sigma_w**2 / q_star * part for part in cut.error(c))
        if lost < _LOST * (1.0 - slope) and slope_lost < _LOST:
            return c, slope
        if terms * 2 > MOST or MOST * np.log(max(c, _ZERO)) > -_ENOUGH:
            return c, None
        terms *= 2


def pair_average(table: Moments, f: Callable[[Array], Array], q: float, c: float) -> float:
    """Return E[f(u1) f(u2)] for u1, u2 ~ N(0, q) with correlation c in (-1, 1).

    The inner average over u2 given u1 is split at the kinks; the outer one also around the values of u1 at which the
    mean of u2 crosses a kink, on the scale on which the inner average smooths it. For a wave under a wide Gaussian only
    the variance of u1 - u2 (of u1 + u2 if c < 0) matters, so a narrower Gaussian gives the same average.
    """
    size = abs(c)
    if q > table.wide:
        near = math.copysign(max(0.0, 1.0 - (1.0 - size) * q / table.wide), c)
        rise = table.rise**2 if f is table.activation else 0.0
        return pair_average(table, f, table.wide, near) + rise * (c * q - near * table.wide)
    deviation, spread = float(np.sqrt(q)), float(np.sqrt(q * (1.0 - c * c)))
    if c == 0.0:
        h, weights = table.grid(q)
        return float(weights @ f(h)) ** 2
    centres = np.append(table.kinks, 0.0) / c
    scales = np.concatenate(
        [[0.0], spread / size * 2.0 ** np.arange(-1, max(1.0, np.log2(14 * size * deviation / spread)) + 1)]
    )
    around = (centres[:, None] + np.concatenate([-scales[:0:-1], scales])).ravel()
    even = deviation * _lattice(table, deviation)
    edges = np.unique(np.concatenate([even, table.edges, around]))
    u1, weights = nodes_and_weights(edges[np.abs(edges) <= _REACH * deviation])
    weights = weights * gaussian_density(u1, deviation) * f(u1)
    inner = [_inner_average(table, f, c * part, spread) for part in np.array_split(u1, len(u1) // _CHUNK + 1)]
    return float(weights @ np.concatenate(inner))


def _inner_average(table: Moments, f: Callable[[Array], Array], mean: Array, spread: float) -> Array:
    """E[f(mean + spread z)] for an array of means."""
    low, high = mean[:, None] - _REACH * spread, mean[:, None] + _REACH * spread
    lattice = mean[:, None] + spread * _lattice(table, spread)
    edges = np.clip(np.broadcast_to(table.edges, (len(mean), len(table.edges))), low, high)
    h, weights = nodes_and_weights(np.sort(np.concatenate([lattice, edges], axis=1), axis=1))
    average: Array = np.sum(weights * gaussian_density(h - mean[:, None], spread) * f(h), axis=1)
    return average


def _lattice(table: Moments, deviation: float) -> Array:
    """Even panel edges in standard deviations; as narrow in h as an oscillating activation needs."""
    panels = 16
    if table.panel is not None:
        panels = max(panels, int(2 * _REACH * deviation / table.panel) + 1)
    return np.linspace(-_REACH, _REACH, panels + 1)
