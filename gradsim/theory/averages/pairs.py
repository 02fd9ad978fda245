"""Gaussian averages of two correlated variables."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from gradsim.theory.averages.functions import Array
from gradsim.theory.averages.moments import Moments
from gradsim.theory.averages.quadrature import gaussian_density, nodes_and_weights

_CHUNK = 256  # outer nodes at a time: bounds the memory
_REACH = 12.0  # standard deviations


def pair_average(table: Moments, f: Callable[[Array], Array], q: float, c: float) -> float:
    """Return E[f(u1) f(u2)] for u1, u2 ~ N(0, q) with correlation c in (-1, 1).

    The inner average over u2 given u1 is split at the kinks; the outer one also around the values of u1 at which the
    mean of u2 crosses a kink, on the scale on which the inner average smooths it. For a wave under a wide Gaussian only
    the variance of u1 - u2 (of u1 + u2 if c < 0) matters, so a narrower Gaussian gives the same average.
    """
    size = abs(c)
    if q > table.wide:
        near = math.copysign(max(0.0, 1.0 - (1.0 - size) * q / table.wide), c)
        rise = table.rise**2 if f is table.activation else 0.0
        return pair_average(table, f, table.wide, near) + rise * (c * q - near * table.wide)
    deviation, spread = float(np.sqrt(q)), float(np.sqrt(q * (1.0 - c * c)))
    if c == 0.0:
        h, weights = table.grid(q)
        return float(weights @ f(h)) ** 2
    centres = np.append(table.kinks, 0.0) / c
    scales = np.concatenate(
        [[0.0], spread / size * 2.0 ** np.arange(-1, max(1.0, np.log2(14 * size * deviation / spread)) + 1)]
    )
    around = (centres[:, None] + np.concatenate([-scales[:0:-1], scales])).ravel()
    even = deviation * _lattice(table, deviation)
    edges = np.unique(np.concatenate([even, table.edges, around]))
    u1, weights = nodes_and_weights(edges[np.abs(edges) <= _REACH * deviation])
    weights = weights * gaussian_density(u1, deviation) * f(u1)
    inner = [inner_average(table, f, c * part, spread) for part in np.array_split(u1, len(u1) // _CHUNK + 1)]
    return float(weights @ np.concatenate(inner))


def inner_average(table: Moments, f: Callable[[Array], Array], mean: Array, spread: float) -> Array:
    """E[f(mean + spread z)] for an array of means."""
    low, high = mean[:, None] - _REACH * spread, mean[:, None] + _REACH * spread
    lattice = mean[:, None] + spread * _lattice(table, spread)
    near = table.edges[(table.edges > low.min()) & (table.edges < high.max())]  # the others would end empty panels
    edges = np.clip(np.broadcast_to(near, (len(mean), len(near))), low, high)
    h, weights = nodes_and_weights(np.sort(np.concatenate([lattice, edges], axis=1), axis=1))
    average: Array = np.sum(weights * gaussian_density(h - mean[:, None], spread) * f(h), axis=1)
    return average


def _lattice(table: Moments, deviation: float) -> Array:
    """Even panel edges in standard deviations; as narrow in h as an oscillating activation needs."""
    panels = 16
    if table.panel is not None:
        panels = max(panels, int(2 * _REACH * deviation / table.panel) + 1)
    return np.linspace(-_REACH, _REACH, panels + 1)
