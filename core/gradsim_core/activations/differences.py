"""Slopes from differences: the derivative of a user's function, and the comparison of a given derivative with phi.

One-sided stencils of order 6 are used. At a kink one of the two sides is clean, so a kink smears no slope and makes no
right derivative look wrong.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

Function = Callable[..., Any]

REACH = 8.0
"""A user's pair must be finite, and dphi the derivative of phi, at 161 places in |h| <= 8."""

_PLACES = np.linspace(-REACH, REACH, 161)
_STEP = 2.0**-7
_STEPS = 2.0**-5, 2.0**-7, 2.0**-9, 2.0**-11, 2.0**-13
_SLOPE = (-49 / 20, 6.0, -15 / 2, 20 / 3, -15 / 4, 6 / 5, -1 / 6)
_BEND = (1.0, -6.0, 15.0, -20.0, 15.0, -6.0, 1.0)
_RELATIVE, _ABSOLUTE = 1e-3, 1e-6
"""Most that dphi may be off: relative to the slope, and to the largest slope. Rounded constants in a formula pass."""


class Fault(NamedTuple):
    """Where a pair is wrong: the function (phi, dphi), at which h, its value; and the slope of phi if that differs."""

    function: str
    h: float
    value: float
    slope: float | None = None


def by_differences(phi: Function) -> Function:
    """The derivative of phi from its values, to about 1e-12 of |phi|: on the side away from 0, unless a kink is there.

    Where phi saturates, slopes below that are lost: they become 0 or noise.
    """

    def dphi(h: Any) -> Any:
        step = _STEP * max(1.0, abs(h) / 8.0)
        step = step if h > 0.0 else -step
        away = back = bend_away = bend_back = size = 0.0
        for k in range(7):
            ahead, behind = phi(h + k * step), phi(h - k * step)
            away += _SLOPE[k] * ahead
            back -= _SLOPE[k] * behind
            bend_away += _BEND[k] * ahead
            bend_back += _BEND[k] * behind
            size = max(size, abs(ahead))
        kinked = abs(bend_away) > 10.0 * abs(bend_back) + 1e-10 * size
        return (back if kinked else away) / step

    vars(dphi)["differences_of"] = phi
    return dphi


def find_fault(phi: Function, dphi: Function, compare: bool) -> Fault | None:
    """The place in |h| <= `REACH` where a pair is most wrong: not finite, or a dphi that is not the slope of phi.

    Parameters
    ----------
    phi, dphi : callable
        Functions of one float.
    compare : bool
        Whether dphi is compared with differences of phi. What differences do not settle is not a fault.
    """
    plain, slopes = _values(phi, _PLACES), _values(dphi, _PLACES)
    for name, values in (("phi", plain), ("dphi", slopes)):
        wrong = np.flatnonzero(~np.isfinite(values))
        if wrong.size:
            nearest = wrong[np.argmin(np.abs(_PLACES[wrong]))]
            return Fault(name, float(_PLACES[nearest]), float(values[nearest]))
    if not compare:
        return None
    with np.errstate(all="ignore"):
        sides, doubts = zip(*(_one_sided(phi, sign) for sign in (-1.0, 1.0)), strict=True)
        size, smallest = np.abs(sides), _ABSOLUTE * np.abs(slopes).max()
        grain = np.finfo(np.float32 if (plain == plain.astype(np.float32)).all() else np.float64).eps  # of phi itself
        rounding = 64 * grain * np.abs(plain) / _STEPS[-1]
        margin = 10 * np.array(doubts) + _RELATIVE * np.maximum(size, np.abs(slopes)) + smallest + rounding
        margin[doubts > 0.05 * size + smallest] = np.inf
        low, high = np.min(sides - margin, 0), np.max(sides + margin, 0)
        excess = np.maximum(slopes - high, low - slopes)
    worst = int(np.argmax(np.where(np.isfinite(excess), excess, -np.inf)))
    if not excess[worst] > 0:
        return None
    return Fault("dphi", float(_PLACES[worst]), float(slopes[worst]), float(sides[0][worst]))


def _one_sided(phi: Function, sign: float) -> tuple[np.ndarray, np.ndarray]:
    """Slopes at all places from one side, and how much they are in doubt: by what the best three steps differ."""
    found = []
    for step in _STEPS:
        values = [_values(phi, _PLACES + sign * k * step) for k in range(7)]
        found.append(np.tensordot(_SLOPE, values, 1) / (sign * step))
    gaps = np.abs(np.diff(found, axis=0))
    gaps = np.maximum(gaps[1:], gaps[:-1])
    gaps[np.isnan(gaps)] = np.inf
    best = np.argmin(gaps, axis=0)
    each = np.arange(len(_PLACES))
    return np.array(found)[best + 2, each], gaps[best, each]


def _values(function: Function, h: np.ndarray) -> np.ndarray:
    """The function at each h; NaN where it overflows or divides by zero, as the compiled function gives no number."""
    with np.errstate(all="ignore"):
        return np.array([_value(function, float(place)) for place in h])


def _value(function: Function, h: float) -> float:
    try:
        return float(function(h))
    except (ArithmeticError, ValueError):
        return math.nan
