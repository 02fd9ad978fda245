"""Steps of a network at infinite width: how each maps the covariance of vectors, and the mean squares of errors.

A step is a function of a covariance that returns the next one and its `Pull`, a function of errors. Vectors are
Gaussian with mean 0 at the beginning of every step. Matrices are fresh and independent of the errors that they meet
(Schoenholz et al. 2017, arXiv:1611.01232; Yang 2020, arXiv:2006.14548, for when this is exact): so the squares of a sum
add, and those of a product multiply. Norms subtract from an error its parts along two directions, a share O(1/width).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from gradsim.theory.averages.functions import Array
from gradsim.theory.averages.moments import Moments

Pull: TypeAlias = Callable[[Array], Array]
"""Takes ln of the mean products of errors behind a step to those before it, in the shape of its covariance."""

Covariance: TypeAlias = Any
"""`alike.Alike` or `ordered.Ordered`."""

Step: TypeAlias = Callable[[Covariance], tuple[Covariance, Pull]]


def identity(x: Covariance) -> tuple[Covariance, Pull]:
    """Do nothing."""
    return x, lambda errors: errors


def chain(*steps: Step) -> Step:
    """Return the steps one after the other, as one."""

    def run(x: Covariance) -> tuple[Covariance, Pull]:
        pulls = []
        for step in steps:
            x, pull = step(x)
            pulls.append(pull)

        def back(errors: Array) -> Array:
            for pull in reversed(pulls):
                errors = pull(errors)
            return errors

        return x, back

    return run


def dense(log_w2: float, log_b2: float = -np.inf) -> Step:
    """Return W x + b, for weights of variance exp(log_w2) / fan_in and biases of variance exp(log_b2)."""
    return lambda x: (x.scaled(log_w2).shifted(log_b2), lambda errors: errors + log_w2)


def elementwise(table: Moments) -> Step:
    """Return phi(x) for the activation of a table."""

    def step(x: Covariance) -> tuple[Covariance, Pull]:
        y, slopes = x.through(table)
        return y, lambda errors: x.weighted(errors, slopes)

    return step


def gated(table: Moments, log_w2: float) -> Step:
    """Return phi(G x) * (U x) for two matrices: independent factors, so that mean products multiply.

    The error of x is G^T (phi'(G x) * U x * error) + U^T (phi(G x) * error).
    """

    def step(x: Covariance) -> tuple[Covariance, Pull]:
        h = x.scaled(log_w2)
        y, slopes = h.through(table)
        slopes = log_w2 + np.logaddexp(slopes + h.products(), y.products())
        return y.times(h), lambda errors: x.weighted(errors, slopes)

    return step


def attend(x: Covariance) -> tuple[Covariance, Pull]:
    """Replace every token by the mean of the tokens that it sees.

    That is softmax attention whose scores q.k / d are divided by the size d of a head: they vanish as 1 / sqrt(d), and
    with them the errors of queries and keys.
    """
    return x.averaged(), x.averaged_errors


def attend_by_softmax(log_w2: float) -> Step:
    """Return softmax attention of many heads with scores q.k / sqrt(d), and its queries, keys and values."""

    def step(x: Covariance) -> tuple[Covariance, Pull]:
        y, pull = x.attended(log_w2)
        return y, pull

    return step


def residual(branch: Step, log_a2: float) -> Step:
    """Return x + alpha branch(x), with alpha^2 = exp(log_a2); the branch holds a matrix, so no cross terms are left."""

    def step(x: Covariance) -> tuple[Covariance, Pull]:
        y, pull = branch(x)
        return x.plus(y.scaled(log_a2)), lambda errors: _sum(errors, log_a2 + pull(errors))

    return step


def _sum(first: Array, second: Array) -> Array:
    """ln(exp(first) + exp(second)); complex where a sum is negative, if one of them is."""
    if not (np.iscomplexobj(first) or np.iscomplexobj(second)):
        return np.logaddexp(first, second)
    top = max(first.real.max(), second.real.max())
    return np.asarray(np.log(np.exp(first - top) + np.exp(second - top)) + top)
