"""The costs of a training set: one block each, and the table that everything else iterates.

A block takes the preactivation h of an output neuron, its target y and the logarithm that normalises the outputs of
one sample (0 unless they share one); it returns the neuron's part of the cost and dC/dh, both of one sample.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gradsim_core import jit
from gradsim_core.activations.saturating import sigmoid_derivative
from gradsim_core.elementary import exp, log_logistic, logistic
from gradsim_core.names import parse


def quadratic(h, y, normaliser):
    """|a - y|^2 / 2 of sigmoid outputs a."""
    difference = logistic(h) - y
    return difference * difference * 0.5, difference * sigmoid_derivative(h, 0.0)


def cross_entropy(h, y, normaliser):
    """-[y ln a + (1 - y) ln(1 - a)] of sigmoid outputs a."""
    return -(y * log_logistic(h) + (1.0 - y) * log_logistic(-h)), logistic(h) - y


def softmax(h, y, normaliser):
    """-y ln a of outputs a = e^h / sum e^h."""
    logarithm = h - normaliser
    return -(y * logarithm), exp(logarithm) - y


@dataclass(frozen=True)
class Cost:
    """A row of the table: `error` is the block, `normalised` says whether the outputs of a sample sum to 1."""

    name: str
    error: Callable
    normalised: bool
    formula: str


COSTS: dict[str, Cost] = {
    cost.name: cost
    for cost in (
        Cost("quadratic", quadratic, False, "|a - y|^2 / 2, sigmoid outputs a"),
        Cost("cross_entropy", cross_entropy, False, "-sum [y ln a + (1 - y) ln(1 - a)], sigmoid outputs a"),
        Cost("softmax", softmax, True, "-sum y ln a, a = softmax(h)"),
    )
}


def resolve_cost(name: str) -> Cost:
    """The cost of a name.

    Raises
    ------
    ValueError
        Unknown name: says what was got, the nearest name and what is allowed.
    """
    return COSTS[parse(name, COSTS, "cost")[0]]


jit.register_leaves(__name__, inline=True)
