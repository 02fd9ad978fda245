"""sigma_w between vanishing and exploding gradients of an architecture, at a depth."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.optimize import brentq

from gradsim.theory.architectures.arguments import Options, networks_of
from gradsim.theory.architectures.stream import stream
from gradsim.theory.averages.functions import ignoring_floating_point_errors
from gradsim.theory.errors import NoCriticalPoint, check_count, check_sigma_b
from gradsim.theory.infinite_width.finite_depth import DEEPEST, HIGHEST, LOWEST, root_at_depth
from gradsim.theory.memory import current
from gradsim_core.activations import Activation

_SCAN = 61  # values of sigma_w, 17 to 26 % apart
_ACTIVE = 0.1  # smallest sigma_w of networks with a norm
_FLAT = 0.01  # share of ln gain that is due to epsilon alone
_ROUNDING = 1e-10  # of ln gain, a block
_MOST = 4096  # blocks of a network that is followed at every sigma_w of the scan


@ignoring_floating_point_errors
def stream_boundary(
    architecture: str, activation: str | Activation, depth: int, sigma_b: float = 0.0, *,
    normalisation: str = "none", placement: str = "pre", branch_scale: float | str = 1.0, gated: bool = False,
    inputs: float = 1, causal: bool = True, scores: str = "1/sqrt(d)",
    input_correlation: float = 0.0, epsilon: float = 1e-5,
) -> float:  # fmt: skip
    """Return the smallest sigma_w at which the log gain of block 1 rises through 0 at a depth.

    Parameters
    ----------
    architecture, activation, sigma_b
        As of :func:`gradsim.theory.stream`.
    depth
        Number of blocks, from 2 to 4,096; to 16,384 for plain networks without a norm.
    normalisation, placement, branch_scale, gated, inputs, causal, scores, input_correlation, epsilon
        As of :func:`gradsim.theory.stream`.

    Raises
    ------
    NoCriticalPoint
        If there is none, with the reason. Where a norm precedes branches, or there is none, the gradient of a residual
        network grows at every sigma_w.
    SweepError, NoMeanField
        As from `stream`.

    Notes
    -----
    With a norm, boundaries are searched from sigma_w = 0.1. A norm does nothing to mean squares far below its epsilon,
    so at smaller sigma_w gradients may change from vanishing to exploding where a mean square passes epsilon.

    Examples
    --------
    >>> round(stream_boundary("plain", "tanh", depth=64), 6)
    1.16607
    >>> round(stream_boundary("plain", "tanh", depth=64, sigma_b=0.5, normalisation="layer"), 6)
    1.977354
    """
    chosen = Options(normalisation, placement, branch_scale, gated, inputs, causal, scores, input_correlation, epsilon)
    resolved = current(activation)
    depth, sigma_b = check_count("depth", depth), check_sigma_b(sigma_b)
    networks_of(architecture, resolved, depth, (1.0, sigma_b), chosen)
    plain = architecture == "plain" and chosen.normalisation == "none"
    most = DEEPEST if plain else _MOST
    if not 1 < depth <= most:
        raise NoCriticalPoint(
            f"Boundaries of such networks are computed for a depth from 2 to {most:,}, not {depth:,}."
        )
    if architecture != "plain" and (chosen.placement != "post" or chosen.normalisation == "none"):
        raise NoCriticalPoint(
            "Every block adds the gradient of its branch to that of the stream, and nothing divides the sum: gradients "
            "grow toward the input at every sigma_w, unless branch_scale is 0."
        )
    if plain:
        return root_at_depth(resolved, depth, sigma_b, 0.0)

    def log_gain(log_sigma_w: float) -> float:
        sigma_w = float(np.exp(log_sigma_w))
        return float(stream(architecture, resolved, depth, sigma_w, sigma_b, **chosen._asdict()).log_gain[0])

    lowest = LOWEST if chosen.normalisation == "dyt" else _ACTIVE
    return _first_root(log_gain, f"{resolved.name}: at depth {depth}", _ROUNDING * depth, lowest)


def _first_root(log_gain: Callable[[float], float], network: str, rounding: float, lowest: float) -> float:
    """The smallest sigma_w at which the log gain rises through 0."""
    places = np.linspace(np.log(lowest), np.log(HIGHEST), _SCAN)
    gains = np.array([log_gain(place) for place in places])
    signs = np.where(np.abs(gains) <= rounding, 0, np.sign(gains))
    rising = np.flatnonzero((signs[:-1] < 0) & (signs[1:] > 0))
    if rising.size:
        return float(np.exp(brentq(log_gain, *places[rising[0] : rising[0] + 2], xtol=1e-13)))
    if np.ptp(gains) <= _FLAT * abs(gains).max() + rounding:
        raise NoCriticalPoint(
            f"{network} the gradient does not depend on sigma_w, which a norm divides out: ln gain is {gains[-1]:.6g}."
        )
    fate = "vanish" if np.all(signs < 0) else "explode" if np.all(signs > 0) else "do not vanish and then explode"
    raise NoCriticalPoint(f"{network} gradients {fate} at every sigma_w from {lowest:g} to {HIGHEST:g}.")
