"""The largest singular values by Golub and Kahan's bidiagonalisation, with full reorthogonalisation.

After k steps J V = U B and J^T U = V B^T + beta v e_k^T, where U and V have orthonormal columns and B is upper
bidiagonal. Singular values of B (Ritz values) are at most those of J of the same index. With p the left singular
vector of B, one has the residual r = beta |p_k|, and J has a singular value within r / sqrt(2); if g is its distance
from all others, within about r^2 / (2 g) (Parlett, "The symmetric eigenvalue problem", 1998, theorem 11.7.1).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from gradsim.spectra.forward import Array
from gradsim.spectra.lazy_network import LazyNetwork, unit

_ROUNDING = 64.0 * np.finfo(np.float64).eps
"""Part of the largest singular value below which nothing can be told from rounding."""


class Ritz(NamedTuple):
    """The largest singular values of one network.

    Attributes
    ----------
    logs
        Their logarithms (top,), falling.
    errors
        Estimated errors of those: the true ones are larger.
    steps
        Steps of the bidiagonalisation.
    square, fourth
        ln |J v|^2 and ln |J^T J v|^2 of a random unit vector v: their exponentials have the means of s^2 and s^4.
    """

    logs: Array
    errors: Array
    steps: int
    square: float
    fourth: float


class Bidiagonalisation:
    """Steps of Golub and Kahan from a random vector; numbers are in units of |J v| of the first vector v.

    Parameters
    ----------
    network
        Multiplies with J and its transpose.
    room
        Most steps.
    """

    def __init__(self, network: LazyNetwork, room: int) -> None:
        self.network, self.steps, self._drawn = network, 0, 0
        first = network.start(0)
        self._right, self._left = (np.zeros((room + 1, len(first))) for _ in range(2))
        self.alpha, self.beta = np.zeros(room), np.zeros(room)
        self._right[0] = unit(first)[0]
        self.unit = 0.0

    def step(self) -> None:
        """Add one vector to either basis."""
        k = self.steps
        image, log = self.network.right(self._right[k])
        if k == 0:
            self.unit = log if math.isfinite(log) else 0.0
        before = self.beta[k - 1] * self._left[k - 1] if k else 0.0
        self.alpha[k] = self._append(self._left, k, image * math.exp(log - self.unit) - before)
        image, log = self.network.left(self._left[k])
        rest = image * math.exp(log - self.unit) - self.alpha[k] * self._right[k]
        self.steps = k + 1
        self.beta[k] = self._append(self._right, k + 1, rest)

    def _append(self, basis: Array, count: int, rest: Array) -> float:
        """Add the direction of `rest` to a basis; a random one if it is lost in rounding, whose length is 0."""
        if count == basis.shape[1]:
            return 0.0
        scale = max(self.alpha.max(), self.beta.max(), float(np.linalg.norm(rest)))
        size = _across(basis[:count], rest)
        length = float(np.linalg.norm(size))
        if length > _ROUNDING * scale:
            basis[count] = size / length
            return length
        self._drawn += 1
        basis[count] = unit(_across(basis[:count], self.network.start(self._drawn)))[0]
        return 0.0

    def ritz(self, top: int) -> tuple[Array, Array]:
        """ln of the largest singular values (top,), and their estimated errors.

        NaN and inf where a value is lost in the rounding of the largest one.
        """
        k = self.steps
        b = np.diag(self.alpha[:k]) + np.diag(self.beta[: k - 1], 1)
        left, values, _ = np.linalg.svd(b)
        residual = self.beta[k - 1] * np.abs(left[k - 1])
        gaps = np.abs(values[:, None] - values[None, :]) + np.where(np.eye(k), np.inf, 0.0)
        floor = _ROUNDING * float(values[0])
        error = (
            np.minimum(residual / math.sqrt(2.0), residual**2 / (2.0 * np.maximum(gaps.min(axis=1), 1e-300))) + floor
        )
        values, error = values[:top], error[:top]
        known = values > floor
        with np.errstate(divide="ignore", invalid="ignore"):
            logs = np.where(known, np.log(values) + self.unit, np.nan)
            return logs, np.where(known, error / values, np.inf)


def top_singular_values(network: LazyNetwork, top: int, tolerance: float, steps: int) -> Ritz:
    """Take steps until the estimated errors of the logarithms of all `top` values are within `tolerance`.

    Parameters
    ----------
    network
        Which one.
    top
        How many singular values.
    tolerance
        Of ln s.
    steps
        Most steps, at least `top`.
    """
    if network.rank == 0:
        return Ritz(np.full(top, -np.inf), np.zeros(top), 0, -math.inf, -math.inf)
    found = Bidiagonalisation(network, steps)
    logs, errors = np.full(top, -np.inf), np.full(top, np.inf)
    while found.steps < steps:
        found.step()
        if found.steps >= top:
            logs, errors = found.ritz(top)
            live = min(top, network.rank)
            if errors[:live].max() <= tolerance:
                break
    logs[network.rank :], errors[network.rank :] = -np.inf, 0.0
    with np.errstate(divide="ignore"):
        a, b = found.alpha[0], found.beta[0]
        square, fourth = np.log(a * a) + 2 * found.unit, np.log(a * a) + np.log(a * a + b * b) + 4 * found.unit
    return Ritz(logs, errors, found.steps, float(square), float(fourth))


def _across(basis: Array, v: Array) -> Array:
    """The part of a vector across an orthonormal basis, by two passes of Gram-Schmidt."""
    for _ in range(2):
        v = v - basis.T @ (basis @ v)
    return v
