"""Simulated networks of a cell, as many as seconds allow, and what their gains say."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradsim.analysis import intervals
from gradsim.analysis.summaries import DECADE
from gradsim.simulation.ensemble import simulate
from gradsim_core.activations import Activation
from gradsim_core.architectures import PLAIN, Network, normals
from gradsim_core.architectures.network import matrix_of
from gradsim_core.architectures.presets import HIDDEN
from gradsim_core.laws import resolve_law

Array = NDArray[np.float64]

NETWORKS = 2**14
"""Most networks of a sample: they give the median of a widely spread gain to 0.02 decades."""

_FEWEST = 200  # networks of a sample, to which a median and the share within a decade are known
_EXPLICIT_NORMALS = 4e9  # of a sample that draws weights: about a second on two cores
_CONDITIONAL_NORMALS = 2**28  # of one that does not: about a second on two cores
_FEW = 64  # networks of a sample of other kinds, which are simulated narrower if these take too long
_NARROWEST = 64


@dataclass(frozen=True)
class Networks:
    """Which networks are simulated: a cell without its sigma_w.

    Attributes
    ----------
    activation, law, sigma_b, depth, width, seed, threads
        As :func:`gradsim.simulate` takes them.
    network
        Its kind.
    """

    activation: str | Activation
    law: str
    sigma_b: float
    depth: int
    width: int
    seed: int = 1
    threads: int | None = None
    network: Network = PLAIN

    @property
    def options(self) -> dict[str, Any]:
        """The fields of the kind that are not at their default, as keywords of :func:`gradsim.simulate`."""
        return {name: value for name, value in self.network._asdict().items() if value != getattr(PLAIN, name)}

    @property
    def fan_in(self) -> int:
        """Inputs of an output of a hidden matrix."""
        return matrix_of(self.network, HIDDEN, self.depth, self.width).fan_in

    @cached_property
    def drawn_law(self) -> str:
        """The law of the simulated weights: Gaussian where weights of this law would take too long to draw."""
        drawn = float(self.depth) * self.width**2
        if self.network != PLAIN:
            drawn = float(normals(self.network, "explicit", self.depth, self.width))
        drawable = resolve_law(self.law).conditional or _FEWEST * drawn <= _EXPLICIT_NORMALS
        return self.law if drawable else "gaussian"

    @cached_property
    def method(self) -> str:
        """How they are simulated."""
        return "conditional" if resolve_law(self.drawn_law).conditional else "explicit"

    @cached_property
    def drawn_width(self) -> int:
        """The width of the simulated networks: less than the width where so many neurons would take too long."""
        width = self.width
        if self.network == PLAIN:
            return width
        while width >= 2 * _NARROWEST and self._affordable(width) < _FEW:
            width //= 2
        return width

    def _affordable(self, width: int) -> int:
        return int(_CONDITIONAL_NORMALS // normals(self.network, self.method, self.depth, width))

    @cached_property
    def most(self) -> int:
        """Most networks of a sample: a fixed amount of work, so that the same call gives the same numbers."""
        if self.network != PLAIN:
            return int(np.clip(self._affordable(self.drawn_width), _FEW, NETWORKS))
        if resolve_law(self.drawn_law).conditional:
            return int(np.clip(_CONDITIONAL_NORMALS // (2 * self.depth * self.width), _FEWEST, NETWORKS))
        return int(np.clip(_EXPLICIT_NORMALS // (self.depth * self.width**2), _FEWEST, NETWORKS))

    def sample(self, sigma_w: float, networks: int) -> Sample:
        """Simulate networks at one sigma_w."""
        cell: dict[str, Any] = {"sigma_w": sigma_w, "sigma_b": self.sigma_b, "depth": self.depth}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # networks that are not finite are counted
            found = simulate(
                self.activation, **cell, width=self.drawn_width, networks=networks, seed=self.seed,
                law=self.drawn_law, method=self.method, threads=self.threads, **self.options,
            )  # fmt: skip
        reached = found.log_delta[:, -1] != -np.inf
        return Sample(sigma_w, networks, found.log_gain[reached, 0])


@dataclass(frozen=True)
class Sample:
    """The gain of simulated networks.

    Attributes
    ----------
    sigma_w
        Of the networks.
    networks
        How many.
    log_gain
        ln of the ratio of mean squares of delta, layer 1 over the last, of those whose delta is not 0 in the last
        layer: -inf where it is 0 in layer 1, NaN where it is not finite.
    """

    sigma_w: float
    networks: int
    log_gain: Array

    @cached_property
    def ordered(self) -> Array:
        """The log gains in order; those that are not finite come last, as the largest."""
        return np.sort(self.log_gain)

    @property
    def nonfinite_fraction(self) -> float:
        """Share of the networks that are not finite."""
        return float(np.isnan(self.log_gain).sum() / self.networks)

    @property
    def dead_fraction(self) -> float:
        """Share of the networks that are dead."""
        return 1.0 - float((self.log_gain != -np.inf).sum() / self.networks)

    @property
    def live_share(self) -> float:
        """Share of all networks that are live and whose gradient norm is within a decade."""
        return float((np.abs(self.log_gain) <= DECADE).sum() / self.networks)

    @property
    def vanished(self) -> float:
        """Share of the networks that are live and whose gradient norm is smaller by more than a decade."""
        return float(((self.log_gain < -DECADE) & np.isfinite(self.log_gain)).sum() / self.networks)

    @property
    def exploded(self) -> float:
        """Share of the networks whose gradient norm is larger by more than a decade."""
        return float((self.log_gain > DECADE).sum() / self.networks)

    @property
    def median(self) -> float:
        """The median log gain: NaN where most networks are not finite."""
        return self.quantile(0.5)

    @property
    def decades(self) -> float:
        """The median in decades of the norm."""
        return self.median / DECADE

    @property
    def spread(self) -> float:
        """Standard deviation of the log gain over live networks; NaN if fewer than two are."""
        live = self.log_gain[np.isfinite(self.log_gain)]
        return float(np.std(live, ddof=1)) if live.size > 1 else float("nan")

    @property
    def median_error(self) -> float:
        """Standard error of the median, as of a normal law."""
        return float(1.2533 * np.nan_to_num(self.spread) / np.sqrt(max(len(self.log_gain), 1)))

    def quantile(self, probability: float) -> float:
        """Return the smallest log gain that at least this share of the networks does not exceed."""
        if not len(self.ordered):
            return -float("inf")
        place = int(np.ceil(probability * len(self.ordered))) - 1
        return float(self.ordered[min(max(place, 0), len(self.ordered) - 1)])

    def median_interval(self, level: float = 0.95) -> tuple[float, float]:
        """Return the interval of the median by order statistics."""
        low, high = intervals.of_rank(np.array(0.5), np.array(max(len(self.ordered), 1)), level)
        return self.quantile(float(low)), self.quantile(float(high))

    @property
    def side(self) -> float:
        """-1.0 where gradients vanish, 1.0 where they explode."""
        return -1.0 if self.median < 0.0 else 1.0  # NaN: the median network left the range of numbers
