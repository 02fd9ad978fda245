"""The law of ln S, one layer's factor of |delta|^2 at sigma_w = 1: relu and its like, zero bias, Gaussian weights.

S = (chi2_K + a^2 chi2_(n-K)) / n with K ~ Binomial(n, 1/2), a being the slope at h < 0 (Hanin and Nica 2018,
arXiv:1812.05994). It enters by its cumulant ln E S^s, for complex s.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma, gammaln, loggamma, polygamma

from gradsim.theory.averages.functions import Array
from gradsim.theory.averages.quadrature import nodes_and_weights

Complex = NDArray[np.complex128]

_SMALLEST = 41.0  # terms below exp(-41) of the largest are left out
_REACH = 25.0  # times sqrt(width): 50 standard deviations of the number of active neurons


class FactorLaw(Protocol):
    """The law of ln S over live layers.

    Attributes
    ----------
    pole
        E S^s is infinite at s = -pole.
    """

    pole: float

    def cumulant(self, s: Complex) -> Complex:
        """Return ln E S^s on a vertical line, s[0] being on the real one."""

    def level(self, s: float) -> float:
        """Return ln E S^s on the real line."""

    def slopes(self, s: float) -> tuple[float, float]:
        """Return the first two derivatives of the cumulant on the real line."""


@lru_cache(maxsize=64)  # a wide leaky layer takes a second, and tables of cells ask for it again and again
def factor_law(slope: float, width: int, rare: float = 0.0) -> FactorLaw:
    """Return the law for a slope of phi at h < 0.

    ``rare`` is the probability of layers that may be left out because they have few active neurons: they would put the
    pole near 0.
    """
    return Dying(width, rare) if slope == 0.0 else Alive(width, slope, rare)


class Alive:
    """ln S of a layer at sigma_w = 1 if phi has a slope at h < 0: S = (chi2_n / n) (cos^2 t + a^2 sin^2 t).

    sin^2 t is the share of the inactive neurons: Beta((n - K) / 2, K / 2), whose density in t is smooth at both ends.
    """

    def __init__(self, width: int, slope: float, rare: float) -> None:
        self.width, self.pole = width, 0.5 * width
        if slope == 1.0:
            self._log_share, self._log_weights = np.zeros(1), np.zeros(1)
            return
        edges = _panels(width, slope)
        t, weights = nodes_and_weights(edges)
        reach = int(_REACH * np.sqrt(width)) + 1
        active = np.arange(max(1, width // 2 - reach), min(width - 1, width // 2 + reach) + 1)
        density = np.zeros_like(t)
        for part in np.array_split(active, len(active) // 256 + 1):
            if part.size:
                density += np.exp(_log_density(t, part[:, None], width)).sum(axis=0)
        log_atom = -width * np.log(2.0)
        log_share = np.concatenate([np.log(np.cos(t) ** 2 + slope**2 * np.sin(t) ** 2), [0.0, 2 * np.log(slope)]])
        share_weights = np.concatenate([weights * density, np.exp([log_atom, log_atom])])
        order = np.argsort(log_share)
        kept = order[np.cumsum(share_weights[order]) >= rare]
        kept = kept[share_weights[kept] > 0.0]
        self._log_share, self._log_weights = log_share[kept], np.log(share_weights[kept] / share_weights[kept].sum())

    def cumulant(self, s: Complex) -> Complex:
        """As `FactorLaw.cumulant`."""
        exponent = np.multiply.outer(s, self._log_share) + self._log_weights
        largest = float(exponent[0].real.max())
        share = np.exp(exponent - largest).sum(axis=1)
        half = 0.5 * self.width
        cumulant: Complex = loggamma(half + s) - gammaln(half) - s * np.log(half) + np.log(share) + largest
        return cumulant

    def level(self, s: float) -> float:
        """As `FactorLaw.level`."""
        return float(self.cumulant(np.array([complex(s)]))[0].real)

    def slopes(self, s: float) -> tuple[float, float]:
        """As `FactorLaw.slopes`."""
        exponent = s * self._log_share + self._log_weights
        first, second = _mean_and_variance(self._log_share, np.exp(exponent - exponent.max()))
        half = 0.5 * self.width
        return first + float(digamma(half + s) - np.log(half)), second + float(polygamma(1, half + s))


class Dying:
    """ln S of a live layer of relu at sigma_w = 1: S = chi2_K / n with K > 0."""

    def __init__(self, width: int, rare: float) -> None:
        self.width = width
        reach = int(_REACH * np.sqrt(width)) + 1
        active = np.arange(max(1, width // 2 - reach), min(width, width // 2 + reach) + 1)
        log_share = gammaln(width + 1.0) - gammaln(active + 1.0) - gammaln(width - active + 1.0)
        log_weights = log_share - np.log(np.exp(log_share - log_share.max()).sum()) - log_share.max()
        first = int(np.searchsorted(np.cumsum(np.exp(log_weights)), rare))
        self._half, self._log_weights = 0.5 * active[first:], log_weights[first:]
        self.pole = float(self._half[0])

    def _tilted(self, s: float) -> Array:
        """ln of the weights of all K in E S^s."""
        tilted: Array = self._log_weights + gammaln(self._half + s) - gammaln(self._half)
        return tilted

    def cumulant(self, s: Complex) -> Complex:
        """As `FactorLaw.cumulant`."""
        tilted = self._tilted(float(s[0].real))
        kept = tilted > tilted.max() - _SMALLEST
        terms = (self._log_weights - gammaln(self._half))[kept] + loggamma(np.add.outer(s, self._half[kept]))
        largest = terms.real.max(axis=1)
        cumulant: Complex = (
            np.log(np.exp(terms - largest[:, None]).sum(axis=1)) + largest - s * np.log(0.5 * self.width)
        )
        return cumulant

    def level(self, s: float) -> float:
        """As `FactorLaw.level`."""
        return float(self.cumulant(np.array([complex(s)]))[0].real)

    def slopes(self, s: float) -> tuple[float, float]:
        """As `FactorLaw.slopes`."""
        tilted = self._tilted(s)
        kept = tilted > tilted.max() - _SMALLEST
        weights, half = np.exp(tilted[kept] - tilted.max()), self._half[kept] + s
        first, second = _mean_and_variance(digamma(half), weights)
        second += float(weights @ polygamma(1, half) / weights.sum())
        return first - float(np.log(0.5 * self.width)), second


def _panels(width: int, slope: float) -> Array:
    """Panel edges in t: around pi / 4, where wide layers have their density, and towards pi / 2, where S is small."""
    middle, reach = 0.25 * np.pi, min(0.25 * np.pi, _REACH / np.sqrt(width))
    even = np.linspace(middle - reach, middle + reach, max(32, int(2 * reach * np.sqrt(width) / 0.75)) + 1)
    fine = 0.5 * np.pi - min(slope, 1.0 / slope) * 2.0 ** np.arange(-6, 12)
    fine = np.concatenate([fine, 0.5 * np.pi - fine])
    edges: Array = np.unique(np.concatenate([even, fine[(fine > even[0]) & (fine < even[-1])]]))
    return edges


def _log_density(t: Array, inactive: NDArray[np.int64], width: int) -> Array:
    """ln of the density of t with so many inactive neurons, times the probability of that number."""
    first, second = 0.5 * inactive, 0.5 * (width - inactive)
    log_share = gammaln(width + 1.0) - gammaln(inactive + 1.0) - gammaln(width - inactive + 1.0) - width * np.log(2.0)
    log_beta = gammaln(first) + gammaln(second) - gammaln(first + second)
    density: Array = (
        np.log(2.0)
        + (inactive - 1) * np.log(np.sin(t))
        + (width - inactive - 1) * np.log(np.cos(t))
        + log_share
        - log_beta
    )
    return density


def _mean_and_variance(values: Array, weights: Array) -> tuple[float, float]:
    mean = float(weights @ values / weights.sum())
    return mean, float(weights @ (values - mean) ** 2 / weights.sum())
