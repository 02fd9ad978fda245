"""Parametrisations: how the readout begins, and how learning rates depend on the width.

A parameter w of the network is m w', and gradient descent with one learning rate changes w'. So w' has the gradient
m dC/dw, and w changes as with the learning rate m^2 times as large. A row of the table has m^2 for each kind of
parameter, all as they are in W x + b: weights of variance sigma_w^2 / N, biases of variance sigma_b^2.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple


class Parametrisation(NamedTuple):
    """A row of the table.

    Attributes
    ----------
    name
        Name in the API.
    readout
        N -> standard deviation of an entry of the readout at the start.
    factors
        (N, sigma_w, sigma_b) -> m^2 of weights, biases and readout.
    expected
        Exponents of N as N goes to infinity, by (direction, measure): of h in hidden layers and of |delta|, their size
        at every step and their change since step 0. Without an entry none holds for all activations and steps.
    reference
        Source.
    """

    name: str
    readout: Callable[[int], float]
    factors: Callable[[int, float, float], tuple[float, float, float]]
    expected: dict[tuple[str, str], float]
    reference: str


PARAMETRISATIONS: dict[str, Parametrisation] = {
    row.name: row
    for row in (
        Parametrisation(
            "standard", lambda n: n**-0.5, lambda n, sigma_w, sigma_b: (1.0, 1.0, 1.0), {},
            "Yang et al. 2022, arXiv:2203.03466, table 3",
        ),
        Parametrisation(
            "ntk", lambda n: n**-0.5, lambda n, sigma_w, sigma_b: (sigma_w**2 / n, sigma_b**2, 1.0 / n),
            {("forward", "size"): 0.0, ("forward", "change"): -0.5,
             ("backward", "size"): 0.0, ("backward", "change"): 0.0},
            "Jacot et al. 2018, arXiv:1806.07572; with sigma_w as Lee et al. 2019, arXiv:1902.06720",
        ),
        Parametrisation(
            "mup", lambda n: 1.0 / n, lambda n, sigma_w, sigma_b: (1.0, float(n), 1.0 / n),
            {("forward", "size"): 0.0, ("forward", "change"): 0.0,
             ("backward", "size"): -0.5, ("backward", "change"): -0.5},
            "Yang & Hu 2021, arXiv:2011.14522; Yang et al. 2022, arXiv:2203.03466, table 3 (SGD)",
        ),
    )
}  # fmt: skip
"""The parametrisations by name."""
