"""The covariance of one vector, or of vectors that are all alike: inputs of a batch, tokens that see each other.

Neurons are alike and independent. So the mean square q and the mean product of two vectors, q - d, say everything, and
of errors likewise. All are logarithms, so that any growth over any depth stays finite.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from gradsim.theory.architectures.kernels import averages_of_two
from gradsim.theory.architectures.softmax import STEEPEST, weights_of
from gradsim.theory.averages.functions import Array
from gradsim.theory.averages.moments import Moments
from gradsim.theory.errors import NoMeanField


class Alike(NamedTuple):
    """ln of the mean square q, and of d: q less the mean product of two vectors. There are 1 to inf ``vectors``.

    Errors are given by ln of their mean square D and of F, the mean square of their sum over the number of vectors:
    shape (2,). The mean product of two errors is (F - D) / (vectors - 1), which may be negative.
    """

    log_q: float
    log_d: float
    vectors: float

    @classmethod
    def of_inputs(cls, vectors: float, correlation: float) -> Alike:
        """Inputs N(0, I) with a correlation."""
        return cls(0.0, math.log1p(-correlation) if correlation < 1.0 else -math.inf, vectors)

    @property
    def log_mean_square(self) -> float:
        """ln of the mean square."""
        return self.log_q

    def readout(self) -> Array:
        """Errors of independent readouts."""
        return np.zeros(2)

    def log_mean(self, errors: Array) -> float:
        """ln of the mean square of errors."""
        return float(errors[0])

    def weighted(self, errors: Array, log_products: Array) -> Array:
        """Errors of vectors times independent factors, whose mean products are given as by `products`."""
        same, other = log_products.tolist()
        apart = same + _log1m(other - same) if same > -math.inf else -math.inf
        return np.array([errors[0] + same, np.logaddexp(errors[0] + apart, errors[1] + other)])

    def products(self) -> Array:
        """ln of the mean square, and of the mean product of two vectors."""
        return np.array([self.log_q, self._log_product()])

    def _log_product(self) -> float:
        return self.log_q + _log1m(self.log_d - self.log_q) if self.log_q > -math.inf else -math.inf

    def between(self, log_factors: float) -> float:
        """The factors of mean products, for factors of squares: one number for all."""
        return log_factors

    def scaled(self, log_factor: float) -> Alike:
        """Times a factor, of squares."""
        return Alike(self.log_q + log_factor, self.log_d + log_factor, self.vectors)

    def shifted(self, log_square: float) -> Alike:
        """Plus the same random vector of a mean square."""
        return self._replace(log_q=float(np.logaddexp(self.log_q, log_square)))

    def plus(self, other: Alike) -> Alike:
        """Plus independent vectors."""
        log_q, log_d = np.logaddexp(self[:2], other[:2]).tolist()
        return Alike(log_q, log_d, self.vectors)

    def times(self, other: Alike) -> Alike:
        """Times independent vectors, element by element."""
        log_q, log_product = (self.products() + other.products()).tolist()
        return Alike(log_q, log_q + _log1m(log_product - log_q) if log_q > -math.inf else -math.inf, self.vectors)

    def through(self, table: Moments) -> tuple[Alike, Array]:
        """Each element through an activation; also ln of the mean products of its slopes."""
        if self.log_q > table.grown:
            raise table.refusal()
        forward, backward = (float(part) for part in table.log_moments(self.log_q))
        if self.vectors == 1.0:
            return Alike(forward, forward, self.vectors), np.array([backward, -np.inf])
        log_d, log_slope = averages_of_two(table, self.log_q, self.log_d, forward, backward)
        return Alike(forward, log_d, self.vectors), np.array([backward, log_slope])

    def averaged(self) -> Alike:
        """Every vector replaced by the mean of all: d / vectors + (q - d)."""
        return Alike(
            float(np.logaddexp(self.log_d - math.log(self.vectors), self._log_product())), -math.inf, self.vectors
        )

    def averaged_errors(self, errors: Array) -> Array:
        """The errors before `averaged`: the mean of all, for each."""
        return np.array([errors[1] - math.log(self.vectors), errors[1]])

    def attended(self, log_w2: float) -> tuple[Alike, Callable[[Array], Array]]:
        """Softmax attention with queries, keys and values of weights exp(log_w2), and scores over sqrt(d); its pull.

        The scores of two tokens are normal with the covariance w^2 Q o w^2 Q of those of queries and of keys, Q = d I +
        (q - d): what all keys share drops out of the softmax, and scores have the variance w^4 d q.
        """
        product, tau = self._log_product(), math.exp(log_w2 + 0.5 * (self.log_d + self.log_q))
        if not tau <= STEEPEST:
            raise NoMeanField(
                f"The scores of attention have the standard deviation {tau:.3g}, above {STEEPEST:g}: softmax selects "
                "single tokens, and its means are not computed. Take a smaller sigma_w, fewer blocks, or a norm."
            )
        found = weights_of(self.vectors, tau, math.exp(product - self.log_q))
        same, other, same_slope, other_slope = (math.log(part) if part > 0.0 else -math.inf for part in found)
        log_q = float(np.logaddexp(self.log_d + same, product))
        y = Alike(log_q, self.log_d + same + _log1m(other - same), self.vectors).scaled(log_w2)
        scores = 2.0 * log_w2 + self.log_d  # of queries and keys
        queries = scores + self.log_d + same_slope, scores + self.log_d + other_slope
        keys = scores + self.log_q + same_slope, scores + product + other_slope

        def pull(errors: Array) -> Array:
            # Keys' errors add up to 0 over the tokens: a shift of all scores of a token changes nothing.
            square = [errors[0] + same + _log1m(other - same), errors[1] + other, errors[0] + queries[0]]
            square += [errors[0] + keys[0] + _log1m(keys[1] - keys[0]), errors[1] + keys[1]]
            shared = [errors[1], errors[0] + queries[0] + _log1m(queries[1] - queries[0]), errors[1] + queries[1]]
            return log_w2 + np.array([np.logaddexp.reduce(square), np.logaddexp.reduce(shared)])

        return y, pull


def _log1m(log_share: float) -> float:
    """ln(1 - exp(log_share)); -inf for a share of 1 and more."""
    return math.log(-math.expm1(log_share)) if log_share < 0.0 else -math.inf
