"""The trajectory of q and chi through the layers, and the boundary at finite depth.

While q relaxes from the default input to its fixed point, the factors of the layers differ from chi_1. So the boundary
at depth L differs from chi_1 = 1: for tanh and sigma_b = 0 it is 1.648 at L = 4, 1.166 at L = 64, and 1 at infinity.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from gradsim.errors import SweepError
from gradsim.theory.averages.functions import Array, ignoring_floating_point_errors
from gradsim.theory.averages.moments import moments
from gradsim.theory.errors import NoCriticalPoint, check_count, check_sigma_b, check_sigma_w
from gradsim.theory.memory import current, kept
from gradsim_core.activations import Activation

LOWEST, HIGHEST = 1e-3, 1e3  # range of sigma_w in which boundaries are searched
LONGEST, MOST_VALUES = 2**20, 2**27  # layers of a trajectory; of all its values, which take 1 GiB
DEEPEST = 2**14  # layers; beyond, the boundary is that of infinite depth to about 1 part in 1,000
_SCAN = 512  # values of sigma_w, 2.7 % apart: the gain bends on the scale of a factor in sigma_w
_ZOOM = 64  # values of sigma_w in each finer scan of the bracket
_STILL = 1e-15  # relative change of a layer's step and factor below which it is at the fixed point
_MOST = 1e303  # bound of |ln gain|, so that differences of two stay finite


class Trajectory(NamedTuple):
    """Mean field layer by layer from the default input, in natural logarithms: q itself may leave float64.

    Attributes
    ----------
    log_q
        ln q^l at l = 1 .. L (last axis), with q^1 = sigma_w^2 + sigma_b^2.
    log_chi
        ln(sigma_w^2 E[phi'(sqrt(q^l) z)^2]): factor of E|delta|^2 from layer l + 1 to layer l.
    """

    log_q: Array
    log_chi: Array

    @property
    def log_gain(self) -> Array:
        """ln of E|delta^l|^2 over E|delta^L|^2 at l = 1 .. L: the sum of log_chi over l .. L - 1."""
        gain = np.zeros_like(self.log_chi)
        gain[..., :-1] = np.cumsum(self.log_chi[..., -2::-1], axis=-1)[..., ::-1]
        return gain


@ignoring_floating_point_errors
def trajectory(activation: str | Activation, depth: int, sigma_w: Any, sigma_b: float = 0.0) -> Trajectory:
    """Follow q and chi through ``depth`` layers.

    Parameters
    ----------
    activation
        A name, or a user's own activation.
    depth
        Number of layers, from 1 to 2^20.
    sigma_w
        A number > 0 or an array of them; the result has its shape and a last axis of length ``depth``.
    sigma_b
        Bias standard deviation, >= 0.

    Raises
    ------
    SweepError
        For an argument that is not valid, more than 2^27 values, or an unknown activation; for a user's own pair
        without finite values where they are needed, with the h.
    """
    depth, sigma_b = check_count("depth", depth, LONGEST), check_sigma_b(sigma_b)
    if np.ma.is_masked(sigma_w):
        raise SweepError(
            "sigma_w", np.ma.masked, "values without a mask", "Leave masked ones out: sigma_w.compressed()"
        )
    log_w2 = 2.0 * np.log(np.vectorize(check_sigma_w, otypes=[float])(sigma_w))
    if log_w2.size * depth > MOST_VALUES:
        allowed = f"a depth of at most {MOST_VALUES:,} over the number of values of sigma_w, {log_w2.size:,}"
        raise SweepError("depth", depth, allowed, "Take fewer values of sigma_w at a time, or a smaller depth")
    table = moments(current(activation))
    log_b2 = 2.0 * np.log(sigma_b)
    log_q = np.empty((*log_w2.shape, depth))
    log_chi = np.empty_like(log_q)
    log_q[..., 0] = np.logaddexp(log_w2, log_b2)
    for layer in range(depth):
        forward, backward = table.log_moments(log_q[..., layer])
        log_chi[..., layer] = log_w2 + backward
        if layer + 1 == depth:
            break
        log_q[..., layer + 1] = np.logaddexp(log_w2 + forward, log_b2)
        if np.array_equal(log_q[..., layer + 1], log_q[..., layer]):  # the fixed point, to the last bit
            log_q[..., layer + 1 :] = log_q[..., layer, None]
            log_chi[..., layer + 1 :] = log_chi[..., layer, None]
            break
    if np.isnan(log_chi).any() or np.any(log_q > table.grown):
        raise table.refusal()
    return Trajectory(log_q, log_chi)


def _log_gain(activation: Activation, depth: int, sigma_w: Array, sigma_b: float) -> Array:
    """ln of E|delta^1|^2 over E|delta^L|^2 for an array of sigma_w.

    A point leaves the loop once q is at its fixed point: the layers left then add the same factor each.
    """
    table = moments(activation)
    log_w2 = 2.0 * np.log(sigma_w)
    log_b2 = 2.0 * np.log(sigma_b)
    gain, moving = np.zeros_like(log_w2), np.arange(len(log_w2))
    log_q, before, chi_before = np.logaddexp(log_w2, log_b2), np.full_like(log_w2, np.inf), np.full_like(log_w2, np.inf)
    grown = np.zeros(len(log_w2), bool)
    for left in range(depth - 1, 0, -1):
        grown[moving] |= log_q > table.grown
        forward, backward = table.log_moments(log_q)
        log_chi = log_w2[moving] + backward
        image = np.logaddexp(log_w2[moving] + forward, log_b2)
        step = image - log_q
        steady = np.abs(step - before) <= _STILL * np.maximum(1.0, np.abs(log_q))
        still = steady & (np.abs(log_chi - chi_before) <= _STILL * np.maximum(1.0, np.abs(log_chi)))
        gain[moving] += np.where(still, left * np.clip(log_chi, -_MOST, _MOST), log_chi)
        image = np.where(np.isfinite(step), log_q + step, image)  # q is 0 or has left float64
        moving, log_q, before, chi_before = (v[~still] for v in (moving, image, step, log_chi))
        if not moving.size:
            break
    gain[grown & (gain < 0.0)] = np.nan  # a lower bound below 0 tells nothing
    return np.clip(gain, -_MOST, _MOST)


@kept(1024)
def root_at_depth(activation: Activation, depth: int, sigma_b: float, log_gain: float) -> float:
    """Return the smallest sigma_w at which the log gain rises to a value: a scan, then finer scans of the bracket."""
    low, high, points = np.log(LOWEST), np.log(HIGHEST), _SCAN
    for points in (_SCAN, _ZOOM, _ZOOM, _ZOOM):
        grid = np.linspace(low, high, points)
        gain = _log_gain(activation, depth, np.exp(grid), sigma_b) - log_gain
        upward = np.flatnonzero((gain[:-1] < 0.0) & (gain[1:] >= 0.0))
        if np.isnan(gain[: upward[0] if upward.size else None]).any():
            raise moments(activation).refusal()
        if not upward.size:
            fate = "vanish" if np.all(gain < 0.0) else "do not vanish and then explode"
            raise NoCriticalPoint(
                f"{activation.name}: at depth {depth} gradients {fate} at every sigma_w from {LOWEST:g} to {HIGHEST:g}."
            )
        first = int(upward[0])
        low, high = grid[first], grid[first + 1]
    share = gain[first] / (gain[first] - gain[first + 1])
    return float(np.exp(low + share * (high - low)))
