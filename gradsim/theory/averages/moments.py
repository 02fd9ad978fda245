"""E[phi(sqrt(q) z)^2] and E[phi'(sqrt(q) z)^2] as functions of ln q, tabulated once per activation.

Both are analytic in ln q within |Im ln q| < pi/2, so 20 Chebyshev nodes on each unit of ln q hold them to rounding.
With the table a trajectory of 10,000 layers at 500 values of sigma_w takes a second, and a user's scalar Python phi
costs no more than the library's.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.polynomial.chebyshev import chebval

from gradsim.errors import SweepError
from gradsim.theory.averages.functions import Array, Extended, ignoring_floating_point_errors, refusal, values
from gradsim.theory.averages.quadrature import OSCILLATION, feature_edges, gaussian_density, gaussian_grid
from gradsim.theory.memory import kept
from gradsim_core.activations import Activation

SLOPE_RANGE = 83.0  # beyond |ln q| = 83 (|h| about 2^+-60) phi equals its asymptote at 0 or infinity to rounding
_TABLE_RANGE = 300  # |ln q| beyond which squares may leave float64
_PERIODS = 2.0  # a standard deviation of so many periods averages a wave out, to exp(-2 (2 pi)^2) = 5e-35
_BOTH_SIDES = np.concatenate(
    [np.arange(-14.0, 0.0), np.arange(1.0, 15.0)]
)  # standard deviations at which the growth of phi and phi' is looked at
_NEGLIGIBLE = 28.0  # a share of exp(-28) of an average is lost to rounding
_LARGEST = 700.0  # ln of a square that stays in float64
_FLAT = -707.0  # ln of a mean square below which it is 0
_ORDER = 20
_POINTS = np.cos(np.pi * (np.arange(_ORDER) + 0.5) / _ORDER)
_TO_COEFFICIENTS = np.linalg.inv(np.polynomial.chebyshev.chebvander(_POINTS, _ORDER - 1)).astype(np.float64)


class Moments:
    """Mean squares of phi and phi' under N(0, q), in natural logarithms, for any q from 0 to infinity.

    Parameters
    ----------
    activation
        Its phi, phi' and slopes are used in float64.

    Attributes
    ----------
    ends
        One-sided slopes of phi at 0 and at infinity; None where there are none.
    slope_zero, slope_inf
        Their mean squares.
    grown
        ln q beyond which phi grows too fast for its average to be computed: what is given there is a lower bound,
        since such averages are log-convex in ln q. Mostly inf.
    """

    def __init__(self, activation: Activation) -> None:
        self.activation = Extended(activation)
        self.edges, self.kinks = feature_edges(self.activation)
        self.ends = activation.slope_zero or _slopes_at_zero(activation), self.activation.slopes
        self.slope_zero, self.slope_inf = map(_mean_square, self.ends)
        if np.inf in (self.slope_zero, self.slope_inf):
            raise refusal(activation.name, "the square of dphi leaves float64 at h = 1e-30 or h = 512", "Scale it down")
        self.at_zero = float(values(activation, np.zeros(1))[0]) ** 2
        self._table = np.empty((_ORDER, 2, 2 * _TABLE_RANGE))
        self._filled = np.zeros(2 * _TABLE_RANGE, bool)
        # If phi has no asymptotes, panels must stay narrow at any distance.
        self._smooth = self.activation.slopes is not None or self.activation.tailed
        self.panel = None if self._smooth else OSCILLATION
        self._low = -SLOPE_RANGE if self.slope_zero else float(-_TABLE_RANGE)
        self._high, self.grown, self._unknown = self._end()
        self.wide, self.rise = np.inf, 0.0
        if activation.period is not None:  # phi is a line of slope `rise` and a wave, averaged out beyond q = `wide`
            period = float(activation.period)
            self.panel, self.wide = OSCILLATION * period / (2 * np.pi), (_PERIODS * period) ** 2
            rise = float(np.diff(activation(np.array([0.0, period])))[0])
            self.rise = rise / period if abs(rise) > 1e-9 else 0.0  # smaller values are rounding errors

    @ignoring_floating_point_errors
    def log_moments(self, log_q: Any) -> tuple[Array, Array]:
        """Return ln E[phi(sqrt(q) z)^2] and ln E[phi'(sqrt(q) z)^2] at ln q; at -inf and +inf their limits.

        Both have the shape of ``log_q``. Without known slopes they are continued as powers of q beyond the table; NaN
        where a user's own function has no value, for which :meth:`refusal` is the error.
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

    def refusal(self) -> SweepError:
        """Return the error for averages that are NaN: phi or phi' has no value where the Gaussian reaches."""
        return self.activation.refusal(np.exp(0.5 * (self._high + 1)) * _BOTH_SIDES)

    def _far(self, log_q: Any) -> Array:
        """phi and phi' at whole standard deviations on either side; shape (2, 28, *log_q.shape)."""
        h = np.exp(0.5 * np.asarray(log_q)) * _BOTH_SIDES.reshape(-1, *[1] * np.ndim(log_q))
        return np.stack([self.activation(h), self.activation.derivative(h)])

    def _end(self) -> tuple[int, float, float]:
        """Last ln q to which averages are tabulated, `grown` and `_unknown`.

        From `grown` on, 14 standard deviations do not hold the average, and from `_unknown` on phi has no value.
        """
        last = int(SLOPE_RANGE if self._smooth and self.slope_inf != 0.0 else _TABLE_RANGE)
        log_q = np.arange(-_TABLE_RANGE, last + 1)
        square = 2.0 * np.log(np.abs(self._far(log_q)))
        level = square - 0.5 * _BOTH_SIDES[:, None] ** 2
        tail = level[:, [0, -1]].max(1)
        unknown = np.asarray(np.isnan(level).any((0, 1)))
        grown = ((tail > level.max(1) - _NEGLIGIBLE) & (tail > -_NEGLIGIBLE)).any(0)
        lost = unknown | grown | (square > _LARGEST).any((0, 1))
        if not lost.any():
            return last, np.inf, np.inf
        first = int(np.argmax(lost))
        end = int(log_q[first]) - 1
        if end < 1 - _TABLE_RANGE:
            raise refusal(self.activation.activation.name, "the square of phi or dphi leaves float64 near h = 0")
        return end, end if grown[first] else np.inf, end if unknown[first] else np.inf

    def _tabulated(self, t: Array) -> tuple[Array, Array]:
        """Both logarithms from the table; beyond its ends powers of q, or constant if `log_moments` uses slopes."""
        low, high = self._low, self._high
        inside = np.clip(np.nan_to_num(t, nan=0.0, posinf=high, neginf=low), low, high)
        value = self._at(inside)
        if self.slope_zero is None and np.any(t < low):
            value = np.where(t < low, value + self._power(low, t - low), value)
        if self.slope_inf is None and np.any(t > high):
            value = np.where(t > high, value + self._power(high - 1.0, t - high), value)
        forward, backward = np.where(np.isnan(t) | (t > self._unknown), np.nan, value).astype(np.float64)
        return forward, backward

    def _at(self, inside: Array) -> Array:
        """The table's two logarithms at ln q within it."""
        segment = np.minimum(np.floor(inside), self._high - 1).astype(np.int64)
        place = segment + _TABLE_RANGE
        if not self._filled[place].all():
            for k in set(segment.ravel().tolist()):
                self._fill(k)
        value = chebval(2.0 * (inside - segment) - 1.0, self._table[..., place], tensor=False)
        return np.where(value < _FLAT, -np.inf, value)

    def _power(self, start: float, distance: Array) -> Array:
        """Continuation of both logarithms over a distance in ln q, with their slopes from `start` to `start` + 1."""
        power = np.diff(self._at(np.array([start, start + 1.0]))).reshape(2, *[1] * distance.ndim)
        return np.where(np.isfinite(power) & (np.abs(power) >= 1e-9), power * distance, 0.0)

    def _fill(self, segment: int) -> None:
        """Put the Chebyshev coefficients of both logarithms on segment <= ln q <= segment + 1 into the table."""
        if self._filled[segment + _TABLE_RANGE]:
            return
        deviation = np.exp(0.5 * (segment + 0.5 + 0.5 * _POINTS))
        h, weights = gaussian_grid(self.edges, self.panel, float(deviation.max()), float(deviation.min()))
        unit = 2.0 ** np.round(np.log2(deviation.max()))  # the panels scale with it: the products below stay in range
        density = gaussian_density(h, deviation[:, None]) * unit
        pair = np.stack([self.activation(h), self.activation.derivative(h)])
        if np.isnan(pair).any():
            raise self.activation.refusal(h)
        averages = (pair**2 * (weights / unit)) @ density.T
        logarithms = np.log(np.maximum(averages, np.finfo(float).tiny))  # a flat phi: chi_1 = 0
        self._table[..., segment + _TABLE_RANGE] = _TO_COEFFICIENTS @ logarithms.T
        self._filled[segment + _TABLE_RANGE] = True


def moments(activation: Activation) -> Moments:
    """Return the cached :class:`Moments` of an activation; SweepError for a user's own pair that theory cannot use."""
    found = _made(activation)
    if isinstance(found, SweepError):
        raise found.with_traceback(None)
    return found


@kept(64)
@ignoring_floating_point_errors
def _made(activation: Activation) -> Moments | SweepError:
    try:
        return Moments(activation)
    except SweepError as error:  # cached too: finding it may take seconds
        return error


def _mean_square(slopes: tuple[float, float] | None) -> float | None:
    """Mean of the squared one-sided slopes: half of z falls on either side."""
    return None if slopes is None else float(np.mean(np.square(slopes)))


def _slopes_at_zero(activation: Activation) -> tuple[float, float] | None:
    """One-sided slopes of an activation that declares none: phi' at two distances, if they agree."""
    slopes = values(activation.derivative, np.array([[-1e-30, 1e-30], [-1e-33, 1e-33]]))
    agree = np.isfinite(slopes).all() and np.allclose(slopes[0], slopes[1], rtol=1e-12, atol=0.0)
    return (float(slopes[1, 0]), float(slopes[1, 1])) if agree else None
