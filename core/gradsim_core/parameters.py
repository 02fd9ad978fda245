"""What crosses the kernel boundary (numbers only), and the activation as the functions of a kernel pass it on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

Leaf = Callable[[Any, Any], Any]
"""A function of (h, alpha), where h is an array or a vector of lanes."""

# The sums of squares that a kernel returns for each network and layer: |h^l|^2, |x^(l-1)|^2, |delta^l|^2.
SUM_H, SUM_X, SUM_DELTA = range(3)


class Params(NamedTuple):
    """One cell as a kernel sees it.

    Attributes
    ----------
    key
        64-bit key of the random numbers.
    depth, width
        Number of weight matrices L; neurons per layer N.
    sigma_w, sigma_b
        Weights have variance sigma_w^2 / N; biases have standard deviation sigma_b.
    alpha, law_parameter
        Parameter of the activation and of the weight law; 0 if there is none.
    """

    key: np.uint64
    depth: int
    width: int
    sigma_w: float
    sigma_b: float
    alpha: float = 0.0
    law_parameter: float = 0.0


class Slopes(NamedTuple):
    """How phi behaves beyond the reach of the kernels.

    Attributes
    ----------
    zero, infinity
        One-sided slopes (below, above) at 0, and at (-infinity, +infinity); NaN where phi is not linear.
    through_zero
        Whether phi(0) = 0.
    tail_sign
        Sign of phi and of phi' in the tail at negative h.
    """

    zero: tuple[float, float]
    infinity: tuple[float, float]
    through_zero: bool
    tail_sign: float


class Neuron(NamedTuple):
    """The activation inside a kernel. The kernel makes it from the functions it was built with and from its arguments.

    Attributes
    ----------
    phi, dphi
        Activation and derivative, functions of (h, alpha).
    log_phi, log_dphi
        ln|phi| and ln|phi'| in the tails, functions of (h, alpha) in float64; `no_tail` if there is no tail.
    has_tails
        Whether phi has a tail, and whether phi' has one.
    slopes, alpha
        Slopes beyond the reach; parameter of the activation.
    """

    phi: Leaf
    dphi: Leaf
    log_phi: Leaf
    log_dphi: Leaf
    has_tails: tuple[bool, bool]
    slopes: Slopes
    alpha: float


class Tail(NamedTuple):
    """The tail of phi or phi': ln of its absolute value, a function of (h, alpha); its sign at negative h; alpha."""

    log: Leaf
    sign: float
    alpha: float


class Weights(NamedTuple):
    """One network as simulated: input x0 (N,), weights W (L, N, N), biases b (L, N), readout v (N,)."""

    x0: np.ndarray
    W: np.ndarray
    b: np.ndarray
    v: np.ndarray
