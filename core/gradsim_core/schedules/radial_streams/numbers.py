"""The random numbers of a block, one of each per network, and what is kept for the backward pass (see `schedule`).

All of them are drawn in the forward pass, in the precision of the run. What is made of them is float64.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gradsim_core import jit
from gradsim_core.lanes import LANES, convert, load, store
from gradsim_core.rng.chi_squares import chi_square_pair, chi_squares_from
from gradsim_core.rng.counts import heads
from gradsim_core.rng.draws import Source
from gradsim_core.rng.normals import normal_pair
from gradsim_core.rng.philox import RADIAL_STREAM, random_words, stream, two_counters

# What the random numbers of a block are for: the index of their counters.
PARTS, NORMALS, LENGTHS, REST, BELOW, BIAS = range(6)

# What is kept of a block, one number per network. Of h: how many elements are positive, and |p|^2 and |m|^2 in units
# of v^2; the shares of W x and of the bias in v. The squares of f and of what the first matrix meets, with exponents.
# Of the branch: its normal along x, and its length across x, both in units of tau; cosine and sine of the angle of x'
# and x. Of each norm, before, output and after: 1 / deviation, exponent, share of epsilon in the variance. Numbers of
# the backward pass: those that turn the error across x' into the plane of x and x', and that spread W^T u across x;
# the normal of V^T e in the plane of p and m; the chi-squares outside that plane; the normal of the bias.
(
    COUNT, POSITIVE, NEGATIVE, SHARE, BIAS_SHARE, INNER, INNER_EXPONENT, SEEN, SEEN_EXPONENT,
    ALONG, ACROSS, COSINE, SINE,
    BEFORE, BEFORE_UNIT, BEFORE_FLOOR, OUTPUT, OUTPUT_UNIT, OUTPUT_FLOOR, AFTER, AFTER_UNIT, AFTER_FLOOR,
    TURN, TURN_REST, SPREAD, SPREAD_REST, IN_PLANE, OUTSIDE_POSITIVE, OUTSIDE_NEGATIVE, OF_BIAS, ITEMS,
) = range(31)  # fmt: skip


class Branch(NamedTuple):
    """What the forward pass needs of the numbers of a block.

    How many elements of h are positive, the chi-squares of both parts of h, and of the branch, in units of tau, its
    normal along x and its square across x.
    """

    count: np.ndarray
    positive: np.ndarray
    negative: np.ndarray
    along: np.ndarray
    across: np.ndarray


def item(work, layer, name):
    """A number that was kept of a block."""
    return load(work.numbers, (layer * ITEMS + name) * LANES)


def keep(work, layer, name, value):
    """Keep a number of a block, in float64."""
    store(work.numbers, (layer * ITEMS + name) * LANES, convert(value, 1.0))


def source(cell, group, layer):
    """The `Source` of all random numbers of a block; layer 0 is the input, and the readout."""
    return Source(cell, group, layer, RADIAL_STREAM)


@jit.inlined
def draw_block(sides, cell, group, layer, work, like):
    """Draw all random numbers of a block, in the precision of `like`; keeps those of the backward pass."""
    origin, numbers = source(cell, group, layer), stream(layer, RADIAL_STREAM)
    width, inner = cell.width, work.form.inner
    a, b, c, d, e, f, g, h = two_counters(cell.key, group, numbers, PARTS, numbers, LENGTHS)
    exact = heads(work.coins, a, b, convert(like, 1.0))
    count = convert(exact, like)
    positive, negative = chi_squares_from((c, d, b), origin, PARTS, count, convert(-exact + inner, like))
    a, b, c, d = random_words(cell.key, group, layer, RADIAL_STREAM, NORMALS)
    along, turn = normal_pair(a, b, like)
    spread, in_plane = normal_pair(c, d, like)
    rest = like + (width - 2.0)
    # The lowest bits of b and d, which normals leave, are spare.
    across, outside = chi_squares_from((e, f, b), origin, LENGTHS, like + (width - 1.0), convert(exact - 1.0, like))
    first, second = chi_squares_from((g, h, d), origin, REST, rest, rest)
    keep(work, layer, TURN, turn)
    keep(work, layer, SPREAD, spread)
    keep(work, layer, IN_PLANE, in_plane)
    keep(work, layer, OUTSIDE_POSITIVE, outside)
    keep(work, layer, TURN_REST, first)
    keep(work, layer, SPREAD_REST, second)
    if sides.both:
        below, _ = chi_square_pair(origin, BELOW, convert(-exact + (inner - 1.0), like), like)
        keep(work, layer, OUTSIDE_NEGATIVE, below)
    if cell.sigma_b > 0.0:
        a, b, _, _ = random_words(cell.key, group, layer, RADIAL_STREAM, BIAS)
        of_bias, _ = normal_pair(a, b, like)
        keep(work, layer, OF_BIAS, of_bias)
    return Branch(exact, convert(positive, 1.0), convert(negative, 1.0), convert(along, 1.0), convert(across, 1.0))


jit.register_leaves(__name__, inline=True)
