"""The covariance of tokens that differ: under a causal mask, where a token sees itself and earlier ones."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from gradsim.theory.architectures.sampled import Attention
from gradsim.theory.averages.functions import Array
from gradsim.theory.averages.hermite import coefficients
from gradsim.theory.averages.moments import SLOPE_RANGE, Moments
from gradsim.theory.errors import NoMeanField

_TERMS = 64, 256, 1024  # of power series in the correlation
_LARGEST = 14.0  # ln of the standard deviation of scores
_LOST = 1e-9  # share of a mean square that terms left out may make


@dataclass(frozen=True, eq=False)
class Ordered:
    """ln of the mean products of any two of T tokens, (T, T); they are never negative, if those of the input are not.

    Mean products of errors have the same shape; the logarithm of a negative one is complex.
    """

    log_products: Array

    @classmethod
    def of_inputs(cls, count: int, correlation: float) -> Ordered:
        """Inputs N(0, I) with a correlation."""
        with np.errstate(divide="ignore"):
            return cls(np.log(np.where(np.eye(count, dtype=bool), 1.0, correlation)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ordered) and np.array_equal(self.log_products, other.log_products)

    @property
    def log_q(self) -> Array:
        """ln of the mean square of every token."""
        return np.diagonal(self.log_products)

    @property
    def log_mean_square(self) -> float:
        """ln of the mean square of all tokens."""
        return self.log_mean(self.log_products)

    def readout(self) -> Array:
        """Errors of independent readouts."""
        return np.where(np.eye(len(self.log_products), dtype=bool), 0.0, -np.inf)

    def log_mean(self, errors: Array) -> float:
        """ln of the mean square of errors, over tokens."""
        return float(np.logaddexp.reduce(np.diagonal(errors).real) - math.log(len(errors)))

    def weighted(self, errors: Array, log_products: Array) -> Array:
        """Errors of vectors times independent factors, whose mean products are given."""
        return errors + log_products

    def products(self) -> Array:
        """ln of the mean products, as of errors."""
        return self.log_products

    def between(self, log_factors: Array | float) -> Array | float:
        """The factors of mean products, for factors of squares: one for all tokens, or one of each."""
        return 0.5 * np.add.outer(log_factors, log_factors) if np.ndim(log_factors) else log_factors

    def scaled(self, log_factors: Array | float) -> Ordered:
        """Times factors, of squares."""
        return Ordered(self.log_products + self.between(log_factors))

    def shifted(self, log_square: float) -> Ordered:
        """Plus the same random vector of a mean square."""
        return Ordered(np.logaddexp(self.log_products, log_square))

    def plus(self, other: Ordered) -> Ordered:
        """Plus independent vectors."""
        return Ordered(np.logaddexp(self.log_products, other.log_products))

    def times(self, other: Ordered) -> Ordered:
        """Times independent vectors, element by element."""
        return Ordered(self.log_products + other.log_products)

    def through(self, table: Moments) -> tuple[Ordered, Array]:
        """Each element through an activation; also ln of the mean products of its slopes."""
        if np.any(self.log_q > table.grown):
            raise table.refusal()
        size = self.between(self.log_q)
        share = np.minimum(0.0, self.log_products - size)  # ln of the correlation
        slopes = _lines(table, self.log_q)
        if slopes is not None:
            values, errors = _of_two_lines(slopes, share)
            values = values + size
        else:
            values, errors = _of_series(table, self.log_q, share)
        exact = [np.diag(part) for part in table.log_moments(self.log_q)]
        here = np.eye(len(share), dtype=bool)
        return Ordered(np.where(here, exact[0], values)), np.where(here, exact[1], errors)

    def averaged(self) -> Ordered:
        """Every token replaced by the mean of itself and earlier ones."""
        return replace(self, log_products=_both_sides(_causal(len(self.log_products)), self.log_products))

    def averaged_errors(self, errors: Array) -> Array:
        """The errors before `averaged`."""
        return _both_sides(_causal(len(errors)).T, errors)

    def attended(self, log_w2: float) -> tuple[Ordered, Callable[[Array], Array]]:
        """Softmax attention with queries, keys and values of weights exp(log_w2), and scores over sqrt(d); its pull."""
        top = float(self.log_products.max())
        if not top + log_w2 < _LARGEST:
            raise NoMeanField("The scores of attention leave the range of the theory. Take fewer blocks, or a norm.")
        attention = Attention(np.exp(self.log_products), math.exp(log_w2))

        def pull(errors: Array) -> Array:
            highest = errors.real.max()
            signed = attention.errors(np.exp(errors - highest).real)
            return np.asarray(np.log(signed.astype(complex)) + highest)

        return Ordered(np.log(attention.answers())), pull


def _causal(count: int) -> Array:
    """Weights of a mean over the visible tokens."""
    return np.tril(np.ones((count, count))) / np.arange(1, count + 1)[:, None]


def _both_sides(weights: Array, logs: Array) -> Array:
    """ln of A exp(logs) A^T."""
    top = logs.real.max()
    return np.asarray(np.log(weights @ np.exp(logs - top) @ weights.T) + top)


def _lines(table: Moments, log_q: Array) -> tuple[float, float] | None:
    """One-sided slopes, if phi is a line on each side of 0 for every token."""
    if table.activation.activation.homogeneous or (log_q.max() < -SLOPE_RANGE and table.at_zero == 0.0):
        return table.ends[0]
    if log_q.min() > SLOPE_RANGE and table.slope_inf:
        return table.ends[1]
    if np.abs(log_q).max() > SLOPE_RANGE:
        raise NoMeanField("The tokens differ too much in size: their mean squares leave the range of the theory.")
    return None


def _of_two_lines(slopes: tuple[float, float], share: Array) -> tuple[Array, Array]:
    """ln of mean products of phi, in units of sqrt(q1 q2), and of phi', for phi(h) = p h + r |h|: Cho and Saul 2009."""
    p, r, c = 0.5 * (slopes[1] + slopes[0]), 0.5 * (slopes[1] - slopes[0]), np.exp(share)
    arc = np.arcsin(c)
    values = p * p * c + r * r * 2.0 / np.pi * (np.sqrt(-np.expm1(2.0 * share)) + c * arc)
    return np.log(values), np.log(p * p + r * r * 2.0 / np.pi * arc)


def _of_series(table: Moments, log_q: Array, share: Array) -> tuple[Array, Array]:
    """Both from the coefficients of phi in Hermite polynomials at the mean square of every token."""
    different, place = np.unique(log_q, return_inverse=True)
    largest = float(np.exp(share[~np.eye(len(share), dtype=bool)].max(initial=-np.inf)))
    for terms in _TERMS:
        found = [coefficients(table, float(np.exp(each)), terms) for each in different]
        a, index = np.stack([part for part, _, _ in found])[place], np.arange(terms)
        squares, slopes = a**2 @ np.ones(terms), a**2 @ index
        rest, slope_rest = (np.array(part)[place] for part in zip(*(each[1:] for each in found), strict=True))
        power = largest ** (terms - 1)
        if (power * largest * rest <= _LOST * squares).all() and (power * slope_rest <= _LOST * slopes).all():
            powers = np.exp(share)[..., None] ** index
            values = np.einsum("ik,jk,ijk->ij", a, a, powers)
            errors = np.einsum("ik,jk,ijk->ij", a[:, 1:] * index[1:], a[:, 1:], powers[..., :-1])
            return np.log(np.maximum(values, 0.0)), np.log(np.maximum(errors, 0.0)) - 0.5 * np.add.outer(log_q, log_q)
    raise NoMeanField(
        f"{table.activation.activation.name}: tokens that see earlier ones become too alike for its kinks, and mean "
        "products are not computed. Take fewer blocks, a smooth activation, relu, or causal=False."
    )
