"""Averages of an activation over two Gaussians of the same variance, and their distance from those over one."""

from __future__ import annotations

import math

import numpy as np

from gradsim.theory.averages.hermite import series
from gradsim.theory.averages.moments import SLOPE_RANGE, Moments
from gradsim.theory.averages.pairs import pair_average
from gradsim.theory.errors import NoMeanField

_TERMS = 64, 256, 1024  # of power series in the correlation; beyond, averages over two variables are as fast
_LOST = 1e-11  # share of a result that terms left out may make
_ROUNDING = 1e-15  # a correlation below it is 0
_NEAR = 1e-10  # 1 - c: what a line gives is right to 1e-5, and differences of averages are lost to rounding
_SMALL_ANGLE = 0.05  # below which sin t - t cos t is a series, to rounding


def averages_of_two(table: Moments, log_q: float, log_d: float, forward: float, backward: float) -> tuple[float, float]:
    """Return ln(E[phi(u1)^2] - E[phi(u1) phi(u2)]) and ln E[phi'(u1) phi'(u2)], for correlations from 0 to 1.

    Parameters
    ----------
    table
        Of the activation.
    log_q, log_d
        ln of the variance q of u1 and u2, and of q (1 - c) for their correlation c; 1 - c is their ``share``.
    forward, backward
        ln E[phi(u1)^2] and ln E[phi'(u1)^2].
    """
    if log_d == -math.inf:
        return -math.inf, backward
    slopes = _slopes(table, log_q)
    if slopes is not None:
        return _of_two_lines(slopes, log_q, min(0.0, log_d - log_q))
    if not abs(log_q) <= SLOPE_RANGE:
        raise NoMeanField(
            f"ln of a mean square is {log_q:.6g}: averages of {table.activation.activation.name} over two vectors are "
            f"computed within +-{SLOPE_RANGE:g}. Take a norm, fewer blocks, or other standard deviations."
        )
    q, share = math.exp(log_q), math.exp(min(0.0, log_d - log_q))
    if 1.0 - share < _ROUNDING:
        return log(variance(table, q)), 2.0 * log(abs(mean_slope(table, q)))
    # phi is a line between two Gaussians as close as that, but for those that have a kink between them
    return _of_series(table, q, share, math.exp(forward)) or (log_d + backward, backward)


def variance(table: Moments, q: float) -> float:
    """Return the variance of phi(sqrt(q) z)."""
    h, weights = table.grid(q)
    phi = table.activation(h)
    return float(weights @ (phi - weights @ phi) ** 2)


def mean_slope(table: Moments, q: float) -> float:
    """Return E[phi'(sqrt(q) z)]."""
    h, weights = table.grid(q)
    return float(weights @ table.activation.derivative(h))


def _slopes(table: Moments, log_q: float) -> tuple[float, float] | None:
    """One-sided slopes, if phi is a line on each side of 0 at this size of h."""
    if table.activation.activation.homogeneous or (log_q < -SLOPE_RANGE and table.at_zero == 0.0):
        return table.ends[0]
    return table.ends[1] if log_q > SLOPE_RANGE and table.slope_inf else None


def _of_two_lines(slopes: tuple[float, float], log_q: float, log_share: float) -> tuple[float, float]:
    """Both averages for phi(h) = p h + r |h|: Cho and Saul 2009, with the angle between u1 and u2."""
    p, r = 0.5 * (slopes[1] + slopes[0]), 0.5 * (slopes[1] - slopes[0])
    share = math.exp(log_share)
    angle = 2.0 * math.asin(math.sqrt(0.5 * share))
    bent = 1.0 - 2.0 / math.pi * _sine_less_cosine(angle) / share if share > 0.0 else 1.0
    log_slope = log(p * p + r * r * (1.0 - 2.0 * angle / math.pi))
    return log_q + log_share + log(p * p + r * r * bent), log_slope


def _sine_less_cosine(t: float) -> float:
    """sin t - t cos t."""
    if t > _SMALL_ANGLE:
        return math.sin(t) - t * math.cos(t)
    return t**3 / 3.0 * (1.0 - t**2 / 10.0 + t**4 / 280.0 - t**6 / 15120.0)


def _of_series(table: Moments, q: float, share: float, square: float) -> tuple[float, float] | None:
    """Both averages from the coefficients of phi in Hermite polynomials, or by quadrature; None near c = 1."""
    c = 1.0 - share
    for terms in _TERMS:
        cut = series(table, q, terms)
        powers = np.arange(terms) * math.log1p(-share)
        difference = float(cut.squares @ -np.expm1(powers)) + cut.rest
        slope = cut.average(c)[1] / q
        lost, slope_lost = cut.error(c)
        if lost <= _LOST * difference and slope_lost / q <= _LOST * slope:
            return log(difference), log(slope)
    if share < _NEAR:
        return None
    difference = square - pair_average(table, table.activation, q, c)
    return log(difference), log(pair_average(table, table.activation.derivative, q, c))


def log(value: float) -> float:
    """ln of a number; -inf for 0."""
    return math.log(value) if value > 0.0 else -math.inf
