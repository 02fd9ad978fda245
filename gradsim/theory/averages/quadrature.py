"""Gaussian averages of an activation: composite Gauss-Legendre quadrature, split at every kink.

Gauss-Hermite alone is off by up to 9e-2 where phi' jumps. Here the panels are laid out in h: geometric ones around 0
resolve an activation whose features are of order 1 under a Gaussian of any width, and even ones resolve the Gaussian.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gradsim.theory.averages.functions import RADIUS, Array, Extended, Function, refusal

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(20)
_REACH = 14.0  # standard deviations: the Gaussian weight beyond is below 1e-42
_STEP = 1.5  # standard deviations per panel: 20 nodes then integrate the Gaussian to rounding
_FIRST = 0.25  # the innermost panel is |h| < 0.25, the next are [0.25, 0.5], [0.5, 1], ...
OSCILLATION = 8.0  # panel width where phi may oscillate: 20 nodes resolve sin(h)^2 to rounding
_MOST_PANELS, _FEW_PANELS = 4096, 256  # few if even the most could not resolve the oscillation
_KINK = 1e-9  # panels narrower than this contain a kink
_TOLERANCES = 1e-13, 1e-10, 1e-6  # of integrals: to rounding, of differences, of single precision
_MOST_HALVED = 2**12  # panels halved at once: more are the sign of noise beyond the tolerance
_WRONG = 1e-3  # relative difference of the integral of phi' from that of a derivative; rounded constants pass


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


def feature_edges(pair: Extended) -> tuple[Array, Array]:
    """Find where panels must end for this activation: declared kinks, and those found in |h| < 64.

    A user's own activation declares no kinks: panels are halved until phi^2 and phi'^2 are integrated to rounding.
    Where panels shrink to almost nothing there is a kink, which becomes an edge itself.

    Returns
    -------
    edges, kinks
        Sorted arrays; the kinks are among the edges.

    Raises
    ------
    SweepError
        For a user's own pair that is not finite and integrable there, or whose dphi is not the derivative of phi.
    """
    activation = pair.activation
    kinks = {float(kink) for kink in activation.kinks}
    if activation.period is not None:  # a wave has no other features; its panels are shorter than a period
        return np.array(sorted(kinks | {0.0})), np.array(sorted(kinks))
    while True:
        edges = _halved_panels(pair, kinks)
        found = [_polished(pair, place) for place in _narrowest(edges)]
        new = {k for k in found if all(abs(k - old) > 10 * _KINK * max(1.0, abs(k)) for old in kinks)}
        if not new:
            if not activation.built_in:
                _check_integrable(pair, edges)
                _check_derivative(pair, edges)
            return edges, np.array(sorted(kinks))
        kinks |= new


def _squares(pair: Extended) -> dict[str, Function]:
    return {"phi": lambda h: pair(h) ** 2, "dphi": lambda h: pair.derivative(h) ** 2}


def _check_integrable(pair: Extended, edges: Array) -> None:
    """Raise SweepError if panels too narrow to matter hold a part of the integral of phi^2 or phi'^2."""
    left, right = edges[:-1], edges[1:]
    narrow = right - left < _KINK * np.maximum(1.0, np.abs(left))
    for name, square in _squares(pair).items():
        parts = _integral(square, left, right)
        inside = np.where(np.abs(left) < 1.0, parts, 0.0).sum()
        if parts[narrow].sum() > 1e-6 * max(inside, np.nanmedian(parts)):
            place = round(float(left[narrow][np.argmax(parts[narrow])]), 9)
            raise refusal(pair.activation.name, f"{name}^2 cannot be integrated near h = {place:.6g}")


def _check_derivative(pair: Extended, edges: Array) -> None:
    """Raise SweepError where the integral of phi' over a panel is not the difference of phi."""
    if getattr(pair.activation, "surrogate", False):
        return
    phi, area = pair(edges), _integral(pair.derivative, edges[:-1], edges[1:])
    size = np.maximum(np.abs(phi[1:]), np.abs(phi[:-1])) + np.abs(area)
    squares = [_integral(square, edges[:-1], edges[1:]) for square in _squares(pair).values()]
    resolved = np.isfinite(squares).all(0)  # panels on which a square overflows are not halved
    wrong = resolved & (np.abs(np.diff(phi) - area) > _WRONG * size + 1e-9)
    if wrong.any():
        k = int(np.flatnonzero(wrong)[np.argmin(np.abs(edges[:-1][wrong] + edges[1:][wrong]))])
        raise refusal(
            pair.activation.name,
            f"from h = {edges[k]:.6g} to {edges[k + 1]:.6g} phi changes by {phi[k + 1] - phi[k]:.6g}, and the integral "
            f"of dphi is {area[k]:.6g}",
            "Give the derivative of phi as dphi",
        )


def _halved_panels(pair: Extended, kinks: set[float]) -> Array:
    """Edges of panels halved until they integrate phi^2 and phi'^2 to rounding, or to the noise of the functions."""
    geometric = _FIRST * 2.0 ** np.arange(0, int(np.log2(RADIUS / _FIRST)) + 1)
    start = np.unique(np.concatenate([[0.0], geometric, -geometric, sorted(kinks)]))
    nodes = nodes_and_weights(start)[0]
    if np.isnan([pair(nodes), pair.derivative(nodes)]).any():
        raise pair.refusal(nodes)
    squares = list(_squares(pair).values())
    scales = [_Cumulative(square, start) for square in squares]
    for tolerance in _TOLERANCES:
        edges, left, right = set(start.tolist()), start[:-1], start[1:]
        while left.size:
            middle = 0.5 * (left + right)
            bad = np.zeros(left.shape, bool)
            for square, scale in zip(squares, scales, strict=True):
                error = _integral(square, left, right)
                error -= _integral(square, left, middle) + _integral(square, middle, right)
                bad |= np.abs(error) > tolerance * scale.within(np.maximum(np.abs(left), np.abs(right)))
            bad &= right - left > 4e-15 * np.maximum(1.0, np.abs(middle))
            left, middle, right = left[bad], middle[bad], right[bad]
            if left.size > _MOST_HALVED:
                break
            edges.update(middle.tolist())
            left, right = np.concatenate([left, middle]), np.concatenate([middle, right])
        else:
            return np.array(sorted(edges))
    place = float(middle[np.argmin(np.abs(middle))])
    raise refusal(pair.activation.name, f"near h = {place:.6g} phi or dphi changes too often, or has a pole")


def _narrowest(edges: Array) -> list[float]:
    """Middle of the narrowest panel of each cluster of panels narrower than `_KINK`."""
    middle, width = 0.5 * (edges[1:] + edges[:-1]), np.diff(edges)
    narrow = np.flatnonzero(width < _KINK * np.maximum(1.0, np.abs(middle)))
    clusters = np.split(narrow, np.flatnonzero(np.diff(middle[narrow]) > 10 * _KINK) + 1)
    return [float(middle[cluster[np.argmin(width[cluster])]]) for cluster in clusters if cluster.size]


def _polished(pair: Extended, place: float) -> float:
    """Position of a jump to the last digit, by bisection; panels alone locate it to 1e-10."""
    for function in (pair.derivative, pair):
        left, right = (place + sign * 10 * _KINK * max(1.0, abs(place)) for sign in (-1.0, 1.0))
        low, high = (float(function(np.array([end]))[0]) for end in (left, right))
        if abs(high - low) > 1e-6 * max(abs(low), abs(high)):
            for _ in range(60):
                middle = 0.5 * (left + right)
                value = float(function(np.array([middle]))[0])
                left, right = (left, middle) if abs(value - high) < abs(value - low) else (middle, right)
            return 0.5 * (left + right)
    return place


def _integral(f: Function, left: Array, right: Array) -> Array:
    """Integral of f over each panel."""
    nodes, weights = nodes_and_weights(np.stack([left, right], -1))
    total: Array = (f(nodes) * weights).sum(-1)
    return total


class _Cumulative:
    """Integral of f over |h| < r: the scale of an error at |h| = r, since centred Gaussians weigh |h| < r more."""

    def __init__(self, f: Function, edges: Array) -> None:
        radius = np.maximum(np.abs(edges[1:]), np.abs(edges[:-1]))
        order = np.argsort(radius)
        self.radius = radius[order]
        self.total = np.cumsum(_integral(f, edges[:-1], edges[1:])[order])

    def within(self, radius: Array) -> Array:
        last = np.searchsorted(self.radius, radius, side="left")
        return self.total[np.searchsorted(self.radius, self.radius[last], side="right") - 1]
