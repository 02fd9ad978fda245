"""chi_1 at many points of the plane (sigma_w, sigma_b) at once, for tables of thousands of cells.

The map of q needs E[phi^2] on one grid of ln q, which all points share, so a point costs some microseconds instead of a
millisecond. Points at which the grid is too coarse to tell are left to `fixed_point`.
"""

from __future__ import annotations

from contextlib import suppress

import numpy as np

from gradsim.errors import SweepError
from gradsim.theory.averages.functions import Array, ignoring_floating_point_errors
from gradsim.theory.averages.moments import SLOPE_RANGE, Moments, moments
from gradsim.theory.infinite_width import fixed_point
from gradsim.theory.memory import current
from gradsim_core.activations import Activation

_STRIDE = 0.125  # step in ln q of the search, as for a single point
_NOISE = 4e-13  # rounding error of ln(q'/q)
_BENT = 1e-9  # second difference of ln(q'/q) that exceeds rounding
_AT_ONCE, _BLOCK = 2048, 64  # points, and steps of each: some megabytes
_HALVINGS = 54  # from a step in ln q to rounding


@ignoring_floating_point_errors
def chi_1(activation: str | Activation, sigma_w: Array, sigma_b: Array) -> Array:
    """Return chi_1 at each of the points, equal to `gradsim.theory.chi_1` within rounding; NaN where that refuses.

    Parameters
    ----------
    activation
        A name, or a user's own activation.
    sigma_w, sigma_b
        Arrays of equal length, > 0 and >= 0.

    Raises
    ------
    ValueError
        For an unknown activation.
    """
    resolved = current(activation)
    table = moments(resolved)
    shared = _Grid(table, sigma_w, sigma_b)
    found = [
        _chi_1(resolved, shared, sigma_w[i : i + _AT_ONCE], sigma_b[i : i + _AT_ONCE])
        for i in range(0, len(sigma_w), _AT_ONCE)
    ]
    return np.concatenate([np.empty(0), *found])


def _chi_1(activation: Activation, shared: _Grid, sigma_w: Array, sigma_b: Array) -> Array:
    low, high, doubtful = _brackets(shared, sigma_w, sigma_b)
    log_q = _bisected(shared.table, low, high, sigma_w, sigma_b)
    chi: Array = sigma_w**2 * np.exp(shared.table.log_moments(log_q)[1])
    # Where averages grow beyond what is tabulated, a single point tells whether it can be trusted.
    for k in np.flatnonzero(doubtful | np.isfinite(shared.table.grown)):
        chi[k] = np.nan
        with suppress(SweepError):
            chi[k] = fixed_point.chi_1(activation, float(sigma_w[k]), float(sigma_b[k]))
    return chi


class _Grid:
    """ln E[phi^2] at multiples of the step in ln q, as far as the search of any point goes."""

    def __init__(self, table: Moments, sigma_w: Array, sigma_b: Array) -> None:
        start = np.abs(np.log(sigma_w**2 + sigma_b**2)).max(initial=0.0)
        self.table, self.size = table, int(max(SLOPE_RANGE, start + 10.0) / _STRIDE) + 2
        steps = np.arange(-self.size, self.size + 1) * _STRIDE
        self.forward = np.concatenate(
            [table.log_moments(steps[i : i + _AT_ONCE])[0] for i in range(0, len(steps), _AT_ONCE)]
        )


def _brackets(shared: _Grid, sigma_w: Array, sigma_b: Array) -> tuple[Array, Array, np.ndarray]:
    """Ends of the first step in which q' - q changes sign, equal where ln q_star is known; and doubtful points."""
    start = np.log(sigma_w**2 + sigma_b**2)
    first = _log_ratio(shared.table.log_moments(start)[0], start, sigma_w, sigma_b)
    low, high = start.copy(), start.copy()
    doubtful = ~np.isfinite(first)
    going = np.flatnonzero(~doubtful & (np.abs(first) > _NOISE))
    direction = np.sign(first)
    before, ahead_before = start.copy(), np.abs(first)
    step = (np.where(direction > 0, np.floor(start / _STRIDE) + 1, np.ceil(start / _STRIDE) - 1)).astype(np.int64)
    step = np.where(doubtful, 0, step)
    while going.size:
        sign = direction[going].astype(np.int64)[:, None]
        places = step[going, None] + sign * np.arange(_BLOCK)
        t = np.clip(places, -shared.size, shared.size)
        ratio = _log_ratio(shared.forward[t + shared.size], t * _STRIDE, sigma_w[going, None], sigma_b[going, None])
        ahead = np.hstack([ahead_before[going, None], sign * ratio])
        t_ahead = np.hstack([before[going, None], t * _STRIDE])
        crossed = ahead < -_NOISE
        last = np.where(crossed.any(axis=1), crossed.argmax(axis=1), _BLOCK + 1)
        doubtful[going] |= _dips(ahead, last) | ~np.isfinite(ahead).all(axis=1)
        rows, done = np.arange(len(going)), last <= _BLOCK
        found = rows[done], last[done]
        low[going[done]], high[going[done]] = t_ahead[found[0], found[1] - 1], t_ahead[found]
        known = done & (ahead[rows, np.minimum(last, _BLOCK) - 1] <= 0.0)  # a fixed point to rounding
        high[going[known]] = low[going[known]]
        over = ~done & (np.abs(places[:, -1]) >= shared.size)
        low[going[over]] = high[going[over]] = np.where(sign[over, 0] < 0, -np.inf, np.inf)
        step[going] += sign[:, 0] * (_BLOCK - 1)  # the last step again: so that every three are looked at
        before[going], ahead_before[going] = t_ahead[:, -2], ahead[:, -2]
        going = going[~done & ~over & ~doubtful[going]]
    return low, high, doubtful


def _dips(ahead: Array, last: np.ndarray) -> np.ndarray:
    """Whether two fixed points may hide between two steps before the crossing."""
    inner, bend = ahead[:, 1:-1], ahead[:, :-2] - 2 * ahead[:, 1:-1] + ahead[:, 2:]
    dips: np.ndarray = (inner <= ahead[:, :-2]) & (inner <= ahead[:, 2:]) & (bend > _BENT) & (inner < bend)
    place = np.arange(1, inner.shape[1] + 1)
    return np.asarray((dips & (place < last[:, None])).any(axis=1))


def _bisected(table: Moments, low: Array, high: Array, sigma_w: Array, sigma_b: Array) -> Array:
    """ln q_star between the ends, where they differ."""
    log_q = low.copy()
    open_ = np.flatnonzero(low != high)
    low, high, sigma_w, sigma_b = low[open_], high[open_], sigma_w[open_], sigma_b[open_]
    sign = np.sign(high - low)
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        ahead = sign * _log_ratio(table.log_moments(middle)[0], middle, sigma_w, sigma_b) > 0.0
        low, high = np.where(ahead, middle, low), np.where(ahead, high, middle)
    log_q[open_] = 0.5 * (low + high)
    return log_q


def _log_ratio(forward: Array, log_q: Array, sigma_w: Array, sigma_b: Array) -> Array:
    """ln(q' / q) for the map of one layer, from ln E[phi^2]."""
    ratio: Array = np.logaddexp(2 * np.log(sigma_w) + forward, 2 * np.log(sigma_b)) - log_q
    return ratio
