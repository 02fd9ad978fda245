"""The forward pass of one network, for the slopes phi'(h) of its layers, at any depth and scale.

The activations of a layer are x = m e^size. While all is in the ordinary range, size is 0. Beyond the reach of phi its
slopes at 0 or at infinity take its place, and where phi' underflows as a whole, its logarithm is used.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gradsim_core.activations import Activation
from gradsim_core.parameters import Slopes

Array = npt.NDArray[np.float64]

REACH = 450.0 * math.log(2.0)
"""ln of the largest |h| at which phi is evaluated, as in the kernels in float64."""
_TINY = 1e-290
_ORDINARY = 1e-100, 1e100


class Diagonal(NamedTuple):
    """The matrix D of a layer, diag(values) e^shift."""

    values: Array
    shift: float
    underflowed: bool
    """Whether an element that is 0 in `values` is not 0 exactly."""

    @property
    def live(self) -> int:
        """How many elements are not 0."""
        return int(np.count_nonzero(self.values))


class Forward:
    """Follows one input through the layers.

    Parameters
    ----------
    activation
        phi and phi'.
    slopes
        The simulator's, beyond the reach.
    x0
        The input (N,).

    Attributes
    ----------
    m, size
        The activations so far, m e^size.
    """

    def __init__(self, activation: Activation, slopes: Slopes, x0: Array) -> None:
        self.activation, self.slopes = activation, slopes
        self.m, self.size = np.array(x0, np.float64), 0.0

    def step(self, multiply: Callable[[Array], Array], bias: Array) -> Diagonal:
        """Go through one layer; `multiply` is the product with its weights.

        Returns
        -------
        Diagonal
            phi' at its preactivations; NaN if the network is not finite.
        """
        h = multiply(self.m)
        if bias.any() and self.size > 0.0:
            h = h + bias * math.exp(-self.size)
        elif bias.any():
            h, self.size = h * math.exp(self.size) + bias, 0.0
        top = float(np.abs(h).max())
        level = math.log(top) + self.size if top > 0.0 else -math.inf
        if level > REACH:
            found = self._line(h, self.slopes.infinity)
        elif top > 0.0 and level < -REACH and self.slopes.through_zero:
            found = self._line(h, self.slopes.zero)
        else:
            found = self._curve(h * math.exp(self.size) if self.size else h)
        self._settle()
        return found

    def _line(self, h: Array, slopes: tuple[float, float]) -> Diagonal:
        """Beyond the reach phi is a line on each side of 0."""
        at_zero = float(self.activation.derivative(0.0))
        values = np.where(h > 0.0, slopes[1], np.where(h < 0.0, slopes[0], at_zero))
        self.m = values * h
        return Diagonal(values, 0.0, False)

    def _curve(self, h: Array) -> Diagonal:
        row = self.activation
        self.m, self.size, _ = self._scaled(row(h), row.log_phi, h)
        return Diagonal(*self._scaled(row.derivative(h), row.log_dphi, h))

    def _scaled(self, values: Array, logarithm: Callable[..., Array] | None, h: Array) -> tuple[Array, float, bool]:
        """Values of phi or phi' with a shift: 0 unless all of them underflow; whether some are lost."""
        if logarithm is None or not (np.abs(values) < _TINY).any():
            return values, 0.0, False
        with np.errstate(all="ignore"):
            tail = np.asarray(logarithm(h, self.activation.alpha), np.float64)
            plain = np.log(np.abs(values))
        deep = (np.abs(values) < _TINY) & np.isfinite(tail)
        logs = np.where(deep, tail, plain)
        if np.abs(values).max() >= _TINY or not np.isfinite(logs).any():
            return values, 0.0, bool((deep & (values == 0.0)).any())
        shift = float(logs.max())
        signs = np.where(deep & (h < 0.0), self.slopes.tail_sign, np.where(deep, 1.0, np.sign(values)))
        scaled = signs * np.exp(logs - shift)
        return scaled, shift, bool((deep & (scaled == 0.0)).any())

    def _settle(self) -> None:
        """Bring the activations near 1 where they have left the ordinary range."""
        top = float(np.abs(self.m).max())
        if (self.size == 0.0 and _ORDINARY[0] <= top <= _ORDINARY[1]) or not 0.0 < top < math.inf:
            self.size = 0.0 if top == 0.0 else self.size
            return
        self.m = self.m / top
        self.size += math.log(top)
        if abs(self.size) < math.log(_ORDINARY[1]):
            self.m, self.size = self.m * math.exp(self.size), 0.0
