"""Compares the entries of a parameter with those that it has in other networks, however few."""

from __future__ import annotations

from math import sqrt
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.stats import f as fisher
from scipy.stats import norm
from scipy.stats import t as student

from gradsim.checking.weights import is_orthogonal

Array = npt.NDArray[np.float64]
Words = tuple[str, str]
"""What the given network has, and what the others have."""

_MANY, _LARGE = 30, 2000  # entries from which a mean is nearly normal, and a kurtosis
_MOST = 1e7  # degrees of freedom: standard deviations are compared to 1e-3
_SAME = 1e-6  # relative difference of numbers that differ by rounding only
_FEWEST = 4  # rows and columns; smaller matrices may be orthogonal by chance


class Sample(NamedTuple):
    """Entries of a parameter in one network: mean; mean square and fourth power about a centre; the ends."""

    mean: float
    square: float
    fourth: float
    low: float
    high: float

    @property
    def fixed(self) -> bool:
        """Whether all entries are equal."""
        return self.low == self.high

    def same(self, other: Sample) -> bool:
        """Return whether all numbers are the same but for rounding."""
        return bool(np.allclose(self, other, rtol=_SAME, atol=0.0, equal_nan=True))


class Samples:
    """A parameter in a given network and in several others.

    Parameters
    ----------
    given
        The tensor in the given network.
    first
        The tensor in the first of the others; `add` counts it.
    """

    def __init__(self, given: Any, first: Any) -> None:
        numbers, others = _numbers(given), _numbers(first)
        self.entries, mean, std = others.size, float(others.mean()), float(others.std())
        # Squares are taken about the mean where the entries stand far from 0.
        self._centre = mean if abs(mean) > 0.5 * std > 0.0 and self.entries >= _MANY else 0.0
        self._orthogonal = _has_orthogonal(numbers), _has_orthogonal(others)
        self._given = self._sample(numbers)
        self._all: list[Sample] = []

    def add(self, values: Any) -> None:
        """Count another network: a tensor."""
        self._all.append(self._sample(_numbers(values)))

    def _sample(self, numbers: Array) -> Sample:
        squares = np.square(numbers - self._centre)
        mean, square, fourth = (float(one.mean()) for one in (numbers, squares, np.square(squares)))
        return Sample(mean, square, fourth, float(numbers.min()), float(numbers.max()))

    def certain(self) -> Words | None:
        """Return a difference that needs no statistics: of constants, fixed numbers, orthogonal matrices."""
        given, first, fixed = self._given, self._all[0], [one.fixed for one in self._all]
        if not self.varies:
            return None if given.same(first) else (_range(given), _range(first))
        if not np.isfinite(given.square):
            return "entries that are not finite", "finite ones"
        is_zero = given.low == given.high == 0.0 and all(one.low or one.high for one in self._all)
        is_constant = given.fixed and self.entries >= _FEWEST and not any(fixed)
        if is_zero or is_constant or (all(fixed) and not given.fixed):
            return _range(given), _range(first)
        if self._orthogonal[0] != self._orthogonal[1]:
            words = ("entries of an orthogonal matrix", "other ones")
            return words if self._orthogonal[0] else words[::-1]
        return None

    @property
    def varies(self) -> bool:
        """Whether the networks differ."""
        return not all(one.same(self._all[0]) for one in self._all)

    @property
    def freedom(self) -> float:
        """Degrees of freedom of a mean square, at most the number of entries.

        There are fewer for laws with a kurtosis above that of the normal one, and where mean squares differ more from
        network to network than those of independent entries.
        """
        squares = np.array([one.square for one in self._all])
        mean = float(squares.mean())
        relative = max(float(np.mean([one.fourth for one in self._all])) / mean**2 - 1.0, 2.0) / self.entries
        return min(2.0 / max(relative, float(squares.var(ddof=1)) / mean**2), _MOST)

    @property
    def score(self) -> float:
        """The given mean square over that of the others, as a standard normal number.

        By the F-distribution of normal entries; the number is smaller for laws with a smaller kurtosis.
        """
        ratio = self._given.square / float(np.mean([one.square for one in self._all]))
        if not np.isfinite(ratio):
            return 0.0
        freedoms = self.freedom, self.freedom * len(self._all)
        above, below = fisher.sf(ratio, *freedoms), fisher.cdf(ratio, *freedoms)
        return float(np.clip(norm.isf(above) if above < below else -norm.isf(below), -37.0, 37.0))

    def probable(self, level: float) -> Words | None:
        """Return a difference of std, mean or kurtosis, each tested two-sided at a level."""
        if not self.varies:
            return None
        if 2.0 * norm.sf(abs(self.score)) < level:
            return self.stds()
        given, square = self._given, float(np.mean([one.square for one in self._all]))
        mean, se = self._mean_se([one.mean for one in self._all], sqrt(square / self.entries))
        if self.freedom >= _MANY and 2.0 * norm.sf(abs(given.mean - mean) / se) < level:
            return f"mean {given.mean:.3g}", f"mean {mean:.3g}"
        if self.entries < _LARGE or min(one.square for one in self._all) == 0.0:
            return None
        kurtosis, se = self._mean_se([one.fourth / one.square**2 for one in self._all], _SAME)
        own = given.fourth / given.square**2
        differs = 2.0 * student.sf(abs(own - kurtosis) / se, len(self._all) - 1) < level
        return (f"kurtosis {own:.3g}", f"kurtosis {kurtosis:.3g}") if differs else None

    def _mean_se(self, values: list[float], least: float) -> tuple[float, float]:
        """Mean over the others, and the standard error of the given number less it; ``least`` is that of one number."""
        return float(np.mean(values)), max(float(np.std(values, ddof=1)), least) * sqrt(1.0 + 1.0 / len(values))

    def stds(self) -> Words:
        """Return both standard deviations; those of few entries about 0."""
        square = float(np.mean([one.square for one in self._all]))
        return f"std {sqrt(self._given.square):.3g}", f"std {sqrt(square):.3g}"


def _numbers(values: Any) -> Array:
    return values.detach().double().cpu().numpy()  # type: ignore[no-any-return]


def _has_orthogonal(numbers: Array) -> bool:
    return numbers.ndim > 1 and min(len(numbers), numbers[0].size) >= _FEWEST and is_orthogonal(numbers)


def _range(sample: Sample) -> str:
    return f"only {sample.low:.3g}" if sample.fixed else f"entries from {sample.low:.3g} to {sample.high:.3g}"
