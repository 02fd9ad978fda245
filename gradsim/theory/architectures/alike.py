"""The covariance of one vector, or of vectors that are all alike: inputs of a batch, tokens that see each other.

Neurons are alike and independent. So the mean square q and the mean product of two vectors, q - d, say everything, and
of errors likewise. All are logarithms, so that any growth over any depth stays finite.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from gradsim.theory.architectures.kernels import averages_of_two
from gradsim.theory.averages.functions import Array
from gradsim.theory.averages.moments import Moments


class Alike(NamedTuple):
    """ln of the mean square q, and of d: q less the mean product of two vectors. ``count`` vectors, 1 to inf.

    Mean products of errors have shape (2,): ln of their mean square, and of the mean product of two vectors' errors.
    """

    log_q: float
    log_d: float
    count: float

    @classmethod
    def of_inputs(cls, count: float, correlation: float) -> Alike:
        """Inputs N(0, I) with a correlation."""
        return cls(0.0, math.log1p(-correlation) if correlation < 1.0 else -math.inf, count)

    @property
    def log_mean_square(self) -> float:
        """ln of the mean square."""
        return self.log_q

    def readout(self) -> Array:
        """Errors of independent readouts."""
        return np.array([0.0, -np.inf])

    def log_mean(self, errors: Array) -> float:
        """ln of the mean square of errors."""
        return float(errors[0])

    def products(self) -> Array:
        """ln of the mean products, as of errors."""
        return np.array([self.log_q, self._log_product()])

    def _log_product(self) -> float:
        return self.log_q + _log1m(self.log_d - self.log_q) if self.log_q > -math.inf else -math.inf

    def between(self, log_factors: float) -> float:
        """The factors of mean products, for factors of squares: one number for all."""
        return log_factors

    def scaled(self, log_factor: float) -> Alike:
        """Times a factor, of squares."""
        return Alike(self.log_q + log_factor, self.log_d + log_factor, self.count)

    def shifted(self, log_square: float) -> Alike:
        """Plus the same random vector of a mean square."""
        return self._replace(log_q=float(np.logaddexp(self.log_q, log_square)))

    def plus(self, other: Alike) -> Alike:
        """Plus independent vectors."""
        return Alike(*(float(np.logaddexp(a, b)) for a, b in zip(self[:2], other[:2], strict=True)), self.count)

    def times(self, other: Alike) -> Alike:
        """Times independent vectors, element by element."""
        log_q, log_product = (self.products() + other.products()).tolist()
        return Alike(log_q, log_q + _log1m(log_product - log_q) if log_q > -math.inf else -math.inf, self.count)

    def through(self, table: Moments) -> tuple[Alike, Array]:
        """Each element through an activation; also ln of the mean products of its slopes."""
        if self.log_q > table.grown:
            raise table.refusal()
        forward, backward = (float(part) for part in table.log_moments(self.log_q))
        if self.count == 1.0:
            return Alike(forward, forward, self.count), np.array([backward, -np.inf])
        log_d, log_slope = averages_of_two(table, self.log_q, self.log_d, forward, backward)
        return Alike(forward, log_d, self.count), np.array([backward, log_slope])

    def averaged(self) -> Alike:
        """Every vector replaced by the mean of all: d / count + (q - d)."""
        return Alike(float(np.logaddexp(self.log_d - math.log(self.count), self._log_product())), -math.inf, self.count)

    def averaged_errors(self, errors: Array) -> Array:
        """The errors before `averaged`: the mean of all, for each."""
        other = _log1m(-math.log(self.count))
        return np.repeat(np.logaddexp(errors[0] - math.log(self.count), errors[1] + other), 2)


def _log1m(log_share: float) -> float:
    """ln(1 - exp(log_share)); -inf for a share of 1 and more."""
    return math.log(-math.expm1(log_share)) if log_share < 0.0 else -math.inf
