"""Means of softmax weights of Gaussian scores, by quadrature.

For a row of weights A_j = w_j / S, w_j = exp(tau t_j), S their sum over T tokens, with independent normal t_j, the powers
of 1 / S are integrals of exp(-x S), under which the tokens factorise:

    E[sum of A_j^2] = T * integral of x E[w^2 exp(-x w)] E[exp(-x w)]^(T - 1) dx,

and with two rows, whose t have correlation c, of exp(-x S - y S'). Every integrand is smooth in ln x and t, so that the
trapezoidal rule is right to about 1e-9.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gradsim.theory.averages.functions import Array

STEEPEST = 8.0  # tau, up to which the grids are small
_STEP = 0.5  # in ln x, and in ln w at most: exp(-pi^2 / 0.5) = 3e-9
_REACH = 7.5  # standard deviations
_LOW = 25.0  # ln of the smallest share of an integral


class Weights(NamedTuple):
    """Means of the weights A and B of two tokens i and k, or of A alone where they are the same.

    Attributes
    ----------
    same, other
        E[sum over j of A_j^2] and E[sum of A_j B_j].
    same_slope, other_slope
        E[sum over j, l of A_j B_l (1_jl - B_j - A_l + s)(1_jl)] with s = sum of A_j B_j: what scores pass back.
    """

    same: float
    other: float
    same_slope: float
    other_slope: float


def weights(tokens: int, tau: float, correlation: float) -> Weights:
    """Return the means for scores of standard deviation tau, and the correlation of two tokens' scores."""
    if tokens == 1:
        return Weights(1.0, 1.0, 0.0, 0.0)
    same, other = (_of_two_rows(tokens, tau, c) for c in (1.0, correlation)) if False else (None, None)
    raise NotImplementedError


def _normal_grid(tau: float) -> tuple[Array, Array]:
    """Nodes and weights of a standard normal variable."""
    step = _STEP / max(1.0, tau)
    t = np.arange(-_REACH, _REACH + step, step)
    weights = np.exp(-0.5 * t**2)
    return t, weights / weights.sum()
