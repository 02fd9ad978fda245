"""What rules look at: numbers derived from the measurements, each once."""

from __future__ import annotations

from functools import cached_property
from math import sqrt

import numpy as np
import pandas as pd
from scipy.stats import t as student

from gradsim.checking.measurements import Array, Measurements
from gradsim.checking.scales import scales
from gradsim.checking.streams import StreamFacts, stream_facts
from gradsim.checking.structure import Chain, Stream

LEVEL = 1e-4
"""Probability that one rule passes its threshold by chance, for a model that lies exactly on it."""


def surely_above(values: Array, threshold: float) -> bool:
    """Whether the mean over networks is above a threshold, by a one-sided test of Student's t at `LEVEL`.

    Networks without a finite number are left out; if they are more than a tenth, the answer is no.
    """
    live = values[np.isfinite(values)]
    if len(live) < max(2.0, 0.9 * len(values)):
        return False
    se = float(live.std(ddof=1)) / sqrt(len(live))
    return float(live.mean()) - float(student.isf(LEVEL, len(live) - 1)) * se > threshold


def typical(values: Array) -> float:
    """Return the mean over networks that have a finite number; NaN without any."""
    live = values[np.isfinite(values)]
    return float(live.mean()) if len(live) else float("nan")


class Facts:
    """All that rules look at.

    Parameters
    ----------
    measured
        The networks.
    presets
        The table of presets that fit.
    """

    def __init__(self, measured: Measurements, presets: pd.DataFrame) -> None:
        self.measured, self.presets = measured, presets

    @cached_property
    def streams(self) -> list[StreamFacts]:
        """Residual streams of at least two sums."""
        return [self._stream(one) for one in self.measured.structure.streams if len(one.branches) > 1]

    @cached_property
    def chains(self) -> list[Chain]:
        """Chains of at least four layers."""
        return [chain for chain in self.measured.structure.chains if len(chain.modules) >= 4]

    def stream_name(self, one: StreamFacts) -> str:
        """Return the name of a stream in the table of growth."""
        return f"stream {1 + self.measured.structure.streams.index(one.stream)}"

    def fitting(self, parameter: str) -> set[str]:
        """Return names of the presets whose standard deviation a parameter has, whatever its law."""
        rows = self.presets[(self.presets["parameter"] == parameter) & self.presets["value_fits"]]
        return set(rows["preset"])

    def families(self) -> dict[str, list[str]]:
        """Return the names of the matrices of each family that repeats, in the order of the blocks."""
        found: dict[str, list[tuple[int, str]]] = {}
        for name, place in self.measured.parameter_places.items():
            if place.layer is not None and self.measured.parameters[name].fan_in:
                found.setdefault(place.family, []).append((place.layer, name))
        return {family: [name for _, name in sorted(members)] for family, members in found.items()}

    def _stream(self, stream: Stream) -> StreamFacts:
        return stream_facts(self.measured, stream, scales(self.measured, self.families(), stream))
