"""What an activation asks of the weights, and how the gain spreads over networks."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq

from gradsim.theory.averages.functions import ignoring_floating_point_errors
from gradsim.theory.averages.moments import moments
from gradsim.theory.boundaries import boundary
from gradsim.theory.errors import NoCriticalPoint, check_count, check_sigma_b
from gradsim.theory.finite_width.exact_law import gain_law
from gradsim.theory.finite_width.first_order import width_correction
from gradsim.theory.finite_width.roots import WIDEST
from gradsim.theory.memory import current
from gradsim_core.activations import Activation

_DECADE = float(np.log(100.0))  # of the norm of delta; ln gain is that of its square
_MOST_SPREAD = 0.25  # variance of ln q up to which first order is taken to hold
_FAR = 2.0  # factor in sigma_w by which the boundary at a width may lie off that of infinite width


class Gains(NamedTuple):
    """Three values of sigma_w for an activation.

    Attributes
    ----------
    forward
        Keeps the mean square: 1 / sqrt(E[phi(z)^2]), of preactivations of mean square 1.
    backward
        Keeps the mean square of delta: 1 / sqrt(E[phi'(z)^2]), of preactivations of mean square 1.
    critical
        Keeps the typical gradient over the depth, from the default input; at the width, to first order in 1/width or
        exactly where the law is known. NaN if there is none.
    """

    forward: float
    backward: float
    critical: float


@ignoring_floating_point_errors
def gains(activation: str | Activation, depth: int, width: int | None = None, sigma_b: float = 0.0) -> Gains:
    """Return the three gains of an activation: forward, backward, and critical at a depth and width.

    Parameters
    ----------
    activation
        A name, or a user's own activation.
    depth
        Number of layers, from 2.
    width
        Number of neurons in each layer; None: infinitely many.
    sigma_b
        Bias standard deviation, >= 0, for the critical one.

    Raises
    ------
    SweepError
        For an argument that is not valid; for a user's own pair without finite values where they are needed.

    Examples
    --------
    >>> [round(gain, 4) for gain in gains("tanh", depth=32, width=64)]
    [1.5925, 1.4674, 1.2885]
    """
    resolved = current(activation)
    forward, backward = moments(resolved).log_moments(0.0)
    try:
        critical = typical_sigma_w(resolved, depth, sigma_b, width)
    except NoCriticalPoint:
        critical = float("nan")
    return Gains(float(np.exp(-0.5 * forward)), float(np.exp(-0.5 * backward)), critical)


@ignoring_floating_point_errors
def typical_sigma_w(activation: str | Activation, depth: int, sigma_b: float = 0.0, width: int | None = None) -> float:
    """Return sigma_w at which the mean of ln gain is 0 at a depth and width: the quenched boundary.

    Exact for linear, relu, leaky_relu and abs without biases; for every other activation to first order in 1/width,
    which holds while depth / width is small.

    Parameters
    ----------
    activation
        A name, or a user's own activation.
    depth
        Number of layers, from 2; to 4,096 with a width and without an exact law.
    sigma_b
        Bias standard deviation, >= 0.
    width
        Number of neurons in each layer; None: infinitely many.

    Raises
    ------
    NoCriticalPoint
        If there is none, with the reason.
    SweepError
        For an argument that is not valid.

    Examples
    --------
    >>> round(typical_sigma_w("tanh", depth=32), 4), round(typical_sigma_w("tanh", depth=32, width=64), 4)
    (1.2286, 1.2885)
    """
    resolved, sigma_b = current(activation), check_sigma_b(sigma_b)
    infinite = boundary(resolved, depth, sigma_b)
    if width is None:
        return infinite
    width = check_count("width", width, WIDEST)
    try:
        return boundary(resolved, depth, sigma_b, width)
    except NoCriticalPoint:
        pass

    reason = NoCriticalPoint(
        f"{resolved.name}: at depth {depth:,}, width {width:,} is too small for the first correction in 1/width."
    )

    def mean(sigma_w: float) -> float:
        found = width_correction(resolved, depth, sigma_w, sigma_b)
        if found["log_q_variance"].max() > _MOST_SPREAD * width:
            raise reason
        return float(found["log_gain"][0] + found["mean"][0] / width)

    below = infinite
    for above in np.geomspace(infinite, _FAR * infinite, 24)[1:]:
        if mean(above) >= 0.0:
            return float(brentq(mean, below, above, xtol=1e-12))
        below = above
    raise reason


@ignoring_floating_point_errors
def median_sigma_w(activation: str | Activation, depth: int, width: int, log_gain: float = 0.0) -> float:
    """Return sigma_w at which the median of ln gain over live networks is ``log_gain``, from the exact law.

    Parameters
    ----------
    activation
        linear, relu, leaky_relu or abs, with zero bias and Gaussian weights.
    depth
        Number of layers, from 2.
    width
        Number of neurons in each layer.
    log_gain
        ln of the gain of the mean square of delta.

    Raises
    ------
    NoCriticalPoint
        For an activation without an exact law.
    SweepError
        For an argument that is not valid.

    Examples
    --------
    >>> round(median_sigma_w("relu", depth=8, width=16), 6)
    1.533607
    """
    median = gain_law(activation, depth, width, 1.0).median
    return float(np.exp((log_gain - median) / (2.0 * (depth - 1))))


class GainSpread(NamedTuple):
    """How the gain spreads over networks, exactly: log_gain is ln of the ratio of mean squares of delta.

    Attributes
    ----------
    mean, std, q05, median, q95
        Of log_gain over live networks.
    live_share
        Probability that a network is live and its gradient norm within a decade of the last layer's.
    vanished, exploded
        Probability that a network is live and its gradient norm smaller or larger by more than a decade.
    dead_fraction
        Probability that a network is dead.
    """

    mean: float
    std: float
    q05: float
    median: float
    q95: float
    live_share: float
    vanished: float
    exploded: float
    dead_fraction: float


def gain_spread(activation: str | Activation, depth: int, width: int, sigma_w: float) -> GainSpread:
    """Return the spread of the gain over networks from its exact law.

    Parameters
    ----------
    activation
        linear, relu, leaky_relu or abs, with zero bias and Gaussian weights.
    depth, width, sigma_w
        As :func:`gradsim.theory.gain_law`.

    Raises
    ------
    NoCriticalPoint
        For an activation without an exact law.
    SweepError
        For an argument that is not valid.

    Examples
    --------
    >>> found = gain_spread("relu", depth=32, width=64, sigma_w=2**0.5)
    >>> round(found.q05, 3), round(found.q95, 3), round(found.live_share, 4)
    (-3.911, 1.364, 0.9802)
    """
    law = gain_law(activation, depth, width, sigma_w)
    live = 1.0 - law.dead_fraction
    low, high = float(law.cdf(-_DECADE)) * live, float(law.sf(_DECADE)) * live
    q05, median, q95 = law.ppf([0.05, 0.5, 0.95]).tolist()
    return GainSpread(law.mean, law.std, q05, median, q95, live - low - high, low, high, law.dead_fraction)
