"""Statistics of simulated networks, with standard errors.

Networks come in chunks, each with a seed of its own, so that any number of them fits in memory. With a margin of 4
standard errors a true claim fails with probability 6e-5.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from gradsim.errors import SweepError
from gradsim.simulation.ensemble import Ensemble, simulate
from gradsim.theory.averages.functions import Array
from gradsim.validation.estimators.table import Estimate
from gradsim_core.activations import resolve_activation

Cell = dict[str, Any]
"""Keywords of `simulate` but networks and seed; the method may be left to `_gathered`."""

_MOST_VALUES = 4_000_000  # networks times layers of a chunk: 128 MB in four quantities
_ROTATIONS = ("gaussian", "orthogonal")  # laws that the conditional method samples


def mean_log_gain(
    activation: str, sigma_w: float, depth: int, width: int, networks: int, sigma_b: float = 0.0, seed: int = 1
) -> Estimate:
    """Mean of ln gain from layer 1 to the last, over live networks."""
    cell = {"activation": activation, "sigma_w": sigma_w, "sigma_b": sigma_b, "depth": depth, "width": width}
    return _mean(_log_gain(networks, seed, cell))


def variance_log_gain(
    activation: str, sigma_w: float, depth: int, width: int, networks: int, sigma_b: float = 0.0, seed: int = 1
) -> Estimate:
    """Variance of ln gain over live networks."""
    cell = {"activation": activation, "sigma_w": sigma_w, "sigma_b": sigma_b, "depth": depth, "width": width}
    return _variance(_log_gain(networks, seed, cell))


def mean_gain(
    activation: str, sigma_w: float, depth: int, width: int, networks: int, law: str = "gaussian", seed: int = 1
) -> Estimate:
    """Mean of the gain itself; one that dies on the way back from the last layer counts as 0."""
    cell = {"activation": activation, "sigma_w": sigma_w, "depth": depth, "width": width, "law": law}
    return _mean(_gathered(networks, seed, cell, lambda chunk: np.exp(_gains(chunk))))


def mean_square_gain(activation: str, sigma_w: float, depth: int, width: int, networks: int, seed: int = 1) -> Estimate:
    """Mean of the squared gain; one that dies on the way back from the last layer counts as 0."""
    cell = {"activation": activation, "sigma_w": sigma_w, "depth": depth, "width": width}
    return _mean(_gathered(networks, seed, cell, lambda chunk: np.exp(2.0 * _gains(chunk))))


def mean_q(
    activation: str, sigma_w: float, depth: int, width: int, networks: int, sigma_b: float = 0.0, seed: int = 1
) -> Estimate:
    """Mean of q in the last layer: of |h|^2 / width."""
    cell = {"activation": activation, "sigma_w": sigma_w, "sigma_b": sigma_b, "depth": depth, "width": width}
    return _mean(_gathered(networks, seed, cell, lambda chunk: np.exp(chunk.log_q[:, -1])))


def mean_square_q(
    activation: str, sigma_w: float, depth: int, width: int, networks: int, sigma_b: float = 0.0, seed: int = 1
) -> Estimate:
    """Mean of q^2 in the last layer."""
    cell = {"activation": activation, "sigma_w": sigma_w, "sigma_b": sigma_b, "depth": depth, "width": width}
    return _mean(_gathered(networks, seed, cell, lambda chunk: np.exp(2.0 * chunk.log_q[:, -1])))


def mean_log_weight_grad(
    activation: str, sigma_w: float, depth: int, width: int, networks: int, layer: int, seed: int = 1
) -> Estimate:
    """Mean of ln |dC/dW| in a layer, over live networks."""
    cell = {"activation": activation, "sigma_w": sigma_w, "depth": depth, "width": width}
    return _mean(_log_weight_grad(networks, seed, cell, layer))


def variance_log_weight_grad(
    activation: str, sigma_w: float, depth: int, width: int, networks: int, layer: int, seed: int = 1
) -> Estimate:
    """Variance of ln |dC/dW| in a layer, over live networks."""
    cell = {"activation": activation, "sigma_w": sigma_w, "depth": depth, "width": width}
    return _variance(_log_weight_grad(networks, seed, cell, layer))


def dead_share(activation: str, sigma_w: float, depth: int, width: int, networks: int, seed: int = 1) -> Estimate:
    """Share of networks that are dead in some layer."""
    cell = {"activation": activation, "sigma_w": sigma_w, "depth": depth, "width": width}
    return _mean(_gathered(networks, seed, cell, lambda chunk: (chunk.status == 1).astype(float)))


def tangent_diagonal(
    activation: str, sigma_w: float, depth: int, width: int, networks: int, square: float = 1.0, seed: int = 1
) -> Estimate:
    """Mean of the tangent kernel of an input with itself: over all matrices, the sum of |dC/dW|^2 / fan_in.

    C is one output of a readout after ``depth`` layers, with sigma_w like all others; ``square`` is the mean square of
    the input. For activations that are a line on each side of 0. Then the signs of h are independent of their sizes:
    given |h|, the mean of |phi(h)|^2, the readout's part, is |h|^2 times the mean of the two squared slopes.
    """
    slopes = resolve_activation(activation)([-1.0, 1.0])
    cell = {"activation": activation, "sigma_w": sigma_w, "depth": depth, "width": width, "method": "radial"}

    def values(chunk: Ensemble) -> Array:
        gradients = sigma_w**2 / width * np.exp(2.0 * chunk.log_weight_grad).sum(axis=1)
        found: Array = square * (gradients + np.mean(np.square(slopes)) * np.exp(chunk.log_q[:, -1]))
        return found

    return _mean(_gathered(networks, seed, cell, values))


def tangent_slope(
    activation: str, sigma_w: float, depth: int, width: int, networks: int, square: float = 1.0, seed: int = 1
) -> Estimate:
    """`tangent_diagonal` for each matrix: what one more layer adds where sigma_w is critical."""
    found = tangent_diagonal(activation, sigma_w, depth, width, networks, square, seed)
    return Estimate(found.value / (depth + 1), found.error / (depth + 1))


def _gains(chunk: Ensemble) -> Array:
    """ln gain of networks whose last layer has a gradient: without one, the gain is 0 over 0."""
    found: Array = chunk.log_gain[chunk.log_delta[:, -1] > -np.inf, 0]
    return found


def _log_gain(networks: int, seed: int, cell: Cell) -> Array:
    return _gathered(networks, seed, cell, lambda chunk: chunk.log_gain[chunk.status == 0, 0])


def _log_weight_grad(networks: int, seed: int, cell: Cell, layer: int) -> Array:
    if not 1 <= layer <= cell["depth"]:
        allowed = f"a layer from 1 to the depth, {cell['depth']}"
        raise SweepError("layer", layer, allowed, "Write for example layer = 1")
    return _gathered(networks, seed, cell, lambda chunk: chunk.log_weight_grad[chunk.status == 0, layer - 1])


def _gathered(networks: int, seed: int, cell: Cell, values: Callable[[Ensemble], Array]) -> Array:
    """Values of as many networks, from chunks of seeds seed, seed + 1 …"""
    most = max(16, _MOST_VALUES // max(1, cell["depth"]))
    usual = "conditional" if cell.get("law", "gaussian") in _ROTATIONS else "explicit"
    options: Cell = {"method": usual, **cell}
    parts = []
    for number, first in enumerate(range(0, max(1, networks), most)):
        count = min(most, networks - first)
        parts.append(values(simulate(**options, networks=count, seed=seed + number)))
    return np.concatenate(parts)


def _mean(values: Array) -> Estimate:
    return Estimate(float(values.mean()), float(values.std(ddof=1)) / math.sqrt(len(values)))


def _variance(values: Array) -> Estimate:
    """The variance; its standard error is that of the mean of squared deviations."""
    return _mean(np.square(values - values.mean()))


ROWS: dict[str, Callable[..., Estimate]] = {
    function.__name__: function
    for function in (
        mean_log_gain, variance_log_gain, mean_gain, mean_square_gain, mean_q, mean_square_q, mean_log_weight_grad,
        variance_log_weight_grad, dead_share, tangent_diagonal, tangent_slope,
    )
}  # fmt: skip
