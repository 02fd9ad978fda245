"""Compares an instance with its copies, whose entries ``reset_parameters`` has drawn."""

from __future__ import annotations

from collections.abc import Iterator
from math import sqrt
from typing import Any, NamedTuple

from scipy.stats import norm

from gradsim.checking.samples import Samples
from gradsim.checking.weights import copies

LEVEL = 1e-4
"""Probability that an instance is refused whose entries were drawn independently, as those of its copies."""

_STAGES = 2  # after two copies, which show most differences, and after all


class Deviation(NamedTuple):
    """A parameter that the copies do not have as the instance has it: its name, and both in words."""

    parameter: str
    given: str
    drawn: str


class Instance:
    """An instance beside its copies.

    Parameters
    ----------
    model
        The instance. Parameters of lazy modules that have no shape yet are not compared.
    """

    def __init__(self, model: Any) -> None:
        import torch

        self._given = {
            name: parameter
            for name, parameter in model.named_parameters()
            if not torch.nn.parameter.is_lazy(parameter) and parameter.numel()
        }
        self._samples: dict[str, Samples] = {}
        self._copied: dict[str, str] = {}

    def add(self, model: Any) -> None:
        """Count a copy."""
        parameters = {name: one for name, one in model.named_parameters() if name in self._given}
        if not self._samples:
            self._samples = {name: Samples(self._given[name], one) for name, one in parameters.items()}
            self._copied = copies(parameters.items())
        for name, one in parameters.items():
            self._samples[name].add(one)

    def deviation(self) -> Deviation | None:
        """Return what the instance has and its copies do not; None where they agree. Needs two copies."""
        return next(self._deviations(), None)

    def _deviations(self) -> Iterator[Deviation]:
        for name, first in copies(self._given.items()).items():
            if name not in self._copied:
                yield Deviation(name, f"the entries of {first}", "other ones")
        tests = 1 + 3 * len(self._samples)
        level = LEVEL / _STAGES / tests
        for name, samples in self._samples.items():
            found = samples.certain() or samples.probable(level)
            if found is not None:
                yield Deviation(name, *found)
        yield from self._together(level)

    def _together(self, level: float) -> Iterator[Deviation]:
        """All parameters are somewhat larger, or smaller, than those of the copies."""
        weights = {name: sqrt(samples.freedom) for name, samples in self._samples.items() if samples.varies}
        scores = {name: weight * self._samples[name].score for name, weight in weights.items()}
        size = sqrt(sum(weight**2 for weight in weights.values()))
        if size and 2.0 * norm.sf(abs(sum(scores.values())) / size) < level:
            name = max(scores, key=lambda one: abs(scores[one]))
            given, drawn = self._samples[name].stds()
            yield Deviation(name, f"{given}, and the like elsewhere,", drawn)
