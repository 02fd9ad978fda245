"""The crossing of 0 of a noisy curve over ln sigma_w, with an interval."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline, PchipInterpolator, PPoly
from scipy.optimize import isotonic_regression

from gradsim.errors import SweepError
from gradsim.theory.averages.functions import ignoring_floating_point_errors
from gradsim.theory.errors import check_probability

Array = NDArray[np.float64]

_DRAWS = 1000  # redrawn curves
_CLEAR = 3.0  # standard errors from 0 beyond which the sign of a cell is certain
_NEIGHBOURS = 3  # further cells on either side of the crossing that enter the fit
FEWEST_CELLS = 3
"""Cells along sigma_w below which there is no crossing."""
_MOST_LOST = 0.05  # share of redrawn curves without a crossing
_BISECTIONS = 50


class Crossing(NamedTuple):
    """A crossing of 0, or the reason why none is reported.

    Attributes
    ----------
    sigma_w, ci_low, ci_high
        The crossing and its interval; NaN if there is none.
    number
        Its number among the sign changes of the curve, from 1; 0 if there is none.
    direction
        "up" or "down"; None if there is none.
    reason
        Why there is no crossing, as a sentence; None if there is one.
    """

    sigma_w: float
    ci_low: float
    ci_high: float
    number: int
    direction: str | None
    reason: str | None


def no_crossing(reason: str) -> Crossing:
    """Return the result for a curve without a crossing, with the reason as a sentence."""
    return Crossing(float("nan"), float("nan"), float("nan"), 0, None, reason)


@ignoring_floating_point_errors
def find_crossing(sigma_w: Array, value: Array, se: Array, level: float = 0.95, key: str = "") -> Crossing:
    """Return the first upward crossing of 0 of ``value``, or else the first downward one.

    The cells are independent: each value is redrawn from its normal law, and every redrawn curve is made monotone near
    the crossing (weighted isotonic regression) and interpolated in ln sigma_w (PCHIP). The interval consists of
    percentiles of the roots, to which the error of the interpolation itself is added.

    Parameters
    ----------
    sigma_w
        Of each cell, ascending; shape (cells,).
    value, se
        Estimate of the log gain and its standard error, shape (cells,); cells without a finite pair are left out.
    level
        Probability that the interval covers the crossing.
    key
        Part of the key of the random numbers, together with the values: equal input gives equal output.

    Raises
    ------
    SweepError
        For arrays of different shapes or values of sigma_w that do not ascend, and a level outside (0, 1).
    """
    level = check_probability("level", level)
    sigma_w, value, se = (np.ma.filled(np.ma.asarray(part, np.float64), np.nan) for part in (sigma_w, value, se))
    if not (sigma_w.ndim == 1 and sigma_w.shape == value.shape == se.shape and (sigma_w > 0.0).all()) or np.any(
        np.diff(sigma_w) <= 0.0
    ):
        allowed = "three arrays of equal length, of which sigma_w is > 0 and ascends"
        raise SweepError("sigma_w, value, se", (sigma_w, value, se), allowed, "Sort them by sigma_w")
    usable = np.isfinite(value) & np.isfinite(se)
    x, y, se = np.log(sigma_w[usable]), value[usable], se[usable]
    if len(x) < FEWEST_CELLS:
        return no_crossing(
            f"Too few cells: {len(x)} with an estimate and an error, at least {FEWEST_CELLS} are needed."
        )
    changes = _sign_changes(y, se)
    upward = [k for k, (left, _) in enumerate(changes) if y[left] < 0.0]
    if not changes:
        side = "below" if y[0] < 0.0 else "above"
        return no_crossing(f"No crossing: the log gain stays {side} 0 at every sigma_w of the sweep.")
    number = upward[0] if upward else 0
    sign = 1.0 if upward else -1.0
    window = _window(sign * y, se, changes, number)
    digest = hashlib.sha256(key.encode() + np.stack([x, y, se]).tobytes()).digest()
    rng = np.random.Generator(np.random.Philox(key=int.from_bytes(digest[:16], "big")))
    noise = rng.standard_normal((_DRAWS, len(x)))[:, window]
    curves = np.concatenate([y[None, window], y[window] + se[window] * noise]) * sign
    roots = _roots(x[window], _monotone(curves, se[window]), "pchip")
    lost = float(np.mean(np.isnan(roots[1:])))
    if np.isnan(roots[0]) or lost > _MOST_LOST:
        return no_crossing(f"The crossing is lost in the noise: {lost:.0%} of the redrawn curves do not cross 0.")
    roots[1:] += _interpolation_error(x[window], curves, roots) * rng.standard_normal(_DRAWS)
    low, high = np.nanquantile(roots[1:], [0.5 - level / 2, 0.5 + level / 2])
    root, low, high = (float(np.exp(log_sigma_w)) for log_sigma_w in (roots[0], low, high))
    return Crossing(root, low, high, number + 1, "up" if upward else "down", None)


def _sign_changes(y: Array, se: Array) -> list[tuple[int, int]]:
    """Pairs of cells between which the curve changes sign; cells of uncertain sign between them are skipped."""
    for sign in (np.where(np.abs(y) > _CLEAR * se, np.sign(y), 0.0), np.where(y < 0.0, -1.0, 1.0)):
        clear = np.flatnonzero(sign)
        change = np.flatnonzero(np.diff(sign[clear]))
        if change.size:
            return [(int(clear[k]), int(clear[k + 1])) for k in change]
    return []


def _window(y: Array, se: Array, changes: list[tuple[int, int]], number: int) -> slice:
    """Cells around an upward crossing: a few on either side, up to a clear reversal or the next crossing."""
    left, right = changes[number]
    first = changes[number - 1][1] if number else 0
    last = changes[number + 1][0] if number + 1 < len(changes) else len(y) - 1
    start, stop = left, right
    while start > max(first, left - _NEIGHBOURS) and not _clearly_above(y, se, start - 1, start):
        start -= 1
    while stop < min(last, right + _NEIGHBOURS) and not _clearly_above(y, se, stop, stop + 1):
        stop += 1
    return slice(start, stop + 1)


def _clearly_above(y: Array, se: Array, left: int, right: int) -> bool:
    """Whether the curve falls from ``left`` to ``right`` by more than noise."""
    return bool(y[left] - y[right] > _CLEAR * np.hypot(se[left], se[right]))


def _monotone(curves: Array, se: Array) -> Array:
    """Isotonic regression of each row that needs it, weighted by 1 / se^2."""
    weights = 1.0 / np.maximum(se, 1e-9 * (np.max(se) or 1.0)) ** 2
    weights /= weights.max()
    for row in np.flatnonzero((np.diff(curves) < 0.0).any(axis=1)):
        curves[row] = isotonic_regression(curves[row], weights=weights).x
    return curves


def _roots(x: Array, curves: Array, interpolant: str) -> Array:
    """Root of the interpolant of each non-decreasing row; NaN where it does not cross 0 upward."""
    crosses = (curves[:, 0] < 0.0) & (curves[:, -1] >= 0.0)
    roots = np.full(len(curves), np.nan)
    if not crosses.any():
        return roots
    piece = np.argmax(curves[crosses, 1:] >= 0.0, axis=1)
    fit = {"pchip": PchipInterpolator, "cubic": CubicSpline, "linear": _linear}[interpolant]
    polynomial = fit(x, curves[crosses], axis=1).c[:, piece, np.arange(len(piece))]
    low, high = np.zeros(len(piece)), np.diff(x)[piece]
    for _ in range(_BISECTIONS):
        middle = 0.5 * (low + high)
        negative = np.polynomial.polynomial.polyval(middle, polynomial[::-1], tensor=False) < 0.0
        low, high = np.where(negative, middle, low), np.where(negative, high, middle)
    roots[crosses] = x[piece] + 0.5 * (low + high)
    return roots


def _linear(x: Array, curves: Array, axis: int) -> PPoly:
    """Piecewise linear interpolant."""
    return PPoly(np.stack([np.diff(curves, axis=axis) / np.diff(x), curves[:, :-1]]).swapaxes(1, 2), x)


def _interpolation_error(x: Array, curves: Array, roots: Array) -> float:
    """Standard deviation of the interpolation error, which exceeds the noise on a coarse grid with many networks.

    Against mean-field curves of seven activations on 26 cells PCHIP's error of ln sigma_w (up to 0.003 at depth 64,
    where the curve bends within one step) is about 0.6 of its distance from the cubic spline, and below a quarter of
    its distance from the straight line where the curve is smooth. The part of these distances that the noise
    explains is subtracted.
    """
    squares = [0.0]
    for interpolant, share in (("cubic", 1.0), ("linear", 0.25)):
        distance = share * (_roots(x, curves, interpolant) - roots)
        squares.append(float(distance[0] ** 2 - 4.0 * np.nanvar(distance[1:])))
    return 0.5 * float(np.sqrt(max(squares)))
