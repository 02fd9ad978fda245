"""Costs of training steps: functions of the outputs and of random targets, averaged over the inputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]


def quadratic(outputs: Array, targets: Array) -> tuple[Array, Array]:
    """Return |f - y|^2 / 2, averaged over inputs, and its gradient by f; targets y ~ N(0, 1)."""
    difference = outputs - targets
    count = outputs.shape[-2]
    return 0.5 * np.square(difference).sum((-2, -1)) / count, difference / count


def softmax(outputs: Array, targets: Array) -> tuple[Array, Array]:
    """Return -ln softmax(f)[label], averaged over inputs, and its gradient by f; the label is the largest target."""
    count = outputs.shape[-2]
    shifted = outputs - outputs.max(-1, keepdims=True)
    normaliser = np.log(np.exp(shifted).sum(-1, keepdims=True))
    chosen = targets == targets.max(-1, keepdims=True)
    logarithm = shifted - normaliser
    cost = -np.where(chosen, logarithm, 0).sum((-2, -1)) / count
    return cost, (np.exp(logarithm) - chosen) / outputs.dtype.type(count)


class Cost(NamedTuple):
    """A row of the table.

    Attributes
    ----------
    name
        Name in the API.
    evaluate
        (outputs, targets), arrays (networks, inputs, outputs) -> cost (networks,), gradient by the outputs.
    outputs
        How many outputs a network has by default.
    least
        How many it has at least.
    """

    name: str
    evaluate: Callable[[Array, Array], tuple[Array, Array]]
    outputs: int
    least: int


COSTS: dict[str, Cost] = {
    row.name: row for row in (Cost("quadratic", quadratic, 1, 1), Cost("softmax", softmax, 10, 2))
}
"""The costs by name."""
