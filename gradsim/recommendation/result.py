"""The recommendation for a network: sigma_w in the units of each framework, the spread over seeds, and advice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan, nan, sqrt

import numpy as np
import pandas as pd

from gradsim.activations import name_of
from gradsim.analysis import intervals
from gradsim.analysis.crossings import Crossing
from gradsim.analysis.summaries import DECADE
from gradsim.recommendation import presets, snippets
from gradsim.recommendation.expected import Expected
from gradsim.recommendation.samples import Networks, Sample
from gradsim.recommendation.text import described
from gradsim.theory.typical import gain_spread
from gradsim_core.laws import resolve_law

TYPICAL = 0.5
"""Share of the networks within a decade from which a sigma_w is recommended."""
LEVEL = 0.1
"""Decades within which a gain counts as level."""

_SPREAD = (
    "sampled_sigma_w", "decades", "decades_low", "decades_high", "q05", "q95", "live_share", "live_share_low",
    "live_share_high", "vanished", "exploded", "dead_fraction", "nonfinite_fraction",
)  # fmt: skip


@dataclass(frozen=True)
class Recommendation:
    """The sigma_w that keeps typical gradients level at a depth and width.

    Typical: half of the networks have a gradient norm that is larger in layer 1 than in the last layer, half a smaller
    one. Weights have the standard deviation sigma_w / sqrt(fan_in).

    Attributes
    ----------
    networks
        What was asked for: activation, law, sigma_b, depth, width.
    sigma_w
        The recommendation, to six digits: exact where the law is known, else from the simulation. NaN where none is
        given; ``reason`` says why.
    reason
        Why there is none, as a sentence; otherwise None.
    crossing
        The simulation's sigma_w with its 95 % interval.
    expected
        The theory's sigma_w.
    sample
        Simulated networks with the recommended sigma_w, or at the boundary that is not recommended; None without one.
    advice
        Sentences: what to do where there is no recommendation, and what to know where there is.
    alternative
        A recommendation with biases, where there is none without.
    """

    networks: Networks
    sigma_w: float
    reason: str | None
    crossing: Crossing
    expected: Expected
    sample: Sample | None
    advice: tuple[str, ...] = ()
    alternative: Recommendation | None = None

    def __str__(self) -> str:
        return self.text()

    @property
    def activation(self) -> str:
        """Name of the activation."""
        return name_of(self.networks.activation)

    @property
    def level(self) -> bool:
        """Whether the 95 % interval of the typical gain lies within a tenth of a decade of 1."""
        if self.reason is not None or self.sample is None:
            return False
        low, high = self.sample.median_interval()
        return low / DECADE >= -LEVEL and high / DECADE <= LEVEL

    @property
    def std(self) -> float:
        """Standard deviation of a weight of a layer with ``width`` inputs; of a convolution, ``taps`` times as many."""
        return self.sigma_w / sqrt(self.networks.fan_in)

    @property
    def he_multiple(self) -> float:
        """The recommendation over He's sqrt(2 / fan_in)."""
        return self.sigma_w / sqrt(2.0)

    @property
    def xavier_multiple(self) -> float:
        """The recommendation over Xavier's and LeCun's 1 / sqrt(fan_in): the ``gain`` of torch.nn.init functions."""
        return self.sigma_w

    @property
    def unlucky_exact(self) -> float:
        """Probability that a network is live and its gradient norm changes by more than a decade; NaN if unknown."""
        if not self.expected.exact or self.sample is None:
            return nan
        asked = self.networks
        exact = gain_spread(asked.activation, asked.depth, asked.width, self.sample.sigma_w)
        return exact.vanished + exact.exploded

    def presets(self) -> pd.DataFrame:
        """Return what the usual initialisations give instead, a row per preset.

        Returns
        -------
        pandas.DataFrame
            preset, source, sigma_w, sigma_b, law; decades: the median gain of the gradient norm from the last layer to
            layer 1, with its interval, from 100 networks; live_share, dead_fraction. Uniform and normal weights of the
            same standard deviation differ by 1/width only, so one row stands for both.
        """
        return presets.compare(self.networks)

    def snippet(self, framework: str = "pytorch") -> str | None:
        """Return code that sets these weights.

        Parameters
        ----------
        framework : {"pytorch", "flax", "keras"}
            Whose.

        Returns
        -------
        str or None
            None without a recommendation, and where the framework has no such law. Of convolutions and recurrent
            networks there is code for PyTorch.

        Raises
        ------
        SweepError
            For an unknown framework.
        """
        law = resolve_law(self.networks.law).name.partition("(")[0]
        asked = self.networks
        kind = asked.network.architecture, asked.network.sigma_u
        weights = snippets.Weights(law, self.sigma_w, asked.sigma_b, asked.width, *kind)
        text = snippets.snippet(framework, weights)
        return None if isnan(self.sigma_w) else text

    def text(self, frameworks: Sequence[str] = tuple(snippets.FRAMEWORKS)) -> str:
        """Return all of it as text for people, with the code for some frameworks."""
        rows = [found.to_frame() for found in (self, self.alternative) if found is not None]
        chosen = self.alternative or self
        code = {name: snippet for name in frameworks if (snippet := chosen.snippet(name))}
        return described(pd.concat(rows, ignore_index=True), self.advice, self.presets(), code)

    def to_frame(self) -> pd.DataFrame:
        """Return the numbers as one row.

        Returns
        -------
        pandas.DataFrame
            activation, law, sigma_b, depth, width, and what the kind of the network sets; sigma_w, std, he_multiple,
            xavier_multiple, torch_gain; simulated,
            simulated_low, simulated_high; theory, theory_source; networks and their sampled_sigma_w, and of these
            decades (median gain of the gradient norm) with its interval, q05, q95 (decades), live_share with its
            interval, vanished, exploded, dead_fraction, nonfinite_fraction; unlucky_exact; level; reason.
        """
        asked, crossing = self.networks, self.crossing
        row = {
            "activation": self.activation, "law": asked.law, "sigma_b": asked.sigma_b, "depth": asked.depth,
            "width": asked.width, **asked.options,
            "sigma_w": self.sigma_w, "std": self.std, "he_multiple": self.he_multiple,
            "xavier_multiple": self.xavier_multiple, "torch_gain": self.xavier_multiple,
            "simulated": crossing.sigma_w, "simulated_low": crossing.ci_low, "simulated_high": crossing.ci_high,
            "theory": self.expected.sigma_w, "theory_source": self.expected.source,
            **_spread(self.sample), "unlucky_exact": self.unlucky_exact,
            "level": self.level, "reason": self.reason,
        }  # fmt: skip
        return pd.DataFrame([row])


def _spread(sample: Sample | None) -> dict[str, float]:
    """How the gain of the gradient norm spreads over networks, in decades."""
    if sample is None:
        return {"networks": 0} | dict.fromkeys(_SPREAD, nan)
    low, high = sample.median_interval()
    near, count = np.array(round(sample.live_share * sample.networks)), np.array(sample.networks)
    share_low, share_high = intervals.of_proportion(near, count, 0.95)
    values = (
        sample.sigma_w, sample.decades, low / DECADE, high / DECADE,
        sample.quantile(0.05) / DECADE, sample.quantile(0.95) / DECADE,
        sample.live_share, float(share_low), float(share_high),
        sample.vanished, sample.exploded, sample.dead_fraction, sample.nonfinite_fraction,
    )  # fmt: skip
    return {"networks": sample.networks} | dict(zip(_SPREAD, values, strict=True))
