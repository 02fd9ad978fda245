"""What crosses the kernel boundary: numbers only."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

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
