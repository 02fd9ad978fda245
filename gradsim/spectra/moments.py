"""The mean and the variance of squared singular values over an ensemble, with standard errors."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from gradsim.spectra.forward import Array


class Moments(NamedTuple):
    """Mean and variance of s^2 over the singular values of all networks; dead networks count as 0.

    The variance is that of one value drawn from all of them, E s^4 - (E s^2)^2, as in Pennington, Schoenholz and
    Ganguli 2017 (arXiv:1711.04735). Deep in a phase that vanishes or explodes they leave float64: 0 or inf.

    Attributes
    ----------
    mean, mean_error
        E s^2 and its standard error over networks.
    variance, variance_error
        E s^4 - (E s^2)^2 and its standard error.
    networks
        Finite networks that went into them.
    """

    mean: float
    mean_error: float
    variance: float
    variance_error: float
    networks: int


def moments_of(log_square: Array, log_fourth: Array) -> Moments:
    """Moments from ln of the mean of s^2 and of s^4 of each network (networks,), NaN for those that are not finite.

    The standard error of the variance takes into account that the mean is estimated from the same networks.
    """
    known = ~(np.isnan(log_square) | np.isnan(log_fourth))
    count = int(known.sum())
    if not count:
        return Moments(math.nan, math.nan, math.nan, math.nan, 0)
    log_square, log_fourth = log_square[known], log_fourth[known]
    top = float(log_square.max())
    if top == -math.inf:
        return Moments(0.0, 0.0, 0.0, 0.0, count)
    with np.errstate(over="ignore", under="ignore"):
        square, fourth = np.exp(log_square - top), np.exp(log_fourth - 2.0 * top)  # in units of the largest
        mean = float(square.mean())
        variance = float(fourth.mean()) - mean**2
        influence = fourth - 2.0 * mean * square
        scale, scale_4 = float(np.exp(np.float64(top))), float(np.exp(np.float64(2.0 * top)))
        errors = [_error(each) for each in (square, influence)]
        return Moments(mean * scale, errors[0] * scale, variance * scale_4, errors[1] * scale_4, count)


def _error(values: Array) -> float:
    """Standard error of a mean; NaN from one value."""
    return float(values.std(ddof=1)) / math.sqrt(len(values)) if len(values) > 1 else math.nan


def log_mean_powers(logs: Array) -> tuple[float, float]:
    """ln of the means of s^2 and of s^4 over all singular values of a network, given ln s."""
    top = float(logs.max())
    if not math.isfinite(top):
        return top, top
    with np.errstate(under="ignore"):
        square, fourth = (float(np.mean(np.exp(power * (logs - top)))) for power in (2, 4))
    return math.log(square) + 2.0 * top, math.log(fourth) + 4.0 * top
