"""Quantiles and exponential averages from histograms with 1/16-octave bins."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtri

from gradsim.analysis import intervals
from gradsim.theory.averages.functions import ignoring_floating_point_errors
from gradsim_core.results.tally import BINS_PER_LN

Array = NDArray[np.float64]

KEYS = ["cell_id", "layer", "quantity"]
BIN_WIDTH = 1.0 / BINS_PER_LN
QUANTILES = {"q05": 0.05, "q25": 0.25, "median": 0.5, "q75": 0.75, "q95": 0.95}
TOP_FRACTION = 1e-4
_FEWEST_FOR_HUMPS, _CLASSES = 200, 12


@ignoring_floating_point_errors
def layers_frame(sums: pd.DataFrame, histograms: pd.DataFrame, level: float = 0.95) -> pd.DataFrame:
    """Add the quantiles to the merged sums of every (cell, layer, quantity), and an interval to each number.

    Parameters
    ----------
    sums
        A row per (cell_id, layer, quantity): networks, dead, nonfinite, mean, std, se, min, max.
    histograms
        A row per (cell_id, layer, quantity, bin): networks.
    level
        Probability that an interval covers what it estimates.

    Returns
    -------
    pandas.DataFrame
        ``sums`` with q05, q25, median, q75, q95, in natural log (dead networks count as -inf, NaN without networks),
        dead_fraction and nonfinite_fraction; and an interval ``<name>_low``, ``<name>_high`` of mean, std, each
        quantile and each fraction. It is infinite on a side for which there are too few networks.
    """
    result = sums.reset_index(drop=True)
    bins = Histograms.of(result, histograms)
    mean, std, se = (result[name].to_numpy(np.float64, na_value=np.nan) for name in ("mean", "std", "se"))
    live, networks = bins.live.astype(np.float64), result["networks"].to_numpy(np.float64)
    estimates = {"mean": (mean, *intervals.of_mean(mean, se, live, level))}
    estimates["std"] = std, *intervals.of_std(std, bins.kurtosis(), live, level)
    for name, probability in QUANTILES.items():
        estimates[name] = bins.quantile_with_interval(probability, std, level)
    for name in ("dead", "nonfinite"):
        hits = result[name].to_numpy(np.float64)
        estimates[f"{name}_fraction"] = hits / networks, *intervals.of_proportion(hits, networks, level)
    return result.assign(**columns_of(estimates))


def columns_of(estimates: Mapping[str, tuple[Array, Array, Array]]) -> dict[str, Array]:
    """Return the columns of estimates and their intervals: each name, then ``<name>_low`` and ``<name>_high``."""
    values = {name: estimate for name, (estimate, _, _) in estimates.items()}
    ends: dict[str, Array] = {}
    for name, (_, low, high) in estimates.items():
        ends |= {f"{name}_low": low, f"{name}_high": high}
    return values | ends


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

    def quantile_with_interval(self, probability: float, std: Array, level: float) -> tuple[Array, Array, Array]:
        """Return a quantile of each row with the interval of its order statistics, which needs no law.

        Linear interpolation inside a bin of width w is off by up to w^2 f' / (8 f), for a normal density f, and by up
        to w^3 / 16 std^2 at its mode; at most by w / 4. This is added on either side.
        """
        total = (self.live + self.dead).astype(np.float64)
        here = np.full(len(total), probability)
        low, high = intervals.of_rank(here, np.maximum(total, 1.0), level)
        places = np.clip(np.stack([here, low, high], -1), 0.0, 1.0)
        value, below, above = self.quantiles(places).T
        error = BIN_WIDTH**2 * abs(ndtri(probability)) / (8.0 * std) + BIN_WIDTH**3 / (16.0 * std**2)
        missed = np.where(std > 0.0, np.minimum(BIN_WIDTH / 4, error), 0.0)
        known = total > 0
        below = np.where(low < 0.0, -np.inf, below - missed)
        above = np.where(high > 1.0, np.inf, above + missed)
        return value, np.where(known, below, np.nan), np.where(known, above, np.nan)

    def kurtosis(self) -> Array:
        """Return the kurtosis around the median of the finite networks of each row; 3, as of a normal law, in a bin."""
        live = self.live / np.maximum(self.live + self.dead, 1)
        median = self.quantiles((1.0 - 0.5 * live)[:, None])[:, 0]
        middle = 0.5 * (self.low + self.high)
        second = self._total(self.networks * (middle - self.mean[self.row]) ** 2) / self.live
        fourth = self._total(self.networks * (middle - median[self.row]) ** 4) / self.live
        return np.where(second > BIN_WIDTH**2, fourth / second**2, 3.0)

    def within(self, low: float, high: float) -> Array:
        """Return how many networks of each row lie between two values; those of a bin are taken as evenly spread."""
        width = self.high - self.low
        overlap = np.fmin(self.high, high) - np.fmax(self.low, low)
        inside = (self.low >= low) & (self.low <= high)
        share = np.where(width > 0.0, overlap / np.where(width > 0.0, width, 1.0), inside)
        return self._total(self.networks * np.clip(share, 0.0, 1.0))

    def humps(self) -> NDArray[np.bool_]:
        """Return whether the law of each row clearly has two humps, apart by more than a standard deviation."""
        middle = 0.5 * (self.low + self.high)
        return np.array([_has_two_humps(self.networks[part], middle[part]) for part in self._rows()], bool)

    def _rows(self) -> list[slice]:
        """The bins of each row."""
        ends = np.searchsorted(self.row, np.arange(len(self.live) + 1))
        return [slice(start, stop) for start, stop in pairwise(ends.tolist())]

    def exponential(self, reached: Array, networks: Array, power: float = 1.0) -> Exponential:
        """Return the mean of exp(power * value) over live and dead networks, times the share ``reached`` of all.

        Values are taken as uniform inside a bin, then shifted to the exact mean: without the shift a distribution
        narrower than a bin would be off by up to 0.02.
        """
        counted = (self.live + self.dead).astype(np.float64)
        width = power * (self.high - self.low)
        uniform = np.where(width > 0.0, np.sinh(width / 2) / np.where(width > 0.0, width / 2, 1.0), 1.0)
        middle = 0.5 * power * (self.low + self.high)
        largest = np.full(len(self.live), -np.inf)
        np.maximum.at(largest, self.row, middle)
        weight = uniform * np.exp(middle - largest[self.row])
        shift = power * self.mean - self._total(self.networks * middle) / self.live
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


def _has_two_humps(networks: NDArray[np.int64], place: Array) -> bool:
    """Whether counts in a dozen classes between the 2nd and 98th percentile have a valley that chance does not make.

    The valley's count lies 4 standard deviations below those of both hills, and below half of the lower one.
    """
    total = float(networks.sum())
    if total < _FEWEST_FOR_HUMPS:
        return False
    share = np.cumsum(networks) / total
    first, last = (min(int(np.searchsorted(share, p)), len(place) - 1) for p in (0.02, 0.98))
    low, high = float(place[first]), float(place[last])
    if high - low < 24 * BIN_WIDTH:  # about as narrow as a dozen bins
        return False
    counts, _ = np.histogram(place, _CLASSES, (low, high), weights=networks)
    left, right = np.maximum.accumulate(counts), np.maximum.accumulate(counts[::-1])[::-1]
    hill = np.minimum(left, right)
    valley: np.ndarray = (hill - counts > 4.0 * np.sqrt(hill + counts)) & (counts < 0.5 * hill)
    return bool(valley.any())
