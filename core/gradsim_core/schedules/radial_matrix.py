"""What of the radial sampler depends on the law of the weights: independent normal entries, or a Haar matrix.

With normal entries h = v z, v^2 = s^2 |x|^2 + sigma_b^2. Of delta, given h, only the component along h' = W x enters:
r^2 h . delta + r t |delta| v n with r = s |x| / v, t = sigma_b / v and n a standard normal. Across x, y has normal
components of deviation s |delta|.

For a Haar matrix times sigma_w, |h'| = sigma_w |x| and h = h' + b, which makes an angle with h': the sine and the
cosine take the place of t and r. Across x, y has a uniform direction and the length of delta across h', times sigma_w.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from gradsim_core import jit
from gradsim_core.lanes import LANES, fma, load, splat, sqrt, store
from gradsim_core.rng.chi_squares import chi_square_pair
from gradsim_core.rng.draws import Source
from gradsim_core.rng.normals import normal_pair
from gradsim_core.rng.philox import GROUP_RADIAL, random_words

from .sampled_matrix import inverse

# What the random numbers of a layer are for: the index of their counters. `radial` has the first three.
PARTS, REST, NORMALS, BIAS = range(4)
# What is kept of a layer for the backward pass: how many elements are positive, |p|^2 and |m|^2 in units of v^2, and
# r and t, or the cosine and the sine.
COUNT, POSITIVE, NEGATIVE, ALONG, ACROSS, KEPT = range(6)


class Error(NamedTuple):
    """delta of a layer: |delta|^2, h . delta in units of v, and the square of what is across h."""

    square: np.ndarray
    along: np.ndarray
    across: np.ndarray


class Matrix(NamedTuple):
    """How the lengths of h and of y are drawn."""

    orthogonal: bool
    spread: Callable  # v^2, so that |p|^2 = v^2 chi2_K
    combine: Callable  # y / s from the error of the layer above: its component along x, and the square of the rest


def source(cell, group, layer):
    """The `Source` of all random numbers of a layer; layer 0 is the input, and the readout."""
    return Source(cell, group, layer, GROUP_RADIAL)


def kept(work, layer, item):
    """What was stored as `item` of a layer: one number per network."""
    return load(work.layers, ((layer - 1) * KEPT + item) * LANES)


def keep(work, layer, item, value):
    """Store one number per network, for the backward pass."""
    store(work.layers, ((layer - 1) * KEPT + item) * LANES, value)


def normals(cell, group, layer, like):
    """Four standard normals of a layer: of y in the plane, of delta along h', and of a bias along h' (Haar); spare."""
    a, b, c, d = random_words(cell.key, group, layer, GROUP_RADIAL, NORMALS)
    in_plane, along = normal_pair(a, b, like)
    bias, spare = normal_pair(c, d, like)
    return in_plane, along, bias, spare


def spread_gaussian(cell, group, layer, work, variance, bias, total):
    """v^2, from the variance of W x and the deviation of the bias."""
    if cell.sigma_b == 0.0:
        return variance
    square = fma(bias, bias, variance)
    factor = inverse(sqrt(square))
    keep(work, layer, ALONG, sqrt(variance) * factor)
    keep(work, layer, ACROSS, bias * factor)
    return square


def combine_gaussian(cell, group, layer, work, error):
    """y / s below a layer: its component along x, and the square of its deviation across x."""
    along = error.along
    if cell.sigma_b > 0.0:
        _, n, _, _ = normals(cell, group, layer, along)
        along = fma(kept(work, layer, ALONG), along, kept(work, layer, ACROSS) * sqrt(error.square) * n)
    return along, error.square


def spread_orthogonal(cell, group, layer, work, square, bias, total):
    """|h|^2 / total, where total is the sum of the chi-squares of both signs; |h'|^2 is `square`."""
    if cell.sigma_b > 0.0:
        _, _, n, _ = normals(cell, group, layer, bias)
        along, width = fma(bias, n, sqrt(square)), splat(bias, cell.width)
        rest, _ = chi_square_pair(source(cell, group, layer), BIAS, width - 1.0, width - 2.0)
        rest = bias * bias * rest
        square = fma(along, along, rest)
        factor = inverse(sqrt(square))
        keep(work, layer, ALONG, along * factor)
        keep(work, layer, ACROSS, sqrt(rest) * factor)
    return square * inverse(total)


def combine_orthogonal(cell, group, layer, work, error):
    """y / sigma_w below a layer: its component along x, and the square of its length across x."""
    along = error.along * inverse(sqrt(kept(work, layer, POSITIVE) + kept(work, layer, NEGATIVE)))
    if cell.sigma_b == 0.0:
        return along, error.across
    _, n, _, _ = normals(cell, group, layer, along)
    width = splat(along, cell.width)
    _, others = chi_square_pair(source(cell, group, layer), BIAS, width - 1.0, width - 2.0)
    share = inverse(fma(n, n, others))  # of delta across h, the part in the plane of h and h' and the part outside
    across, outside = sqrt(error.across * share) * n, error.across * share * others
    cosine, sine = kept(work, layer, ALONG), kept(work, layer, ACROSS)
    left = along * sine - across * cosine
    return fma(along, cosine, across * sine), fma(left, left, outside)


def matrix_of(law):
    """How the matrices of a weight law are sampled."""
    if law.draw is None:
        return Matrix(True, spread_orthogonal, combine_orthogonal)
    return Matrix(False, spread_gaussian, combine_gaussian)


jit.register_leaves(__name__, inline=True)
