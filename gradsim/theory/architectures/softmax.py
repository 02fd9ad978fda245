"""Means of softmax weights of Gaussian scores, by quadrature.

For a row of weights A_j = w_j / S, with w_j = exp(tau t_j), independent normal t_j, and S the sum over T tokens, the
powers of 1 / S are integrals of exp(-x S), under which the tokens factorise:

    E[sum of A_j^2] = T * integral of x E[w^2 exp(-x w)] E[exp(-x w)]^(T - 1) dx,

and with two rows, whose t have correlation c, of exp(-x S - y S'). Every integrand is smooth in ln x and t, so that the
trapezoidal rule is right to about 1e-7.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gradsim.theory.averages.functions import Array

STEEPEST = 8.0  # tau, up to which the grids are small
_STEP = 0.35  # in ln x, and in ln w at most
_REACH = 7.5  # standard deviations
_LOW = 25.0  # -ln of the share of an integral that lies below the grid


class Weights(NamedTuple):
    """Means over rows A of weights, and over pairs of rows A, B of two tokens.

    Attributes
    ----------
    same, other
        E[s], s being the sum over j of A_j^2, or of A_j B_j.
    same_slope, other_slope
        E[s - sum of A_j^2 B_j - sum of A_j B_j^2 + s^2], with B = A for the first: what the softmax passes back.
    """

    same: float
    other: float
    same_slope: float
    other_slope: float


def weights_of(tokens: float, tau: float, correlation: float) -> Weights:
    """Return the means for T tokens, scores of standard deviation tau, and the correlation of two tokens' scores."""
    if tokens == 1.0:
        return Weights(1.0, 1.0, 0.0, 0.0)
    log_x = np.arange(-np.log(tokens) - _REACH * tau - _LOW, _REACH * tau + 4.0, _STEP)
    same, same_slope = _of_rows(tokens, tau, log_x)
    other, other_slope = _of_pairs(tokens, tau, correlation, log_x)
    return Weights(same, other, same_slope, other_slope)


def _of_rows(tokens: float, tau: float, log_x: Array) -> tuple[float, float]:
    """`same` and `same_slope`."""
    x = np.exp(log_x)
    f = [part[:, 0] for part in _powers(tau, 0.0, x, 5)]
    rest = np.exp((tokens - 1.0) * np.log(f[0]))
    square, cube = (x**2 * f[2] * rest).sum(), (x**3 / 2 * f[3] * rest).sum()
    fourth = x**4 / 6 * (f[4] * rest + (tokens - 1.0) * f[2] ** 2 * rest / f[0])
    size = _STEP * tokens
    return float(size * square), float(size * (square - 2.0 * cube + fourth.sum()))


def _of_pairs(tokens: float, tau: float, correlation: float, log_x: Array) -> tuple[float, float]:
    """`other` and `other_slope`."""
    x = np.exp(log_x)
    share = _normal_grid(tau)[1] if correlation > 0.0 else np.ones(1)
    f = _powers(tau, correlation, x, 3)
    scaled = [x[:, None] ** k * f[k] for k in range(3)]
    both = {(k, m): (scaled[k] * share) @ scaled[m].T for k, m in ((0, 0), (1, 1), (2, 1), (2, 2))}
    rest = np.exp((tokens - 1.0) * np.log(both[0, 0]))
    product, cube = (both[1, 1] * rest).sum(), (both[2, 1] * rest).sum()
    fourth = both[2, 2] * rest + (tokens - 1.0) * both[1, 1] ** 2 * rest / both[0, 0]
    size = _STEP**2 * tokens
    return float(size * product), float(size * (product - 2.0 * cube + fourth.sum()))


def _powers(tau: float, correlation: float, x: Array, count: int) -> list[Array]:
    """E[w^k exp(-x w)] for k < count, over what two rows do not share, at nodes z of what they share: (x, z)."""
    e, share = _normal_grid(tau)
    z = e if correlation > 0.0 else np.zeros(1)
    log_w = tau * (np.sqrt(correlation) * z[:, None] + np.sqrt(1.0 - correlation) * e)
    found = np.empty((count, len(x), len(z)))
    for i, each in enumerate(x):
        damped = np.exp(-each * np.exp(log_w)) * share
        for k in range(count):
            found[k, i] = (damped * np.exp(k * log_w)).sum(-1)
    return list(found)


def _normal_grid(tau: float) -> tuple[Array, Array]:
    """Nodes and weights of a standard normal variable."""
    t = np.arange(-_REACH, _REACH, _STEP / max(1.0, tau))
    density = np.exp(-0.5 * t**2)
    return t, density / density.sum()
