"""E[phi(sqrt(q) z)^2] and E[phi'(sqrt(q) z)^2] as functions of ln q, tabulated once per activation.

Both are analytic in ln q within |Im ln q| < pi/2, so 20 Chebyshev nodes on each unit of ln q hold them to rounding.
With the table a trajectory of 10,000 layers at 500 values of sigma_w takes a second, and a user's scalar Python phi
costs no more than the library's.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.polynomial.chebyshev import chebval

from gradsim.theory.quadrature import OSCILLATION, Array, feature_edges, gaussian_density, gaussian_grid, values
from gradsim_core.activations import Activation

SLOPE_RANGE = 83.0  # beyond |ln q| = 83 (|h| about 2^+-60) phi equals its asymptote at 0 or infinity to rounding
_TABLE_RANGE = 300  # |ln q| beyond which squares may leave float64
_PERIODS = 2.0  # a standard deviation of so many periods averages a wave out, to exp(-2 (2 pi)^2) = 5e-35
_ORDER = 20
_POINTS = np.cos(np.pi * (np.arange(_ORDER) + 0.5) / _ORDER)
_TO_COEFFICIENTS = np.linalg.inv(np.polynomial.chebyshev.chebvander(_POINTS, _ORDER - 1)).astype(np.float64)


class Moments:
    """Mean squares of phi and phi' under N(0, q), in natural logarithms, for any q from 0 to infinity.

    Parameters
    ----------
    activation
        Its phi, phi' and slopes are used in float64.
    """

    def __init__(self, activation: Activation) -> None:
        self.activation = activation
        self.edges, self.kinks = feature_edges(activation)
        self._slopes = activation.slope_inf or _measured(activation, 256.0, 512.0, 1e-12)
        self.slope_zero = _mean_square(activation.slope_zero or _measured(activation, 1e-30, 1e-33, 0.0))
        self.slope_inf = _mean_square(self._slopes)
        self.at_zero = float(values(activation, np.zeros(1))[0]) ** 2
        self._table = np.empty((_ORDER, 2, 2 * _TABLE_RANGE))
        self._filled = np.zeros(2 * _TABLE_RANGE, bool)
        # If phi has no slope at infinity, panels must stay narrow at any distance.
        self.panel = OSCILLATION if self._slopes is None else None
        self.wide, self.rise = np.inf, 0.0
        if activation.period is not None:  # phi is a line of slope `rise` and a wave, averaged out beyond q = `wide`
            period = float(activation.period)
            self.panel, self.wide = OSCILLATION * period / (2 * np.pi), (_PERIODS * period) ** 2
            rise = float(np.diff(activation(np.array([0.0, period])))[0])
            self.rise = rise / period if abs(rise) > 1e-9 else 0.0  # smaller values are rounding errors

    def log_moments(self, log_q: Any) -> tuple[Array, Array]:
        """Return ln E[phi(sqrt(q) z)^2] and ln E[phi'(sqrt(q) z)^2] at ln q; at -inf and +inf their limits.

        Both have the shape of ``log_q``. Without known slopes they are continued as powers of q beyond the table.
        """
        t = np.asarray(log_q, dtype=np.float64)
        forward, backward = self._with_a_wave(t) if self.wide < np.inf else self._tabulated(t)
        if self.slope_zero:
            small = t < -SLOPE_RANGE
            backward = np.where(small, np.log(self.slope_zero), backward)
            if self.at_zero == 0.0:
                forward = np.where(small, t + np.log(self.slope_zero), forward)
        if self.slope_inf:
            large = t > SLOPE_RANGE
            backward = np.where(large, np.log(self.slope_inf), backward)
            forward = np.where(large, t + np.log(self.slope_inf), forward)
        elif self.slope_inf == 0.0:
            backward = np.where(t == np.inf, -np.inf, backward)
        return forward, backward

    def _with_a_wave(self, t: Array) -> tuple[Array, Array]:
        """Both logarithms for a line plus a wave: under a wide Gaussian the wave averages out and the line remains."""
        edge = float(np.log(self.wide))
        forward, backward = self._tabulated(np.minimum(t, edge))
        beyond = np.maximum(t, edge)
        if self.rise:
            with np.errstate(divide="ignore"):
                line = 2 * np.log(abs(self.rise)) + beyond + np.log(-np.expm1(edge - beyond))
            forward = np.logaddexp(forward, line)
        return forward, backward

    def slope_of_map(self, q: float) -> float:
        """Return the derivative of E[phi(sqrt(q) z)^2] with respect to q."""
        if q > self.wide:
            return self.rise**2
        h, weights = self.grid(q)
        return float(weights @ (self.activation(h) * self.activation.derivative(h) * h)) / q

    def grid(self, q: float) -> tuple[Array, Array]:
        """Return nodes h and weights, which include the Gaussian density, for averages over N(0, q)."""
        deviation = float(np.sqrt(q))
        h, weights = gaussian_grid(self.edges, self.panel, deviation, deviation)
        return h, weights * gaussian_density(h, deviation)

    def _pair(self, h: Array) -> tuple[Array, Array]:
        """phi and phi' at h; their asymptotes where a user's own function overflows in an intermediate step."""
        phi, dphi = values(self.activation, h), values(self.activation.derivative, h)
        if self._slopes is not None:
            slope = np.where(h < 0.0, *self._slopes)
            phi = np.where(np.isfinite(phi), phi, slope * h)
            dphi = np.where(np.isfinite(dphi), dphi, slope)
        return phi, dphi

    def _tabulated(self, t: Array) -> tuple[Array, Array]:
        """Both logarithms from the table; beyond its ends powers of q, or constant if `log_moments` uses slopes."""
        low = -SLOPE_RANGE if self.slope_zero else float(-_TABLE_RANGE)
        high = SLOPE_RANGE if self.slope_inf else float(_TABLE_RANGE)
        inside = np.clip(np.nan_to_num(t, nan=0.0, posinf=high, neginf=low), low, high)
        value = self._at(inside, high)
        if self.slope_zero is None and np.any(t < low):
            value = np.where(t < low, value + self._power(low, high, t - low), value)
        if self.slope_inf is None and np.any(t > high):
            value = np.where(t > high, value + self._power(high - 1.0, high, t - high), value)
        forward, backward = np.where(np.isnan(t), np.nan, value).astype(np.float64)
        return forward, backward

    def _at(self, inside: Array, high: float) -> Array:
        """The table's two logarithms at ln q within it, `high` being its upper end."""
        segment = np.minimum(np.floor(inside), high - 1).astype(np.int64)
        place = segment + _TABLE_RANGE
        if not self._filled[place].all():
            for k in set(segment.ravel().tolist()):
                self._fill(k)
        return np.asarray(chebval(2.0 * (inside - segment) - 1.0, self._table[..., place], tensor=False), np.float64)

    def _power(self, start: float, high: float, distance: Array) -> Array:
        """Continuation of both logarithms over a distance in ln q, with their slopes from `start` to `start` + 1."""
        power = np.diff(self._at(np.array([start, start + 1.0]), high)).reshape(2, *[1] * distance.ndim)
        with np.errstate(invalid="ignore", over="ignore"):
            return np.where(np.abs(power) < 1e-9, 0.0, power * distance)

    def _fill(self, segment: int) -> None:
        """Put the Chebyshev coefficients of both logarithms on segment <= ln q <= segment + 1 into the table."""
        if self._filled[segment + _TABLE_RANGE]:
            return
        deviation = np.exp(0.5 * (segment + 0.5 + 0.5 * _POINTS))
        h, weights = gaussian_grid(self.edges, self.panel, float(deviation.max()), float(deviation.min()))
        unit = 2.0 ** np.round(np.log2(deviation.max()))  # the panels scale with it: the products below stay in range
        density = gaussian_density(h, deviation[:, None]) * unit
        with np.errstate(over="ignore", invalid="ignore"):
            averages = (np.stack(self._pair(h)) ** 2 * (weights / unit)) @ density.T
            logarithms = np.log(np.maximum(averages, np.finfo(float).tiny))  # a flat phi: chi_1 = 0
            self._table[..., segment + _TABLE_RANGE] = _TO_COEFFICIENTS @ logarithms.T
        self._filled[segment + _TABLE_RANGE] = True


@lru_cache(maxsize=64)
def moments(activation: Activation) -> Moments:
    """Return the cached :class:`Moments` of an activation."""
    return Moments(activation)


def _mean_square(slopes: tuple[float, float] | None) -> float | None:
    """Mean of the squared one-sided slopes: half of z falls on either side."""
    return None if slopes is None else 0.5 * (slopes[0] ** 2 + slopes[1] ** 2)


def _measured(activation: Activation, first: float, second: float, bound: float) -> tuple[float, float] | None:
    """One-sided slopes of an activation that declares none: phi' at two distances, if they agree to `bound`."""
    slopes = values(activation.derivative, np.array([[-first, first], [-second, second]]))
    agree = np.isfinite(slopes).all() and np.allclose(slopes[0], slopes[1], rtol=1e-12, atol=bound)
    return (float(slopes[1, 0]), float(slopes[1, 1])) if agree else None
