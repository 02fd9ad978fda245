"""Quantiles and exponential averages from histograms with 1/16-octave bins."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gradsim.theory.functions import ignoring_floating_point_errors
from gradsim_core.results.tally import BINS_PER_LN

Array = NDArray[np.float64]

KEYS = ["cell_id", "layer", "quantity"]
BIN_WIDTH = 1.0 / BINS_PER_LN
QUANTILES = {"q05": 0.05, "q25": 0.25, "median": 0.5, "q75": 0.75, "q95": 0.95}
TOP_FRACTION = 1e-4


@ignoring_floating_point_errors
def layers_frame(sums: pd.DataFrame, histograms: pd.DataFrame) -> pd.DataFrame:
    """Add the quantiles to the merged sums of every (cell, layer, quantity).

    Parameters
    ----------
    sums
        A row per (cell_id, layer, quantity): networks, dead, nonfinite, mean, std, se, min, max.
    histograms
        A row per (cell_id, layer, quantity, bin): networks.

    Returns
    -------
    pandas.DataFrame
        ``sums`` with q05, q25, median, q75, q95, in natural log. Dead networks count as -inf; NaN without networks.
    """
    result = sums.reset_index(drop=True)
    probabilities = np.tile(list(QUANTILES.values()), (len(result), 1))
    values = Histograms.of(result, histograms).quantiles(probabilities)
    return result.assign(**dict(zip(QUANTILES, values.T, strict=True)))


class Exponential(NamedTuple):
    """Mean of exp(value) over the networks of each row; dead networks count as 0.

    Attributes
    ----------
    log_mean
        ln of the mean; -inf if all are dead, NaN without networks.
    se
        Standard error of ``log_mean`` by the delta method: the relative standard error of the mean.
    top_share
        Share of the sum that comes from the largest 0.01 % of the networks (at least one).
    """

    log_mean: Array
    se: Array
    top_share: Array


class Histograms(NamedTuple):
    """Histograms of many rows of sums, concatenated; bins ascend within a row.

    Attributes
    ----------
    row, low, high, networks
        Of each bin: the index of its row of the sums, its edges clipped to the row's [min, max], its networks.
    live, dead, mean
        Of each row: finite networks, dead networks, exact mean of the finite ones.
    """

    row: NDArray[np.int64]
    low: Array
    high: Array
    networks: NDArray[np.int64]
    live: NDArray[np.int64]
    dead: NDArray[np.int64]
    mean: Array

    @classmethod
    def of(cls, sums: pd.DataFrame, histograms: pd.DataFrame) -> Histograms:
        """Return the bins of ``histograms`` by their row of ``sums``; bins without such a row are dropped."""
        rows = sums[KEYS].assign(row=np.arange(len(sums)))
        bins = histograms.merge(rows, on=KEYS).sort_values(["row", "bin"])
        row, count = bins["row"].to_numpy(np.int64), bins["networks"].to_numpy(np.int64)
        edge = bins["bin"].to_numpy(np.float64) * BIN_WIDTH
        minimum, maximum = (sums[name].to_numpy(np.float64, na_value=np.nan)[row] for name in ("min", "max"))
        return cls(
            row,
            np.fmin(np.fmax(edge, minimum), maximum),
            np.fmax(np.fmin(edge + BIN_WIDTH, maximum), minimum),
            count,
            np.bincount(row, count, len(sums)).astype(np.int64),
            sums["dead"].to_numpy(np.int64),
            sums["mean"].to_numpy(np.float64, na_value=np.nan),
        )

    def quantiles(self, probabilities: Array) -> Array:
        """Return quantiles of each row, linear inside a bin; ``probabilities`` and the result are (rows, any)."""
        total = (self.live + self.dead)[:, None]
        rank = probabilities * total - self.dead[:, None]
        ends = np.cumsum(self.live)[:, None]
        result = np.full(probabilities.shape, -np.inf)
        result[np.broadcast_to(total == 0, result.shape)] = np.nan
        alive = (rank >= 0.0) & (self.live[:, None] > 0) & ((rank > 0.0) | (self.dead[:, None] == 0))
        position = (rank + ends - self.live[:, None])[alive]
        cumulative = np.cumsum(self.networks)
        last = np.broadcast_to(np.searchsorted(cumulative, ends, side="left"), result.shape)[alive]
        place = np.minimum(np.searchsorted(cumulative, position, side="left"), last)
        first = np.broadcast_to(np.searchsorted(cumulative, ends - self.live[:, None], side="right"), result.shape)
        place = np.maximum(place, first[alive])
        inside = 1.0 - (cumulative[place] - position) / self.networks[place]
        result[alive] = self.low[place] + np.clip(inside, 0.0, 1.0) * (self.high - self.low)[place]
        return result

    def exponential(self, reached: Array, networks: Array) -> Exponential:
        """Return the mean of exp over live and dead networks, times the share ``reached`` of all ``networks``.

        Values are taken as uniform inside a bin, then shifted to the exact mean: without the shift a distribution
        narrower than a bin would be off by up to 0.02.
        """
        counted = (self.live + self.dead).astype(np.float64)
        width = self.high - self.low
        uniform = np.where(width > 0.0, np.sinh(width / 2) / np.where(width > 0.0, width / 2, 1.0), 1.0)
        middle = 0.5 * (self.low + self.high)
        largest = np.full(len(self.live), -np.inf)
        np.maximum.at(largest, self.row, middle)
        weight = uniform * np.exp(middle - largest[self.row])
        shift = self.mean - self._total(self.networks * middle) / self.live
        total = self._total(self.networks * weight)
        log_mean = np.where(self.live > 0, largest + np.log(total) - np.log(counted) + shift, -np.inf) + np.log(reached)
        variance = self._total(self.networks * weight**2) / total**2 - 1.0 / counted + (1 / reached - 1) / networks
        top_share = self._total(self._top(np.fmax(networks, counted)) * weight) / total
        log_mean[(counted == 0) & (reached != 0.0)] = np.nan
        return Exponential(log_mean, np.sqrt(np.maximum(variance, 0.0)), top_share)

    def _total(self, values: Array) -> Array:
        """Sum over the bins of each row."""
        return np.bincount(self.row, values, len(self.live)).astype(np.float64)

    def _top(self, counted: Array) -> Array:
        """Number of networks of each bin among the largest 0.01 % (at least one) of their row."""
        wanted = np.maximum(1.0, np.floor(TOP_FRACTION * counted))
        above = np.cumsum(self.live)[self.row] - np.cumsum(self.networks)
        taken: Array = np.clip(wanted[self.row] - above, 0.0, self.networks.astype(np.float64))
        return taken
