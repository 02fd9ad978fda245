"""Completes what the radial sampler drew of a residual network to explicit vectors and weights.

From the last block down: x and the error after a block are vectors; the numbers of the block say how much of the error
is in the plane of both streams, and the rest of that plane's direction is free. So are the directions in which only
lengths were drawn. Each matrix has rank two: what it does to the one vector that it meets from either side.
"""

from __future__ import annotations

import numpy as np

from gradsim_core.schedules.radial_streams import numbers
from tests.core.schedules.residual_reference import backward_through_norm


def unit(v):
    """v / |v|, or 0."""
    return v / (np.linalg.norm(v) or 1.0)


class Completion:
    """One network of a group, which the kernel has just run.

    Parameters
    ----------
    rng : Generator
        Of the free directions.
    kind : Kind
    kept : array (depth + 2, ITEMS)
        What the kernel kept of each block.
    lengths : array (depth + 1,)
        |x^l|.
    readout : tuple of two floats
        Its component along x^L, and its length across.
    """

    def __init__(self, rng, kind, kept, lengths, readout):
        self.rng, self.kind, self.kept, self.lengths = rng, kind, kept, lengths
        top = unit(rng.standard_normal(kind.width))
        self.readout = readout[0] * top + readout[1] * self.across(top)
        self.weights, self.x = [], lengths[-1] * top
        error = self.through_norm(self.x, self.readout) if kind.before else self.readout
        for layer in range(kind.depth, 0, -1):
            error = self.block(layer, error)
        self.weights.reverse()

    def across(self, *vectors, of=None):
        """A random unit vector across some, which are orthogonal, where `of` is not 0; 0 if there is none."""
        among = np.ones(len(vectors[0])) if of is None else of
        free = among * self.rng.standard_normal(len(among))
        for v in vectors:
            free = free - v * (v @ free)
        return unit(free) if among.sum() > sum(1 for v in vectors if v.any()) else 0.0 * free

    def through_norm(self, x, error):
        return backward_through_norm(x[None], error[None])[0]

    def block(self, layer, error):
        """Complete a block, given x and the error after it; sets x before it, and returns the error there."""
        kind, item = self.kind, self.kept[layer]
        x_after, length = unit(self.x), self.lengths[layer - 1]
        if kind.after:
            whole = self.x / item[numbers.AFTER]
            error = self.through_norm(whole, error)
        # The plane of both streams, so that the error has its part in it.
        rest = unit(error - x_after * (x_after @ error))
        share = item[numbers.TURN] / np.hypot(item[numbers.TURN], item[numbers.TURN_REST] ** 0.5)
        normal = share * rest + np.sqrt(max(1 - share**2, 0.0)) * self.across(x_after, rest)
        cosine, sine = item[numbers.COSINE], item[numbers.SINE]
        along, beside = cosine * x_after - sine * normal, sine * x_after + cosine * normal
        x = length * along
        y = x * item[numbers.BEFORE] if kind.before else x
        f_length = item[numbers.INNER] ** 0.5
        branch = item[numbers.ALONG] * along + item[numbers.ACROSS] * beside
        branch = kind.deviations[1] * f_length * branch
        e = kind.alpha * error
        e = self.through_norm(branch, e) if kind.output else e
        h, f, slope, t = self.inner(item, y, e)
        V = np.outer(branch, f) / (f @ f or 1.0) + np.outer(e, t) / (e @ e)
        u = slope * (V.T @ e)
        share, bias_share = item[numbers.SHARE], item[numbers.BIAS_SHARE]
        v = np.hypot(kind.deviations[0] * np.linalg.norm(y), kind.sigma_b)
        fresh = item[numbers.OF_BIAS] if kind.sigma_b else 0.0
        product = share**2 * h + share * bias_share * v * fresh * unit(u)
        # W^T u across x: a normal number along the error there, and a length across both.
        error_across = unit(error - along * (along @ error))
        spread = item[numbers.SPREAD] * error_across
        spread = spread + item[numbers.SPREAD_REST] ** 0.5 * self.across(along, error_across)
        spread = kind.deviations[0] * np.linalg.norm(u) * spread * (kind.width > 1)
        W = np.outer(product, y) / (y @ y) + np.outer(u, spread) / (u @ u or 1.0)
        self.weights.append((W, V, h - product))
        self.x = x
        through = W.T @ u
        return error + (self.through_norm(x, through) if kind.before else through)

    def inner(self, item, y, e):
        """h, f, the slopes, and V^T e across f."""
        kind, n = self.kind, self.kind.inner
        positive = np.zeros(n)
        positive[self.rng.permutation(n)[: int(item[numbers.COUNT])]] = 1.0
        v = np.hypot(kind.deviations[0] * np.linalg.norm(y), kind.sigma_b)
        sizes = np.abs(self.rng.standard_normal(n))
        p, m = unit(sizes * positive), -unit(sizes * (1 - positive))
        of_p, of_m = v * item[numbers.POSITIVE] ** 0.5, v * item[numbers.NEGATIVE] ** 0.5
        h = of_p * p + of_m * m
        slope = np.where(h > 0, kind.above, kind.below)
        f = slope * h
        t = item[numbers.OUTSIDE_POSITIVE] ** 0.5 * self.across(p, of=positive)
        if kind.below != 0.0:
            in_plane = unit(kind.above * of_p * m - kind.below * of_m * p) * (of_p * of_m > 0)
            t = t + item[numbers.IN_PLANE] * in_plane
            t = t + item[numbers.OUTSIDE_NEGATIVE] ** 0.5 * self.across(m, of=1 - positive)
        return h, f, slope, kind.deviations[1] * np.linalg.norm(e) * t
