"""The whole law of ln gain at finite width, exact: linear, relu, leaky_relu and abs, zero bias and Gaussian weights.

ln gain is a sum of depth - 1 independent terms ln S, the factors of the layers (`factor_law`). E S^z is known for
complex z, so the convolution of their laws is a product, and the law of the sum is one integral away: P(ln gain > x) =
1 / (2 pi i) times the integral of (E S^z)^(depth - 1) e^(-z x) / z. On a vertical line near the saddle point the
trapezoidal rule converges exponentially and keeps the relative accuracy of small tails (Lugannani and Rice 1980,
doi:10.2307/1426607).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradsim.errors import SweepError
from gradsim.theory.averages.functions import Array, ignoring_floating_point_errors
from gradsim.theory.errors import check_count, check_sigma_w
from gradsim.theory.finite_width.factor_law import Complex, factor_law
from gradsim.theory.finite_width.roots import WIDEST, negative_slope
from gradsim.theory.memory import current
from gradsim_core.activations import Activation

_MOST_DEPTH = 2**20
_RARE = 1e-18  # probability of the layers left out that few active neurons make: absolute error of all probabilities
_SMALLEST = 41.0  # points of the integral below exp(-41) of the largest are left out
_DIGITS = 45.0  # the trapezoidal rule is exact to exp(-45)
_NEAREST = 0.9  # share of the way to the pole
_GROWTH = 5.0  # ln of how much larger the integrand may be on the edges of the strip
_APART = 4.0  # ln of how much larger the integrand may be between two rungs than on them
_LADDER = np.arange(1.0, 41.0)  # in 1 / standard deviation: at 40 tails leave float64
_BLOCK = 64  # points of a contour at a time
_NEWTON_STEPS = 100


@ignoring_floating_point_errors
def gain_law(activation: str | Activation, depth: int, width: int, sigma_w: float) -> GainLaw:
    """Return the exact law of ln gain, of layer 1 over the last layer, over live networks.

    Parameters
    ----------
    activation
        linear, relu, leaky_relu or abs.
    depth
        Number of layers, from 2 to 2^20.
    width
        Number of neurons in each layer, from 1 to 2^20.
    sigma_w
        Weight standard deviation times sqrt(fan_in), > 0.

    Raises
    ------
    NoCriticalPoint
        For an activation without an exact law.
    SweepError
        For an argument that is not valid.

    Examples
    --------
    >>> law = gain_law("relu", depth=32, width=16, sigma_w=2**0.5)
    >>> round(law.mean, 4), round(law.std, 4), round(law.median, 4)
    (-5.4683, 3.6066, -5.3603)
    >>> float(law.sf(np.log(100.0)).round(6))  # P(gain > 100)
    0.001292
    """
    slope = negative_slope(current(activation))
    depth, width = check_count("depth", depth, _MOST_DEPTH), check_count("width", width, WIDEST)
    if depth == 1:
        raise SweepError("depth", 1, f"a whole number from 2 to {_MOST_DEPTH:,}", "The gain of one layer is 1")
    return GainLaw(slope, depth, width, check_sigma_w(sigma_w))


class GainLaw:
    """The exact law of ln gain; made by :func:`gain_law`.

    Parameters
    ----------
    slope
        Of phi at h < 0; 1 at h > 0.
    depth, width, sigma_w
        As for `gain_law`.

    Attributes
    ----------
    mean, std
        Of ln gain over live networks.
    dead_fraction
        Probability that a network is dead: that no neuron of some layer is active.
    """

    def __init__(self, slope: float, depth: int, width: int, sigma_w: float) -> None:
        self.depth, self.width, self.sigma_w = depth, width, sigma_w
        self._terms, self._shift = depth - 1, (depth - 1) * 2.0 * np.log(sigma_w)
        rare = _RARE / self._terms
        self._factor = factor_law(slope, width, rare)
        first, second = self._factor.slopes(0.0)
        self.mean = float(self._terms * first + self._shift)
        self.std = float(np.sqrt(self._terms * second))
        self.dead_fraction = float(-np.expm1(depth * np.log1p(-(0.5**width)))) if slope == 0.0 else 0.0
        self._contours: dict[float, tuple[Complex, Complex, float]] = {}

    @property
    def median(self) -> float:
        """Median of ln gain over live networks."""
        return float(self.ppf(0.5))

    def sf(self, x: Any) -> Array:
        """Return P(ln gain > x) for a live network: 10 digits down to 1e-30."""
        above = self._tail(x)
        return np.where(np.asarray(x) >= self.mean, above, 1.0 - above)

    def cdf(self, x: Any) -> Array:
        """Return P(ln gain <= x) for a live network: 10 digits down to 1e-8, and to 1e-18 absolutely."""
        beyond = self._tail(x)
        return np.where(np.asarray(x) >= self.mean, 1.0 - beyond, beyond)

    def pdf(self, x: Any) -> Array:
        """Return the probability density of ln gain at x."""
        return self._integral(x, lambda s: np.ones_like(s))

    def ppf(self, probability: Any) -> Array:
        """Return the quantile: the x with P(ln gain <= x) = ``probability``."""
        return self._quantile(probability, upper=False)

    def isf(self, probability: Any) -> Array:
        """Return the x with P(ln gain > x) = ``probability``."""
        return self._quantile(probability, upper=True)

    def rvs(self, size: int, seed: int = 0) -> Array:
        """Draw ``size`` values of ln gain."""
        return self.ppf(np.random.default_rng(seed).random(size))

    def _tail(self, x: Any) -> Array:
        """The probability of the side of the mean on which x lies, beyond x."""
        return np.abs(self._integral(x, lambda s: 1.0 / s))

    def _integral(self, x: Any, weight: Callable[[Complex], Complex]) -> Array:
        """1 / (2 pi i) times the integral of E e^(s (ln gain - x)) weight(s), through the saddle point of each x."""
        x = np.asarray(x, np.float64)
        flat, found = x.ravel() - self._shift, np.zeros(x.size)
        found[np.isnan(flat)] = np.nan
        rungs = self._rungs(flat)
        for rung in np.unique(rungs[np.isfinite(flat)]):
            here = np.isfinite(flat) & (rungs == rung)
            s, logarithm, step = self._contour(float(rung))
            exponent = logarithm - np.multiply.outer(flat[here], s)
            largest = exponent[:, :1].real
            terms = (np.exp(exponent - largest) * weight(s)).real
            found[here] = np.exp(largest[:, 0]) * (terms.sum(axis=1) - 0.5 * terms[:, 0]) * step / np.pi
        return found.reshape(x.shape)

    @cached_property
    def _ladder(self) -> tuple[Array, Array]:
        """Places on the real line, and the x of which they are the saddle points; both ascend.

        Between two rungs the integrand at the saddle is at most exp(_APART) of that on a rung. Close to the pole it
        would need too many points, and is no smaller.
        """
        left = _LADDER[::-1] / self.std
        left = np.append(_NEAREST * self._factor.pole, left[left < _NEAREST * self._factor.pole])
        coarse = np.concatenate([-left, _LADDER / self.std])
        rungs = [(float(place), self._saddle(float(place))) for place in coarse]
        done = rungs[:1]
        while len(rungs) > 1:
            (low, x_low), (high, x_high) = rungs[:2]
            if (high - low) * (x_high - x_low) > _APART and low * high > 0.0 and high - low > 1e-9 * abs(low):
                middle = 0.5 * (low + high)
                rungs.insert(1, (middle, self._saddle(middle)))
            else:
                done.append(rungs[1])
                rungs.pop(0)
        places, saddles = np.array(done).T
        return places, saddles

    def _saddle(self, place: float) -> float:
        return self._terms * self._factor.slopes(place)[0]

    def _rungs(self, x: Array) -> NDArray[np.int64]:
        """The rung for each x, on the side of 0 that the side of the mean asks for."""
        places, saddles = self._ladder
        rungs = np.searchsorted(0.5 * (saddles[1:] + saddles[:-1]), x)
        first_right = int(np.searchsorted(places, 0.0))
        right = x >= self.mean - self._shift
        return np.where(right, np.maximum(rungs, first_right), np.minimum(rungs, first_right - 1))

    def _contour(self, rung: float) -> tuple[Complex, Complex, float]:
        """Points on the vertical line of a rung, terms times the cumulant there, and their distance."""
        if rung not in self._contours:
            place = self._ladder[0][int(rung)]
            step = 2.0 * np.pi * self._strip(place) / _DIGITS
            blocks: list[Complex] = []
            while not blocks or blocks[-1][-1].real > blocks[0][0].real - _SMALLEST:
                s = place + 1j * step * (len(blocks) * _BLOCK + np.arange(_BLOCK))
                blocks.append(self._terms * self._factor.cumulant(s))
            logarithm = np.concatenate(blocks)
            self._contours[rung] = place + 1j * step * np.arange(len(logarithm)), logarithm, step
        return self._contours[rung]

    def _strip(self, place: float) -> float:
        """Half the width of a strip around a line without poles, on whose edges the integrand stays moderate."""
        strip = 0.9 * min(abs(place), place + self._factor.pole)
        while self._growth(place, strip) > _GROWTH:
            strip *= 0.7
        return strip

    def _growth(self, place: float, strip: float) -> float:
        """ln of how much larger the integrand is on the edges of a strip, if the line is at the saddle point."""
        below, on, above = (self._terms * self._factor.level(place + side * strip) for side in (-1.0, 0.0, 1.0))
        return 0.5 * (below + above) - on

    @ignoring_floating_point_errors
    def _quantile(self, probability: Any, *, upper: bool) -> Array:
        """Newton's method in ln of the smaller tail, within brackets: the law may have several humps."""
        p = np.asarray(probability, np.float64)
        if not ((p >= 0.0) & (p <= 1.0)).all():
            raise SweepError("probability", probability, "numbers from 0 to 1", "Write for example 0.5")
        right = p < self._above if upper else p > 1.0 - self._above
        tail = np.where(right == upper, p, 1.0 - p)  # beyond the quantile, away from the mean
        sign = np.where(right, 1.0, -1.0)
        near = np.full(p.shape, self.mean)
        far = near + sign * self.std
        while (short := (self._tail(far) > tail) & (tail > 0.0)).any():
            far = np.where(short, far + 2.0 * (far - near), far)
        x = 0.5 * (near + far)
        for _ in range(_NEWTON_STEPS):
            beyond = self._tail(x)
            near, far = np.where(beyond > tail, x, near), np.where(beyond > tail, far, x)
            newton = x + sign * np.log(beyond / tail) * beyond / self.pdf(x)
            inside = (newton - near) * (far - newton) > 0.0
            before, x = x, np.where(inside, newton, 0.5 * (near + far))
            if np.all((np.abs(x - before) <= 1e-14 * (self.std + np.abs(x))) | (tail == 0.0)):
                break
        return np.where(tail > 0.0, x, sign * np.inf)

    @cached_property
    def _above(self) -> float:
        """P(ln gain > mean)."""
        return float(self._tail(self.mean))
