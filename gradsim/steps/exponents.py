"""Exponents of a size against width: a fit through medians, with intervals by bootstrap over networks."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

REDRAWN = 1000
"""Bootstrap samples of each width."""

_AT_A_TIME = 50  # samples: their memory is that many times the values of a width


class Fits(NamedTuple):
    """Exponents with intervals, float64 (columns,) each.

    They are NaN where fewer than two widths have a median above 0, or one is infinite.
    """

    exponent: Array
    low: Array
    high: Array


def medians(values: Array) -> Array:
    """Return the medians over networks, the last axis but one; values that are not finite count as +inf."""
    bounded = np.where(np.isfinite(values), values, np.inf)
    middle = values.shape[-2] // 2
    part = np.partition(bounded, [middle, max(middle - 1, 0)], axis=-2)
    upper = part[..., middle, :]
    with np.errstate(over="ignore"):
        even: Array = 0.5 * (part[..., middle - 1, :] + upper)
    return upper if values.shape[-2] % 2 else even


def slopes(widths: Array, sizes: Array) -> Array:
    """Return d ln size / d ln width by least squares.

    Parameters
    ----------
    widths : array (widths,)
    sizes : array (widths, ...)
        Sizes that are 0 are left out. One that is not finite leaves no slope: that of the others would hide it.
    """
    finite = np.isfinite(sizes)
    known = finite & (sizes > 0.0)
    y = np.log(np.where(known, sizes, 1.0))
    x = np.log(widths).reshape(-1, *[1] * (sizes.ndim - 1))
    with np.errstate(invalid="ignore", divide="ignore"):
        count = known.sum(0)
        x_off = np.where(known, x - np.where(known, x, 0.0).sum(0) / count, 0.0)
        found: Array = (x_off * y).sum(0) / np.square(x_off).sum(0)
    return np.where(finite.all(0) & (count > 1), found, np.nan)


def fit(widths: Array, values: list[Array], level: float, seed: int) -> Fits:
    """Fit an exponent to each column.

    The fit is a line through ln median against ln width. Each bootstrap sample draws as many networks of each width as
    there are, with replacement, the same for all columns; the interval is between percentiles of its exponents. So it
    covers the chance of which networks were drawn, not what medians at finite width differ from a power law.

    Parameters
    ----------
    values : list of arrays (networks, columns)
        One for each width.
    level
        Coverage probability.
    seed
        Of the bootstrap.
    """
    random = np.random.default_rng([seed, 0xC00D])
    exponent = slopes(widths, np.stack([medians(each) for each in values]))
    redrawn = np.concatenate([_redrawn(widths, values, random) for _ in range(REDRAWN // _AT_A_TIME)])
    tail = 50.0 * (1.0 - level)
    known = np.isfinite(exponent) & np.isfinite(redrawn).all(0)
    ends = np.full((2, len(exponent)), np.nan)
    ends[:, known] = np.percentile(redrawn[:, known], [tail, 100.0 - tail], axis=0)
    return Fits(exponent, *ends)


def _redrawn(widths: Array, values: list[Array], random: np.random.Generator) -> Array:
    """Exponents of some bootstrap samples, (samples, columns)."""
    sizes = [medians(each[random.integers(len(each), size=(_AT_A_TIME, len(each)))]) for each in values]
    return slopes(widths, np.stack(sizes))
