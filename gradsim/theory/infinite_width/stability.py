"""All fixed points of q with their stability, and the half-stable ones on the critical line."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.optimize import brentq, minimize_scalar

from gradsim.theory.averages.functions import Array, ignoring_floating_point_errors
from gradsim.theory.averages.moments import Moments, moments
from gradsim.theory.errors import check_sigma_b, check_sigma_w
from gradsim.theory.infinite_width.fixed_point import log_ratio, mean_field
from gradsim.theory.memory import current
from gradsim_core.activations import Activation

_RANGE = 83.0  # of |ln q|: beyond it phi is linear, and no fixed point follows
_STEP = 1 / 64  # in ln q: close pairs of fixed points lie near the half-stable ones
_NOISE = 1e-12  # of ln(q'/q)
_SEARCH = 40.0  # of |ln q| for half-stable points
_BENT = 1e-9  # second difference of ln(q'/q) that exceeds rounding
_STABILITY = {(True, True): "stable", (False, False): "unstable"}


class FixedPoint(NamedTuple):
    """A fixed point of q -> sigma_w^2 E[phi(sqrt(q) z)^2] + sigma_b^2.

    Attributes
    ----------
    q
        From 0 to infinity.
    stability
        "stable"; "unstable"; "half-stable": q returns to it from one side only; "neutral": every q is a fixed point.
    slope
        dq'/dq.
    chi_1
        sigma_w^2 E[phi'(sqrt(q) z)^2].
    reached
        Whether the default input reaches it: it is q_star.
    """

    q: float
    stability: str
    slope: float
    chi_1: float
    reached: bool


@ignoring_floating_point_errors
def fixed_points(activation: str | Activation, sigma_w: float, sigma_b: float = 0.0) -> pd.DataFrame:
    """Return all fixed points of q, of which `mean_field` gives the one that the default input reaches.

    Parameters
    ----------
    activation
        A name, or a user's own activation.
    sigma_w
        Weight standard deviation times sqrt(fan_in), > 0.
    sigma_b
        Bias standard deviation, >= 0.

    Returns
    -------
    pandas.DataFrame
        A row per fixed point, with the columns of :class:`FixedPoint`, by q.

    Raises
    ------
    SweepError
        As `mean_field`.

    Examples
    --------
    >>> fixed_points("tanh", sigma_w=1.5)[["q", "stability", "reached"]].round(3)
           q stability  reached
    0  0.000  unstable    False
    1  0.793    stable     True
    """
    resolved = current(activation)
    sigma_w, sigma_b = check_sigma_w(sigma_w), check_sigma_b(sigma_b)
    table = moments(resolved)
    q_star = mean_field(resolved, sigma_w, sigma_b).q_star
    steps = np.arange(-_RANGE, _RANGE + _STEP, _STEP)
    ratio = np.nan_to_num(log_ratio(table, steps, sigma_w, sigma_b))
    clear = np.flatnonzero(np.abs(ratio) > _NOISE)
    if not clear.size:
        return pd.DataFrame([FixedPoint(q_star, "neutral", 1.0, 1.0, True)])
    roots = _roots(lambda t: float(log_ratio(table, t, sigma_w, sigma_b)), steps[clear], ratio[clear])
    rising = [_rises(steps, ratio, *ends) for ends in pairwise([-np.inf, *roots, np.inf])]
    returns = [(not rising[0],) * 2, *((left, not right) for left, right in pairwise(rising)), (rising[-1],) * 2]
    exists = [sigma_b == 0.0 and table.at_zero == 0.0, *[True] * len(roots), rising[-1]]
    places = [-np.inf, *roots, np.inf]
    distances = [0.0 if t == np.log(q_star) else abs(t - np.log(q_star)) for t in places]
    found = [
        _fixed_point(table, t, sigma_w, _STABILITY.get(sides, "half-stable"), distance == min(distances))
        for t, sides, distance, kept in zip(places, returns, distances, exists, strict=True)
        if kept
    ]
    return pd.DataFrame(found)


@ignoring_floating_point_errors
def half_stable_points(activation: str | Activation) -> pd.DataFrame:
    """Return the points of the critical line at which the fixed point of q is half-stable: chi_1 = 1 and dq'/dq = 1.

    There are such points for gelu and silu: Roberts, Yaida and Hanin 2021 (arXiv:2106.10165), section 5.3.3.

    Parameters
    ----------
    activation
        A name, or a user's own activation.

    Returns
    -------
    pandas.DataFrame
        A row per point: sigma_w, sigma_b, q. Empty if there is none, and if every critical point is neutral, as for
        relu.

    Raises
    ------
    SweepError
        As `mean_field`.

    Examples
    --------
    >>> half_stable_points("gelu").round(6)  # q = (3 + sqrt(17)) / 2
        sigma_w   sigma_b         q
    0  1.408211  0.415839  3.561553
    """
    table = moments(current(activation))

    def excess(log_q: float) -> float:
        """ln of dq'/dq over chi_1."""
        return float(np.log(table.slope_of_map(np.exp(log_q))) - table.log_moments(log_q)[1])

    steps = np.arange(-_SEARCH, _SEARCH, 8 * _STEP)
    apart = np.array([excess(t) for t in steps])
    clear = np.flatnonzero(np.abs(apart) > _NOISE)
    points = []
    for log_q in _roots(excess, steps[clear], apart[clear]):
        forward, backward = (float(np.exp(part)) for part in table.log_moments(log_q))
        variance = np.exp(log_q) - forward / backward
        if variance >= 0.0:
            points.append((backward**-0.5, variance**0.5, float(np.exp(log_q))))
    return pd.DataFrame(points, columns=["sigma_w", "sigma_b", "q"], dtype=float)


def _fixed_point(table: Moments, log_q: float, sigma_w: float, stability: str, reached: bool) -> FixedPoint:
    q, chi_1 = float(np.exp(log_q)), float(sigma_w**2 * np.exp(table.log_moments(log_q)[1]))
    slope = sigma_w**2 * table.slope_of_map(q) if 0.0 < q < np.inf else chi_1  # phi is linear on either side there
    return FixedPoint(q, stability, slope, chi_1, reached)


def _rises(steps: Array, ratio: Array, start: float, stop: float) -> bool:
    """Whether q grows between two fixed points, by the step where it changes most."""
    inside = ratio[(steps > start) & (steps < stop)]
    if inside.size == 0:
        return False
    return bool(inside[np.argmax(np.abs(inside))] > 0.0)


def _roots(function: Callable[[float], float], steps: Array, values: Array) -> list[float]:
    """All roots of a function that is known at steps: changes of sign, and places between where it touches 0."""
    signs = np.sign(values)
    roots = [
        float(brentq(function, steps[k], steps[k + 1], xtol=1e-15, rtol=1e-15)) for k in np.flatnonzero(np.diff(signs))
    ]
    size = np.abs(values)
    bend = size[:-2] - 2 * size[1:-1] + size[2:]
    low = (size[1:-1] <= size[:-2]) & (size[1:-1] <= size[2:]) & (bend > _BENT) & (size[1:-1] < 0.25 * bend)
    low &= (signs[:-2] == signs[1:-1]) & (signs[1:-1] == signs[2:])
    for k in np.flatnonzero(low) + 1:
        left, right = steps[k - 1], steps[k + 1]
        lowest = minimize_scalar(
            lambda t, sign: sign * function(t), args=(signs[k],), bounds=(left, right), method="bounded",
            options={"xatol": 1e-10},
        )  # fmt: skip
        if lowest.fun < -_NOISE:
            roots += [float(brentq(function, *ends, xtol=1e-15)) for ends in ((left, lowest.x), (lowest.x, right))]
        elif lowest.fun <= _NOISE:
            roots.append(float(lowest.x))
    return sorted(roots)
