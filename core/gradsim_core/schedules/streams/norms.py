"""Norms of the vectors of a stream: (x - mean) inverse, as of `operations.standardise`, in any range.

Sums and squares come from the passes that make a vector, so that a norm takes no pass of its own. Its backward pass is
a combination of two vectors, with a few numbers per network.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gradsim_core import jit
from gradsim_core.lanes import (
    LANES,
    anywhere,
    convert,
    fma,
    load,
    load_four,
    maximum,
    select,
    splat,
    sqrt,
)
from gradsim_core.scaling.per_lane import scaled
from gradsim_core.schedules.side_by_side import rows

from .numbers import (
    FLOOR,
    INVERSE,
    MEAN,
    OF_VARIANCE,
    UNIT,
    inverse,
    item,
    keep,
)


class Norm(NamedTuple):
    """A norm y = (x - mean) inverse, in units of 2^(exponent of x - unit), with a mean square of `share`.

    Share and floor are what the variance and epsilon contribute to 1 / inverse^2: they sum to 1.
    """

    mean: np.ndarray
    inverse: np.ndarray
    unit: np.ndarray
    floor: np.ndarray
    share: np.ndarray


class Affine(NamedTuple):
    """of_g (g - mean_g) + of_x (x - mean), in units of 2^exponent; all but the means in float64."""

    of_g: np.ndarray
    mean_g: np.ndarray
    of_x: np.ndarray
    mean: np.ndarray
    exponent: np.ndarray


def sum_up(array, start, width):
    """Sum over neurons, one per lane; four sums hide the latency. What is beyond the width is zero."""
    a = load(array, start)
    b, c, d = load(array, start + LANES), load(array, start + 2 * LANES), load(array, start + 3 * LANES)
    for k in range(start + 4 * LANES, start + rows(width) * LANES, 4 * LANES):
        a, b = a + load(array, k), b + load(array, k + LANES)
        c, d = c + load(array, k + 2 * LANES), d + load(array, k + 3 * LANES)
    return (a + b) + (c + d)


def dot_of_four(a, i, b, j, width):
    """As `side_by_side.dot`, with four sums: the order of `slopes_of_stream`."""
    p = q = r = s = splat(load(a, i), 0.0)
    for k in range(0, rows(width) * LANES, 4 * LANES):
        (t, u, v, w), (c, d, e, f) = load_four(a, i + k), load_four(b, j + k)
        p, q, r, s = fma(t, c, p), fma(u, d, q), fma(v, e, r), fma(w, f, s)
    return (p + q) + (r + s)


def norm_of(array, start, width, form, moments, exponent):
    """The `Norm` of a vector in units of 2^exponent, as of `operations.standardise`, from its sum and its square."""
    total, square = moments
    mean, variance = total * 0.0, square / width
    if form.centred:
        mean = total / width
        m = convert(mean, 1.0)
        variance = fma(-m, m, variance)
        if anywhere(variance * (16.0 * width) < square):  # digits have cancelled
            variance = variance_of(array, start, width, mean)
    return norm_from(mean, variance, exponent, form.epsilon)


@jit.outlined
def variance_of(array, start, width, mean):
    """The variance over neurons, in float64, from deviations."""
    square = splat(mean, 0.0)
    for k in range(start, start + width * LANES, LANES):
        d = load(array, k) - mean
        square = fma(d, d, square)
    return convert(square, 1.0) / width


def norm_from(mean, variance, exponent, epsilon):
    """The `Norm` of a vector of that mean and variance."""
    # Below this, epsilon outweighs the variance.
    unit = maximum(exponent, -40.0)
    epsilon = scaled(unit * -2.0, splat(unit, epsilon))
    total = variance + epsilon
    inverse = select(total > 0.0, 1.0 / sqrt(total), 0.0)
    floor = select(total > 0.0, epsilon * inverse * inverse, 1.0)
    # The smaller of the two is no difference: it would lose its digits.
    share = select(floor > 0.5, variance * inverse * inverse, splat(floor, 1.0) - floor)
    return Norm(mean, inverse, unit, floor, share)


def keep_norm(work, layer, norm):
    """Keep a norm of the stream at a layer."""
    keep(work, layer, MEAN, convert(norm.mean, 1.0))
    keep(work, layer, INVERSE, norm.inverse)
    keep(work, layer, UNIT, norm.unit)
    keep(work, layer, FLOOR, norm.floor)
    keep(work, layer, OF_VARIANCE, norm.share)


def kept_norm(work, layer):
    """What `keep_norm` kept."""
    mean = convert(item(work, layer, MEAN), load(work.error, 0))
    inverse, unit = item(work, layer, INVERSE), item(work, layer, UNIT)
    return Norm(mean, inverse, unit, item(work, layer, FLOOR), item(work, layer, OF_VARIANCE))


def is_few(form, width):
    """Whether normalised vectors have a single direction, so that only epsilon's share of an error comes back."""
    return width <= (2 if form.centred else 1)


def through_norm(cell, work, norm, y, exponent, products):
    """The error of x, where y = of_g g + of_x n is that of n = norm(x), and n is in units of 2^exponent."""
    of_g, inner, total = y.of_g, products.inner, products.total
    # The formulas are those of the true values of n.
    share = scaled(exponent * 2.0, splat(inner, 1.0 / cell.width))
    of_n = y.of_x * norm.floor - of_g * inner * share
    if is_few(work.form, cell.width):
        only = norm.share > 0.0  # n takes the only direction, unless it is 0
        along = fma(of_g, inner * inverse(norm.share * cell.width), y.of_x) * norm.floor
        of_g, of_n = select(only, 0.0, of_g), select(only, along, of_n)
    mean_g = convert(total, norm.mean) / cell.width if work.form.centred else norm.mean * 0.0
    return Affine(of_g * norm.inverse, mean_g, of_n * norm.inverse * norm.inverse, norm.mean, y.exponent - norm.unit)


jit.register_leaves(__name__, inline=True)
