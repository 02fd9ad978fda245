"""The spectrum of one network, by either method, as a row of numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from gradsim.spectra.forward import Array, Diagonal, Forward
from gradsim.spectra.graded import Product
from gradsim.spectra.lanczos import top_singular_values
from gradsim.spectra.lazy_network import LazyNetwork
from gradsim.spectra.moments import log_mean_powers
from gradsim_core.parameters import Params
from gradsim_core.simulator import Simulator

ALIVE, DEAD, NONFINITE = range(3)


class Row(NamedTuple):
    """What is found of one network; logarithms are natural.

    Attributes
    ----------
    logs, errors
        ln of its singular values (k,), falling, and the estimated errors of those.
    exponents
        Its Lyapunov exponents (k,).
    rank, steps, status
        Rank of J; steps of Lanczos, 0 for the explicit method; 0 alive, 1 dead (J = 0), 2 not finite.
    square, fourth
        ln of an unbiased estimate of the mean of s^2 and of s^4.
    """

    logs: Array
    errors: Array
    exponents: Array
    rank: int
    steps: int
    status: int
    square: float
    fourth: float


class Plan(NamedTuple):
    """What to compute of every network.

    Attributes
    ----------
    last
        Whether J ends with the slopes of the last layer.
    top
        How many singular values; the explicit method finds all.
    tolerance, steps
        Of ln s, and most steps, of Lanczos.
    """

    last: bool
    top: int
    tolerance: float
    steps: int


def explicit(simulator: Simulator, cell: Params, number: int, plan: Plan) -> Row:
    """All singular values of the network that the simulator draws with this number."""
    drawn = simulator.weights(cell, number)
    forward = Forward(simulator.activation, simulator.slopes, drawn.x0)
    product, underflowed = Product(cell.width), False
    for layer, (weight, bias) in enumerate(zip(drawn.W, drawn.b, strict=True), 1):
        diagonal = forward.step(weight.__matmul__, bias)
        if layer == cell.depth and not plan.last:
            diagonal = Diagonal(np.ones(cell.width), 0.0, False)
        if not np.isfinite(diagonal.values).all():
            return _not_finite(cell.width)
        underflowed |= diagonal.underflowed
        product.multiply(weight, diagonal)
    logs, exponents = product.log_singular_values(), product.exponents / cell.depth
    square, fourth = log_mean_powers(logs)
    if underflowed:  # slopes that float64 cannot hold beside the others: the smallest values are not known
        logs, exponents = (np.where(np.isinf(each), np.nan, each) for each in (logs, exponents))
    status = ALIVE if product.rank or underflowed else DEAD
    errors = np.where(np.isnan(logs), np.nan, 0.0)
    return Row(logs, errors, exponents, product.rank, 0, status, square, fourth)


def conditional(simulator: Simulator, cell: Params, number: int, plan: Plan) -> Row:
    """The largest singular values of a network whose matrices are not drawn."""
    network = LazyNetwork(simulator, cell, number, last=plan.last)
    if not network.finite:
        return _not_finite(plan.top)
    found = top_singular_values(network, plan.top, plan.tolerance, plan.steps)
    exponents = network.exponents(plan.top) / cell.depth
    status = ALIVE if network.rank else DEAD
    return Row(found.logs, found.errors, exponents, network.rank, found.steps, status, found.square, found.fourth)


def _not_finite(count: int) -> Row:
    missing = np.full(count, np.nan)
    return Row(missing, missing, missing, 0, 0, NONFINITE, np.nan, np.nan)


METHODS: dict[str, Callable[[Simulator, Params, int, Plan], Row]] = {"explicit": explicit, "conditional": conditional}
"""Methods by name."""
