"""The first correction in 1/width to the mean and variance of ln gain, for every activation and Gaussian weights.

Given q^l, the preactivations of a layer are independent N(0, q^l) at every width, and so are the weights, given the
forward pass, except along the layer's input. Expanding in the fluctuations of q, of |delta|^2 and of h . delta gives
recursions over the layers whose coefficients are Gaussian averages. For relu they give the first terms of the exact
law: E ln S = -5 / (2 n), Var ln S = 5 / n for each layer (Hanin and Nica 2018, arXiv:1812.05994).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from gradsim.theory.averages.functions import Array, ignoring_floating_point_errors
from gradsim.theory.averages.moments import SLOPE_RANGE, Moments, moments
from gradsim.theory.errors import check_count, check_sigma_b, check_sigma_w
from gradsim.theory.infinite_width.finite_depth import trajectory
from gradsim.theory.memory import current
from gradsim_core.activations import Activation

DEEPEST = 2**12  # layers
_HIGHEST_OF_A_WAVE = 13.0  # of ln q: sums over the panels of a wave are right up to there, and hardly change beyond


class Layer(NamedTuple):
    """Gaussian averages of one layer, with P = E[phi^2], A = E[phi'^2] and z = h / sqrt(q).

    Attributes
    ----------
    share
        sigma_w^2 P over the next layer's q: 1 without biases.
    q_slope, q_bend
        First and second derivative of ln of the next q with respect to ln q.
    chi_slope, chi_bend
        The same of ln A.
    phi4, dphi4, both, mixed
        E[phi^4] / P^2, E[phi'^4] / A^2, E[phi^2 phi'^2] / (P A), E[z phi phi']^2 / (P A).
    """

    share: float
    q_slope: float
    q_bend: float
    chi_slope: float
    chi_bend: float
    phi4: float
    dphi4: float
    both: float
    mixed: float


@ignoring_floating_point_errors
def width_correction(activation: str | Activation, depth: int, sigma_w: float, sigma_b: float = 0.0) -> pd.DataFrame:
    """Return mean and variance of ln gain at every layer, to first order in 1/width.

    At width n the mean of log_gain is ``log_gain`` + ``mean`` / n and its variance ``variance`` / n, up to terms of
    order 1/n^2. They hold for Gaussian weights and while the corrections are small; networks are taken to be live.

    Parameters
    ----------
    activation
        A name, or a user's own activation.
    depth
        Number of layers, from 1 to 4,096.
    sigma_w
        Weight standard deviation times sqrt(fan_in), > 0.
    sigma_b
        Bias standard deviation, >= 0.

    Returns
    -------
    pandas.DataFrame
        A row per layer: layer, log_gain (infinite width), mean, variance, and log_q_variance: n times that of ln q^l,
        q^l being the variance of the preactivations given the layer below.

    Raises
    ------
    SweepError
        As `mean_field`.

    Examples
    --------
    >>> width_correction("relu", depth=3, sigma_w=2**0.5).round(6)  # -5 / 2 and 5 for each factor
       layer  log_gain  mean  variance  log_q_variance
    0      1       0.0  -5.0      10.0             2.0
    1      2       0.0  -2.5       5.0             7.0
    2      3       0.0   0.0       0.0            12.0
    """
    resolved, depth = current(activation), check_count("depth", depth, DEEPEST)
    sigma_w, sigma_b = check_sigma_w(sigma_w), check_sigma_b(sigma_b)
    path = trajectory(resolved, depth, sigma_w, sigma_b)
    table, log_w2 = moments(resolved), 2.0 * np.log(sigma_w)
    after = np.append(
        path.log_q[1:], np.logaddexp(log_w2 + table.log_moments(path.log_q[-1])[0], 2.0 * np.log(sigma_b))
    )
    averages = _Averages(table)
    layers = [averages.layer(*pair, log_w2) for pair in zip(path.log_q.tolist(), after.tolist(), strict=True)]
    first_share = float(np.exp(log_w2 - path.log_q[0]))
    shift, spread = _fluctuations(layers, first_share)
    factors = np.zeros(depth)
    for k, layer in enumerate(layers[:-1]):
        factors[k] = layer.chi_slope * shift[k] + 0.5 * layer.chi_bend * spread[k] - 0.5 * (3.0 * layer.dphi4 - 1.0)
    factors[:-1] += [layer.both for layer in layers[:-1]] * _excess(layers, first_share)[1:]
    columns = {"mean": _from_each_layer(factors), "variance": _variance(layers, spread), "log_q_variance": spread}
    return pd.DataFrame({"layer": np.arange(1, depth + 1), "log_gain": path.log_gain, **columns})


def _fluctuations(layers: list[Layer], first_share: float) -> tuple[Array, Array]:
    """n times the shift of the mean of ln q^l from infinite width, and n times its variance."""
    shift, spread = np.empty(len(layers)), np.empty(len(layers))
    shift[0], spread[0] = -(first_share**2), 2.0 * first_share**2  # the input has n units
    for k, layer in enumerate(layers[:-1]):
        noise = layer.share**2 * (layer.phi4 - 1.0)
        shift[k + 1] = layer.q_slope * shift[k] + 0.5 * layer.q_bend * spread[k] - 0.5 * noise
        spread[k + 1] = layer.q_slope**2 * spread[k] + noise
    return shift, spread


def _excess(layers: list[Layer], first_share: float) -> Array:
    """E[(u . delta)^2] n / (|delta|^2 |u|^2) - 1, u being the preactivation without its bias.

    The forward pass has fixed the part of W^T delta along the layer's input: it is u . delta. Were W^T delta
    independent of the forward pass, the excess would be 0.
    """
    found, behind = np.empty(len(layers)), 0.0
    for k in range(len(layers) - 1, -1, -1):
        share = layers[k - 1].share if k else first_share
        behind = share * (2.0 * layers[k].chi_slope + layers[k].mixed * behind)
        found[k] = behind
    return found


def _variance(layers: list[Layer], spread: Array) -> Array:
    """n times the variance of ln gain from each layer on, given that of ln q^l."""
    depth = len(layers)
    factors, weights = np.zeros(depth), np.zeros(depth)  # weights: of ln q^l in ln gain from layer l on
    for k in range(depth - 2, -1, -1):
        layer, weight = layers[k], weights[k + 1]
        factors[k] = 3.0 * layer.dphi4 - 1.0 + 2.0 * weight * layer.share * (layer.both - 1.0)
        factors[k] += weight**2 * layer.share**2 * (layer.phi4 - 1.0)
        weights[k] = layer.chi_slope + layer.q_slope * weight
    return _from_each_layer(factors) + weights**2 * spread


def _from_each_layer(factors: Array) -> Array:
    """Sum over the layers from each on."""
    total: Array = np.cumsum(factors[::-1])[::-1]
    return total


class _Averages:
    """Gaussian averages of an activation at one q after another; a fixed point is computed once."""

    def __init__(self, table: Moments) -> None:
        self._table = table
        self._known: dict[float, tuple[float, ...]] = {}
        self._highest = _HIGHEST_OF_A_WAVE if np.isfinite(table.wide) else SLOPE_RANGE

    def layer(self, log_q: float, log_next_q: float, log_w2: float) -> Layer:
        """Return the layer at q, before one with the next q."""
        near = float(np.clip(log_q, -SLOPE_RANGE, self._highest))  # beyond, phi is linear and nothing changes
        if near not in self._known:
            self._known[near] = self._at(near)
        q_slope, q_bend, *others = self._known[near]
        share = float(np.exp(log_w2 + self._table.log_moments(log_q)[0] - log_next_q))
        return Layer(share, share * q_slope, share * q_bend - (share * q_slope) ** 2, *others)

    def _at(self, log_q: float) -> tuple[float, ...]:
        """Derivatives of the density take the place of those of phi, so kinks do not matter."""
        q = float(np.exp(log_q))
        h, weights = self._table.grid(q)
        z2 = h**2 / q
        first, second = 0.5 * (z2 - 1.0), 0.25 * (z2 - 1.0) ** 2 - 0.5 * z2
        phi, dphi = self._table.activation(h), self._table.activation.derivative(h)
        forward, backward = weights @ phi**2, weights @ dphi**2
        phi, dphi = phi / np.sqrt(forward), dphi / np.sqrt(backward)
        chi_slope = weights @ (dphi**2 * first)
        return (
            float(weights @ (phi**2 * first)),
            float(weights @ (phi**2 * second)),
            float(chi_slope),
            float(weights @ (dphi**2 * second) - chi_slope**2),
            float(weights @ phi**4),
            float(weights @ dphi**4),
            float(weights @ (phi * dphi) ** 2),
            float((weights @ (h * phi * dphi)) ** 2 / q),
        )
