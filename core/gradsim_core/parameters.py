"""What crosses the kernel boundary: numbers only. And the activation as the functions of a kernel pass it on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

Leaf = Callable[[Any, Any], Any]
"""A function of (h, alpha), over arrays or vectors."""

# What a kernel returns of each network and layer: sums of squares of h^l, x^(l-1), delta^l.
SUM_H, SUM_X, SUM_DELTA = range(3)


class Params(NamedTuple):
    """One cell as a kernel sees it.

    `key` is the 64-bit key of the random numbers; `alpha` the parameter of the activation, `law_parameter` that of the
    weight law (each 0 where there is none).
    """

    key: np.uint64
    depth: int
    width: int
    sigma_w: float
    sigma_b: float
    alpha: float = 0.0
    law_parameter: float = 0.0


class Slopes(NamedTuple):
    """One-sided slopes of phi at 0 and at infinity (NaN where they do not exist), and whether phi(0) = 0.

    `tail_sign` is the sign of phi and phi' in the tail at negative h.
    """

    zero: tuple[float, float]
    infinity: tuple[float, float]
    through_zero: bool
    tail_sign: float


class Neuron(NamedTuple):
    """The activation inside a kernel, which makes it from its own functions and the slopes that it is given.

    The functions take (h, alpha). `log_phi` and `log_dphi` are ln|phi| and ln|phi'| in the tails, and `has_tails` says
    of each whether there is a tail.
    """

    phi: Leaf
    dphi: Leaf
    log_phi: Leaf
    log_dphi: Leaf
    has_tails: tuple[bool, bool]
    slopes: Slopes
    alpha: float


class Tail(NamedTuple):
    """The tail of phi or of phi': the logarithm of its size, its sign at negative h, and the activation's parameter."""

    log: Leaf
    sign: float
    alpha: float


class Weights(NamedTuple):
    """One network as simulated: x0 (N,), W (L, N, N), b (L, N), v (N,)."""

    x0: np.ndarray
    W: np.ndarray
    b: np.ndarray
    v: np.ndarray
