"""The boundary between vanishing and exploding gradients at a depth: at infinite width, or exactly at a width."""

from __future__ import annotations

import numpy as np

from gradsim.theory.averages.functions import ignoring_floating_point_errors
from gradsim.theory.errors import NoCriticalPoint, check_count, check_sigma_b
from gradsim.theory.finite_width.roots import quenched_sigma_w
from gradsim.theory.infinite_width.finite_depth import DEEPEST, root_at_depth
from gradsim.theory.memory import current
from gradsim_core.activations import Activation


@ignoring_floating_point_errors
def boundary(
    activation: str | Activation, depth: int, sigma_b: float = 0.0, width: int | None = None, *, log_gain: float = 0.0
) -> float:
    """Return sigma_w at which the gain over ``depth`` layers is 1, from the default input.

    Parameters
    ----------
    activation
        A name, or a user's own activation.
    depth
        Number of layers, from 2 to 16,384.
    sigma_b
        Bias standard deviation, >= 0.
    width
        None: infinite width, the smallest upward root of sum over l = 1 .. L-1 of ln(sigma_w^2 E[phi'(sqrt(q^l) z)^2]).
        A number: the exact quenched boundary at this width, for relu, leaky_relu, abs and linear with zero bias and
        Gaussian weights.
    log_gain
        ln of the gain on the boundary, if it is not 1.

    Raises
    ------
    NoCriticalPoint
        If there is none, with the reason; also for a depth of 1 or above 16,384.
    SweepError
        For an argument that is not valid.
    ValueError
        For an unknown activation.

    Examples
    --------
    >>> [round(boundary("tanh", depth), 3) for depth in (4, 64)]
    [1.648, 1.166]
    >>> round(boundary("relu", depth=8, width=16), 6)
    1.544611
    """
    resolved, depth, sigma_b = current(activation), check_count("depth", depth), check_sigma_b(sigma_b)
    if depth == 1:
        raise NoCriticalPoint("A network of depth 1 has no boundary: its gain is 1 by definition.")
    if width is None:
        if depth > DEEPEST:
            raise NoCriticalPoint(
                f"The boundary is computed to depth {DEEPEST:,}, not {depth:,}. For "
                "more layers, the boundary at infinite depth is close."
            )
        return root_at_depth(resolved, depth, sigma_b, float(log_gain))
    if sigma_b > 0.0:
        raise NoCriticalPoint("No exact finite-width law is known with biases: only for sigma_b = 0.")
    return quenched_sigma_w(resolved, width) * float(np.exp(0.5 * log_gain / (depth - 1)))
