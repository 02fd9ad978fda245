"""Linear algebra on weights exactly as gradsim draws them (`gradsim.weights`); products and factors are NumPy's."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from gradsim.simulation.ensemble import weights
from gradsim.spectra import jacobian
from gradsim.theory.averages.functions import Array
from gradsim.validation.estimators.table import Estimate


def largest_singular_value(law: str, sigma_w: float, depth: int, width: int, seed: int = 1) -> float:
    """Largest singular value of the product of the weights of one deep linear network."""
    return float(_singular_values(law, sigma_w, depth, width, seed)[0])


def smallest_singular_value(law: str, sigma_w: float, depth: int, width: int, seed: int = 1) -> float:
    """Smallest singular value of the product of the weights of one deep linear network."""
    return float(_singular_values(law, sigma_w, depth, width, seed)[-1])


def mean_fourth_singular_value(
    law: str, sigma_w: float, depth: int, width: int, networks: int, seed: int = 1
) -> Estimate:
    """Mean over singular values and networks of s^4, for the Jacobian of a deep linear network."""
    means = []
    for stack in _layers(law, sigma_w, depth, width, networks, seed):
        product = _product(stack)
        means.append(np.square(product.T @ product).sum() / width)
    return _of_networks(means)


def lyapunov_exponent_by_qr(k: int, width: int, layers: int = 4000, networks: int = 40, seed: int = 1) -> Estimate:
    """k-th Lyapunov exponent of products of Gaussian matrices with entries of variance 1 / width, by QR factors.

    The mean of ln |r_kk| over layers; its standard error from the spread of networks.
    """
    means = []
    for stack in _layers("gaussian", 1.0, layers, width, networks, seed):
        frame, total = np.eye(width), 0.0
        for matrix in stack:
            frame, factor = np.linalg.qr(matrix @ frame)
            total += math.log(abs(factor[k - 1, k - 1]))
        means.append(total / layers)
    return _of_networks(means)


def jacobian_variance_simulated(
    activation: str, law: str, sigma_w: float, depth: int, width: int, networks: int, seed: int = 1
) -> Estimate:
    """Variance of the squared singular values of the Jacobian, extrapolated to infinite width.

    Twice that at twice the width less that at the width, which leaves an error of order 1 / width^2. Networks of the
    conditional method: |J v|^2 and |J^T J v|^2 of a random unit vector v have the means of s^2 and s^4.
    """
    narrow, wide = (
        jacobian(
            activation, law=law, sigma_w=sigma_w, depth=depth, width=size, networks=networks, seed=seed,
            method="conditional", top=1, steps=1,
        ).moments()
        for size in (width, 2 * width)
    )  # fmt: skip
    value = 2.0 * wide.variance - narrow.variance
    return Estimate(value, math.hypot(2.0 * wide.variance_error, narrow.variance_error))


def weight_kurtosis(law: str, width: int, depth: int, seed: int = 1) -> Estimate:
    """E w^4 / (E w^2)^2 of the weights of one network."""
    w = _layers_of(law, 1.0, depth, width, 0, seed).ravel() * math.sqrt(width)
    fourth = w**4 / np.mean(w**2) ** 2
    kurtosis = float(fourth.mean())
    influence = fourth - 2.0 * kurtosis * w**2 / np.mean(w**2)  # the denominator is estimated, too
    return Estimate(kurtosis, float(influence.std()) / math.sqrt(w.size))


def largest_weight(law: str, width: int, depth: int, seed: int = 1) -> float:
    """Largest |w| of the weights of one network, in standard deviations of the law."""
    return float(np.abs(_layers_of(law, 1.0, depth, width, 0, seed)).max()) * math.sqrt(width)


def _layers_of(law: str, sigma_w: float, depth: int, width: int, network: int, seed: int) -> Array:
    return weights(
        network, activation="linear", law=law, sigma_w=sigma_w, depth=depth, width=width, seed=seed, dtype="float64"
    ).W


def _layers(law: str, sigma_w: float, depth: int, width: int, networks: int, seed: int) -> list[Array]:
    """The weights of many networks: layers of one deep network are as independent, and read at once."""
    stack = _layers_of(law, sigma_w, depth * networks, width, 0, seed)
    return list(stack.reshape(networks, depth, width, width))


def _product(stack: Array) -> Array:
    product = np.eye(stack.shape[-1])
    for matrix in stack:
        product = matrix @ product
    return product


def _singular_values(law: str, sigma_w: float, depth: int, width: int, seed: int) -> Array:
    return np.asarray(np.linalg.svd(_product(_layers_of(law, sigma_w, depth, width, 0, seed)), compute_uv=False))


def _of_networks(means: list[float]) -> Estimate:
    return Estimate(float(np.mean(means)), float(np.std(means, ddof=1)) / math.sqrt(len(means)))


ROWS: dict[str, Callable[..., float | Estimate]] = {
    function.__name__: function
    for function in (
        largest_singular_value, smallest_singular_value, mean_fourth_singular_value, lyapunov_exponent_by_qr,
        jacobian_variance_simulated, weight_kurtosis, largest_weight,
    )
}  # fmt: skip
