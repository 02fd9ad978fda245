"""What rules look at: numbers derived from the measurements, each once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import inf, log, sqrt
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import t as student

from gradsim.checking.measurements import Array, Measurements, Parameter
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


class Scale(NamedTuple):
    """How the matrices of one family stand beside the others of their block.

    Attributes
    ----------
    family
        Names with ``*``.
    std, base
        Typical standard deviation, and the one that the other matrices of the block give for it.
    exponent
        p in std = base / sums^p, where ``sums`` branches are added to the stream: 0 unscaled, 1/2 the usual scale.
    writes
        Whether its product is added to the stream.
    """

    family: str
    std: float
    base: float
    exponent: float
    writes: bool


@dataclass(frozen=True)
class StreamFacts:
    """Numbers of one residual stream; arrays have an entry per network.

    Attributes
    ----------
    stream
        Its structure.
    log_share
        ln of the mean squares of all branches together over that of the stream's begin.
    log_growth
        ln mean square of the stream at its end over its begin.
    log_direct
        ln of the part of the stream's mean square that no branch has replaced, as a product over sums: what is left of
        the begin where every sum is normalised.
    log_gradient
        ln mean square of the gradient at the first sum over that at the last.
    scales
        Of the families of matrices in its blocks.
    """

    stream: Stream
    log_share: Array
    log_growth: Array
    log_direct: Array
    log_gradient: Array
    scales: tuple[Scale, ...]

    @property
    def sums(self) -> int:
        """How many branches are added."""
        return len(self.stream.branches)


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
        sums = self.measured.sums
        order = [branch.number for branch in stream.branches]
        is_left = np.array([branch.is_left for branch in stream.branches])
        branch = np.where(is_left, sums[:, order, 0], sums[:, order, 1])
        skip = np.where(is_left, sums[:, order, 1], sums[:, order, 0])
        result, gradient = sums[:, order, 2], sums[:, order, 3]
        return StreamFacts(
            stream,
            np.logaddexp.reduce(branch, axis=1) - skip[:, 0],
            result[:, -1] - skip[:, 0],
            -np.logaddexp(0.0, branch - skip).sum(axis=1),
            gradient[:, 0] - gradient[:, -1],
            tuple(self._scales(stream)),
        )

    def _scales(self, stream: Stream) -> list[Scale]:
        """Compare the families in the blocks of a stream with what most of its other matrices suggest."""
        writers, measured = set(stream.writers), self.measured
        families = self.families()
        heads = {family.partition("*")[0] for family, names in families.items() if writers & set(names)}
        inside = {family: names for family, names in families.items() if family.partition("*")[0] in heads}
        others = [name for names in inside.values() for name in names if name not in writers]
        others = [name for name in others if measured.moments[name].std > 0.0]
        if not others:
            return []
        unit, base = self._unit(others)
        found = []
        for family, names in inside.items():
            logs = [log(std) if (std := measured.moments[name].std) else -inf for name in names]
            expected = [base + unit(measured.parameters[name]) for name in names]
            ratio = float(np.median(np.array(logs) - expected))
            found.append(
                Scale(family, float(np.exp(np.median(logs))), float(np.exp(np.median(expected))),
                      -ratio / log(len(stream.branches)), bool(writers & set(names)))
            )  # fmt: skip
        return found

    def _unit(self, names: list[str]) -> tuple[_Unit, float]:
        """How standard deviations go with shapes: of three rules the one from which the matrices deviate least."""
        best: tuple[float, _Unit, float] | None = None
        for unit in _UNITS:
            logs = np.array([log(self.measured.moments[name].std) - unit(self.measured.parameters[name])
                             for name in names])  # fmt: skip
            middle = float(np.median(logs))
            deviation = float(np.abs(logs - middle).mean())
            if best is None or deviation < best[0] - 1e-3:
                best = (deviation, unit, middle)
        assert best is not None
        return best[1], best[2]


class _Unit:
    """ln of the standard deviation that a shape has, up to a factor."""

    def __init__(self, weight_in: float, weight_out: float) -> None:
        self._weights = weight_in, weight_out

    def __call__(self, one: Parameter) -> float:
        count = self._weights[0] * one.fan_in + self._weights[1] * one.fan_out
        return -0.5 * log(count) if count else 0.0


_UNITS = (_Unit(0.0, 0.0), _Unit(1.0, 0.0), _Unit(0.5, 0.5), _Unit(0.0, 1.0))  # the same std; fan_in; Xavier; fan_out
