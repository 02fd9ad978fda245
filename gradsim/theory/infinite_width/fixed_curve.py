"""The curve of all fixed points of q, with q as its parameter: where chi_1 = 1 on it, and where it turns back.

Each q > sigma_b^2 is a fixed point at one sigma_w: sigma_w^2 = (q - sigma_b^2) / E[phi^2]. Along q this curve is
smooth and chi_1 with it, also where chi_1 rises over 1 and falls back within 1 % of sigma_w because q runs to infinity:
a scan in sigma_w misses that.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq, minimize_scalar

from gradsim.theory.averages.functions import Array
from gradsim.theory.averages.moments import Moments

_RANGE = 40.0  # chi_1 at greater |ln q| differs from its limit by less than 2e-9
_STEP = 0.125  # in ln(q - sigma_b^2)
_CLEAR = 1e-11  # |ln chi_1| above rounding: where phi is linear, as at q -> 0, chi_1 is 1 on the whole curve


class FixedPoints(NamedTuple):
    """Places on the curve of fixed points of q.

    Attributes
    ----------
    critical, q
        sigma_w and q of the fixed points with chi_1 = 1.
    folds
        sigma_w at which the curve turns back: there q_star may jump to another part of it.
    """

    critical: Array
    q: Array
    folds: Array


def fixed_points(table: Moments, sigma_b: float) -> FixedPoints:
    """Return the critical points and the folds on the curve of fixed points with |ln(q - sigma_b^2)| < 40."""
    steps = np.arange(-_RANGE, _RANGE + _STEP, _STEP)
    log_sigma_w2, log_chi = _curve(table, steps, sigma_b)
    clear = np.flatnonzero(np.isfinite(log_chi) & (np.abs(log_chi) > _CLEAR))
    change = np.flatnonzero((np.diff(np.sign(log_chi[clear])) != 0.0) & (np.diff(clear) <= 2))
    roots = np.array(
        [
            brentq(lambda u: float(_curve(table, u, sigma_b)[1]), steps[clear[k]], steps[clear[k + 1]], xtol=1e-15)
            for k in change
        ]
    )
    inner = log_sigma_w2[1:-1]
    turns = (inner > log_sigma_w2[:-2] + _CLEAR) & (inner > log_sigma_w2[2:] + _CLEAR)
    folds = [_fold(table, float(u), sigma_b) for u in steps[1:-1][turns]]
    critical = np.exp(0.5 * _curve(table, roots, sigma_b)[0])
    return FixedPoints(critical, np.exp(_log_q(roots, sigma_b)), np.array(folds))


def _fold(table: Moments, near: float, sigma_b: float) -> float:
    """Greatest sigma_w of the curve within a step of ``near``."""
    found = minimize_scalar(
        lambda u: -float(_curve(table, u, sigma_b)[0]), bounds=(near - _STEP, near + _STEP), method="bounded"
    )
    return float(np.exp(-0.5 * found.fun))


def _curve(table: Moments, u: float | Array, sigma_b: float) -> tuple[Array, Array]:
    """ln sigma_w^2 and ln chi_1 of the fixed point with ln(q - sigma_b^2) = u."""
    forward, backward = table.log_moments(_log_q(u, sigma_b))
    log_sigma_w2 = u - forward
    return log_sigma_w2, log_sigma_w2 + backward


def _log_q(u: float | Array, sigma_b: float) -> Array:
    return np.asarray(np.logaddexp(u, 2.0 * np.log(sigma_b)))
