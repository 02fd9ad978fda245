"""When the mean of exp over a sample can be trusted: a few networks that none of them has drawn may make up the mean.

A small share of the largest is also what one sees when no rare network was drawn, so the sample alone cannot tell. The
spread can: of a log-normal gain with standard deviation s of its logarithm, relative variance and skewness are E - 1
and (E + 2) sqrt(E - 1) with E = exp(s^2). Where the law is known they are exact.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gradsim.sweep.columns import are_plain
from gradsim.theory.averages.functions import ignoring_floating_point_errors
from gradsim.theory.finite_width.factor_law import factor_law
from gradsim.theory.finite_width.roots import negative_slope
from gradsim_core.activations import resolve_activation

Array = NDArray[np.float64]

MOST_TOP_SHARE = 0.1
"""An annealed number is not trusted if its largest 0.01 % of networks contribute more than this share of the sum."""

FEWEST_PER_SKEWNESS = 10.0
"""Networks for each unit of the squared skewness that a trusted mean needs.

Of log-normal gains the 95 % interval of the mean then covers 94.2 to 94.7 %, with half as many networks 93.4 to 94.0 %.
A spread of 1.0 needs 380 networks, 1.5 needs 11,000, and 2.0 needs 1.7 million.
"""

_LARGE, _LARGEST = 12.0, 600.0  # ln of a raw moment


@ignoring_floating_point_errors
def fewest_networks(cells: pd.DataFrame, std: Array, power: float = 1.0, own: Collection[str] = ()) -> Array:
    """Return how many networks the mean of a power of the gain needs to be trusted, in each cell.

    Parameters
    ----------
    cells
        Every parameter.
    std
        Standard deviation of the log gain of each cell.
    power
        Of the gain.
    own
        Names of a user's own activations, whose laws are not known.
    """
    spread = np.exp(np.square(power * std))
    variance, skewness = spread - 1.0, (spread + 2.0) * np.sqrt(spread - 1.0)
    exact = (cells["law"] == "gaussian") & (cells["sigma_b"] == 0.0) & ~cells["activation"].isin(list(own))
    exact &= are_plain(cells)
    for key, place in cells[exact].groupby(["activation", "width", "depth"]).indices.items():
        name, width, depth = (str(part) for part in key)  # type: ignore[attr-defined]
        with suppress(ValueError):  # no known law, or no such activation here
            rows = np.flatnonzero(exact)[place]
            variance[rows], skewness[rows] = _known(name, int(width), int(depth), power)
    return np.nan_to_num(np.maximum(FEWEST_PER_SKEWNESS * skewness**2, variance), nan=np.inf, posinf=np.inf)


def _known(activation: str, width: int, depth: int, power: float) -> tuple[float, float]:
    """Relative variance, and skewness, of a power of the gain, dead networks counted as 0."""
    slope = negative_slope(resolve_activation(activation))
    law = factor_law(slope, width)
    log_live = float(np.log(-np.expm1(-width * np.log(2.0)))) if slope == 0.0 else 0.0
    first, second, third = ((depth - 1) * (law.level(k * power) + log_live) for k in (1.0, 2.0, 3.0))
    log2, log3 = second - 2.0 * first, third - 3.0 * first
    if log2 > _LARGE:  # of raw moments only the largest matter, and they may leave float64
        return float(np.exp(min(log2, _LARGEST))), float(np.exp(min(log3 - 1.5 * log2, _LARGEST / 2)))
    raw2, raw3 = np.exp(log2), np.exp(log3)
    variance = max(raw2 - 1.0, 0.0)
    return variance, float((raw3 - 3.0 * raw2 + 2.0) / variance**1.5) if variance > 1e-12 else 0.0
