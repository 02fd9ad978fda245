"""Statistics of simulated networks, with standard errors.

Networks come in chunks, each with a seed of its own, so that any number of them fits in memory. With a margin of 4
standard errors a true claim fails with probability 6e-5.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np

from gradsim.simulation.ensemble import Ensemble, simulate
from gradsim.theory.averages.functions import Array
from gradsim.validate.estimators.table import Estimate

_MOST_VALUES = 4_000_000  # networks times layers of a chunk: 128 MB in four quantities
_ROTATIONS = ("gaussian", "orthogonal")  # laws that the conditional method samples


def mean_log_gain(
    activation: str, sigma_w: float, depth: int, width: int, networks: int, sigma_b: float = 0.0, seed: int = 1
) -> Estimate:
    """Mean of ln gain from layer 1 to the last, over live networks."""
    return _mean(_log_gain(activation, sigma_w, depth, width, networks, sigma_b, seed))


def variance_log_gain(
    activation: str, sigma_w: float, depth: int, width: int, networks: int, sigma_b: float = 0.0, seed: int = 1
) -> Estimate:
    """Variance of ln gain over live networks."""
    return _variance(_log_gain(activation, sigma_w, depth, width, networks, sigma_b, seed))


def mean_gain(
    activation: str, sigma_w: float, depth: int, width: int, networks: int, law: str = "gaussian", seed: int = 1
) -> Estimate:
    """Mean of the gain itself; one that dies on the way back from the last layer counts as 0."""
    chunks = _chunks(activation, sigma_w, depth, width, networks, seed=seed, law=law)
    return _mean(np.concatenate([np.exp(_gains(chunk)) for chunk in chunks]))


def mean_square_gain(activation: str, sigma_w: float, depth: int, width: int, networks: int, seed: int = 1) -> Estimate:
    """Mean of the squared gain; one that dies on the way back from the last layer counts as 0."""
    chunks = _chunks(activation, sigma_w, depth, width, networks, seed=seed)
    return _mean(np.concatenate([np.exp(2.0 * _gains(chunk)) for chunk in chunks]))


def mean_q(
    activation: str, sigma_w: float, depth: int, width: int, networks: int, sigma_b: float = 0.0, seed: int = 1
) -> Estimate:
    """Mean of q in the last layer: of |h|^2 / width."""
    chunks = _chunks(activation, sigma_w, depth, width, networks, sigma_b, seed)
    return _mean(np.concatenate([np.exp(chunk.log_q[:, -1]) for chunk in chunks]))


def mean_square_q(
    activation: str, sigma_w: float, depth: int, width: int, networks: int, sigma_b: float = 0.0, seed: int = 1
) -> Estimate:
    """Mean of q^2 in the last layer."""
    chunks = _chunks(activation, sigma_w, depth, width, networks, sigma_b, seed)
    return _mean(np.concatenate([np.exp(2.0 * chunk.log_q[:, -1]) for chunk in chunks]))


def mean_log_weight_grad(
    activation: str, sigma_w: float, depth: int, width: int, networks: int, layer: int, seed: int = 1
) -> Estimate:
    """Mean of ln |dC/dW| in a layer, over live networks."""
    return _mean(_log_weight_grad(activation, sigma_w, depth, width, networks, layer, seed))


def variance_log_weight_grad(
    activation: str, sigma_w: float, depth: int, width: int, networks: int, layer: int, seed: int = 1
) -> Estimate:
    """Variance of ln |dC/dW| in a layer, over live networks."""
    return _variance(_log_weight_grad(activation, sigma_w, depth, width, networks, layer, seed))


def dead_share(activation: str, sigma_w: float, depth: int, width: int, networks: int, seed: int = 1) -> Estimate:
    """Share of networks that are dead in some layer."""
    chunks = _chunks(activation, sigma_w, depth, width, networks, seed=seed)
    return _mean(np.concatenate([(chunk.status == 1).astype(float) for chunk in chunks]))


def _gains(chunk: Ensemble) -> Array:
    """ln gain of networks whose last layer has a gradient: without one, the gain is 0 over 0."""
    found: Array = chunk.log_gain[chunk.log_delta[:, -1] > -np.inf, 0]
    return found


def _log_gain(
    activation: str, sigma_w: float, depth: int, width: int, networks: int, sigma_b: float, seed: int
) -> Array:
    chunks = _chunks(activation, sigma_w, depth, width, networks, sigma_b, seed)
    return np.concatenate([chunk.log_gain[chunk.status == 0, 0] for chunk in chunks])


def _log_weight_grad(
    activation: str, sigma_w: float, depth: int, width: int, networks: int, layer: int, seed: int
) -> Array:
    chunks = _chunks(activation, sigma_w, depth, width, networks, seed=seed)
    return np.concatenate([chunk.log_weight_grad[chunk.status == 0, layer - 1] for chunk in chunks])


def _chunks(
    activation: str, sigma_w: float, depth: int, width: int, networks: int,
    sigma_b: float = 0.0, seed: int = 1, law: str = "gaussian",
) -> Iterator[Ensemble]:  # fmt: skip
    """Ensembles of seeds seed, seed + 1 …, of as many networks in all."""
    most = max(16, _MOST_VALUES // depth)
    for number, first in enumerate(range(0, networks, most)):
        yield simulate(
            activation, sigma_w, sigma_b, depth, width, min(most, networks - first), seed + number, law=law,
            method="conditional" if law in _ROTATIONS else "explicit",
        )  # fmt: skip


def _mean(values: Array) -> Estimate:
    return Estimate(float(values.mean()), float(values.std(ddof=1)) / math.sqrt(len(values)))


def _variance(values: Array) -> Estimate:
    """The variance; its standard error is that of the mean of squared deviations."""
    return _mean(np.square(values - values.mean()))


ROWS: dict[str, Callable[..., Estimate]] = {
    function.__name__: function
    for function in (
        mean_log_gain, variance_log_gain, mean_gain, mean_square_gain, mean_q, mean_square_q, mean_log_weight_grad,
        variance_log_weight_grad, dead_share,
    )
}  # fmt: skip
