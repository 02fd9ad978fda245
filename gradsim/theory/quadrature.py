"""Gaussian averages of an activation: composite Gauss-Legendre quadrature, split at every kink.

Gauss-Hermite alone is off by up to 9e-2 where phi' jumps. Here the panels are laid out in h: geometric ones around 0
resolve an activation whose features are of order 1 under a Gaussian of any width, and even ones resolve the Gaussian.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradsim_core.activations import Activation

Array = NDArray[np.float64]

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(20)
_REACH = 14.0  # standard deviations: the Gaussian weight beyond is below 1e-42
_STEP = 1.5  # standard deviations per panel: 20 nodes then integrate the Gaussian to rounding
_FIRST = 0.25  # the innermost panel is |h| < 0.25, the next are [0.25, 0.5], [0.5, 1], ...
_RADIUS = 64.0  # undeclared features are searched in |h| < 64
OSCILLATION = 8.0  # panel width where phi may oscillate: 20 nodes resolve sin(h)^2 to rounding
_MOST_PANELS, _FEW_PANELS = 4096, 256  # few if even the most could not resolve the oscillation
_KINK = 1e-9  # panels narrower than this contain a kink


def values(function: Callable[[Array], Array], h: Array) -> Array:
    """Return ``function`` at h; NaN where a user's own function raises (math.exp overflows with an exception)."""
    try:
        return np.asarray(function(h), dtype=np.float64)
    except (ArithmeticError, ValueError):
        if h.size == 1:
            return np.full(h.shape, np.nan)
        return np.array([values(function, part) for part in h.ravel()[:, None]]).reshape(h.shape)


def nodes_and_weights(edges: Array) -> tuple[Array, Array]:
    """Return Gauss-Legendre nodes and weights on the panels between consecutive ``edges`` (last axis), flattened."""
    half = 0.5 * np.diff(edges, axis=-1)
    middle = 0.5 * (edges[..., 1:] + edges[..., :-1])
    shape = (*half.shape[:-1], -1)
    nodes = middle[..., None] + half[..., None] * _NODES
    return nodes.reshape(shape), (half[..., None] * _WEIGHTS).reshape(shape)


def gaussian_grid(edges: Array, panel: float | None, deviation: float, narrowest: float) -> tuple[Array, Array]:
    """Return nodes and weights in h for averages over N(0, s^2) with ``narrowest`` <= s <= ``deviation``.

    Parameters
    ----------
    edges
        Panel edges of the activation, from :func:`feature_edges`.
    panel
        Greatest width of a panel at any distance, for an activation without slopes at infinity; None for no limit.
    """
    reach = _REACH * deviation
    even = np.arange(0.0, reach, _STEP * narrowest)
    geometric = _FIRST * 2.0 ** np.arange(0, max(1, np.ceil(np.log2(reach / _FIRST)) + 1))
    radii = np.concatenate([even, geometric, [reach]])
    if panel is not None:
        panels = reach / panel
        radii = np.append(radii, np.linspace(0, reach, int(panels) + 2 if panels < _MOST_PANELS else _FEW_PANELS))
    every = np.unique(np.concatenate([radii, -radii, edges]))
    return nodes_and_weights(every[np.abs(every) <= reach])


def gaussian_density(h: Array, deviation: Any) -> Array:
    """Return the density of N(0, deviation^2) at h."""
    density: Array = np.exp(-0.5 * (h / deviation) ** 2) / (np.sqrt(2 * np.pi) * deviation)
    return density


def feature_edges(activation: Activation) -> tuple[Array, Array]:
    """Find where panels must end for this activation: declared kinks, and those found in |h| < 64.

    A user's own activation declares no kinks: panels are halved until phi^2 and phi'^2 are integrated to rounding.
    Where panels shrink to almost nothing there is a kink, which becomes an edge itself.

    Returns
    -------
    edges, kinks
        Sorted arrays; the kinks are among the edges.
    """
    kinks = {float(kink) for kink in activation.kinks}
    if activation.period is not None:  # a wave has no other features; its panels are shorter than a period
        return np.array(sorted(kinks | {0.0})), np.array(sorted(kinks))
    while True:
        edges = _halved_panels(activation, kinks)
        found = [_polished(activation, place) for place in _narrowest(edges)]
        new = {k for k in found if all(abs(k - old) > 10 * _KINK * max(1.0, abs(k)) for old in kinks)}
        if not new:
            return edges, np.array(sorted(kinks))
        kinks |= new


def _halved_panels(activation: Activation, kinks: set[float]) -> Array:
    """Edges of panels halved until they integrate phi^2 and phi'^2 to rounding."""
    geometric = _FIRST * 2.0 ** np.arange(0, int(np.log2(_RADIUS / _FIRST)) + 1)
    start = np.unique(np.concatenate([[0.0], geometric, -geometric, sorted(kinks)]))
    squares: tuple[Callable[[Array], Array], ...] = (
        lambda h: values(activation, h) ** 2,
        lambda h: values(activation.derivative, h) ** 2,
    )
    edges, scales = set(start.tolist()), [_Cumulative(f, start) for f in squares]
    left, right = start[:-1], start[1:]
    while left.size:
        middle = 0.5 * (left + right)
        bad = np.zeros(left.shape, bool)
        for square, scale in zip(squares, scales, strict=True):
            whole = _integral(square, left, right)
            halves = _integral(square, left, middle) + _integral(square, middle, right)
            bad |= ~np.isnan(whole) & (
                np.abs(whole - halves) > 1e-13 * scale.within(np.maximum(np.abs(left), np.abs(right)))
            )
        bad &= right - left > 4e-15 * np.maximum(1.0, np.abs(middle))
        left, middle, right = left[bad], middle[bad], right[bad]
        edges.update(middle.tolist())
        left, right = np.concatenate([left, middle]), np.concatenate([middle, right])
    return np.array(sorted(edges))


def _narrowest(edges: Array) -> list[float]:
    """Middle of the narrowest panel of each cluster of panels narrower than `_KINK`."""
    middle, width = 0.5 * (edges[1:] + edges[:-1]), np.diff(edges)
    narrow = np.flatnonzero(width < _KINK * np.maximum(1.0, np.abs(middle)))
    clusters = np.split(narrow, np.flatnonzero(np.diff(middle[narrow]) > 10 * _KINK) + 1)
    return [float(middle[cluster[np.argmin(width[cluster])]]) for cluster in clusters if cluster.size]


def _polished(activation: Activation, place: float) -> float:
    """Position of a jump to the last digit, by bisection; panels alone locate it to 1e-10."""
    for function in (activation.derivative, activation):
        left, right = (place + sign * 10 * _KINK * max(1.0, abs(place)) for sign in (-1.0, 1.0))
        low, high = (float(function(np.array(end))) for end in (left, right))
        if abs(high - low) > 1e-6 * max(abs(low), abs(high)):
            for _ in range(60):
                middle = 0.5 * (left + right)
                value = float(function(np.array(middle)))
                left, right = (left, middle) if abs(value - high) < abs(value - low) else (middle, right)
            return 0.5 * (left + right)
    return place


def _integral(f: Callable[[Array], Array], left: Array, right: Array) -> Array:
    """Integral of f over each panel."""
    nodes, weights = nodes_and_weights(np.stack([left, right], -1))
    total: Array = (f(nodes) * weights).sum(-1)
    return total


class _Cumulative:
    """Integral of f over |h| < r: the scale of an error at |h| = r, since centred Gaussians weigh |h| < r more."""

    def __init__(self, f: Callable[[Array], Array], edges: Array) -> None:
        radius = np.maximum(np.abs(edges[1:]), np.abs(edges[:-1]))
        order = np.argsort(radius)
        self.radius = radius[order]
        self.total = np.cumsum(_integral(f, edges[:-1], edges[1:])[order])

    def within(self, radius: Array) -> Array:
        last = np.searchsorted(self.radius, radius, side="left")
        return self.total[np.searchsorted(self.radius, self.radius[last], side="right") - 1]
