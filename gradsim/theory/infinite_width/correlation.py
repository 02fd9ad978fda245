"""The fixed point c_star of the correlation of two inputs."""

from __future__ import annotations

import numpy as np

from gradsim.theory.averages.hermite import FEWEST, MOST, series
from gradsim.theory.averages.moments import Moments
from gradsim.theory.averages.pairs import pair_average

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
