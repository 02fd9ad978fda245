"""What is recorded of every network, step and layer."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from gradsim.steps.matrices import frobenius
from gradsim.steps.network import Networks, Pass

Array = NDArray[np.float64]

QUANTITIES = {
    "h": "root mean square of the preactivations; of the outputs in the layer after the last",
    "x": "root mean square of the activations",
    "delta": "norm of dC/dh over neurons and inputs; C is the mean cost of the inputs",
    "weight_grad": "norm of dC/dW",
    "h_change": "root mean square of h - h at step 0",
    "x_change": "root mean square of x - x at step 0",
    "delta_change": "norm of delta - delta at step 0",
    "weight_grad_change": "norm of dC/dW - dC/dW at step 0",
    "weight_grad_cosine": "cosine of the angle between dC/dW and dC/dW at step 0",
    "cost": "C, in the layer after the last",
}
"""Names and descriptions. Layers are 1 .. depth; the layer after the last is the readout."""

_READOUT_ONLY, _NOT_OF_READOUT = ("cost",), ("x", "x_change")


def layers_of(quantity: str, depth: int) -> range:
    """Return the layers that have a quantity."""
    if quantity in _READOUT_ONLY:
        return range(depth + 1, depth + 2)
    return range(1, depth + 1 if quantity in _NOT_OF_READOUT else depth + 2)


class Recorder:
    """Records passes of some networks; keeps the first one for comparison.

    Attributes
    ----------
    values
        float64 (quantities, steps + 1, depth + 1, networks); NaN where a layer has no such quantity.
    """

    def __init__(self, steps: int, depth: int, networks: int) -> None:
        self.values = np.full((len(QUANTITIES), steps + 1, depth + 1, networks), math.nan)
        self._first: Pass | None = None

    def record(self, step: int, networks: Networks, found: Pass) -> None:
        """Write what a pass shows to row `step`."""
        first = self._first = self._first or found
        row = dict(zip(QUANTITIES, self.values[:, step], strict=True))
        row["cost"][-1] = found.cost
        for i, (h, delta) in enumerate(zip(found.h, found.delta, strict=True)):
            row["h"][i], row["h_change"][i] = _mean(h), _mean(h, first.h[i])
            row["delta"][i], row["delta_change"][i] = frobenius(delta), frobenius(delta, first.delta[i])
        for i, x in enumerate(found.x):
            row["x"][i], row["x_change"][i] = _mean(x), _mean(x, first.x[i])
        for i, part in enumerate([*networks.matrices, networks.readout]):
            row["weight_grad"][i], row["weight_grad_change"][i] = part.norm(), part.change()
            row["weight_grad_cosine"][i] = part.cosine()


def _mean(rows: NDArray[np.floating], start: NDArray[np.floating] | None = None) -> Array:
    """Root mean square over inputs and neurons, of rows or of what they differ from others, (networks,)."""
    return frobenius(rows, start) / math.sqrt(rows.shape[1] * rows.shape[2])
