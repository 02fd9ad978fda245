"""The table of quantities of networks with several inputs, which are recorded for every network and layer if asked for.

Kernels write each as a number and an exponent, and its value is half, or all, of the logarithm of number 4^exponent.
"""

from __future__ import annotations

from typing import NamedTuple

from gradsim_core import jit
from gradsim_core.lanes import LANES, load

from .quantities import LN, QUANTITIES, logarithm, write


class OfInputs(NamedTuple):
    """A row of the table.

    Attributes
    ----------
    name, unit, description
        As of `quantities.Quantity`.
    factor
        Of the logarithm of number 4^exponent.
    separable
        Whether every input must have a gradient of its own, which it has not where inputs meet in a norm of the batch,
        an attention, or the steps of a tied matrix.
    readout
        Whether the cost must be a readout.
    """

    name: str
    unit: str
    description: str
    factor: float = 1.0
    separable: bool = False
    readout: bool = False


_PAIR = "c the mean cosine of the angle of any two inputs'"

OF_INPUTS: dict[str, OfInputs] = {
    row.name: row
    for row in (
        OfInputs("log_distance", LN, "ln of the root mean square of |h_a - h_b|_2 over inputs a != b", 0.5),
        OfInputs("log_decorrelation", LN, f"ln(1 - c), {_PAIR} h^l"),
        OfInputs("log_delta_decorrelation", LN, f"ln(1 - c), {_PAIR} delta^l"),
        OfInputs("log_gradient_decorrelation", LN, f"ln(1 - c), {_PAIR} weight gradients of layer l", separable=True),
        OfInputs(
            "log_gradient_noise", LN, "ln tr Cov of the weight gradients g_a of layer l over inputs", separable=True
        ),
        OfInputs("log_noise_scale", LN, "ln of tr Cov over the squared norm of the mean of g_a", separable=True),
        OfInputs(
            "log_ntk", LN, "ln of the mean of Theta_aa, the NTK of the weights of layers 1 to l", separable=True,
            readout=True,
        ),
        OfInputs(
            "log_ntk_decorrelation", LN, "ln(1 - c), c the mean of Theta_ab / (Theta_aa Theta_bb)^(1/2)",
            separable=True, readout=True,
        ),
    )
}  # fmt: skip
"""Where no two inputs differ, or none is live, 1 - c, distance and noise are 0, and their logarithm is -inf."""

FIRST = 3
"""Where their rows begin among the sums of a block."""

(DISTANCE, DECORRELATION, DELTA_DECORRELATION, GRADIENT_DECORRELATION, GRADIENT_NOISE, NOISE_SCALE, NTK,
 NTK_DECORRELATION) = range(len(OF_INPUTS))  # fmt: skip


def described(name: str) -> str:
    """The description of any quantity, of one input or of several."""
    return {**QUANTITIES, **OF_INPUTS}[name].description


def write_logarithms(numbers, exponents, factor, values):
    """Write factor ln(number 4^exponent) of whole flat arrays."""
    for i in range(0, len(values), LANES):
        found = logarithm(load(numbers, i), load(exponents, i)) * factor
        write(values, i, found, min(len(values) - i, LANES))


jit.register_leaves(__name__, inline=True)
