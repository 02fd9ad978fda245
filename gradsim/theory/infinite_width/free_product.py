"""Free products of the matrices of a network's layers, by their S-transforms.

With M(t) = E[t d^2 / (1 - t d^2)], S(M(t)) = t (1 + M(t)) / M(t). The S-transform of a product is the product of the
S-transforms, and a point lambda of the spectrum of J J^T and its moment function z belong together by

    lambda = (1 + z) / (z S(z)).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import minimize_scalar

from gradsim.theory.averages.functions import Array

_LOG_Z = np.linspace(-18.0, 36.0, 217)


class Slopes(NamedTuple):
    """The law of d^2 in one or several layers that are alike: values in units of `scale`, their largest, and shares.

    M is a function of w = t / (1 - t), with which no digits are lost as t nears 1.
    """

    squares: Array
    weights: Array
    scale: float
    layers: int

    def moment(self, w: Any) -> tuple[Any, Any]:
        """M and its derivative with respect to w (points,)."""
        part = 1.0 / (1.0 + w[:, None] * (1.0 - self.squares))
        return w * (part @ (self.squares * self.weights)), (part * part) @ (self.squares * self.weights)

    def inverse(self, z: Array) -> Array:
        """w with M = z > 0: Newton's method in logarithms, where M has a slope between 0 and 1."""
        w = z / (self.squares @ self.weights)
        for _ in range(100):
            value, rate = self.moment(w)
            step = np.log(value / z) * value / (rate * w)
            w = w * np.exp(-np.clip(step, -20.0, 20.0))
            if (np.abs(step) <= 1e-13).all():
                break
        return np.asarray(w, np.float64)


class Stack(NamedTuple):
    """All layers: laws of slopes, how many matrices have independent entries, and ln of the scale of lambda."""

    slopes: tuple[Slopes, ...]
    independent: int
    log_scale: float
    bounded: bool

    def log_lambda(self, log_z: Array) -> Array:
        """ln lambda at z > 0."""
        z = np.exp(log_z)
        ratio = np.log1p(z) - log_z  # ln((1 + z) / z)
        total = ratio + self.independent * np.log1p(z)
        for each in self.slopes:
            total = total - each.layers * (ratio + log_t(each.inverse(z)))
        return np.asarray(total + self.log_scale, np.float64)

    def edge(self) -> float:
        """ln of the upper edge: the first minimum of ln lambda."""
        if not self.bounded:
            return np.inf
        scan = self.log_lambda(_LOG_Z)
        rising = np.flatnonzero(np.diff(scan) > 0.0)
        k = int(rising[0]) if rising.size else len(scan) - 1
        if k in (0, len(scan) - 1):
            return float(scan[k])
        found = minimize_scalar(
            lambda x: float(self.log_lambda(np.array([x]))[0]), bounds=(_LOG_Z[k - 1], _LOG_Z[k + 1]),
            method="bounded", options={"xatol": 1e-9},
        )  # fmt: skip
        return float(found.fun)


def log_t(w: Any) -> Any:
    """ln t = ln(w / (1 + w))."""
    return np.log(w) - np.log1p(w)
