"""The map of the correlation of two inputs as a power series: its coefficients are those of phi in Hermite polynomials.

With phi(sqrt(q) z) = sum of a_k h_k(z), h_k the orthonormal Hermite polynomials, E[phi(u1) phi(u2)] = sum of a_k^2 c^k
for two Gaussians of variance q and correlation c (Poole et al. 2016, arXiv:1606.05340; Daniely et al. 2016,
arXiv:1602.05897). One integral over one variable gives all coefficients, and Parseval's sums bound the rest.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gradsim.theory.averages.functions import Array
from gradsim.theory.averages.moments import Moments
from gradsim.theory.averages.quadrature import gaussian_density, gaussian_grid

FEWEST, MOST = 64, 8192  # terms; more cost more than averages over two variables
_RADIANS = 16.0  # of a Hermite polynomial on a panel: 20 nodes integrate its products to rounding


class Series(NamedTuple):
    """A power series in the correlation c, cut off.

    Attributes
    ----------
    squares
        a_k^2, k = 0, 1, ….
    rest, slope_rest
        Sum of all a_k^2 left out, and of all k a_k^2: the error at c is at most c^len(squares) times these.
    """

    squares: Array
    rest: float
    slope_rest: float

    def average(self, c: float) -> tuple[float, float]:
        """Return E[phi(u1) phi(u2)] and its derivative with respect to c, which is q E[phi'(u1) phi'(u2)]."""
        powers = c ** np.arange(len(self.squares))
        terms = self.squares * powers
        return float(terms.sum()), float(np.arange(1, len(powers)) @ (self.squares[1:] * powers[:-1]))

    def error(self, c: float) -> tuple[float, float]:
        """Return bounds of what is missing in both."""
        power = abs(c) ** (len(self.squares) - 1)
        return abs(c) * power * self.rest, power * self.slope_rest


def series(table: Moments, q: float, terms: int) -> Series:
    """Return the series for an activation at q, of so many terms."""
    found, rest, slope_rest = coefficients(table, q, terms)
    return Series(np.square(found), rest, slope_rest)


def coefficients(table: Moments, q: float, terms: int) -> tuple[Array, float, float]:
    """Return the a_k, and what a `Series` of their squares leaves out: `rest` and `slope_rest`."""
    deviation = float(np.sqrt(q))
    panel = _RADIANS / np.sqrt(terms) * deviation
    panel = panel if table.panel is None else min(panel, table.panel)
    h, weights = gaussian_grid(table.edges, panel, deviation, deviation)
    weights = weights * gaussian_density(h, deviation)
    z, phi, dphi = h / deviation, table.activation(h), table.activation.derivative(h)
    found = _coefficients(z, weights * phi, terms)
    index, squares = np.arange(terms), np.square(found)
    rest = float(weights @ phi**2) - squares.sum()
    slope_rest = q * float(weights @ dphi**2) - index @ squares
    return found, max(0.0, float(rest)), max(0.0, float(slope_rest))


def _coefficients(z: Array, weighted: Array, terms: int) -> Array:
    """Integrals of a function times the orthonormal Hermite polynomials, by their recurrence."""
    found = np.empty(terms)
    before, polynomial = np.zeros_like(z), np.ones_like(z)
    for k in range(terms):
        found[k] = polynomial @ weighted
        before, polynomial = polynomial, (z * polynomial - np.sqrt(k) * before) / np.sqrt(k + 1)
    return found
