"""Standard deviation and law of every parameter, pooled over networks, with their sampling errors."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from math import inf, sqrt
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.stats import norm, truncnorm

TRUNCATION = float(truncnorm(-2.0, 2.0).std())
"""Standard deviation of a standard normal cut at ±2: 0.8796."""

Powers = npt.NDArray[np.float64]
_EXACT = 1e-4  # relative error of a standard deviation that has none but rounding


class Law(NamedTuple):
    """A law of entries, at unit variance.

    Attributes
    ----------
    name
        As gradsim's table of weight laws has it.
    reach
        Largest entry over the standard deviation.
    fourth, error
        Kurtosis, and the standard error of an estimate of it times the root of the number of entries.
    """

    name: str
    reach: float
    fourth: float
    error: float


def _law(name: str, reach: float, moments: list[float]) -> Law:
    """The error of m4 / m2^2 by the delta method, from the moments 2, 4, 6 and 8."""
    second, fourth, sixth, eighth = moments
    kurtosis = fourth / second**2
    variance = (
        (eighth - fourth**2) / second**4
        - 4.0 * fourth * (sixth - second * fourth) / second**5
        + 4.0 * fourth**2 * (fourth - second**2) / second**6
    )
    return Law(name, reach, kurtosis, sqrt(variance))


_CUT = truncnorm(-2.0, 2.0)
LAWS = (
    _law("uniform", sqrt(3.0), [1.0, 9.0 / 5.0, 27.0 / 7.0, 9.0]),
    _law("truncated_normal", 2.0 / TRUNCATION, [_CUT.moment(order) for order in (2, 4, 6, 8)]),
    _law("gaussian", inf, [1.0, 3.0, 15.0, 105.0]),
)


@dataclass
class Moments:
    """Sums over the entries of one parameter in all networks.

    Attributes
    ----------
    entries, networks
        How many have been added.
    shift
        Subtracted from every entry: the value of a constant parameter, else 0.
    powers
        Sums of the powers 1 to 4 of what remains. Deviations are from the mean of all networks: with that of each, the
        std of a bias with 10 entries would come out 5 % too small.
    largest
        Largest size of an entry.
    orthogonal
        Whether the rows or columns of the matrix are orthogonal, in the first network.
    same
        Whether the first two networks have the same entries.
    """

    entries: int = 0
    networks: int = 0
    shift: float = 0.0
    powers: Powers = field(default_factory=lambda: np.zeros(4))
    largest: float = 0.0
    orthogonal: bool = False
    same: bool = False
    _first: tuple[float, float] = (0.0, 0.0)

    def add(self, values: Any) -> None:
        """Count the entries of a network: a tensor."""
        numbers = values.detach().double().cpu().numpy()
        with np.errstate(over="ignore", invalid="ignore"):  # entries that are not finite, or whose powers are not
            self._add(numbers)

    def _add(self, numbers: np.ndarray[Any, Any]) -> None:
        if self.networks == 0:
            self.orthogonal, self._first = is_orthogonal(numbers), (numbers.sum(), np.square(numbers).sum())
            self.shift = float(numbers.flat[0]) if numbers.size and np.ptp(numbers) == 0.0 else 0.0
        elif self.networks == 1:
            self.same = self._first == (numbers.sum(), np.square(numbers).sum())
        rest = numbers - self.shift
        squares = np.square(rest)
        self.powers += rest.sum(), squares.sum(), (squares * rest).sum(), np.square(squares).sum()
        self.networks, self.entries = self.networks + 1, self.entries + numbers.size
        self.largest = max(self.largest, float(np.abs(numbers).max(initial=0.0)))

    @property
    def mean(self) -> float:
        """Mean of the entries, over all networks."""
        return self.shift + float(self.powers[0]) / max(self.entries, 1)

    @property
    def std(self) -> float:
        """Standard deviation of the entries, over all networks."""
        first, second = self.powers[:2] / max(self.entries, 1)
        return sqrt(max(float(second - first**2), 0.0))

    @property
    def kurtosis(self) -> float:
        """Mean fourth power over the square of the variance: 3 for a normal law. NaN where no float64 holds it."""
        if self.std == 0.0:
            return float("nan")
        first, second, third, fourth = self.powers / self.entries
        with np.errstate(all="ignore"):  # fourth powers of entries below 1e-80 or above 1e77
            central = fourth - 4.0 * first * third + 6.0 * first**2 * second - 3.0 * first**4
            return float(central / np.float64(self.std) ** 4)

    @property
    def is_constant(self) -> bool:
        """Whether all entries of a network are the same number, and not 0."""
        return self.shift != 0.0

    def relative_error(self) -> float:
        """Return the relative standard error of the standard deviation, for independent entries."""
        if self.orthogonal or self.std == 0.0:
            return _EXACT  # the sum of squares of such a matrix is fixed
        spread = max(self.kurtosis - 1.0, 0.0)
        return max(sqrt(spread / (4.0 * self.entries)), _EXACT)

    def law(self, level: float) -> str:
        """Return the law of the entries: a name of `LAWS`, "orthogonal", "constant" or "other".

        Parameters
        ----------
        level
            Probability that entries of one of the laws are taken for another law, for a normal estimate of kurtosis.
        """
        if self.std == 0.0 or self.same:
            return "constant"
        if self.orthogonal:
            return "orthogonal"
        limit = float(norm.isf(0.5 * level)) / sqrt(self.entries)
        for law in LAWS:
            near = abs(self.kurtosis - law.fourth) <= limit * law.error
            if near and self.largest <= law.reach * self.std * (1.0 + 5.0 * self.relative_error()):
                return law.name
        return "other"


def is_orthogonal(numbers: np.ndarray[Any, Any]) -> bool:
    """Return whether the shorter side of a matrix consists of orthogonal vectors of one length."""
    if numbers.ndim < 2 or not numbers.size:
        return False
    matrix = numbers.reshape(len(numbers), -1)
    if min(matrix.shape) < 2 or max(matrix.shape) > 8192:
        return False
    gram = matrix @ matrix.T if len(matrix) <= matrix.shape[1] else matrix.T @ matrix
    size = float(np.trace(gram)) / len(gram)
    return size > 0.0 and bool(np.abs(gram / size - np.eye(len(gram))).max() < 1e-4)


def copies(parameters: Iterable[tuple[str, Any]]) -> dict[str, str]:
    """Return the random matrices that equal an earlier one of the same network, with its name.

    Parameters
    ----------
    parameters
        Names and tensors.
    """
    seen: dict[tuple[object, ...], tuple[str, Any]] = {}  # by shape and first entries
    found = {}
    for name, parameter in parameters:
        if parameter.ndim < 2 or parameter.numel() < 2 or float(parameter.detach().std()) == 0.0:
            continue
        values = parameter.detach()
        first, same = seen.setdefault((*values.shape, *values.flatten()[:4].tolist()), (name, values))
        if first != name and same.equal(values):
            found[name] = first
    return found
