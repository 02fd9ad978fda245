"""The radial sampler: networks of relu, leaky_relu, linear or abs in a few random numbers per layer, at any width.

phi has one slope on each side of 0. So h = W x + b enters only by its length, by how many of its elements are positive,
and by the lengths of its positive part p and its negative part m. Given |x| the direction of h is uniform: the number
of positive elements is K ~ Binomial(N, 1/2), and |p|^2 = v^2 chi2_K, |m|^2 = v^2 chi2_(N-K). Backward, y = W^T delta
has a component along x, one across x in the plane of p and m, and outside that plane, for normal entries,

    |delta|^2 = (a y_p)^2 + (b y_m)^2 + s^2 |delta above|^2 (a^2 chi2_(K-1) + b^2 chi2_(N-K-1)),

where a and b are the slopes, and y_p and y_m the components of y along p and m. All terms are positive, so no digits
cancel. `radial_matrix` has what depends on the law of the weights.

Sixteen networks run side by side, one per lane, each with an exponent of its own, which is settled in every layer:
scaling by a power of two is exact, and a layer has few numbers.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from gradsim_core import jit
from gradsim_core.lanes import LANES, aligned, anywhere, convert, fma, load, maximum, rint, select, splat, sqrt
from gradsim_core.parameters import SUM_DELTA, SUM_H, SUM_X
from gradsim_core.rng.chi_squares import chi_square_pair, chi_squares_from
from gradsim_core.rng.counts import Coins, fair_coins, heads
from gradsim_core.rng.philox import GROUP_RADIAL, random_words
from gradsim_core.scaling import per_lane
from gradsim_core.scaling.per_lane import exponent_of, is_far, scaled

from .radial_matrix import (
    COUNT,
    KEPT,
    NEGATIVE,
    PARTS,
    POSITIVE,
    REST,
    Error,
    Matrix,
    keep,
    kept,
    matrix_of,
    normals,
    source,
)
from .radial_slopes import sides_at, sides_of
from .sampled_matrix import inverse
from .side_by_side import deliver, record


class Deviations(NamedTuple):
    """Deviations of the weights (sigma_w for Haar matrices), the biases and the readout."""

    weight: float  # times 2^weight_exponent, 1/2 <= weight < 1
    weight_exponent: float
    bias: float  # likewise; 0 if there are none
    bias_exponent: float
    readout: float  # 1 / sqrt(N)
    plain_weight: float  # the deviation itself; 0 if it or that of the biases is far from 1
    plain_bias: float  # itself


class RadialWork(NamedTuple):
    """Arrays of one thread, flat."""

    coins: Coins
    layers: np.ndarray  # (depth, KEPT, 16) what is kept for the backward pass, in the precision of the run
    sums: np.ndarray  # (3, depth, 16), float64
    exponents: np.ndarray  # (3, depth, 16), float64
    deviations: Deviations


class Input(NamedTuple):
    """x of the layer below: |x|^2 in units of 4^exponent."""

    square: np.ndarray
    exponent: np.ndarray  # float64


class Backward(NamedTuple):
    """y = W^T delta of the layer above, in units of 2^exponent, as it is drawn.

    Its component along x; across x the square of its deviation or, with Haar matrices, of its length; and a chi-square
    that the layer above has left.
    """

    along: np.ndarray
    across: np.ndarray
    exponent: np.ndarray  # float64
    spare: np.ndarray


def variances(deviations, square, exponent):
    """The exponent of h, and in its units the variance of W x and the deviation of b; |x|^2 is square 4^exponent."""
    like = splat(square, deviations.plain_bias)
    if deviations.plain_weight > 0.0 and not (anywhere(exponent != 0.0) or is_far(square)):
        return exponent, square * (deviations.plain_weight * deviations.plain_weight), like
    exponent = exponent + deviations.weight_exponent
    of_weights = square * (deviations.weight * deviations.weight)
    half = rint(exponent_of(of_weights) * 0.5)
    unit = maximum(select(of_weights > 0.0, half + exponent, -per_lane.FAR), deviations.bias_exponent)
    unit = select(unit > -per_lane.FAR, unit, 0.0)
    bias = scaled(deviations.bias_exponent - unit, splat(square, deviations.bias))
    return unit, scaled(2.0 * (exponent - unit), of_weights), bias


@jit.inlined
def forward_layer(matrix, sides, cell, group, layer, work, state):
    """Draw the lengths of h of a layer; takes and returns |x|^2 in units of 4^exponent."""
    square, exponent = state
    record(work, SUM_X, layer, square, exponent)
    unit, of_weights, bias = variances(work.deviations, square, exponent)
    a, b, c, d = random_words(cell.key, group, layer, GROUP_RADIAL, PARTS)
    count = heads(work.coins, a, b, square)
    positive, negative = chi_squares_from((c, d, b), source(cell, group, layer), PARTS, count, cell.width - count)
    variance = matrix.spread(cell, group, layer, work, of_weights, bias, positive + negative)
    live = variance > 0.0  # else h = 0, where phi' is 0: only a slope of 0 leads here
    positive, negative = select(live, positive, 0.0), select(live, negative, 0.0)
    keep(work, layer, COUNT, count)
    keep(work, layer, POSITIVE, positive)
    keep(work, layer, NEGATIVE, negative)
    record(work, SUM_H, layer, variance * (positive + negative), unit)
    sides = sides_at(sides, cell, count)
    of_x = sides.above * sides.above * positive + sides.below * sides.below * negative
    return Input(variance * of_x, unit + sides.exponent)


@jit.inlined
def outside_plane(matrix, sides, cell, group, layer, work, spare):
    """The chi-squares of y outside the plane of p and m, at positive and at negative h, and one for the layer below.

    Where phi is 0 below 0, only the first counts, and a pair serves two layers: `spare` is what the layer above left.
    """
    count = kept(work, layer, COUNT)
    if matrix.orthogonal or sides.both:
        rest = cell.width - count - 1.0
        first, second = chi_square_pair(source(cell, group, layer), REST, count - 1.0, rest)
        return first, second, spare
    if (cell.depth - layer) % 2 == 1:
        return spare, spare, spare
    below = kept(work, max(layer - 1, 1), COUNT)
    first, second = chi_square_pair(source(cell, group, layer), REST, count - 1.0, below - 1.0)
    return first, first, second


@jit.inlined
def in_plane_of(matrix, sides, cell, group, layer, work):
    """The normal of y across x in the plane of p and m; 0 where there is none, or it is multiplied by a slope of 0."""
    count = kept(work, layer, COUNT)
    if not (matrix.orthogonal or sides.both):
        return count * 0.0
    n, _, _, _ = normals(cell, group, layer, count)
    return select((count > 0.0) & (count < cell.width), n, 0.0)


@jit.inlined
def error_of(matrix, sides, p2, m2, y, n, outside):
    """delta of a layer, given y.

    Parameters
    ----------
    matrix : Matrix
    sides : Sides
    p2, m2 : vectors
        |p|^2 and |m|^2 of this layer.
    y : Backward
    n : vector
        The normal of y across x in the plane of p and m.
    outside : vector
        |phi' y|^2 outside that plane.
    """
    a, b = sides.above, sides.below
    if not (matrix.orthogonal or sides.both):  # then x is a p
        of_p = select(p2 > 0.0, a * y.along, 0.0)
        return Error(fma(of_p, of_p, outside), of_p * sqrt(p2), outside)
    x = sqrt(a * a * p2 + b * b * m2)
    p, m, factor = sqrt(p2), sqrt(m2), inverse(x)
    along, across = y.along * factor, sqrt(y.across) * n * factor
    of_p = a * (a * p * along - b * m * across)
    of_m = b * (b * m * along + a * p * across)
    square = of_p * of_p + of_m * of_m + outside
    if matrix.orthogonal:
        turned = m * of_p - p * of_m
        outside = fma(turned * turned, inverse(p2 + m2), outside)
    return Error(square, y.along * x, outside)


@jit.inlined
def backward_layer(matrix, sides, cell, group, layer, work, state):
    """Draw delta of a layer, and y of the layer below it."""
    along, across, exponent, spare = state
    positive, negative = kept(work, layer, POSITIVE), kept(work, layer, NEGATIVE)
    sides = sides_at(sides, cell, kept(work, layer, COUNT))
    first, second, spare = outside_plane(matrix, sides, cell, group, layer, work, spare)
    n = in_plane_of(matrix, sides, cell, group, layer, work)
    if matrix.orthogonal and layer < cell.depth:
        across = across * inverse(fma(n, n, first + second))
    outside = across * (sides.above * sides.above * first + sides.below * sides.below * second)
    outside = select(positive + negative > 0.0, outside, 0.0)
    error = error_of(matrix, sides, positive, negative, Backward(along, across, exponent, spare), n, outside)
    square, exponent = error.square, exponent + sides.exponent
    if is_far(square):
        k = select(square > 0.0, rint(exponent_of(square) * 0.5), 0.0)
        square, exponent = scaled(k * -2.0, square), exponent + k
        error = Error(square, scaled(-k, error.along), scaled(k * -2.0, error.across))
    record(work, SUM_DELTA, layer, square, exponent)
    along, across = matrix.combine(cell, group, layer, work, error)
    weight = work.deviations.weight
    return Backward(along * weight, across * (weight * weight), exponent + work.deviations.weight_exponent, spare)


def build(phi, dphi, log_phi, log_dphi, law):
    """The block kernel of a weight law, to be compiled or interpreted (see `table.Schedule`)."""
    orthogonal, spread, combine = matrix_of(law)

    def run_block(cell, slopes, first, work, sums, exponents):
        """Run networks first .. first + count - 1; writes sums and exponents, both (3, count, depth)."""
        matrix = Matrix(orthogonal, spread, combine)
        for group in range(first // LANES, (first + sums.shape[1] - 1) // LANES + 1):
            zero = load(work.layers, 0) * 0.0
            sides, double = sides_of(slopes, zero), convert(zero, 1.0)
            square, _ = chi_square_pair(source(cell, group, 0), PARTS, zero + cell.width, zero)
            below = Input(square, double)
            for layer in range(1, cell.depth + 1):
                below = forward_layer(matrix, sides, cell, group, layer, work, below)
            n, _, _, _ = normals(cell, group, 0, zero)
            above = Backward(n * work.deviations.readout, zero + 1.0 / cell.width, double, zero)
            for layer in range(cell.depth, 0, -1):
                above = backward_layer(matrix, sides, cell, group, layer, work, above)
            deliver(work, group, first, sums, exponents)

    return run_block


def applies(law, depth, width):
    """Whether the law is invariant under rotations."""
    return law.conditional


def memory(law, depth, width):
    """Numbers in a thread's arrays."""
    return LANES * depth * (KEPT + 12)


def allocate(cell, dtype, law):
    """Arrays of one thread for a cell."""
    bias = math.frexp(cell.sigma_b) if cell.sigma_b > 0.0 else (0.0, -per_lane.FAR)
    deviation = law.deviation(cell)
    ordinary = 2.0**-10 <= deviation <= 2.0**10 and cell.sigma_b <= 2.0**10
    numbers = *math.frexp(deviation), *bias, 1.0 / math.sqrt(cell.width), deviation * ordinary, cell.sigma_b
    double = aligned(3 * cell.depth * LANES, np.float64), aligned(3 * cell.depth * LANES, np.float64)
    layers = aligned(cell.depth * KEPT * LANES, dtype)
    return RadialWork(fair_coins(cell.width), layers, *double, Deviations(*map(float, numbers)))


jit.register_leaves(__name__, inline=False)
