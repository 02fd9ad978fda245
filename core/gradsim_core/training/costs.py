"""The table of costs, and one function per cost.

A function takes the preactivation h of an output neuron, its target y, and `normaliser`, the logarithm of the sum that
normalises the outputs of the sample (0 for costs that are not normalised). It returns the neuron's term of the cost of
one sample, and dC/dh. All are vectors.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gradsim_core import jit
from gradsim_core.activations.saturating import sigmoid_derivative
from gradsim_core.elementary import exp, log_logistic, logistic
from gradsim_core.names import parse


def quadratic(h, y, normaliser):
    """(a - y)^2 / 2 with a sigmoid output a."""
    difference = logistic(h) - y
    return difference * difference * 0.5, difference * sigmoid_derivative(h, 0.0)


def cross_entropy(h, y, normaliser):
    """-[y ln a + (1 - y) ln(1 - a)] with a sigmoid output a."""
    return -(y * log_logistic(h) + (1.0 - y) * log_logistic(-h)), logistic(h) - y


def softmax(h, y, normaliser):
    """-y ln a with the output a = e^h / sum e^h."""
    logarithm = h - normaliser
    return -(y * logarithm), exp(logarithm) - y


@dataclass(frozen=True)
class Cost:
    """A row of the table.

    Attributes
    ----------
    name
        Name in the API.
    error
        (h, y, normaliser) -> a neuron's term of the cost, dC/dh.
    normalised
        Whether the outputs of a sample are normalised to sum to 1.
    formula
        For the documentation.
    """

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
    """The cost with a name.

    Raises
    ------
    ValueError
        Unknown name. Names the value, the nearest name and what is allowed.
    """
    return COSTS[parse(name, COSTS, "cost")[0]]


jit.register_leaves(__name__, inline=True)
